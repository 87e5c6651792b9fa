//! Two dimensions at once (intent by language): do they go together, and does the candidate's effect in a cell differ from
//! what its row and its column let expect?
//!
//! For **reading**, not for deciding: a normal approximation, for one look. It is shown for cells that are large enough
//! ([`CELL_UNITS`], [`CELL_BAD`] in each arm) and says how many were not.
//!
//! - *Association* of the dimensions: Cramér's V of the units' cross table, 0 (independent) to 1. When intent and language
//!   go together, a finding by the one is half a finding by the other.
//! - *Interaction*: the log rate ratio of every large cell, fitted by row effects plus column effects (weighted least
//!   squares). What remains, squared and weighted, is chi-square with cells - rows - columns + 1 degrees of freedom when
//!   rows and columns explain everything; each cell's remainder is shown in standard errors.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::limits::SHARE_TOTAL;
use crate::merge::collect_counts;
use crate::special::chi_square_upper;
use crate::{CohortCounts, Evidence};

/// Measured units that each arm of a cell must have.
pub const CELL_UNITS: u64 = 50;
/// Bad units that each arm of a cell must have.
pub const CELL_BAD: u64 = 5;

/// Rounds of fitting rows and columns in turn: far more than two-way tables need.
const ROUNDS: u32 = 200;

/// One cell that is large enough.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// Value of the first dimension.
    pub row: String,
    /// Value of the second.
    pub column: String,
    /// Rate ratio treatment / control in this cell.
    pub rate_ratio: f64,
    /// What row and column together let expect.
    pub expected: f64,
    /// ln of the one over the other, in standard errors of the cell: beyond 2 or 3 the cell is something of its own.
    pub surprise: f64,
}

/// A cross table of two dimensions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interaction {
    /// The dimension of the rows.
    pub rows: String,
    /// The dimension of the columns.
    pub columns: String,
    /// Cramér's V of the measured units; none for fewer than two rows or columns.
    pub association: Option<f64>,
    /// The cells that are large enough, by row and column.
    pub cells: Vec<Cell>,
    /// Cells that are too small to be shown.
    pub too_small: usize,
    /// Probability of remainders this large when rows and columns explain everything; none when no degree of freedom is left.
    pub p: Option<f64>,
}

/// What one cell is fitted from.
struct Measured {
    row: usize,
    column: usize,
    log_ratio: f64,
    weight: f64,
}

/// The cross table of `metric` by the dimensions `rows` and `columns`, from the cells in `evidence`
/// ([`Slice::and`](crate::Slice::and)). Refused evidence has none.
pub fn interaction(evidence: &Evidence, metric: &str, rows: &str, columns: &str) -> Interaction {
    let mut table: BTreeMap<(&str, &str), Vec<CohortCounts>> = BTreeMap::new();
    let usable = evidence.refusal().is_none();
    for entry in evidence.slices.iter().filter(|entry| usable && entry.metric == metric) {
        if let Some(cell) = entry.slice.cell_of(rows, columns) {
            table.entry(cell).or_default().extend(&entry.cohorts);
        }
    }
    let names = |pick: fn(&(&str, &str)) -> String| -> Vec<String> {
        table.keys().map(pick).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let (row_names, column_names) = (names(|cell| cell.0.to_owned()), names(|cell| cell.1.to_owned()));
    let position = |names: &[String], name: &str| names.iter().position(|known| known == name).unwrap_or(0);
    let mut measured = Vec::new();
    let mut units = Vec::new();
    for ((row, column), counts) in &table {
        let counts = collect_counts(counts.iter().copied());
        let place = (position(&row_names, row), position(&column_names, column));
        units.push((place, units_of(&counts)));
        if let Some((log_ratio, variance)) = log_rate_ratio(&counts) {
            measured.push(Measured { row: place.0, column: place.1, log_ratio, weight: 1.0 / variance });
        }
    }
    let expected = additive(&measured, row_names.len(), column_names.len());
    let name = |names: &[String], at: usize| names.get(at).cloned().unwrap_or_default();
    let cells: Vec<Cell> = measured
        .iter()
        .zip(&expected)
        .map(|(cell, expected)| Cell {
            row: name(&row_names, cell.row),
            column: name(&column_names, cell.column),
            rate_ratio: libm::exp(cell.log_ratio),
            expected: libm::exp(*expected),
            surprise: (cell.log_ratio - expected) * libm::sqrt(cell.weight),
        })
        .collect();
    let chi_square: f64 = cells.iter().map(|cell| cell.surprise * cell.surprise).sum();
    Interaction {
        rows: rows.to_owned(),
        columns: columns.to_owned(),
        association: association(&units, row_names.len(), column_names.len()),
        too_small: table.len() - cells.len(),
        p: degrees(&measured).map(|degrees| chi_square_upper(chi_square, degrees)),
        cells,
    }
}

fn units_of(counts: &[CohortCounts]) -> f64 {
    counts.iter().map(|c| c.treated_units as f64 + c.control_units as f64).sum()
}

/// ln of the stratified rate ratio and its variance, Poisson counts; none for a cell that is too small.
fn log_rate_ratio(counts: &[CohortCounts]) -> Option<(f64, f64)> {
    let evidence: Vec<&CohortCounts> = counts.iter().filter(|counts| counts.is_evidence()).collect();
    let total = |pick: fn(&CohortCounts) -> u64| {
        evidence.iter().fold(0u64, |sum, counts| sum.saturating_add(pick(counts)))
    };
    let units = total(|c| c.treated_units).min(total(|c| c.control_units));
    let bad = total(|c| c.treated_bad).min(total(|c| c.control_bad));
    if units < CELL_UNITS || bad < CELL_BAD {
        return None;
    }
    // Σ x (other arm's probability), and the sum of the squares of the weights: as the estimate of `rate_ratio`.
    let arm = |pick: fn(&CohortCounts) -> u64, weight: fn(f64) -> f64| {
        evidence.iter().fold((0.0, 0.0), |(sum, squares), counts| {
            let (x, w) =
                (pick(counts) as f64, weight(f64::from(counts.probability) / f64::from(SHARE_TOTAL)));
            (sum + x * w, squares + x * w * w)
        })
    };
    let (treated, control) = (arm(|c| c.treated_bad, |pi| 1.0 - pi), arm(|c| c.control_bad, |pi| pi));
    let variance = treated.1 / (treated.0 * treated.0) + control.1 / (control.0 * control.0);
    Some((libm::log(treated.0 / control.0), variance))
}

/// The fitted value of each cell: row effect plus column effect, by weighted least squares, one side after the other.
fn additive(cells: &[Measured], rows: usize, columns: usize) -> Vec<f64> {
    let (mut row_effects, mut column_effects) = (vec![0.0; rows], vec![0.0; columns]);
    for _ in 0..ROUNDS {
        refit(&mut row_effects, cells, |cell| cell.row, |cell| cell.column, &column_effects);
        refit(&mut column_effects, cells, |cell| cell.column, |cell| cell.row, &row_effects);
    }
    let at = |effects: &[f64], position: usize| effects.get(position).copied().unwrap_or(0.0);
    cells.iter().map(|cell| at(&row_effects, cell.row) + at(&column_effects, cell.column)).collect()
}

fn refit(
    effects: &mut [f64],
    cells: &[Measured],
    own: fn(&Measured) -> usize,
    other: fn(&Measured) -> usize,
    others: &[f64],
) {
    for (position, effect) in effects.iter_mut().enumerate() {
        let (mut sum, mut weights) = (0.0, 0.0);
        for cell in cells.iter().filter(|cell| own(cell) == position) {
            sum += cell.weight * (cell.log_ratio - others.get(other(cell)).copied().unwrap_or(0.0));
            weights += cell.weight;
        }
        *effect = if weights > 0.0 { sum / weights } else { 0.0 };
    }
}

/// cells - rows - columns + parts of the table that hang together; none when 0.
fn degrees(cells: &[Measured]) -> Option<u32> {
    let rows: BTreeSet<usize> = cells.iter().map(|cell| cell.row).collect();
    let columns: BTreeSet<usize> = cells.iter().map(|cell| cell.column).collect();
    // Rows that share a column, directly or through others, are one part.
    let mut label: BTreeMap<usize, usize> = rows.iter().map(|row| (*row, *row)).collect();
    for _ in 0..rows.len() {
        for column in &columns {
            let members: Vec<usize> = cells.iter().filter(|c| c.column == *column).map(|c| c.row).collect();
            let least = members.iter().filter_map(|row| label.get(row).copied()).min();
            for row in members {
                if let (Some(slot), Some(least)) = (label.get_mut(&row), least) {
                    *slot = least;
                }
            }
        }
    }
    let parts = label.values().collect::<BTreeSet<_>>().len();
    let free = (cells.len() + parts).checked_sub(rows.len() + columns.len())?;
    u32::try_from(free).ok().filter(|free| *free > 0)
}

/// Cramér's V.
fn association(units: &[((usize, usize), f64)], rows: usize, columns: usize) -> Option<f64> {
    let smaller = rows.min(columns).checked_sub(1).filter(|smaller| *smaller > 0)?;
    let total: f64 = units.iter().map(|(_, units)| units).sum();
    let margin = |pick: fn(&(usize, usize)) -> usize, at: usize| -> f64 {
        units.iter().filter(|(place, _)| pick(place) == at).map(|(_, units)| units).sum()
    };
    // Σ o²/e - total is the chi-square statistic, and cells that were never seen add nothing to it.
    let sum: f64 = units
        .iter()
        .filter(|(_, units)| *units > 0.0)
        .map(|(place, units)| units * units * total / (margin(|p| p.0, place.0) * margin(|p| p.1, place.1)))
        .sum();
    (total > 0.0).then(|| libm::sqrt(((sum - total) / total / smaller as f64).max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Slice, SliceEvidence};

    fn cell(intent: &str, language: &str, treated_bad: u64, control_bad: u64, units: u64) -> SliceEvidence {
        let counts = CohortCounts {
            cohort: 1,
            probability: SHARE_TOTAL / 2,
            treated_bad,
            control_bad,
            treated_units: units,
            control_units: units,
        };
        SliceEvidence {
            metric: "wrong".into(),
            slice: Slice::of("intent", intent).and("language", language),
            cohorts: vec![counts],
            ..SliceEvidence::default()
        }
    }

    fn table(slices: Vec<SliceEvidence>) -> Interaction {
        interaction(&Evidence { slices, ..Evidence::default() }, "wrong", "intent", "language")
    }

    #[test]
    fn rows_times_columns_leave_nothing() {
        // Refunds twice as bad, German three times: 6 in the cell of both.
        let found = table(vec![
            cell("chat", "en", 100, 100, 1_000),
            cell("refund", "en", 200, 100, 1_000),
            cell("chat", "de", 300, 100, 1_000),
            cell("refund", "de", 600, 100, 1_000),
            cell("refund", "is", 4, 1, 60),
        ]);
        assert_eq!((found.cells.len(), found.too_small), (4, 1));
        assert!(found.cells.iter().all(|cell| cell.surprise.abs() < 1e-6), "{found:?}");
        assert!(found.p.unwrap() > 0.999, "{found:?}");
    }

    #[test]
    fn a_cell_of_its_own_is_found() {
        let found = table(vec![
            cell("chat", "en", 100, 100, 1_000),
            cell("refund", "en", 100, 100, 1_000),
            cell("chat", "de", 100, 100, 1_000),
            cell("refund", "de", 300, 100, 1_000),
        ]);
        assert!(found.p.unwrap() < 1e-4, "{found:?}");
        assert!(found.association.unwrap() < 1e-6, "{found:?}");
        assert_eq!(table(vec![cell("chat", "en", 9, 9, 99)]).p, None);
        assert_eq!(table(Vec::new()).cells, Vec::new());
    }

    #[test]
    fn dimensions_that_go_together_say_so() {
        let found = table(vec![cell("chat", "en", 9, 9, 500), cell("refund", "de", 9, 9, 500)]);
        assert!((found.association.unwrap() - 1.0).abs() < 1e-12, "{found:?}");
        assert_eq!(found.p, None);
    }
}
