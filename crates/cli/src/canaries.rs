//! Asks the canaries of a definition that was compiled, so that a wrong one is found before anything is signed.

use flagstone_compile::Outcome;
use flagstone_evaluate::{Decision, wrong_canary};
use flagstone_snapshot::{Snapshot, encode};

/// Reports the first canary that the engine answers otherwise than its author expects. What cannot be laid out is
/// reported by who lays it out.
pub(crate) fn ask(outcome: &mut Outcome) {
    let Some(bytes) = outcome.draft.as_ref().and_then(|draft| encode(draft).ok()) else { return };
    let Ok(snapshot) = Snapshot::load(&bytes) else { return };
    let Some((position, canary, answer)) = wrong_canary(&snapshot) else { return };
    let answer = match answer {
        None => "an error: its context cannot be read".to_owned(),
        Some(Decision { error: Some(error), .. }) => error.as_str().to_owned(),
        Some(Decision { variant: None, .. }) => "the caller's own default".to_owned(),
        Some(Decision { variant: Some(variant), .. }) => {
            let named =
                snapshot.flag(canary.flag).and_then(|flag| flag.variant(variant).map(|variant| variant.name));
            format!("`{}`", named.unwrap_or_default())
        }
    };
    outcome.wrong_canary(position, &answer);
}
