//! The sections of the page below the verdict.

use super::layout::{Page, gauge};
use crate::model::{Cell, Effect, Gauge, Measured, Metric, Report, Scale};
use crate::words::{count, grouped, number, percent, time, times};

fn evidence(gauged: &Gauge) -> String {
    let Gauge { log_e, log_threshold, times: multiple } = *gauged;
    let bar = gauge(log_e, log_threshold);
    format!("{bar} {} x its threshold (ln E {log_e:.2}, threshold {log_threshold:.2})", times(multiple))
}

/// `from 0.7 to 1.6`.
fn range(lower: Option<f64>, upper: Option<f64>) -> String {
    let end = |end: Option<f64>| end.map_or("no bound yet".to_owned(), number);
    match (lower, upper) {
        (None, None) => "no bounds yet".to_owned(),
        _ => format!("from {} to {}", end(lower), end(upper)),
    }
}

pub(super) fn metrics(page: &mut Page, report: &Report) {
    let level = report.metrics.iter().find_map(|metric| metric.effect).map_or(0.05, |effect| effect.level);
    let about = format!("intervals of {}, which hold at every look", percent(1.0 - level));
    page.title("METRICS", &about);
    if report.metrics.is_empty() {
        page.hanging("  ", "The plan has no metrics.");
    }
    for metric in &report.metrics {
        let title = format!("`{}`: {} ({}, {})", metric.metric, metric.verdict, metric.role, metric.kind);
        page.hanging("  ", &title);
        match &metric.effect {
            Some(effect) => page.hanging("    effect      ", &told(effect)),
            None => {
                let why = metric.not_enough.clone().unwrap_or_else(|| "no bad control unit yet".to_owned());
                page.hanging("    effect      ", &format!("nothing can be said yet: {why}"));
            }
        }
        if metric.role == "tripwire" {
            let bad = metric.treatment.bad.unwrap_or(0);
            page.hanging(
                "    harm        ",
                &format!("{} in treatment; one is too many", count(bad, "bad unit")),
            );
        } else {
            page.hanging("    harm        ", &evidence(&metric.harm));
        }
        if let Some(at) = metric.crossed {
            page.hanging("                ", &format!("its threshold was crossed at {}", time(at)));
        }
        if let Some(gauged) = &metric.not_worse {
            page.hanging("    not worse   ", &evidence(gauged));
        }
        if metric.role == "success" {
            page.hanging("    better      ", &evidence(&metric.better_shown));
        }
        page.hanging("    units       ", &units(metric));
        if metric.measured.clears() {
            page.hanging("    measured    ", &format!("unlike in both arms: {}", evidence(&metric.measured)));
        }
        page.hanging("    cannot see  ", &metric.sight.words);
    }
}

fn told(effect: &Effect) -> String {
    let range = range(effect.lower, effect.upper);
    let estimate = number(effect.estimate);
    let margin = effect.margin.map(|margin| format!(", margin {}", number(margin))).unwrap_or_default();
    match effect.scale {
        Scale::RateRatio => format!("rate ratio {estimate}, {range}; no difference 1{margin}"),
        Scale::Difference => format!("difference {estimate}, {range}; no difference 0{margin}"),
        Scale::Mean => format!("mean {estimate}, {range}; bar {}", number(effect.none)),
    }
}

fn units(metric: &Metric) -> String {
    let arm = |name: &str, arm: &Measured| match (arm.bad, arm.value) {
        (Some(bad), Some(value)) => {
            format!("{name} {} bad of {} ({})", grouped(bad), grouped(arm.units), percent(value))
        }
        (None, Some(value)) => format!("{name} {} in {}", number(value), count(arm.units, "unit")),
        _ => format!("{name} {}", count(arm.units, "unit")),
    };
    let control = metric.control.as_ref().map(|control| format!("; {}", arm("control", control)));
    format!("{}{}", arm("treatment", &metric.treatment), control.unwrap_or_default())
}

/// "and 3 more".
fn unnamed(page: &mut Page, unnamed: u64, k: u64) {
    if unnamed > 0 {
        page.hanging(
            "  ",
            &format!(
                "and {} too small to be named (fewer than {k} units in an arm, or too few bad ones)",
                count(unnamed, "value")
            ),
        );
    }
}

pub(super) fn slices(page: &mut Page, report: &Report) {
    for slices in &report.slices {
        let about = format!("{}; intervals hold for all of them together", slices.role);
        page.title(&format!("SLICES: `{}` by {}", slices.metric, slices.by), &about);
        let row = |cell: &Cell| {
            let Some(n) = &cell.numbers else {
                return vec![
                    cell.value.clone(),
                    cell.verdict.clone(),
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                ];
            };
            vec![
                cell.value.clone(),
                cell.verdict.clone(),
                n.ratio.map_or("-".to_owned(), number),
                range(Some(n.lower), n.upper),
                times(n.harm.times),
                format!("{} + {}", grouped(n.treated), grouped(n.control)),
            ]
        };
        let rows: Vec<Vec<String>> = slices.cells.iter().map(row).collect();
        if !rows.is_empty() {
            let head = ["value", "verdict", "rate ratio", "interval", "x threshold", "units"];
            page.table(&head, &rows, &[2, 4, 5]);
        }
        unnamed(page, slices.unnamed, report.k);
    }
}

pub(super) fn fairness(page: &mut Page, report: &Report) {
    for fair in &report.fairness {
        let about =
            format!("{}; 1 is no change, below 1 the group lost ground, 0.8 is the bar", fair.verdict);
        page.title(&format!("FAIRNESS: `{}` by {}", fair.metric, fair.by), &about);
        let rows: Vec<Vec<String>> = fair
            .changes
            .iter()
            .map(|change| {
                let range = change.ratio.map(|_| range(change.lower, change.upper)).unwrap_or_default();
                vec![
                    change.group.clone(),
                    change.verdict.clone(),
                    change.ratio.map_or(String::new(), number),
                    range,
                ]
            })
            .collect();
        if !rows.is_empty() {
            page.table(&["group", "verdict", "change", "interval"], &rows, &[2]);
        }
        unnamed(page, fair.unnamed, report.k);
        if let (Some(treatment), Some(control)) = (fair.treatment, fair.control) {
            page.hanging(
                "  ",
                &format!(
                    "worst group over best: {} in treatment, {} in control",
                    number(treatment),
                    number(control)
                ),
            );
        }
    }
}

pub(super) fn ratio(page: &mut Page, report: &Report) {
    let ratio = &report.sample_ratio;
    let said = if ratio.evidence.clears() {
        "units are NOT split as promised"
    } else {
        "units are split as promised"
    };
    page.title("SAMPLE RATIO", said);
    page.hanging("  evidence against it  ", &evidence(&ratio.evidence));
    let rows: Vec<Vec<String>> = ratio
        .cohorts
        .iter()
        .map(|one| {
            let expected =
                one.expected.map_or("no comparison".to_owned(), |expected| grouped(expected.round() as u64));
            vec![
                one.cohort.clone(),
                percent(one.probability),
                grouped(one.treated),
                expected,
                grouped(one.control),
            ]
        })
        .collect();
    if !rows.is_empty() {
        page.table(&["cohort", "drawn", "treated", "expected", "control"], &rows, &[1, 2, 3, 4]);
    }
    page.hanging("  ", &format!("{} in both arms, left out", count(ratio.both, "unit")));
    let suspects: Vec<_> = ratio.slices.iter().filter(|part| part.suspect).collect();
    for part in &suspects {
        page.hanging("  look at ", &format!("{}: {}", part.slice, evidence(&part.evidence)));
    }
    if suspects.is_empty() && !ratio.slices.is_empty() {
        page.hanging("  ", &format!("no part of the population stands out among {}", ratio.slices.len()));
    }
    if ratio.unnamed[1] > 0 {
        page.hanging("  ", &format!("{} too small to be named stand out", count(ratio.unnamed[1], "part")));
    }
}

pub(super) fn drift(page: &mut Page, report: &Report) {
    rates(page, report);
    page.title("DRIFT OF WHAT COMES IN", "signals for one look; they steer nothing");
    for mix in &report.drift.inputs {
        let said = if mix.alarm { "CHANGED" } else { "steady" };
        let chart = mix.chart.as_ref().map(|chart| {
            let since =
                chart.since.map(|since| format!(", changed at about {}", time(since))).unwrap_or_default();
            format!("; chart of `{}` at {} of its limit{since}", chart.value, times(chart.times))
        });
        let text = format!(
            "{said}: PSI {} (alarm above 0.1 with p below 0.001; p {}), {} until {}, {} since{}",
            number(mix.psi),
            number(mix.p),
            count(mix.units[0], "unit"),
            time(mix.split),
            grouped(mix.units[1]),
            chart.unwrap_or_default()
        );
        page.item(&mix.by, &text);
    }
    for note in &report.drift.notes {
        page.hanging("  ", note);
    }
}

fn rates(page: &mut Page, report: &Report) {
    if report.drift.rates.is_empty() {
        return;
    }
    page.title("DRIFT OF THE CANDIDATE", "treated units against the accepted rate");
    for rate in &report.drift.rates {
        let said = match (rate.alarmed, rate.holds) {
            (true, true) => "RISEN, holds",
            (true, false) => "RISEN, shown only",
            (false, _) => "no sign of a rise",
        };
        let text = match rate.log_evidence {
            None => format!("no batch is over yet (accepted {})", percent(rate.baseline)),
            Some(log_evidence) => format!(
                "{said}: {} bad of {} in {}, accepted {}; ln evidence {} (alarm above {})",
                grouped(rate.bad),
                count(rate.units, "unit"),
                if rate.batches == 1 {
                    "1 batch".to_owned()
                } else {
                    format!("{} batches", grouped(rate.batches))
                },
                percent(rate.baseline),
                number(log_evidence),
                number(rate.log_threshold),
            ),
        };
        page.item(&rate.metric, &text);
    }
}

pub(super) fn alpha(page: &mut Page, report: &Report) {
    let alpha = &report.alpha;
    let about =
        format!("chance of a false rollback over all stages, looks and attempts: {}", percent(alpha.rollout));
    page.title("ERROR BUDGET", &about);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for budget in &alpha.attempts {
        let phase = match (&budget.phase, budget.attempt == report.attempt) {
            (_, true) => "this one".to_owned(),
            (Some(phase), _) => phase.clone(),
            (None, _) => "ended".to_owned(),
        };
        rows.push(vec![format!("attempt {}", budget.attempt), percent(budget.alpha), String::new(), phase]);
    }
    for line in &alpha.lines {
        let evidence = format!("{} x its threshold", times(line.evidence.times));
        rows.push(vec![format!("  {}", line.what), percent(line.alpha), percent(line.share), evidence]);
    }
    if alpha.unassigned > 1e-12 {
        rows.push(vec!["  nobody's".to_owned(), percent(alpha.unassigned), String::new(), String::new()]);
    }
    rows.push(vec![
        "later attempts".to_owned(),
        percent(alpha.later),
        String::new(),
        "kept for them".to_owned(),
    ]);
    page.table(&["what", "alpha", "share", "state"], &rows, &[1, 2]);
    page.hanging(
        "  ",
        &format!(
            "Stages and looks cost nothing more. Each promotion test has {} of its own.",
            percent(alpha.promotion)
        ),
    );
}

/// Lines of the path that are printed at most.
const LINES: usize = 12;

pub(super) fn path(page: &mut Page, report: &Report) {
    if report.path.len() < 2 || report.metrics.is_empty() {
        return;
    }
    page.title("EVIDENCE OVER TIME", "ln E of harm, metric by metric");
    let last = report.path.len() - 1;
    let every = report.path.len().div_ceil(LINES).max(1);
    let rows: Vec<Vec<String>> = report
        .path
        .iter()
        .enumerate()
        .filter(|(number, _)| number.is_multiple_of(every) || *number == last)
        .map(|(_, point)| {
            let stage = point.stage.clone().unwrap_or_else(|| "-".to_owned());
            let lead = [time(point.at), stage, point.action.clone()];
            lead.into_iter().chain(point.harm.iter().map(|log_e| format!("{log_e:.2}"))).collect()
        })
        .collect();
    let mut head = vec!["when", "stage", "action"];
    head.extend(report.metrics.iter().map(|metric| metric.metric.as_str()));
    let right: Vec<usize> = (3..head.len()).collect();
    page.table(&head, &rows, &right);
    let thresholds = report.metrics.iter().filter(|metric| metric.role != "tripwire");
    let told: Vec<String> = thresholds.map(|m| format!("{} {:.2}", m.metric, m.harm.log_threshold)).collect();
    page.hanging("  thresholds: ", &told.join(", "));
}
