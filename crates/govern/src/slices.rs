//! Units by slice (language, intent, ...), as far as they may be shown: no cell of fewer than k units ever leaves.
//!
//! Small cells are merged into `other`; when what is merged would still be small, the smallest of the large cells goes with it,
//! so that nothing is found by subtracting from a total; and when that is not enough nothing is shown. Counts are whole
//! multiples of k, rounded down, and cumulative, so two readings differ by k units or not at all.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::error::Refusal;
use crate::governor::Governor;
use crate::store::from_sql;
use crate::{attempts, limits};

/// The name of what small cells are merged into.
pub(crate) const OTHER: &str = "other";

/// The cells of one slice in one arm that may be shown, by value.
pub(crate) fn released(cells: &BTreeMap<String, u64>, k: u64) -> BTreeMap<String, u64> {
    let k = k.max(limits::SMALLEST_K);
    let (mut large, mut merged) = (Vec::new(), 0_u64);
    for (value, units) in cells {
        if *units >= k && value != OTHER {
            large.push((*units, value.clone()));
        } else {
            merged = merged.saturating_add(*units);
        }
    }
    large.sort();
    if merged > 0 && merged < k && !large.is_empty() {
        merged = merged.saturating_add(large.remove(0).0);
    }
    let mut shown: BTreeMap<String, u64> = large.into_iter().map(|(units, value)| (value, units)).collect();
    if merged >= k {
        shown.insert(OTHER.to_owned(), merged);
    }
    shown.values_mut().for_each(|units| *units = units.checked_div(k).unwrap_or(0).saturating_mul(k));
    shown
}

/// The slices of a flag's newest attempt.
///
/// # Errors
/// 404 for a flag that never had a plan.
pub(crate) async fn of_flag(governor: &Governor, flag: &str) -> Result<Value, Refusal> {
    let mut read = governor.store.read().await?;
    let Some(attempt) = attempts::latest(&mut read, flag).await? else {
        return Err(Refusal::new(404, "unknown-flag", format!("flag `{flag}` has no rollout plan here")));
    };
    let k = governor.config.k_anonymity;
    let cells = load(&mut read, attempt.id).await?;
    let mut slices: BTreeMap<String, BTreeMap<&str, Value>> = BTreeMap::new();
    for ((name, treated), values) in &cells {
        let arm = if *treated { "treatment" } else { "control" };
        let shown = released(values, k);
        // A slice whose name alone would tell of a few is not named either.
        if !shown.is_empty() {
            slices.entry(name.clone()).or_default().insert(arm, json!(shown));
        }
    }
    Ok(json!({"flag": flag, "attempt": attempt.number, "k": k, "slices": slices}))
}

type Cells = BTreeMap<(String, bool), BTreeMap<String, u64>>;

/// Units of an attempt with an outcome of each value, by slice and arm, as they are: never to leave like this.
async fn load(connection: &mut SqliteConnection, attempt: i64) -> Result<Cells, GovernError> {
    let rows = sqlx::query(
        "SELECT j.key AS name, j.value AS value, u.treated AS treated, count(DISTINCT u.unit) AS units
         FROM units u JOIN outcomes o ON o.unit = u.unit AND o.stream = 'production', json_each(o.slices) j
         WHERE u.attempt = ? GROUP BY j.key, j.value, u.treated",
    )
    .bind(attempt)
    .fetch_all(connection)
    .await?;
    let mut cells = Cells::new();
    for row in rows {
        let (name, value): (String, String) = (row.try_get("name")?, row.try_get("value")?);
        let slice = cells.entry((name, row.try_get("treated")?)).or_default();
        slice.insert(value, from_sql(row.try_get("units")?));
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(value, units)| ((*value).to_owned(), *units)).collect()
    }

    #[test]
    fn small_cells_are_merged_and_take_a_large_one_along_when_they_must() {
        assert_eq!(
            released(&cells(&[("en", 45), ("de", 30), ("fr", 12), ("it", 9)]), 20),
            cells(&[("de", 20), ("en", 40), ("other", 20)])
        );
        assert_eq!(
            released(&cells(&[("en", 45), ("de", 30), ("fr", 3)]), 20),
            cells(&[("en", 40), ("other", 20)])
        );
        assert_eq!(released(&cells(&[("en", 25), ("fr", 3)]), 20), cells(&[("other", 20)]));
        assert_eq!(released(&cells(&[("en", 12), ("fr", 3)]), 20), cells(&[]));
        assert_eq!(
            released(&cells(&[("other", 19)]), 20),
            cells(&[]),
            "a value of that name is merged like any"
        );
    }

    proptest! {
        #[test]
        fn no_cell_below_k_is_ever_printed(
            cells in proptest::collection::btree_map("[a-d]{1,3}|other", 0..70_u64, 0..12),
            k in 0..40_u64,
        ) {
            let shown = released(&cells, k);
            let (k, total) = (k.max(limits::SMALLEST_K), cells.values().sum::<u64>());
            for (value, units) in &shown {
                prop_assert!(*units >= k && units % k == 0, "{value}: {units}");
                let alone = value == OTHER || cells[value] >= k;
                prop_assert!(alone, "`{value}` names a small cell");
            }
            prop_assert!(shown.values().sum::<u64>() <= total);
            // What is not printed by name is nothing or at least k units: subtracting from a total tells of no fewer.
            let named: u64 = shown.keys().filter(|value| *value != OTHER).map(|value| cells[value]).sum();
            let hidden = total - named;
            prop_assert!(hidden == 0 || hidden >= k || named == 0, "{hidden} units can be found by subtraction");
        }

        #[test]
        fn one_unit_more_changes_a_printed_count_by_nothing_or_by_k(
            cells in proptest::collection::btree_map("[a-c]{1,2}", 20..70_u64, 1..6),
            which in any::<prop::sample::Index>(),
        ) {
            let mut more = cells.clone();
            let value = cells.keys().nth(which.index(cells.len())).unwrap_or(&String::new()).clone();
            more.entry(value).and_modify(|units| *units += 1);
            let (before, after) = (released(&cells, 20), released(&more, 20));
            prop_assert!(before.keys().eq(after.keys()));
            for (value, units) in before {
                prop_assert!(after[&value] == units || after[&value] == units + 20);
            }
        }
    }
}
