//! The evidence counted from the raw events: slow, obvious, unit by unit, without anything that the program counts with.

use std::collections::BTreeMap;

use flagstone_judge::quantiles::histogram::CohortHistograms;
use flagstone_judge::{CohortCounts, CohortMoments, MetricEvidence, ScoreBatch};

/// One event. Late ones come in when the first windows have closed.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Exposed(Exposed),
    Measured(Measured),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Exposed {
    pub(super) unit: u64,
    pub(super) at_ms: u64,
    pub(super) treated: bool,
    pub(super) drawn: bool,
    pub(super) late: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) unit: u64,
    pub(super) at_ms: u64,
    pub(super) cost: i64,
    pub(super) tokens: Option<i64>,
    /// In tenths.
    pub(super) score: Option<i64>,
    pub(super) bad: bool,
    pub(super) late: bool,
}

impl What {
    pub(super) fn unit(&self) -> u64 {
        match self {
            What::Exposed(one) => one.unit,
            What::Measured(one) => one.unit,
        }
    }

    pub(super) fn late(&self) -> bool {
        match self {
            What::Exposed(one) => one.late,
            What::Measured(one) => one.late,
        }
    }
}

const WINDOW: u64 = 100_000;
const GRACE: u64 = 3_600_000;

/// A stretch of time in which a unit is followed in one arm.
struct Stretch {
    from: u64,
    to: u64,
    treated: bool,
    drawn: bool,
}

fn stretches(exposures: &[Exposed], window: u64) -> Vec<Stretch> {
    let first = |drawn: bool| exposures.iter().filter(|e| e.drawn == drawn).min_by_key(|e| e.at_ms);
    let (drawn, plain) = (first(true), first(false));
    let arms = |treated| exposures.iter().any(|e| e.drawn && e.treated == treated);
    let mut all = Vec::new();
    let mut in_arm = None;
    if let Some(drawn) = drawn
        && !(arms(true) && arms(false))
        && plain.is_none_or(|plain| plain.at_ms > drawn.at_ms)
    {
        let end = plain.map_or(u64::MAX, |plain| plain.at_ms).min(drawn.at_ms.saturating_add(window));
        all.push(Stretch { from: drawn.at_ms, to: end, treated: drawn.treated, drawn: true });
        in_arm = Some(drawn.treated);
    }
    if let Some(plain) = plain
        && in_arm != Some(plain.treated)
    {
        let end = plain.at_ms.saturating_add(window);
        all.push(Stretch { from: plain.at_ms, to: end, treated: plain.treated, drawn: false });
    }
    all
}

/// What each metric of the tests' definition comes to, and how many outcomes were late for it.
pub(super) fn evidence(happened: &[What]) -> (Vec<MetricEvidence>, BTreeMap<String, u64>) {
    let names = ["wrong", "cost", "adjusted", "running", "per-token", "each", "quality", "slow"];
    let mut late = BTreeMap::new();
    let all = names.map(|name| {
        let mut found = MetricEvidence { metric: name.to_owned(), ..MetricEvidence::default() };
        let missed: u64 = (0..6).map(|unit| one(name, unit, happened, &mut found)).sum();
        if missed > 0 {
            late.insert(name.to_owned(), missed);
        }
        let empty = MetricEvidence { metric: name.to_owned(), ..MetricEvidence::default() };
        empty.merged(&found)
    });
    (all.into_iter().collect(), late)
}

/// Adds one unit to one metric; returns its late outcomes.
fn one(name: &str, unit: u64, happened: &[What], found: &mut MetricEvidence) -> u64 {
    let mut exposures: Vec<Exposed> = Vec::new();
    let mut outcomes: BTreeMap<String, Measured> = BTreeMap::new();
    for what in happened.iter().filter(|what| what.unit() == unit) {
        match what {
            What::Exposed(one) => exposures.push(*one),
            // The same twice is one event.
            What::Measured(one) => {
                outcomes.insert(format!("{one:?}"), *one);
            }
        }
    }
    // Two exposures at the same moment are told apart by their ids; the recount does without those.
    exposures.sort_by_key(|e| e.at_ms);
    let outcomes: Vec<Measured> = outcomes.into_values().collect();
    let readable = |o: &&Measured| match name {
        "per-token" => o.tokens.is_some(),
        "quality" | "slow" => o.score.is_some(),
        _ => true,
    };
    let outcomes: Vec<&Measured> = outcomes.iter().filter(readable).collect();
    let window = if name == "running" { u64::MAX } else { WINDOW };
    if name == "wrong" {
        return wrong(&exposures, &outcomes, found);
    }
    let mut late = 0;
    for stretch in stretches(&exposures, window) {
        if name == "quality" && !stretch.treated {
            continue;
        }
        let closes = stretch.from.saturating_add(window).saturating_add(GRACE);
        let received = |o: &Measured| if o.late { super::BASE + 3_750_000 } else { super::BASE + 400_000 };
        let in_time = |o: &Measured| received(o) <= closes;
        let inside = |o: &Measured| o.at_ms >= stretch.from && o.at_ms < stretch.to;
        let first = exposures.first().map_or(0, |e| e.at_ms);
        let before = |o: &Measured| name == "adjusted" && o.at_ms >= stretch.from - 60_000 && o.at_ms < first;
        late += outcomes.iter().filter(|o| (inside(o) || before(o)) && !in_time(o)).count() as u64;
        let seen: Vec<&&Measured> = outcomes.iter().filter(|o| inside(o) && in_time(o)).collect();
        if seen.is_empty() {
            continue;
        }
        let cost: i64 = seen.iter().map(|o| o.cost).sum();
        let (value, second) = match name {
            "cost" => (cost.clamp(-7, 7), 0),
            "adjusted" => (cost, outcomes.iter().filter(|o| before(o) && in_time(o)).map(|o| o.cost).sum()),
            "running" => (cost, 0),
            "per-token" => (cost, seen.iter().filter_map(|o| o.tokens).sum()),
            "each" => (cost, seen.len() as i64),
            _ => (0, 0),
        };
        let probability = if stretch.drawn { 500_000_000 } else { 0 };
        match name {
            "quality" => {
                let tenths: i64 = seen.iter().filter_map(|o| o.score).sum();
                let score = (tenths * 100_000 / seen.len() as i64) as u32;
                let batch = closes / 600_000;
                found.scores.push(ScoreBatch { batch, scores: BTreeMap::from([(score, 1)]) });
            }
            "slow" => {
                let first = seen.iter().min_by_key(|o| (o.at_ms, o.score)).and_then(|o| o.score).unwrap();
                let mut entry = CohortHistograms { cohort: 1, probability, ..CohortHistograms::default() };
                let arm = if stretch.treated { &mut entry.treated } else { &mut entry.control };
                arm.add(first as u64 * 100_000);
                found.histograms.push(entry);
            }
            _ => {
                let mut entry = CohortMoments { cohort: 1, probability, ..CohortMoments::default() };
                let arm = if stretch.treated { &mut entry.treated } else { &mut entry.control };
                arm.add(value * 1_000_000, second * 1_000_000);
                arm.cut = u64::from(name == "cost" && value != cost);
                found.moments.push(entry);
            }
        }
    }
    late
}

/// Units with a bad outcome, each outcome (moment, bad or not) as of when it first came in.
fn wrong(exposures: &[Exposed], outcomes: &[&Measured], found: &mut MetricEvidence) -> u64 {
    let mut readings: BTreeMap<(u64, bool), bool> = BTreeMap::new();
    for one in outcomes {
        let late = readings.entry((one.at_ms, one.bad)).or_insert(true);
        *late = *late && one.late;
    }
    let received = |late: bool| if late { super::BASE + 3_750_000 } else { super::BASE + 400_000 };
    let in_time = |from: u64, late: bool| received(late) <= from + WINDOW + GRACE;
    let mut before = None;
    for stretch in stretches_of_rates(exposures) {
        let seen: Vec<bool> = readings
            .iter()
            .filter(|((at, _), late)| {
                *at >= stretch.from && *at < stretch.to && in_time(stretch.from, **late)
            })
            .map(|((_, bad), _)| *bad)
            .collect();
        if seen.is_empty() {
            continue;
        }
        let bad = seen.contains(&true);
        if !stretch.drawn
            && before.is_some_and(|(treated, was_bad)| treated == stretch.treated && (was_bad || !bad))
        {
            continue;
        }
        let goes_on = !stretch.drawn && drawn_arm(exposures) == Some(stretch.treated);
        if goes_on && !bad {
            continue;
        }
        if stretch.drawn {
            before = Some((stretch.treated, bad));
        }
        let probability = if stretch.drawn { 500_000_000 } else { 0 };
        let mut entry = CohortCounts { cohort: 1, probability, ..CohortCounts::default() };
        if stretch.treated {
            (entry.treated_units, entry.treated_bad) = (1, u64::from(bad));
        } else {
            (entry.control_units, entry.control_bad) = (1, u64::from(bad));
        }
        found.cohorts.push(entry);
    }
    let starts: Vec<u64> = [true, false]
        .into_iter()
        .filter_map(|drawn| exposures.iter().filter(|e| e.drawn == drawn).map(|e| e.at_ms).min())
        .collect();
    let missed = |(at, late): (u64, bool)| {
        starts.iter().any(|from| at >= *from && at < from + WINDOW && !in_time(*from, late))
    };
    readings.iter().filter(|((at, _), late)| missed((*at, **late))).count() as u64
}

/// The arm that the unit is evidence in; none when it is none.
fn drawn_arm(exposures: &[Exposed]) -> Option<bool> {
    stretches(exposures, WINDOW).iter().find(|stretch| stretch.drawn).map(|stretch| stretch.treated)
}

/// As [`stretches`], and the time after a unit went on in its arm as no evidence: it may still turn bad.
fn stretches_of_rates(exposures: &[Exposed]) -> Vec<Stretch> {
    let mut all = stretches(exposures, WINDOW);
    let plain = exposures.iter().filter(|e| !e.drawn).min_by_key(|e| e.at_ms);
    if let Some(plain) = plain
        && all.iter().all(|stretch| stretch.drawn)
    {
        let (from, to) = (plain.at_ms, plain.at_ms + WINDOW);
        all.push(Stretch { from, to, treated: plain.treated, drawn: false });
    }
    all
}
