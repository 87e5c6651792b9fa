//! Exposure tokens: only a host makes them, nobody else reads them, and every altered byte is noticed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use flagstone_events::token::{TokenError, Tokens};
use flagstone_events::{Arm, Exposure, ExposureFacts, Pepper, SnapshotId, Stream, UnitKey};
use proptest::prelude::*;

const NOW: u64 = 1_787_300_000_000;

fn tokens() -> Tokens {
    Tokens::new(&Pepper::from_bytes([5; 32]), "acme.example/assistant", "production")
}

fn exposure(flag: &str, unit: &str, stage: Option<u8>) -> Exposure {
    let facts = ExposureFacts {
        stream: Stream::Production,
        flag: flag.into(),
        variant: "careful".into(),
        arm: Arm::Treatment,
        stage,
        cohort: stage,
        probability: 100_000_000,
        snapshot: SnapshotId { epoch: 1, sequence: 7, digest: [0xab; 32] },
        reason: "SPLIT".into(),
        at_ms: NOW,
    };
    facts.of_unit(&Pepper::from_bytes([5; 32]), &UnitKey::new(unit).unwrap(), 86_400_000).unwrap()
}

proptest! {
    #[test]
    fn what_was_sealed_is_what_opens(flag in "[a-z]{1,40}", unit in "\\PC{1,80}", stage in proptest::option::of(any::<u8>())) {
        let exposure = exposure(&flag, &unit, stage);
        let token = tokens().seal(&exposure, NOW + 1).unwrap();
        prop_assert_eq!(tokens().open(&token, NOW), Ok(exposure));
    }
}

#[test]
fn threat_24_every_altered_byte_is_refused() {
    let token = tokens().seal(&exposure("assistant", "ana@example.com", Some(1)), NOW + 1_000).unwrap();
    let mut codes = std::collections::BTreeSet::new();
    for at in 0..token.len() {
        for letter in b"AZaz09-_!".iter().copied().chain([token.as_bytes()[at] ^ 1]) {
            let mut altered = token.clone().into_bytes();
            altered[at] = letter;
            let Ok(altered) = String::from_utf8(altered) else { continue };
            if altered != token {
                codes.insert(tokens().open(&altered, NOW).unwrap_err().code());
            }
        }
    }
    assert!(codes.contains("token-forged"), "{codes:?}");
    for length in 0..token.len() {
        assert!(tokens().open(&token[..length], NOW).is_err(), "{length}");
    }
    assert!(tokens().open(&format!("{token}A"), NOW).is_err());
}

#[test]
fn each_way_to_be_wrong_has_its_code() {
    let exposure = exposure("assistant", "ana", None);
    let token = tokens().seal(&exposure, NOW + 1_000).unwrap();
    let open = |tokens: Tokens, token: &str, now| tokens.open(token, now).unwrap_err();
    assert_eq!(open(tokens(), &token, NOW + 1_000), TokenError::Expired);
    let other = Tokens::new(&Pepper::from_bytes([6; 32]), "acme.example/assistant", "production");
    assert_eq!(open(other, &token, NOW), TokenError::Forged);
    let pepper = Pepper::from_bytes([5; 32]);
    assert_eq!(
        open(Tokens::new(&pepper, "acme.example/other", "production"), &token, NOW),
        TokenError::OtherAudience
    );
    assert_eq!(
        open(Tokens::new(&pepper, "acme.example/assistant", "test"), &token, NOW),
        TokenError::OtherAudience
    );
    // A boundary moved between the two names is another audience too.
    assert_eq!(
        open(Tokens::new(&pepper, "acme.example/assistantp", "roduction"), &token, NOW),
        TokenError::OtherAudience
    );
    assert_eq!(open(tokens(), "", NOW), TokenError::Malformed);
    assert_eq!(open(tokens(), "not a token", NOW), TokenError::Malformed);
    assert_eq!(open(tokens(), &"A".repeat(4_000), NOW), TokenError::Malformed);
    assert_eq!(open(tokens(), "AgAA", NOW), TokenError::Version(2));
}

#[test]
fn a_token_shows_nothing_of_the_unit() {
    use base64::Engine as _;
    let exposure = exposure("assistant", "ana@example.com", Some(0));
    let token = tokens().seal(&exposure, NOW + 1_000).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&token).unwrap();
    for needle in
        [exposure.unit.as_bytes().as_slice(), exposure.id.as_bytes(), b"ana", b"assistant", b"careful"]
    {
        assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{needle:?}");
    }
    // The same decision of the same unit gives the same token, another unit's has no byte in common with it but the version.
    assert_eq!(tokens().seal(&exposure, NOW + 1_000).unwrap(), token);
    assert_eq!(format!("{:?}", tokens()), "Tokens(secret)");
}
