//! The one text of a JSON value: what the ledger hashes and digests are taken of.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The value without white space, members sorted by the bytes of their names, numbers as `serde_json` prints them
/// (shortest form that reads back to the same number).
pub(crate) fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// SHA-256 over several byte strings, one after another.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The canonical text of anything that serialises, and its SHA-256.
///
/// # Errors
/// When the value does not serialise (a map with keys that are not text).
pub(crate) fn digest_of(value: &impl Serialize) -> Result<(String, [u8; 32]), serde_json::Error> {
    let text = canonical(&serde_json::to_value(value)?);
    let digest = sha256(&[text.as_bytes()]);
    Ok((text, digest))
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|left, right| left.0.cmp(right.0));
            out.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_sorted_and_numbers_stay_exact() {
        let value = json!({"b": [1, 2.5, null], "a": {"z": true, "é": "\n\""}, "big": u64::MAX});
        assert_eq!(
            canonical(&value),
            r#"{"a":{"z":true,"é":"\n\""},"b":[1,2.5,null],"big":18446744073709551615}"#
        );
    }

    #[test]
    fn the_digest_does_not_depend_on_how_parts_are_cut() {
        assert_eq!(sha256(&[b"ab", b"c"]), sha256(&[b"abc"]));
        assert_ne!(sha256(&[b"abc"]), sha256(&[b"abd"]));
    }
}
