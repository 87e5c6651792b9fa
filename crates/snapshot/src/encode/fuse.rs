//! Common runs of instructions become one: a test of an attribute against a constant, an answer at the rule's end.
//!
//! Only runs that nothing jumps into the middle of are fused, so a rule answers as before; the engine then touches
//! each constant in the form that its test wants (versions parsed, texts of a list in a set, weights cumulated).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::version::{Relation, Version};
use crate::{Comparison, DraftFlag, FractionalVersion, Json, Op};

/// An instruction, or several in one. Jumps still name positions of the original program.
pub(super) enum Fused<'p> {
    /// As it was, with its position.
    Plain(&'p Op, usize),
    /// `in` of an attribute and a list of texts.
    In(&'p str, Vec<&'p str>),
    /// `starts_with`, or `ends_with` when true, of an attribute and a text.
    Affix(&'p str, &'p Json, bool),
    /// Equality of an attribute and a text.
    Compare(Comparison, &'p str, &'p Json),
    /// `sem_ver` of an attribute and a version.
    Version(Relation, &'p str, Version<'p>),
    /// The answer is a variant; true when written as a boolean.
    Variant(u16, bool),
    /// The answer is one of these shares, by an attribute or by flag key and targeting key.
    Shares(Option<&'p str>, Vec<(u16, bool, u32)>),
}

/// The program with its runs fused, and the position in it of each position in the original.
pub(super) fn fuse<'p>(program: &'p [Op], answers: Option<&DraftFlag>) -> (Vec<Fused<'p>>, Vec<u32>) {
    let targets: BTreeSet<usize> = program.iter().filter_map(target).collect();
    let mut out = Vec::with_capacity(program.len());
    let mut positions = Vec::with_capacity(program.len() + 1);
    let mut at = 0;
    while at < program.len() {
        let rest = program.get(at..).unwrap_or_default();
        let test = test(rest).or_else(|| answer(program, at, answers?));
        // A run is left alone when something jumps into it.
        let (fused, length) = test
            .filter(|(_, length)| targets.range(at + 1..at + length).next().is_none())
            .or_else(|| Some((Fused::Plain(rest.first()?, at), 1)))
            .unwrap_or((Fused::Variant(0, false), 1));
        positions.extend(core::iter::repeat_n(out.len() as u32, length));
        out.push(fused);
        at += length;
    }
    positions.push(out.len() as u32);
    (out, positions)
}

/// Where an instruction may jump to.
fn target(op: &Op) -> Option<usize> {
    match op {
        Op::Jump(target)
        | Op::JumpIfFalse(target)
        | Op::Branch { target, .. }
        | Op::JumpIfTrue(target)
        | Op::AndJump(target)
        | Op::OrJump(target)
        | Op::CoalesceJump(target) => Some(*target as usize),
        _ => None,
    }
}

/// A test of an attribute against constants at the start of `ops`, with its length.
fn test(ops: &[Op]) -> Option<(Fused<'_>, usize)> {
    Some(match ops {
        [Op::Attribute(path), Op::Constant(Json::List(items)), Op::In, ..] if own(path) => {
            let texts: Option<Vec<&str>> = items.iter().map(text).collect();
            (Fused::In(path, texts?), 3)
        }
        [
            Op::Attribute(path),
            Op::Constant(affix @ Json::Text(_)),
            op @ (Op::StartsWith | Op::EndsWith),
            ..,
        ] if own(path) => (Fused::Affix(path, affix, *op == Op::EndsWith), 3),
        [Op::Attribute(path), Op::Constant(other @ Json::Text(_)), Op::Compare(comparison), ..]
            if own(path) && (*comparison as u8) < Comparison::Less as u8 =>
        {
            (Fused::Compare(*comparison, path, other), 3)
        }
        [
            Op::Attribute(path),
            Op::Constant(Json::Text(relation)),
            Op::Constant(Json::Text(version)),
            Op::SemVer,
            ..,
        ] if own(path) => {
            let relation = Relation::parse(relation.as_bytes())?;
            (Fused::Version(relation, path, Version::parse(version.as_bytes())?), 4)
        }
        _ => return None,
    })
}

/// Whether a path is one of the context's, not one that the engine answers itself.
fn own(path: &str) -> bool {
    !path.starts_with("$flagd.")
}

fn text(json: &Json) -> Option<&str> {
    match json {
        Json::Text(text) => Some(text),
        _ => None,
    }
}

/// An answer at `at` after which nothing follows but the end.
fn answer<'p>(program: &'p [Op], at: usize, flag: &DraftFlag) -> Option<(Fused<'p>, usize)> {
    let variant = |op: &Op| {
        let (name, boolean) = match op {
            Op::Constant(Json::Text(text)) => (text.as_str(), false),
            Op::Constant(Json::Bool(value)) => (if *value { "true" } else { "false" }, true),
            _ => return None,
        };
        let index = flag.variants.iter().position(|variant| variant.name == name)?;
        Some((u16::try_from(index).ok()?, boolean))
    };
    let rest = program.get(at..)?;
    if let Some((index, boolean)) = rest.first().and_then(variant)
        && ends(program, at + 1)
    {
        return Some((Fused::Variant(index, boolean), 1 + jump(program, at + 1)));
    }
    let (key, buckets_at) = match rest.first()? {
        Op::Attribute(path) if own(path) => (Some(path.as_str()), 1),
        _ => (None, 0),
    };
    let buckets = rest.get(buckets_at..)?;
    let end = buckets.iter().position(|op| !matches!(op, Op::Constant(_)))?;
    let Op::Fractional { version, keyed, buckets: count } = buckets.get(end)? else { return None };
    let fits = end == 2 * usize::from(*count) && *keyed == key.is_some();
    if !fits || *version != FractionalVersion::V2 || !ends(program, at + buckets_at + end + 1) {
        return None;
    }
    let entries: Option<Vec<(u16, bool, u32)>> = buckets
        .get(..end)?
        .chunks(2)
        .map(|pair| match pair {
            [name, Op::Constant(Json::Integer(weight))] => {
                let (index, boolean) = variant(name)?;
                // A weight below zero counts as zero.
                Some((index, boolean, u32::try_from((*weight).max(0)).ok()?))
            }
            _ => None,
        })
        .collect();
    let entries = entries?;
    let total: u64 = entries.iter().map(|entry| u64::from(entry.2)).sum();
    if !(1..=i32::MAX as u64).contains(&total) {
        return None;
    }
    let length = buckets_at + end + 1;
    Some((Fused::Shares(key, entries), length + jump(program, at + length)))
}

/// Whether the program ends when it comes to `at`. Jumps that lead backwards or outside are left for the check.
fn ends(program: &[Op], mut at: usize) -> bool {
    while let Some(Op::Jump(target)) = program.get(at) {
        let target = *target as usize;
        if target <= at {
            return false;
        }
        at = target;
    }
    at == program.len()
}

/// 1 when a jump at `at` goes with the answer before it.
fn jump(program: &[Op], at: usize) -> usize {
    usize::from(matches!(program.get(at), Some(Op::Jump(_))))
}
