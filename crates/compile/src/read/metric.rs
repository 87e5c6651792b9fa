//! Metrics: `event`, and one of `bad` (counted), `mean`, `ratio`, `score` and `quantile` (measured, in `measure`).

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Audit, BadTest, Better, Bound, Measure, Metric};
use crate::read::measure::{Kind, Modifiers};
use crate::read::{Fields, Reader};
use crate::span::Spanned;
use crate::tree::{Member, Node, Value};

impl Reader<'_> {
    pub(super) fn metric(&mut self, name: Spanned<String>, node: &Node) -> Option<Metric> {
        let mut fields = Fields::open(self, &name, node)?;
        let event = fields.need(self, "a metric", "event").and_then(|node| self.text("event", node));
        let label = fields.text(self, "name");
        let kinds: Vec<(Kind, &Node)> =
            Kind::ALL.into_iter().filter_map(|kind| Some((kind, fields.take(kind.key())?))).collect();
        let modifiers = Modifiers {
            better: fields.take("better"),
            winsorise: fields.take("winsorise"),
            adjust: fields.take("adjust"),
            baseline: fields.take("baseline"),
            planned: fields.take("planned"),
        };
        let window = fields.take("window").and_then(|node| self.duration("window", node));
        let grace_node = fields.take("grace");
        let grace = grace_node.and_then(|node| self.duration("grace", node));
        let audit = fields.take("audit").and_then(|node| self.audit(node));
        let head = fields.head();
        fields.finish(self, "a metric", true);
        if let (Some(node), None) = (grace_node, window) {
            self.push(
                Diagnostic::error(Code::Metric, node.span, format!("`{name}` has `grace` and no `window`"))
                    .hint("`grace` is how long after the `window` outcomes may still come in"),
            );
        }
        let (kind, node) = match kinds.as_slice() {
            [one] => *one,
            [(first, _), (second, _), ..] => {
                let message = format!("`{name}` has both `{}` and `{}`", first.key(), second.key());
                self.push(Diagnostic::error(Code::Metric, name.span, message).hint("make it two metrics"));
                return None;
            }
            [] => {
                self.push(
                    Diagnostic::error(Code::Metric, head, format!("`{name}` measures nothing")).hint(
                        "say what is bad, as `bad: { score: { below: 0.5 } }`, or what to average, as `mean: cost`",
                    ),
                );
                return None;
            }
        };
        let better = self.modifiers(&name, kind, &modifiers);
        let measure = match kind {
            Kind::Bad => self.bad(node, label.as_deref()),
            _ => self.measured(&name, kind, node, better, &modifiers),
        };
        if let (Kind::Score, None) = (kind, window) {
            self.push(
                Diagnostic::error(Code::Metric, name.span, format!("`{name}` is a score without a `window`"))
                    .hint("a unit's score is the mean over its window: add `window: 24h`"),
            );
        }
        let measure = measure?;
        let of = measure.of().unwrap_or_default();
        let baseline = modifiers.baseline.and_then(|node| self.micros("baseline", node, of));
        let planned = modifiers.planned.and_then(|node| self.count("planned", node, "units"));
        Some(Metric { name, event: event?.value, label, measure, window, grace, baseline, planned, audit })
    }

    /// Which way is good, and complaints about what means nothing for this kind.
    fn modifiers(&mut self, name: &Spanned<String>, kind: Kind, modifiers: &Modifiers<'_>) -> Option<Better> {
        for (key, node) in modifiers.named() {
            let (Some(node), false) = (node, kind.has(key)) else { continue };
            let message = format!("`{key}` means nothing beside `{}`", kind.key());
            // These two were let through when there were only two kinds.
            let known = kind == Kind::Bad && matches!(key, "better" | "winsorise");
            let diagnostic = if known {
                Diagnostic::warning(Code::Metric, node.span, message)
            } else {
                Diagnostic::error(Code::Metric, node.span, message)
            };
            self.push(diagnostic.maybe_hint(kind.hint(key)));
        }
        let better = modifiers.better.and_then(|node| {
            self.word("better", node, &[("higher", Better::Higher), ("lower", Better::Lower)])
        });
        if kind.has("better") && modifiers.better.is_none() {
            let message = format!("`{name}` does not say which way is good");
            self.push(
                Diagnostic::error(Code::Metric, name.span, message)
                    .hint("add `better: higher` or `better: lower`"),
            );
        }
        better
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
