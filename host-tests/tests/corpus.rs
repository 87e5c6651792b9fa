//! The committed fuzzing corpus, tried without a fuzzer: what once was found stays mended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../fuzz/src/lib.rs"]
#[allow(clippy::indexing_slicing, unreachable_pub, dead_code)]
mod fuzz;

use std::path::Path;

/// A target's name and what it does.
type Target = (&'static str, fn(&[u8]));

#[test]
fn nothing_in_the_corpus_breaks_a_promise() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let targets: [Target; 5] = [
        ("open", fuzz::open),
        ("load", fuzz::load),
        ("evaluate", fuzz::evaluate),
        ("context", fuzz::context),
        ("compile", fuzz::compile),
    ];
    let (mut bytes, mut loads) = (0, 0);
    for (name, target) in targets {
        let mut inputs = 0;
        for entry in std::fs::read_dir(folder.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let input = std::fs::read(&path).unwrap();
            println!("{}", path.display());
            target(&input);
            inputs += 1;
            loads += usize::from(name == "load" && flagstone_snapshot::Snapshot::load(&input).is_ok());
            bytes += input.len();
        }
        assert!(inputs >= 10, "the corpus of `{name}` has {inputs} inputs");
    }
    assert!(loads >= 10, "the snapshots of the corpus are of another format: write it anew");
    assert!(bytes <= 200_000, "the corpus has {bytes} bytes; it is to stay small");
}
