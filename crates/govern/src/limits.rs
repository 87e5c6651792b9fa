//! Every cap of the control plane, each with its reason. A cap that is met is a refusal, never a cut.

/// Bytes of a batch's body: the events format's own cap and a little for the text around it.
pub const MAX_EVENTS_BODY: usize = flagstone_events::limits::MAX_BATCH_BYTES;
/// Bytes of a request of OTLP, also once unpacked: its attributes have longer names than our own form.
pub const MAX_OTLP_BODY: usize = 4 * 1024 * 1024;
/// The smallest k of k-anonymity: below it a cell tells of one person.
pub const SMALLEST_K: u64 = 2;
/// Bytes of a sealed file: the largest payload a server reads, and its note.
pub const MAX_SEALED_FILE: usize = 4 * 1024 * 1024 + 16 * 1024;
/// Bytes of a snapshot's payload; `flagstone_seal` recommends it for servers.
pub const MAX_PAYLOAD: u64 = 4 * 1024 * 1024;
/// Bytes of a definition's text.
pub const MAX_DEFINITION: usize = 4 * 1024 * 1024;
/// Bytes of the playground's files, which stay in memory: the module has one to two million.
pub const MAX_PLAYGROUND: usize = 16 * 1024 * 1024;
/// Bytes of an operator's request.
pub const MAX_OPERATOR_BODY: usize = 16 * 1024;
/// Bytes of the reason an operator gives; it goes into the ledger for good.
pub const MAX_REASON: usize = 1_000;
/// Ledger entries in one answer.
pub const MAX_LEDGER_PAGE: u32 = 500;
/// Different reasons for drops kept of one instance.
pub const MAX_DROP_REASONS: usize = 64;
/// Listeners to the live stream at once: each holds a connection and a copy of the newest status.
pub const MAX_LISTENERS: usize = 256;
/// Hosts at the stream of pulses at once; the others go on polling.
pub const MAX_LISTENING_HOSTS: usize = 4_096;
/// Pulses kept in the store. Hosts only ever read the newest; the rest is for looking back.
pub const KEPT_PULSES: u64 = 1_000;
/// Seconds that a stage without enough data may go on waiting after its bake time before a person is asked.
pub const EXTEND_SECONDS: u64 = 7 * 24 * 3_600;
/// Seconds that a pulse lives at least: hosts must have time to fetch the next one.
pub const SHORTEST_PULSE: u64 = 5;
/// Characters of a token at least, so that it cannot be tried out over the network.
pub const SHORTEST_TOKEN: usize = 16;
/// Instances shown in the status, the most recently heard first; totals cover all.
pub const SHOWN_INSTANCES: u32 = 50;
/// Slices shown in the status, all flags together; beyond these a flag's are shown only where something was found.
pub const SHOWN_SLICES: usize = 4_000;
/// Ledger entries shown in the status.
pub const SHOWN_ENTRIES: u32 = 30;
/// Looks that a tick keeps at most, all rollouts together; the others wait for the next tick.
pub const LOOKS_A_TICK: usize = 32;
/// SQLite's page cache for each of the five connections, as its pragma says it: 64 MiB.
pub(crate) const PAGE_CACHE: &str = "-65536";
