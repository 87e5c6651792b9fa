//! How a flag is found by its key, and the questions whose answers a snapshot brings along.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Span;
use crate::hash::murmur3_x86_32;

/// Where a bucket of keys begins among the [`Keyed`]; it ends where the next begins. There is one bucket a flag, and
/// one record more, for the end.
pub type Bucket = U16;

/// A flag's position, in the bucket of its key; within a bucket strictly ascending, which is the order of the keys.
pub type Keyed = U16;

/// The bucket of a key among `buckets`.
///
/// The hash is spread over the buckets by its upper bits. Keys that were chosen to collide share a bucket, which is
/// searched by halves: no more steps than a search of all flags.
#[must_use]
pub fn bucket(key: &[u8], buckets: usize) -> usize {
    ((u64::from(murmur3_x86_32(key, 0)) * buckets as u64) >> 32) as usize
}

/// A question with its answer: what every engine must decide before it serves this snapshot.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct CanaryRecord {
    /// The time it is asked at, in unix seconds.
    pub at: U64,
    /// The context, a JSON object as text.
    pub context: Span,
    /// The flag.
    pub flag: U32,
    /// The variant it must answer, [`NONE16`](super::NONE16) for the caller's own default.
    pub variant: U16,
    /// Zero.
    pub reserved: U16,
}
