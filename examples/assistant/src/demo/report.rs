//! The summary: what came of each candidate, whether every exposure is accounted for, and whether that is a pass.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use flagstone_host::EventStatus;
use serde::Serialize;

use super::tally::Tally;
use super::view::{FlagStatus, Guardrail, Status};
use crate::traffic::Surface;
use crate::trial::Tally as Outcomes;

/// The candidate that must reach everyone.
pub const BETTER: Surface = Surface::Chat;
/// The candidate that must be taken back.
pub const WORSE: Surface = Surface::Email;
/// Before more than this share of the people who came had it.
pub const LARGEST_SHARE: f64 = 0.25;

/// The whole summary: the last line of `--json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Everything that had to hold did.
    pub passed: bool,
    /// What had to hold, and whether it did.
    pub checks: BTreeMap<&'static str, bool>,
    /// The seed of people, questions and model.
    pub seed: u64,
    /// How long the traffic ran.
    pub seconds: f64,
    /// The two candidates.
    pub candidates: Vec<Candidate>,
    /// What was signed and published.
    pub snapshots: Vec<Published>,
    /// The sum of the exposures.
    pub exposures: Exposures,
    /// The sum of all events.
    pub events: Events,
    /// Requests.
    pub requests: Requests,
    /// What was done to the control plane; none when it was left alone.
    pub interruption: Option<Interruption>,
    /// The ledger, checked after the control plane had ended.
    pub ledger: Ledger,
}

/// What came of a candidate.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The flag.
    pub flag: String,
    /// The candidate.
    pub candidate: String,
    /// `promoted`, `halted`, or the phase in which it was at the end.
    pub verdict: String,
    /// The stages that were opened, lowest first.
    pub stages: Vec<String>,
    /// People asked for, and those of them who were given the candidate.
    pub units: u64,
    /// People given the candidate at any time.
    pub units_exposed: u64,
    /// Their share.
    pub share_exposed: f64,
    /// Units given the candidate as the control plane counts them.
    pub units_exposed_in_store: u64,
    /// The metrics.
    pub evidence: Vec<Guardrail>,
    /// The judge's reasons for the phase it is in.
    pub reasons: Vec<String>,
    /// From the first random exposure until the control plane decided to halt, seconds.
    pub seconds_from_onset_to_halt: Option<f64>,
    /// From the first random exposure until the application first got the baseline because of the halt, seconds.
    pub seconds_from_onset_to_applied: Option<f64>,
    /// Outcomes as the application measured them, by variant.
    pub measured: BTreeMap<String, Outcomes>,
    /// Outcomes by `variant language=xx`.
    pub measured_by_language: BTreeMap<String, Outcomes>,
}

/// A published snapshot.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// Its sequence number.
    pub sequence: u64,
    /// SHA-256 of its statement.
    pub digest: String,
    /// What changed.
    pub reason: String,
}

/// Exposures: `given = repeated + made`, `made = delivered + lost`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exposures {
    /// Times the application gave somebody a variant.
    pub given: u64,
    /// Of these, those the same unit, snapshot and stage had already seen: sent once only.
    pub repeated: u64,
    /// Exposure events.
    pub made: u64,
    /// Found in the control plane's store.
    pub delivered: u64,
    /// Declared lost.
    pub lost: u64,
}

/// All events: `made = repeated + delivered + lost + pending`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// Exposures and outcomes handed to the host.
    pub made: u64,
    /// Exposures seen before.
    pub repeated: u64,
    /// Different events in the control plane's store.
    pub stored: u64,
    /// Still in the spool.
    pub pending: u64,
    /// Declared lost, by reason.
    pub lost: BTreeMap<String, u64>,
    /// Sent twice and recognised.
    pub duplicates: u64,
}

/// Requests that the application served.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// Requests begun.
    pub served: u64,
    /// Not answered by the model.
    pub failed: u64,
    /// Left out because too many were under way.
    pub skipped: u64,
    /// Served with the application's own default.
    pub defaulted: u64,
    /// Half of the answers came within, milliseconds (a power of two).
    pub latency_p50_ms: f64,
    /// 95 of 100 answers came within, milliseconds (a power of two).
    pub latency_p95_ms: f64,
}

/// A killed control plane.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interruption {
    /// Seconds after the start.
    pub killed_at: f64,
    /// Seconds until it answered again.
    pub down: f64,
    /// Decisions served meanwhile.
    pub decisions_meanwhile: u64,
    /// Events that waited in the spool when it came back.
    pub waiting: u64,
}

/// What an audit of the store found.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Entries of the hash chain.
    pub entries: u64,
    /// Decisions replayed to the same judgement.
    pub decisions: u64,
    /// What was wrong.
    pub fault: Option<String>,
}

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

impl Summary {
    /// The summary for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for candidate in &self.candidates {
            let _ = writeln!(out, "\n{} / {}: {}", candidate.flag, candidate.candidate, candidate.verdict);
            let _ = writeln!(out, "  stages opened      {}", candidate.stages.join(", "));
            let _ = writeln!(
                out,
                "  units exposed      {} of {} ({:.1} %)",
                candidate.units_exposed,
                candidate.units,
                100.0 * candidate.share_exposed
            );
            if let (Some(halt), Some(applied)) =
                (candidate.seconds_from_onset_to_halt, candidate.seconds_from_onset_to_applied)
            {
                let _ = writeln!(
                    out,
                    "  onset to halt      {halt:.1} s decided, {applied:.1} s in force at the edge"
                );
            }
            for metric in &candidate.evidence {
                let shown = metric.log_e_non_inferior.map_or(String::new(), |shown| {
                    format!(", not worse {shown:.1} of {:.1}", metric.log_threshold_promote)
                });
                let harm =
                    metric.latched.as_ref().map_or(metric.log_e, |latched| latched.log_e.max(metric.log_e));
                let _ = writeln!(
                    out,
                    "  {:<18} {}: bad {} of {} treated, {} of {} control; harm {harm:.1} of {:.1}{shown}",
                    metric.metric,
                    metric.verdict,
                    metric.treated_bad,
                    metric.treated_units,
                    metric.control_bad,
                    metric.control_units,
                    metric.log_threshold,
                );
            }
            for (slice, outcomes) in &candidate.measured_by_language {
                let _ = writeln!(
                    out,
                    "  {slice:<26} {:>6} answers, {:>5.1} % unanswered, {:>4.1} % unsupported, {:>4.1} % refused",
                    outcomes.answers,
                    outcomes.percent(outcomes.unanswered),
                    outcomes.percent(outcomes.unsupported),
                    outcomes.percent(outcomes.refused),
                );
            }
        }
        let _ = writeln!(out, "\nsnapshots published");
        for snapshot in &self.snapshots {
            let digest: String = snapshot.digest.chars().take(12).collect();
            let _ = writeln!(out, "  {} {digest} {}", snapshot.sequence, snapshot.reason);
        }
        let e = &self.exposures;
        let _ = writeln!(
            out,
            "\nexposures: {} made ({} more were repetitions), {} in the control plane's store, {} lost",
            e.made, e.repeated, e.delivered, e.lost
        );
        let e = &self.events;
        let _ = writeln!(
            out,
            "events:    {} made = {} repeated + {} stored + {} lost + {} pending ({} came twice and were recognised)",
            e.made,
            e.repeated,
            e.stored,
            e.lost.values().sum::<u64>(),
            e.pending,
            e.duplicates
        );
        let r = &self.requests;
        let _ = writeln!(
            out,
            "requests:  {} served in {:.0} s, {} failed, {} skipped, half within {:.0} ms, 95 % within {:.0} ms",
            r.served, self.seconds, r.failed, r.skipped, r.latency_p50_ms, r.latency_p95_ms
        );
        if let Some(cut) = &self.interruption {
            let _ = writeln!(
                out,
                "control plane: killed after {:.0} s, down for {:.1} s; {} decisions served meanwhile, {} events waited",
                cut.killed_at, cut.down, cut.decisions_meanwhile, cut.waiting
            );
        }
        let _ = match &self.ledger.fault {
            None => writeln!(
                out,
                "ledger:    {} entries verified, {} decisions replayed",
                self.ledger.entries, self.ledger.decisions
            ),
            Some(fault) => writeln!(out, "ledger:    {fault}"),
        };
        for (check, held) in &self.checks {
            let _ = writeln!(out, "{} {check}", if *held { "ok    " } else { "FAILED" });
        }
        out
    }
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
