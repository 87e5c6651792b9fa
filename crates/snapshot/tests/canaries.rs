//! Canaries: what was written reads back, and none asks for something that is not there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flagstone_snapshot::limits::MAX_CANARIES;
use flagstone_snapshot::{
    Canary, Draft, DraftCanary, DraftFlag, DraftVariant, EncodeError, FlagKind, Json, LoadError, Snapshot,
    encode, layout,
};

fn canary(flag: &str, variant: Option<&str>) -> DraftCanary {
    let context = Json::Object(vec![("targetingKey".into(), "ana".into())]);
    DraftCanary { flag: flag.into(), context, at: 1_790_000_000, variant: variant.map(Into::into) }
}

fn draft(canaries: Vec<DraftCanary>) -> Draft {
    let variant = |name: &str| DraftVariant { name: name.into(), value: name.into() };
    let flag = |key: &str| DraftFlag {
        variants: vec![variant("a"), variant("b")],
        ..DraftFlag::new(key, FlagKind::Text)
    };
    Draft { flags: vec![flag("zebra"), flag("ant")], canaries, ..Draft::default() }
}

#[test]
fn what_was_written_reads_back() {
    let bytes = encode(&draft(vec![canary("zebra", Some("b")), canary("ant", None)])).unwrap();
    let snapshot = Snapshot::load(&bytes).unwrap();
    let expected =
        |flag, variant| Canary { flag, context: r#"{"targetingKey":"ana"}"#, at: 1_790_000_000, variant };
    assert_eq!(snapshot.canaries().collect::<Vec<_>>(), [expected(1, Some(1)), expected(0, None)]);
}

#[test]
fn what_is_not_there_is_refused() {
    for wrong in [
        canary("elephant", None),
        canary("ant", Some("c")),
        DraftCanary { context: Json::List(vec![]), ..canary("ant", None) },
    ] {
        assert!(matches!(encode(&draft(vec![wrong])), Err(EncodeError::Canary { .. })));
    }
    assert!(encode(&draft(vec![canary("ant", None); MAX_CANARIES])).is_ok());
    let over = encode(&draft(vec![canary("ant", None); MAX_CANARIES + 1]));
    assert!(matches!(over, Err(EncodeError::TooMany { what: "canaries", .. })));
}

#[test]
fn what_is_not_there_does_not_load() {
    let bytes = encode(&draft(vec![canary("ant", Some("a"))])).unwrap();
    let heap = Snapshot::load(&bytes)
        .unwrap()
        .canaries()
        .map(|canary| canary.context.as_ptr() as usize)
        .min()
        .unwrap();
    assert!(heap > bytes.as_ptr() as usize);
    let header = size_of::<layout::Header>();
    // The record stands last before the heap: time, span, flag, variant, zero.
    let fixed = header
        + size_of::<layout::AttributeRecord>()
        + 4 * size_of::<layout::VariantRecord>()
        + 2 * size_of::<layout::FlagRecord>()
        + 2 * 3
        + 2 * 2;
    for (at, change, refused) in [
        (8, 0xff, LoadError::Reference("canary", 0)),
        (12, 0xff, LoadError::Reference("canary", 0)),
        (16, 2, LoadError::Reference("canary", 0)),
        (20, 2, LoadError::Reference("canary", 0)),
        (22, 1, LoadError::Range("canary", 0)),
    ] {
        let mut changed = bytes.clone();
        changed[fixed + at] ^= change;
        changed[fixed + at + 1] ^= if change == 0xff { 0xff } else { 0 };
        assert_eq!(Snapshot::load(&changed).unwrap_err(), refused, "byte {at}");
    }
}
