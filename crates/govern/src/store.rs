//! The SQLite file: opened, migrated, bound to one environment. One connection writes, several read.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, Transaction, pool::PoolConnection};

use crate::{GovernError, limits};

/// The open store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens the file, creating and migrating it, and checks that it belongs to this audience and environment.
    ///
    /// # Errors
    /// [`GovernError::OtherEnvironment`] for another environment's file; database errors as they come.
    pub(crate) async fn open(path: &Path, audience: &str, environment: &str) -> Result<Self, GovernError> {
        // FULL: a batch that was acknowledged survives a power cut, not only the end of the process.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Units and readings lie scattered by pseudonym: the pages in use should stay in memory (negative: KiB).
            .pragma("cache_size", limits::PAGE_CACHE)
            // What a unit took back is overwritten, not only unlinked.
            .pragma("secure_delete", "ON")
            .busy_timeout(Duration::from_secs(10));
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("./migrations").run(&writer).await?;
        let readers =
            SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
        let store = Self { writer, readers };
        store.belongs_to("audience", audience).await?;
        store.belongs_to("environment", environment).await?;
        Ok(store)
    }

    async fn belongs_to(&self, key: &'static str, value: &str) -> Result<(), GovernError> {
        let mut write = self.write().await?;
        sqlx::query("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(key)
            .bind(value)
            .execute(&mut *write)
            .await?;
        let found: String = sqlx::query_scalar("SELECT value FROM meta WHERE key = ?")
            .bind(key)
            .fetch_one(&mut *write)
            .await?;
        if found != value {
            return Err(GovernError::OtherEnvironment { what: key, found, wanted: value.to_owned() });
        }
        write.commit().await?;
        Ok(())
    }

    /// Begins a write transaction; there is one writer, so it never waits for a lock inside the database.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, GovernError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// A connection that only reads.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>, GovernError> {
        Ok(self.readers.acquire().await?)
    }

    /// Waits for work under way and closes the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A count, time or number as SQLite holds it.
///
/// # Errors
/// [`GovernError::OutOfRange`] above 2^63 - 1.
pub(crate) fn to_sql(value: u64) -> Result<i64, GovernError> {
    i64::try_from(value).map_err(|_| GovernError::OutOfRange(value))
}

/// The other way; nothing negative is ever written.
pub(crate) fn from_sql(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Adds to a named counter.
pub(crate) async fn count(connection: &mut SqliteConnection, name: &str, by: u64) -> Result<(), GovernError> {
    sqlx::query("INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value")
        .bind(name)
        .bind(to_sql(by)?)
        .execute(connection)
        .await?;
    Ok(())
}
