//! What is to change from one trust statement to the next: options, and their application.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use flagstone_events::from_hex;
use flagstone_seal::{Floor, Role, RoleKind, TrustStatement, VerifierKey};

use crate::commands::{keys, seal};
use crate::files;

/// Changes to a trust root. A KEY is a file (public or secret), a key's text, or its name in the trust root.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Changes {
    /// The environment that release and pulse keys are changed for; not needed while there is only one
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Give a key the root role
    #[arg(long, value_name = "KEY")]
    add_root: Vec<String>,
    /// Take the root role from a key
    #[arg(long, value_name = "KEY")]
    remove_root: Vec<String>,
    /// How many root keys must agree to the version after this one
    #[arg(long, value_name = "N")]
    root_threshold: Option<u32>,
    /// Let a key sign snapshots
    #[arg(long, value_name = "KEY")]
    add_release: Vec<String>,
    /// No longer let a key sign snapshots
    #[arg(long, value_name = "KEY")]
    remove_release: Vec<String>,
    /// How many release keys must sign a snapshot
    #[arg(long, value_name = "N")]
    release_threshold: Option<u32>,
    /// Let a key sign pulses
    #[arg(long, value_name = "KEY")]
    add_pulse: Vec<String>,
    /// No longer let a key sign pulses
    #[arg(long, value_name = "KEY")]
    remove_pulse: Vec<String>,
    /// Take an environment out: nobody may sign for it any more
    #[arg(long, value_name = "NAME")]
    drop_environment: Vec<String>,
    /// Nothing below this epoch and sequence opens in an environment
    #[arg(long, value_names = ["ENVIRONMENT", "EPOCH", "SEQUENCE"], num_args = 3)]
    floor: Vec<String>,
    /// Begin the next epoch: sequences begin anew, and what readers remember of the old one no longer binds them
    #[arg(long)]
    raise_epoch: bool,
    /// Take every role from a key, for good
    #[arg(long, value_name = "KEY")]
    revoke_key: Vec<String>,
    /// Refuse one snapshot, pulse or trust note from now on: its digest, or the file
    #[arg(long, value_name = "DIGEST")]
    revoke_statement: Vec<String>,
}

impl Changes {
    /// The same changes and the revocation of `key`.
    pub(crate) fn also_revoking(&self, key: &VerifierKey) -> Self {
        let mut changes = self.clone();
        changes.revoke_key.push(key.to_text());
        changes
    }

    /// The statement after `before`: its version is one higher, and it is issued now.
    pub(crate) fn next(
        &self,
        before: &TrustStatement,
        lifetime: impl Into<Duration>,
    ) -> Result<TrustStatement> {
        let mut next = before.clone();
        next.version += 1;
        next.epoch += u64::from(self.raise_epoch);
        next.issued = files::now().max(before.issued);
        next.expires = next.issued + lifetime.into().as_secs();
        self.drop_environments(&mut next)?;
        self.change_role(
            &mut next,
            RoleKind::Root,
            (&self.add_root, &self.remove_root, self.root_threshold),
        )?;
        let release = (&*self.add_release, &*self.remove_release, self.release_threshold);
        self.change_of_environment(&mut next, before, RoleKind::Release, release)?;
        let pulse = (&*self.add_pulse, &*self.remove_pulse, None);
        self.change_of_environment(&mut next, before, RoleKind::Pulse, pulse)?;
        for text in &self.revoke_key {
            let revoked = key(text, before)?;
            for role in &mut next.roles {
                role.keys.retain(|key| key.public() != revoked.public());
            }
            if !next.is_revoked_key(&revoked) {
                next.revoked_keys.push(revoked);
            }
        }
        self.set_floors(&mut next)?;
        for text in &self.revoke_statement {
            let digest = statement_digest(text)?;
            if !next.revoked_statements.contains(&digest) {
                next.revoked_statements.push(digest);
            }
        }
        check_roles(&next)?;
        Ok(next)
    }

    fn drop_environments(&self, next: &mut TrustStatement) -> Result<()> {
        for name in &self.drop_environment {
            let had = next.roles.len();
            next.roles.retain(|role| environment_of(&role.kind) != Some(name));
            next.floors.retain(|floor| floor.environment != *name);
            if next.roles.len() == had {
                bail!("the trust root does not speak of an environment `{name}`");
            }
        }
        Ok(())
    }

    /// Release and pulse roles are for one environment: the one named, or the only one there is.
    fn change_of_environment(
        &self,
        next: &mut TrustStatement,
        before: &TrustStatement,
        kind: fn(String) -> RoleKind,
        change: (&[String], &[String], Option<u32>),
    ) -> Result<()> {
        if change.0.is_empty() && change.1.is_empty() && change.2.is_none() {
            return Ok(());
        }
        let environment = match &self.environment {
            Some(name) => name.clone(),
            None => only_environment(before)?,
        };
        self.change_role(next, kind(environment), change)
    }

    fn change_role(
        &self,
        next: &mut TrustStatement,
        kind: RoleKind,
        (add, remove, threshold): (&[String], &[String], Option<u32>),
    ) -> Result<()> {
        let added = add.iter().map(|text| key(text, next)).collect::<Result<Vec<_>>>()?;
        let removed = remove.iter().map(|text| key(text, next)).collect::<Result<Vec<_>>>()?;
        if !added.is_empty() && next.role(&kind).is_none() {
            next.roles.push(Role { kind: kind.clone(), threshold: 1, keys: Vec::new() });
        }
        let name = kind.to_text();
        let role = next.roles.iter_mut().find(|role| role.kind == kind);
        let Some(role) = role else {
            if removed.is_empty() && threshold.is_none() {
                return Ok(());
            }
            bail!("the trust root has no role `{name}`");
        };
        for key in removed {
            let had = role.keys.len();
            role.keys.retain(|one| one.public() != key.public());
            if role.keys.len() == had {
                bail!("`{}` does not hold the role `{name}`", key.name());
            }
        }
        for key in added {
            if role.keys.iter().any(|one| one.public() == key.public()) {
                bail!("`{}` holds the role `{name}` already", key.name());
            }
            role.keys.push(key);
        }
        role.threshold = threshold.unwrap_or(role.threshold);
        Ok(())
    }

    fn set_floors(&self, next: &mut TrustStatement) -> Result<()> {
        for floor in self.floor.chunks(3) {
            let [environment, epoch, sequence] = floor else {
                bail!("`--floor` takes an environment, an epoch and a sequence");
            };
            let number = |text: &String| {
                text.parse::<u64>().with_context(|| format!("`--floor`: `{text}` is no number"))
            };
            let floor = Floor {
                environment: environment.clone(),
                epoch: number(epoch)?,
                sequence: number(sequence)?,
            };
            if floor.epoch > next.epoch {
                bail!(
                    "the floor of `{environment}` is in epoch {epoch}, and the trust root in epoch {}: nothing could \
                     reach it\nhint: `--raise-epoch`",
                    next.epoch
                );
            }
            next.floors.retain(|one| one.environment != floor.environment);
            next.floors.push(floor);
        }
        Ok(())
    }
}

/// The environment of a role, none for root.
pub(crate) fn environment_of(kind: &RoleKind) -> Option<&String> {
    match kind {
        RoleKind::Root => None,
        RoleKind::Release(name) | RoleKind::Pulse(name) => Some(name),
    }
}

/// The one environment that a trust statement speaks of.
pub(crate) fn only_environment(trust: &TrustStatement) -> Result<String> {
    let mut names: Vec<&String> = trust.roles.iter().filter_map(|role| environment_of(&role.kind)).collect();
    names.sort();
    names.dedup();
    match names.as_slice() {
        [one] => Ok((*one).clone()),
        _ => bail!(
            "the trust root speaks of {} environments\nhint: name one with `--environment`",
            names.len()
        ),
    }
}

/// The key that a person means: a file, a key's text, or a name that one key of the trust root has.
pub(crate) fn key(text: &str, trust: &TrustStatement) -> Result<VerifierKey> {
    if let Ok(key) = VerifierKey::parse(text) {
        return Ok(key);
    }
    let path = Path::new(text);
    if path.is_file() {
        return keys::public(path);
    }
    let mut named: Vec<&VerifierKey> =
        trust.roles.iter().flat_map(|role| &role.keys).filter(|key| key.name() == text).collect();
    named.dedup_by_key(|key| *key.public());
    match named.as_slice() {
        [one] => Ok((*one).clone()),
        [] => bail!("`{text}` is neither a key file, nor a key, nor the name of one in the trust root"),
        several => bail!(
            "{} keys of the trust root are named `{text}`\nhint: give the key file, or the key's text",
            several.len()
        ),
    }
}

/// The digest of a statement: 64 hexadecimal digits, or the file that holds it.
fn statement_digest(text: &str) -> Result<[u8; 32]> {
    if let Some(digest) = from_hex::<32>(text) {
        return Ok(digest);
    }
    let bytes = files::read(Path::new(text))?;
    let claim = flagstone_seal::inspect(&bytes, flagstone_seal::limits::SERVER_PAYLOAD_BYTES)
        .map_err(|error| anyhow!("`{text}` is neither a digest nor a signed file: {error}"))?;
    Ok(seal::statement_digest(&claim.statement))
}

/// That every role can still be met, said in the terms of these options.
fn check_roles(next: &TrustStatement) -> Result<()> {
    for role in &next.roles {
        let mut publics: Vec<&[u8; 32]> =
            role.keys.iter().filter(|key| !next.is_revoked_key(key)).map(VerifierKey::public).collect();
        publics.sort_unstable();
        publics.dedup();
        let name = role.kind.to_text();
        if role.threshold == 0 || publics.len() < role.threshold as usize {
            bail!(
                "the role `{name}` would need {} signatures of {} keys\n\
                 hint: give it another key, or set its threshold",
                role.threshold,
                publics.len()
            );
        }
    }
    Ok(())
}
