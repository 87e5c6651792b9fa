//! Parts of the population: a language, an intent, a prompt style, an SDK, and their crossings. What was counted in each.
//!
//! A slice is named by one value of one dimension (`language=de`); a cell of a cross table by one value of each of two
//! (`intent=refund, language=de`). A unit belongs to the slice it was **enrolled** in, for its whole life: a slice that
//! follows what the candidate did to the unit would compare different people in the two arms.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{CohortCounts, ExposedUnits, Latched};

/// Values by dimension; written as an object, `{"language": "de"}`. Names are shared by their copies: evidence names the same
/// slice for every metric, and a judgement names it again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Slice(pub Arc<BTreeMap<String, String>>);

impl Serialize for Slice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Slice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|values| Self(Arc::new(values)))
    }
}

impl Slice {
    /// One value of one dimension.
    pub fn of(dimension: &str, value: &str) -> Self {
        Self(Arc::new(BTreeMap::from([(dimension.to_owned(), value.to_owned())])))
    }

    /// The same slice narrowed to one value of another dimension; a dimension that is there already is replaced.
    #[must_use]
    pub fn and(mut self, dimension: &str, value: &str) -> Self {
        Arc::make_mut(&mut self.0).insert(dimension.to_owned(), value.to_owned());
        self
    }

    /// The value, when the slice is one of this dimension alone.
    pub fn value_of(&self, dimension: &str) -> Option<&str> {
        let value = self.0.get(dimension)?;
        (self.0.len() == 1).then_some(value)
    }

    /// The two values, when the slice is a cell of exactly these two dimensions.
    pub fn cell_of(&self, rows: &str, columns: &str) -> Option<(&str, &str)> {
        let (row, column) = (self.0.get(rows)?, self.0.get(columns)?);
        (self.0.len() == 2 && rows != columns).then_some((row, column))
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("everyone");
        }
        for (position, (dimension, value)) in self.0.iter().enumerate() {
            write!(f, "{}{dimension}={value}", if position == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// What one metric counted in one slice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SliceEvidence {
    /// The metric's name in the definition.
    pub metric: String,
    /// Which slice or cell.
    pub slice: Slice,
    /// The counts, as in [`MetricEvidence`](crate::MetricEvidence).
    pub cohorts: Vec<CohortCounts>,
    /// Set once [`SliceJudgement::latched`](crate::SliceJudgement::latched) said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latched: Option<Latched>,
}

impl SliceEvidence {
    /// That a rollback was latched, and nothing else.
    pub(crate) fn without_counts(&self) -> Self {
        Self { cohorts: Vec::new(), ..self.clone() }
    }
}

/// How many units of one slice each arm was given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExposedSlice {
    /// Which slice.
    pub slice: Slice,
    /// First exposures by cohort and arm, as in [`Evidence::sample_ratio`](crate::Evidence::sample_ratio).
    pub exposed: Vec<ExposedUnits>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_read_and_write_as_objects() {
        let cell = Slice::of("language", "de").and("intent", "refund");
        assert_eq!(cell.to_string(), "intent=refund, language=de");
        assert_eq!(serde_json::to_string(&cell).unwrap(), r#"{"intent":"refund","language":"de"}"#);
        assert_eq!(cell.cell_of("intent", "language"), Some(("refund", "de")));
        assert_eq!((cell.value_of("language"), cell.cell_of("intent", "sdk")), (None, None));
        assert_eq!(Slice::of("sdk", "js").value_of("sdk"), Some("js"));
        assert_eq!(Slice::default().to_string(), "everyone");
    }
}
