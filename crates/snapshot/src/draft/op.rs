//! Rules as `compile` hands them over: instructions for a small stack machine.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::{Dfa, Json, KeySet};

/// A targeting rule or condition as a list of instructions for a small stack machine.
///
/// The value left on top at the end is the answer. Jump targets are positions in this list, only forward
/// (one past the end is allowed: it ends the program).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program(pub Vec<Op>);

/// One instruction. "Pushes" and "pops" speak of the value stack.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Pushes a constant.
    Constant(Json),
    /// Pushes the context's value at a dotted path, null when there is none. `targetingKey` and the
    /// `$flagd.flagKey`, `$flagd.timestamp` paths are attributes like others. Always of the whole context:
    /// inside an iteration body use [`Op::Variable`].
    Attribute(String),
    /// Pops a path (text or number; null and `""` mean everything) and pushes what the present scope
    /// (the element inside an iteration body, else the whole context) has there, null when nothing.
    Variable,
    /// Goes to a later instruction.
    Jump(u32),
    /// Pops; goes on at the target when the value is falsy by JsonLogic's rules.
    JumpIfFalse(u32),
    /// As [`Op::JumpIfFalse`], as the test of a numbered rule: the outermost `if` of a targeting counts its
    /// conditions from 1, and an explanation names them so.
    Branch {
        /// Where to go when it does not hold.
        target: u32,
        /// The rule's number.
        rule: u16,
    },
    /// Pops; goes on at the target when the value is truthy.
    JumpIfTrue(u32),
    /// When the top is falsy jumps and keeps it, else pops it: `and`.
    AndJump(u32),
    /// When the top is truthy jumps and keeps it, else pops it: `or`.
    OrJump(u32),
    /// When the top is not null jumps and keeps it, else pops it: `var` with a default.
    CoalesceJump(u32),
    /// Pops one, pushes whether it is falsy: `!`.
    Not,
    /// Pops one, pushes whether it is truthy: `!!`.
    Truthy,
    /// Pops two, pushes the comparison.
    Compare(Comparison),
    /// Pops three (low, middle, high), pushes whether `low op middle op high`; only the four orderings.
    Between(Comparison),
    /// Pops haystack then needle (needle was pushed first): text in text, or element of a list.
    In,
    /// Pops `n`, pushes their text one after another: `cat`.
    Concatenate(u16),
    /// Pops `n` (2: text, start; 3: text, start, length), pushes the part: `substr`.
    Substring(u16),
    /// Pops `n`, pushes the number: `+ - * / % min max`.
    Arithmetic(Arithmetic, u16),
    /// Pops `n`, pushes one list of them.
    List(u16),
    /// Pops `n`, pushes one list with lists among them flattened by one level: `merge`.
    Merge(u16),
    /// Pops `n` paths (or one list of paths), pushes the list of those missing or empty: `missing`.
    Missing(u16),
    /// Pops a list of paths and a number, pushes the missing ones unless enough are there: `missing_some`.
    MissingSome,
    /// Pops suffix-or-prefix then text (text was pushed first): flagd's `starts_with`; null on bad input.
    StartsWith,
    /// flagd's `ends_with`; null on bad input.
    EndsWith,
    /// Pops right, operator text, left (left was pushed first): flagd's `sem_ver`; null on bad input.
    SemVer,
    /// flagd's `fractional` over `buckets` pairs pushed as name, weight, in order. With `keyed` the bucketing
    /// value was pushed before them, otherwise it is flag key and targeting key.
    Fractional {
        /// The algorithm.
        version: FractionalVersion,
        /// Whether a bucketing value was pushed first.
        keyed: bool,
        /// Pairs on the stack.
        buckets: u16,
    },
    /// Pops a list and begins an iteration over it. The body follows up to the matching [`Op::EndEach`];
    /// inside it [`Op::Variable`] reads the element. For `reduce` the initial value was pushed after the
    /// list and the scope is `{current, accumulator}`. The loop's result is pushed when it ends.
    Each(Iteration),
    /// Ends the body begun by the last open [`Op::Each`]: takes the body's value from the stack.
    EndEach,
    /// Pops one, pushes the number of it or null: unary `+` builds on it.
    ToNumber,
    /// Pops the other text (or list, for [`FoldTest::In`]) then the text: compares without regard to case, by
    /// Unicode's lower-case mapping of each character. Null unless both are what the test takes.
    Fold(FoldTest),
    /// Pops a text, pushes whether the pattern matches anywhere in it. Null when it is no text.
    Matches(Arc<Dfa>),
    /// Pops an RFC 3339 text or a number of unix seconds, pushes unix seconds as a number; null for others.
    Time,
    /// Pops two numbers, pushes the ordering (one of the four); null when one is no number.
    Order(Comparison),
    /// Pops high, low, number; pushes whether `low <= number <= high`; null unless all are numbers.
    Within,
    /// Pops a text, pushes whether it is an IP address in one of these inclusive ranges, ascending and apart.
    /// IPv4 addresses are those of `::ffff:0:0/96`. Null when it is no address.
    InNetwork(Vec<(u128, u128)>),
    /// Pops the other list then the list: how their elements meet. Null unless both are lists.
    Overlap(Overlap),
    /// Pops a text, pushes whether it is in the set; false when it is no text.
    InKeys(Arc<KeySet>),
}

/// What [`Op::Fold`] asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FoldTest {
    /// The same text.
    Equal = 0,
    /// It begins with the other.
    StartsWith = 1,
    /// It ends with the other.
    EndsWith = 2,
    /// The other stands somewhere in it.
    Contains = 3,
    /// It is an element of the list.
    In = 4,
}

/// How the elements of two lists meet; elements are compared by `===`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Overlap {
    /// Some element of the first is in the second.
    Any = 0,
    /// Every element of the second is in the first.
    All = 1,
    /// No element of the first is in the second.
    None = 2,
}

/// How two values are compared; JsonLogic's rules, which are JavaScript's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Comparison {
    /// `==`, with coercion.
    Equal = 0,
    /// `===`.
    StrictEqual = 1,
    /// `!=`.
    NotEqual = 2,
    /// `!==`.
    StrictNotEqual = 3,
    /// `<`.
    Less = 4,
    /// `<=`.
    LessOrEqual = 5,
    /// `>`.
    Greater = 6,
    /// `>=`.
    GreaterOrEqual = 7,
}

/// JsonLogic's arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Arithmetic {
    /// `+`: sum of any number; with one argument, its number.
    Add = 0,
    /// `-`: difference of two; with one argument, its negation.
    Subtract = 1,
    /// `*`: product of any number.
    Multiply = 2,
    /// `/` of two.
    Divide = 3,
    /// `%` of two; the sign is the dividend's.
    Modulo = 4,
    /// `min`.
    Minimum = 5,
    /// `max`.
    Maximum = 6,
}

/// Which loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Iteration {
    /// `map`.
    Map = 0,
    /// `filter`.
    Filter = 1,
    /// `all`: false for an empty list.
    All = 2,
    /// `some`.
    Some = 3,
    /// `none`.
    None = 4,
    /// `reduce`.
    Reduce = 5,
}

/// Which `fractional` algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum FractionalVersion {
    /// flagd's first: percentages of a float.
    V1 = 1,
    /// flagd's present one: `(hash * total) >> 32`.
    #[default]
    V2 = 2,
    /// As v2 over the deterministic CBOR of the bucketing value.
    V3 = 3,
}
