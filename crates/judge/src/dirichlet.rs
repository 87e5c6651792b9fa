//! The conjugate e-value for "these counts were drawn with these shares", common to the sample-ratio check (two or
//! more arms) and the single-cohort test of bad units (two arms, "treated" and "control").
//!
//! With a Dirichlet(a) prior against fixed shares θ the likelihood ratio is
//!
//! ```text
//! log E = lnB(a + n) - lnB(a) - Σ n_i ln θ_i
//! ```
//!
//! a mixture of likelihood ratios, hence a test martingale when the shares really are θ: E[E] = 1 at every n,
//! and by Ville's inequality P(E ever reaches 1/α) <= α.

use crate::special::stirling_remainder;

/// `log E` of the module's formula. `prior`, `shares` positive and of the length of `counts`; shares sum to 1.
/// 0 when nothing was counted.
///
/// At n = 10^6 the formula as it stands subtracts numbers near 10^7 to find one near 10. Written with Stirling's
/// main terms collected (A = a + n, N = ΣA, K = Σa; the -x of Stirling cancels, and the main terms form
/// N KL(A/N‖θ) - K KL(a/K‖θ)) nothing large is left to cancel:
///
/// ```text
/// log E = N KL(A/N‖θ) - K KL(a/K‖θ) - ½ Σ ln(A_i/a_i) + ½ ln(N/K) + Σ [δ(A_i) - δ(a_i)] - δ(N) + δ(K)
/// ```
pub(crate) fn log_e(prior: &[f64], counts: &[f64], shares: &[f64]) -> f64 {
    let counted: f64 = counts.iter().sum();
    if counted == 0.0 {
        return 0.0;
    }
    let before: f64 = prior.iter().sum();
    let after = before + counted;
    let mut sum =
        0.5 * libm::log1p(counted / before) - stirling_remainder(after) + stirling_remainder(before);
    for ((&a, &n), &share) in prior.iter().zip(counts).zip(shares) {
        sum += divergence(a + n, after, share) - divergence(a, before, share);
        sum += stirling_remainder(a + n) - stirling_remainder(a) - 0.5 * libm::log1p(n / a);
    }
    sum
}

/// One term of N KL(A/N‖θ), made non-negative: A ln(A / Nθ) - (A - Nθ). The added parts sum to zero.
fn divergence(part: f64, whole: f64, share: f64) -> f64 {
    let expected = whole * share;
    let excess = part - expected;
    part * libm::log1p(excess / expected) - excess
}
