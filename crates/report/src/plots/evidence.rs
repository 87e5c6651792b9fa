//! Evidence of harm over time, metric by metric, against its threshold.

use plotters::prelude::*;
use plotters::series::DashedLineSeries;

use super::Plot;
use super::frame::{Area, FAINT, INK, WARN, letters, panels, room, wrong};
use crate::model::{Metric, Point, Report};
use crate::words::{number, time, times};

/// Height of one metric's panel.
const PANEL: u32 = 200;

/// The unit of the time axis: its name and its seconds.
fn unit(seconds: u64) -> (&'static str, f64) {
    match seconds {
        0..=7_200 => ("minutes", 60.0),
        7_201..=259_200 => ("hours", 3_600.0),
        _ => ("days", 86_400.0),
    }
}

pub(super) fn plot(report: &Report) -> Result<Option<Plot>, String> {
    let drawn: Vec<(usize, &Metric)> =
        report.metrics.iter().enumerate().filter(|(_, metric)| metric.role != "tripwire").collect();
    let (Some(first), Some(last)) = (report.path.first(), report.path.last()) else { return Ok(None) };
    if drawn.is_empty() || report.path.len() < 2 {
        return Ok(None);
    }
    let title = format!("{}: evidence of harm over time, against its threshold", report.flag);
    let described: Vec<String> = drawn
        .iter()
        .map(|(number, metric)| {
            let most = report.path.iter().filter_map(|point| point.harm.get(*number)).copied();
            format!(
                "{}: at most ln E {:.2}, last {} times its threshold of ln E {:.2}.",
                metric.metric,
                most.fold(f64::NEG_INFINITY, f64::max),
                times(metric.harm.times),
                metric.harm.log_threshold
            )
        })
        .collect();
    let (name, seconds) = unit(last.at.saturating_sub(first.at));
    let words = format!("From {} to {}. {}", time(first.at), time(last.at), described.join(" "));
    let axis = format!("{name} since {}", time(first.at));
    let draw = |at: usize, area: &Area<'_>| match drawn.get(at) {
        Some((number, metric)) => panel(area, metric, *number, &report.path, (&axis, first.at, seconds)),
        None => Ok(()),
    };
    panels("evidence", title, words, &vec![PANEL; drawn.len()], draw).map(Some)
}

fn panel(
    area: &Area<'_>,
    metric: &Metric,
    number_of: usize,
    path: &[Point],
    (axis, begin, seconds): (&str, u64, f64),
) -> Result<(), String> {
    let threshold = metric.harm.log_threshold;
    let place = |at: u64| at.saturating_sub(begin) as f64 / seconds;
    let line: Vec<(f64, f64)> =
        path.iter().filter_map(|point| Some((place(point.at), *point.harm.get(number_of)?))).collect();
    let end = path.last().map_or(1.0, |point| place(point.at)).max(1e-9);
    let y = room(line.iter().map(|(_, log_e)| *log_e).chain([threshold, 0.0]), 0.3);
    let mut chart = ChartBuilder::on(area)
        .margin_top(10)
        .margin_left(12)
        .margin_right(24)
        .caption(format!("{} ({})", metric.metric, metric.role), letters(16))
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..end, y.clone())
        .map_err(wrong)?;
    let label = |value: &f64| number(*value);
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT).bold_line_style(BLACK.mix(0.08)).x_labels(8).y_labels(5);
    mesh.x_label_formatter(&label)
        .y_label_formatter(&label)
        .label_style(letters(13))
        .axis_desc_style(letters(13));
    mesh.x_desc(axis).y_desc("ln E (nats)");
    mesh.draw().map_err(wrong)?;
    let limit = vec![(0.0, threshold), (end, threshold)];
    chart.draw_series(DashedLineSeries::new(limit, 6, 4, WARN.stroke_width(2))).map_err(wrong)?;
    let text = |words: String, x: f64, y: f64, colour: &'static RGBColor| {
        Text::new(words, (x, y), letters(12).color(colour))
    };
    let above = threshold + (y.end - y.start) * 0.11;
    chart
        .draw_series([text(format!("\u{a0}acts above {threshold:.2}"), 0.0, above.min(y.end), &WARN)])
        .map_err(wrong)?;
    let mut stage = None;
    for point in path {
        if point.stage.is_some() && point.stage != stage {
            stage.clone_from(&point.stage);
            let at = place(point.at);
            let upright = vec![(at, y.start), (at, y.end)];
            chart.draw_series(LineSeries::new(upright, FAINT.mix(0.6))).map_err(wrong)?;
            let name = format!("\u{a0}{}", stage.as_deref().unwrap_or_default());
            chart.draw_series([text(name, at, y.start + (y.end - y.start) * 0.12, &FAINT)]).map_err(wrong)?;
        }
    }
    chart.draw_series(LineSeries::new(line.clone(), INK.stroke_width(2))).map_err(wrong)?;
    if line.len() <= 40 {
        chart.draw_series(line.iter().map(|at| Circle::new(*at, 3, INK.filled()))).map_err(wrong)?;
    }
    Ok(())
}
