//! A rollout plan ready to be simulated: the compiled snapshot, and the rules that the judge is given.

use std::collections::BTreeMap;

use flagstone_compile::model::{self, Guardrail, Rollout};
use flagstone_compile::{Definition, Options, Source, lower, parse};
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{GuardrailRule, PlanRules, Role, StageRule};
use flagstone_snapshot::layout::NEVER;
use flagstone_snapshot::{Snapshot, encode};

/// When virtual time begins, unix seconds, unless the plan begins later.
const BEGIN: u64 = 1_800_000_000;
/// Seconds after its bake that a stage without enough data waits before it is held; the control plane's own number.
const EXTEND: u64 = 7 * 86_400;

/// A flag's plan with what is needed to simulate it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The flag's key.
    pub flag: String,
    /// What the judge is told.
    pub rules: PlanRules,
    /// The metrics that count bad outcomes, those of the rules in their order.
    pub meters: Vec<Meter>,
    /// The ladder.
    pub stages: Vec<Rung>,
    /// Position of the first stage that is randomised: simulations begin there.
    pub first: u8,
    /// When virtual time begins, unix seconds.
    pub begin: u64,
    pub(crate) snapshot: Vec<u8>,
}

/// How a metric counts in a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct Meter {
    /// The metric's name.
    pub name: String,
    /// Which stream of outcomes it reads.
    pub source: u8,
    /// It reads only the outcomes of units of this segment.
    pub segment: Option<u8>,
    /// Part of the control's units that have turned bad by the end, before any drift.
    pub base_rate: f64,
    /// Seconds after a unit's enrolment within which outcomes count.
    pub window: Option<u64>,
    /// What it may do.
    pub role: Role,
    /// Its part of the error budget.
    pub share: f64,
    /// The margin that promotion asks to be kept.
    pub not_worse_by: Option<f64>,
}

/// A stage as the snapshot has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// Its name.
    pub name: String,
    /// Treatment's share of all units, in parts of `SHARE_TOTAL`.
    pub treat: u32,
    /// Control's share.
    pub control: u32,
    /// Probability of treatment among the units that it enrols; 0 where there is no comparison.
    pub probability: u32,
    /// Whether units are drawn.
    pub randomised: bool,
    /// Seconds it stays open at least.
    pub bake: u64,
}

/// Base rates to assume: the part of units that turn bad.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseRates {
    /// For metrics that are not named. Tripwires have 0 unless they are.
    pub general: f64,
    /// By metric.
    pub named: BTreeMap<String, f64>,
}

impl Default for BaseRates {
    fn default() -> Self {
        Self { general: 0.02, named: BTreeMap::new() }
    }
}

impl BaseRates {
    fn of(&self, metric: &str, role: Role) -> f64 {
        let general = if role == Role::Tripwire { 0.0 } else { self.general };
        self.named.get(metric).copied().unwrap_or(general)
    }
}

/// Everything about a definition that can be simulated: one trial for each flag with a plan that draws units.
///
/// # Errors
/// In words: the compiler's own when the definition does not compile, or what the plan lacks.
pub fn trials(source: &Source, rates: &BaseRates, staleness: u64) -> Result<Vec<Trial>, String> {
    let (definition, diagnostics) = parse(source);
    let Some(mut definition) = definition.filter(|_| !diagnostics.has_errors()) else {
        return Err(diagnostics.render(source, false));
    };
    if let Some(metric) = rates.named.keys().find(|name| definition.metric(name).is_none()) {
        return Err(format!("a base rate is given for `{metric}`, which is no metric of the definition"));
    }
    // Simulated is the whole ladder, whatever has been approved of it so far.
    for rollout in definition.flags.iter_mut().filter_map(|flag| flag.rollout.as_mut()) {
        rollout.ceiling = u8::try_from(rollout.stages.len()).ok().and_then(|count| count.checked_sub(1));
    }
    let (draft, diagnostics) = lower(&definition, &Options { strict: true, ..Options::default() });
    if diagnostics.has_errors() {
        return Err(diagnostics.render(source, false));
    }
    let bytes = encode(&draft).map_err(|error| format!("the definition cannot be laid out: {error}"))?;
    let snapshot = Snapshot::load(&bytes).map_err(|error| format!("the snapshot is refused: {error}"))?;
    let mut trials = Vec::new();
    for flag in &definition.flags {
        let Some(rollout) = &flag.rollout else { continue };
        let sealed = snapshot.find(&flag.key).and_then(|index| snapshot.flag(index));
        let Some(plan) = sealed.and_then(|sealed| sealed.plan()) else { continue };
        let stages = rungs(&plan, rollout);
        let Some(first) = stages.iter().position(|stage| stage.randomised) else { continue };
        let rules = rules(&definition, rollout, plan.ceiling(), staleness);
        trials.push(Trial {
            flag: flag.key.to_string(),
            meters: meters(&definition, &rules, rates),
            rules,
            first: u8::try_from(first).unwrap_or(u8::MAX),
            begin: begin(&plan, &stages),
            stages,
            snapshot: bytes.clone(),
        });
    }
    Ok(trials)
}

fn rungs(plan: &flagstone_snapshot::Plan<'_>, rollout: &Rollout) -> Vec<Rung> {
    let sealed = (0..plan.stage_count()).filter_map(|index| plan.stage(index));
    let rungs = sealed.zip(&rollout.stages).map(|(stage, authored)| Rung {
        name: stage.name.to_owned(),
        treat: stage.treat,
        control: stage.control,
        probability: stage.probability,
        randomised: stage.who.is_none(),
        bake: authored.bake,
    });
    rungs.collect()
}

/// The first moment at which the plan can be open, but early enough that it is not over before the ladder is.
fn begin(plan: &flagstone_snapshot::Plan<'_>, stages: &[Rung]) -> u64 {
    let climb = stages.iter().fold(0_u64, |sum, stage| sum.saturating_add(stage.bake)).saturating_mul(2);
    let until = if plan.until() == NEVER { u64::MAX } else { plan.until() };
    let first_step = plan.steps().first().map_or(0, |step| step.at.get());
    BEGIN.min(until.saturating_sub(climb)).max(plan.not_before()).max(first_step)
}

/// What the judge is told; the same as the control plane tells it, but for metrics that measure values and for slices:
/// populations have none, so a rule that waits for them would never be met.
fn rules(definition: &Definition, rollout: &Rollout, ceiling: Option<u8>, staleness: u64) -> PlanRules {
    let counts = |metric: &str| definition.metric(metric).is_some_and(|metric| metric.bad().is_some());
    let success =
        rollout.success.iter().filter(|success| counts(&success.metric)).map(|success| GuardrailRule {
            metric: success.metric.to_string(),
            role: if success.better { Role::Success } else { Role::Observe },
            ..GuardrailRule::default()
        });
    let stages = rollout.stages.iter().map(|stage| StageRule {
        name: stage.name.to_string(),
        bake: stage.bake,
        min_units: stage.need.units.unwrap_or(0),
        min_bad: stage.need.bad.unwrap_or(0),
        needs_approval: !stage.approve.is_empty(),
        randomised: stage.shares().is_some(),
        extend: EXTEND,
        ship_if_not_harmful: false,
    });
    PlanRules {
        guardrails: rollout
            .guardrails
            .iter()
            .filter(|one| counts(&one.metric))
            .map(guardrail)
            .chain(success)
            .collect(),
        stages: stages.collect(),
        staleness,
        ceiling,
        ..PlanRules::default()
    }
}

fn guardrail(guardrail: &Guardrail) -> GuardrailRule {
    let part = |parts: u32| f64::from(parts) / f64::from(SHARE_TOTAL);
    GuardrailRule {
        metric: guardrail.metric.to_string(),
        role: match guardrail.role {
            model::Role::Tripwire => Role::Tripwire,
            model::Role::Deterioration => Role::Deterioration,
            model::Role::Guardrail => Role::Guardrail,
            model::Role::Success => Role::Success,
            model::Role::Signal => Role::Signal,
            model::Role::Health => Role::Health,
            model::Role::Observe => Role::Observe,
        },
        share: part(guardrail.share),
        not_worse_by: guardrail.promote.map(|promote| part(promote.not_worse_by)),
        ..GuardrailRule::default()
    }
}

/// The metrics of the rules: those that count bad outcomes.
fn meters(definition: &Definition, rules: &PlanRules, rates: &BaseRates) -> Vec<Meter> {
    let mut meters: Vec<Meter> = Vec::new();
    for rule in &rules.guardrails {
        let Some(metric) = definition.metric(&rule.metric).filter(|metric| metric.bad().is_some()) else {
            continue;
        };
        if meters.iter().any(|meter| meter.name == rule.metric) {
            continue;
        }
        meters.push(Meter {
            name: rule.metric.clone(),
            source: u8::try_from(meters.len()).unwrap_or(u8::MAX),
            segment: None,
            base_rate: rates.of(&rule.metric, rule.role),
            window: metric.window,
            role: rule.role,
            share: rule.share,
            not_worse_by: rule.not_worse_by,
        });
    }
    meters
}
