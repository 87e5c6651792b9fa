//! Every cap and period of the host in one place, each with its reason.

use std::time::Duration;

// The engine.

/// Linear memory of one instance: 32 MiB holds the largest snapshot (4 MiB) several times over.
pub const MEMORY_BYTES: usize = 32 << 20;
/// Core instances, tables and memories of one component instance: what `cargo xtask build` makes has one each.
pub const CORE_INSTANCES: usize = 4;
/// Instances that may be alive at once in a process, of one engine: addresses are reserved for all of them, memory is not. Three of the
/// largest pools (in force, next, before) and more than a hundred held by hand.
pub const ALIVE_INSTANCES: u32 = 256;
/// Instances of one snapshot at most: each holds the whole of it, and more than there are processors only wait.
pub const POOL_INSTANCES: usize = 32;
/// One tick of the epoch clock.
pub const TICK: Duration = Duration::from_millis(5);
/// Ticks an evaluation may be seen running in before it is stopped. A thread that the system has put aside for
/// a while counts as one tick only, so a busy machine does not stop honest work.
pub const EVALUATION_TICKS: u32 = 3;
/// Ticks for opening a snapshot, taking in a pulse or probing: one second of running time.
pub const OPEN_TICKS: u32 = 200;
/// Bytes of a context as JSON text. The engine has its own, finer limits (65,536 packed bytes); this one only keeps
/// it from being handed things that are no contexts at all.
pub const CONTEXT_BYTES: usize = 128 << 10;
/// Traps of one snapshot within [`TRAP_WINDOW`] after which the host goes back to the snapshot before it.
pub const TRAPS_TO_REVERT: usize = 3;
/// See [`TRAPS_TO_REVERT`].
pub const TRAP_WINDOW: Duration = Duration::from_secs(60);
/// Digests remembered as bad. The oldest is forgotten, and would at worst be tried again.
pub const QUARANTINED: usize = 64;

// Sync.

/// Time between looks at the pulse.
pub const POLL: Duration = Duration::from_secs(10);
/// Time between looks at the trust root when nothing else calls for one.
pub const TRUST_POLL: Duration = Duration::from_secs(300);
/// The first step of the back-off after a failure; it doubles with every further failure.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The largest step of the back-off.
pub const BACKOFF_CAP: Duration = Duration::from_secs(300);
/// The longest wait that a server's `Retry-After` can ask for.
pub const RETRY_AFTER_CAP: Duration = Duration::from_secs(900);
/// From the request to the last byte of the answer.
pub const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Good looks in a row after which a host whose lease had run out is called fresh again. The one that brought the new lease
/// is the first; one more shows that it was no accident.
pub const SETTLING_LOOKS: u32 = 2;
/// Time between looks at the pulse while a stream brings pulses by itself: the floor beneath it.
pub const POLL_LIVE: Duration = Duration::from_secs(60);
/// The longest silence of a stream; the control plane sends a sign of life every 15 s.
pub const PUSH_SILENCE: Duration = Duration::from_secs(45);
/// How long a stream must have lived for the next one to be opened without back-off from before.
pub const PUSH_SETTLED: Duration = Duration::from_secs(60);
/// Time after which a source that has no stream is asked again; it may have been replaced by a newer one.
pub const PUSH_ABSENT: Duration = Duration::from_secs(300);
/// Bytes that a stream may send at once, four of the largest pulses; beyond that it is taken for a flood.
pub const PUSH_BURST_BYTES: u64 = 1 << 20;
/// Bytes a second that a stream may send on average.
pub const PUSH_BYTES_A_SECOND: u64 = 16 << 10;
/// What every event counts for at least, in bytes: on average four events a second, at once 256.
pub const PUSH_EVENT_BYTES: u64 = 4 << 10;
/// Trust steps taken in one attempt; a host asleep for longer takes several attempts.
pub const TRUST_STEPS: usize = 64;
/// How long a start waits for a first snapshot from the network when the disk has none.
pub const INIT_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of an answer to a report; only two numbers are wanted of it.
pub const REPORT_ANSWER_BYTES: usize = 16 << 10;

// Events.

/// Events between the application and the spool. Full: the event is dropped and counted.
pub const QUEUE_EVENTS: usize = 8_192;
/// Bytes of one spool segment before the next is begun.
pub const SEGMENT_BYTES: u64 = 4 << 20;
/// Bytes of all segments; beyond it the oldest segment is given up and its events counted.
pub const SPOOL_BYTES: u64 = 64 << 20;
/// Longest time an event stays unsynchronised on disk.
pub const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Events taken from the queue at one go.
pub const DRAIN_EVENTS: usize = 512;
/// Exposure ids remembered as already spooled, in each of two generations.
pub const SEEN_IDS: usize = 65_536;
/// How long a part-filled batch waits for more events.
pub const LINGER: Duration = Duration::from_secs(1);
/// Events of one batch.
pub const BATCH_EVENTS: usize = 500;
/// Bytes of the events of one batch, below the receiver's limit of 1 MiB with room for the frame.
pub const BATCH_BYTES: usize = 900_000;
/// Refused batches kept for a person to look at; the oldest is deleted, its events are already counted as lost.
pub const POISON_FILES: usize = 100;
/// The window within which repeated exposures of a unit count as one: a day.
pub const EXPOSURE_WINDOW_MS: u64 = 86_400_000;

/// How long an exposure token is good: long enough for a page that stays open, short enough that a unit which withdraws is
/// soon beyond it.
pub const TOKEN_LIFETIME_MS: u64 = 3_600_000;

// HTTP doors.

/// Characters of the token of the doors at least, so that it cannot be tried out over the network.
pub const SHORTEST_TOKEN: usize = 16;
/// Bytes of a request body: the largest context and a little more.
pub const REQUEST_BYTES: usize = CONTEXT_BYTES + (16 << 10);
