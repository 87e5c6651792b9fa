//! Units in the table `units`: read and written many at a time.

use std::collections::{BTreeMap, BTreeSet};

use flagstone_events::Arm;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::GovernError;
use crate::contribution::Reading;
use crate::derive::Live;
use crate::ingest::arm_number;
use crate::store::{from_sql, to_sql};
use crate::unit::{First, Unit};

/// An attempt's unit: the attempt's id and the pseudonym's bytes.
pub(crate) type UnitKey = (i64, Vec<u8>);

/// Rows in one statement: 13 values each, and SQLite takes 32,766.
const ROWS: usize = 2_000;

/// Those of the units that are known.
pub(crate) async fn load<'k>(
    connection: &mut SqliteConnection,
    keys: impl IntoIterator<Item = &'k UnitKey>,
) -> Result<BTreeMap<UnitKey, Unit>, GovernError> {
    let mut by_attempt: BTreeMap<i64, Vec<&[u8]>> = BTreeMap::new();
    for (attempt, unit) in keys {
        by_attempt.entry(*attempt).or_default().push(unit);
    }
    let mut units = BTreeMap::new();
    for (attempt, keys) in by_attempt {
        for some in keys.chunks(ROWS) {
            let mut query: QueryBuilder<Sqlite> = QueryBuilder::new("SELECT * FROM units WHERE attempt = ");
            query.push_bind(attempt).push(" AND unit IN (");
            let mut list = query.separated(", ");
            for unit in some {
                list.push_bind(*unit);
            }
            query.push(")");
            for row in query.build().persistent(false).fetch_all(&mut *connection).await? {
                units.insert((attempt, row.try_get("unit")?), read(&row)?);
            }
        }
    }
    Ok(units)
}

/// Attempts up to which their units are asked for one attempt after the other: each is found by one look, but a set of flags may
/// have a thousand.
const ATTEMPTS: usize = 4;

/// Those of the units that are known in any of these attempts.
pub(crate) async fn load_for(
    connection: &mut SqliteConnection,
    live: &[Live],
    units: &BTreeSet<&Vec<u8>>,
) -> Result<BTreeMap<UnitKey, Unit>, GovernError> {
    if live.len() <= ATTEMPTS {
        let keys: Vec<UnitKey> =
            live.iter().flat_map(|live| units.iter().map(|unit| (live.attempt, (*unit).clone()))).collect();
        return load(connection, &keys).await;
    }
    let attempts: BTreeSet<i64> = live.iter().map(|live| live.attempt).collect();
    let (mut found, units) = (BTreeMap::new(), units.iter().copied().collect::<Vec<_>>());
    for some in units.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("SELECT * FROM units INDEXED BY units_by_unit WHERE unit IN (");
        let mut list = query.separated(", ");
        for unit in some {
            list.push_bind(unit.as_slice());
        }
        query.push(")");
        for row in query.build().persistent(false).fetch_all(&mut *connection).await? {
            let attempt = row.try_get("attempt")?;
            if attempts.contains(&attempt) {
                found.insert((attempt, row.try_get("unit")?), read(&row)?);
            }
        }
    }
    Ok(found)
}

/// Writes units, over what was there.
pub(crate) async fn store(
    connection: &mut SqliteConnection,
    units: &BTreeMap<UnitKey, Unit>,
) -> Result<(), GovernError> {
    let all: Vec<(&UnitKey, &Unit)> = units.iter().collect();
    let time = |first: Option<First>| first.and_then(|first| to_sql(first.at_ms).ok());
    for some in all.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT OR REPLACE INTO units (attempt, unit, arms, treated, enrolled_ms, enrolled_by, arm, cohort,
             probability, plain_ms, plain_by, plain_arm, plain_cohort) ",
        );
        query.push_values(some, |mut row, ((attempt, key), unit)| {
            row.push_bind(attempt)
                .push_bind(key)
                .push_bind(i64::from(unit.in_treatment) | (i64::from(unit.in_control) << 1))
                .push_bind(unit.treated)
                .push_bind(time(unit.enrolled))
                .push_bind(unit.enrolled.map(|first| first.by.to_vec()))
                .push_bind(unit.enrolled.map(|first| arm_number(first.arm)))
                .push_bind(unit.enrolled.and_then(|first| first.cohort))
                .push_bind(unit.enrolled.map(|first| first.probability))
                .push_bind(time(unit.plain))
                .push_bind(unit.plain.map(|first| first.by.to_vec()))
                .push_bind(unit.plain.map(|first| arm_number(first.arm)))
                .push_bind(unit.plain.and_then(|first| first.cohort));
        });
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// What a metric has read of the units, each list in order of time.
pub(crate) async fn readings<'k>(
    connection: &mut SqliteConnection,
    metric: &[u8; 32],
    units: impl IntoIterator<Item = &'k Vec<u8>>,
) -> Result<BTreeMap<Vec<u8>, Vec<Reading>>, GovernError> {
    let units: Vec<&Vec<u8>> = units.into_iter().collect();
    let mut found: BTreeMap<Vec<u8>, Vec<Reading>> = BTreeMap::new();
    for some in units.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("SELECT unit, at_ms, bad, received_ms FROM readings WHERE metric = ");
        query.push_bind(metric.as_slice()).push(" AND unit IN (");
        let mut list = query.separated(", ");
        for unit in some {
            list.push_bind(unit.as_slice());
        }
        query.push(") ORDER BY unit, at_ms, bad");
        for row in query.build().persistent(false).fetch_all(&mut *connection).await? {
            let (at_ms, received_ms) =
                (from_sql(row.try_get("at_ms")?), from_sql(row.try_get("received_ms")?));
            let reading = Reading { at_ms, bad: row.try_get("bad")?, received_ms };
            found.entry(row.try_get("unit")?).or_default().push(reading);
        }
    }
    Ok(found)
}

/// Adds readings; those that are there stay, as of when they first came in.
pub(crate) async fn add_readings(
    connection: &mut SqliteConnection,
    metric: &[u8; 32],
    readings: &[(Vec<u8>, Reading)],
) -> Result<(), GovernError> {
    for some in readings.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO readings (metric, unit, at_ms, bad, received_ms) ");
        query.push_values(some, |mut row, (unit, reading)| {
            row.push_bind(metric.as_slice())
                .push_bind(unit.as_slice())
                .push_bind(to_sql(reading.at_ms).unwrap_or(i64::MAX))
                .push_bind(reading.bad)
                .push_bind(to_sql(reading.received_ms).unwrap_or(i64::MAX));
        });
        query.push(
            " ON CONFLICT (metric, unit, at_ms, bad) DO UPDATE SET received_ms = excluded.received_ms
             WHERE excluded.received_ms < readings.received_ms",
        );
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Unit, GovernError> {
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

/// The other way of [`arm_number`].
pub(crate) fn arm_of(number: i64) -> Arm {
    match number {
        1 => Arm::Treatment,
        2 => Arm::Control,
        _ => Arm::None,
    }
}
