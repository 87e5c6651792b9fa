//! Evidence against "the mean is at the bar", as the capital of a gambler who bets on one side of it.
//!
//! The gambler starts with 1 and before each score x stakes a share λ on "above" (or "below"): capital grows by
//! `1 + λ (x - m)`, m the bar. If the mean really is m (or on the other side of it) no way of betting makes money on
//! average, so capital above 1/α is evidence at level α, whenever one looks. How much to stake is learnt from the scores
//! before, never from the one that is bet on:
//!
//! ```text
//! λ_i = sqrt( 2 ln(1/α) / (σ²_{i-1} i ln(1+i)) ),   at most c/m upwards and c/(1-m) downwards, c = 1/2
//! ```
//!
//! # Order
//! The bets depend on the order of scores. Scores are therefore bet on in **batches** that have an order of their own
//! (the hour they belong to): one λ for a batch, from the batches before it, for `i` at the batch's end. Within a batch
//! order is nothing, so counts of scores are enough, and batches can be counted in many places. A batch of one score is
//! the published method, bit for bit up to rounding.

/// What a bet is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The mean is above the bar.
    Above,
    /// The mean is below the bar.
    Below,
}

/// Of the largest stake that cannot lose everything at once, the share that is staked at most.
pub const MOST_STAKED: f64 = 0.5;

/// One gambler. Copy it to look ahead; nothing else is kept of the scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bets {
    bar: f64,
    side: Side,
    /// 2 ln(1/α).
    nats: f64,
    count: f64,
    sum: f64,
    /// Σ (x - mean so far)², with the prior's ¼.
    squares: f64,
    log_capital: f64,
}

impl Bets {
    /// Starts betting against `bar`, tuned for level `alpha`. None unless 0 < `bar` < 1 and 0 < `alpha` < 1.
    pub fn new(bar: f64, side: Side, alpha: f64) -> Option<Self> {
        let inside = |v: f64| v > 0.0 && v < 1.0;
        (inside(bar) && inside(alpha)).then(|| Self::unchecked(bar, side, alpha))
    }

    /// Also for a bar at 0 or 1, as grids have.
    pub(super) fn unchecked(bar: f64, side: Side, alpha: f64) -> Self {
        let nats = -2.0 * libm::log(alpha);
        Self { bar, side, nats, count: 0.0, sum: 0.0, squares: 0.25, log_capital: 0.0 }
    }

    /// One score, clamped to \[0, 1\].
    pub fn add(&mut self, score: f64) {
        self.add_batch(&[(score, 1)]);
    }

    /// A batch: scores with how many units had them. Empty batches change nothing.
    pub fn add_batch(&mut self, batch: &[(f64, u64)]) {
        let scores = || batch.iter().map(|&(score, units)| (score.clamp(0.0, 1.0), units as f64));
        let more: f64 = scores().map(|(_, units)| units).sum();
        if more == 0.0 {
            return;
        }
        let stake = self.stake(self.count + more);
        let signed = if self.side == Side::Above { stake } else { -stake };
        for (score, units) in scores() {
            if units > 0.0 && score != self.bar {
                self.log_capital += units * libm::log1p(signed * (score - self.bar));
            }
        }
        self.count += more;
        self.sum += scores().map(|(score, units)| score * units).sum::<f64>();
        let mean = ((0.5 + self.sum) / (self.count + 1.0)).min(1.0);
        self.squares += scores().map(|(score, units)| units * (score - mean) * (score - mean)).sum::<f64>();
    }

    /// What to stake on the scores up to the `upto`-th.
    fn stake(&self, upto: f64) -> f64 {
        let variance = self.squares / (self.count + 1.0);
        let wanted = libm::sqrt(self.nats / (variance * upto * libm::log1p(upto)));
        let limit = if self.side == Side::Above { self.bar } else { 1.0 - self.bar };
        wanted.min(MOST_STAKED / limit)
    }

    /// ln of the capital: an e-value for "the mean is on this side of the bar".
    pub fn log_e(&self) -> f64 {
        self.log_capital
    }

    /// Scores so far.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// Their mean; none without any.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}
