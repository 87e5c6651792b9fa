//! The evidence's path: what the judge was given, kept at looks that lie ever further apart.
//!
//! Decisions are rare, so their inputs alone would draw no path. A look is kept when the evidence has changed since the last
//! one and a two-hundredth of the attempt's age has passed: some 200 looks for each time that the age grows e-fold, a
//! thousand in two weeks of ticks. They steer nothing and are not in the ledger, so a tick takes the time for a few only
//! ([`LOOKS_A_TICK`](crate::limits::LOOKS_A_TICK)), those first whose last look is the oldest.

use std::collections::BTreeMap;

use flagstone_report::Look;
use sqlx::{Row, SqliteConnection};

use crate::attempts::Attempt;
use crate::canonical::digest_of;
use crate::decision::Inputs;
use crate::store::{from_sql, to_sql};
use crate::{GovernError, limits};

/// Parts of an attempt's age that lie between two looks.
const PARTS: u64 = 200;

/// The last look that was kept of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Last {
    /// Unix milliseconds.
    pub(crate) at_ms: u64,
    /// Digest of the evidence.
    evidence: Vec<u8>,
}

/// The last looks at attempts (their ids as a JSON list).
pub(crate) async fn last(
    connection: &mut SqliteConnection,
    attempts: &str,
) -> Result<BTreeMap<i64, Last>, GovernError> {
    let rows = sqlx::query(
        "SELECT l.attempt, l.at_ms, l.evidence FROM json_each(?) a JOIN looks l ON l.attempt = a.value
         AND l.at_ms = (SELECT max(at_ms) FROM looks WHERE attempt = a.value)",
    );
    let rows = rows.bind(attempts).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let last = Last { at_ms: from_sql(row.try_get(1)?), evidence: row.try_get(2)? };
            Ok((row.try_get(0)?, last))
        })
        .collect()
}

/// Whether it is time for another look.
pub(crate) fn due(last: Option<&Last>, begun_ms: u64, now_ms: u64) -> bool {
    let pause = now_ms.saturating_sub(begun_ms).checked_div(PARTS).unwrap_or(0);
    last.is_none_or(|last| now_ms.saturating_sub(last.at_ms) >= pause.max(1))
}

/// Those whose turn it is in this tick, of those it is time for: who waits longest comes first, who was never looked at
/// before all others. `waiting`: when the last look was kept, and at what.
pub(crate) fn in_turn<T>(mut waiting: Vec<(Option<u64>, T)>) -> impl Iterator<Item = T> {
    waiting.sort_by_key(|(last_ms, _)| *last_ms);
    waiting.into_iter().take(limits::LOOKS_A_TICK).map(|(_, one)| one)
}

/// Keeps a look, unless the evidence is that of the last one.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    inputs: &Inputs,
    last: Option<&Last>,
    now_ms: u64,
) -> Result<(), GovernError> {
    let (_, evidence) = digest_of(&inputs.evidence)?;
    if last.is_some_and(|last| last.evidence == evidence) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_age_of_the_attempt() {
        let at = |at_ms| Last { at_ms, evidence: Vec::new() };
        assert!(due(None, 1_000, 1_000), "nothing was kept yet");
        assert!(!due(Some(&at(1_000)), 1_000, 1_000), "twice in a millisecond tells nothing");
        let day = 24 * 3_600 * 1_000;
        assert!(
            !due(Some(&at(day)), 0, day + day / 200),
            "a two-hundredth of the age, and the age has grown too"
        );
        assert!(due(Some(&at(day)), 0, day + day / 199));
    }

    #[test]
    fn nobody_waits_for_ever() {
        // More rollouts than a tick takes, all due at every tick.
        let rollouts = limits::LOOKS_A_TICK * 3 + 1;
        let mut kept: BTreeMap<usize, u64> = BTreeMap::new();
        for tick in 0..8 {
            let waiting = (0..rollouts).map(|rollout| (kept.get(&rollout).copied(), rollout)).collect();
            let turn: Vec<usize> = in_turn(waiting).collect();
            assert_eq!(turn.len(), limits::LOOKS_A_TICK);
            kept.extend(turn.into_iter().map(|rollout| (rollout, tick)));
            assert_eq!(kept.len(), rollouts.min(limits::LOOKS_A_TICK * (tick as usize + 1)));
        }
        let oldest = kept.values().min().copied();
        assert_eq!(oldest, Some(4), "of eight ticks, each rollout had its turn in one of the last four");
    }
}
