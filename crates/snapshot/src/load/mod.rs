//! Validates the bytes of a snapshot in one linear pass, after which they are read where they lie.

mod budget;
mod error;
mod find;
mod flags;
mod plans;
mod rules;

use zerocopy::FromBytes;

pub use error::LoadError;
pub(crate) use flags::prerequisites;

use self::budget::Budget;
use crate::layout::*;
use crate::limits;
use crate::program::Scratch;
use crate::view::Snapshot;

impl<'a> Snapshot<'a> {
    /// Validates `bytes` and returns a view of them.
    ///
    /// # Errors
    /// [`LoadError`] names the first thing that is wrong. The pass is linear in the bytes, allocates only
    /// one table of the longest program's length, and accepts nothing that evaluation could trip over.
    pub fn load(bytes: &'a [u8]) -> Result<Snapshot<'a>, LoadError> {
        let snapshot = Snapshot::view(bytes)?;
        Checker { snapshot, budget: Budget::new(bytes.len()) }.all()?;
        prerequisites(&snapshot)?;
        Ok(snapshot)
    }

    /// Splits bytes into tables by the header alone.
    pub(crate) fn view(bytes: &'a [u8]) -> Result<Snapshot<'a>, LoadError> {
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| LoadError::Magic)?;
        if header.magic != MAGIC {
            return Err(LoadError::Magic);
        }
        if header.version.get() != VERSION {
            return Err(LoadError::version(header.version.get()));
        }
        if bytes.len() > limits::MAX_SNAPSHOT_BYTES {
            return Err(LoadError::limit("bytes"));
        }
        if header.total.get() as usize != bytes.len() || header.reserved.get() != 0 {
            return Err(LoadError::Length);
        }
        let [
            attributes,
            instructions,
            programs,
            variants,
            domains,
            stages,
            steps,
            pauses,
            plans,
            holdouts,
            held,
            layers,
            ranges,
            prerequisites,
            parts,
            flags,
            buckets,
            keyed,
            canaries,
            heap,
        ] = header.counts.map(|count| count.get() as usize);
        let mut rest = rest;
        let mut snapshot = Snapshot {
            header,
            attributes: table(&mut rest, attributes)?,
            instructions: table(&mut rest, instructions)?,
            programs: table(&mut rest, programs)?,
            variants: table(&mut rest, variants)?,
            domains: table(&mut rest, domains)?,
            stages: table(&mut rest, stages)?,
            steps: table(&mut rest, steps)?,
            pauses: table(&mut rest, pauses)?,
            plans: table(&mut rest, plans)?,
            holdouts: table(&mut rest, holdouts)?,
            held: table(&mut rest, held)?,
            layers: table(&mut rest, layers)?,
            ranges: table(&mut rest, ranges)?,
            prerequisites: table(&mut rest, prerequisites)?,
            parts: table(&mut rest, parts)?,
            flags: table(&mut rest, flags)?,
            buckets: table(&mut rest, buckets)?,
            keyed: table(&mut rest, keyed)?,
            canaries: table(&mut rest, canaries)?,
            heap: rest,
            whole: None,
            remembered: None,
        };
        if rest.len() != heap {
            return Err(LoadError::Length);
        }
        snapshot.whole = snapshot.find_attribute("");
        snapshot.remembered = snapshot.find_attribute("remembered");
        Ok(snapshot)
    }
}

/// The next `count` records.
fn table<'a, T>(rest: &mut &'a [u8], count: usize) -> Result<&'a [T], LoadError>
where
    T: FromBytes + zerocopy::Immutable + zerocopy::KnownLayout + zerocopy::Unaligned,
{
    let bytes = take(rest, count, size_of::<T>()).ok_or(LoadError::Length)?;
    <[T]>::ref_from_bytes(bytes).map_err(|_| LoadError::Length)
}

/// The bytes of the next `count` records of `size` bytes. Once for all tables, since there are nineteen.
#[inline(never)]
fn take<'a>(rest: &mut &'a [u8], count: usize, size: usize) -> Option<&'a [u8]> {
    let (bytes, after) = rest.split_at_checked(count.checked_mul(size)?)?;
    *rest = after;
    Some(bytes)
}

struct Checker<'a> {
    snapshot: Snapshot<'a>,
    budget: Budget,
}

impl Checker<'_> {
    fn all(&self) -> Result<(), LoadError> {
        let Snapshot { header, attributes, programs, variants, domains, stages, plans, flags, .. } =
            self.snapshot;
        let Snapshot { steps, pauses, holdouts, held, layers, ranges, parts, canaries, .. } = self.snapshot;
        cap("flags", flags.len(), limits::MAX_FLAGS)?;
        cap("attributes", attributes.len(), limits::MAX_ATTRIBUTES)?;
        cap("holdouts", holdouts.len(), limits::MAX_LAYERS)?;
        cap("layers", layers.len(), limits::MAX_LAYERS)?;
        cap("parts", parts.len(), limits::MAX_FLAGS)?;
        self.name("header", 0, header.flag_set)?;
        self.name("header", 0, header.environment)?;
        self.json("header", 0, header.metadata)?;
        let mut versions = 0;
        each(attributes, |index, record| {
            let version = record.version.get();
            if version != NONE && version != versions {
                return Err(LoadError::range("attribute", index));
            }
            versions += u32::from(version != NONE);
            self.name("attribute", index, record.path)
        })?;
        each(domains, |index, record| self.name("domain", index, record.name))?;
        each(variants, |index, record| {
            self.name("variant", index, record.name)?;
            if record.json.length.get() == 0 {
                return Err(LoadError::reference("variant", index));
            }
            self.json("variant", index, record.json)
        })?;
        let mut scratch = Scratch::default();
        let mut next = 0;
        each(programs, |index, record| {
            // One behind the other, so that no instruction is checked twice.
            if record.start.get() != next {
                return Err(LoadError::range("program", index));
            }
            next = next.saturating_add(record.count.get());
            self.program(index, record, &mut scratch)
        })?;
        each(steps, |index, record| self.step(index, record))?;
        each(pauses, |index, record| self.pause(index, record))?;
        each(holdouts, |index, record| self.holdout(index, record))?;
        each(held, |index, record| self.held(index, record))?;
        each(layers, |index, record| self.layer(index, record))?;
        each(ranges, |index, record| self.range(index, record))?;
        each(parts, |index, record| self.parts(index, record))?;
        each(stages, |index, record| self.stage(index, record))?;
        each(plans, |index, record| self.plan(index, record))?;
        each(flags, |index, record| self.flag(index, record))?;
        self.keys()?;
        cap("canaries", canaries.len(), limits::MAX_CANARIES)?;
        each(canaries, |index, record| self.canary(index, record))
    }

    fn bytes(&self, table: &'static str, index: u32, span: Span) -> Result<&[u8], LoadError> {
        let start = span.offset.get() as usize;
        start
            .checked_add(span.length.get() as usize)
            .and_then(|end| self.snapshot.heap.get(start..end))
            .ok_or(LoadError::reference(table, index))
    }

    fn name(&self, table: &'static str, index: u32, span: Span) -> Result<(), LoadError> {
        let bytes = self.bytes(table, index, span)?;
        if bytes.len() > limits::MAX_NAME_BYTES || core::str::from_utf8(bytes).is_err() {
            return Err(LoadError::name(table, index));
        }
        Ok(())
    }

    /// JSON text is handed on as it is: a signed snapshot's text is not parsed here, only kept readable.
    fn json(&self, table: &'static str, index: u32, span: Span) -> Result<(), LoadError> {
        let bytes = self.bytes(table, index, span)?;
        if self.budget.seen(span.offset.get(), !span.length.get()) {
            return Ok(());
        }
        self.budget.spend(bytes.len())?;
        if bytes.len() > limits::MAX_VALUE_BYTES || core::str::from_utf8(bytes).is_err() {
            return Err(LoadError::name(table, index));
        }
        Ok(())
    }
}

fn cap(what: &'static str, found: usize, limit: usize) -> Result<(), LoadError> {
    if found <= limit { Ok(()) } else { Err(LoadError::limit(what)) }
}

fn optional(reference: u32, length: usize, table: &'static str, index: u32) -> Result<(), LoadError> {
    if reference == NONE || (reference as usize) < length {
        Ok(())
    } else {
        Err(LoadError::reference(table, index))
    }
}

fn slice<T>(table: &[T], start: u32, count: u32) -> Option<&[T]> {
    let start = start as usize;
    table.get(start..start.checked_add(count as usize)?)
}

fn each<T>(records: &[T], mut check: impl FnMut(u32, &T) -> Result<(), LoadError>) -> Result<(), LoadError> {
    records.iter().enumerate().try_for_each(|(index, record)| check(index as u32, record))
}
