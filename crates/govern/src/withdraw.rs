//! Withdrawals: a unit takes its consent back, and its rows are erased. What was counted of it leaves the counts as well, in every
//! attempt that is still judged, the sample ratio included: when leaving depends on the arm, that shows there.

use std::collections::BTreeMap;

use flagstone_events::{Body, Event, Withdrawal};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::GovernError;
use crate::contribution::{of_exposure, of_metric};
use crate::derive::{self, Live};
use crate::drift;
use crate::slice_tally::SliceChanges;
use crate::store::{count, from_sql, to_sql};
use crate::tally::Changes;
use crate::unit_rows::{self, UnitKey};
use crate::{unit_slices, values};

/// Units taken out of the counts in one step.
const AT_ONCE: u32 = 200;
/// Units asked for in one statement.
const ROWS: usize = 2_000;

/// When units withdrew, by stream and unit.
pub(crate) type Withdrawn = BTreeMap<(String, Vec<u8>), u64>;

/// Keeps the tombstones of a batch and erases the events that are there.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    withdrawals: &[Withdrawal],
) -> Result<u64, GovernError> {
    let (mut new, mut erased) = (0_u64, 0_u64);
    for one in withdrawals {
        let (stream, unit) = (one.stream.as_str(), one.unit.as_bytes().as_slice());
        let at_ms = to_sql(one.at_ms)?;
        let changed = sqlx::query(
            "INSERT INTO withdrawals (stream, unit, at_ms, pending) VALUES (?, ?, ?, ?) ON CONFLICT (stream, unit)
             DO UPDATE SET at_ms = excluded.at_ms, pending = excluded.pending WHERE excluded.at_ms > at_ms",
        )
        .bind(stream)
        .bind(unit)
        .bind(at_ms)
        .bind(i64::from(stream == "production"))
        .execute(&mut *connection)
        .await?;
        if changed.rows_affected() == 0 {
            continue;
        }
        new = new.saturating_add(1);
        for erase in [
            "UPDATE exposures SET stream = 'erased', flag = '', variant = '', arm = 0, stage = NULL, cohort = NULL,
             probability = 0, unit = x'', snapshot = zeroblob(32), reason = '', at_ms = 0, inclusion = 1000000000
             WHERE stream = ? AND unit = ? AND at_ms <= ?",
            "UPDATE outcomes SET stream = 'erased', name = '', unit = x'', measures = '{}', booleans = '{}',
             slices = '{}', at_ms = 0, inclusion = 1000000000 WHERE stream = ? AND unit = ? AND at_ms <= ?",
        ] {
            let gone = sqlx::query(erase).bind(stream).bind(unit).bind(at_ms).execute(&mut *connection).await?;
            erased = erased.saturating_add(gone.rows_affected());
        }
    }
    if erased > 0 {
        count(connection, "erasedEvents", erased).await?;
    }
    Ok(new)
}

/// Which of the units that these events are about have withdrawn.
pub(crate) async fn among(
    connection: &mut SqliteConnection,
    events: &[Event],
) -> Result<Withdrawn, GovernError> {
    let mut found = Withdrawn::new();
    let any: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM withdrawals LIMIT 1").fetch_optional(&mut *connection).await?;
    if any.is_none() {
        return Ok(found);
    }
    let units: Vec<[u8; 16]> = events.iter().map(|event| *event.body.unit().as_bytes()).collect();
    for some in units.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("SELECT stream, unit, at_ms FROM withdrawals WHERE unit IN (");
        let mut list = query.separated(", ");
        for unit in some {
            list.push_bind(unit.to_vec());
        }
        query.push(")");
        for row in query.build().persistent(false).fetch_all(&mut *connection).await? {
            found.insert((row.try_get("stream")?, row.try_get("unit")?), from_sql(row.try_get("at_ms")?));
        }
    }
    Ok(found)
}

/// Whether an event is one that its unit took back.
pub(crate) fn covers(withdrawn: &Withdrawn, body: &Body) -> bool {
    if withdrawn.is_empty() {
        return false;
    }
    let key = (body.stream().as_str().to_owned(), body.unit().as_bytes().to_vec());
    withdrawn.get(&key).is_some_and(|at_ms| body.at_ms() <= *at_ms)
}

/// Takes the next units that withdrew out of what was derived. Returns how many it saw: 0 when there is no more.
pub(crate) async fn apply(connection: &mut SqliteConnection, live: &[Live]) -> Result<usize, GovernError> {
    let rows = sqlx::query("SELECT unit, at_ms FROM withdrawals WHERE pending = 1 ORDER BY unit LIMIT ?")
        .bind(AT_ONCE)
        .fetch_all(&mut *connection)
        .await?;
    let mut known = 0_u64;
    for row in &rows {
        let (unit, at_ms): (Vec<u8>, i64) = (row.try_get("unit")?, row.try_get("at_ms")?);
        known = known.saturating_add(u64::from(one(connection, &unit, at_ms, live).await?));
    }
    if known > 0 {
        count(connection, "withdrawnUnits", known).await?;
    }
    Ok(rows.len())
}

/// Whether the unit was in any attempt.
async fn one(
    connection: &mut SqliteConnection,
    unit: &[u8],
    at_ms: i64,
    live: &[Live],
) -> Result<bool, GovernError> {
    let keys: Vec<UnitKey> = live.iter().map(|live| (live.attempt, unit.to_vec())).collect();
    let before = unit_rows::load(connection, &keys).await?;
    let (mut changes, mut sliced) = (Changes::default(), SliceChanges::default());
    let known = unit_slices::load(connection, [&unit.to_vec()]).await?.into_values().next();
    for live in live {
        let Some(old) = before.get(&(live.attempt, unit.to_vec())) else { continue };
        let parts = of_exposure(old);
        sliced.moved(live, "", known.as_ref(), (&parts, &[]));
        changes.moved(live.attempt, parts, Vec::new());
        for metric in live.metrics.iter() {
            let Some(rule) = &metric.rule else { continue };
            let readings = unit_rows::readings(connection, &rule.digest, [&unit.to_vec()]).await?;
            let readings = readings.into_values().next().unwrap_or_default();
            let parts = of_metric(&metric.name, old, &readings, metric.window_ms);
            sliced.moved(live, &metric.name, known.as_ref(), (&parts, &[]));
            changes.moved(live.attempt, parts, Vec::new());
            changes.moved(live.attempt, drift::beside(metric, old, &readings), Vec::new());
        }
    }
    sliced.store(connection).await?;
    changes.store(connection).await?;
    let gone = sqlx::query("DELETE FROM units WHERE unit = ?").bind(unit).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM readings WHERE unit = ? AND at_ms <= ?")
        .bind(unit)
        .bind(at_ms)
        .execute(&mut *connection)
        .await?;
    values::forget(connection, unit, at_ms, live).await?;
    unit_slices::again(connection, unit).await?;
    // A unit that has consented again since comes back with what it did since.
    derive::exposures_of_unit(connection, unit, live).await?;
    sqlx::query("UPDATE withdrawals SET pending = 0 WHERE stream = 'production' AND unit = ?")
        .bind(unit)
        .execute(&mut *connection)
        .await?;
    Ok(gone.rows_affected() > 0)
}
