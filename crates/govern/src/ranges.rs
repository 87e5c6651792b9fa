//! Which sequence numbers of an instance have come in: closed ranges that never touch, so that gaps are evident.

/// A closed range of sequence numbers, `first <= last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// What the ranges of one instance say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Coverage {
    /// The highest number received.
    pub(crate) last: u64,
    /// Numbers received.
    pub(crate) received: u64,
    /// Numbers from 1 to `last` that are missing.
    pub(crate) missing: u64,
}

/// The ranges with more in them: sorted, overlapping and adjacent ones joined.
pub(crate) fn insert(ranges: &[Range], new: impl IntoIterator<Item = Range>) -> Vec<Range> {
    let mut all: Vec<Range> = ranges.to_vec();
    all.extend(new);
    all.sort_by_key(|range| range.first);
    let mut joined: Vec<Range> = Vec::with_capacity(all.len());
    for range in all {
        match joined.last_mut() {
            Some(before) if range.first <= before.last.saturating_add(1) => {
                before.last = before.last.max(range.last);
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// Counts what joined ranges cover; sequence numbers begin at 1.
pub(crate) fn coverage(ranges: &[Range]) -> Coverage {
    let last = ranges.iter().map(|range| range.last).max().unwrap_or(0);
    let received = ranges
        .iter()
        .map(|range| range.last.saturating_sub(range.first).saturating_add(1))
        .fold(0_u64, u64::saturating_add);
    Coverage { last, received, missing: last.saturating_sub(received) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, last: u64) -> Range {
        Range { first, last }
    }

    #[test]
    fn any_order_of_arrival_ends_in_the_same_ranges() {
        let batches =
            [range(1, 10), range(11, 15), range(30, 40), range(14, 20), range(35, 36), range(1, 10)];
        let mut forwards = Vec::new();
        let mut backwards = Vec::new();
        for new in batches {
            forwards = insert(&forwards, [new]);
        }
        for new in batches.into_iter().rev() {
            backwards = insert(&backwards, [new]);
        }
        assert_eq!(forwards, vec![range(1, 20), range(30, 40)]);
        assert_eq!(backwards, forwards);
    }

    #[test]
    fn a_gap_and_a_missing_beginning_are_counted() {
        assert_eq!(coverage(&[range(1, 20), range(30, 40)]), Coverage { last: 40, received: 31, missing: 9 });
        assert_eq!(coverage(&[range(5, 6)]), Coverage { last: 6, received: 2, missing: 4 });
        assert_eq!(coverage(&[]), Coverage::default());
    }
}
