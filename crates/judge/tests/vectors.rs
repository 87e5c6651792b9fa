//! The statistics against reference values that other implementations computed.

mod support;

use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{CohortCounts, beta_binomial, rate_ratio, sample_ratio, special};
use support::{close, counts, numbers, vectors};

type Function = fn(&[f64]) -> f64;

#[test]
fn special_functions_agree_with_mpmath() {
    let Some(file) = vectors("special_functions.json") else { return };
    let functions: [(&str, Function); 5] = [
        ("lgamma", |a| special::ln_gamma(a[0])),
        ("betaln", |a| special::ln_beta(a[0], a[1])),
        ("log_beta_sf", |a| special::ln_beta_upper(a[0], a[1], a[2])),
        // 1 - I_x(a, b) = I_{1-x}(b, a)
        ("beta_inc", |a| special::ln_beta_upper(a[1], a[0], 1.0 - a[2]).exp()),
        ("chi2_sf", |a| special::chi_square_upper(a[0], a[1] as u32)),
    ];
    let mut checked = 0;
    for (name, function) in functions {
        for row in file["values"][name].as_array().expect("rows") {
            let row: Vec<f64> = row
                .as_array()
                .expect("a row")
                .iter()
                .map(|text| text.as_str().expect("text").parse().expect("a number"))
                .collect();
            let (want, arguments) = row.split_last().expect("a value");
            let got = function(arguments);
            assert!(
                (got - want).abs() <= want.abs() * 1e-11 + 1e-300 + if *want == 0.0 { 1e-15 } else { 0.0 },
                "{name}{arguments:?}: got {got:e}, want {want:e}"
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 13 + 8 + 6 + 10 + 9);
}

#[test]
fn the_grid_e_process_agrees() {
    let Some(file) = vectors("rr_grid_eprocess.json") else { return };
    let cases = file["cases"].as_array().expect("cases");
    for case in cases {
        assert_eq!(numbers(&case["grid_r_over_r0"]), rate_ratio::HARM_GRID);
        let (treated, control) = (counts(&case["x_treatment"]), counts(&case["x_control"]));
        let cohorts: Vec<CohortCounts> = numbers(&case["pi"])
            .iter()
            .enumerate()
            .map(|(e, pi)| CohortCounts {
                cohort: e as u8,
                probability: (pi * f64::from(SHARE_TOTAL)).round() as u32,
                treated_bad: treated[e],
                control_bad: control[e],
                ..CohortCounts::default()
            })
            .collect();
        let got = rate_ratio::harm_log_e(&cohorts, case["r0"].as_f64().unwrap()).unwrap();
        close(&case.to_string(), got, case["log_e"].as_f64().unwrap(), 1e-12);
    }
    assert_eq!(cases.len(), 8);
}

#[test]
fn the_beta_binomial_form_agrees_with_confseq() {
    let Some(file) = vectors("beta_binomial_eprocess.json") else { return };
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() >= 40, "{} cases", cases.len());
    for case in cases {
        let number = |name: &str| case[name].as_f64().unwrap_or_else(|| panic!("{name} of {case}"));
        let sides = if case["one_sided"].as_bool().unwrap() {
            beta_binomial::Sides::One
        } else {
            beta_binomial::Sides::Two
        };
        let m = number("m");
        let prior = beta_binomial::Prior::tuned(m, number("t_opt"), number("alpha_opt"), sides).unwrap();
        close("prior, treated", prior.treated, number("prior_beta_success"), 1e-12);
        close("prior, control", prior.control, number("prior_beta_failure"), 1e-12);
        let (x, n) = (case["x"].as_u64().unwrap(), case["n"].as_u64().unwrap());
        let got = beta_binomial::log_e(prior, m, x, n, sides).unwrap();
        if case["log_e"].as_f64().is_some() {
            close(&case.to_string(), got, number("log_e"), 1e-9);
        } else {
            // The reference takes the logarithm of an upper tail that underflowed; ours is computed in log space.
            assert_eq!(case["log_e"], "-inf");
            close(&case.to_string(), got, by_its_definition(prior, m, x, n), 1e-6);
        }
    }
}

/// The one-sided e-value as the integral it is: likelihood ratio of p against m, averaged over the prior cut to p > m.
/// Simpson's rule in log space.
fn by_its_definition(prior: beta_binomial::Prior, m: f64, x: u64, n: u64) -> f64 {
    let integral = |x: f64, y: f64| {
        const STEPS: u32 = 2_000_000;
        let step = (1.0 - m) / f64::from(STEPS);
        let terms: Vec<f64> = (0..STEPS)
            .map(|i| {
                let p = m + f64::from(i) * step;
                let weight: f64 = if i == 0 {
                    1.0
                } else if i % 2 == 1 {
                    4.0
                } else {
                    2.0
                };
                let density = (prior.treated - 1.0) * p.ln() + (prior.control - 1.0) * (1.0 - p).ln();
                weight.ln() + density + x * (p / m).ln() + y * ((1.0 - p) / (1.0 - m)).ln()
            })
            .collect();
        special::log_sum_exp(&terms)
    };
    integral(x as f64, (n - x) as f64) - integral(0.0, 0.0)
}

#[test]
fn the_chi_square_sample_ratio_agrees() {
    let Some(file) = vectors("srm_chisq.json") else { return };
    for case in file["cases"].as_array().expect("cases") {
        let got = sample_ratio::chi_square_p(&counts(&case["users"]), &numbers(&case["weights"])).unwrap();
        close(&case.to_string(), got, case["gbstats_p"].as_f64().unwrap(), 1e-9);
    }
}

#[test]
fn the_sequential_sample_ratio_agrees_with_savvi() {
    let Some(file) = vectors("srm_sequential.json") else { return };
    for case in file["cases"].as_array().expect("cases") {
        let (units, shares) = (counts(&case["counts"]), numbers(&case["theta0"]));
        let got = sample_ratio::log_e(&units, &shares, case["k"].as_f64().unwrap()).unwrap();
        close(&case.to_string(), got, case["log_e"].as_f64().unwrap(), 1e-9);
        if let Some(want) = case["log_e_savvi"].as_f64() {
            close("savvi", got, want, 1e-9);
        }
    }
    let published = &file["published"];
    let (units, shares) = (counts(&published["counts_at_stop"]), numbers(&published["theta0"]));
    let got = sample_ratio::log_e(&units, &shares, published["k"].as_f64().unwrap()).unwrap();
    close("savvi's documented stop", (-got).exp(), published["p_at_stop"].as_f64().unwrap(), 1e-9);
}
