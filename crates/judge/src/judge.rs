//! The order of evaluation: one answer for the whole rollout, first match wins.
//!
//! | rule | when | action |
//! | --- | --- | --- |
//! | 1 | halted, a tripwire, an exposure lease that ran out | roll back |
//! | 2 | a deterioration e-value over its threshold, now or earlier in the attempt | roll back |
//! | 3 | the evidence is invalid | hold |
//! | 4 | outcomes are stale | hold |
//! | 5 | the stage was not open long enough | wait |
//! | 6 | too little data | wait, after `extend` hold |
//! | 7 | a signal regressed, a rate drifted upwards | hold |
//! | 8 | not everything that promotion asks for is shown | hold |
//! | 9 | the next stage is above the signed ceiling | await approval |
//! | 10 | none of these | one stage up, or complete |
//!
//! Rules 1 and 2 are asked at every call, whatever the stage's age or the state of the data: a rollback never waits for
//! a bake timer, and nothing in rules 3 to 10 can keep it from happening.

use crate::attribution::attribute;
use crate::gate::{Gate, Line};
use crate::limits::{SAMPLE_RATIO_ALARM, SATURATED_SHARE};
use crate::slice_verdict::{Sliced, judge_slices};
use crate::verdict::{Judged, judge_metric, open_stage};
use crate::words::{duration, log_e, percent, plural};
use crate::{
    Action, Evidence, Judgement, MetricJudgement, PlanRules, Role, RolloutState, drift, rule, sample_ratio,
    slice_gate,
};

/// Judges a rollout at the moment `now` (unix seconds). Pure: the same arguments give the same answer, to the last bit,
/// for ever and on every platform; the order of the counts does not matter.
///
/// A caller that steers by it keeps each [`MetricJudgement::latched`](crate::MetricJudgement::latched) with the metric's
/// evidence, carries [`Action`] out, and calls again at the next tick.
pub fn judge(rules: &PlanRules, state: &RolloutState, evidence: &Evidence, now: u64) -> Judgement {
    let refusal = evidence.refusal();
    let stripped = refusal.is_some().then(|| evidence.without_counts());
    let evidence = stripped.as_ref().unwrap_or(evidence);
    let judged: Vec<Judged<'_>> =
        rules.guardrails.iter().map(|rule| judge_metric(rules, rule, state, evidence, now)).collect();
    let sample_ratio_log_e = sample_ratio::cohorts_log_e(&evidence.sample_ratio);
    let sample_ratio_threshold = libm::log(SAMPLE_RATIO_ALARM);
    let sliced = judge_slices(rules, evidence, now);
    let sample_ratio_slices = attribute(&evidence.exposed_slices);
    let drift = drift::judge_all(rules, evidence);
    let stage = state.stage.zip(open_stage(rules, state));
    let lines = stage.map_or_else(Vec::new, |(at, stage)| {
        let metrics = &judged;
        let gate = Gate {
            rules,
            state,
            stage,
            at,
            evidence,
            metrics,
            sample_ratio_log_e,
            sample_ratio_threshold,
            now,
        };
        let mut lines = gate.lines();
        let mut more = slice_gate::lines(rules, stage, &sliced, &sample_ratio_slices, refusal);
        more.extend(drift::lines(rules, &drift));
        if !more.is_empty() {
            lines.extend(more);
            lines.sort_by_key(Line::order);
        }
        lines
    });

    let (action, rule, mut reasons) = roll_back(rules, state, &judged, &sliced, now)
        .or_else(|| nothing_open(rules, state))
        .or_else(|| first_unmet(&lines))
        .unwrap_or_else(|| go_on(rules, state));
    reasons.extend(judged.iter().filter_map(warning));
    Judgement {
        action,
        rule,
        reasons,
        requirements: lines.into_iter().map(|line| line.requirement).collect(),
        metrics: judged.into_iter().map(|judged| judged.judgement).collect(),
        sample_ratio_log_e,
        sample_ratio_log_threshold: sample_ratio_threshold,
        attempt_alpha: rules.rollback_alpha(),
        slices: sliced.slices.into_iter().flatten().collect(),
        fairness: sliced.fairness,
        sample_ratio_slices,
        drift,
    }
}

type Answer = (Action, &'static str, Vec<String>);

/// Rules 1 and 2.
fn roll_back(
    rules: &PlanRules,
    state: &RolloutState,
    judged: &[Judged<'_>],
    sliced: &Sliced,
    now: u64,
) -> Option<Answer> {
    let fired = |role: Role| -> Vec<String> {
        let fired = judged.iter().filter(|j| j.rule.role == role && j.judgement.latched.is_some());
        fired.map(|j| harm_reason(rules, j, now)).collect()
    };
    let (tripped, mut worse) = (fired(Role::Tripwire), fired(Role::Deterioration));
    worse.extend(slice_gate::harm_reasons(rules, sliced, now));
    if state.halted {
        let mut reasons = vec!["the rollout is halted".to_owned()];
        reasons.extend(tripped.into_iter().chain(worse));
        return Some((Action::RollBack, rule::HALTED, reasons));
    }
    if !tripped.is_empty() {
        return Some((Action::RollBack, rule::TRIPWIRE, tripped.into_iter().chain(worse).collect()));
    }
    if let Some(until) = state.lease_until.filter(|until| now > *until) {
        let over = duration(now.saturating_sub(until));
        let mut reasons = vec![format!("the exposure lease ran out {over} ago")];
        reasons.extend(worse);
        return Some((Action::RollBack, rule::LEASE, reasons));
    }
    (!worse.is_empty()).then_some((Action::RollBack, rule::DETERIORATION, worse))
}

fn harm_reason(rules: &PlanRules, judged: &Judged<'_>, now: u64) -> String {
    let (m, name) = (&judged.judgement, &judged.rule.metric);
    let since = m.latched.map_or(0, |latched| now.saturating_sub(latched.at));
    let when = if since == 0 { String::new() } else { format!(", first seen {} ago", duration(since)) };
    if judged.rule.role == Role::Tripwire {
        let bad = m.latched.map_or(m.treated_bad, |latched| m.treated_bad.max(latched.log_e as u64));
        return format!("`{name}`: {} in treatment, and one is too many{when}", plural(bad, "bad unit"));
    }
    let most = m.latched.map_or(m.log_e, |latched| latched.log_e.max(m.log_e));
    if !judged.rule.kind.is_rate() {
        return format!(
            "`{name}`: {} is evidence of harm, {} against a threshold of {:.2} (without harm the chance that anything rolls \
             back in this attempt is at most {}){when}",
            measured_words(m),
            log_e(most),
            m.log_threshold,
            percent(rules.rollback_alpha()),
        );
    }
    format!(
        "`{name}`: {} in treatment and {} in control are evidence of harm, {} against a threshold of {:.2} (without \
         harm the chance that anything rolls back in this attempt is at most {}){when}",
        plural(m.treated_bad, "bad unit"),
        m.control_bad,
        log_e(most),
        m.log_threshold,
        percent(rules.rollback_alpha()),
    )
}

/// What was measured, in words.
fn measured_words(m: &MetricJudgement) -> String {
    let Some(e) = m.estimate else { return "what was measured".to_owned() };
    let number = |value: f64| format!("{value:.6}").trim_end_matches('0').trim_end_matches('.').to_owned();
    let against = match e.control {
        Some(control) => format!("{} in control", number(control)),
        None => format!("a bar of {}", number(e.treatment - e.difference)),
    };
    let range = match (e.lower, e.upper) {
        (Some(lower), Some(upper)) => format!(" (difference from {} to {})", number(lower), number(upper)),
        _ => String::new(),
    };
    format!("{} in treatment against {against}{range}", number(e.treatment))
}

/// Not started, or open at a stage that the plan does not have.
fn nothing_open(rules: &PlanRules, state: &RolloutState) -> Option<Answer> {
    let Some(at) = state.stage else {
        return Some((Action::Wait, rule::NOT_STARTED, vec!["no stage is open yet".to_owned()]));
    };
    if usize::from(at) < rules.stages.len() {
        return None;
    }
    let stages = plural(rules.stages.len() as u64, "stage");
    Some((Action::Hold, rule::HEALTH, vec![format!("stage {at} is open, and the plan has only {stages}")]))
}

/// Rules 3 to 9: the first rule that is not satisfied, with all its lines.
fn first_unmet(lines: &[Line]) -> Option<Answer> {
    let first = lines.iter().filter(|line| !line.requirement.met).min_by_key(|line| line.order())?;
    let same = lines.iter().filter(|line| !line.requirement.met && line.rule == first.rule);
    let reasons = same.map(|line| {
        let r = &line.requirement;
        format!("not yet: {} (have {}, need {})", r.text, r.have, r.need)
    });
    Some((first.otherwise, first.rule, reasons.collect()))
}

/// Rule 10.
fn go_on(rules: &PlanRules, state: &RolloutState) -> Answer {
    let at = state.stage.unwrap_or(0);
    let name =
        |position: u8| rules.stages.get(usize::from(position)).map_or("?", |stage| stage.name.as_str());
    let met = format!("every requirement of stage `{}` is met", name(at));
    match at.checked_add(1).filter(|to| usize::from(*to) < rules.stages.len()) {
        Some(to) => {
            let reasons = vec![met, format!("stage `{}` comes next", name(to))];
            (Action::Advance { to }, rule::ADVANCE, reasons)
        }
        None => (Action::Complete, rule::COMPLETE, vec![met, "it is the last one".to_owned()]),
    }
}

/// Something a reader of the numbers should know.
fn warning(judged: &Judged<'_>) -> Option<String> {
    (judged.control_share > SATURATED_SHARE).then(|| {
        format!(
            "note on `{}`: {} of the measured control units are bad; a ratio of units tends to 1 when most units are bad \
             sooner or later, so read the margin with care (hint: a stricter definition of bad, or a shorter window)",
            judged.rule.metric,
            percent(judged.control_share)
        )
    })
}
