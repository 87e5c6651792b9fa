//! Random plans and evidence: every kind of metric and role, slices and fairness, small and huge counts, odd rules.

use std::collections::{BTreeMap, BTreeSet};

use flagstone_judge::kind::{Measured, MetricKind, QuantileRule, ScoreBar};
use flagstone_judge::non_inferiority::Better;
use flagstone_judge::quantiles::histogram::CohortHistograms;
use flagstone_judge::{
    CohortCounts, CohortMoments, Evidence, ExposedSlice, ExposedUnits, GuardrailRule, Latched,
    MetricEvidence, Moments, OtherStream, PlanRules, Role, ScoreBatch, Slice, SliceEvidence, SliceRole,
    SliceRule, StageRule,
};
use flagstone_report::Look;

/// SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.bits() % end.max(1)
    }

    /// Between 0 and 1.
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }
}

const DIMENSIONS: [(&str, [&str; 4]); 2] =
    [("language", ["de", "en", "fr", "is"]), ("sdk", ["js", "python", "rust", "go"])];

fn kind(random: &mut Random) -> MetricKind {
    let better = random.pick(&[Better::Lower, Better::Higher]);
    let baseline = random.pick(&[None, Some(0.5), Some(2.0), Some(-3.0), Some(0.0)]);
    let planned = random.pick(&[0, 800, 20_000]);
    match random.below(7) {
        0..=2 => MetricKind::Rate,
        3 => MetricKind::Mean(Measured { better, baseline, planned, adjusted: random.happens(50) }),
        4 => MetricKind::Ratio(Measured { better, baseline, planned, adjusted: random.happens(5) }),
        5 => MetricKind::Score(ScoreBar { bar: random.pick(&[0.5, 0.8, 0.95, 1.0]) }),
        _ => MetricKind::Quantile(QuantileRule {
            quantile: random.pick(&[0.5, 0.9, 0.95]),
            better,
            baseline,
            planned,
        }),
    }
}

/// A plan, nothing counted yet.
pub(super) fn plan(random: &mut Random) -> Look {
    let roles = [
        Role::Deterioration,
        Role::Deterioration,
        Role::Guardrail,
        Role::Success,
        Role::Signal,
        Role::Health,
        Role::Observe,
    ];
    let metrics = 1 + random.below(4);
    let guardrails: Vec<GuardrailRule> = (0..metrics)
        .map(|number| GuardrailRule {
            metric: format!("m{number}"),
            role: if random.happens(4) { Role::Tripwire } else { random.pick(&roles) },
            share: random.pick(&[0.5 / metrics as f64, 1.0 / metrics as f64, 1.0, 0.0]),
            null_ratio: random.pick(&[1.0, 1.0, 1.0, 1.25, 0.9, -1.0]),
            not_worse_by: random.pick(&[None, Some(0.0), Some(0.1), Some(0.25), Some(1.0)]),
            kind: kind(random),
        })
        .collect();
    let stages: Vec<StageRule> = (0..1 + random.below(4))
        .map(|number| StageRule {
            name: format!("s{number}"),
            bake: random.pick(&[0, 3_600, 86_400]),
            min_units: random.pick(&[0, 50, 500]),
            min_bad: random.pick(&[0, 5, 50]),
            needs_approval: random.happens(10),
            randomised: !random.happens(8),
            extend: random.pick(&[0, 86_400]),
            ship_if_not_harmful: random.happens(25),
        })
        .collect();
    let slices = (0..random.below(3)).map(|_| {
        let (by, values) = random.pick(&DIMENSIONS);
        let named = random.below(4) as usize;
        SliceRule {
            metric: random.pick(&guardrails).metric,
            by: by.to_owned(),
            role: random.pick(&[
                SliceRole::Deterioration,
                SliceRole::Fairness,
                SliceRole::Fairness,
                SliceRole::Observe,
            ]),
            values: values.iter().take(named).map(|value| (*value).to_owned()).collect(),
            share: random.pick(&[0.1, 0.5, 1.0]),
            null_ratio: random.pick(&[1.0, 1.0, 1.5]),
        }
    });
    let slices: Vec<SliceRule> = slices.collect();
    let rules = PlanRules {
        alpha: random.pick(&[0.05, 0.05, 0.1, 0.001, 7.0]),
        attempt: random.pick(&[0, 1, 1, 2, 9]),
        staleness: random.pick(&[900, 86_400, 1_000_000]),
        ceiling: random.pick(&[None, Some(0), Some(1), Some(3)]),
        guardrails,
        stages,
        slices,
    };
    Look { rules, now: 1_790_000_000, ..Look::default() }
}

/// A plan with evidence.
pub(super) fn look(random: &mut Random) -> Look {
    let mut look = plan(random);
    look.state.stage = random.pick(&[None, Some(0), Some(0), Some(1), Some(2), Some(3)]);
    look.state.stage_opened = look.now - random.below(200_000);
    look.state.halted = random.happens(2);
    look.state.lease_until = random.happens(3).then(|| look.now - 5 + random.below(10));
    for _ in 0..random.below(4) {
        more(&mut look, random);
    }
    if random.happens(3) {
        look.evidence.other_streams = BTreeSet::from([OtherStream::Training]);
    }
    if random.happens(5) {
        let latched = Latched { log_e: 9.0 * random.unit(), at: look.now - 50 };
        if let Some(metric) = look.evidence.metrics.first_mut() {
            metric.latched = Some(latched);
        }
    }
    look
}

/// A cohort's place: the open stage, with a probability that stays its own.
fn place(look: &Look, random: &mut Random) -> (u8, u32) {
    let cohort = look.state.stage.unwrap_or(0).min(3);
    let probability = [100_000_000, 200_000_000, 384_615_385, 500_000_000][usize::from(cohort)];
    (cohort, if random.happens(4) { random.pick(&[0, 1_000_000_000, 77]) } else { probability })
}

fn counts(random: &mut Random, (cohort, probability): (u8, u32), size: u64, effect: f64) -> CohortCounts {
    let treated = (size as f64 * f64::from(probability) / 1e9 * (0.95 + 0.1 * random.unit())) as u64;
    let control = size.saturating_sub(treated);
    let rate = random.pick(&[0.0, 0.004, 0.02, 0.1, 0.6]);
    let bad = |random: &mut Random, units: u64, rate: f64| {
        ((units as f64 * rate * (0.7 + 0.6 * random.unit())) as u64).min(units)
    };
    CohortCounts {
        cohort,
        probability,
        treated_bad: bad(random, treated, (rate * effect).min(1.0)),
        control_bad: bad(random, control, rate),
        treated_units: treated,
        control_units: control,
    }
}

fn moments(random: &mut Random, units: u64, effect: f64) -> Moments {
    let (mean, spread) = (0.2 + 3.0 * random.unit(), 0.1 + random.unit());
    let unit = 1e6;
    let n = units as f64;
    let sum = |value: f64| (value * unit * n) as i128;
    let square = |mean: f64, spread: f64| ((mean * mean + spread * spread) * unit * unit * n) as i128;
    let text = |value: i128| serde_json::Value::String(value.to_string());
    let (x, y) = (mean * effect, mean * (0.9 + 0.2 * random.unit()));
    let products = ((x * y + 0.5 * spread * spread) * unit * unit * n) as i128;
    // By its wire form, as reporters' counts come.
    let moments = serde_json::json!({
        "units": units, "nonZero": units - units / 7, "cut": 0, "sum": text(sum(x)), "squares": text(square(x, spread)),
        "secondSum": text(sum(y)), "secondSquares": text(square(y, spread)), "products": text(products),
    });
    serde_json::from_value(moments).unwrap()
}

/// An hour's evidence more.
pub(super) fn more(look: &mut Look, random: &mut Random) {
    let size = random.pick(&[3, 60, 400, 400, 3_000, 3_000, 200_000, 90_000_000_000]);
    let effect = random.pick(&[0.5, 0.9, 1.0, 1.0, 1.3, 3.0]);
    let at = place(look, random);
    let mut new = Evidence {
        multi_exposure: random.below(3),
        last_exposure: Some(look.now - random.below(600)),
        ..Evidence::default()
    };
    for rule in &look.rules.guardrails {
        if random.happens(5) {
            continue;
        }
        let mut metric = MetricEvidence {
            metric: rule.metric.clone(),
            maturing_units: random.below(40),
            last_outcome: Some(look.now - random.below(1_500)),
            ..MetricEvidence::default()
        };
        let one = counts(random, at, size, effect);
        let (cohort, probability) = at;
        match rule.kind {
            MetricKind::Rate => metric.cohorts.push(one),
            MetricKind::Mean(_) | MetricKind::Ratio(_) => metric.moments.push(CohortMoments {
                cohort,
                probability,
                treated: moments(random, one.treated_units, effect),
                control: moments(random, one.control_units, 1.0),
            }),
            MetricKind::Score(_) => {
                let scores = (0..1 + random.below(6))
                    .map(|_| (random.below(1_000_001) as u32, 1 + random.below(size / 4 + 1)));
                let batch = ScoreBatch { batch: look.now / 3_600, scores: scores.collect() };
                metric.scores.push(batch);
            }
            MetricKind::Quantile(_) => metric.histograms.push(CohortHistograms {
                cohort,
                probability,
                treated: histogram(random, one.treated_units, effect),
                control: histogram(random, one.control_units, 1.0),
            }),
        }
        new.metrics.push(metric);
    }
    let whole = counts(random, at, size, 1.0);
    let exposed = |whole: &CohortCounts| ExposedUnits {
        cohort: at.0,
        probability: at.1,
        treated: whole.treated_units,
        control: whole.control_units,
    };
    new.sample_ratio.push(exposed(&whole));
    for (by, values) in DIMENSIONS {
        for value in values.iter().take(1 + random.below(4) as usize) {
            let part = random.pick(&[size / 2, size / 5, 30]);
            let slice = Slice::of(by, value);
            let effect = if random.happens(10) { 4.0 } else { effect };
            let cell = counts(random, at, part, effect);
            for rule in &look.rules.guardrails {
                let cohorts = vec![cell];
                new.slices.push(SliceEvidence {
                    metric: rule.metric.clone(),
                    slice: slice.clone(),
                    cohorts,
                    latched: None,
                });
            }
            new.exposed_slices.push(ExposedSlice { slice, exposed: vec![exposed(&cell)] });
        }
    }
    look.evidence = look.evidence.merged(&new);
}

fn histogram(
    random: &mut Random,
    units: u64,
    effect: f64,
) -> flagstone_judge::quantiles::histogram::Histogram {
    let shift = (further(effect) + random.below(2)) as u16;
    let mut left = units;
    let mut buckets: BTreeMap<u16, u64> = BTreeMap::new();
    for step in 0..12_u16 {
        let here = if step == 11 { left } else { left / 3 };
        if here > 0 {
            buckets.insert(120 + step + shift, here);
        }
        left -= here;
    }
    serde_json::from_value(serde_json::to_value(buckets).unwrap()).unwrap()
}

/// Buckets further up for a larger effect.
fn further(effect: f64) -> u64 {
    if effect > 2.0 { 8 } else { u64::from(effect > 1.0) * 2 }
}
