//! The summary: what came of each candidate, whether every exposure is accounted for, and whether that is a pass.

use std::collections::BTreeMap;

use super::summary::{Candidate, Events, Exposures, Interruption, Ledger, Requests};
use super::tally::Tally;
use super::view::{FlagStatus, Status};
use crate::traffic::Surface;
use flagstone_host::EventStatus;

/// The candidate that must reach everyone.
pub const BETTER: Surface = Surface::Chat;
/// The candidate that must be taken back.
pub const WORSE: Surface = Surface::Email;
/// Before more than this share of the people who came had it.
pub const LARGEST_SHARE: f64 = 0.25;

/// What came of one candidate.
pub fn candidate(status: &FlagStatus, tally: &Tally) -> Candidate {
    let seen = tally.flags.get(status.flag.as_str()).cloned().unwrap_or_default();
    let (units, exposed) = (seen.served.len() as u64, seen.candidate.len() as u64);
    let verdict = match status.phase.as_str() {
        "complete" => "promoted",
        other => other,
    };
    let since = |end: Option<u64>| Some((end?.checked_sub(seen.onset_ms?)?) as f64 / 1e3);
    let halted = (status.phase == "halted").then_some(status.since);
    let by_language = seen.by_slice.iter().filter(|((_, slice), _)| slice.starts_with("language="));
    Candidate {
        flag: status.flag.clone(),
        candidate: status.candidate.clone(),
        verdict: verdict.to_owned(),
        stages: status.opened().into_iter().map(str::to_owned).collect(),
        units,
        units_exposed: exposed,
        share_exposed: if units == 0 { 0.0 } else { exposed as f64 / units as f64 },
        units_exposed_in_store: status.units.treatment,
        evidence: status.guardrails.clone(),
        reasons: status.settled.reasons.clone(),
        seconds_from_onset_to_halt: since(halted),
        seconds_from_onset_to_applied: since(seen.halted_ms),
        measured: seen.by_variant.clone(),
        measured_by_language: by_language
            .map(|((variant, slice), outcomes)| (format!("{variant} {slice}"), *outcomes))
            .collect(),
    }
}

/// The sums of exposures and events, from what the application counted, the host says and the store holds.
pub fn sums(tally: &Tally, host: &EventStatus, status: &Status) -> (Exposures, Events) {
    let lost: u64 = host.dropped.values().sum();
    let made = (tally.exposures + tally.exposures_lost).saturating_sub(host.repeated);
    let delivered = status.delivery.exposures;
    let exposures = Exposures {
        given: tally.exposures + tally.exposures_lost,
        repeated: host.repeated,
        made,
        delivered,
        // The host declares losses for all events together: an exposure that is not there must be among them.
        lost: made.saturating_sub(delivered).min(lost),
    };
    let events = Events {
        made: host.made,
        repeated: host.repeated,
        stored: status.delivery.exposures + status.delivery.outcomes,
        pending: host.pending,
        lost: host.dropped.clone(),
        duplicates: status.delivery.duplicate_events,
    };
    (exposures, events)
}

/// What had to hold.
pub fn checks(
    candidates: &[Candidate],
    exposures: &Exposures,
    events: &Events,
    ledger: &Ledger,
    interruption: Option<&Interruption>,
    requests: &Requests,
) -> BTreeMap<&'static str, bool> {
    let of = |surface: Surface| candidates.iter().find(|candidate| candidate.flag == surface.flag());
    let lost: u64 = events.lost.values().sum();
    let mut checks = BTreeMap::from([
        (
            "betterCandidatePromoted",
            of(BETTER).is_some_and(|better| {
                better.verdict == "promoted" && better.stages.last().is_some_and(|stage| stage == "everyone")
            }),
        ),
        (
            "worseCandidateHalted",
            of(WORSE).is_some_and(|worse| {
                worse.verdict == "halted" && worse.units_exposed > 0 && worse.share_exposed <= LARGEST_SHARE
            }),
        ),
        (
            "exposuresAccountedFor",
            exposures.made > 0 && exposures.made == exposures.delivered + exposures.lost,
        ),
        ("eventsAccountedFor", events.pending == 0 && events.made == events.repeated + events.stored + lost),
        ("ledgerVerified", ledger.fault.is_none() && ledger.entries > 0),
    ]);
    if let Some(cut) = interruption {
        checks.insert("servedWhileControlPlaneDown", cut.decisions_meanwhile > 0 && requests.defaulted == 0);
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(surface: Surface, verdict: &str, stages: &[&str], share: f64) -> Candidate {
        Candidate {
            flag: surface.flag().to_owned(),
            candidate: "new".to_owned(),
            verdict: verdict.to_owned(),
            stages: stages.iter().map(|stage| (*stage).to_owned()).collect(),
            units: 1_000,
            units_exposed: (1_000.0 * share) as u64,
            share_exposed: share,
            units_exposed_in_store: 0,
            evidence: Vec::new(),
            reasons: Vec::new(),
            seconds_from_onset_to_halt: None,
            seconds_from_onset_to_applied: None,
            measured: BTreeMap::new(),
            measured_by_language: BTreeMap::new(),
        }
    }

    fn judged(
        better: Candidate,
        worse: Candidate,
        delivered: u64,
        lost: u64,
    ) -> BTreeMap<&'static str, bool> {
        let exposures = Exposures { given: 12, repeated: 2, made: 10, delivered, lost };
        let dropped = BTreeMap::from([("queue-full".to_owned(), lost)]);
        let events = Events {
            made: 22,
            repeated: 2,
            stored: delivered + 10,
            pending: 0,
            lost: dropped,
            duplicates: 0,
        };
        let requests = Requests {
            served: 12,
            failed: 0,
            skipped: 0,
            defaulted: 0,
            latency_p50_ms: 1.0,
            latency_p95_ms: 2.0,
        };
        let ledger = Ledger { entries: 3, decisions: 1, fault: None };
        checks(&[better, worse], &exposures, &events, &ledger, None, &requests)
    }

    const LADDER: [&str; 3] = ["staff", "50%", "everyone"];

    #[test]
    fn it_passes_only_when_everything_holds() {
        let better = || candidate(Surface::Chat, "promoted", &LADDER, 0.6);
        let worse = || candidate(Surface::Email, "halted", &["staff", "1%"], 0.01);
        let all = |checks: BTreeMap<_, bool>| checks.values().all(|held| *held);
        assert!(all(judged(better(), worse(), 10, 0)));
        assert!(all(judged(better(), worse(), 9, 1)), "a declared loss is accounted for");
        assert!(!judged(better(), worse(), 9, 0)["exposuresAccountedFor"]);
        assert!(!judged(better(), worse(), 9, 0)["eventsAccountedFor"]);
        let stuck = candidate(Surface::Chat, "held", &["staff", "50%"], 0.5);
        assert!(!judged(stuck, worse(), 10, 0)["betterCandidatePromoted"]);
        let late = candidate(Surface::Email, "halted", &["staff", "1%", "5%", "25%", "50%"], 0.3);
        assert!(!judged(better(), late, 10, 0)["worseCandidateHalted"]);
        let never = candidate(Surface::Email, "open", &["staff", "1%"], 0.01);
        assert!(!judged(better(), never, 10, 0)["worseCandidateHalted"]);
    }
}
