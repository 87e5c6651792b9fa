//! How many units it takes, and what can be seen with those there are: for one look at a fixed sample, in closed form where
//! there is one. A sequence that may be looked at all the time needs more: [`seen_by_sequence`] says how large an effect it
//! sees at a given size. For bad units see [`planning`](crate::planning).

use crate::means::sequence::Sequence;
use crate::search;
use crate::special::{noncentral_t_lower, normal_lower, normal_quantile, t_quantile};

fn inside(v: f64) -> bool {
    v > 0.0 && v < 1.0
}

/// z at two-sided level `alpha` and at power `power`, summed. None unless both lie in (0, 1).
fn reach(alpha: f64, power: f64) -> Option<f64> {
    (inside(alpha) && inside(power)).then(|| normal_quantile(1.0 - alpha / 2.0) + normal_quantile(power))
}

/// Units in each arm to tell a share `p1` from a share `p2`: `(z_{1-α/2} + z_{power})² (p1 q1 + p2 q2) / (p2 - p1)²`, two-sided.
/// Not rounded. None for equal shares or numbers out of range.
pub fn units_for_shares(p1: f64, p2: f64, alpha: f64, power: f64) -> Option<f64> {
    let effect = p2 - p1;
    if !(inside(p1) && inside(p2)) || effect == 0.0 {
        return None;
    }
    let reach = reach(alpha, power)?;
    Some(reach * reach * (p1 * (1.0 - p1) + p2 * (1.0 - p2)) / (effect * effect))
}

/// The same on Cohen's scale h = 2 asin √p2 - 2 asin √p1, where a share's variance is constant; both tails counted.
pub fn units_for_shares_on_arcsine(p1: f64, p2: f64, alpha: f64, power: f64) -> Option<f64> {
    let h = 2.0 * libm::asin(libm::sqrt(p2)) - 2.0 * libm::asin(libm::sqrt(p1));
    if !(inside(p1) && inside(p2)) || h == 0.0 || power <= alpha {
        return None;
    }
    let (reach, critical) = (reach(alpha, power)?, normal_quantile(1.0 - alpha / 2.0));
    let missing = |n: f64| {
        let shift = h.abs() * libm::sqrt(n / 2.0);
        normal_lower(shift - critical) + normal_lower(-shift - critical) - power
    };
    let about = 2.0 * (reach / h) * (reach / h);
    Some(search::root(missing, 0.0, about.max(1e-9) * 1.01))
}

/// Units in each arm for a two-sided t test to see a difference of `effect` standard deviations (Cohen's d): the exact power,
/// by the noncentral t. Not rounded; at least 2.
pub fn units_for_means(effect: f64, alpha: f64, power: f64) -> Option<f64> {
    if !(effect.is_finite() && effect != 0.0) || power <= alpha {
        return None;
    }
    let about = 2.0 * (reach(alpha, power)? / effect) * (reach(alpha, power)? / effect);
    let missing = |n: f64| {
        let (degrees, shift) = (2.0 * (n - 1.0), effect.abs() * libm::sqrt(n / 2.0));
        let critical = t_quantile(1.0 - alpha / 2.0, degrees);
        1.0 - noncentral_t_lower(critical, degrees, shift) + noncentral_t_lower(-critical, degrees, shift)
            - power
    };
    Some(search::root(missing, 2.0, about * 1.2 + 20.0))
}

/// Two arms of which one is not to be half of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// Control units for each treatment unit.
    pub control_per_treatment: f64,
    /// The two arms' share of all units (1 unless there are more arms).
    pub share_of_all: f64,
}

impl Default for Split {
    fn default() -> Self {
        Self { control_per_treatment: 1.0, share_of_all: 1.0 }
    }
}

/// Units in all to see `effect` between arms of these variances: treatment units rounded up, then all. `z` is the sum of the quantiles at the level
/// and at the power (see [`one_sided_reach`]). None for an effect of 0 or numbers out of range.
pub fn units_in_all(effect: f64, control: f64, treatment: f64, z: f64, split: Split) -> Option<f64> {
    let Split { control_per_treatment: k, share_of_all } = split;
    let usable = effect != 0.0
        && control >= 0.0
        && treatment >= 0.0
        && k > 0.0
        && share_of_all > 0.0
        && share_of_all <= 1.0;
    let treated = libm::ceil(z * z * (control / k + treatment) / (effect * effect));
    usable.then(|| libm::ceil((treated + treated * k) / share_of_all))
}

/// The smallest effect that `units` in all see between arms of these variances.
pub fn seen(units: f64, control: f64, treatment: f64, z: f64, split: Split) -> Option<f64> {
    let Split { control_per_treatment: k, share_of_all } = split;
    let usable = units > 0.0
        && control >= 0.0
        && treatment >= 0.0
        && k > 0.0
        && share_of_all > 0.0
        && share_of_all <= 1.0;
    let each = z * z * (control / k + treatment);
    usable.then(|| libm::sqrt((each + each * k) / (units * share_of_all)))
}

/// The smallest rise of a share above `control` that `units` in all see: like [`seen`], where the treatment's variance is
/// that of the risen share. None when not even a rise to 1 is seen.
pub fn seen_rise(units: f64, control: f64, z: f64, split: Split) -> Option<f64> {
    if !(inside(control) && units > 0.0) {
        return None;
    }
    let Split { control_per_treatment: k, share_of_all } = split;
    let excess = |effect: f64| {
        let risen = control + effect;
        let each = z * z * (control * (1.0 - control) / k + risen * (1.0 - risen)) / (effect * effect);
        (each + each * k) / share_of_all - units
    };
    let most = 1.0 - control;
    (excess(most) <= 0.0).then(|| search::root(excess, most * 1e-9, most))
}

/// The sum of quantiles for a one-sided test at `alpha` with `power`; for a two-sided one halve `alpha`.
pub fn one_sided_reach(alpha: f64, power: f64) -> Option<f64> {
    reach(2.0 * alpha, power)
}

/// The smallest true effect that a confidence sequence excludes zero for with chance `power` when looked at at `units` units;
/// `error` is the standard error there. (It may have done so at an earlier look as well: the true number is a little
/// smaller.)
pub fn seen_by_sequence(sequence: &Sequence, units: f64, error: f64, alpha: f64, power: f64) -> Option<f64> {
    let usable = units > 0.0 && error > 0.0 && inside(alpha) && inside(power);
    usable.then(|| error * (sequence.factor(units, alpha) + normal_quantile(power)))
}
