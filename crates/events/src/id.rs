//! Ids that follow from content, so that the same event sent twice is recognised, and the id of a snapshot.

use serde::{Deserialize, Serialize};

use crate::hex::{HexVisitor, hex_text, to_hex};
use crate::{Pepper, Pseudonym};

/// Which snapshot a decision was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SnapshotId {
    /// Rises only when the trust root is rotated for recovery.
    pub epoch: u64,
    /// Strictly rising within an epoch.
    pub sequence: u64,
    /// SHA-256 of the snapshot's statement text; 64 hexadecimal digits on the wire.
    #[serde(with = "digest_text")]
    pub digest: [u8; 32],
}

mod digest_text {
    use super::{HexVisitor, to_hex};

    pub(super) fn serialize<S: serde::Serializer>(
        digest: &[u8; 32],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(digest))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 32], D::Error> {
        deserializer.deserialize_str(HexVisitor::<32>("digest"))
    }
}

/// The id of an event: 16 bytes, 32 hexadecimal digits as text. It is keyed with the pepper, so it says nothing
/// about what it was made of to anybody but the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

hex_text!(EventId, 16, "event id");

impl EventId {
    /// The id of an exposure: equal for the same unit, flag, variant, snapshot sequence, stage and window, so
    /// that a unit asked about a hundred times in one window is counted once. `window` is the number of the
    /// window, `at_ms / window_ms`.
    #[must_use]
    pub fn exposure(
        pepper: &Pepper,
        unit: Pseudonym,
        flag: &str,
        variant: &str,
        snapshot: &SnapshotId,
        stage: Option<u8>,
        window: u64,
    ) -> Self {
        let stage = stage.map_or([1, 0], |index| [0, index]);
        Self(pepper.tag(&[
            b"exposure",
            unit.as_bytes(),
            flag.as_bytes(),
            variant.as_bytes(),
            &snapshot.epoch.to_be_bytes(),
            &snapshot.sequence.to_be_bytes(),
            &stage,
            &window.to_be_bytes(),
        ]))
    }

    /// The id of a withdrawal: equal for the same unit and millisecond.
    #[must_use]
    pub fn withdrawal(pepper: &Pepper, unit: Pseudonym, at_ms: u64) -> Self {
        Self(pepper.tag(&[b"withdrawal", unit.as_bytes(), &at_ms.to_be_bytes()]))
    }

    /// The id of an outcome: equal for the same unit, outcome name and request. `request` is the caller's own id
    /// of the thing measured (a request id, a message id); it is not part of the event.
    #[must_use]
    pub fn outcome(pepper: &Pepper, unit: Pseudonym, name: &str, request: &str) -> Self {
        Self(pepper.tag(&[b"outcome", unit.as_bytes(), name.as_bytes(), request.as_bytes()]))
    }
}
