//! The control plane's status, as far as the operator and the summary read it (`docs/govern.md` has all of it).

use serde::{Deserialize, Serialize};

/// The status.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The rollouts.
    pub flags: Vec<FlagStatus>,
    /// Counts over all reporters.
    pub delivery: Delivery,
    /// The reporters.
    pub instances: Vec<Instance>,
    /// Snapshots that were posted and cannot be adopted.
    pub waiting: Vec<serde_json::Value>,
}

/// One rollout.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlagStatus {
    /// The flag's key.
    pub flag: String,
    /// The candidate's name.
    pub candidate: String,
    /// `closed`, `open`, `held`, `awaiting-approval`, `halted` or `complete`.
    pub phase: String,
    /// Position of the open stage.
    pub stage: Option<usize>,
    /// Since when it is open, unix milliseconds.
    pub since: u64,
    /// Position of the highest approved stage.
    pub ceiling: Option<usize>,
    /// The verdict in a sentence.
    pub sentence: String,
    /// What happens next.
    pub next: String,
    /// The judge's rule that the phase came from.
    pub settled: Settled,
    /// The ladder.
    pub stages: Vec<StageStatus>,
    /// Units by arm.
    pub units: Units,
    /// The metrics.
    pub guardrails: Vec<Guardrail>,
}

/// Why a rollout is where it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Settled {
    /// The judge's rule.
    pub rule: Option<String>,
    /// Its reasons.
    pub reasons: Vec<String>,
}

/// One stage.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct StageStatus {
    /// Its name.
    pub name: String,
    /// Roles that approve it.
    pub approve: Vec<String>,
    /// When it was first opened, unix milliseconds.
    pub opened: Option<u64>,
}

/// Units that the control plane knows.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Units {
    /// Given the candidate at any time.
    pub treatment: u64,
    /// Controls that were never given it.
    pub control: u64,
    /// Seen in both arms.
    pub both: u64,
}

/// One metric of a rollout.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Guardrail {
    /// Its name.
    pub metric: String,
    /// What it does.
    pub role: String,
    /// What the evidence says.
    pub verdict: String,
    /// ln E for harm.
    pub log_e: f64,
    /// Above this it is taken back.
    pub log_threshold: f64,
    /// ln E for "not worse by more than the margin".
    pub log_e_non_inferior: Option<f64>,
    /// Above this the stage may be left.
    pub log_threshold_promote: f64,
    /// Point estimate of the rate ratio.
    pub rate_ratio: Option<f64>,
    /// Bad treated units.
    pub treated_bad: u64,
    /// Measured treated units.
    pub treated_units: u64,
    /// Bad control units.
    pub control_bad: u64,
    /// Measured control units.
    pub control_units: u64,
    /// Set once a threshold was crossed: `logE` at that moment, and `at`, unix seconds.
    pub latched: Option<Latched>,
}

/// A threshold that was crossed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Latched {
    /// ln E when it crossed.
    pub log_e: f64,
    /// Unix seconds.
    pub at: u64,
}

/// Counts of what was received.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delivery {
    /// Exposures in the store.
    pub exposures: u64,
    /// Outcomes in the store.
    pub outcomes: u64,
    /// Events that came twice.
    pub duplicate_events: u64,
    /// Batches that were refused.
    pub refused_batches: u64,
}

/// One reporter.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Instance {
    /// Its name.
    pub instance: String,
    /// Events received of it.
    pub received: u64,
    /// Sequence numbers that never came.
    pub missing: u64,
}

impl Status {
    /// The rollout of a flag.
    pub fn flag(&self, key: &str) -> Option<&FlagStatus> {
        self.flags.iter().find(|flag| flag.flag == key)
    }
}

impl FlagStatus {
    /// Name of the open stage.
    pub fn stage_name(&self) -> &str {
        self.stage.and_then(|at| self.stages.get(at)).map_or("-", |stage| stage.name.as_str())
    }

    /// Names of the stages that were opened, lowest first.
    pub fn opened(&self) -> Vec<&str> {
        self.stages.iter().filter(|stage| stage.opened.is_some()).map(|stage| stage.name.as_str()).collect()
    }

    /// The stage up to which the people who must approve the next stage can approve: the next one, and those above it
    /// that ask nobody. `None` at the last stage.
    pub fn next_ceiling(&self) -> Option<&str> {
        let next = self.stage? + 1;
        let above = self.stages.iter().skip(next + 1).take_while(|stage| stage.approve.is_empty()).count();
        self.stages.get(next + above).map(|stage| stage.name.as_str())
    }

    /// No guardrail shows harm.
    pub fn is_green(&self) -> bool {
        !self
            .guardrails
            .iter()
            .any(|guardrail| guardrail.latched.is_some() || guardrail.verdict == "regressed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_ceiling_stops_before_the_next_approval() {
        let stage = |name: &str, approve: &[&str]| StageStatus {
            name: name.to_owned(),
            approve: approve.iter().map(|role| (*role).to_owned()).collect(),
            opened: None,
        };
        let stages = vec![
            stage("5%", &[]),
            stage("25%", &["safety"]),
            stage("50%", &[]),
            stage("everyone", &["owner"]),
        ];
        let at = |stage| FlagStatus { stage, stages: stages.clone(), ..FlagStatus::default() };
        assert_eq!(at(Some(0)).next_ceiling(), Some("50%"));
        assert_eq!(at(Some(2)).next_ceiling(), Some("everyone"));
        assert_eq!(at(Some(3)).next_ceiling(), None);
        assert_eq!(at(None).next_ceiling(), None);
    }
}
