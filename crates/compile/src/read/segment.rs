//! A segment: its condition, its lists of keys, and how a snapshot is to keep them.

use std::collections::HashSet;

use flagstone_snapshot::SHARE_TOTAL;

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{KeyList, Segment, Store};
use crate::read::{Fields, Reader};
use crate::span::Spanned;
use crate::tree::Node;

/// `store`, as authored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    List,
    Hashes,
    Bloom,
}

/// The least and the greatest `errorRate`: 24 probes give the least, and more than the greatest is no membership.
const RATES: std::ops::RangeInclusive<u32> = SHARE_TOTAL / 10_000_000..=SHARE_TOTAL / 10;
/// `errorRate` when nothing is said: 0.1 %.
const USUAL_RATE: u32 = SHARE_TOTAL / 1_000;

impl Reader<'_> {
    pub(super) fn segment(&mut self, name: Spanned<String>, node: &Node) -> Option<Segment> {
        let mut fields = Fields::open(self, &name, node)?;
        let when = fields.take("when").cloned();
        let asked = fields.take("store").and_then(|node| {
            let words = [("list", Asked::List), ("hashes", Asked::Hashes), ("bloom", Asked::Bloom)];
            self.word("store", node, &words)
        });
        let rate = fields.take("errorRate").map(|node| self.error_rate(node, asked));
        let rate = rate.unwrap_or(USUAL_RATE);
        let include = fields.take("include").map(|node| self.keys("include", node, asked, rate));
        let exclude = fields.take("exclude").map(|node| self.keys("exclude", node, asked, rate));
        let (include, exclude) = (include.unwrap_or_default(), exclude.unwrap_or_default());
        let span = fields.head();
        fields.finish(self, "a segment", true);
        if when.is_none() && include.is_empty() {
            self.push(
                Diagnostic::error(Code::BadValue, span, format!("nobody can be in the segment `{name}`"))
                    .hint("give it `when`, a condition, or `include`, a list of targeting keys"),
            );
        }
        Some(Segment { name, when, include, exclude })
    }

    fn error_rate(&mut self, node: &Node, asked: Option<Asked>) -> u32 {
        if asked != Some(Asked::Bloom) {
            self.push(
                Diagnostic::error(Code::BadValue, node.span, "`errorRate` is about `store: bloom` only")
                    .hint("lists and hashes take nobody for somebody else"),
            );
            return USUAL_RATE;
        }
        let Some(rate) = self.share("errorRate", node) else { return USUAL_RATE };
        if RATES.contains(&rate) {
            return rate;
        }
        self.push(
            Diagnostic::error(Code::BadValue, node.span, "`errorRate` is out of reach")
                .hint("`0.00001%` to `10%`; `store: hashes` makes next to no errors, at 8 bytes a key"),
        );
        USUAL_RATE
    }

    /// A list of keys. One that cannot be kept as asked is kept in the next larger way.
    fn keys(&mut self, key: &str, node: &Node, asked: Option<Asked>, rate: u32) -> KeyList {
        let keys: Vec<String> = self.texts(key, node).into_iter().map(|text| text.value).collect();
        let mut store = match asked {
            Some(Asked::List) => Store::List,
            Some(Asked::Hashes) => Store::Hashes,
            Some(Asked::Bloom) => {
                let different: HashSet<&str> = keys.iter().map(String::as_str).collect();
                Store::bloom(different.len(), f64::from(rate) / f64::from(SHARE_TOTAL))
            }
            None if keys.len() > limits::LIST_KEYS => Store::Hashes,
            None => Store::List,
        };
        if store == Store::List && keys.len() > limits::LONGEST_LIST {
            self.push(
                Diagnostic::error(Code::TooLarge, node.span, format!("`{key}` has {} keys", keys.len()))
                    .hint(format!("a list has at most {}; write `store: hashes`", limits::LONGEST_LIST)),
            );
            store = Store::Hashes;
        }
        let (bytes, hint) = match store {
            Store::List => (0, ""),
            Store::Hashes => (8 * keys.len(), "`store: bloom` takes less than two bytes a key"),
            Store::Bloom { bytes, .. } => (bytes as usize, "allow a higher `errorRate`"),
        };
        if bytes > limits::KEY_SET_BYTES {
            let said = format!("`{key}` takes {bytes} bytes, more than {} MiB", limits::KEY_SET_BYTES >> 20);
            self.push(Diagnostic::error(Code::TooLarge, node.span, said).hint(hint));
        }
        KeyList { keys, store }
    }
}
