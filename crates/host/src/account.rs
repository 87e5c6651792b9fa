//! The host's account of what happened: from evaluations and reports of applications to events, with everything that stands
//! between them: consent, sampling, names, tokens.

use std::sync::Arc;

use flagstone_events::token::TokenError;
use flagstone_events::{Body, Exposure, OutcomeFacts, Pepper, Stream, UnitKey, Withdrawal};

use crate::clock::HostClock;
use crate::evaluation::Evaluation;
use crate::host::OutcomeReport;
use crate::live::Live;
use crate::peppers::{Named, Peppers};
use crate::record::{Recorded, Recorder};
use crate::reporting::Reporting;
use crate::spool::reason;

/// Every stream there is; pseudonyms of a unit differ in each.
const STREAMS: [Stream; 3] = [Stream::Production, Stream::Evaluation, Stream::Training];

/// Makes events and hands them to the recorder.
pub(crate) struct Account {
    pub(crate) recorder: Recorder,
    pub(crate) peppers: Peppers,
    pub(crate) clock: Arc<HostClock>,
    pub(crate) live: Arc<Live>,
    pub(crate) stream: Stream,
    pub(crate) window_ms: u64,
    pub(crate) reporting: Reporting,
}

/// What becomes of an event before it is recorded.
enum Made {
    /// To be recorded.
    Event(Box<Body>),
    /// Not kept, on purpose: only counted, under this reason.
    Reduced(&'static str),
    /// There was nothing to record.
    Nothing,
}

impl Account {
    fn named(&self) -> &Named {
        self.peppers.in_force(self.clock.milliseconds(), || self.live.opens_a_stage())
    }

    /// A keyed fingerprint, for entity tags.
    pub(crate) fn fingerprint_of(&self, parts: &[&[u8]]) -> String {
        self.named().pepper.fingerprint_of(parts)
    }

    /// Records that a unit was given what an evaluation said.
    pub(crate) fn expose(&self, evaluation: &Evaluation) -> Recorded {
        let made = self.exposure(evaluation, &self.named().pepper);
        self.take(made)
    }

    /// The token with which a browser says later that a unit was given what an evaluation said. None when there is
    /// nothing to record, or no consent to record it, or the unit is not in the sample.
    pub(crate) fn token(&self, evaluation: &Evaluation) -> Option<String> {
        let named = self.named();
        let Ok(Made::Event(body)) = self.exposure(evaluation, &named.pepper) else { return None };
        let Body::Exposure(exposure) = *body else { return None };
        named.tokens.seal(&exposure, evaluation.at_ms.saturating_add(self.reporting.token_lifetime_ms))
    }

    /// Records the exposure in a token, as of when it was decided: redeemed again, it is the same event.
    pub(crate) fn redeem(&self, token: &str) -> Result<Recorded, TokenError> {
        let now_ms = self.clock.milliseconds();
        let mut refused = TokenError::Forged;
        for named in self.peppers.all() {
            match named.tokens.open(token, now_ms) {
                Ok(exposure) if exposure.stream != self.stream => return Err(TokenError::OtherAudience),
                Ok(exposure) => return Ok(self.recorder.record(Body::Exposure(exposure))),
                Err(TokenError::Forged) => {} // perhaps made with the other pepper
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn exposure(&self, evaluation: &Evaluation, pepper: &Pepper) -> Result<Made, String> {
        let Some((facts, unit)) = evaluation.facts(self.stream) else { return Ok(Made::Nothing) };
        if !self.reporting.consent.allows(evaluation.analytics) {
            return Ok(Made::Reduced(reason::NO_CONSENT));
        }
        let exposure = facts.of_unit(pepper, unit, self.window_ms).map_err(|error| error.to_string())?;
        Ok(self.sampled(Body::Exposure(exposure)))
    }

    /// The event with the probability of being kept in it, or nothing but a count.
    fn sampled(&self, mut body: Body) -> Made {
        let sampling = self.reporting.sampling;
        if !sampling.keeps(self.stream, body.unit()) {
            return Made::Reduced(reason::SAMPLED_OUT);
        }
        match &mut body {
            Body::Exposure(Exposure { inclusion, .. }) => *inclusion = sampling.inclusion,
            Body::Outcome(outcome) => outcome.inclusion = sampling.inclusion,
            Body::Withdrawal(_) => {}
        }
        Made::Event(Box::new(body))
    }

    /// Records an outcome of a unit, named by its targeting key.
    pub(crate) fn outcome(&self, unit: &str, report: OutcomeReport) -> Recorded {
        let made = self.outcome_event(unit, report);
        self.take(made)
    }

    fn outcome_event(&self, unit: &str, report: OutcomeReport) -> Result<Made, String> {
        if let Some(other) = report.stream.filter(|stream| *stream != self.stream) {
            let (other, own) = (other.as_str(), self.stream.as_str());
            return Err(format!("an outcome of stream `{other}` at a host of stream `{own}`"));
        }
        if !self.reporting.consent.allows(report.analytics) {
            return Ok(Made::Reduced(reason::NO_CONSENT));
        }
        let key = UnitKey::new(unit).map_err(|error| error.to_string())?;
        let measures = report.measures.into_iter().map(|(name, value)| {
            let micros = flagstone_events::micros(value);
            micros
                .map(|micros| (name.clone(), micros))
                .ok_or_else(|| format!("measure `{name}` is out of range"))
        });
        let facts = OutcomeFacts {
            stream: self.stream,
            name: report.name,
            request: report.request,
            measures: measures.collect::<Result<_, _>>()?,
            booleans: report.booleans,
            slices: report.slices,
            at_ms: report.at_ms.unwrap_or_else(|| self.clock.milliseconds()),
        };
        let outcome = facts.of_unit(&self.named().pepper, &key).map_err(|error| error.to_string())?;
        Ok(self.sampled(Body::Outcome(outcome)))
    }

    /// Records that a unit takes its consent back: one withdrawal for each stream and each pepper held. What became of the
    /// worst of them.
    pub(crate) fn withdraw(&self, unit: &str) -> Recorded {
        let at_ms = self.clock.milliseconds();
        let Ok(key) = UnitKey::new(unit) else { return self.recorder.invalid() };
        let mut worst = Recorded::Queued;
        for named in self.peppers.all() {
            for stream in STREAMS {
                let made = Withdrawal::of_unit(&named.pepper, stream, &key, at_ms);
                let made = made.map(|one| Made::Event(Box::new(Body::Withdrawal(one))));
                let recorded = self.take(made.map_err(|error| error.to_string()));
                if recorded != Recorded::Queued {
                    worst = recorded;
                }
            }
        }
        worst
    }

    fn take(&self, made: Result<Made, String>) -> Recorded {
        match made {
            Ok(Made::Event(body)) => self.recorder.record(*body),
            Ok(Made::Reduced(reason)) => self.recorder.reduce(reason),
            Ok(Made::Nothing) => Recorded::Nothing,
            Err(problem) => {
                tracing::warn!(%problem, "an event cannot be recorded");
                self.recorder.invalid()
            }
        }
    }
}
