//! `flagstone/pulse@v1`: which snapshot is current, how far its rollouts have come, what is halted. Signed by
//! one online key, alive for minutes. It can only narrow what release keys have signed.

use alloc::string::String;
use alloc::vec::Vec;

use super::Form;
use super::lines::{Lines, push_field, push_number};
use crate::base64;
use crate::error::SealError;
use crate::limits;
use crate::policy::Mark;
use crate::text::{
    decode_decimal, decode_digest, is_audience, is_environment, is_flag_key, push_decimal, sha256,
};

/// A stage line of a pulse.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PulseStage {
    /// The flag's key.
    pub flag: String,
    /// Position of the open stage in the flag's plan.
    pub stage: u8,
    /// Since when it is open, unix seconds, 0 for long ago: ramps and restricted windows count from here.
    pub since: u64,
}

/// What the governor says, minute by minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulseStatement {
    /// Who may use it, as in the snapshot.
    pub audience: String,
    /// `production`, `staging` …
    pub environment: String,
    /// The pulse's own rising number.
    pub number: u64,
    /// Unix seconds.
    pub issued: u64,
    /// Unix seconds: the end of the exposure lease; at most [`limits::MAX_PULSE_LIFETIME`] after `issued`.
    pub expires: u64,
    /// The current snapshot.
    pub snapshot: Mark,
    /// The open stage (an index into the rollout plan) of flags with a plan, ascending by flag key. A stage
    /// above the plan's signed ceiling means the ceiling.
    pub stages: Vec<PulseStage>,
    /// Flags forced to the safe variant that the snapshot declares, ascending by flag key.
    pub halts: Vec<String>,
}

impl PulseStatement {
    /// Read a statement text (without signatures). Nothing is verified.
    ///
    /// # Errors
    /// [`SealError::WrongKind`] or [`SealError::BadStatement`] with the line.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        super::parse(text)
    }

    /// The one text of this statement. `stages` and `halts` must be sorted, as `seal_pulse` does.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.text()
    }

    /// SHA-256 of the text.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.text().as_bytes())
    }

    /// The open stage of `flag`, if the pulse has a line for it.
    #[must_use]
    pub fn stage(&self, flag: &str) -> Option<u8> {
        let at = self.stages.binary_search_by(|line| line.flag.as_str().cmp(flag)).ok()?;
        self.stages.get(at).map(|line| line.stage)
    }

    /// Whether the pulse halts `flag`.
    #[must_use]
    pub fn halted(&self, flag: &str) -> bool {
        self.halts.binary_search_by(|key| key.as_str().cmp(flag)).is_ok()
    }
}

impl Form for PulseStatement {
    const KIND: &'static str = "flagstone/pulse@v1";
    const MAX_LIFETIME: u64 = limits::MAX_PULSE_LIFETIME;
    const MAX_BYTES: usize = limits::MAX_PULSE_BYTES;

    fn read(lines: &mut Lines<'_>) -> Self {
        let mut pulse = Self {
            audience: lines.text("audience", is_audience),
            environment: lines.text("environment", is_environment),
            number: lines.number("pulse"),
            issued: lines.number("issued"),
            expires: lines.number("expires"),
            snapshot: {
                let mark = read_mark(lines.field("snapshot"));
                lines.expect(mark.is_some());
                mark.unwrap_or(Mark { epoch: 0, sequence: 0, digest: [0; 32] })
            },
            stages: Vec::new(),
            halts: Vec::new(),
        };
        while let Some(value) = lines.optional("stage") {
            let Some(stage) = read_stage(value) else {
                lines.expect(false);
                break;
            };
            let rises = pulse.stages.last().is_none_or(|last| last.flag < stage.flag);
            lines.expect(rises && pulse.stages.len() < limits::MAX_PULSE_LINES);
            pulse.stages.push(stage);
        }
        while let Some(flag) = lines.optional("halt") {
            let rises = pulse.halts.last().is_none_or(|last| last.as_str() < flag);
            lines.expect(rises && is_flag_key(flag) && pulse.halts.len() < limits::MAX_PULSE_LINES);
            pulse.halts.push(flag.into());
        }
        pulse
    }

    fn print(&self, out: &mut String) {
        push_field(out, "audience", &self.audience);
        push_field(out, "environment", &self.environment);
        push_number(out, "pulse", self.number);
        push_number(out, "issued", self.issued);
        push_number(out, "expires", self.expires);
        out.push_str("snapshot ");
        push_decimal(out, self.snapshot.epoch);
        out.push(' ');
        push_decimal(out, self.snapshot.sequence);
        out.push(' ');
        base64::push(out, &self.snapshot.digest);
        out.push('\n');
        for line in &self.stages {
            out.push_str("stage ");
            push_decimal(out, u64::from(line.stage));
            out.push(' ');
            push_decimal(out, line.since);
            out.push(' ');
            out.push_str(&line.flag);
            out.push('\n');
        }
        for flag in &self.halts {
            push_field(out, "halt", flag);
        }
    }

    fn period(&self) -> (u64, u64) {
        (self.issued, self.expires)
    }
}

/// `<stage> <since> <flag key>`
fn read_stage(value: &str) -> Option<PulseStage> {
    let (stage, rest) = value.split_once(' ')?;
    let (since, flag) = rest.split_once(' ')?;
    let stage = u8::try_from(decode_decimal(stage)?).ok()?;
    is_flag_key(flag).then_some(PulseStage { stage, since: decode_decimal(since)?, flag: flag.into() })
}

/// `<epoch> <sequence> <base64 digest>`
fn read_mark(value: &str) -> Option<Mark> {
    let (epoch, rest) = value.split_once(' ')?;
    let (sequence, digest) = rest.split_once(' ')?;
    Some(Mark {
        epoch: decode_decimal(epoch)?,
        sequence: decode_decimal(sequence)?,
        digest: decode_digest(digest)?,
    })
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::testing::pulse_draft;

    #[test]
    fn limits() {
        let with = |count: usize| {
            let mut pulse = pulse_draft();
            let line = |at| PulseStage { flag: format!("f{at:04}"), stage: 1, since: 0 };
            pulse.stages = (0..count).map(line).collect();
            pulse.halts = (0..count).map(|at| format!("f{at:04}")).collect();
            PulseStatement::parse(&pulse.to_text()).map(|read| read.halts.len())
        };
        assert_eq!(with(limits::MAX_PULSE_LINES), Ok(4_096));
        let first_over = 7 + 4_096 + 1;
        assert_eq!(with(limits::MAX_PULSE_LINES + 1), Err(SealError::BadStatement { line: first_over }));
        let named = |bytes: usize| {
            let mut pulse = pulse_draft();
            pulse.halts = [String::from("k").repeat(bytes)].into();
            PulseStatement::parse(&pulse.to_text()).is_ok()
        };
        assert!(named(limits::MAX_FLAG_KEY_BYTES));
        assert!(!named(limits::MAX_FLAG_KEY_BYTES + 1));
        assert!(!named(0));
    }
}
