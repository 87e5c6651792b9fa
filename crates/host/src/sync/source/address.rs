//! The name of an item: as a path below an address, and as a file or object. They differ where a folder cannot hold a
//! file and a folder of one name.

use flagstone_events::to_hex;

use super::Item;

/// Below `/v1/environments/{environment}/`.
pub(super) fn path(item: Item) -> String {
    match item {
        Item::TrustVersion(version) => format!("trust/{version}"),
        other => file(other),
    }
}

/// In a folder or a bucket.
pub(super) fn file(item: Item) -> String {
    match item {
        Item::Trust => "trust".to_owned(),
        Item::TrustVersion(version) => format!("trust.{version}"),
        Item::Pulse => "pulse".to_owned(),
        Item::Snapshot(digest) => format!("snapshots/{}", to_hex(&digest)),
    }
}
