//! One rollout, as people read it.
//!
//! The judge's inputs hold everything that was counted, so a report needs nothing else: it asks the judge again and adds
//! what a verdict leaves out: intervals that hold at every look, what the evidence so far could not have shown, how the
//! evidence grew, where the error budget went, whether what comes in has changed. Nothing of fewer than k units leaves.
//!
//! ```
//! use flagstone_judge::{GuardrailRule, PlanRules, StageRule};
//! use flagstone_report::{Look, Question, report, text};
//!
//! let rules = PlanRules {
//!     guardrails: vec![GuardrailRule { metric: "unsupported".into(), ..GuardrailRule::default() }],
//!     stages: vec![StageRule { name: "5%".into(), randomised: true, ..StageRule::default() }],
//!     ..PlanRules::default()
//! };
//! let look = Look { rules, now: 1_790_000_000, ..Look::default() };
//! let question = Question { flag: "answers", looks: &[look], k: 20, ..Question::default() };
//! let report = report(&question).ok_or("there is no look")?;
//! println!("{}", text(&report, 100));
//! # Ok::<(), &str>(())
//! ```
//!
//! [`Report`] is the `--json` form (docs/cli.md), [`text`] the form for terminals; the feature `plots` adds drawings.
//! Pure: no clock, no files.

mod alpha;
mod drift;
mod metric;
mod model;
mod path;
#[cfg(feature = "plots")]
pub mod plots;
mod ratio;
mod slices;
mod text;
mod verdict;
mod words;

use flagstone_judge::{Evidence, Judgement, PlanRules, RolloutState, judge};
use serde::{Deserialize, Serialize};

pub use model::*;
pub use text::text;

/// The version of [`Report`]. Members may be added within a version; none is removed or changes its meaning.
pub const VERSION: u32 = 1;

/// Chance with which "what cannot be seen yet" would have been found.
pub const POWER: f64 = 0.8;

/// What the judge was given at one moment: the same JSON as the inputs of the control plane's decisions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Look {
    /// The plan.
    pub rules: PlanRules,
    /// Where the rollout stood.
    pub state: RolloutState,
    /// What had been counted.
    pub evidence: Evidence,
    /// Unix seconds.
    pub now: u64,
}

impl Look {
    /// Asks the judge.
    #[must_use]
    pub fn judge(&self) -> Judgement {
        judge(&self.rules, &self.state, &self.evidence, self.now)
    }
}

/// What to report on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// The flag's key.
    pub flag: &'a str,
    /// The variant in use until now, where it is known.
    pub baseline: Option<&'a str>,
    /// The variant that is rolled out, where it is known.
    pub candidate: Option<&'a str>,
    /// The control plane's phase (`open`, `halted` …), where it is known.
    pub phase: Option<&'a str>,
    /// Who has halted it and why, in words.
    pub halted_by: Option<&'a str>,
    /// Looks at this attempt, oldest first; the last one is reported on, the others are its path.
    pub looks: &'a [Look],
    /// Earlier attempts.
    pub past: &'a [PastAttempt],
    /// Nothing of fewer units than this leaves.
    pub k: u64,
}

/// The report; none without a look. Looks of other attempts than the last one's are left out.
#[must_use]
pub fn report(question: &Question<'_>) -> Option<Report> {
    let last = question.looks.last()?;
    let judgement = last.judge();
    let same = |look: &&Look| look.rules.attempt == last.rules.attempt && look.now <= last.now;
    let looks: Vec<&Look> = question.looks.iter().filter(same).collect();
    let k = question.k.max(1);
    let verdict = verdict::verdict(question, last, &judgement);
    let metrics: Vec<Metric> = last
        .rules
        .guardrails
        .iter()
        .zip(&judgement.metrics)
        .map(|(rule, judged)| metric::metric(last, rule, judged))
        .collect();
    let (slices, fairness) = slices::of(last, &judgement, k);
    Some(Report {
        report: VERSION,
        flag: question.flag.to_owned(),
        baseline: question.baseline.map(str::to_owned),
        candidate: question.candidate.map(str::to_owned),
        attempt: last.rules.attempt.max(1),
        at: last.now,
        phase: question.phase.map(str::to_owned),
        stage: verdict::stage(last),
        standing: verdict.standing,
        action: verdict.action,
        rule: judgement.rule.to_owned(),
        sentence: verdict.sentence,
        next: verdict.next,
        reasons: judgement.reasons.clone(),
        requirements: judgement.requirements.iter().map(Line::from).collect(),
        slices,
        fairness,
        drift: drift::of(&looks, &judgement, k),
        sample_ratio: ratio::of(last, &judgement, k),
        alpha: alpha::ledger(last, &judgement, question.past),
        path: path::of(&looks),
        metrics,
        k,
    })
}
