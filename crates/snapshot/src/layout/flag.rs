//! Records of flags, and of what they share.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Span;

/// A share of units held out.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HoldoutRecord {
    /// Salt of its bucketing.
    pub salt: U64,
    /// Nobody is held out from then on, unix seconds; [`NEVER`](super::NEVER) for no such time.
    pub until: U64,
    /// Its name.
    pub name: Span,
    /// Attribute that identifies the unit.
    pub unit: U32,
    /// Positions below this are held out.
    pub share: U32,
}

/// A holdout that a flag names.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HeldRecord {
    /// The holdout.
    pub holdout: U32,
}

/// A layer.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct LayerRecord {
    /// Salt of its bucketing.
    pub salt: U64,
    /// Its name.
    pub name: Span,
    /// Attribute that identifies the unit.
    pub unit: U32,
}

/// A range of positions in a layer.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RangeRecord {
    /// First position.
    pub from: U32,
    /// First position after it.
    pub to: U32,
}

/// One variant of another flag that will do. Records of one prerequisite stand together.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct PrerequisiteRecord {
    /// The other flag, [`NONE`](super::NONE) when there is none: it never holds.
    pub flag: U32,
    /// The variant, [`NONE16`](super::NONE16) when the other flag has none of that name.
    pub variant: U16,
    /// 1 for the last record of a prerequisite, else 0.
    pub last: U16,
}

/// What few flags have.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct PartsRecord {
    /// Program of the overrides, [`NONE`](super::NONE) for none.
    pub overrides: U32,
    /// Version of the sticky assignment, 0 for none.
    pub sticky: U32,
    /// Layer, [`NONE`](super::NONE) for none.
    pub layer: U32,
    /// First range in the layer.
    pub ranges: U32,
    /// First record of its prerequisites.
    pub prerequisites: U32,
    /// First holdout that it names.
    pub held: U32,
    /// How many ranges.
    pub range_count: U32,
    /// How many records of prerequisites.
    pub prerequisite_count: U32,
    /// How many holdouts.
    pub held_count: U32,
}

/// One flag.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FlagRecord {
    /// Its key; the table is strictly ascending by these bytes.
    pub key: Span,
    /// JSON object of its merged metadata; empty span for none.
    pub metadata: Span,
    /// First variant.
    pub variants: U32,
    /// How many variants.
    pub variant_count: U16,
    /// Default variant, [`NONE16`](super::NONE16) for the caller's own default.
    pub default_variant: U16,
    /// Baseline, [`NONE16`](super::NONE16) for the default variant.
    pub baseline: U16,
    /// 0 boolean, 1 text, 2 number, 3 object.
    pub kind: u8,
    /// [`state`] bits.
    pub state: u8,
    /// Program of the targeting, [`NONE`](super::NONE) for none.
    pub targeting: U32,
    /// Rollout plan, [`NONE`](super::NONE) for none.
    pub plan: U32,
    /// Its record among the parts, [`NONE`](super::NONE) for a flag without any.
    pub parts: U32,
}

/// Bits of [`FlagRecord::state`].
pub mod state {
    /// `state: ENABLED`.
    pub const ENABLED: u8 = 1;
    /// May reach a browser.
    pub const CLIENT: u8 = 2;
    /// `onExpiry: safe`.
    pub const SAFE: u8 = 4;
    /// The definition did not parse.
    pub const BROKEN_PARSE: u8 = 8;
    /// The definition contradicts itself.
    pub const BROKEN_GENERAL: u8 = 16;
    /// All bits that mean something.
    pub const ALL: u8 = 31;
}
