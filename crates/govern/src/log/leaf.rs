//! What the log holds of a ledger record: the record itself, or a stand-in when it is too long for an entry.

use std::borrow::Cow;

use flagstone_events::to_hex;
use serde_json::json;

use super::MAX_ENTRY_BYTES;
use crate::canonical::{canonical, sha256};

/// The entry that stands for a record. A record that is longer than an entry may be is there by its digest:
/// `{"bytes":…,"entry":…,"sha256":"…"}`.
pub(crate) fn leaf(entry: u64, record: &str) -> Cow<'_, [u8]> {
    if record.len() <= MAX_ENTRY_BYTES {
        return Cow::Borrowed(record.as_bytes());
    }
    let digest = to_hex(&sha256(&[record.as_bytes()]));
    let short = json!({"bytes": record.len(), "entry": entry, "sha256": digest});
    Cow::Owned(canonical(&short).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stands_for_itself_unless_it_is_too_long() {
        let longest = "x".repeat(MAX_ENTRY_BYTES);
        assert_eq!(&*leaf(3, &longest), longest.as_bytes());
        let short = leaf(3, &format!("{longest}x")).into_owned();
        let short = String::from_utf8(short).unwrap();
        assert!(short.starts_with("{\"bytes\":65536,\"entry\":3,\"sha256\":\""), "{short}");
    }
}
