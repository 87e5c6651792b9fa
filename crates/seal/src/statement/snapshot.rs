//! `flagstone/snapshot@v1`: a flag set, bound by its payload's SHA-256. Signed by release keys.

use alloc::string::String;

use super::Form;
use super::lines::{Lines, push_digest, push_field, push_number};
use crate::error::SealError;
use crate::limits;
use crate::policy::Mark;
use crate::text::{is_audience, is_environment, is_token, sha256};

/// What a release-signed snapshot says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotStatement {
    /// Who may use it: product and class, `acme.example/assistant#browser`.
    pub audience: String,
    /// `production`, `staging` …; without spaces and `:`.
    pub environment: String,
    /// At most the trust root's epoch.
    pub epoch: u64,
    /// Strictly rising within (audience, environment, epoch).
    pub sequence: u64,
    /// Unix seconds.
    pub issued: u64,
    /// Unix seconds; at most [`limits::MAX_SNAPSHOT_LIFETIME`] after `issued`.
    pub expires: u64,
    /// SHA-256 of the statement before this one; zeros for the first.
    pub parent: [u8; 32],
    /// What the payload is; opaque here.
    pub payload_type: String,
    /// Bytes of the payload.
    pub payload_length: u64,
    /// SHA-256 of the payload.
    pub payload_sha256: [u8; 32],
}

impl SnapshotStatement {
    /// Read a statement text (without signatures). Nothing is verified.
    ///
    /// # Errors
    /// [`SealError::WrongKind`] or [`SealError::BadStatement`] with the line.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        super::parse(text)
    }

    /// The one text of this statement: the bytes that are signed.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.text()
    }

    /// SHA-256 of the text.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.text().as_bytes())
    }

    /// The mark to keep once this statement is accepted.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { epoch: self.epoch, sequence: self.sequence, digest: self.digest() }
    }
}

impl Form for SnapshotStatement {
    const KIND: &'static str = "flagstone/snapshot@v1";
    const MAX_LIFETIME: u64 = limits::MAX_SNAPSHOT_LIFETIME;
    const MAX_BYTES: usize = limits::MAX_NOTE_BYTES;

    fn read(lines: &mut Lines<'_>) -> Self {
        Self {
            audience: lines.text("audience", is_audience),
            environment: lines.text("environment", is_environment),
            epoch: lines.number("epoch"),
            sequence: lines.number("sequence"),
            issued: lines.number("issued"),
            expires: lines.number("expires"),
            parent: lines.digest("parent"),
            payload_type: lines.text("payload-type", |text| is_token(text, limits::MAX_PAYLOAD_TYPE_BYTES)),
            payload_length: lines.number("payload-length"),
            payload_sha256: lines.digest("payload-sha256"),
        }
    }

    fn print(&self, out: &mut String) {
        push_field(out, "audience", &self.audience);
        push_field(out, "environment", &self.environment);
        push_number(out, "epoch", self.epoch);
        push_number(out, "sequence", self.sequence);
        push_number(out, "issued", self.issued);
        push_number(out, "expires", self.expires);
        push_digest(out, "parent", &self.parent);
        push_field(out, "payload-type", &self.payload_type);
        push_number(out, "payload-length", self.payload_length);
        push_digest(out, "payload-sha256", &self.payload_sha256);
    }

    fn period(&self) -> (u64, u64) {
        (self.issued, self.expires)
    }
}
