//! The ledger: what was done, by whom, why. Append-only and hash-chained, written before anything is published.
//!
//! An entry's `record` is canonical JSON with the members `actor`, `at`, `data`, `entry`, `flag`, `kind`; its hash is
//! SHA-256 over the previous entry's hash (32 zero bytes for the first) and the record's bytes. Whoever keeps a head
//! (number and hash) elsewhere can tell later whether history only grew.

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use crate::GovernError;
use crate::canonical::{canonical, sha256};
use crate::ledger_words::Words;
use crate::store::{from_sql, to_sql};
use flagstone_events::to_hex;

/// Something to write down.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// What kind of thing happened, e.g. `decision`.
    pub(crate) kind: &'static str,
    /// The flag it concerns.
    pub(crate) flag: Option<String>,
    /// Who did it: `governor`, names of keys, or `person`, whose words are kept apart.
    pub(crate) actor: String,
    /// The particulars.
    pub(crate) data: Value,
}

/// One entry as the API shows it.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct LedgerEntry {
    /// Its number, counted from 1 without gaps.
    pub entry: u64,
    /// The record: `actor`, `at` (unix milliseconds), `data`, `entry`, `flag`, `kind`.
    pub record: Value,
    /// Its hash, 64 hexadecimal digits.
    pub hash: String,
    /// What a person said, for an entry that is a person's order. Kept beside the record, which holds only a commitment
    /// to it; none when it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Words>,
}

/// The newest entry: all that has to be remembered elsewhere to notice a rewritten or shortened ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerHead {
    /// How many entries there are.
    pub entries: u64,
    /// The last one's hash; zeros when there is none.
    pub hash: [u8; 32],
}

/// What is wrong with a ledger, and where it begins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ledger entry {entry} {fault}")]
pub struct LedgerFault {
    /// The number of the first bad entry.
    pub entry: u64,
    /// What is wrong with it.
    pub fault: &'static str,
}

/// Appends an entry inside the caller's transaction.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    at_ms: u64,
    entry: Entry,
) -> Result<LedgerHead, GovernError> {
    let before = head(connection).await?;
    let number = before.entries.saturating_add(1);
    let record = canonical(&json!({
        "entry": number, "at": at_ms, "kind": entry.kind, "flag": entry.flag, "actor": entry.actor, "data": entry.data,
    }));
    let hash = sha256(&[&before.hash, record.as_bytes()]);
    sqlx::query(
        "INSERT INTO ledger (entry, at_ms, kind, flag, record, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(to_sql(number)?)
    .bind(to_sql(at_ms)?)
    .bind(entry.kind)
    .bind(entry.flag)
    .bind(record)
    .bind(before.hash.as_slice())
    .bind(hash.as_slice())
    .execute(connection)
    .await?;
    Ok(LedgerHead { entries: number, hash })
}

/// The newest entry's number and hash.
pub(crate) async fn head(connection: &mut SqliteConnection) -> Result<LedgerHead, GovernError> {
    let row = sqlx::query("SELECT entry, hash FROM ledger ORDER BY entry DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(LedgerHead { entries: 0, hash: [0; 32] }) };
    let hash: Vec<u8> = row.try_get("hash")?;
    Ok(LedgerHead {
        entries: from_sql(row.try_get("entry")?),
        hash: hash.try_into().map_err(|_| GovernError::Stored("ledger hash"))?,
    })
}

/// The entries after number `after`, oldest first, at most `limit`.
pub(crate) async fn page(
    connection: &mut SqliteConnection,
    after: u64,
    limit: u32,
) -> Result<Vec<LedgerEntry>, GovernError> {
    let rows = sqlx::query("SELECT entry, record, hash, words FROM ledger LEFT JOIN ledger_words USING (entry) WHERE entry > ? ORDER BY entry LIMIT ?")
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(shown).collect()
}

/// The newest `limit` entries, newest first.
pub(crate) async fn tail(
    connection: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<LedgerEntry>, GovernError> {
    let rows = sqlx::query("SELECT entry, record, hash, words FROM ledger LEFT JOIN ledger_words USING (entry) ORDER BY entry DESC LIMIT ?")
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(shown).collect()
}

fn shown(row: &SqliteRow) -> Result<LedgerEntry, GovernError> {
    let record: String = row.try_get("record")?;
    let hash: Vec<u8> = row.try_get("hash")?;
    Ok(LedgerEntry {
        entry: from_sql(row.try_get("entry")?),
        record: serde_json::from_str(&record).unwrap_or(Value::Null),
        hash: to_hex(&hash),
        words: row.try_get::<Option<String>, _>("words")?.and_then(|words| serde_json::from_str(&words).ok()),
    })
}

/// What the log holds of the entries after number `after`, oldest first, at most `limit`.
pub(crate) async fn leaves(
    connection: &mut SqliteConnection,
    after: u64,
    limit: u32,
) -> Result<Vec<Vec<u8>>, GovernError> {
    let rows = sqlx::query("SELECT entry, record FROM ledger WHERE entry > ? ORDER BY entry LIMIT ?")
        .bind(to_sql(after)?)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    let mut leaves = Vec::with_capacity(rows.len());
    for row in rows {
        let record: String = row.try_get("record")?;
        leaves.push(crate::log::leaf(from_sql(row.try_get("entry")?), &record).into_owned());
    }
    Ok(leaves)
}

/// Recomputes the whole chain, and compares it with a head remembered elsewhere when there is one.
///
/// # Errors
/// [`GovernError::Ledger`] names the first bad entry; database errors as they come.
pub(crate) async fn verify(
    connection: &mut SqliteConnection,
    remembered: Option<LedgerHead>,
) -> Result<LedgerHead, GovernError> {
    let mut reached = LedgerHead { entries: 0, hash: [0; 32] };
    loop {
        let rows = sqlx::query(
            "SELECT entry, at_ms, kind, flag, record, previous, hash FROM ledger WHERE entry > ? ORDER BY entry LIMIT 500",
        )
        .bind(to_sql(reached.entries)?)
        .fetch_all(&mut *connection)
        .await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            reached = verify_entry(row, reached)?;
            if let Some(head) = remembered
                && head.entries == reached.entries
                && head.hash != reached.hash
            {
                let fault = "has another hash than the one remembered: history was rewritten at or before it";
                return Err(LedgerFault { entry: reached.entries, fault }.into());
            }
        }
    }
    if let Some(head) = remembered
        && head.entries > reached.entries
    {
        let entry = reached.entries.saturating_add(1);
        return Err(LedgerFault { entry, fault: "is missing: the end was cut off" }.into());
    }
    Ok(reached)
}

fn verify_entry(row: &SqliteRow, before: LedgerHead) -> Result<LedgerHead, GovernError> {
    let entry = before.entries.saturating_add(1);
    let fault = |fault| GovernError::from(LedgerFault { entry, fault });
    if from_sql(row.try_get("entry")?) != entry {
        return Err(fault("is missing"));
    }
    let (record, previous, hash): (String, Vec<u8>, Vec<u8>) =
        (row.try_get("record")?, row.try_get("previous")?, row.try_get("hash")?);
    if previous != before.hash {
        return Err(fault("does not follow from the entry before it"));
    }
    let computed = sha256(&[&before.hash, record.as_bytes()]);
    if hash != computed {
        return Err(fault("has a record that does not match its hash"));
    }
    let value: Value = serde_json::from_str(&record).map_err(|_| fault("is not JSON"))?;
    let (at_ms, kind, flag): (i64, String, Option<String>) =
        (row.try_get("at_ms")?, row.try_get("kind")?, row.try_get("flag")?);
    let says = |name: &str| value.get(name);
    if says("entry").and_then(Value::as_u64) != Some(entry)
        || says("at").and_then(Value::as_i64) != Some(at_ms)
        || says("kind").and_then(Value::as_str) != Some(&kind)
        || says("flag").and_then(Value::as_str) != flag.as_deref()
    {
        return Err(fault("has columns that contradict its record"));
    }
    Ok(LedgerHead { entries: entry, hash: computed })
}
