//! What the evidence says of one metric: from the counts to a [`MetricVerdict`].
//!
//! The order of the questions is the order of care. Harm is asked first, because it needs no minimum of data and
//! nothing may hide it. Then whether there is anything to read at all. Only then whether something good was shown:
//! missing data never looks like success.

use crate::alpha::{clears, log_threshold};
use crate::limits::SAMPLE_RATIO_ALARM;
use crate::reading::{self, Reading, Thresholds};
use crate::{
    Evidence, GuardrailRule, Latched, MetricEvidence, MetricJudgement, MetricVerdict, PlanRules, Role,
    RolloutState, StageRule, sample_ratio,
};

/// The judged metric and what the gate wants to know beside it.
pub(crate) struct Judged<'a> {
    pub(crate) rule: &'a GuardrailRule,
    pub(crate) judgement: MetricJudgement,
    /// Treated units that count for the open stage.
    pub(crate) units: u64,
    /// Treated units whose window is still open.
    pub(crate) maturing: u64,
    /// Bad units of randomised cohorts, both arms; none for metrics that do not count bad units.
    pub(crate) bad: Option<u64>,
    /// Seconds since the last outcome; none: there never was one.
    pub(crate) age: Option<u64>,
    /// What is wrong with the counts or the rule.
    pub(crate) problem: Option<String>,
    /// Whether the metric was measured alike in both arms.
    pub(crate) measured_alike: bool,
    /// Share of the control's units that are bad, in randomised cohorts.
    pub(crate) control_share: f64,
}

pub(crate) fn judge_metric<'a>(
    rules: &PlanRules,
    rule: &'a GuardrailRule,
    state: &RolloutState,
    evidence: &Evidence,
    now: u64,
) -> Judged<'a> {
    let seen = evidence.metric(&rule.metric);
    let MetricEvidence { maturing_units, last_outcome, latched, .. } = seen;
    let stage = open_stage(rules, state);
    let randomised = stage.is_some_and(|stage| stage.randomised);
    let threshold = rules.harm_threshold(rule);
    let promote = log_threshold(rules.promotion_alpha(), 1.0);
    let reading = reading::read(rule, &seen, Thresholds { harm: threshold, promote });
    let Reading { harm: log_e, improved, non_inferior, treated_bad, .. } = reading;

    let crossed = match rule.role {
        Role::Tripwire => (treated_bad > 0).then_some(treated_bad as f64),
        _ => clears(log_e, threshold).then_some(log_e),
    };
    // Only what rolls back is latched: holds may clear, rollbacks may not be argued away by later data.
    let latched = match rule.role {
        Role::Tripwire | Role::Deterioration => latched.or(crossed.map(|log_e| Latched { log_e, at: now })),
        _ => None,
    };
    let units = reading.units(randomised, |u| u.treated);
    let age = last_outcome.map(|at| now.saturating_sub(at));
    let measured_log_e = sample_ratio::cohorts_log_e(&reading.measured());
    let measured_alike = !clears(measured_log_e, libm::log(SAMPLE_RATIO_ALARM));
    let problem = rule.problem().or_else(|| reading.problem.clone());

    let verdict = if rule.role == Role::Health && crossed.is_some() {
        MetricVerdict::Invalid
    } else if latched.is_some() || crossed.is_some() {
        MetricVerdict::Regressed
    } else if problem.is_some() || !measured_alike {
        MetricVerdict::Invalid
    } else {
        let min_bad = |s: &StageRule| if s.randomised && reading.bad.is_some() { s.min_bad } else { 0 };
        let wants = stage.map_or((1, 0), |s| (s.min_units.max(1), min_bad(s)));
        let counted = (units, maturing_units, reading.bad.unwrap_or(0));
        let data = data_verdict(age, rules.staleness, counted, wants);
        let data = data.or(reading.not_enough.map(|_| MetricVerdict::Insufficient));
        data.unwrap_or_else(|| shown(non_inferior, rule.has_margin(), improved, promote))
    };
    let judgement = MetricJudgement {
        metric: rule.metric.clone(),
        role: rule.role,
        verdict,
        log_e,
        log_threshold: threshold,
        log_e_non_inferior: non_inferior,
        log_e_improved: improved,
        log_threshold_promote: promote,
        measured_log_e,
        rate_ratio: reading.rate_ratio,
        treated_bad,
        control_bad: reading.control_bad,
        treated_units: reading.units(false, |u| u.treated),
        control_units: reading.units(false, |u| u.control),
        latched,
        estimate: reading.estimate,
        not_enough: reading.not_enough,
    };
    Judged {
        rule,
        judgement,
        units,
        maturing: maturing_units,
        bad: reading.bad,
        age,
        problem,
        measured_alike,
        control_share: reading.control_share,
    }
}

/// The open stage's rule; none when nothing is open or the plan has no such stage.
pub(crate) fn open_stage<'r>(rules: &'r PlanRules, state: &RolloutState) -> Option<&'r StageRule> {
    rules.stages.get(usize::from(state.stage?))
}

/// NoData, Stale, Immature or Insufficient; none when there is enough to read.
fn data_verdict(
    age: Option<u64>,
    staleness: u64,
    (units, maturing, bad): (u64, u64, u64),
    (min_units, min_bad): (u64, u64),
) -> Option<MetricVerdict> {
    match age {
        None => Some(MetricVerdict::NoData),
        Some(age) if age > staleness => Some(MetricVerdict::Stale),
        Some(_) if units < min_units && units.saturating_add(maturing) >= min_units => {
            Some(MetricVerdict::Immature)
        }
        Some(_) if units < min_units || bad < min_bad => Some(MetricVerdict::Insufficient),
        Some(_) => None,
    }
}

/// Inconclusive, NonInferior or Improved. A rule with a margin is Improved only when it is NonInferior too, so that
/// passing the gate stays one test at one level and not the better of two.
fn shown(non_inferior: Option<f64>, has_margin: bool, improved: f64, threshold: f64) -> MetricVerdict {
    let better = clears(improved, threshold);
    match (non_inferior.is_some_and(|log_e| clears(log_e, threshold)), has_margin) {
        (true, _) | (false, false) if better => MetricVerdict::Improved,
        (true, _) => MetricVerdict::NonInferior,
        _ => MetricVerdict::Inconclusive,
    }
}
