//! Others' test values and others' programs: the shared Merkle and checkpoint vectors, RFC 6962's own example, and three
//! independent implementations (ct-merkle, signed_note, tlog_tiles) as second opinions.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flagstone_events::from_hex;
use flagstone_seal::{Note, SecretKey, VerifierKey};
use proptest::prelude::*;
use serde_json::Value;

use super::checkpoint::Body;
use super::merkle::*;
use super::tail::Tail;
use super::{Checkpoint, Kind, Proof, Tile};

/// RFC 6962 section 2.1 word for word: slow, and easy to compare with the text.
fn mth(entries: &[Vec<u8>]) -> Hash {
    match entries {
        [] => empty_root(),
        [one] => leaf_hash(one),
        more => {
            let k = more.len().next_power_of_two() / 2;
            node_hash(&mth(&more[..k]), &mth(&more[k..]))
        }
    }
}

fn hex(text: &str) -> Hash {
    from_hex(text).unwrap()
}

fn leaves(count: u32) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

fn shared(path: &str) -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance").join(path);
    let outer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance").join(path);
    let text = std::fs::read_to_string(file).or_else(|_| std::fs::read_to_string(outer)).ok();
    if text.is_none() {
        println!("skipped: ../shared/conformance/{path} is not here");
    }
    text
}

/// The tree over seven entries of RFC 6962 section 2.1.3, with its audit paths and consistency proofs.
#[test]
fn the_example_of_rfc_6962() {
    let leaves = leaves(7);
    let [a, b, c, d, e, f, j] = leaves.as_slice() else { panic!("seven") };
    let (g, h, i) = (node_hash(a, b), node_hash(c, d), node_hash(e, f));
    let (k, l) = (node_hash(&g, &h), node_hash(&i, j));
    let mut nodes = leaves.as_slice();
    assert_eq!(root(&leaves), node_hash(&k, &l));
    for (index, path) in [(0, vec![*b, h, l]), (3, vec![*c, g, l]), (4, vec![*f, *j, k]), (6, vec![i, k])] {
        assert_eq!(prove_inclusion(&mut nodes, index, 7), Ok(path));
    }
    for (old, path) in [(3, vec![*c, *d, g, l]), (4, vec![l]), (6, vec![i, *j, k])] {
        assert_eq!(prove_consistency(&mut nodes, old, 7), Ok(path));
    }
}

/// The eight entries and roots that the reference implementation of Certificate Transparency publishes.
#[test]
fn the_roots_of_certificate_transparency() {
    let entries: [&[u8]; 8] = [
        b"",
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
    ];
    let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    assert_eq!(root(&[]), hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    assert_eq!(root(&leaves[..1]), hex("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"));
    assert_eq!(root(&leaves), hex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"));
}

/// Every pair of sizes from 0 to 300, and every entry of every size: what is proven verifies, and nothing else does.
#[test]
fn all_pairs_of_sizes_and_all_entries() {
    let leaves = leaves(300);
    let mut nodes = leaves.as_slice();
    let mut tree = ct_merkle::mem_backed_tree::MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
    let mut roots = vec![empty_root()];
    for number in 0..300_u32 {
        tree.push(number.to_be_bytes().to_vec());
        roots.push(root(&leaves[..=number as usize]));
        assert_eq!(tree.root().as_bytes().as_slice(), roots[number as usize + 1], "{number}");
    }
    let (mut pairs, mut entries) = (0, 0);
    for new in 0..=300_u64 {
        let new_root = roots[new as usize];
        for old in 0..=new {
            let old_root = roots[old as usize];
            let proof = prove_consistency(&mut nodes, old, new).unwrap();
            assert_eq!(consistent(old, &old_root, new, &new_root, &proof), old > 0, "{old} {new}");
            assert!(!consistent(new, &new_root, old, &old_root, &proof) || old == new);
            if old > 0 && old < new {
                assert!(!consistent(old, &new_root, new, &new_root, &proof), "{old} {new}");
                assert!(!consistent(old, &old_root, new, &old_root, &proof), "{old} {new}");
                assert!(!consistent(old, &old_root, new, &new_root, &proof[1..]), "{old} {new}");
                let longer = [proof.as_slice(), &[new_root]].concat();
                assert!(!consistent(old, &old_root, new, &new_root, &longer), "{old} {new}");
            }
            pairs += 1;
        }
        for index in 0..new {
            let proof = prove_inclusion(&mut nodes, index, new).unwrap();
            let leaf = &leaves[index as usize];
            assert_eq!(root_of_inclusion(index, new, leaf, &proof), Some(new_root), "{index} {new}");
            assert!(new == 1 || root_of_inclusion(index ^ 1, new, leaf, &proof) != Some(new_root));
            entries += 1;
        }
        assert_eq!(root_of_inclusion(new, new, &empty_root(), &[]), None);
    }
    assert_eq!((pairs, entries), (45_451, 45_150));
    // The other implementation's proofs are ours.
    for (old, new) in [(1, 300), (7, 300), (128, 300), (256, 300), (299, 300)] {
        let proof = prove_consistency(&mut nodes, old, new).unwrap().concat();
        let theirs = tree.prove_consistency((new - old) as usize);
        assert_eq!(theirs.as_bytes(), proof, "{old} {new}");
    }
    for index in 0..300 {
        let proof = prove_inclusion(&mut nodes, index, 300).unwrap().concat();
        assert_eq!(tree.prove_inclusion(index as usize).as_bytes(), proof, "{index}");
    }
}

/// The same against tlog_tiles, which verifies by other code.
#[test]
fn tlog_tiles_agrees() {
    let leaves = leaves(300);
    let mut nodes = leaves.as_slice();
    let theirs = |hash: &Hash| tlog_tiles::tlog::Hash(*hash);
    for (index, size) in [(0_u64, 1_u64), (0, 2), (6, 7), (128, 256), (256, 257), (299, 300)] {
        let path: Vec<_> = prove_inclusion(&mut nodes, index, size).unwrap().iter().map(theirs).collect();
        let tree = theirs(&root(&leaves[..size as usize]));
        tlog_tiles::tlog::check_record(&path, size, tree, index, theirs(&leaves[index as usize])).unwrap();
    }
    for (old, new) in [(1_u64, 2_u64), (3, 7), (6, 7), (128, 300), (255, 257), (299, 300)] {
        let proof: Vec<_> = prove_consistency(&mut nodes, old, new).unwrap().iter().map(theirs).collect();
        let [old_root, new_root] = [old, new].map(|size| theirs(&root(&leaves[..size as usize])));
        tlog_tiles::tlog::check_tree(&proof, new, new_root, old, old_root).unwrap();
    }
    for tile in [
        Tile { kind: Kind::Hashes(0), index: 1_234_067, width: 256 },
        Tile { kind: Kind::Hashes(3), index: 7, width: 9 },
        Tile { kind: Kind::Entries, index: 1_000, width: 3 },
    ] {
        let level = if let Kind::Hashes(level) = tile.kind { level } else { 0 };
        let other =
            tlog_tiles::tile::Tile::new(8, level, tile.index, tile.width.into(), tile.kind == Kind::Entries);
        // Theirs are named as Go's checksum database names them, with the height after `tile`.
        let path = other.path().replacen("tile/8/", "tile/", 1).replacen("tile/data/", "tile/entries/", 1);
        assert_eq!(path, tile.path());
    }
}

proptest! {
    /// Whatever is appended: the tail's root, the root over hashes in memory, and the RFC's recursion are the same; and the
    /// tiles that were given out hold exactly the hashes of their level.
    #[test]
    fn every_sequence_of_appends_has_the_root_of_the_rfc(
        entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..700),
    ) {
        let mut tail = Tail::default();
        let mut full = Vec::new();
        for entry in &entries {
            full.extend(tail.push(entry).unwrap());
        }
        let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        prop_assert_eq!(tail.root(), mth(&entries));
        prop_assert_eq!(root(&hashes), mth(&entries));
        let mut all: Vec<Tile> = full.iter().chain(&tail.partials()).map(|(tile, _)| *tile).collect();
        let mut wanted: Vec<Tile> = super::tiles(entries.len() as u64).collect();
        all.sort();
        wanted.sort();
        prop_assert_eq!(all, wanted);
        for (tile, bytes) in full.iter().chain(&tail.partials()) {
            let from = tile.index as usize * 256;
            match tile.kind {
                Kind::Entries => {
                    let held = super::tile::entries(bytes).0;
                    prop_assert_eq!(held, entries[from..from + usize::from(tile.width)].to_vec());
                }
                Kind::Hashes(level) => {
                    let span = 256_usize.pow(level.into());
                    for (place, hash) in bytes.chunks(32).enumerate() {
                        let first = (from + place) * span;
                        prop_assert_eq!(hash, mth(&entries[first..first + span]));
                    }
                }
            }
        }
    }
}

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap_or_default()).unwrap()
}

/// A hash of a vector. Some are no 32 bytes, where only equality matters: then whatever stands for them alone.
fn hash_of(value: &Value) -> Hash {
    let bytes = decoded(value);
    bytes.as_slice().try_into().unwrap_or_else(|_| leaf_hash(&bytes))
}

fn proof_of(case: &Value) -> Vec<Hash> {
    case["proof"].as_array().into_iter().flatten().map(hash_of).collect()
}

/// transparency-dev/merkle's proofs, good and spoiled in every way they thought of.
#[test]
fn shared_proofs() {
    let (Some(inclusion), Some(consistency)) =
        (shared("merkle/inclusion.jsonl"), shared("merkle/consistency.jsonl"))
    else {
        return;
    };
    let (mut good, mut bad) = (0, 0);
    let mut count = |case: &Value, accepted: bool| {
        assert_eq!(accepted, !case["wantErr"].as_bool().unwrap(), "{case}");
        if accepted { good += 1 } else { bad += 1 }
    };
    for line in inclusion.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| case[name].as_u64().unwrap();
        let (leaf, proof) = (hash_of(&case["leafHash"]), proof_of(&case));
        let found = root_of_inclusion(number("leafIdx"), number("treeSize"), &leaf, &proof);
        count(&case, found == Some(hash_of(&case["root"])));
    }
    for line in consistency.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| case[name].as_u64().unwrap();
        let (old, new) = (hash_of(&case["root1"]), hash_of(&case["root2"]));
        count(&case, consistent(number("size1"), &old, number("size2"), &new, &proof_of(&case)));
    }
    println!("merkle: {good} proofs accepted, {bad} refused, as wanted");
    assert!(good >= 10 && bad >= 100, "{good} {bad}");
}

/// transparency-dev/formats' checkpoint bodies.
#[test]
fn shared_checkpoints() {
    let Some(text) = shared("signed-note/vectors.json") else { return };
    let suite: Value = serde_json::from_str(&text).unwrap();
    let cases = suite["checkpoint_body"].as_array().unwrap();
    for case in cases {
        let text = case["checkpoint"].as_str().unwrap();
        let found = Body::parse(text);
        assert_eq!(found.is_some(), case["valid"].as_bool().unwrap(), "{case}");
        let Some(body) = found else { continue };
        assert_eq!(body.origin, case["origin"].as_str().unwrap());
        assert_eq!((Some(body.size), body.hash), (case["size"].as_u64(), decoded(&case["hash_base64"])));
        assert_eq!(body.rest, case["rest"].as_str().unwrap());
    }
    println!("checkpoints: {} bodies as wanted", cases.len());
    assert!(cases.len() >= 10);
}

fn key() -> SecretKey {
    SecretKey::from_seed("acme.example/log", [9; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "acme.example/log".into(), size: 7, root: root(&leaves(7)) }
}

/// What we sign, Cloudflare's `signed_note` and `tlog_tiles` read; what it signs, we read.
#[test]
fn cloudflares_signed_note_reads_ours_and_we_read_theirs() {
    use signed_note::{Note as TheirNote, StandardSigner, StandardVerifier, VerifierList};
    let note = checkpoint().sign(&key()).unwrap();
    let theirs = TheirNote::from_bytes(&note).unwrap();
    let verifier = StandardVerifier::new(&key().verifying_key().to_text()).unwrap();
    let verifiers = VerifierList::new(vec![Box::new(verifier)]);
    let (verified, unverified) = theirs.verify(&verifiers).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let read = tlog_tiles::checkpoint::Checkpoint::from_bytes(theirs.text()).unwrap();
    assert_eq!((read.origin(), read.size()), ("acme.example/log", 7));
    assert_eq!(read.hash().0, checkpoint().root);

    // Their signer reads our secret key's text, and a witness adds its signature to ours.
    let signer = StandardSigner::new(&key().to_text()).unwrap();
    let text = checkpoint().to_text();
    let mut made = TheirNote::new(text.as_bytes(), &[]).unwrap();
    made.add_sigs(&[&signer]).unwrap();
    let witness = SecretKey::from_seed("witness.example/w", [8; 32]).unwrap();
    made.add_sigs(&[&StandardSigner::new(&witness.to_text()).unwrap()]).unwrap();
    let bytes = made.to_bytes();
    assert_eq!(Note::parse(&bytes, 8_192).unwrap().signatures().len(), 2);
    for pinned in [key().verifying_key(), VerifierKey::parse(&key().verifying_key().to_text()).unwrap()] {
        assert_eq!(Checkpoint::open(&bytes, &[pinned]).unwrap(), checkpoint());
    }
    assert!(Checkpoint::open(&bytes, &[witness.verifying_key()]).unwrap_err().to_string().contains("log"));
}

#[test]
fn a_checkpoint_is_refused_for_every_flipped_bit() {
    let note = checkpoint().sign(&key()).unwrap();
    let keys = [key().verifying_key()];
    assert_eq!(Checkpoint::open(&note, &keys).unwrap(), checkpoint());
    for place in 0..note.len() {
        for bit in 0..8 {
            let mut bad = note.clone();
            bad[place] ^= 1 << bit;
            assert!(Checkpoint::open(&bad, &keys).is_err(), "byte {place}, bit {bit}");
        }
    }
    assert!(Checkpoint::open(&note, &[]).is_err());
}

#[test]
fn a_proof_travels_alone() {
    let leaves = leaves(7);
    let path = prove_inclusion(&mut leaves.as_slice(), 4, 7).unwrap();
    let proof = Proof { index: 4, path, checkpoint: checkpoint().sign(&key()).unwrap() };
    let bytes = proof.to_bytes();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 4\n"), "{text}");
    assert_eq!(Proof::parse(&bytes).unwrap(), proof);
    let keys = [key().verifying_key()];
    assert_eq!(proof.verify(&4_u32.to_be_bytes(), &keys).unwrap(), checkpoint());
    assert!(proof.verify(&5_u32.to_be_bytes(), &keys).is_err());
    assert!(Proof { index: 3, ..proof.clone() }.verify(&4_u32.to_be_bytes(), &keys).is_err());
    let extra = text.replacen("index", "extra AAAA\nindex", 1);
    assert_eq!(Proof::parse(extra.as_bytes()).unwrap(), proof);
    for (from, to) in [
        ("@v1", "@v2"),
        ("index 4", "index 04"),
        ("index 4", "index -4"),
        ("index 4\n", ""),
        ("\n\nacme", "\nacme"),
        ("index 4\n", "index 4\nAAAA\n"),
        ("index", "extra !\nindex"),
    ] {
        assert!(Proof::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{from:?} {to:?}");
    }
}
