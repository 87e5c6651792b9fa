//! One metric: its effect with an interval, its evidence as a multiple of each threshold, what could not be seen.

use flagstone_judge::non_inferiority::{Better, frozen_margin};
use flagstone_judge::{
    GuardrailRule, MetricEvidence, MetricJudgement, MetricKind, Role, Sight as Seen, rate_ratio, scores,
    sight,
};

use crate::model::{Effect, Gauge, Measured, Metric, Scale, Sight};
use crate::words::{self, number, percent};
use crate::{Look, POWER};

/// Steps of the grid that a score's interval is found on.
const SCORE_STEPS: u32 = 200;

pub(crate) fn metric(look: &Look, rule: &GuardrailRule, judged: &MetricJudgement) -> Metric {
    let evidence = look.evidence.metric(&rule.metric);
    let promote = |log_e: f64| Gauge::new(log_e, judged.log_threshold_promote);
    let most = judged.latched.map_or(judged.log_e, |latched| latched.log_e.max(judged.log_e));
    // A tripwire has no statistics: one bad unit is its threshold.
    let harm = if rule.role == Role::Tripwire {
        Gauge { log_e: judged.log_e, log_threshold: judged.log_threshold, times: judged.treated_bad as f64 }
    } else {
        Gauge::new(most, judged.log_threshold)
    };
    let is_score = matches!(rule.kind, MetricKind::Score(_));
    let (treatment, control) = arms(judged, rule.kind.is_rate());
    let alarm = flagstone_judge::limits::SAMPLE_RATIO_ALARM;
    Metric {
        metric: rule.metric.clone(),
        role: words::word(rule.role),
        kind: kind(&rule.kind).to_owned(),
        verdict: words::word(judged.verdict),
        better: words::word(better(&rule.kind)),
        effect: effect(rule, judged, &evidence),
        treatment,
        control: (!is_score).then_some(control),
        harm,
        not_worse: judged.log_e_non_inferior.map(promote),
        better_shown: promote(judged.log_e_improved),
        measured: Gauge::new(judged.measured_log_e, libm::log(alarm)),
        crossed: judged.latched.map(|latched| latched.at),
        not_enough: judged.not_enough.map(|why| why.to_string()),
        sight: seen(look, rule, &evidence),
    }
}

fn kind(kind: &MetricKind) -> &'static str {
    match kind {
        MetricKind::Rate => "rate",
        MetricKind::Mean(_) => "mean",
        MetricKind::Ratio(_) => "ratio",
        MetricKind::Score(_) => "score",
        MetricKind::Quantile(_) => "quantile",
    }
}

fn better(kind: &MetricKind) -> Better {
    match kind {
        MetricKind::Rate => Better::Lower,
        MetricKind::Score(_) => Better::Higher,
        MetricKind::Mean(kind) | MetricKind::Ratio(kind) => kind.better,
        MetricKind::Quantile(kind) => kind.better,
    }
}

fn arms(judged: &MetricJudgement, counts: bool) -> (Measured, Measured) {
    let arm = |units: u64, bad: u64, value: Option<f64>| Measured {
        units,
        bad: counts.then_some(bad),
        value: if counts { (units > 0).then(|| bad as f64 / units as f64) } else { value },
    };
    (
        arm(judged.treated_units, judged.treated_bad, judged.estimate.map(|estimate| estimate.treatment)),
        arm(judged.control_units, judged.control_bad, judged.estimate.and_then(|estimate| estimate.control)),
    )
}

fn effect(rule: &GuardrailRule, judged: &MetricJudgement, evidence: &MetricEvidence) -> Option<Effect> {
    let level = libm::exp(-judged.log_threshold_promote);
    if rule.kind.is_rate() {
        let interval = rate_ratio::interval(&evidence.cohorts, level)?;
        return Some(Effect {
            scale: Scale::RateRatio,
            estimate: judged.rate_ratio?,
            lower: Some(interval.lower),
            upper: interval.upper,
            level,
            none: 1.0,
            margin: rule.not_worse_by.map(|margin| 1.0 + margin),
        });
    }
    let estimate = judged.estimate?;
    if let MetricKind::Score(score) = rule.kind {
        let (lower, upper) = scores::interval::of_batches(&evidence.scores, level, SCORE_STEPS);
        return Some(Effect {
            scale: Scale::Mean,
            estimate: estimate.treatment,
            lower: Some(lower),
            upper: Some(upper),
            level,
            none: score.bar,
            margin: None,
        });
    }
    let baseline = match &rule.kind {
        MetricKind::Mean(kind) | MetricKind::Ratio(kind) => kind.baseline,
        MetricKind::Quantile(kind) => kind.baseline,
        MetricKind::Rate | MetricKind::Score(_) => None,
    };
    let sign = if better(&rule.kind) == Better::Lower { 1.0 } else { -1.0 };
    let margin = rule.not_worse_by.map(|margin| sign * frozen_margin(margin, baseline.unwrap_or(0.0)));
    Some(Effect {
        scale: Scale::Difference,
        estimate: estimate.difference,
        lower: estimate.lower,
        upper: estimate.upper,
        level,
        none: 0.0,
        margin,
    })
}

fn seen(look: &Look, rule: &GuardrailRule, evidence: &MetricEvidence) -> Sight {
    let say = |ratio, difference, words| Sight { ratio, difference, words };
    if rule.role == Role::Tripwire {
        return say(None, None, "one bad treated unit is enough; there is nothing to wait for".to_owned());
    }
    let chance = percent(POWER);
    match sight(&look.rules, rule, evidence, POWER) {
        Seen::Ratio(ratio) => {
            let words = format!(
                "harm below {} times the control's rate; from there on it would have been found by now in {chance} of rollouts",
                number(ratio)
            );
            say(Some(ratio), None, words)
        }
        Seen::Difference(difference) => {
            let words = format!(
                "a harmful difference below {}; from there on it would have been found by now in {chance} of rollouts",
                number(difference)
            );
            say(None, Some(difference), words)
        }
        Seen::Nothing(why) => say(None, None, why.to_owned()),
    }
}
