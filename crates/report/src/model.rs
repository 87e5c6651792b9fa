//! The report as data: its members are described in docs/cli.md.

use serde::{Deserialize, Serialize};

/// Everything about one rollout at one moment. Times are unix seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`VERSION`](crate::VERSION).
    pub report: u32,
    /// The flag's key.
    pub flag: String,
    /// The variant in use until now.
    pub baseline: Option<String>,
    /// The variant that is rolled out.
    pub candidate: Option<String>,
    /// Counted from 1.
    pub attempt: u32,
    /// The moment that is reported on.
    pub at: u64,
    /// The control plane's phase.
    pub phase: Option<String>,
    /// The open stage.
    pub stage: Option<Stage>,
    /// Whether somebody is needed.
    pub standing: Standing,
    /// What the judge says: `wait`, `hold`, `await-approval`, `advance`, `complete`, `roll-back`.
    pub action: String,
    /// The judge's rule, e.g. `6-insufficient`.
    pub rule: String,
    /// The verdict.
    pub sentence: String,
    /// The next thing that happens by itself.
    pub next: String,
    /// Why, in the judge's words.
    pub reasons: Vec<String>,
    /// The gate's checklist.
    pub requirements: Vec<Line>,
    /// One entry for each guardrail, in the plan's order.
    pub metrics: Vec<Metric>,
    /// One entry for each slice rule.
    pub slices: Vec<Slices>,
    /// One entry for each slice rule with the role `fairness`.
    pub fairness: Vec<Fair>,
    /// Whether what comes in has changed.
    pub drift: Drift,
    /// Whether units are split as promised.
    pub sample_ratio: SampleRatio,
    /// Where the error budget goes.
    pub alpha: AlphaLedger,
    /// How the evidence grew, oldest first.
    pub path: Vec<Point>,
    /// Nothing of fewer units is shown.
    pub k: u64,
}

/// Whether somebody is needed: the command's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Nothing is asked of anybody.
    Fine,
    /// It stands still until somebody acts, or until what is missing comes.
    Person,
    /// Taken back, or about to be.
    TakenBack,
}

/// The open stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its position.
    pub index: u8,
    /// Its name.
    pub name: String,
    /// How many stages there are.
    pub of: usize,
    /// When it was opened.
    pub opened: u64,
    /// Seconds that it is open at least.
    pub bake: u64,
}

/// One line of the gate's checklist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What must be so.
    pub text: String,
    /// Whether it is.
    pub met: bool,
    /// What there is.
    pub have: String,
    /// What is needed.
    pub need: String,
}

impl From<&flagstone_judge::Requirement> for Line {
    fn from(line: &flagstone_judge::Requirement) -> Self {
        let flagstone_judge::Requirement { text, met, have, need } = line.clone();
        Self { text, met, have, need }
    }
}

/// Evidence beside its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gauge {
    /// ln E.
    pub log_e: f64,
    /// What it must exceed.
    pub log_threshold: f64,
    /// E as a multiple of its threshold: above 1 acts. At most 1e300.
    pub times: f64,
}

impl Gauge {
    pub(crate) fn new(log_e: f64, log_threshold: f64) -> Self {
        let times = libm::exp((log_e - log_threshold).clamp(-690.0, 690.0));
        Self { log_e, log_threshold, times }
    }

    /// Whether it acts.
    #[must_use]
    pub fn clears(&self) -> bool {
        flagstone_judge::alpha::clears(self.log_e, self.log_threshold)
    }
}

/// One metric under one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Its name.
    pub metric: String,
    /// `tripwire`, `deterioration`, `guardrail` …
    pub role: String,
    /// `rate`, `mean`, `ratio`, `score`, `quantile`.
    pub kind: String,
    /// The judge's verdict, e.g. `inconclusive`.
    pub verdict: String,
    /// `lower` or `higher`.
    pub better: String,
    /// What the candidate does to it; none while nothing can be said.
    pub effect: Option<Effect>,
    /// The treatment arm.
    pub treatment: Measured,
    /// The control arm; none for scores.
    pub control: Option<Measured>,
    /// Evidence of harm.
    pub harm: Gauge,
    /// Evidence for "not worse than the margin"; none without a margin.
    pub not_worse: Option<Gauge>,
    /// Evidence for "better".
    pub better_shown: Gauge,
    /// Evidence that it is measured in one arm more readily than in the other.
    pub measured: Gauge,
    /// When its threshold was crossed for the first time.
    pub crossed: Option<u64>,
    /// Why there is no estimate yet.
    pub not_enough: Option<String>,
    /// What cannot be seen yet.
    pub sight: Sight,
}

/// An effect with an interval that holds at every look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// What is measured.
    pub scale: Scale,
    /// The estimate.
    pub estimate: f64,
    /// Lower end; none: no bound yet.
    pub lower: Option<f64>,
    /// Upper end; none: no bound yet.
    pub upper: Option<f64>,
    /// The interval's level, e.g. 0.05.
    pub level: f64,
    /// Where there is no difference: 1 for ratios, 0 for differences, the bar for scores.
    pub none: f64,
    /// The margin that promotion asks to keep clear of.
    pub margin: Option<f64>,
}

/// What an effect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Rate of bad units, treatment over control.
    RateRatio,
    /// Treatment less control, in the metric's own unit.
    Difference,
    /// The treatment's own mean.
    Mean,
}

/// One arm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Units measured, all cohorts.
    pub units: u64,
    /// Bad units; none for kinds that do not count them.
    pub bad: Option<u64>,
    /// Share of bad units, mean, ratio or quantile.
    pub value: Option<f64>,
}

/// The smallest harm that would have been found by now with chance [`POWER`](crate::POWER).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sight {
    /// As a rate ratio.
    pub ratio: Option<f64>,
    /// As a difference in the metric's own unit.
    pub difference: Option<f64>,
    /// In words.
    pub words: String,
}

/// Parts of the population, under one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slices {
    /// The metric.
    pub metric: String,
    /// The dimension.
    pub by: String,
    /// `deterioration`, `fairness`, `observe`.
    pub role: String,
    /// Level of each slice's interval, such that all of them hold together.
    pub level: f64,
    /// The slices that may be named.
    pub cells: Vec<Cell>,
    /// Slices too small even to be named.
    pub unnamed: u64,
}

/// One slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// Its value.
    pub value: String,
    /// `harmed`, `suspect`, `nothing-shown`, `unable-to-assess`.
    pub verdict: String,
    /// Its numbers; none where it is too small.
    pub numbers: Option<Numbers>,
}

/// A slice's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Numbers {
    /// Treated units, rounded down to a whole multiple of k.
    pub treated: u64,
    /// Control units, likewise.
    pub control: u64,
    /// Evidence of harm.
    pub harm: Gauge,
    /// Rate ratio; none without a bad control unit.
    pub ratio: Option<f64>,
    /// Lower end of its interval.
    pub lower: f64,
    /// Upper end; none: no bound yet.
    pub upper: Option<f64>,
}

/// Who lost ground?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fair {
    /// The metric.
    pub metric: String,
    /// The dimension.
    pub by: String,
    /// `pass`, `fail`, `inconclusive`, `unable-to-assess`.
    pub verdict: String,
    /// Worst group's share without a bad event over the best group's, in the treatment arm.
    pub treatment: Option<f64>,
    /// The same in the control arm.
    pub control: Option<f64>,
    /// Each group's change against all others.
    pub changes: Vec<Change>,
    /// Groups too small even to be named.
    pub unnamed: u64,
}

/// One group's change: 1 is none, below 1 it lost ground.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The group.
    pub group: String,
    /// As of [`Fair::verdict`].
    pub verdict: String,
    /// The change.
    pub ratio: Option<f64>,
    /// Lower end of its interval.
    pub lower: Option<f64>,
    /// Upper end.
    pub upper: Option<f64>,
}

/// Whether what comes in has changed. Signals for one look: they steer nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// Rates of the candidate that the plan holds against a fixed one, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<DriftRate>,
    /// One entry for each dimension that exposures are counted by.
    pub inputs: Vec<Mix>,
    /// What could not be looked at, and why.
    pub notes: Vec<String>,
}

/// One rate of the treated units, batch after batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftRate {
    /// The metric.
    pub metric: String,
    /// The share of bad units that is accepted.
    pub baseline: f64,
    /// Batches that are over.
    pub batches: u64,
    /// Treated units in them that were measured.
    pub units: u64,
    /// Bad ones.
    pub bad: u64,
    /// ln of the evidence that the rate has risen; none before the first unit.
    pub log_evidence: Option<f64>,
    /// ln of the patience: an alarm above it.
    pub log_threshold: f64,
    /// Whether it is above it.
    pub alarmed: bool,
    /// Whether an alarm holds the rollout.
    pub holds: bool,
}

/// The mix of one dimension: units until a moment against units since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mix {
    /// The dimension.
    pub by: String,
    /// The moment.
    pub split: u64,
    /// Units until then and since, rounded down to whole multiples of k.
    pub units: [u64; 2],
    /// Bins, small values together.
    pub bins: usize,
    /// Population stability index.
    pub psi: f64,
    /// Chance of one as large without a change.
    pub p: f64,
    /// PSI above 0.1 and p below 0.001.
    pub alarm: bool,
    /// Tabular CUSUM of each value's share, look by look; none with too few looks.
    pub chart: Option<Chart>,
}

/// The control chart that went furthest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chart {
    /// The value whose share it follows.
    pub value: String,
    /// The larger of both sums, as a multiple of the decision interval: above 1 fires.
    pub times: f64,
    /// When the change began, when it fires.
    pub since: Option<u64>,
}

/// Whether units are split as promised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleRatio {
    /// Evidence that they are not.
    pub evidence: Gauge,
    /// Units seen in both arms, left out of all evidence.
    pub both: u64,
    /// Units as drawn.
    pub cohorts: Vec<Drawn>,
    /// Where a mismatch comes from, most evidence first.
    pub slices: Vec<Part>,
    /// Slices too small even to be named, and how many of them are suspect.
    pub unnamed: [u64; 2],
}

/// Units of one cohort.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drawn {
    /// The stage that enrolled them.
    pub cohort: String,
    /// Probability of treatment; 0: no evidence.
    pub probability: f64,
    /// Treated units.
    pub treated: u64,
    /// Control units.
    pub control: u64,
    /// Treated units to expect; none where nobody was drawn.
    pub expected: Option<f64>,
}

/// One slice's part in the sample ratio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// The slice, e.g. `sdk=js`.
    pub slice: String,
    /// Treated and control units, rounded down to whole multiples of k.
    pub units: [u64; 2],
    /// Evidence, against the alarm of one in a thousand.
    pub evidence: Gauge,
    /// Picked among all slices: look here.
    pub suspect: bool,
}

/// The error budget over metrics, stages and attempts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlphaLedger {
    /// Chance of a false rollback over all attempts.
    pub rollout: f64,
    /// Level of each promotion test.
    pub promotion: f64,
    /// This attempt and those before it.
    pub attempts: Vec<Budget>,
    /// What is left for later attempts.
    pub later: f64,
    /// What may take this attempt back.
    pub lines: Vec<Share>,
    /// Part of this attempt's budget that no line has.
    pub unassigned: f64,
}

/// One attempt's part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Its number.
    pub attempt: u32,
    /// Its part of the budget.
    pub alpha: f64,
    /// How it stands or ended, where it is known.
    pub phase: Option<String>,
}

/// One line of an attempt's budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// A metric, or slices of a metric by a dimension.
    pub what: String,
    /// Its share of the attempt's budget.
    pub share: f64,
    /// Its part of the budget.
    pub alpha: f64,
    /// The most evidence it has, against what it needs.
    pub evidence: Gauge,
}

/// An earlier attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastAttempt {
    /// Its number.
    pub attempt: u32,
    /// How it ended.
    pub phase: String,
}

/// The evidence at one look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// When.
    pub at: u64,
    /// The open stage's name.
    pub stage: Option<String>,
    /// What the judge said.
    pub action: String,
    /// ln E of harm by metric, in the order of [`Report::metrics`].
    pub harm: Vec<f64>,
    /// ln E for "not worse", likewise; null without a margin.
    pub not_worse: Vec<Option<f64>>,
}
