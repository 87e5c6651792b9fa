//! Trust statements in words: what one says, what changes to the next, who has signed.

use flagstone_events::to_hex;
use flagstone_seal::{Role, Tally, TrustStatement, VerifierKey};

use crate::output::time;

/// A key as people tell it from others: name and key id.
pub(crate) fn key(key: &VerifierKey) -> String {
    format!("{} ({})", key.name(), to_hex(&key.id()))
}

/// The keys of a list, one after the other; `nobody` for none.
pub(crate) fn list(keys: &[VerifierKey]) -> String {
    if keys.is_empty() {
        return "nobody".into();
    }
    keys.iter().map(key).collect::<Vec<_>>().join(", ")
}

/// What a statement says, a line a matter.
pub(crate) fn says(trust: &TrustStatement) -> Vec<String> {
    let mut lines = Vec::new();
    for role in &trust.roles {
        lines.push(format!("{}: {} of {}", role.kind.to_text(), role.threshold, list(&role.keys)));
    }
    for floor in &trust.floors {
        lines.push(format!(
            "{}: nothing below epoch {}, sequence {}",
            floor.environment, floor.epoch, floor.sequence
        ));
    }
    lines.extend(trust.revoked_keys.iter().map(|revoked| format!("revoked: {}", key(revoked))));
    lines.extend(
        trust.revoked_statements.iter().map(|digest| format!("revoked: statement {}", to_hex(digest))),
    );
    lines
}

/// What changes from one statement to the next, a line a matter.
pub(crate) fn changes(before: &TrustStatement, next: &TrustStatement) -> Vec<String> {
    let mut lines = Vec::new();
    if next.epoch != before.epoch {
        lines.push(format!(
            "epoch {} -> {}: sequences begin anew, and what readers remember of before no longer binds them",
            before.epoch, next.epoch
        ));
    }
    for role in &next.roles {
        match before.role(&role.kind) {
            Some(old) => lines.extend(role_changes(old, role)),
            None => lines.push(format!(
                "{}: a new role, {} of {}",
                role.kind.to_text(),
                role.threshold,
                list(&role.keys)
            )),
        }
    }
    for role in before.roles.iter().filter(|role| next.role(&role.kind).is_none()) {
        lines.push(format!("{}: the role is taken out, nobody may sign", role.kind.to_text()));
    }
    lines.extend(floor_changes(before, next));
    for revoked in next.revoked_keys.iter().filter(|key| !before.is_revoked_key(key)) {
        lines.push(format!("revokes {}: it counts nowhere any more", key(revoked)));
    }
    for again in before.revoked_keys.iter().filter(|key| !next.is_revoked_key(key)) {
        lines.push(format!("takes back the revocation of {}", key(again)));
    }
    for digest in next.revoked_statements.iter().filter(|one| !before.revoked_statements.contains(one)) {
        lines.push(format!("revokes the statement {}", to_hex(digest)));
    }
    for digest in before.revoked_statements.iter().filter(|one| !next.revoked_statements.contains(one)) {
        lines.push(format!("takes back the revocation of the statement {}", to_hex(digest)));
    }
    lines.push(format!("holds until {} (before: {})", time(next.expires), time(before.expires)));
    lines
}

fn role_changes(old: &Role, new: &Role) -> Vec<String> {
    let name = new.kind.to_text();
    let has = |role: &Role, key: &VerifierKey| role.keys.iter().any(|one| one == key);
    let mut lines = Vec::new();
    for added in new.keys.iter().filter(|key| !has(old, key)) {
        lines.push(format!("{name}: adds {}", key(added)));
    }
    for removed in old.keys.iter().filter(|key| !has(new, key)) {
        lines.push(format!("{name}: removes {}", key(removed)));
    }
    if old.threshold != new.threshold {
        lines.push(format!("{name}: {} signatures are needed (before: {})", new.threshold, old.threshold));
    }
    if !lines.is_empty() {
        lines.push(format!("{name}: so it is {} of {}", new.threshold, list(&new.keys)));
    }
    lines
}

fn floor_changes(before: &TrustStatement, next: &TrustStatement) -> Vec<String> {
    let mut lines = Vec::new();
    for floor in &next.floors {
        let old = before.floors.iter().find(|old| old.environment == floor.environment);
        if old != Some(floor) {
            let was =
                old.map_or("none".into(), |old| format!("epoch {}, sequence {}", old.epoch, old.sequence));
            lines.push(format!(
                "{}: nothing below epoch {}, sequence {} opens any more (before: {was})",
                floor.environment, floor.epoch, floor.sequence
            ));
        }
    }
    let gone =
        |floor: &&flagstone_seal::Floor| !next.floors.iter().any(|one| one.environment == floor.environment);
    for floor in before.floors.iter().filter(gone) {
        lines.push(format!("{}: the floor at epoch {} is taken out", floor.environment, floor.epoch));
    }
    lines
}

/// How far the signatures of one set of keys are: `2 of 2: …` or `1 of 2: …; still one of …`.
pub(crate) fn signatures(tally: &Tally) -> String {
    let signed = if tally.signed.is_empty() { String::new() } else { format!(": {}", list(&tally.signed)) };
    let mut text = format!("{} of {} signatures{signed}", tally.signed.len(), tally.needed);
    if tally.lacking() > 0 {
        text += &format!("; still {} of {}", tally.lacking(), list(&tally.missing));
    }
    for wrong in &tally.wrong {
        text += &format!("; the signature of `{wrong}` does not verify and spoils the whole");
    }
    text
}

#[cfg(test)]
mod tests {
    use flagstone_seal::{Floor, RoleKind, SecretKey};

    use super::*;

    fn public(name: &str, seed: u8) -> VerifierKey {
        SecretKey::from_seed(name, [seed; 32]).unwrap().verifying_key()
    }

    fn trust() -> TrustStatement {
        let role = |kind, keys| Role { kind, threshold: 1, keys };
        TrustStatement {
            version: 1,
            epoch: 1,
            issued: 1_790_000_000,
            expires: 1_800_000_000,
            roles: vec![
                role(RoleKind::Root, vec![public("root", 1)]),
                role(RoleKind::Release("production".into()), vec![public("ana", 2), public("ben", 3)]),
            ],
            floors: vec![Floor { environment: "production".into(), epoch: 1, sequence: 5 }],
            revoked_keys: vec![public("old", 9)],
            revoked_statements: vec![[1; 32]],
        }
    }

    /// Whatever differs is told, and nothing else is.
    #[test]
    fn each_difference_is_told_once() {
        let before = trust();
        assert_eq!(changes(&before, &before).len(), 1, "how long it holds is always told");
        let told = |change: &dyn Fn(&mut TrustStatement), words: &[&str]| {
            let mut next = before.clone();
            change(&mut next);
            let lines = changes(&before, &next);
            let (last, lines) = lines.split_last().unwrap();
            assert!(last.starts_with("holds until"), "{last}");
            assert_eq!(lines.len(), words.len(), "{lines:?}");
            for (line, word) in lines.iter().zip(words) {
                assert!(line.contains(word), "`{line}` without `{word}`");
            }
        };
        told(&|next| next.epoch = 2, &["epoch 1 -> 2"]);
        told(&|next| next.roles[1].threshold = 2, &["2 signatures are needed (before: 1)", "so it is 2 of"]);
        told(&|next| next.roles[1].keys.push(public("cyd", 4)), &["adds cyd", "so it is 1 of"]);
        told(&|next| next.roles[1].keys.truncate(1), &["removes ben", "so it is 1 of ana"]);
        // The same public key under another name is another entry for people.
        told(&|next| next.roles[1].keys[1] = public("bea", 3), &["adds bea", "removes ben", "so it is"]);
        told(&|next| drop(next.roles.pop()), &["the role is taken out"]);
        told(
            &|next| {
                let kind = RoleKind::Pulse("production".into());
                next.roles.push(Role { kind, threshold: 1, keys: vec![public("p", 5)] });
            },
            &["pulse:production: a new role, 1 of p"],
        );
        told(
            &|next| next.floors[0].sequence = 6,
            &["nothing below epoch 1, sequence 6 opens any more (before: epoch 1"],
        );
        told(&|next| next.floors.clear(), &["is taken out"]);
        told(&|next| next.revoked_keys.push(public("ben", 3)), &["revokes ben"]);
        told(&|next| next.revoked_keys.clear(), &["takes back the revocation of old"]);
        told(&|next| next.revoked_statements.push([2; 32]), &["revokes the statement 0202"]);
        told(&|next| next.revoked_statements.clear(), &["takes back the revocation of the statement 0101"]);
    }

    #[test]
    fn a_statement_is_told_whole() {
        let lines = says(&trust());
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines[1].starts_with("release:production: 1 of ana ("), "{lines:?}");
    }
}
