//! Keeping the flags current: the newest trust note says whose signatures count; the newest pulse says which snapshot is in force; that file is fetched by its digest, verified, and
//! swapped in as a whole. Whatever is refused changes nothing, and the last good one stays: in this sandbox, and in the cache for the
//! next.

use fastly::Error;
use flagstone::{Flags, Mark, Refusal};
use flagstone_events::to_hex;

use crate::last::Last;
use crate::origin::Origin;
use crate::rotation;
use crate::settings::Settings;

/// For how long the cache is asked to keep what was verified, seconds.
const LONG: u64 = 30 * 86_400;
/// The newest pulse and the newest trust note, at the control plane and in the cache.
const NEWEST: [&str; 2] = [PULSE, "trust"];
const PULSE: &str = "pulse";
/// Lies in the cache for what could not be had, or was refused.
const NO_GOOD: &[u8] = &[];
/// The flags, and the way to something newer.
pub struct Keep {
    origin: Origin,
    /// None when the pinned trust note is refused: everything then is the caller's own default.
    flags: Option<Flags>,
    /// What the sandbox before this one left.
    last: Option<Last>,
    /// Where it lies: who pins another note begins anew.
    last_name: String,
    poll: u64,
    looked: Option<u64>,
}

impl Keep {
    /// Nothing in force yet. `now` in unix seconds.
    pub fn new(settings: &Settings, now: u64) -> Self {
        let origin = Origin::new(&settings.control_plane, &settings.environment);
        let last_name = format!("last/{}", settings.pepper.fingerprint_of(&[&settings.trust]));
        let last = origin.kept(&last_name).and_then(|bytes| Last::read(&bytes));
        let memory = last.as_ref().map(|last| last.memory.clone()).unwrap_or_default();
        let reader = flagstone::Settings::new(&settings.audience, &settings.environment).remembering(memory);
        let flags = Flags::pin(&settings.trust, reader, now);
        let flags =
            flags.inspect_err(|error| eprintln!("flagstone: the pinned trust note is refused: {error}"));
        Self { origin, flags: flags.ok(), last, last_name, poll: settings.poll, looked: None }
    }

    /// The control plane.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The flags.
    pub fn flags(&self) -> Option<&Flags> {
        self.flags.as_ref()
    }

    /// Looks for news, unless it has just done so.
    pub fn look(&mut self, now: u64) {
        let Some(flags) = &self.flags else { return };
        if self.looked.is_some_and(|at| now.abs_diff(at) < self.poll) {
            return;
        }
        self.looked = Some(now);
        let published = |name: &str| self.ask(name).map(|(note, _)| note);
        if let Err(error) = rotation::follow(flags, published, now) {
            eprintln!("flagstone: the trust root in force stays: {error}");
        }
        if let Err(error) = self.news(flags, now) {
            eprintln!("flagstone: what is in force stays: {error}");
        }
        if flags.in_force().is_none()
            && let Err(error) = self.restore(flags, now)
        {
            eprintln!("flagstone: nothing is in force: {error}");
        }
    }

    /// The newest pulse, and the snapshot that it names.
    fn news(&self, flags: &Flags, now: u64) -> Result<(), Error> {
        let (note, fresh) = self.ask(PULSE)?;
        let pulsed = flags.pulse(&note, now)?;
        if !pulsed.in_force {
            self.file(&pulsed.snapshot.digest, |file| flags.offer(file, now))?;
        }
        if fresh && let Some(bytes) = (Last { memory: flags.memory(), note }).write() {
            self.origin.keep(&self.last_name, &bytes, LONG);
        }
        Ok(())
    }

    /// What another sandbox put in force last.
    fn restore(&self, flags: &Flags, now: u64) -> Result<(), Error> {
        let nothing = || Error::msg("no snapshot has been accepted yet");
        let last = self.last.as_ref().ok_or_else(nothing)?;
        let mark = last.memory.mark.ok_or_else(nothing)?;
        // Its lease may be over, or a newer pulse may have come without its snapshot: then that one's halts count.
        if let Err(error) = flags.pulse(&last.note, now) {
            eprintln!("flagstone: {error}");
        }
        self.file(&mark.digest, |file| flags.restore(file, now))
    }

    /// Gives a sealed file to whoever puts it in force. Once accepted it is kept; refused, it is not fetched again before the next look.
    fn file(
        &self,
        digest: &[u8; 32],
        put: impl FnOnce(Vec<u8>) -> Result<Mark, Refusal>,
    ) -> Result<(), Error> {
        let name = format!("snapshots/{}", to_hex(digest));
        let (file, fresh) = self.ask(&name)?;
        match put(file.clone()) {
            Ok(_) if fresh => self.origin.keep(&name, &file, LONG),
            Ok(_) => {}
            Err(refused) => {
                self.origin.keep(&name, NO_GOOD, self.poll);
                return Err(refused.into());
            }
        }
        Ok(())
    }

    /// From the cache, else from the control plane: then it is fresh. What cannot be had is not asked for again before the next look.
    fn ask(&self, name: &str) -> Result<(Vec<u8>, bool), Error> {
        match self.origin.kept(name) {
            Some(kept) if kept == NO_GOOD => {
                Err(Error::msg(format!("`{name}` was no good a moment ago; it is asked for again soon")))
            }
            Some(kept) => Ok((kept, false)),
            None => match self.origin.get(name) {
                Ok(got) => {
                    // What is newest is so until the next look; a file waits until it has been accepted.
                    if NEWEST.contains(&name) {
                        self.origin.keep(name, &got, self.poll);
                    }
                    Ok((got, true))
                }
                Err(error) => {
                    self.origin.keep(name, NO_GOOD, self.poll);
                    Err(error)
                }
            },
        }
    }
}
