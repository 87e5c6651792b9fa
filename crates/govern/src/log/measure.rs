//! Figures for `docs/ledger.md`; run by hand, with `--ignored --nocapture`.

use std::time::Instant;

use flagstone_seal::SecretKey;

use super::disk::Disk;
use super::tail::Tail;
use super::{Log, folder, prove, verify};

/// As long as a ledger's entries are on average.
fn entry(number: u64) -> Vec<u8> {
    let filling = "x".repeat(360);
    format!("{{\"actor\":\"governor\",\"data\":{{\"x\":\"{filling}\"}},\"entry\":{number}}}").into_bytes()
}

fn bytes_in(folder: &std::path::Path) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (more, inner) = match entry.metadata().unwrap() {
            found if found.is_dir() => bytes_in(&entry.path()),
            found => (found.len(), 1),
        };
        (bytes, files) = (bytes + more, files + inner);
    }
    (bytes, files)
}

#[test]
#[ignore = "takes minutes and half a gigabyte of disk"]
fn a_million_entries() {
    let place = tempfile::tempdir().unwrap();
    let key = SecretKey::from_seed("acme.example/log", [9; 32]).unwrap();
    let keys = [key.verifying_key()];
    let disk = Disk { folder: place.path().join("log"), probe: None };
    let kept = [Vec::new(), Vec::new()];
    let mut log = Log { disk, signer: std::sync::Arc::new(key), tail: Tail::default(), kept };
    let chunk = u64::from(super::catch_up::CHUNK);

    let begun = Instant::now();
    let mut length = 0;
    while log.size() < 1_000_000 {
        let first = log.size() + 1;
        let entries: Vec<Vec<u8>> = (first..(first + chunk).min(1_000_001)).map(entry).collect();
        length = entries[0].len();
        log.append(&entries).unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (bytes, files) = bytes_in(place.path());
    println!("entries of about {length} bytes, {chunk} at a time: {:.0} a second", 1e6 / seconds);
    println!("on the disk: {:.1} bytes an entry, {files} files", bytes as f64 / 1e6);

    for batch in [1, 2, 8] {
        let mut times = Vec::new();
        for _ in 0..300 {
            let first = log.size() + 1;
            let entries: Vec<Vec<u8>> = (first..first + batch).map(entry).collect();
            let begun = Instant::now();
            log.append(&entries).unwrap();
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("{batch} at a time: median {:.1} ms, 95 of 100 within {:.1} ms", times[150], times[285]);
    }

    let read = || folder(place.path().join("log"));
    let begun = Instant::now();
    let (proof, proven) = prove(read(), &keys, 654_321).unwrap();
    println!(
        "a proof: {} hashes, {} bytes, made in {:.1} ms",
        proof.path.len(),
        proof.to_bytes().len(),
        begun.elapsed().as_secs_f64() * 1e3
    );
    proof.verify(&proven, &keys).unwrap();
    let leaves = verify_all(read(), &keys);
    let consistency = super::merkle::prove_consistency(&mut leaves.as_slice(), 654_321, log.size()).unwrap();
    println!("a consistency proof: {} hashes", consistency.len());
}

fn verify_all(read: impl super::Read, keys: &[flagstone_seal::VerifierKey]) -> Vec<super::merkle::Hash> {
    let begun = Instant::now();
    let verified = verify(read, keys, &mut |_, _| {}).unwrap();
    println!("verified {} entries in {:.1} s", verified.leaves.len(), begun.elapsed().as_secs_f64());
    verified.leaves
}
