//! What is measured of a unit: `mean`, `ratio`, `score`, `quantile`, and the keys that go with them.

use flagstone_snapshot::SHARE_TOTAL;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Better, Measure};
use crate::read::{Fields, Reader};
use crate::span::Spanned;
use crate::tree::Node;

/// Seconds of a batch of scores, unless the author says otherwise.
const BATCH: u64 = 3_600;

/// The five kinds, by the key that says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bad,
    Mean,
    Ratio,
    Score,
    Quantile,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::Bad, Self::Mean, Self::Ratio, Self::Score, Self::Quantile];

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Mean => "mean",
            Self::Ratio => "ratio",
            Self::Score => "score",
            Self::Quantile => "quantile",
        }
    }

    /// Whether a modifier means something for this kind.
    pub(super) fn has(self, modifier: &str) -> bool {
        match modifier {
            "better" | "baseline" | "planned" => matches!(self, Self::Mean | Self::Ratio | Self::Quantile),
            _ => self == Self::Mean,
        }
    }

    /// Why a modifier means nothing here.
    pub(super) fn hint(self, modifier: &str) -> Option<String> {
        let hint = match (self, modifier) {
            (Self::Bad, _) => "bad outcomes are counted, and fewer are better",
            (Self::Score, _) => "a score is held against its `bar`, and higher is better",
            (Self::Quantile, "winsorise") => "a quantile takes no notice of how extreme extremes are",
            (Self::Ratio, "winsorise") => "cut at its source what goes into the ratio",
            (_, "adjust") => "only a `mean` can be adjusted by what the same unit did before",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// The keys beside the kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modifiers<'n> {
    pub(super) better: Option<&'n Node>,
    pub(super) winsorise: Option<&'n Node>,
    pub(super) adjust: Option<&'n Node>,
    pub(super) baseline: Option<&'n Node>,
    pub(super) planned: Option<&'n Node>,
}

impl<'n> Modifiers<'n> {
    pub(super) fn named(&self) -> [(&'static str, Option<&'n Node>); 5] {
        [
            ("better", self.better),
            ("winsorise", self.winsorise),
            ("adjust", self.adjust),
            ("baseline", self.baseline),
            ("planned", self.planned),
        ]
    }
}

impl Measure {
    /// The measure that is read; none for tests, which each name their own.
    pub(super) fn of(&self) -> Option<&str> {
        match self {
            Measure::Bad(_) => None,
            Measure::Mean { of, .. }
            | Measure::Ratio { of, .. }
            | Measure::Score { of, .. }
            | Measure::Quantile { of, .. } => Some(of),
        }
    }
}

impl Reader<'_> {
    /// The measure under the key of its kind.
    pub(super) fn measured(
        &mut self,
        name: &Spanned<String>,
        kind: Kind,
        node: &Node,
        better: Option<Better>,
        modifiers: &Modifiers<'_>,
    ) -> Option<Measure> {
        if kind == Kind::Mean {
            let of = self.text("mean", node)?.value;
            let winsorise = modifiers.winsorise.and_then(|node| self.micros("winsorise", node, &of));
            let adjust = modifiers.adjust.and_then(|node| self.duration("adjust", node));
            if let (Some(0), Some(node)) = (adjust, modifiers.adjust) {
                self.push(
                    Diagnostic::error(Code::Metric, node.span, format!("`{name}` is adjusted by nothing"))
                        .hint("`adjust` is how long before its first exposure a unit is looked at: `14d`"),
                );
            }
            if let (Some(..=0), Some(node)) = (winsorise, modifiers.winsorise) {
                self.push(
                    Diagnostic::error(Code::Metric, node.span, "`winsorise` leaves no value but zero")
                        .hint("it is the largest magnitude that a unit's value may have"),
                );
            }
            return Some(Measure::Mean { of, better: better?, winsorise, adjust });
        }
        let what = format!("`{}`", kind.key());
        let mut fields = Fields::open(self, kind.key(), node)?;
        let of = fields.need(self, &what, "of").and_then(|node| self.text("of", node));
        let measure = match kind {
            Kind::Ratio => {
                let per = fields.text(self, "per");
                of.zip(better).map(|(of, better)| Measure::Ratio { of: of.value, per, better })
            }
            Kind::Score => {
                let bar = fields.need(self, &what, "bar").and_then(|node| self.inside("bar", node));
                let batch_node = fields.take("batch");
                let batch = batch_node.and_then(|node| self.duration("batch", node));
                if let (Some(0), Some(node)) = (batch, batch_node) {
                    self.push(Diagnostic::error(Code::Metric, node.span, "a `batch` takes some time"));
                }
                let batch = batch.unwrap_or(BATCH).max(1);
                of.zip(bar).map(|(of, bar)| Measure::Score { of: of.value, bar, batch })
            }
            _ => {
                let at = fields.need(self, &what, "at").and_then(|node| self.inside("at", node));
                let of = of.zip(better).zip(at);
                of.map(|((of, better), at)| Measure::Quantile { of: of.value, at, better })
            }
        };
        fields.finish(self, &what, true);
        if let Some(Measure::Ratio { of, per: Some(per), .. }) = &measure
            && of == per
        {
            let message = format!("`{name}` is the ratio of `{of}` and itself");
            self.push(
                Diagnostic::error(Code::Metric, node.span, message)
                    .hint("leave `per` out for the mean of each outcome"),
            );
        }
        measure
    }

    /// A share that is neither nothing nor everything.
    fn inside(&mut self, key: &str, node: &Node) -> Option<u32> {
        let share = self.share(key, node)?;
        if share == 0 || share == SHARE_TOTAL {
            let message = format!("`{key}` must lie between 0 and 1, neither of them");
            self.push(Diagnostic::error(Code::Metric, node.span, message));
            return None;
        }
        Some(share)
    }
}
