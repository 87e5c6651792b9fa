//! What ties flags together to what the engine looks up: holdouts and layers by position.

use std::collections::{BTreeSet, HashMap, HashSet};

use flagstone_snapshot::{
    Draft, DraftFlag, DraftHoldout, DraftLayer, DraftPrerequisite, DraftSlot, FlagError, bucket_salt,
};

use crate::Audience;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::lower::scope::Scope;
use crate::model::{Covers, Definition, Flag, Slot};

/// Positions in the draft of the holdouts and layers that each flag is tied by.
pub(super) struct Ties<'a> {
    /// Of the holdouts that are about every flag.
    every: Vec<u16>,
    holdouts: HashMap<&'a str, Vec<u16>>,
    slots: HashMap<&'a str, (u16, &'a Slot)>,
}

impl<'a> Ties<'a> {
    /// Puts the holdouts and layers that one of `flags` needs into the draft; others are left out of a snapshot.
    pub(super) fn new(set: &'a Definition, flags: &[&Flag], draft: &mut Draft) -> Self {
        let there: HashSet<&str> = flags.iter().map(|flag| flag.key.as_str()).collect();
        let mut ties = Ties { every: Vec::new(), holdouts: HashMap::new(), slots: HashMap::new() };
        for holdout in &set.holdouts {
            let Ok(at) = u16::try_from(draft.holdouts.len()) else { break };
            match &holdout.flags {
                Covers::Every if !there.is_empty() => ties.every.push(at),
                Covers::Every => continue,
                Covers::Listed(keys) => {
                    let keys: BTreeSet<&str> =
                        keys.iter().map(|key| key.as_str()).filter(|key| there.contains(key)).collect();
                    if keys.is_empty() {
                        continue;
                    }
                    for key in keys {
                        ties.holdouts.entry(key).or_default().push(at);
                    }
                }
            }
            draft.holdouts.push(DraftHoldout {
                name: holdout.name.value.clone(),
                unit: holdout.unit.clone(),
                salt: bucket_salt("holdout", &holdout.name),
                share: holdout.share,
                until: holdout.until,
            });
        }
        for layer in &set.layers {
            let Ok(at) = u16::try_from(draft.layers.len()) else { break };
            let mut needed = false;
            for slot in layer.slots.iter().filter(|slot| there.contains(slot.flag.as_str())) {
                ties.slots.insert(&slot.flag, (at, slot));
                needed = true;
            }
            if needed {
                draft.layers.push(DraftLayer {
                    name: layer.name.value.clone(),
                    unit: layer.unit.clone(),
                    salt: bucket_salt("layer", &layer.name),
                });
            }
        }
        ties
    }

    /// Ties a flag.
    pub(super) fn tie(&self, lowered: &mut DraftFlag) {
        lowered.holdouts.clone_from(&self.every);
        lowered.holdouts.extend(self.holdouts.get(lowered.key.as_str()).into_iter().flatten());
        lowered.holdouts.sort_unstable();
        lowered.slot = self.slots.get(lowered.key.as_str()).map(|(layer, slot)| DraftSlot {
            layer: *layer,
            ranges: slot.ranges.iter().map(|range| (range.from, range.to)).collect(),
        });
    }
}

/// What a flag asks of others.
pub(super) fn prerequisites(flag: &Flag) -> Vec<DraftPrerequisite> {
    let names =
        |variants: &[crate::Spanned<String>]| variants.iter().map(|name| name.value.clone()).collect();
    flag.prerequisites
        .iter()
        .map(|other| DraftPrerequisite { flag: other.flag.value.clone(), variants: names(&other.variants) })
        .collect()
}

/// Marks the flags as broken that ask for one that does not reach browsers. Those that ask for a broken one are not
/// harmed by it: it is at no variant, like one that could not be read when only the model is lowered.
pub(super) fn check_prerequisites(draft: &mut Draft, scope: &Scope<'_>, diagnostics: &mut Diagnostics) {
    if scope.options.audience == Audience::Server {
        return;
    }
    let keys: HashSet<String> = draft.flags.iter().map(|flag| flag.key.clone()).collect();
    for lowered in &mut draft.flags {
        let absent = lowered.prerequisites.iter().find(|other| !keys.contains(&other.flag));
        let Some(absent) = absent.map(|other| other.flag.clone()) else { continue };
        let flag = scope.set.flag(&lowered.key);
        let place =
            flag.and_then(|flag| flag.prerequisites.iter().find(|other| other.flag == absent.as_str()));
        if let Some(place) = place {
            diagnostics.about(Some(&lowered.key));
            let said = format!("`{}` asks for `{absent}`, which does not reach browsers", lowered.key);
            diagnostics.push(
                Diagnostic::error(Code::UnknownName, place.flag.span, said).hint("both need `client: true`"),
            );
        }
        *lowered = unusable(lowered);
    }
    diagnostics.about(None);
}

/// Marks the flags as broken that ask for the baseline, and not the candidate, of a flag with a plan: stepping that plan
/// back would open them, and a step back may raise nobody's exposure.
pub(super) fn check_raised(draft: &mut Draft, scope: &Scope<'_>, diagnostics: &mut Diagnostics) {
    for flag in &scope.set.flags {
        let raised = flag.prerequisites.iter().find(|other| {
            let names = |name: &str| other.variants.iter().any(|variant| *variant == *name);
            let plan = scope.set.flag(&other.flag).and_then(|other| other.rollout.as_ref());
            plan.is_some_and(|plan| names(&plan.baseline) && !names(&plan.candidate))
        });
        let Some(raised) = raised else { continue };
        let Some(lowered) = draft.flags.iter_mut().find(|lowered| lowered.key == flag.key.value) else {
            continue;
        };
        diagnostics.about(Some(&flag.key));
        let said = format!("taking back `{}` would open `{}`", raised.flag, flag.key);
        diagnostics.push(Diagnostic::error(Code::Raised, raised.flag.span, said).hint(
            "a flag with a plan can be asked for its candidate, or for both, not for its baseline alone",
        ));
        if lowered.broken.is_none() {
            *lowered = unusable(lowered);
        }
    }
    diagnostics.about(None);
}

/// The flag as one that answers `GENERAL`.
fn unusable(lowered: &DraftFlag) -> DraftFlag {
    DraftFlag {
        enabled: lowered.enabled,
        client: lowered.client,
        metadata: lowered.metadata.clone(),
        broken: Some(FlagError::General),
        ..DraftFlag::new(&lowered.key, lowered.kind)
    }
}
