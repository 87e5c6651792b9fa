//! The real binary, whole: exit codes, standard output and standard error of every offline command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "commands/report.rs"]
mod report;

use std::path::Path;
use std::process::{Command, Output};

const DEFINITION: &str = "\
metadata: { flagSetId: tests, environment: production }
flags:
  new-answers:
    state: ENABLED
    variants: { on: true, off: false }
    defaultVariant: off
    targeting: { if: [{ ends_with: [{ var: email }, \"@acme.example\"] }, on] }
";

fn flagstone(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

/// Exit code, standard output and standard error, with times and keys blotted out.
fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut all = format!("exit {}\n", output.status.code().unwrap());
    for (name, part) in [("out", text(&output.stdout)), ("err", text(&output.stderr))] {
        for line in part.lines() {
            all += format!("{name}: {}", blot(line)).trim_end();
            all.push('\n');
        }
    }
    all
}

/// Replaces moments, digests and key material, which differ from run to run.
fn blot(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let moment = word.len() >= 20 && word.contains('T') && word.contains("Z");
        let key = word.matches('+').count() >= 2 && word.contains('/');
        let digest = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = word.trim_matches(['(', ')', ',', ';']);
        let id = id.len() == 8 && word.starts_with('(') && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        words.push(match () {
            () if id => "[id]".into(),
            () if moment => format!("[time]{}", word.get(20..).unwrap_or_default()),
            () if key => "[key]".into(),
            () if digest => "[digest]".into(),
            () => word.into(),
        });
    }
    words.join(" ")
}

fn last_object(output: &Output) -> serde_json::Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    serde_json::from_str(text.lines().last().expect("a last line")).expect("it is one JSON object")
}

#[test]
fn from_a_definition_to_a_verified_file() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| flagstone(folder.path(), arguments);
    std::fs::write(folder.path().join("flags.yaml"), DEFINITION).unwrap();

    insta::assert_snapshot!(shown(&run(&["compile", "flags.yaml", "-o", "flags.snapshot"])), @r"
    exit 0
    out: 1 flag (0 with a plan) for `production`: 417 bytes, written to flags.snapshot
    ");
    for role in ["root", "release", "pulse"] {
        let name = format!("acme.example/{role}");
        let made = run(&["keys", "new", &name, "-o", &format!("{role}.key"), "--plain"]);
        assert!(made.status.success(), "{}", shown(&made));
    }
    let again = run(&["keys", "new", "acme.example/root", "-o", "root.key", "--plain"]);
    insta::assert_snapshot!(shown(&again), @r"
    exit 2
    err: error: `root.key` exists; a key is never overwritten
    err: hint: name another file
    ");
    let trust = [
        "trust",
        "init",
        "--environment",
        "production",
        "--root",
        "root.key",
        "--release",
        "release.key.pub",
    ];
    let trust = run(&[&trust[..], &["--pulse", "pulse.key.pub", "-o", "trust.note"]].concat());
    insta::assert_snapshot!(shown(&trust), @r"
    exit 0
    out: trust root version 1, epoch 1, until [time] (trust.note)
    out:   root: 1 of acme.example/root [id]
    out:   release:production: 1 of acme.example/release [id]
    out:   pulse:production: 1 of acme.example/pulse [id]
    out:   root keys: 1 of 1 signatures: acme.example/root [id]
    out: ready
    ");
    let seal = ["--audience", "acme.example/a", "--key", "release.key"];
    let sealed = run(&[&["seal", "flags.snapshot", "-o", "one.sealed"], &seal[..]].concat());
    insta::assert_snapshot!(shown(&sealed), @r"
    exit 0
    out: sealed for `acme.example/a` in `production`, sequence 1, until [time]: one.sealed (863 bytes)
    ");
    let next =
        run(&[&["seal", "flags.yaml", "-o", "two.sealed", "--after", "one.sealed", "--json"], &seal[..]]
            .concat());
    let next = last_object(&next);
    assert_eq!((&next["sealed"], &next["sequence"]), (&true.into(), &2.into()));

    let open = ["--trust", "trust.note", "--audience", "acme.example/a", "--environment"];
    let opened = run(&[&["open", "two.sealed"], &open[..], &["production"]].concat());
    insta::assert_snapshot!(shown(&opened), @r"
    exit 0
    out: opened: `acme.example/a` in `production`, epoch 1, sequence 2, signed by acme.example/release
    out:   issued [time], until [time]
    out:   digest [digest]
    out:   1 flags, 417 bytes
    ");
    let mut forged = std::fs::read(folder.path().join("two.sealed")).unwrap();
    *forged.last_mut().unwrap() ^= 1;
    std::fs::write(folder.path().join("forged.sealed"), forged).unwrap();
    let refused = run(&[&["open", "forged.sealed", "--json"], &open[..], &["production"]].concat());
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(last_object(&refused)["code"], "payload-digest");

    let asked =
        ["evaluate", "new-answers", "--sealed", "two.sealed", "--context", r#"{"email":"ana@acme.example"}"#];
    let decided = run(&[&asked[..], &open[..], &["production"]].concat());
    insta::assert_snapshot!(shown(&decided), @r"
    exit 0
    out: new-answers: on = true
    out:   because TARGETING_MATCH
    ");
}

#[test]
fn a_definition_with_errors_is_shown_as_a_compiler_would() {
    let folder = tempfile::tempdir().unwrap();
    let wrong =
        DEFINITION.replace("defaultVariant: off", "defaultVariant: of").replace("ends_with", "endswith");
    std::fs::write(folder.path().join("flags.yaml"), wrong).unwrap();
    let output = flagstone(folder.path(), &["compile", "flags.yaml", "-o", "flags.snapshot"]);
    insta::assert_snapshot!(shown(&output));
    assert!(!folder.path().join("flags.snapshot").exists(), "nothing is written");
    let object = last_object(&flagstone(folder.path(), &["compile", "flags.yaml", "--json"]));
    assert_eq!(object["built"], false);
    let lines: Vec<_> =
        object["diagnostics"].as_array().unwrap().iter().map(|one| one["line"].clone()).collect();
    assert_eq!(lines, [6, 7]);
}

#[test]
fn evaluate_explains_and_reports_errors() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("flags.yaml"), DEFINITION).unwrap();
    let ask = |flag: &str, more: &[&str]| {
        let arguments = ["evaluate", flag, "--definition", "flags.yaml", "--now", "1790000000"];
        flagstone(folder.path(), &[&arguments[..], more].concat())
    };
    insta::assert_snapshot!(shown(&ask("new-answers", &["--explain"])), @r#"
    exit 0
    out: new-answers: off = false
    out:   because DEFAULT
    out:   at [time], in this order:
    out:     yes flag-exists
    out:     yes definition-usable
    out:     yes enabled
    out:     yes not-halted
    out:     yes pulse                    onExpiry hold, until 1790000300
    out:     no  targeting                answer null
    out:         rule 1 did not match
    out:           `email` (null) ends_with "@acme.example": null
    out:     yes default                  variant off
    "#);
    let unknown = ask("nobody", &["--json"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(last_object(&unknown)["errorCode"], "FLAG_NOT_FOUND");
    insta::assert_snapshot!(shown(&ask("new-answers", &["--context", "[1]"])), @r#"
    exit 2
    err: error: the context is not an object of attributes
    err: hint: a context is a JSON object like {"targetingKey":"ana"}
    "#);
}

#[test]
fn every_command_has_help_with_an_example() {
    let folder = std::env::temp_dir();
    for command in [
        "compile",
        "keys new",
        "keys show",
        "keys import",
        "keys rotate",
        "keys revoke",
        "trust init",
        "trust propose",
        "trust sign",
        "trust show",
        "trust publish",
        "seal",
        "sign",
        "publish",
        "open",
        "evaluate",
        "host",
        "govern",
        "start",
        "halt",
        "resume",
        "plan check",
        "simulate",
        "up",
    ] {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let output = flagstone(&folder, &arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("Example"), "`{command} --help`:\n{text}");
        assert!(text.contains("--json"), "`{command}` has no --json");
    }
}

#[test]
fn a_canary_that_is_answered_otherwise_is_found_before_anything_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| flagstone(folder.path(), arguments);
    let canaries = "    canaries:
      - { context: { email: ana@acme.example }, variant: on }
      - { context: { email: ana@other.example }, variant: on }
";
    std::fs::write(folder.path().join("flags.yaml"), format!("{DEFINITION}{canaries}")).unwrap();
    insta::assert_snapshot!(shown(&run(&["compile", "flags.yaml", "-o", "flags.snapshot"])), @r"
    exit 1
    out: nothing built: 1 error
    err: error[FS0605]: this canary is answered with `off`
    err:   --> flags.yaml:10:9
    err:    |
    err: 10 |       - { context: { email: ana@other.example }, variant: on }
    err:    |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    err:    |
    err:    = hint: canaries are asked without a pulse, at `at` (1970 when it does not say)
    err:
    ");
    assert!(!run(&["compile", "--lenient", "flags.yaml", "-o", "flags.snapshot"]).status.success());
    assert!(!folder.path().join("flags.snapshot").exists());
}

const PLAN: &str = "\
metadata: { flagSetId: tests, environment: production }
metrics: { unsupported: { event: answer, bad: { unsupported: true } } }
flags:
  answers:
    state: ENABLED
    owner: answers@acme.example
    rationale: Shorter answers.
    expectedImpact: None.
    worstCase: Wrong answers.
    rollbackPlan: Halt.
    variants: { today: 1, concise: 2 }
    defaultVariant: today
    rollout:
      candidate: concise
      guardrails: [{ metric: unsupported, role: deterioration, promote: { notWorseBy: 10% } }]
      stages:
        - { name: 1%, treat: 1%, control: 9%, bake: 24h }
        - { name: 50%, treat: 50%, control: 50%, bake: 72h }
";

#[test]
fn a_plan_is_told_what_it_can_see() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| flagstone(folder.path(), arguments);
    std::fs::write(folder.path().join("plan.yaml"), PLAN).unwrap();
    let check = ["plan", "check", "plan.yaml", "--rollouts", "60", "--json", "--units-per-day"];

    let blind = run(&[&check[..], &["1000"]].concat());
    assert_eq!(blind.status.code(), Some(1), "{}", shown(&blind));
    let object = last_object(&blind);
    assert_eq!((&object["checked"], &object["seesDoubling"]), (&true.into(), &false.into()));
    let words = object["plans"][0]["stages"][0]["metrics"][0]["words"].as_str().unwrap();
    assert!(words.contains("this stage cannot see a doubling"), "{words}");
    assert!(words.contains("It can hardly show \"at most 10 % worse\""), "{words}");

    let seeing = run(&[&check[..], &["400000"]].concat());
    assert_eq!(seeing.status.code(), Some(0), "{}", shown(&seeing));
    assert_eq!(last_object(&seeing)["seesDoubling"], true);

    let unknown = run(&[&check[..], &["10", "--base-rate", "speed=3%"]].concat());
    assert_eq!(unknown.status.code(), Some(1), "{}", shown(&unknown));
    assert!(shown(&unknown).contains("`speed`, which is no metric"), "{}", shown(&unknown));
    let without = run(&["plan", "check", "gone.yaml", "--units-per-day", "10"]);
    assert_eq!(without.status.code(), Some(2), "{}", shown(&without));
}

#[test]
fn rollouts_are_simulated_with_a_seed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| flagstone(folder.path(), arguments);
    std::fs::write(folder.path().join("plan.yaml"), PLAN).unwrap();

    let simulate = ["simulate", "--scenario", "fivefold", "--rollouts", "6", "--json"];
    let first = run(&simulate);
    assert_eq!(first.status.code(), Some(0), "{}", shown(&first));
    let object = last_object(&first);
    assert_eq!((&object["holds"], &object["rows"][0]["rolledBack"]["count"]), (&true.into(), &6.into()));
    assert_eq!(first.stdout, run(&simulate).stdout, "the same seed, the same numbers");
    assert_ne!(first.stdout, run(&[&simulate[..], &["--seed", "2"]].concat()).stdout);

    let own = ["simulate", "--definition", "plan.yaml", "--units", "3000", "--rollouts", "3", "--json"];
    let own = run(&[&own[..], &["--base-rate", "unsupported=10%"]].concat());
    assert_eq!(own.status.code(), Some(0), "{}", shown(&own));
    assert_eq!(last_object(&own)["rows"][2]["scenario"], "answers/unsupported-fivefold");

    let unknown = run(&["simulate", "--scenario", "tripling"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", shown(&unknown));
    assert!(shown(&unknown).contains("hint: there are same-half"), "{}", shown(&unknown));
}
