//! What a governor writes down about itself when it starts: whose trust it follows, which key signs its log.

use flagstone_events::to_hex;
use flagstone_seal::{TrustRoot, VerifierKey, inspect};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use crate::GovernError;
use crate::ledger::{self, Entry};
use crate::log::LogError;

/// All keys that have signed the log so far, the newest last.
pub(crate) async fn log_keys(connection: &mut SqliteConnection) -> Result<Vec<VerifierKey>, GovernError> {
    let texts: Vec<String> = sqlx::query_scalar(
        "SELECT json_extract(record, '$.data.key') FROM ledger WHERE kind = 'log-key' ORDER BY entry",
    )
    .fetch_all(connection)
    .await?;
    texts.iter().map(|text| VerifierKey::parse(text).map_err(|_| GovernError::Stored("log key"))).collect()
}

/// Writes down which key signs the log from here on, when that is news.
///
/// # Errors
/// [`LogError::OtherLog`] when the key is named otherwise than the ones before it: the name is the log's name.
pub(crate) async fn log_key(
    connection: &mut SqliteConnection,
    (audience, environment): (&str, &str),
    key: &VerifierKey,
    now_ms: u64,
) -> Result<(), GovernError> {
    let known = log_keys(connection).await?;
    if let Some(last) = known.last() {
        if last == key {
            return Ok(());
        }
        if last.name() != key.name() {
            let (found, wanted) = (last.name().to_owned(), key.name().to_owned());
            return Err(LogError::OtherLog { found, wanted }.into());
        }
    }
    let data = json!({"audience": audience, "environment": environment, "key": key.to_text()});
    let entry = Entry { kind: "log-key", flag: None, actor: "governor".to_owned(), data };
    ledger::append(connection, now_ms, entry).await.map(drop)
}

/// Writes down the trust statement in force, when it is another than the last one written down.
pub(crate) async fn trust(
    connection: &mut SqliteConnection,
    trust: &TrustRoot,
    note: &[u8],
    now_ms: u64,
) -> Result<(), GovernError> {
    let digest = to_hex(&trust.digest());
    let last: Option<String> = sqlx::query_scalar(
        "SELECT json_extract(record, '$.data.digest') FROM ledger WHERE kind = 'trust' ORDER BY entry DESC LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    if last.as_ref() == Some(&digest) {
        return Ok(());
    }
    let claim = inspect(note, 0).map_err(|source| GovernError::Trust { source })?;
    let signers: Vec<&str> = claim.note.signatures().iter().map(|line| line.name).collect();
    let data: Value = json!({
        "version": trust.version(), "epoch": trust.epoch(), "digest": digest, "signers": signers, "expires": trust.expires(),
        "revokedKeys": trust.statement().revoked_keys.iter().map(VerifierKey::to_text).collect::<Vec<_>>(),
    });
    let entry = Entry { kind: "trust", flag: None, actor: signers.join(", "), data };
    ledger::append(connection, now_ms, entry).await.map(drop)
}
