//! Everything that counting reads of all plans, in a handful of statements: a tick over a thousand flags must not ask a
//! thousand times.

use std::collections::BTreeMap;

use flagstone_judge::Latched;
use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::slice_rows::{self, SliceTexts};
use crate::store::from_sql;
use crate::tally::{self, Count};

/// The rows of the attempts asked for.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    counts: BTreeMap<i64, Vec<Count>>,
    slices: BTreeMap<i64, SliceTexts>,
    latches: BTreeMap<i64, BTreeMap<String, Latched>>,
    exposures: BTreeMap<i64, (u64, u64)>,
    last_read: BTreeMap<Vec<u8>, u64>,
}

impl Rows {
    /// Reads them.
    pub(crate) async fn read(
        connection: &mut SqliteConnection,
        attempts: &[i64],
    ) -> Result<Self, GovernError> {
        // SQLite takes the list as one value.
        let ids = serde_json::to_string(attempts)?;
        let mut rows = Self {
            counts: tally::load(connection, &ids).await?,
            slices: slice_rows::load(connection, &ids).await?,
            ..Self::default()
        };
        let latches = sqlx::query(
            "SELECT attempt, metric, latched FROM latches WHERE attempt IN (SELECT value FROM json_each(?))",
        );
        for row in latches.bind(&ids).fetch_all(&mut *connection).await? {
            let latched: Latched = serde_json::from_str(row.try_get("latched")?)?;
            rows.latches.entry(row.try_get("attempt")?).or_default().insert(row.try_get("metric")?, latched);
        }
        let exposures = sqlx::query(
            "SELECT attempt, events, last_ms FROM attempt_exposures
             WHERE attempt IN (SELECT value FROM json_each(?))",
        );
        for row in exposures.bind(&ids).fetch_all(&mut *connection).await? {
            let seen = (from_sql(row.try_get("events")?), from_sql(row.try_get("last_ms")?));
            rows.exposures.insert(row.try_get("attempt")?, seen);
        }
        let reads = sqlx::query("SELECT metric, last_ms FROM metric_reads WHERE read > 0");
        for row in reads.fetch_all(&mut *connection).await? {
            rows.last_read.insert(row.try_get("metric")?, from_sql(row.try_get("last_ms")?));
        }
        Ok(rows)
    }

    /// The counts of an attempt.
    pub(crate) fn counts(&self, attempt: i64) -> &[Count] {
        self.counts.get(&attempt).map(Vec::as_slice).unwrap_or_default()
    }

    /// The counts of an attempt by slice; they are taken out.
    pub(crate) fn take_slices(&mut self, attempt: i64) -> SliceTexts {
        self.slices.remove(&attempt).unwrap_or_default()
    }

    /// A threshold that a metric crossed in an attempt.
    pub(crate) fn latched(&self, attempt: i64, metric: &str) -> Option<Latched> {
        self.latches.get(&attempt)?.get(metric).copied()
    }

    /// Exposure events of an attempt, and when the last one came in.
    pub(crate) fn exposures(&self, attempt: i64) -> Option<(u64, u64)> {
        self.exposures.get(&attempt).copied()
    }

    /// When the last outcome that a metric could read came in.
    pub(crate) fn last_read(&self, metric: &[u8; 32]) -> Option<u64> {
        self.last_read.get(metric.as_slice()).copied()
    }
}
