//! The rollout plan: arms, unit, guards, criteria; the ladder itself is read in `stage`.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Definition, Fairness, Flag, Role, Rollout, Success, Watch};
use crate::read::{Fields, Reader};
use crate::span::Spanned;
use crate::tree::{Node, Value};

impl Reader<'_> {
    pub(super) fn rollout(&mut self, node: &Node, flag: &Flag, set: &Definition) -> Option<Rollout> {
        let before = self.diagnostics.errors();
        let rollout = self.rollout_fields(node, flag, set);
        if self.diagnostics.errors() > before {
            self.broken.get_or_insert(flagstone_snapshot::FlagError::General);
        }
        rollout
    }

    fn rollout_fields(&mut self, node: &Node, flag: &Flag, set: &Definition) -> Option<Rollout> {
        let mut fields = Fields::open(self, "rollout", node)?;
        let baseline = match fields.take("baseline") {
            Some(node) => self.variant_name("baseline", node, &flag.variants),
            None => flag.baseline.clone().or_else(|| flag.default_variant.clone()),
        };
        let candidate = fields
            .need(self, "the plan", "candidate")
            .and_then(|node| self.variant_name("candidate", node, &flag.variants));
        let unit = fields.text(self, "unit").unwrap_or_else(|| "targetingKey".to_owned());
        let consent = fields.text(self, "consent");
        let data_domains = fields.take("dataDomains").map(|node| self.texts("dataDomains", node));
        let watch = fields.take("watch").and_then(|node| self.watch(node));
        let own = fields.take("guardrails");
        let success = fields.take("success").map(|node| self.success(node, set)).unwrap_or_default();
        let fairness = fields.take("fairness").and_then(|node| self.fairness(node, set));
        let sliced = fields.take("slices");
        let drift = fields.take("drift").map(|node| self.drift(node, set)).unwrap_or_default();
        let ceiling = fields.raw("ceiling");
        let timing = self.timing(&mut fields);
        let stages_node = fields.need(self, "the plan", "stages");
        let head = fields.head();

        let mut guardrails = flag.guardrails.clone();
        if let Some(node) = own {
            guardrails.extend(self.guardrails("guardrails", node, set));
        }
        fields.finish(self, "a plan", true);
        self.twice(&guardrails);
        self.twice_success(&guardrails, &success);
        let mut slices = sliced.map(|node| self.slices(node, set)).unwrap_or_default();
        self.divide_budget(&mut guardrails, &mut slices, own.map_or(head, |node| node.span));

        let stages = stages_node.map(|node| self.stages(node, set)).unwrap_or_default();
        let first_share = stages.iter().find(|stage| stage.shares().is_some());
        let guarded = guardrails.iter().any(|guardrail| guardrail.role == Role::Deterioration);
        if let (Some(stage), false) = (first_share, guarded) {
            self.refuse(
                Diagnostic::error(
                    Code::Guardrail,
                    stage.name.span,
                    format!(
                        "the stage `{}` gives the candidate to strangers with nothing to stop it",
                        stage.name
                    ),
                )
                .hint("add a guardrail with `role: deterioration`"),
            );
        }
        let data_domains = data_domains.unwrap_or_default();
        if !set.data_domains.is_empty() {
            for domain in &data_domains {
                self.known("data domain", domain, set.data_domains.iter().map(|domain| domain.as_str()));
            }
        }
        if unit.is_empty() {
            self.refuse(
                Diagnostic::error(Code::BadValue, head, "the `unit` is empty")
                    .hint("`unit` is the path of the attribute that identifies who is decided for"),
            );
        }
        if flag.key.chars().any(char::is_control) {
            self.refuse(Diagnostic::error(
                Code::BadValue,
                flag.key.span,
                "the key of a flag with a plan cannot have control characters",
            ));
        }
        let Some(baseline) = baseline else {
            self.refuse(Diagnostic::error(Code::Arms, head, "the plan has no `baseline`").hint(
                "name the variant that people have today, as `baseline` or as the flag's `defaultVariant`",
            ));
            return None;
        };
        let candidate = candidate?;
        self.arms(&baseline, &candidate, flag);
        let mut rollout = Rollout {
            baseline,
            candidate,
            unit,
            consent,
            data_domains,
            watch,
            guardrails,
            success,
            fairness,
            slices,
            drift,
            ceiling: (!stages.is_empty()).then_some(0),
            stages,
            advance: timing.advance,
            not_before: timing.not_before,
            until: timing.until,
            schedule: timing.schedule,
            pauses: timing.pauses,
            intake: timing.intake,
        };
        if let Some(member) = ceiling {
            rollout.ceiling = match member.value.value {
                Value::Null => None,
                _ => {
                    let name = self.text("ceiling", &member.value)?;
                    self.known("stage", &name, rollout.stages.iter().map(|stage| stage.name.as_str()));
                    rollout.stage(&name)
                }
            };
        }
        self.timing_fits(&rollout, flag, head);
        Some(rollout)
    }

    fn arms(&mut self, baseline: &Spanned<String>, candidate: &Spanned<String>, flag: &Flag) {
        if baseline == candidate {
            self.refuse(
                Diagnostic::error(
                    Code::Arms,
                    candidate.span,
                    format!("the candidate `{candidate}` is the baseline"),
                )
                .hint("the candidate is the variant being introduced"),
            );
        }
        if let Some(safe) = &flag.baseline
            && safe != baseline
        {
            self.refuse(
                Diagnostic::error(
                    Code::Arms,
                    baseline.span,
                    format!("the plan's baseline is `{baseline}`, the flag's is `{safe}`"),
                )
                .label(safe.span, "the flag's baseline")
                .hint("name it once"),
            );
        }
        if let Some(default) = &flag.default_variant
            && default != baseline
            && flag.targeting.is_none()
        {
            self.push(
                Diagnostic::warning(
                    Code::Arms,
                    default.span,
                    format!("units outside the plan get `{default}`, the control gets `{baseline}`"),
                )
                .label(baseline.span, "the baseline"),
            );
        }
    }

    /// One metric guards once in one role.
    fn twice(&mut self, guardrails: &[crate::model::Guardrail]) {
        for (at, guardrail) in guardrails.iter().enumerate() {
            let earlier = guardrails
                .iter()
                .take(at)
                .find(|earlier| earlier.metric == guardrail.metric && earlier.role == guardrail.role);
            if let Some(earlier) = earlier {
                self.refuse(
                    Diagnostic::error(
                        Code::Guardrail,
                        guardrail.metric.span,
                        format!("`{}` is a `{}` guardrail twice", guardrail.metric, guardrail.role.as_str()),
                    )
                    .label(earlier.metric.span, "first here"),
                );
            }
        }
    }

    fn watch(&mut self, node: &Node) -> Option<Watch> {
        let mut fields = Fields::open(self, "watch", node)?;
        let seconds = fields.need(self, "`watch`", "for").and_then(|node| self.duration("for", node));
        let share = fields.take("share").and_then(|node| self.share("share", node));
        let at_most = fields.take("atMost").and_then(|node| self.count("atMost", node, "units"));
        let acknowledge = fields.take("acknowledge").and_then(|node| self.duration("acknowledge", node));
        fields.finish(self, "`watch`", true);
        if let (Some(long), true) = (seconds, share.is_some()) {
            self.not_too_long("for", long, node);
        }
        seconds.map(|seconds| Watch { seconds, share, at_most, acknowledge })
    }

    fn success(&mut self, node: &Node, set: &Definition) -> Vec<Success> {
        let Some(items) = node.as_list() else {
            self.wrong_kind("success", "a list", node);
            return Vec::new();
        };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let Some(mut fields) = Fields::open(self, "a criterion of success", item) else {
                continue;
            };
            let metric =
                fields.need(self, "a criterion", "metric").and_then(|node| self.text("metric", node));
            let better = fields.take("better").and_then(|node| self.boolean("better", node));
            fields.finish(self, "a criterion of success", true);
            if let Some(metric) = metric {
                self.known("metric", &metric, set.metrics.iter().map(|metric| metric.name.as_str()));
                let better = better.unwrap_or(true);
                let role = if better { Role::Success } else { Role::Observe };
                if let Some(found) = set.metric(&metric) {
                    self.fits(&metric, found, role, None);
                }
                list.push(Success { metric, better });
            }
        }
        list
    }

    fn fairness(&mut self, node: &Node, set: &Definition) -> Option<Fairness> {
        let mut fields = Fields::open(self, "fairness", node)?;
        let by = fields.need(self, "`fairness`", "by").and_then(|node| self.text("by", node));
        let disparity =
            fields.need(self, "`fairness`", "disparity").and_then(|node| self.share("disparity", node));
        fields.finish(self, "`fairness`", true);
        let by = by?;
        self.known("slice", &by, set.slices.iter().map(|slice| slice.name.as_str()));
        if let Some(slice) = set.slice(&by).filter(|slice| slice.values.is_empty()) {
            self.push(
                Diagnostic::warning(
                    Code::Slice,
                    by.span,
                    format!("`{by}` has no values, so no group of it can be shown to fare well"),
                )
                .label(slice.name.span, "declared here")
                .hint("list its values"),
            );
        }
        Some(Fairness { by, disparity: disparity? })
    }
}
