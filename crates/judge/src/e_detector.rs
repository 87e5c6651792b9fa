//! After the rollout: did the rate of bad units rise? Detectors with a bound on false alarms, for a stream without an end.
//!
//! A rollout ends; monitoring does not, and over an endless stream every test that may fire by chance will. What can be
//! promised is how long it takes on average: an e-detector that alarms at 1/alpha runs at least 1/alpha observations, on
//! average, before a false alarm (Shin, Ramdas & Rinaldo, arXiv:2203.03532), without any assumption on the bad rate
//! beyond "at most the baseline".
//!
//! For each ratio r of a grid, with p1 = r p0 and L = (p1/p0)^x ((1-p1)/(1-p0))^(1-x):
//!
//! ```text
//! Shiryaev-Roberts  M = (M + 1) L          CUSUM  M = max(M, 1) L
//! ```
//!
//! and the alarm is raised when the mean of M over the grid reaches the threshold. Shiryaev-Roberts adds up the evidence of
//! every possible moment of change and is the default; CUSUM keeps the best one only, and is slower at equal promise.
//!
//! The baseline should be the *upper* bound of what the rollout measured: a baseline that is too low alarms on its own error.

use serde::{Deserialize, Serialize};

use crate::alpha::{clears, log_threshold};

/// Multiples of the baseline rate that are looked for, with equal weights.
pub const DRIFT_GRID: [f64; 5] = [1.25, 1.5, 2.0, 3.0, 5.0];

/// M is kept below this. An alarm is long since raised there, and the state stays a number that JSON can hold.
const LARGEST: f64 = 1e300;

/// Which recursion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The sum over all moments of change.
    #[default]
    ShiryaevRoberts,
    /// The best moment of change.
    Cusum,
}

/// The detector's state: small, and a function of the observations in their order (event time, then id).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EDetector {
    kind: Kind,
    baseline: f64,
    /// Ratio r and its M.
    components: Vec<(f64, f64)>,
}

impl EDetector {
    /// A detector of rises above `baseline`, a rate in (0, 1), by about one of the ratios `grid`. Ratios that are not above
    /// 1, or would lift the rate to 1 or beyond, are left out. None when none is left or the baseline is no such rate.
    pub fn new(kind: Kind, baseline: f64, grid: &[f64]) -> Option<Self> {
        let usable = |ratio: &f64| *ratio > 1.0 && *ratio * baseline < 1.0;
        let components: Vec<(f64, f64)> =
            grid.iter().copied().filter(usable).map(|ratio| (ratio, 0.0)).collect();
        let inside = baseline > 0.0 && baseline < 1.0;
        (inside && !components.is_empty()).then_some(Self { kind, baseline, components })
    }

    /// One more unit, bad or not.
    pub fn observe(&mut self, bad: bool) {
        self.observe_batch(u64::from(bad), u64::from(!bad));
    }

    /// Several units whose order is not known, as one observation. The promise then counts batches, not units.
    pub fn observe_batch(&mut self, bad: u64, good: u64) {
        let (kind, baseline) = (self.kind, self.baseline);
        for (ratio, value) in &mut self.components {
            let rest = libm::log1p(-*ratio * baseline) - libm::log1p(-baseline);
            let likelihood = libm::exp(bad as f64 * libm::log(*ratio) + good as f64 * rest);
            let before = match kind {
                Kind::ShiryaevRoberts => *value + 1.0,
                Kind::Cusum => value.max(1.0),
            };
            *value = (before * likelihood).min(LARGEST);
        }
    }

    /// The mean of M over the grid; 0 before the first observation.
    pub fn evidence(&self) -> f64 {
        self.components.iter().map(|(_, value)| value / self.components.len() as f64).sum()
    }

    /// Whether the evidence is beyond 1/`alpha`. While the rate stays at or below the baseline, that takes at least
    /// 1/`alpha` observations on average.
    pub fn alarms(&self, alpha: f64) -> bool {
        clears(libm::log(self.evidence()), log_threshold(alpha, 1.0))
    }

    /// Starts anew, as after an alarm that was dealt with.
    pub fn reset(&mut self) {
        self.components.iter_mut().for_each(|(_, value)| *value = 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_one_step_and_the_state_stays_finite() {
        let mut detector = EDetector::new(Kind::ShiryaevRoberts, 0.1, &[2.0]).unwrap();
        detector.observe_batch(2, 3);
        let expected = 4.0 * libm::pow(0.8 / 0.9, 3.0);
        assert!((detector.evidence() - expected).abs() < 1e-12);
        assert!(!detector.alarms(0.001));
        for _ in 0..10_000 {
            detector.observe(true);
        }
        assert!(detector.alarms(0.001) && detector.evidence().is_finite());
        let text = serde_json::to_string(&detector).unwrap();
        assert_eq!(serde_json::from_str::<EDetector>(&text).unwrap(), detector);
        detector.reset();
        assert_eq!(detector.evidence(), 0.0);
    }

    #[test]
    fn impossible_baselines_and_ratios_are_refused() {
        assert_eq!(EDetector::new(Kind::Cusum, 0.5, &[2.0, 1.0, f64::NAN]), None);
        assert_eq!(
            [0.0, 1.0, f64::NAN].map(|p| EDetector::new(Kind::Cusum, p, &DRIFT_GRID)),
            [None, None, None]
        );
    }
}
