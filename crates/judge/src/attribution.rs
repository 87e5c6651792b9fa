//! Where does a sample-ratio mismatch come from? The same test in every value of every dimension (SDK, platform, locale).
//!
//! A mismatch over all units says that something is lost or misrouted, not where; and a fault in one small SDK may be
//! drowned in the total. So the sequential test of [`crate::sample_ratio`] runs in every slice, and e-BH at one in a
//! thousand picks the slices to look at. The e-values of overlapping slices depend on each other; e-BH does not mind.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::limits::{DISPLAY_UNITS, SAMPLE_RATIO_ALARM};
use crate::{ExposedSlice, ExposedUnits, Slice, multiplicity, sample_ratio};

/// One slice's part in the sample ratio.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SliceRatio {
    /// Which slice.
    pub slice: Slice,
    /// ln E for "its units are not split between the arms as promised".
    pub log_e: f64,
    /// p-value of the chi-square test, for one look.
    pub p: f64,
    /// Units first exposed in the treatment and in the control arm, randomised cohorts; none for fewer than
    /// [`DISPLAY_UNITS`] in both.
    pub units: Option<[u64; 2]>,
    /// e-BH picked it: look here.
    pub suspect: bool,
}

/// The sample ratio of every slice, most evidence first (then by name). Entries of one slice add up; the order of the
/// entries does not matter. A false suspect, while all units are split as promised, appears in at most one rollout of a
/// thousand, however many slices there are and however often one looks.
pub fn attribute(exposed: &[ExposedSlice]) -> Vec<SliceRatio> {
    let mut by_slice: BTreeMap<&Slice, Vec<ExposedUnits>> = BTreeMap::new();
    for entry in exposed {
        by_slice.entry(&entry.slice).or_default().extend(&entry.exposed);
    }
    let log_e: Vec<f64> = by_slice.values().map(|units| sample_ratio::cohorts_log_e(units)).collect();
    let suspects = multiplicity::e_bh(&log_e, 1.0 / SAMPLE_RATIO_ALARM);
    let mut all: Vec<SliceRatio> = by_slice
        .into_iter()
        .zip(log_e.iter().zip(suspects))
        .map(|((slice, exposed), (log_e, suspect))| SliceRatio {
            slice: slice.clone(),
            log_e: *log_e,
            p: sample_ratio::cohorts_chi_square_p(&exposed),
            units: shown(&exposed),
            suspect,
        })
        .collect();
    all.sort_by(|a, b| b.log_e.total_cmp(&a.log_e).then_with(|| a.slice.cmp(&b.slice)));
    all
}

fn shown(exposed: &[ExposedUnits]) -> Option<[u64; 2]> {
    let randomised =
        exposed.iter().filter(|u| u.probability > 0 && u.probability < crate::limits::SHARE_TOTAL);
    let [treated, control] = randomised.fold([0u64; 2], |[treated, control], units| {
        [treated.saturating_add(units.treated), control.saturating_add(units.control)]
    });
    (treated.saturating_add(control) >= DISPLAY_UNITS).then_some([treated, control])
}
