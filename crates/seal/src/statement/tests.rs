//! Print and parse are inverses, for every statement that can be written.

use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::policy::Mark;
use crate::testing::{key, role};
use crate::text::{is_audience, is_environment, is_flag_key};

const MOST: u64 = 9_999_999_999_999_999_999;

fn digest() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>()
}

fn environment() -> impl Strategy<Value = String> {
    "[!-9;-~]{1,64}"
}

fn flag_keys() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set("[^\\p{Cc}]{1,40}", 0..6).prop_map(|keys| keys.into_iter().collect())
}

prop_compose! {
    fn snapshot()(
        audience in "[!-~]{1,200}", environment in environment(),
        numbers in any::<[u64; 5]>(), parent in digest(), payload_sha256 in digest(),
        payload_type in "[!-~]{1,255}",
    ) -> SnapshotStatement {
        let [epoch, sequence, issued, expires, payload_length] = numbers.map(|number| number.min(MOST));
        SnapshotStatement {
            audience, environment, epoch, sequence, issued, expires, parent, payload_type, payload_length,
            payload_sha256,
        }
    }
}

prop_compose! {
    fn pulse()(
        audience in "[!-~]{1,200}", environment in environment(), numbers in any::<[u64; 5]>(),
        digest in digest(), flags in flag_keys(), stages in any::<[u8; 6]>(), halts in flag_keys(),
    ) -> PulseStatement {
        let [number, issued, expires, epoch, sequence] = numbers.map(|number| number.min(MOST));
        PulseStatement {
            audience, environment, number, issued, expires, snapshot: Mark { epoch, sequence, digest },
            stages: flags.into_iter().zip(stages).map(|(flag, stage)| PulseStage { flag, stage, since: issued.min(9) }).collect(),
            halts,
        }
    }
}

prop_compose! {
    fn trust()(
        environments in proptest::collection::btree_set(environment(), 1..4),
        numbers in any::<[u64; 4]>(), sequence in 0..MOST, threshold in 1u32..3,
        seeds in proptest::collection::btree_set(any::<u8>(), 3..8),
        statements in proptest::collection::btree_set(digest(), 0..4),
    ) -> TrustStatement {
        let [version, epoch, issued, expires] = numbers.map(|number| number.min(MOST));
        let keys: Vec<_> = seeds.iter().map(|seed| key("signer", *seed)).collect();
        let keys: Vec<_> = keys.iter().collect();
        let kinds = environments.iter().cloned().map(RoleKind::Release);
        let kinds = kinds.chain(environments.iter().cloned().map(RoleKind::Pulse));
        let kinds = core::iter::once(RoleKind::Root).chain(kinds);
        let mut revoked_keys: Vec<_> = keys.iter().map(|key| key.verifying_key()).collect();
        revoked_keys.sort_by_key(crate::VerifierKey::to_text);
        TrustStatement {
            version, epoch, issued, expires, roles: kinds.map(|kind| role(kind, threshold, &keys)).collect(),
            floors: environments.into_iter().map(|environment| Floor { environment, epoch, sequence }).collect(),
            revoked_keys, revoked_statements: statements.into_iter().collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_reads_back(statement in snapshot()) {
        let text = statement.to_text();
        let read = SnapshotStatement::parse(&text)?;
        prop_assert_eq!(&read, &statement);
        prop_assert_eq!(read.to_text(), text);
    }

    #[test]
    fn a_pulse_reads_back(statement in pulse()) {
        let text = statement.to_text();
        let read = PulseStatement::parse(&text)?;
        prop_assert_eq!(&read, &statement);
        prop_assert_eq!(read.to_text(), text);
        for line in &statement.stages {
            prop_assert_eq!(read.stage(&line.flag), Some(line.stage));
        }
        prop_assert!(statement.halts.iter().all(|flag| read.halted(flag)));
    }

    #[test]
    fn a_trust_statement_reads_back(statement in trust()) {
        let text = statement.to_text();
        let read = TrustStatement::parse(&text)?;
        prop_assert_eq!(&read, &statement);
        prop_assert_eq!(read.to_text(), text);
    }

    /// Whatever text is read at all prints as itself: there is no second text of one statement.
    #[test]
    fn what_is_read_prints_as_it_was(
        statement in snapshot(), at in any::<prop::sample::Index>(), byte in 0u8..128, how in 0u8..3,
    ) {
        let mut bytes = statement.to_text().into_bytes();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        let text = String::from_utf8(bytes).unwrap();
        if let Ok(read) = SnapshotStatement::parse(&text) {
            prop_assert_eq!(read.to_text(), text);
        }
    }

    /// What the signer would not write, the reader does not read: the same three rules guard both.
    #[test]
    fn the_reader_never_panics(text in "\\PC{0,200}") {
        let lines = alloc::format!("flagstone/pulse@v1\naudience {text}\nenvironment {text}\nhalt {text}\n");
        prop_assert!(PulseStatement::parse(&lines).is_err());
        let _ = (is_audience(&text), is_environment(&text), is_flag_key(&text));
        prop_assert!(Statement::parse(&text).is_err());
    }
}

#[test]
fn numbers_beyond_nineteen_digits_cannot_be_written() {
    let mut statement = crate::testing::pulse_draft();
    statement.number = MOST;
    assert!(PulseStatement::parse(&statement.to_text()).is_ok());
    statement.number = MOST + 1;
    assert_eq!(PulseStatement::parse(&statement.to_text()), Err(SealError::BadStatement { line: 4 }));
}

#[test]
fn the_texts_are_these() {
    let pulse = crate::testing::pulse_draft().to_text();
    let expected = "flagstone/pulse@v1\naudience acme.example/assistant#server\nenvironment production\npulse 42\n\
        issued 1787299995\nexpires 1787300295\nsnapshot 3 1842 CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n\
        stage 2 1787292800 answer style\nstage 0 0 retrieval\nhalt retrieval\n";
    assert_eq!(pulse, expected);
    let ana = key("ana", 10);
    let gov = key("gov", 20);
    let trust = TrustStatement {
        version: 2,
        epoch: 1,
        issued: 5,
        expires: 6,
        roles: alloc::vec![
            role(RoleKind::Root, 1, &[&ana]),
            role(RoleKind::Pulse("production".into()), 1, &[&gov]),
        ],
        floors: alloc::vec![Floor { environment: "production".into(), epoch: 1, sequence: 9 }],
        revoked_keys: alloc::vec![gov.verifying_key()],
        revoked_statements: alloc::vec![[0; 32]],
    };
    let (a, g) = (ana.verifying_key().to_text(), gov.verifying_key().to_text());
    let expected = alloc::format!(
        "flagstone/trust@v1\nversion 2\nepoch 1\nissued 5\nexpires 6\nrole root 1 {a}\nrole pulse:production 1 {g}\n\
         floor production 1 9\nrevoke-key {g}\nrevoke-statement AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    );
    assert_eq!(trust.to_text(), expected);
    assert!(expected.len() < limits::MAX_TRUST_BYTES);
}
