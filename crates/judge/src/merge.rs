//! Counts add up: from any number of ingesters, in any order, as long as no unit was counted by two of them.

use std::collections::BTreeMap;

use crate::drift::collect_batches;
use crate::moments::CohortMoments;
use crate::quantiles::histogram::CohortHistograms;
use crate::{
    CohortCounts, Evidence, ExposedSlice, ExposedUnits, Latched, MetricEvidence, ScoreBatch, Slice,
    SliceEvidence,
};

/// Entries of the same cohort and probability added up, sorted by both.
pub(crate) fn collect_counts(entries: impl IntoIterator<Item = CohortCounts>) -> Vec<CohortCounts> {
    let mut sums: BTreeMap<(u8, u32), CohortCounts> = BTreeMap::new();
    for entry in entries {
        let CohortCounts { cohort, probability, .. } = entry;
        let empty = CohortCounts { cohort, probability, ..CohortCounts::default() };
        let sum = sums.entry((cohort, probability)).or_insert(empty);
        sum.treated_bad = sum.treated_bad.saturating_add(entry.treated_bad);
        sum.control_bad = sum.control_bad.saturating_add(entry.control_bad);
        sum.treated_units = sum.treated_units.saturating_add(entry.treated_units);
        sum.control_units = sum.control_units.saturating_add(entry.control_units);
    }
    sums.into_values().collect()
}

/// The same for sums of values.
pub(crate) fn collect_moments(entries: impl IntoIterator<Item = CohortMoments>) -> Vec<CohortMoments> {
    let mut sums: BTreeMap<(u8, u32), CohortMoments> = BTreeMap::new();
    for entry in entries {
        let CohortMoments { cohort, probability, .. } = entry;
        let empty = CohortMoments { cohort, probability, ..CohortMoments::default() };
        let sum = sums.entry((cohort, probability)).or_insert(empty);
        sum.treated = sum.treated.merged(&entry.treated);
        sum.control = sum.control.merged(&entry.control);
    }
    sums.into_values().collect()
}

/// The same for histograms.
pub(crate) fn collect_histograms(
    entries: impl IntoIterator<Item = CohortHistograms>,
) -> Vec<CohortHistograms> {
    let mut sums: BTreeMap<(u8, u32), CohortHistograms> = BTreeMap::new();
    for entry in entries {
        let CohortHistograms { cohort, probability, .. } = entry;
        let empty = CohortHistograms { cohort, probability, ..CohortHistograms::default() };
        let sum = sums.entry((cohort, probability)).or_insert(empty);
        sum.treated = sum.treated.merged(&entry.treated);
        sum.control = sum.control.merged(&entry.control);
    }
    sums.into_values().collect()
}

/// Batches of the same number added up, in order.
pub(crate) fn collect_scores(entries: impl IntoIterator<Item = ScoreBatch>) -> Vec<ScoreBatch> {
    let mut sums: BTreeMap<u64, ScoreBatch> = BTreeMap::new();
    for entry in entries {
        let sum =
            sums.entry(entry.batch).or_insert(ScoreBatch { batch: entry.batch, ..ScoreBatch::default() });
        for (score, units) in entry.scores {
            let count = sum.scores.entry(score).or_default();
            *count = count.saturating_add(units);
        }
    }
    sums.into_values().collect()
}

fn collect_exposed(entries: impl IntoIterator<Item = ExposedUnits>) -> Vec<ExposedUnits> {
    let mut sums: BTreeMap<(u8, u32), ExposedUnits> = BTreeMap::new();
    for entry in entries {
        let ExposedUnits { cohort, probability, .. } = entry;
        let empty = ExposedUnits { cohort, probability, ..ExposedUnits::default() };
        let sum = sums.entry((cohort, probability)).or_insert(empty);
        sum.treated = sum.treated.saturating_add(entry.treated);
        sum.control = sum.control.saturating_add(entry.control);
    }
    sums.into_values().collect()
}

fn collect_slices<'a>(entries: impl IntoIterator<Item = &'a SliceEvidence>) -> Vec<SliceEvidence> {
    let mut sums: BTreeMap<(&str, &Slice), SliceEvidence> = BTreeMap::new();
    for entry in entries {
        let empty = SliceEvidence {
            metric: entry.metric.clone(),
            slice: entry.slice.clone(),
            ..SliceEvidence::default()
        };
        let sum = sums.entry((&entry.metric, &entry.slice)).or_insert(empty);
        sum.cohorts = collect_counts(sum.cohorts.iter().chain(&entry.cohorts).copied());
        sum.latched = first_latched(sum.latched, entry.latched);
    }
    sums.into_values().collect()
}

fn collect_exposed_slices<'a>(entries: impl IntoIterator<Item = &'a ExposedSlice>) -> Vec<ExposedSlice> {
    let mut sums: BTreeMap<&Slice, Vec<ExposedUnits>> = BTreeMap::new();
    for entry in entries {
        let sum = sums.entry(&entry.slice).or_default();
        *sum = collect_exposed(sum.iter().chain(&entry.exposed).copied());
    }
    sums.into_iter().map(|(slice, exposed)| ExposedSlice { slice: slice.clone(), exposed }).collect()
}

/// The crossing that came first; of two at the same moment the stronger.
pub(crate) fn first_latched(a: Option<Latched>, b: Option<Latched>) -> Option<Latched> {
    match (a, b) {
        (Some(a), Some(b)) => {
            let a_wins = a.at.cmp(&b.at).then_with(|| b.log_e.total_cmp(&a.log_e)).is_le();
            Some(if a_wins { a } else { b })
        }
        (a, b) => a.or(b),
    }
}

impl MetricEvidence {
    /// This and `other` (of the same metric) together; the name is kept from `self`.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        Self {
            metric: self.metric.clone(),
            cohorts: collect_counts(self.cohorts.iter().chain(&other.cohorts).copied()),
            maturing_units: self.maturing_units.saturating_add(other.maturing_units),
            last_outcome: self.last_outcome.max(other.last_outcome),
            latched: first_latched(self.latched, other.latched),
            moments: collect_moments(self.moments.iter().chain(&other.moments).copied()),
            histograms: collect_histograms(self.histograms.iter().chain(&other.histograms).cloned()),
            scores: collect_scores(self.scores.iter().chain(&other.scores).cloned()),
            batches: collect_batches(self.batches.iter().chain(&other.batches).copied()),
        }
    }
}

impl Evidence {
    /// Evidence gathered in two places, together. Commutative and associative; entries come out sorted, one for each
    /// metric, cohort and probability. No unit may have been counted in both places.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let mut metrics: BTreeMap<&str, MetricEvidence> = BTreeMap::new();
        for entry in self.metrics.iter().chain(&other.metrics) {
            let empty = MetricEvidence { metric: entry.metric.clone(), ..MetricEvidence::default() };
            let sum = metrics.entry(&entry.metric).or_insert(empty);
            *sum = sum.merged(entry);
        }
        Self {
            metrics: metrics.into_values().collect(),
            sample_ratio: collect_exposed(self.sample_ratio.iter().chain(&other.sample_ratio).copied()),
            multi_exposure: self.multi_exposure.saturating_add(other.multi_exposure),
            last_exposure: self.last_exposure.max(other.last_exposure),
            slices: collect_slices(self.slices.iter().chain(&other.slices)),
            exposed_slices: collect_exposed_slices(self.exposed_slices.iter().chain(&other.exposed_slices)),
            other_streams: self.other_streams.union(&other.other_streams).copied().collect(),
        }
    }

    /// What is known of one metric, all its entries together; empty when there is none.
    pub fn metric(&self, name: &str) -> MetricEvidence {
        let empty = MetricEvidence { metric: name.to_owned(), ..MetricEvidence::default() };
        self.metrics.iter().filter(|entry| entry.metric == name).fold(empty, |sum, entry| sum.merged(entry))
    }
}
