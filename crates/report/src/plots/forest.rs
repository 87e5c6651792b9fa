//! Slices as a forest plot: a line for each, against "no difference".

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Plot;
use super::frame::{Area, FAINT, INK, WARN, letters, panels, ratio_marks, room, wrong};
use crate::model::{Cell, Report, Slices};
use crate::words::{grouped, number};

/// Height of one slice, and of what is around them.
const ROW: u32 = 30;
const AROUND: u32 = 106;
/// Ratios beyond these lie at the edge: a slice of few units must not flatten all others.
const NARROW: (f64, f64) = (0.1, 10.0);

pub(super) fn plot(report: &Report) -> Result<Option<Plot>, String> {
    let drawn: Vec<&Slices> = report.slices.iter().filter(|slices| !slices.cells.is_empty()).collect();
    if drawn.is_empty() {
        return Ok(None);
    }
    let title = format!(
        "{}: parts of the population, with intervals that hold for all of them together",
        report.flag
    );
    let described: Vec<String> = drawn.iter().map(|slices| words(slices)).collect();
    let heights: Vec<u32> = drawn
        .iter()
        .map(|slices| AROUND + ROW * u32::try_from(slices.cells.len()).unwrap_or(u32::MAX / ROW / 2))
        .collect();
    let draw = |at: usize, area: &Area<'_>| drawn.get(at).map_or(Ok(()), |slices| panel(area, slices));
    panels("slices", title, described.join(" "), &heights, draw).map(Some)
}

fn words(slices: &Slices) -> String {
    let cells: Vec<String> = slices
        .cells
        .iter()
        .map(|cell| match &cell.numbers {
            Some(n) => {
                let ratio = n.ratio.map_or("unknown".to_owned(), number);
                let upper = n.upper.map_or("without bound".to_owned(), number);
                format!("{} {}, {ratio} from {} to {upper}", cell.value, cell.verdict, number(n.lower))
            }
            None => format!("{} {}", cell.value, cell.verdict),
        })
        .collect();
    format!("{} by {}: {}.", slices.metric, slices.by, cells.join("; "))
}

fn panel(area: &Area<'_>, slices: &Slices) -> Result<(), String> {
    let ends =
        slices.cells.iter().filter_map(|cell| cell.numbers).flat_map(|n| {
            [n.ratio, Some(n.lower).filter(|lower| *lower > 0.0), n.upper].into_iter().flatten()
        });
    let x = room(ends.map(|ratio| libm::log(ratio.clamp(NARROW.0, NARROW.1))).chain([0.0]), 0.2);
    let rows = slices.cells.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_top(10)
        .margin_left(210)
        .margin_right(150)
        .caption(format!("{} by {} ({})", slices.metric, slices.by, slices.role), letters(16))
        .x_label_area_size(48)
        .build_cartesian_2d(x.clone(), 0.0..rows)
        .map_err(wrong)?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_mesh().disable_y_axis().x_labels(0).axis_desc_style(letters(13));
    mesh.x_desc("rate ratio, treatment / control (log scale)");
    mesh.draw().map_err(wrong)?;
    let (base_left, base_top) = area.get_base_pixel();
    let pixel = |at: (i32, i32)| (at.0 - base_left, at.1 - base_top);
    for mark in ratio_marks(&x) {
        let at = libm::log(mark);
        chart.draw_series([PathElement::new(vec![(at, 0.0), (at, 0.12)], BLACK)]).map_err(wrong)?;
        let (left, bottom) = pixel(chart.backend_coord(&(at, 0.0)));
        let style = letters(13).pos(Pos::new(HPos::Center, VPos::Top));
        area.draw(&Text::new(number(mark), (left, bottom + 6), style)).map_err(wrong)?;
    }
    chart
        .draw_series(LineSeries::new(vec![(0.0, 0.0), (0.0, rows)], FAINT.stroke_width(1)))
        .map_err(wrong)?;
    for (number, cell) in slices.cells.iter().enumerate() {
        let y = rows - number as f64 - 0.5;
        let (start, middle) = pixel(chart.backend_coord(&(x.start, y)));
        let (stop, _) = pixel(chart.backend_coord(&(x.end, y)));
        let loud = cell.verdict == "harmed" || cell.verdict == "suspect";
        let colour = if loud { WARN } else { INK };
        let side = |anchor, size| letters(size).pos(Pos::new(anchor, VPos::Center));
        area.draw(&Text::new(label(cell), (start - 10, middle), side(HPos::Right, 14))).map_err(wrong)?;
        let aside = cell
            .numbers
            .map_or(String::new(), |n| format!("{} + {} units", grouped(n.treated), grouped(n.control)));
        area.draw(&Text::new(aside, (stop + 10, middle), side(HPos::Left, 12).color(&FAINT)))
            .map_err(wrong)?;
        let Some(numbers) = cell.numbers else { continue };
        let inside = |ratio: f64| libm::log(ratio.max(1e-9)).clamp(x.start, x.end);
        let low = if numbers.lower > 0.0 { inside(numbers.lower) } else { x.start };
        let high = numbers.upper.map_or(x.end, inside);
        chart
            .draw_series(LineSeries::new(vec![(low, y), (high, y)], colour.stroke_width(2)))
            .map_err(wrong)?;
        let closed = [(low, numbers.lower > 0.0), (high, numbers.upper.is_some())];
        for (end, _) in closed.iter().filter(|(_, closed)| *closed) {
            let across = vec![(*end, y - 0.18), (*end, y + 0.18)];
            chart.draw_series(LineSeries::new(across, colour.stroke_width(2))).map_err(wrong)?;
        }
        if let Some(ratio) = numbers.ratio {
            // A triangle where it is loud, a disc where it is not: not colour alone.
            let at = (inside(ratio), y);
            if loud {
                chart.draw_series([TriangleMarker::new(at, 8, colour.filled())]).map_err(wrong)?;
            } else {
                chart.draw_series([Circle::new(at, 5, colour.filled())]).map_err(wrong)?;
            }
        }
    }
    Ok(())
}

fn label(cell: &Cell) -> String {
    format!("{}: {}", cell.value, cell.verdict.replace('-', " "))
}
