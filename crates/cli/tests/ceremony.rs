//! The whole life of a trust root with the real binary: three people in folders of their own, 2-of-3, a control plane,
//! a rotated release key, a revoked one, and the way back from a stolen key's huge number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};

use common::{Running, flagstone, govern, object, said, told};
use serde_json::{Value, json};

const PEOPLE: [&str; 3] = ["ana", "ben", "cyd"];
const AUDIENCE: [&str; 2] = ["--audience", "acme.example/assistant"];

fn definition(ceiling: &str, value: &str) -> String {
    format!(
        "\
metadata: {{ flagSetId: ceremony, environment: production }}
metrics:
  wrong: {{ event: answer, bad: {{ wrong: true }} }}
flags:
  answers:
    state: ENABLED
    owner: answers@acme.example
    rationale: Shorter answers tested better with support agents.
    expectedImpact: Satisfaction up two points.
    worstCase: Confident wrong advice to paying customers.
    rollbackPlan: Halt; every surface serves today within a minute.
    onExpiry: safe
    variants: {{ today: answer@12, concise: {value} }}
    defaultVariant: today
    rollout:
      baseline: today
      candidate: concise
      ceiling: {ceiling}
      guardrails:
        - {{ metric: wrong, role: deterioration, share: 100%, promote: {{ notWorseBy: 10% }} }}
      stages:
        - {{ name: 5%, treat: 5%, control: 10%, bake: 60s, need: {{ units: 20 }} }}
        - {{ name: 50%, treat: 50%, control: 50%, bake: 60s }}
"
    )
}

/// Three people, each with a folder, a passphrase and keys that never leave the folder.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        for person in PEOPLE {
            let home = world.home(person);
            std::fs::create_dir(&home).unwrap();
            std::fs::write(home.join("passphrase"), format!("the long passphrase of {person}\n")).unwrap();
            for role in ["root", "release"] {
                world.new_key(person, role);
            }
        }
        let governor = world.home("governor");
        std::fs::create_dir(&governor).unwrap();
        std::fs::write(governor.join("passphrase"), "the long passphrase of the machine\n").unwrap();
        let new = ["keys", "new", "acme.example/pulse", "-o", "pulse.key", "--work-factor", "10"];
        said(&governor, &[&new[..], &["--passphrase-file", "passphrase"]].concat());
        world
    }

    fn home(&self, person: &str) -> PathBuf {
        self.folder.path().join(person)
    }

    fn new_key(&self, person: &str, role: &str) {
        let (name, file) = (format!("acme.example/{role}-{person}"), format!("{role}.key"));
        let new = ["keys", "new", &name, "-o", &file, "--work-factor", "10"];
        said(&self.home(person), &[&new[..], &["--passphrase-file", "passphrase"]].concat());
    }

    /// Gives a file to somebody else, as by mail.
    fn pass(&self, file: &str, from: &str, to: &str) {
        let name = Path::new(file).file_name().unwrap();
        std::fs::copy(self.home(from).join(file), self.home(to).join(name)).unwrap();
    }

    fn pass_to_all(&self, file: &str, from: &str) {
        for to in PEOPLE.into_iter().chain(["governor"]).filter(|to| *to != from) {
            self.pass(file, from, to);
        }
    }

    /// A person's command that must answer with this exit code.
    fn by(&self, person: &str, arguments: &[&str], code: i32) -> Value {
        object(&self.home(person), arguments, code)
    }

    /// A person signs with their passphrase.
    fn signs(&self, person: &str, arguments: &[&str]) -> Value {
        self.by(person, &[arguments, &["--passphrase-file", "passphrase"]].concat(), 0)
    }

    /// A proposal in ana's folder is signed by ana and by another, and is the trust note of everybody then.
    fn agree(&self, proposal: &str, second: &str) {
        let sign = ["trust", "sign", proposal, "--trust", "trust.note", "--key", "root.key", "--yes"];
        let first = self.signs("ana", &sign);
        assert_eq!((&first["ready"], &first["reason"]), (&json!(false), &json!("threshold")), "{first}");
        assert_eq!(
            first["signatures"]["own"]["missing"],
            json!(["acme.example/root-ben", "acme.example/root-cyd"])
        );
        assert_eq!(self.by("ana", &["trust", "show", proposal, "--trust", "trust.note"], 1)["ready"], false);
        self.pass(proposal, "ana", second);
        assert_eq!(self.signs(second, &sign)["ready"], true);
        self.pass(proposal, second, "ana");
        let shown = self.by("ana", &["trust", "show", proposal, "--trust", "trust.note"], 0);
        assert_eq!(
            shown["signatures"]["own"]["signed"],
            json!(["acme.example/root-ana", format!("acme.example/root-{second}")])
        );
    }

    /// The agreed note takes the place of the one before in every folder.
    fn take_over(&self, proposal: &str) {
        std::fs::copy(self.home("ana").join(proposal), self.home("ana").join("trust.note")).unwrap();
        self.pass_to_all("trust.note", "ana");
    }

    /// Seals a definition by one person, has another sign, and publishes it.
    fn release(
        &self,
        plane: &str,
        file: &str,
        after: Option<&str>,
        people: (&str, &str),
        value: &str,
    ) -> Value {
        let text = definition("5%", value);
        for person in [people.0, people.1] {
            std::fs::write(self.home(person).join("flags.yaml"), &text).unwrap();
        }
        let after: Vec<&str> = after.map(|after| vec!["--after", after]).unwrap_or_default();
        let seal = ["seal", "flags.yaml", "--key", "release.key", "--trust", "trust.note", "-o", file];
        let sealed = self.signs(people.0, &[&seal[..], &AUDIENCE, &after].concat());
        assert_eq!(
            (&sealed["sealed"], &sealed["signatures"]["needed"]),
            (&json!(true), &json!(2)),
            "{sealed}"
        );
        self.pass(file, people.0, people.1);
        let sign = ["sign", file, "--key", "release.key", "--trust", "trust.note", "--yes"];
        let signed = self.signs(people.1, &sign);
        assert_eq!(
            signed["digest"], sealed["digest"],
            "the second signature changes nothing of what is signed"
        );
        self.pass(file, people.1, "ana");
        self.pass_to_all(file, "ana");
        let publish = ["publish", file, "--definition", "flags.yaml", "--to", plane];
        self.by(people.1, &publish, 0)
    }

    fn explained(&self, file: &str, more: &[&str], code: i32) -> Value {
        let open = ["open", file, "--trust", "trust.note", "--environment", "production", "--explain"];
        self.by("cyd", &[&open[..], &AUDIENCE, more].concat(), code)
    }

    fn plane(&self) -> (Running, String) {
        let plane = ["--database", "g.sqlite", "--trust", "trust.note", "--pulse-key", "pulse.key"];
        let place = ["--environment", "production", "--passphrase-file", "passphrase"];
        govern(&self.home("governor"), &[&plane[..], &AUDIENCE, &place].concat())
    }
}

/// Version 1: 2-of-3 root keys, 2-of-3 release keys; ana begins, cyd agrees.
fn found(world: &World) {
    for (from, to) in [("ben", "ana"), ("cyd", "ana"), ("governor", "ana")] {
        for file in ["root.key.pub", "release.key.pub", "pulse.key.pub"] {
            if let Ok(bytes) = std::fs::read(world.home(from).join(file)) {
                std::fs::write(world.home(to).join(format!("{from}-{file}")), bytes).unwrap();
            }
        }
    }
    let init =
        ["trust", "init", "--environment", "production", "--root-threshold", "2", "--release-threshold", "2"];
    let keys = [
        "--root",
        "root.key",
        "--root",
        "ben-root.key.pub",
        "--root",
        "cyd-root.key.pub",
        "--release",
        "release.key.pub",
        "--release",
        "ben-release.key.pub",
        "--release",
        "cyd-release.key.pub",
        "--pulse",
        "governor-pulse.key.pub",
        "-o",
        "trust.note",
    ];
    let begun = world.signs("ana", &[&init[..], &keys].concat());
    assert_eq!((&begun["ready"], &begun["reason"]), (&json!(false), &json!("threshold")));
    assert_eq!(world.by("ana", &["trust", "show", "trust.note"], 1)["ready"], false);
    world.pass("trust.note", "ana", "cyd");
    let sign = ["trust", "sign", "trust.note", "--key", "root.key", "--yes"];
    assert_eq!(world.signs("cyd", &sign)["ready"], true);
    world.pass_to_all("trust.note", "cyd");
}

#[test]
fn three_people_found_rotate_revoke_and_recover() {
    let world = World::new();
    found(&world);
    let (running, plane) = world.plane();

    // One release signature is not enough, and the explanation says whose is missing.
    let first = world.release(&plane, "one.sealed", None, ("ana", "ben"), "answer@15");
    assert_eq!(first["current"], true, "{first}");
    let told = world.explained("one.sealed", &[], 0);
    assert_eq!(
        told["explanation"]["signatures"]["signed"],
        json!(["acme.example/release-ana", "acme.example/release-ben"])
    );
    assert_eq!(told["explanation"]["signatures"]["missing"], json!(["acme.example/release-cyd"]));
    assert_eq!(told["ceilings"], json!({"answers": "5%"}));
    let checks = told["explanation"]["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 11);
    assert!(checks.iter().all(|check| check["passed"] == true), "{checks:?}");

    // Rotate ana's release key: the old one stays beside the new one until something newer is published.
    let rotate = ["keys", "rotate", "release.key.pub", "--trust", "trust.note", "--new-key", "release-2.key"];
    let more = ["--keep-old", "--work-factor", "10", "-o", "rotate.note"];
    let proposed = world.signs("ana", &[&rotate[..], &more].concat());
    assert_eq!((&proposed["version"], &proposed["ready"]), (&json!(2), &json!(false)));
    world.agree("rotate.note", "ben");
    assert_eq!(
        world.by("ana", &["trust", "publish", "rotate.note", "--to", &plane], 0)["answer"]["version"],
        2
    );
    world.take_over("rotate.note");
    std::fs::rename(world.home("ana").join("release-2.key"), world.home("ana").join("release.key")).unwrap();
    let second = world.release(&plane, "two.sealed", Some("one.sealed"), ("ana", "cyd"), "answer@16");
    assert_eq!((&second["current"], &second["answer"]["waits"]), (&json!(true), &Value::Null), "{second}");
    let told = world.explained("two.sealed", &["--after", "one.sealed"], 0);
    let changes = told["explanation"]["changes"].to_string();
    assert!(
        changes.contains("answer@16") && changes.contains("sequence 1 -> epoch 1, sequence 2"),
        "{changes}"
    );
    let older = world.explained("one.sealed", &["--after", "two.sealed"], 1);
    assert_eq!(older["code"], "rollback");

    // A thief has ana's and ben's release keys, and signs a number beyond which nothing honest goes on.
    let thief = ["seal", "flags.yaml", "--key", "release.key"];
    std::fs::copy(world.home("ben").join("passphrase"), world.home("ana").join("bens")).unwrap();
    let far = ["--sequence", "9000000000000000000", "-o", "far.sealed"];
    world.signs("ana", &[&thief[..], &AUDIENCE, &far].concat());
    let other = ["sign", "far.sealed", "--key", "../ben/release.key", "--yes", "--passphrase-file", "bens"];
    world.by("ana", &other, 0);
    world.by("ana", &["publish", "far.sealed", "--definition", "flags.yaml", "--to", &plane], 0);
    let honest = ["publish", "two.sealed", "--definition", "flags.yaml", "--to", &plane];
    let refused = flagstone(&world.home("cyd"), &honest);
    assert!(
        !refused.status.success() && common::told(&refused).contains("rollback"),
        "{}",
        common::told(&refused)
    );

    // Ben's release key is revoked, with a new epoch, a floor and a key that takes its place.
    said(&world.home("ben"), &["keys", "new", "acme.example/release-ben", "-o", "again.key", "--plain"]);
    world.pass("again.key.pub", "ben", "ana");
    let revoke = ["keys", "revoke", "acme.example/release-ben", "--trust", "trust.note", "-o", "revoke.note"];
    let hinted = world.by("ana", &revoke, 0);
    assert!(
        hinted["hints"][0].as_str().unwrap().contains("--raise-epoch --floor production 2 1"),
        "{hinted}"
    );
    let floor = ["--add-release", "again.key.pub", "--raise-epoch", "--floor", "production", "2", "1"];
    let proposed = world.by("ana", &[&revoke[..], &floor].concat(), 0);
    let changes = proposed["changes"].to_string();
    for words in ["revokes acme.example/release-ben", "epoch 1 -> 2", "nothing below epoch 2, sequence 1"] {
        assert!(changes.contains(words), "{changes}");
    }
    assert_eq!(proposed["hints"], json!([]));
    world.agree("revoke.note", "cyd");
    let published = world.by("ana", &["trust", "publish", "revoke.note", "--to", &plane], 0);
    assert!(published["answer"]["refused"].as_str().unwrap().contains("threshold"), "{published}");
    world.take_over("revoke.note");
    let stolen = world.explained("one.sealed", &[], 1);
    assert_eq!(stolen["code"], "threshold", "of what ben signed nothing opens any more");
    let failed: Vec<&Value> = stolen["explanation"]["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["passed"] == false)
        .collect();
    assert_eq!(failed.len(), 2, "neither enough signatures nor above the floor: {failed:?}");

    // The new epoch begins at sequence 1, beyond every number of the old one.
    let third = world.release(&plane, "three.sealed", Some("two.sealed"), ("ana", "cyd"), "answer@16");
    assert_eq!(third["current"], true, "{third}");
    assert_eq!(
        (&third["answer"]["waits"], &world.explained("three.sealed", &[], 0)["epoch"]),
        (&Value::Null, &json!(2))
    );
    drop(running);

    // A restart with the very first note goes on at version 3.
    let (_running, plane) = world.plane();
    let again = world.by("ana", &["trust", "publish", "revoke.note", "--to", &plane], 0);
    assert_eq!(again["answer"]["version"], 3);
}

#[test]
fn nothing_is_signed_unseen_or_in_vain() {
    let world = World::new();
    found(&world);
    let propose =
        ["trust", "propose", "--trust", "trust.note", "-o", "next.note", "--release-threshold", "3"];
    let proposed = said(&world.home("ana"), &propose);
    assert!(proposed.contains("release:production: 3 signatures are needed (before: 2)"), "{proposed}");
    assert!(proposed.contains("0 of 2 signatures; still 2 of acme.example/root-ana"), "{proposed}");
    let ana = world.home("ana");
    let refused = |arguments: &[&str], words: &str| {
        let before = std::fs::read(ana.join("next.note")).unwrap();
        let output = flagstone(&ana, &[arguments, &["--passphrase-file", "passphrase"]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", told(&output));
        assert!(told(&output).contains(words), "{arguments:?}: {}", told(&output));
        assert_eq!(std::fs::read(ana.join("next.note")).unwrap(), before);
    };
    let sign = ["trust", "sign", "next.note", "--key", "root.key"];
    refused(&sign, "`--trust FILE` with the trust note in force");
    refused(&[&sign[..], &["--trust", "trust.note"]].concat(), "a signature is an approval");
    let stranger = ["trust", "sign", "next.note", "--trust", "trust.note", "--key", "release.key", "--yes"];
    refused(&stranger, "would not count");
    let agreed = [&sign[..], &["--trust", "trust.note", "--yes"]].concat();
    world.signs("ana", &agreed);
    refused(&agreed, "has signed already");
    refused(
        &["trust", "sign", "next.note", "--trust", "next.note", "--key", "root.key", "--yes"],
        "no usable trust root",
    );
    for (arguments, words) in [
        (vec!["--release-threshold", "4"], "would need 4 signatures of 3 keys"),
        (
            vec![
                "--remove-release",
                "acme.example/release-ana",
                "--remove-release",
                "acme.example/release-ben",
            ],
            "would need 2 signatures of 1 keys",
        ),
        (vec!["--add-release", "root.key.pub"], "one key in two kinds of role"),
        (vec!["--add-release", "nobody"], "neither a key file"),
        (vec!["--add-release", "release.key.pub"], "already"),
        (vec!["--remove-pulse", "release.key.pub"], "does not hold"),
        (vec!["--floor", "production", "2", "1"], "--raise-epoch"),
        (vec!["--drop-environment", "staging"], "does not speak of"),
        (vec!["--lifetime", "2years"], "proposed"),
        (vec!["--revoke-statement", "nothing"], "nothing"),
    ] {
        let propose = ["trust", "propose", "--trust", "trust.note", "-o", "never.note"];
        let output = flagstone(&ana, &[&propose[..], &arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", told(&output));
        assert!(told(&output).contains(words), "{arguments:?}: {}", told(&output));
        assert!(!ana.join("never.note").exists());
    }
    // Staging is added, beside production, and taken out again.
    said(&ana, &["keys", "new", "acme.example/pulse-staging", "-o", "pulse-staging.key", "--plain"]);
    let staging =
        ["trust", "propose", "--trust", "trust.note", "-o", "staging.note", "--environment", "staging"];
    let more = ["--add-release", "release.key.pub", "--add-pulse", "pulse-staging.key.pub"];
    let proposed = world.by("ana", &[&staging[..], &more].concat(), 0);
    let roles: Vec<&Value> = proposed["roles"].as_array().unwrap().iter().map(|role| &role["role"]).collect();
    assert_eq!(roles, ["root", "release:production", "release:staging", "pulse:production", "pulse:staging"]);
    world.agree("staging.note", "cyd");
    let drop_it = [
        "trust",
        "propose",
        "--trust",
        "staging.note",
        "-o",
        "dropped.note",
        "--drop-environment",
        "staging",
    ];
    let dropped = world.by("ana", &drop_it, 0);
    assert_eq!((&dropped["version"], dropped["roles"].as_array().unwrap().len()), (&json!(3), 3));
}
