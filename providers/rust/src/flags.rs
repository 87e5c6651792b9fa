//! The flags of one environment: what is in force, and the way to something newer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use flagstone_seal::Mark;

use crate::in_force::Opened;
use crate::keeper::Keeper;
use crate::{Answer, InForce, Memory, Refusal, Settings, State, Unit};

/// The flags of one environment for one audience. Share it between threads in an [`Arc`].
pub struct Flags {
    /// What has been accepted. Held while something new is tried, never while deciding.
    keeper: Mutex<Keeper>,
    current: ArcSwapOption<InForce>,
    latest_issued: AtomicU64,
    pulses: bool,
}

/// What an accepted pulse means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulsed {
    /// Its number.
    pub number: u64,
    /// When its lease ends, unix seconds.
    pub expires: u64,
    /// The snapshot that it is about.
    pub snapshot: Mark,
    /// Whether that is the one in force. When not, only its halts count until [`Flags::offer`] is given that file.
    pub in_force: bool,
}

impl Flags {
    /// Nothing in force yet, trusting a pinned trust note. `now` in unix seconds.
    ///
    /// # Errors
    /// [`Refusal::Seal`]: the note, or one remembered after it, cannot be trusted.
    pub fn pin(trust_note: &[u8], settings: Settings, now: u64) -> Result<Self, Refusal> {
        let pulses = settings.pulses;
        let keeper = Keeper::new(trust_note, settings, now)?;
        let latest_issued = AtomicU64::new(keeper.latest_issued());
        Ok(Self { keeper: Mutex::new(keeper), current: ArcSwapOption::empty(), latest_issued, pulses })
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies a sealed file, opens it beside the one in force, asks its canaries, and then swaps it in as a whole. The newest pulse
    /// that names it counts at once. The file that is in force already is a success that changes nothing.
    ///
    /// # Errors
    /// Why not; what was in force stays.
    pub fn offer(&self, file: impl Into<Vec<u8>>, now: u64) -> Result<Mark, Refusal> {
        self.put(file.into(), now, Keeper::check_file)
    }

    /// As [`Flags::offer`] for a file that was accepted before, by an earlier process or the build of this one: when it has expired
    /// it is opened as of its last valid second, and the state is [`State::Expired`] from the start.
    ///
    /// # Errors
    /// As [`Flags::offer`].
    pub fn restore(&self, file: impl Into<Vec<u8>>, now: u64) -> Result<Mark, Refusal> {
        self.put(file.into(), now, Keeper::recheck)
    }

    fn put(
        &self,
        file: Vec<u8>,
        now: u64,
        check: impl FnOnce(&Keeper, &[u8], u64) -> Result<crate::keeper::Verified, flagstone_seal::SealError>,
    ) -> Result<Mark, Refusal> {
        let mut keeper = self.keeper();
        let verified = check(&keeper, &file, now)?;
        let mark = verified.mark;
        if keeper.believed && self.in_force().is_some_and(|current| current.mark() == mark) {
            return Ok(mark);
        }
        let opened = Arc::new(Opened::new(file, verified)?);
        keeper.keep_file(opened.verified());
        self.put_in_force(&keeper, InForce::new(opened, keeper.pulse(), self.pulses));
        Ok(mark)
    }

    fn put_in_force(&self, keeper: &Keeper, next: InForce) {
        self.latest_issued.store(keeper.latest_issued(), Ordering::Relaxed);
        self.current.store(Some(Arc::new(next)));
    }

    /// Verifies a pulse and lets it replace the one before.
    ///
    /// # Errors
    /// Why not; the pulse before stays.
    pub fn pulse(&self, note: &[u8], now: u64) -> Result<Pulsed, Refusal> {
        let mut keeper = self.keeper();
        let pulse = keeper.check_pulse(note, now)?;
        let current = self.in_force();
        let in_force = current.as_ref().is_some_and(|current| current.mark() == pulse.snapshot);
        let told =
            Pulsed { number: pulse.number, expires: pulse.expires, snapshot: pulse.snapshot, in_force };
        let next = current.map(|current| current.pulsed(&pulse, keeper.believed));
        keeper.keep_pulse(pulse);
        self.latest_issued.store(keeper.latest_issued(), Ordering::Relaxed);
        if let Some(next) = next {
            self.put_in_force(&keeper, next);
        }
        Ok(told)
    }

    /// Moves to the next trust note (version + 1, signed by both roots). False when it is the one in force. A snapshot in force that
    /// the new root does not believe stays, but no pulse opens anything in it any more.
    ///
    /// # Errors
    /// Why not; the trust root in force stays.
    pub fn advance(&self, trust_note: &[u8], now: u64) -> Result<bool, Refusal> {
        let mut keeper = self.keeper();
        let moved = keeper.advance(trust_note, now)?;
        if let (true, Some(current)) = (moved, self.in_force()) {
            let opened = current.opened();
            keeper.believed = keeper.believes(opened.file(), opened.verified());
        }
        self.latest_issued.store(keeper.latest_issued(), Ordering::Relaxed);
        Ok(moved)
    }

    /// Version of the trust root in force.
    #[must_use]
    pub fn trust_version(&self) -> u64 {
        self.keeper().trust_version()
    }

    /// What must outlive the process.
    #[must_use]
    pub fn memory(&self) -> Memory {
        self.keeper().memory()
    }

    /// The snapshot in force with its pulse. Takes no lock and allocates nothing.
    #[must_use]
    pub fn in_force(&self) -> Option<Arc<InForce>> {
        self.current.load_full()
    }

    /// Decides a flag by key. Allocates nothing for a unit that is prepared for the snapshot in force.
    #[must_use]
    pub fn decide(&self, unit: &mut Unit, key: &str, now: u64) -> Answer {
        match self.in_force() {
            None => Answer::not_ready(),
            Some(current) => {
                let decision = current.decide_key(unit, key, now);
                Answer::new(current, decision)
            }
        }
    }

    /// How what is served stands at `now`, unix seconds.
    #[must_use]
    pub fn state(&self, now: u64) -> State {
        self.current.load().as_ref().map_or(State::Empty, |current| current.state(now))
    }

    /// The machine's time in unix seconds, but never behind the newest statement accepted, so that a clock that is wound back cannot
    /// bring an expired file to life.
    #[must_use]
    pub fn now(&self) -> u64 {
        machine_seconds().max(self.latest_issued.load(Ordering::Relaxed))
    }
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Flags").field("in_force", &self.in_force()).finish_non_exhaustive()
    }
}

/// The machine's time, unix seconds.
#[must_use]
pub fn machine_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
