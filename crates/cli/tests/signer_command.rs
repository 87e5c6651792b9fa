//! A key that no file holds: a program signs, as one that reaches a key service would.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{flagstone, govern, object, said, told};
use flagstone_seal::{SecretKey, Signer};

const DEFINITION: &str = "\
metadata: { environment: production }
flags: { greeting: { state: ENABLED, variants: { a: hello }, defaultVariant: a } }
";

/// The keys in the key service, by name.
fn held(name: &str) -> SecretKey {
    let seed = match name {
        "acme.example/root" => 1,
        "acme.example/release" => 2,
        "acme.example/pulse" => 3,
        other => panic!("the key service holds no `{other}`"),
    };
    SecretKey::from_seed(name, [seed; 32]).unwrap()
}

/// The key service, when this test is started by the script below: reads a statement, prints its signature.
#[test]
fn service() {
    let Ok(key) = std::env::var("FLAGSTONE_SIGNER_KEY") else { return };
    let key = held(key.split('+').next().unwrap());
    let mut message = Vec::new();
    std::io::stdin().read_to_end(&mut message).unwrap();
    assert!(message.starts_with(b"flagstone/"), "the statement itself, not a digest of it");
    writeln!(std::io::stdout(), "\nsignature {}", STANDARD.encode(key.sign(&message).unwrap())).unwrap();
}

/// Writes a program and gives the command that runs it.
fn program(folder: &Path, name: &str, script: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("'{}' --slot 7", path.display())
}

fn world(folder: &Path) -> String {
    for name in ["root", "release", "pulse"] {
        let key = held(&format!("acme.example/{name}")).verifying_key();
        std::fs::write(folder.join(format!("{name}.key.pub")), key.to_text() + "\n").unwrap();
    }
    std::fs::write(folder.join("flags.yaml"), DEFINITION).unwrap();
    let this = std::env::current_exe().unwrap();
    let script = format!(
        "test \"$1 $2\" = '--slot 7' && '{}' --exact service --nocapture | sed -n 's/^signature //p'",
        this.display()
    );
    program(folder, "key service", &script)
}

const INIT: [&str; 12] = [
    "trust",
    "init",
    "--environment",
    "production",
    "--root",
    "root.key.pub",
    "--release",
    "release.key.pub",
    "--pulse",
    "pulse.key.pub",
    "-o",
    "trust.note",
];

#[test]
fn root_release_and_pulse_keys_may_live_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let service = world(folder);
    let by = ["--signer-command", &service];
    assert_eq!(object(folder, &INIT, 0)["ready"], false, "nobody has signed yet");
    let sign = ["trust", "sign", "trust.note", "--key", "root.key.pub", "--yes"];
    assert_eq!(object(folder, &[&sign[..], &by].concat(), 0)["ready"], true);
    let seal =
        ["seal", "flags.yaml", "--audience", "acme.example/a", "--key", "release.key.pub", "-o", "f.sealed"];
    object(folder, &[&seal[..], &by].concat(), 0);
    let open = ["open", "f.sealed", "--trust", "trust.note", "--audience", "acme.example/a", "--environment"];
    assert_eq!(
        object(folder, &[&open[..], &["production"]].concat(), 0)["signers"][0],
        "acme.example/release"
    );
    let plane = ["--database", "g.sqlite", "--trust", "trust.note", "--pulse-key", "pulse.key.pub"];
    let more = ["--audience", "acme.example/a", "--environment", "production"];
    let (running, address) = govern(folder, &[&plane[..], &more, &by].concat());
    assert_eq!(object(folder, &["publish", "f.sealed", "--to", &address], 0)["current"], true);
    drop(running);
}

#[test]
fn what_a_program_answers_is_verified_before_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let service = world(folder);
    said(folder, &INIT);
    let before = std::fs::read(folder.join("trust.note")).unwrap();
    let refused = |command: &str, more: &[&str]| {
        let sign =
            ["trust", "sign", "trust.note", "--key", "root.key.pub", "--yes", "--signer-command", command];
        let output = flagstone(folder, &[&sign[..], more].concat());
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        assert_eq!(std::fs::read(folder.join("trust.note")).unwrap(), before, "nothing was written");
        told(&output)
    };
    let zeros = STANDARD.encode([0; 64]);
    let forged = program(folder, "forged", &format!("cat > /dev/null; echo {zeros}"));
    assert!(refused(&forged, &[]).contains("does not verify"));
    let noise = program(folder, "noise", "cat > /dev/null; echo Signature: yes");
    assert!(refused(&noise, &[]).contains("not the base64 of a 64-byte signature"));
    let silent = program(folder, "silent", "exit 0");
    assert!(refused(&silent, &[]).contains("printed 0 bytes"));
    let failing = program(folder, "failing", "echo 'no card in the reader' >&2; exit 3");
    let words = refused(&failing, &[]);
    assert!(words.contains("no card in the reader") && words.contains("exit status: 3"), "{words}");
    let hanging = program(folder, "hanging", "exec sleep 1000");
    assert!(refused(&hanging, &["--signer-timeout", "200ms"]).contains("took longer than 0.2 s"));
    let endless = program(folder, "endless", "exec yes");
    assert!(refused(&endless, &["--signer-timeout", "5s"]).contains("endless"));
    assert!(refused("/nowhere/at-all", &[]).contains("does not start"));
    assert!(refused("'open quote", &[]).contains("quote"));
    let pulse = folder.join("pulse.key.pub");
    std::fs::copy(&pulse, folder.join("other.key.pub")).unwrap();
    let sign =
        ["trust", "sign", "trust.note", "--key", "other.key.pub", "--yes", "--signer-command", &service];
    assert!(told(&flagstone(folder, &sign)).contains("would not count"));
    let public = ["trust", "sign", "trust.note", "--key", "root.key.pub", "--yes"];
    assert!(told(&flagstone(folder, &public)).contains("--signer-command"));
}
