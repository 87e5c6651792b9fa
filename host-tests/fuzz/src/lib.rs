//! What each fuzz target does with its bytes. A target fails by panicking: by a panic of the code under test, or by an
//! assertion here about what must hold whatever the bytes are.
//!
//! The same functions are run over the committed corpus by `host-tests/tests/corpus.rs`, without a fuzzer.

mod decide;
mod files;
#[path = "../../src/fixture.rs"]
#[allow(dead_code, missing_docs)]
mod fixture;

pub use decide::{context, evaluate};
pub use files::open;

use flagstone_compile::{Audience, Options, Source, compile as compile_source};
use flagstone_snapshot::{EncodeError, Flag, FractionalVersion, Snapshot, encode};

/// Any bytes as a snapshot; what loads is walked to its last record.
pub fn load(data: &[u8]) {
    let Ok(snapshot) = Snapshot::load(data) else { return };
    walk(&snapshot);
}

/// A definition: the first byte says how to compile it, the rest is its text. What compiles lays out, and what was laid
/// out loads.
pub fn compile(data: &[u8]) {
    let Some((how, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let name = if how & 1 == 0 { "fuzz.json" } else { "fuzz.yaml" };
    let source = Source::new(name, text);
    let options = Options {
        environment: if how & 2 == 0 { "test".into() } else { String::new() },
        strict: how & 4 != 0,
        audience: if how & 8 == 0 { Audience::Server } else { Audience::Browser },
        fractional: if how & 16 == 0 { FractionalVersion::V2 } else { FractionalVersion::V3 },
    };
    let outcome = compile_source(&source, &options);
    drop(outcome.diagnostics.render(&source, how & 32 != 0));
    let Some(draft) = outcome.draft else { return };
    match encode(&draft) {
        Ok(bytes) => match Snapshot::load(&bytes) {
            Ok(snapshot) => walk(&snapshot),
            Err(error) => panic!("what was laid out does not load: {error}"),
        },
        // Flags that fit one by one may be too much together.
        Err(EncodeError::TooMany { .. }) => {}
        Err(error) => panic!("what compiled cannot be laid out: {error}"),
    }
}

/// Reads everything that a loaded snapshot offers.
fn walk(snapshot: &Snapshot<'_>) {
    let mut seen = snapshot.flag_set().len() + snapshot.environment().len() + snapshot.metadata().len();
    for index in 0..snapshot.attribute_count() {
        seen += snapshot.attribute(index).map_or(0, str::len);
    }
    for flag in snapshot.flags() {
        assert_eq!(snapshot.find(flag.key()), Some(flag.index()));
        seen += flag.metadata().len();
        for variant in 0..flag.variant_count() {
            let variant = flag.variant(variant).expect("a variant below the count");
            seen += variant.json.len();
            assert!(flag.find_variant(variant.name).is_some());
        }
        for variant in [flag.default_variant(), flag.baseline()].into_iter().flatten() {
            assert!(flag.variant(variant).is_some());
        }
        rule(snapshot, flag.targeting());
        plan(snapshot, &flag);
        let Some(parts) = flag.parts() else { continue };
        rule(snapshot, parts.overrides());
        seen += parts.prerequisites().count() + parts.holdouts().count();
        seen += parts.layer().map_or(0, |(_, ranges)| ranges.len());
    }
    std::hint::black_box(seen);
}

fn plan(snapshot: &Snapshot<'_>, flag: &Flag<'_>) {
    let Some(plan) = flag.plan() else { return };
    assert!(flag.variant(plan.baseline()).is_some() && flag.variant(plan.candidate()).is_some());
    assert!(snapshot.attribute(plan.unit()).is_some());
    assert!(plan.ceiling().is_none_or(|ceiling| ceiling < plan.stage_count()));
    let mut treated = 0;
    for index in 0..plan.stage_count() {
        let stage = plan.stage(index).expect("a stage below the count");
        assert!(stage.treat >= treated);
        treated = stage.treat;
        rule(snapshot, stage.who);
    }
    std::hint::black_box((plan.domains().count(), plan.steps().len(), plan.pauses().len(), plan.window()));
}

fn rule(snapshot: &Snapshot<'_>, index: Option<u32>) {
    if let Some(index) = index {
        assert!(!snapshot.rule(index).expect("a rule that is referred to").code.is_empty());
    }
}
