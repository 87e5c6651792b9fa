//! A flag as authored: flagd's terms, then who answers for it and what could go wrong.

use flagstone_snapshot::OnExpiry;
use serde::{Serialize, Serializer};

use crate::model::{Canary, Guardrail, Metadata, Override, Prerequisite, Rollout};
use crate::span::Spanned;
use crate::tree::Node;

/// One flag.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flag {
    /// Its key.
    pub key: Spanned<String>,
    /// On or off.
    pub state: State,
    /// The variants, in the author's order.
    pub variants: Vec<Variant>,
    /// Served when targeting has no answer; none means the caller's own default.
    pub default_variant: Option<Spanned<String>>,
    /// JsonLogic; none also for flagd's empty `{}`.
    pub targeting: Option<Node>,
    /// The flag's own metadata, the set's not merged in.
    pub metadata: Metadata,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Why it exists.
    pub rationale: Option<String>,
    /// What it is hoped to do.
    pub expected_impact: Option<String>,
    /// What it could do at worst.
    pub worst_case: Option<String>,
    /// How it is taken back.
    pub rollback_plan: Option<String>,
    /// Who is called, in order.
    pub escalation: Vec<String>,
    /// When it is looked at again, `YYYY-MM-DD`.
    pub review: Option<String>,
    /// What it does without a fresh pulse.
    #[serde(serialize_with = "on_expiry")]
    pub on_expiry: OnExpiry,
    /// May reach a browser.
    pub client: bool,
    /// JSON Schema that every variant's value satisfies.
    pub value_schema: Option<Node>,
    /// The safe variant.
    pub baseline: Option<Spanned<String>>,
    /// Other flags that must be at certain variants; else the baseline is served.
    pub prerequisites: Vec<Prerequisite>,
    /// Units that get a variant of their own.
    pub overrides: Vec<Override>,
    /// Version of the sticky assignment; none: decisions are not remembered.
    pub sticky: Option<u32>,
    /// What it must answer to certain contexts.
    pub canaries: Vec<Canary>,
    /// Guardrails that hold for every rollout of the flag; a plan's own list contains them too.
    pub guardrails: Vec<Guardrail>,
    /// The rollout plan.
    pub rollout: Option<Rollout>,
}

impl Flag {
    /// Position of a variant.
    #[must_use]
    pub fn variant(&self, name: &str) -> Option<u16> {
        let at = self.variants.iter().position(|variant| variant.name == *name)?;
        u16::try_from(at).ok()
    }
}

/// flagd's `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// It is evaluated.
    #[default]
    Enabled,
    /// Callers get their own default, with reason `DISABLED`.
    Disabled,
}

/// A variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Variant {
    /// Its name.
    pub name: Spanned<String>,
    /// Its value.
    pub value: Node,
}

fn on_expiry<S: Serializer>(value: &OnExpiry, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match value {
        OnExpiry::Hold => "hold",
        OnExpiry::Safe => "safe",
    })
}
