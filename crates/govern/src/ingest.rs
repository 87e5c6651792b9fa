//! Taking in a batch: verified, stored once per event id, in one transaction. What was acknowledged is on the disk.

use std::collections::BTreeMap;

use flagstone_events::otlp::{self, Encoding};
use flagstone_events::{Arm, Batch, Body, Event, EventError, Exposure, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::error::Refusal;
use crate::ranges::{self, Range};
use crate::store::{Store, count, from_sql, to_sql};
use crate::{GovernError, limits, withdraw};

/// The answer to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Accepted {
    /// Events stored by this request.
    pub accepted: u64,
    /// Events that had been stored before.
    pub duplicates: u64,
}

/// Reads, verifies and stores one batch; gives back its id and what became of it.
///
/// # Errors
/// A 422 refusal that names the event at fault: the batch is poison and must not be sent again. 500 when the store
/// cannot be written: send it again.
pub(crate) async fn take_in(store: &Store, body: &[u8], now_ms: u64) -> Result<(String, Accepted), Refusal> {
    let batch = match Batch::from_json(body) {
        Ok(batch) => batch,
        Err(error) => {
            let mut write = store.write().await?;
            count(&mut write, "refusedBatches", 1).await?;
            write.commit().await?;
            return Err(Refusal::new(422, error.code(), named(body, &error)));
        }
    };
    Ok((batch.id.clone(), store_batch(store, &batch, now_ms).await?))
}

/// The error with the event it is about, when it is about one.
fn named(body: &[u8], error: &EventError) -> String {
    let events =
        serde_json::from_slice::<Value>(body).ok().and_then(|mut batch| match batch.get_mut("events") {
            Some(Value::Array(events)) => Some(std::mem::take(events)),
            _ => None,
        });
    for (position, event) in events.into_iter().flatten().enumerate() {
        let sequence = event.get("sequence").map_or_else(|| "?".to_owned(), Value::to_string);
        let id = event.get("id").and_then(Value::as_str).unwrap_or("?").to_owned();
        let fault = match serde_json::from_value::<Event>(event) {
            Ok(event) => event.body.check().err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(fault) = fault {
            return format!("event {position} (sequence {sequence}, id `{id}`): {fault}");
        }
    }
    error.to_string()
}

/// Reads and stores a request of OTLP. The answer is how many of its records were rejected, and why the first was.
///
/// # Errors
/// As [`take_in`].
pub(crate) async fn take_in_otlp(
    store: &Store,
    body: &[u8],
    encoding: Encoding,
    now_ms: u64,
) -> Result<(u64, Option<String>), Refusal> {
    let received = otlp::decode(body, encoding);
    let mut write = store.write().await?;
    let received = match received {
        Ok(received) => received,
        Err(error) => {
            count(&mut write, "refusedBatches", 1).await?;
            write.commit().await?;
            return Err(Refusal::new(400, error.code(), error.to_string()));
        }
    };
    for report in &received.reports {
        let total = u64::try_from(report.events.len()).unwrap_or(u64::MAX);
        store_events(&mut write, &report.events, total, now_ms).await?;
        let one = |event: &Event| Range { first: event.sequence, last: event.sequence };
        note_ranges(&mut write, &report.instance, report.events.iter().map(one)).await?;
        note_instance(&mut write, &report.instance, &report.dropped, now_ms).await?;
        count(&mut write, "batches", 1).await?;
    }
    count(&mut write, "rejectedRecords", received.rejected).await?;
    write.commit().await?;
    Ok((received.rejected, received.problem))
}

async fn store_batch(store: &Store, batch: &Batch, now_ms: u64) -> Result<Accepted, GovernError> {
    let mut write = store.write().await?;
    let seen: Option<i64> = sqlx::query_scalar("SELECT 1 FROM batches WHERE id = ?")
        .bind(&batch.id)
        .fetch_optional(&mut *write)
        .await?;
    let events = if seen.is_some() { &[] } else { batch.events.as_slice() };
    let answer = store_events(&mut write, events, batch.count, now_ms).await?;
    if seen.is_none() {
        sqlx::query("INSERT INTO batches (id, instance, events, received_ms) VALUES (?, ?, ?, ?)")
            .bind(&batch.id)
            .bind(&batch.instance)
            .bind(to_sql(batch.count)?)
            .bind(to_sql(now_ms)?)
            .execute(&mut *write)
            .await?;
        let last = batch.first_sequence.saturating_add(batch.count).saturating_sub(1);
        note_ranges(&mut write, &batch.instance, [Range { first: batch.first_sequence, last }]).await?;
    }
    note_instance(&mut write, &batch.instance, &batch.dropped, now_ms).await?;
    count(&mut write, "batches", 1).await?;
    write.commit().await?;
    Ok(answer)
}

/// Stores those of `total` events that are given and new, and counts all of them.
async fn store_events(
    connection: &mut SqliteConnection,
    events: &[Event],
    total: u64,
    now_ms: u64,
) -> Result<Accepted, GovernError> {
    let (mut exposures, mut outcomes, mut withdrawals) = (Vec::new(), Vec::new(), Vec::new());
    for event in events {
        if let Body::Withdrawal(withdrawal) = &event.body {
            withdrawals.push(withdrawal.clone());
        }
    }
    let withdrawn_units = withdraw::keep(connection, &withdrawals).await?;
    let withdrawn = withdraw::among(connection, events).await?;
    let mut erased = (Vec::new(), Vec::new());
    for event in events {
        let gone = withdraw::covers(&withdrawn, &event.body);
        match &event.body {
            Body::Exposure(exposure) if gone => erased.0.push(exposure.clone()),
            Body::Exposure(exposure) => exposures.push(exposure.clone()),
            Body::Outcome(outcome) if gone => erased.1.push(outcome.clone()),
            Body::Outcome(outcome) => outcomes.push(outcome.clone()),
            Body::Withdrawal(_) => {}
        }
    }
    let exposures = store_exposures(connection, exposures, Keep::Whole, now_ms).await?;
    let outcomes = store_outcomes(connection, outcomes, Keep::Whole, now_ms).await?;
    let late = store_exposures(connection, erased.0, Keep::Id, now_ms)
        .await?
        .saturating_add(store_outcomes(connection, erased.1, Keep::Id, now_ms).await?);
    let accepted = exposures.saturating_add(outcomes).saturating_add(late).saturating_add(withdrawn_units);
    let answer = Accepted { accepted, duplicates: total.saturating_sub(accepted) };
    for (name, by) in [
        ("exposures", exposures),
        ("outcomes", outcomes),
        ("withdrawals", withdrawn_units),
        ("erasedEvents", late),
        ("duplicateEvents", answer.duplicates),
    ] {
        if by > 0 {
            count(connection, name, by).await?;
        }
    }
    Ok(answer)
}

/// How much of an event is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// All of it.
    Whole,
    /// Its id only: its unit has withdrawn.
    Id,
}

/// Stores those that are new; returns how many they are.
async fn store_exposures(
    connection: &mut SqliteConnection,
    exposures: Vec<Exposure>,
    keep: Keep,
    now_ms: u64,
) -> Result<u64, GovernError> {
    if exposures.is_empty() {
        return Ok(0);
    }
    let now = to_sql(now_ms)?;
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
        "INSERT INTO exposures (id, stream, flag, variant, arm, stage, cohort, probability, unit, snapshot, reason, at_ms,
         received_ms, inclusion) ",
    );
    query.push_values(exposures, |mut row, exposure| {
        if keep == Keep::Id {
            row.push_bind(exposure.id.as_bytes().to_vec())
                .push("'erased', '', '', 0, NULL, NULL, 0, x'', zeroblob(32), '', 0");
            row.push_bind(now).push("1000000000");
            return;
        }
        row.push_bind(exposure.id.as_bytes().to_vec())
            .push_bind(exposure.stream.as_str())
            .push_bind(exposure.flag)
            .push_bind(exposure.variant)
            .push_bind(arm_number(exposure.arm))
            .push_bind(exposure.stage)
            .push_bind(exposure.cohort)
            .push_bind(exposure.probability)
            .push_bind(exposure.unit.as_bytes().to_vec())
            .push_bind(exposure.snapshot.digest.to_vec())
            .push_bind(exposure.reason)
            .push_bind(i64::try_from(exposure.at_ms).unwrap_or(i64::MAX))
            .push_bind(now)
            .push_bind(exposure.inclusion.parts());
    });
    query.push(" ON CONFLICT (id) DO NOTHING");
    Ok(query.build().persistent(false).execute(connection).await?.rows_affected())
}

/// Stores those that are new; returns how many they are.
async fn store_outcomes(
    connection: &mut SqliteConnection,
    outcomes: Vec<Outcome>,
    keep: Keep,
    now_ms: u64,
) -> Result<u64, GovernError> {
    if outcomes.is_empty() {
        return Ok(0);
    }
    let now = to_sql(now_ms)?;
    let text = |map: serde_json::Result<String>| map.unwrap_or_else(|_| "{}".to_owned());
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
        "INSERT INTO outcomes (id, stream, name, unit, measures, booleans, slices, at_ms, received_ms, inclusion) ",
    );
    query.push_values(outcomes, |mut row, outcome| {
        if keep == Keep::Id {
            row.push_bind(outcome.id.as_bytes().to_vec()).push("'erased', '', x'', '{}', '{}', '{}', 0");
            row.push_bind(now).push("1000000000");
            return;
        }
        row.push_bind(outcome.id.as_bytes().to_vec())
            .push_bind(outcome.stream.as_str())
            .push_bind(outcome.name)
            .push_bind(outcome.unit.as_bytes().to_vec())
            .push_bind(text(serde_json::to_string(&outcome.measures)))
            .push_bind(text(serde_json::to_string(&outcome.booleans)))
            .push_bind(text(serde_json::to_string(&outcome.slices)))
            .push_bind(i64::try_from(outcome.at_ms).unwrap_or(i64::MAX))
            .push_bind(now)
            .push_bind(outcome.inclusion.parts());
    });
    query.push(" ON CONFLICT (id) DO NOTHING");
    Ok(query.build().persistent(false).execute(connection).await?.rows_affected())
}

/// Joins sequence numbers with those received before.
async fn note_ranges(
    connection: &mut SqliteConnection,
    instance: &str,
    new: impl IntoIterator<Item = Range>,
) -> Result<(), GovernError> {
    let known = read_ranges(connection, instance).await?;
    let joined = ranges::insert(&known, new);
    sqlx::query("DELETE FROM received_ranges WHERE instance = ?")
        .bind(instance)
        .execute(&mut *connection)
        .await?;
    for range in joined {
        sqlx::query("INSERT INTO received_ranges (instance, first, last) VALUES (?, ?, ?)")
            .bind(instance)
            .bind(to_sql(range.first)?)
            .bind(to_sql(range.last)?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The ranges of one instance, ascending.
pub(crate) async fn read_ranges(
    connection: &mut SqliteConnection,
    instance: &str,
) -> Result<Vec<Range>, GovernError> {
    let rows = sqlx::query("SELECT first, last FROM received_ranges WHERE instance = ? ORDER BY first")
        .bind(instance)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok(Range { first: from_sql(row.try_get("first")?), last: from_sql(row.try_get("last")?) }))
        .collect()
}

/// Keeps the larger of two declared losses, reason by reason, for the declaration is cumulative.
async fn note_instance(
    connection: &mut SqliteConnection,
    instance: &str,
    declared: &BTreeMap<String, u64>,
    now_ms: u64,
) -> Result<(), GovernError> {
    let known: Option<String> = sqlx::query_scalar("SELECT dropped FROM instances WHERE instance = ?")
        .bind(instance)
        .fetch_optional(&mut *connection)
        .await?;
    let mut dropped: BTreeMap<String, u64> = match known {
        Some(text) => serde_json::from_str(&text)?,
        None => BTreeMap::new(),
    };
    for (reason, lost) in declared {
        if dropped.len() >= limits::MAX_DROP_REASONS && !dropped.contains_key(reason) {
            continue;
        }
        let kept = dropped.entry(reason.clone()).or_default();
        *kept = (*kept).max(*lost);
    }
    sqlx::query(
        "INSERT INTO instances (instance, dropped, seen_ms) VALUES (?, ?, ?)
         ON CONFLICT (instance) DO UPDATE SET dropped = excluded.dropped, seen_ms = max(seen_ms, excluded.seen_ms)",
    )
    .bind(instance)
    .bind(serde_json::to_string(&dropped)?)
    .bind(to_sql(now_ms)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// How the store writes an arm.
pub(crate) fn arm_number(arm: Arm) -> i64 {
    match arm {
        Arm::None => 0,
        Arm::Treatment => 1,
        Arm::Control => 2,
    }
}
