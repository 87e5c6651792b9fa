//! The gate of the open stage, as a checklist: every line says in words what must be so, whether it is, and which rule
//! of the order of evaluation speaks up when it is not.

use crate::alpha::clears;
use crate::limits::{MULTI_EXPOSURE_SHARE, MULTI_EXPOSURE_UNITS};
use crate::verdict::Judged;
use crate::words::{duration, log_e, percent, plural};
use crate::{
    Action, Evidence, MetricKind, MetricVerdict, PlanRules, Requirement, Role, RolloutState, StageRule, rule,
};

/// One line.
pub(crate) struct Line {
    pub(crate) rule: &'static str,
    /// What to do while it is not met.
    pub(crate) otherwise: Action,
    pub(crate) requirement: Requirement,
}

impl Line {
    pub(crate) fn new(
        rule: &'static str,
        otherwise: Action,
        text: String,
        met: bool,
        have: String,
        need: String,
    ) -> Self {
        Self { rule, otherwise, requirement: Requirement { text, met, have, need } }
    }

    /// The number of its rule.
    pub(crate) fn order(&self) -> u8 {
        let number: String = self.rule.chars().take_while(char::is_ascii_digit).collect();
        number.parse().unwrap_or(u8::MAX)
    }
}

/// Everything the lines are made from.
pub(crate) struct Gate<'a> {
    pub(crate) rules: &'a PlanRules,
    pub(crate) state: &'a RolloutState,
    pub(crate) stage: &'a StageRule,
    /// Position of `stage`.
    pub(crate) at: u8,
    pub(crate) evidence: &'a Evidence,
    pub(crate) metrics: &'a [Judged<'a>],
    pub(crate) sample_ratio_log_e: f64,
    pub(crate) sample_ratio_threshold: f64,
    pub(crate) now: u64,
}

impl Gate<'_> {
    /// All lines, in the order of evaluation.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines = self.harm();
        lines.extend(self.health());
        lines.extend(self.fresh());
        lines.push(self.bake());
        lines.extend(self.enough());
        lines.extend(self.signals());
        lines.extend(self.shown());
        lines.extend(self.approval());
        lines
    }

    fn gating(&self) -> impl Iterator<Item = &Judged<'_>> {
        self.metrics.iter().filter(|judged| judged.rule.gates())
    }

    /// Rules 1 and 2. These roll back before any gate is looked at; here they show how far off that is.
    fn harm(&self) -> Vec<Line> {
        let lines = self.metrics.iter().filter_map(|judged| {
            let (m, name) = (&judged.judgement, &judged.rule.metric);
            let met = m.latched.is_none();
            match judged.rule.role {
                Role::Tripwire => {
                    let text = format!("`{name}`: not one bad unit in treatment");
                    let have = plural(m.treated_bad, "bad unit");
                    Some(Line::new(rule::TRIPWIRE, Action::RollBack, text, met, have, "none".to_owned()))
                }
                Role::Deterioration => {
                    let text = format!("`{name}`: evidence of harm stays below its threshold");
                    let need = format!("at most {:.2}", m.log_threshold);
                    let most = m.latched.map_or(m.log_e, |latched| latched.log_e.max(m.log_e));
                    Some(Line::new(rule::DETERIORATION, Action::RollBack, text, met, log_e(most), need))
                }
                _ => None,
            }
        });
        lines.collect()
    }

    /// Rule 3.
    fn health(&self) -> Vec<Line> {
        let line =
            |text: String, met, have, need| Line::new(rule::HEALTH, Action::Hold, text, met, have, need);
        let exposed = self
            .evidence
            .sample_ratio
            .iter()
            .fold(0u64, |sum, units| sum.saturating_add(units.treated).saturating_add(units.control));
        let doubled = self.evidence.multi_exposure;
        let all = exposed.saturating_add(doubled).max(1);
        let few = doubled < MULTI_EXPOSURE_UNITS || doubled as f64 <= MULTI_EXPOSURE_SHARE * all as f64;
        let mut lines = vec![
            line(
                "units are split between the arms as promised".to_owned(),
                !clears(self.sample_ratio_log_e, self.sample_ratio_threshold),
                log_e(self.sample_ratio_log_e),
                format!("at most {:.2}", self.sample_ratio_threshold),
            ),
            line(
                "hardly a unit saw both arms".to_owned(),
                few,
                format!("{} of {all}", plural(doubled, "unit")),
                format!("at most {}", percent(MULTI_EXPOSURE_SHARE)),
            ),
        ];
        for judged in self.gating() {
            let text = format!("`{}` is measured in both arms alike", judged.rule.metric);
            let need = format!("at most {:.2}", self.sample_ratio_threshold);
            let have = log_e(judged.judgement.measured_log_e);
            lines.push(line(text, judged.measured_alike, have, need));
        }
        for judged in self.metrics.iter().filter(|judged| judged.rule.role == Role::Health) {
            let text = format!("`{}` is alike in both arms", judged.rule.metric);
            let m = &judged.judgement;
            let met = !clears(m.log_e, m.log_threshold);
            lines.push(line(text, met, log_e(m.log_e), format!("at most {:.2}", m.log_threshold)));
        }
        // A dry run never acts, not even by being broken.
        let acting = self.metrics.iter().filter(|judged| judged.rule.role != Role::Observe);
        let counts = acting.filter_map(|judged| {
            let problem = judged.problem.as_ref()?;
            Some(format!("`{}`: {problem}", judged.rule.metric))
        });
        let mut problems = self.rules.problems();
        problems.extend(
            counts
                .filter(|problem| !problems.iter().any(|known| known.ends_with(problem.as_str())))
                .collect::<Vec<_>>(),
        );
        if !problems.is_empty() {
            let need = "no contradiction".to_owned();
            lines.push(line("rules and counts make sense".to_owned(), false, problems.join("; "), need));
        }
        lines
    }

    /// Rule 4, and rule 6 where an outcome never came but may still come.
    fn fresh(&self) -> Vec<Line> {
        let open = self.now.saturating_sub(self.state.stage_opened);
        let line = |text: String, what: &str, age: Option<u64>| {
            let early = age.is_none() && open <= self.rules.staleness;
            let (rule, otherwise) =
                if early { (rule::INSUFFICIENT, Action::Wait) } else { (rule::STALE, Action::Hold) };
            let have = age.map_or(format!("no {what} yet"), |age| format!("last one {} ago", duration(age)));
            let met = age.is_some_and(|age| age <= self.rules.staleness);
            Line::new(rule, otherwise, text, met, have, format!("within {}", duration(self.rules.staleness)))
        };
        let mut lines: Vec<Line> = self
            .gating()
            .map(|judged| {
                line(format!("`{}`: outcomes are arriving", judged.rule.metric), "outcome", judged.age)
            })
            .collect();
        if lines.is_empty() {
            let age = self.evidence.last_exposure.map(|at| self.now.saturating_sub(at));
            lines.push(line("exposures are arriving".to_owned(), "exposure", age));
        }
        lines
    }

    /// Rule 5.
    fn bake(&self) -> Line {
        let open = self.now.saturating_sub(self.state.stage_opened);
        let text = format!("stage `{}` has been open long enough", self.stage.name);
        let met = open >= self.stage.bake;
        Line::new(rule::BAKE, Action::Wait, text, met, duration(open), duration(self.stage.bake))
    }

    /// Rule 6.
    fn enough(&self) -> Vec<Line> {
        let open = self.now.saturating_sub(self.state.stage_opened);
        let patient = open <= self.stage.bake.saturating_add(self.stage.extend);
        let otherwise = if patient { Action::Wait } else { Action::Hold };
        let line = |text, have: u64, need: u64, thing, aside: String| {
            let need = need.max(1); // no data at all is never enough
            let have_text = format!("{}{aside}", plural(have, thing));
            Line::new(rule::INSUFFICIENT, otherwise, text, have >= need, have_text, plural(need, thing))
        };
        let mut lines = Vec::new();
        for judged in self.gating().filter(|judged| judged.rule.role != Role::Tripwire) {
            let name = &judged.rule.metric;
            let aside = match judged.maturing {
                0 => String::new(),
                more => format!(", {more} more maturing"),
            };
            let text = format!("`{name}`: enough treated units measured");
            lines.push(line(text, judged.units, self.stage.min_units, "unit", aside));
            if let Some(bad) = judged.bad.filter(|_| self.stage.randomised && self.stage.min_bad > 0) {
                let text = format!("`{name}`: enough bad units in both arms together");
                lines.push(line(text, bad, self.stage.min_bad, "bad unit", String::new()));
            }
            if judged.bad.is_none() && self.stage.randomised {
                let text = format!("`{name}`: enough for its interval to mean anything");
                let lack = judged.judgement.not_enough;
                let have = lack.map_or("enough".to_owned(), |why| why.to_string());
                lines.push(Line::new(
                    rule::INSUFFICIENT,
                    otherwise,
                    text,
                    lack.is_none(),
                    have,
                    "enough".to_owned(),
                ));
            }
        }
        if lines.is_empty() {
            let treated =
                self.evidence.sample_ratio.iter().fold(0u64, |sum, u| sum.saturating_add(u.treated));
            let text = "enough treated units exposed".to_owned();
            lines.push(line(text, treated, self.stage.min_units, "unit", String::new()));
        }
        lines
    }

    /// Rule 7.
    fn signals(&self) -> Vec<Line> {
        let lines = self.metrics.iter().filter(|judged| judged.rule.role == Role::Signal).map(|judged| {
            let m = &judged.judgement;
            let text = format!("`{}`: no sign of harm (signal)", judged.rule.metric);
            let met = m.verdict != MetricVerdict::Regressed;
            let need = format!("at most {:.2}", m.log_threshold);
            Line::new(rule::SIGNAL, Action::Hold, text, met, log_e(m.log_e), need)
        });
        lines.collect()
    }

    /// Rule 8: what must have been shown.
    fn shown(&self) -> Vec<Line> {
        let line = |text, met, have, need| Line::new(rule::INCONCLUSIVE, Action::Hold, text, met, have, need);
        let passes = |verdict| matches!(verdict, MetricVerdict::NonInferior | MetricVerdict::Improved);
        let mut lines = Vec::new();
        for judged in self.gating().filter(|judged| judged.rule.role != Role::Tripwire) {
            let (m, name) = (&judged.judgement, &judged.rule.metric);
            // In a stage that is not randomised there is no control to compare with, but a bar is a bar.
            let bar = matches!(judged.rule.kind, MetricKind::Score(_));
            if !(judged.rule.has_margin() && (self.stage.randomised || bar)) {
                continue;
            }
            let have = log_e(m.log_e_non_inferior.unwrap_or(0.0));
            let need = format!("above {:.2}", m.log_threshold_promote);
            if self.stage.ship_if_not_harmful {
                let text = format!("`{name}`: not shown harmful (this stage asks for no more)");
                let met = !matches!(m.verdict, MetricVerdict::Regressed | MetricVerdict::Invalid);
                let need = format!("at most {:.2}", m.log_threshold);
                lines.push(line(text, met, log_e(m.log_e), need));
            } else {
                let text = match (judged.rule.kind, judged.rule.not_worse_by) {
                    (MetricKind::Score(score), _) => format!("`{name}`: shown to be above {}", score.bar),
                    (MetricKind::Rate, margin) => {
                        let margin = percent(margin.unwrap_or(0.0));
                        format!("`{name}`: shown to be at most {margin} worse than the control")
                    }
                    (kind, margin) if kind.follows() => {
                        let margin = percent(margin.unwrap_or(0.0));
                        format!("`{name}`: shown to be worse than the control by less than {margin}")
                    }
                    (_, margin) => {
                        let margin = percent(margin.unwrap_or(0.0));
                        format!(
                            "`{name}`: shown to be worse than the control by less than {margin} of its baseline"
                        )
                    }
                };
                lines.push(line(text, passes(m.verdict), have, need));
            }
        }
        if self.stage.randomised && usize::from(self.at) + 2 >= self.rules.stages.len() {
            for judged in self.metrics.iter().filter(|judged| judged.rule.role == Role::Success) {
                let m = &judged.judgement;
                let text = format!("`{}`: shown to be better than the control (success)", judged.rule.metric);
                let need = format!("above {:.2}", m.log_threshold_promote);
                lines.push(line(text, m.verdict == MetricVerdict::Improved, log_e(m.log_e_improved), need));
            }
        }
        lines
    }

    /// Rule 9. At the last stage the ceiling must still reach the stage that is open.
    fn approval(&self) -> Option<Line> {
        let next = usize::from(self.at) + 1;
        let wanted = if next < self.rules.stages.len() { next } else { usize::from(self.at) };
        let met = self.rules.ceiling.is_some_and(|ceiling| usize::from(ceiling) >= wanted);
        let name = |position: usize| self.rules.stages.get(position).map(|stage| format!("`{}`", stage.name));
        let asked = self.rules.stages.get(wanted)?.needs_approval;
        let text = format!(
            "stage {} is approved by a release signature{}",
            name(wanted)?,
            if asked { " (the plan asks for named approvers)" } else { "" }
        );
        let have = self.rules.ceiling.and_then(|ceiling| name(usize::from(ceiling)));
        let have = have.map_or("nothing approved".to_owned(), |name| format!("approved up to {name}"));
        let need = format!("approved up to {}", name(wanted)?);
        Some(Line::new(rule::APPROVAL, Action::AwaitApproval, text, met, have, need))
    }
}
