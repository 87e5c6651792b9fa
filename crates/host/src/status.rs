//! How a host stands, for people, dashboards and tests. Its JSON form is described in docs/host.md.

use std::collections::BTreeMap;

use flagstone_events::SnapshotId;
use serde::Serialize;

use crate::sync::{State, SyncStatus};

/// How a host stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostStatus {
    /// How good what is served is.
    pub state: State,
    /// Why, in a sentence.
    pub reason: String,
    /// The host's time, unix seconds.
    pub now: u64,
    /// The snapshot that decides now. After a revert it is older than `sync.snapshot`.
    pub serving: Option<SnapshotId>,
    /// SHA-256 of the engine component.
    pub component: String,
    /// Evaluations since the start.
    pub evaluations: u64,
    /// Times the engine trapped since the start.
    pub traps: u64,
    /// Times that traps made the host go back to the snapshot before.
    pub reverts: u64,
    /// Events.
    pub events: EventStatus,
    /// Sync.
    pub sync: SyncStatus,
}

/// What became of the events. At rest, and with an empty data folder at the start:
/// `made = repeated + delivered + pending + the sum of dropped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventStatus {
    /// The instance's name on the wire.
    pub instance: String,
    /// Events handed over since the start.
    pub made: u64,
    /// Exposures that the same window had already seen; they are not sent again.
    pub repeated: u64,
    /// Events written to the spool since the start.
    pub spooled: u64,
    /// Events that the receiver acknowledged since the start.
    pub delivered: u64,
    /// Of these, those it already had.
    pub duplicates: u64,
    /// Batches acknowledged since the start.
    pub batches: u64,
    /// Events in the spool, not delivered yet.
    pub pending: u64,
    /// Bytes of the spool.
    pub spool_bytes: u64,
    /// Events lost since the data folder was made, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Failed deliveries in a row.
    pub failures: u64,
    /// What was wrong with the last delivery, if it failed.
    pub last_error: Option<String>,
}
