//! The sums over units, kept in step by differences: what a unit added before is taken away, what it adds now is put in.

use std::collections::BTreeMap;

use flagstone_judge::quantiles::histogram::Histogram;
use flagstone_judge::{CohortMoments, Moments, ScoreBatch, quantiles::histogram::CohortHistograms};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::unit::{Part, Place};
use crate::GovernError;
use crate::store::from_sql;

/// Changes to be made to the sums of one metric of one attempt.
#[derive(Debug, Default)]
pub(super) struct Changes {
    sums: BTreeMap<Place, Signed>,
    buckets: BTreeMap<(Place, u16), i64>,
    scores: BTreeMap<(u64, u32), i64>,
}

/// [`Moments`] that may be less than nothing. Sums are added modulo 2^128, as there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Signed {
    counts: [i64; 3],
    sums: [i128; 5],
}

impl Signed {
    fn of(value: i64, second: i64, cut: bool) -> Self {
        let mut one = Moments::default();
        one.add(value, second);
        let cut = i64::from(cut || one.cut > 0);
        let non_zero = i64::from(one.non_zero > 0);
        let sums = [one.sum, one.squares, one.second_sum, one.second_squares, one.products];
        Self { counts: [1, non_zero, cut], sums }
    }

    fn add(&mut self, other: &Self, sign: i8) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine = mine.wrapping_add(theirs.wrapping_mul(i64::from(sign)));
        }
        for (mine, theirs) in self.sums.iter_mut().zip(other.sums) {
            *mine = mine.wrapping_add(theirs.wrapping_mul(i128::from(sign)));
        }
    }
}

impl Changes {
    /// A unit's parts change from `old` to `new`.
    pub(super) fn moved(&mut self, old: &[Part], new: &[Part]) {
        let signed = old.iter().map(|part| (part, -1_i8)).chain(new.iter().map(|part| (part, 1)));
        for (part, sign) in signed {
            match *part {
                Part::Sum { place, value, second, cut } => {
                    self.sums.entry(place).or_default().add(&Signed::of(value, second, cut), sign);
                }
                Part::Bucket { place, bucket } => {
                    *self.buckets.entry((place, bucket)).or_default() += i64::from(sign);
                }
                Part::Score { batch, score } => {
                    *self.scores.entry((batch, score)).or_default() += i64::from(sign);
                }
            }
        }
    }

    /// Writes the changes.
    pub(super) async fn store(
        self,
        connection: &mut SqliteConnection,
        attempt: i64,
        name: &str,
    ) -> Result<(), GovernError> {
        let changed = self.sums.into_iter().filter(|(_, change)| *change != Signed::default());
        for (place, change) in changed {
            let mut sum = load_one(connection, attempt, name, place).await?;
            sum.add(&change, 1);
            store_one(connection, attempt, name, place, &sum).await?;
        }
        let changed: Vec<_> = self.buckets.into_iter().filter(|(_, units)| *units != 0).collect();
        for some in changed.chunks(2_000) {
            let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
                "INSERT INTO value_buckets (attempt, name, cohort, probability, arm, bucket, units) ",
            );
            query.push_values(some, |mut row, ((place, bucket), units)| {
                row.push_bind(attempt)
                    .push_bind(name)
                    .push_bind(place.cohort)
                    .push_bind(place.probability)
                    .push_bind(place.arm)
                    .push_bind(bucket)
                    .push_bind(units);
            });
            query.push(
                " ON CONFLICT (attempt, name, cohort, probability, arm, bucket) DO UPDATE SET units = units + excluded.units",
            );
            query.build().persistent(false).execute(&mut *connection).await?;
        }
        let changed: Vec<_> = self.scores.into_iter().filter(|(_, units)| *units != 0).collect();
        for some in changed.chunks(2_000) {
            let mut query: QueryBuilder<Sqlite> =
                QueryBuilder::new("INSERT INTO value_scores (attempt, name, batch, score, units) ");
            query.push_values(some, |mut row, ((batch, score), units)| {
                row.push_bind(attempt)
                    .push_bind(name)
                    .push_bind(i64::try_from(*batch).unwrap_or(i64::MAX))
                    .push_bind(score)
                    .push_bind(units);
            });
            query.push(
                " ON CONFLICT (attempt, name, batch, score) DO UPDATE SET units = units + excluded.units",
            );
            query.build().persistent(false).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

const SUMS: [&str; 5] = ["sum", "squares", "second_sum", "second_squares", "products"];

fn read(row: &SqliteRow) -> Result<Signed, GovernError> {
    let mut sum = Signed {
        counts: [row.try_get("units")?, row.try_get("non_zero")?, row.try_get("cut")?],
        ..Signed::default()
    };
    for (into, column) in sum.sums.iter_mut().zip(SUMS) {
        let text: String = row.try_get(column)?;
        *into = text.parse().map_err(|_| GovernError::Stored("sum"))?;
    }
    Ok(sum)
}

async fn load_one(
    connection: &mut SqliteConnection,
    attempt: i64,
    name: &str,
    place: Place,
) -> Result<Signed, GovernError> {
    let row = sqlx::query(
        "SELECT * FROM value_sums WHERE attempt = ? AND name = ? AND cohort = ? AND probability = ? AND arm = ?",
    )
    .bind(attempt)
    .bind(name)
    .bind(place.cohort)
    .bind(place.probability)
    .bind(place.arm)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map_or_else(|| Ok(Signed::default()), read)
}

async fn store_one(
    connection: &mut SqliteConnection,
    attempt: i64,
    name: &str,
    place: Place,
    sum: &Signed,
) -> Result<(), GovernError> {
    let mut query = sqlx::query(
        "INSERT OR REPLACE INTO value_sums (attempt, name, cohort, probability, arm, units, non_zero, cut, sum, squares,
         second_sum, second_squares, products) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(attempt)
    .bind(name)
    .bind(place.cohort)
    .bind(place.probability)
    .bind(place.arm);
    for count in sum.counts {
        query = query.bind(count);
    }
    for one in sum.sums {
        query = query.bind(one.to_string());
    }
    query.execute(connection).await?;
    Ok(())
}

fn place(row: &SqliteRow) -> Result<Place, GovernError> {
    Ok(Place {
        cohort: row.try_get("cohort")?,
        probability: row.try_get("probability")?,
        arm: row.try_get("arm")?,
    })
}

/// The sums of a metric by cohort, in order; each arm has its own entries.
pub(super) async fn moments(
    connection: &mut SqliteConnection,
    attempt: i64,
    name: &str,
) -> Result<Vec<CohortMoments>, GovernError> {
    let rows = sqlx::query(
        "SELECT * FROM value_sums WHERE attempt = ? AND name = ? AND units <> 0 ORDER BY cohort, probability, arm",
    )
    .bind(attempt)
    .bind(name)
    .fetch_all(connection)
    .await?;
    let mut found = Vec::new();
    for row in &rows {
        let (place, sum) = (place(row)?, read(row)?);
        let [units, non_zero, cut] = sum.counts.map(from_sql);
        let [sum, squares, second_sum, second_squares, products] = sum.sums;
        let moments = Moments { units, non_zero, cut, sum, squares, second_sum, second_squares, products };
        let one = CohortMoments {
            cohort: place.cohort,
            probability: place.probability,
            ..CohortMoments::default()
        };
        found.push(match place.arm {
            1 => CohortMoments { treated: moments, ..one },
            _ => CohortMoments { control: moments, ..one },
        });
    }
    Ok(found)
}

/// The histograms of a metric by cohort, in order; each arm has its own entries.
pub(super) async fn histograms(
    connection: &mut SqliteConnection,
    attempt: i64,
    name: &str,
) -> Result<Vec<CohortHistograms>, GovernError> {
    let rows = sqlx::query("SELECT * FROM value_buckets WHERE attempt = ? AND name = ? AND units <> 0")
        .bind(attempt)
        .bind(name)
        .fetch_all(connection)
        .await?;
    let mut arms: BTreeMap<Place, Histogram> = BTreeMap::new();
    for row in &rows {
        let histogram = arms.entry(place(row)?).or_default();
        histogram.buckets.insert(row.try_get("bucket")?, from_sql(row.try_get("units")?));
    }
    let of = |(place, histogram): (Place, Histogram)| {
        let one = CohortHistograms {
            cohort: place.cohort,
            probability: place.probability,
            ..CohortHistograms::default()
        };
        match place.arm {
            1 => CohortHistograms { treated: histogram, ..one },
            _ => CohortHistograms { control: histogram, ..one },
        }
    };
    Ok(arms.into_iter().map(of).collect())
}

/// The scores of a metric in batches before this one, in order.
pub(super) async fn scores(
    connection: &mut SqliteConnection,
    attempt: i64,
    name: &str,
    before: u64,
) -> Result<Vec<ScoreBatch>, GovernError> {
    let rows = sqlx::query(
        "SELECT batch, score, units FROM value_scores WHERE attempt = ? AND name = ? AND batch < ? AND units <> 0
         ORDER BY batch, score",
    )
    .bind(attempt)
    .bind(name)
    .bind(i64::try_from(before).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let mut batches: BTreeMap<u64, ScoreBatch> = BTreeMap::new();
    for row in rows {
        let batch = from_sql(row.try_get("batch")?);
        let entry = batches.entry(batch).or_insert(ScoreBatch { batch, ..ScoreBatch::default() });
        entry.scores.insert(row.try_get("score")?, from_sql(row.try_get("units")?));
    }
    Ok(batches.into_values().collect())
}
