//! The plans in force: ceilings and stages from the release-signed snapshot, metrics and guardrails from the
//! definition that the snapshot was compiled from.

use std::sync::Arc;

use flagstone_compile::Definition;
use flagstone_compile::model::{Flag, Guardrail, Metric, Role as GuardrailRole, Rollout};
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{GuardrailRule, MetricKind, PlanRules, Role, StageRule};
use flagstone_snapshot::Snapshot;
use serde_json::json;

use crate::canonical::{canonical, sha256};
use crate::derive::Live;
use crate::drift;
use crate::limits;
use crate::metric::{MetricRule, PlanMetric, Window};
use crate::slice_plan::{self, SlicePlan};
use crate::values::{self, ValueMetric};

/// A flag with a rollout plan, ready to be judged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) flag: String,
    pub(crate) owner: Option<String>,
    pub(crate) rationale: Option<String>,
    pub(crate) rollback_plan: Option<String>,
    pub(crate) baseline: String,
    pub(crate) candidate: String,
    pub(crate) stages: Vec<PlanStage>,
    /// Highest stage that release signatures approved, read from the sealed snapshot itself.
    pub(crate) ceiling: Option<u8>,
    /// What the judge is told; `attempt` is filled in when the attempt is known.
    pub(crate) rules: PlanRules,
    pub(crate) metrics: Arc<[PlanMetric]>,
    /// What is counted by parts of the population.
    pub(crate) slices: Arc<SlicePlan>,
    /// The attempt's row, once it is known.
    pub(crate) attempt: i64,
    /// Digest of all that makes this attempt what it is. Ceilings, bake times, needed counts and approvals are
    /// left out: they decide how fast to go, not what is compared with what.
    pub(crate) fingerprint: [u8; 32],
}

impl Plan {
    /// As far as counting is concerned.
    pub(crate) fn live(&self) -> Live {
        Live { attempt: self.attempt, metrics: Arc::clone(&self.metrics), slices: Arc::clone(&self.slices) }
    }

    /// For an attempt that began before units were counted by slice: its evidence must stay of one kind.
    pub(crate) fn without_slices(&mut self) {
        self.slices = Arc::default();
        self.rules.slices.clear();
    }
}

/// One rung.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanStage {
    pub(crate) name: String,
    /// In parts of [`SHARE_TOTAL`]; both 0 for an allow-list.
    pub(crate) treat: u32,
    pub(crate) control: u32,
    pub(crate) allow_list: bool,
    /// Whether treated and control units are still compared while this stage is open: not on an allow-list, and not
    /// where all earlier controls were given up. Without a comparison only tripwires can take the flag back.
    pub(crate) compared: bool,
    pub(crate) bake: u64,
    pub(crate) approve: Vec<String>,
    /// What the stage needs that nothing here can see; it is never taken as given.
    pub(crate) unseen: Vec<String>,
}

/// The plans of a snapshot's flags. `staleness`: seconds without outcomes after which a metric is stale.
///
/// # Errors
/// In words, when a flag that has a plan in the snapshot has none in the definition.
pub(crate) fn plans(
    snapshot: &Snapshot<'_>,
    definition: &Definition,
    staleness: u64,
) -> Result<Vec<Plan>, String> {
    let mut plans = Vec::new();
    for sealed in snapshot.flags() {
        let Some(plan) = sealed.plan() else { continue };
        let key = sealed.key();
        let flag = definition.flag(key);
        let Some((flag, rollout)) =
            flag.and_then(|flag| flag.rollout.as_ref().map(|rollout| (flag, rollout)))
        else {
            return Err(format!("flag `{key}` has a plan in the snapshot and none in the definition"));
        };
        let mut stages = Vec::new();
        for index in 0..plan.stage_count() {
            let (Some(sealed), Some(authored)) = (plan.stage(index), rollout.stages.get(usize::from(index)))
            else {
                return Err(format!("flag `{key}` has other stages in the snapshot than in the definition"));
            };
            let suite = authored.need.suite.as_ref().map(|suite| format!("suite `{suite}` passed"));
            let audited = authored.need.audited.map(|count| format!("{count} outcomes judged by people"));
            stages.push(PlanStage {
                name: sealed.name.to_owned(),
                treat: sealed.treat,
                control: sealed.control,
                allow_list: sealed.who.is_some(),
                compared: compared(&plan, index),
                bake: authored.bake,
                approve: authored.approve.clone(),
                unseen: suite.into_iter().chain(audited).collect(),
            });
        }
        let metrics = metrics(definition, rollout);
        let slices = slice_plan::rules(rollout, definition);
        plans.push(Plan {
            flag: key.to_owned(),
            owner: flag.owner.clone(),
            rationale: flag.rationale.clone(),
            rollback_plan: flag.rollback_plan.clone(),
            baseline: rollout.baseline.to_string(),
            candidate: rollout.candidate.to_string(),
            stages,
            ceiling: plan.ceiling(),
            fingerprint: fingerprint(&sealed, plan.salt(), flag, rollout, definition, &metrics),
            slices: Arc::new(SlicePlan::new(rollout, &slices, definition)),
            rules: PlanRules { slices, ..rules(definition, rollout, plan.ceiling(), staleness) },
            metrics: metrics.into(),
            attempt: 0,
        });
    }
    Ok(plans)
}

/// Whether any cohort enrolled up to this stage still has both arms as they were drawn: the engine says probability 0
/// for the units of a cohort whose stage had more control than the open one has.
fn compared(plan: &flagstone_snapshot::Plan<'_>, open: u8) -> bool {
    let Some(control) = plan.stage(open).map(|stage| stage.control) else { return false };
    let mut below = (0..=open).filter_map(|index| plan.stage(index));
    below.any(|stage| {
        let drawn = stage.probability > 0 && stage.probability < SHARE_TOTAL;
        stage.who.is_none() && drawn && stage.control <= control
    })
}

fn metrics(definition: &Definition, rollout: &Rollout) -> Vec<PlanMetric> {
    let mut metrics: Vec<PlanMetric> = Vec::new();
    let used = rollout.guardrails.iter().map(|guardrail| &guardrail.metric);
    let used = used.chain(rollout.success.iter().map(|success| &success.metric));
    let used = used.chain(rollout.slices.iter().map(|watch| &watch.metric));
    for name in used.chain(rollout.drift.iter().map(|watch| &watch.metric)) {
        let name = name.to_string();
        if metrics.iter().any(|metric| metric.name == name) {
            continue;
        }
        let authored = definition.metric(&name);
        let batches = drift::Batches::new(rollout, &name, authored);
        metrics.push(PlanMetric { batches, ..metric(name, authored) });
    }
    metrics
}

/// A metric of the definition, as outcomes are read for it; it stays without data when the definition has none of that name.
pub(crate) fn metric(name: String, authored: Option<&Metric>) -> PlanMetric {
    let milliseconds = |seconds: u64| seconds.saturating_mul(1_000);
    let window = |metric: &Metric| {
        let ms = milliseconds(metric.window?);
        Some(Window { ms, grace_ms: metric.grace_in_force().map(milliseconds) })
    };
    PlanMetric {
        name,
        rule: authored.and_then(MetricRule::new),
        value: authored.and_then(ValueMetric::new),
        window_ms: authored.and_then(window),
        batches: None,
    }
}

/// How a metric of the definition is judged.
fn kind(definition: &Definition, metric: &str) -> MetricKind {
    definition.metric(metric).map_or(MetricKind::Rate, values::kind)
}

fn rules(definition: &Definition, rollout: &Rollout, ceiling: Option<u8>, staleness: u64) -> PlanRules {
    let success = rollout.success.iter().map(|success| GuardrailRule {
        metric: success.metric.to_string(),
        role: if success.better { Role::Success } else { Role::Observe },
        kind: kind(definition, &success.metric),
        ..GuardrailRule::default()
    });
    let stages = rollout.stages.iter().map(|stage| StageRule {
        name: stage.name.to_string(),
        bake: stage.bake,
        min_units: stage.need.units.unwrap_or(0),
        min_bad: stage.need.bad.unwrap_or(0),
        needs_approval: !stage.approve.is_empty(),
        randomised: stage.shares().is_some(),
        extend: limits::EXTEND_SECONDS,
        ship_if_not_harmful: false,
    });
    PlanRules {
        guardrails: rollout
            .guardrails
            .iter()
            .map(|one| guardrail_rule(definition, one))
            .chain(success)
            .collect(),
        stages: stages.collect(),
        staleness,
        ceiling,
        drift: drift::rules(rollout),
        ..PlanRules::default()
    }
}

fn guardrail_rule(definition: &Definition, guardrail: &Guardrail) -> GuardrailRule {
    let part = |parts: u32| f64::from(parts) / f64::from(SHARE_TOTAL);
    GuardrailRule {
        metric: guardrail.metric.to_string(),
        role: match guardrail.role {
            GuardrailRole::Tripwire => Role::Tripwire,
            GuardrailRole::Deterioration => Role::Deterioration,
            GuardrailRole::Guardrail => Role::Guardrail,
            GuardrailRole::Success => Role::Success,
            GuardrailRole::Signal => Role::Signal,
            GuardrailRole::Health => Role::Health,
            GuardrailRole::Observe => Role::Observe,
        },
        share: part(guardrail.share),
        not_worse_by: guardrail.promote.map(|promote| part(promote.not_worse_by)),
        kind: kind(definition, &guardrail.metric),
        ..GuardrailRule::default()
    }
}

fn fingerprint(
    sealed: &flagstone_snapshot::Flag<'_>,
    salt: u64,
    flag: &Flag,
    rollout: &Rollout,
    definition: &Definition,
    metrics: &[PlanMetric],
) -> [u8; 32] {
    let value = |name: &str| {
        let variant = sealed.find_variant(name).and_then(|index| sealed.variant(index));
        variant.map(|variant| variant.json)
    };
    let admission: Vec<_> = rollout.stages.iter().map(|stage| json!([stage.name, stage.shares()])).collect();
    let metrics: Vec<_> = metrics.iter().filter_map(|metric| definition.metric(&metric.name)).collect();
    let mut identity = json!({
        "flag": flag.key,
        "salt": salt,
        "unit": rollout.unit,
        "baseline": [rollout.baseline.to_string(), value(&rollout.baseline)],
        "candidate": [rollout.candidate.to_string(), value(&rollout.candidate)],
        "stages": admission,
        "guardrails": rollout.guardrails,
        "success": rollout.success,
        "metrics": metrics,
    });
    // Plans without slices keep the fingerprint that they had before there were any.
    let slices = slice_plan::rules(rollout, definition);
    let crossings = rollout.slices.iter().filter(|watch| watch.by.len() > 1);
    let crossings: Vec<_> = crossings.map(|watch| json!([watch.metric, watch.by])).collect();
    if let Some(members) = identity.as_object_mut().filter(|_| !(slices.is_empty() && crossings.is_empty())) {
        members.insert("slices".to_owned(), json!([slices, crossings]));
    }
    let drift = drift::counted(rollout);
    if let Some(members) = identity.as_object_mut().filter(|_| !drift.is_empty()) {
        members.insert("drift".to_owned(), json!(drift));
    }
    sha256(&[canonical(&identity).as_bytes()])
}
