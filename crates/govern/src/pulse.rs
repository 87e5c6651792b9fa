//! The pulse: what is current, how far each rollout is open, what is halted; signed, numbered, short-lived.

use flagstone_events::to_hex;
use flagstone_seal::{Mark, PulsePolicy, PulseStage, PulseStatement, TrustRoot, open_pulse, seal_pulse};
use serde_json::json;
use sqlx::{Row, SqliteConnection};

use crate::canonical::{canonical, sha256};
use crate::ledger::{self, Entry};
use crate::store::{from_sql, to_sql};
use crate::{GovernConfig, GovernError, limits};

/// A signed pulse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) number: u64,
    /// Unix seconds.
    pub(crate) issued: u64,
    /// Unix seconds.
    pub(crate) expires: u64,
    /// Digest of what it says, without number and times.
    pub(crate) says: [u8; 32],
    pub(crate) note: Vec<u8>,
    /// SHA-256 of the note in hexadecimal, without quotes.
    pub(crate) etag: String,
    /// The trust root in force refuses it: it is not served, and the next tick signs another.
    pub(crate) withdrawn: bool,
}

/// What a pulse is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Says {
    pub(crate) snapshot: Mark,
    /// Open stages, by flag.
    pub(crate) stages: Vec<PulseStage>,
    /// Halted flags, sorted.
    pub(crate) halts: Vec<String>,
}

impl Says {
    fn digest(&self) -> [u8; 32] {
        sha256(&[canonical(&self.json()).as_bytes()])
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "snapshot": {"epoch": self.snapshot.epoch, "sequence": self.snapshot.sequence, "digest": to_hex(&self.snapshot.digest)},
            "stages": self.stages.iter().map(|line| json!({"flag": line.flag, "stage": line.stage, "since": line.since})).collect::<Vec<_>>(),
            "halts": self.halts,
        })
    }
}

/// The newest pulse in the store.
pub(crate) async fn last(connection: &mut SqliteConnection) -> Result<Option<Published>, GovernError> {
    let row =
        sqlx::query("SELECT number, issued, expires, says, note FROM pulses ORDER BY number DESC LIMIT 1")
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let note: Vec<u8> = row.try_get("note")?;
    Ok(Some(Published {
        number: from_sql(row.try_get("number")?),
        issued: from_sql(row.try_get("issued")?),
        expires: from_sql(row.try_get("expires")?),
        says: row
            .try_get::<Vec<u8>, _>("says")?
            .try_into()
            .map_err(|_| GovernError::Stored("pulse digest"))?,
        etag: to_hex(&sha256(&[&note])),
        note,
        withdrawn: false,
    }))
}

/// Signs and stores a pulse when it has to say something new or a third of the last one's life is over. What it says
/// is in the ledger before anybody can fetch it. `withdrawn`: the last one is out of force. Returns none when the last one
/// still does.
pub(crate) async fn renew(
    connection: &mut SqliteConnection,
    config: &GovernConfig,
    says: &Says,
    withdrawn: bool,
    now_ms: u64,
) -> Result<Option<Published>, GovernError> {
    let now = now_ms / 1_000;
    let before = last(connection).await?;
    let digest = says.digest();
    let lifetime = config.pulse_lifetime.as_secs();
    let new = before.as_ref().is_none_or(|before| before.says != digest);
    let fresh = |before: &Published| now >= before.issued && now < before.issued.saturating_add(lifetime / 3);
    if !new && !withdrawn && before.as_ref().is_some_and(fresh) {
        return Ok(None);
    }
    // Not below the time: a store that was lost or put back from a copy still goes on above what hosts have seen.
    let number = before.map_or(0, |before| before.number.saturating_add(1)).max(now);
    let statement = statement(config, number, now, says);
    let signer = config.signer.clone();
    let signed = tokio::task::spawn_blocking(move || seal_pulse(&statement, signer.as_ref())).await;
    let note = signed
        .map_err(|error| GovernError::Setting { setting: "signer", fault: format!("failed: {error}") })??;
    if new {
        let mut data = says.json();
        if let Some(members) = data.as_object_mut() {
            members.insert("number".to_owned(), json!(number));
        }
        let entry = Entry { kind: "pulse", flag: None, actor: "governor".to_owned(), data };
        ledger::append(connection, now_ms, entry).await?;
    }
    let expires = now.saturating_add(lifetime);
    sqlx::query("INSERT INTO pulses (number, issued, expires, says, note) VALUES (?, ?, ?, ?, ?)")
        .bind(to_sql(number)?)
        .bind(to_sql(now)?)
        .bind(to_sql(expires)?)
        .bind(digest.as_slice())
        .bind(&note)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM pulses WHERE number NOT IN (SELECT number FROM pulses ORDER BY number DESC LIMIT ?)",
    )
    .bind(to_sql(limits::KEPT_PULSES)?)
    .execute(connection)
    .await?;
    let etag = to_hex(&sha256(&[&note]));
    Ok(Some(Published { number, issued: now, expires, says: digest, note, etag, withdrawn: false }))
}

fn statement(config: &GovernConfig, number: u64, now: u64, says: &Says) -> PulseStatement {
    PulseStatement {
        audience: config.audience.clone(),
        environment: config.environment.clone(),
        number,
        issued: now,
        expires: now.saturating_add(config.pulse_lifetime.as_secs()),
        snapshot: says.snapshot,
        stages: says.stages.clone(),
        halts: says.halts.clone(),
    }
}

/// Signs a pulse that nobody will see and opens it as a host would: a wrong key is found at the start, not when the
/// first rollout has to be stopped.
pub(crate) fn check_signer(config: &GovernConfig, trust: &TrustRoot, now_ms: u64) -> Result<(), GovernError> {
    let now = now_ms / 1_000;
    let (epoch, sequence) = trust.floor(&config.environment).max((trust.epoch(), 0));
    let snapshot = Mark { epoch, sequence, digest: [0; 32] };
    let says = Says { snapshot, stages: Vec::new(), halts: Vec::new() };
    let note = seal_pulse(&statement(config, 0, now, &says), config.signer.as_ref())?;
    let policy =
        PulsePolicy { audience: &config.audience, environment: &config.environment, now, last_number: None };
    open_pulse(&note, trust, &policy).map(drop).map_err(|source| GovernError::Signer {
        signer: config.signer.verifier_key().name().to_owned(),
        environment: config.environment.clone(),
        source,
    })
}
