use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::Integer),
        (i64::MAX as u64 + 1..).prop_map(Json::Unsigned),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Json::Number),
        ".{0,12}".prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::List),
            prop::collection::vec((".{0,4}", inner), 0..6).prop_map(Json::Object),
        ]
    })
}

fn back(value: Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Integer(value) => Json::Integer(value),
        Value::Unsigned(value) => Json::Unsigned(value),
        Value::Number(value) => Json::Number(value),
        Value::Text(value) => Json::Text(value.into()),
        Value::List(list) => Json::List(list.iter().map(back).collect()),
        Value::Object(object) => {
            Json::Object(object.iter().map(|(key, value)| (String::from(key), back(value))).collect())
        }
    }
}

/// What a reader must see: members sorted by key, of repeated keys the last.
fn normal(json: &Json) -> Json {
    match json {
        Json::List(elements) => Json::List(elements.iter().map(normal).collect()),
        Json::Object(members) => {
            let map: alloc::collections::BTreeMap<&[u8], (&String, Json)> =
                members.iter().map(|(key, value)| (key.as_bytes(), (key, normal(value)))).collect();
            Json::Object(map.into_values().map(|(key, value)| (key.clone(), value)).collect())
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn written_values_read_back(json in json()) {
        let mut bytes = Vec::new();
        Value::write(&json, &mut bytes);
        let value = Value::validate(&bytes).unwrap();
        prop_assert_eq!(back(value), normal(&json));
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = Value::validate(&bytes) {
            // What validates must also be readable to its last member.
            let mut again = Vec::new();
            Value::write(&back(value), &mut again);
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn a_flipped_byte_is_refused_or_still_readable(json in json(), at in any::<prop::sample::Index>(), with in 1u8..) {
        let mut bytes = Vec::new();
        Value::write(&json, &mut bytes);
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        if let Ok(value) = Value::validate(&bytes) {
            let mut again = Vec::new();
            Value::write(&back(value), &mut again);
            prop_assert_eq!(again, bytes);
        }
    }
}

#[test]
fn too_deep_is_refused() {
    let mut json = Json::Null;
    for _ in 0..MAX_DEPTH {
        json = Json::List(vec![json]);
    }
    let mut bytes = Vec::new();
    Value::write(&json, &mut bytes);
    assert!(Value::validate(&bytes).is_ok());
    let mut bytes = Vec::new();
    Value::write(&Json::List(vec![json]), &mut bytes);
    assert_eq!(Value::validate(&bytes), Err(ValueError::Depth));
}

#[test]
fn members_are_found_by_key() {
    let json = Json::Object(vec![("b".into(), 1.into()), ("a".into(), 2.into()), ("b".into(), 3.into())]);
    let mut bytes = Vec::new();
    Value::write(&json, &mut bytes);
    let Ok(Value::Object(object)) = Value::validate(&bytes) else { panic!("not an object") };
    assert_eq!(object.get("a"), Some(Value::Integer(2)));
    assert_eq!(object.get("b"), Some(Value::Integer(3)));
    assert_eq!(object.get("c"), None);
    assert_eq!(object.len(), 2);
}
