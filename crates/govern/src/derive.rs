//! From stored events to counts: units with their enrolment, outcomes as metrics read them, and what they come to.
//!
//! Units merge ([`crate::unit`]), readings are a set, and a unit's part in the counts is a function of the two
//! ([`crate::contribution`]). So the result does not depend on the order in which events came in: an outcome may arrive
//! before its exposure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flagstone_events::Arm;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::contribution::{Reading, joined, of_exposure, of_metric};
use crate::drift;
use crate::metric::{self, MetricRule, PlanMetric};
use crate::slice_plan::SlicePlan;
use crate::slice_tally::SliceChanges;
use crate::store::{count, from_sql, to_sql};
use crate::tally::Changes;
use crate::unit::{First, Unit};
use crate::unit_rows::{self, UnitKey, arm_of};
use crate::{unit_slices, values};

/// Events taken in one step, so that the writer is never taken for long.
pub(crate) const AT_ONCE: u32 = 4_000;

/// An attempt whose counts are kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Live {
    pub(crate) attempt: i64,
    pub(crate) metrics: Arc<[PlanMetric]>,
    pub(crate) slices: Arc<SlicePlan>,
}

/// Takes the next new exposures into units. Returns how many events it read: 0 when there is no more.
pub(crate) async fn exposures(
    connection: &mut SqliteConnection,
    live: &[Live],
) -> Result<usize, GovernError> {
    let from = cursor(connection, "exposures").await?;
    let rows = sqlx::query(
        "SELECT e.row, e.id, e.arm, e.cohort, e.probability, e.unit, e.at_ms, e.received_ms, e.inclusion, a.attempt, s.digest IS NULL AS stray
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
    let arrived = merge_rows(connection, &rows, live).await?;
    note_arrivals(connection, arrived).await?;
    if strays > 0 {
        count(connection, "strayExposures", strays).await?;
    }
    set_cursor(connection, "exposures", last).await?;
    Ok(rows.len())
}

/// Takes in what was stored of a snapshot's flag before it was known which attempt it belongs to.
pub(crate) async fn exposures_of_snapshot(
    connection: &mut SqliteConnection,
    snapshot: &[u8; 32],
    flag: &str,
    live: &Live,
) -> Result<(), GovernError> {
    let (mut after, upto) = (0_i64, cursor(connection, "exposures").await?);
    loop {
        let rows = sqlx::query(
            "SELECT e.row, e.id, e.arm, e.cohort, e.probability, e.unit, e.at_ms, e.received_ms, e.inclusion, a.attempt
             FROM exposures e JOIN attempt_snapshots a ON a.snapshot = e.snapshot AND a.flag = e.flag
             WHERE e.snapshot = ? AND e.flag = ? AND e.row > ? AND e.row <= ? AND e.stream = 'production'
             ORDER BY e.row LIMIT ?",
        )
        .bind(snapshot.as_slice())
        .bind(flag)
        .bind(after)
        .bind(upto)
        .bind(AT_ONCE)
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get("row")?;
        let arrived = merge_rows(connection, &rows, std::slice::from_ref(live)).await?;
        note_arrivals(connection, arrived).await?;
    }
}

/// Takes in again what is left of a unit whose rows were taken out; its events have been counted before.
pub(crate) async fn exposures_of_unit(
    connection: &mut SqliteConnection,
    unit: &[u8],
    live: &[Live],
) -> Result<(), GovernError> {
    let upto = cursor(connection, "exposures").await?;
    let rows = sqlx::query(
        "SELECT e.row, e.id, e.arm, e.cohort, e.probability, e.unit, e.at_ms, e.received_ms, e.inclusion, a.attempt
         FROM exposures e JOIN attempt_snapshots a ON a.snapshot = e.snapshot AND a.flag = e.flag
         WHERE e.unit = ? AND e.row <= ? AND e.stream = 'production' ORDER BY e.row",
    )
    .bind(unit)
    .bind(upto)
    .fetch_all(&mut *connection)
    .await?;
    merge_rows(connection, &rows, live).await?;
    Ok(())
}

/// Exposure events by attempt: how many, and when the last one came in.
type Arrived = BTreeMap<i64, (u64, i64)>;

async fn merge_rows(
    connection: &mut SqliteConnection,
    rows: &[SqliteRow],
    live: &[Live],
) -> Result<Arrived, GovernError> {
    let mut inclusions: BTreeSet<(i64, u8, u32)> = BTreeSet::new();
    let mut seen: BTreeMap<UnitKey, Unit> = BTreeMap::new();
    let mut attempts = Arrived::new();
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
        if first.probability > 0 && first.probability < flagstone_judge::limits::SHARE_TOTAL {
            inclusions.insert((attempt, first.cohort.unwrap_or(0), row.try_get("inclusion")?));
        }
        let unit = seen.entry((attempt, row.try_get("unit")?)).or_default();
        *unit = unit.merge(Unit::of(first));
        let (events, last) = attempts.entry(attempt).or_insert((0, 0));
        *events = events.saturating_add(1);
        *last = (*last).max(row.try_get("received_ms")?);
    }
    let before = unit_rows::load(connection, seen.keys()).await?;
    for (key, unit) in &mut seen {
        *unit = before.get(key).copied().unwrap_or_default().merge(*unit);
    }
    seen.retain(|key, unit| before.get(key) != Some(unit));
    tally_units(connection, &before, &seen, live).await?;
    unit_rows::store(connection, &seen).await?;
    values::note(connection, live, seen.keys()).await?;
    for (attempt, cohort, inclusion) in inclusions {
        sqlx::query(
            "INSERT INTO inclusions (attempt, cohort, inclusion) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(attempt)
        .bind(cohort)
        .bind(inclusion)
        .execute(&mut *connection)
        .await?;
    }
    Ok(attempts)
}

async fn note_arrivals(connection: &mut SqliteConnection, arrived: Arrived) -> Result<(), GovernError> {
    for (attempt, (events, last)) in arrived {
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

/// Units changed, their readings did not.
async fn tally_units(
    connection: &mut SqliteConnection,
    before: &BTreeMap<UnitKey, Unit>,
    after: &BTreeMap<UnitKey, Unit>,
    live: &[Live],
) -> Result<(), GovernError> {
    let (mut changes, mut sliced) = (Changes::default(), SliceChanges::default());
    for live in live {
        let mine = || after.iter().filter(|((attempt, _), _)| *attempt == live.attempt);
        let asked = mine().map(|((_, unit), _)| unit).filter(|_| !live.slices.is_empty());
        let known = unit_slices::load(connection, asked).await?;
        for (key, new) in mine() {
            let old = before.get(key).map(of_exposure).unwrap_or_default();
            let new = of_exposure(new);
            sliced.moved(live, "", known.get(&key.1), (&old, &new));
            changes.moved(live.attempt, old, new);
        }
        for metric in live.metrics.iter() {
            let Some(rule) = &metric.rule else { continue };
            let readings =
                unit_rows::readings(connection, &rule.digest, mine().map(|((_, unit), _)| unit)).await?;
            for (key, new) in mine() {
                let Some(readings) = readings.get(&key.1) else { continue };
                let part = |unit: &Unit| of_metric(&metric.name, unit, readings, metric.window_ms);
                let beside = |unit: &Unit| drift::beside(metric, unit, readings);
                changes.moved(live.attempt, before.get(key).map(beside).unwrap_or_default(), beside(new));
                let (old, new) = (before.get(key).map(part).unwrap_or_default(), part(new));
                sliced.moved(live, &metric.name, known.get(&key.1), (&old, &new));
                changes.moved(live.attempt, old, new);
            }
        }
    }
    sliced.store(connection).await?;
    changes.store(connection).await
}

/// Lets metrics of one event name read its next outcomes, from the first one on when they are new. Returns how many events it
/// looked at: 0 when there is no more.
pub(crate) async fn outcomes(
    connection: &mut SqliteConnection,
    rules: &[&MetricRule],
    live: &[Live],
) -> Result<usize, GovernError> {
    let mut read_upto: Vec<(i64, &MetricRule)> = Vec::new();
    for rule in rules {
        read_upto.push((cursor(connection, &cursor_name(rule)).await?, *rule));
    }
    let Some((from, upto)) = catching_up(&read_upto) else { return Ok(0) };
    let Some((_, first)) = read_upto.first().copied() else { return Ok(0) };
    let rules = read_upto.into_iter().filter(|(row, _)| *row == from).map(|(_, rule)| rule);
    let mut read: Vec<(&MetricRule, Read)> = rules.map(|rule| (rule, Read::default())).collect();
    let rows = sqlx::query(
        "SELECT row, unit, measures, booleans, slices, at_ms, received_ms FROM outcomes
         WHERE name = ? AND row > ? AND row <= ? AND stream = 'production' ORDER BY row LIMIT ?",
    )
    .bind(&first.event)
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
    for row in &rows {
        // Read once for all metrics of the event.
        let (measures, booleans, slices) = (
            serde_json::from_str(row.try_get("measures")?)?,
            serde_json::from_str(row.try_get("booleans")?)?,
            serde_json::from_str(row.try_get("slices")?)?,
        );
        for (rule, read) in &mut read {
            match rule.read(&measures, &booleans, &slices) {
                metric::Reading::Elsewhere => {}
                metric::Reading::Unreadable => read.unread = read.unread.saturating_add(1),
                metric::Reading::Read { bad } => {
                    read.last_ms = read.last_ms.max(row.try_get("received_ms")?);
                    let received_ms = from_sql(row.try_get("received_ms")?);
                    let reading = Reading { at_ms: from_sql(row.try_get("at_ms")?), bad, received_ms };
                    read.new.push((row.try_get("unit")?, reading));
                }
            }
        }
    }
    let seen: BTreeSet<&Vec<u8>> =
        read.iter().flat_map(|(_, read)| read.new.iter().map(|(unit, _)| unit)).collect();
    let about = About {
        units: unit_rows::load_for(connection, live, &seen).await?,
        known: match live.iter().any(|live| !live.slices.is_empty()) {
            true => unit_slices::load(connection, seen.iter().copied()).await?,
            false => BTreeMap::new(),
        },
    };
    for (rule, read) in &read {
        tally_readings(connection, rule, &read.new, live, &about).await?;
        unit_rows::add_readings(connection, &rule.digest, &read.new).await?;
        sqlx::query(
            "INSERT INTO metric_reads (metric, read, unread, last_ms) VALUES (?, ?, ?, ?) ON CONFLICT (metric) DO UPDATE
             SET read = read + excluded.read, unread = unread + excluded.unread, last_ms = max(last_ms, excluded.last_ms)",
        )
        .bind(rule.digest.as_slice())
        .bind(to_sql(u64::try_from(read.new.len()).unwrap_or(u64::MAX))?)
        .bind(to_sql(read.unread)?)
        .bind(read.last_ms)
        .execute(&mut *connection)
        .await?;
        set_cursor(connection, &cursor_name(rule), last).await?;
    }
    Ok(rows.len().max(1))
}

/// The rows that those furthest behind read next, (from, up to]: whoever is new reads what was there before it by itself, until
/// it has caught up with the others.
pub(crate) fn catching_up<T>(read_upto: &[(i64, T)]) -> Option<(i64, i64)> {
    let rows = || read_upto.iter().map(|(row, _)| *row);
    let from = rows().min()?;
    Some((from, rows().filter(|row| *row > from).min().unwrap_or(i64::MAX)))
}

fn cursor_name(rule: &MetricRule) -> String {
    format!("metric {}", flagstone_events::to_hex(&rule.digest))
}

/// What one metric made of some outcomes.
#[derive(Default)]
struct Read {
    new: Vec<(Vec<u8>, Reading)>,
    unread: u64,
    last_ms: i64,
}

/// What is known of the units of some outcomes.
struct About {
    units: BTreeMap<UnitKey, Unit>,
    known: BTreeMap<Vec<u8>, unit_slices::Known>,
}

/// Readings came, their units did not change.
async fn tally_readings(
    connection: &mut SqliteConnection,
    rule: &MetricRule,
    new: &[(Vec<u8>, Reading)],
    live: &[Live],
    about: &About,
) -> Result<(), GovernError> {
    let mut fresh: BTreeMap<&Vec<u8>, Vec<Reading>> = BTreeMap::new();
    for (unit, reading) in new {
        fresh.entry(unit).or_default().push(*reading);
    }
    let before = unit_rows::readings(connection, &rule.digest, fresh.keys().copied()).await?;
    let (mut changes, mut sliced) = (Changes::default(), SliceChanges::default());
    for live in live {
        let own = |metric: &&PlanMetric| metric.rule.as_ref().is_some_and(|own| own.digest == rule.digest);
        let asking: Vec<&PlanMetric> = live.metrics.iter().filter(own).collect();
        if asking.is_empty() {
            continue;
        }
        let mine = (live.attempt, Vec::new())..(live.attempt.saturating_add(1), Vec::new());
        for ((_, key), unit) in about.units.range(mine) {
            let Some(fresh) = fresh.get(key) else { continue };
            let known = before.get(key).map(Vec::as_slice).unwrap_or_default();
            let all = joined(known, fresh);
            for metric in &asking {
                let part = |readings: &[Reading]| of_metric(&metric.name, unit, readings, metric.window_ms);
                let (old, new) = (part(known), part(&all));
                if old != new {
                    sliced.moved(live, &metric.name, about.known.get(key), (&old, &new));
                    changes.moved(live.attempt, old, new);
                }
                let beside = |readings: &[Reading]| drift::beside(metric, unit, readings);
                changes.moved(live.attempt, beside(known), beside(&all));
            }
        }
    }
    sliced.store(connection).await?;
    changes.store(connection).await
}

pub(crate) async fn cursor(connection: &mut SqliteConnection, name: &str) -> Result<i64, GovernError> {
    let row: Option<i64> = sqlx::query_scalar("SELECT row FROM cursors WHERE name = ?")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    Ok(row.unwrap_or(0))
}

pub(crate) async fn set_cursor(
    connection: &mut SqliteConnection,
    name: &str,
    row: i64,
) -> Result<(), GovernError> {
    sqlx::query(
        "INSERT INTO cursors (name, row) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET row = excluded.row",
    )
    .bind(name)
    .bind(row)
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::catching_up;

    #[test]
    fn those_behind_read_as_far_as_the_next_has_come() {
        assert_eq!(catching_up::<()>(&[]), None);
        assert_eq!(catching_up(&[(7, 'a'), (7, 'b')]), Some((7, i64::MAX)));
        assert_eq!(catching_up(&[(9, 'a'), (0, 'b'), (4, 'c'), (0, 'd')]), Some((0, 4)));
    }
}
