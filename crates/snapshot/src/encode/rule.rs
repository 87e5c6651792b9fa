//! One rule: its instructions, fused where that can be done, checked as `load` will check them.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::EncodeError;
use super::fuse::{Fused, fuse};
use super::writer::Writer;
use crate::blob::{network, shares, text_set};
use crate::layout::*;
use crate::program::{ProgramError, check, code};
use crate::told::told;
use crate::{DraftFlag, Json, Op, Program, Value};

impl Writer {
    /// Lays a rule out; `answers` is the flag whose variants it names.
    pub(super) fn program(
        &mut self,
        flag: &str,
        program: &Program,
        answers: Option<&DraftFlag>,
    ) -> Result<u32, EncodeError> {
        let mut run = Vec::with_capacity(program.0.len());
        let mut bodies: Vec<(u32, u8)> = Vec::new();
        let (fused, positions) = fuse(&program.0, answers);
        for step in fused {
            let index = run.len() as u32;
            let instruction = match step {
                Fused::Plain(op, at) => {
                    let ends = match op {
                        Op::Each(_) => matching_end(&program.0, at),
                        _ => None,
                    };
                    let ends = ends.and_then(|end| positions.get(end + 1).copied());
                    let mut made = self.instruction(flag, op, index, &mut bodies, ends)?;
                    if leads(made.op) {
                        let target = positions.get(made.c.get() as usize).copied();
                        made.c = target.unwrap_or(u32::MAX).into();
                    }
                    made
                }
                other => self.fused(flag, &other)?,
            };
            run.push(instruction);
        }
        let needs = check(&run).map_err(|error| EncodeError::Program { flag: flag.to_string(), error })?;
        let record = ProgramRecord {
            start: (self.instructions.len() as u32).into(),
            count: (run.len() as u32).into(),
            stack: needs.stack.into(),
            loops: needs.loops.into(),
        };
        self.instructions.append(&mut run);
        let index = self.programs.len() as u32;
        self.programs.push(record);
        Ok(index)
    }

    fn instruction(
        &mut self,
        flag: &str,
        op: &Op,
        index: u32,
        bodies: &mut Vec<(u32, u8)>,
        end: Option<u32>,
    ) -> Result<Instruction, EncodeError> {
        let plain = |op: u8| (op, 0u8, 0u16, 0u32);
        let (op, a, b, c) = match op {
            Op::Constant(Json::Null) => plain(code::NULL),
            Op::Constant(Json::Bool(value)) => (code::BOOL, u8::from(*value), 0, 0),
            Op::Constant(json) => {
                super::well_formed(flag, json, 0)?;
                let mut bytes = Vec::new();
                Value::write(json, &mut bytes);
                (code::VALUE, 0, 0, self.span(&bytes).offset.get())
            }
            Op::Attribute(path) if path == "$flagd.flagKey" => plain(code::FLAG_KEY),
            Op::Attribute(path) if path == "$flagd.timestamp" => plain(code::TIMESTAMP),
            Op::Attribute(path) => (code::ATTRIBUTE, 0, 0, self.attribute(flag, path)?),
            Op::Variable => {
                self.whole(flag, bodies)?;
                plain(code::VARIABLE)
            }
            Op::Jump(target) => (code::JUMP, 0, 0, *target),
            Op::JumpIfFalse(target) => (code::JUMP_IF_FALSE, 0, 0, *target),
            Op::Branch { target, rule } => (code::JUMP_IF_FALSE, 0, *rule, *target),
            Op::JumpIfTrue(target) => (code::JUMP_IF_TRUE, 0, 0, *target),
            Op::AndJump(target) => (code::AND_JUMP, 0, 0, *target),
            Op::OrJump(target) => (code::OR_JUMP, 0, 0, *target),
            Op::CoalesceJump(target) => (code::COALESCE_JUMP, 0, 0, *target),
            Op::Not => plain(code::NOT),
            Op::Truthy => plain(code::TRUTHY),
            Op::Compare(comparison) => (code::COMPARE, *comparison as u8, 0, 0),
            Op::Between(comparison) => (code::BETWEEN, *comparison as u8, 0, 0),
            Op::In => plain(code::IN),
            Op::Concatenate(count) => (code::CONCATENATE, 0, *count, 0),
            Op::Substring(count) => (code::SUBSTRING, 0, *count, 0),
            Op::Arithmetic(which, count) => (code::ARITHMETIC, *which as u8, *count, 0),
            Op::List(count) => (code::LIST, 0, *count, 0),
            Op::Merge(count) => (code::MERGE, 0, *count, 0),
            Op::Missing(count) => {
                self.whole(flag, bodies)?;
                (code::MISSING, 0, *count, 0)
            }
            Op::MissingSome => {
                self.whole(flag, bodies)?;
                plain(code::MISSING_SOME)
            }
            Op::StartsWith => plain(code::STARTS_WITH),
            Op::EndsWith => plain(code::ENDS_WITH),
            Op::SemVer => plain(code::SEM_VER),
            Op::Fractional { version, keyed, buckets } => {
                (code::FRACTIONAL, *version as u8 | (u8::from(*keyed) * code::KEYED), *buckets, 0)
            }
            Op::Each(iteration) => {
                let end = end.ok_or_else(|| EncodeError::Program {
                    flag: flag.to_string(),
                    error: ProgramError::Iteration(told(|| index)),
                })?;
                bodies.push((index + 1, *iteration as u8));
                (code::EACH, *iteration as u8, 0, end)
            }
            Op::EndEach => {
                let (body, iteration) = bodies.pop().ok_or_else(|| EncodeError::Program {
                    flag: flag.to_string(),
                    error: ProgramError::Iteration(told(|| index)),
                })?;
                (code::END_EACH, iteration, 0, body)
            }
            Op::ToNumber => plain(code::TO_NUMBER),
            Op::Fold(test) => (code::FOLD, *test as u8, 0, 0),
            Op::Matches(dfa) => (code::MATCHES, 0, 0, self.blob(flag, dfa.write())?),
            Op::Time => plain(code::TIME),
            Op::Order(comparison) => (code::ORDER, *comparison as u8, 0, 0),
            Op::Within => plain(code::WITHIN),
            Op::InNetwork(ranges) => (code::IN_NETWORK, 0, 0, self.blob(flag, network::write(ranges))?),
            Op::Overlap(overlap) => (code::OVERLAP, *overlap as u8, 0, 0),
            Op::InKeys(keys) => (code::IN_KEYS, 0, 0, self.blob(flag, keys.write())?),
        };
        Ok(Instruction { op, a, b: b.into(), c: c.into() })
    }

    /// A rule that looks paths up while it runs needs the whole context: the attribute of the empty path.
    fn whole(&mut self, flag: &str, bodies: &[(u32, u8)]) -> Result<(), EncodeError> {
        if bodies.is_empty() {
            self.attribute(flag, "")?;
        }
        Ok(())
    }

    fn fused(&mut self, flag: &str, step: &Fused<'_>) -> Result<Instruction, EncodeError> {
        let value = |json: &Json| {
            let mut bytes = Vec::new();
            Value::write(json, &mut bytes);
            Some(bytes)
        };
        if let Fused::Affix(_, Json::Text(text), _) | Fused::Compare(_, _, Json::Text(text)) = step {
            super::limit("bytes of a value", flag, text.len(), crate::limits::MAX_VALUE_BYTES)?;
        }
        let slot = |writer: &mut Self, path: &str| -> Result<u16, EncodeError> {
            Ok(u16::try_from(writer.attribute(flag, path)?).unwrap_or(NONE16)) // `finish` refuses so many
        };
        let (op, a, b, c) = match step {
            Fused::In(path, texts) => {
                super::limit("members of a value", flag, texts.len(), crate::limits::MAX_MEMBERS)?;
                (code::ATTRIBUTE_IN, 0, slot(self, path)?, self.blob(flag, Some(text_set::write(texts)))?)
            }
            Fused::Affix(path, affix, ends) => {
                let op = if *ends { code::ATTRIBUTE_ENDS } else { code::ATTRIBUTE_STARTS };
                (op, 0, slot(self, path)?, self.blob(flag, value(affix))?)
            }
            Fused::Compare(comparison, path, other) => (
                code::ATTRIBUTE_COMPARE,
                *comparison as u8,
                slot(self, path)?,
                self.blob(flag, value(other))?,
            ),
            Fused::Version(relation, path, version) => {
                let attribute = slot(self, path)?;
                self.reads_version(attribute);
                (code::ATTRIBUTE_VERSION, *relation as u8, attribute, self.blob(flag, Some(version.write()))?)
            }
            Fused::Variant(index, boolean) => (code::RETURN_VARIANT, u8::from(*boolean), *index, 0),
            Fused::Shares(path, entries) => {
                let key = path.map_or(Ok(NONE16), |path| slot(self, path))?;
                (code::RETURN_SHARES, 0, key, self.blob(flag, shares::write(entries))?)
            }
            Fused::Plain(..) => (code::NULL, 0, 0, 0),
        };
        Ok(Instruction { op, a, b: b.into(), c: c.into() })
    }
}

/// Whether the wide operand of an opcode is a jump target.
fn leads(op: u8) -> bool {
    matches!(
        op,
        code::JUMP
            | code::JUMP_IF_FALSE
            | code::JUMP_IF_TRUE
            | code::AND_JUMP
            | code::OR_JUMP
            | code::COALESCE_JUMP
    )
}

/// The position of the `EndEach` that closes the `Each` at `start`.
fn matching_end(program: &[Op], start: usize) -> Option<usize> {
    let mut open = 0usize;
    for (index, op) in program.iter().enumerate().skip(start) {
        match op {
            Op::Each(_) => open += 1,
            Op::EndEach => {
                open -= 1;
                if open == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}
