//! Programs: that they can run, and that their operands are there and of the form their instruction reads.

use super::{Checker, LoadError, slice};
use crate::blob::{dfa, key_set, network, shares, text_set};
use crate::layout::{Instruction, NONE, NONE16, ProgramRecord};
use crate::program::{Scratch, check_with, code};
use crate::value::Value;
use crate::version::Version;

impl Checker<'_> {
    pub(super) fn program(
        &self,
        index: u32,
        record: &ProgramRecord,
        scratch: &mut Scratch,
    ) -> Result<(), LoadError> {
        let run = slice(self.snapshot.instructions, record.start.get(), record.count.get())
            .ok_or(LoadError::reference("program", index))?;
        let needs = check_with(run, scratch).map_err(|error| LoadError::program(index, error))?;
        if (needs.stack, needs.loops) != (record.stack.get(), record.loops.get()) {
            return Err(LoadError::range("program", index));
        }
        for (offset, instruction) in run.iter().enumerate() {
            let at = record.start.get() + offset as u32;
            self.operands(at, instruction)?;
        }
        Ok(())
    }

    fn operands(&self, at: u32, instruction: &Instruction) -> Result<(), LoadError> {
        let attributes = self.snapshot.attributes.len();
        let attribute = match instruction.op {
            code::ATTRIBUTE => Some(instruction.c.get() as usize),
            code::ATTRIBUTE_IN
            | code::ATTRIBUTE_STARTS
            | code::ATTRIBUTE_ENDS
            | code::ATTRIBUTE_COMPARE
            | code::ATTRIBUTE_VERSION => Some(usize::from(instruction.b.get())),
            code::RETURN_SHARES if instruction.b.get() != NONE16 => Some(usize::from(instruction.b.get())),
            _ => None,
        };
        if attribute.is_some_and(|attribute| attribute >= attributes) {
            return Err(LoadError::reference("instruction", at));
        }
        let constant = self.snapshot.heap.get(instruction.c.get() as usize..).unwrap_or_default();
        // A version is small and checked with its attribute; the others may be large and in use everywhere.
        let shared = matches!(
            instruction.op,
            code::VALUE
                | code::ATTRIBUTE_STARTS
                | code::ATTRIBUTE_ENDS
                | code::ATTRIBUTE_COMPARE
                | code::ATTRIBUTE_IN
                | code::RETURN_SHARES
                | code::MATCHES
                | code::IN_NETWORK
                | code::IN_KEYS
        );
        if shared && self.budget.seen(instruction.c.get(), u32::from(instruction.op)) {
            return Ok(());
        }
        let length = match instruction.op {
            code::VALUE | code::ATTRIBUTE_STARTS | code::ATTRIBUTE_ENDS | code::ATTRIBUTE_COMPARE => {
                let value = Value::validate_prefix(constant).map_err(|error| LoadError::value(at, error))?;
                let fits = instruction.op == code::VALUE || matches!(value, Value::Text(_));
                let rest = Value::read(constant).map(|(_, rest)| rest.len());
                rest.filter(|_| fits).map(|rest| constant.len() - rest)
            }
            code::ATTRIBUTE_IN => text_set::check(constant),
            code::ATTRIBUTE_VERSION => {
                let attribute = self.snapshot.attributes.get(usize::from(instruction.b.get()));
                let parsed = attribute.is_some_and(|record| record.version.get() != NONE);
                Version::read(constant).filter(|_| parsed).map(|_| 0)
            }
            code::RETURN_SHARES => shares::check(constant),
            code::MATCHES => dfa::check(constant),
            code::IN_NETWORK => network::check(constant),
            code::IN_KEYS => key_set::check(constant),
            _ => Some(0),
        };
        self.budget.spend(length.ok_or(LoadError::constant(at))?)
    }
}
