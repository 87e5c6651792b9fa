//! `docs/sealed-files.md` is held to the code: its examples are what this crate makes from the keys it names, and
//! its table has every error code and no other.

use std::collections::BTreeSet;
use std::string::String;
use std::vec::Vec;

use crate::error::SealError;
use crate::frame;
use crate::sign::SignError;
use crate::testing::*;

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sealed-files.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_examples_are_real() {
    let world = World::new();
    let page = page();
    let file = world.file(&snapshot_draft(), b"any bytes at all");
    let trust = world.trust_note(&world.trust_draft());
    let pulse = world.pulse_note(&pulse_draft());
    for note in [frame::split(&file, u64::MAX).unwrap().note, &trust, &pulse] {
        let note = core::str::from_utf8(note).unwrap();
        assert!(page.contains(note), "the page lacks:\n{note}");
    }
    for key in [&world.ana, &world.governor] {
        assert!(page.contains(&key.verifying_key().to_text()));
    }
    assert!(page.contains(&world.ana.to_text()));
}

/// Every error once; held against the source of the enum below.
fn all() -> Vec<SealError> {
    use SealError as E;
    let (name, digest) = (String::new, [0; 32]);
    let all = [
        E::BadMagic,
        E::Truncated,
        E::TrailingBytes,
        E::NoteTooLong { length: 1, limit: 0 },
        E::PayloadTooLong { length: 1, limit: 0 },
        E::BadNote,
        E::BadSignatureLine,
        E::TooManySignatures,
        E::DuplicateSignature,
        E::BadSignature { signer: name() },
        E::Threshold { needed: 2, found: 1 },
        E::WrongRole,
        E::RevokedKey,
        E::NoRole,
        E::WrongKind,
        E::BadStatement { line: 1 },
        E::WrongAudience { found: name(), expected: name() },
        E::WrongEnvironment { found: name(), expected: name() },
        E::EpochAhead,
        E::Rollback,
        E::BelowFloor,
        E::Equivocation { stored: digest, offered: digest },
        E::IssuedInFuture { issued: 1 },
        E::Expired { expires: 1 },
        E::BadLifetime,
        E::RevokedStatement,
        E::PayloadLength,
        E::PayloadDigest,
        E::BadKey,
        E::WeakKey,
        E::AmbiguousKey,
        E::SharedKey,
        E::BadRole,
        E::TrustExpired { expires: 1 },
        E::TrustVersion,
        E::TrustEpoch,
        E::TooManySteps,
    ];
    all.into()
}

#[test]
fn the_table_has_every_code_and_no_other() {
    let page = page();
    let (_, table) = page.split_once("## Errors").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let rows: Vec<&str> = rows.map(|(code, _)| code).collect();
    let mut codes: Vec<&str> = all().iter().map(SealError::code).collect();
    let sign = [
        SignError::BadDraft { line: 1 },
        SignError::NoSigners,
        SignError::AlreadySigned { signer: String::new() },
        SignError::Signer { reason: String::new() },
        SignError::WrongSignature { signer: String::new() },
    ];
    codes.extend(sign.iter().map(SignError::code));
    let source = [include_str!("error.rs"), include_str!("sign/error.rs")].concat();
    let arms = source
        .lines()
        .filter(|line| line.trim_start().starts_with("Self::") && line.contains("=> \""))
        .count();
    assert_eq!(codes.len(), arms, "`all` above lacks an error");
    let unique: BTreeSet<&str> = codes.iter().copied().collect();
    assert_eq!(unique.len(), codes.len(), "codes are unique");
    assert_eq!(rows.iter().copied().collect::<BTreeSet<_>>(), unique);
    assert_eq!(rows.len(), codes.len());
    for error in all() {
        let code = error.code();
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
        let prose = std::format!("{error}");
        assert!(!prose.ends_with('.') && !prose.is_empty(), "{prose}");
    }
}
