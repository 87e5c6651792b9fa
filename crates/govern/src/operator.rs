//! What people do: start, halt, resume. Anyone's halt wins and needs no approval; nobody lifts what evidence latched.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::attempts::{self, Attempt, Phase, Standing};
use crate::error::Refusal;
use crate::governor::{Governor, Steering};
use crate::ledger::{self, Entry};
use crate::ledger_words::{self, Words};
use crate::store::{from_sql, to_sql};
use crate::{GovernError, limits};

/// A halt by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorHalt {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, unix milliseconds.
    pub at: u64,
}

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Start,
    Halt,
    Resume,
}

/// The body of an operator's request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// Who asks, for the ledger.
    pub(crate) by: String,
    /// Why, for the ledger.
    pub(crate) reason: String,
}

impl Governor {
    /// Carries an order out and publishes before it returns. Giving the same order again changes nothing.
    ///
    /// # Errors
    /// 404 for an unknown flag, 409 when the rollout's state does not allow it, 422 for an order without words.
    pub(crate) async fn order(&self, flag: &str, ask: Ask, order: &Order) -> Result<Value, Refusal> {
        for (what, text) in [("by", &order.by), ("reason", &order.reason)] {
            if text.trim().is_empty() || text.len() > limits::MAX_REASON || text.chars().any(char::is_control)
            {
                let message = format!("`{what}` must be 1 to {} bytes of plain text", limits::MAX_REASON);
                return Err(Refusal::new(422, "bad-order", message));
            }
        }
        let mut steering = self.steering.lock().await;
        let changed = self.apply(&mut steering, flag, ask, order).await?;
        self.tick_locked(&mut steering).await?;
        let number = self.published.borrow().as_ref().map(|published| published.number);
        Ok(json!({"flag": flag, "changed": changed, "pulse": number}))
    }

    async fn apply(
        &self,
        steering: &mut Steering,
        flag: &str,
        ask: Ask,
        order: &Order,
    ) -> Result<bool, Refusal> {
        let now_ms = self.now_ms();
        let known = steering.current.as_ref().filter(|current| current.flags.iter().any(|key| key == flag));
        let Some(current) = known else {
            let message = format!("the current snapshot has no flag `{flag}`");
            return Err(Refusal::new(404, "unknown-flag", message));
        };
        let ceiling = current.plans.iter().find(|plan| plan.flag == flag).map(|plan| plan.ceiling);
        let mut write = self.store.write().await?;
        let changed = match ask {
            Ask::Halt => halt(&mut write, flag, order, now_ms).await?,
            Ask::Resume => resume(&mut write, flag, order, now_ms).await?,
            Ask::Start => start(&mut write, flag, ceiling, order, now_ms).await?,
        };
        write.commit().await?;
        Ok(changed)
    }
}

async fn halt(
    connection: &mut SqliteConnection,
    flag: &str,
    order: &Order,
    now_ms: u64,
) -> Result<bool, Refusal> {
    let done = sqlx::query(
        "INSERT INTO operator_halts (flag, actor, reason, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(flag)
    .bind(&order.by)
    .bind(&order.reason)
    .bind(to_sql(now_ms).map_err(Refusal::from)?)
    .execute(&mut *connection)
    .await?;
    let changed = done.rows_affected() > 0;
    if changed {
        note(connection, "halted", flag, order, now_ms).await?;
    }
    Ok(changed)
}

async fn resume(
    connection: &mut SqliteConnection,
    flag: &str,
    order: &Order,
    now_ms: u64,
) -> Result<bool, Refusal> {
    let attempt = attempts::latest(connection, flag).await?;
    if attempt.as_ref().is_some_and(|attempt| attempt.standing.phase == Phase::Halted) {
        let message = format!(
            "`{flag}` was taken back by evidence, and nobody resumes over that\n\
             hint: publish a snapshot with a changed candidate or plan; it begins a new attempt"
        );
        return Err(Refusal::new(409, "latched", message));
    }
    let done =
        sqlx::query("DELETE FROM operator_halts WHERE flag = ?").bind(flag).execute(&mut *connection).await?;
    let changed = done.rows_affected() > 0;
    if changed {
        note(connection, "resumed", flag, order, now_ms).await?;
        if let Some(attempt) = attempt.filter(|attempt| attempt.standing.stage.is_some()) {
            // The time it was halted does not count as time the stage was watched.
            let standing = Standing { since_ms: now_ms, ..attempt.standing.clone() };
            attempts::set_standing(connection, &attempt, &standing, now_ms).await?;
        }
    }
    Ok(changed)
}

async fn start(
    connection: &mut SqliteConnection,
    flag: &str,
    ceiling: Option<Option<u8>>,
    order: &Order,
    now_ms: u64,
) -> Result<bool, Refusal> {
    let refused = |code, message: String| Err(Refusal::new(409, code, message));
    let Some(ceiling) = ceiling else {
        return refused("no-plan", format!("flag `{flag}` has no rollout plan to start"));
    };
    if ceiling.is_none() {
        let hint = "hint: publish a release-signed snapshot whose `rollout.ceiling` names a stage";
        return refused("no-ceiling", format!("no stage of `{flag}` is approved\n{hint}"));
    }
    if halt_of(connection, flag).await?.is_some() {
        return refused("halted", format!("`{flag}` is halted\nhint: resume it first"));
    }
    let Some(mut attempt) = attempts::latest(connection, flag).await? else {
        return refused("no-plan", format!("flag `{flag}` has no rollout plan to start"));
    };
    match attempt.standing.phase {
        Phase::Closed => {
            note(connection, "started", flag, order, now_ms).await?;
            open_first(connection, &mut attempt, &order.by, &order.reason, now_ms).await?;
            Ok(true)
        }
        Phase::Halted => refused("latched", format!("this attempt at `{flag}` was taken back by evidence")),
        Phase::Open | Phase::Held | Phase::AwaitingApproval | Phase::Complete => Ok(false),
    }
}

/// Opens the first stage; the caller writes it into the ledger.
async fn open_first(
    connection: &mut SqliteConnection,
    attempt: &mut Attempt,
    by: &str,
    reason: &str,
    now_ms: u64,
) -> Result<(), GovernError> {
    let standing = Standing {
        phase: Phase::Open,
        stage: Some(0),
        since_ms: now_ms,
        rule: None,
        reasons: vec![format!("started by {by}: {reason}")],
    };
    attempts::set_standing(connection, attempt, &standing, now_ms).await?;
    attempt.standing = standing;
    Ok(())
}

/// Writes an order down; who gave it and why is kept beside the ledger.
async fn note(
    connection: &mut SqliteConnection,
    kind: &'static str,
    flag: &str,
    order: &Order,
    now_ms: u64,
) -> Result<(), GovernError> {
    let words = Words { actor: order.by.clone(), reason: order.reason.clone() };
    ledger_words::append(connection, now_ms, (kind, flag), &words).await.map(drop)
}

/// Opens the first stage because the settings say so.
pub(crate) async fn auto_start(
    connection: &mut SqliteConnection,
    attempt: &mut Attempt,
    now_ms: u64,
) -> Result<(), GovernError> {
    let (actor, reason) = ("governor", "auto_start is set");
    let flag = Some(attempt.flag.clone());
    let entry = Entry { kind: "started", flag, actor: actor.to_owned(), data: json!({"reason": reason}) };
    ledger::append(connection, now_ms, entry).await?;
    open_first(connection, attempt, actor, reason, now_ms).await
}

/// The halt by a person that is in force for a flag.
pub(crate) async fn halt_of(
    connection: &mut SqliteConnection,
    flag: &str,
) -> Result<Option<OperatorHalt>, GovernError> {
    let row = sqlx::query("SELECT actor, reason, at_ms FROM operator_halts WHERE flag = ?")
        .bind(flag)
        .fetch_optional(connection)
        .await?;
    Ok(row.as_ref().map(read_halt).transpose()?)
}

/// The halts by people that are in force, by flag.
pub(crate) async fn halts(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<String, OperatorHalt>, GovernError> {
    let rows =
        sqlx::query("SELECT flag, actor, reason, at_ms FROM operator_halts").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("flag")?, read_halt(row)?))).collect()
}

fn read_halt(row: &SqliteRow) -> Result<OperatorHalt, sqlx::Error> {
    Ok(OperatorHalt {
        by: row.try_get("actor")?,
        reason: row.try_get("reason")?,
        at: from_sql(row.try_get("at_ms")?),
    })
}

/// All flags halted by people.
pub(crate) async fn halted_flags(connection: &mut SqliteConnection) -> Result<Vec<String>, GovernError> {
    Ok(sqlx::query_scalar("SELECT flag FROM operator_halts ORDER BY flag").fetch_all(connection).await?)
}
