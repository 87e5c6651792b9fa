//! Why a draft cannot be laid out.

use alloc::string::String;
use core::fmt;

use crate::limits;
use crate::program::ProgramError;

/// Why a draft cannot be laid out. Names are the author's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncodeError {
    /// More of something than the limit allows.
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// Where: a flag key, or empty for the whole set.
        flag: String,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Two flags of one key.
    DuplicateFlag(String),
    /// A variant, stage or other position that the flag does not have.
    Reference {
        /// The flag.
        flag: String,
        /// What refers.
        what: &'static str,
    },
    /// Shares that do not form a ladder.
    Shares {
        /// The flag.
        flag: String,
        /// The stage.
        stage: String,
    },
    /// A rule that the engine could not run.
    Program {
        /// The flag.
        flag: String,
        /// What is wrong, and at which instruction.
        error: ProgramError,
    },
    /// Prerequisites that lead in a circle or too deep.
    Prerequisites,
    /// A canary that asks for what is not there.
    Canary {
        /// The flag that it asks for.
        flag: String,
    },
    /// A value that is too deep, or a number that is not finite.
    Value {
        /// The flag.
        flag: String,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::TooMany { what, flag, found, limit } if flag.is_empty() => {
                write!(out, "{found} {what}, the limit is {limit}")
            }
            EncodeError::TooMany { what, flag, found, limit } => {
                write!(out, "flag `{flag}` has {found} {what}, the limit is {limit}")
            }
            EncodeError::DuplicateFlag(flag) => write!(out, "flag `{flag}` is there twice"),
            EncodeError::Reference { flag, what } => {
                write!(out, "flag `{flag}` refers to a {what} it does not have")
            }
            EncodeError::Shares { flag, stage } => {
                write!(out, "stage `{stage}` of flag `{flag}` does not continue the stage before it")
            }
            EncodeError::Program { flag, error } => {
                write!(out, "a rule of flag `{flag}` cannot run: {error:?}")
            }
            EncodeError::Prerequisites => {
                let depth = limits::MAX_PREREQUISITE_DEPTH;
                write!(out, "prerequisites lead in a circle, or more than {depth} deep")
            }
            EncodeError::Canary { flag } => {
                write!(
                    out,
                    "a canary asks for a flag `{flag}` or a variant of it that is not there, or its context is no object"
                )
            }
            EncodeError::Value { flag } => {
                write!(
                    out,
                    "flag `{flag}` has a value nested deeper than {} or a number that is not finite",
                    limits::MAX_DEPTH
                )
            }
        }
    }
}

impl core::error::Error for EncodeError {}
