//! What the service is told: the config store `flagstone`, and the secret store of the same name for what nobody else may write.

use fastly::{ConfigStore, Error, SecretStore};
use flagstone_events::Pepper;

const STORES: &str = "flagstone";

/// The settings of one service.
pub struct Settings {
    /// Address of the control plane; requests to it go through the backend `control`.
    pub control_plane: String,
    /// Who reads.
    pub audience: String,
    /// Where.
    pub environment: String,
    /// The flag that the page shows.
    pub flag: String,
    /// The pinned trust note.
    pub trust: Vec<u8>,
    /// The hosts' pepper.
    pub pepper: Pepper,
    /// A clock that stands still, unix milliseconds, for tests and drills.
    pub now_ms: Option<u64>,
}

impl Settings {
    /// Reads both stores.
    pub fn read() -> Result<Self, Error> {
        let plain = ConfigStore::try_open(STORES)
            .map_err(|error| Error::msg(format!("there is no config store `{STORES}`: {error}")))?;
        let secret = SecretStore::open(STORES)
            .map_err(|error| Error::msg(format!("there is no secret store `{STORES}`: {error}")))?;
        let text = |name: &str| -> Result<String, Error> {
            plain.try_get(name)?.ok_or_else(|| Error::msg(format!("the config store `{STORES}` has no `{name}`")))
        };
        let hidden = |name: &str| -> Result<Vec<u8>, Error> {
            let found = secret.try_get(name)?;
            let found =
                found.ok_or_else(|| Error::msg(format!("the secret store `{STORES}` has no `{name}`")))?;
            Ok(found.try_plaintext()?.to_vec())
        };
        let now_ms = plain.try_get("now")?.and_then(|seconds| seconds.parse::<u64>().ok());
        Ok(Self {
            control_plane: text("control-plane")?,
            audience: text("audience")?,
            environment: text("environment")?,
            flag: text("flag")?,
            trust: hidden("trust")?,
            pepper: Pepper::from_hex(&String::from_utf8_lossy(&hidden("pepper")?))?,
            now_ms: now_ms.map(|seconds| seconds.saturating_mul(1_000)),
        })
    }
}
