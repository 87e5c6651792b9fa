//! The manifest: the one file whose replacement is the moment at which the kept state changes.

use std::io;

use flagstone_events::{from_hex, to_hex};
use flagstone_seal::Mark;
use serde::{Deserialize, Serialize};

/// Its name in the data folder.
pub(super) const NAME: &str = "manifest.json";
/// The version of its form.
pub(super) const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) version: u32,
    pub(super) trust: Vec<TrustStep>,
    pub(super) snapshot: Option<String>,
    pub(super) pulse: Option<String>,
    pub(super) mark: Option<StoredMark>,
    pub(super) pulse_number: Option<u64>,
    pub(super) latest_issued: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustStep {
    pub(super) version: u64,
    pub(super) object: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "MarkText", into = "MarkText")]
pub(super) struct StoredMark(Mark);

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkText {
    epoch: u64,
    sequence: u64,
    digest: String,
}

impl TryFrom<MarkText> for StoredMark {
    type Error = &'static str;
    fn try_from(text: MarkText) -> Result<Self, Self::Error> {
        let digest = from_hex(&text.digest).ok_or("a digest has 64 lower-case hexadecimal digits")?;
        Ok(Self(Mark { epoch: text.epoch, sequence: text.sequence, digest }))
    }
}

impl From<StoredMark> for MarkText {
    fn from(StoredMark(mark): StoredMark) -> Self {
        Self { epoch: mark.epoch, sequence: mark.sequence, digest: to_hex(&mark.digest) }
    }
}

impl From<Mark> for StoredMark {
    fn from(mark: Mark) -> Self {
        Self(mark)
    }
}

impl From<StoredMark> for Mark {
    fn from(stored: StoredMark) -> Self {
        stored.0
    }
}

impl Manifest {
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec_pretty(self)?)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.version != VERSION {
            return Err(format!("its version is {}, this reads {VERSION}", manifest.version));
        }
        if let Some(name) = manifest.objects().find(|name| from_hex::<32>(name).is_none()) {
            return Err(format!("`{name}` is not the name of an object"));
        }
        Ok(manifest)
    }

    /// The names of everything it needs.
    pub(super) fn objects(&self) -> impl Iterator<Item = &str> {
        let notes = self.trust.iter().map(|step| step.object.as_str());
        notes.chain(self.snapshot.as_deref()).chain(self.pulse.as_deref())
    }
}
