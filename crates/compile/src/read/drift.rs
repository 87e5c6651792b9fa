//! A plan's `drift`: which rate of the candidate is held against which fixed one, and what an alarm does.

use flagstone_snapshot::SHARE_TOTAL;

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{DEFAULT_EVERY, Definition, DriftRole, DriftWatch};
use crate::read::{Fields, Reader};
use crate::span::Spanned;
use crate::tree::Node;

/// The smallest rise that is looked for is by a quarter; the risen rate must still be a rate.
const BASELINE_BELOW: u32 = SHARE_TOTAL / 5 * 4;

impl Reader<'_> {
    pub(super) fn drift(&mut self, node: &Node, set: &Definition) -> Vec<DriftWatch> {
        let Some(items) = node.as_list() else {
            self.wrong_kind("drift", "a list", node);
            return Vec::new();
        };
        if items.len() > limits::DRIFT_WATCHES {
            self.refuse(
                Diagnostic::error(Code::TooLarge, node.span, format!("{} entries in `drift`", items.len()))
                    .hint(format!("at most {}", limits::DRIFT_WATCHES)),
            );
        }
        let mut list: Vec<DriftWatch> = Vec::with_capacity(items.len());
        for item in items {
            let Some(watch) = self.drift_watch(item, set) else { continue };
            if let Some(earlier) = list.iter().find(|other| other.metric == watch.metric) {
                let said = format!("the drift of `{}` stands here twice", watch.metric);
                self.refuse(
                    Diagnostic::error(Code::MetricRole, watch.metric.span, said)
                        .label(earlier.metric.span, "first here"),
                );
            }
            list.push(watch);
        }
        list
    }

    fn drift_watch(&mut self, node: &Node, set: &Definition) -> Option<DriftWatch> {
        let what = "an entry of `drift`";
        let mut fields = Fields::open(self, what, node)?;
        let metric = fields.need(self, what, "metric").and_then(|node| self.text("metric", node));
        let baseline = fields.need(self, what, "baseline").and_then(|node| self.drift_baseline(node));
        let every = match fields.take("every") {
            Some(node) => self.drift_span(node),
            None => Some(DEFAULT_EVERY),
        };
        let patience = fields.take("patience").and_then(|node| self.patience(node));
        let words = [DriftRole::Signal, DriftRole::Observe].map(|role| (role.as_str(), role));
        let role = match fields.take("role") {
            Some(node) => self.word("role", node, &words),
            None => Some(DriftRole::Signal),
        };
        fields.finish(self, what, true);
        let metric = metric?;
        self.drifts(&metric, set);
        Some(DriftWatch { metric, baseline: baseline?, every: every?, patience, role: role? })
    }

    fn drift_baseline(&mut self, node: &Node) -> Option<u32> {
        let baseline = self.share("baseline", node)?;
        if baseline == 0 || baseline >= BASELINE_BELOW {
            self.refuse(
                Diagnostic::error(Code::BadValue, node.span, "a `baseline` is above 0 % and below 80 %")
                    .hint(
                        "a rise by a quarter above it is looked for: name the highest rate that is accepted",
                    ),
            );
            return None;
        }
        Some(baseline)
    }

    fn drift_span(&mut self, node: &Node) -> Option<u64> {
        let every = self.duration("every", node)?;
        if !(limits::DRIFT_SECONDS).contains(&every) {
            self.refuse(
                Diagnostic::error(Code::BadValue, node.span, "`every` is from 10m to 7d")
                    .hint("every batch is kept and judged again at each look; `1h` is the default"),
            );
            return None;
        }
        Some(every)
    }

    fn patience(&mut self, node: &Node) -> Option<u32> {
        let count = self.count("patience", node, "batches")?;
        let patience = u32::try_from(count).ok().filter(|patience| (2..=1_000_000).contains(patience));
        if patience.is_none() {
            self.refuse(
                Diagnostic::error(Code::BadValue, node.span, "a `patience` is from 2 to 1000000 batches")
                    .hint("it is how many pass on average before a false alarm; `1000` is the default"),
            );
        }
        patience
    }

    /// Whether units of this metric can be put into batches: each is bad or not, once its window is over.
    fn drifts(&mut self, metric: &Spanned<String>, set: &Definition) {
        let names = set.metrics.iter().map(|metric| metric.name.as_str());
        if !self.known("metric", metric, names) {
            return;
        }
        let Some(found) = set.metric(metric) else { return };
        let (said, hint) = if found.bad().is_none() {
            let kind = found.measure.key();
            (
                format!("`{metric}` takes a {kind}, and drift is that of bad outcomes"),
                "say in the metric what is `bad`",
            )
        } else if found.window.is_none() {
            (
                format!("`{metric}` has no `window`, so no batch of its units is ever complete"),
                "add `window: 1h` to the metric: how long after a unit was given the candidate its outcomes count",
            )
        } else {
            return;
        };
        self.refuse(
            Diagnostic::error(Code::MetricRole, metric.span, said)
                .label(found.name.span, "declared here")
                .hint(hint),
        );
    }
}
