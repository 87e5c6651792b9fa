//! What opens and what does not: one test a step of the order of verification.

use alloc::vec;

use super::*;
use crate::error::SealError as E;
use crate::sign::{cosign, seal_snapshot};
use crate::testing::*;

const PAYLOAD: &[u8] = b"any bytes at all";

fn code(file: &[u8], world: &World, policy: &OpenPolicy<'_>) -> &'static str {
    open(file, &world.trust(), policy).map_or_else(|error| error.code(), |_| "opened")
}

#[test]
fn a_good_file_opens() {
    let world = World::new();
    let file = world.file(&snapshot_draft(), PAYLOAD);
    let trust = world.trust();
    let opened = open(&file, &trust, &policy()).unwrap();
    assert_eq!(opened.payload, PAYLOAD);
    assert_eq!(opened.statement.sequence, 1_842);
    assert_eq!(opened.statement.payload_length, 16);
    assert_eq!(opened.mark, opened.statement.mark());
    assert_eq!(opened.signers, ["acme.example/release-ana", "acme.example/release-ben"]);
    // Its own mark lets it in again.
    let again = OpenPolicy { mark: Some(opened.mark), ..policy() };
    assert_eq!(open(&file, &trust, &again).unwrap(), opened);
}

#[test]
fn an_empty_payload_opens() {
    let world = World::new();
    assert_eq!(code(&world.file(&snapshot_draft(), b""), &world, &policy()), "opened");
}

#[test]
fn thresholds_count_different_keys() {
    let world = World::new();
    let draft = snapshot_draft();
    let one = world.file_by(&draft, PAYLOAD, &[&world.ana]);
    assert_eq!(open(&one, &world.trust(), &policy()), Err(E::Threshold { needed: 2, found: 1 }));
    // The second person adds a signature to the very same statement.
    let both = cosign(&one, &world.ben).unwrap();
    assert_eq!(both, world.file(&draft, PAYLOAD));
    assert_eq!(code(&both, &world, &policy()), "opened");
    // The same line twice.
    let frame = frame::split(&one, u64::MAX).unwrap();
    let note = core::str::from_utf8(frame.note).unwrap();
    let line = note.rsplit_once("\n\n").unwrap().1;
    let twice = frame::join([note, line].concat().as_bytes(), PAYLOAD).unwrap();
    assert_eq!(code(&twice, &world, &policy()), "duplicate-signature");
}

#[test]
fn one_key_under_two_names_counts_once() {
    let world = World::new();
    let alias = key("somebody-else", 10);
    assert_eq!(alias.verifying_key().public(), world.ana.verifying_key().public());
    let mut draft = world.trust_draft();
    draft.roles[1] = role(release("production"), 2, &[&world.ana, &alias, &world.ben]);
    let trust = world.pin(&draft);
    let one = world.file_by(&snapshot_draft(), PAYLOAD, &[&world.ana]);
    let aliased = cosign(&one, &alias).unwrap();
    assert_eq!(open(&aliased, &trust, &policy()), Err(E::Threshold { needed: 2, found: 1 }));
    let whole = cosign(&aliased, &world.ben).unwrap();
    let signers = open(&whole, &trust, &policy()).unwrap().signers;
    assert_eq!(signers, ["acme.example/release-ana", "acme.example/release-ben"]);
}

#[test]
fn unknown_signers_are_ignored_and_known_ones_must_verify() {
    let world = World::new();
    let stranger = key("witness", 99);
    let file = cosign(&world.file(&snapshot_draft(), PAYLOAD), &stranger).unwrap();
    assert_eq!(code(&file, &world, &policy()), "opened");
    let strangers = world.file_by(&snapshot_draft(), PAYLOAD, &[&stranger, &key("other", 98)]);
    assert_eq!(open(&strangers, &world.trust(), &policy()), Err(E::Threshold { needed: 2, found: 0 }));
    // Both signatures are there, and a third by a known key that does not verify spoils them.
    let frame = frame::split(&file, u64::MAX).unwrap();
    let mut note = alloc::string::String::from_utf8(frame.note.to_vec()).unwrap();
    let staging = world.staging.verifying_key();
    crate::note::push_signature(&mut note, staging.name(), staging.id(), &[1; 64]);
    let spoilt = frame::join(note.as_bytes(), PAYLOAD).unwrap();
    assert_eq!(
        open(&spoilt, &world.trust(), &policy()),
        Err(E::BadSignature { signer: "acme.example/release-staging".into() })
    );
    // A known key with a signature of another length is a failure, too.
    let mut note = alloc::string::String::from_utf8(frame.note.to_vec()).unwrap();
    crate::note::push_signature(&mut note, staging.name(), staging.id(), &[1; 2_420]);
    let long = frame::join(note.as_bytes(), PAYLOAD).unwrap();
    assert_eq!(code(&long, &world, &policy()), "bad-signature");
}

#[test]
fn the_role_must_be_right_for_the_environment() {
    let world = World::new();
    let mut draft = world.trust_draft();
    draft.roles[1] = role(release("production"), 1, &[&world.ana]);
    let trust = world.pin(&draft);
    for (signer, expected) in
        [(&world.ana, "opened"), (&world.staging, "wrong-role"), (&world.governor, "wrong-role")]
    {
        let file = world.file_by(&snapshot_draft(), PAYLOAD, &[signer]);
        let found = open(&file, &trust, &policy()).map_or_else(|error| error.code(), |_| "opened");
        assert_eq!(found, expected);
    }
    let elsewhere = OpenPolicy { environment: "development", ..policy() };
    assert_eq!(code(&world.file(&snapshot_draft(), PAYLOAD), &world, &elsewhere), "no-role");
}

#[test]
fn only_the_diagonal_of_places_opens() {
    let world = World::new();
    let mut draft = world.trust_draft();
    draft.roles[1] = role(release("production"), 1, &[&world.ana]);
    draft.roles[2] = role(release("staging"), 1, &[&world.ana]);
    draft.floors = vec![];
    let trust = world.pin(&draft);
    let places = [
        ("acme.example/assistant#server", "production"),
        ("acme.example/assistant#server", "staging"),
        ("acme.example/assistant#browser", "production"),
        ("acme.example/assistant", "production"),
        ("acme.example/search#server", "production"),
    ];
    for (from, (audience, environment)) in places.iter().enumerate() {
        let mut draft = snapshot_draft();
        draft.audience = (*audience).into();
        draft.environment = (*environment).into();
        let file = world.file_by(&draft, PAYLOAD, &[&world.ana]);
        for (to, (audience, environment)) in places.iter().enumerate() {
            let policy = OpenPolicy { audience, environment, ..policy() };
            let result = open(&file, &trust, &policy);
            assert_eq!(result.is_ok(), from == to, "{from} {to}");
            if let Err(error) = result {
                let expected =
                    if draft.audience == *audience { "wrong-environment" } else { "wrong-audience" };
                assert_eq!(error.code(), expected);
            }
        }
    }
}

#[test]
fn older_files_never_come_back() {
    let world = World::new();
    let trust = world.trust();
    let head = open(&world.file(&snapshot_draft(), PAYLOAD), &trust, &policy()).unwrap().mark;
    let at_head = OpenPolicy { mark: Some(head), ..policy() };
    let numbered = |epoch, sequence| {
        let file = world.file(&SnapshotStatementDraft { epoch, sequence, ..snapshot_draft() }, PAYLOAD);
        open(&file, &trust, &at_head).map_or_else(|error| error.code(), |_| "opened")
    };
    for back in 1..=50 {
        assert_eq!(numbered(3, 1_842 - back), "rollback");
    }
    assert_eq!(numbered(2, 9_999_999_999_999_999_999), "rollback");
    assert_eq!(numbered(3, 1_843), "opened");
    assert_eq!(numbered(3, 1 << 63), "opened");
    assert_eq!(numbered(4, 1), "epoch-ahead");
    // With the memory wiped, the floor still holds.
    let wiped = |epoch, sequence| {
        let file = world.file(&SnapshotStatementDraft { epoch, sequence, ..snapshot_draft() }, PAYLOAD);
        open(&file, &trust, &policy()).map_or_else(|error| error.code(), |_| "opened")
    };
    assert_eq!(wiped(3, 99), "below-floor");
    assert_eq!(wiped(2, 9_999_999_999_999_999_999), "below-floor");
    assert_eq!(wiped(3, 100), "opened");
}

use crate::sign::SnapshotStatementDraft;

#[test]
fn two_statements_with_one_number_are_evidence() {
    let world = World::new();
    let trust = world.trust();
    let first = open(&world.file(&snapshot_draft(), PAYLOAD), &trust, &policy()).unwrap().mark;
    let other = world.file(&snapshot_draft(), b"other bytes");
    let offered = open(&other, &trust, &policy()).unwrap().mark.digest;
    let at_first = OpenPolicy { mark: Some(first), ..policy() };
    assert_eq!(open(&other, &trust, &at_first), Err(E::Equivocation { stored: first.digest, offered }));
}

#[test]
fn time_is_checked() {
    let world = World::new();
    let at = |issued: u64, expires: u64| {
        let draft = SnapshotStatementDraft { issued, expires, ..snapshot_draft() };
        code(&world.file(&draft, PAYLOAD), &world, &policy())
    };
    assert_eq!(at(NOW - 60, NOW + 1), "opened");
    assert_eq!(at(NOW - 60, NOW), "expired");
    assert_eq!(at(NOW + 300, NOW + DAY), "opened");
    assert_eq!(at(NOW + 301, NOW + DAY), "issued-in-future");
    assert_eq!(at(NOW, NOW + limits::MAX_SNAPSHOT_LIFETIME), "opened");
    // Our own signer refuses such periods; a reader refuses them from any signer.
    let long =
        SnapshotStatementDraft { expires: NOW + limits::MAX_SNAPSHOT_LIFETIME + 1, ..snapshot_draft() };
    assert_eq!(seal_snapshot(&long, PAYLOAD, &[&world.ana]).unwrap_err().code(), "bad-lifetime");
    let good = world.file(&snapshot_draft(), PAYLOAD);
    let expires = alloc::format!("expires {}", NOW + 7 * DAY);
    for wrong in [NOW - 60, NOW - 61, NOW - 60 + limits::MAX_SNAPSHOT_LIFETIME + 1] {
        let forged =
            forge_file(&good, &expires, &alloc::format!("expires {wrong}"), &[&world.ana, &world.ben]);
        assert_eq!(code(&forged, &world, &policy()), "bad-lifetime");
    }
}

#[test]
fn a_clock_wound_back_does_not_help() {
    let world = World::new();
    let file = world.file(&snapshot_draft(), PAYLOAD);
    let mut clock = crate::Clock::new(0);
    clock.saw(NOW + 8 * DAY);
    let policy_at = |machine| OpenPolicy { now: clock.now(machine), ..policy() };
    assert_eq!(code(&file, &world, &policy_at(NOW + 8 * DAY)), "expired");
    assert_eq!(code(&file, &world, &policy_at(NOW)), "expired");
    assert_eq!(code(&file, &world, &policy_at(NOW - 365 * DAY)), "expired");
    // Nor does a machine clock at zero bring a file to life that expired before the trust root was issued.
    let old = SnapshotStatementDraft { issued: NOW - 20 * DAY, expires: NOW - 10 * DAY, ..snapshot_draft() };
    let zero = OpenPolicy { now: 0, ..policy() };
    assert_eq!(code(&world.file(&old, PAYLOAD), &world, &zero), "expired");
}

#[test]
fn nothing_opens_under_an_expired_root() {
    let world = World::new();
    let file = world.file(&snapshot_draft(), PAYLOAD);
    let mut draft = world.trust_draft();
    draft.expires = NOW;
    let trust = world.pin(&draft);
    assert_eq!(open(&file, &trust, &policy()), Err(E::TrustExpired { expires: NOW }));
}

#[test]
fn revocation_takes_keys_and_statements_out() {
    let world = World::new();
    let carl = key("acme.example/release-carl", 13);
    let mut draft = world.trust_draft();
    draft.roles[1] = role(release("production"), 2, &[&world.ana, &world.ben, &carl]);
    // The key is revoked under another name: the public key counts.
    draft.revoked_keys = vec![key("stolen", 11).verifying_key()];
    let trust = world.pin(&draft);
    let file = world.file(&snapshot_draft(), PAYLOAD);
    assert_eq!(open(&file, &trust, &policy()), Err(E::RevokedKey));
    // A revoked signer beside enough others does no harm.
    let three = cosign(&file, &carl).unwrap();
    let signers = open(&three, &trust, &policy()).unwrap().signers;
    assert_eq!(signers, ["acme.example/release-ana", "acme.example/release-carl"]);

    let mut draft = world.trust_draft();
    let digest = open(&file, &world.trust(), &policy()).unwrap().mark.digest;
    draft.revoked_statements = vec![[0xff; 32], digest];
    assert_eq!(open(&file, &world.pin(&draft), &policy()), Err(E::RevokedStatement));
}

#[test]
fn the_payload_is_bound() {
    let world = World::new();
    let frame_of = |payload: &[u8]| {
        let file = world.file(&snapshot_draft(), PAYLOAD);
        let note = frame::split(&file, u64::MAX).unwrap().note.to_vec();
        frame::join(&note, payload).unwrap()
    };
    assert_eq!(code(&frame_of(PAYLOAD), &world, &policy()), "opened");
    assert_eq!(code(&frame_of(b"any bytes at al"), &world, &policy()), "payload-length");
    assert_eq!(code(&frame_of(b"any bytes at all "), &world, &policy()), "payload-length");
    assert_eq!(code(&frame_of(b"any bytes at alL"), &world, &policy()), "payload-digest");
    let small = OpenPolicy { max_payload: 15, ..policy() };
    assert_eq!(code(&frame_of(PAYLOAD), &world, &small), "payload-too-long");
}

#[test]
fn only_the_canonical_text_opens() {
    let world = World::new();
    let good = world.file(&snapshot_draft(), PAYLOAD);
    let cases = [
        ("epoch 3", "epoch 03", "bad-statement"),
        ("epoch 3", "epoch  3", "bad-statement"),
        ("epoch 3", "epoch 3 ", "bad-statement"),
        ("epoch 3", "epoch +3", "bad-statement"),
        ("epoch 3", "Epoch 3", "bad-statement"),
        ("epoch 3\n", "", "bad-statement"),
        ("epoch 3\n", "epoch 3\nepoch 3\n", "bad-statement"),
        ("epoch 3\nsequence 1842\n", "sequence 1842\nepoch 3\n", "bad-statement"),
        ("sequence 1842", "sequence 18446744073709551615", "bad-statement"),
        ("sequence 1842", "sequence ", "bad-statement"),
        ("parent AAAAA", "parent AAAA", "bad-statement"),
        ("payload-length 16", "payload-length 16\nnote hello", "bad-statement"),
        ("environment production", "environment pro duction", "bad-statement"),
        ("/snapshot@v1", "/snapshot@v2", "wrong-kind"),
        ("/snapshot@v1", "/pulse@v1", "wrong-kind"),
    ];
    for (from, to, expected) in cases {
        let forged = forge_file(&good, from, to, &[&world.ana, &world.ben]);
        assert_eq!(code(&forged, &world, &policy()), expected, "{to}");
    }
    let forged = forge_file(&good, "epoch 3", "epoch 03", &[&world.ana, &world.ben]);
    assert_eq!(open(&forged, &world.trust(), &policy()), Err(E::BadStatement { line: 4 }));
}
