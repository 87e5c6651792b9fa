//! `flagstone ledger` and `flagstone replay` over the files of a real control plane: what was done to them is named, and
//! the past is made again.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const DEFINITION: &str = "\
metadata: { flagSetId: tests, environment: production }
segments: { staff: { when: { ends_with: [{ var: email }, \"@acme.example\"] } } }
metrics: { unsupported: { event: answer, bad: { unsupported: true } } }
flags:
  answers:
    state: ENABLED
    owner: answers@acme.example
    rationale: A test.
    expectedImpact: None.
    worstCase: None.
    rollbackPlan: Halt.
    onExpiry: safe
    variants: { today: answer@12, concise: answer@15 }
    defaultVariant: today
    rollout:
      baseline: today
      candidate: concise
      ceiling: half
      guardrails: [{ metric: unsupported, role: deterioration, promote: { notWorseBy: 50% } }]
      stages:
        - { name: staff, who: staff, bake: 1m }
        - { name: half, treat: 50%, control: 50%, bake: 1h }
";

/// Ends the process with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Plane {
    folder: tempfile::TempDir,
}

impl Plane {
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_flagstone"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap()
    }

    fn done(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        output
    }

    /// Exit code and the object of the last line.
    fn told(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[arguments, &["--json"]].concat());
        let line = text(&output.stdout).lines().last().map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("{arguments:?}: {}", text(&output.stderr)));
        (output.status.code().unwrap(), serde_json::from_str(&line).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Keys, trust root and sealed file.
    fn new() -> Self {
        let plane = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(plane.path("flags.yaml"), DEFINITION).unwrap();
        for role in ["root", "release", "pulse"] {
            plane.done(&[
                "keys",
                "new",
                "--plain",
                &format!("acme.example/{role}"),
                "-o",
                &format!("{role}.key"),
            ]);
        }
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
        plane.done(&[&trust[..], &["--pulse", "pulse.key.pub", "-o", "trust.note"]].concat());
        let seal = [
            "seal",
            "flags.yaml",
            "--audience",
            "acme.example/a",
            "--key",
            "release.key",
            "-o",
            "flags.sealed",
        ];
        plane.done(&seal);
        plane
    }

    fn start(&self) -> (Running, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flagstone"))
            .args([
                "govern",
                "--database",
                "govern.sqlite",
                "--trust",
                "trust.note",
                "--pulse-key",
                "pulse.key",
            ])
            .args(["--audience", "acme.example/a", "--environment", "production", "--listen", "127.0.0.1:0"])
            .args(["--tick", "10s", "--json"])
            .current_dir(self.folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let running = Running(child);
        let started: Value = serde_json::from_str(&line).expect("one object");
        assert_eq!(
            started["logKey"].as_str(),
            Some(std::fs::read_to_string(self.path("govern.log.key.pub")).unwrap().trim())
        );
        (running, format!("http://{}", started["address"].as_str().unwrap()))
    }

    fn order(&self, address: &str, ask: &str) {
        self.done(&[
            ask,
            "answers",
            "--to",
            address,
            "--environment",
            "production",
            "--by",
            "ana",
            "--reason",
            "a test",
        ]);
    }
}

fn stop(mut running: Running) {
    assert!(Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().unwrap().success());
    let until = Instant::now() + Duration::from_secs(30);
    while running.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it ends by SIGTERM");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The widest partial bundle of a log.
fn bundle(log: &Path) -> PathBuf {
    let folder = log.join("tile/entries/000.p");
    let widths =
        std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    folder.join(widths.map(|width| width.parse::<u16>().unwrap()).max().unwrap().to_string())
}

/// Takes the entries of the newest bundle apart, changes them, and writes them back.
fn tamper(log: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let path = bundle(log);
    let bytes = std::fs::read(&path).unwrap();
    let (mut entries, mut rest) = (Vec::new(), bytes.as_slice());
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) = after.split_at(u16::from_be_bytes(*length).into());
        entries.push(entry.to_vec());
        rest = after;
    }
    change(&mut entries);
    let bytes: Vec<u8> = entries
        .iter()
        .flat_map(|entry| [&u16::try_from(entry.len()).unwrap().to_be_bytes()[..], entry].concat())
        .collect();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn the_ledger_is_verified_proven_and_shown() {
    let plane = Plane::new();
    let (running, address) = plane.start();
    plane.done(&["publish", "flags.sealed", "--definition", "flags.yaml", "--to", &address]);
    plane.order(&address, "start");
    let key = ["--key", "govern.log.key.pub"];
    let log = format!("{address}/v1/environments/production/log");

    // Over HTTP, in the folder, in the database: the same.
    let verify =
        |what: &str, more: &[&str]| plane.told(&[&["ledger", "verify", what], &key[..], more].concat());
    let (code, first) = verify(&log, &["--since", "remembered"]);
    assert_eq!((code, &first["verified"], &first["since"]), (0, &json!(true), &Value::Null), "{first}");
    plane.order(&address, "halt");
    let (code, second) = verify(&log, &["--since", "remembered"]);
    assert_eq!((code, &second["since"]), (0, &first["entries"]), "{second}");
    assert!(second["entries"].as_u64() > first["entries"].as_u64());
    let shown = plane.done(&["ledger", "show", &log, key[0], key[1], "--json", "--flag", "answers"]);
    let kinds: Vec<String> = text(&shown.stdout)
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["record"]["kind"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(kinds, ["attempt-begun", "ceiling-raised", "started", "halted"]);
    stop(running);
    let (code, of_folder) = verify("govern.ledger", &["--since", "remembered"]);
    assert_eq!((code, &of_folder["root"]), (0, &second["root"]), "{of_folder}");
    let (code, of_database) = verify("govern.sqlite", &[]);
    assert_eq!((code, &of_database["root"]), (0, &second["root"]), "{of_database}");
    assert_eq!(
        (&of_database["database"]["entries"], &of_database["database"]["words"]),
        (&second["entries"], &json!(2))
    );
    let people = text(&plane.done(&["ledger", "show", "govern.sqlite", "--kind", "halted"]).stdout);
    assert!(people.starts_with("#11 ") && people.contains("halted `answers` a test (by ana)"), "{people}");
    let without =
        text(&plane.done(&["ledger", "show", "govern.ledger", key[0], key[1], "--kind", "halted"]).stdout);
    assert!(without.contains("(by a person; words ") && !without.contains("ana"), "{without}");

    // A proof travels alone.
    let prove = ["ledger", "prove", "9", "govern.ledger", "-o", "9.tlog-proof", "--entry", "9.json"];
    assert_eq!(plane.told(&[&prove[..], &key].concat()).1["proven"], true);
    let offline = ["ledger", "verify", "--proof", "9.tlog-proof", "--entry", "9.json"];
    let (code, proof) = plane.told(&[&offline[..], &key].concat());
    assert_eq!((code, &proof["entry"], &proof["root"]), (0, &json!(9), &second["root"]));
    std::fs::write(plane.path("9.json"), "{}").unwrap();
    assert_eq!(plane.told(&[&offline[..], &key].concat()).0, 1);
    let (code, none) =
        plane.told(&[&["ledger", "prove", "99", "govern.ledger", "-o", "99"], &key[..]].concat());
    assert_eq!((code, &none["proven"]), (1, &json!(false)));

    // What cannot be tried is not a bad ledger.
    assert_eq!(plane.run(&["ledger", "verify", "nowhere", key[0], key[1]]).status.code(), Some(2));
    assert_eq!(plane.run(&["ledger", "verify", "govern.ledger"]).status.code(), Some(2));
    assert_eq!(plane.run(&["ledger", "verify", "govern.ledger", "--key", "no key"]).status.code(), Some(2));
    let dead = "http://127.0.0.1:1/log";
    assert_eq!(plane.run(&["ledger", "verify", dead, key[0], key[1]]).status.code(), Some(2));
    assert_eq!(plane.told(&["ledger", "verify", "govern.ledger", "--key", "pulse.key.pub"]).0, 1);

    // What an insider does to the files is named.
    let size = second["entries"].as_u64().unwrap();
    type Change = fn(&mut Vec<Vec<u8>>);
    let cases: [(Change, u64); 4] = [
        (|entries| drop(entries.pop()), size),
        (|entries| entries.get_mut(4).unwrap()[30] ^= 1, 5),
        (|entries| entries.swap(2, 6), 3),
        (|entries| drop(entries.remove(7)), 8),
    ];
    for (change, entry) in cases {
        let _ = std::fs::remove_dir_all(plane.path("other"));
        copy(&plane.path("govern.ledger"), &plane.path("other"));
        tamper(&plane.path("other"), change);
        let (code, bad) = verify("other", &[]);
        assert_eq!((code, &bad["verified"], &bad["entry"]), (1, &json!(false), &json!(entry)), "{bad}");
    }
    // An older log in place of the newer is sound by itself; who remembers is not deceived, and nothing is forgotten.
    let remembered = std::fs::read(plane.path("remembered")).unwrap();
    let (running, address) = plane.start();
    plane.order(&address, "resume");
    let live = format!("{address}/v1/environments/production/log");
    assert_eq!(verify(&live, &["--since", "remembered"]).0, 0);
    stop(running);
    std::fs::remove_dir_all(plane.path("other")).unwrap();
    copy(&plane.path("govern.ledger"), &plane.path("other"));
    std::fs::write(plane.path("other/checkpoint"), remembered).unwrap();
    assert_eq!(verify("other", &[]).0, 0);
    let newer = std::fs::read(plane.path("remembered")).unwrap();
    let (code, bad) = verify("other", &["--since", "remembered"]);
    assert_eq!((code, &bad["entry"]), (1, &json!(size + 1)), "{bad}");
    assert!(std::fs::read(plane.path("remembered")).unwrap() == newer);
}

#[tokio::test]
async fn the_past_is_made_again() {
    let plane = Plane::new();
    let (running, address) = plane.start();
    plane.done(&["publish", "flags.sealed", "--definition", "flags.yaml", "--to", &address]);
    plane.order(&address, "start");
    let pulse = reqwest::get(format!("{address}/v1/environments/production/pulse")).await.unwrap();
    let pulse = pulse.bytes().await.unwrap();
    std::fs::write(plane.path("pulse.note"), &pulse).unwrap();
    plane.order(&address, "halt");
    let halted = reqwest::get(format!("{address}/v1/environments/production/pulse")).await.unwrap();
    std::fs::write(plane.path("halted.note"), halted.bytes().await.unwrap()).unwrap();
    // A decision of the control plane: the ceiling is taken away, and the rollout is closed.
    std::fs::write(plane.path("next.yaml"), DEFINITION.replace("ceiling: half", "ceiling: null")).unwrap();
    let seal =
        ["seal", "next.yaml", "--audience", "acme.example/a", "--key", "release.key", "-o", "next.sealed"];
    plane.done(&[&seal[..], &["--after", "flags.sealed"]].concat());
    plane.done(&["publish", "next.sealed", "--definition", "next.yaml", "--to", &address]);
    // A report from the running control plane, and from its database once it is gone: closed, so somebody must start it.
    let asked = ["report", "answers", "--environment", "production", "--to", &address];
    let (code, running_told) = plane.told(&asked);
    assert_eq!((code, &running_told["report"]["standing"]), (3, &json!("person")), "{running_told}");
    assert_eq!(
        (&running_told["report"]["candidate"], &running_told["report"]["attempt"]),
        (&json!("concise"), &json!(1))
    );
    let long_ago = plane.run(&[&asked[..], &["--as-of", "5"]].concat());
    assert_eq!(long_ago.status.code(), Some(2), "{}", text(&long_ago.stderr));
    assert!(text(&long_ago.stderr).contains("no-report"), "{}", text(&long_ago.stderr));
    stop(running);
    let (code, later_told) = plane.told(&["report", "answers", "--database", "govern.sqlite"]);
    assert_eq!((code, &later_told["report"]["phase"]), (3, &running_told["report"]["phase"]), "{later_told}");

    let issued =
        text(&pulse).lines().find_map(|line| line.strip_prefix("issued ")?.parse::<u64>().ok()).unwrap();
    let at = issued.to_string();
    let context = r#"{"targetingKey":"ana","email":"ana@acme.example"}"#;
    let replay = |pulse: &[&str], at: &str, more: &[&str]| {
        let fixed = [
            "replay",
            "--sealed",
            "flags.sealed",
            "--trust",
            "trust.note",
            "--flag",
            "answers",
            "--context",
            context,
        ];
        plane.told(&[&fixed[..], pulse, &["--at", at], more].concat())
    };
    let with = ["--pulse", "pulse.note"];
    let (code, open) = replay(&with, &at, &[]);
    assert_eq!((code, &open["decision"]["variant"]), (0, &json!("concise")), "{open}");
    assert!(open["trace"].as_array().is_some_and(|trace| trace.len() > 3), "{open}");
    let decision = open["decision"].to_string();
    assert_eq!(replay(&with, &at, &["--expect", &decision]).0, 0);
    std::fs::write(plane.path("decision.json"), &decision).unwrap();
    assert_eq!(replay(&with, &at, &["--expect", "@decision.json"]).0, 0);
    // Otherwise it comes out otherwise: halted, without a pulse, after the pulse had run out.
    for (pulse, at, detail) in [
        (&["--pulse", "halted.note"][..], at.clone(), "halt"),
        (&[], at.clone(), "expired"),
        (&with, (issued + 100_000).to_string(), "expired"),
    ] {
        let (code, other) = replay(pulse, &at, &["--expect", &decision]);
        assert_eq!((code, &other["same"]), (1, &json!(false)), "{other}");
        assert_eq!(other["decision"]["variant"], "today", "{other}");
        assert_eq!(other["decision"]["detail"], detail, "{other}");
    }
    // Before the file was issued and after it had expired it was not in force.
    for at in [(issued - 100_000).to_string(), (issued + 100_000_000).to_string()] {
        let (code, refused) = replay(&[], &at, &[]);
        assert_eq!((code, refused["code"].is_string()), (1, true), "{refused}");
    }
    let moment =
        humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + Duration::from_secs(issued)).to_string();
    assert_eq!(replay(&with, &moment, &["--expect", &decision]).0, 0);

    // The ledger's own decisions: this one, and what is none is said to be none.
    let (code, all) = plane.told(&["replay", "--database", "govern.sqlite", "--all"]);
    let history = text(&plane.done(&["ledger", "show", "govern.sqlite"]).stdout);
    assert_eq!((code, all), (0, json!({"same": true, "replayed": 1, "different": []})), "{history}");
    let shown = text(&plane.done(&["ledger", "show", "govern.sqlite", "--kind", "decision"]).stdout);
    assert!(
        shown.contains("`answers` open at stage 0 -> closed: the newest snapshot approves no stage"),
        "{shown}"
    );
    let number = shown.split(' ').next().and_then(|word| word.strip_prefix('#')).unwrap();
    let one = text(&plane.done(&["replay", "--database", "govern.sqlite", "--ledger", number]).stdout);
    assert!(one.contains("the same, bit for bit"), "{one}");
    assert_eq!(plane.run(&["replay", "--database", "govern.sqlite", "--ledger", "3"]).status.code(), Some(2));
}
