//! Every cap of the event format, each with its reason. A cap that is met is a typed error, never a cut.

/// Events in one batch. A receiver keeps a whole batch in one database transaction.
pub const MAX_BATCH_EVENTS: usize = 1_000;
/// Bytes of one batch as JSON text. Proxies commonly refuse bodies above 1 MiB.
pub const MAX_BATCH_BYTES: usize = 1_048_576;
/// Bytes of one event as JSON text, so that any single event fits into any batch and any spool record. Follows from
/// the caps below: it is never the one that is met.
pub const MAX_EVENT_BYTES: usize = 16_384;
/// Bytes of all names and slice values of one outcome together. Escaped (each byte at most doubled) and with
/// the longest numbers this stays below [`MAX_EVENT_BYTES`].
pub const MAX_OUTCOME_TEXT_BYTES: usize = 6_000;
/// Bytes of a name: a flag key, a variant, an outcome, a measure, a slice, a reason, an instance.
pub const MAX_NAME_BYTES: usize = 256;
/// Bytes of a slice value. Slices are coarse (a language, an intent), never prose.
pub const MAX_SLICE_VALUE_BYTES: usize = 64;
/// Measures, booleans and slices of one outcome, each.
pub const MAX_OUTCOME_FIELDS: usize = 32;
/// Different reasons in the declared drop counts.
pub const MAX_DROP_REASONS: usize = 16;
/// The largest whole number that every JSON reader keeps exact (2^53 - 1, RFC 8259 section 6).
pub const MAX_INTEGER: u64 = 9_007_199_254_740_991;
/// Millionths in one unit of a measure.
pub const MICROS: i64 = 1_000_000;
/// Bytes of a targeting key that a pseudonym is made of.
pub const MAX_UNIT_KEY_BYTES: usize = 4_096;
