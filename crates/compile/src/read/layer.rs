//! Layers: unit intervals of which each flag has ranges that no other flag has.

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{Covers, Layer, Range, Slot};
use crate::read::stage::percent;
use crate::read::{Fields, Reader, Ties};
use crate::span::{Span, Spanned};
use crate::tree::{Node, Value};

/// A slot being read, with the place of each range.
type Placed = (Spanned<String>, Vec<(Range, Span)>);

impl Reader<'_> {
    /// `layers: { name: { unit, flags: { key: { from, to } | [ … ] } } }`. Flags whose slots cannot be used cannot be
    /// used either: they would reach units that are another flag's.
    pub(super) fn layers(&mut self, node: &Node, ties: &mut Ties) {
        let named: Vec<_> = self.named("layers", node).collect();
        self.not_too_many("layers", named.len(), node);
        for (name, node) in named.into_iter().take(limits::LAYERS) {
            match self.layer(name, node, ties) {
                Some(layer) => ties.layers.push(layer),
                None => {
                    let keys = node.get("flags").and_then(Node::as_object).unwrap_or_default();
                    ties.unusable.extend(keys.iter().map(|member| Covers::Listed(vec![member.key.clone()])));
                }
            }
        }
    }

    /// A layer without the slots that cannot be used; none when the layer itself cannot.
    fn layer(&mut self, name: Spanned<String>, node: &Node, ties: &mut Ties) -> Option<Layer> {
        let before = self.diagnostics.errors();
        self.short("a layer's name", &name);
        let mut fields = Fields::open(self, &name, node)?;
        let unit = self.unit(&mut fields);
        let flags = fields.need(self, "a layer", "flags");
        fields.finish(self, "a layer", true);
        let named: Vec<_> = self.named("flags", flags?).collect();
        if self.diagnostics.errors() > before {
            return None;
        }
        let mut placed: Vec<Placed> = Vec::with_capacity(named.len());
        let mut harmed: Vec<String> = Vec::new();
        for (flag, node) in named {
            self.diagnostics.about(Some(&flag));
            let before = self.diagnostics.errors();
            let ranges = self.ranges(&flag, node);
            if self.diagnostics.errors() > before {
                harmed.push(flag.value.clone());
            }
            placed.push((flag, ranges));
        }
        self.diagnostics.about(None);
        self.overlaps(&placed, &mut harmed);
        let mut slots = Vec::with_capacity(placed.len());
        for (flag, ranges) in placed {
            match harmed.contains(&flag.value) {
                true => ties.unusable.push(Covers::Listed(vec![flag])),
                false => slots.push(Slot { flag, ranges: joined(ranges) }),
            }
        }
        Some(Layer { name, unit, slots })
    }

    /// The ranges of one flag.
    fn ranges(&mut self, flag: &Spanned<String>, node: &Node) -> Vec<(Range, Span)> {
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if items.is_empty() || items.len() > limits::FLAG_PARTS {
            self.push(
                Diagnostic::error(Code::Layer, node.span, format!("`{flag}` has no ranges, or far too many"))
                    .hint(format!("1 to {} ranges of `from` and `to`", limits::FLAG_PARTS)),
            );
        }
        let mut ranges = Vec::with_capacity(items.len());
        for item in items {
            let Some(mut fields) = Fields::open(self, "a range", item) else { continue };
            let from = fields.need(self, "a range", "from").and_then(|node| self.share("from", node));
            let to = fields.need(self, "a range", "to").and_then(|node| self.share("to", node));
            fields.finish(self, "a range", true);
            let (Some(from), Some(to)) = (from, to) else { continue };
            if from >= to {
                self.push(
                    Diagnostic::error(Code::Layer, item.span, "nobody is in this range")
                        .hint("`from` is less than `to`; `to` itself is not part of the range"),
                );
            }
            ranges.push((Range { from, to }, item.span));
        }
        ranges
    }

    /// Says which ranges overlap, each with the next in the order of the interval.
    fn overlaps(&mut self, slots: &[Placed], overlapping: &mut Vec<String>) {
        let mut all: Vec<(Range, Span, &Spanned<String>)> = slots
            .iter()
            .flat_map(|(flag, ranges)| ranges.iter().map(move |(range, span)| (*range, *span, flag)))
            .collect();
        all.sort_by_key(|(range, _, _)| (range.from, range.to));
        // The range that reaches farthest so far: whatever begins before its end overlaps it.
        let mut farthest: Option<(Range, Span, &Spanned<String>)> = None;
        for here in all {
            if let Some((range, span, flag)) = farthest
                && here.0.from < range.to
            {
                let written = |range: Range| format!("{} to {}", percent(range.from), percent(range.to));
                let between = match flag.value == here.2.value {
                    true => format!("two ranges of `{flag}` overlap"),
                    false => format!("`{flag}` and `{}` overlap", here.2),
                };
                self.diagnostics.about(Some(here.2));
                self.push(
                    Diagnostic::error(
                        Code::Layer,
                        here.1,
                        format!("{between}: {} and {}", written(range), written(here.0)),
                    )
                    .label(span, format!("`{flag}` has this"))
                    .hint("a unit of a layer is in one of its flags at most"),
                );
                overlapping.push(flag.value.clone());
                overlapping.push(here.2.value.clone());
            }
            if farthest.is_none_or(|(range, _, _)| here.0.to > range.to) {
                farthest = Some(here);
            }
        }
        self.diagnostics.about(None);
    }
}

/// Ranges in ascending order; those that meet become one.
fn joined(ranges: Vec<(Range, Span)>) -> Vec<Range> {
    let mut ranges: Vec<Range> = ranges.into_iter().map(|(range, _)| range).collect();
    ranges.sort_by_key(|range| range.from);
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(earlier) if earlier.to == range.from => earlier.to = range.to,
            _ => joined.push(range),
        }
    }
    joined
}
