//! Which slice a unit is in: of each dimension the value of the unit's **earliest** outcome that has one.
//!
//! The earliest, and not the newest: a unit then stays in its slice whatever the candidate does to it later, and for those
//! who were seen before they were enrolled the slice is older than the treatment. The value depends on the unit alone,
//! not on the attempt, and merges in any order. Only dimensions that a plan asks for are kept.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::GovernError;
use crate::contribution::of_metric;
use crate::derive::{AT_ONCE, Live, catching_up, cursor, set_cursor};
use crate::slice_tally::SliceChanges;
use crate::store::from_sql;
use crate::unit_rows;

/// Rows in one statement: 2 values each.
const ROWS: usize = 2_000;

/// The earliest value: unix milliseconds, the event's id in hexadecimal, the value. Ordered by the first two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Earliest(u64, String, pub(crate) String);

/// What is known of a unit, by dimension.
pub(crate) type Known = BTreeMap<String, Earliest>;

/// The value of a dimension.
pub(crate) fn value_of<'k>(known: Option<&'k Known>, dimension: &str) -> Option<&'k str> {
    known?.get(dimension).map(|earliest| earliest.2.as_str())
}

/// Adds what one outcome says.
fn note(known: &mut Known, dimension: &str, found: Earliest) {
    match known.get_mut(dimension) {
        Some(earliest) if found < *earliest => *earliest = found,
        Some(_) => {}
        None => {
            known.insert(dimension.to_owned(), found);
        }
    }
}

/// What is known of these units.
pub(crate) async fn load<'k>(
    connection: &mut SqliteConnection,
    units: impl IntoIterator<Item = &'k Vec<u8>>,
) -> Result<BTreeMap<Vec<u8>, Known>, GovernError> {
    let units: BTreeSet<&Vec<u8>> = units.into_iter().collect();
    let units: Vec<&Vec<u8>> = units.into_iter().collect();
    let mut found = BTreeMap::new();
    for some in units.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("SELECT unit, known FROM unit_slices WHERE unit IN (");
        let mut list = query.separated(", ");
        for unit in some {
            list.push_bind(unit.as_slice());
        }
        query.push(")");
        for row in query.build().persistent(false).fetch_all(&mut *connection).await? {
            let known: Known = serde_json::from_str(&row.try_get::<String, _>("known")?)?;
            found.insert(row.try_get("unit")?, known);
        }
    }
    Ok(found)
}

async fn store(
    connection: &mut SqliteConnection,
    units: &BTreeMap<Vec<u8>, Known>,
) -> Result<(), GovernError> {
    let mut rows = Vec::with_capacity(units.len());
    for (unit, known) in units {
        rows.push((unit.as_slice(), serde_json::to_string(known)?));
    }
    for some in rows.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT OR REPLACE INTO unit_slices (unit, known) ");
        query.push_values(some, |mut row, (unit, known)| {
            row.push_bind(*unit).push_bind(known.as_str());
        });
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

fn cursor_name(dimension: &str) -> String {
    format!("slice {dimension}")
}

/// Reads the slices of the next outcomes. Returns how many outcomes it looked at: 0 when there is no more.
pub(crate) async fn derive(connection: &mut SqliteConnection, live: &[Live]) -> Result<usize, GovernError> {
    let asked: BTreeSet<&str> =
        live.iter().flat_map(|live| live.slices.dimensions.keys().map(String::as_str)).collect();
    let mut read_upto: Vec<(i64, &str)> = Vec::new();
    for dimension in asked {
        read_upto.push((cursor(connection, &cursor_name(dimension)).await?, dimension));
    }
    let Some((from, upto)) = catching_up(&read_upto) else { return Ok(0) };
    let dimensions: BTreeSet<&str> =
        read_upto.iter().filter(|(row, _)| *row == from).map(|(_, dimension)| *dimension).collect();
    let rows = sqlx::query(
        "SELECT row, id, unit, slices, at_ms FROM outcomes WHERE row > ? AND row <= ? AND stream = 'production'
         ORDER BY row LIMIT ?",
    )
    .bind(from)
    .bind(upto)
    .bind(AT_ONCE)
    .fetch_all(&mut *connection)
    .await?;
    let last = match rows.last() {
        Some(last) => last.try_get("row")?,
        None if upto < i64::MAX => upto,
        None => return Ok(0),
    };
    let mut said: BTreeMap<Vec<u8>, Known> = BTreeMap::new();
    for row in &rows {
        take(&mut said, row, &dimensions)?;
    }
    merge(connection, said, live).await?;
    for dimension in dimensions {
        set_cursor(connection, &cursor_name(dimension), last).await?;
    }
    Ok(rows.len().max(1))
}

fn take(
    said: &mut BTreeMap<Vec<u8>, Known>,
    row: &sqlx::sqlite::SqliteRow,
    dimensions: &BTreeSet<&str>,
) -> Result<(), GovernError> {
    let text: &str = row.try_get("slices")?;
    if text == "{}" {
        return Ok(());
    }
    let slices: BTreeMap<String, String> = serde_json::from_str(text)?;
    let mut asked = slices.into_iter().filter(|(name, _)| dimensions.contains(name.as_str())).peekable();
    if asked.peek().is_none() {
        return Ok(());
    }
    let at_ms = from_sql(row.try_get("at_ms")?);
    let id = flagstone_events::to_hex(row.try_get::<&[u8], _>("id")?);
    let known = said.entry(row.try_get("unit")?).or_default();
    for (name, value) in asked {
        note(known, &name, Earliest(at_ms, id.clone(), value));
    }
    Ok(())
}

/// Puts what outcomes said beside what was known; units whose slice is another one now are counted there.
async fn merge(
    connection: &mut SqliteConnection,
    said: BTreeMap<Vec<u8>, Known>,
    live: &[Live],
) -> Result<(), GovernError> {
    let before = load(connection, said.keys()).await?;
    let (mut after, mut moved): (BTreeMap<Vec<u8>, Known>, Vec<Vec<u8>>) = (BTreeMap::new(), Vec::new());
    for (unit, new) in said {
        let old = before.get(&unit);
        let mut known = old.cloned().unwrap_or_default();
        for (dimension, earliest) in new {
            note(&mut known, &dimension, earliest);
        }
        if old == Some(&known) {
            continue;
        }
        if known.iter().any(|(dimension, earliest)| value_of(old, dimension) != Some(&earliest.2)) {
            moved.push(unit.clone());
        }
        after.insert(unit, known);
    }
    tally(connection, &moved, &before, &after, live).await?;
    store(connection, &after).await
}

/// Slices changed; units and readings did not.
async fn tally(
    connection: &mut SqliteConnection,
    moved: &[Vec<u8>],
    before: &BTreeMap<Vec<u8>, Known>,
    after: &BTreeMap<Vec<u8>, Known>,
    live: &[Live],
) -> Result<(), GovernError> {
    let mut changes = SliceChanges::default();
    let all = unit_rows::load_for(connection, live, &moved.iter().collect()).await?;
    for live in live.iter().filter(|live| !live.slices.is_empty()) {
        let mine = || all.range((live.attempt, Vec::new())..(live.attempt.saturating_add(1), Vec::new()));
        if mine().next().is_none() {
            continue;
        }
        for ((_, key), unit) in mine() {
            let parts = crate::contribution::of_exposure(unit);
            changes.resliced(live, "", (before.get(key), after.get(key)), &parts);
        }
        for metric in live.metrics.iter().filter(|metric| live.slices.watched.contains_key(&metric.name)) {
            let Some(rule) = &metric.rule else { continue };
            let asked = mine().map(|((_, unit), _)| unit);
            let readings = unit_rows::readings(connection, &rule.digest, asked).await?;
            for ((_, key), unit) in mine() {
                let Some(readings) = readings.get(key) else { continue };
                let parts = of_metric(&metric.name, unit, readings, metric.window_ms);
                changes.resliced(live, &metric.name, (before.get(key), after.get(key)), &parts);
            }
        }
    }
    changes.store(connection).await
}

/// Reads a unit's slices again from what is left of its outcomes; for a unit that is counted nowhere at this moment.
pub(crate) async fn again(connection: &mut SqliteConnection, unit: &[u8]) -> Result<(), GovernError> {
    sqlx::query("DELETE FROM unit_slices WHERE unit = ?").bind(unit).execute(&mut *connection).await?;
    // Dimensions that nobody asks for at present too: what was read of them is not read a second time.
    let read: Vec<(String, i64)> =
        sqlx::query_as("SELECT substr(name, 7), row FROM cursors WHERE name LIKE 'slice %'")
            .fetch_all(&mut *connection)
            .await?;
    let mut said: BTreeMap<Vec<u8>, Known> = BTreeMap::new();
    for (dimension, upto) in &read {
        let rows = sqlx::query(
            "SELECT id, unit, slices, at_ms FROM outcomes WHERE unit = ? AND row <= ? AND stream = 'production'",
        )
        .bind(unit)
        .bind(upto)
        .fetch_all(&mut *connection)
        .await?;
        for row in &rows {
            take(&mut said, row, &BTreeSet::from([dimension.as_str()]))?;
        }
    }
    store(connection, &said).await
}
