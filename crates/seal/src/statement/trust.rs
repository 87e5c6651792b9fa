//! `flagstone/trust@v1`: who may sign what, what is too old, what is revoked. Signed by root keys, offline.

use alloc::string::String;
use alloc::vec::Vec;

use super::Form;
use super::lines::{Lines, push_digest, push_field, push_number};
use crate::error::SealError;
use crate::key::VerifierKey;
use crate::limits;
use crate::text::{decode_decimal, is_environment, push_decimal, sha256};

/// What a role may sign. Text forms: `root`, `release:<environment>`, `pulse:<environment>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleKind {
    /// The next trust statement.
    Root,
    /// Snapshots of one environment.
    Release(String),
    /// Pulses of one environment.
    Pulse(String),
}

/// A threshold of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// What it may sign.
    pub kind: RoleKind,
    /// How many different keys must sign: 1 to the number of keys.
    pub threshold: u32,
    /// Its keys, in the author's order. One public key under two names is one key.
    pub keys: Vec<VerifierKey>,
}

/// The least (epoch, sequence) accepted in an environment, whatever a client remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// The environment.
    pub environment: String,
    /// Least epoch.
    pub epoch: u64,
    /// Least sequence within that epoch.
    pub sequence: u64,
}

/// What root keys say. Lists are sorted: roles by [`RoleKind`], floors by environment, revoked keys by text,
/// revoked statements by bytes; `seal_trust` sorts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustStatement {
    /// Rises by exactly one.
    pub version: u64,
    /// Never falls; a rise starts sequences anew.
    pub epoch: u64,
    /// Unix seconds.
    pub issued: u64,
    /// Unix seconds; at most [`limits::MAX_TRUST_LIFETIME`] after `issued`.
    pub expires: u64,
    /// Exactly one root role, first; at most one of each other kind.
    pub roles: Vec<Role>,
    /// At most one an environment.
    pub floors: Vec<Floor>,
    /// Keys that no longer count in any role; compared by public key alone.
    pub revoked_keys: Vec<VerifierKey>,
    /// SHA-256 of the texts of statements that are no longer accepted.
    pub revoked_statements: Vec<[u8; 32]>,
}

impl TrustStatement {
    /// Read a statement text (without signatures). Nothing is verified.
    ///
    /// # Errors
    /// [`SealError::WrongKind`], [`SealError::BadStatement`] with the line, or what is wrong with a key or role.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        super::parse(text)
    }

    /// The one text of this statement. Its lists must be sorted, as `seal_trust` does.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.text()
    }

    /// SHA-256 of the text.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.text().as_bytes())
    }

    /// The role of this kind, if the statement has it.
    #[must_use]
    pub fn role(&self, kind: &RoleKind) -> Option<&Role> {
        self.roles.iter().find(|role| role.kind == *kind)
    }

    /// The first key of any role for which `wanted` holds. A loop: the library's `flat_map` is a kilobyte of the guest.
    pub(crate) fn find_key(&self, wanted: impl Fn(&VerifierKey) -> bool) -> Option<&VerifierKey> {
        for role in &self.roles {
            if let Some(key) = role.keys.iter().find(|key| wanted(key)) {
                return Some(key);
            }
        }
        None
    }

    /// Whether this public key is revoked.
    #[must_use]
    pub fn is_revoked_key(&self, key: &VerifierKey) -> bool {
        self.revoked_keys.iter().any(|revoked| revoked.public() == key.public())
    }
}

impl RoleKind {
    fn parse(text: &str) -> Option<Self> {
        let (kind, environment): (fn(String) -> Self, _) = match text.split_once(':') {
            None if text == "root" => return Some(Self::Root),
            Some(("release", environment)) => (Self::Release, environment),
            Some(("pulse", environment)) => (Self::Pulse, environment),
            _ => return None,
        };
        is_environment(environment).then(|| kind(environment.into()))
    }

    fn push(&self, out: &mut String) {
        let (kind, environment) = match self {
            Self::Root => ("root", ""),
            Self::Release(environment) => ("release:", environment.as_str()),
            Self::Pulse(environment) => ("pulse:", environment.as_str()),
        };
        out.push_str(kind);
        out.push_str(environment);
    }

    /// The role's name: `root`, `release:<environment>` or `pulse:<environment>`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.push(&mut out);
        out
    }

    /// Whether two roles are the same kind of power, whatever their environments.
    pub(crate) fn same_power(&self, other: &Self) -> bool {
        core::mem::discriminant(self) == core::mem::discriminant(other)
    }
}

impl Form for TrustStatement {
    const KIND: &'static str = "flagstone/trust@v1";
    const MAX_LIFETIME: u64 = limits::MAX_TRUST_LIFETIME;
    const MAX_BYTES: usize = limits::MAX_TRUST_BYTES;

    fn read(lines: &mut Lines<'_>) -> Self {
        let mut trust = Self {
            version: lines.number("version"),
            epoch: lines.number("epoch"),
            issued: lines.number("issued"),
            expires: lines.number("expires"),
            roles: Vec::new(),
            floors: Vec::new(),
            revoked_keys: Vec::new(),
            revoked_statements: Vec::new(),
        };
        while let Some(value) = lines.optional("role") {
            let Some(role) = read_role(value, lines) else { break };
            let rises = trust.roles.last().is_none_or(|last| last.kind < role.kind);
            lines.expect(rises && trust.roles.len() < limits::MAX_ROLES);
            trust.roles.push(role);
        }
        while let Some(value) = lines.optional("floor") {
            // A floor above the epoch would shut everything out.
            let Some(floor) = read_floor(value).filter(|floor| floor.epoch <= trust.epoch) else {
                lines.expect(false);
                break;
            };
            let rises = trust.floors.last().is_none_or(|last| last.environment < floor.environment);
            lines.expect(rises && trust.floors.len() < limits::MAX_TRUST_LINES);
            trust.floors.push(floor);
        }
        let mut last_key = "";
        while let Some(value) = lines.optional("revoke-key") {
            trust.revoked_keys.extend(lines.kept(VerifierKey::parse(value)));
            lines.expect(last_key < value && trust.revoked_keys.len() <= limits::MAX_TRUST_LINES);
            last_key = value;
        }
        while lines.begins("revoke-statement") {
            let digest = lines.digest("revoke-statement");
            let rises = trust.revoked_statements.last().is_none_or(|last| *last < digest);
            lines.expect(rises && trust.revoked_statements.len() < limits::MAX_TRUST_LINES);
            trust.revoked_statements.push(digest);
        }
        trust
    }

    fn print(&self, out: &mut String) {
        push_number(out, "version", self.version);
        push_number(out, "epoch", self.epoch);
        push_number(out, "issued", self.issued);
        push_number(out, "expires", self.expires);
        for role in &self.roles {
            out.push_str("role ");
            role.kind.push(out);
            out.push(' ');
            push_decimal(out, u64::from(role.threshold));
            for key in &role.keys {
                out.push(' ');
                out.push_str(&key.to_text());
            }
            out.push('\n');
        }
        for floor in &self.floors {
            out.push_str("floor ");
            out.push_str(&floor.environment);
            out.push(' ');
            push_decimal(out, floor.epoch);
            out.push(' ');
            push_decimal(out, floor.sequence);
            out.push('\n');
        }
        for key in &self.revoked_keys {
            push_field(out, "revoke-key", &key.to_text());
        }
        for digest in &self.revoked_statements {
            push_digest(out, "revoke-statement", digest);
        }
    }

    fn period(&self) -> (u64, u64) {
        (self.issued, self.expires)
    }
}

/// `<kind> <threshold> <key> …`; what is wrong is told to `lines`.
fn read_role(value: &str, lines: &mut Lines<'_>) -> Option<Role> {
    let mut words = value.split(' ');
    let kind = words.next().and_then(RoleKind::parse);
    let threshold = words.next().and_then(decode_decimal).and_then(|number| u32::try_from(number).ok());
    let Some((kind, threshold)) = kind.zip(threshold) else {
        lines.expect(false);
        return None;
    };
    let mut keys: Vec<VerifierKey> = Vec::new();
    for word in words {
        if keys.len() >= limits::MAX_ROLE_KEYS {
            lines.expect(false);
            return None;
        }
        let key = lines.kept(VerifierKey::parse(word))?;
        lines.expect(!keys.contains(&key));
        keys.push(key);
    }
    Some(Role { kind, threshold, keys })
}

/// `<environment> <epoch> <sequence>`
fn read_floor(value: &str) -> Option<Floor> {
    let (environment, rest) = value.split_once(' ')?;
    let (epoch, sequence) = rest.split_once(' ')?;
    if !is_environment(environment) {
        return None;
    }
    Some(Floor {
        environment: environment.into(),
        epoch: decode_decimal(epoch)?,
        sequence: decode_decimal(sequence)?,
    })
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::testing::{World, key, release, role};

    #[test]
    fn limits() {
        let world = World::new();
        let read = |change: &dyn Fn(&mut TrustStatement)| {
            let mut trust = world.trust_draft();
            change(&mut trust);
            TrustStatement::parse(&trust.to_text()).is_ok()
        };
        let keys = |count: u8| (0..count).map(|at| key("many", at).verifying_key()).collect::<Vec<_>>();
        assert!(read(&|trust| trust.roles[0].keys = keys(16)));
        assert!(!read(&|trust| trust.roles[0].keys = keys(17)));
        let roles = |count: usize| {
            let one = |at: usize| role(release(&format!("e{at:02}")), 1, &[&world.ana]);
            let root = core::iter::once(world.trust_draft().roles[0].clone());
            root.chain((1..count).map(one)).collect::<Vec<_>>()
        };
        assert!(read(&|trust| trust.roles = roles(limits::MAX_ROLES)));
        assert!(!read(&|trust| trust.roles = roles(limits::MAX_ROLES + 1)));
        let floors = |count: usize| {
            let one = |at: usize| Floor { environment: format!("e{at:02}"), epoch: 1, sequence: 1 };
            (0..count).map(one).collect::<Vec<_>>()
        };
        assert!(read(&|trust| trust.floors = floors(limits::MAX_TRUST_LINES)));
        assert!(!read(&|trust| trust.floors = floors(limits::MAX_TRUST_LINES + 1)));
        let digests = |count: u8| (0..count).map(|at| [at; 32]).collect::<Vec<_>>();
        assert!(read(&|trust| trust.revoked_statements = digests(64)));
        assert!(!read(&|trust| trust.revoked_statements = digests(65)));
        let revoked = |count: u8| {
            let mut keys = keys(count);
            keys.sort_by_key(VerifierKey::to_text);
            keys
        };
        assert!(read(&|trust| trust.revoked_keys = revoked(64)));
        assert!(!read(&|trust| trust.revoked_keys = revoked(65)));
    }

    #[test]
    fn lists_are_sorted_and_do_not_repeat() {
        let world = World::new();
        let refused = |change: &dyn Fn(&mut TrustStatement)| {
            let mut trust = world.trust_draft();
            change(&mut trust);
            TrustStatement::parse(&trust.to_text()).unwrap_err().code()
        };
        assert_eq!(refused(&|trust| trust.roles.swap(1, 2)), "bad-statement");
        assert_eq!(refused(&|trust| trust.roles[2].kind = release("production")), "bad-statement");
        let again = world.ana.verifying_key();
        assert_eq!(refused(&|trust| trust.roles[1].keys.push(again.clone())), "bad-statement");
        let floor = world.trust_draft().floors[0].clone();
        assert_eq!(refused(&|trust| trust.floors.push(floor.clone())), "bad-statement");
        assert_eq!(refused(&|trust| trust.revoked_statements = [[2; 32], [1; 32]].into()), "bad-statement");
        assert_eq!(refused(&|trust| trust.revoked_statements = [[2; 32], [2; 32]].into()), "bad-statement");
        assert_eq!(
            refused(&|trust| trust.revoked_keys = [again.clone(), again.clone()].into()),
            "bad-statement"
        );
    }

    #[test]
    fn role_names() {
        for name in ["root", "release:production", "pulse:eu-west_1"] {
            assert_eq!(RoleKind::parse(name).map(|kind| kind.to_text()).as_deref(), Some(name));
        }
        for name in [
            "",
            "Root",
            "root:",
            "root:production",
            "release",
            "release:",
            "release:a:b",
            "judge:a",
            "pulse: a",
        ] {
            assert_eq!(RoleKind::parse(name), None, "{name}");
        }
    }
}
