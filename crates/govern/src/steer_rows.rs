//! What steering asks of all plans besides their counts, in a handful of statements, as in [`crate::evidence_rows`].

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::looks::{self, Last};
use crate::store::from_sql;

/// The rows of the attempts asked for.
#[derive(Debug, Default)]
pub(crate) struct SteerRows {
    mixed: BTreeMap<i64, Vec<u8>>,
    openings: BTreeMap<i64, Vec<Opening>>,
    pub(crate) looks: BTreeMap<i64, Last>,
}

/// When a stage was opened, unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) stage: u8,
    /// For the first time.
    pub(crate) first_ms: u64,
    /// For the last time.
    pub(crate) last_ms: u64,
}

impl SteerRows {
    /// Reads them.
    pub(crate) async fn read(
        connection: &mut SqliteConnection,
        attempts: &[i64],
    ) -> Result<Self, GovernError> {
        let ids = serde_json::to_string(attempts)?;
        let mut mixed: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
        let rows = sqlx::query(
            "SELECT attempt, cohort FROM inclusions WHERE attempt IN (SELECT value FROM json_each(?))
             GROUP BY attempt, cohort HAVING count(*) > 1 ORDER BY attempt, cohort",
        );
        for row in rows.bind(&ids).fetch_all(&mut *connection).await? {
            mixed.entry(row.try_get("attempt")?).or_default().push(row.try_get("cohort")?);
        }
        let openings = openings(connection, &ids).await?;
        Ok(Self { mixed, openings, looks: looks::last(connection, &ids).await? })
    }

    /// Cohorts of an attempt whose units were kept with different probabilities by different reporters.
    pub(crate) fn mixed(&self, attempt: i64) -> &[u8] {
        self.mixed.get(&attempt).map(Vec::as_slice).unwrap_or_default()
    }

    /// When a stage of an attempt was first opened, as far as that is known.
    pub(crate) fn first_opening(&self, attempt: i64, stage: u8) -> Option<u64> {
        let found = self.openings.get(&attempt)?.iter().find(|opening| opening.stage == stage);
        found.map(|opening| opening.first_ms)
    }
}

/// The openings of attempts (their ids as a JSON list), each in the order of the stages.
pub(crate) async fn openings(
    connection: &mut SqliteConnection,
    attempts: &str,
) -> Result<BTreeMap<i64, Vec<Opening>>, GovernError> {
    let rows = sqlx::query(
        "SELECT attempt, stage, min(opened_ms) AS first, max(opened_ms) AS last FROM stage_openings
         WHERE attempt IN (SELECT value FROM json_each(?)) GROUP BY attempt, stage ORDER BY attempt, stage",
    );
    let mut found: BTreeMap<i64, Vec<Opening>> = BTreeMap::new();
    for row in rows.bind(attempts).fetch_all(connection).await? {
        found.entry(row.try_get("attempt")?).or_default().push(Opening {
            stage: row.try_get("stage")?,
            first_ms: from_sql(row.try_get("first")?),
            last_ms: from_sql(row.try_get("last")?),
        });
    }
    Ok(found)
}
