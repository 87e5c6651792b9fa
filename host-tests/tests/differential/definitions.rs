//! Random definitions with every feature of flags and plans, well-formed but for rules that cannot be used.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::rules::{expression, targeting};

/// 2027-01-15T08:00:00Z, around which everything happens.
pub(crate) const NOW: u64 = 1_800_000_000;
/// Keys of the flags of a definition, in the order in which they may ask for each other.
pub(crate) const FLAGS: [&str; 4] = ["assistant", "banner", "citations", "depth"];

/// A time within a few hours of [`NOW`], as seconds.
pub(crate) fn seconds() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![NOW - 12_000..NOW + 12_000, Just(NOW)]
}

/// A time as authors write it: unix seconds or RFC 3339, at one offset or another.
pub(crate) fn written(at: u64, form: u8) -> Value {
    let of_day = at - (NOW - 8 * 3_600) + u64::from(form == 2) * 3_600;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    match form {
        0 => json!(at),
        1 => json!(format!("2027-01-15T{hour:02}:{minute:02}:{second:02}Z")),
        _ => json!(format!("2027-01-15T{hour:02}:{minute:02}:{second:02}+01:00")),
    }
}

fn time() -> impl Strategy<Value = Value> + Clone {
    (seconds(), 0u8..3).prop_map(|(at, form)| written(at, form))
}

/// Parts of 10,000 as an author's share.
fn percent(parts: u32) -> Value {
    json!(format!("{}.{:02}%", parts / 100, parts % 100))
}

/// Share stages that may stand above each other: treatment and control grow, control gives way past one half.
pub(crate) fn ladder() -> impl Strategy<Value = Vec<(u32, u32)>> {
    vec((1u32..=10_000, 0u32..=5_000), 1..5).prop_map(|mut shares| {
        shares.sort_unstable();
        shares.dedup_by_key(|(treat, _)| *treat);
        let mut highest = 0;
        for (treat, control) in &mut shares {
            *control = if *treat > 5_000 { highest.min(10_000 - *treat) } else { highest.max(*control) };
            highest = *control;
        }
        shares
    })
}

/// The members that only the full engine acts on are left out unless `full`.
pub(crate) fn plan(full: bool) -> BoxedStrategy<Value> {
    let lists = prop::sample::subsequence(
        vec![json!("volunteers"), json!(["europe", {"==": [{"var": "age"}, 2]}]), json!({"var": "beta"})],
        0..3,
    );
    let shape =
        (lists, ladder(), vec(prop::option::of(1u64..10_000), 4), any::<prop::sample::Index>(), 0u8..8);
    let static_members = (
        prop::option::weighted(0.3, Just(json!("trial"))),
        prop::option::weighted(0.3, Just(json!(["docs", "wiki"]))),
        prop::option::weighted(
            0.2,
            prop::sample::select(vec![json!("email"), json!("user.n"), json!("age")]),
        ),
    );
    let moving = (
        prop::option::weighted(0.2, seconds()),
        prop::option::weighted(0.2, seconds()),
        vec((seconds(), any::<prop::sample::Index>(), 0u8..3), 0..4),
        vec(seconds(), 0..5),
        prop::option::weighted(0.3, (1u32..2_000, 1u64..9_000)),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.5),
    );
    (shape, static_members, moving)
        .prop_map(move |((lists, ladder, ramps, ceiling, open), (consent, domains, unit), moving)| {
            let mut stages: Vec<Value> = Vec::new();
            for who in lists {
                stages.push(json!({"name": format!("list-{}", stages.len()), "who": who}));
            }
            for ((treat, control), ramp) in ladder.into_iter().zip(ramps.into_iter().cycle()) {
                let name = format!("share-{}", stages.len());
                let mut stage = json!({"name": name, "treat": percent(treat), "control": percent(control)});
                if let Some(ramp) = ramp.filter(|_| full) {
                    stage["ramp"] = json!(format!("{ramp}s"));
                }
                stages.push(stage);
            }
            let mut rollout = json!({
                "candidate": "on",
                "baseline": "off",
                "guardrails": [{"metric": "unsupported", "role": "deterioration"}],
            });
            match open {
                0 => {}
                1 => rollout["ceiling"] = Value::Null,
                2..=4 => rollout["ceiling"] = ceiling.get(&stages)["name"].clone(),
                _ => rollout["ceiling"] = stages[stages.len() - 1]["name"].clone(),
            }
            for (name, member) in [("consent", consent), ("dataDomains", domains), ("unit", unit)] {
                if let Some(member) = member {
                    rollout[name] = member;
                }
            }
            if full {
                time_members(&mut rollout, &stages, moving);
            }
            rollout["stages"] = json!(stages);
            rollout
        })
        .boxed()
}

type Moving =
    (Option<u64>, Option<u64>, Vec<(u64, prop::sample::Index, u8)>, Vec<u64>, Option<(u32, u64)>, bool, bool);

/// When it opens, ends, steps, rests; the window; paused intake (which its flag must be sticky for).
fn time_members(rollout: &mut Value, stages: &[Value], moving: Moving) {
    let (not_before, until, mut steps, mut rests, window, paused, scheduled) = moving;
    let until = until.filter(|until| not_before.is_none_or(|begin| begin < *until));
    for (name, time) in [("notBefore", not_before), ("until", until)] {
        if let Some(time) = time {
            rollout[name] = written(time, (time % 3) as u8);
        }
    }
    steps.sort_unstable_by_key(|(at, _, _)| *at);
    steps.dedup_by_key(|(at, _, _)| *at);
    let mut reached: Vec<usize> = steps.iter().map(|(_, stage, _)| stage.index(stages.len())).collect();
    reached.sort_unstable();
    let schedule: Vec<Value> = steps
        .iter()
        .zip(reached)
        .map(|((at, _, form), stage)| json!({"at": written(*at, *form), "stage": stages[stage]["name"]}))
        .collect();
    if !schedule.is_empty() {
        rollout["schedule"] = json!(schedule);
        if scheduled {
            rollout["advance"] = json!("schedule");
        }
    }
    rests.sort_unstable();
    rests.dedup();
    let pauses: Vec<Value> = rests
        .chunks_exact(2)
        .map(|pause| json!({"from": written(pause[0], 0), "to": written(pause[1], 1)}))
        .collect();
    if !pauses.is_empty() {
        rollout["pauses"] = json!(pauses);
    }
    if let Some((share, length)) = window {
        rollout["watch"] = json!({"for": format!("{length}s"), "share": percent(share)});
    }
    if paused {
        rollout["intake"] = json!("paused");
    }
}

fn flag(full: bool) -> impl Strategy<Value = Value> {
    let base = (
        prop::bool::weighted(0.9),
        prop::option::weighted(0.8, prop::sample::select(vec!["on", "off", "extra"])),
        prop::bool::weighted(0.3),
        prop::option::weighted(0.7, targeting(full)),
        prop::option::weighted(0.5, plan(full)),
        any::<bool>(),
    );
    let parts = (
        prop::option::weighted(0.5, prop::sample::select(vec![json!(true), json!(1), json!(2)])),
        prop::option::weighted(0.3, prop::collection::btree_set(0usize..40, 1..4)),
        vec(
            (any::<prop::sample::Index>(), prop::sample::select(vec![json!("on"), json!(["off", "extra"])])),
            0..3,
        ),
        prop::bool::weighted(0.3),
    );
    (base, parts).prop_map(move |((enabled, default, baseline, targeting, plan, safe), parts)| {
        let mut flag = json!({
            "state": if enabled { "ENABLED" } else { "DISABLED" },
            "variants": {"on": {"k": 4}, "off": {"k": 2}, "extra": [1.5, "x"], "true": {}},
            "owner": "o", "rationale": "r", "expectedImpact": "e", "worstCase": "w", "rollbackPlan": "p",
        });
        let safe = safe && (default.is_some() || baseline || plan.is_some());
        if safe {
            flag["onExpiry"] = json!("safe");
        }
        if baseline {
            flag["baseline"] = json!("off");
        }
        let members = [
            ("defaultVariant", default.map(|name| json!(name))),
            ("targeting", targeting),
            ("rollout", plan),
        ];
        for (name, member) in members {
            if let Some(member) = member {
                flag[name] = member;
            }
        }
        if full {
            more_of_a_flag(&mut flag, parts);
        }
        flag
    })
}

type Parts =
    (Option<Value>, Option<std::collections::BTreeSet<usize>>, Vec<(prop::sample::Index, Value)>, bool);

fn more_of_a_flag(flag: &mut Value, (sticky, overridden, prerequisites, metadata): Parts) {
    let paused = flag["rollout"]["intake"] == "paused";
    if let Some(version) = sticky.or(paused.then_some(Value::Bool(true))) {
        flag["sticky"] = version;
    }
    if let Some(units) = overridden {
        let keys: Vec<String> = units.iter().map(|unit| format!("user-{unit}")).collect();
        flag["overrides"] = json!({"extra": keys});
    }
    // Who asks for whom is settled when the flags stand in a row.
    let asked: Vec<Value> =
        prerequisites.into_iter().map(|(other, variants)| json!([other.index(1 << 20), variants])).collect();
    flag["prerequisites"] = json!(asked);
    if metadata {
        flag["metadata"] = json!({"team": "search", "level": 2});
    }
}

/// A whole definition.
pub(crate) fn definition(full: bool) -> BoxedStrategy<Value> {
    let shared = (expression(full, false), expression(full, false));
    let holdouts = vec(
        (1u32..5_000, prop::sample::subsequence(FLAGS.to_vec(), 1..4), any::<bool>(), 0u8..4, time()),
        0..3,
    );
    let layers =
        vec((vec(1u32..10_000, 0..6), prop::sample::subsequence(FLAGS.to_vec(), 1..4), any::<bool>()), 0..2);
    (vec(flag(full), 1..=FLAGS.len()), shared, holdouts, layers)
        .prop_map(move |(flags, (europe, when), holdouts, layers)| {
            let mut set = Map::new();
            let count = flags.len();
            for (index, mut flag) in flags.into_iter().enumerate() {
                settle_prerequisites(&mut flag, index);
                set.insert(FLAGS[index].to_owned(), flag);
            }
            let listed: Vec<String> = (0..40).step_by(3).map(|unit| format!("user-{unit}")).collect();
            let mut definition = json!({
                "metadata": {"flagSetId": "random", "team": "set"},
                "metrics": {"unsupported": {"event": "answer", "bad": {"unsupported": true}}},
                "$evaluators": {
                    "europe": europe,
                    "adult": {">=": [{"var": "age"}, 17]},
                    "circle": {"!": [{"$ref": "circle"}]},
                },
                "segments": {
                    "volunteers": {"when": when, "include": listed, "exclude": ["user-3", "user-4"]},
                    "nested": {"when": {"and": [{"segment": "volunteers"}, {"$ref": "adult"}]}},
                },
                "flags": set,
            });
            if full {
                definition["holdouts"] = holdouts_of(holdouts, count);
                definition["layers"] = layers_of(layers, count);
            }
            definition
        })
        .boxed()
}

/// Flags ask only for flags before them, each at most once.
fn settle_prerequisites(flag: &mut Value, index: usize) {
    let Some(asked) = flag["prerequisites"].as_array().cloned() else { return };
    let mut prerequisites = Map::new();
    for pair in asked.iter().filter(|_| index > 0) {
        let other = pair[0].as_u64().unwrap_or_default() as usize % index;
        prerequisites.insert(FLAGS[other].to_owned(), pair[1].clone());
    }
    match flag.as_object_mut() {
        Some(flag) if prerequisites.is_empty() => drop(flag.remove("prerequisites")),
        _ => flag["prerequisites"] = Value::Object(prerequisites),
    }
}

fn holdouts_of(holdouts: Vec<(u32, Vec<&str>, bool, u8, Value)>, count: usize) -> Value {
    let holdouts = holdouts.into_iter().enumerate().map(|(index, (share, flags, unit, form, until))| {
        let named: Vec<&str> = flags.into_iter().filter(|flag| FLAGS[..count].contains(flag)).collect();
        let flags = if named.is_empty() || form == 0 { json!("*") } else { json!(named) };
        let mut holdout = json!({"share": percent(share), "flags": flags});
        if unit {
            holdout["unit"] = json!("email");
        }
        if form == 1 {
            holdout["until"] = until;
        }
        (format!("holdout-{index}"), holdout)
    });
    Value::Object(holdouts.collect())
}

fn layers_of(layers: Vec<(Vec<u32>, Vec<&str>, bool)>, count: usize) -> Value {
    let layers = layers.into_iter().enumerate().map(|(index, (mut cuts, flags, unit))| {
        cuts.extend([0, 10_000]);
        cuts.sort_unstable();
        cuts.dedup();
        let flags: Vec<&str> = flags.into_iter().filter(|flag| FLAGS[..count].contains(flag)).collect();
        let mut slots: Map<String, Value> = Map::new();
        for (number, cut) in cuts.windows(2).enumerate() {
            let Some(flag) = flags.get(number % flags.len().max(1)) else { continue };
            let range = json!({"from": percent(cut[0]), "to": percent(cut[1])});
            let slot = slots.entry((*flag).to_owned()).or_insert_with(|| json!([]));
            slot.as_array_mut().into_iter().for_each(|slot| slot.push(range.clone()));
        }
        // A single range may stand without a list.
        for slot in slots.values_mut() {
            if let Some([only]) = slot.as_array().map(Vec::as_slice) {
                *slot = only.clone();
            }
        }
        let mut layer = json!({"flags": slots});
        if unit {
            layer["unit"] = json!("email");
        }
        (format!("layer-{index}"), layer)
    });
    Value::Object(layers.collect())
}
