//! How large a definition may be; every number that refuses something lives here, with its reason.

/// Bytes of one definition: 5,000 flags of the workload take about 6 MB.
pub const SOURCE_BYTES: usize = 32 << 20;
/// Nesting of lists and objects in the source; the parsers and the readers recurse to this depth.
pub const SOURCE_DEPTH: usize = 100;
/// Nodes of one definition once YAML aliases are written out; stops "billion laughs" files.
pub const SOURCE_NODES: usize = 4_000_000;
/// Nesting of operators in one rule, counted after `$ref` and `segment` are written out.
pub const RULE_DEPTH: usize = 32;
/// Instructions of one rule, counted after `$ref` and `segment` are written out.
pub const PROGRAM_OPS: usize = 4096;
/// Bytes of a flag key.
pub const KEY_BYTES: usize = 256;
/// Variants of one flag; a variant index is 16 bits wide and `0xFFFF` means none.
pub const VARIANTS: usize = 4096;
/// Stages of one rollout plan; a stage index is 8 bits wide and 255 means none.
pub const STAGES: usize = 64;
/// Diagnostics kept for one definition; what comes after is counted, not shown.
pub const DIAGNOSTICS: usize = 500;
