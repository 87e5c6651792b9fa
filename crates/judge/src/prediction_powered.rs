//! Scores by a judge model, corrected by people: the prediction-powered mean.
//!
//! A judge model scores every answer and is wrong in its own way: one that agrees with people in 85 % of the answers reports
//! 27 % bad where 12 % are. People cannot score every answer, but they can score a **random sample drawn with a known
//! probability**. On that sample both scores are known, so the judge's mean error is; it is taken off the judge's mean over
//! everything else:
//!
//! ```text
//! mean = λ mean(F over unaudited) + mean(Y - λ F over audited)
//! variance = λ² var(F over unaudited) / N + var(Y - λ F over audited) / n
//! ```
//!
//! Y a person's score, F the judge's. It is unbiased for every λ; λ = 1 trusts the judge fully, λ = 0 not at all, and the
//! default is the λ with the smallest variance, kept within 0 and 1. A useless judge then costs nothing; the one above makes
//! a hundred audits worth 156.
//!
//! Sources: Angelopoulos, Bates, Fannjiang, Jordan & Zrnic, arXiv:2301.09633 (PPI); Angelopoulos, Duchi & Zrnic,
//! arXiv:2311.01453 (λ).
//!
//! Answers scored by different versions of the judge, or audited with different probabilities, are different [`strata`]:
//! each is corrected by its own audits, and they are put together by the number of their answers.
//!
//! [`strata`]: AuditedScores

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alpha::clears;
use crate::limits::{AUDITED_LEAST, SAMPLE_RATIO_ALARM, SHARE_TOTAL};
use crate::sample_ratio;

/// Scores are whole numbers from 0 to this, which stands for 1: sums stay exact.
pub const SCORE_TOTAL: u64 = 10_000;

/// What was scored in one arm under one version of the judge and one audit probability. Sums over units, each counted
/// once, in parts of [`SCORE_TOTAL`] and its square; they add up in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditedScores {
    /// The judge: name and version.
    pub judge: String,
    /// Probability that an answer is audited, in parts of [`SHARE_TOTAL`].
    pub audit_probability: u32,
    /// Audited answers.
    pub audited: u64,
    /// Σ of people's scores over the audited.
    pub human: u64,
    /// Σ of their squares.
    pub human_squares: u64,
    /// Σ of the judge's scores over the audited.
    pub judged: u64,
    /// Σ of their squares.
    pub judged_squares: u64,
    /// Σ of the products of both.
    pub products: u64,
    /// Answers that only the judge scored.
    pub unaudited: u64,
    /// Σ of the judge's scores over those.
    pub unaudited_judged: u64,
    /// Σ of their squares.
    pub unaudited_judged_squares: u64,
}

impl AuditedScores {
    /// Counts an answer, `human` the person's score where it was audited. Scores above [`SCORE_TOTAL`] are read as it.
    pub fn add(&mut self, judged: u64, human: Option<u64>) {
        let judged = judged.min(SCORE_TOTAL);
        let one = match human.map(|score| score.min(SCORE_TOTAL)) {
            Some(human) => Self {
                audited: 1,
                human,
                human_squares: human * human,
                judged,
                judged_squares: judged * judged,
                products: human * judged,
                ..Self::default()
            },
            None => Self {
                unaudited: 1,
                unaudited_judged: judged,
                unaudited_judged_squares: judged * judged,
                ..Self::default()
            },
        };
        self.include(&one);
    }

    /// Adds counts of the same judge and probability.
    pub fn include(&mut self, other: &Self) {
        let pairs = [
            (&mut self.audited, other.audited),
            (&mut self.human, other.human),
            (&mut self.human_squares, other.human_squares),
            (&mut self.judged, other.judged),
            (&mut self.judged_squares, other.judged_squares),
            (&mut self.products, other.products),
            (&mut self.unaudited, other.unaudited),
            (&mut self.unaudited_judged, other.unaudited_judged),
            (&mut self.unaudited_judged_squares, other.unaudited_judged_squares),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
    }
}

/// How far the judge is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Trust {
    /// λ as given.
    Fixed(f64),
    /// The λ of the smallest variance, within 0 and 1.
    #[default]
    Optimal,
}

/// An estimated mean, in the unit of the scores (0 to 1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CorrectedMean {
    /// The mean.
    pub mean: f64,
    /// Variance of `mean`.
    pub variance: f64,
    /// λ: how far the judge was trusted, 0 to 1; averaged over strata.
    pub trust: f64,
    /// Answers that people scored.
    pub audited: u64,
    /// Answers in all.
    pub answers: u64,
    /// What the judge alone would say, biased: for comparison.
    pub judge_only: f64,
    /// What the audited alone would say.
    pub audited_only: f64,
}

impl CorrectedMean {
    /// Standard error.
    pub fn standard_error(&self) -> f64 {
        libm::sqrt(self.variance)
    }
}

/// Why scores cannot be corrected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "because")]
pub enum Uncorrectable {
    /// A stratum has fewer audits than [`AUDITED_LEAST`].
    TooFewAudits {
        /// How many it has.
        audited: u64,
    },
    /// The number of audits contradicts their probability: the sample is not the random one that was promised.
    NotTheSample {
        /// ln E of the sample-ratio test.
        log_e: f64,
    },
}

/// The corrected mean of one arm. Entries of the same judge and probability add up.
///
/// # Errors
/// [`Uncorrectable`], of the first stratum that is. Nothing is estimated from part of the answers.
pub fn corrected_mean(scores: &[AuditedScores], trust: Trust) -> Result<CorrectedMean, Uncorrectable> {
    let mut strata: BTreeMap<(&str, u32), AuditedScores> = BTreeMap::new();
    for entry in scores {
        strata.entry((entry.judge.as_str(), entry.audit_probability)).or_default().include(entry);
    }
    strata.retain(|_, scores| scores.audited > 0 || scores.unaudited > 0);
    let answers =
        strata.values().fold(0u64, |sum, s| sum.saturating_add(s.audited).saturating_add(s.unaudited));
    let zero = CorrectedMean {
        mean: 0.0,
        variance: 0.0,
        trust: 0.0,
        audited: 0,
        answers,
        judge_only: 0.0,
        audited_only: 0.0,
    };
    if answers == 0 {
        return Err(Uncorrectable::TooFewAudits { audited: 0 });
    }
    strata.into_iter().try_fold(zero, |sum, ((_, probability), scores)| {
        check(probability, &scores)?;
        let weight = (scores.audited as f64 + scores.unaudited as f64) / answers as f64;
        let one = stratum(&scores, trust);
        Ok(CorrectedMean {
            mean: sum.mean + weight * one.mean,
            variance: sum.variance + weight * weight * one.variance,
            trust: sum.trust + weight * one.trust,
            audited: sum.audited.saturating_add(one.audited),
            answers,
            judge_only: sum.judge_only + weight * one.judge_only,
            audited_only: sum.audited_only + weight * one.audited_only,
        })
    })
}

fn check(probability: u32, scores: &AuditedScores) -> Result<(), Uncorrectable> {
    if scores.audited < AUDITED_LEAST {
        return Err(Uncorrectable::TooFewAudits { audited: scores.audited });
    }
    let shares = [f64::from(probability), f64::from(SHARE_TOTAL.saturating_sub(probability))];
    // No log E: a probability of which nothing can be said.
    let log_e =
        sample_ratio::averaged_log_e(&[scores.audited, scores.unaudited], &shares).unwrap_or(f64::INFINITY);
    if probability > SHARE_TOTAL || clears(log_e, libm::log(SAMPLE_RATIO_ALARM)) {
        return Err(Uncorrectable::NotTheSample { log_e });
    }
    Ok(())
}

/// The corrected mean of one stratum, whatever its size and without asking whether the audits are the promised sample:
/// [`corrected_mean`] asks. With everything audited it is the mean of people's scores; with nothing audited, the judge's
/// mean with an infinite variance.
pub fn stratum(scores: &AuditedScores, trust: Trust) -> CorrectedMean {
    let unit = SCORE_TOTAL as f64;
    let (n, more) = (scores.audited as f64, scores.unaudited as f64);
    let mean = |sum: u64, count: f64| if count > 0.0 { sum as f64 / unit / count } else { 0.0 };
    // Σ(a - ā)(b - b̄) = Σab - Σa Σb / count, from whole numbers.
    let spread = |products: u64, a: u64, b: u64, count: f64| {
        let rest = if count > 0.0 { products as f64 - a as f64 * b as f64 / count } else { 0.0 };
        rest / (unit * unit)
    };
    let (y, f) = (mean(scores.human, n), mean(scores.judged, n));
    let unaudited = mean(scores.unaudited_judged, more);
    let yy = spread(scores.human_squares, scores.human, scores.human, n).max(0.0);
    let ff = spread(scores.judged_squares, scores.judged, scores.judged, n).max(0.0);
    let yf = spread(scores.products, scores.human, scores.judged, n);
    let unaudited_ff =
        spread(scores.unaudited_judged_squares, scores.unaudited_judged, scores.unaudited_judged, more)
            .max(0.0);
    let lambda = match trust {
        _ if scores.unaudited == 0 => 0.0,
        Trust::Fixed(lambda) => lambda,
        Trust::Optimal => {
            // Covariance of both scores over the audited; variance of the judge's over all answers.
            let apart = f - unaudited;
            let all = ff + unaudited_ff + n * more / (n + more) * apart * apart;
            let (covariance, variance) = (yf / (n - 1.0), all / (n + more - 1.0));
            let best = covariance / ((1.0 + n / more) * variance);
            if best.is_finite() { best.clamp(0.0, 1.0) } else { 0.0 }
        }
    };
    let residual = (yy - 2.0 * lambda * yf + lambda * lambda * ff).max(0.0);
    let from_unaudited = if lambda == 0.0 { 0.0 } else { lambda * lambda * unaudited_ff / (more * more) };
    let all = n + more;
    CorrectedMean {
        mean: if n > 0.0 { lambda * unaudited + y - lambda * f } else { unaudited },
        variance: if n > 0.0 { from_unaudited + residual / (n * n) } else { f64::INFINITY },
        trust: lambda,
        audited: scores.audited,
        answers: scores.audited.saturating_add(scores.unaudited),
        judge_only: if all > 0.0 { (f * n + unaudited * more) / all } else { 0.0 },
        audited_only: y,
    }
}

/// Treatment minus control: the difference and its variance. The arms' audits are independent.
pub fn difference(treatment: &CorrectedMean, control: &CorrectedMean) -> (f64, f64) {
    (treatment.mean - control.mean, treatment.variance + control.variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 12 % bad; the judge agrees with people in 85 % of the answers, and 2 % are audited. Every hundredth answer.
    fn answers(judge: &str) -> AuditedScores {
        let audit_probability = SHARE_TOTAL / 50;
        let mut scores = AuditedScores { judge: judge.into(), audit_probability, ..AuditedScores::default() };
        for i in 0..10_000u64 {
            let bad = (i * 7_919) % 10_007 < 1_201;
            let agrees = (i * 104_729 + 31) % 10_009 < 8_508;
            let score = |bad: bool| u64::from(bad) * SCORE_TOTAL;
            scores.add(score(bad == agrees), (i % 50 == 7).then(|| score(bad)));
        }
        scores
    }

    #[test]
    fn the_audit_takes_the_judges_error_off() {
        let scores = answers("judge 1");
        let corrected = corrected_mean(std::slice::from_ref(&scores), Trust::Optimal).unwrap();
        assert!((corrected.judge_only - 0.234).abs() < 0.03, "{corrected:?}");
        assert!((corrected.mean - 0.12).abs() < 2.0 * corrected.standard_error(), "{corrected:?}");
        let people = stratum(&scores, Trust::Fixed(0.0));
        assert_eq!(people.mean, people.audited_only);
        assert!(corrected.variance < people.variance, "the judge helps: {corrected:?} {people:?}");
    }

    #[test]
    fn entries_add_up_and_judges_never_mix() {
        let (a, b) = (answers("judge 1"), answers("judge 2"));
        let mut both = a.clone();
        both.include(&a);
        assert_eq!(
            corrected_mean(&[a.clone(), a.clone()], Trust::Optimal),
            corrected_mean(&[both], Trust::Optimal)
        );
        let two = corrected_mean(&[a.clone(), b.clone()], Trust::Optimal).unwrap();
        assert_eq!(Ok(two), corrected_mean(&[b, a.clone()], Trust::Optimal));
        let one = corrected_mean(&[a], Trust::Optimal).unwrap();
        assert!((two.mean - one.mean).abs() < 1e-12 && (two.variance - one.variance / 2.0).abs() < 1e-12);
        assert_eq!(difference(&two, &two), (0.0, 2.0 * two.variance));
    }

    #[test]
    fn too_few_or_chosen_audits_correct_nothing() {
        let mut few = AuditedScores { audit_probability: SHARE_TOTAL / 50, ..AuditedScores::default() };
        (0..99).for_each(|_| few.add(0, Some(0)));
        (0..4_851).for_each(|_| few.add(0, None));
        assert_eq!(corrected_mean(&[few], Trust::Optimal), Err(Uncorrectable::TooFewAudits { audited: 99 }));
        // Ten times as many audits as were promised.
        let mut chosen = AuditedScores { audit_probability: SHARE_TOTAL / 50, ..AuditedScores::default() };
        (0..1_000).for_each(|_| chosen.add(0, Some(0)));
        (0..4_000).for_each(|_| chosen.add(0, None));
        assert!(matches!(corrected_mean(&[chosen], Trust::Optimal), Err(Uncorrectable::NotTheSample { .. })));
        assert!(corrected_mean(&[], Trust::Optimal).is_err());
    }
}
