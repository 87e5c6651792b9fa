//! One event on disk, and finding the next good one in bytes that may be damaged.
//!
//! ```text
//! u32 LE  length of the payload
//! u32 LE  CRC-32 (IEEE) of the length, the sequence and the payload
//! u64 LE  sequence
//! payload (JSON text of one event body)
//! ```

/// Bytes before the payload.
pub(super) const HEADER: usize = 16;

/// A record as read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) sequence: u64,
    pub(super) payload: &'a [u8],
    /// Where the next record may begin.
    pub(super) end: usize,
}

/// The bytes of a record.
pub(super) fn encode(sequence: u64, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok()?.to_le_bytes();
    let sequence = sequence.to_le_bytes();
    let mut bytes = Vec::with_capacity(HEADER.checked_add(payload.len())?);
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&checksum(length, sequence, payload).to_le_bytes());
    bytes.extend_from_slice(&sequence);
    bytes.extend_from_slice(payload);
    Some(bytes)
}

/// The first good record at or after `from` whose sequence is above `after`. Bytes that are no such record are passed
/// over one by one, so one damaged record costs itself and no other. (A false match cannot come from a payload: the
/// length of a record is below 2^24, so its fourth byte is 0, and JSON text holds no 0.)
pub(super) fn next(bytes: &[u8], from: usize, after: u64, largest: usize) -> Option<Record<'_>> {
    let mut start = from;
    while start.checked_add(HEADER).is_some_and(|end| end <= bytes.len()) {
        match at(bytes, start, largest) {
            Some(record) if record.sequence > after => return Some(record),
            Some(record) => start = record.end,
            None => start += 1,
        }
    }
    None
}

fn at(bytes: &[u8], start: usize, largest: usize) -> Option<Record<'_>> {
    let rest = bytes.get(start..)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (stated, rest) = rest.split_first_chunk::<4>()?;
    let (sequence, rest) = rest.split_first_chunk::<8>()?;
    let payload_bytes = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if payload_bytes > largest {
        return None;
    }
    let payload = rest.get(..payload_bytes)?;
    if checksum(*length, *sequence, payload) != u32::from_le_bytes(*stated) {
        return None;
    }
    let end = start.checked_add(HEADER)?.checked_add(payload_bytes)?;
    Some(Record { sequence: u64::from_le_bytes(*sequence), payload, end })
}

fn checksum(length: [u8; 4], sequence: [u8; 8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(&sequence);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> (Vec<u8>, usize) {
        let first = encode(5, br#"{"a":1}"#).unwrap();
        let length = first.len();
        ([first, encode(6, br#"{"b":2}"#).unwrap()].concat(), length)
    }

    #[test]
    fn records_read_back() {
        let (bytes, second) = two();
        let record = next(&bytes, 0, 0, 100).unwrap();
        assert_eq!((record.sequence, record.payload, record.end), (5, &br#"{"a":1}"#[..], second));
        assert_eq!(next(&bytes, 0, 5, 100).unwrap().sequence, 6);
        assert_eq!(next(&bytes, 0, 6, 100), None);
    }

    #[test]
    fn a_flipped_bit_costs_its_own_record_only() {
        let (bytes, second) = two();
        for bit in 0..second * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let found = next(&damaged, 0, 0, 100).unwrap();
            assert_eq!((found.sequence, found.payload), (6, &br#"{"b":2}"#[..]), "bit {bit}");
        }
    }

    #[test]
    fn a_cut_record_is_none() {
        let (bytes, second) = two();
        for cut in 0..second {
            assert_eq!(next(&bytes[..cut], 0, 0, 100), None, "cut at {cut}");
        }
    }
}
