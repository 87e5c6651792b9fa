//! Validates the bytes of a snapshot in one linear pass, after which they are read where they lie.

use zerocopy::FromBytes;

use crate::layout::*;
use crate::program::{ProgramError, check, code};
use crate::value::{Value, ValueError};
use crate::view::Snapshot;
use crate::{SHARE_TOTAL, limits};

/// Why bytes are not a snapshot. `table` names a table of `docs/snapshot.md`, `index` a record of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadError {
    /// Not a snapshot at all.
    Magic,
    /// A version that this engine does not read.
    Version(u16),
    /// The length is not what the header says, or the tables do not fill it exactly.
    Length,
    /// More records than the limit allows.
    Limit(&'static str),
    /// A record refers to something that is not there.
    Reference(&'static str, u32),
    /// A name that is not UTF-8, or too long.
    Name(&'static str, u32),
    /// Flags that are not in strictly ascending order of their keys.
    Order(u32),
    /// A number outside its range.
    Range(&'static str, u32),
    /// A program that could not run.
    Program(u32, ProgramError),
    /// A constant that is not a value.
    Value(u32, ValueError),
}

impl LoadError {
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
            LoadError::Range(..) => "snapshot-range",
            LoadError::Program(..) => "snapshot-program",
            LoadError::Value(..) => "snapshot-value",
        }
    }
}

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
            LoadError::Range(table, index) => write!(out, "{table} {index} has a number outside its range"),
            LoadError::Program(index, error) => write!(out, "program {index} cannot run: {error:?}"),
            LoadError::Value(index, error) => {
                write!(out, "instruction {index} has a bad constant: {error:?}")
            }
        }
    }
}

impl core::error::Error for LoadError {}

impl<'a> Snapshot<'a> {
    /// Validates `bytes` and returns a view of them.
    ///
    /// # Errors
    /// [`LoadError`] names the first thing that is wrong. The pass is linear in the bytes, allocates only
    /// one table of the longest program's length, and accepts nothing that evaluation could trip over.
    pub fn load(bytes: &'a [u8]) -> Result<Snapshot<'a>, LoadError> {
        let snapshot = Snapshot::view(bytes)?;
        let checker = Checker { snapshot };
        checker.all()?;
        Ok(snapshot)
    }

    /// Splits bytes into tables by the header alone.
    pub(crate) fn view(bytes: &'a [u8]) -> Result<Snapshot<'a>, LoadError> {
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| LoadError::Magic)?;
        if header.magic != MAGIC {
            return Err(LoadError::Magic);
        }
        if header.version.get() != VERSION {
            return Err(LoadError::Version(header.version.get()));
        }
        if bytes.len() > limits::MAX_SNAPSHOT_BYTES {
            return Err(LoadError::Limit("bytes"));
        }
        if header.total.get() as usize != bytes.len() || header.reserved.get() != 0 {
            return Err(LoadError::Length);
        }
        let [attributes, instructions, programs, variants, domains, stages, plans, flags, heap] =
            header.counts.map(|count| count.get() as usize);
        let mut rest = rest;
        let snapshot = Snapshot {
            header,
            attributes: table(&mut rest, attributes)?,
            instructions: table(&mut rest, instructions)?,
            programs: table(&mut rest, programs)?,
            variants: table(&mut rest, variants)?,
            domains: table(&mut rest, domains)?,
            stages: table(&mut rest, stages)?,
            plans: table(&mut rest, plans)?,
            flags: table(&mut rest, flags)?,
            heap: rest,
        };
        if rest.len() != heap {
            return Err(LoadError::Length);
        }
        Ok(snapshot)
    }
}

/// The next `count` records.
fn table<'a, T>(rest: &mut &'a [u8], count: usize) -> Result<&'a [T], LoadError>
where
    T: FromBytes + zerocopy::Immutable + zerocopy::KnownLayout + zerocopy::Unaligned,
{
    let (records, after) = <[T]>::ref_from_prefix_with_elems(rest, count).map_err(|_| LoadError::Length)?;
    *rest = after;
    Ok(records)
}

struct Checker<'a> {
    snapshot: Snapshot<'a>,
}

impl Checker<'_> {
    fn all(&self) -> Result<(), LoadError> {
        let Snapshot { header, attributes, programs, variants, domains, stages, plans, flags, .. } =
            self.snapshot;
        cap("flags", flags.len(), limits::MAX_FLAGS)?;
        cap("attributes", attributes.len(), limits::MAX_ATTRIBUTES)?;
        self.name("header", 0, header.flag_set)?;
        self.name("header", 0, header.environment)?;
        self.json("header", 0, header.metadata)?;
        each(attributes, |index, record| self.name("attribute", index, record.path))?;
        each(domains, |index, record| self.name("domain", index, record.name))?;
        each(variants, |index, record| {
            self.name("variant", index, record.name)?;
            if record.json.length.get() == 0 {
                return Err(LoadError::Reference("variant", index));
            }
            self.json("variant", index, record.json)
        })?;
        each(programs, |index, record| self.program(index, record))?;
        each(stages, |index, record| self.stage(index, record))?;
        each(plans, |index, record| self.plan(index, record))?;
        each(flags, |index, record| self.flag(index, record))
    }

    fn bytes(&self, table: &'static str, index: u32, span: Span) -> Result<&[u8], LoadError> {
        let start = span.offset.get() as usize;
        start
            .checked_add(span.length.get() as usize)
            .and_then(|end| self.snapshot.heap.get(start..end))
            .ok_or(LoadError::Reference(table, index))
    }

    fn name(&self, table: &'static str, index: u32, span: Span) -> Result<(), LoadError> {
        let bytes = self.bytes(table, index, span)?;
        if bytes.len() > limits::MAX_NAME_BYTES || core::str::from_utf8(bytes).is_err() {
            return Err(LoadError::Name(table, index));
        }
        Ok(())
    }

    /// JSON text is handed on as it is: a signed snapshot's text is not parsed here, only kept readable.
    fn json(&self, table: &'static str, index: u32, span: Span) -> Result<(), LoadError> {
        let bytes = self.bytes(table, index, span)?;
        if bytes.len() > limits::MAX_VALUE_BYTES || core::str::from_utf8(bytes).is_err() {
            return Err(LoadError::Name(table, index));
        }
        Ok(())
    }

    fn program(&self, index: u32, record: &ProgramRecord) -> Result<(), LoadError> {
        let run = slice(self.snapshot.instructions, record.start.get(), record.count.get())
            .ok_or(LoadError::Reference("program", index))?;
        let needs = check(run).map_err(|error| LoadError::Program(index, error))?;
        if (needs.stack, needs.loops) != (record.stack.get(), record.loops.get()) {
            return Err(LoadError::Range("program", index));
        }
        for (offset, instruction) in run.iter().enumerate() {
            let at = record.start.get() + offset as u32;
            match instruction.op {
                code::ATTRIBUTE if instruction.c.get() as usize >= self.snapshot.attributes.len() => {
                    return Err(LoadError::Reference("instruction", at));
                }
                code::VALUE => {
                    let tail = self.snapshot.heap.get(instruction.c.get() as usize..).unwrap_or_default();
                    Value::validate_prefix(tail).map_err(|error| LoadError::Value(at, error))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn stage(&self, index: u32, record: &StageRecord) -> Result<(), LoadError> {
        self.name("stage", index, record.name)?;
        optional(record.who.get(), self.snapshot.programs.len(), "stage", index)?;
        let (treat, control) = (record.treat.get(), record.control.get());
        let fits = treat <= SHARE_TOTAL
            && control <= SHARE_TOTAL / 2
            && control <= SHARE_TOTAL - treat
            && record.probability.get() <= SHARE_TOTAL;
        if fits { Ok(()) } else { Err(LoadError::Range("stage", index)) }
    }

    fn plan(&self, index: u32, record: &PlanRecord) -> Result<(), LoadError> {
        let missing = LoadError::Reference("plan", index);
        let count = usize::from(record.stage_count);
        cap("stages", count, limits::MAX_STAGES)?;
        cap("data domains", record.domain_count.get() as usize, limits::MAX_DATA_DOMAINS)?;
        let stages =
            slice(self.snapshot.stages, record.stages.get(), u32::from(record.stage_count)).ok_or(missing)?;
        let grows = stages
            .windows(2)
            .all(|pair| matches!(pair, [before, after] if before.treat.get() <= after.treat.get()));
        if !grows || (record.ceiling != NONE8 && usize::from(record.ceiling) >= count) {
            return Err(LoadError::Range("plan", index));
        }
        slice(self.snapshot.domains, record.domains.get(), record.domain_count.get()).ok_or(missing)?;
        if record.unit.get() as usize >= self.snapshot.attributes.len() {
            return Err(missing);
        }
        self.name("plan", index, record.consent)?;
        let needs = [
            (record.consent_attribute.get(), record.consent.length.get() > 0),
            (record.domain_attribute.get(), record.domain_count.get() > 0),
        ];
        for (attribute, needed) in needs {
            optional(attribute, self.snapshot.attributes.len(), "plan", index)?;
            if needed && attribute == NONE {
                return Err(missing);
            }
        }
        Ok(())
    }

    fn flag(&self, index: u32, record: &FlagRecord) -> Result<(), LoadError> {
        self.name("flag", index, record.key)?;
        self.json("flag", index, record.metadata)?;
        let previous = (index as usize).checked_sub(1).and_then(|before| self.snapshot.flags.get(before));
        if let Some(previous) = previous {
            let (before, here) =
                (self.bytes("flag", index, previous.key)?, self.bytes("flag", index, record.key)?);
            if before >= here {
                return Err(LoadError::Order(index));
            }
        }
        let count = record.variant_count.get();
        cap("variants", usize::from(count), limits::MAX_VARIANTS)?;
        slice(self.snapshot.variants, record.variants.get(), u32::from(count))
            .ok_or(LoadError::Reference("flag", index))?;
        for variant in [record.default_variant.get(), record.baseline.get()] {
            if variant != NONE16 && variant >= count {
                return Err(LoadError::Reference("flag", index));
            }
        }
        if record.kind > 3 || record.state & !state::ALL != 0 {
            return Err(LoadError::Range("flag", index));
        }
        optional(record.targeting.get(), self.snapshot.programs.len(), "flag", index)?;
        optional(record.plan.get(), self.snapshot.plans.len(), "flag", index)?;
        if let Some(plan) = self.snapshot.plans.get(record.plan.get() as usize)
            && (plan.baseline.get() >= count || plan.candidate.get() >= count)
        {
            return Err(LoadError::Reference("flag", index));
        }
        Ok(())
    }
}

fn cap(what: &'static str, found: usize, limit: usize) -> Result<(), LoadError> {
    if found <= limit { Ok(()) } else { Err(LoadError::Limit(what)) }
}

fn optional(reference: u32, length: usize, table: &'static str, index: u32) -> Result<(), LoadError> {
    if reference == NONE || (reference as usize) < length {
        Ok(())
    } else {
        Err(LoadError::Reference(table, index))
    }
}

fn slice<T>(table: &[T], start: u32, count: u32) -> Option<&[T]> {
    let start = start as usize;
    table.get(start..start.checked_add(count as usize)?)
}

fn each<T>(records: &[T], mut check: impl FnMut(u32, &T) -> Result<(), LoadError>) -> Result<(), LoadError> {
    records.iter().enumerate().try_for_each(|(index, record)| check(index as u32, record))
}
