//! Values that are measured, not counted: means, ratios, values adjusted by what a unit did before. How they are read off
//! sums, how the arms are compared, and how wide the uncertainty is at one look ([`welch`]) and at all ([`sequence`]).

pub mod compare;
pub mod sequence;
pub mod stratified;
pub mod welch;

/// One arm as sums over its units, in the values' own unit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// Units, n.
    pub units: f64,
    /// Units whose value is not zero.
    pub non_zero: f64,
    /// Σx.
    pub sum: f64,
    /// Σx².
    pub squares: f64,
    /// Σy: the denominator of a ratio, or what was measured before exposure.
    pub second_sum: f64,
    /// Σy².
    pub second_squares: f64,
    /// Σxy.
    pub products: f64,
    /// Sums about the mean, where they are known better than by subtraction.
    pub centred: Option<Centred>,
}

/// Sums of squares and products about the means.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Centred {
    /// Σ(x - x̄)².
    pub squares: f64,
    /// Σ(y - ȳ)².
    pub second_squares: f64,
    /// Σ(x - x̄)(y - ȳ).
    pub products: f64,
}

/// A mean-like quantity of one arm with what one unit adds to its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Average {
    /// The estimate.
    pub mean: f64,
    /// Variance of one unit's contribution; that of the estimate is this over `units`.
    pub variance: f64,
    /// Units.
    pub units: f64,
}

impl Average {
    /// Variance of the estimate.
    pub fn squared_error(&self) -> f64 {
        self.variance / self.units
    }
}

/// Which arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The candidate's.
    Treatment,
    /// The baseline's.
    Control,
}

impl core::fmt::Display for Arm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Treatment => "treatment",
            Self::Control => "control",
        })
    }
}

/// Why there is no number yet. An asymptotic method read too early gives confident nonsense (84 % false alarms at a 1 %
/// stage without such guards), so too little data is an answer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum NotEnough {
    /// Fewer units in an arm than the method needs.
    Units {
        /// The arm.
        arm: Arm,
        /// Units it has.
        have: u64,
        /// Units it needs.
        need: u64,
    },
    /// Fewer units with a value other than zero.
    NonZero {
        /// The arm.
        arm: Arm,
        /// Such units it has.
        have: u64,
        /// Such units it needs.
        need: u64,
    },
    /// All units of an arm have the same value: there is no telling how uncertain it is.
    NoVariance {
        /// The arm.
        arm: Arm,
    },
    /// The denominators of a ratio sum to zero.
    ZeroDenominator {
        /// The arm.
        arm: Arm,
    },
    /// No cohort was randomised.
    NotRandomised,
}

impl core::fmt::Display for NotEnough {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Units { arm, have, need } => write!(f, "{have} units in {arm}, {need} are needed"),
            Self::NonZero { arm, have, need } => {
                write!(f, "{have} units in {arm} have a value other than zero, {need} are needed")
            }
            Self::NoVariance { arm } => write!(f, "all units in {arm} have the same value"),
            Self::ZeroDenominator { arm } => write!(f, "the denominators in {arm} sum to zero"),
            Self::NotRandomised => f.write_str("no cohort was randomised"),
        }
    }
}

impl Sample {
    fn centred(&self) -> Centred {
        self.centred.unwrap_or_else(|| Centred {
            squares: (self.squares - self.sum * self.sum / self.units).max(0.0),
            second_squares: (self.second_squares - self.second_sum * self.second_sum / self.units).max(0.0),
            products: self.products - self.sum * self.second_sum / self.units,
        })
    }

    /// Sample variances and covariance, over n - 1: (of x, of y, of both). Zeros below two units.
    pub fn variances(&self) -> (f64, f64, f64) {
        if self.units < 2.0 {
            return (0.0, 0.0, 0.0);
        }
        let (centred, degrees) = (self.centred(), self.units - 1.0);
        (centred.squares / degrees, centred.second_squares / degrees, centred.products / degrees)
    }

    /// The mean of x with the sample variance.
    pub fn mean(&self) -> Average {
        Average { mean: self.sum / self.units, variance: self.variances().0, units: self.units }
    }

    /// The mean of a value that is 0 or 1: its variance is p(1 - p).
    pub fn proportion(&self) -> Average {
        let p = self.sum / self.units;
        Average { mean: p, variance: p * (1.0 - p), units: self.units }
    }

    /// Σx / Σy, with the variance of one unit's contribution by the delta method:
    /// `varM/D² + varD M²/D⁴ - 2 cov M/D³`, M and D the means. None when Σy is zero.
    pub fn ratio(&self) -> Option<Average> {
        if self.second_sum == 0.0 {
            return None;
        }
        let (m, d) = (self.sum / self.units, self.second_sum / self.units);
        let (of_m, of_d, both) = self.variances();
        let square = d * d;
        let variance = of_m / square + of_d * m * m / (square * square) - 2.0 * both * m / (square * d);
        Some(Average { mean: m / d, variance: variance.max(0.0), units: self.units })
    }

    /// The mean of x - `theta` y: x adjusted by what is already explained by y.
    pub fn adjusted(&self, theta: f64) -> Average {
        let (of_x, of_y, both) = self.variances();
        let variance = of_x + theta * theta * of_y - 2.0 * theta * both;
        let mean = (self.sum - theta * self.second_sum) / self.units;
        Average { mean, variance: variance.max(0.0), units: self.units }
    }
}

/// CUPED's slope of x on y (y measured before exposure), pooled over both arms: how much of x each unit of y explains.
/// 0 where y does not vary.
pub fn pooled_slope(treatment: &Sample, control: &Sample) -> f64 {
    let (n, m) = (treatment.units, control.units);
    if !(n > 0.0 && m > 0.0) {
        return 0.0;
    }
    let (t, c) = (treatment.centred(), control.centred());
    // About the common mean: what is within the arms, and what is between them.
    let (dx, dy) = (treatment.sum / n - control.sum / m, treatment.second_sum / n - control.second_sum / m);
    let between = n * m / (n + m);
    let of_y = t.second_squares + c.second_squares + between * dy * dy;
    let both = t.products + c.products + between * dx * dy;
    if of_y > 0.0 { both / of_y } else { 0.0 }
}
