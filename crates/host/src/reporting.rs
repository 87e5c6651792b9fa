//! Settings of what is reported: of whom, under which name, and over which wire.

use flagstone_events::{Pepper, Sampling};

use crate::limits;

/// What a host reports, of whom, and how. The default keeps everybody, takes contexts that say nothing of consent to
/// consent, and sends batches to the control plane.
#[derive(Debug, Clone)]
pub struct Reporting {
    /// Of which units events are kept.
    pub sampling: Sampling,
    /// What it takes for events of a context to be kept.
    pub consent: Consent,
    /// The pepper that follows, none when none is planned.
    pub next_pepper: Option<NextPepper>,
    /// Where events go as OTLP logs instead: `http://host:4318`, to which `/v1/logs` is added, or a whole address that ends so.
    pub otlp: Option<String>,
    /// What the receiver asks for as `Authorization: Bearer …`.
    pub report_token: Option<String>,
    /// What callers of the HTTP doors must send as `Authorization: Bearer …`; none: whoever can connect may ask.
    pub door_token: Option<String>,
    /// How long an exposure token is good, milliseconds.
    pub token_lifetime_ms: u64,
}

impl Default for Reporting {
    fn default() -> Self {
        Self {
            sampling: Sampling::default(),
            consent: Consent::Stated,
            next_pepper: None,
            otlp: None,
            report_token: None,
            door_token: None,
            token_lifetime_ms: limits::TOKEN_LIFETIME_MS,
        }
    }
}

/// What it takes for events of a context to be kept. Either way the decision is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consent {
    /// A context with a `consent` attribute is taken at its word: without `analytics` in it no event is kept. One that
    /// says nothing of consent is reported.
    #[default]
    Stated,
    /// Only what says that it consents to `analytics` is reported.
    Required,
}

impl Consent {
    /// Whether events are kept of somebody who said so (none: said nothing).
    pub(crate) fn allows(self, analytics: Option<bool>) -> bool {
        analytics.unwrap_or(self == Consent::Stated)
    }
}

/// A change of pepper: from then on every unit is a new one for the receiver, and old rows cannot be joined with new ones.
#[derive(Debug, Clone)]
pub struct NextPepper {
    /// The pepper that follows.
    pub pepper: Pepper,
    /// Not before this time, unix milliseconds: the host changes over as soon after it as no rollout is open, so that units
    /// keep their names within an attempt.
    pub not_before_ms: u64,
    /// At this time, whatever is open: an attempt that is running then counts its units again.
    pub at_latest_ms: u64,
}
