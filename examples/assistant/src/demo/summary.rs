//! The summary's form: what `--json` ends with (`docs/demo.md`) and what people read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::view::Guardrail;
use crate::trial::Tally as Outcomes;

/// The whole summary: the last line of `--json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// It was to end by itself; otherwise a person ended it, and what was not reached yet is no failure.
    #[serde(skip)]
    pub headless: bool,
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

impl Summary {
    /// Whether nothing went wrong: everything held, or a person ended it early and at least the sums are right.
    pub fn is_good(&self) -> bool {
        let sums = ["exposuresAccountedFor", "eventsAccountedFor", "ledgerVerified"];
        let right = |check: &&str| self.checks.get(*check).is_some_and(|held| *held);
        self.passed || (!self.headless && sums.iter().all(right))
    }

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
            let word = match (held, self.headless) {
                (true, _) => "ok     ",
                (false, true) => "FAILED ",
                (false, false) => "not yet",
            };
            let _ = writeln!(out, "{word} {check}");
        }
        out
    }
}
