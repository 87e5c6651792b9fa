//! The sums as the judge is given them.

use flagstone_judge::MetricEvidence;
use sqlx::SqliteConnection;

use super::rule::{ComesTo, ValueMetric};
use super::sums;
use crate::GovernError;
use crate::store::from_sql;

/// Fills in what was measured. A batch of scores is there once it is over.
pub(crate) async fn fill(
    connection: &mut SqliteConnection,
    attempt: i64,
    metric: &ValueMetric,
    found: &mut MetricEvidence,
    now_ms: u64,
) -> Result<(), GovernError> {
    let name = found.metric.as_str();
    match metric.comes_to {
        ComesTo::Sum { .. } | ComesTo::Ratio => {
            found.moments = sums::moments(connection, attempt, name).await?;
        }
        ComesTo::First => found.histograms = sums::histograms(connection, attempt, name).await?,
        ComesTo::Score { batch_ms } => {
            let over = now_ms.checked_div(batch_ms).unwrap_or(0);
            found.scores = sums::scores(connection, attempt, name, over).await?;
        }
    }
    let waiting: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM unit_values v JOIN units u ON u.attempt = v.attempt AND u.unit = v.unit
         WHERE v.attempt = ? AND v.name = ? AND v.due_ms IS NOT NULL AND u.treated = 1",
    )
    .bind(attempt)
    .bind(&found.metric)
    .fetch_one(connection)
    .await?;
    found.maturing_units = from_sql(waiting);
    Ok(())
}
