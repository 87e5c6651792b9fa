//! flagd's `sem_ver`: semantic versions (semver.org 2.0.0), with flagd's latitude in reading them.
//!
//! Read are `1`, `1.2`, `1.2.3`, each with an optional `v` or `V` before and `-pre` and `+build` behind;
//! missing parts are zero and build metadata is ignored. `^` compares major, `~` major and minor.

use core::cmp::Ordering;

/// A version, borrowed from its text.
#[derive(Debug, Clone, Copy)]
struct Version<'a> {
    parts: [u64; 3],
    pre: &'a str,
}

fn parse(text: &str) -> Option<Version<'_>> {
    let text = text.trim();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let (core, pre) = match text.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (text, None),
    };
    let identifiers = |part: Option<&str>, numeric_rules: bool| {
        part.is_none_or(|part| {
            part.split('.').all(|identifier| {
                let numeric = identifier.bytes().all(|byte| byte.is_ascii_digit());
                !identifier.is_empty()
                    && identifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                    && !(numeric_rules && numeric && identifier.len() > 1 && identifier.starts_with('0'))
            })
        })
    };
    if !identifiers(pre, true) || !identifiers(build, false) {
        return None;
    }
    let mut parts = [0; 3];
    for (count, part) in core.split('.').enumerate() {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || (part.len() > 1 && part.starts_with('0')) {
            return None;
        }
        *parts.get_mut(count)? = part.parse().ok()?;
    }
    Some(Version { parts, pre: pre.unwrap_or_default() })
}

fn order(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    a.parts.cmp(&b.parts).then_with(|| match (a.pre.is_empty(), b.pre.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater, // a release comes after its pre-releases
        (false, true) => Ordering::Less,
        (false, false) => order_pre(a.pre, b.pre),
    })
}

/// Pre-releases: identifier by identifier, numbers by value and before text, the shorter list first.
fn order_pre(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let (a, b) = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => (a, b),
        };
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let step = match (number(a), number(b)) {
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

/// Whether `left operator right` holds; none when either is no version or the operator is unknown.
pub(crate) fn compare(left: &str, operator: &str, right: &str) -> Option<bool> {
    let (a, b) = (parse(left)?, parse(right)?);
    let ordering = order(&a, &b);
    let [major_a, minor_a, _] = a.parts;
    let [major_b, minor_b, _] = b.parts;
    Some(match operator {
        "=" => ordering == Ordering::Equal,
        "!=" => ordering != Ordering::Equal,
        "<" => ordering == Ordering::Less,
        "<=" => ordering != Ordering::Greater,
        ">" => ordering == Ordering::Greater,
        ">=" => ordering != Ordering::Less,
        "^" => major_a == major_b,
        "~" => (major_a, minor_a) == (major_b, minor_b),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::compare;

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
    }

    #[test]
    fn latitude_and_refusals() {
        assert_eq!(compare("v1.2", "=", "1.2.0+build.7"), Some(true));
        assert_eq!(compare("1", "^", "V1.9.9"), Some(true));
        assert_eq!(compare("1.2.9", "~", "1.2"), Some(true));
        assert_eq!(compare("1.3.0", "~", "1.2.0"), Some(false));
        for bad in
            ["", "1.2.3.4", "01.2.3", "1..2", "1.2.x", "1.2.3-", "1.2.3-01", "99999999999999999999.0.0"]
        {
            assert_eq!(compare(bad, "=", "1.0.0"), None, "{bad}");
        }
        assert_eq!(compare("1.0.0", "==", "1.0.0"), None);
    }
}
