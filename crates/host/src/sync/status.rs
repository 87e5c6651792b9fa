//! What sync knows about itself, for people and for the state of the host.

use flagstone_seal::Mark;
use serde::Serialize;

use flagstone_events::to_hex;

/// How good what is served is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No snapshot yet: every decision is the caller's own default.
    Empty,
    /// The snapshot is valid and the pulse is young (or none is expected).
    Fresh,
    /// The snapshot is valid, but the lease of the last pulse has run out, so every plan serves what its flag says for that.
    Stale,
    /// The snapshot's own validity is over; each flag serves what it says for that.
    Expired,
}

/// The snapshot in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotStatus {
    /// Its epoch.
    pub epoch: u64,
    /// Its sequence.
    pub sequence: u64,
    /// SHA-256 of its statement, 64 hexadecimal digits.
    pub digest: String,
    /// When it was signed, unix seconds.
    pub issued: u64,
    /// When it expires, unix seconds.
    pub expires: u64,
    /// Who signed it.
    pub signers: Vec<String>,
}

/// The last pulse accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PulseStatus {
    /// Its own number.
    pub number: u64,
    /// When it was signed, unix seconds.
    pub issued: u64,
    /// When its lease ends, unix seconds.
    pub expires: u64,
    /// Halted flags.
    pub halts: usize,
}

/// What sync has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct SyncStatus {
    /// The snapshot in force.
    pub snapshot: Option<SnapshotStatus>,
    /// The last pulse accepted.
    pub pulse: Option<PulseStatus>,
    /// Version of the trust root in force.
    pub trust_version: u64,
    /// Attempts since the start.
    pub attempts: u64,
    /// Snapshots put in force since the start.
    pub swaps: u64,
    /// Failures in a row; 0 after a success.
    pub failures: u32,
    /// When the last attempt was made, unix milliseconds.
    pub last_attempt_ms: Option<u64>,
    /// When the last one succeeded.
    pub last_success_ms: Option<u64>,
    /// What was wrong the last time something was, until it is right again.
    pub last_error: Option<String>,
    /// Digests that verified but could not be used, newest last.
    pub quarantined: Vec<String>,
    /// What of the data folder could not be used at the start.
    pub damage: Vec<String>,
}

impl SyncStatus {
    /// The state at a time (unix seconds) and why. `has_pulse`: whether the source gives pulses.
    #[must_use]
    pub fn state(&self, now: u64, has_pulse: bool) -> (State, String) {
        let Some(snapshot) = &self.snapshot else {
            let why =
                self.last_error.clone().unwrap_or_else(|| "no snapshot has been accepted yet".to_owned());
            return (State::Empty, why);
        };
        if snapshot.expires <= now {
            return (State::Expired, format!("the snapshot expired at {}", snapshot.expires));
        }
        let why = |what: String| match &self.last_error {
            Some(error) => format!("{what}; {error}"),
            None => what,
        };
        match self.pulse {
            _ if !has_pulse => (State::Fresh, "the source gives no pulse".to_owned()),
            None => (State::Stale, why("no pulse has been accepted yet".to_owned())),
            Some(pulse) if pulse.expires <= now => {
                (State::Stale, why(format!("the last pulse's lease ended at {}", pulse.expires)))
            }
            Some(pulse) => (State::Fresh, format!("lease until {}", pulse.expires)),
        }
    }

    pub(crate) fn quarantine(&mut self, mark: &Mark) {
        let digest = to_hex(&mark.digest);
        self.quarantined.retain(|known| *known != digest);
        self.quarantined.push(digest);
        if self.quarantined.len() > crate::limits::QUARANTINED {
            self.quarantined.remove(0);
        }
    }

    pub(crate) fn is_quarantined(&self, mark: &Mark) -> bool {
        let digest = to_hex(&mark.digest);
        self.quarantined.contains(&digest)
    }
}
