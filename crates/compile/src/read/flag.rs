//! One flag: flagd's terms first, then governance, then the plan.

use flagstone_snapshot::time;
use flagstone_snapshot::{FlagError, OnExpiry};

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{Definition, Flag, State};
use crate::read::{Fields, Reader};
use crate::span::Spanned;
use crate::tree::{Node, Value};

impl Reader<'_> {
    /// Reads a flag; whether it can be used is in `self.broken`.
    pub(super) fn flag(&mut self, key: &Spanned<String>, node: &Node, set: &Definition) -> Option<Flag> {
        self.flag_key(key);
        let Some(mut fields) = Fields::open(self, key, node) else {
            self.broken = Some(FlagError::Parse);
            return None;
        };
        fields.raw("key");
        let state = self.state(&mut fields);
        let variants = self.variants(&mut fields);
        let default_variant = fields
            .take("defaultVariant")
            .and_then(|node| self.variant_name("defaultVariant", node, &variants));
        let targeting = fields.take("targeting").and_then(|node| self.targeting(node));
        let metadata = fields.take("metadata").map(|node| self.metadata(node)).unwrap_or_default();
        let owner = fields.text(self, "owner");
        let rationale = fields.text(self, "rationale");
        let expected_impact = fields.text(self, "expectedImpact");
        let worst_case = fields.text(self, "worstCase");
        let rollback_plan = fields.text(self, "rollbackPlan");
        let escalation = fields.take("escalation").map(|node| self.texts("escalation", node));
        let review = fields.take("review").and_then(|node| self.date("review", node));
        let on_expiry = fields.take("onExpiry").and_then(|node| {
            self.word("onExpiry", node, &[("hold", OnExpiry::Hold), ("safe", OnExpiry::Safe)])
        });
        let client = fields.take("client").and_then(|node| self.boolean("client", node));
        let value_schema = fields.take("valueSchema");
        if let Some(schema) = value_schema {
            self.value_schema(schema, &variants);
        }
        let baseline =
            fields.take("baseline").and_then(|node| self.variant_name("baseline", node, &variants));
        let prerequisites =
            fields.take("prerequisites").map(|node| self.prerequisites(node)).unwrap_or_default();
        let overrides =
            fields.take("overrides").map(|node| self.overrides(node, &variants)).unwrap_or_default();
        let sticky = fields.take("sticky").and_then(|node| self.sticky(node));
        let canaries = fields.take("canaries").map(|node| self.canaries(node, &variants)).unwrap_or_default();
        let guardrails = fields
            .take("guardrails")
            .map(|node| self.guardrails("guardrails", node, set))
            .unwrap_or_default();
        let rollout = fields.raw("rollout").filter(|member| member.value.value != Value::Null);
        let head = fields.head();
        fields.finish(self, "a flag", false);
        let mut flag = Flag {
            key: key.clone(),
            state,
            variants,
            default_variant,
            targeting,
            metadata,
            owner,
            rationale,
            expected_impact,
            worst_case,
            rollback_plan,
            escalation: escalation.into_iter().flatten().map(|name| name.value).collect(),
            review,
            on_expiry: on_expiry.unwrap_or_default(),
            client: client.unwrap_or_default(),
            value_schema: value_schema.cloned(),
            baseline,
            prerequisites,
            overrides,
            sticky,
            canaries,
            guardrails,
            rollout: None,
        };
        if let Some(member) = rollout {
            self.governance(&flag, member.key.span);
            flag.rollout = self.rollout(&member.value, &flag, set);
        }
        if flag.on_expiry == OnExpiry::Safe
            && flag.baseline.is_none()
            && flag.rollout.is_none()
            && flag.default_variant.is_none()
            && self.broken.is_none()
        {
            self.refuse(
                Diagnostic::error(
                    Code::MissingKey,
                    head,
                    format!("`{key}` has no safe variant to fall back to"),
                )
                .hint("`onExpiry: safe` serves the `baseline`; name it"),
            );
        }
        Some(flag)
    }

    fn flag_key(&mut self, key: &Spanned<String>) {
        if key.is_empty() || key.len() > limits::KEY_BYTES {
            self.refuse(
                Diagnostic::error(Code::BadValue, key.span, "a flag's key is empty or too long")
                    .hint(format!("1 to {} bytes", limits::KEY_BYTES)),
            );
        }
    }

    fn state(&mut self, fields: &mut Fields<'_>) -> State {
        let words = [("ENABLED", State::Enabled), ("DISABLED", State::Disabled)];
        match fields.take("state") {
            Some(node) => match self.word("state", node, &words) {
                Some(state) => state,
                None => {
                    self.broken.get_or_insert(FlagError::Parse);
                    State::Disabled
                }
            },
            None => {
                self.push(
                    Diagnostic::error(Code::MissingKey, fields.head(), "the flag has no `state`")
                        .hint("add `state: ENABLED`"),
                );
                State::Enabled
            }
        }
    }

    /// `targeting` must be an object; the empty one is none.
    fn targeting(&mut self, node: &Node) -> Option<Node> {
        match node.as_object() {
            Some([]) => None,
            Some(_) => Some(node.clone()),
            None => {
                self.wrong_kind("targeting", "an object", node);
                self.broken.get_or_insert(FlagError::Parse);
                None
            }
        }
    }

    fn governance(&mut self, flag: &Flag, span: crate::span::Span) {
        let parts = [
            ("owner", &flag.owner, "who answers for it"),
            ("rationale", &flag.rationale, "why it exists"),
            ("expectedImpact", &flag.expected_impact, "what it is hoped to do"),
            ("worstCase", &flag.worst_case, "what it could do at worst"),
            ("rollbackPlan", &flag.rollback_plan, "how it is taken back"),
        ];
        let missing: Vec<_> = parts
            .into_iter()
            .filter(|(_, value, _)| value.as_ref().is_none_or(|text| text.trim().is_empty()))
            .collect();
        if missing.is_empty() {
            return;
        }
        let names = missing.iter().map(|(name, _, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let meanings =
            missing.iter().map(|(name, _, meaning)| format!("`{name}`: {meaning}")).collect::<Vec<_>>();
        self.refuse(
            Diagnostic::error(
                Code::Governance,
                span,
                format!("`{}` may not be rolled out without {names}", flag.key),
            )
            .label(flag.key.span, "this flag")
            .hint(format!("say {}", meanings.join("; "))),
        );
    }

    /// A day, `YYYY-MM-DD`.
    fn date(&mut self, key: &str, node: &Node) -> Option<String> {
        let text = self.text(key, node)?;
        if is_day(&text) {
            return Some(text.value);
        }
        self.push(
            Diagnostic::error(Code::BadValue, node.span, format!("`{text}` is not a day"))
                .hint("write it as `2027-02-01`"),
        );
        None
    }
}

fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let number = |part: &str, width: usize| {
        (part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())
            .flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let days = time::days_of_month(i64::from(year), i64::from(month)).unwrap_or_default();
    (1..=days).contains(&i64::from(day))
}

#[cfg(test)]
mod tests {
    use super::is_day;

    #[test]
    fn days_are_of_the_calendar() {
        for day in ["2027-02-01", "2028-02-29", "2000-02-29", "2026-12-31"] {
            assert!(is_day(day), "{day}");
        }
        for wrong in ["2027-02-29", "1900-02-29", "2027-13-01", "27-2-1", "2027-02-00", "soon", "2027-04-31"]
        {
            assert!(!is_day(wrong), "{wrong}");
        }
    }
}
