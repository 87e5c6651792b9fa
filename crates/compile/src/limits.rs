//! How large a definition may be; every number that refuses something lives here, with its reason.
//!
//! What a snapshot can hold is [`flagstone_snapshot::limits`]; those that a reader meets by name are
//! repeated here, and every flag is laid out once by itself, so that the others never suffer for it.

use flagstone_snapshot::limits as snapshot;

/// Bytes of one definition: 5,000 flags of the workload take about 6 MB.
pub const SOURCE_BYTES: usize = 32 << 20;
/// Nesting of lists and objects in the source; the readers recurse to this depth.
pub const SOURCE_DEPTH: usize = 100;
/// Nodes of one definition once YAML aliases are written out; stops "billion laughs" files.
pub const SOURCE_NODES: usize = 4_000_000;
/// Nesting of operators in one rule, counted after `$ref` and `segment` are written out.
pub const RULE_DEPTH: usize = 32;
/// Instructions of one rule, counted after `$ref` and `segment` are written out.
pub const PROGRAM_OPS: usize = snapshot::MAX_PROGRAM;
/// Bytes of a flag key.
pub const KEY_BYTES: usize = snapshot::MAX_NAME_BYTES;
/// Variants of one flag.
pub const VARIANTS: usize = snapshot::MAX_VARIANTS;
/// Stages of one rollout plan.
pub const STAGES: usize = snapshot::MAX_STAGES;
/// Nesting of groups and repetitions in a pattern.
pub const PATTERN_DEPTH: u32 = 64;
/// Bytes that making a table of a pattern may take, before it is minimised; the table itself is capped by
/// [`snapshot::MAX_DFA_BYTES`].
pub const PATTERN_BUILD_BYTES: usize = 2 << 20;
/// States of a pattern before they are minimised: more than a table can have, and soon looked through.
pub const PATTERN_STATES: usize = 20_000;
/// Ranges of addresses of one test, merged.
pub const NETWORKS: usize = snapshot::MAX_NETWORKS;
/// Keys that a segment keeps as a list unless told otherwise, and that one variant's overrides may name.
pub const LIST_KEYS: usize = 1_000;
/// Keys that a segment may be told to keep as a list.
pub const LONGEST_LIST: usize = snapshot::MAX_MEMBERS;
/// Bytes of one list of keys once hashed.
pub const KEY_SET_BYTES: usize = snapshot::MAX_KEY_SET_BYTES;
/// Prerequisites of one flag.
pub const PREREQUISITES: usize = snapshot::MAX_PREREQUISITES;
/// Flags on the longest way along prerequisites, the first one not counted.
pub const PREREQUISITE_DEPTH: usize = snapshot::MAX_PREREQUISITE_DEPTH;
/// Layers, and holdouts, of a definition.
pub const LAYERS: usize = snapshot::MAX_LAYERS;
/// Holdouts that name one flag, and ranges that it has of a layer.
pub const FLAG_PARTS: usize = snapshot::MAX_FLAG_PARTS;
/// Steps of a schedule, and pauses.
pub const SCHEDULE: usize = snapshot::MAX_SCHEDULE;
/// Seconds of a ramp or of a watch with a share.
pub const RAMP_SECONDS: u64 = snapshot::MAX_RAMP_SECONDS;
/// Entries of a plan's `slices`: each is counted for every cohort and arm, and shown.
pub const SLICE_WATCHES: usize = 32;
/// Values of one entry of `slices`: more have so few units each that nothing can be found in them.
pub const SLICE_VALUES: usize = 64;
/// Cells of two dimensions, with the cells of other values: a table of them must still be readable.
pub const SLICE_CELLS: usize = 400;
/// Entries of a plan's `drift`: one for each metric.
pub const DRIFT_WATCHES: usize = 16;
/// Seconds that a batch of `drift` may span: all batches since the rollout began are part of its evidence.
pub const DRIFT_SECONDS: std::ops::RangeInclusive<u64> = 600..=604_800;
/// Diagnostics kept for one definition; what comes after is counted, not shown.
pub const DIAGNOSTICS: usize = 500;
