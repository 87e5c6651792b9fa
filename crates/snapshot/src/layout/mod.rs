//! The bytes of a snapshot, version 3: a header and flat tables of fixed-size little-endian records.
//!
//! ```text
//! header | attributes | instructions | programs | variants | domains | stages | steps | pauses | plans |
//! holdouts | held | layers | ranges | prerequisites | parts | flags | buckets | keyed | canaries | heap
//! ```
//! Records refer to each other by position in their table and to names and values by [`Span`] in the heap.
//! Every record has alignment 1, so the tables are typed views of the file where it lies (`zerocopy`).
//! `docs/snapshot.md` is the same for people who write another reader.

mod find;
mod flag;
mod plan;

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use find::*;
pub use flag::*;
pub use plan::*;

/// First bytes of every snapshot.
pub const MAGIC: [u8; 4] = *b"FSNP";
/// The version that this crate writes and the only one that it reads.
pub const VERSION: u16 = 3;
/// Tables, counting the heap as the last.
pub const TABLES: usize = 20;
/// "None" in a time: later than any.
pub const NEVER: u64 = u64::MAX;
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
    /// Records in each table, in file order; then the bytes of the heap.
    pub counts: [U32; TABLES],
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
    /// Its number among the attributes that rules read as versions, in the order of this table; [`NONE`] for others.
    /// A context parses those once.
    pub version: U32,
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
            size_of::<StepRecord>(),
            size_of::<PauseRecord>(),
            size_of::<PlanRecord>(),
            size_of::<HoldoutRecord>(),
            size_of::<HeldRecord>(),
            size_of::<LayerRecord>(),
            size_of::<RangeRecord>(),
            size_of::<PrerequisiteRecord>(),
            size_of::<PartsRecord>(),
            size_of::<FlagRecord>(),
            size_of::<Bucket>(),
            size_of::<Keyed>(),
            size_of::<CanaryRecord>(),
        ];
        assert_eq!(sizes, [148, 12, 8, 12, 16, 8, 28, 12, 16, 84, 32, 4, 20, 8, 8, 36, 40, 2, 2, 24]);
    }
}
