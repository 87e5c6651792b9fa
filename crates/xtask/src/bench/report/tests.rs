//! The budget is held against what was measured.

use super::*;

fn report() -> Report {
    let part = serde_json::json!({"rows": [
        {"engine": "flagstone native", "task": "one-flag", "p50Ns": 100.0, "xRef": 2.0, "allocations": 0.5},
        {"engine": "flagstone native", "task": "one-flag-of-5000", "p50Ns": 400.0, "xRef": 8.0},
        {"engine": "another", "task": "one-flag", "p50Ns": 500.0, "p99Ns": 600.0, "xRef": 10.0},
    ], "checked": [["flagstone native", 200000]], "missing": [["third", "it does not build"]]});
    let machine = || Machine { cpu: "a cpu".into(), cores: 2, load: "0 0 0".into() };
    let parts = vec![("native", serde_json::from_value(part).unwrap())];
    Report { parts, before: machine(), after: machine(), quick: false }
}

#[test]
fn what_exceeds_the_budget_is_named() {
    let budgets = r#"
        limit = [{ engine = "flagstone native", task = "one-flag", allocations = 0, x_ref = 2.0 },
                 { engine = "flagstone.js", task = "one-flag", x_ref = 2.0 }]
        ratio = [{ engine = "flagstone native", task = "one-flag-of-5000", to = "one-flag", most = 1.5 }]
    "#;
    let over = report().over(budgets, false).unwrap();
    let expected = [
        "flagstone native, one-flag: 0.50 allocations, at most 0",
        "flagstone native: one-flag-of-5000 is 4.00 x one-flag, at most 1.5",
    ];
    assert_eq!(over, expected);
    assert!(
        report().over(budgets, true).unwrap().contains(&"flagstone.js, one-flag was not measured".into())
    );
    assert_eq!(report().json(&over)["ok"], false);
}

#[test]
fn a_peer_is_told_in_times_ours() {
    let report = report();
    let part = &report.parts[0].1;
    let line = part.rows[2].line(part.ours("one-flag"));
    assert!(line.ends_with("5.00") && line.contains("500.0 ns"), "{line}");
}

#[test]
fn the_committed_budget_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../host-tests/bench/budgets.toml");
    assert!(report().over(&std::fs::read_to_string(path).unwrap(), false).is_ok());
}
