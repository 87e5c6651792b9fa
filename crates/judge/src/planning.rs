//! How much evidence a plan will need, before it starts.

use crate::beta_binomial::treated_share;
use crate::rate_ratio::{HARM_GRID, NO_DIFFERENCE_WEIGHT};

/// How many bad units (both arms together) it takes, about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BadUnits {
    /// When the true ratio were known beforehand.
    pub low: f64,
    /// With the price of not knowing it: the typical number lies between the two.
    pub high: f64,
}

/// Bad units until a true rate ratio `ratio` > 1 is found out by the harm test against ratio 1, in a cohort of
/// assignment probability `probability`, at `alpha` (the attempt's, times the metric's share):
/// `[ln(1/alpha), ln(1/alpha) + ln 7] / KL(p(ratio) ‖ probability)`. None outside 0 < probability < 1, ratio > 1,
/// 0 < alpha < 1.
pub fn to_find_harm(probability: f64, ratio: f64, alpha: f64) -> Option<BadUnits> {
    if !(ratio > 1.0 && ratio.is_finite()) {
        return None;
    }
    needed(probability, ratio, 1.0, alpha, libm::log(HARM_GRID.len() as f64))
}

/// Bad units until a candidate that is just as good is shown to be less than `margin` worse. None outside
/// 0 < probability < 1, margin > 0, 0 < alpha < 1.
pub fn to_show_not_worse(probability: f64, margin: f64, alpha: f64) -> Option<BadUnits> {
    if !(margin > 0.0 && margin.is_finite()) {
        return None;
    }
    needed(probability, 1.0, 1.0 + margin, alpha, -libm::log(NO_DIFFERENCE_WEIGHT))
}

fn needed(probability: f64, truth: f64, null: f64, alpha: f64, grid_price: f64) -> Option<BadUnits> {
    let inside = |v: f64| v > 0.0 && v < 1.0;
    if !(inside(probability) && inside(alpha)) {
        return None;
    }
    let (p, m) = (treated_share(probability, truth), treated_share(probability, null));
    let nats_each = p * libm::log(p / m) + (1.0 - p) * libm::log((1.0 - p) / (1.0 - m));
    if !inside(p) || !inside(m) || nats_each <= 0.0 {
        return None;
    }
    let nats = -libm::log(alpha);
    Some(BadUnits { low: nats / nats_each, high: (nats + grid_price) / nats_each })
}
