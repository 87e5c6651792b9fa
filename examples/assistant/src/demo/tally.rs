//! What the application itself saw: who was served what, and what came of it. The control plane's own counts are held
//! against these at the end.

use std::collections::{BTreeMap, HashSet};

use flagstone_host::{Evaluation, Recorded};

use crate::articles::Intent;
use crate::service::Answer;
use crate::traffic::{Style, Surface};
use crate::trial::Tally as Outcomes;

/// Parts of a whole probability.
const CERTAIN: u32 = 1_000_000_000;
/// `detail` of a decision that a halt made.
const HALT: &str = "halt";

/// One flag, as the application saw it.
#[derive(Debug, Clone, Default)]
pub struct FlagTally {
    /// People who were asked for.
    pub served: HashSet<usize>,
    /// People who were given the candidate.
    pub candidate: HashSet<usize>,
    /// First time the candidate was given to somebody drawn at random, unix milliseconds: the onset.
    pub onset_ms: Option<u64>,
    /// Last time the candidate was given.
    pub last_candidate_ms: Option<u64>,
    /// First decision that a halt made.
    pub halted_ms: Option<u64>,
    /// Outcomes by variant.
    pub by_variant: BTreeMap<String, Outcomes>,
    /// Outcomes by variant and slice.
    pub by_slice: BTreeMap<(String, String), Outcomes>,
}

/// Everything that the application counted.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Requests begun.
    pub requests: u64,
    /// Requests that the model did not answer.
    pub failed: u64,
    /// Requests left out because too many were under way.
    pub skipped: u64,
    /// Decisions without a snapshot or with an error: the caller's own default was used.
    pub defaulted: u64,
    /// Exposures handed to the host that it took.
    pub exposures: u64,
    /// Exposures that the host declared lost at once.
    pub exposures_lost: u64,
    /// Outcomes handed to the host that it took.
    pub outcomes: u64,
    /// Outcomes that the host declared lost at once.
    pub outcomes_lost: u64,
    /// Decisions made while the control plane was down, and those of them that fell back to a default.
    pub while_down: u64,
    /// Whether it is down now.
    pub down: bool,
    /// By flag.
    pub flags: BTreeMap<&'static str, FlagTally>,
    /// Latencies in microseconds, by powers of two.
    latency: [u64; 32],
}

impl Tally {
    /// Notes a decision that is about to be used. `candidate` is the name of the flag's candidate.
    pub fn decided(&mut self, surface: Surface, person: usize, evaluation: &Evaluation, candidate: &str) {
        let decision = &evaluation.decision;
        self.requests += 1;
        self.while_down += u64::from(self.down);
        self.defaulted += u64::from(decision.variant.is_none());
        let flag = self.flags.entry(surface.flag()).or_default();
        flag.served.insert(person);
        if decision.detail.as_deref() == Some(HALT) {
            flag.halted_ms.get_or_insert(evaluation.at_ms);
        }
        if decision.variant.as_deref() == Some(candidate) {
            flag.candidate.insert(person);
            flag.last_candidate_ms = Some(evaluation.at_ms);
            let probability = decision.cohort.as_ref().map_or(0, |cohort| cohort.probability);
            if (1..CERTAIN).contains(&probability) {
                flag.onset_ms.get_or_insert(evaluation.at_ms);
            }
        }
    }

    /// Notes what the host did with an exposure.
    pub fn exposed(&mut self, recorded: Recorded) {
        match recorded {
            Recorded::Queued => self.exposures += 1,
            Recorded::Dropped(_) => self.exposures_lost += 1,
            Recorded::Reduced(_) | Recorded::Nothing => {}
        }
    }

    /// Notes an answer and what the host did with its outcome.
    pub fn answered(
        &mut self,
        surface: Surface,
        variant: &str,
        slices: (&str, Intent, Style),
        answer: &Answer,
        recorded: Recorded,
    ) {
        match recorded {
            Recorded::Queued => self.outcomes += 1,
            Recorded::Dropped(_) => self.outcomes_lost += 1,
            Recorded::Reduced(_) | Recorded::Nothing => {}
        }
        let micros = u64::try_from(answer.latency.as_micros()).unwrap_or(u64::MAX).max(1);
        if let Some(count) = self.latency.get_mut(micros.ilog2().min(31) as usize) {
            *count += 1;
        }
        let flag = self.flags.entry(surface.flag()).or_default();
        let (language, intent, style) = slices;
        let names = [
            format!("language={language}"),
            format!("intent={}", intent.name()),
            format!("style={}", style.name()),
        ];
        let measured = &answer.measured;
        let add = |tally: &mut Outcomes| {
            tally.answers += 1;
            tally.unsupported += u32::from(measured.unsupported > 0);
            tally.unanswered += u32::from(!measured.found);
            tally.refused += u32::from(measured.refused);
        };
        add(flag.by_variant.entry(variant.to_owned()).or_default());
        for name in names {
            add(flag.by_slice.entry((variant.to_owned(), name)).or_default());
        }
    }

    /// The latency that a share of answers stayed under, in milliseconds, to a factor of two.
    pub fn latency_ms(&self, share: f64) -> f64 {
        let total: u64 = self.latency.iter().sum();
        let wanted = (total as f64 * share).ceil() as u64;
        let mut sum = 0;
        for (power, count) in (1_i32..).zip(self.latency) {
            sum += count;
            if sum >= wanted.max(1) {
                return 2f64.powi(power) / 1e3;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn latencies_are_read_to_a_factor_of_two() {
        let mut tally = Tally::default();
        assert_eq!(tally.latency_ms(0.5), 0.0);
        tally.latency[10] = 90; // 1.024 to 2.048 ms
        tally.latency[16] = 10; // 65 to 131 ms
        assert!((tally.latency_ms(0.5) - 2.048).abs() < 1e-9);
        assert!((tally.latency_ms(0.95) - 131.072).abs() < 1e-9);
    }
}
