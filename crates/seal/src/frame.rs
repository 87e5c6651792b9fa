//! The frame of a sealed file: 20 bytes of magic and lengths, the note, the payload, nothing else.

use crate::error::SealError;
use crate::limits;
use crate::told::told;

/// The first eight bytes: format 1.
pub const MAGIC: [u8; 8] = *b"FLAGS\0\0\x01";

/// A sealed file cut along its frame. Nothing is verified yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) note: &'a [u8],
    pub(crate) payload: &'a [u8],
}

/// How many bytes a sealed file has, by its first [`limits::HEADER_BYTES`] bytes: read that far before the rest
/// is fetched, and stop fetching there.
///
/// # Errors
/// [`SealError::Truncated`] for fewer bytes, [`SealError::BadMagic`], [`SealError::NoteTooLong`],
/// [`SealError::PayloadTooLong`].
pub fn sealed_length(header: &[u8], max_payload: u64) -> Result<u64, SealError> {
    let (note, payload) = lengths(header, max_payload)?;
    let header = u64::try_from(limits::HEADER_BYTES).unwrap_or(u64::MAX);
    Ok(header.saturating_add(u64::from(note)).saturating_add(payload))
}

/// The two lengths of a header, held against their limits.
fn lengths(file: &[u8], max_payload: u64) -> Result<(u32, u64), SealError> {
    let given = file.first_chunk::<8>().map_or(file, |magic| magic);
    if !MAGIC.starts_with(given) {
        return Err(SealError::BadMagic);
    }
    let header = file.first_chunk::<{ limits::HEADER_BYTES }>().ok_or(SealError::Truncated)?;
    let [_, _, _, _, _, _, _, _, n0, n1, n2, n3, p0, p1, p2, p3, p4, p5, p6, p7] = *header;
    let note = u32::from_be_bytes([n0, n1, n2, n3]);
    let payload = u64::from_be_bytes([p0, p1, p2, p3, p4, p5, p6, p7]);
    let limit = u64::try_from(limits::MAX_NOTE_BYTES).unwrap_or(u64::MAX);
    if u64::from(note) > limit {
        return Err(SealError::NoteTooLong { length: told(|| u64::from(note)), limit: told(|| limit) });
    }
    if payload > max_payload {
        return Err(SealError::PayloadTooLong { length: told(|| payload), limit: told(|| max_payload) });
    }
    Ok((note, payload))
}

/// Cut a sealed file along its frame; every byte of it is accounted for.
pub(crate) fn split(file: &[u8], max_payload: u64) -> Result<Frame<'_>, SealError> {
    let (note, payload) = lengths(file, max_payload)?;
    let note = usize::try_from(note).map_err(|_| SealError::Truncated)?;
    let payload = usize::try_from(payload).map_err(|_| SealError::Truncated)?;
    let body = file.split_at_checked(limits::HEADER_BYTES).ok_or(SealError::Truncated)?.1;
    let (note, rest) = body.split_at_checked(note).ok_or(SealError::Truncated)?;
    let (payload, rest) = rest.split_at_checked(payload).ok_or(SealError::Truncated)?;
    if rest.is_empty() { Ok(Frame { note, payload }) } else { Err(SealError::TrailingBytes) }
}

/// Put a note and a payload into one file.
#[cfg(any(test, feature = "sign"))]
pub(crate) fn join(note: &[u8], payload: &[u8]) -> Result<alloc::vec::Vec<u8>, SealError> {
    let note_length = u32::try_from(note.len()).unwrap_or(u32::MAX);
    let payload_length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    let mut file = alloc::vec::Vec::new();
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&note_length.to_be_bytes());
    file.extend_from_slice(&payload_length.to_be_bytes());
    lengths(&file, payload_length)?;
    file.extend_from_slice(note);
    file.extend_from_slice(payload);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn file(note: u32, payload: u64, body: usize) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.extend(note.to_be_bytes());
        file.extend(payload.to_be_bytes());
        file.resize(file.len() + body, b'x');
        file
    }

    #[test]
    fn every_byte_is_accounted_for() {
        let whole = file(3, 5, 8);
        let frame = split(&whole, 5).unwrap();
        assert_eq!((frame.note.len(), frame.payload.len()), (3, 5));
        assert_eq!(sealed_length(&whole[..20], 5), Ok(28));
        assert_eq!(split(&file(3, 5, 9), 5), Err(SealError::TrailingBytes));
        for cut in 0..whole.len() {
            assert_eq!(split(&whole[..cut], 5), Err(SealError::Truncated), "{cut}");
        }
    }

    #[test]
    fn lengths_are_checked_before_bytes() {
        assert_eq!(split(&file(8_193, 0, 0), 5), Err(SealError::NoteTooLong { length: 8_193, limit: 8_192 }));
        assert_eq!(split(&file(8_192, 0, 0), 5), Err(SealError::Truncated));
        assert_eq!(split(&file(0, 6, 0), 5), Err(SealError::PayloadTooLong { length: 6, limit: 5 }));
        assert_eq!(split(&file(u32::MAX, u64::MAX, 0), u64::MAX).unwrap_err().code(), "note-too-long");
        assert_eq!(split(&file(0, u64::MAX, 9), u64::MAX), Err(SealError::Truncated));
    }

    #[test]
    fn another_format_is_refused() {
        for at in 0..8 {
            let mut wrong = file(0, 0, 0);
            wrong[at] ^= 1;
            assert_eq!(split(&wrong, 0), Err(SealError::BadMagic));
            assert_eq!(split(&wrong[..at + 1], 0), Err(SealError::BadMagic));
        }
    }
}
