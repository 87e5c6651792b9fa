//! Guardrails: which metric guards, in what role, and with what part of the error budget.

use flagstone_snapshot::SHARE_TOTAL;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Definition, Guardrail, NotWorseBy, Role, SliceRole, SliceWatch};
use crate::read::{Fields, Reader};
use crate::span::Span;
use crate::tree::Node;

impl Reader<'_> {
    /// A list of guardrails, as the author wrote their shares (0: said nothing).
    pub(super) fn guardrails(&mut self, key: &str, node: &Node, set: &Definition) -> Vec<Guardrail> {
        let Some(items) = node.as_list() else {
            self.wrong_kind(key, "a list", node);
            return Vec::new();
        };
        let before = self.diagnostics.errors();
        let guardrails = items.iter().filter_map(|item| self.guardrail(item, set)).collect();
        if self.diagnostics.errors() > before {
            // A guard that was meant and is not there must not let a rollout go on.
            self.broken.get_or_insert(flagstone_snapshot::FlagError::General);
        }
        guardrails
    }

    fn guardrail(&mut self, node: &Node, set: &Definition) -> Option<Guardrail> {
        let mut fields = Fields::open(self, "a guardrail", node)?;
        let metric = fields.need(self, "a guardrail", "metric").and_then(|node| self.text("metric", node));
        let role = fields.need(self, "a guardrail", "role").and_then(|node| {
            let words = Role::ALL.map(|role| (role.as_str(), role));
            self.word("role", node, &words)
        });
        let share_node = fields.take("share");
        let share = share_node.and_then(|node| self.share("share", node));
        let promote_node = fields.take("promote");
        let promote = promote_node.and_then(|node| self.promote(node));
        fields.finish(self, "a guardrail", true);
        let (metric, role) = (metric?, role?);
        let names = set.metrics.iter().map(|metric| metric.name.as_str());
        if self.known("metric", &metric, names)
            && let Some(found) = set.metric(&metric)
        {
            let margin = promote.zip(promote_node.map(|node| node.span));
            self.fits(&metric, found, role, margin);
        }
        if let (Some(node), true) = (share_node, role != Role::Deterioration) {
            self.refuse(
                Diagnostic::error(
                    Code::Guardrail,
                    node.span,
                    format!("a `{}` has no `share`", role.as_str()),
                )
                .hint("only deterioration guardrails divide the error budget"),
            );
        }
        Some(Guardrail { metric, role, share: share.unwrap_or_default(), promote })
    }

    fn promote(&mut self, node: &Node) -> Option<NotWorseBy> {
        let mut fields = Fields::open(self, "promote", node)?;
        let margin =
            fields.need(self, "`promote`", "notWorseBy").and_then(|node| self.share("notWorseBy", node));
        fields.finish(self, "`promote`", true);
        margin.map(|not_worse_by| NotWorseBy { not_worse_by })
    }

    /// Divides the error budget among the deterioration guardrails and slices: what the author said, the rest evenly
    /// among those without a share. The shares add up to `SHARE_TOTAL` exactly.
    pub(super) fn divide_budget(
        &mut self,
        guardrails: &mut [Guardrail],
        slices: &mut [SliceWatch],
        span: Span,
    ) {
        let who = match slices.iter().any(|slice| slice.role == SliceRole::Deterioration) {
            true => "deterioration guardrails and slices",
            false => "deterioration guardrails",
        };
        let guards = guardrails.iter_mut().filter(|guardrail| guardrail.role == Role::Deterioration);
        let parts = slices.iter_mut().filter(|slice| slice.role == SliceRole::Deterioration);
        let mut shares: Vec<&mut u32> =
            guards.map(|guardrail| &mut guardrail.share).chain(parts.map(|slice| &mut slice.share)).collect();
        let mut rest: u64 = u64::from(SHARE_TOTAL);
        let mut without = 0u64;
        for share in &shares {
            if **share == 0 {
                without += 1;
            }
            let Some(left) = rest.checked_sub(u64::from(**share)) else {
                self.refuse(Diagnostic::error(
                    Code::Guardrail,
                    span,
                    format!("the shares of the {who} are more than the whole error budget"),
                ));
                return;
            };
            rest = left;
        }
        if !shares.is_empty() && ((without == 0 && rest > 0) || (without > 0 && rest < without)) {
            self.refuse(
                Diagnostic::error(
                    Code::Guardrail,
                    span,
                    format!("the shares of the {who} do not add up to the whole error budget"),
                )
                .hint("they add up to 100 %, those without a `share` get what is left"),
            );
            return;
        }
        for share in shares.iter_mut().filter(|share| ***share == 0) {
            // The remainder of the division goes to the last one.
            let part = if without == 1 { rest } else { rest / without };
            **share = u32::try_from(part).unwrap_or(SHARE_TOTAL);
            rest -= part;
            without -= 1;
        }
    }
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 7] = [
        Role::Tripwire,
        Role::Deterioration,
        Role::Guardrail,
        Role::Success,
        Role::Signal,
        Role::Health,
        Role::Observe,
    ];

    /// The role as authored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Tripwire => "tripwire",
            Role::Deterioration => "deterioration",
            Role::Guardrail => "guardrail",
            Role::Success => "success",
            Role::Signal => "signal",
            Role::Health => "health",
            Role::Observe => "observe",
        }
    }
}
