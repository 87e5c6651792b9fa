//! Decision records: what the judge was given, what it said, what was done; so that any of them can be replayed.

use flagstone_events::to_hex;
use flagstone_judge::{Evidence, Judgement, PlanRules, RolloutState, judge};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::attempts::{Attempt, Standing};
use crate::canonical::digest_of;
use crate::ledger::{self, Entry, LedgerFault};
use crate::slice_release;
use crate::slice_tally;
use crate::store::{from_sql, to_sql};

/// Everything the judge is given, and nothing else: equal inputs give equal answers, to the last bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    /// The plan.
    pub rules: PlanRules,
    /// Where the rollout stood.
    pub state: RolloutState,
    /// What had been counted.
    pub evidence: Evidence,
    /// Unix seconds.
    pub now: u64,
}

impl Inputs {
    /// Asks the judge.
    #[must_use]
    pub fn judge(&self) -> Judgement {
        judge(&self.rules, &self.state, &self.evidence, self.now)
    }
}

/// Writes a decision into the ledger and its inputs beside it.
pub(crate) async fn record(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    inputs: &Inputs,
    judgement: &Judgement,
    (to, k): (&Standing, u64),
    now_ms: u64,
) -> Result<(), GovernError> {
    let (text, digest) = digest_of(inputs)?;
    let (_, evidence) = digest_of(&inputs.evidence)?;
    sqlx::query("INSERT INTO decision_inputs (digest, inputs) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(digest.as_slice())
        .bind(text)
        .execute(&mut *connection)
        .await?;
    let standing = |standing: &Standing| json!({"phase": standing.phase.as_str(), "stage": standing.stage});
    let data = json!({
        "attempt": attempt.number,
        "from": standing(&attempt.standing),
        "to": standing(to),
        "rule": to.rule,
        "reasons": to.reasons,
        "judgement": slice_release::judgement(judgement, inputs, k),
        "whole": to_hex(&digest_of(judgement)?.1),
        "k": k,
        "inputs": to_hex(&digest),
        "evidence": to_hex(&evidence),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let entry =
        Entry { kind: "decision", flag: Some(attempt.flag.clone()), actor: "governor".to_owned(), data };
    ledger::append(connection, now_ms, entry).await?;
    Ok(())
}

/// A decision of the past, made again from its inputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// The ledger entry.
    pub entry: u64,
    /// The flag it was about.
    pub flag: String,
    /// When it was made, unix milliseconds.
    pub at: u64,
    /// What the judge said then.
    pub recorded: Value,
    /// What it says now, given the same.
    pub again: Value,
    /// Whether that is the same to the last bit also in what the record does not show: numbers of small slices.
    pub whole: bool,
}

impl Replayed {
    /// Whether it is the same to the last bit.
    #[must_use]
    pub fn same(&self) -> bool {
        self.whole && self.recorded == self.again
    }
}

/// Replays every decision of the ledger from its inputs and compares. Returns how many there are.
///
/// # Errors
/// [`GovernError::Ledger`] names the first entry whose inputs are missing or changed, or whose judgement differs.
pub(crate) async fn replay_all(connection: &mut SqliteConnection) -> Result<u64, GovernError> {
    let (mut after, mut replayed) = (0, 0_u64);
    loop {
        let page = replay(connection, after, 100).await?;
        let Some(last) = page.last() else { return Ok(replayed) };
        after = last.entry;
        if let Some(other) = page.iter().find(|one| !one.same()) {
            let fault = "is a decision that the judge does not come to again";
            return Err(LedgerFault { entry: other.entry, fault }.into());
        }
        replayed = replayed.saturating_add(u64::try_from(page.len()).unwrap_or(0));
    }
}

/// Replays the next decisions after an entry, at most `limit`.
///
/// # Errors
/// [`GovernError::Ledger`] names the first entry whose inputs are missing or changed.
pub(crate) async fn replay(
    connection: &mut SqliteConnection,
    after: u64,
    limit: u32,
) -> Result<Vec<Replayed>, GovernError> {
    let rows = sqlx::query(
        "SELECT entry, record FROM ledger WHERE kind = 'decision' AND entry > ? ORDER BY entry LIMIT ?",
    )
    .bind(to_sql(after)?)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let mut replayed = Vec::with_capacity(rows.len());
    for row in rows {
        let record: Value = serde_json::from_str(&row.try_get::<String, _>("record")?)?;
        replayed.push(replay_one(connection, from_sql(row.try_get("entry")?), &record).await?);
    }
    Ok(replayed)
}

async fn replay_one(
    connection: &mut SqliteConnection,
    entry: u64,
    record: &Value,
) -> Result<Replayed, GovernError> {
    let fault = |fault| GovernError::from(LedgerFault { entry, fault });
    let said = record.get("data");
    let digest = said.and_then(|data| data.get("inputs")).and_then(Value::as_str).unwrap_or_default();
    let raw = flagstone_events::from_hex::<32>(digest).ok_or_else(|| fault("names no inputs"))?;
    let text: Option<String> = sqlx::query_scalar("SELECT inputs FROM decision_inputs WHERE digest = ?")
        .bind(raw.as_slice())
        .fetch_optional(connection)
        .await?;
    let text = text.ok_or_else(|| fault("is a decision whose inputs are missing"))?;
    if crate::canonical::sha256(&[text.as_bytes()]) != raw {
        return Err(fault("is a decision whose inputs were changed"));
    }
    let inputs: Inputs = serde_json::from_str(&text)?;
    let again = inputs.judge();
    // Records from before there were slices show all of it.
    let shown = |name: &str| said.and_then(|data| data.get(name));
    let k = shown("k").and_then(Value::as_u64).unwrap_or(0);
    let whole = match shown("whole").and_then(Value::as_str) {
        Some(digest) => digest == to_hex(&digest_of(&again)?.1),
        None => true,
    };
    Ok(Replayed {
        entry,
        flag: record.get("flag").and_then(Value::as_str).unwrap_or_default().to_owned(),
        at: record.get("at").and_then(Value::as_u64).unwrap_or_default(),
        recorded: said.and_then(|data| data.get("judgement")).cloned().unwrap_or_default(),
        again: slice_release::judgement(&again, &inputs, k),
        whole,
    })
}

/// Keeps a threshold that was crossed for the rest of the attempt.
pub(crate) async fn latch(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    judgement: &Judgement,
) -> Result<(), GovernError> {
    for metric in &judgement.metrics {
        let Some(latched) = metric.latched else { continue };
        sqlx::query("INSERT INTO latches (attempt, metric, latched) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(attempt.id)
            .bind(&metric.metric)
            .bind(serde_json::to_string(&latched)?)
            .execute(&mut *connection)
            .await?;
    }
    slice_tally::latch(connection, attempt.id, judgement).await
}

/// Moves the bake clocks on by the length of an outage: while no pulse lived, nobody was exposed on purpose.
pub(crate) async fn skip_outage(
    connection: &mut SqliteConnection,
    expired_ms: u64,
    now_ms: u64,
) -> Result<(), GovernError> {
    let gap = now_ms.saturating_sub(expired_ms);
    let moved = sqlx::query(
        "UPDATE attempts SET since_ms = since_ms + ? WHERE since_ms < ? AND phase IN ('open', 'held', 'awaiting-approval')",
    )
    .bind(to_sql(gap)?)
    .bind(to_sql(expired_ms)?)
    .execute(&mut *connection)
    .await?;
    let data = json!({"seconds": gap / 1_000, "rollouts": moved.rows_affected()});
    let entry = Entry { kind: "outage", flag: None, actor: "governor".to_owned(), data };
    ledger::append(connection, now_ms, entry).await?;
    Ok(())
}
