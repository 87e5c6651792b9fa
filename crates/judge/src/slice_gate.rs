//! What slices ask of the gate, line by line: beside the lines of [`crate::gate`], in the same order of rules.

use crate::fairness::Bar;
use crate::gate::Line;
use crate::slice_rule::{SliceRole, SliceRule};
use crate::slice_verdict::{SliceJudgement, SliceVerdict, Sliced, unassessed};
use crate::words::{duration, log_e, percent, plural};
use crate::{Action, PlanRules, SliceRatio, StageRule, rule};

/// The lines of all slice rules and of the sample ratio by slice; none when the plan and the evidence have no slices.
pub(crate) fn lines(
    rules: &PlanRules,
    stage: &StageRule,
    sliced: &Sliced,
    ratios: &[SliceRatio],
    refusal: Option<String>,
) -> Vec<Line> {
    let mut lines: Vec<Line> = refusal.map(refused).into_iter().collect();
    if !ratios.is_empty() {
        lines.push(alike(ratios));
    }
    for (rule, own) in rules.slices.iter().zip(&sliced.slices) {
        let worst =
            own.iter().max_by(|a, b| strength(a).total_cmp(&strength(b)).then_with(|| b.slice.cmp(&a.slice)));
        let (name, by) = (&rule.metric, &rule.by);
        let text = format!("`{name}`: no harm in any `{by}`");
        let met = worst.is_none_or(|worst| worst.verdict != SliceVerdict::Harmed);
        let have = worst.map_or("nothing counted".to_owned(), |worst| match worst.log_e {
            Some(value) => format!("{} in {}", log_e(value), worst.slice),
            None => "too few units to be shown".to_owned(),
        });
        let need = worst.map_or(String::new(), |worst| format!("at most {:.2}", worst.log_threshold));
        match rule.role {
            SliceRole::Deterioration => {
                lines.push(Line::new(rule::DETERIORATION, Action::RollBack, text, met, have, need));
            }
            SliceRole::Fairness => {
                lines.push(Line::new(rule::SIGNAL, Action::Hold, text, met, have, need));
                if stage.randomised {
                    lines.push(kept(rule, stage, sliced));
                }
            }
            SliceRole::Observe => {}
        }
    }
    lines
}

fn strength(judged: &SliceJudgement) -> f64 {
    let most = judged.latched.map_or(f64::NEG_INFINITY, |latched| latched.log_e);
    judged.log_e.map_or(most, |log_e| log_e.max(most))
}

fn refused(refusal: String) -> Line {
    let text = "the evidence is of production".to_owned();
    Line::new(rule::HEALTH, Action::Hold, text, false, refusal, "production alone".to_owned())
}

/// Rule 3, by slice.
fn alike(ratios: &[SliceRatio]) -> Line {
    let suspects: Vec<String> = ratios
        .iter()
        .filter(|ratio| ratio.suspect)
        .map(|r| format!("{} ({})", r.slice, log_e(r.log_e)))
        .collect();
    let met = suspects.is_empty();
    let have = if met {
        format!("{} alike", plural(ratios.len() as u64, "slice"))
    } else {
        format!("not in {}", suspects.join(", "))
    };
    let text = "units of every slice are split between the arms as promised".to_owned();
    Line::new(rule::HEALTH, Action::Hold, text, met, have, "no slice that e-BH picks".to_owned())
}

/// Rule 8: that no group lost ground. Of groups that were named each must be assessed; of others, those that can be.
fn kept(rule: &SliceRule, stage: &StageRule, sliced: &Sliced) -> Line {
    let (metric, by) = (&rule.metric, &rule.by);
    let found = sliced.fairness.iter().find(|fairness| fairness.metric == *metric && fairness.by == *by);
    let verdict = found.map_or(Bar::UnableToAssess, |fairness| fairness.verdict());
    let named = !rule.values.is_empty();
    let unable = found.map(unassessed).unwrap_or_default();
    let asked_less = stage.ship_if_not_harmful;
    let met = match verdict {
        Bar::Pass => !named || unable.is_empty() || asked_less,
        Bar::Fail => false,
        Bar::Inconclusive | Bar::UnableToAssess => asked_less,
    };
    let bar = percent(rule.bar_in_force());
    let text = if asked_less {
        format!("`{metric}`: no `{by}` is shown to have lost ground (this stage asks for no more)")
    } else {
        format!("`{metric}`: every `{by}` kept at least {bar} of its ratio to the others")
    };
    let mut have = match verdict {
        Bar::Pass => "kept".to_owned(),
        Bar::UnableToAssess => "unable to assess".to_owned(),
        Bar::Fail | Bar::Inconclusive => {
            let worst = found
                .into_iter()
                .flat_map(|fairness| &fairness.changes)
                .filter_map(|change| Some((change.lower?, change.upper?, change.group.as_str())));
            let worst = worst.min_by(|a, b| a.0.total_cmp(&b.0));
            worst.map_or(String::new(), |(lower, upper, group)| {
                format!("{group} between {} and {}", percent(lower), percent(upper))
            })
        }
    };
    if !unable.is_empty() && verdict != Bar::UnableToAssess {
        let names: Vec<&str> = unable.into_iter().collect();
        have.push_str(&format!("; unable to assess {}", names.join(", ")));
    }
    let need = if asked_less { format!("not all below {bar}") } else { format!("all at or above {bar}") };
    Line::new(rule::INCONCLUSIVE, Action::Hold, text, met, have, need)
}

/// Why slices roll back; empty when none does.
pub(crate) fn harm_reasons(rules: &PlanRules, sliced: &Sliced, now: u64) -> Vec<String> {
    let harmed = sliced.slices.iter().flatten().filter(|judged| judged.latched.is_some());
    let reason = |judged: &SliceJudgement| {
        let since = judged.latched.map_or(0, |latched| now.saturating_sub(latched.at));
        let when = if since == 0 { String::new() } else { format!(", first seen {} ago", duration(since)) };
        let counted = judged.counts.map_or("a few bad units are".to_owned(), |counts| {
            let treated = plural(counts.treated_bad, "bad unit");
            format!("{treated} in treatment and {} in control are", counts.control_bad)
        });
        format!(
            "`{}` in {}: {counted} evidence of harm there, {} against a threshold of {:.2} for any slice (without harm the \
             chance that anything rolls back in this attempt is at most {}){when}",
            judged.metric,
            judged.slice,
            log_e(strength(judged)),
            judged.log_threshold,
            percent(rules.rollback_alpha()),
        )
    };
    harmed.map(reason).collect()
}
