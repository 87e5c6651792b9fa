//! What others do, run beside the judge on the very same counts, so that a reader sees why the judge does not.
//!
//! All but the last pool the cohorts and compare two rates; those that lean on the normal distribution wait for five bad
//! units in each arm, which is generous to them. They are looked at [`LOOKS`] times over a rollout; the judge
//! is looked at after every bad outcome, which is harder. Formulas are those of the design (sections 0, 3.1, 3.2); where
//! a product is named it is the formula that its makers have published, not the product, that is tried.

use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{CohortCounts, rate_ratio};
use serde::Serialize;

/// Looks at a rollout by the rules of this module.
pub const LOOKS: u32 = 200;
/// Looks of somebody who reads a fixed-horizon test before its time: one in twenty of the others.
const FIXED_HORIZON_EVERY: u32 = 20;
const ALPHA: f64 = 0.05;
/// Standard normal quantiles of 0.975 and 0.95.
const TWO_SIDED: f64 = 1.959_963_984_540_054;
const ONE_SIDED: f64 = 1.644_853_626_951_472;
/// Planned total of the asymptotic confidence sequence.
const PLANNED_UNITS: f64 = 5_000.0;

/// One rule that somebody might stop a rollout by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rival {
    /// The treatment's rate is more than 1.2 times the control's, from 100 units in each arm on.
    PointThreshold,
    /// Two-sided z above 1.96, at every look.
    NaiveZ,
    /// One-sided z above 1.645 of a test planned for the end, read ten times on the way.
    FixedHorizon,
    /// The published mixture bound whose variance shrinks with the data, so that its critical value is a constant.
    ConstantBound,
    /// One-sided asymptotic confidence sequence from 100 units in each arm on.
    AsymptoticSequence,
    /// The judge's own e-process on pooled cohorts, with their average probability.
    PooledEvidence,
    /// The judge's own e-process, cohort by cohort, on all bad outcomes instead of the first of each unit.
    EveryOutcome,
}

impl Rival {
    /// All of them.
    pub const ALL: [Rival; 7] = [
        Rival::PointThreshold,
        Rival::NaiveZ,
        Rival::FixedHorizon,
        Rival::ConstantBound,
        Rival::AsymptoticSequence,
        Rival::PooledEvidence,
        Rival::EveryOutcome,
    ];

    /// In words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Rival::PointThreshold => "rate above 1.2 x control, 100 units",
            Rival::NaiveZ => "z > 1.96 at every look",
            Rival::FixedHorizon => "fixed-horizon test read 10 times",
            Rival::ConstantBound => "mixture bound, constant value",
            Rival::AsymptoticSequence => "asymptotic sequence",
            Rival::PooledEvidence => "e-process, cohorts pooled",
            Rival::EveryOutcome => "e-process, every bad outcome",
        }
    }

    /// Whether the rule would stop at look number `look` (counted from 1).
    pub(crate) fn stops(self, look: u32, seen: &Seen<'_>) -> bool {
        let pooled = &seen.pooled;
        match self {
            Rival::PointThreshold => {
                pooled.units() >= 100.0
                    && pooled.control.bad > 0.0
                    && pooled.treated.rate() > 1.2 * pooled.control.rate()
            }
            Rival::NaiveZ => pooled.z().is_some_and(|z| z.abs() > TWO_SIDED),
            Rival::FixedHorizon => {
                look.is_multiple_of(FIXED_HORIZON_EVERY) && pooled.z().is_some_and(|z| z > ONE_SIDED)
            }
            Rival::ConstantBound => pooled.z().is_some_and(|z| z.abs() > pooled.constant_bound()),
            Rival::AsymptoticSequence => pooled.asymptotic_sequence(),
            Rival::PooledEvidence => clears(&pooled.as_one_cohort()),
            Rival::EveryOutcome => clears(seen.outcomes),
        }
    }
}

fn clears(cohorts: &[CohortCounts]) -> bool {
    rate_ratio::harm_log_e(cohorts, 1.0).is_some_and(|log_e| log_e > -libm::log(ALPHA))
}

/// What the rules are shown.
pub(crate) struct Seen<'a> {
    pooled: Pooled,
    /// Bad outcomes, not units, by cohort.
    outcomes: &'a [CohortCounts],
}

impl<'a> Seen<'a> {
    pub(crate) fn new(units: &[CohortCounts], outcomes: &'a [CohortCounts]) -> Self {
        Self { pooled: Pooled::new(units), outcomes }
    }
}

/// Two arms, all cohorts together.
#[derive(Debug, Clone, Copy, Default)]
struct Pooled {
    treated: Arm,
    control: Arm,
}

#[derive(Debug, Clone, Copy, Default)]
struct Arm {
    units: f64,
    bad: f64,
}

impl Arm {
    fn rate(self) -> f64 {
        if self.units > 0.0 { self.bad / self.units } else { 0.0 }
    }

    fn variance(self) -> f64 {
        self.rate() * (1.0 - self.rate())
    }
}

impl Pooled {
    fn new(cohorts: &[CohortCounts]) -> Self {
        let mut pooled = Self::default();
        for counts in cohorts.iter().filter(|counts| counts.is_evidence()) {
            pooled.treated.units += counts.treated_units as f64;
            pooled.treated.bad += counts.treated_bad as f64;
            pooled.control.units += counts.control_units as f64;
            pooled.control.bad += counts.control_bad as f64;
        }
        pooled
    }

    /// Units in the smaller arm.
    fn units(&self) -> f64 {
        self.treated.units.min(self.control.units)
    }

    /// Variance of the difference of the rates.
    fn spread(&self) -> f64 {
        self.treated.variance() / self.treated.units + self.control.variance() / self.control.units
    }

    /// Whether both arms have the five bad units below which no normal approximation is worth anything.
    fn enough(&self) -> bool {
        self.treated.bad.min(self.control.bad) >= 5.0
    }

    /// The difference of the rates in standard errors; none before there is [`Pooled::enough`].
    fn z(&self) -> Option<f64> {
        let spread = if self.enough() { self.spread() } else { 0.0 };
        (spread > 0.0).then(|| (self.treated.rate() - self.control.rate()) / libm::sqrt(spread))
    }

    /// sqrt((V + τ)/τ (2 ln(2/α) + ln((V + τ)/V))) with τ = z² (var_T + var_C) / (N_T + N_C).
    fn constant_bound(&self) -> f64 {
        let spread = self.spread();
        let mixing = TWO_SIDED * TWO_SIDED * (self.treated.variance() + self.control.variance())
            / (self.treated.units + self.control.units);
        let nats = 2.0 * libm::log(2.0 / ALPHA) + libm::log((spread + mixing) / spread);
        libm::sqrt((spread + mixing) / mixing * nats)
    }

    fn asymptotic_sequence(&self) -> bool {
        if self.units() < 100.0 || !self.enough() {
            return false;
        }
        let units = self.treated.units + self.control.units;
        let half_width = libm::sqrt(self.spread()) * one_sided_multiple(units, ALPHA, PLANNED_UNITS);
        self.treated.rate() - self.control.rate() > half_width
    }

    /// The cohorts as if they were one, with the share of the treated units as its probability.
    fn as_one_cohort(&self) -> [CohortCounts; 1] {
        let share = self.treated.units / (self.treated.units + self.control.units).max(1.0);
        [CohortCounts {
            probability: (share * f64::from(SHARE_TOTAL)) as u32,
            treated_bad: self.treated.bad as u64,
            control_bad: self.control.bad as u64,
            ..CohortCounts::default()
        }]
    }
}

/// Half-width in standard errors of the one-sided asymptotic confidence sequence after `units`, tightest at `planned`.
fn one_sided_multiple(units: f64, alpha: f64, planned: f64) -> f64 {
    let nats = -2.0 * libm::log(2.0 * alpha);
    let square = (nats + libm::log1p(nats)) / planned;
    let n = units * square;
    libm::sqrt(2.0 * (n + 1.0) / n * libm::log1p(libm::sqrt(n + 1.0) / (2.0 * alpha)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(treated: (f64, f64), control: (f64, f64)) -> Pooled {
        let arm = |(units, bad)| Arm { units, bad };
        Pooled { treated: arm(treated), control: arm(control) }
    }

    /// The constants that the design derives from the published formula.
    #[test]
    fn the_constant_bound_does_not_depend_on_the_number_of_units() {
        for size in [1e3, 1e5, 1e7] {
            let bound = |share: f64| {
                pooled(
                    (share * size, share * size * 0.02),
                    ((1.0 - share) * size, (1.0 - share) * size * 0.02),
                )
                .constant_bound()
            };
            let close = |have: f64, want: f64| assert!((have - want).abs() < 5e-3, "{have} {want}");
            close(bound(0.5), 3.585);
            close(bound(0.1), 4.397);
            close(bound(0.01), 10.27);
        }
    }

    /// `a` and `b` of the design's section 3.2: a one-sided lower bound of -0.12656844 for a difference of 0.23437667
    /// whose standard error is 0.1297… .
    #[test]
    fn the_asymptotic_sequence_is_the_published_one() {
        let arm = |n: f64, sum: f64, squares: f64| (sum / n, (squares - sum * sum / n) / (n - 1.0) / n);
        let (a, b) = (arm(3_000.0, 1_396.87, 52_377.976_7), arm(3_461.0, 2_422.7, 134_698.29));
        let lower = b.0 - a.0 - (a.1 + b.1).sqrt() * one_sided_multiple(6_461.0, 0.05, 5_000.0);
        assert!((lower + 0.126_568_44).abs() < 1e-6, "{lower}");
    }

    #[test]
    fn z_needs_five_bad_units_in_each_arm() {
        assert_eq!(pooled((100.0, 4.0), (500.0, 20.0)).z(), None);
        assert_eq!(pooled((50.0, 0.0), (50.0, 0.0)).z(), None);
        assert!(pooled((1_000.0, 40.0), (1_000.0, 20.0)).z().is_some_and(|z| (2.6..2.65).contains(&z)));
    }
}
