//! The ladder: each stage by itself, then whether the stages can stand above each other.

use flagstone_snapshot::SHARE_TOTAL;

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{Admission, Definition, Need, Stage, Who};
use crate::read::{Fields, Reader};
use crate::tree::{Node, Value};

const HALF: u32 = SHARE_TOTAL / 2;

impl Reader<'_> {
    pub(super) fn stages(&mut self, node: &Node, set: &Definition) -> Vec<Stage> {
        let Some(items) = node.as_list() else {
            self.wrong_kind("stages", "a list", node);
            return Vec::new();
        };
        if items.is_empty() || items.len() > limits::STAGES {
            self.refuse(
                Diagnostic::error(Code::Ladder, node.span, "the plan has no stages, or far too many")
                    .hint(format!("1 to {} stages", limits::STAGES)),
            );
        }
        let stages: Vec<Stage> = items.iter().filter_map(|item| self.stage(item, set)).collect();
        if stages.len() == items.len() {
            self.ladder(&stages);
        }
        stages
    }

    fn stage(&mut self, node: &Node, set: &Definition) -> Option<Stage> {
        let mut fields = Fields::open(self, "a stage", node)?;
        let name = fields.need(self, "a stage", "name").and_then(|node| self.text("name", node));
        let who = fields.take("who");
        let treat = fields.take("treat");
        let control = fields.take("control");
        let ramp = fields.take("ramp");
        let bake = fields.take("bake").and_then(|node| self.duration("bake", node));
        let need = fields.take("need").and_then(|node| self.need(node)).unwrap_or_default();
        let approve = fields.take("approve").map(|node| self.texts("approve", node)).unwrap_or_default();
        let head = fields.head();
        fields.finish(self, "a stage", true);
        let admission = match (who, treat, control) {
            (Some(who), None, None) => Some(Admission::AllowList { who: self.who(who, set) }),
            (None, Some(treat), Some(control)) => {
                let treat = self.share("treat", treat);
                let control = self.share("control", control);
                treat.zip(control).map(|(treat, control)| Admission::Share { treat, control })
            }
            (Some(who), _, _) => {
                self.refuse(
                    Diagnostic::error(Code::Ladder, who.span, "a stage has either `who` or shares")
                        .hint("make it two stages: first the allow-list, then the shares"),
                );
                None
            }
            (None, Some(_), None) => {
                self.refuse(Diagnostic::error(Code::Ladder, head, "the stage has no `control`").hint(
                    "without a concurrent control nothing can be learnt from it; write `control: 0%` only \
                         when that is meant",
                ));
                None
            }
            (None, None, _) => {
                self.refuse(
                    Diagnostic::error(Code::Ladder, head, "the stage does not say who is in it")
                        .hint("write `who: some-segment`, or `treat: 1%` and `control: 9%`"),
                );
                None
            }
        };
        let ramp = ramp.and_then(|node| self.ramp(node, who.is_some()));
        Some(Stage {
            name: name?,
            admission: admission?,
            bake: bake.unwrap_or_default(),
            ramp: ramp.unwrap_or_default(),
            need,
            approve: approve.into_iter().map(|role| role.value).collect(),
        })
    }

    /// `who`: a name, a condition in place, or a list of such.
    fn who(&mut self, node: &Node, set: &Definition) -> Vec<Who> {
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if items.is_empty() {
            self.refuse(Diagnostic::error(Code::UnreachableStage, node.span, "nobody is in this stage"));
        }
        items
            .iter()
            .filter_map(|item| {
                if item.as_object().is_some() {
                    return Some(Who::Rule(item.clone()));
                }
                let name = self.text("who", item)?;
                let segments = set.segments.iter().map(|segment| segment.name.as_str());
                let rules = set.evaluators.iter().map(|rule| rule.name.as_str());
                self.known("segment", &name, segments.chain(rules));
                Some(Who::Named(name))
            })
            .collect()
    }

    fn need(&mut self, node: &Node) -> Option<Need> {
        let mut fields = Fields::open(self, "need", node)?;
        let need = Need {
            units: fields.take("units").and_then(|node| self.count("units", node, "units")),
            bad: fields.take("bad").and_then(|node| self.count("bad", node, "units")),
            audited: fields.take("audited").and_then(|node| self.count("audited", node, "outcomes")),
            suite: fields.text(self, "suite"),
        };
        fields.finish(self, "`need`", true);
        Some(need)
    }

    /// The rules between stages.
    fn ladder(&mut self, stages: &[Stage]) {
        let mut below: Option<(&Stage, u32, u32)> = None;
        for (at, stage) in stages.iter().enumerate() {
            if let Some(earlier) = stages.iter().take(at).find(|earlier| earlier.name == stage.name) {
                self.refuse(
                    Diagnostic::error(
                        Code::Ladder,
                        stage.name.span,
                        format!("two stages are called `{}`", stage.name),
                    )
                    .label(earlier.name.span, "first here"),
                );
            }
            let Some((treat, control)) = stage.shares() else {
                self.allow_list(stages, at, below.map(|(stage, _, _)| stage));
                continue;
            };
            self.arms_fit(stage, treat, control);
            if let Some((earlier, earlier_treat, earlier_control)) = below {
                self.step_up(stage, (treat, control), earlier, (earlier_treat, earlier_control));
            }
            below = Some((stage, treat, control));
        }
    }

    fn allow_list(&mut self, stages: &[Stage], at: usize, share: Option<&Stage>) {
        let Some(stage) = stages.get(at) else {
            return;
        };
        if let Some(share) = share {
            self.refuse(
                Diagnostic::error(
                    Code::Ladder,
                    stage.name.span,
                    format!("the allow-list `{}` comes after a share", stage.name),
                )
                .label(share.name.span, "shares begin here")
                .hint("it would pull units out of the control; put allow-lists first"),
            );
        }
        let same = stages.iter().take(at).find(|earlier| earlier.admission == stage.admission);
        if let Some(earlier) = same {
            self.refuse(
                Diagnostic::error(
                    Code::UnreachableStage,
                    stage.name.span,
                    format!("`{}` takes in nobody whom `{}` has not", stage.name, earlier.name),
                )
                .label(earlier.name.span, "the same people"),
            );
        }
    }

    fn arms_fit(&mut self, stage: &Stage, treat: u32, control: u32) {
        let room = if treat > HALF { SHARE_TOTAL - treat } else { HALF };
        if control > room {
            let beside =
                if treat > HALF { format!(" beside {} treated", percent(treat)) } else { String::new() };
            self.refuse(
                Diagnostic::error(
                    Code::Ladder,
                    stage.name.span,
                    format!("the control of `{}` does not fit", stage.name),
                )
                .hint(format!("the control is at most {}{beside}", percent(room))),
            );
        }
        if treat == 0 {
            self.refuse(
                Diagnostic::error(
                    Code::UnreachableStage,
                    stage.name.span,
                    format!("`{}` gives the candidate to nobody", stage.name),
                )
                .hint("leave the stage out"),
            );
        }
    }

    fn step_up(&mut self, stage: &Stage, now: (u32, u32), earlier: &Stage, before: (u32, u32)) {
        if now.0 < before.0 {
            self.refuse(
                Diagnostic::error(
                    Code::Ladder,
                    stage.name.span,
                    format!(
                        "`{}` treats fewer than the stage below it: {} after {}",
                        stage.name,
                        percent(now.0),
                        percent(before.0)
                    ),
                )
                .label(earlier.name.span, "the stage below")
                .hint("nobody who has it may lose it by a step up"),
            );
        } else if now.1 < before.1 && now.0 <= HALF {
            self.refuse(
                Diagnostic::error(
                    Code::Ladder,
                    stage.name.span,
                    format!(
                        "`{}` has a smaller control than the stage below it: {} after {}",
                        stage.name,
                        percent(now.1),
                        percent(before.1)
                    ),
                )
                .label(earlier.name.span, "the stage below")
                .hint("a control may only shrink once more than 50% are treated"),
            );
        } else if now == before {
            self.refuse(
                Diagnostic::error(
                    Code::UnreachableStage,
                    stage.name.span,
                    format!("`{}` takes in nobody whom `{}` has not", stage.name, earlier.name),
                )
                .label(earlier.name.span, "the same shares")
                .hint("give the earlier stage a longer `bake` instead"),
            );
        }
    }
}

/// Parts of `SHARE_TOTAL` as a percentage, exactly.
pub(super) fn percent(parts: u32) -> String {
    let per_cent = SHARE_TOTAL / 100;
    let (whole, rest) = (parts / per_cent, parts % per_cent);
    if rest == 0 {
        return format!("{whole}%");
    }
    format!("{whole}.{}%", format!("{rest:07}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn percentages_are_exact() {
        assert_eq!(percent(10_000_000), "1%");
        assert_eq!(percent(1), "0.0000001%");
        assert_eq!(percent(125_000_000), "12.5%");
    }
}
