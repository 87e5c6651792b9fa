//! The counts of an attempt by slice, kept in step with its units by differences, as in [`crate::tally`].

use std::collections::BTreeMap;

use flagstone_judge::Judgement;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::GovernError;
use crate::contribution::{DRAWN, MEASURED, Part};
use crate::derive::Live;
use crate::unit_slices::{Known, value_of};

/// Rows in one statement: 13 values each.
const ROWS: usize = 2_000;

/// Which count, within all attempts: attempt, kind, metric, the slice's dimension and value, a second one or nothing, cohort,
/// probability. The fields are the columns of the table `slice_tallies`.
type Place<'l> = (i64, u8, &'l str, [&'l str; 4], u8, u32);

/// Changes to be made: treated units, bad ones, control units, bad ones.
#[derive(Debug, Default)]
pub(crate) struct SliceChanges<'l>(BTreeMap<Place<'l>, [i64; 4]>);

impl<'l> SliceChanges<'l> {
    /// The parts of a unit change; its slices do not. An empty `metric`: what does not depend on any.
    pub(crate) fn moved(
        &mut self,
        live: &'l Live,
        metric: &'l str,
        known: Option<&Known>,
        (old, new): (&[Part], &[Part]),
    ) {
        if old != new {
            self.add(live, metric, known, old, -1);
            self.add(live, metric, known, new, 1);
        }
    }

    /// The slices of a unit change; its parts do not.
    pub(crate) fn resliced(
        &mut self,
        live: &'l Live,
        metric: &'l str,
        (old, new): (Option<&Known>, Option<&Known>),
        parts: &[Part],
    ) {
        self.add(live, metric, old, parts, -1);
        self.add(live, metric, new, parts, 1);
    }

    fn add(&mut self, live: &'l Live, metric: &'l str, known: Option<&Known>, parts: &[Part], sign: i64) {
        let plan = &live.slices;
        let place = |dimension: &str| plan.place(dimension, value_of(known, dimension));
        if metric.is_empty() {
            // A unit of which nothing is known yet cannot be counted anywhere: it has no outcome.
            let seen = plan.dimensions.keys().filter(|name| value_of(known, name).is_some());
            for name in seen {
                self.put(live.attempt, (DRAWN, metric), [name, place(name), "", ""], parts, sign);
            }
            return;
        }
        for by in plan.watched.get(metric).into_iter().flatten() {
            let second = by.second.as_deref();
            let slice = [by.first.as_str(), place(&by.first), second.unwrap_or(""), second.map_or("", place)];
            self.put(live.attempt, (MEASURED, metric), slice, parts, sign);
        }
    }

    fn put(
        &mut self,
        attempt: i64,
        (kind, metric): (u8, &'l str),
        slice: [&'l str; 4],
        parts: &[Part],
        sign: i64,
    ) {
        for (place, bad) in parts.iter().filter(|(place, _)| place.kind == kind) {
            let key = (attempt, kind, metric, slice, place.cohort, place.probability);
            let [treated, treated_bad, control, control_bad] = self.0.entry(key).or_insert([0; 4]);
            let (units, bads) = if place.arm == 1 { (treated, treated_bad) } else { (control, control_bad) };
            *units += sign;
            *bads += if *bad { sign } else { 0 };
        }
    }

    /// Writes the changes.
    pub(crate) async fn store(self, connection: &mut SqliteConnection) -> Result<(), GovernError> {
        let changed: Vec<_> = self.0.into_iter().filter(|(_, change)| *change != [0; 4]).collect();
        for some in changed.chunks(ROWS) {
            let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
                "INSERT INTO slice_tallies (attempt, kind, name, dimension, value, second, second_value, cohort, probability,
                 treated, treated_bad, control, control_bad) ",
            );
            query.push_values(
                some,
                |mut row, ((attempt, kind, name, slice, cohort, probability), counts)| {
                    row.push_bind(attempt).push_bind(kind).push_bind(*name);
                    for text in slice {
                        row.push_bind(*text);
                    }
                    row.push_bind(cohort).push_bind(probability);
                    for count in counts {
                        row.push_bind(count);
                    }
                },
            );
            query.push(
                " ON CONFLICT (attempt, kind, name, dimension, value, second, second_value, cohort, probability)
                 DO UPDATE SET treated = treated + excluded.treated, treated_bad = treated_bad + excluded.treated_bad,
                 control = control + excluded.control, control_bad = control_bad + excluded.control_bad",
            );
            query.build().persistent(false).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// Keeps thresholds that were crossed in slices for the rest of the attempt.
pub(crate) async fn latch(
    connection: &mut SqliteConnection,
    attempt: i64,
    judgement: &Judgement,
) -> Result<(), GovernError> {
    for judged in &judgement.slices {
        let Some((latched, (dimension, value))) = judged.latched.zip(judged.slice.0.first_key_value()) else {
            continue;
        };
        sqlx::query(
            "INSERT INTO slice_latches (attempt, metric, dimension, value, latched) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )
        .bind(attempt)
        .bind(&judged.metric)
        .bind(dimension)
        .bind(value)
        .bind(serde_json::to_string(&latched)?)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
