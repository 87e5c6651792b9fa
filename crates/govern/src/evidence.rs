//! What the judge is given: counts by metric, cohort and arm, taken from the derived tables of one attempt.
//!
//! A unit counts in the cohort and arm of its enrolment, and only its first bad event counts. Units seen in both
//! arms are left out and counted. Follow-up runs from the enrolment to the metric's window, or to the unit's first
//! exposure that is no evidence, whichever is earlier. Treated units that are no evidence (allow-lists, units that
//! crossed over) are counted in entries of probability 0, for tripwires and for stages that are not randomised.

use flagstone_judge::{CohortCounts, Evidence, ExposedUnits, Latched, MetricEvidence};
use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use crate::GovernError;
use crate::attempts::Attempt;
use crate::metric::MetricRule;
use crate::store::{from_sql, to_sql};

/// A metric of a plan: what it is called, how it reads outcomes, how long a unit is followed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanMetric {
    pub(crate) name: String,
    /// None for a mean, which has no bad outcomes to count: it stays without data.
    pub(crate) rule: Option<MetricRule>,
    /// Milliseconds after the enrolment within which outcomes count; none: all later ones.
    pub(crate) window_ms: Option<u64>,
}

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

/// Counts everything the judge asks for.
pub(crate) async fn gather(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    metrics: &[PlanMetric],
    now_ms: u64,
) -> Result<(Evidence, UnitCounts), GovernError> {
    let (begun_ms, attempt) = (attempt.begun_ms, attempt.id);
    let mut evidence = Evidence::default();
    for metric in metrics {
        evidence.metrics.push(of_metric(connection, (attempt, begun_ms), metric, now_ms).await?);
    }
    evidence.sample_ratio = exposed_units(connection, attempt).await?;
    let row = sqlx::query(
        "SELECT coalesce(sum(treated), 0) AS treatment, coalesce(sum(1 - treated), 0) AS control,
                coalesce(sum(arms = 3), 0) AS both FROM units WHERE attempt = ?",
    )
    .bind(attempt)
    .fetch_one(&mut *connection)
    .await?;
    let mut units = UnitCounts {
        treatment: from_sql(row.try_get("treatment")?),
        control: from_sql(row.try_get("control")?),
        both: from_sql(row.try_get("both")?),
        exposures: 0,
    };
    evidence.multi_exposure = units.both;
    let row = sqlx::query("SELECT events, last_ms FROM attempt_exposures WHERE attempt = ?")
        .bind(attempt)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = row {
        units.exposures = from_sql(row.try_get("events")?);
        evidence.last_exposure = Some(from_sql(row.try_get("last_ms")?) / 1_000);
    }
    Ok((evidence, units))
}

/// First exposures by cohort and arm: those that are evidence, as they were drawn (also of units that were later
/// seen in the other arm, for leaving those out would bend the ratio), and the others.
async fn exposed_units(
    connection: &mut SqliteConnection,
    attempt: i64,
) -> Result<Vec<ExposedUnits>, GovernError> {
    let rows = sqlx::query(
        "SELECT coalesce(cohort, 0) AS cohort, probability, sum(arm = 1) AS treated, sum(arm = 2) AS control
         FROM units WHERE attempt = ?1 AND enrolled_ms IS NOT NULL GROUP BY 1, 2
         UNION ALL
         SELECT coalesce(plain_cohort, 0), 0, sum(plain_arm = 1), sum(plain_arm = 2)
         FROM units WHERE attempt = ?1 AND enrolled_ms IS NULL GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .bind(attempt)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ExposedUnits {
                cohort: row.try_get("cohort")?,
                probability: row.try_get("probability")?,
                treated: from_sql(row.try_get("treated")?),
                control: from_sql(row.try_get("control")?),
            })
        })
        .collect()
}

async fn of_metric(
    connection: &mut SqliteConnection,
    (attempt, begun_ms): (i64, u64),
    metric: &PlanMetric,
    now_ms: u64,
) -> Result<MetricEvidence, GovernError> {
    let mut found = MetricEvidence { metric: metric.name.clone(), ..MetricEvidence::default() };
    let latched: Option<String> =
        sqlx::query_scalar("SELECT latched FROM latches WHERE attempt = ? AND metric = ?")
            .bind(attempt)
            .bind(&metric.name)
            .fetch_optional(&mut *connection)
            .await?;
    found.latched = latched.map(|text| serde_json::from_str::<Latched>(&text)).transpose()?;
    let Some(rule) = &metric.rule else { return Ok(found) };
    let last: Option<i64> = sqlx::query_scalar("SELECT last_ms FROM metric_reads WHERE metric = ? AND read > 0")
        .bind(rule.digest.as_slice())
        .fetch_optional(&mut *connection)
        .await?;
    // What came in before this attempt says nothing about whether the metric is alive in it.
    found.last_outcome = last.map(from_sql).filter(|at| *at >= begun_ms).map(|at| at / 1_000);
    let window = metric.window_ms.map(to_sql).transpose()?.unwrap_or(i64::MAX / 4);
    for sql in [ENROLLED, PLAIN] {
        let rows = sqlx::query(sql)
            .bind(attempt)
            .bind(rule.digest.as_slice())
            .bind(window)
            .bind(to_sql(now_ms)?)
            .fetch_all(&mut *connection)
            .await?;
        for row in &rows {
            let number = |column: &str| Ok::<_, sqlx::Error>(from_sql(row.try_get(column)?));
            found.cohorts.push(CohortCounts {
                cohort: row.try_get("cohort")?,
                probability: row.try_get("probability")?,
                treated_bad: number("treated_bad")?,
                control_bad: number("control_bad")?,
                treated_units: number("treated_units")?,
                control_units: number("control_units")?,
            });
            found.maturing_units = found.maturing_units.saturating_add(number("maturing")?);
        }
    }
    Ok(found)
}

// ?1 attempt, ?2 metric, ?3 window, ?4 now. Maturing: nothing was measured yet and the window is still open.
const ENROLLED: &str = "
    WITH followed AS (
        SELECT coalesce(u.cohort, 0) AS cohort, u.probability, u.arm, u.plain_ms IS NULL AND u.enrolled_ms + ?3 > ?4 AS open,
            EXISTS (SELECT 1 FROM readings r WHERE r.metric = ?2 AND r.unit = u.unit AND r.at_ms >= u.enrolled_ms
                    AND r.at_ms < min(u.enrolled_ms + ?3, coalesce(u.plain_ms, u.enrolled_ms + ?3))) AS measured,
            EXISTS (SELECT 1 FROM readings r WHERE r.metric = ?2 AND r.unit = u.unit AND r.at_ms >= u.enrolled_ms AND r.bad = 1
                    AND r.at_ms < min(u.enrolled_ms + ?3, coalesce(u.plain_ms, u.enrolled_ms + ?3))) AS bad
        FROM units u
        WHERE u.attempt = ?1 AND u.arms IN (1, 2) AND (u.plain_ms IS NULL OR u.enrolled_ms < u.plain_ms))
    SELECT cohort, probability, sum(arm = 1 AND bad) AS treated_bad, sum(arm = 2 AND bad) AS control_bad,
           sum(arm = 1 AND measured) AS treated_units, sum(arm = 2 AND measured) AS control_units,
           sum(arm = 1 AND open AND NOT measured) AS maturing
    FROM followed GROUP BY 1, 2 ORDER BY 1, 2";

// A treated unit that had been evidence in the same arm is counted again only when it turns bad now.
const PLAIN: &str = "
    WITH followed AS (
        SELECT coalesce(u.plain_cohort, 0) AS cohort, u.plain_arm AS arm, u.plain_ms + ?3 > ?4 AS open,
            u.arms IN (1, 2) AND u.enrolled_ms < u.plain_ms AND u.arm = u.plain_arm AS continued,
            EXISTS (SELECT 1 FROM readings r WHERE r.metric = ?2 AND r.unit = u.unit AND r.at_ms >= u.plain_ms
                    AND r.at_ms < u.plain_ms + ?3) AS measured,
            EXISTS (SELECT 1 FROM readings r WHERE r.metric = ?2 AND r.unit = u.unit AND r.at_ms >= u.plain_ms AND r.bad = 1
                    AND r.at_ms < u.plain_ms + ?3) AS bad,
            u.enrolled_ms IS NOT NULL AND EXISTS (SELECT 1 FROM readings r WHERE r.metric = ?2 AND r.unit = u.unit AND r.bad = 1
                    AND r.at_ms >= u.enrolled_ms AND r.at_ms < min(u.enrolled_ms + ?3, u.plain_ms)) AS bad_before
        FROM units u WHERE u.attempt = ?1 AND u.plain_ms IS NOT NULL)
    SELECT cohort, 0 AS probability, sum(arm = 1 AND bad) AS treated_bad, sum(arm = 2 AND bad) AS control_bad,
           sum(arm = 1 AND measured) AS treated_units, sum(arm = 2 AND measured) AS control_units,
           sum(arm = 1 AND open AND NOT measured) AS maturing
    FROM followed WHERE NOT continued OR (bad AND NOT bad_before) GROUP BY 1 ORDER BY 1";
