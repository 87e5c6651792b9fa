//! C2SP signed notes: text, an empty line, signature lines. The same reader serves statements of all kinds and,
//! later, log checkpoints. Format: c2sp.org/signed-note, version 1.

#[cfg(any(test, feature = "sign"))]
use alloc::string::String;
use alloc::vec::Vec;

use crate::base64;
use crate::error::SealError;
use crate::key::is_name;
use crate::limits;
use crate::told::told;

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// A signed note, taken apart. Nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    signatures: Vec<NoteSignature<'a>>,
}

/// One signature line, `— <name> <base64(key id || signature)>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature<'a> {
    /// The signer's name, as the line claims. It is not among the signed bytes.
    pub name: &'a str,
    /// The key id, as the line claims.
    pub id: [u8; 4],
    /// The signature; 64 bytes for Ed25519, other lengths for algorithms not known here.
    pub signature: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Take a note of at most `limit` bytes apart.
    ///
    /// # Errors
    /// [`SealError::NoteTooLong`], [`SealError::BadNote`], [`SealError::BadSignatureLine`],
    /// [`SealError::TooManySignatures`].
    pub fn parse(bytes: &'a [u8], limit: usize) -> Result<Self, SealError> {
        if bytes.len() > limit {
            return Err(SealError::NoteTooLong {
                length: told(|| as_u64(bytes.len())),
                limit: told(|| as_u64(limit)),
            });
        }
        // All ASCII control characters but LF; what else a statement may hold is its own reader's business.
        if bytes.iter().any(|byte| *byte < 0x20 && *byte != b'\n') {
            return Err(SealError::BadNote);
        }
        let all = core::str::from_utf8(bytes).map_err(|_| SealError::BadNote)?;
        // Not `rfind`, whose general string searcher is the larger part of a kilobyte in the guest.
        let empty_line = bytes.windows(2).rposition(|pair| pair == b"\n\n");
        let split = empty_line.and_then(|at| all.split_at_checked(at.checked_add(1)?));
        let (text, block) = split.ok_or(SealError::BadNote)?;
        let block = block.strip_prefix('\n').and_then(|block| block.strip_suffix('\n'));
        let block = block.ok_or(SealError::BadNote)?;
        let mut signatures = Vec::new();
        for line in block.split('\n') {
            if signatures.len() >= limits::MAX_SIGNATURES {
                return Err(SealError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse(line).ok_or(SealError::BadSignatureLine)?);
        }
        Ok(Self { text, signatures })
    }

    /// The signed text, with its final LF.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The note as it was read.
    #[cfg(any(test, feature = "sign"))]
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::from(self.text);
        out.push('\n');
        for line in &self.signatures {
            push_signature(&mut out, line.name, line.id, &line.signature);
        }
        out
    }

    /// The signature lines, in order.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature<'a>] {
        &self.signatures
    }
}

impl<'a> NoteSignature<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = base64::decode(signature)?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        if signature.is_empty() || !is_name(name) {
            return None;
        }
        Some(Self { name, id: *id, signature: signature.into() })
    }
}

/// Append a signature line.
#[cfg(any(test, feature = "sign"))]
pub(crate) fn push_signature(out: &mut String, name: &str, id: [u8; 4], signature: &[u8]) {
    let mut bytes = Vec::with_capacity(signature.len().saturating_add(4));
    bytes.extend_from_slice(&id);
    bytes.extend_from_slice(signature);
    out.push_str(DASH);
    out.push_str(name);
    out.push(' ');
    base64::push(out, &bytes);
    out.push('\n');
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    const LINE: &str = "\u{2014} name AAAAAAE=\n";

    fn code(note: &str) -> &'static str {
        Note::parse(note.as_bytes(), 8_192).map_or_else(|error| error.code(), |_| "read")
    }

    #[test]
    fn a_note_is_text_an_empty_line_and_signatures() {
        let text = format!("a\n\nb\n\n{LINE}");
        let note = Note::parse(text.as_bytes(), 8_192).unwrap();
        assert_eq!(note.text(), "a\n\nb\n");
        assert_eq!(note.signatures().len(), 1);
        assert_eq!(note.signatures()[0].id, [0; 4]);
        assert_eq!(note.signatures()[0].signature, [1]);
        assert_eq!(note.to_text(), text);
    }

    #[test]
    fn what_is_not_a_note() {
        for (note, expected) in [
            ("", "bad-note"),
            ("text\n", "bad-note"),
            ("text\n\n", "bad-note"),
            ("text\n\n\n", "bad-note"),
            (&format!("text\n{LINE}"), "bad-note"),
            (&format!("te\txt\n\n{LINE}"), "bad-note"),
            (&format!("text\r\n\r\n{LINE}"), "bad-note"),
            (&format!("te\0xt\n\n{LINE}"), "bad-note"),
            (&format!("text\n\n{}", LINE.trim_end()), "bad-note"),
            (&format!("text\n\n{LINE}trailing"), "bad-note"),
            (&format!("text\n\n{LINE}trailing\n"), "bad-signature-line"),
            ("text\n\n- name AAAAAAE=\n", "bad-signature-line"),
            ("text\n\n\u{2014}  AAAAAAE=\n", "bad-signature-line"),
            ("text\n\n\u{2014} na+me AAAAAAE=\n", "bad-signature-line"),
            ("text\n\n\u{2014} na\u{a0}me AAAAAAE=\n", "bad-signature-line"),
            ("text\n\n\u{2014} name  AAAAAAE=\n", "bad-signature-line"),
            ("text\n\n\u{2014} name AAAAAAE= \n", "bad-signature-line"),
            ("text\n\n\u{2014} name AAAAAAE\n", "bad-signature-line"),
            ("text\n\n\u{2014} name AAAAAAF=\n", "bad-signature-line"),
            ("text\n\n\u{2014} name AAAAAA==\n", "bad-signature-line"),
            ("text\n\n\u{2014} name\n", "bad-signature-line"),
        ] {
            assert_eq!(code(note), expected, "{note:?}");
        }
        assert_eq!(Note::parse(b"te\xffxt\n\n", 8_192).unwrap_err().code(), "bad-note");
    }

    #[test]
    fn seventeen_signatures_are_refused() {
        let lines = |count| -> String { (0..count).map(|_| LINE).collect() };
        assert_eq!(code(&format!("text\n\n{}", lines(16))), "read");
        assert_eq!(code(&format!("text\n\n{}", lines(17))), "too-many-signatures");
    }

    #[test]
    fn an_oversized_note_is_refused() {
        use crate::testing::*;
        for limit in [limits::MAX_NOTE_BYTES, limits::MAX_PULSE_BYTES, limits::MAX_TRUST_BYTES] {
            let note = |length: usize| {
                let text = "x".repeat(length - LINE.len() - 2);
                format!("{text}\n\n{LINE}")
            };
            assert!(Note::parse(note(limit).as_bytes(), limit).is_ok());
            let error = Note::parse(note(limit + 1).as_bytes(), limit).unwrap_err();
            let bytes = u64::try_from(limit).unwrap();
            assert_eq!(error, SealError::NoteTooLong { length: bytes + 1, limit: bytes });
        }
        // Each kind has its own limit where it is opened.
        let trust = World::new().trust();
        let long = |limit: usize| "x".repeat(limit + 1).into_bytes();
        let code = |error: SealError| error.code();
        let pulse = crate::open_pulse(&long(limits::MAX_PULSE_BYTES), &trust, &pulse_policy());
        assert_eq!(pulse.map_err(code), Err("note-too-long"));
        let root = crate::TrustRoot::pin(&long(limits::MAX_TRUST_BYTES), NOW);
        assert_eq!(root.map_err(code), Err("note-too-long"));
        let next = trust.advance(&long(limits::MAX_TRUST_BYTES), NOW);
        assert_eq!(next.map_err(code), Err("note-too-long"));
    }
}
