//! The difference between two arms, absolute and relative, and when it is too early to ask.

use super::{Arm, Average, NotEnough, Sample, pooled_slope};

/// Units that each arm must have before an asymptotic method is read.
pub const LEAST_UNITS: u64 = 100;

/// Units with a value other than zero that each arm must have: it is these that make a sum nearly normal.
pub const LEAST_NON_ZERO: u64 = 5;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// The mean of x.
    Mean,
    /// Σx / Σy.
    Ratio,
    /// The mean of x, adjusted by y (CUPED).
    Adjusted,
}

/// A difference, treatment - control, with its standard error at this moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The estimate.
    pub estimate: f64,
    /// Its standard error.
    pub error: f64,
    /// Units of both arms.
    pub units: f64,
}

/// Both arms as averages of `quantity`.
pub fn averages(
    quantity: Quantity,
    treatment: &Sample,
    control: &Sample,
) -> Result<(Average, Average), NotEnough> {
    match quantity {
        Quantity::Mean => Ok((treatment.mean(), control.mean())),
        Quantity::Ratio => {
            let of = |sample: &Sample, arm| sample.ratio().ok_or(NotEnough::ZeroDenominator { arm });
            Ok((of(treatment, Arm::Treatment)?, of(control, Arm::Control)?))
        }
        Quantity::Adjusted => {
            let theta = pooled_slope(treatment, control);
            Ok((treatment.adjusted(theta), control.adjusted(theta)))
        }
    }
}

/// Treatment - control. The variances are those of each arm by itself (Welch).
pub fn absolute(treatment: &Average, control: &Average) -> Difference {
    Difference {
        estimate: treatment.mean - control.mean,
        error: libm::sqrt(treatment.squared_error() + control.squared_error()),
        units: treatment.units + control.units,
    }
}

/// (treatment - control) / |control|, with `varT/(n_T C²) + varC T²/(n_C C⁴)`. Dividing by |C| keeps the direction when the
/// baseline is negative. None when the control is within five of its standard errors of zero: then only the absolute
/// difference means anything.
pub fn relative(treatment: &Average, control: &Average) -> Option<Difference> {
    let clear = control.mean.abs() >= 5.0 * libm::sqrt(control.squared_error());
    (clear && control.mean != 0.0).then(|| relative_whatever(treatment, control))
}

/// The same without asking whether it means anything.
pub fn relative_whatever(treatment: &Average, control: &Average) -> Difference {
    let (t, c) = (treatment.mean, control.mean);
    let square = c * c;
    let variance = treatment.squared_error() / square + control.squared_error() * t * t / (square * square);
    Difference {
        estimate: (t - c) / c.abs(),
        error: libm::sqrt(variance),
        units: treatment.units + control.units,
    }
}

/// The relative difference of adjusted means (CUPED): the adjusted difference over the control's plain mean. The control's
/// plain mean is correlated with its adjusted one, so the variance is
/// `var(x - θy)_T/(n_T C²) + (varx T²/C² - 2θ cov T/C + θ² vary)_C/(n_C C²)`, T and C the plain means.
pub fn relative_adjusted(treatment: &Sample, control: &Sample) -> Difference {
    let theta = pooled_slope(treatment, control);
    let adjusted = absolute(&treatment.adjusted(theta), &control.adjusted(theta));
    let (t, c) = (treatment.mean().mean, control.mean().mean);
    let ((of_x, of_y, both), growth) = (control.variances(), t / c);
    let of_control = of_x * growth * growth - 2.0 * theta * both * growth + theta * theta * of_y;
    let variance = treatment.adjusted(theta).squared_error() + of_control.max(0.0) / control.units;
    Difference {
        estimate: adjusted.estimate / c.abs(),
        error: libm::sqrt(variance) / c.abs(),
        units: adjusted.units,
    }
}

/// Whether both arms have enough for an asymptotic method: [`LEAST_UNITS`], [`LEAST_NON_ZERO`].
pub fn enough(treatment: &Sample, control: &Sample) -> Result<(), NotEnough> {
    let arms = [(Arm::Treatment, treatment), (Arm::Control, control)];
    for (arm, sample) in arms {
        if sample.units < LEAST_UNITS as f64 {
            return Err(NotEnough::Units { arm, have: sample.units as u64, need: LEAST_UNITS });
        }
    }
    for (arm, sample) in arms {
        if sample.non_zero < LEAST_NON_ZERO as f64 {
            return Err(NotEnough::NonZero { arm, have: sample.non_zero as u64, need: LEAST_NON_ZERO });
        }
    }
    Ok(())
}

/// Whether both averages vary.
pub fn varies(treatment: &Average, control: &Average) -> Result<(), NotEnough> {
    for (arm, average) in [(Arm::Treatment, treatment), (Arm::Control, control)] {
        let varies = average.variance > 0.0;
        if !varies {
            return Err(NotEnough::NoVariance { arm });
        }
    }
    Ok(())
}
