//! The three statements. One strict reader and one printer serve them all: a statement has exactly one text.

mod lines;
mod pulse;
mod snapshot;
mod trust;

use alloc::string::String;

pub use pulse::{PulseStage, PulseStatement};
pub use snapshot::SnapshotStatement;
pub use trust::{Floor, Role, RoleKind, TrustStatement};

use crate::error::SealError;
use crate::told::told;
use lines::Lines;

/// What the three kinds of statement have in common.
pub(crate) trait Form: Sized + PartialEq {
    /// The first line: it parts the kinds, since it is among the signed bytes.
    const KIND: &'static str;
    /// Most seconds from issue to expiry.
    const MAX_LIFETIME: u64;
    /// Most bytes of a note that carries one.
    const MAX_BYTES: usize;

    /// Read everything below the first line.
    fn read(lines: &mut Lines<'_>) -> Self;
    /// Append everything below the first line.
    fn print(&self, out: &mut String);
    /// Time of issue and of expiry, unix seconds.
    fn period(&self) -> (u64, u64);

    /// The statement's one text.
    fn text(&self) -> String {
        let mut out = String::from(Self::KIND);
        out.push('\n');
        self.print(&mut out);
        out
    }

    /// That the period is one this kind may have.
    fn check_period(&self) -> Result<(), SealError> {
        let (issued, expires) = self.period();
        match expires.checked_sub(issued) {
            Some(life @ 1..) if life <= Self::MAX_LIFETIME => Ok(()),
            _ => Err(SealError::BadLifetime),
        }
    }
}

/// Parse, print again, compare: whatever the reader would let through beside the one text is refused.
pub(crate) fn parse<S: Form>(text: &str) -> Result<S, SealError> {
    let mut lines = Lines::new(text);
    let wrong = lines.next() != S::KIND;
    if wrong && text.contains('\n') {
        return Err(SealError::WrongKind);
    }
    let statement = S::read(&mut lines);
    lines.finish()?;
    let printed = statement.text();
    if printed == text {
        return Ok(statement);
    }
    Err(SealError::BadStatement {
        line: told(|| {
            let same = printed.split('\n').zip(text.split('\n')).take_while(|(a, b)| a == b).count();
            u32::try_from(same.saturating_add(1)).unwrap_or(u32::MAX)
        }),
    })
}

/// A statement of any kind, as [`inspect`](crate::inspect) reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// `flagstone/trust@v1`
    Trust(TrustStatement),
    /// `flagstone/snapshot@v1`
    Snapshot(SnapshotStatement),
    /// `flagstone/pulse@v1`
    Pulse(PulseStatement),
}

impl Statement {
    /// Read a statement of any kind from its text. Nothing is verified.
    ///
    /// # Errors
    /// [`SealError::WrongKind`] for an unknown first line, else what the kind's own reader says.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        match text.split('\n').next().unwrap_or_default() {
            TrustStatement::KIND => parse(text).map(Self::Trust),
            SnapshotStatement::KIND => parse(text).map(Self::Snapshot),
            PulseStatement::KIND => parse(text).map(Self::Pulse),
            _ => Err(SealError::WrongKind),
        }
    }
}

#[cfg(test)]
mod tests;
