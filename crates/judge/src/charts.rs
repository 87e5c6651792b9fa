//! Control charts for the mean of a stream: the tabular CUSUM and the Page-Hinkley test. **Signals only.**
//!
//! Their thresholds are conventions that fit a known, normal, independent stream. Over a long stream they fire by
//! themselves sooner or later, and how soon is not bounded for anything else: Page-Hinkley with its usual settings fires on
//! 2,000 values of nothing but noise. They may hold an attentive person's eye; they must not steer. [`crate::e_detector`]
//! is the one with a promise.

use serde::{Deserialize, Serialize};

/// The tabular CUSUM (Page 1954; Montgomery, Statistical Quality Control, chapter 9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cusum {
    /// The mean without a change.
    pub target: f64,
    /// Allowance, in the unit of the values: half of the shift that matters.
    pub allowance: f64,
    /// Decision interval, in the unit of the values: usually 5 standard deviations.
    pub interval: f64,
    /// Evidence of a rise, and how many values it has been above 0.
    pub up: (f64, u64),
    /// Evidence of a fall, and how many values it has been above 0.
    pub down: (f64, u64),
}

impl Cusum {
    /// A chart of values with mean `target` and standard deviation `sigma`; allowance and decision interval in multiples of
    /// `sigma`, usually 0.5 and 5.
    pub fn new(target: f64, sigma: f64, allowance: f64, interval: f64) -> Self {
        Self {
            target,
            allowance: allowance * sigma,
            interval: interval * sigma,
            up: (0.0, 0),
            down: (0.0, 0),
        }
    }

    /// One more value. NaN is left out.
    pub fn observe(&mut self, value: f64) {
        let excess = value - self.target;
        if !excess.is_nan() {
            self.up = grown(self.up, excess - self.allowance);
            self.down = grown(self.down, -excess - self.allowance);
        }
    }

    /// Whether either side is beyond the decision interval.
    pub fn fires(&self) -> bool {
        self.up.0 > self.interval || self.down.0 > self.interval
    }

    /// How many values ago the change began, by the side with more evidence: an estimate of the onset of what fired.
    /// None when neither side has any.
    pub fn since(&self) -> Option<u64> {
        let side = if self.up.0 >= self.down.0 { self.up } else { self.down };
        (side.1 > 0).then_some(side.1)
    }
}

fn grown((sum, count): (f64, u64), step: f64) -> (f64, u64) {
    let sum = (sum + step).max(0.0);
    (sum, if sum > 0.0 { count + 1 } else { 0 })
}

/// Which changes of the mean a Page-Hinkley test looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Rises.
    Up,
    /// Falls.
    Down,
    /// Both.
    #[default]
    Both,
}

/// The Page-Hinkley test: a CUSUM against the running mean, which forgets a little at every step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageHinkley {
    /// What to look for.
    pub direction: Direction,
    /// Values before it may fire: 30.
    pub least: u64,
    /// Change that is tolerated, in the unit of the values: 0.005.
    pub tolerance: f64,
    /// Fires beyond this: 50.
    pub threshold: f64,
    /// What is kept of the sums at every step: 0.9999.
    pub keep: f64,
    count: u64,
    mean: f64,
    rise: f64,
    lowest_rise: f64,
    fall: f64,
    highest_fall: f64,
}

impl PageHinkley {
    /// A test with these settings; see the fields for the usual ones.
    pub fn new(direction: Direction, least: u64, tolerance: f64, threshold: f64, keep: f64) -> Self {
        let zero = 0.0;
        Self {
            direction,
            least,
            tolerance,
            threshold,
            keep,
            count: 0,
            mean: zero,
            rise: zero,
            lowest_rise: zero,
            fall: zero,
            highest_fall: zero,
        }
    }

    /// One more value; whether the test fires. It starts anew after firing. NaN is left out.
    pub fn observe(&mut self, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        let first = self.count == 0;
        self.count += 1;
        self.mean += (value - self.mean) / self.count as f64;
        let deviation = value - self.mean;
        self.rise = self.keep * self.rise + deviation - self.tolerance;
        self.fall = self.keep * self.fall + deviation + self.tolerance;
        self.lowest_rise = if first { self.rise } else { self.lowest_rise.min(self.rise) };
        self.highest_fall = if first { self.fall } else { self.highest_fall.max(self.fall) };
        let up = self.rise - self.lowest_rise > self.threshold && self.direction != Direction::Down;
        let down = self.highest_fall - self.fall > self.threshold && self.direction != Direction::Up;
        let fires = self.count >= self.least && (up || down);
        if fires {
            *self = Self::new(self.direction, self.least, self.tolerance, self.threshold, self.keep);
        }
        fires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cusum_tells_since_when() {
        let mut chart = Cusum::new(10.0, 1.0, 0.5, 5.0);
        for value in [10.0, 9.0, 12.0, 12.5, 12.0, f64::NAN, 12.0] {
            chart.observe(value);
        }
        assert_eq!((chart.up, chart.fires(), chart.since()), ((6.5, 4), true, Some(4)));
        assert_eq!(Cusum::new(0.0, 1.0, 0.5, 5.0).since(), None);
    }

    #[test]
    fn page_hinkley_sees_the_direction_it_looks_for() {
        let run = |direction, step: f64| {
            let mut test = PageHinkley::new(direction, 30, 0.005, 20.0, 0.9999);
            (0..200u32).position(|i| test.observe(if i < 100 { 0.0 } else { step }))
        };
        assert!(run(Direction::Up, 1.0).is_some() && run(Direction::Both, -1.0).is_some());
        assert_eq!((run(Direction::Down, 1.0), run(Direction::Up, -1.0)), (None, None));
    }
}
