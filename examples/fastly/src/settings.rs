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
    /// Seconds between two looks, over all sandboxes of a point of presence: `poll`, 10 unless it says otherwise.
    pub poll: u64,
    /// Requests that one sandbox answers at most: `requests`, 1,000 unless it says otherwise.
    pub requests: usize,
    /// A clock that stands still, for tests and drills, unix milliseconds: `now` in seconds.
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
            plain
                .try_get(name)?
                .ok_or_else(|| Error::msg(format!("the config store `{STORES}` has no `{name}`")))
        };
        let hidden = |name: &str| -> Result<Vec<u8>, Error> {
            let found = secret.try_get(name)?;
            let found =
                found.ok_or_else(|| Error::msg(format!("the secret store `{STORES}` has no `{name}`")))?;
            Ok(found.try_plaintext()?.to_vec())
        };
        let number = |name: &str| -> Result<Option<u64>, Error> {
            let Some(text) = plain.try_get(name)? else { return Ok(None) };
            let told =
                |_| Error::msg(format!("`{name}` in the config store `{STORES}` is no whole number: {text}"));
            Ok(Some(text.parse::<u64>().map_err(told)?))
        };
        Ok(Self {
            control_plane: text("control-plane")?,
            audience: text("audience")?,
            environment: text("environment")?,
            flag: text("flag")?,
            trust: hidden("trust")?,
            pepper: Pepper::from_hex(&String::from_utf8_lossy(&hidden("pepper")?))?,
            poll: number("poll")?.unwrap_or(10),
            requests: number("requests")?.and_then(|most| usize::try_from(most).ok()).unwrap_or(1_000),
            now_ms: number("now")?.map(|seconds| seconds.saturating_mul(1_000)),
        })
    }
}
