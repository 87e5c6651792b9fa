//! Every limit of a snapshot and of a packed context, each with its reason.
//!
//! `encode` refuses what is over a limit and `load` refuses it again, so that a snapshot that sealed well
//! also opens. `tests/load.rs` stands at the limits of rules and ladders and one past them.

/// Bytes of one snapshot: the default payload cap of the sealed file (`trust.md` 2.1), with room to spare for
/// hosts that raise it; far below what 32-bit offsets could address.
pub const MAX_SNAPSHOT_BYTES: usize = 16 << 20;
/// Flags in a snapshot: a scan of all of them stays under a millisecond.
pub const MAX_FLAGS: usize = 10_000;
/// Variants of one flag: index 0xFFFF means none, and a list longer than this is data, not variants.
pub const MAX_VARIANTS: usize = 1_000;
/// Bytes of a key or a name: they are shown to people and copied into events.
pub const MAX_NAME_BYTES: usize = 256;
/// Bytes of one variant's JSON, or of a text in a rule: a prompt template fits, a model does not.
pub const MAX_VALUE_BYTES: usize = 256 << 10;
/// Members of a list or object constant (`trust.md` section 6).
pub const MAX_MEMBERS: usize = 10_000;
/// Depth of nested lists and objects, in constants and contexts; validation recurses this deep at most.
pub const MAX_DEPTH: usize = 16;
/// Instructions of one program; the longest rule of the workloads measured has under 100.
pub const MAX_PROGRAM: usize = 4_096;
/// Values on the stack of one program: at 24 bytes each this is 6 KiB of the guest's 64 KiB stack.
pub const MAX_STACK: usize = 256;
/// Nested iterations (`map` in `filter` in …) of one program.
pub const MAX_LOOPS: usize = 8;
/// Distinct attribute paths that a snapshot reads.
pub const MAX_ATTRIBUTES: usize = 1_024;
/// Stages of one plan: index 255 means none, and a ladder longer than this is not looked at by people.
pub const MAX_STAGES: usize = 32;
/// Data domains of one plan.
pub const MAX_DATA_DOMAINS: usize = 64;
/// Top-level attributes of a context (`trust.md` section 6).
pub const MAX_CONTEXT_ATTRIBUTES: usize = 128;
/// Bytes of a packed context: room for 128 attributes of 512 bytes.
pub const MAX_CONTEXT_BYTES: usize = 64 << 10;
/// Bytes of one automaton: a pattern of a few hundred states; larger ones are lists in disguise.
pub const MAX_DFA_BYTES: usize = 64 << 10;
/// Bytes of one key set's hashes or bits: a million sorted hashes.
pub const MAX_KEY_SET_BYTES: usize = 8 << 20;
/// Probes of a Bloom filter: 24 are for one stranger in sixteen million.
pub const MAX_PROBES: u8 = 24;
/// Address ranges of one test: every allocation of a large provider.
pub const MAX_NETWORKS: usize = 10_000;
/// Prerequisites of one flag, and how deep they may be nested: the engine walks them with its own stack.
pub const MAX_PREREQUISITES: usize = 16;
/// Depth of prerequisites of prerequisites.
pub const MAX_PREREQUISITE_DEPTH: usize = 8;
/// Layers and holdouts of a snapshot each.
pub const MAX_LAYERS: usize = 1_024;
/// Holdouts that one flag names, and ranges that it has of a layer.
pub const MAX_FLAG_PARTS: usize = 64;
/// Canaries of a snapshot: asked one by one before a swap, a few milliseconds in all.
pub const MAX_CANARIES: usize = 1_000;
/// Steps of a schedule, and pauses, of one plan.
pub const MAX_SCHEDULE: usize = 256;
/// Seconds of a ramp or window: ten years, so that share times seconds stays far within 64 bits.
pub const MAX_RAMP_SECONDS: u64 = 10 * 366 * 86_400;
