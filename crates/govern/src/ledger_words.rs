//! What people said, kept beside the ledger: a record, and so the public log, holds no name and no free text.
//!
//! An order's record says `"actor":"person"` and, in `data.words`, the SHA-256 of a random salt and the words. The words
//! can be erased for good without touching the record; without the salt nobody can find them out by trying. While they
//! are there, changing them is noticed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::canonical::{canonical, sha256};
use crate::ledger::{self, Entry, LedgerFault, LedgerHead};
use crate::store::{from_sql, to_sql};
use flagstone_events::to_hex;

/// The actor of every record whose words are kept apart.
pub(crate) const PERSON: &str = "person";

/// Who ordered something, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// Who, as they named themselves.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Words {
    fn to_text(&self) -> String {
        canonical(&json!({"actor": self.actor, "reason": self.reason}))
    }
}

/// Appends a person's order inside the caller's transaction.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    at_ms: u64,
    (kind, flag): (&'static str, &str),
    words: &Words,
) -> Result<LedgerHead, GovernError> {
    // The database's generator is seeded by the system.
    let salt: Vec<u8> = sqlx::query_scalar("SELECT randomblob(32)").fetch_one(&mut *connection).await?;
    let text = words.to_text();
    let data = json!({"words": to_hex(&sha256(&[&salt, text.as_bytes()]))});
    let entry = Entry { kind, flag: Some(flag.to_owned()), actor: PERSON.to_owned(), data };
    let head = ledger::append(connection, at_ms, entry).await?;
    sqlx::query("INSERT INTO ledger_words (entry, salt, words) VALUES (?, ?, ?)")
        .bind(to_sql(head.entries)?)
        .bind(salt)
        .bind(text)
        .execute(connection)
        .await?;
    Ok(head)
}

/// That all words that are still there are those that were committed to. Returns how many are, and how many were erased.
///
/// # Errors
/// [`GovernError::Ledger`] names the first entry whose words were changed.
pub(crate) async fn verify(connection: &mut SqliteConnection) -> Result<(u64, u64), GovernError> {
    let rows = sqlx::query(
        "SELECT entry, record, salt, words FROM ledger LEFT JOIN ledger_words USING (entry)
         WHERE json_extract(record, '$.actor') = ? OR words IS NOT NULL ORDER BY entry",
    )
    .bind(PERSON)
    .fetch_all(connection)
    .await?;
    let (mut kept, mut erased) = (0_u64, 0_u64);
    for row in rows {
        let record: Value = serde_json::from_str(&row.try_get::<String, _>("record")?)?;
        let (salt, words): (Option<Vec<u8>>, Option<String>) = (row.try_get("salt")?, row.try_get("words")?);
        let Some((salt, words)) = salt.zip(words) else {
            erased = erased.saturating_add(1);
            continue;
        };
        let said = record.pointer("/data/words").and_then(Value::as_str);
        if said != Some(&to_hex(&sha256(&[&salt, words.as_bytes()]))) {
            let entry = from_sql(row.try_get("entry")?);
            return Err(LedgerFault { entry, fault: "has words that it does not commit to" }.into());
        }
        kept = kept.saturating_add(1);
    }
    Ok((kept, erased))
}
