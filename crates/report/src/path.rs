//! The evidence from look to look.

use crate::model::Point;
use crate::{Look, verdict, words};

/// Points that are kept at most, changes of stage or action apart.
const POINTS: usize = 240;

/// Judges each look again; of many, evenly spread ones and all at which something changed.
pub(crate) fn of(looks: &[&Look]) -> Vec<Point> {
    let every = looks.len().div_ceil(POINTS).max(1);
    let mut points: Vec<Point> = Vec::new();
    for (number, look) in looks.iter().enumerate() {
        let judgement = look.judge();
        let point = Point {
            at: look.now,
            stage: verdict::stage(look).map(|stage| stage.name),
            action: words::action(judgement.action).to_owned(),
            harm: judgement.metrics.iter().map(|metric| metric.log_e).collect(),
            not_worse: judgement.metrics.iter().map(|metric| metric.log_e_non_inferior).collect(),
        };
        let changed =
            points.last().is_none_or(|last| (&last.stage, &last.action) != (&point.stage, &point.action));
        if changed || number.is_multiple_of(every) || number + 1 == looks.len() {
            points.push(point);
        }
    }
    points
}
