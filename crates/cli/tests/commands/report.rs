//! `flagstone report` over fixed evidence: its page, its object, its drawings, its exit codes.

use std::path::Path;

use super::{flagstone, last_object, shown};

/// Twelve looks at a rollout of five kinds of metrics, three dimensions, an input that changes.
fn inputs() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rollout.json").display().to_string()
}

#[test]
fn the_page_tells_everything() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = inputs();
    let page = flagstone(folder.path(), &["report", "answers", "--inputs", &inputs]);
    insta::assert_snapshot!("report_page", String::from_utf8(page.stdout).unwrap());
    let early =
        ["report", "answers", "--inputs", &inputs, "--as-of", "2026-09-21T21:00:00Z", "--width", "72"];
    let early = flagstone(folder.path(), &early);
    assert_eq!(early.status.code(), Some(0), "{}", shown(&early));
    insta::assert_snapshot!("report_page_of_an_early_look", String::from_utf8(early.stdout).unwrap());
}

#[test]
fn the_object_the_drawings_and_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = inputs();
    let asked = ["report", "answers", "--inputs", &inputs, "--json", "--svg", "plots/today"];
    let output = flagstone(folder.path(), &asked);
    let object = last_object(&output);
    let report = &object["report"];
    assert_eq!(
        (&report["report"], &report["flag"], &report["k"]),
        (&1.into(), &"answers".into(), &20.into())
    );
    let code = match report["standing"].as_str().unwrap() {
        "fine" => 0,
        "taken-back" => 1,
        _ => 3,
    };
    assert_eq!(output.status.code(), Some(code), "{}", shown(&output));
    let drawn: Vec<&str> =
        object["drawn"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert_eq!(drawn, ["plots/today/effects.svg", "plots/today/evidence.svg", "plots/today/slices.svg"]);
    for file in drawn {
        let svg = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(svg.contains("<title>answers: ") && svg.contains("<desc>"), "{file}");
    }
    // The evidence itself never leaves.
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("treatedBad") && !text.contains("moments"), "{text}");
}

#[test]
fn what_cannot_be_reported_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        shown(&flagstone(folder.path(), &[&["report", "answers"][..], arguments].concat()))
    };
    let inputs = inputs();
    std::fs::write(folder.path().join("odd.json"), r#"[{"now": 5}]"#).unwrap();
    std::fs::write(folder.path().join("bad.json"), "no").unwrap();
    insta::assert_snapshot!(run(&["--inputs", &inputs, "--as-of", "5"]), @r"
    exit 2
    err: error: nothing was judged of a rollout of `answers` at that time
    err: hint: `flagstone ledger show DATABASE --kind attempt-begun`
    ");
    insta::assert_snapshot!(run(&["--inputs", "odd.json"]), @r#"
    exit 2
    err: error: look 1 of `odd.json` has no `rules` or no `evidence`
    err: hint: a look is {"rules", "state", "evidence", "now"}
    "#);
    insta::assert_snapshot!(run(&["--inputs", "bad.json"]), @r"
    exit 2
    err: error: `bad.json` is no JSON: expected ident at line 1 column 2
    ");
    insta::assert_snapshot!(run(&["--data", "nowhere"]), @r"
    exit 2
    err: error: there is no `nowhere/govern.sqlite`
    err: hint: --data names the folder of `flagstone up` (`.flagstone`), --database a control plane's file
    ");
}

/// As behind `| head -1`: whoever reads has seen enough.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = std::process::Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(["report", "answers", "--inputs", &inputs()])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(report.stdout.take());
    let output = report.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
