//! The counts of an attempt by slice, as evidence has them. There are hundreds a rollout, so the database hands them over in
//! lists, and those are read where the rollout is judged.

use std::borrow::Cow;
use std::collections::BTreeMap;

use flagstone_judge::{CohortCounts, ExposedSlice, ExposedUnits, Latched, Slice, SliceEvidence};
use serde::Deserialize;
use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::contribution::DRAWN;
use crate::store::from_sql;

/// What was counted by slice in one attempt, as evidence has it.
#[derive(Debug, Default)]
pub(crate) struct SliceRows {
    pub(crate) measured: Vec<SliceEvidence>,
    pub(crate) exposed: Vec<ExposedSlice>,
    names: Names,
}

/// The slices of one dimension named so far, by dimension and value: every metric has the same ones.
#[derive(Debug, Default)]
struct Names(BTreeMap<String, BTreeMap<String, Slice>>);

impl Names {
    fn of(&mut self, dimension: &str, value: &str) -> Slice {
        if let Some(known) = self.0.get(dimension).and_then(|known| known.get(value)) {
            return known.clone();
        }
        let slice = Slice::of(dimension, value);
        self.0.entry(dimension.to_owned()).or_default().insert(value.to_owned(), slice.clone());
        slice
    }
}

impl SliceRows {
    /// Adds one list of counts.
    fn read(&mut self, kind: u8, metric: &str, text: &str) -> Result<(), GovernError> {
        let mut list: Vec<Cell<'_>> = serde_json::from_str(text)?;
        list.sort_unstable();
        for Cell(dimension, value, second, second_value, cohort, probability, t, tb, c, cb) in &list {
            let (cohort, probability) = (*cohort, *probability);
            let slice = self.names.of(dimension, value);
            let slice = if second.is_empty() { slice } else { slice.and(second, second_value) };
            let [treated, treated_bad, control, control_bad] = [*t, *tb, *c, *cb].map(from_sql);
            if kind == DRAWN {
                self.expose(slice, ExposedUnits { cohort, probability, treated, control });
                continue;
            }
            let counts = CohortCounts {
                cohort,
                probability,
                treated_bad,
                control_bad,
                treated_units: treated,
                control_units: control,
            };
            self.measure(metric, slice, counts);
        }
        Ok(())
    }

    fn expose(&mut self, slice: Slice, units: ExposedUnits) {
        match self.exposed.last_mut().filter(|last| last.slice == slice) {
            Some(last) => last.exposed.push(units),
            None => self.exposed.push(ExposedSlice { slice, exposed: vec![units] }),
        }
    }

    fn measure(&mut self, metric: &str, slice: Slice, counts: CohortCounts) {
        match self.measured.last_mut().filter(|last| last.metric == metric && last.slice == slice) {
            Some(last) => last.cohorts.push(counts),
            None => self.measured.push(SliceEvidence {
                metric: metric.to_owned(),
                slice,
                cohorts: vec![counts],
                latched: None,
            }),
        }
    }
}

/// One count as the database writes it into a list: the slice's dimension and value, a second one or nothing, cohort,
/// probability, then treated units, bad ones, control units, bad ones.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Cell<'l>(
    #[serde(borrow)] Cow<'l, str>,
    #[serde(borrow)] Cow<'l, str>,
    #[serde(borrow)] Cow<'l, str>,
    #[serde(borrow)] Cow<'l, str>,
    u8,
    u32,
    i64,
    i64,
    i64,
    i64,
);

/// The same as the database has written it, so that it can be read where there is time for it.
#[derive(Debug, Default)]
pub(crate) struct SliceTexts {
    /// Kind, metric, the counts as a JSON list.
    lists: Vec<(u8, String, String)>,
    /// What stands by itself.
    latched: Vec<SliceEvidence>,
}

impl SliceTexts {
    /// Reads it.
    pub(crate) fn read(self) -> Result<SliceRows, GovernError> {
        let mut rows = SliceRows::default();
        for (kind, metric, text) in &self.lists {
            rows.read(*kind, metric, text)?;
        }
        // Entries of one slice add up, so what has latched may stand by itself.
        rows.measured.extend(self.latched);
        Ok(rows)
    }
}

/// What was counted by slice in these attempts (their ids as a JSON list), and what has latched there.
pub(crate) async fn load(
    connection: &mut SqliteConnection,
    attempts: &str,
) -> Result<BTreeMap<i64, SliceTexts>, GovernError> {
    // A list for each attempt and metric: the client of the database takes microseconds a row, and there are hundreds a flag.
    let rows = sqlx::query(
        "SELECT attempt, kind, name, json_group_array(json_array(dimension, value, second, second_value, cohort, probability,
         treated, treated_bad, control, control_bad)) FROM slice_tallies
         WHERE attempt IN (SELECT value FROM json_each(?)) AND (treated <> 0 OR control <> 0)
         GROUP BY attempt, kind, name ORDER BY attempt, kind, name",
    )
    .bind(attempts)
    .fetch_all(&mut *connection)
    .await?;
    let mut found: BTreeMap<i64, SliceTexts> = BTreeMap::new();
    for row in &rows {
        let list = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        found.entry(row.try_get(0)?).or_default().lists.push(list);
    }
    let rows = sqlx::query(
        "SELECT attempt, metric, dimension, value, latched FROM slice_latches
         WHERE attempt IN (SELECT value FROM json_each(?)) ORDER BY attempt, metric, dimension, value",
    )
    .bind(attempts)
    .fetch_all(connection)
    .await?;
    for row in rows {
        found.entry(row.try_get("attempt")?).or_default().latched.push(SliceEvidence {
            metric: row.try_get("metric")?,
            slice: Slice::of(row.try_get("dimension")?, row.try_get("value")?),
            cohorts: Vec::new(),
            latched: Some(serde_json::from_str::<Latched>(row.try_get("latched")?)?),
        });
    }
    Ok(found)
}
