//! From stored events to what evidence is counted of: units with their enrolment, and outcomes as metrics read them.
//!
//! Units merge ([`crate::unit`]) and readings are a set, so the result does not depend on the order in which events
//! came in: an outcome may arrive before its exposure.

use std::collections::BTreeMap;

use flagstone_events::Arm;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::metric::{MetricRule, Reading};
use crate::store::{count, from_sql, to_sql};
use crate::unit::{First, Unit};

/// Events taken in one step, so that one transaction stays a matter of milliseconds.
const AT_ONCE: u32 = 2_000;

/// Takes the next new exposures into units. Returns how many events it read: 0 when there is no more.
pub(crate) async fn exposures(connection: &mut SqliteConnection) -> Result<usize, GovernError> {
    let from = cursor(connection, "exposures").await?;
    let rows = sqlx::query(
        "SELECT e.row, e.id, e.arm, e.cohort, e.probability, e.unit, e.at_ms, e.received_ms, a.attempt, s.digest IS NULL AS stray
         FROM exposures e LEFT JOIN attempt_snapshots a ON a.snapshot = e.snapshot AND a.flag = e.flag
         LEFT JOIN snapshots s ON s.digest = e.snapshot
         WHERE e.row > ? AND e.stream = 'production' ORDER BY e.row LIMIT ?",
    )
    .bind(from)
    .bind(AT_ONCE)
    .fetch_all(&mut *connection)
    .await?;
    let Some(last) = rows.last() else { return Ok(0) };
    let last: i64 = last.try_get("row")?;
    let mut strays = 0_u64;
    for row in &rows {
        strays = strays.saturating_add(u64::from(row.try_get::<bool, _>("stray")?));
    }
    merge_rows(connection, &rows).await?;
    count(connection, "strayExposures", strays).await?;
    set_cursor(connection, "exposures", last).await?;
    Ok(rows.len())
}

/// Takes in what was stored of a snapshot's flag before it was known which attempt it belongs to.
pub(crate) async fn exposures_of_snapshot(
    connection: &mut SqliteConnection,
    snapshot: &[u8; 32],
    flag: &str,
) -> Result<(), GovernError> {
    let upto = cursor(connection, "exposures").await?;
    let rows = sqlx::query(
        "SELECT e.row, e.id, e.arm, e.cohort, e.probability, e.unit, e.at_ms, e.received_ms, a.attempt
         FROM exposures e JOIN attempt_snapshots a ON a.snapshot = e.snapshot AND a.flag = e.flag
         WHERE e.snapshot = ? AND e.flag = ? AND e.row <= ? AND e.stream = 'production'",
    )
    .bind(snapshot.as_slice())
    .bind(flag)
    .bind(upto)
    .fetch_all(&mut *connection)
    .await?;
    merge_rows(connection, &rows).await
}

async fn merge_rows(connection: &mut SqliteConnection, rows: &[SqliteRow]) -> Result<(), GovernError> {
    let mut units: BTreeMap<(i64, Vec<u8>), Unit> = BTreeMap::new();
    let mut attempts: BTreeMap<i64, (u64, i64)> = BTreeMap::new();
    for row in rows {
        let arm = arm_of(row.try_get("arm")?);
        let Some(attempt) = row.try_get::<Option<i64>, _>("attempt")?.filter(|_| arm != Arm::None) else {
            continue;
        };
        let first = First {
            at_ms: from_sql(row.try_get("at_ms")?),
            by: row.try_get::<Vec<u8>, _>("id")?.try_into().map_err(|_| GovernError::Stored("event id"))?,
            arm,
            cohort: row.try_get("cohort")?,
            probability: row.try_get("probability")?,
        };
        let unit = units.entry((attempt, row.try_get("unit")?)).or_default();
        *unit = unit.merge(Unit::of(first));
        let (events, last) = attempts.entry(attempt).or_insert((0, 0));
        *events = events.saturating_add(1);
        *last = (*last).max(row.try_get("received_ms")?);
    }
    for ((attempt, key), unit) in units {
        let known = sqlx::query("SELECT * FROM units WHERE attempt = ? AND unit = ?")
            .bind(attempt)
            .bind(&key)
            .fetch_optional(&mut *connection)
            .await?;
        let unit = match known {
            Some(row) => unit.merge(read_unit(&row)?),
            None => unit,
        };
        write_unit(connection, attempt, &key, &unit).await?;
    }
    for (attempt, (events, last)) in attempts {
        sqlx::query(
            "INSERT INTO attempt_exposures (attempt, events, last_ms) VALUES (?, ?, ?) ON CONFLICT (attempt) DO UPDATE
             SET events = events + excluded.events, last_ms = max(last_ms, excluded.last_ms)",
        )
        .bind(attempt)
        .bind(to_sql(events)?)
        .bind(last)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

fn read_unit(row: &SqliteRow) -> Result<Unit, GovernError> {
    let first = |at: &str, by: &str, arm: &str, cohort: &str, probability: u32| {
        let Some(at_ms) = row.try_get::<Option<i64>, _>(at)? else { return Ok(None) };
        Ok::<_, GovernError>(Some(First {
            at_ms: from_sql(at_ms),
            by: row.try_get::<Vec<u8>, _>(by)?.try_into().map_err(|_| GovernError::Stored("event id"))?,
            arm: arm_of(row.try_get(arm)?),
            cohort: row.try_get(cohort)?,
            probability,
        }))
    };
    let arms: i64 = row.try_get("arms")?;
    let probability: Option<u32> = row.try_get("probability")?;
    Ok(Unit {
        enrolled: first("enrolled_ms", "enrolled_by", "arm", "cohort", probability.unwrap_or(0))?,
        plain: first("plain_ms", "plain_by", "plain_arm", "plain_cohort", 0)?,
        in_treatment: arms & 1 != 0,
        in_control: arms & 2 != 0,
        treated: row.try_get("treated")?,
    })
}

async fn write_unit(
    connection: &mut SqliteConnection,
    attempt: i64,
    key: &[u8],
    unit: &Unit,
) -> Result<(), GovernError> {
    let time = |first: Option<First>| first.map(|first| to_sql(first.at_ms)).transpose();
    sqlx::query(
        "INSERT OR REPLACE INTO units (attempt, unit, arms, treated, enrolled_ms, enrolled_by, arm, cohort, probability,
         plain_ms, plain_by, plain_arm, plain_cohort) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(attempt)
    .bind(key)
    .bind(i64::from(unit.in_treatment) | (i64::from(unit.in_control) << 1))
    .bind(unit.treated)
    .bind(time(unit.enrolled)?)
    .bind(unit.enrolled.map(|first| first.by.to_vec()))
    .bind(unit.enrolled.map(|first| crate::ingest::arm_number(first.arm)))
    .bind(unit.enrolled.and_then(|first| first.cohort))
    .bind(unit.enrolled.map(|first| first.probability))
    .bind(time(unit.plain)?)
    .bind(unit.plain.map(|first| first.by.to_vec()))
    .bind(unit.plain.map(|first| crate::ingest::arm_number(first.arm)))
    .bind(unit.plain.and_then(|first| first.cohort))
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets a metric read the next outcomes of its event, from the first one on when it is new. Returns how many events
/// it looked at: 0 when there is no more.
pub(crate) async fn outcomes(
    connection: &mut SqliteConnection,
    rule: &MetricRule,
) -> Result<usize, GovernError> {
    let name = format!("metric {}", flagstone_events::to_hex(&rule.digest));
    let from = cursor(connection, &name).await?;
    let rows = sqlx::query(
        "SELECT row, unit, measures, booleans, slices, at_ms, received_ms FROM outcomes
         WHERE name = ? AND row > ? AND stream = 'production' ORDER BY row LIMIT ?",
    )
    .bind(&rule.event)
    .bind(from)
    .bind(AT_ONCE)
    .fetch_all(&mut *connection)
    .await?;
    let Some(last) = rows.last() else { return Ok(0) };
    let last: i64 = last.try_get("row")?;
    let (mut read, mut unread, mut last_ms) = (0_u64, 0_u64, 0_i64);
    for row in &rows {
        let text = |column: &str| row.try_get::<String, _>(column);
        let reading = rule.read(
            &serde_json::from_str(&text("measures")?)?,
            &serde_json::from_str(&text("booleans")?)?,
            &serde_json::from_str(&text("slices")?)?,
        );
        match reading {
            Reading::Elsewhere => continue,
            Reading::Unreadable => unread = unread.saturating_add(1),
            Reading::Read { bad } => {
                read = read.saturating_add(1);
                last_ms = last_ms.max(row.try_get("received_ms")?);
                sqlx::query("INSERT OR IGNORE INTO readings (metric, unit, at_ms, bad) VALUES (?, ?, ?, ?)")
                    .bind(rule.digest.as_slice())
                    .bind(row.try_get::<Vec<u8>, _>("unit")?)
                    .bind(row.try_get::<i64, _>("at_ms")?)
                    .bind(bad)
                    .execute(&mut *connection)
                    .await?;
            }
        }
    }
    sqlx::query(
        "INSERT INTO metric_reads (metric, read, unread, last_ms) VALUES (?, ?, ?, ?) ON CONFLICT (metric) DO UPDATE
         SET read = read + excluded.read, unread = unread + excluded.unread, last_ms = max(last_ms, excluded.last_ms)",
    )
    .bind(rule.digest.as_slice())
    .bind(to_sql(read)?)
    .bind(to_sql(unread)?)
    .bind(last_ms)
    .execute(&mut *connection)
    .await?;
    set_cursor(connection, &name, last).await?;
    Ok(rows.len())
}

fn arm_of(number: i64) -> Arm {
    match number {
        1 => Arm::Treatment,
        2 => Arm::Control,
        _ => Arm::None,
    }
}

async fn cursor(connection: &mut SqliteConnection, name: &str) -> Result<i64, GovernError> {
    let row: Option<i64> = sqlx::query_scalar("SELECT row FROM cursors WHERE name = ?")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    Ok(row.unwrap_or(0))
}

async fn set_cursor(connection: &mut SqliteConnection, name: &str, row: i64) -> Result<(), GovernError> {
    sqlx::query("INSERT INTO cursors (name, row) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET row = excluded.row")
        .bind(name)
        .bind(row)
        .execute(connection)
        .await?;
    Ok(())
}
