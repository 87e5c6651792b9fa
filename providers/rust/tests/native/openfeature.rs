//! The provider by itself: kinds, reasons, errors, metadata, contexts, exposures.

use std::sync::{Arc, Mutex};

use flagstone::Flags;
use flagstone::openfeature::{FlagstoneProvider, USE_DEFAULT};
use open_feature::provider::{FeatureProvider, ProviderStatus};
use open_feature::{
    EvaluationContext, EvaluationContextFieldValue, EvaluationErrorCode, EvaluationReason, FlagMetadataValue,
    StructValue, Value,
};

use crate::world::{NOW, flags, sealed, settings, world};

/// A provider over the small definition, for files only.
fn provider() -> FlagstoneProvider {
    let flags = Flags::pin(&world().trust, settings().without_pulses(), NOW).unwrap();
    flags.offer(sealed("first", 1), NOW).unwrap();
    FlagstoneProvider::new(Arc::new(flags)).with_clock(|| NOW)
}

fn nobody() -> EvaluationContext {
    EvaluationContext::default()
}

#[tokio::test]
async fn every_kind_has_its_door_and_no_other() {
    let provider = provider();
    let context = nobody();
    assert!(provider.resolve_bool_value("switch", &context).await.unwrap().value);
    assert_eq!(provider.resolve_float_value("amount", &context).await.unwrap().value, 2.5);
    assert_eq!(provider.resolve_string_value("word", &context).await.unwrap().value, "first");
    let parts = provider.resolve_struct_value("parts", &context).await.unwrap();
    let wanted = StructValue::default().with_field("yes", true).with_field(
        "list",
        vec![Value::from(1), "two".into(), StructValue::default().with_field("three", 3.5).into()],
    );
    assert_eq!(parts.value, wanted);
    let metadata = parts.flag_metadata.unwrap().values;
    assert_eq!(metadata.len(), 2, "{metadata:?}");
    assert_eq!(metadata["team"], FlagMetadataValue::String("search".into()));
    assert_eq!(metadata["level"], FlagMetadataValue::Int(3));
    assert_eq!((parts.variant.as_deref(), parts.reason), (Some("all"), Some(EvaluationReason::Static)));

    let mismatch = [
        provider.resolve_int_value("amount", &context).await.err(), // 2.5 is no whole number
        provider.resolve_int_value("word", &context).await.err(),
        provider.resolve_bool_value("word", &context).await.err(),
        provider.resolve_string_value("switch", &context).await.err(),
        provider.resolve_struct_value("word", &context).await.err(),
        provider.resolve_float_value("parts", &context).await.err(),
    ];
    for error in mismatch {
        assert_eq!(error.unwrap().code, EvaluationErrorCode::TypeMismatch);
    }
}

#[tokio::test]
async fn errors_and_the_callers_default_are_told_apart() {
    let provider = provider();
    let missing = provider.resolve_bool_value("no-such-flag", &nobody()).await.unwrap_err();
    assert_eq!(missing.code, EvaluationErrorCode::FlagNotFound);
    let off = provider.resolve_bool_value("off", &nobody()).await.unwrap_err();
    assert_eq!(off.code, EvaluationErrorCode::General(USE_DEFAULT.into()));
    assert!(off.message.unwrap().contains("DISABLED"));
    let unread = nobody().with_custom_field("odd", EvaluationContextFieldValue::new_struct(7_u8));
    let invalid = provider.resolve_bool_value("switch", &unread).await.unwrap_err();
    assert_eq!(invalid.code, EvaluationErrorCode::InvalidContext);
    let large = nobody().with_custom_field("text", "x".repeat(70_000));
    let invalid = provider.resolve_bool_value("switch", &large).await.unwrap_err();
    assert_eq!(invalid.code, EvaluationErrorCode::InvalidContext);

    let empty = FlagstoneProvider::new(Arc::new(flags())).with_clock(|| NOW);
    assert_eq!(empty.status(), ProviderStatus::NotReady);
    let early = empty.resolve_bool_value("switch", &nobody()).await.unwrap_err();
    assert_eq!(early.code, EvaluationErrorCode::ProviderNotReady);
}

#[tokio::test]
async fn the_state_is_told() {
    let flags = flags();
    flags.offer(sealed("first", 1), NOW).unwrap();
    let provider = FlagstoneProvider::new(Arc::new(flags)).with_clock(|| NOW);
    assert_eq!(provider.status(), ProviderStatus::STALE, "no pulse has come");
    let told = provider.resolve_bool_value("switch", &nobody()).await.unwrap().flag_metadata.unwrap();
    assert_eq!(told.values["flagstone.state"], FlagMetadataValue::String("stale".into()));
    assert_eq!(self::provider().status(), ProviderStatus::Ready);
}

#[tokio::test]
async fn contexts_are_read_whole_and_exposures_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let provider = provider().with_exposures(move |context, key, answer| {
        let unit = context.targeting_key.clone().unwrap_or_default();
        heard.lock().unwrap().push((unit, key.to_owned(), answer.variant().map(ToOwned::to_owned)));
    });
    let german = nobody()
        .with_targeting_key("ana")
        .with_custom_field("country", "de")
        .with_custom_field("age", 41)
        .with_custom_field("share", 0.5)
        .with_custom_field("beta", true)
        .with_custom_field(
            "more",
            EvaluationContextFieldValue::new_struct(serde_json::json!({"a": [1, null]})),
        )
        .with_custom_field("list", EvaluationContextFieldValue::new_struct(vec![Value::from(1)]));
    let word = provider.resolve_string_value("word", &german).await.unwrap();
    assert_eq!(
        (word.value.as_str(), word.reason),
        ("two \"quoted\"", Some(EvaluationReason::TargetingMatch))
    );
    provider.resolve_bool_value("word", &german).await.unwrap_err();
    provider.resolve_bool_value("off", &german).await.unwrap_err();
    let exposed = told.lock().unwrap().clone();
    assert_eq!(exposed, [("ana".to_owned(), "word".to_owned(), Some("two".to_owned()))]);
}
