//! The flag set as `compile` hands it over: owned, readable, not yet laid out.
//!
//! A [`Draft`] holds everything an environment's engine needs and nothing else. [`crate::encode`] turns it
//! into the bytes that are sealed; what the engine cannot do is refused here, with the limit's name.

use alloc::string::String;
use alloc::vec::Vec;

use crate::Json;

/// One environment's flags, ready to be laid out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// The flag set's own name (`metadata.flagSetId`), empty when it has none.
    pub flag_set: String,
    /// The environment the set was compiled for.
    pub environment: String,
    /// SHA-256 of the definition's text, so that a signature also covers what the engine does not read:
    /// metrics, guardrails, owners. Zeros when it was not compiled from a text.
    pub definition: [u8; 32],
    /// The flag-set metadata; flags carry their merged metadata themselves.
    pub metadata: Option<Json>,
    /// The flags in any order; the layout sorts them by key.
    pub flags: Vec<DraftFlag>,
}

/// One flag.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftFlag {
    /// Its key, 1 to 256 bytes.
    pub key: String,
    /// What its values are.
    pub kind: FlagKind,
    /// `state: ENABLED`.
    pub enabled: bool,
    /// The variants, in the author's order; a decision names them by position in this list.
    pub variants: Vec<DraftVariant>,
    /// Position of the default variant; none means "the caller's own default".
    pub default_variant: Option<u16>,
    /// Position of the baseline: the safe value that halts, refusals and expired leases serve.
    /// Flags without one fall back to `default_variant`.
    pub baseline: Option<u16>,
    /// What the flag does when no fresh pulse is there.
    pub on_expiry: OnExpiry,
    /// `client: true`: may reach a browser.
    pub client: bool,
    /// Merged metadata (the flag's own over the set's), an object.
    pub metadata: Option<Json>,
    /// The targeting rule. `None` is flagd's empty or absent targeting (reason `STATIC`).
    pub targeting: Option<Program>,
    /// The rollout plan.
    pub plan: Option<DraftPlan>,
    /// The flag's definition could not be used: it answers with this error, the others are unharmed.
    pub broken: Option<FlagError>,
}

impl DraftFlag {
    /// An enabled flag without variants, rules or plan, to fill in.
    #[must_use]
    pub fn new(key: &str, kind: FlagKind) -> Self {
        Self {
            key: key.into(),
            kind,
            enabled: true,
            variants: Vec::new(),
            default_variant: None,
            baseline: None,
            on_expiry: OnExpiry::Hold,
            client: false,
            metadata: None,
            targeting: None,
            plan: None,
            broken: None,
        }
    }
}

/// One variant: a name and a JSON value.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftVariant {
    /// The variant's name.
    pub name: String,
    /// Its value.
    pub value: Json,
}

/// What a flag's values are; OpenFeature's four accessors, integers being numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlagKind {
    /// `true` or `false`.
    #[default]
    Boolean,
    /// A string.
    Text,
    /// A number, whole or not.
    Number,
    /// A JSON object or list.
    Object,
}

/// `onExpiry`: what a flag does without a fresh pulse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExpiry {
    /// Go on as last told.
    #[default]
    Hold,
    /// Serve the baseline.
    Safe,
}

/// Why a flag cannot be evaluated at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagError {
    /// The definition did not parse: OpenFeature `PARSE_ERROR`.
    Parse,
    /// It parsed but contradicts itself: OpenFeature `GENERAL`.
    General,
}

/// A staged rollout of one candidate against the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftPlan {
    /// Variant that people have today.
    pub baseline: u16,
    /// Variant being introduced.
    pub candidate: u16,
    /// Dotted path of the attribute that identifies the unit; `targetingKey` by default.
    pub unit: String,
    /// The purpose that a context's `consent` must grant before anything is hashed.
    pub consent: Option<String>,
    /// A context's `dataDomain` must be one of these; empty means any.
    pub data_domains: Vec<String>,
    /// Salt of this plan's bucketing: `bucket_salt("rollout", flag key)` unless a resalt was asked for.
    pub salt: u64,
    /// Highest stage (position in `stages`) that people approved; none keeps the plan closed.
    pub ceiling: Option<u8>,
    /// The ladder, lowest first.
    pub stages: Vec<DraftStage>,
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftStage {
    /// The stage's name.
    pub name: String,
    /// Allow-list stages: who is in. Not randomised, everyone in it is treated.
    pub who: Option<Program>,
    /// Share stages: the candidate's share in parts per [`crate::SHARE_TOTAL`].
    pub treat: u32,
    /// Share stages: the concurrent control's share in parts per [`crate::SHARE_TOTAL`].
    pub control: u32,
}

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
    /// Pops one, pushes the number of it or null: unary `+`, dates and other coercions build on it.
    ToNumber,
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
