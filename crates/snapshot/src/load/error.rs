//! Why bytes are not a snapshot.

use crate::program::ProgramError;
use crate::told::{Told, told};
use crate::value::ValueError;

/// Why bytes are not a snapshot. `table` names a table of `docs/snapshot.md`, `index` a record of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadError {
    /// Not a snapshot at all.
    Magic,
    /// A version that this engine does not read.
    Version(Told<u16>),
    /// The length is not what the header says, or the tables do not fill it exactly.
    Length,
    /// More records than the limit allows.
    Limit(Told<&'static str>),
    /// A record refers to something that is not there.
    Reference(Told<&'static str>, Told<u32>),
    /// A name that is not UTF-8, or too long.
    Name(Told<&'static str>, Told<u32>),
    /// Flags that are not in strictly ascending order of their keys.
    Order(Told<u32>),
    /// Prerequisites that lead in a circle or too deep, from this flag on.
    Prerequisites(Told<u32>),
    /// A number outside its range.
    Range(Told<&'static str>, Told<u32>),
    /// A program that could not run.
    Program(Told<u32>, Told<ProgramError>),
    /// A constant that is not a value.
    Value(Told<u32>, Told<ValueError>),
    /// A constant that is not what its instruction reads: an automaton, a set, a table.
    Constant(Told<u32>),
}

impl LoadError {
    pub(super) fn version(version: u16) -> LoadError {
        LoadError::Version(told(|| version))
    }

    pub(super) fn limit(what: &'static str) -> LoadError {
        LoadError::Limit(told(|| what))
    }

    pub(super) fn reference(table: &'static str, index: u32) -> LoadError {
        LoadError::Reference(told(|| table), told(|| index))
    }

    pub(super) fn name(table: &'static str, index: u32) -> LoadError {
        LoadError::Name(told(|| table), told(|| index))
    }

    pub(super) fn order(index: u32) -> LoadError {
        LoadError::Order(told(|| index))
    }

    pub(super) fn prerequisites(index: u32) -> LoadError {
        LoadError::Prerequisites(told(|| index))
    }

    pub(super) fn range(table: &'static str, index: u32) -> LoadError {
        LoadError::Range(told(|| table), told(|| index))
    }

    pub(super) fn program(index: u32, error: ProgramError) -> LoadError {
        LoadError::Program(told(|| index), told(|| error))
    }

    pub(super) fn value(index: u32, error: ValueError) -> LoadError {
        LoadError::Value(told(|| index), told(|| error))
    }

    pub(super) fn constant(index: u32) -> LoadError {
        LoadError::Constant(told(|| index))
    }

    /// A stable code for machines, in kebab-case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            LoadError::Magic => "snapshot-magic",
            LoadError::Version(_) => "snapshot-version",
            LoadError::Length => "snapshot-length",
            LoadError::Limit(_) => "snapshot-limit",
            LoadError::Reference(..) => "snapshot-reference",
            LoadError::Name(..) => "snapshot-name",
            LoadError::Order(_) => "snapshot-order",
            LoadError::Prerequisites(_) => "snapshot-prerequisites",
            LoadError::Range(..) => "snapshot-range",
            LoadError::Program(..) => "snapshot-program",
            LoadError::Value(..) | LoadError::Constant(_) => "snapshot-value",
        }
    }
}

#[cfg(feature = "words")]
impl core::fmt::Display for LoadError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            LoadError::Magic => out.write_str("these bytes are not a snapshot"),
            LoadError::Version(version) => {
                write!(out, "snapshot version {version} is not one this engine reads")
            }
            LoadError::Length => out.write_str("the snapshot's length does not agree with its header"),
            LoadError::Limit(what) => write!(out, "the snapshot has too many {what}"),
            LoadError::Reference(table, index) => {
                write!(out, "{table} {index} refers to something that is not there")
            }
            LoadError::Name(table, index) => {
                write!(out, "{table} {index} has a name that is too long or not UTF-8")
            }
            LoadError::Order(index) => write!(out, "flag {index} is not in the order of keys"),
            LoadError::Prerequisites(index) => {
                write!(out, "the prerequisites of flag {index} lead in a circle or too deep")
            }
            LoadError::Range(table, index) => write!(out, "{table} {index} has a number outside its range"),
            LoadError::Program(index, error) => write!(out, "program {index} cannot run: {error:?}"),
            LoadError::Constant(index) => write!(out, "instruction {index} has a constant of another form"),
            LoadError::Value(index, error) => {
                write!(out, "instruction {index} has a bad constant: {error:?}")
            }
        }
    }
}

#[cfg(feature = "words")]
impl core::error::Error for LoadError {}
