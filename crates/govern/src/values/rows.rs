//! The rows that a unit's part is worked out from, and the row that keeps it.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::unit::{Part, Value};
use crate::GovernError;
use crate::store::{from_sql, to_sql};

/// Units in one statement.
const ROWS: usize = 2_000;

/// What a unit has added to the sums of a metric so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Added {
    pub(super) parts: Vec<Part>,
    pub(super) late: u64,
}

/// A unit after it was looked at: what it has added now, and when to look again; none takes its row out.
pub(super) type Looked = (Vec<u8>, Option<(Added, Option<u64>)>);

/// The next units of an attempt that are to be looked at again, with what they have added.
pub(super) async fn due(
    connection: &mut SqliteConnection,
    attempt: i64,
    name: &str,
    now_ms: u64,
    limit: u32,
) -> Result<BTreeMap<Vec<u8>, Added>, GovernError> {
    let rows = sqlx::query(
        "SELECT unit, parts, late FROM unit_values WHERE attempt = ? AND name = ? AND due_ms <= ? ORDER BY due_ms LIMIT ?",
    )
    .bind(attempt)
    .bind(name)
    .bind(to_sql(now_ms)?)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let mut due = BTreeMap::new();
    for row in rows {
        let parts = serde_json::from_str(&row.try_get::<String, _>("parts")?)?;
        due.insert(row.try_get("unit")?, Added { parts, late: from_sql(row.try_get("late")?) });
    }
    Ok(due)
}

/// Writes what units have added now.
pub(super) async fn store(
    connection: &mut SqliteConnection,
    attempt: i64,
    name: &str,
    units: &[Looked],
) -> Result<(), GovernError> {
    let kept: Vec<_> = units.iter().filter_map(|(unit, now)| Some((unit, now.as_ref()?))).collect();
    for some in kept.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT OR REPLACE INTO unit_values (attempt, name, unit, due_ms, parts, late) ",
        );
        query.push_values(some, |mut row, (unit, (added, due))| {
            row.push_bind(attempt)
                .push_bind(name)
                .push_bind(unit.as_slice())
                .push_bind(due.map(|due| to_sql(due).unwrap_or(i64::MAX)))
                .push_bind(serde_json::to_string(&added.parts).unwrap_or_else(|_| "[]".to_owned()))
                .push_bind(to_sql(added.late).unwrap_or(i64::MAX));
        });
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    let gone: Vec<_> = units.iter().filter(|(_, now)| now.is_none()).map(|(unit, _)| unit).collect();
    for some in gone.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new("DELETE FROM unit_values WHERE attempt = ");
        query.push_bind(attempt).push(" AND name = ").push_bind(name).push(" AND unit IN (");
        let mut list = query.separated(", ");
        for unit in some {
            list.push_bind(unit.as_slice());
        }
        query.push(")");
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// What a metric has measured of the units.
pub(super) async fn measured<'k>(
    connection: &mut SqliteConnection,
    metric: &[u8; 32],
    units: impl IntoIterator<Item = &'k Vec<u8>>,
) -> Result<BTreeMap<Vec<u8>, Vec<Value>>, GovernError> {
    let units: Vec<&Vec<u8>> = units.into_iter().collect();
    let mut found: BTreeMap<Vec<u8>, Vec<Value>> = BTreeMap::new();
    for some in units.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("SELECT unit, at_ms, received_ms, value, second FROM measured WHERE metric = ");
        query.push_bind(metric.as_slice()).push(" AND unit IN (");
        let mut list = query.separated(", ");
        for unit in some {
            list.push_bind(unit.as_slice());
        }
        query.push(")");
        for row in query.build().persistent(false).fetch_all(&mut *connection).await? {
            let value = Value {
                at_ms: from_sql(row.try_get("at_ms")?),
                received_ms: from_sql(row.try_get("received_ms")?),
                value: row.try_get("value")?,
                second: row.try_get("second")?,
            };
            found.entry(row.try_get("unit")?).or_default().push(value);
        }
    }
    Ok(found)
}

/// When units were first exposed in any attempt at the flag of this one.
pub(super) async fn first_exposed<'k>(
    connection: &mut SqliteConnection,
    attempt: i64,
    units: impl IntoIterator<Item = &'k Vec<u8>>,
) -> Result<BTreeMap<Vec<u8>, u64>, GovernError> {
    let units: Vec<&Vec<u8>> = units.into_iter().collect();
    let mut found = BTreeMap::new();
    for some in units.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "SELECT u.unit, min(min(coalesce(u.enrolled_ms, 9223372036854775807), coalesce(u.plain_ms, 9223372036854775807))) AS at
             FROM units u JOIN attempts a ON a.id = u.attempt WHERE a.flag = (SELECT flag FROM attempts WHERE id = ",
        );
        query.push_bind(attempt).push(") AND u.unit IN (");
        let mut list = query.separated(", ");
        for unit in some {
            list.push_bind(unit.as_slice());
        }
        query.push(") GROUP BY u.unit");
        for row in query.build().persistent(false).fetch_all(&mut *connection).await? {
            found.insert(row.try_get("unit")?, from_sql(row.try_get("at")?));
        }
    }
    Ok(found)
}
