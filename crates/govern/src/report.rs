//! What a report is made from: the attempt, its looks, the attempts before it, who has halted it.

use flagstone_report::{Look, PastAttempt, Question, Report, report};
use serde_json::Value;
use sqlx::{Row, SqliteConnection};

use crate::decision::Inputs;
use crate::store::from_sql;
use crate::{GovernError, looks, operator};

impl From<Inputs> for Look {
    fn from(inputs: Inputs) -> Self {
        let Inputs { rules, state, evidence, now } = inputs;
        Self { rules, state, evidence, now }
    }
}

/// The report on a flag at a moment (unix seconds; none: now). `newest` is what the last tick gave the judge, where there is
/// one that runs. None when nothing was judged by then.
///
/// # Errors
/// As the database fails.
pub(crate) async fn of(
    connection: &mut SqliteConnection,
    flag: &str,
    at: Option<u64>,
    newest: Option<Inputs>,
    k: u64,
) -> Result<Option<Report>, GovernError> {
    let until_ms = at.map_or(u64::MAX, |at| at.saturating_mul(1_000).saturating_add(999));
    let attempts = sqlx::query("SELECT number, phase, begun_ms FROM attempts WHERE flag = ? ORDER BY number")
        .bind(flag)
        .fetch_all(&mut *connection)
        .await?;
    let mut begun = Vec::new();
    for row in &attempts {
        let (number, phase): (u32, String) = (row.try_get("number")?, row.try_get("phase")?);
        if from_sql(row.try_get("begun_ms")?) <= until_ms {
            begun.push((number, phase));
        }
    }
    let Some((attempt, phase)) = begun.pop() else { return Ok(None) };
    let past: Vec<PastAttempt> =
        begun.into_iter().map(|(attempt, phase)| PastAttempt { attempt, phase }).collect();
    let mut looks = looks::load(connection, flag, attempt, until_ms).await?;
    let newest = newest
        .filter(|newest| at.is_none_or(|at| newest.now <= at) && newest.rules.attempt.max(1) == attempt);
    if let Some(newest) = newest {
        looks.push(newest.into());
    }
    let said = |kind: &'static str| last_said(flag, attempt, kind, until_ms);
    let variants = said("attempt-begun").read(connection).await?;
    let variant = |name: &str| variants.as_ref().and_then(|data| data.get(name)?.as_str());
    let phase = match at {
        None => Some(phase),
        Some(_) => {
            let decided = said("decision").read(connection).await?;
            decided.and_then(|data| Some(data.get("to")?.get("phase")?.as_str()?.to_owned()))
        }
    };
    let halt = if at.is_none() { operator::halt_of(connection, flag).await? } else { None };
    let halted_by = halt.map(|halt| format!("by {}: {}", halt.by, halt.reason.trim_end_matches('.')));
    Ok(report(&Question {
        flag,
        baseline: variant("baseline"),
        candidate: variant("candidate"),
        phase: phase.as_deref(),
        halted_by: halted_by.as_deref(),
        looks: &looks,
        past: &past,
        k,
    }))
}

/// A question to the ledger.
struct LastSaid<'a> {
    flag: &'a str,
    attempt: u32,
    kind: &'static str,
    until_ms: u64,
}

fn last_said<'a>(flag: &'a str, attempt: u32, kind: &'static str, until_ms: u64) -> LastSaid<'a> {
    LastSaid { flag, attempt, kind, until_ms }
}

impl LastSaid<'_> {
    /// The data of the newest entry of this kind about this attempt.
    async fn read(&self, connection: &mut SqliteConnection) -> Result<Option<Value>, GovernError> {
        let record: Option<String> = sqlx::query_scalar(
            "SELECT record FROM ledger WHERE kind = ? AND flag = ? AND at_ms <= ?
             AND coalesce(json_extract(record, '$.data.attempt'), json_extract(record, '$.data.number')) = ?
             ORDER BY entry DESC LIMIT 1",
        )
        .bind(self.kind)
        .bind(self.flag)
        .bind(i64::try_from(self.until_ms).unwrap_or(i64::MAX))
        .bind(self.attempt)
        .fetch_optional(connection)
        .await?;
        let record: Option<Value> = record.map(|record| serde_json::from_str(&record)).transpose()?;
        Ok(record.and_then(|record| record.get("data").cloned()))
    }
}
