//! Special functions against sixty-digit arithmetic.

use flagstone_judge::special;

use crate::support::vectors;

#[test]
fn the_rest_of_the_special_functions_agree_with_mpmath() {
    let Some(file) = vectors("special_functions.json") else { return };
    type Function = fn(&[f64]) -> f64;
    let functions: [(&str, Function); 9] = [
        ("norm_cdf", |a| special::normal_lower(a[0])),
        ("norm_logcdf", |a| special::ln_normal_lower(a[0])),
        ("norm_ppf", |a| special::normal_quantile(a[0])),
        ("gamma_p", |a| special::gamma_lower(a[0], a[1])),
        ("gamma_q", |a| special::gamma_upper(a[0], a[1])),
        ("beta_inc", |a| special::beta_lower(a[0], a[1], a[2])),
        ("chi2_sf", |a| special::gamma_upper(a[1] / 2.0, a[0] / 2.0)),
        ("t_cdf", |a| special::t_lower(a[0], a[1])),
        ("t_ppf", |a| special::t_quantile(a[0], a[1])),
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
            // Below 1e-300 a number has few digits, and few of the argument's digits decide it.
            let relative = if want.abs() < 1e-300 { 1e-7 } else { 1e-10 };
            assert!(
                (got - want).abs() <= want.abs() * relative,
                "{name}{arguments:?}: got {got:e}, want {want:e}, off by {:e}",
                (got - want) / want
            );
            checked += 1;
        }
    }
    println!("{checked} values");
    assert!(checked >= 15 * 2 + 20 + 11 * 2 + 10 + 9 + 7 * 2, "{checked}");
}

#[test]
fn tables_and_identities() {
    let near =
        |got: f64, want: f64, within: f64| assert!((got - want).abs() <= within, "{got} is not {want}");
    near(special::zeta(2.0), core::f64::consts::PI.powi(2) / 6.0, 1e-14);
    near(special::zeta(1.4), 3.105_547_277_977_58, 1e-12);
    for (t, degrees, shift) in [(1.0, 8.0, 0.0), (-0.7, 3.0, 0.0), (2.5, 125.0, 0.0)] {
        near(special::noncentral_t_lower(t, degrees, shift), special::t_lower(t, degrees), 1e-13);
    }
    // Against a huge number of degrees of freedom, T is normal.
    near(special::noncentral_t_lower(1.5, 1e9, 2.0), special::normal_lower(-0.5), 1e-8);
    assert!(special::normal_quantile(1.5).is_nan() && special::t_quantile(-0.1, 3.0).is_nan());
    assert_eq!(special::normal_quantile(0.0), f64::NEG_INFINITY);
    for p in [1e-12, 0.003, 0.2, 0.6, 0.999] {
        near(special::normal_lower(special::normal_quantile(p)), p, 1e-14 * p.max(1e-3));
        near(special::t_lower(special::t_quantile(p, 4.5), 4.5), p, 1e-12 * p);
    }
}
