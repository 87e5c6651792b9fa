//! Sealed snapshots in words: ceilings, what changes from one to the next, who has signed.

use flagstone_seal::{Note, RoleKind, SealError, SnapshotStatement, Tally, TrustRoot, tally};
use flagstone_snapshot::{Flag, Plan, Snapshot};
use serde_json::{Value, json};

use crate::output::hex;

/// The highest approved stage of each plan, by flag.
pub(crate) fn ceilings(snapshot: &Snapshot<'_>) -> Vec<(String, String)> {
    let flags = snapshot.flags();
    flags.filter_map(|flag| Some((flag.key().to_owned(), ceiling(&flag.plan()?)?))).collect()
}

fn ceiling(plan: &Plan<'_>) -> Option<String> {
    Some(plan.stage(plan.ceiling()?)?.name.to_owned())
}

/// Each plan with all of its stages: how far its ceiling reaches.
pub(crate) fn plans(snapshot: &Snapshot<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for flag in snapshot.flags() {
        let Some(plan) = flag.plan() else { continue };
        let stages: Vec<&str> =
            (0..plan.stage_count()).filter_map(|stage| Some(plan.stage(stage)?.name)).collect();
        lines.push(match ceiling(&plan) {
            Some(name) => format!("`{}` approved up to stage `{name}` of {}", flag.key(), stages.join(", ")),
            None => format!("`{}` has a plan and no approved stage of {}", flag.key(), stages.join(", ")),
        });
    }
    lines
}

/// What changes from one snapshot to the next, a line a matter. Rules are compared by their definition only.
pub(crate) fn changes(before: &Snapshot<'_>, next: &Snapshot<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for flag in next.flags() {
        match before.find(flag.key()).and_then(|index| before.flag(index)) {
            None => lines.push(format!("`{}` is new", flag.key())),
            Some(old) => lines.extend(flag_changes(&old, &flag)),
        }
    }
    for flag in before.flags().filter(|flag| next.find(flag.key()).is_none()) {
        lines.push(format!("`{}` is gone", flag.key()));
    }
    if before.definition() == next.definition() {
        lines.push("compiled from the same definition".into());
    } else {
        lines.push(format!(
            "compiled from another definition, {}: compare the two for what their rules say",
            hex(&next.definition())
        ));
    }
    lines
}

fn flag_changes(old: &Flag<'_>, new: &Flag<'_>) -> Vec<String> {
    let key = new.key();
    let mut lines = Vec::new();
    if old.enabled() != new.enabled() {
        lines.push(format!("`{key}` is turned {}", if new.enabled() { "on" } else { "off" }));
    }
    for index in 0..new.variant_count() {
        let Some(variant) = new.variant(index) else { continue };
        match old.find_variant(variant.name).and_then(|index| old.variant(index)) {
            None => lines.push(format!("`{key}` has a new variant `{}`: {}", variant.name, variant.json)),
            Some(was) if was.json != variant.json => {
                lines.push(format!(
                    "`{key}`: variant `{}` is {} (before: {})",
                    variant.name, variant.json, was.json
                ));
            }
            Some(_) => {}
        }
    }
    for index in 0..old.variant_count() {
        let Some(variant) = old.variant(index) else { continue };
        if new.find_variant(variant.name).is_none() {
            lines.push(format!("`{key}` has no variant `{}` any more", variant.name));
        }
    }
    let named = |flag: &Flag<'_>, index: Option<u16>| {
        let variant = index.and_then(|index| Some(flag.variant(index)?.name.to_owned()));
        variant.map_or("the caller's own".into(), |name| format!("`{name}`"))
    };
    let defaults = (named(old, old.default_variant()), named(new, new.default_variant()));
    if defaults.0 != defaults.1 {
        lines.push(format!("`{key}`: the default is {} (before: {})", defaults.1, defaults.0));
    }
    let safe = (named(old, old.baseline()), named(new, new.baseline()));
    if safe.0 != safe.1 {
        lines.push(format!("`{key}`: a halt gives {} (before: {})", safe.1, safe.0));
    }
    lines.extend(plan_changes(key, old.plan().as_ref(), new.plan().as_ref()));
    lines
}

fn plan_changes(key: &str, old: Option<&Plan<'_>>, new: Option<&Plan<'_>>) -> Vec<String> {
    let (old, new) = match (old, new) {
        (None, None) => return Vec::new(),
        (Some(_), None) => return vec![format!("`{key}` has no rollout plan any more")],
        (None, Some(new)) => {
            let up_to = ceiling(new).map_or("no stage".into(), |name| format!("stage `{name}`"));
            return vec![format!("`{key}` has a rollout plan, approved up to {up_to}")];
        }
        (Some(old), Some(new)) => (old, new),
    };
    let mut lines = Vec::new();
    let stages = |plan: &Plan<'_>| {
        let of =
            |stage: u8| plan.stage(stage).map(|stage| (stage.name.to_owned(), stage.treat, stage.control));
        (0..plan.stage_count()).filter_map(of).collect::<Vec<_>>()
    };
    if stages(old) != stages(new) {
        let names: Vec<String> = stages(new).into_iter().map(|(name, ..)| name).collect();
        lines.push(format!("`{key}` has other stages: {}", names.join(", ")));
    }
    let (was, is) = (ceiling(old), ceiling(new));
    if was != is {
        let word = match old.ceiling().cmp(&new.ceiling()) {
            std::cmp::Ordering::Less => "raised",
            std::cmp::Ordering::Greater => "lowered",
            std::cmp::Ordering::Equal => "changed",
        };
        let name = |ceiling: Option<String>| ceiling.map_or("none".into(), |name| format!("`{name}`"));
        lines.push(format!("`{key}`: the ceiling is {word} to {} (before: {})", name(is), name(was)));
    }
    lines
}

/// Who of the release keys has signed, by this trust root.
pub(crate) fn release_tally(
    note: &Note<'_>,
    statement: &SnapshotStatement,
    trust: &TrustRoot,
) -> Result<Tally, SealError> {
    let role = RoleKind::Release(statement.environment.clone());
    tally(note.text(), note.signatures(), trust.statement(), &role)
}

/// A tally as JSON.
pub(crate) fn tally_json(tally: &Tally) -> Value {
    let names = |keys: &[flagstone_seal::VerifierKey]| {
        keys.iter().map(|key| key.name().to_owned()).collect::<Vec<_>>()
    };
    json!({
        "needed": tally.needed, "signed": names(&tally.signed), "missing": names(&tally.missing),
        "others": tally.others, "wrong": tally.wrong,
    })
}

#[cfg(test)]
mod tests {
    use flagstone_compile::{Options, Source, compile};
    use flagstone_snapshot::encode;

    use super::*;

    const FLAG: &str = "  answers:
    state: ENABLED
    owner: answers@acme.example
    rationale: Shorter answers tested better with support agents.
    expectedImpact: Satisfaction up two points.
    worstCase: Confident wrong advice to paying customers.
    rollbackPlan: Halt; every surface serves today within a minute.
    onExpiry: safe
    variants: { today: a@12, concise: a@15 }
    defaultVariant: today
    rollout:
      baseline: today
      candidate: concise
      ceiling: 5%
      guardrails:
        - { metric: wrong, role: deterioration, share: 100%, promote: { notWorseBy: 10% } }
      stages:
        - { name: 5%, treat: 5%, control: 10%, bake: 60s, need: { units: 20 } }
        - { name: 50%, treat: 50%, control: 50%, bake: 60s }
";
    const BANNER: &str =
        "  banner: { state: ENABLED, variants: { on: true, off: false }, defaultVariant: on }\n";

    fn snapshot(flags: &str) -> Vec<u8> {
        let metrics = "metrics: { wrong: { event: answer, bad: { wrong: true } } }";
        let text = format!("metadata: {{ environment: production }}\n{metrics}\nflags:\n{flags}");
        let source = Source::new("flags.yaml", text);
        let outcome = compile(&source, &Options { strict: true, ..Options::default() });
        let draft = outcome.draft.unwrap_or_else(|| panic!("{}", outcome.diagnostics.render(&source, false)));
        encode(&draft).unwrap()
    }

    fn told(before: &str, next: &str) -> Vec<String> {
        let (before, next) = (snapshot(before), snapshot(next));
        let mut lines = changes(&Snapshot::load(&before).unwrap(), &Snapshot::load(&next).unwrap());
        let last = lines.pop().unwrap();
        assert!(last.starts_with("compiled from"), "{last}");
        lines
    }

    #[test]
    fn what_people_decide_about_is_told() {
        let both = format!("{FLAG}{BANNER}");
        assert!(told(&both, &both).is_empty());
        assert_eq!(told(&both, FLAG), ["`banner` is gone"]);
        assert_eq!(told(FLAG, &both), ["`banner` is new"]);
        let one = |from: &str, to: &str, words: &str| {
            let next = both.replacen(from, to, 1);
            assert_ne!(next, both);
            assert_eq!(told(&both, &next), [words], "{to}");
        };
        one("ceiling: 5%", "ceiling: 50%", "`answers`: the ceiling is raised to `50%` (before: `5%`)");
        let raised = both.replacen("ceiling: 5%", "ceiling: 50%", 1);
        assert_eq!(told(&raised, &both), ["`answers`: the ceiling is lowered to `5%` (before: `50%`)"]);
        one("a@15", "a@16", "`answers`: variant `concise` is \"a@16\" (before: \"a@15\")");
        one("treat: 5%", "treat: 4%", "`answers` has other stages: 5%, 50%");
        let other = both.replacen("defaultVariant: on", "defaultVariant: off", 1);
        let lines =
            ["`banner`: the default is `off` (before: `on`)", "`banner`: a halt gives `off` (before: `on`)"];
        assert_eq!(told(&both, &other), lines);
        let off = both.replacen("banner: { state: ENABLED", "banner: { state: DISABLED", 1);
        assert_eq!(told(&both, &off), ["`banner` is turned off"]);
    }

    #[test]
    fn plans_are_told_with_their_stages() {
        let bytes = snapshot(FLAG);
        let lines = plans(&Snapshot::load(&bytes).unwrap());
        assert_eq!(lines, ["`answers` approved up to stage `5%` of 5%, 50%"]);
    }
}
