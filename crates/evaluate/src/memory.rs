//! Sticky assignment without state in the engine: a decision says what to remember, a context brings it back.
//!
//! What is remembered is a text, `VERSION:ARM:COHORT:VARIANT`: the version that the flag's author gave, `t`, `c` or `n` for
//! treatment, control or no arm, the enrolment cohort or `-`, and the variant's name.

use alloc::string::String;

use flagstone_snapshot::Flag;
use flagstone_snapshot::json_text::write_number;

use crate::decision::{Arm, Decision, Detail, Reason};
use crate::item::Item;
use crate::state::Scene;

/// What a context remembers of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) arm: Arm,
    pub(crate) cohort: Option<u8>,
    pub(crate) variant: u16,
}

/// What the context remembers of a flag under this version, none when it does not or the variant is gone.
pub(crate) fn recall(scene: &Scene<'_>, flag: &Flag<'_>, version: u32) -> Option<Memory> {
    let Item::Object(all) = scene.context.attribute(scene.snapshot.remembered()?) else { return None };
    let Item::Text(token) = Item::read(all.bytes_of(flag.key().as_bytes())?) else { return None };
    let mut parts = token.splitn(4, |byte| *byte == b':');
    let (remembered, arm, cohort, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if number(remembered)? != u64::from(version) {
        return None;
    }
    let arm = match arm {
        b"t" => Arm::Treatment,
        b"c" => Arm::Control,
        b"n" => Arm::None,
        _ => return None,
    };
    let cohort = match cohort {
        b"-" => None,
        digits => Some(u8::try_from(number(digits)?).ok()?),
    };
    // An arm has a cohort, and nothing else has.
    if cohort.is_some() != (arm != Arm::None) {
        return None;
    }
    Some(Memory { arm, cohort, variant: flag.find_variant(name)? })
}

fn number(digits: &[u8]) -> Option<u64> {
    let plain = (1..=10).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let value = |number: u64, digit: &u8| number * 10 + u64::from(digit - b'0');
    plain.then(|| digits.iter().fold(0, value))
}

/// Writes what a decision says to remember; false when it is nothing.
pub(crate) fn write(decision: &Decision, flag: &Flag<'_>, out: &mut String) -> bool {
    let Some(version) = flag.parts().and_then(|parts| parts.sticky()) else { return false };
    let Some(variant) = decision.variant.and_then(|index| flag.variant(index)) else { return false };
    let arm = match (decision.arm, decision.detail, decision.reason) {
        (Arm::Treatment, Detail::Stage | Detail::Remembered, Reason::Split) => "t",
        (Arm::Control, Detail::Control | Detail::Remembered, Reason::Split) => "c",
        (
            Arm::None,
            Detail::None | Detail::Closed | Detail::Paused | Detail::Remembered,
            Reason::TargetingMatch,
        ) => "n",
        _ => return false,
    };
    write_number(f64::from(version), out);
    for part in [":", arm, ":"] {
        out.push_str(part);
    }
    match decision.cohort {
        Some(cohort) => write_number(f64::from(cohort), out),
        None => out.push('-'),
    }
    out.push(':');
    out.push_str(variant.name);
    true
}
