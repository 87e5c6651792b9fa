//! The status: all that the dashboard and a script want to know, as one JSON object. Described in docs/govern.md.

use std::collections::{BTreeMap, BTreeSet};

use flagstone_events::to_hex;
use serde_json::{Map, Value, json};
use sqlx::{Row, SqliteConnection};

use crate::contribution::LATE;
use crate::drift;
use crate::governor::{Governor, Steering};
use crate::ingest::read_ranges;
use crate::metric::PlanMetric;
use crate::ranges::coverage;
use crate::snapshots::mark_json;
use crate::steer::Steered;
use crate::steer_rows::{self, Opening};
use crate::store::from_sql;
use crate::{GovernError, ledger, limits, operator, parallel, slice_release, words};

/// The status as JSON text, without the time it is read at; what it was made of is given back.
pub(crate) async fn of(
    governor: &Governor,
    steering: &Steering,
    steered: Vec<Steered>,
) -> Result<(String, Vec<Steered>), GovernError> {
    let connection = &mut *governor.store.read().await?;
    let head = ledger::head(connection).await?;
    let tail = ledger::tail(connection, limits::SHOWN_ENTRIES).await?;
    let published = governor.published.borrow().clone();
    let snapshot = steering.current.as_ref().map(|current| {
        let mut json = mark_json(&current.mark);
        extend(
            &mut json,
            json!({"issued": current.issued, "expires": current.expires, "flags": current.flags}),
        );
        json
    });
    let waiting: Vec<Value> = steering
        .waiting
        .iter()
        .map(|waiting| json!({"snapshot": mark_json(&waiting.mark), "reason": waiting.reason}))
        .collect();
    let planned: BTreeSet<&str> = steered.iter().map(|one| one.plan.flag.as_str()).collect();
    let other_halts: Vec<String> = operator::halted_flags(connection)
        .await?
        .into_iter()
        .filter(|flag| !planned.contains(flag.as_str()))
        .collect();
    let status = json!({
        "audience": governor.config.audience,
        "environment": governor.config.environment,
        "tickMs": u64::try_from(governor.config.tick.as_millis()).unwrap_or(u64::MAX),
        "snapshot": snapshot,
        "waiting": waiting,
        "pulse": published.map(|pulse| json!({"number": pulse.number, "issued": pulse.issued, "expires": pulse.expires})),
        "otherHalts": other_halts,
        "delivery": delivery(connection).await?,
        "instances": instances(connection).await?,
        "ledger": {"entries": head.entries, "head": to_hex(&head.hash), "tail": tail},
    });
    let asked = questions(connection, steered).await?;
    let k = governor.config.k_anonymity;
    let told = parallel::map(asked, move |asked| (flag(&asked, k).to_string(), asked.steered)).await?;
    let (flags, steered): (Vec<String>, Vec<Steered>) = told.into_iter().unzip();
    // Text is put into text: with a thousand flags it is of megabytes.
    let others = status.to_string();
    let others = others.strip_prefix('{').unwrap_or_default();
    Ok((format!("{{\"flags\":[{}],{others}", flags.join(",")), steered))
}

/// A flag with what its part of the status is made of.
struct Asked {
    steered: Steered,
    openings: Vec<Opening>,
    /// By metric, the outcomes of this attempt that came in too late, and those of its event that it could not read.
    missed: BTreeMap<String, (u64, u64)>,
    /// Whether there is room for its slices.
    whole: bool,
}

async fn questions(
    connection: &mut SqliteConnection,
    steered: Vec<Steered>,
) -> Result<Vec<Asked>, GovernError> {
    let ids: Vec<i64> = steered.iter().map(|one| one.attempt.id).collect();
    let ids = serde_json::to_string(&ids)?;
    let mut openings = steer_rows::openings(connection, &ids).await?;
    let mut late: BTreeMap<i64, BTreeMap<String, u64>> = BTreeMap::new();
    let rows = sqlx::query(
        "SELECT attempt, name, units FROM tallies WHERE attempt IN (SELECT value FROM json_each(?)) AND kind = ?",
    );
    for row in rows.bind(&ids).bind(LATE).fetch_all(&mut *connection).await? {
        let own = late.entry(row.try_get("attempt")?).or_default();
        own.insert(row.try_get("name")?, from_sql(row.try_get("units")?));
    }
    let mut unread: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for row in sqlx::query("SELECT metric, unread FROM metric_reads").fetch_all(&mut *connection).await? {
        unread.insert(row.try_get("metric")?, from_sql(row.try_get("unread")?));
    }
    let mut room = limits::SHOWN_SLICES;
    let mut asked = Vec::with_capacity(steered.len());
    for steered in steered {
        let id = steered.attempt.id;
        let late = late.remove(&id).unwrap_or_default();
        let of_metric = |metric: &PlanMetric| {
            let unread = metric.digest().and_then(|digest| unread.get(digest.as_slice()).copied());
            let late = late.get(&metric.name).copied();
            (metric.name.clone(), (late.unwrap_or(0), unread.unwrap_or(0)))
        };
        let missed = steered.plan.metrics.iter().map(of_metric).collect();
        let all = if steered.plan.slices.is_empty() { 0 } else { steered.judgement.slices.len() };
        let whole = all <= room;
        room = room.saturating_sub(if whole { all } else { 0 });
        asked.push(Asked { openings: openings.remove(&id).unwrap_or_default(), missed, whole, steered });
    }
    Ok(asked)
}

/// Adds the time to a status.
pub(crate) fn with_time(status: &str, now_ms: u64) -> String {
    match status.strip_prefix('{') {
        Some("}") | None => format!("{{\"now\":{now_ms}}}"),
        Some(rest) => format!("{{\"now\":{now_ms},{rest}"),
    }
}

fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(members), Value::Object(more)) = (value, more) {
        members.extend(more);
    }
}

fn flag(asked: &Asked, k: u64) -> Value {
    let Asked { steered: one, openings, missed, whole } = asked;
    let (plan, attempt, standing) = (&one.plan, &one.attempt, &one.attempt.standing);
    let stages: Vec<Value> = (0_u8..).zip(&plan.stages).map(|(index, stage)| {
        let opened = openings.iter().find(|opening| opening.stage == index).map(|opening| opening.last_ms);
        json!({
            "index": index, "name": stage.name, "treat": stage.treat, "control": stage.control,
            "allowList": stage.allow_list, "compared": stage.compared, "bake": stage.bake, "approve": stage.approve, "opened": opened,
            "approved": plan.ceiling.is_some_and(|ceiling| index <= ceiling),
        })
    }).collect();
    let guardrails: Vec<Value> = one
        .judgement
        .metrics
        .iter()
        .map(|metric| {
            let mut json = serde_json::to_value(metric).unwrap_or_default();
            let rule = plan
                .rules
                .guardrails
                .iter()
                .find(|rule| rule.metric == metric.metric && rule.role == metric.role);
            let (late, unread) = missed.get(&metric.metric).copied().unwrap_or_default();
            extend(
                &mut json,
                json!({
                    "share": rule.map(|rule| rule.share),
                    "notWorseBy": rule.and_then(|rule| rule.not_worse_by),
                    "kind": rule.map(|rule| rule.kind),
                    "late": late,
                    "unread": unread,
                }),
            );
            json
        })
        .collect();
    let mut requirements: Vec<Value> =
        one.judgement.requirements.iter().filter_map(|line| serde_json::to_value(line).ok()).collect();
    let stage = standing.stage.and_then(|stage| plan.stages.get(usize::from(stage)));
    for need in stage.map(|stage| stage.unseen.as_slice()).unwrap_or_default() {
        requirements.push(json!({"text": need, "met": false, "have": "not seen", "need": "seen"}));
    }
    let verdict = words::verdict(one);
    let mut json = json!({
        "flag": plan.flag,
        "owner": plan.owner, "rationale": plan.rationale, "rollbackPlan": plan.rollback_plan,
        "baseline": plan.baseline, "candidate": plan.candidate,
        "attempt": attempt.number, "begun": attempt.begun_ms,
        "phase": standing.phase, "stage": standing.stage, "since": standing.since_ms, "ceiling": plan.ceiling,
        "halt": one.halt,
        "sentence": verdict.sentence, "next": verdict.next,
        "action": one.judgement.action, "rule": one.judgement.rule, "reasons": one.judgement.reasons,
        "settled": {"rule": standing.rule, "reasons": standing.reasons},
        "stages": stages,
        "units": one.units,
        "cohorts": one.inputs.evidence.sample_ratio,
        "guardrails": guardrails,
        "requirements": requirements,
        "sampleRatio": {"logE": one.judgement.sample_ratio_log_e, "logThreshold": one.judgement.sample_ratio_log_threshold},
        "alpha": {"attempt": one.judgement.attempt_alpha, "rollout": plan.rules.alpha},
    });
    if !plan.rules.drift.is_empty() {
        let drift = drift::status(&plan.rules.drift, &plan.metrics, &one.judgement);
        extend(&mut json, json!({"drift": drift}));
    }
    if !plan.slices.is_empty() {
        extend(&mut json, slice_release::status(&plan.slices, &one.judgement, &one.inputs, (k, *whole)));
    }
    json
}

/// Counts over all reporters since the store began.
async fn delivery(connection: &mut SqliteConnection) -> Result<Value, GovernError> {
    let rows =
        sqlx::query("SELECT name, value FROM counters ORDER BY name").fetch_all(&mut *connection).await?;
    let mut counts = Map::new();
    for name in ["batches", "duplicateEvents", "exposures", "outcomes", "refusedBatches", "strayExposures"] {
        counts.insert(name.to_owned(), json!(0));
    }
    for row in rows {
        counts.insert(row.try_get("name")?, json!(from_sql(row.try_get("value")?)));
    }
    Ok(Value::Object(counts))
}

/// The reporters heard last: what they sent, what is missing, what they say they dropped.
async fn instances(connection: &mut SqliteConnection) -> Result<Vec<Value>, GovernError> {
    let rows = sqlx::query(
        "SELECT instance, dropped, seen_ms FROM instances ORDER BY seen_ms DESC, instance LIMIT ?",
    )
    .bind(limits::SHOWN_INSTANCES)
    .fetch_all(&mut *connection)
    .await?;
    let mut instances = Vec::new();
    for row in rows {
        let name: String = row.try_get("instance")?;
        let coverage = coverage(&read_ranges(connection, &name).await?);
        let dropped: Value = serde_json::from_str(&row.try_get::<String, _>("dropped")?)?;
        instances.push(json!({
            "instance": name, "lastSequence": coverage.last, "received": coverage.received,
            "missing": coverage.missing, "dropped": dropped, "seen": from_sql(row.try_get("seen_ms")?),
        }));
    }
    Ok(instances)
}

#[cfg(test)]
mod tests {
    use super::with_time;

    #[test]
    fn the_time_is_the_first_member() {
        assert_eq!(with_time("{}", 7), "{\"now\":7}");
        assert_eq!(with_time("{\"a\":1}", 7), "{\"now\":7,\"a\":1}");
    }
}
