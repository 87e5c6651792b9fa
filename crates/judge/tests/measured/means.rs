//! Means, ratios, CUPED and their sequences against GrowthBook's gbstats.

use flagstone_judge::boundary::Sides;
use flagstone_judge::means::compare::{Difference, absolute, relative_adjusted, relative_whatever};
use flagstone_judge::means::sequence::Sequence;
use flagstone_judge::means::{Average, Sample, pooled_slope, welch};
use serde_json::Value;

use crate::support::{close, vectors};

fn arm(case: &Value, name: &str) -> Sample {
    let arm = &case[name];
    let number = |name: &str| arm[name].as_f64().unwrap_or(0.0);
    let first = |names: [&str; 3]| names.map(number).into_iter().find(|v| *v != 0.0).unwrap_or(0.0);
    Sample {
        units: number("n"),
        sum: first(["sum", "m_sum", "post_sum"]),
        squares: first(["sum_squares", "m_ss", "post_ss"]),
        second_sum: first(["d_sum", "pre_sum", "-"]),
        second_squares: first(["d_ss", "pre_ss", "-"]),
        products: first(["md", "post_pre", "-"]),
        ..Sample::default()
    }
}

fn averages(case: &Value) -> (Average, Average) {
    let (t, c) = (arm(case, "treatment"), arm(case, "control"));
    match case["kind"].as_str().unwrap() {
        "mean" => (t.mean(), c.mean()),
        "proportion" => (t.proportion(), c.proportion()),
        "ratio" => (t.ratio().unwrap(), c.ratio().unwrap()),
        "cuped" => {
            let theta = pooled_slope(&t, &c);
            close("theta", theta, 0.700_279_212_889_477_4, 1e-9);
            (t.adjusted(theta), c.adjusted(theta))
        }
        other => panic!("kind {other}"),
    }
}

fn difference(case: &Value, scale: &str) -> Difference {
    let (t, c) = averages(case);
    match (scale, case["kind"] == "cuped") {
        ("absolute", _) => absolute(&t, &c),
        (_, true) => relative_adjusted(&arm(case, "treatment"), &arm(case, "control")),
        (_, false) => relative_whatever(&t, &c),
    }
}

fn end(value: &Value) -> f64 {
    match value.as_str() {
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        _ => value.as_f64().unwrap(),
    }
}

#[test]
fn comparisons_agree_with_gbstats() {
    let Some(file) = vectors("gbstats_tests.json") else { return };
    let mut checked = 0;
    for case in file["cases"].as_array().unwrap() {
        let alpha = case["config"]["alpha"].as_f64().unwrap_or(0.05);
        let planned = case["config"]["sequential_tuning_parameter"].as_f64().unwrap_or(5_000.0);
        let (t, c) = averages(case);
        let degrees = welch::degrees(&t, &c);
        for (name, want) in case["results"].as_object().unwrap() {
            let (scale, test) = name.split_once('/').unwrap();
            let d = difference(case, scale);
            let what = format!("{} {name}", case["desc"]);
            close(&what, d.estimate, want["estimate"].as_f64().unwrap(), 1e-9);
            close(&what, d.error, want["se"].as_f64().unwrap(), 1e-9);
            let fixed = welch::one_sided(&d, degrees, alpha);
            let p = welch::p_values(&d, degrees, 0.0);
            let two = Sequence::tuned(planned, alpha, Sides::Two).unwrap();
            let one = Sequence::tuned(planned, alpha, Sides::One).unwrap();
            let one_sided = one.interval(&d, alpha);
            let none = (f64::NEG_INFINITY, f64::INFINITY);
            let mirrored = Difference { estimate: -d.estimate, ..d };
            let (ci, p, within) = match test {
                "two_sided" => (welch::interval(&d, degrees, alpha), p.0, 1e-9),
                "greater" => ((fixed.0, none.1), p.1, 1e-9),
                "lesser" => ((none.0, fixed.1), p.2, 1e-9),
                "seq_two_sided" => (two.interval(&d, alpha), (-two.log_evidence(&d, 0.0)).exp(), 1e-9),
                "seq_greater" => ((one_sided.0, none.1), one.p_by_halving(&d), 1e-12),
                "seq_lesser" => ((none.0, one_sided.1), one.p_by_halving(&mirrored), 1e-12),
                other => panic!("test {other}"),
            };
            for (got, want) in [(ci.0, end(&want["ci"][0])), (ci.1, end(&want["ci"][1]))] {
                assert!(
                    got == want || (got - want).abs() <= 1e-9 * want.abs().max(1e-3),
                    "{what}: {got} {want}"
                );
            }
            if test == "seq_greater" && p > 1e-4 && p < 0.49 {
                // The exact p is near where the search stopped.
                close(&what, (-one.log_evidence(&d, 0.0)).exp(), p, 2e-2);
            }
            let want_p = want["p"].as_f64().unwrap();
            let allowed = (within * want_p).max(if test.starts_with("seq") { 1e-12 } else { 4e-16 });
            assert!((p - want_p).abs() <= allowed, "{what}: p {p:e}, want {want_p:e}");
            checked += 1;
        }
    }
    assert!(checked >= 12 * 12, "{checked}");
}

#[test]
fn half_widths_agree() {
    let Some(file) = vectors("asymptotic_cs.json") else { return };
    let cases = file["cases"].as_array().unwrap();
    for case in cases {
        let number = |name: &str| case[name].as_f64().unwrap();
        let (alpha, n) = (number("alpha"), number("n"));
        for (sides, rho, width) in
            [(Sides::Two, "rho_two", "hw_two_unit_sigma"), (Sides::One, "rho_one", "hw_one_unit_sigma")]
        {
            let sequence = Sequence::tuned(number("N_star"), alpha, sides).unwrap();
            close(rho, sequence.rho(), number(rho), 1e-12);
            close(&case.to_string(), sequence.factor(n, alpha) / n.sqrt(), number(width), 1e-12);
        }
    }
    assert!(cases.len() >= 60);
}

/// The two-sided sequence is confseq's normal mixture, and the evidence crosses ln(1/α) where the interval leaves zero.
#[test]
fn one_interval_three_ways() {
    use flagstone_judge::boundary::normal;
    for (n, planned, alpha) in [(200.0, 5_000.0, 0.05), (60_000.0, 1_000.0, 0.01)] {
        let two = Sequence::tuned(planned, alpha, Sides::Two).unwrap();
        let bound = normal::bound(n, alpha, planned, alpha, Sides::Two) / n;
        close("mixture", two.factor(n, alpha) / f64::sqrt(n), bound, 1e-12);
        for sides in [Sides::One, Sides::Two] {
            let sequence = Sequence::tuned(planned, alpha, sides).unwrap();
            let edge = sequence.factor(n, alpha);
            let at = |z: f64| sequence.log_evidence(&Difference { estimate: z, error: 1.0, units: n }, 0.0);
            close("evidence at the edge", at(edge), -alpha.ln(), 1e-9);
            assert!(at(edge * 1.001) > -alpha.ln() && at(edge * 0.999) < -alpha.ln());
            assert_eq!(at(0.0), 0.0);
        }
        let one = Sequence::tuned(planned, alpha, Sides::One).unwrap();
        assert_eq!(one.log_evidence(&Difference { estimate: -3.0, error: 1.0, units: n }, 0.0), 0.0);
    }
    assert!(
        Sequence::tuned(0.0, 0.05, Sides::Two).is_none() && Sequence::tuned(1e3, 0.6, Sides::One).is_none()
    );
}
