//! Instructions as they lie in a snapshot: opcodes, and the check that a program can run.
//!
//! The check makes one pass: jumps go forward and stay inside, iterations nest, the stack holds the same
//! number of values at a place however one got there, and neither stack nor iterations pass their caps.
//! After it the engine needs no depth test of its own to stay in bounds.

use alloc::vec::Vec;

use crate::layout::Instruction;
use crate::limits::{MAX_LOOPS, MAX_PROGRAM, MAX_STACK};
use crate::told::{Told, told};

/// Opcodes, version 1. The letters a, b, c name the operands of [`Instruction`].
#[allow(missing_docs)] // each is one variant of `Op`, which documents it
pub mod code {
    pub const NULL: u8 = 0;
    pub const BOOL: u8 = 1; // a: 0 or 1
    pub const VALUE: u8 = 2; // c: heap offset of a value
    pub const ATTRIBUTE: u8 = 3; // c: attribute
    pub const FLAG_KEY: u8 = 4;
    pub const TIMESTAMP: u8 = 5;
    pub const VARIABLE: u8 = 6;
    pub const JUMP: u8 = 7; // c: target
    pub const JUMP_IF_FALSE: u8 = 8;
    pub const JUMP_IF_TRUE: u8 = 9;
    pub const AND_JUMP: u8 = 10;
    pub const OR_JUMP: u8 = 11;
    pub const COALESCE_JUMP: u8 = 12;
    pub const NOT: u8 = 13;
    pub const TRUTHY: u8 = 14;
    pub const COMPARE: u8 = 15; // a: comparison
    pub const BETWEEN: u8 = 16; // a: comparison
    pub const IN: u8 = 17;
    pub const CONCATENATE: u8 = 18; // b: count
    pub const SUBSTRING: u8 = 19; // b: 2 or 3
    pub const ARITHMETIC: u8 = 20; // a: which, b: count
    pub const LIST: u8 = 21; // b: count
    pub const MERGE: u8 = 22; // b: count
    pub const MISSING: u8 = 23; // b: count
    pub const MISSING_SOME: u8 = 24;
    pub const STARTS_WITH: u8 = 25;
    pub const ENDS_WITH: u8 = 26;
    pub const SEM_VER: u8 = 27;
    pub const FRACTIONAL: u8 = 28; // a: version + 128 when keyed, b: buckets
    pub const EACH: u8 = 29; // a: iteration, c: position after its END_EACH
    pub const END_EACH: u8 = 30; // a: iteration, c: position of the body
    pub const TO_NUMBER: u8 = 31;
    pub const FOLD: u8 = 32; // a: test
    pub const MATCHES: u8 = 33; // c: heap offset of an automaton
    pub const TIME: u8 = 34;
    pub const ORDER: u8 = 35; // a: comparison, 4 to 7
    pub const WITHIN: u8 = 36;
    pub const IN_NETWORK: u8 = 37; // c: heap offset of address ranges
    pub const OVERLAP: u8 = 38; // a: which
    pub const IN_KEYS: u8 = 39; // c: heap offset of a key set
    pub const ATTRIBUTE_IN: u8 = 40; // b: attribute, c: heap offset of a text set
    pub const ATTRIBUTE_STARTS: u8 = 41; // b: attribute, c: heap offset of a text value
    pub const ATTRIBUTE_ENDS: u8 = 42; // as ATTRIBUTE_STARTS
    pub const ATTRIBUTE_COMPARE: u8 = 43; // a: comparison, 0 to 3; b, c: as ATTRIBUTE_STARTS
    pub const ATTRIBUTE_VERSION: u8 = 44; // a: relation, b: attribute, c: heap offset of a version
    pub const RETURN_VARIANT: u8 = 45; // a: 1 when written as a boolean, b: variant
    pub const RETURN_SHARES: u8 = 46; // b: attribute of the bucketing value or none, c: heap offset of shares
    /// Bit of `FRACTIONAL`'s a: a bucketing value was pushed.
    pub const KEYED: u8 = 128;
}

/// What a program needs, found by [`check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Most values on the stack at once.
    pub stack: u16,
    /// Most iterations open at once.
    pub loops: u16,
}

/// Why a program cannot run. Positions count instructions of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramError {
    /// No instruction, or more than [`MAX_PROGRAM`].
    Length,
    /// An opcode that does not exist.
    Opcode(Told<u32>),
    /// An operand outside its range.
    Operand(Told<u32>),
    /// A jump that goes backwards or outside.
    Jump(Told<u32>),
    /// More values taken than were there, or paths that disagree about how many there are.
    Stack(Told<u32>),
    /// More than [`MAX_STACK`] values or [`MAX_LOOPS`] iterations.
    Depth(Told<u32>),
    /// Iterations that do not nest.
    Iteration(Told<u32>),
}

/// How an instruction changes the stack: values taken, values left.
fn effect(at: u32, instruction: &Instruction) -> Result<(usize, usize), ProgramError> {
    let count = usize::from(instruction.b.get());
    let operand = |good: bool| if good { Ok(()) } else { Err(ProgramError::Operand(told(|| at))) };
    Ok(match instruction.op {
        code::NULL | code::VALUE | code::ATTRIBUTE | code::FLAG_KEY | code::TIMESTAMP => (0, 1),
        code::BOOL => {
            operand(instruction.a <= 1)?;
            (0, 1)
        }
        code::VARIABLE | code::NOT | code::TRUTHY | code::TO_NUMBER => (1, 1),
        code::JUMP => (0, 0),
        code::JUMP_IF_FALSE | code::JUMP_IF_TRUE => (1, 0),
        code::AND_JUMP | code::OR_JUMP | code::COALESCE_JUMP => (1, 0),
        code::COMPARE => {
            operand(instruction.a <= 7)?;
            (2, 1)
        }
        code::BETWEEN => {
            operand((4..=7).contains(&instruction.a))?;
            (3, 1)
        }
        code::IN | code::MISSING_SOME | code::STARTS_WITH | code::ENDS_WITH => (2, 1),
        code::SEM_VER | code::WITHIN => (3, 1),
        code::MATCHES | code::TIME | code::IN_NETWORK | code::IN_KEYS => (1, 1),
        code::FOLD => {
            operand(instruction.a <= 4)?;
            (2, 1)
        }
        code::ORDER => {
            operand((4..=7).contains(&instruction.a))?;
            (2, 1)
        }
        code::OVERLAP => {
            operand(instruction.a <= 2)?;
            (2, 1)
        }
        code::ATTRIBUTE_IN | code::ATTRIBUTE_STARTS | code::ATTRIBUTE_ENDS | code::RETURN_SHARES => (0, 1),
        code::ATTRIBUTE_COMPARE => {
            operand(instruction.a <= 3)?;
            (0, 1)
        }
        code::ATTRIBUTE_VERSION => {
            operand(instruction.a <= 7)?;
            (0, 1)
        }
        code::RETURN_VARIANT => {
            operand(instruction.a <= 1)?;
            (0, 1)
        }
        code::SUBSTRING => {
            operand((2..=3).contains(&count))?;
            (count, 1)
        }
        code::ARITHMETIC => {
            let good = match instruction.a {
                0 => count >= 1,
                1 => (1..=2).contains(&count),
                2 => count >= 1,
                3 | 4 => count == 2,
                5 | 6 => true,
                _ => false,
            };
            operand(good)?;
            (count, 1)
        }
        code::CONCATENATE | code::LIST | code::MERGE | code::MISSING => (count, 1),
        code::FRACTIONAL => {
            operand((1..=3).contains(&(instruction.a & !code::KEYED)))?;
            (2 * count + usize::from(instruction.a >= code::KEYED), 1)
        }
        code::EACH => {
            operand(instruction.a <= 5)?;
            (if instruction.a == 5 { 2 } else { 1 }, 0)
        }
        code::END_EACH => (1, 0),
        _ => return Err(ProgramError::Opcode(told(|| at))),
    })
}

/// Room that checks of many programs share.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Depth at each position as told by the jumps that lead there.
    expected: Vec<Option<u16>>,
    /// Open iterations: body, kind, end, depth before the body.
    loops: Vec<(u32, u8, usize, usize)>,
}

/// Checks a program and says what it needs.
///
/// # Errors
/// [`ProgramError`] names the first instruction that cannot be.
pub fn check(program: &[Instruction]) -> Result<Needs, ProgramError> {
    check_with(program, &mut Scratch::default())
}

/// As [`check`], without allocating anew for each program.
///
/// # Errors
/// As [`check`].
pub fn check_with(program: &[Instruction], scratch: &mut Scratch) -> Result<Needs, ProgramError> {
    if program.is_empty() || program.len() > MAX_PROGRAM {
        return Err(ProgramError::Length);
    }
    let Scratch { expected, loops } = scratch;
    expected.clear();
    expected.resize(program.len() + 1, None);
    loops.clear();
    let mut depth: Option<usize> = Some(0);
    let (mut most, mut most_loops) = (0, 0);
    let mut returned = false;
    for (index, instruction) in program.iter().enumerate() {
        let at = index as u32;
        match (depth, expected.get(index).copied().flatten()) {
            (Some(here), Some(jumped)) if here != usize::from(jumped) => {
                return Err(ProgramError::Stack(told(|| at)));
            }
            (None, Some(jumped)) => depth = Some(usize::from(jumped)),
            (None, None) => return Err(ProgramError::Stack(told(|| at))), // nothing leads here
            _ => {}
        }
        let (taken, left) = effect(at, instruction)?;
        let before = depth.unwrap_or_default();
        // A body sees only what it pushed itself.
        let floor = loops.last().map_or(0, |frame| frame.3);
        if before < floor + taken {
            return Err(ProgramError::Stack(told(|| at)));
        }
        let mut after = before - taken + left;
        let mut falls = true;
        match instruction.op {
            code::JUMP
            | code::JUMP_IF_FALSE
            | code::JUMP_IF_TRUE
            | code::AND_JUMP
            | code::OR_JUMP
            | code::COALESCE_JUMP => {
                let target = instruction.c.get() as usize;
                let limit = loops.last().map_or(program.len(), |frame| frame.2 - 1);
                if target <= index || target > limit {
                    return Err(ProgramError::Jump(told(|| at)));
                }
                let keeps = matches!(instruction.op, code::AND_JUMP | code::OR_JUMP | code::COALESCE_JUMP);
                let there = (after + usize::from(keeps)) as u16;
                let slot = expected.get_mut(target).ok_or(ProgramError::Jump(told(|| at)))?;
                if slot.is_some_and(|known| known != there) {
                    return Err(ProgramError::Stack(told(|| at)));
                }
                *slot = Some(there);
                falls = instruction.op != code::JUMP;
            }
            code::EACH => {
                let end = instruction.c.get() as usize;
                let limit = loops.last().map_or(program.len(), |frame| frame.2 - 1);
                if end <= index + 1 || end > limit {
                    return Err(ProgramError::Jump(told(|| at)));
                }
                // Nothing outside may jump into the body.
                if expected.get(index + 1..end).is_none_or(|body| body.iter().any(Option::is_some)) {
                    return Err(ProgramError::Jump(told(|| at)));
                }
                loops.push((at + 1, instruction.a, end, after));
                most_loops = most_loops.max(loops.len());
                if loops.len() > MAX_LOOPS {
                    return Err(ProgramError::Depth(told(|| at)));
                }
            }
            // An answer ends the program, so nothing may be left under it.
            code::RETURN_VARIANT | code::RETURN_SHARES => {
                if before != 0 || !loops.is_empty() {
                    return Err(ProgramError::Stack(told(|| at)));
                }
                falls = false;
                returned = true;
            }
            code::END_EACH => {
                let frame = loops.pop().ok_or(ProgramError::Iteration(told(|| at)))?;
                let fits = frame.0 == instruction.c.get() && frame.1 == instruction.a && frame.2 == index + 1;
                if !fits || before != frame.3 + 1 {
                    return Err(ProgramError::Iteration(told(|| at)));
                }
                after = frame.3 + 1; // the loop's result
            }
            _ => {}
        }
        most = most.max(before).max(after);
        if most > MAX_STACK {
            return Err(ProgramError::Depth(told(|| at)));
        }
        depth = falls.then_some(after);
    }
    let end = program.len() as u32;
    if !loops.is_empty() {
        return Err(ProgramError::Iteration(told(|| end)));
    }
    let fallen = depth.map(|depth| depth as u16);
    match (fallen, expected.last().copied().flatten()) {
        (Some(1), Some(1) | None) | (None, Some(1)) => {
            Ok(Needs { stack: most as u16, loops: most_loops as u16 })
        }
        (None, None) if returned => Ok(Needs { stack: most as u16, loops: most_loops as u16 }),
        _ => Err(ProgramError::Stack(told(|| end))),
    }
}
