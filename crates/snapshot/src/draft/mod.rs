//! The flag set as `compile` hands it over: owned, readable, not yet laid out.
//!
//! A [`Draft`] holds everything an environment's engine needs and nothing else. [`crate::encode`] turns it
//! into the bytes that are sealed; what the engine cannot do is refused here, with the limit's name.

mod op;
mod plan;

use alloc::string::String;
use alloc::vec::Vec;

pub use op::{Arithmetic, Comparison, FoldTest, FractionalVersion, Iteration, Op, Overlap, Program};
pub use plan::{Advance, DraftPlan, DraftStage, DraftStep, DraftWindow};

use crate::Json;

/// One environment's flags, ready to be laid out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// The flag set's own name (`metadata.flagSetId`), empty when it has none.
    pub flag_set: String,
    /// The environment the set was compiled for.
    pub environment: String,
    /// SHA-256 of the definition's text, so that a signature also covers what the engine does not read:
    /// metrics, guardrails, owners. Zeros when it was not compiled from a text.
    pub definition: [u8; 32],
    /// The flag-set metadata; flags carry their merged metadata themselves.
    pub metadata: Option<Json>,
    /// Units kept out of several flags at once; flags name them by position.
    pub holdouts: Vec<DraftHoldout>,
    /// Unit intervals that flags share out among themselves; flags name them by position.
    pub layers: Vec<DraftLayer>,
    /// The flags in any order; the layout sorts them by key.
    pub flags: Vec<DraftFlag>,
    /// Questions that every engine must answer as given before it serves the snapshot.
    pub canaries: Vec<DraftCanary>,
}

/// A question and the answer it must have, asked without a pulse: every plan is closed but for its own schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftCanary {
    /// Key of the flag.
    pub flag: String,
    /// The context, an object.
    pub context: Json,
    /// The time it is asked at, in unix seconds.
    pub at: u64,
    /// Name of the variant; none for the caller's own default.
    pub variant: Option<String>,
}

/// A share of units that gets the baseline of every flag that names this holdout.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftHoldout {
    /// Its name.
    pub name: String,
    /// Dotted path of the attribute that identifies the unit. A unit without one is held out.
    pub unit: String,
    /// `bucket_salt("holdout", name)`.
    pub salt: u64,
    /// Parts per [`crate::SHARE_TOTAL`]: units whose position is below are held out.
    pub share: u32,
    /// From this time on (unix seconds) nobody is held out any more.
    pub until: Option<u64>,
}

/// A unit interval of which each flag has slots that do not overlap: no unit is in two of its flags.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftLayer {
    /// Its name.
    pub name: String,
    /// Dotted path of the attribute that identifies the unit. A unit without one is in no slot.
    pub unit: String,
    /// `bucket_salt("layer", name)`.
    pub salt: u64,
}

/// What a flag has of a layer. A unit outside these ranges gets the flag's baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftSlot {
    /// Position in [`Draft::layers`].
    pub layer: u16,
    /// Half-open ranges of positions, ascending and apart, in parts per [`crate::SHARE_TOTAL`].
    pub ranges: Vec<(u32, u32)>,
}

/// Another flag that must be at one of these variants; otherwise this flag serves its baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftPrerequisite {
    /// Key of the other flag. Circles are refused.
    pub flag: String,
    /// Names of its variants that will do. A name that the other flag does not have never holds.
    pub variants: Vec<String>,
}

/// One flag.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftFlag {
    /// Its key, 1 to 256 bytes.
    pub key: String,
    /// What its values are.
    pub kind: FlagKind,
    /// `state: ENABLED`.
    pub enabled: bool,
    /// The variants, in the author's order; a decision names them by position in this list.
    pub variants: Vec<DraftVariant>,
    /// Position of the default variant; none means "the caller's own default".
    pub default_variant: Option<u16>,
    /// Position of the baseline: the safe value that halts, refusals and expired leases serve.
    /// Flags without one fall back to `default_variant`.
    pub baseline: Option<u16>,
    /// What the flag does when no fresh pulse is there.
    pub on_expiry: OnExpiry,
    /// `client: true`: may reach a browser.
    pub client: bool,
    /// Merged metadata (the flag's own over the set's), an object.
    pub metadata: Option<Json>,
    /// The targeting rule. `None` is flagd's empty or absent targeting (reason `STATIC`).
    pub targeting: Option<Program>,
    /// The rollout plan.
    pub plan: Option<DraftPlan>,
    /// Other flags that must be at certain variants, for the same context.
    pub prerequisites: Vec<DraftPrerequisite>,
    /// Positions in [`Draft::holdouts`].
    pub holdouts: Vec<u16>,
    /// Its part of a layer.
    pub slot: Option<DraftSlot>,
    /// Individual overrides: answers a variant's name, or null for everybody else.
    pub overrides: Option<Program>,
    /// Sticky assignment: decisions say what to remember and keep to what was remembered under this version.
    pub sticky: Option<u32>,
    /// The flag's definition could not be used: it answers with this error, the others are unharmed.
    pub broken: Option<FlagError>,
}

impl DraftFlag {
    /// An enabled flag without variants, rules or plan, to fill in.
    #[must_use]
    pub fn new(key: &str, kind: FlagKind) -> Self {
        Self {
            key: key.into(),
            kind,
            enabled: true,
            variants: Vec::new(),
            default_variant: None,
            baseline: None,
            on_expiry: OnExpiry::Hold,
            client: false,
            metadata: None,
            targeting: None,
            plan: None,
            prerequisites: Vec::new(),
            holdouts: Vec::new(),
            slot: None,
            overrides: None,
            sticky: None,
            broken: None,
        }
    }
}

/// One variant: a name and a JSON value.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftVariant {
    /// The variant's name.
    pub name: String,
    /// Its value.
    pub value: Json,
}

/// What a flag's values are; OpenFeature's four accessors, integers being numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlagKind {
    /// `true` or `false`.
    #[default]
    Boolean,
    /// A string.
    Text,
    /// A number, whole or not.
    Number,
    /// A JSON object or list.
    Object,
}

/// `onExpiry`: what a flag does without a fresh pulse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExpiry {
    /// Go on as last told.
    #[default]
    Hold,
    /// Serve the baseline.
    Safe,
}

/// Why a flag cannot be evaluated at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagError {
    /// The definition did not parse: OpenFeature `PARSE_ERROR`.
    Parse,
    /// It parsed but contradicts itself: OpenFeature `GENERAL`.
    General,
}
