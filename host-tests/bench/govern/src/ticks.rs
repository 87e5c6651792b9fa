//! Ticks: many flags with many metrics in many slices, judged in memory, read from SQLite and judged, and as a whole tick.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use flagstone_judge::{
    CohortCounts, Evidence, ExposedSlice, ExposedUnits, GuardrailRule, MetricEvidence, PlanRules, Role,
    RolloutState, Slice, SliceEvidence, SliceRole, SliceRule, StageRule, judge,
};
use serde_json::{Value, json};

use crate::machine::{Folder, Random, database_bytes, describe, peak_bytes};
use crate::world::World;

const DIMENSIONS: [&str; 2] = ["language", "intent"];

/// Values of each dimension that are named; with the others taken together there are half as many slices as asked for.
fn values(asked: &crate::Ticks) -> u64 {
    (asked.slices / 2).max(2) - 1
}

pub(crate) async fn measure(asked: &crate::Ticks) -> Value {
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(0.0)
    };
    let (rules, evidence) = in_memory(asked);
    let state = RolloutState { stage: Some(0), stage_opened: 1_000, ..RolloutState::default() };
    let mut times = Vec::new();
    let mut verdicts = 0_usize;
    for _ in 0..asked.rounds.max(1) {
        let begun = Instant::now();
        verdicts = evidence.iter().map(|evidence| judge(&rules, &state, evidence, 2_000).slices.len()).sum();
        times.push(begun.elapsed().as_secs_f64());
    }
    let memory = median(times);
    println!("in memory: {} flags, {verdicts} slice verdicts in {:.0} ms", asked.flags, memory * 1e3);
    drop(evidence);

    let folder = Folder::new();
    let database = folder.0.join("govern.sqlite");
    let mut world = World::new(&database, &definition(asked)).await;
    let begun = Instant::now();
    let sent = fill(&mut world, asked).await;
    world.tick().await;
    println!("{sent} events taken in and counted in {:.1} s", begun.elapsed().as_secs_f64());
    let mut times = Vec::new();
    for _ in 0..asked.rounds.max(1) {
        let begun = Instant::now();
        world.tick().await;
        times.push(begun.elapsed().as_secs_f64());
    }
    let whole = median(times);
    println!("a whole tick, from SQLite to the published pulse and status: {:.0} ms", whole * 1e3);
    let status = world.govern.status().to_string().len();
    let figures = json!({
        "flags": asked.flags, "metrics": asked.metrics, "slices": asked.slices, "sliceVerdicts": verdicts,
        "inMemorySeconds": memory, "tickSeconds": whole, "statusBytes": status,
        "peakBytes": peak_bytes(), "fileBytes": database_bytes(&database), "machine": describe(),
    });
    world.govern.shutdown().await;
    figures
}

fn in_memory(asked: &crate::Ticks) -> (PlanRules, Vec<Evidence>) {
    let names: Vec<String> = (0..asked.metrics).map(|metric| format!("metric-{metric}")).collect();
    let share = 0.5 / (asked.metrics as f64);
    let named: Vec<String> = (0..values(asked)).map(|value| format!("value-{value}")).collect();
    let guardrail = |name: &String| GuardrailRule {
        metric: name.clone(),
        role: Role::Deterioration,
        share,
        not_worse_by: Some(0.1),
        ..GuardrailRule::default()
    };
    let slice = |name: &String, by: &str| SliceRule {
        metric: name.clone(),
        by: by.to_owned(),
        role: SliceRole::Deterioration,
        values: named.iter().cloned().collect(),
        share: share / 2.0,
        ..SliceRule::default()
    };
    let stage =
        StageRule { name: "5%".into(), bake: 60, min_units: 100, randomised: true, ..StageRule::default() };
    let rules = PlanRules {
        guardrails: names.iter().map(guardrail).collect(),
        stages: vec![stage.clone(), stage],
        ceiling: Some(1),
        slices: names.iter().flat_map(|name| DIMENSIONS.map(|by| slice(name, by))).collect(),
        ..PlanRules::default()
    };
    let mut random = Random(asked.seed);
    let mut counts = |units: u64| {
        let cohort = |cohort: u8, random: &mut Random| CohortCounts {
            cohort,
            probability: 100_000_000 * u32::from(cohort + 1),
            treated_bad: random.below(units / 20 + 1),
            control_bad: units / 20 + random.below(units / 20 + 1),
            treated_units: units,
            control_units: 2 * units,
        };
        vec![cohort(0, &mut random), cohort(1, &mut random)]
    };
    let mut all = Vec::new();
    for _ in 0..asked.flags {
        let mut evidence = Evidence {
            sample_ratio: vec![ExposedUnits {
                cohort: 0,
                probability: 500_000_000,
                treated: 1_000,
                control: 1_000,
            }],
            last_exposure: Some(1_990),
            ..Evidence::default()
        };
        let every = || named.iter().map(String::as_str).chain(["(other)"]);
        for name in &names {
            evidence.metrics.push(MetricEvidence {
                metric: name.clone(),
                cohorts: counts(2_000),
                last_outcome: Some(1_990),
                ..MetricEvidence::default()
            });
            for (by, value) in DIMENSIONS.iter().flat_map(|by| every().map(move |value| (by, value))) {
                evidence.slices.push(SliceEvidence {
                    metric: name.clone(),
                    slice: Slice::of(by, value),
                    cohorts: counts(200),
                    latched: None,
                });
            }
        }
        for (by, value) in DIMENSIONS.iter().flat_map(|by| every().map(move |value| (by, value))) {
            let exposed =
                vec![ExposedUnits { cohort: 0, probability: 500_000_000, treated: 100, control: 100 }];
            evidence.exposed_slices.push(ExposedSlice { slice: Slice::of(by, value), exposed });
        }
        all.push(evidence);
    }
    (rules, all)
}

fn definition(asked: &crate::Ticks) -> String {
    let named: Vec<String> = (0..values(asked)).map(|value| format!("value-{value}")).collect();
    let named = named.join(", ");
    let mut text = format!(
        "metadata: {{ flagSetId: assistant, environment: production }}\nslices: {{ language: [{named}], intent: [{named}] }}\nmetrics:\n"
    );
    for metric in 0..asked.metrics {
        let _ = writeln!(text, "  metric-{metric}: {{ event: answer, bad: {{ bad-{metric}: true }} }}");
    }
    text.push_str("flags:\n");
    for flag in 0..asked.flags {
        let _ = writeln!(
            text,
            "  flag-{flag}:
    {{ state: ENABLED, owner: o, rationale: r, expectedImpact: e, worstCase: w, rollbackPlan: b, onExpiry: safe,
      variants: {{ today: 1, concise: 2 }}, defaultVariant: today }}"
        );
        text.truncate(text.trim_end().len() - 1);
        text.push_str(",\n      rollout: { baseline: today, candidate: concise, ceiling: everyone,\n        guardrails: [");
        for metric in 0..asked.metrics {
            let _ = write!(text, "{{ metric: metric-{metric}, role: deterioration }}, ");
        }
        text.push_str("],\n        slices: [");
        for metric in 0..asked.metrics {
            for by in DIMENSIONS {
                let _ = write!(text, "{{ metric: metric-{metric}, by: {by}, role: deterioration }}, ");
            }
        }
        text.push_str(
            "],\n        stages: [{ name: quarter, treat: 25%, control: 25%, bake: 100d }, { name: everyone, treat: 99%, control: 1%, bake: 1d }] } }\n",
        );
    }
    text
}

/// Every unit sees every flag and has two outcomes.
async fn fill(world: &mut World, asked: &crate::Ticks) -> u64 {
    let mut random = Random(asked.seed);
    let mut bodies = Vec::new();
    let every = values(asked) + 1;
    for unit in 0..asked.units {
        for flag in 0..asked.flags {
            let treated = random.below(2) == 0;
            bodies.push(world.exposure(&format!("flag-{flag}"), unit, treated, 0));
        }
        for request in 0..2 {
            let booleans: BTreeMap<String, bool> =
                (0..asked.metrics).map(|metric| (format!("bad-{metric}"), random.below(20) == 0)).collect();
            let slices = DIMENSIONS.map(|by| (by.to_owned(), format!("value-{}", unit % every))).into();
            bodies.push(world.outcome("answer", unit, unit * 2 + request, BTreeMap::new(), booleans, slices));
        }
    }
    let sent = bodies.len() as u64;
    for some in bodies.chunks(1_000) {
        let body = world.batch(some.to_vec());
        world.post(&body).await;
    }
    sent
}
