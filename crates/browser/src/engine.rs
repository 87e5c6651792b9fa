//! One opened snapshot: what was verified, and what the pulse said since.

use alloc::string::String;
use alloc::vec::Vec;

use flagstone_evaluate::{ContextError, Control, OpenStage};
use flagstone_seal::{Mark, OpenPolicy, PulsePolicy, PulseStatement, SealError, TrustRoot};
use flagstone_snapshot::{LoadError, Snapshot};

self_cell::self_cell!(
    /// The sealed file and the view that reads its payload in place; freed together.
    struct Loaded {
        owner: Vec<u8>,
        #[covariant]
        dependent: Snapshot,
    }
);

/// One opened snapshot.
pub(crate) struct Engine {
    loaded: Loaded,
    trust: TrustRoot,
    audience: String,
    environment: String,
    expires: u64,
    pulse: Option<u64>,
    pub(crate) mark: Mark,
    pub(crate) control: Control,
}

/// What opening told beside the engine.
pub(crate) struct Opening {
    pub(crate) issued: u64,
    pub(crate) expires: u64,
    pub(crate) signers: Vec<String>,
}

/// Why something was refused: a stable code, and below it prose where the build has room for that.
pub(crate) enum Refusal {
    Seal(SealError),
    Load(LoadError),
    Context(ContextError),
    /// One of the calling JavaScript's making.
    Call(&'static str),
}

impl Refusal {
    pub(crate) fn text(&self) -> String {
        let code = match self {
            Refusal::Seal(error) => error.code(),
            Refusal::Load(error) => error.code(),
            Refusal::Context(error) => error.code(),
            Refusal::Call(code) => code,
        };
        #[allow(unused_mut)] // only the tools add to it
        let mut text = String::from(code);
        #[cfg(feature = "tools")]
        text.push_str(&match self {
            Refusal::Seal(error) => std::format!("\n{error}"),
            Refusal::Load(error) => std::format!("\n{error}"),
            Refusal::Context(error) => std::format!("\n{error}"),
            Refusal::Call(_) => String::new(),
        });
        text
    }
}

impl Engine {
    /// Verifies `file` from `start` on, validates its payload, and keeps the bytes.
    pub(crate) fn open(
        trust: TrustRoot,
        policy: &OpenPolicy<'_>,
        file: Vec<u8>,
        start: usize,
    ) -> Result<(Engine, Opening), Refusal> {
        let opened = flagstone_seal::open(file.get(start..).unwrap_or_default(), &trust, policy);
        let opened = opened.map_err(Refusal::Seal)?;
        let (mark, expires, length) = (opened.mark, opened.statement.expires, opened.payload.len());
        let opening = Opening { issued: opened.statement.issued, expires, signers: opened.signers };
        // The payload ends the file.
        let loaded = Loaded::try_new(file, |bytes| {
            Snapshot::load(bytes.get(bytes.len() - length..).unwrap_or_default())
        });
        let loaded = loaded.map_err(Refusal::Load)?;
        let control = Control::closed(loaded.borrow_dependent());
        let (audience, environment) = (policy.audience.into(), policy.environment.into());
        Ok((Engine { loaded, trust, audience, environment, expires, pulse: None, mark, control }, opening))
    }

    pub(crate) fn snapshot(&self) -> &Snapshot<'_> {
        self.loaded.borrow_dependent()
    }

    /// Verifies a pulse and lets it replace the one before; one for another snapshot may only halt here.
    pub(crate) fn pulse(&mut self, note: &[u8], now: u64) -> Result<PulseStatement, Refusal> {
        let (audience, environment) = (self.audience.as_str(), self.environment.as_str());
        let policy = PulsePolicy { audience, environment, now, last_number: self.pulse };
        let pulse = flagstone_seal::open_pulse(note, &self.trust, &policy).map_err(Refusal::Seal)?;
        let halts = pulse.halts.iter().map(String::as_str);
        self.control = if pulse.snapshot == self.mark {
            let stages = pulse.stages.iter().map(|line| OpenStage {
                flag: &line.flag,
                stage: line.stage,
                since: line.since,
            });
            Control::new(self.snapshot(), pulse.expires.min(self.expires), stages, halts)
        } else {
            self.control.also_halting(self.snapshot(), halts)
        };
        self.pulse = Some(pulse.number);
        Ok(pulse)
    }
}
