//! Secret keys at rest: encrypted unless told otherwise, opened by their passphrase only, never shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;

use common::{flagstone, object, said, told};

/// Cheap guesses: the tests make many keys.
const CHEAP: [&str; 2] = ["--work-factor", "10"];

fn passphrase(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), format!("{text}\nanother line\n")).unwrap();
}

fn init(folder: &Path, passphrase: &[&str]) -> std::process::Output {
    let trust =
        ["trust", "init", "--environment", "production", "--root", "root.key", "--release", "r.key.pub"];
    flagstone(folder, &[&trust[..], &["--pulse", "p.key.pub", "-o", "trust.note"], passphrase].concat())
}

#[test]
fn an_encrypted_key_signs_with_its_passphrase_and_with_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    passphrase(folder, "right", "correct horse battery staple");
    passphrase(folder, "wrong", "correct horse battery stable");
    let right = ["--passphrase-file", "right"];
    let new = ["keys", "new", "acme.example/root", "-o", "root.key"];
    let made = object(folder, &[&new[..], &right, &CHEAP].concat(), 0);
    assert_eq!(made["encrypted"], true);
    let text = std::fs::read_to_string(folder.join("root.key")).unwrap();
    assert!(
        text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") && !text.contains("PRIVATE+KEY"),
        "{text}"
    );
    let public = std::fs::read_to_string(folder.join("root.key.pub")).unwrap();
    assert_eq!(public.trim(), made["key"].as_str().unwrap());
    let shown = object(folder, &["keys", "show", "root.key"], 0);
    assert_eq!((&shown["key"], &shown["holds"]), (&made["key"], &"encrypted".into()), "no passphrase asked");
    for role in ["r", "p"] {
        let file = format!("{role}.key");
        said(folder, &["keys", "new", &format!("acme.example/{role}"), "-o", &file, "--plain"]);
    }

    let refused = init(folder, &["--passphrase-file", "wrong"]);
    let words = told(&refused);
    assert_eq!(refused.status.code(), Some(2), "{words}");
    assert!(words.contains("passphrase does not open it") && words.contains("root.key"), "{words}");
    for secret in ["stable", "staple"] {
        assert!(!words.contains(secret), "{words}");
    }
    assert!(!folder.join("trust.note").exists());
    let nobody = init(folder, &[]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(told(&nobody).contains("no terminal to ask at"), "{}", told(&nobody));
    let done = init(folder, &right);
    assert!(done.status.success(), "{}", told(&done));
    assert!(!told(&done).contains("staple"));
    assert_eq!(object(folder, &["trust", "show", "trust.note"], 0)["ready"], true);
}

#[test]
fn plain_keys_are_asked_for_by_name_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    passphrase(folder, "short", "elevenchars");
    let new = ["keys", "new", "acme.example/ana", "-o", "ana.key"];
    let refused = flagstone(folder, &[&new[..], &["--passphrase-file", "short"]].concat());
    assert_eq!(refused.status.code(), Some(2));
    assert!(told(&refused).contains("12 characters"), "{}", told(&refused));
    assert!(!told(&refused).contains("elevenchars"));
    let nobody = flagstone(folder, &new);
    assert_eq!(nobody.status.code(), Some(2), "an unencrypted key is never made by accident");
    assert!(!folder.join("ana.key").exists());
    let plain = object(folder, &[&new[..], &["--plain"]].concat(), 0);
    assert_eq!(plain["encrypted"], false);
    let before = std::fs::read_to_string(folder.join("ana.key")).unwrap();
    assert!(before.starts_with("PRIVATE+KEY+acme.example/ana+"));
    assert_eq!(flagstone(folder, &[&new[..], &["--plain"]].concat()).status.code(), Some(2));
    std::fs::rename(folder.join("ana.key"), folder.join("moved.key")).unwrap();
    assert_eq!(
        flagstone(folder, &[&new[..], &["--plain"]].concat()).status.code(),
        Some(2),
        "nor its public half"
    );
    assert_eq!(std::fs::read_to_string(folder.join("moved.key")).unwrap(), before);
    assert_eq!(object(folder, &["keys", "show", "moved.key"], 0)["holds"], "plain");
    assert_eq!(object(folder, &["keys", "show", "ana.key.pub"], 0)["holds"], "public");
    let secret = before.trim().rsplit('+').next().unwrap().to_owned();
    for arguments in [vec!["keys", "show", "moved.key"], vec!["keys", "show", "moved.key", "--json"]] {
        assert!(!told(&flagstone(folder, &arguments)).contains(&secret));
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_a_secret_key() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    passphrase(folder, "right", "correct horse battery staple");
    // What an interrupted run left behind, open to everybody, does not lend its mode.
    std::fs::write(folder.join("a.key.part"), "").unwrap();
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(folder.join("a.key.part"), open).unwrap();
    let right = ["--passphrase-file", "right"];
    said(folder, &[&["keys", "new", "acme.example/a", "-o", "a.key"], &right[..], &CHEAP].concat());
    said(folder, &["keys", "new", "acme.example/b", "-o", "b.key", "--plain"]);
    for file in ["a.key", "b.key"] {
        let mode = std::fs::metadata(folder.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
