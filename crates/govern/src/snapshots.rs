//! Release-signed snapshots: verified before they are stored, adopted once their definition is there.
//!
//! A snapshot with rollout plans cannot be judged without its definition (metrics and guardrails are not in the engine's
//! bytes), so the pulse does not name it before the definition has come. The definition must compile to the very payload
//! that was signed: nobody can slip weaker guardrails under a signed plan's flags without a trace in the ledger.

use std::sync::Arc;

use flagstone_events::to_hex;
use flagstone_seal::{Mark, OpenPolicy, SealError, TrustRoot, open};
use flagstone_snapshot::Snapshot;
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection};

use crate::attempts::{self, Attempt};
use crate::derive;
use crate::error::Refusal;
use crate::ledger::{self, Entry};
use crate::plan::{Plan, plans};
use crate::store::{from_sql, to_sql};
use crate::{GovernConfig, GovernError, definition, limits};

/// The snapshot that the pulse names, and its plans.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) mark: Mark,
    /// Unix seconds.
    pub(crate) issued: u64,
    /// Unix seconds.
    pub(crate) expires: u64,
    /// Keys of all flags, in order.
    pub(crate) flags: Vec<String>,
    /// Shared with what a tick keeps of them.
    pub(crate) plans: Vec<Arc<Plan>>,
}

/// A snapshot that was posted and cannot be adopted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) mark: Mark,
    pub(crate) reason: String,
}

/// What came of a posted snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Posted {
    pub(crate) mark: Mark,
    /// It had been posted before.
    pub(crate) known: bool,
}

/// Verifies and stores a sealed file.
///
/// # Errors
/// 409 for one that is older than, or contradicts, one already here; 422 for every other fault of the file.
pub(crate) async fn post(
    connection: &mut SqliteConnection,
    config: &GovernConfig,
    trust: &TrustRoot,
    file: &[u8],
    now_ms: u64,
) -> Result<Posted, Refusal> {
    let mark = newest(connection).await?;
    let policy = OpenPolicy {
        audience: &config.audience,
        environment: &config.environment,
        now: now_ms / 1_000,
        mark,
        max_payload: limits::MAX_PAYLOAD,
    };
    let opened = match open(file, trust, &policy) {
        Ok(opened) => opened,
        Err(error) => return Err(refuse(connection, &error, now_ms).await?),
    };
    if mark == Some(opened.mark) {
        return Ok(Posted { mark: opened.mark, known: true });
    }
    let snapshot =
        Snapshot::load(opened.payload).map_err(|error| Refusal::new(422, error.code(), error.to_string()))?;
    if snapshot.environment() != config.environment {
        let message = format!(
            "the flags were compiled for environment `{}`, the file is sealed for `{}`",
            snapshot.environment(),
            config.environment
        );
        return Err(Refusal::new(422, "wrong-environment", message));
    }
    let statement = &opened.statement;
    let number = |value: u64| to_sql(value).map_err(Refusal::from);
    sqlx::query(
        "INSERT INTO snapshots (digest, epoch, sequence, issued, expires, sealed, posted_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(opened.mark.digest.as_slice())
    .bind(number(statement.epoch)?)
    .bind(number(statement.sequence)?)
    .bind(number(statement.issued)?)
    .bind(number(statement.expires)?)
    .bind(file)
    .bind(number(now_ms)?)
    .execute(&mut *connection)
    .await?;
    let data = json!({"snapshot": mark_json(&opened.mark), "signers": opened.signers, "parent": to_hex(&statement.parent)});
    let entry = Entry { kind: "snapshot-posted", flag: None, actor: opened.signers.join(", "), data };
    let head = ledger::append(connection, now_ms, entry).await?;
    sqlx::query("UPDATE snapshots SET entry = ? WHERE digest = ?")
        .bind(number(head.entries)?)
        .bind(opened.mark.digest.as_slice())
        .execute(connection)
        .await?;
    Ok(Posted { mark: opened.mark, known: false })
}

/// The refusal of a file; one that release keys did sign but that is old or contradicts another is written down.
async fn refuse(
    connection: &mut SqliteConnection,
    error: &SealError,
    now_ms: u64,
) -> Result<Refusal, Refusal> {
    let signed = matches!(error, SealError::Rollback | SealError::Equivocation { .. });
    if let SealError::Equivocation { stored, offered } = error {
        let data = json!({"code": error.code(), "stored": to_hex(stored), "offered": to_hex(offered)});
        let entry = Entry { kind: "snapshot-refused", flag: None, actor: "governor".to_owned(), data };
        ledger::append(connection, now_ms, entry).await?;
    }
    Ok(Refusal::new(if signed { 409 } else { 422 }, error.code(), error.to_string()))
}

/// The highest mark stored, adopted or not.
async fn newest(connection: &mut SqliteConnection) -> Result<Option<Mark>, GovernError> {
    let row = sqlx::query(
        "SELECT epoch, sequence, digest FROM snapshots ORDER BY epoch DESC, sequence DESC LIMIT 1",
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Mark {
        epoch: from_sql(row.try_get("epoch")?),
        sequence: from_sql(row.try_get("sequence")?),
        digest: row.try_get::<Vec<u8>, _>("digest")?.try_into().map_err(|_| GovernError::Stored("digest"))?,
    }))
}

/// Stores the source text of a snapshot that is here. The same text again changes nothing.
///
/// # Errors
/// 404 without the snapshot, 409 when another text is stored, 422 when it does not compile to the signed payload.
pub(crate) async fn put_definition(
    connection: &mut SqliteConnection,
    config: &GovernConfig,
    digest: &[u8; 32],
    text: &str,
    now_ms: u64,
) -> Result<bool, Refusal> {
    let Some(file) = sealed(connection, digest).await? else {
        let message = "no snapshot of this digest is here\nhint: post the sealed file first";
        return Err(Refusal::new(404, "unknown-snapshot", message));
    };
    if let Some(known) = stored_definition(connection, digest).await? {
        if known == text {
            return Ok(false);
        }
        let message = "another definition of this snapshot is stored, and the first one stays";
        return Err(Refusal::new(409, "other-definition", message));
    }
    definition::check(text, &config.environment, &file_payload(&file)?)?;
    sqlx::query("INSERT INTO definitions (digest, text, posted_ms) VALUES (?, ?, ?)")
        .bind(digest.as_slice())
        .bind(text)
        .bind(to_sql(now_ms).map_err(Refusal::from)?)
        .execute(&mut *connection)
        .await?;
    let data =
        json!({"snapshot": to_hex(digest), "text": to_hex(&crate::canonical::sha256(&[text.as_bytes()]))});
    let entry = Entry { kind: "definition-posted", flag: None, actor: "operator".to_owned(), data };
    ledger::append(connection, now_ms, entry).await?;
    Ok(true)
}

fn file_payload(file: &[u8]) -> Result<Vec<u8>, Refusal> {
    let claim = flagstone_seal::inspect(file, limits::MAX_PAYLOAD)
        .map_err(|error| Refusal::new(500, error.code(), error.to_string()))?;
    Ok(claim.payload.unwrap_or_default().to_vec())
}

/// The sealed file of a digest.
pub(crate) async fn sealed(
    connection: &mut SqliteConnection,
    digest: &[u8; 32],
) -> Result<Option<Vec<u8>>, GovernError> {
    Ok(sqlx::query_scalar("SELECT sealed FROM snapshots WHERE digest = ?")
        .bind(digest.as_slice())
        .fetch_optional(connection)
        .await?)
}

/// The sealed file of a digest, once the log has the entry that it was written down in.
pub(crate) async fn published(
    connection: &mut SqliteConnection,
    digest: &[u8; 32],
    logged: u64,
) -> Result<Option<Vec<u8>>, GovernError> {
    Ok(sqlx::query_scalar("SELECT sealed FROM snapshots WHERE digest = ? AND entry <= ?")
        .bind(digest.as_slice())
        .bind(to_sql(logged)?)
        .fetch_optional(connection)
        .await?)
}

async fn stored_definition(
    connection: &mut SqliteConnection,
    digest: &[u8; 32],
) -> Result<Option<String>, GovernError> {
    Ok(sqlx::query_scalar("SELECT text FROM definitions WHERE digest = ?")
        .bind(digest.as_slice())
        .fetch_optional(connection)
        .await?)
}

/// Adopts the newest snapshot that can be adopted, when there is one above the adopted ones, and returns the current
/// one with those that wait. To be called at the start and after every post.
pub(crate) async fn adopt(
    connection: &mut SqliteConnection,
    config: &GovernConfig,
    trust: &TrustRoot,
    now_ms: u64,
) -> Result<(Option<Current>, Vec<Waiting>), GovernError> {
    let rows = sqlx::query(
        "SELECT digest, epoch, sequence, issued, expires, sealed, adopted_ms FROM snapshots
         WHERE (epoch, sequence) >= (SELECT epoch, sequence FROM snapshots ORDER BY adopted_ms IS NULL, epoch DESC, sequence DESC LIMIT 1)
            OR NOT EXISTS (SELECT 1 FROM snapshots WHERE adopted_ms IS NOT NULL)
         ORDER BY epoch DESC, sequence DESC",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut waiting = Vec::new();
    for row in rows {
        let mark = Mark {
            epoch: from_sql(row.try_get("epoch")?),
            sequence: from_sql(row.try_get("sequence")?),
            digest: row
                .try_get::<Vec<u8>, _>("digest")?
                .try_into()
                .map_err(|_| GovernError::Stored("digest"))?,
        };
        let (issued, expires) = (from_sql(row.try_get("issued")?), from_sql(row.try_get("expires")?));
        let file: Vec<u8> = row.try_get("sealed")?;
        let text = stored_definition(connection, &mark.digest).await?;
        match read(&file, config, trust, issued, text.as_deref()) {
            Ok((flags, plans)) => {
                let mut current = Current { mark, issued, expires, flags, plans };
                let adopted = row.try_get::<Option<i64>, _>("adopted_ms")?.is_some();
                bind_attempts(connection, &mut current, !adopted, now_ms).await?;
                return Ok((Some(current), waiting));
            }
            Err(reason) => waiting.push(Waiting { mark, reason }),
        }
    }
    Ok((None, waiting))
}

/// Reads a stored file again, by the trust root in force; an expired one is still what hosts have.
fn read(
    file: &[u8],
    config: &GovernConfig,
    trust: &TrustRoot,
    issued: u64,
    text: Option<&str>,
) -> Result<(Vec<String>, Vec<Arc<Plan>>), String> {
    let policy = OpenPolicy {
        audience: &config.audience,
        environment: &config.environment,
        now: issued,
        mark: None,
        max_payload: limits::MAX_PAYLOAD,
    };
    let opened = open(file, trust, &policy).map_err(|error| format!("{} ({})", error, error.code()))?;
    let snapshot = Snapshot::load(opened.payload).map_err(|error| error.to_string())?;
    let flags = snapshot.flags().map(|flag| flag.key().to_owned()).collect();
    if snapshot.flags().all(|flag| flag.plan().is_none()) {
        return Ok((flags, Vec::new()));
    }
    let Some(text) = text else {
        return Err("its definition has not been put yet, and it has rollout plans".to_owned());
    };
    let definition = definition::read(text)?;
    let plans = plans(&snapshot, &definition, config.staleness.as_secs())?;
    Ok((flags, plans.into_iter().map(Arc::new).collect()))
}

/// Gives every plan its attempt number: the same attempt when nothing that is compared has changed, else a new one.
async fn bind_attempts(
    connection: &mut SqliteConnection,
    current: &mut Current,
    fresh: bool,
    now_ms: u64,
) -> Result<(), GovernError> {
    let digest = current.mark.digest;
    for plan in &mut current.plans {
        let plan = Arc::make_mut(plan);
        let before = attempts::latest(connection, &plan.flag).await?;
        let same = before.filter(|attempt| !fresh || attempt.fingerprint == plan.fingerprint);
        let attempt = match same {
            Some(attempt) => attempt,
            None => begin(connection, plan, now_ms).await?,
        };
        plan.rules.attempt = attempt.number;
        plan.attempt = attempt.id;
        if !attempt.sliced {
            plan.without_slices();
        }
        if fresh {
            attempts::bind_snapshot(connection, &attempt, &digest).await?;
            derive::exposures_of_snapshot(connection, &digest, &plan.flag, &plan.live()).await?;
        }
    }
    if fresh {
        sqlx::query("UPDATE snapshots SET adopted_ms = ? WHERE digest = ?")
            .bind(to_sql(now_ms)?)
            .bind(digest.as_slice())
            .execute(&mut *connection)
            .await?;
        let ceilings: Vec<Value> = current
            .plans
            .iter()
            .map(|plan| json!({"flag": plan.flag, "attempt": plan.rules.attempt, "ceiling": plan.ceiling}))
            .collect();
        let data = json!({"snapshot": mark_json(&current.mark), "plans": ceilings});
        let before = approved(connection).await?;
        let entry = Entry { kind: "snapshot-adopted", flag: None, actor: "governor".to_owned(), data };
        ledger::append(connection, now_ms, entry).await?;
        note_raises(connection, current, &before, now_ms).await?;
    }
    Ok(())
}

/// The plans of the snapshot that was adopted last, as its ledger entry has them.
async fn approved(connection: &mut SqliteConnection) -> Result<Vec<Value>, GovernError> {
    let record: Option<String> = sqlx::query_scalar(
        "SELECT record FROM ledger WHERE kind = 'snapshot-adopted' ORDER BY entry DESC LIMIT 1",
    )
    .fetch_optional(connection)
    .await?;
    let record: Option<Value> = record.map(|record| serde_json::from_str(&record)).transpose()?;
    let plans = record.as_ref().and_then(|record| record.pointer("/data/plans")?.as_array());
    Ok(plans.cloned().unwrap_or_default())
}

/// Writes an approval down for every plan whose ceiling people have raised. What was approved of another attempt counts
/// for nothing.
async fn note_raises(
    connection: &mut SqliteConnection,
    current: &Current,
    before: &[Value],
    now_ms: u64,
) -> Result<(), GovernError> {
    let signers: Option<String> = sqlx::query_scalar(
        "SELECT json_extract(ledger.record, '$.actor') FROM snapshots JOIN ledger USING (entry) WHERE digest = ?",
    )
    .bind(current.mark.digest.as_slice())
    .fetch_optional(&mut *connection)
    .await?;
    let signers = signers.unwrap_or_default();
    for plan in &current.plans {
        let same = |other: &&Value| {
            other.get("flag").and_then(Value::as_str) == Some(&plan.flag)
                && other.get("attempt").and_then(Value::as_u64) == Some(u64::from(plan.rules.attempt))
        };
        let from = before.iter().find(same).and_then(|other| other.get("ceiling")?.as_u64());
        if plan.ceiling.map(u64::from) <= from {
            continue;
        }
        let data = json!({
            "attempt": plan.rules.attempt, "from": from, "to": plan.ceiling, "snapshot": mark_json(&current.mark),
        });
        let flag = Some(plan.flag.clone());
        let entry = Entry { kind: "ceiling-raised", flag, actor: signers.clone(), data };
        ledger::append(connection, now_ms, entry).await?;
    }
    Ok(())
}

async fn begin(connection: &mut SqliteConnection, plan: &Plan, now_ms: u64) -> Result<Attempt, GovernError> {
    let number = attempts::latest(connection, &plan.flag).await?.map_or(0, |attempt| attempt.number);
    let number = number.saturating_add(1);
    let attempt = attempts::begin(connection, &plan.flag, number, &plan.fingerprint, now_ms).await?;
    let data = json!({
        "attempt": number, "baseline": plan.baseline, "candidate": plan.candidate, "rules": plan.rules,
        "fingerprint": to_hex(&plan.fingerprint),
    });
    let flag = Some(plan.flag.clone());
    let entry = Entry { kind: "attempt-begun", flag, actor: "governor".to_owned(), data };
    ledger::append(connection, now_ms, entry).await?;
    Ok(attempt)
}

/// A snapshot's identity as JSON.
pub(crate) fn mark_json(mark: &Mark) -> Value {
    json!({"epoch": mark.epoch, "sequence": mark.sequence, "digest": to_hex(&mark.digest)})
}
