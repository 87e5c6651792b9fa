//! Texts compared without regard to case: by Unicode's lower-case mapping of each character
//! (`SpecialCasing` without conditions, as `char::to_lowercase` has it).

mod table;

/// The lower case of a character: itself, another one, or for `İ` two.
fn lower_case(character: char) -> [Option<char>; 2] {
    if character.is_ascii() {
        return [Some(character.to_ascii_lowercase()), None];
    }
    if character == 'İ' {
        return [Some('i'), Some('\u{307}')];
    }
    let code = u32::from(character);
    let after = table::RANGES.partition_point(|(first, ..)| *first <= code);
    let range = after.checked_sub(1).and_then(|index| table::RANGES.get(index));
    let mapped = range.and_then(|(first, span, step, add)| {
        let distance = code - first;
        let inside = distance <= u32::from(*span) && distance % u32::from(*step) == 0;
        if inside { char::from_u32(code.wrapping_add_signed(*add)) } else { None }
    });
    [mapped.or(Some(character)), None]
}

/// Characters one by one in lower case, from either end of a text.
#[derive(Clone)]
struct Lower<C> {
    characters: C,
    backwards: bool,
    /// The second character of the one that becomes two.
    pending: Option<char>,
}

impl<C: Iterator<Item = char>> Iterator for Lower<C> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if let Some(pending) = self.pending.take() {
            return Some(pending);
        }
        let [first, second] = lower_case(self.characters.next()?);
        if self.backwards && second.is_some() {
            self.pending = first;
            return second;
        }
        self.pending = second;
        first
    }
}

fn lower(text: &str) -> Lower<core::str::Chars<'_>> {
    Lower { characters: text.chars(), backwards: false, pending: None }
}

fn lower_backwards(text: &str) -> Lower<core::iter::Rev<core::str::Chars<'_>>> {
    Lower { characters: text.chars().rev(), backwards: true, pending: None }
}

/// Whether `wanted` begins with nothing left of it before `text` ends.
fn begins(mut text: impl Iterator<Item = char>, mut wanted: impl Iterator<Item = char>) -> bool {
    wanted.all(|character| text.next() == Some(character))
}

/// The same text.
pub(crate) fn equal(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(b) } else { lower(a).eq(lower(b)) }
}

/// `text` begins with `start`.
pub(crate) fn starts_with(text: &str, start: &str) -> bool {
    begins(lower(text), lower(start))
}

/// `text` ends with `end`.
pub(crate) fn ends_with(text: &str, end: &str) -> bool {
    begins(lower_backwards(text), lower_backwards(end))
}

/// `part` stands somewhere in `text`.
pub(crate) fn contains(text: &str, part: &str) -> bool {
    // A part may begin inside what one character maps to (`İ` becomes two), so places are counted after mapping.
    let mut places = lower(text);
    loop {
        if begins(places.clone(), lower(part)) {
            return true;
        }
        if places.next().is_none() {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_lowered_as_by_the_standard_library() {
        for character in '\0'..=char::MAX {
            let mut text = [0; 4];
            let text = character.encode_utf8(&mut text);
            assert!(lower(text).eq(character.to_lowercase()), "{character:?}");
        }
    }

    #[test]
    fn case_does_not_count() {
        assert!(equal("Straße", "STRAßE") && !equal("straße", "strasse"));
        assert!(equal("ÀÉ", "àé") && !equal("a", "ab") && !equal("ab", "a") && equal("", ""));
        assert!(starts_with("HELLO world", "hello W") && !starts_with("he", "hello") && starts_with("x", ""));
        assert!(
            ends_with("a@ACME.Example", "@acme.EXAMPLE") && !ends_with("e", "le") && ends_with("ÉÀ", "à")
        );
        assert!(contains("one TWO three", "Two") && !contains("one", "two") && contains("", ""));
        assert!(contains("xİ", "i\u{307}") && ends_with("İ", "\u{307}"), "one character may become two");
    }
}
