//! The counts of an attempt, kept in step with its units by differences: what a unit added before is taken away, what it
//! adds now is put in.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::GovernError;
use crate::contribution::{Part, Place};
use crate::store::from_sql;

/// Changes to be made, by attempt and place: units and bad units.
#[derive(Debug, Default)]
pub(crate) struct Changes(BTreeMap<(i64, Place), (i64, i64)>);

impl Changes {
    /// A unit's parts change from `old` to `new`.
    pub(crate) fn moved(&mut self, attempt: i64, old: Vec<Part>, new: Vec<Part>) {
        let signed = old.into_iter().map(|part| (part, -1)).chain(new.into_iter().map(|part| (part, 1)));
        for ((place, bad), sign) in signed {
            let (units, bads) = self.0.entry((attempt, place)).or_insert((0, 0));
            *units += sign;
            *bads += if bad { sign } else { 0 };
        }
    }

    /// Writes the changes.
    pub(crate) async fn store(self, connection: &mut SqliteConnection) -> Result<(), GovernError> {
        let changed: Vec<_> = self.0.into_iter().filter(|(_, change)| *change != (0, 0)).collect();
        for some in changed.chunks(1_000) {
            let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
                "INSERT INTO tallies (attempt, kind, name, cohort, probability, arm, units, bad) ",
            );
            query.push_values(some, |mut row, ((attempt, place), (units, bad))| {
                row.push_bind(attempt)
                    .push_bind(place.kind)
                    .push_bind(place.name.as_str())
                    .push_bind(place.cohort)
                    .push_bind(place.probability)
                    .push_bind(place.arm)
                    .push_bind(units)
                    .push_bind(bad);
            });
            query.push(
                " ON CONFLICT (attempt, kind, name, cohort, probability, arm)
                 DO UPDATE SET units = units + excluded.units, bad = bad + excluded.bad",
            );
            query.build().persistent(false).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// One count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) place: Place,
    pub(crate) units: u64,
    pub(crate) bad: u64,
}

/// All counts of attempts (their ids as a JSON list), by attempt, each in order.
pub(crate) async fn load(
    connection: &mut SqliteConnection,
    attempts: &str,
) -> Result<BTreeMap<i64, Vec<Count>>, GovernError> {
    // A list for each attempt: the client of the database takes microseconds a row.
    let rows = sqlx::query(
        "SELECT attempt, json_group_array(json_array(kind, name, cohort, probability, arm, units, bad)) FROM tallies
         WHERE attempt IN (SELECT value FROM json_each(?)) AND units <> 0 GROUP BY attempt",
    )
    .bind(attempts)
    .fetch_all(connection)
    .await?;
    let mut counts: BTreeMap<i64, Vec<Count>> = BTreeMap::new();
    for row in &rows {
        let list: Vec<(u8, String, u8, u32, i64, i64, i64)> = serde_json::from_str(row.try_get(1)?)?;
        let count = |(kind, name, cohort, probability, arm, units, bad)| Count {
            place: Place { kind, name, cohort, probability, arm },
            units: from_sql(units),
            bad: from_sql(bad),
        };
        let mut own: Vec<Count> = list.into_iter().map(count).collect();
        own.sort_unstable_by(|one, other| one.place.cmp(&other.place));
        counts.insert(row.try_get(0)?, own);
    }
    Ok(counts)
}
