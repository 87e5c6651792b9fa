//! Outcomes as metrics measure them, and a note of every unit that must be looked at again.

use std::collections::BTreeSet;

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::rule::{Reading, ValueRule};
use super::unit::Value;
use crate::GovernError;
use crate::derive::{AT_ONCE, Live, cursor, set_cursor};
use crate::store::{from_sql, to_sql};
use crate::unit_rows::UnitKey;

/// Rows in one statement: 7 values each, and SQLite takes 32,766.
const ROWS: usize = 4_000;

/// Lets a rule read the next outcomes of its event, from the first one on when it is new. Returns how many events it looked
/// at: 0 when there is no more.
pub(crate) async fn outcomes(
    connection: &mut SqliteConnection,
    rule: &ValueRule,
    live: &[Live],
) -> Result<usize, GovernError> {
    let name = format!("values {}", flagstone_events::to_hex(&rule.digest));
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
    let (mut new, mut unread, mut last_ms) = (Vec::new(), 0_u64, 0_i64);
    for row in &rows {
        let text = |column: &str| row.try_get::<String, _>(column);
        let reading = rule.read(
            &serde_json::from_str(&text("measures")?)?,
            &serde_json::from_str(&text("booleans")?)?,
            &serde_json::from_str(&text("slices")?)?,
        );
        match reading {
            Reading::Elsewhere => {}
            Reading::Unreadable => unread = unread.saturating_add(1),
            Reading::Read { value, second } => {
                let received: i64 = row.try_get("received_ms")?;
                last_ms = last_ms.max(received);
                let (at_ms, received_ms) = (from_sql(row.try_get("at_ms")?), from_sql(received));
                let outcome: i64 = row.try_get("row")?;
                let unit: Vec<u8> = row.try_get("unit")?;
                new.push((unit, outcome, Value { at_ms, received_ms, value, second }));
            }
        }
    }
    add(connection, &rule.digest, &new).await?;
    let units: BTreeSet<&Vec<u8>> = new.iter().map(|(unit, _, _)| unit).collect();
    let asking = |live: &Live| -> Vec<String> {
        let metrics = live.metrics.iter();
        let mine = metrics.filter(|m| m.value.as_ref().is_some_and(|own| own.rule.digest == rule.digest));
        mine.map(|metric| metric.name.clone()).collect()
    };
    for live in live {
        note_names(connection, live.attempt, &asking(live), &units).await?;
    }
    sqlx::query(
        "INSERT INTO metric_reads (metric, read, unread, last_ms) VALUES (?, ?, ?, ?) ON CONFLICT (metric) DO UPDATE
         SET read = read + excluded.read, unread = unread + excluded.unread, last_ms = max(last_ms, excluded.last_ms)",
    )
    .bind(rule.digest.as_slice())
    .bind(to_sql(u64::try_from(new.len()).unwrap_or(u64::MAX))?)
    .bind(to_sql(unread)?)
    .bind(last_ms)
    .execute(&mut *connection)
    .await?;
    set_cursor(connection, &name, last).await?;
    Ok(rows.len())
}

async fn add(
    connection: &mut SqliteConnection,
    metric: &[u8; 32],
    new: &[(Vec<u8>, i64, Value)],
) -> Result<(), GovernError> {
    let sql = |value: u64| to_sql(value).unwrap_or(i64::MAX);
    for some in new.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO measured (metric, unit, outcome, at_ms, received_ms, value, second) ",
        );
        query.push_values(some, |mut row, (unit, outcome, value)| {
            row.push_bind(metric.as_slice())
                .push_bind(unit.as_slice())
                .push_bind(outcome)
                .push_bind(sql(value.at_ms))
                .push_bind(sql(value.received_ms))
                .push_bind(value.value)
                .push_bind(value.second);
        });
        query.push(" ON CONFLICT DO NOTHING");
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Notes that these units changed: they are looked at again for every metric of the attempt that they changed in; and for
/// metrics that look back also in the other live attempts, for this may have been one at the same flag.
pub(crate) async fn note(
    connection: &mut SqliteConnection,
    live: &[Live],
    changed: impl Iterator<Item = &UnitKey> + Clone,
) -> Result<(), GovernError> {
    for live in live {
        let mine = changed.clone().filter(|(attempt, _)| *attempt == live.attempt);
        let mine: BTreeSet<&Vec<u8>> = mine.map(|(_, unit)| unit).collect();
        let others = changed.clone().filter(|(attempt, _)| *attempt != live.attempt);
        let others: BTreeSet<&Vec<u8>> = others.map(|(_, unit)| unit).collect();
        for metric in live.metrics.iter() {
            let Some(value) = &metric.value else { continue };
            let names = std::slice::from_ref(&metric.name);
            note_names(connection, live.attempt, names, &mine).await?;
            if value.looks_back() {
                note_names(connection, live.attempt, names, &others).await?;
            }
        }
    }
    Ok(())
}

async fn note_names(
    connection: &mut SqliteConnection,
    attempt: i64,
    names: &[String],
    units: &BTreeSet<&Vec<u8>>,
) -> Result<(), GovernError> {
    let units: Vec<&&Vec<u8>> = units.iter().collect();
    for name in names {
        for some in units.chunks(ROWS) {
            let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
                "INSERT INTO unit_values (attempt, name, unit, due_ms, parts, late) SELECT attempt, ",
            );
            query.push_bind(name.as_str()).push(", unit, 0, '[]', 0 FROM units WHERE attempt = ");
            query.push_bind(attempt).push(" AND unit IN (");
            let mut list = query.separated(", ");
            for unit in some {
                list.push_bind(unit.as_slice());
            }
            query.push(") ON CONFLICT (attempt, name, unit) DO UPDATE SET due_ms = 0");
            query.build().persistent(false).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Erases what a unit measured until `at_ms`. In live attempts it is looked at again, and so leaves the sums; in past ones,
/// whose sums stay, its own rows go.
pub(crate) async fn forget(
    connection: &mut SqliteConnection,
    unit: &[u8],
    at_ms: i64,
    live: &[Live],
) -> Result<(), GovernError> {
    sqlx::query("DELETE FROM measured WHERE unit = ? AND at_ms <= ?")
        .bind(unit)
        .bind(at_ms)
        .execute(&mut *connection)
        .await?;
    for live in live {
        sqlx::query("UPDATE unit_values SET due_ms = 0 WHERE attempt = ? AND unit = ?")
            .bind(live.attempt)
            .bind(unit)
            .execute(&mut *connection)
            .await?;
    }
    let mut past: QueryBuilder<Sqlite> = QueryBuilder::new("DELETE FROM unit_values WHERE unit = ");
    past.push_bind(unit).push(" AND attempt NOT IN (");
    let mut list = past.separated(", ");
    for live in live {
        list.push_bind(live.attempt);
    }
    past.push(")");
    past.build().persistent(false).execute(&mut *connection).await?;
    Ok(())
}
