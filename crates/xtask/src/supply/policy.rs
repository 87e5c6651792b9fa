//! `supply.toml`: what is allowed, and what is set aside with a reason.

use anyhow::{Context, Result};
use jiff::civil::Date;
use serde::{Deserialize, Deserializer};

use crate::places::Places;

/// The one file of the policy, in the checkout's root.
pub(crate) const FILE: &str = "supply.toml";

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    pub(crate) licences: Licences,
    pub(crate) sandbox: Sandbox,
    #[serde(default)]
    pub(crate) advisories: Advisories,
    #[serde(default)]
    pub(crate) duplicates: Vec<Listed>,
    /// Crates that must not come in at all.
    #[serde(default)]
    pub(crate) refused: Vec<Listed>,
}

/// Licences that a dependency may be taken under.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Licences {
    /// Each a licence of the SPDX list, with its exception if it has one: `MIT`, `Apache-2.0 WITH LLVM-exception`.
    pub(crate) allow: Vec<String>,
}

/// The runtime that the engine's component runs in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Sandbox {
    /// The crate's name.
    #[serde(rename = "crate")]
    pub(crate) name: String,
    /// Long-term support is given to major versions divisible by this.
    pub(crate) long_term_every: u64,
    /// The major version's last day of support, by the project's own rules.
    #[serde(deserialize_with = "date")]
    pub(crate) supported_until: Date,
    /// All features that are on in the build of the checkout.
    pub(crate) features: Vec<String>,
}

/// How advisories are treated.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Advisories {
    /// From this many days on the copy of the database is called old.
    #[serde(default)]
    pub(crate) old_after_days: Option<i32>,
    #[serde(default)]
    pub(crate) ignore: Vec<Ignored>,
}

/// An advisory that is set aside for a while.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ignored {
    /// `RUSTSEC-2026-0001`.
    pub(crate) id: String,
    pub(crate) reason: String,
    /// The last day on which it is set aside.
    #[serde(deserialize_with = "date")]
    pub(crate) until: Date,
}

/// Crates with one reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    pub(crate) reason: String,
    /// Names; for duplicates with a line of versions: `sha2 0.10`, `syn 2`.
    pub(crate) crates: Vec<String>,
}

/// `2026-11-27`.
fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl Policy {
    /// Reads the file.
    pub(crate) fn read(places: &Places) -> Result<Self> {
        let text = std::fs::read_to_string(places.below(FILE)).with_context(|| {
            format!("cannot read `{FILE}`\nhint: it says what is allowed, see docs/supply-chain.md")
        })?;
        let policy: Self =
            toml::from_str(&text).with_context(|| format!("`{FILE}` is not as it should be"))?;
        let mut reasons = policy.duplicates.iter().chain(&policy.refused).map(|listed| &listed.reason);
        let ignored = policy.advisories.ignore.iter().map(|ignored| &ignored.reason);
        anyhow::ensure!(
            reasons.by_ref().chain(ignored).all(|reason| !reason.trim().is_empty()),
            "`{FILE}` has an exception without a reason\nhint: say why, the next reader has to decide whether it still holds"
        );
        Ok(policy)
    }
}
