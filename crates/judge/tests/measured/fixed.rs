//! Fixed-sample references: non-inferiority, sample sizes, group-sequential bounds.

use flagstone_judge::boundary::Sides;
use flagstone_judge::means::sequence::Sequence;
use flagstone_judge::non_inferiority::{self, Better};
use flagstone_judge::special::normal_quantile;
use flagstone_judge::{group_sequential, power};
use serde_json::Value;

use crate::support::{close, counts, numbers, vectors};

fn arm(value: &Value) -> (u64, u64) {
    let counts = counts(value);
    (counts[0], counts[1])
}

#[test]
fn sample_sizes_and_score_tests_agree_with_statsmodels() {
    let Some(file) = vectors("power_noninferiority.json") else { return };
    for case in file["power"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let (alpha, strength) = (number("alpha"), number("power"));
        if case["cohen_d"].is_number() {
            let got = power::units_for_means(number("cohen_d"), alpha, strength).unwrap();
            close(&case.to_string(), got, number("n_per_arm_t_two_sided"), 1e-8);
            continue;
        }
        let (p1, p2) = (number("p1"), number("p2"));
        let got = power::units_for_shares(p1, p2, alpha, strength).unwrap();
        close(&case.to_string(), got, number("n_per_arm_unpooled_z_two_sided"), 1e-9);
        let got = power::units_for_shares_on_arcsine(p1, p2, alpha, strength).unwrap();
        close(&case.to_string(), got, number("n_per_arm_cohen_h_two_sided"), 1e-8);
    }
    for case in file["noninferiority"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let (t, c, edge) = (arm(&case["treatment"]), arm(&case["control"]), -number("margin_abs"));
        let wald = non_inferiority::wald(t, c, edge).unwrap();
        close(&case.to_string(), wald.z, number("wald_z"), 1e-9);
        close(&case.to_string(), wald.p, number("wald_p"), 1e-9);
        let score = non_inferiority::score_as_statsmodels(t, c, edge).unwrap();
        close(&case.to_string(), score.z, number("score_z(Miettinen-Nurminen/Farrington-Manning)"), 1e-9);
        close(&case.to_string(), score.p, number("score_p"), 1e-9);
    }
}

#[test]
fn moving_margins_agree_with_spotify() {
    let Some(file) = vectors("spotify_noninferiority.json") else { return };
    for case in file["cases"].as_array().unwrap() {
        let (t, c) = (arm(&case["treatment"]), arm(&case["control"]));
        let want = &case["result"];
        let share = |(x, n): (u64, u64)| x as f64 / n as f64;
        let (units, control) = ((t.1 + c.1) as f64, share(c));
        let variance = control * (1.0 - control);
        let reach = |sides: f64| power::one_sided_reach(0.05 / sides, 0.8).unwrap();
        let split = power::Split::default();
        close("difference", share(t) - share(c), want["difference"].as_f64().unwrap(), 1e-9);
        let p = want["p-value"].as_f64().unwrap();
        let error = ((share(t) * (1.0 - share(t))) / t.1 as f64 + variance / c.1 as f64).sqrt();
        let Some(relative) = case["nim_relative_to_control"].as_f64() else {
            // Two-sided superiority.
            let z = non_inferiority::wald(t, c, 0.0).unwrap();
            close("p", 2.0 * z.p.min(1.0 - z.p), p, 1e-9);
            let half = normal_quantile(0.975) * error;
            close("lower", share(t) - share(c) - half, want["ci_lower"].as_f64().unwrap(), 1e-9);
            // Their search stops when the units for an effect are within one of those there are.
            let effect = want["powered_effect"].as_f64().unwrap();
            let risen = (control + effect) * (1.0 - control - effect);
            let needed = power::units_in_all(effect, variance, risen, reach(2.0), split).unwrap();
            assert!((needed - units).abs() <= 1.0, "{needed}");
            let exact = power::seen_rise(units, control, reach(2.0), split).unwrap();
            close("seen", exact, effect, 1e-2);
            continue;
        };
        let delta = non_inferiority::moving_margin(relative, control);
        let more = case["preferred_direction"] == "increase";
        let test = if more {
            non_inferiority::wald(t, c, -delta).unwrap()
        } else {
            non_inferiority::wald_lesser(t, c, delta).unwrap()
        };
        close(&case.to_string(), test.p, p, 1e-9);
        let half = normal_quantile(0.95) * error;
        let (low, high) = (share(t) - share(c) - half, share(t) - share(c) + half);
        let (want_end, got, better) = if more {
            (&want["ci_lower"], low, Better::Higher)
        } else {
            (&want["ci_upper"], high, Better::Lower)
        };
        close("end", got, want_end.as_f64().unwrap(), 1e-9);
        let significant = want["is_significant"].as_f64() == Some(1.0);
        assert_eq!(non_inferiority::shown((low, high), delta, better), significant, "{case}");
        let seen = power::seen(units, variance, variance, reach(1.0), split).unwrap();
        close("powered effect", seen, want["powered_effect"].as_f64().unwrap(), 1e-9);
        let needed = power::units_in_all(delta, variance, variance, reach(1.0), split).unwrap();
        assert_eq!(needed, want["required_sample_size"].as_f64().unwrap());
    }
}

/// spotify-confidence's own example: two metrics, two treatments, weights 5 : 2 : 3, level 0.01 over four comparisons.
#[test]
fn uneven_splits_agree_with_spotify() {
    let Some(file) = vectors("spotify_sample_size.json") else { return };
    let want = numbers(&file["result"]["computed"]);
    let split = power::Split { control_per_treatment: 5.0 / 2.0, share_of_all: 0.7 };
    let reach = power::one_sided_reach(0.01 / 4.0, 0.8).unwrap();
    let effect = 0.7 * 0.00617;
    let risen = (0.7 + effect) * (1.0 - 0.7 - effect);
    assert_eq!(power::units_in_all(effect, 0.21, risen, reach, split), Some(want[0]));
    assert_eq!(power::units_in_all(4.56 * 0.01, 2.13, 2.13, reach, split), Some(want[1]));
}

#[test]
fn group_sequential_bounds_agree_with_ldbounds() {
    let Some(file) = vectors("group_sequential.json") else { return };
    let cases = file["cases"].as_array().unwrap();
    for case in cases {
        let sides = if case["sides"] == 2 { Sides::Two } else { Sides::One };
        let (alpha, phi) = (case["alpha"].as_f64().unwrap(), case["phi"].as_f64().unwrap());
        let got = group_sequential::bounds(&numbers(&case["t"]), alpha, phi, sides).unwrap();
        for (got, want) in got.iter().zip(numbers(&case["z_bounds"])) {
            close(&case.to_string(), *got, want, 1e-9);
        }
    }
    assert!(cases.len() >= 48);
}

#[test]
fn what_the_design_states() {
    let near =
        |got: f64, want: f64, within: f64| assert!((got - want).abs() <= within, "{got} is not {want}");
    near(power::units_for_shares(0.1, 0.12, 0.05, 0.8).unwrap(), 3_838.1, 0.1);
    near(power::units_for_means(0.5, 0.05, 0.8).unwrap(), 63.77, 0.01);
    let bounds = group_sequential::bounds(&[0.2, 0.4, 0.6, 0.8, 1.0], 0.05, 2.0, Sides::Two).unwrap();
    for (got, want) in bounds.iter().zip([3.0902, 2.7141, 2.4727, 2.2798, 2.1140]) {
        near(*got, want, 5e-5);
    }
    near(non_inferiority::wald((880, 1_000), (900, 1_000), -0.05).unwrap().z, 2.145_047, 1e-6);
    near(
        non_inferiority::score_as_statsmodels((880, 1_000), (900, 1_000), -0.05).unwrap().z,
        2.117_167,
        1e-6,
    );
    the_score_test_maximises_the_likelihood();
    assert_eq!(group_sequential::bounds(&[0.5, 0.4], 0.05, 2.0, Sides::Two), None);
    assert_eq!(group_sequential::bounds(&[0.5, 1.2], 0.05, 2.0, Sides::Two), None);
    assert_eq!(power::units_for_shares(0.1, 0.1, 0.05, 0.8), None);
    // A sequence sees less than one look would.
    let sequence = Sequence::tuned(5_000.0, 0.05, Sides::Two).unwrap();
    let seen = power::seen_by_sequence(&sequence, 5_000.0, 0.01, 0.05, 0.8).unwrap();
    assert!(seen > 0.01 * (1.96 + 0.84) && seen < 0.01 * 5.0, "{seen}");
    assert_eq!(non_inferiority::frozen_margin(0.1, -2.0), 0.2);
}

/// The pair of shares behind the score test against a search for the likeliest pair.
fn the_score_test_maximises_the_likelihood() {
    for (t, c, edge) in
        [((880, 1_000), (900, 1_000), -0.05), ((3, 40), (9, 90), 0.02), ((88, 100), (90, 100), -0.05)]
    {
        let (x, n, y, m) = (f64::from(t.0), f64::from(t.1), f64::from(c.0), f64::from(c.1));
        let likelihood = |p: f64| {
            let q = p - edge;
            x * p.ln() + (n - x) * (1.0 - p).ln() + y * q.ln() + (m - y) * (1.0 - q).ln()
        };
        let steps = (1..1_000_000).map(|i| f64::from(i) / 1e6).filter(|p| *p - edge > 0.0 && *p - edge < 1.0);
        let best = steps.max_by(|a, b| likelihood(*a).total_cmp(&likelihood(*b))).unwrap();
        let variance = best * (1.0 - best) / n + (best - edge) * (1.0 - best + edge) / m;
        let want = (x / n - y / m - edge) / variance.sqrt();
        let units = |(x, n): (u32, u32)| (u64::from(x), u64::from(n));
        close("z", non_inferiority::score(units(t), units(c), edge).unwrap().z, want, 1e-4);
    }
}
