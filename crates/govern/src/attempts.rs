//! The rows of the stage machine: one attempt a flag, its phase, its stage, since when.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::store::{from_sql, to_sql};

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Published; nobody is treated until it is started.
    Closed,
    /// A stage is open and waits for time or data.
    Open,
    /// A stage is open and frozen until a cause clears or a person acts.
    Held,
    /// The stage's gate is green; the next stage is above the signed ceiling.
    AwaitingApproval,
    /// Taken back by evidence, for the rest of the attempt.
    Halted,
    /// The last stage's gate is green. Evidence of harm still takes it back.
    Complete,
}

impl Phase {
    /// The name in the store, the ledger and the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Closed => "closed",
            Phase::Open => "open",
            Phase::Held => "held",
            Phase::AwaitingApproval => "awaiting-approval",
            Phase::Halted => "halted",
            Phase::Complete => "complete",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let all = [
            Phase::Closed,
            Phase::Open,
            Phase::Held,
            Phase::AwaitingApproval,
            Phase::Halted,
            Phase::Complete,
        ];
        all.into_iter().find(|phase| phase.as_str() == text)
    }
}

/// The part of an attempt that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) phase: Phase,
    /// The open stage; kept when halted, so that it is seen how far it came.
    pub(crate) stage: Option<u8>,
    /// When the stage was opened, less outages, unix milliseconds.
    pub(crate) since_ms: u64,
    /// The judge's rule and words for the phase.
    pub(crate) rule: Option<String>,
    pub(crate) reasons: Vec<String>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) id: i64,
    pub(crate) flag: String,
    /// Counted from 1 for each flag.
    pub(crate) number: u32,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) begun_ms: u64,
    /// Its units are counted by slice from the first one on.
    pub(crate) sliced: bool,
    pub(crate) standing: Standing,
}

/// The newest attempt of a flag.
pub(crate) async fn latest(
    connection: &mut SqliteConnection,
    flag: &str,
) -> Result<Option<Attempt>, GovernError> {
    let row = sqlx::query("SELECT * FROM attempts WHERE flag = ? ORDER BY number DESC LIMIT 1")
        .bind(flag)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The newest attempt of every flag.
pub(crate) async fn all_latest(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<String, Attempt>, GovernError> {
    // With max() the other columns are those of its row (SQLite's manual, section 2.5 of SELECT).
    let rows = sqlx::query("SELECT *, max(number) FROM attempts GROUP BY flag").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("flag")?, read(row)?))).collect()
}

/// Begins a new attempt, closed.
pub(crate) async fn begin(
    connection: &mut SqliteConnection,
    flag: &str,
    number: u32,
    fingerprint: &[u8; 32],
    now_ms: u64,
) -> Result<Attempt, GovernError> {
    let row = sqlx::query(
        "INSERT INTO attempts (flag, number, fingerprint, begun_ms, phase, sliced) VALUES (?, ?, ?, ?, 'closed', 1) RETURNING *",
    )
    .bind(flag)
    .bind(number)
    .bind(fingerprint.as_slice())
    .bind(to_sql(now_ms)?)
    .fetch_one(connection)
    .await?;
    read(&row)
}

/// Says that a snapshot's exposures of a flag belong to an attempt.
pub(crate) async fn bind_snapshot(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    snapshot: &[u8; 32],
) -> Result<(), GovernError> {
    sqlx::query("INSERT INTO attempt_snapshots (snapshot, flag, attempt) VALUES (?, ?, ?)")
        .bind(snapshot.as_slice())
        .bind(&attempt.flag)
        .bind(attempt.id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes where the attempt stands now; a newly opened stage goes into the timeline.
pub(crate) async fn set_standing(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    new: &Standing,
    now_ms: u64,
) -> Result<(), GovernError> {
    sqlx::query("UPDATE attempts SET phase = ?, stage = ?, since_ms = ?, rule = ?, reasons = ? WHERE id = ?")
        .bind(new.phase.as_str())
        .bind(new.stage)
        .bind(to_sql(new.since_ms)?)
        .bind(&new.rule)
        .bind(serde_json::to_string(&new.reasons)?)
        .bind(attempt.id)
        .execute(&mut *connection)
        .await?;
    let opened = new.stage.filter(|stage| attempt.standing.stage != Some(*stage));
    if let Some(stage) = opened {
        sqlx::query("INSERT OR IGNORE INTO stage_openings (attempt, stage, opened_ms) VALUES (?, ?, ?)")
            .bind(attempt.id)
            .bind(stage)
            .bind(to_sql(now_ms)?)
            .execute(connection)
            .await?;
    }
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Attempt, GovernError> {
    let phase: String = row.try_get("phase")?;
    let fingerprint: Vec<u8> = row.try_get("fingerprint")?;
    let reasons: String = row.try_get("reasons")?;
    Ok(Attempt {
        id: row.try_get("id")?,
        flag: row.try_get("flag")?,
        number: row.try_get("number")?,
        fingerprint: fingerprint.try_into().map_err(|_| GovernError::Stored("fingerprint"))?,
        begun_ms: from_sql(row.try_get("begun_ms")?),
        sliced: row.try_get("sliced")?,
        standing: Standing {
            phase: Phase::from_text(&phase).ok_or(GovernError::Stored("phase"))?,
            stage: row.try_get("stage")?,
            since_ms: from_sql(row.try_get::<Option<i64>, _>("since_ms")?.unwrap_or(0)),
            rule: row.try_get("rule")?,
            reasons: serde_json::from_str(&reasons)?,
        },
    })
}
