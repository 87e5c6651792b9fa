//! The definition, typed: what the author said, before it is laid out for the engine.
//!
//! Every type serialises (as camelCase JSON) for `--json`, dashboards and ledgers. Names that refer to
//! something else are [`Spanned`]: they read as the text itself and remember their place.
//! Shares and weights are parts of [`flagstone_snapshot::SHARE_TOTAL`]; durations are whole seconds;
//! thresholds are whole millionths ("micros").

mod canary;
mod drift;
mod flag;
mod keys;
mod metric;
mod rollout;
mod slices;
mod ties;

use serde::{Serialize, Serializer};

pub use canary::Canary;
pub use drift::{DEFAULT_EVERY, DriftRole, DriftWatch};
pub use flag::{Flag, State, Variant};
pub use keys::{KeyList, Store};
pub use metric::{Audit, BadTest, Better, Bound, DEFAULT_GRACE, Measure, Metric};
pub use rollout::{
    Admission, Advance, Fairness, Guardrail, Intake, Need, NotWorseBy, Pause, Role, Rollout, Stage, Step,
    Success, Watch, Who,
};
pub use slices::{Slice, SliceRole, SliceWatch};
pub use ties::{Covers, Holdout, Layer, Override, Prerequisite, Range, Slot};

use crate::span::Spanned;
use crate::tree::{Member, Node};

/// A whole definition.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// The flag set's metadata.
    pub metadata: Metadata,
    /// `$evaluators`: rules to be shared by `$ref`.
    pub evaluators: Vec<Evaluator>,
    /// Named conditions.
    pub segments: Vec<Segment>,
    /// What a behaviour may be allowed to read.
    pub data_domains: Vec<Spanned<String>>,
    /// Low-cardinality dimensions that outcomes carry.
    pub slices: Vec<Slice>,
    /// What is measured.
    pub metrics: Vec<Metric>,
    /// Units kept out of several flags.
    pub holdouts: Vec<Holdout>,
    /// Unit intervals that flags share out among themselves.
    pub layers: Vec<Layer>,
    /// The flags, in the author's order.
    pub flags: Vec<Flag>,
}

impl Definition {
    /// The flag of that key.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<&Flag> {
        self.flags.iter().find(|flag| flag.key == *key)
    }

    /// The metric of that name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == *name)
    }

    /// The slice of that name.
    #[must_use]
    pub fn slice(&self, name: &str) -> Option<&Slice> {
        self.slices.iter().find(|slice| slice.name == *name)
    }

    /// The segment of that name.
    #[must_use]
    pub fn segment(&self, name: &str) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.name == *name)
    }

    /// The shared rule of that name.
    #[must_use]
    pub fn evaluator(&self, name: &str) -> Option<&Evaluator> {
        self.evaluators.iter().find(|evaluator| evaluator.name == *name)
    }
}

/// `metadata` of a flag or of the set: names and booleans, strings or numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata(pub Vec<Member>);

impl Metadata {
    /// The text of one entry, none when it is missing or is no string.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|member| member.key == *key)?.value.as_text()
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::tree::members_as_map(&self.0, serializer)
    }
}

/// A rule under `$evaluators`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluator {
    /// What `$ref` calls it.
    pub name: Spanned<String>,
    /// JsonLogic.
    pub rule: Node,
}

/// A named condition over the context: excluded units are out, included units are in, `when` decides the
/// rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Segment {
    /// Its name.
    pub name: Spanned<String>,
    /// JsonLogic; without it nobody but the included is in.
    pub when: Option<Node>,
    /// Targeting keys that are in.
    pub include: KeyList,
    /// Targeting keys that are out, whatever else holds.
    pub exclude: KeyList,
}
