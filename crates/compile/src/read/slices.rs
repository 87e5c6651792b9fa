//! A plan's `slices`: which metric is watched by which part of the population, and what a finding does.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{Definition, Measure, Slice, SliceRole, SliceWatch};
use crate::read::{Fields, Reader};
use crate::span::Spanned;
use crate::tree::Node;

/// What values that are not named are counted as; no value may be called so.
const OTHERS: &str = "(other)";
/// Bytes of a slice's value in an event.
const VALUE_BYTES: usize = 64;

impl Reader<'_> {
    /// The entries, with their shares as the author wrote them (0: said nothing).
    pub(super) fn slices(&mut self, node: &Node, set: &Definition) -> Vec<SliceWatch> {
        let Some(items) = node.as_list() else {
            self.wrong_kind("slices", "a list", node);
            return Vec::new();
        };
        if items.len() > limits::SLICE_WATCHES {
            self.refuse(
                Diagnostic::error(Code::TooLarge, node.span, format!("{} entries in `slices`", items.len()))
                    .hint(format!("at most {}", limits::SLICE_WATCHES)),
            );
        }
        let mut list: Vec<SliceWatch> = Vec::with_capacity(items.len());
        for item in items {
            let Some(watch) = self.slice_watch(item, set) else { continue };
            let same = |other: &&SliceWatch| {
                other.metric == watch.metric && other.role == watch.role && names(other) == names(&watch)
            };
            if let Some(earlier) = list.iter().find(same) {
                let by: Vec<String> = watch.by.iter().map(|by| format!("`{by}`")).collect();
                let said = format!("`{}` by {} stands here twice", watch.metric, by.join(" and "));
                self.refuse(
                    Diagnostic::error(Code::Slice, watch.metric.span, said)
                        .label(earlier.metric.span, "first here"),
                );
            }
            list.push(watch);
        }
        list
    }

    fn slice_watch(&mut self, node: &Node, set: &Definition) -> Option<SliceWatch> {
        let mut fields = Fields::open(self, "an entry of `slices`", node)?;
        let what = "an entry of `slices`";
        let metric = fields.need(self, what, "metric").and_then(|node| self.text("metric", node));
        let by_node = fields.need(self, what, "by");
        let by = by_node.map(|node| self.texts("by", node)).unwrap_or_default();
        let words = [SliceRole::Deterioration, SliceRole::Fairness, SliceRole::Observe];
        let words = words.map(|role| (role.as_str(), role));
        let role = match fields.take("role") {
            Some(node) => self.word("role", node, &words),
            None => Some(SliceRole::Observe),
        };
        let share_node = fields.take("share");
        let share = share_node.and_then(|node| self.share("share", node));
        let values_node = fields.take("values");
        let values = values_node.map(|node| self.texts("values", node));
        fields.finish(self, what, true);
        let (metric, by_node, role) = (metric?, by_node?, role?);

        self.countable(&metric, set);
        if let (Some(node), true) = (share_node, role != SliceRole::Deterioration) {
            let said = format!("slices with the role `{}` have no `share`", role.as_str());
            self.refuse(
                Diagnostic::error(Code::Slice, node.span, said)
                    .hint("only what may take a flag back divides the error budget: `role: deterioration`"),
            );
        }
        let names = || set.slices.iter().map(|slice| slice.name.as_str());
        let known = by.iter().filter(|name| self.known("slice", name, names())).count() == by.len();
        let slices: Vec<&Slice> = by.iter().filter_map(|name| set.slice(name)).collect();
        let values = match (by.as_slice(), slices.as_slice()) {
            ([name], [slice]) => self.watched_values(name, slice, values, values_node),
            ([_, _], _) => {
                self.crossed(&by, &slices, role, by_node);
                if let Some(node) = values_node {
                    self.refuse(
                        Diagnostic::error(Code::Slice, node.span, "two slices together have no `values`")
                            .hint("they are looked at by all values that they declare"),
                    );
                }
                Vec::new()
            }
            ([], _) | ([_, _, ..], _) => {
                self.refuse(
                    Diagnostic::error(
                        Code::Slice,
                        by_node.span,
                        "`by` names one slice, or two that are looked at together",
                    )
                    .hint("write `by: language` or `by: [intent, language]`"),
                );
                Vec::new()
            }
            _ => Vec::new(),
        };
        known.then_some(SliceWatch { metric, by, role, share: share.unwrap_or_default(), values })
    }

    /// Slices are compared by their shares of units with a bad outcome.
    fn countable(&mut self, metric: &Spanned<String>, set: &Definition) {
        let names = set.metrics.iter().map(|metric| metric.name.as_str());
        if self.known("metric", metric, names)
            && let Some(found) = set.metric(metric)
            && matches!(found.measure, Measure::Mean { .. })
        {
            let said = format!("`{metric}` takes a mean, and slices are compared by their bad outcomes");
            self.refuse(
                Diagnostic::error(Code::MetricRole, metric.span, said)
                    .label(found.name.span, "declared here")
                    .hint("say in the metric what is `bad`"),
            );
        }
    }

    /// The values named, or those of the slice.
    fn watched_values(
        &mut self,
        name: &Spanned<String>,
        slice: &Slice,
        named: Option<Vec<Spanned<String>>>,
        node: Option<&Node>,
    ) -> Vec<String> {
        let own = || slice.values.iter().map(|value| Spanned::new(value.clone(), slice.name.span)).collect();
        let values: Vec<Spanned<String>> = named.unwrap_or_else(own);
        let span = node.map_or(name.span, |node| node.span);
        if values.is_empty() {
            self.refuse(
                Diagnostic::error(Code::Slice, span, format!("`{name}` is watched by no value"))
                    .label(slice.name.span, "declared here")
                    .hint("name the `values` there or here: how many there are must be known beforehand"),
            );
        }
        if values.len() > limits::SLICE_VALUES {
            self.refuse(
                Diagnostic::error(Code::TooLarge, span, format!("{} values of `{name}`", values.len())).hint(
                    format!("at most {}; values that are not named are taken together", limits::SLICE_VALUES),
                ),
            );
        }
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for value in &values {
            let fault = if value.is_empty() || value.len() > VALUE_BYTES {
                Some(format!("a value of a slice has 1 to {VALUE_BYTES} bytes"))
            } else if *value == OTHERS {
                Some(format!("`{OTHERS}` is what values that are not named are counted as"))
            } else if !seen.insert(value) {
                Some(format!("`{value}` is named twice"))
            } else {
                None
            };
            if let Some(fault) = fault {
                self.refuse(Diagnostic::error(Code::Slice, value.span, fault));
            }
            if node.is_some() && !slice.values.is_empty() {
                self.known(&format!("value of `{name}`"), value, slice.values.iter().map(String::as_str));
            }
        }
        values.into_iter().map(|value| value.value).collect()
    }

    /// Two slices together: for looking at, and no more cells than can be looked at.
    fn crossed(&mut self, by: &[Spanned<String>], slices: &[&Slice], role: SliceRole, node: &Node) {
        if role != SliceRole::Observe {
            let said = format!("two slices together cannot be a `{}`", role.as_str());
            self.refuse(
                Diagnostic::error(Code::Slice, node.span, said)
                    .hint("they are for observation only; watch each by itself as well"),
            );
        }
        if let [first, second] = by
            && first == second
        {
            self.refuse(Diagnostic::error(
                Code::Slice,
                second.span,
                format!("`{second}` cannot be looked at together with itself"),
            ));
        }
        if let Some(empty) = slices.iter().find(|slice| slice.values.is_empty()) {
            self.refuse(
                Diagnostic::error(Code::Slice, node.span, format!("`{}` has no values", empty.name))
                    .label(empty.name.span, "declared here")
                    .hint("list its values"),
            );
        }
        let cells: usize = slices.iter().map(|slice| slice.values.len() + 1).product();
        if cells > limits::SLICE_CELLS {
            self.refuse(
                Diagnostic::error(Code::TooLarge, node.span, format!("{cells} cells with the other values"))
                    .hint(format!("at most {}", limits::SLICE_CELLS)),
            );
        }
    }
}

fn names(watch: &SliceWatch) -> Vec<&str> {
    watch.by.iter().map(|by| by.value.as_str()).collect()
}
