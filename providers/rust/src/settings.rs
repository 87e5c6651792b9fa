//! Who reads, and what it remembers of its last life.

use flagstone_seal::Mark;

/// Who reads, where, and what it remembers.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) audience: String,
    pub(crate) environment: String,
    pub(crate) pulses: bool,
    pub(crate) memory: Memory,
}

/// What must outlive the process so that nothing older is ever accepted again. Whoever keeps it writes it down after a success of
/// [`Flags::offer`](crate::Flags::offer), [`pulse`](crate::Flags::pulse) and [`advance`](crate::Flags::advance), and gives it to
/// [`Settings::remembering`] at the next start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Identity of the newest snapshot accepted.
    pub mark: Option<Mark>,
    /// Number of the newest pulse accepted.
    pub pulse_number: Option<u64>,
    /// When the newest statement accepted was issued, unix seconds: time never runs behind it.
    pub latest_issued: u64,
    /// The trust notes accepted since the pinned one: version and bytes, in order.
    pub trust: Vec<(u64, Vec<u8>)>,
}

impl Settings {
    /// A reader of files that are sealed for `audience` and `environment`; both are compared byte for byte.
    #[must_use]
    pub fn new(audience: impl Into<String>, environment: impl Into<String>) -> Self {
        let (audience, environment) = (audience.into(), environment.into());
        Self { audience, environment, pulses: true, memory: Memory::default() }
    }

    /// No pulses will come: a valid snapshot alone then counts as `fresh`. Plans stay closed either way.
    #[must_use]
    pub fn without_pulses(self) -> Self {
        Self { pulses: false, ..self }
    }

    /// With what an earlier process accepted.
    #[must_use]
    pub fn remembering(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }
}
