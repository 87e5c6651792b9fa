//! What sync knows about itself, for people and for the state of the host.

use flagstone_seal::Mark;
use serde::Serialize;

use flagstone_events::to_hex;

/// How good what is served is. The rule by which it changes is that of [`SyncStatus::state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No snapshot yet: every decision is the caller's own default.
    Empty,
    /// The snapshot is valid and the pulse is young (or none is expected).
    Fresh,
    /// The snapshot is valid, but the lease of the last pulse has run out, so every plan serves what its flag says for that;
    /// or a new lease runs, but too short a time since the fall to rely on it.
    Stale,
    /// The snapshot's own validity is over; each flag serves what it says for that.
    Expired,
}

impl State {
    /// All states, best last.
    pub const ALL: [Self; 4] = [Self::Empty, Self::Expired, Self::Stale, Self::Fresh];

    /// Its name on the wire: `empty`, `fresh`, `stale` or `expired`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }
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
    /// Failures since the start.
    pub failures_total: u64,
    /// Good looks that are still awaited before a host that had fallen from `fresh` is called so again.
    pub settling: u32,
    /// The stream that brings pulses as they are signed.
    pub push: PushStatus,
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

/// How the stream of pulses is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct PushStatus {
    /// Whether it is open and has given a pulse; looks are rarer then.
    pub live: bool,
    /// Whether the source said that it has no such stream.
    pub absent: bool,
    /// Streams opened since the start.
    pub streams: u64,
    /// Pulses put in force from it since the start.
    pub pulses: u64,
    /// Streams in a row that could not be opened or were given up early.
    pub failures: u32,
    /// What was wrong with the last one, until one is live again.
    pub last_error: Option<String>,
}

/// Until when what is served is what. Small enough to read at every decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Horizon {
    /// End of the snapshot's validity; none without one. Unix seconds.
    snapshot: Option<u64>,
    /// End of the lease as far as it can be relied on. Unix seconds.
    lease: u64,
}

impl Horizon {
    pub(crate) fn state(self, now: u64) -> State {
        match self.snapshot {
            None => State::Empty,
            Some(expires) if expires <= now => State::Expired,
            Some(_) if self.lease <= now => State::Stale,
            Some(_) => State::Fresh,
        }
    }
}

impl SyncStatus {
    pub(crate) fn horizon(&self, has_pulse: bool) -> Horizon {
        let lease = match self.pulse {
            _ if !has_pulse => u64::MAX,
            Some(pulse) if self.settling == 0 => pulse.expires,
            _ => 0,
        };
        Horizon { snapshot: self.snapshot.as_ref().map(|snapshot| snapshot.expires), lease }
    }

    /// A look went well, or a pulse came by itself.
    pub(super) fn went_well(&mut self) {
        self.settling = self.settling.saturating_sub(1);
    }

    /// A look failed.
    pub(super) fn went_wrong(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.failures_total = self.failures_total.saturating_add(1);
        if self.settling > 0 {
            self.settling = crate::limits::SETTLING_LOOKS;
        }
    }

    /// A new lease or snapshot is about to replace what was there: when that had run out, it takes more than one good look
    /// to be fresh again. What never was in force has not fallen: a start is fresh at once.
    pub(super) fn replaced_at(&mut self, now: u64) {
        let over = |expires: Option<u64>| expires.is_some_and(|expires| expires <= now);
        if over(self.pulse.map(|pulse| pulse.expires)) {
            self.settling = crate::limits::SETTLING_LOOKS;
        }
    }

    /// The state at a time (unix seconds) and why. `has_pulse`: whether the source gives pulses.
    ///
    /// It becomes worse at the very second at which the engine changes what it serves: when the lease ends (`stale`), when the
    /// snapshot ends (`expired`). A failed look or a broken stream by itself changes nothing. It becomes better slowly: after
    /// a lease of this process had run out, `fresh` returns when a new one runs *and*
    /// [`SETTLING_LOOKS`](crate::limits::SETTLING_LOOKS) looks in a row went well (the one that brought the lease counts, and so does a pulse that
    /// came by itself; a failure begins the count anew). So a source that comes and goes is `stale` all along, not by turns.
    #[must_use]
    pub fn state(&self, now: u64, has_pulse: bool) -> (State, String) {
        let state = self.horizon(has_pulse).state(now);
        let why = |what: String| match &self.last_error {
            Some(error) => format!("{what}; {error}"),
            None => what,
        };
        let reason = match (state, &self.snapshot, self.pulse) {
            (State::Empty, ..) | (_, None, _) => {
                self.last_error.clone().unwrap_or_else(|| "no snapshot has been accepted yet".to_owned())
            }
            (State::Expired, Some(snapshot), _) => format!("the snapshot expired at {}", snapshot.expires),
            (State::Fresh, _, Some(pulse)) if has_pulse => format!("lease until {}", pulse.expires),
            (State::Fresh, ..) => "the source gives no pulse".to_owned(),
            (State::Stale, _, None) => why("no pulse has been accepted yet".to_owned()),
            (State::Stale, _, Some(pulse)) if pulse.expires <= now => {
                why(format!("the last pulse's lease ended at {}", pulse.expires))
            }
            (State::Stale, ..) => why(format!(
                "there is a lease again after one had run out; good looks still awaited: {}",
                self.settling
            )),
        };
        (state, reason)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn with(snapshot: u64, lease: Option<u64>) -> SyncStatus {
        let pulse = |expires| PulseStatus { number: 1, issued: 0, expires, halts: 0 };
        let snapshot = SnapshotStatus {
            epoch: 1,
            sequence: 1,
            digest: String::new(),
            issued: 0,
            expires: snapshot,
            signers: vec![],
        };
        SyncStatus { snapshot: Some(snapshot), pulse: lease.map(pulse), ..SyncStatus::default() }
    }

    #[test]
    fn it_becomes_worse_at_the_second_in_which_the_engine_does() {
        let status = with(1_000, Some(100));
        let at = |now| status.state(now, true).0;
        assert_eq!(
            [at(99), at(100), at(999), at(1_000)],
            [State::Fresh, State::Stale, State::Stale, State::Expired]
        );
        assert_eq!(with(1_000, None).state(5, true).0, State::Stale);
        assert_eq!(with(1_000, None).state(999, false).0, State::Fresh, "no pulse is expected");
        assert_eq!(SyncStatus::default().state(5, false).0, State::Empty);
    }

    #[test]
    fn a_source_that_comes_and_goes_is_stale_all_along() {
        let mut status = with(100_000, Some(100));
        let mut states = Vec::new();
        for round in 0..5 {
            // A lease of 10 s comes long after the last one ended; the look after it fails.
            let now = 200 + round * 100;
            status.replaced_at(now);
            status.pulse = Some(PulseStatus { number: 2 + round, issued: now, expires: now + 10, halts: 0 });
            status.went_well();
            states.push(status.state(now, true).0);
            status.went_wrong();
            states.push(status.state(now + 5, true).0);
        }
        assert!(states.iter().all(|state| *state == State::Stale), "{states:?}");
        assert!(status.state(605, true).1.contains("there is a lease again"));
        // Two good looks in a row within a lease: fresh.
        status.went_well();
        assert_eq!(status.state(605, true).0, State::Stale);
        status.went_well();
        assert_eq!(status.state(605, true).0, State::Fresh);
        // A failed look or ten within the lease change nothing.
        (0..10).for_each(|_| status.went_wrong());
        assert_eq!((status.state(609, true).0, status.failures_total), (State::Fresh, 15));
    }

    #[test]
    fn a_start_is_fresh_at_once_and_so_is_a_lease_that_follows_without_a_gap() {
        let mut status = with(1_000, None);
        status.replaced_at(500);
        assert_eq!(status.settling, 0);
        status.pulse = Some(PulseStatus { number: 1, issued: 500, expires: 600, halts: 0 });
        status.replaced_at(599);
        assert_eq!((status.settling, status.state(599, true).0), (0, State::Fresh));
    }
}
