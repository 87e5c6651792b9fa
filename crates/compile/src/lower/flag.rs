//! One flag to a [`DraftFlag`], tried out by laying it out alone.

use flagstone_snapshot::{Draft, DraftFlag, DraftVariant, FlagError, FlagKind, encode};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::lower::rule::Rule;
use crate::lower::scope::Scope;
use crate::lower::ties::{self, Ties};
use crate::lower::{merge, plan, results, rule};
use crate::model::{Flag, State};
use crate::tree::Value;

/// Lowers a flag; one that cannot be used is marked as broken and carries nothing else.
pub(super) fn lower(
    flag: &Flag,
    ties: &Ties<'_>,
    draft: &Draft,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> DraftFlag {
    let empty = DraftFlag {
        enabled: flag.state == State::Enabled,
        client: flag.client,
        metadata: merge(&scope.set.metadata, &flag.metadata),
        ..DraftFlag::new(&flag.key, kind(flag))
    };
    let broken = |error| DraftFlag { broken: Some(error), ..empty.clone() };
    let mut lowered = DraftFlag {
        variants: flag
            .variants
            .iter()
            .map(|variant| DraftVariant { name: variant.name.value.clone(), value: variant.value.to_json() })
            .collect(),
        default_variant: flag.default_variant.as_ref().and_then(|name| flag.variant(name)),
        on_expiry: flag.on_expiry,
        sticky: flag.sticky,
        ..empty.clone()
    };
    let mut usable = true;
    if let Some(targeting) = &flag.targeting {
        results::check(flag, targeting, diagnostics);
        lowered.targeting = rule::lower(targeting, scope, diagnostics);
        usable &= lowered.targeting.is_some();
    }
    if let Some(rollout) = &flag.rollout {
        lowered.plan = plan::lower(flag, rollout, scope, diagnostics);
        usable &= lowered.plan.is_some();
    }
    if !flag.overrides.is_empty() {
        lowered.overrides = Rule::new(scope, diagnostics).program(|rule| rule.overrides(flag));
        usable &= lowered.overrides.is_some();
    }
    if !usable {
        return broken(FlagError::Parse);
    }
    lowered.baseline = match (&flag.baseline, &lowered.plan) {
        (Some(name), _) => flag.variant(name),
        (None, Some(plan)) => Some(plan.baseline),
        (None, None) => None,
    };
    ties.tie(&mut lowered);
    // What the layout refuses for one flag must not be found when all are laid out together. The flags that it asks
    // for are not there yet; that they are is checked when all are.
    let alone = Draft {
        holdouts: draft.holdouts.clone(),
        layers: draft.layers.clone(),
        flags: vec![lowered],
        ..Draft::default()
    };
    if let Err(error) = encode(&alone) {
        diagnostics.push(Diagnostic::error(Code::TooLarge, flag.key.span, error.to_string()));
        return broken(FlagError::General);
    }
    let lowered = alone.flags.into_iter().next().unwrap_or(empty);
    DraftFlag { prerequisites: ties::prerequisites(flag), ..lowered }
}

/// Only says what is wrong with the rules of a flag that cannot be used anyway.
pub(super) fn check_rules(flag: &Flag, scope: &Scope<'_>, diagnostics: &mut Diagnostics) {
    if let Some(targeting) = &flag.targeting {
        results::check(flag, targeting, diagnostics);
        rule::lower(targeting, scope, diagnostics);
    }
    if let Some(rollout) = &flag.rollout {
        plan::lower(flag, rollout, scope, diagnostics);
    }
}

/// What a flag's values are: what its first variant is.
fn kind(flag: &Flag) -> FlagKind {
    match flag.variants.first().map(|variant| &variant.value.value) {
        Some(Value::Text(_)) => FlagKind::Text,
        Some(Value::Number(_)) => FlagKind::Number,
        Some(Value::List(_) | Value::Object(_)) => FlagKind::Object,
        _ => FlagKind::Boolean,
    }
}
