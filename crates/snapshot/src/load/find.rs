//! That every flag is found by its key, and that every canary asks for something that is there.

use super::{Checker, LoadError};
use crate::layout::*;

impl Checker<'_> {
    /// Every bucket holds flags of its own in ascending order, and all of them together are as many as the flags:
    /// so each flag stands in its bucket once.
    pub(super) fn keys(&self) -> Result<(), LoadError> {
        let (flags, buckets, keyed) = (self.snapshot.flags, self.snapshot.buckets, self.snapshot.keyed);
        if buckets.len() != flags.len() + 1 || keyed.len() != flags.len() {
            return Err(LoadError::range("bucket", 0));
        }
        let mut begin = 0;
        for (index, end) in buckets.iter().skip(1).enumerate() {
            let wrong = LoadError::range("bucket", index as u32);
            let end = usize::from(end.get());
            let mut before = None;
            for position in keyed.get(begin..end).ok_or(wrong)? {
                let position = position.get();
                let flag = flags.get(usize::from(position)).ok_or(wrong)?;
                let here = bucket(self.bytes("flag", u32::from(position), flag.key)?, flags.len());
                if here != index || before >= Some(position) {
                    return Err(wrong);
                }
                before = Some(position);
            }
            begin = end;
        }
        let first = buckets.first().map(|first| first.get());
        if first == Some(0) && begin == flags.len() { Ok(()) } else { Err(LoadError::range("bucket", 0)) }
    }

    pub(super) fn canary(&self, index: u32, record: &CanaryRecord) -> Result<(), LoadError> {
        self.json("canary", index, record.context)?;
        let missing = LoadError::reference("canary", index);
        let flag = self.snapshot.flags.get(record.flag.get() as usize).ok_or(missing)?;
        let variant = record.variant.get();
        if variant != NONE16 && variant >= flag.variant_count.get() {
            return Err(missing);
        }
        let empty = record.context.length.get() == 0;
        if record.reserved.get() != 0 || empty { Err(LoadError::range("canary", index)) } else { Ok(()) }
    }
}
