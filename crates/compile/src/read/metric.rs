//! Metrics: `event`, and either `bad` (counted) or `mean` (averaged).

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Audit, BadTest, Better, Bound, Measure, Metric};
use crate::read::{Fields, Reader};
use crate::span::Spanned;
use crate::tree::{Member, Node, Value};

impl Reader<'_> {
    pub(super) fn metric(&mut self, name: Spanned<String>, node: &Node) -> Option<Metric> {
        let mut fields = Fields::open(self, &name, node)?;
        let event = fields.need(self, "a metric", "event").and_then(|node| self.text("event", node));
        let label = fields.text(self, "name");
        let bad = fields.take("bad");
        let mean = fields.take("mean");
        let better = fields.take("better").and_then(|node| {
            self.word("better", node, &[("higher", Better::Higher), ("lower", Better::Lower)])
        });
        let averaged = mean.and_then(Node::as_text).unwrap_or_default();
        let winsorise = fields.take("winsorise").and_then(|node| self.micros("winsorise", node, averaged));
        let window = fields.take("window").and_then(|node| self.duration("window", node));
        let audit = fields.take("audit").and_then(|node| self.audit(node));
        let head = fields.head();
        fields.finish(self, "a metric", true);
        let measure = match (bad, mean) {
            (Some(bad), None) => self.bad(bad, label.as_deref()),
            (None, Some(mean)) => {
                if better.is_none() {
                    self.push(
                        Diagnostic::error(
                            Code::Metric,
                            name.span,
                            format!("`{name}` does not say which way is good"),
                        )
                        .hint("add `better: higher` or `better: lower`"),
                    );
                }
                let of = self.text("mean", mean)?.value;
                Some(Measure::Mean { of, better: better?, winsorise })
            }
            (Some(_), Some(_)) => {
                self.push(
                    Diagnostic::error(
                        Code::Metric,
                        name.span,
                        format!("`{name}` both counts what is `bad` and takes a `mean`"),
                    )
                    .hint("make it two metrics"),
                );
                None
            }
            (None, None) => {
                self.push(
                    Diagnostic::error(Code::Metric, head, format!("`{name}` measures nothing")).hint(
                        "say what is bad, as `bad: { score: { below: 0.5 } }`, or what to average, as `mean: cost`",
                    ),
                );
                None
            }
        };
        Some(Metric { name, event: event?.value, label, measure: measure?, window, audit })
    }

    fn audit(&mut self, node: &Node) -> Option<Audit> {
        let mut fields = Fields::open(self, "audit", node)?;
        let human = fields.need(self, "`audit`", "human").and_then(|node| self.share("human", node));
        fields.finish(self, "`audit`", true);
        human.map(|human| Audit { human })
    }

    /// `bad: { score: { below: 0.5 } }`, `bad: { refused: true }`; or `bad: { above: 2500ms }`, which is
    /// about the measure that the metric's `name` names.
    fn bad(&mut self, node: &Node, label: Option<&str>) -> Option<Measure> {
        let Some(members) = node.as_object() else {
            self.wrong_kind("bad", "an object", node);
            return None;
        };
        let direct = members.iter().any(|member| matches!(member.key.as_str(), "below" | "above"));
        let tests = if direct {
            let measure = label.unwrap_or("value").to_owned();
            let bounds: Vec<_> = members.iter().filter_map(|member| self.bound(member, &measure)).collect();
            bounds.into_iter().map(|bound| BadTest { measure: measure.clone(), bound }).collect()
        } else {
            let mut tests = Vec::new();
            for member in members {
                for bound in self.bounds(member) {
                    tests.push(BadTest { measure: member.key.value.clone(), bound });
                }
            }
            tests
        };
        if tests.is_empty() && members.is_empty() {
            self.push(
                Diagnostic::error(Code::Metric, node.span, "nothing is `bad`")
                    .hint("name a measure, as `bad: { score: { below: 0.5 } }` or `bad: { refused: true }`"),
            );
        }
        (!tests.is_empty()).then_some(Measure::Bad(tests))
    }

    fn bounds(&mut self, member: &Member) -> Vec<Bound> {
        match &member.value.value {
            Value::Bool(true) => vec![Bound::True],
            Value::Object(bounds) if !bounds.is_empty() => {
                bounds.iter().filter_map(|bound| self.bound(bound, &member.key)).collect()
            }
            _ => {
                self.push(
                    Diagnostic::error(
                        Code::Metric,
                        member.value.span,
                        format!("when is `{}` bad?", member.key),
                    )
                    .hint("write `{ below: 0.5 }`, `{ above: 100 }` or `true`"),
                );
                Vec::new()
            }
        }
    }

    fn bound(&mut self, member: &Member, measure: &str) -> Option<Bound> {
        match member.key.as_str() {
            "below" => self.micros("below", &member.value, measure).map(Bound::Below),
            "above" => self.micros("above", &member.value, measure).map(Bound::Above),
            other => {
                self.push(
                    Diagnostic::error(
                        Code::UnknownKey,
                        member.key.span,
                        format!("a bound has no key `{other}`"),
                    )
                    .maybe_hint(crate::nearest::hint(other, ["below", "above"])),
                );
                None
            }
        }
    }
}
