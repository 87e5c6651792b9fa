//! Scores in [0, 1] against confseq's confidence sequences, and the laws of betting.

use flagstone_judge::scores::betting::{Bets, Side};
use flagstone_judge::scores::interval;
use proptest::prelude::*;

use crate::support::vectors;

fn stream() -> Vec<f64> {
    let score = |i: u64| (((i * 7_919) % 1_000) as f64 / 999.0).powi(2);
    (1..=400).map(|i| (score(i) * 1e6).round() / 1e6).collect()
}

#[test]
fn sequences_agree_with_confseq() {
    let Some(file) = vectors("bounded_mean_cs.json") else { return };
    let scores = stream();
    let at = file["v_opt_empbern"].as_f64().unwrap();
    let mut checked = 0;
    for (name, rows) in file["results"].as_object().unwrap() {
        for row in rows.as_array().unwrap() {
            let t = row["t"].as_u64().unwrap();
            let seen = &scores[..t as usize];
            let (got, within) = match name.as_str() {
                "betting_cs" | "hedged_cs" => (interval::betting(seen, 0.05, 1_000), 1.001e-3),
                "predmix_empbern_twosided_cs" => (interval::empirical_bernstein(seen, 0.05), 1e-9),
                "predmix_hoeffding_cs" => (interval::hoeffding(seen, 0.05), 1e-9),
                "conjmix_hoeffding_twosided_cs" => (interval::conjugate_hoeffding(seen, 0.05, 200.0), 1e-9),
                // confseq halves alpha twice here.
                "conjmix_empbern_twosided_cs" => {
                    (interval::conjugate_empirical_bernstein(seen, 0.0125, at), 1e-9)
                }
                other => panic!("no such sequence: {other}"),
            };
            let (low, high) = (row["lower"].as_f64().unwrap(), row["upper"].as_f64().unwrap());
            assert!(
                (got.0 - low).abs() <= within && (got.1 - high).abs() <= within,
                "{name} at {t}: got {got:?}, want {low} {high}"
            );
            checked += 1;
        }
    }
    assert!(checked >= 36, "{checked}");
}

#[test]
fn money_is_made_only_on_the_right_side() {
    let capital = |bar, side| {
        let mut bets = Bets::new(bar, side, 0.05).unwrap();
        stream().iter().for_each(|score| bets.add(*score));
        bets.log_e()
    };
    // The mean is 0.336.
    assert!(capital(0.25, Side::Above) > 20f64.ln() && capital(0.25, Side::Below) < 0.0);
    assert!(capital(0.42, Side::Below) > 20f64.ln() && capital(0.42, Side::Above) < 0.0);
    assert!(Bets::new(0.0, Side::Above, 0.05).is_none() && Bets::new(0.5, Side::Above, 1.0).is_none());
}

/// 400 gamblers against grades whose mean is the bar, looked at after every batch: at most one in twenty ever has twenty
/// times his coin.
#[test]
fn a_bar_that_is_met_is_seldom_called_missed() {
    let mut state = 7u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let missed = (0..400).filter(|_| {
        let mut bets = Bets::new(0.9, Side::Below, 0.05).unwrap();
        let grade = |u: f64| if u < 0.7 { 1.0 } else { 2.0 / 3.0 };
        (0..60).any(|_| {
            let batch: Vec<(f64, u64)> = (0..10).map(|_| (grade(random()), 1)).collect();
            bets.add_batch(&batch);
            bets.log_e() >= 20f64.ln()
        })
    });
    let missed = missed.count();
    println!("{missed} of 400 called missed");
    assert!(missed <= 28, "{missed} of 400");
}

proptest! {
    /// One more score at the bar on average never makes money: E[capital] is what it was, whatever came before.
    #[test]
    fn betting_is_fair_at_the_bar(
        before in proptest::collection::vec(0.0f64..1.0, 0..40),
        bar in 0.05f64..0.95,
        above in any::<bool>(),
    ) {
        let side = if above { Side::Above } else { Side::Below };
        let mut bets = Bets::new(bar, side, 0.05).unwrap();
        before.iter().for_each(|score| bets.add(*score));
        let after = |score: f64| {
            let mut next = bets;
            next.add(score);
            (next.log_e() - bets.log_e()).exp()
        };
        // A score of 1 with chance `bar`, else 0.
        prop_assert!((bar * after(1.0) + (1.0 - bar) * after(0.0) - 1.0).abs() < 1e-12);
    }

    /// Within a batch order is nothing, nor whether equal scores are written once or often.
    #[test]
    fn a_batch_has_no_order(batch in proptest::collection::vec((0u32..=10, 1u64..5), 1..12), bar in 0.1f64..0.9) {
        let written = |entries: Vec<(f64, u64)>| {
            let mut bets = Bets::new(bar, Side::Above, 0.05).unwrap();
            bets.add(0.4);
            bets.add_batch(&entries);
            bets.log_e()
        };
        let score = |tenths: u32| f64::from(tenths) / 10.0;
        let forwards = written(batch.iter().map(|(s, n)| (score(*s), *n)).collect());
        let backwards = written(batch.iter().rev().map(|(s, n)| (score(*s), *n)).collect());
        let spread = written(batch.iter().flat_map(|(s, n)| vec![(score(*s), 1); *n as usize]).collect());
        prop_assert!((forwards - backwards).abs() < 1e-9 && (forwards - spread).abs() < 1e-9);
    }
}
