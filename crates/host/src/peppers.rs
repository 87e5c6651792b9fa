//! The pepper in force, and the change to the next one.
//!
//! A unit's name in the events changes with the pepper. In the middle of a rollout attempt that would count units twice, so the
//! change waits until no stage is open, and is made at the latest when the period ends. Once made it stays made: a
//! small file remembers it across restarts.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flagstone_events::Pepper;
use flagstone_events::token::Tokens;

use crate::durable;
use crate::reporting::NextPepper;

const MARKER: &str = "pepper-changed";
/// Looking whether a rollout is open reads the pulse: once a second is enough.
const LOOK_EVERY_MS: u64 = 1_000;

/// A pepper with the tokens made from it.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) pepper: Pepper,
    pub(crate) tokens: Tokens,
}

impl Named {
    fn new(pepper: Pepper, audience: &str, environment: &str) -> Self {
        Self { tokens: Tokens::new(&pepper, audience, environment), pepper }
    }
}

/// The peppers that a host holds.
pub(crate) struct Peppers {
    current: Named,
    next: Option<(Named, u64, u64)>,
    changed: AtomicBool,
    looked_ms: AtomicU64,
    folder: PathBuf,
}

impl Peppers {
    /// With what an earlier run remembered in the data folder.
    pub(crate) fn open(
        current: Pepper,
        next: Option<NextPepper>,
        (audience, environment): (&str, &str),
        folder: &Path,
    ) -> std::io::Result<Self> {
        let remembered = durable::read(&folder.join(MARKER))?;
        let is_remembered = |next: &NextPepper| {
            remembered.as_ref().is_some_and(|text| text.as_slice() == next.pepper.fingerprint().as_bytes())
        };
        let changed = AtomicBool::new(next.as_ref().is_some_and(is_remembered));
        let named = |pepper| Named::new(pepper, audience, environment);
        Ok(Self {
            current: named(current),
            next: next.map(|next| (named(next.pepper), next.not_before_ms, next.at_latest_ms)),
            changed,
            looked_ms: AtomicU64::new(0),
            folder: folder.to_owned(),
        })
    }

    /// The pepper to make names with at `now_ms`. `open`: whether any rollout is open.
    pub(crate) fn in_force(&self, now_ms: u64, open: impl FnOnce() -> bool) -> &Named {
        let Some((next, not_before_ms, at_latest_ms)) = &self.next else { return &self.current };
        if self.changed.load(Ordering::Acquire) {
            return next;
        }
        if now_ms < *not_before_ms {
            return &self.current;
        }
        if now_ms < *at_latest_ms {
            let looked = self.looked_ms.load(Ordering::Relaxed);
            if looked != 0 && now_ms < looked.saturating_add(LOOK_EVERY_MS) {
                return &self.current;
            }
            self.looked_ms.store(now_ms, Ordering::Relaxed);
            if open() {
                return &self.current;
            }
        }
        if !self.changed.swap(true, Ordering::AcqRel) {
            tracing::info!("changed to the next pepper: every unit has a new name from here on");
            let remembered = durable::write(&self.folder, MARKER, next.pepper.fingerprint().as_bytes());
            if let Err(error) = remembered {
                tracing::error!(%error, "the change of pepper cannot be remembered; a restart may repeat it");
            }
        }
        next
    }

    /// Every pepper held, the first one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Named> {
        std::iter::once(&self.current).chain(self.next.iter().map(|(next, ..)| next))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]
mod tests {
    use super::*;

    fn pepper(byte: u8) -> Pepper {
        Pepper::from_bytes([byte; 32])
    }

    fn peppers(folder: &Path) -> Peppers {
        let next = NextPepper { pepper: pepper(2), not_before_ms: 10_000, at_latest_ms: 90_000 };
        Peppers::open(pepper(1), Some(next), ("acme", "test"), folder).unwrap()
    }

    #[test]
    fn the_change_waits_for_open_rollouts_and_stays_made() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (pepper(1).fingerprint(), pepper(2).fingerprint());
        let held = peppers(folder.path());
        let at = |now_ms, open| held.in_force(now_ms, || open).pepper.fingerprint();
        assert_eq!(at(9_999, false), old, "not before its time");
        assert_eq!(at(10_000, true), old, "a rollout is open");
        assert_eq!(at(89_999, true), old);
        assert_eq!(at(89_999, false), old, "it looks once a second");
        held.looked_ms.store(0, Ordering::Relaxed);
        assert_eq!(at(10_500, false), new, "nothing is open");
        assert_eq!(at(10_501, true), new, "it stays made");
        let again = peppers(folder.path());
        assert_eq!(again.in_force(10_502, || true).pepper.fingerprint(), new, "also after a restart");
    }

    #[test]
    fn the_change_is_made_at_the_latest_when_the_period_ends() {
        let folder = tempfile::tempdir().unwrap();
        let held = peppers(folder.path());
        assert_eq!(held.in_force(90_000, || true).pepper.fingerprint(), pepper(2).fingerprint());
        assert_eq!(held.all().count(), 2);
    }
}
