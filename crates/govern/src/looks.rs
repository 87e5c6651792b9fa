//! The evidence's path: what the judge was given, kept at looks that lie ever further apart.
//!
//! Decisions are rare, so their inputs alone would draw no path. A look is kept when the evidence has changed since the last
//! one and a two-hundredth of the attempt's age has passed: some 200 looks for each time that the age grows e-fold, a
//! thousand in two weeks of ticks. They steer nothing and are not in the ledger.

use flagstone_report::Look;
use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::attempts::Attempt;
use crate::canonical::digest_of;
use crate::decision::Inputs;
use crate::store::{from_sql, to_sql};

/// Parts of an attempt's age that lie between two looks.
const PARTS: u64 = 200;

/// Keeps a look, when it is time.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    inputs: &Inputs,
    now_ms: u64,
) -> Result<(), GovernError> {
    let last = sqlx::query("SELECT at_ms, evidence FROM looks WHERE attempt = ? ORDER BY at_ms DESC LIMIT 1")
        .bind(attempt.id)
        .fetch_optional(&mut *connection)
        .await?;
    let last =
        last.map(|row| Ok::<_, sqlx::Error>((from_sql(row.try_get("at_ms")?), row.try_get("evidence")?)));
    let last: Option<(u64, Vec<u8>)> = last.transpose()?;
    let pause = now_ms.saturating_sub(attempt.begun_ms).checked_div(PARTS).unwrap_or(0);
    if last.as_ref().is_some_and(|(at, _)| now_ms.saturating_sub(*at) < pause.max(1)) {
        return Ok(());
    }
    let (_, evidence) = digest_of(&inputs.evidence)?;
    if last.is_some_and(|(_, known)| known == evidence) {
        return Ok(());
    }
    let (text, _) = digest_of(inputs)?;
    sqlx::query("INSERT INTO looks (attempt, at_ms, evidence, inputs) VALUES (?, ?, ?, ?)")
        .bind(attempt.id)
        .bind(to_sql(now_ms)?)
        .bind(evidence.as_slice())
        .bind(text)
        .execute(connection)
        .await?;
    Ok(())
}

/// The looks at one attempt until a moment, oldest first: those kept and those that decisions were made at.
pub(crate) async fn load(
    connection: &mut SqliteConnection,
    flag: &str,
    attempt: u32,
    until_ms: u64,
) -> Result<Vec<Look>, GovernError> {
    let until = i64::try_from(until_ms).unwrap_or(i64::MAX);
    // A store that an older version made, read without being changed, has no such table.
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'looks'")
            .fetch_one(&mut *connection)
            .await?;
    let mut texts: Vec<(i64, String)> = Vec::new();
    if kept > 0 {
        let rows = sqlx::query(
            "SELECT l.at_ms AS at_ms, l.inputs AS inputs FROM looks l JOIN attempts a ON a.id = l.attempt
             WHERE a.flag = ? AND a.number = ? AND l.at_ms <= ?",
        )
        .bind(flag)
        .bind(attempt)
        .bind(until)
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            texts.push((row.try_get("at_ms")?, row.try_get("inputs")?));
        }
    }
    let rows = sqlx::query(
        "SELECT l.at_ms AS at_ms, d.inputs AS inputs FROM ledger l
         JOIN decision_inputs d ON lower(hex(d.digest)) = json_extract(l.record, '$.data.inputs')
         WHERE l.kind = 'decision' AND l.flag = ? AND json_extract(l.record, '$.data.attempt') = ? AND l.at_ms <= ?",
    )
    .bind(flag)
    .bind(attempt)
    .bind(until)
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        texts.push((row.try_get("at_ms")?, row.try_get("inputs")?));
    }
    texts.sort();
    texts.dedup();
    texts.iter().map(|(_, text)| Ok(serde_json::from_str(text)?)).collect()
}
