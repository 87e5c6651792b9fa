//! What is known about the unit being decided for: attributes, packed once, read in place.
//!
//! Two packed forms, both in the value encoding of `docs/snapshot.md`:
//!
//! - an **object** of attributes by name, for people who count convenience;
//! - **attributes by position**, for people who count nanoseconds: `u16 count`, then for each attribute its position in
//!   the snapshot's list (`u16`, strictly ascending) and its value.

#[cfg(feature = "json")]
mod json;

use alloc::vec::Vec;

use flagstone_snapshot::blob::text_set;
use flagstone_snapshot::limits::{MAX_CONTEXT_ATTRIBUTES, MAX_CONTEXT_BYTES};
use flagstone_snapshot::version::Version;
use flagstone_snapshot::{List, Object, Snapshot, Value, ValueError, murmur3_x64_128};

use crate::item::Item;

/// Where an attribute lies, and what most tests of it ask.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Where its value begins; [`ABSENT`] when the context does not have it.
    at: u32,
    /// Bytes of its text, which begins [`TEXT_HEAD`] bytes further on; [`NO_TEXT`] when it is none.
    length: u32,
    /// Its text as a number (`text_set`), when it is short enough for one.
    short: u64,
}

/// Bytes of a text's tag and length.
const TEXT_HEAD: usize = 5;
const NO_TEXT: u32 = u32::MAX;
const ABSENT: u32 = u32::MAX;

impl Slot {
    const EMPTY: Slot = Slot { at: ABSENT, length: NO_TEXT, short: 0 };

    /// The slot of the value that begins at `at`.
    fn new(packed: &[u8], at: u32) -> Slot {
        match packed.get(at as usize..).map(Item::read) {
            Some(Item::Text(text)) => {
                Slot { at, length: text.len() as u32, short: text_set::short(text).unwrap_or_default() }
            }
            _ => Slot { at, ..Slot::EMPTY },
        }
    }
}

/// The attributes of one unit, prepared for one snapshot.
///
/// The attributes that the snapshot's rules read are found once, here; a decision then reads them by position.
#[derive(Debug, Clone, Default)]
pub struct Context {
    packed: Vec<u8>,
    /// Each attribute of the snapshot.
    slots: Vec<Slot>,
    /// The attributes that rules read as versions, parsed once: the parts, and where the pre-release lies.
    versions: Vec<Option<Parsed>>,
    /// Hash of the targeting key, taken once for all plans, layers and holdouts.
    unit: Option<(u64, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Parsed {
    parts: [u64; 3],
    pre: (u32, u32),
}

/// The attribute of the targeting key, in every snapshot.
pub(crate) const TARGETING_KEY: u32 = 0;

/// Why attributes are not a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextError {
    /// More than [`MAX_CONTEXT_BYTES`].
    TooLarge,
    /// More than [`MAX_CONTEXT_ATTRIBUTES`] at the top.
    TooMany,
    /// The bytes are not a value.
    Value(ValueError),
    /// A value, but not an object.
    NotAnObject,
    /// Attributes by position whose positions do not ascend, or are not the snapshot's.
    Position,
    /// Text that is not JSON.
    Json,
}

impl ContextError {
    /// A stable code for machines, in kebab-case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ContextError::TooLarge => "context-too-large",
            ContextError::TooMany => "context-too-many-attributes",
            ContextError::Value(_) => "context-value",
            ContextError::NotAnObject => "context-not-an-object",
            ContextError::Position => "context-position",
            ContextError::Json => "context-json",
        }
    }
}

impl core::fmt::Display for ContextError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ContextError::TooLarge => write!(out, "the context is larger than {MAX_CONTEXT_BYTES} bytes"),
            ContextError::TooMany => {
                write!(out, "the context has more than {MAX_CONTEXT_ATTRIBUTES} attributes")
            }
            ContextError::Value(error) => write!(out, "the packed context is damaged: {error:?}"),
            ContextError::NotAnObject => out.write_str("the context is not an object of attributes"),
            ContextError::Position => {
                out.write_str("the context's attributes are not in the order of the snapshot's positions")
            }
            ContextError::Json => out.write_str("the context is not JSON"),
        }
    }
}

impl core::error::Error for ContextError {}

impl Context {
    /// Takes a packed object and finds the attributes that `snapshot` reads.
    ///
    /// # Errors
    /// [`ContextError`]; the context is refused whole.
    pub fn from_packed(snapshot: &Snapshot<'_>, packed: Vec<u8>) -> Result<Context, ContextError> {
        let mut context = Context { packed, ..Context::default() };
        context.take_object(snapshot)?;
        Ok(context)
    }

    /// Takes attributes by position, in the packed form described above.
    ///
    /// # Errors
    /// [`ContextError`]; the context is refused whole.
    pub fn from_attributes(snapshot: &Snapshot<'_>, packed: Vec<u8>) -> Result<Context, ContextError> {
        let mut context = Context { packed, ..Context::default() };
        context.take_attributes(snapshot)?;
        Ok(context)
    }

    /// As [`Context::from_attributes`] into the room of an older context: `fill` writes the packed form to an emptied
    /// buffer. Allocates nothing once the room is large enough.
    ///
    /// # Errors
    /// [`ContextError`]; the context then has no attributes.
    pub fn refill(
        &mut self,
        snapshot: &Snapshot<'_>,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), ContextError> {
        self.packed.clear();
        fill(&mut self.packed);
        self.take_attributes(snapshot)
    }

    fn take_object(&mut self, snapshot: &Snapshot<'_>) -> Result<(), ContextError> {
        if self.packed.len() > MAX_CONTEXT_BYTES {
            return Err(ContextError::TooLarge);
        }
        let Value::Object(object) = Value::validate(&self.packed).map_err(ContextError::Value)? else {
            return Err(ContextError::NotAnObject);
        };
        if object.len() > MAX_CONTEXT_ATTRIBUTES {
            return Err(ContextError::TooMany);
        }
        let base = self.packed.as_ptr() as usize;
        let find = |index| {
            let path = snapshot.attribute(index)?;
            // The empty path is the whole.
            let bytes = if path.is_empty() { self.packed.as_slice() } else { find(object, path)? };
            Some(Slot::new(&self.packed, (bytes.as_ptr() as usize - base) as u32))
        };
        self.slots =
            (0..snapshot.attribute_count()).map(|index| find(index).unwrap_or(Slot::EMPTY)).collect();
        self.prepare(snapshot);
        Ok(())
    }

    fn take_attributes(&mut self, snapshot: &Snapshot<'_>) -> Result<(), ContextError> {
        self.slots.clear();
        self.unit = None;
        let taken = self.find_attributes(snapshot);
        match taken {
            Ok(()) => self.prepare(snapshot),
            Err(_) => self.slots.clear(),
        }
        taken
    }

    fn find_attributes(&mut self, snapshot: &Snapshot<'_>) -> Result<(), ContextError> {
        const CUT: ContextError = ContextError::Value(ValueError::Truncated);
        if self.packed.len() > MAX_CONTEXT_BYTES {
            return Err(ContextError::TooLarge);
        }
        let known = snapshot.attribute_count() as usize;
        self.slots.resize(known, Slot::EMPTY);
        let (count, mut rest) = self.packed.split_first_chunk::<2>().ok_or(CUT)?;
        let mut next = 0;
        for _ in 0..u16::from_le_bytes(*count) {
            let (position, value) = rest.split_first_chunk::<2>().ok_or(CUT)?;
            let position = usize::from(u16::from_le_bytes(*position));
            let length = Value::measure(value).map_err(ContextError::Value)?;
            let start = self.packed.len() - value.len();
            if position < next || position >= known {
                return Err(ContextError::Position);
            }
            if let Some(slot) = self.slots.get_mut(position) {
                *slot = Slot::new(&self.packed, start as u32);
            }
            next = position + 1;
            rest = value.get(length..).ok_or(CUT)?;
        }
        if rest.is_empty() { Ok(()) } else { Err(ContextError::Value(ValueError::Trailing)) }
    }

    /// What every decision would otherwise do again: the unit's hash, versions read.
    fn prepare(&mut self, snapshot: &Snapshot<'_>) {
        self.unit = if snapshot.buckets_units() { self.hash_of(TARGETING_KEY) } else { None };
        self.versions.clear();
        for attribute in 0..snapshot.attribute_count() {
            if snapshot.version_number(attribute).is_some() {
                let parsed = self.parse_version(attribute);
                self.versions.push(parsed);
            }
        }
    }

    fn parse_version(&self, attribute: u32) -> Option<Parsed> {
        let Item::Text(text) = self.attribute(attribute) else { return None };
        let version = Version::parse(text)?;
        let start = (version.pre.as_ptr() as usize).saturating_sub(self.packed.as_ptr() as usize);
        let pre = if version.pre.is_empty() { (0, 0) } else { (start as u32, version.pre.len() as u32) };
        Some(Parsed { parts: version.parts, pre })
    }

    /// The version in an attribute that rules read as one, none when it is no text or no version.
    #[inline]
    pub(crate) fn version(&self, snapshot: &Snapshot<'_>, attribute: u32) -> Option<Version<'_>> {
        let number = snapshot.version_number(attribute)?;
        let Parsed { parts, pre } = (*self.versions.get(number as usize)?)?;
        Some(Version { parts, pre: self.packed.get(pre.0 as usize..)?.get(..pre.1 as usize)? })
    }

    /// The text of an attribute, none when it is no text.
    #[inline]
    pub(crate) fn text(&self, index: u32) -> Option<&[u8]> {
        self.text_of(self.slots.get(index as usize)?)
    }

    #[inline]
    fn text_of(&self, slot: &Slot) -> Option<&[u8]> {
        if slot.length == NO_TEXT {
            return None;
        }
        let start = slot.at as usize + TEXT_HEAD;
        self.packed.get(start..start + slot.length as usize)
    }

    /// Whether the text of an attribute is in the set at the start of checked bytes.
    #[inline]
    pub(crate) fn text_in(&self, index: u32, set: &[u8]) -> bool {
        match self.slots.get(index as usize) {
            Some(slot) if slot.length as usize <= text_set::SHORT => {
                text_set::contains_short(set, slot.short)
            }
            Some(slot) => self.text_of(slot).is_some_and(|text| text_set::contains(set, text)),
            None => false,
        }
    }

    /// The value of an attribute of the snapshot, by position; null when the context does not have it.
    #[inline]
    pub(crate) fn attribute(&self, index: u32) -> Item<'_> {
        match self.slots.get(index as usize) {
            Some(slot) if slot.at != ABSENT => {
                self.packed.get(slot.at as usize..).map_or(Item::Null, Item::read)
            }
            _ => Item::Null,
        }
    }

    /// The hash of the unit that an attribute names, none when it is no usable key: a text that is not empty, or a
    /// whole number, which counts by its decimal text.
    pub(crate) fn unit(&self, attribute: u32) -> Option<(u64, u64)> {
        if attribute == TARGETING_KEY { self.unit } else { self.hash_of(attribute) }
    }

    fn hash_of(&self, attribute: u32) -> Option<(u64, u64)> {
        match self.attribute(attribute) {
            Item::Text([]) => None,
            Item::Text(key) => Some(murmur3_x64_128(key, 0)),
            Item::Integer(number) => {
                let mut digits = [0; 20];
                let start = crate::item::write_digits(number, &mut digits);
                Some(murmur3_x64_128(digits.get(start..)?, 0))
            }
            _ => None,
        }
    }

    /// The value at a dotted path, null when there is none, of a snapshot that reads the whole context.
    pub(crate) fn at(&self, snapshot: &Snapshot<'_>, path: &str) -> Item<'_> {
        match snapshot.whole_context().map(|index| self.attribute(index)) {
            Some(Item::Object(object)) => find(object, path).map_or(Item::Null, Item::read),
            _ => Item::Null,
        }
    }
}

/// The bytes from the value at a dotted path on; list elements are reached by their number.
fn find<'a>(object: Object<'a>, path: &str) -> Option<&'a [u8]> {
    let mut here = Item::Object(object);
    let mut bytes = None;
    for part in path.split('.') {
        let found = match here {
            Item::Object(object) => object.bytes_of(part.as_bytes())?,
            Item::List(list) => List::bytes_at(&list, part.parse().ok()?)?,
            _ => return None,
        };
        here = Item::read(found);
        bytes = Some(found);
    }
    bytes
}
