//! Units that changed, or whose window has closed, are worked out anew; the difference goes into the sums.

use sqlx::SqliteConnection;

use super::rows::{self, Added, Looked};
use super::rule::{ComesTo, ValueMetric};
use super::sums::Changes;
use super::unit::{Part, followed};
use crate::GovernError;
use crate::contribution::late;
use crate::derive::Live;
use crate::store::{from_sql, to_sql};
use crate::tally;
use crate::unit::Unit;
use crate::unit_rows::{self, UnitKey};

/// Units taken in one step.
const AT_ONCE: u32 = 2_000;

/// Settles the next units. Returns how many: 0 when there is nothing to do before time goes on or events come.
pub(crate) async fn settle(
    connection: &mut SqliteConnection,
    live: &[Live],
    now_ms: u64,
) -> Result<usize, GovernError> {
    let mut settled = 0_usize;
    for live in live {
        for (name, metric) in measuring(live) {
            let done = settle_metric(connection, live.attempt, name, metric, now_ms).await?;
            settled = settled.saturating_add(done);
        }
    }
    Ok(settled)
}

fn measuring(live: &Live) -> impl Iterator<Item = (&String, &ValueMetric)> {
    live.metrics.iter().filter_map(|metric| Some((&metric.name, metric.value.as_ref()?)))
}

async fn settle_metric(
    connection: &mut SqliteConnection,
    attempt: i64,
    name: &str,
    metric: &ValueMetric,
    now_ms: u64,
) -> Result<usize, GovernError> {
    let due = rows::due(connection, attempt, name, now_ms, AT_ONCE).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let keys: Vec<UnitKey> = due.keys().map(|unit| (attempt, unit.clone())).collect();
    let units = unit_rows::load(connection, &keys).await?;
    let measured = rows::measured(connection, &metric.rule.digest, due.keys()).await?;
    let asked = due.keys().filter(|_| metric.looks_back());
    let exposed = rows::first_exposed(connection, attempt, asked).await?;
    let handed = Handed::load(connection, attempt, name, metric).await?;
    let (mut changes, mut tallies) = (Changes::default(), tally::Changes::default());
    let mut now: Vec<Looked> = Vec::with_capacity(due.len());
    for (key, old) in &due {
        let known: Option<&Unit> = units.get(&(attempt, key.clone()));
        let values = measured.get(key).map_or(&[][..], Vec::as_slice);
        let first_ms = exposed.get(key).copied().unwrap_or(u64::MAX);
        let next = known.map(|unit| {
            let times = followed(metric, unit, first_ms, values);
            let parts = times.iter().filter(|time| time.closes_ms <= now_ms).filter_map(|time| time.part);
            let late = times.iter().fold(0_u64, |sum, time| sum.saturating_add(time.late));
            let due = times.iter().map(|time| time.closes_ms).filter(|closes| *closes > now_ms).min();
            (handed.keep(&old.parts, Added { parts: parts.collect(), late }), due)
        });
        let new = next.as_ref().map(|(added, _)| added.clone()).unwrap_or_default();
        changes.moved(&old.parts, &new.parts);
        tallies.moved(attempt, late(name, old.late), late(name, new.late));
        now.push((key.clone(), next));
    }
    changes.store(connection, attempt, name).await?;
    tallies.store(connection).await?;
    rows::store(connection, attempt, name, &now).await?;
    Ok(now.len())
}

/// Batches of scores that the judge has seen. Bets on later batches were placed in their light, so nobody joins them any more.
struct Handed {
    upto_ms: u64,
    batch_ms: Option<u64>,
}

impl Handed {
    async fn load(
        connection: &mut SqliteConnection,
        attempt: i64,
        name: &str,
        metric: &ValueMetric,
    ) -> Result<Self, GovernError> {
        let ComesTo::Score { batch_ms } = metric.comes_to else {
            return Ok(Self { upto_ms: 0, batch_ms: None });
        };
        let upto: Option<i64> =
            sqlx::query_scalar("SELECT upto_ms FROM scores_handed WHERE attempt = ? AND name = ?")
                .bind(attempt)
                .bind(name)
                .fetch_optional(connection)
                .await?;
        Ok(Self { upto_ms: from_sql(upto.unwrap_or(0)), batch_ms: Some(batch_ms) })
    }

    fn is_over(&self, part: &Part) -> bool {
        match (part, self.batch_ms) {
            (Part::Score { batch, .. }, Some(batch_ms)) => ends(*batch, batch_ms) <= self.upto_ms,
            _ => false,
        }
    }

    /// A score in a batch that is over stays as it is while its unit still has one, and one that is not there is late.
    fn keep(&self, old: &[Part], new: Added) -> Added {
        if new.parts.is_empty() || self.batch_ms.is_none() {
            return new;
        }
        let stays: Vec<Part> = old.iter().filter(|part| self.is_over(part)).copied().collect();
        if !stays.is_empty() {
            return Added { parts: stays, ..new };
        }
        let all = new.parts.len();
        let parts: Vec<Part> = new.parts.into_iter().filter(|part| !self.is_over(part)).collect();
        let missed = u64::try_from(all.saturating_sub(parts.len())).unwrap_or(u64::MAX);
        Added { parts, late: new.late.saturating_add(missed) }
    }
}

/// When a batch ends.
pub(super) fn ends(batch: u64, batch_ms: u64) -> u64 {
    batch.saturating_add(1).saturating_mul(batch_ms)
}

/// Notes that all batches that end by now are about to be handed to the judge.
pub(crate) async fn handed(
    connection: &mut SqliteConnection,
    live: &[Live],
    now_ms: u64,
) -> Result<(), GovernError> {
    for live in live {
        let scores = measuring(live).filter(|(_, metric)| matches!(metric.comes_to, ComesTo::Score { .. }));
        for (name, _) in scores {
            sqlx::query(
                "INSERT INTO scores_handed (attempt, name, upto_ms) VALUES (?, ?, ?) ON CONFLICT (attempt, name)
                 DO UPDATE SET upto_ms = max(upto_ms, excluded.upto_ms)",
            )
            .bind(live.attempt)
            .bind(name)
            .bind(to_sql(now_ms)?)
            .execute(&mut *connection)
            .await?;
        }
    }
    Ok(())
}
