//! What the judge is given: the attempt's counts by metric, cohort and arm.
//!
//! A unit counts in the cohort and arm of its enrolment, and only its first bad event counts. Units seen in both
//! arms are left out and counted. Treated units that are no evidence (allow-lists, units that crossed over) are counted
//! in entries of probability 0, for tripwires and for stages that are not randomised.

use flagstone_judge::{CohortCounts, Evidence, ExposedUnits, MetricEvidence};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::GovernError;
use crate::attempts::Attempt;
use crate::contribution::{DRAWN, MEASURED, WHOLE};
use crate::drift;
use crate::evidence_rows::Rows;
use crate::metric::PlanMetric;
use crate::store::{from_sql, to_sql};
use crate::tally::Count;
use crate::values;

/// Units of an attempt as people ask for them: whoever was ever given the candidate, the controls, both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitCounts {
    /// Given the candidate at any time, evidence or not.
    pub treatment: u64,
    /// Controls that were never given the candidate.
    pub control: u64,
    /// Seen in both arms by exposures that are evidence: left out of all evidence.
    pub both: u64,
    /// Exposure events of this attempt.
    pub exposures: u64,
}

/// Everything the judge asks for, but for the slices ([`SliceTexts`](crate::slice_rows::SliceTexts)).
pub(crate) async fn gather(
    connection: &mut SqliteConnection,
    rows: &Rows,
    attempt: &Attempt,
    metrics: &[PlanMetric],
    now_ms: u64,
) -> Result<(Evidence, UnitCounts), GovernError> {
    let (mut evidence, mut units) = (Evidence::default(), UnitCounts::default());
    for metric in metrics {
        evidence.metrics.push(of_metric(connection, rows, attempt, metric, now_ms).await?);
    }
    for count in rows.counts(attempt.id) {
        match (count.place.kind, count.place.arm) {
            (DRAWN, arm) => {
                let found = evidence.sample_ratio.iter_mut().find(|known| {
                    known.cohort == count.place.cohort && known.probability == count.place.probability
                });
                let fresh = ExposedUnits {
                    cohort: count.place.cohort,
                    probability: count.place.probability,
                    ..ExposedUnits::default()
                };
                let entry = match found {
                    Some(entry) => entry,
                    None => evidence.sample_ratio.push_mut(fresh),
                };
                *(if arm == 1 { &mut entry.treated } else { &mut entry.control }) = count.units;
            }
            (WHOLE, 1) => units.treatment = count.units,
            (WHOLE, 2) => units.control = count.units,
            (WHOLE, _) => units.both = count.units,
            _ => {}
        }
    }
    evidence.multi_exposure = units.both;
    if let Some((events, last_ms)) = rows.exposures(attempt.id) {
        units.exposures = events;
        evidence.last_exposure = Some(last_ms / 1_000);
    }
    Ok((evidence, units))
}

async fn of_metric(
    connection: &mut SqliteConnection,
    rows: &Rows,
    attempt: &Attempt,
    metric: &PlanMetric,
    now_ms: u64,
) -> Result<MetricEvidence, GovernError> {
    let mut found = MetricEvidence { metric: metric.name.clone(), ..MetricEvidence::default() };
    found.latched = rows.latched(attempt.id, &metric.name);
    let Some(digest) = metric.digest() else { return Ok(found) };
    let last = rows.last_read(digest);
    // What came in before this attempt says nothing about whether the metric is alive in it.
    found.last_outcome = last.filter(|at| *at >= attempt.begun_ms).map(|at| at / 1_000);
    if let Some(value) = &metric.value {
        values::fill(connection, attempt.id, value, &mut found, now_ms).await?;
        return Ok(found);
    }
    let own = |count: &&Count| count.place.kind == MEASURED && count.place.name == metric.name;
    for count in rows.counts(attempt.id).iter().filter(own) {
        let (cohort, probability) = (count.place.cohort, count.place.probability);
        let (units, bad) = (count.units, count.bad);
        let one = CohortCounts { cohort, probability, ..CohortCounts::default() };
        // Entries of one cohort add up, so each arm may have its own.
        found.cohorts.push(match count.place.arm {
            1 => CohortCounts { treated_units: units, treated_bad: bad, ..one },
            _ => CohortCounts { control_units: units, control_bad: bad, ..one },
        });
    }
    found.batches = drift::over(rows.counts(attempt.id), metric, now_ms);
    if let Some(window) = metric.window_ms {
        found.maturing_units = maturing(connection, attempt.id, digest, window.ms, now_ms).await?;
    }
    Ok(found)
}

/// Treated units of which nothing was measured yet while their window is still open.
async fn maturing(
    connection: &mut SqliteConnection,
    attempt: i64,
    metric: &[u8; 32],
    window_ms: u64,
    now_ms: u64,
) -> Result<u64, GovernError> {
    let since = to_sql(now_ms.saturating_sub(window_ms))?;
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM units u WHERE u.attempt = ?1 AND u.treated = 1 AND (
             (u.arm = 1 AND u.plain_ms IS NULL AND u.enrolled_ms > ?3 AND NOT EXISTS
                 (SELECT 1 FROM readings r WHERE r.metric = ?2 AND r.unit = u.unit AND r.at_ms >= u.enrolled_ms))
             OR (u.plain_arm = 1 AND u.plain_ms > ?3 AND u.enrolled_ms IS NULL AND NOT EXISTS
                 (SELECT 1 FROM readings r WHERE r.metric = ?2 AND r.unit = u.unit AND r.at_ms >= u.plain_ms)))",
    )
    .bind(attempt)
    .bind(metric.as_slice())
    .bind(since)
    .fetch_one(connection)
    .await?;
    Ok(from_sql(count))
}
