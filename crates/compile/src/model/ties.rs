//! What ties flags together: prerequisites, holdouts, layers; and what is said of single units: overrides.

use serde::{Serialize, Serializer};

use crate::span::Spanned;

/// Another flag that must be at one of these variants.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prerequisite {
    /// Key of the other flag.
    pub flag: Spanned<String>,
    /// Names of its variants that will do.
    pub variants: Vec<Spanned<String>>,
}

/// Units that get one variant whatever the plan and the targeting say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Override {
    /// The variant.
    pub variant: Spanned<String>,
    /// Keys of the units.
    pub units: Vec<String>,
}

/// A share of units that gets the baseline of several flags.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Holdout {
    /// Its name.
    pub name: Spanned<String>,
    /// Dotted path of the attribute that identifies the unit.
    pub unit: String,
    /// Parts of `SHARE_TOTAL` that are held out.
    pub share: u32,
    /// Which flags.
    pub flags: Covers,
    /// Unix seconds from which on nobody is held out any more.
    pub until: Option<u64>,
}

/// Which flags a holdout is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Covers {
    /// `"*"`: all of the set.
    Every,
    /// Those of these keys.
    Listed(Vec<Spanned<String>>),
}

impl Covers {
    /// Whether the flag of that key is among them.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        match self {
            Covers::Every => true,
            Covers::Listed(keys) => keys.iter().any(|listed| *listed == *key),
        }
    }
}

impl Serialize for Covers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Covers::Every => serializer.serialize_str("*"),
            Covers::Listed(keys) => keys.serialize(serializer),
        }
    }
}

/// A unit interval that flags share out among themselves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Layer {
    /// Its name.
    pub name: Spanned<String>,
    /// Dotted path of the attribute that identifies the unit.
    pub unit: String,
    /// What each flag has of it.
    pub slots: Vec<Slot>,
}

/// What one flag has of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slot {
    /// Key of the flag.
    pub flag: Spanned<String>,
    /// Half-open ranges, ascending and apart.
    pub ranges: Vec<Range>,
}

/// A half-open range of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// Parts of `SHARE_TOTAL`.
    pub from: u32,
    /// Parts of `SHARE_TOTAL`, more than `from`.
    pub to: u32,
}
