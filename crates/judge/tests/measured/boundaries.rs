//! Curves against confseq: its published unit-test values and a grid computed with it.

use flagstone_judge::boundary::{Sides, bernoulli, distribution, gamma, normal, spread, stitching};
use flagstone_judge::quantiles::compare::equality_p;
use serde_json::Value;

use crate::support::{close, numbers, vectors};

fn compute(function: &str, args: &Value) -> Vec<f64> {
    let number = |name: &str| args[name].as_f64().unwrap_or_else(|| panic!("{name} of {function} {args}"));
    let or = |name: &str, default: f64| args[name].as_f64().unwrap_or(default);
    let sides = if args["is_one_sided"].as_bool() == Some(false) { Sides::Two } else { Sides::One };
    let tuned = or("alpha_opt", 0.05);
    let steps = || (number("g"), number("h"));
    let epochs = || stitching::Epochs { power: or("s", 1.4), growth: or("eta", 2.0) };
    let one = match function {
        "two_sided_normal_best_rho" => spread(number("v_opt"), tuned, Sides::Two),
        "one_sided_normal_best_rho" => spread(number("v_opt"), tuned, Sides::One),
        "normal_log_mixture" => normal::log_mixture(number("s"), number("v"), number("v_opt"), tuned, sides),
        "normal_mixture_bound" => normal::bound(number("v"), number("alpha"), number("v_opt"), tuned, sides),
        "gamma_exponential_log_mixture" => {
            gamma::exponential_log_mixture(number("s"), number("v"), number("v_opt"), number("c"), tuned)
        }
        "gamma_exponential_mixture_bound" => {
            gamma::exponential_bound(number("v"), number("alpha"), number("v_opt"), number("c"), tuned)
        }
        "gamma_poisson_log_mixture" => {
            gamma::poisson_log_mixture(number("s"), number("v"), number("v_opt"), number("c"), tuned)
        }
        "gamma_poisson_mixture_bound" => {
            gamma::poisson_bound(number("v"), number("alpha"), number("v_opt"), number("c"), tuned)
        }
        "beta_binomial_log_mixture" => {
            bernoulli::log_mixture(number("s"), number("v"), number("v_opt"), steps(), tuned, sides)
        }
        "beta_binomial_mixture_bound" => {
            bernoulli::bound(number("v"), number("alpha"), number("v_opt"), steps(), tuned, sides)
        }
        "poly_stitching_bound" => {
            stitching::bound(number("v"), number("alpha"), number("v_min"), or("c", 0.0), epochs())
        }
        "empirical_process_lil_bound" => {
            distribution::radius(number("t"), number("alpha"), number("t_min"), or("A", 0.85))
        }
        "double_stitching_bound" => {
            let (p, t, alpha) = (number("quantile_p"), number("t"), number("alpha"));
            stitching::quantile_bound(p, t, alpha, number("t_opt"), or("delta", 0.5), epochs())
        }
        "quantile_ab_p_value" => {
            let arm = |name: &str| -> Vec<f64> {
                let (from, to) = args[name].as_str().unwrap().split_once("..").unwrap();
                (from.parse::<u32>().unwrap()..=to.parse().unwrap()).map(f64::from).collect()
            };
            equality_p(&arm("a"), &arm("b"), number("quantile_p"), number("t_opt"), tuned).unwrap()
        }
        "bernoulli_confidence_interval" => {
            let (events, trials) = (number("num_successes") as u64, number("num_trials") as u64);
            let (low, high) =
                bernoulli::share_interval(events, trials, number("alpha"), number("t_opt"), tuned);
            return vec![low, high];
        }
        other => panic!("no such curve: {other}"),
    };
    vec![one]
}

#[test]
fn curves_agree_with_confseq() {
    let Some(file) = vectors("confseq_boundaries.json") else { return };
    let all = |value: &Value| if value.is_array() { numbers(value) } else { vec![value.as_f64().unwrap()] };
    let mut checked = 0;
    for (list, key) in [("published", "computed"), ("grid", "value")] {
        for row in file[list].as_array().unwrap() {
            let function = row["fn"].as_str().unwrap();
            let got = compute(function, &row["args"]);
            for (got, want) in got.iter().zip(all(&row[key])) {
                close(&row.to_string(), *got, want, 1e-9);
            }
            if list == "published" {
                for (got, want) in got.iter().zip(all(&row["published"])) {
                    assert!((got - want).abs() < 5e-6, "{row}: {got}");
                }
            }
            checked += 1;
        }
    }
    assert!(checked >= 32 + 148, "{checked}");
}

/// The published values, without any file.
#[test]
fn published_values() {
    let near = |got: f64, want: f64| assert!((got - want).abs() < 5e-6, "{got} is not {want}");
    near(spread(100.0, 0.05, Sides::Two), 12.600_56);
    near(normal::bound(100.0, 0.05, 100.0, 0.05, Sides::Two), 30.352_09);
    near(normal::bound(100.0, 0.05, 100.0, 0.05, Sides::One), 27.660_71);
    near(gamma::exponential_bound(100.0, 0.05, 100.0, 2.0, 0.05), 33.020_17);
    near(gamma::poisson_bound(100.0, 0.05, 100.0, 2.0, 0.05), 30.194_90);
    near(bernoulli::bound(100.0, 0.05, 100.0, (0.2, 0.8), 0.05, Sides::One), 28.412_38);
    near(distribution::radius(1_000.0, 0.05, 100.0, distribution::LEADING), 0.082_048);
    near(stitching::quantile_bound(0.9, 1_000.0, 0.05, 100.0, 0.5, stitching::Epochs::default()), 43.721_19);
    assert!(distribution::radius(99.0, 0.05, 100.0, 0.85).is_infinite());
    assert!(distribution::radius(99.0, 2.0, 100.0, 0.85).is_nan());
}
