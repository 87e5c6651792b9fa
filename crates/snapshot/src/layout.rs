//! The bytes of a snapshot, version 1: a header and flat tables of fixed-size little-endian records.
//!
//! ```text
//! header | attributes | instructions | programs | variants | domains | stages | plans | flags | heap
//! ```
//! Records refer to each other by position in their table and to names and values by [`Span`] in the heap.
//! Every record has alignment 1, so the tables are typed views of the file where it lies (`zerocopy`).
//! `docs/snapshot.md` is the same for people who write another reader.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First bytes of every snapshot.
pub const MAGIC: [u8; 4] = *b"FSNP";
/// The version that this crate writes and the only one that it reads.
pub const VERSION: u16 = 1;
/// "None" in a `u32` reference.
pub const NONE: u32 = u32::MAX;
/// "None" in a `u16` reference.
pub const NONE16: u16 = u16::MAX;
/// "None" in a `u8` reference.
pub const NONE8: u8 = u8::MAX;

/// Bytes in the heap.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Span {
    /// First byte, counted from the heap's start.
    pub offset: U32,
    /// How many bytes.
    pub length: U32,
}

/// The first bytes of the file.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// [`VERSION`].
    pub version: U16,
    /// Zero.
    pub reserved: U16,
    /// Bytes of the whole snapshot.
    pub total: U32,
    /// Records in each table, in file order: attributes, instructions, programs, variants, domains, stages,
    /// plans, flags; then the bytes of the heap.
    pub counts: [U32; 9],
    /// SHA-256 of the definition's text, zeros for none.
    pub definition: [u8; 32],
    /// Name of the flag set, may be empty.
    pub flag_set: Span,
    /// Name of the environment.
    pub environment: Span,
    /// JSON object of the flag-set metadata; empty span for none.
    pub metadata: Span,
}

/// A dotted attribute path that rules read.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct AttributeRecord {
    /// The path's text.
    pub path: Span,
}

/// One instruction: an opcode of [`crate::program::code`] and its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Instruction {
    /// Opcode.
    pub op: u8,
    /// Small operand: a comparison, an arithmetic, a version.
    pub a: u8,
    /// Count operand.
    pub b: U16,
    /// Wide operand: a heap offset, an attribute, a jump target (within the program).
    pub c: U32,
}

/// A run of instructions.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ProgramRecord {
    /// First instruction.
    pub start: U32,
    /// How many.
    pub count: U32,
    /// Most values on the stack at once.
    pub stack: U16,
    /// Most iterations open at once.
    pub loops: U16,
}

/// One variant.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct VariantRecord {
    /// Its name.
    pub name: Span,
    /// Its value as compact JSON text.
    pub json: Span,
}

/// A data domain's name.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DomainRecord {
    /// The name.
    pub name: Span,
}

/// One stage.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct StageRecord {
    /// Its name.
    pub name: Span,
    /// Program of an allow-list stage, [`NONE`] for a share stage.
    pub who: U32,
    /// Candidate's share.
    pub treat: U32,
    /// Control's share.
    pub control: U32,
    /// Probability of treatment among the units that this stage enrols; 0 where there is no comparison.
    pub probability: U32,
}

/// One rollout plan.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct PlanRecord {
    /// Salt of its bucketing.
    pub salt: U64,
    /// Attribute that identifies the unit.
    pub unit: U32,
    /// First data domain.
    pub domains: U32,
    /// How many data domains; 0 means any.
    pub domain_count: U32,
    /// First stage.
    pub stages: U32,
    /// Purpose that consent must grant; empty span for none.
    pub consent: Span,
    /// Baseline variant.
    pub baseline: U16,
    /// Candidate variant.
    pub candidate: U16,
    /// How many stages.
    pub stage_count: u8,
    /// Highest approved stage, [`NONE8`] for none.
    pub ceiling: u8,
    /// Attribute slots of `consent` and `dataDomain` follow as two indices.
    pub reserved: U16,
    /// Attribute slot of `consent`.
    pub consent_attribute: U32,
    /// Attribute slot of `dataDomain`.
    pub domain_attribute: U32,
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
    /// Default variant, [`NONE16`] for the caller's own default.
    pub default_variant: U16,
    /// Baseline, [`NONE16`] for the default variant.
    pub baseline: U16,
    /// 0 boolean, 1 text, 2 number, 3 object.
    pub kind: u8,
    /// [`state`] bits.
    pub state: u8,
    /// Program of the targeting, [`NONE`] for none.
    pub targeting: U32,
    /// Rollout plan, [`NONE`] for none.
    pub plan: U32,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes that `docs/snapshot.md` tells.
    #[test]
    fn records_are_as_long_as_documented() {
        let sizes = [
            size_of::<Header>(),
            size_of::<AttributeRecord>(),
            size_of::<Instruction>(),
            size_of::<ProgramRecord>(),
            size_of::<VariantRecord>(),
            size_of::<DomainRecord>(),
            size_of::<StageRecord>(),
            size_of::<PlanRecord>(),
            size_of::<FlagRecord>(),
        ];
        assert_eq!(sizes, [104, 8, 8, 12, 16, 8, 24, 48, 36]);
    }
}
