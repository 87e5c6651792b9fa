//! Other projects' vectors, read at test time from a folder beside the checkout (`FLAGSTONE_SHARED`, else
//! `../shared` beside the workspace). Where it is absent the tests say so and do what they can without.

use std::path::PathBuf;
use std::string::String;
use std::vec::Vec;

use serde_json::Value;

use crate::base64;
use crate::error::SealError;
use crate::key::VerifierKey;
use crate::note::Note;
use crate::sign::{SecretKey, Signer as _};

fn read(path: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let root = std::env::var_os("FLAGSTONE_SHARED").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let file = root.join("conformance").join(path);
    let text = std::fs::read_to_string(&file);
    if text.is_err() {
        std::println!("not run: no vectors at {} (set FLAGSTONE_SHARED)", file.display());
    }
    text.ok()
}

fn read_json(path: &str) -> Option<Value> {
    read(path).map(|text| serde_json::from_str(&text).unwrap())
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Whether our rules accept a signature: key first, then the signature.
fn accepts(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else {
        return false;
    };
    VerifierKey::new("vector", key).is_ok_and(|key| key.verifies(message, signature))
}

/// Project Wycheproof, Ed25519: no disagreement.
#[test]
fn wycheproof() {
    let Some(suite) = read_json("ed25519/wycheproof/ed25519_test.json") else { return };
    let (mut run, mut wrong) = (0, Vec::new());
    for group in suite["testGroups"].as_array().unwrap() {
        let key = hex(group["publicKey"]["pk"].as_str().unwrap());
        for test in group["tests"].as_array().unwrap() {
            let message = hex(test["msg"].as_str().unwrap());
            let signature = hex(test["sig"].as_str().unwrap());
            let expected = test["result"] == "valid";
            run += 1;
            if accepts(&key, &message, &signature) != expected {
                wrong.push(test["tcId"].as_u64().unwrap());
            }
        }
    }
    assert_eq!((run, wrong), (suite["numberOfTests"].as_u64().unwrap(), Vec::new()));
}

/// C2SP CCTV edge cases: our strictness is the cofactorless equation, canonical encodings, and no point of small
/// order as key or commitment. So exactly the vectors without these flags are accepted.
#[test]
fn cctv() {
    let Some(suite) = read_json("ed25519/cctv/ed25519vectors.json") else { return };
    let refused = ["non_canonical_R", "non_canonical_A", "low_order_residue", "low_order_A", "low_order_R"];
    let (mut run, mut accepted, mut wrong) = (0, 0, Vec::new());
    for test in suite.as_array().unwrap() {
        let text = |name: &str| test[name].as_str().unwrap();
        let flags: Vec<&str> =
            test["flags"].as_array().into_iter().flatten().map(|flag| flag.as_str().unwrap()).collect();
        let expected = !flags.iter().any(|flag| refused.contains(flag));
        let found = accepts(&hex(text("key")), text("msg").as_bytes(), &hex(text("sig")));
        run += 1;
        accepted += usize::from(found);
        if found != expected {
            wrong.push((test["number"].as_u64().unwrap(), flags.join(" ")));
        }
    }
    std::println!("cctv: {accepted} of {run} accepted");
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(run > 500 && accepted > 0 && accepted < run);
}

/// The original `sign.input` of Ed25519: we make the same signatures, byte for byte.
#[test]
fn sign_input() {
    let Some(text) = read("ed25519/sign-input/sign.input") else { return };
    let mut run = 0;
    for line in text.lines() {
        let fields: Vec<Vec<u8>> = line.split(':').take(4).map(hex).collect();
        let key = SecretKey::from_seed("vector", fields[0][..32].try_into().unwrap()).unwrap();
        assert_eq!(key.verifying_key().public().as_slice(), fields[1]);
        let signature = key.sign(&fields[2]).unwrap();
        assert_eq!([&signature[..], &fields[2]].concat(), fields[3]);
        assert!(accepts(&fields[1], &fields[2], &signature));
        run += 1;
    }
    assert!(run > 100, "{run}");
}

/// Go's rules for opening a note, on our reader: any known key must verify, doubles are dropped, one must verify.
fn open_as_go(note: &[u8], keys: &[VerifierKey]) -> Result<(usize, usize), &'static str> {
    let note = Note::parse(note, 1 << 20).map_err(|_| "malformed")?;
    let (mut verified, mut unverified) = (Vec::new(), Vec::new());
    for line in note.signatures() {
        let known: Vec<_> =
            keys.iter().filter(|key| key.name() == line.name && key.id() == line.id).collect();
        match known.as_slice() {
            [] if !unverified.contains(line) => unverified.push(line.clone()),
            [] => {}
            [_, _, ..] => return Err("ambiguous key"),
            [_] if verified.contains(&(line.name, line.id)) => {}
            [key] => {
                let signature = line.signature.as_slice().try_into().map_err(|_| "invalid signature")?;
                if !key.verifies(note.text().as_bytes(), signature) {
                    return Err("invalid signature");
                }
                verified.push((line.name, line.id));
            }
        }
    }
    if verified.is_empty() { Err("no verifiable signature") } else { Ok((verified.len(), unverified.len())) }
}

/// C2SP signed notes, from Go's `sumdb/note`: our reader of notes and keys agrees.
#[test]
fn signed_notes() {
    let Some(suite) = read_json("signed-note/vectors.json") else { return };
    for case in suite["verifier_keys"].as_array().unwrap() {
        let key = VerifierKey::parse(case["key"].as_str().unwrap());
        assert_eq!(key.is_ok(), case["valid"].as_bool().unwrap(), "{case}");
        if let Ok(key) = key {
            assert_eq!(key.to_text(), case["key"].as_str().unwrap());
        }
    }
    let mut run = 0;
    for case in suite["open_note"].as_array().unwrap() {
        let note = base64::decode(case["note_base64"].as_str().unwrap()).unwrap();
        let keys = case["verifier_keys"].as_array().unwrap().iter();
        let keys: Vec<_> = keys.map(|key| VerifierKey::parse(key.as_str().unwrap()).unwrap()).collect();
        let expected = if case["valid"].as_bool().unwrap() {
            let count = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
            Ok((count("verified"), count("unverified")))
        } else {
            Err(case["error"].as_str().unwrap())
        };
        assert_eq!(open_as_go(&note, &keys), expected, "{}", case["name"]);
        run += 1;
    }
    assert!(run > 10, "{run}");
}

/// Always run: the same key text that Go writes, from its documentation, and one signature of RFC 8032.
#[test]
fn without_any_folder() {
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(VerifierKey::parse(text).map(|key| key.to_text()).as_deref(), Ok(text));
    // RFC 8032 section 7.1, test 1.
    let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let key = SecretKey::from_seed("rfc8032", seed.try_into().unwrap()).unwrap();
    let signature = key.sign(b"").unwrap();
    let expected = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
                    d25bf5f0595bbe24655141438e7a100b";
    assert_eq!(signature.as_slice(), hex(expected));
    // The identity point as a key, with the signature that fits every message.
    let mut identity = [0; 32];
    identity[0] = 1;
    let forged = [&identity[..], &[0; 32]].concat();
    assert!(!accepts(&identity, b"any message", &forged));
    assert_eq!(VerifierKey::new("x", identity), Err(SealError::WeakKey));
}

/// Always run: a signature whose commitment is the identity, which only the holder of the key can make, and which
/// verifiers that are not strict accept (s = k a, as R = 0 B asks). Computed from RFC 8032 for the seed of 32 tens.
#[test]
fn commitments_of_small_order_are_refused() {
    let key = SecretKey::from_seed("vector", [10; 32]).unwrap();
    let mut signature = [0; 64];
    signature[0] = 1;
    signature[32..].copy_from_slice(&hex("cb23c8d06370c9bdc3296b6b47961e19a9082a9d1fe957813086a1c143cde006"));
    let plain = ed25519_dalek::VerifyingKey::from_bytes(key.verifying_key().public()).unwrap();
    let message = b"any message";
    let signature_of_dalek = ed25519_dalek::Signature::from_bytes(&signature);
    assert!(
        ed25519_dalek::Verifier::verify(&plain, message, &signature_of_dalek).is_ok(),
        "the vector is right"
    );
    assert!(!key.verifying_key().verifies(message, &signature));
}
