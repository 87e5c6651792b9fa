//! A ledger read from outside: the database of a governor, running or not, without changing it.

use std::path::Path;

use flagstone_report::Report;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Row};

use crate::GovernError;
use crate::decision::{self, Replayed};
use crate::handle::Audit;
use crate::ledger::{self, LedgerHead};
use crate::ledger_words::{self, Words};
use crate::log::{self, LogError, merkle};
use crate::report;
use crate::store::{from_sql, to_sql};

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerRecord {
    /// Its number, counted from 1.
    pub entry: u64,
    /// The record, canonical JSON.
    pub record: Value,
    /// The bytes that stand for it in the log.
    pub leaf: Vec<u8>,
    /// What a person said with it, unless it was erased.
    pub words: Option<Words>,
}

/// A governor's database, open for reading.
pub struct LedgerFile {
    connection: SqliteConnection,
}

impl LedgerFile {
    /// Opens the file.
    ///
    /// # Errors
    /// [`GovernError::Database`] when it is not there or no database.
    pub async fn open(database: &Path) -> Result<Self, GovernError> {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        Ok(Self { connection: options.connect().await? })
    }

    /// Recomputes the chain, checks what people said against what is committed to, and replays every decision.
    ///
    /// # Errors
    /// [`GovernError::Ledger`] names the first bad entry.
    pub async fn audit(&mut self, remembered: Option<LedgerHead>) -> Result<Audit, GovernError> {
        audit(&mut self.connection, remembered).await
    }

    /// The entries after number `after`, at most `limit`.
    ///
    /// # Errors
    /// As the database fails.
    pub async fn entries(&mut self, after: u64, limit: u32) -> Result<Vec<LedgerRecord>, GovernError> {
        let rows = sqlx::query(
            "SELECT entry, record, words FROM ledger LEFT JOIN ledger_words USING (entry)
             WHERE entry > ? ORDER BY entry LIMIT ?",
        )
        .bind(to_sql(after)?)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            let (entry, text) = (from_sql(row.try_get("entry")?), row.try_get::<String, _>("record")?);
            let words: Option<String> = row.try_get("words")?;
            entries.push(LedgerRecord {
                entry,
                record: serde_json::from_str(&text)?,
                leaf: log::leaf(entry, &text).into_owned(),
                words: words.map(|words| serde_json::from_str(&words)).transpose()?,
            });
        }
        Ok(entries)
    }

    /// Replays the next decisions after an entry, at most `limit`.
    ///
    /// # Errors
    /// [`GovernError::Ledger`] names the first entry whose inputs are missing or changed.
    pub async fn replay(&mut self, after: u64, limit: u32) -> Result<Vec<Replayed>, GovernError> {
        decision::replay(&mut self.connection, after, limit).await
    }

    /// The report on a flag at a moment (unix seconds; none: the last look that was kept). None when nothing was judged by
    /// then. Nothing of fewer than `k` units leaves.
    ///
    /// # Errors
    /// As the database fails.
    pub async fn report(
        &mut self,
        flag: &str,
        at: Option<u64>,
        k: u64,
    ) -> Result<Option<Report>, GovernError> {
        report::of(&mut self.connection, flag, at, None, k).await
    }

    /// Compares the hashes of a verified log's entries with the database. The database may have more: a governor that is
    /// running writes there first.
    ///
    /// # Errors
    /// [`GovernError::Log`] names the first entry that is another, or that the database lacks.
    pub async fn compare(&mut self, leaves: &[merkle::Hash]) -> Result<(), GovernError> {
        let mut rest = leaves;
        let mut after = 0_u64;
        while !rest.is_empty() {
            let entries = ledger::leaves(&mut self.connection, after, 1_000).await?;
            if entries.is_empty() {
                let fault = "is not in the database: its end was cut off, or it is an older copy".to_owned();
                return Err(LogError::Entry { entry: after.saturating_add(1), fault }.into());
            }
            for (entry, leaf) in entries.iter().zip(rest) {
                after = after.saturating_add(1);
                if merkle::leaf_hash(entry) != *leaf {
                    let fault = "is not the one in the database: one of them was changed".to_owned();
                    return Err(LogError::Entry { entry: after, fault }.into());
                }
            }
            rest = rest.get(entries.len()..).unwrap_or_default();
        }
        Ok(())
    }
}

/// The same for a connection that is open already.
pub(crate) async fn audit(
    connection: &mut SqliteConnection,
    remembered: Option<LedgerHead>,
) -> Result<Audit, GovernError> {
    let head = ledger::verify(connection, remembered).await?;
    let (words, erased) = ledger_words::verify(connection).await?;
    let decisions = decision::replay_all(connection).await?;
    Ok(Audit { head, decisions, words, erased })
}
