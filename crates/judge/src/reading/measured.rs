//! Means, ratios, scores and quantiles.
//!
//! Evidence of means is ln(1/p) with p from a confidence sequence: it crosses a threshold exactly when the sequence at that
//! level keeps clear of the value in question. Evidence of scores and quantiles is ln E. Both may be looked at at any time,
//! and both are held against the same thresholds.

use super::{Reading, Thresholds, Units};
use crate::boundary::Sides;
use crate::kind::{Measured, QuantileRule, ScoreBar};
use crate::means::compare::{Difference, Quantity};
use crate::means::sequence::Sequence;
use crate::means::stratified::compared;
use crate::merge::{collect_histograms, collect_moments, collect_scores};
use crate::non_inferiority::Better;
use crate::quantiles::compare::larger_log_e;
use crate::quantiles::histogram::{CohortHistograms, Histogram, upper};
use crate::scores::betting::{Bets, Side};
use crate::{CohortMoments, Estimate, GuardrailRule, ScoreBatch};

/// The level behind a threshold, kept where one-sided sequences and priors can be tuned.
fn level(log_threshold: f64) -> f64 {
    libm::exp(-log_threshold).clamp(1e-12, 0.25)
}

pub(super) fn mean(
    rule: &GuardrailRule,
    kind: Measured,
    ratio: bool,
    entries: &[CohortMoments],
    thresholds: Thresholds,
) -> Reading {
    let cohorts = collect_moments(entries.iter().copied());
    let units = |c: &CohortMoments| Units {
        cohort: c.cohort,
        probability: c.probability,
        treated: c.treated.units,
        control: c.control.units,
    };
    let wrong =
        cohorts.iter().find_map(|c| c.treated.problem().or(c.control.problem()).map(|why| (c.cohort, why)));
    let mut reading = Reading {
        non_inferior: rule.not_worse_by.map(|_| 0.0),
        cohorts: cohorts.iter().map(units).collect(),
        both_arms: true,
        problem: wrong.map(|(cohort, why)| format!("cohort {cohort}: {why}")),
        ..Reading::default()
    };
    let quantity = match (ratio, kind.adjusted) {
        (true, _) => Quantity::Ratio,
        (false, true) => Quantity::Adjusted,
        (false, false) => Quantity::Mean,
    };
    let found = match compared(quantity, &cohorts) {
        Ok(found) if reading.problem.is_none() => found,
        Ok(_) => return reading,
        Err(why) => {
            reading.not_enough = Some(why);
            return reading;
        }
    };
    let tuned = |threshold: f64, sides| Sequence::tuned(kind.planned_units(), level(threshold), sides);
    let (Some(harm), Some(good), Some(shown)) = (
        tuned(thresholds.harm, Sides::One),
        tuned(thresholds.promote, Sides::One),
        tuned(thresholds.promote, Sides::Two),
    ) else {
        return reading;
    };
    // Seen so that more is worse.
    let sign = if kind.better == Better::Lower { 1.0 } else { -1.0 };
    let worse = Difference { estimate: sign * found.difference.estimate, ..found.difference };
    let better = Difference { estimate: -worse.estimate, ..worse };
    // Worse than the control by a share, of what was frozen or of the control itself.
    let by = |share: f64, of: &Difference, turned: f64| {
        if !rule.kind.follows() || share == 0.0 {
            return (*of, turned * rule.kind.share_of_baseline(share));
        }
        let far = found.against(1.0 + sign * share * libm::copysign(1.0, found.control));
        (Difference { estimate: turned * sign * far.estimate, ..far }, 0.0)
    };
    let (of, null) = by(rule.null_in_force() - 1.0, &worse, 1.0);
    reading.harm = harm.log_evidence(&of, null);
    reading.improved = good.log_evidence(&better, 0.0);
    reading.non_inferior = rule.not_worse_by.map(|margin| {
        let (of, null) = by(margin, &better, -1.0);
        good.log_evidence(&of, null)
    });
    let alpha = level(thresholds.promote);
    let (lower, upper) = shown.interval(&found.difference, alpha);
    reading.estimate = Some(Estimate {
        treatment: found.treatment,
        control: Some(found.control),
        difference: found.difference.estimate,
        lower: Some(lower),
        upper: Some(upper),
        level: alpha,
    });
    reading
}

pub(super) fn score(kind: ScoreBar, entries: &[ScoreBatch], thresholds: Thresholds) -> Reading {
    let batches = collect_scores(entries.iter().cloned());
    let gambler = |side, threshold| Bets::new(kind.bar, side, level(threshold));
    let mut reading = Reading { non_inferior: Some(0.0), ..Reading::default() };
    let (Some(mut above), Some(mut below)) =
        (gambler(Side::Above, thresholds.promote), gambler(Side::Below, thresholds.harm))
    else {
        return reading;
    };
    let mut treated = 0u64;
    for batch in &batches {
        let scores: Vec<(f64, u64)> =
            batch.scores.iter().map(|(micros, units)| (f64::from(*micros) / 1e6, *units)).collect();
        treated = batch.scores.values().fold(treated, |sum, units| sum.saturating_add(*units));
        above.add_batch(&scores);
        below.add_batch(&scores);
    }
    let most = batches.iter().filter_map(|batch| batch.scores.keys().next_back()).max();
    if most.is_some_and(|micros| *micros > 1_000_000) {
        reading.problem = Some("a score is above 1".to_owned());
        return reading;
    }
    reading.harm = below.log_e();
    reading.non_inferior = Some(above.log_e());
    reading.cohorts =
        vec![Units { cohort: 0, probability: crate::limits::SHARE_TOTAL / 2, treated, control: 0 }];
    reading.estimate = above.mean().map(|mean| Estimate {
        treatment: mean,
        control: None,
        difference: mean - kind.bar,
        lower: None,
        upper: None,
        level: level(thresholds.promote),
    });
    reading
}

pub(super) fn quantile(
    rule: &GuardrailRule,
    kind: QuantileRule,
    entries: &[CohortHistograms],
    thresholds: Thresholds,
) -> Reading {
    let cohorts = collect_histograms(entries.iter().cloned());
    let units = |c: &CohortHistograms| Units {
        cohort: c.cohort,
        probability: c.probability,
        treated: c.treated.units(),
        control: c.control.units(),
    };
    let listed: Vec<Units> = cohorts.iter().map(units).collect();
    let randomised = || cohorts.iter().zip(&listed).filter(|(_, units)| units.is_evidence()).map(|(c, _)| c);
    // An e-value for each cohort; their product is one for all.
    let evidence = |worse_is_treated: bool, by: f64, threshold: f64| -> f64 {
        let by = libm::round(by * 1e6) as i64;
        randomised()
            .filter_map(|c| {
                let (a, b) =
                    if worse_is_treated { (&c.treated, &c.control) } else { (&c.control, &c.treated) };
                larger_log_e(a, b, kind.quantile, by, kind.planned_units(), level(threshold))
            })
            .fold(0.0, |sum, log_e| sum + log_e)
    };
    let slower = kind.better == Better::Lower;
    let null = rule.kind.share_of_baseline(rule.null_in_force() - 1.0);
    let margin = |margin: f64| rule.kind.share_of_baseline(margin);
    Reading {
        harm: evidence(slower, null, thresholds.harm),
        improved: evidence(!slower, 0.0, thresholds.promote),
        non_inferior: rule.not_worse_by.map(|m| evidence(!slower, -margin(m), thresholds.promote)),
        estimate: randomised().max_by_key(|c| c.treated.units()).and_then(|c| shown(c, kind, thresholds)),
        cohorts: listed,
        both_arms: true,
        ..Reading::default()
    }
}

/// The quantiles of the largest cohort, for display: pooled over cohorts they would mix the cohorts' shares.
fn shown(cohort: &CohortHistograms, kind: QuantileRule, thresholds: Thresholds) -> Option<Estimate> {
    let whole = |micros: u64| micros as f64 / 1e6;
    let alpha = level(thresholds.promote);
    let at = |histogram: &Histogram| {
        let rank = libm::ceil(kind.quantile * histogram.units() as f64).max(1.0) as u64;
        histogram.bucket_at(rank).map(|bucket| whole(upper(bucket)))
    };
    let (treatment, control) = (at(&cohort.treated)?, at(&cohort.control)?);
    let range =
        |histogram: &Histogram| histogram.quantile_interval(kind.quantile, alpha / 2.0, kind.planned_units());
    let (t, c) = (range(&cohort.treated), range(&cohort.control));
    let between = |high: Option<u64>, low: Option<u64>| Some(whole(high?) - whole(low?));
    Some(Estimate {
        treatment,
        control: Some(control),
        difference: treatment - control,
        lower: between(t.0, c.1),
        upper: between(t.1, c.0),
        level: alpha,
    })
}
