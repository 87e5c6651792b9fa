//! Events on disk until they are delivered: a row of segments, each written once from front to back.
//!
//! ```text
//! DIR/<first sequence, 20 digits>.seg   records, see `record`
//! DIR/state.json                        how far the receiver has got, what was lost; replaced by one rename
//! ```
//! After a kill at any byte: a segment is never written to again, so a torn record at its end is simply passed
//! over; records before it are whole. Sequence numbers go on above everything seen. A number that is missing
//! between two records was lost to damage and is counted as `corrupt`, in the same write that moves the place
//! reached, so nothing is counted twice.

mod record;
mod state;

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flagstone_events::limits::MAX_EVENT_BYTES;

use crate::durable;
use state::State;

/// Reasons for a loss; the words of docs/events.md.
pub mod reason {
    /// The application made events faster than the spool took them.
    pub const QUEUE_FULL: &str = "queue-full";
    /// The oldest events were given up for newer ones.
    pub const SPOOL_FULL: &str = "spool-full";
    /// A record could not be read after a crash.
    pub const CORRUPT: &str = "corrupt";
    /// The receiver refused the batch for good.
    pub const POISON: &str = "poison";
    /// The event broke a cap of the event format.
    pub const INVALID: &str = "invalid";
    /// Still in the queue when the time to stop was over.
    pub const SHUTDOWN: &str = "shutdown";
    /// The spool could not be written.
    pub const DISK: &str = "disk";
    /// Not lost but not kept: the unit is outside the sample.
    pub const SAMPLED_OUT: &str = "sampled-out";
    /// Not lost but not kept: nobody consented to it. This count is all that remains of the event.
    pub const NO_CONSENT: &str = "no-consent";
}

/// Sizes of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// A segment that has reached this many bytes is closed and the next begun.
    pub segment_bytes: u64,
    /// Beyond this many bytes in all segments the oldest is given up. At least two segments are kept.
    pub total_bytes: u64,
}

#[derive(Debug)]
struct Segment {
    first: u64,
    /// The last sequence in it; `first - 1` while it is empty.
    last: u64,
    bytes: u64,
}

/// Events taken to be sent: sequence number and JSON text of the body, without gaps.
pub type Taken = Vec<(u64, Vec<u8>)>;

/// The spool. One owner at a time; put it behind a lock to share it.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    limits: SpoolLimits,
    segments: VecDeque<Segment>,
    active: Option<File>,
    state: State,
    last: u64,
    unsynced: bool,
    unsaved: bool,
    /// Where the events that are being sent end.
    in_flight: Option<Place>,
    /// Where the events that are accounted for end, as far as known; saves reading a segment from its start.
    reader: Option<Place>,
}

/// The byte behind the record with this sequence number, in the segment with this first number.
#[derive(Debug, Clone, Copy)]
struct Place {
    segment: u64,
    offset: u64,
    sequence: u64,
}

impl Spool {
    /// Opens or creates a spool. `name` gives the instance its name when it is created.
    ///
    /// # Errors
    /// What the file system said.
    pub fn open(folder: &Path, limits: SpoolLimits, name: impl FnOnce() -> String) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        durable::sweep(folder)?;
        let state = match State::read(folder)? {
            Some(state) => state,
            None => {
                let state = State::new(name());
                state.write(folder)?;
                state
            }
        };
        let mut firsts = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".seg"));
            let first = number.and_then(|number| number.parse::<u64>().ok());
            firsts.extend(first);
        }
        firsts.sort_unstable();
        let mut spool = Self {
            folder: folder.to_owned(),
            limits,
            segments: VecDeque::new(),
            active: None,
            last: state.accounted_through,
            state,
            unsynced: false,
            unsaved: false,
            in_flight: None,
            reader: None,
        };
        for first in firsts {
            spool.adopt(first)?;
        }
        Ok(spool)
    }

    /// Takes in a segment that an earlier process wrote, or removes it when nothing in it is still to be sent.
    fn adopt(&mut self, first: u64) -> io::Result<()> {
        let path = self.path(first);
        let bytes = fs::read(&path)?;
        let (mut at, mut last) = (0, first.saturating_sub(1));
        while let Some(found) = record::next(&bytes, at, last, MAX_EVENT_BYTES) {
            (at, last) = (found.end, found.sequence);
        }
        if last < first || last <= self.state.accounted_through {
            return fs::remove_file(path);
        }
        self.last = self.last.max(last);
        self.segments.push_back(Segment { first, last, bytes: bytes.len() as u64 });
        Ok(())
    }

    /// Writes one event. It survives a kill of the process from here on, and a loss of power after [`Spool::sync`].
    /// None when it was dropped instead (and counted): the spool is full and its oldest events are just being sent.
    ///
    /// # Errors
    /// What the file system said; the event is counted as lost.
    pub fn append(&mut self, payload: &[u8]) -> io::Result<Option<u64>> {
        let sequence = self.last.saturating_add(1);
        let Some(bytes) = record::encode(sequence, payload).filter(|_| payload.len() <= MAX_EVENT_BYTES)
        else {
            self.count(reason::INVALID, 1);
            return Ok(None);
        };
        let size = bytes.len() as u64;
        match self
            .make_room(size)
            .and_then(|room| if room { self.begin(sequence, size).map(|()| true) } else { Ok(false) })
        {
            Ok(true) => {}
            Ok(false) => {
                self.count(reason::SPOOL_FULL, 1);
                return Ok(None);
            }
            Err(error) => {
                self.count(reason::DISK, 1);
                return Err(error);
            }
        }
        // From here on the number is used up, even when the write fails half-way: then it is a gap, which the
        // reader counts, and the damaged segment is not written to again.
        self.last = sequence;
        let Some((file, segment)) = self.active.as_mut().zip(self.segments.back_mut()) else {
            return Err(io::Error::other("no segment is open"));
        };
        if let Err(error) = file.write_all(&bytes) {
            self.active = None;
            return Err(error);
        }
        segment.last = sequence;
        segment.bytes = segment.bytes.saturating_add(size);
        self.unsynced = true;
        Ok(Some(sequence))
    }

    /// Makes everything appended so far, and every count, survive a loss of power.
    ///
    /// # Errors
    /// What the file system said.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            if let Some(file) = &self.active {
                file.sync_data()?;
            }
            self.unsynced = false;
        }
        if self.unsaved {
            self.save()?;
        }
        Ok(())
    }

    /// The oldest events that are still to be sent: at most `events`, at most `bytes` of text (but at least one
    /// event), without gaps. They are in flight until [`Spool::acknowledge`], [`Spool::set_aside`] or [`Spool::release`].
    ///
    /// # Errors
    /// What the file system said.
    pub fn take(&mut self, events: usize, bytes: usize) -> io::Result<Taken> {
        let mut taken = Taken::new();
        let mut size = 0_usize;
        let mut end = None;
        'full: for segment in &self.segments {
            let (text, base) = self.read_from(segment.first)?;
            let mut at = 0;
            let mut after = taken.last().map_or(self.state.accounted_through, |(sequence, _)| *sequence);
            while let Some(found) = record::next(&text, at, after, MAX_EVENT_BYTES) {
                let gap = taken.last().is_some_and(|(last, _)| last.saturating_add(1) != found.sequence);
                let too_many = taken.len() >= events.max(1);
                let too_large = !taken.is_empty() && size.saturating_add(found.payload.len()) > bytes;
                if gap || too_many || too_large {
                    break 'full;
                }
                (at, after) = (found.end, found.sequence);
                size = size.saturating_add(found.payload.len());
                taken.push((found.sequence, found.payload.to_vec()));
                let offset = base.saturating_add(found.end as u64);
                end = Some(Place { segment: segment.first, offset, sequence: found.sequence });
            }
        }
        if let Some((first, _)) = taken.first() {
            let before = first.saturating_sub(1);
            let lost = before.saturating_sub(self.state.accounted_through);
            if lost > 0 {
                self.state.count(reason::CORRUPT, lost);
                self.account(before)?;
            }
            self.in_flight = end;
        }
        Ok(taken)
    }

    /// The bytes of a segment from where the reader left it, or from its start.
    fn read_from(&self, first: u64) -> io::Result<(Vec<u8>, u64)> {
        let known = self.reader.filter(|p| p.segment == first && p.sequence <= self.state.accounted_through);
        let offset = known.map_or(0, |place| place.offset);
        let mut file = File::open(self.path(first))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok((text, offset))
    }

    /// The receiver has everything up to `through`, sent as the batch `id`.
    ///
    /// # Errors
    /// What the file system said.
    pub fn acknowledge(&mut self, id: &str, through: u64) -> io::Result<()> {
        self.state.previous = Some(id.to_owned());
        self.land(through)
    }

    /// The receiver will never take the `events` up to `through`: they are counted as lost, and the next are sent.
    ///
    /// # Errors
    /// What the file system said.
    pub fn set_aside(&mut self, events: u64, through: u64) -> io::Result<()> {
        self.state.count(reason::POISON, events);
        self.land(through)
    }

    fn land(&mut self, through: u64) -> io::Result<()> {
        self.reader = self.in_flight.take().filter(|place| place.sequence == through);
        self.account(through)
    }

    /// The events in flight could not be sent now; they will be taken again.
    pub fn release(&mut self) {
        self.in_flight = None;
    }

    /// Counts events that were lost before they came here.
    pub fn count(&mut self, reason: &str, events: u64) {
        self.state.count(reason, events);
        self.unsaved = true;
    }

    /// Events lost since the spool was made, by reason.
    #[must_use]
    pub fn dropped(&self) -> &BTreeMap<String, u64> {
        &self.state.dropped
    }

    /// The instance's name.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.state.instance
    }

    /// The id of the last batch acknowledged.
    #[must_use]
    pub fn previous(&self) -> Option<&str> {
        self.state.previous.as_deref()
    }

    /// The sequence number of the last event written.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Events written and neither delivered nor given up.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.last.saturating_sub(self.state.accounted_through)
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    fn path(&self, first: u64) -> PathBuf {
        self.folder.join(format!("{first:020}.seg"))
    }

    fn save(&mut self) -> io::Result<()> {
        self.state.write(&self.folder)?;
        self.unsaved = false;
        Ok(())
    }

    /// Moves the place reached, on disk first, then removes the segments that lie wholly behind it.
    fn account(&mut self, through: u64) -> io::Result<()> {
        self.state.accounted_through = self.state.accounted_through.max(through);
        self.save()?;
        while let Some(segment) = self.segments.front() {
            let being_written = self.segments.len() == 1 && self.active.is_some();
            if segment.last > self.state.accounted_through || being_written {
                break;
            }
            fs::remove_file(self.path(segment.first))?;
            self.segments.pop_front();
        }
        Ok(())
    }

    /// Gives up the oldest segments until `size` more bytes fit. False when the oldest is in flight.
    fn make_room(&mut self, size: u64) -> io::Result<bool> {
        while self.segments.len() > 1 && self.bytes().saturating_add(size) > self.limits.total_bytes {
            let Some((first, last)) = self.segments.front().map(|oldest| (oldest.first, oldest.last)) else {
                return Ok(true);
            };
            if self.in_flight.is_some_and(|end| end.sequence >= first) {
                return Ok(false);
            }
            let before = first.saturating_sub(1).saturating_sub(self.state.accounted_through);
            self.state.count(reason::CORRUPT, before);
            let reached = self.state.accounted_through.max(first.saturating_sub(1));
            self.state.count(reason::SPOOL_FULL, last.saturating_sub(reached));
            self.account(last)?;
        }
        Ok(true)
    }

    /// Makes sure that a segment with room for `size` bytes is open.
    fn begin(&mut self, sequence: u64, size: u64) -> io::Result<()> {
        let half = (self.limits.total_bytes / 2).max(1);
        let cap = self.limits.segment_bytes.min(half);
        let full = self.segments.back().is_none_or(|s| s.bytes > 0 && s.bytes.saturating_add(size) > cap);
        if self.active.is_some() && !full {
            return Ok(());
        }
        if let Some(file) = self.active.take() {
            file.sync_data()?;
        }
        self.active = Some(File::create(self.path(sequence))?);
        durable::sync_folder(&self.folder)?;
        self.segments.push_back(Segment { first: sequence, last: sequence.saturating_sub(1), bytes: 0 });
        Ok(())
    }
}
