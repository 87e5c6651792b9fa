//! The trust root in force: pinned at the start, moved on by what root keys sign, every version kept.

use flagstone_events::to_hex;
use flagstone_seal::{PulsePolicy, SealError, TrustRoot, open_pulse};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use crate::canonical::sha256;
use crate::error::Refusal;
use crate::governor::Governor;
use crate::pulse::Published;
use crate::snapshots::mark_json;
use crate::store::to_sql;
use crate::{GovernConfig, GovernError, ledger_notes, pulse, snapshots};

/// A trust note and what it says.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) root: TrustRoot,
    pub(crate) note: Vec<u8>,
    /// SHA-256 of the note, in hexadecimal.
    pub(crate) etag: String,
}

impl InForce {
    fn new(root: TrustRoot, note: Vec<u8>) -> Self {
        Self { root, etag: to_hex(&sha256(&[&note])), note }
    }
}

/// Takes up the trust root at the start: the configured note, and from there on every stored version after it.
///
/// # Errors
/// [`GovernError::Trust`] for a note that does not verify, [`GovernError::StoredTrust`] when the store and the
/// configured note contradict each other.
pub(crate) async fn open(
    connection: &mut SqliteConnection,
    config: &GovernConfig,
    now_ms: u64,
) -> Result<InForce, GovernError> {
    let now = now_ms / 1_000;
    let pinned = TrustRoot::pin(&config.trust, now).map_err(|source| GovernError::Trust { source })?;
    match version(connection, pinned.version()).await? {
        Some(stored) => {
            let same = TrustRoot::pin(&stored, now).map(|stored| stored.digest() == pinned.digest());
            let fault = match same {
                Ok(true) => None,
                Ok(false) => Some("the configured trust note says something else".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(fault) = fault {
                return Err(GovernError::StoredTrust { version: pinned.version(), fault });
            }
        }
        None => {
            keep(connection, &pinned, &config.trust, now_ms).await?;
        }
    }
    let mut here = InForce::new(pinned, config.trust.clone());
    while let Some(note) = version(connection, here.root.version().saturating_add(1)).await? {
        let next = here.root.advance(&note, now).map_err(|error| GovernError::StoredTrust {
            version: here.root.version().saturating_add(1),
            fault: error.to_string(),
        })?;
        here = InForce::new(next, note);
    }
    ledger_notes::trust(connection, &here.root, &here.note, now_ms).await?;
    Ok(here)
}

/// The note of a version.
pub(crate) async fn version(
    connection: &mut SqliteConnection,
    version: u64,
) -> Result<Option<Vec<u8>>, GovernError> {
    Ok(sqlx::query_scalar("SELECT note FROM trust WHERE version = ?")
        .bind(to_sql(version)?)
        .fetch_optional(connection)
        .await?)
}

async fn keep(
    connection: &mut SqliteConnection,
    root: &TrustRoot,
    note: &[u8],
    now_ms: u64,
) -> Result<(), GovernError> {
    sqlx::query("INSERT INTO trust (version, note, posted_ms) VALUES (?, ?, ?)")
        .bind(to_sql(root.version())?)
        .bind(note)
        .bind(to_sql(now_ms)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// A pulse that a host under this root would refuse is out of force: it is not served any more, whatever its own time.
pub(crate) fn judge_pulse(
    config: &GovernConfig,
    root: &TrustRoot,
    mut published: Published,
    now: u64,
) -> Published {
    let policy = PulsePolicy {
        audience: &config.audience,
        environment: &config.environment,
        // As of its issue: one that merely ran out is still the last word, and its outage is counted from there.
        now: published.issued,
        last_number: None,
    };
    if !published.withdrawn && open_pulse(&published.note, root, &policy).is_err() {
        published.withdrawn = true;
        published.expires = published.expires.min(now);
    }
    published
}

impl Governor {
    /// Moves to the next trust root: verified, stored and written down, then in force at once. The same note again
    /// changes nothing.
    pub(crate) async fn post_trust(&self, note: &[u8]) -> Result<(bool, Value), Refusal> {
        let mut steering = self.steering.lock().await;
        let now_ms = self.now_ms();
        let here = self.trust.borrow().clone();
        if here.note == note {
            return Ok((false, answer(&here.root, &steering.current.as_ref().map(|one| one.mark), None)));
        }
        let next = here.root.advance(note, now_ms / 1_000).map_err(|error| refuse(&error, &here.root))?;
        check_pulse_key(&self.config, &next, now_ms)?;
        let before = steering.current.as_ref().map(|current| current.mark);
        let mut write = self.store.write().await?;
        match version(&mut write, next.version()).await? {
            None => keep(&mut write, &next, note, now_ms).await?,
            // It was stored when the log could not be written.
            Some(stored) if stored == note => {}
            Some(_) => return Err(refuse(&SealError::TrustVersion, &here.root)),
        }
        ledger_notes::trust(&mut write, &next, note, now_ms).await?;
        let adopted = snapshots::adopt(&mut write, &self.config, &next, now_ms).await?;
        write.commit().await?;
        // Log first, then publish.
        self.catch_up().await?;
        (steering.current, steering.waiting) = adopted;
        self.published.send_modify(|published| {
            if let Some(last) = published.take() {
                let last = judge_pulse(&self.config, &next, (*last).clone(), now_ms / 1_000);
                *published = Some(std::sync::Arc::new(last));
            }
        });
        self.trust.send_replace(std::sync::Arc::new(InForce::new(next.clone(), note.to_vec())));
        self.tick_locked(&mut steering).await?;
        let refused = before.and_then(|before| {
            let waiting = steering.waiting.iter().find(|waiting| waiting.mark == before)?;
            Some(waiting.reason.clone())
        });
        Ok((true, answer(&next, &steering.current.as_ref().map(|one| one.mark), refused)))
    }
}

/// The governor must be able to go on under the new root, or nothing could be stopped any more.
fn check_pulse_key(config: &GovernConfig, next: &TrustRoot, now_ms: u64) -> Result<(), Refusal> {
    match pulse::check_signer(config, next, now_ms) {
        Ok(()) => Ok(()),
        Err(GovernError::Signer { signer, source, .. }) => {
            let message = format!(
                "the pulse key `{signer}` of this control plane does not sign under that trust root: {source}\n\
                 hint: start it with the new pulse key and this trust note"
            );
            Err(Refusal::new(409, "pulse-key", message))
        }
        Err(other) => Err(other.into()),
    }
}

fn refuse(error: &SealError, here: &TrustRoot) -> Refusal {
    let status = if matches!(error, SealError::TrustVersion | SealError::TrustEpoch) { 409 } else { 422 };
    let message = format!("{error}\nhint: version {} is in force, epoch {}", here.version(), here.epoch());
    Refusal::new(status, error.code(), message)
}

fn answer(root: &TrustRoot, current: &Option<flagstone_seal::Mark>, refused: Option<String>) -> Value {
    json!({
        "version": root.version(), "epoch": root.epoch(), "digest": to_hex(&root.digest()),
        "current": current.as_ref().map(mark_json), "refused": refused,
    })
}
