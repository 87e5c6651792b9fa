//! The judge natively and in WebAssembly: the same bytes for random plans and evidence of every kind, for the decisions of a
//! rollout, and for whole reports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod made_up;
mod module;

use flagstone_judge::{Action, Latched};
use flagstone_report::Look;
use made_up::{Random, look};
use module::Module;

/// Plans and evidence that are judged on both sides.
const CASES: u64 = 1_000;

fn asked(look: &Look) -> Vec<u8> {
    serde_json::to_vec(look).unwrap()
}

fn judgements(module: &mut Module) {
    let mut kinds = std::collections::BTreeMap::new();
    for seed in 0..CASES {
        let look = look(&mut Random::new(seed));
        let request = asked(&look);
        let native = judge_guest::judgement(&request);
        assert_eq!(native, module.judge(&request), "seed {seed}");
        let value: serde_json::Value =
            serde_json::from_str(&native).unwrap_or_else(|_| panic!("seed {seed}: {native}"));
        *kinds.entry(value["rule"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        for metric in value["metrics"].as_array().unwrap() {
            let verdict = metric["verdict"].as_str().unwrap().to_owned();
            *kinds.entry(verdict).or_insert(0) += 1;
        }
        let shown =
            value["fairness"].as_array().into_iter().flatten().filter(|fair| !fair["treatment"].is_null());
        *kinds.entry("fairness shown".to_owned()).or_insert(0) += shown.count();
        let cells = value["slices"].as_array().into_iter().flatten().filter(|cell| !cell["counts"].is_null());
        *kinds.entry("slices shown".to_owned()).or_insert(0) += cells.count();
    }
    // What was compared was not empty talk: every verdict but the rarest came up often.
    for kind in [
        "inconclusive",
        "regressed",
        "non-inferior",
        "improved",
        "invalid",
        "insufficient",
        "fairness shown",
        "slices shown",
    ] {
        assert!(kinds.get(kind).is_some_and(|times| *times >= 20), "{kind}: {kinds:?}");
    }
}

/// A rollout that is steered by what the judge says, look by look; its decisions, as a control plane would record them.
fn decisions(seed: u64) -> Vec<(Look, String)> {
    let mut random = Random::new(seed);
    let mut now = Look { now: 1_790_000_000, ..made_up::plan(&mut random) };
    now.rules.ceiling = Some(u8::MAX);
    now.state.stage = Some(0);
    now.state.stage_opened = now.now;
    let mut records = Vec::new();
    for _ in 0..60 {
        now.now += 3_600;
        made_up::more(&mut now, &mut random);
        let judgement = now.judge();
        records.push((now.clone(), serde_json::to_string(&judgement).unwrap()));
        for metric in &judgement.metrics {
            let latched: Option<Latched> = metric.latched;
            if let Some(entry) = now.evidence.metrics.iter_mut().find(|entry| entry.metric == metric.metric) {
                entry.latched = entry.latched.or(latched);
            }
        }
        match judgement.action {
            Action::Advance { to } => (now.state.stage, now.state.stage_opened) = (Some(to), now.now),
            Action::RollBack => break,
            _ => {}
        }
    }
    records
}

fn decisions_of_rollouts(module: &mut Module) {
    let mut ends = std::collections::BTreeSet::new();
    for seed in 0..12 {
        let records = decisions(seed);
        for (number, (look, recorded)) in records.iter().enumerate() {
            assert_eq!(*recorded, module.judge(&asked(look)), "decision {number} of rollout {seed}");
        }
        let looks: Vec<&Look> = records.iter().map(|(look, _)| look).collect();
        let request = serde_json::to_vec(&looks).unwrap();
        let report = judge_guest::whole_report(&request);
        assert_eq!(report, module.report(&request), "report on rollout {seed}");
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        ends.insert(report["action"].as_str().unwrap().to_owned());
    }
    assert!(ends.len() > 1, "all of them ended alike: {ends:?}");
}

fn what_cannot_be_read(module: &mut Module) {
    for request in [&b"{\"now\":-1}"[..], b"[]", b"", b"{\"rules\":{\"alpha\":1e999}}"] {
        assert_eq!(judge_guest::judgement(request), module.judge(request));
    }
}

/// One test for all of it: compiling the module takes longer than asking it.
#[test]
fn the_judge_answers_the_same_bytes_in_webassembly() {
    let mut module = Module::load();
    judgements(&mut module);
    decisions_of_rollouts(&mut module);
    what_cannot_be_read(&mut module);
}
