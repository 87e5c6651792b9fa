//! Semantic versions (semver.org 2.0.0), read with flagd's latitude and compared without allocating.
//!
//! Read are `1`, `1.2`, `1.2.3`, each with an optional `v` or `V` before and `-pre` and `+build` behind, and space
//! around; missing parts are zero and build metadata is ignored. `^` compares major, `~` major and minor.
//!
//! A version that stands in a rule lies in the heap as `3 x u64 | u32 length | pre-release`.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// A version, borrowed from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version<'a> {
    /// Major, minor, patch.
    pub parts: [u64; 3],
    /// The pre-release, empty for a release.
    pub pre: &'a [u8],
}

/// How flagd's `sem_ver` relates two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Relation {
    /// `=`
    Equal = 0,
    /// `!=`
    NotEqual = 1,
    /// `<`
    Less = 2,
    /// `<=`
    LessOrEqual = 3,
    /// `>`
    Greater = 4,
    /// `>=`
    GreaterOrEqual = 5,
    /// `^`: the same major.
    SameMajor = 6,
    /// `~`: the same major and minor.
    SameMinor = 7,
}

impl Relation {
    /// All of them, by code.
    pub const ALL: [(Relation, &'static str); 8] = [
        (Relation::Equal, "="),
        (Relation::NotEqual, "!="),
        (Relation::Less, "<"),
        (Relation::LessOrEqual, "<="),
        (Relation::Greater, ">"),
        (Relation::GreaterOrEqual, ">="),
        (Relation::SameMajor, "^"),
        (Relation::SameMinor, "~"),
    ];

    /// By its spelling.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Relation> {
        Relation::ALL.iter().find(|(_, name)| name.as_bytes() == text).map(|(relation, _)| *relation)
    }

    /// By its code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Relation> {
        Relation::ALL.get(usize::from(code)).map(|(relation, _)| *relation)
    }

    /// Whether it holds.
    #[must_use]
    #[inline]
    pub fn holds(self, left: &Version<'_>, right: &Version<'_>) -> bool {
        let ordering = left.cmp(right);
        let [[major_a, minor_a, _], [major_b, minor_b, _]] = [left.parts, right.parts];
        match self {
            Relation::Equal => ordering == Ordering::Equal,
            Relation::NotEqual => ordering != Ordering::Equal,
            Relation::Less => ordering == Ordering::Less,
            Relation::LessOrEqual => ordering != Ordering::Greater,
            Relation::Greater => ordering == Ordering::Greater,
            Relation::GreaterOrEqual => ordering != Ordering::Less,
            Relation::SameMajor => major_a == major_b,
            Relation::SameMinor => (major_a, minor_a) == (major_b, minor_b),
        }
    }
}

impl<'a> Version<'a> {
    /// Reads a version.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Version<'a>> {
        let text = text.trim_ascii();
        let mut rest = text.strip_prefix(b"v").or_else(|| text.strip_prefix(b"V")).unwrap_or(text);
        let mut parts = [0; 3];
        let mut more = true;
        for part in &mut parts {
            if !more {
                break;
            }
            let (number, after) = number(rest)?;
            *part = number;
            more = after.first() == Some(&b'.');
            rest = if more { after.get(1..)? } else { after };
        }
        if more {
            return None; // a fourth part, or a dot at the end
        }
        let mut pre = [].as_slice();
        if let Some(after) = rest.strip_prefix(b"-") {
            let end = after.iter().position(|byte| *byte == b'+').unwrap_or(after.len());
            (pre, rest) = after.split_at_checked(end)?;
            if !identifiers(pre, true) {
                return None;
            }
        }
        match rest.strip_prefix(b"+") {
            Some(build) if !identifiers(build, false) => None,
            None if !rest.is_empty() => None,
            _ => Some(Version { parts, pre }),
        }
    }

    /// Writes it as it lies in the heap.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out: Vec<u8> = self.parts.iter().flat_map(|part| part.to_le_bytes()).collect();
        out.extend_from_slice(&(self.pre.len() as u32).to_le_bytes());
        out.extend_from_slice(self.pre);
        out
    }

    /// The version at the start of bytes as [`Version::write`] makes them.
    #[must_use]
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Option<Version<'a>> {
        let (parts, rest) = bytes.split_first_chunk::<24>()?;
        let mut numbers = parts.as_chunks::<8>().0.iter().map(|part| u64::from_le_bytes(*part));
        let parts = [numbers.next()?, numbers.next()?, numbers.next()?];
        let (length, rest) = rest.split_first_chunk::<4>()?;
        Some(Version { parts, pre: rest.get(..u32::from_le_bytes(*length) as usize)? })
    }
}

impl Ord for Version<'_> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts.cmp(&other.parts).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater, // a release comes after its pre-releases
            (false, true) => Ordering::Less,
            (false, false) => order_pre(self.pre, other.pre),
        })
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A number without leading zeros, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    let mut length = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        length += 1;
    }
    if length == 0 || (length > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    Some((value, text.get(length..)?))
}

fn numeric(identifier: &[u8]) -> bool {
    identifier.iter().all(u8::is_ascii_digit)
}

fn identifiers(text: &[u8], no_leading_zeros: bool) -> bool {
    text.split(|byte| *byte == b'.').all(|identifier| {
        let zeros = no_leading_zeros && identifier.len() > 1 && identifier.starts_with(b"0");
        !identifier.is_empty()
            && identifier.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            && !(zeros && numeric(identifier))
    })
}

/// Pre-releases: identifier by identifier, numbers by value and before text, the shorter list first.
fn order_pre(a: &[u8], b: &[u8]) -> Ordering {
    let (mut left, mut right) = (a.split(|byte| *byte == b'.'), b.split(|byte| *byte == b'.'));
    loop {
        let (a, b) = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => (a, b),
        };
        let step = match (numeric(a), numeric(b)) {
            // Without leading zeros the longer number is the larger.
            (true, true) => a.len().cmp(&b.len()).then(a.cmp(b)),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => a.cmp(b),
        };
        if step != Ordering::Equal {
            return step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(left: &str, relation: &str, right: &str) -> Option<bool> {
        let relation = Relation::parse(relation.as_bytes())?;
        Some(relation.holds(&Version::parse(left.as_bytes())?, &Version::parse(right.as_bytes())?))
    }

    #[test]
    fn the_example_chain_of_the_specification_ascends() {
        // semver.org 2.0.0, section 11.
        let chain = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "2.0.0",
            "2.1.0",
            "2.1.1",
        ];
        for pair in chain.windows(2) {
            assert_eq!(compare(pair[0], "<", pair[1]), Some(true), "{pair:?}");
            assert_eq!(compare(pair[1], "<=", pair[0]), Some(false), "{pair:?}");
        }
        for text in chain {
            let version = Version::parse(text.as_bytes()).unwrap();
            assert_eq!(Version::read(&version.write()), Some(version));
        }
    }

    #[test]
    fn latitude_and_refusals() {
        assert_eq!(compare("v1.2", "=", "1.2.0+build.7"), Some(true));
        assert_eq!(compare("1", "^", "V1.9.9"), Some(true));
        assert_eq!(compare("1.2.9", "~", "1.2"), Some(true));
        assert_eq!(compare("1.3.0", "~", "1.2.0"), Some(false));
        assert_eq!(compare("1-rc.1", "<", "1"), Some(true));
        for bad in [
            "",
            "1.2.3.4",
            "01.2.3",
            "1..2",
            "1.2.",
            "1.2.x",
            "1.2.3-",
            "1.2.3-01",
            "1+",
            "1.2.3+a+b",
            "v",
            "99999999999999999999.0.0",
        ] {
            assert_eq!(compare(bad, "=", "1.0.0"), None, "{bad}");
        }
        assert_eq!(compare("1.0.0", "==", "1.0.0"), None);
    }
}
