//! The effect on each metric: estimate and interval, against "no difference" and the margin.

use plotters::prelude::*;
use plotters::series::DashedLineSeries;

use super::Plot;
use super::frame::{Area, FAINT, INK, WARN, letters, panels, ratio_marks, room, wrong};
use crate::model::{Effect, Metric, Report, Scale};
use crate::words::{number, percent};

/// Height of one metric's panel.
const PANEL: u32 = 144;

pub(super) fn plot(report: &Report) -> Result<Option<Plot>, String> {
    let metrics: Vec<(&Metric, Effect)> =
        report.metrics.iter().filter_map(|metric| Some((metric, metric.effect?))).collect();
    let Some((_, first)) = metrics.first() else { return Ok(None) };
    let title = format!(
        "{}: effects with intervals of {} that hold at every look",
        report.flag,
        percent(1.0 - first.level)
    );
    let described: Vec<String> = metrics.iter().map(|(metric, effect)| words(metric, effect)).collect();
    let heights = vec![PANEL; metrics.len()];
    let draw = |number: usize, area: &Area<'_>| match metrics.get(number) {
        Some((metric, effect)) => panel(area, metric, effect),
        None => Ok(()),
    };
    panels("effects", title, described.join(" "), &heights, draw).map(Some)
}

fn words(metric: &Metric, effect: &Effect) -> String {
    let end = |end: Option<f64>| end.map_or("without bound".to_owned(), number);
    let margin = effect.margin.map(|margin| format!(", margin {}", number(margin))).unwrap_or_default();
    format!(
        "{}, {}: {} {}, from {} to {}; no difference at {}{margin}.",
        metric.metric,
        metric.verdict,
        axis(effect.scale),
        number(effect.estimate),
        end(effect.lower),
        end(effect.upper),
        number(effect.none)
    )
}

fn axis(scale: Scale) -> &'static str {
    match scale {
        Scale::RateRatio => "rate ratio, treatment / control",
        Scale::Difference => "difference, treatment - control (metric's own unit)",
        Scale::Mean => "mean of treated units (0 to 1)",
    }
}

/// Where a value lies: ratios on a logarithmic axis.
fn at(scale: Scale, value: f64) -> f64 {
    if scale == Scale::RateRatio { libm::log(value.max(1e-9)) } else { value }
}

fn panel(area: &Area<'_>, metric: &Metric, effect: &Effect) -> Result<(), String> {
    let scale = effect.scale;
    let place = |value: f64| at(scale, value);
    let bounds = [effect.lower.filter(|lower| scale != Scale::RateRatio || *lower > 0.0), effect.upper];
    let all = [Some(effect.none), Some(effect.estimate), effect.margin].into_iter().chain(bounds);
    let size = effect.estimate.abs().max(effect.none.abs()).max(1e-9);
    let least = if scale == Scale::RateRatio { 0.15 } else { size * 0.02 };
    let x = room(all.flatten().map(place), least);
    let caption = format!("{} ({}): {}", metric.metric, metric.role, metric.verdict);
    let mut chart = ChartBuilder::on(area)
        .margin_top(10)
        .margin_left(24)
        .margin_right(24)
        .caption(caption, letters(16))
        .x_label_area_size(44)
        .build_cartesian_2d(x.clone(), 0.0..1.0)
        .map_err(wrong)?;
    let log = scale == Scale::RateRatio;
    // A mark that should be 0 and is not quite.
    let nothing = (x.end - x.start) * 1e-9;
    let label = |value: &f64| match value {
        value if log => number(libm::exp(*value)),
        value if value.abs() < nothing => "0".to_owned(),
        value => number(*value),
    };
    let mut mesh = chart.configure_mesh();
    mesh.disable_mesh().disable_y_axis().x_labels(if log { 0 } else { 7 }).x_label_formatter(&label);
    mesh.x_label_style(letters(13)).axis_desc_style(letters(13));
    mesh.x_desc(if log { format!("{} (log scale)", axis(scale)) } else { axis(scale).to_owned() });
    mesh.draw().map_err(wrong)?;
    if log {
        for mark in ratio_marks(&x) {
            let place = libm::log(mark);
            chart.draw_series([PathElement::new(vec![(place, 0.0), (place, 0.05)], BLACK)]).map_err(wrong)?;
            let style = letters(13).pos(plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Center,
                plotters::style::text_anchor::VPos::Top,
            ));
            let (left, bottom) = chart.backend_coord(&(place, 0.0));
            let (base_left, base_top) = area.get_base_pixel();
            area.draw(&Text::new(number(mark), (left - base_left, bottom - base_top + 6), style))
                .map_err(wrong)?;
        }
    }
    let solid = vec![(place(effect.none), 0.0), (place(effect.none), 1.0)];
    chart.draw_series(LineSeries::new(solid, FAINT.stroke_width(1))).map_err(wrong)?;
    let name = if scale == Scale::Mean { "bar" } else { "no difference" };
    let text = |words: &str, x: f64, y: f64, colour: &'static RGBColor| {
        Text::new(format!("\u{a0}{words}"), (x, y), letters(12).color(colour))
    };
    chart.draw_series([text(name, place(effect.none), 0.98, &FAINT)]).map_err(wrong)?;
    if let Some(margin) = effect.margin.filter(|margin| *margin != effect.none) {
        let line = vec![(place(margin), 0.0), (place(margin), 1.0)];
        chart.draw_series(DashedLineSeries::new(line, 6, 4, WARN.stroke_width(2))).map_err(wrong)?;
        chart.draw_series([text("margin", place(margin), 0.98, &WARN)]).map_err(wrong)?;
    }
    let [lower, upper] = bounds;
    let (low, high) = (lower.map_or(x.start, place), upper.map_or(x.end, place));
    chart.draw_series(LineSeries::new(vec![(low, 0.4), (high, 0.4)], INK.stroke_width(3))).map_err(wrong)?;
    // A closed end is a bar across; an open one an arrow.
    for (end, bound, arrow) in [(low, lower, "<"), (high, upper, ">")] {
        if bound.is_some() {
            let across = vec![(end, 0.3), (end, 0.5)];
            chart.draw_series(LineSeries::new(across, INK.stroke_width(2))).map_err(wrong)?;
        } else {
            let inside = if arrow == ">" { end - (x.end - x.start) * 0.012 } else { end };
            chart.draw_series([text(arrow, inside, 0.52, &INK)]).map_err(wrong)?;
        }
    }
    chart.draw_series([Circle::new((place(effect.estimate), 0.4), 5, INK.filled())]).map_err(wrong)?;
    Ok(())
}
