//! What all drawings have in common: size, letters, title, description, panels below each other.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::Plot;

/// Width of every drawing.
pub(super) const WIDTH: u32 = 860;
/// Height of the title.
const TITLE: u32 = 44;

/// Where is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Dark blue and dark orange: apart for colour-blind eyes and in grey.
pub(super) const INK: RGBColor = RGBColor(20, 60, 120);
pub(super) const WARN: RGBColor = RGBColor(170, 70, 0);
pub(super) const FAINT: RGBColor = RGBColor(110, 110, 110);

pub(super) fn letters(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_text_style(&(10, 10)).color(&BLACK)
}

pub(super) fn wrong(error: impl std::fmt::Display) -> String {
    format!("a plot cannot be drawn: {error}")
}

/// Draws panels of these heights below each other, under one title.
pub(super) fn panels(
    name: &'static str,
    title: String,
    description: String,
    heights: &[u32],
    mut draw: impl FnMut(usize, &Area<'_>) -> Result<(), String>,
) -> Result<Plot, String> {
    let height = TITLE + heights.iter().sum::<u32>();
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(wrong)?;
        root.draw(&Text::new(title.clone(), (16, 14), letters(21))).map_err(wrong)?;
        let mut top = TITLE;
        for (number, height) in heights.iter().enumerate() {
            let (from, to) =
                (i32::try_from(top).map_err(wrong)?, i32::try_from(top + height).map_err(wrong)?);
            let right = i32::try_from(WIDTH).map_err(wrong)?;
            let area = root.clone().shrink((0, from), (right, to - from));
            draw(number, &area)?;
            top += height;
        }
        root.present().map_err(wrong)?;
    }
    Ok(Plot { name, svg: told(&svg, &title, &description), title, description })
}

/// The drawing with its title and description, for those who do not see it.
fn told(svg: &str, title: &str, description: &str) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let words = format!("<title>{}</title>\n<desc>{}</desc>\n", escape(title), escape(description));
    match svg.find("<svg ").and_then(|at| svg.get(at..)?.find('>').map(|end| at + end)) {
        Some(end) => {
            let (head, rest) = svg.split_at(end);
            format!("{head} role=\"img\"{}{}", &rest[..1], format_args!("\n{words}{}", &rest[1..]))
        }
        None => svg.to_owned(),
    }
}

/// A range that holds all of these with some room, never empty.
pub(super) fn room(values: impl Iterator<Item = f64>, least: f64) -> std::ops::Range<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| value.is_finite()) {
        (low, high) = (low.min(value), high.max(value));
    }
    if low > high {
        (low, high) = (0.0, 0.0);
    }
    let spare = ((high - low) * 0.08).max(least);
    low - spare..high + spare
}

/// Marks of a logarithmic axis between two logarithms: 0.5, 1, 2, 5 …
pub(super) fn ratio_marks(range: &std::ops::Range<f64>) -> Vec<f64> {
    let wide = range.end - range.start;
    let steps: &[f64] = if wide > 6.0 {
        &[1.0]
    } else if wide > 1.6 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0, 8.0, 9.0]
    };
    let tens =
        (-6..=6).flat_map(|power| steps.iter().map(move |step| step * libm::pow(10.0, f64::from(power))));
    tens.filter(|mark| range.contains(&libm::log(*mark))).collect()
}
