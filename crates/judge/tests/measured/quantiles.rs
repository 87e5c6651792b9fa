//! Quantiles against confseq, the Mann-Whitney test against scipy, histograms against what they count.

use flagstone_judge::quantiles::compare::{equality_p, larger_log_e};
use flagstone_judge::quantiles::histogram::Histogram;
use flagstone_judge::quantiles::mann_whitney::mann_whitney;
use flagstone_judge::quantiles::sequence::{at_rank, fixed, uniform};

use crate::support::{close, numbers, vectors};

fn stream() -> Vec<f64> {
    (1..=5_000u64)
        .map(|i| {
            let u = ((i * 7_919) % 100_003) as f64 / 100_003.0;
            (50.0 * (-0.8 * (1.0 - 0.9999 * u).ln()).exp() * 1e6).round() / 1e6
        })
        .collect()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[test]
fn ranks_agree_with_confseq() {
    let Some(file) = vectors("quantile_cs.json") else { return };
    let all = stream();
    for case in file["single"].as_array().unwrap() {
        let (p, t) = (case["p"].as_f64().unwrap(), case["t"].as_u64().unwrap());
        let (alpha, at) = (case["alpha"].as_f64().unwrap(), case["t_opt"].as_f64().unwrap());
        let seen = sorted(&all[..t as usize]);
        let want = &case["fixed_quantile"];
        let got = fixed(p, t, alpha, at).unwrap();
        close(&case.to_string(), got.lower_radius, want["lower_radius"].as_f64().unwrap(), 1e-9);
        close(&case.to_string(), got.upper_radius, want["upper_radius"].as_f64().unwrap(), 1e-9);
        let whole = &case["uniform_lil_tmin100"];
        let bands = uniform(p, t, alpha, 100.0).unwrap();
        close(&case.to_string(), bands.upper_radius, whole["radius"].as_f64().unwrap(), 1e-9);
        for (got, want) in [(got, want), (bands, whole)] {
            assert_eq!(
                (got.lower, got.upper),
                (want["lower_rank"].as_i64().unwrap(), want["upper_rank"].as_i64().unwrap())
            );
            close("lower", at_rank(&seen, got.lower), want["lower"].as_f64().unwrap(), 1e-12);
            let upper = want["upper"].as_f64().unwrap_or(f64::INFINITY);
            assert!(at_rank(&seen, got.upper) == upper, "{case}");
        }
    }
    for case in file["two_sample"].as_array().unwrap() {
        let (p, scale) = (case["p"].as_f64().unwrap(), case["scale_b"].as_f64().unwrap());
        let a: Vec<f64> = all.iter().step_by(2).copied().collect();
        let b: Vec<f64> = all.iter().skip(1).step_by(2).map(|v| v * scale).collect();
        assert_eq!(a.len() as u64, case["n_each"].as_u64().unwrap());
        let got = equality_p(&a, &b, p, case["t_opt"].as_f64().unwrap(), 0.05).unwrap();
        let want = case["p_value"].as_f64().unwrap();
        assert!((got - want).abs() <= 1e-8 * want, "{case}: {got:e}");
    }
}

#[test]
fn mann_whitney_agrees_with_scipy() {
    let Some(file) = vectors("mann_whitney.json") else { return };
    for case in file["cases"].as_array().unwrap() {
        let got = mann_whitney(&numbers(&case["x"]), &numbers(&case["y"])).unwrap();
        for (name, got) in [
            ("U_x", got.u),
            ("p_asymptotic_cc", got.p),
            ("hodges_lehmann", got.shift),
            ("cles_P(x>y)+.5P(=)", got.larger),
        ] {
            close(name, got, case[name].as_f64().unwrap(), 1e-9);
        }
    }
    assert_eq!(mann_whitney(&[], &[1.0]), None);
}

/// From histograms: a slower arm is seen, an equal one is not, and a margin that covers the difference hides it.
#[test]
fn a_slower_arm_is_seen_from_histograms() {
    let histogram = |scale: f64, skip: usize| {
        let mut histogram = Histogram::default();
        for value in stream().iter().skip(skip).step_by(2) {
            histogram.add((value * scale * 1_000.0) as u64);
        }
        histogram
    };
    let (control, same, slow) = (histogram(1.0, 0), histogram(1.0, 1), histogram(1.6, 1));
    let larger = |a: &Histogram, b: &Histogram, by| larger_log_e(a, b, 0.5, by, 1_000.0, 0.05).unwrap();
    let threshold = 20f64.ln();
    assert!(larger(&slow, &control, 0) > threshold, "{}", larger(&slow, &control, 0));
    assert!(larger(&control, &slow, 0) < 0.0);
    assert!(larger(&same, &control, 0) < threshold);
    // The median is near 87 ms; 60 % slower is 52 ms more.
    assert!(larger(&slow, &control, 80_000) < 0.0, "a margin of 80 ms covers it");
    // "Less than 110 ms slower" is shown: the control's quantile exceeds the candidate's less 110 ms.
    assert!(larger(&control, &slow, -110_000) > threshold);
    assert_eq!(larger(&slow, &Histogram::default(), 0), 0.0);
    // In buckets, evidence is at most what single values would give.
    let (floor, ceiling) = slow.quantile_interval(0.5, 0.05, 1_000.0);
    let ranks = fixed(0.5, slow.units(), 0.05, 1_000.0).unwrap();
    let values = sorted(&stream().iter().skip(1).step_by(2).map(|v| v * 1_600.0).collect::<Vec<_>>());
    assert!(floor.unwrap() as f64 <= at_rank(&values, ranks.lower));
    assert!(ceiling.unwrap() as f64 + 1.0 > at_rank(&values, ranks.upper));
}
