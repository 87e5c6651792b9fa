//! Taking in a batch: verified, stored once per event id, in one transaction. What was acknowledged is on the disk.

use std::collections::BTreeMap;

use flagstone_events::{Arm, Batch, Body, Event, EventError, Exposure, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Row, SqliteConnection};

use crate::error::Refusal;
use crate::ranges::{self, Range};
use crate::store::{Store, count, from_sql, to_sql};
use crate::{GovernError, limits};

/// The answer to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Accepted {
    /// Events stored by this request.
    pub accepted: u64,
    /// Events that had been stored before.
    pub duplicates: u64,
}

/// Reads, verifies and stores one batch.
///
/// # Errors
/// A 422 refusal that names the event at fault: the batch is poison and must not be sent again. 500 when the store
/// cannot be written: send it again.
pub(crate) async fn take_in(store: &Store, body: &[u8], now_ms: u64) -> Result<Accepted, Refusal> {
    let batch = match Batch::from_json(body) {
        Ok(batch) => batch,
        Err(error) => {
            let mut write = store.write().await?;
            count(&mut write, "refusedBatches", 1).await?;
            write.commit().await?;
            return Err(Refusal::new(422, error.code(), named(body, &error)));
        }
    };
    Ok(store_batch(store, &batch, now_ms).await?)
}

/// The error with the event it is about, when it is about one.
fn named(body: &[u8], error: &EventError) -> String {
    let events = serde_json::from_slice::<Value>(body).ok().and_then(|mut batch| match batch.get_mut("events") {
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

async fn store_batch(store: &Store, batch: &Batch, now_ms: u64) -> Result<Accepted, GovernError> {
    let mut write = store.write().await?;
    let seen: Option<i64> = sqlx::query_scalar("SELECT 1 FROM batches WHERE id = ?")
        .bind(&batch.id)
        .fetch_optional(&mut *write)
        .await?;
    let (mut answer, mut exposures) = (Accepted::default(), 0_u64);
    if seen.is_some() {
        answer.duplicates = batch.count;
    } else {
        for event in &batch.events {
            let stored = match &event.body {
                Body::Exposure(exposure) => store_exposure(&mut write, exposure, now_ms).await?,
                Body::Outcome(outcome) => store_outcome(&mut write, outcome, now_ms).await?,
            };
            if stored {
                answer.accepted = answer.accepted.saturating_add(1);
                exposures = exposures.saturating_add(u64::from(matches!(event.body, Body::Exposure(_))));
            } else {
                answer.duplicates = answer.duplicates.saturating_add(1);
            }
        }
        sqlx::query("INSERT INTO batches (id, instance, events, received_ms) VALUES (?, ?, ?, ?)")
            .bind(&batch.id)
            .bind(&batch.instance)
            .bind(to_sql(batch.count)?)
            .bind(to_sql(now_ms)?)
            .execute(&mut *write)
            .await?;
        note_range(&mut write, batch).await?;
    }
    note_instance(&mut write, batch, now_ms).await?;
    count(&mut write, "batches", 1).await?;
    count(&mut write, "exposures", exposures).await?;
    count(&mut write, "outcomes", answer.accepted.saturating_sub(exposures)).await?;
    count(&mut write, "duplicateEvents", answer.duplicates).await?;
    write.commit().await?;
    Ok(answer)
}

async fn store_exposure(
    connection: &mut SqliteConnection,
    exposure: &Exposure,
    now_ms: u64,
) -> Result<bool, GovernError> {
    let result = sqlx::query(
        "INSERT INTO exposures (id, stream, flag, variant, arm, stage, cohort, probability, unit, snapshot, reason, at_ms, received_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
    )
    .bind(exposure.id.as_bytes().as_slice())
    .bind(exposure.stream.as_str())
    .bind(&exposure.flag)
    .bind(&exposure.variant)
    .bind(arm_number(exposure.arm))
    .bind(exposure.stage)
    .bind(exposure.cohort)
    .bind(exposure.probability)
    .bind(exposure.unit.as_bytes().as_slice())
    .bind(exposure.snapshot.digest.as_slice())
    .bind(&exposure.reason)
    .bind(to_sql(exposure.at_ms)?)
    .bind(to_sql(now_ms)?)
    .execute(connection)
    .await?;
    Ok(result.rows_affected() > 0)
}

async fn store_outcome(
    connection: &mut SqliteConnection,
    outcome: &Outcome,
    now_ms: u64,
) -> Result<bool, GovernError> {
    let result = sqlx::query(
        "INSERT INTO outcomes (id, stream, name, unit, measures, booleans, slices, at_ms, received_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
    )
    .bind(outcome.id.as_bytes().as_slice())
    .bind(outcome.stream.as_str())
    .bind(&outcome.name)
    .bind(outcome.unit.as_bytes().as_slice())
    .bind(serde_json::to_string(&outcome.measures)?)
    .bind(serde_json::to_string(&outcome.booleans)?)
    .bind(serde_json::to_string(&outcome.slices)?)
    .bind(to_sql(outcome.at_ms)?)
    .bind(to_sql(now_ms)?)
    .execute(connection)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Joins the batch's sequence numbers with those received before.
async fn note_range(connection: &mut SqliteConnection, batch: &Batch) -> Result<(), GovernError> {
    let ranges = read_ranges(connection, &batch.instance).await?;
    let last = batch.first_sequence.saturating_add(batch.count).saturating_sub(1);
    let joined = ranges::insert(&ranges, Range { first: batch.first_sequence, last });
    sqlx::query("DELETE FROM received_ranges WHERE instance = ?")
        .bind(&batch.instance)
        .execute(&mut *connection)
        .await?;
    for range in joined {
        sqlx::query("INSERT INTO received_ranges (instance, first, last) VALUES (?, ?, ?)")
            .bind(&batch.instance)
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
    batch: &Batch,
    now_ms: u64,
) -> Result<(), GovernError> {
    let known: Option<String> = sqlx::query_scalar("SELECT dropped FROM instances WHERE instance = ?")
        .bind(&batch.instance)
        .fetch_optional(&mut *connection)
        .await?;
    let mut dropped: BTreeMap<String, u64> = match known {
        Some(text) => serde_json::from_str(&text)?,
        None => BTreeMap::new(),
    };
    for (reason, lost) in &batch.dropped {
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
    .bind(&batch.instance)
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
