//! The verdict in one sentence, and what happens next: what people read first.

use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{Action, Estimate, MetricJudgement, Role};

use crate::attempts::Phase;
use crate::plan::PlanStage;
use crate::steer::Steered;

/// What is so, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) sentence: String,
    pub(crate) next: String,
}

/// A share as people say it: `1 %`, `0.25 %`.
pub(crate) fn percent(parts: u32) -> String {
    let text = format!("{:.4}", f64::from(parts) * 100.0 / f64::from(SHARE_TOTAL));
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn grouped(number: u64) -> String {
    let mut digits = number.to_string();
    let mut at = digits.len();
    while at > 3 {
        at -= 3;
        digits.insert(at, ',');
    }
    digits
}

fn count(number: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Who has the candidate at a stage.
fn reach(stage: &PlanStage) -> String {
    if stage.allow_list {
        "everyone on its list".to_owned()
    } else {
        format!("{} of units", percent(stage.treat))
    }
}

/// The verdict on one flag. Names stand in backticks.
pub(crate) fn verdict(one: &Steered) -> Verdict {
    let standing = &one.attempt.standing;
    let (candidate, baseline) = (&one.plan.candidate, &one.plan.baseline);
    let stage = standing.stage.and_then(|stage| one.plan.stages.get(usize::from(stage)));
    let name = stage.map_or("?", |stage| stage.name.as_str());
    let treated = count(one.units.treatment, "unit");
    let say = |sentence: String, next: String| Verdict { sentence, next };
    if standing.phase == Phase::Halted {
        return say(
            format!("Taken back automatically at stage `{name}`: {}.", harm(one)),
            format!(
                "Everyone gets `{baseline}`. To try again, publish a changed candidate or plan: that begins attempt {}.",
                one.attempt.number.saturating_add(1)
            ),
        );
    }
    if let Some(halt) = &one.halt {
        return say(
            format!("Halted by {}: {}.", halt.by, halt.reason.trim_end_matches('.')),
            format!("Everyone gets `{baseline}` until somebody resumes it."),
        );
    }
    let reach = stage.map_or_else(|| "nobody".to_owned(), reach);
    match standing.phase {
        Phase::Halted | Phase::Closed => say(
            format!("`{candidate}` is published and open to nobody."),
            match one.plan.ceiling {
                Some(_) => format!("An operator starts it at stage `{}`.", first_name(one)),
                None => "A release-signed snapshot must approve a stage first.".to_owned(),
            },
        ),
        Phase::Open => {
            let bad = one.judgement.metrics.iter().any(|metric| metric.treated_bad > 0);
            let harm = if one.units.treatment == 0 {
                "nobody has come by yet"
            } else if bad {
                "no evidence of harm so far"
            } else {
                "nothing bad seen so far"
            };
            say(
                format!("`{candidate}` is open to {reach}; {treated} had it, {harm}."),
                format!("{}; still to come: {}", following(one), pending(one)),
            )
        }
        Phase::Held => say(
            format!("Held at stage `{name}`, open to {reach}; not met: {}", pending(one)),
            format!("It goes on by itself when this is met; {}.", watched(stage)),
        ),
        Phase::AwaitingApproval => say(
            format!("Stage `{name}` has met every requirement; {treated} had `{candidate}`."),
            format!("{} when people sign a snapshot with a higher ceiling.", following(one)),
        ),
        Phase::Complete => say(
            format!("`{candidate}` has passed every stage; {treated} had it."),
            format!("It stays open to {reach}; {}. Make it the default variant to finish.", watched(stage)),
        ),
    }
}

/// What can still take it back.
fn watched(stage: Option<&PlanStage>) -> &'static str {
    match stage {
        Some(stage) if stage.compared => "evidence of harm still takes it back at once",
        _ => "the controls were given up, so only tripwires can still take it back",
    }
}

/// What took it back, with the counts behind it.
fn harm(one: &Steered) -> String {
    let fired = one.judgement.metrics.iter().filter(|metric| {
        metric.latched.is_some() && matches!(metric.role, Role::Tripwire | Role::Deterioration)
    });
    let told: Vec<String> = fired.map(|metric| told(metric, one)).collect();
    if told.is_empty() {
        one.attempt.standing.reasons.first().cloned().unwrap_or_default()
    } else {
        told.join("; ")
    }
}

/// A metric that took it back, as people read it.
fn told(metric: &MetricJudgement, one: &Steered) -> String {
    let (name, candidate, baseline) = (&metric.metric, &one.plan.candidate, &one.plan.baseline);
    match metric.estimate {
        Some(Estimate { treatment, control: Some(control), .. }) => format!(
            "`{name}` is worse, {} with `{candidate}` and {} with `{baseline}`",
            plain(treatment),
            plain(control)
        ),
        Some(Estimate { treatment, difference, .. }) => format!(
            "`{name}` is below its bar of {}, {} with `{candidate}`",
            plain(treatment - difference),
            plain(treatment)
        ),
        None => format!(
            "`{name}` is worse, bad for {} of {} with `{candidate}` and {} of {} with `{baseline}`",
            count(metric.treated_bad, "unit"),
            grouped(metric.treated_units),
            grouped(metric.control_bad),
            grouped(metric.control_units),
        ),
    }
}

/// A measured number to four significant digits.
fn plain(value: f64) -> String {
    let before = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    let digits = usize::try_from(3 - before).unwrap_or(0).min(9);
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn first_name(one: &Steered) -> &str {
    one.plan.stages.first().map_or("?", |stage| stage.name.as_str())
}

fn following(one: &Steered) -> String {
    let next = one.attempt.standing.stage.map(|stage| usize::from(stage).saturating_add(1));
    match next.and_then(|next| one.plan.stages.get(next)) {
        Some(stage) => format!("Stage `{}` opens next", stage.name),
        None => "The rollout is complete next".to_owned(),
    }
}

/// The first thing that is missing, in the judge's words.
fn pending(one: &Steered) -> String {
    let unmet = one.judgement.requirements.iter().filter(|requirement| !requirement.met);
    let open: Vec<_> = unmet.collect();
    let held = matches!(one.judgement.action, Action::Hold | Action::RollBack);
    match open.first() {
        Some(first) => {
            let more = open.len().saturating_sub(1);
            let rest = if more == 0 { String::new() } else { format!(", and {more} more") };
            format!("{} (have {}, need {}){rest}.", first.text, first.have, first.need)
        }
        None if held => one.judgement.reasons.first().cloned().unwrap_or_default(),
        None => "the next tick.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_counts_read_well() {
        assert_eq!(
            [1_000_000_u32, 10_000_000, 999_999_999, SHARE_TOTAL].map(percent),
            ["0.1 %", "1 %", "100 %", "100 %"]
        );
        assert_eq!(count(1, "unit"), "1 unit");
        assert_eq!(count(1_234_567, "unit"), "1,234,567 units");
        assert_eq!(count(123, "unit"), "123 units");
        let plains = [0.0, 0.012_345, -1.5, 1_234.56, 98_765.4].map(plain);
        assert_eq!(plains, ["0", "0.01235", "-1.5", "1235", "98765"]);
    }
}
