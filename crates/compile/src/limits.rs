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
/// Diagnostics kept for one definition; what comes after is counted, not shown.
pub const DIAGNOSTICS: usize = 500;
