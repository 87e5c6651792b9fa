//! A regular expression to the table that the engine walks.
//!
//! The pattern is determinised by `regex-automata` as a search that begins anywhere. What is kept of it only tells
//! whether there is a match: every state in which one has been seen becomes `MATCHED`. That library reports a match
//! one byte late, and asks about the end of the text last; both are how [`Dfa`] is walked, too. Then states that
//! nothing tells apart are put together, and so are bytes that lead to the same states everywhere.

use std::collections::BTreeMap;

use flagstone_snapshot::Dfa;
use flagstone_snapshot::blob::dfa::{DEAD, MATCHED};
use flagstone_snapshot::limits::MAX_DFA_BYTES;
use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::look::{Look, LookSet};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};

use crate::limits;
use crate::lower::minimise;

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PatternError {
    /// What is wrong, to follow "the pattern".
    pub(super) what: String,
    /// What would help.
    pub(super) hint: Option<&'static str>,
}

/// The table of a pattern in the syntax of Rust's `regex` crate; it tells whether the pattern matches anywhere.
pub(super) fn automaton(pattern: &str) -> Result<Dfa, PatternError> {
    let config = syntax::Config::new().nest_limit(limits::PATTERN_DEPTH);
    let parsed = syntax::parse_with(pattern, &config).map_err(|error| unreadable(&error.to_string()))?;
    let may_be_empty = parsed.properties().minimum_len() == Some(0);
    let nfa = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .which_captures(WhichCaptures::None)
                .nfa_size_limit(Some(limits::PATTERN_BUILD_BYTES)),
        )
        .build_from_hir(&parsed)
        .map_err(|_| too_large())?;
    looks(nfa.look_set_any(), may_be_empty)?;
    let table = Table::of(&determinise(&nfa)?).ok_or_else(too_large)?;
    table.minimal().filter(|dfa| dfa.write().is_some()).ok_or_else(too_large)
}

fn determinise(nfa: &NFA) -> Result<dense::DFA<Vec<u32>>, PatternError> {
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Unanchored)
                .accelerate(false)
                .dfa_size_limit(Some(limits::PATTERN_BUILD_BYTES))
                .determinize_size_limit(Some(limits::PATTERN_BUILD_BYTES)),
        )
        .build_from_nfa(nfa)
        .map_err(|_| too_large())
}

/// Refuses the assertions that a walk over bytes cannot keep.
fn looks(set: LookSet, may_be_empty: bool) -> Result<(), PatternError> {
    if set.contains_word_unicode() {
        return Err(PatternError {
            what: "asks for the words of all languages".into(),
            hint: Some("write `(?-u:\\b)`, which knows the words of ASCII"),
        });
    }
    // These hold in the middle of a character's bytes, where no match may be.
    let inside = [Look::WordAsciiNegate, Look::WordStartHalfAscii, Look::WordEndHalfAscii];
    if may_be_empty && inside.into_iter().any(|look| set.contains(look)) {
        return Err(PatternError {
            what: "can match the empty text between two characters that are no words".into(),
            hint: Some("let it match at least one character"),
        });
    }
    Ok(())
}

/// What `regex-syntax` says, in one line.
fn unreadable(said: &str) -> PatternError {
    let what = said.rsplit("error: ").next().unwrap_or_default().trim();
    let hint = if what.contains("look-around") {
        Some("test for it apart, with `and` and `!`")
    } else if what.contains("backreference") {
        Some("a pattern cannot remember what it saw; compare with `==`")
    } else {
        None
    };
    PatternError { what: format!("cannot be read: {what}"), hint }
}

fn too_large() -> PatternError {
    PatternError {
        what: format!("needs a table of more than {} KiB", MAX_DFA_BYTES >> 10),
        hint: Some(
            "`\\w`, `\\d` and `\\s` stand for all of Unicode: write `[0-9]` or `(?-u:\\w)`, and repeat less",
        ),
    }
}

/// An automaton over byte classes whose states are numbered as reached; [`DEAD`] and [`MATCHED`] stay in themselves.
struct Table {
    classes: Vec<u16>,
    columns: usize,
    start: u32,
    rows: Vec<Vec<u32>>,
}

impl Table {
    /// What of an automaton can be reached from the beginning of a text; none when that is far too much.
    fn of(dfa: &dense::DFA<Vec<u32>>) -> Option<Table> {
        let classes: Vec<u16> = (0..=255).map(|byte| u16::from(dfa.byte_classes().get(byte))).collect();
        let count = usize::from(*classes.iter().max()?) + 1;
        let mut bytes: Vec<Option<u8>> = vec![None; count];
        for (byte, class) in (0..=255).zip(&classes) {
            bytes.get_mut(usize::from(*class))?.get_or_insert(byte);
        }
        let mut numbers: BTreeMap<StateID, u32> = BTreeMap::new();
        let mut waiting: Vec<StateID> = Vec::new();
        let mut number = |state: StateID, waiting: &mut Vec<StateID>| {
            if dfa.is_match_state(state) {
                return u32::from(MATCHED);
            }
            if dfa.is_dead_state(state) {
                return u32::from(DEAD);
            }
            let next = numbers.len() as u32 + u32::from(MATCHED) + 1;
            *numbers.entry(state).or_insert_with(|| {
                waiting.push(state);
                next
            })
        };
        let first = dfa.start_state(&start::Config::new().anchored(Anchored::No)).ok()?;
        let start = number(first, &mut waiting);
        let mut rows = vec![vec![u32::from(DEAD); count + 1], vec![u32::from(MATCHED); count + 1]];
        let mut at = 0;
        while let Some(state) = waiting.get(at).copied() {
            let mut row = Vec::with_capacity(count + 1);
            for byte in &bytes {
                row.push(number(dfa.next_state(state, (*byte)?), &mut waiting));
            }
            // At the end there is no more to come: it has matched, or it never does.
            let end = if dfa.is_match_state(dfa.next_eoi_state(state)) { MATCHED } else { DEAD };
            row.push(u32::from(end));
            rows.push(row);
            at += 1;
            if at > limits::PATTERN_STATES {
                return None;
            }
        }
        Some(Table { classes, columns: count + 1, start, rows })
    }

    /// The smallest automaton that answers the same; none when there are too many states to be numbered.
    fn minimal(&self) -> Option<Dfa> {
        let matched = |row: &Vec<u32>| row.last() == Some(&u32::from(MATCHED));
        let blocks = minimise::blocks(&self.rows, &self.rows.iter().map(matched).collect::<Vec<_>>());
        let block = |state: u32| blocks.get(state as usize).copied();
        // The block of the dead state is to be 0, that of the matched one 1, others as they come.
        let mut names: BTreeMap<u32, usize> = BTreeMap::new();
        let mut members: Vec<usize> = Vec::new();
        for (state, block) in blocks.iter().enumerate() {
            names.entry(*block).or_insert_with(|| {
                members.push(state);
                members.len() - 1
            });
        }
        let renamed = |state: u32| u16::try_from(*names.get(&block(state)?)?).ok();
        let mut rows: Vec<Vec<u16>> = Vec::with_capacity(members.len());
        for state in &members {
            rows.push(self.rows.get(*state)?.iter().map(|next| renamed(*next)).collect::<Option<_>>()?);
        }
        let start = renamed(self.start)?;
        // Classes whose columns are equal become one.
        let mut columns: Vec<Vec<u16>> = Vec::new();
        let mut merged: Vec<u8> = Vec::with_capacity(self.columns);
        for class in 0..self.columns.checked_sub(1)? {
            let column: Vec<u16> = rows.iter().map(|row| row.get(class).copied()).collect::<Option<_>>()?;
            let known = columns.iter().position(|other| *other == column);
            merged.push(u8::try_from(known.unwrap_or(columns.len())).ok()?);
            if known.is_none() {
                columns.push(column);
            }
        }
        columns.push(rows.iter().map(|row| row.last().copied()).collect::<Option<_>>()?);
        let mut classes = [0; 256];
        for (slot, class) in classes.iter_mut().zip(&self.classes) {
            *slot = *merged.get(usize::from(*class))?;
        }
        let cells =
            (0..rows.len()).flat_map(|row| columns.iter().map(move |column| column.get(row).copied()));
        Some(Dfa {
            classes,
            columns: u16::try_from(columns.len()).ok()?,
            start,
            next: cells.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use flagstone_snapshot::blob::dfa::matches;
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, text: &str) -> bool {
        let table = automaton(pattern).unwrap_or_else(|error| panic!("{pattern}: {error:?}"));
        matches(&table.write().expect("it is well-formed"), text.as_bytes())
    }

    #[test]
    fn anchors_ends_and_words() {
        for (pattern, text, expected) in [
            ("b", "abc", true),
            ("^b", "abc", false),
            ("c$", "abc", true),
            ("^abc$", "abc", true),
            ("^abc$", "abcd", false),
            ("", "", true),
            ("$^", "", true),
            ("$^", "x", false),
            ("(?m)^b$", "a\nb\nc", true),
            ("^b$", "a\nb\nc", false),
            (r"(?-u:\b)cat(?-u:\b)", "a cat!", true),
            (r"(?-u:\b)cat(?-u:\b)", "concatenate", false),
            (r"(?-u:\B)cat", "concatenate", true),
            ("(?i)straße", "STRAẞE", true),
            ("^.$", "é", true),
            ("^..$", "é", false),
            (r"^[^@]+@acme\.example$", "a@acme.example", true),
            ("a{3,5}$", "aa", false),
        ] {
            assert_eq!(check(pattern, text), expected, "{pattern} in {text:?}");
        }
    }

    #[test]
    fn what_people_write_fits() {
        for pattern in [
            r"^[[:word:].+-]+@[[:word:]-]+\.[[:word:].]+$",
            r"^(?-u:\w)+@(?-u:\w)+$",
            r"^\w+$",
            r"(?i)^(chrome|firefox|safari)/[0-9]+(\.[0-9]+)*",
            r"^\d{1,3}(\.\d{1,3}){3}$",
            r"^/api/v[12]/(users|teams)/[^/]+$",
            r"\s+$",
            r"^\p{Lu}",
        ] {
            assert!(automaton(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn tables_are_minimal() {
        for (pattern, states) in
            [("", 2), ("a", 3), ("a*", 2), ("^$", 3), ("ab|ac", 4), ("[^\\x00-\\x{10FFFF}]", 2)]
        {
            let table = automaton(pattern).expect("a table");
            assert_eq!(table.next.len() / usize::from(table.columns), states, "{pattern}");
        }
        assert_eq!(automaton("ab|ac").map(|table| table.columns), Ok(4), "a, b or c, others, the end");
    }

    #[test]
    fn what_cannot_be_walked_is_refused() {
        for (pattern, what) in [
            ("(", "cannot be read: unclosed group"),
            ("(?=a)b", "look-around"),
            ("(?<!a)b", "look-around"),
            (r"(a)\1", "backreferences are not supported"),
            (r"\bcat\b", "the words of all languages"),
            (r"(?-u:\B)", "empty text between"),
            (r"(?-u:\xff)", "cannot be read"),
            (r"\pL{40}\pN{40}", "needs a table of more than 64 KiB"),
            ("(a|b)*a(a|b){14}$", "needs a table of more than 64 KiB"),
            ("((a{100}){100}){100}", "needs a table of more than 64 KiB"),
        ] {
            let error = automaton(pattern).expect_err(pattern);
            assert!(error.what.contains(what), "{pattern}: {error:?}");
        }
        assert!(automaton(&"(".repeat(1_000)).is_err());
    }

    /// Patterns of everything that is supported.
    fn pattern() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            4 => "[abcß1 ]".prop_map(String::from),
            1 => Just(".".to_owned()),
            1 => Just("[a-c]".to_owned()),
            1 => Just("[^aß]".to_owned()),
            1 => Just("^".to_owned()),
            1 => Just("$".to_owned()),
            1 => Just("(?m:^)".to_owned()),
            1 => Just("(?m:$)".to_owned()),
            1 => Just(r"(?-u:\b)".to_owned()),
            1 => Just(r"(?-u:\B)".to_owned()),
            1 => Just(r"\A".to_owned()),
            1 => Just(r"\z".to_owned()),
            1 => Just("(?i:aß)".to_owned()),
            1 => Just(r"[0-9\s]".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(?:{a}|{b})")),
                1 => inner.clone().prop_map(|part| format!("(?:{part})*")),
                1 => inner.clone().prop_map(|part| format!("(?:{part})+?")),
                1 => inner.clone().prop_map(|part| format!("(?:{part})?")),
                1 => inner.prop_map(|part| format!("({part}){{1,2}}")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_500, ..ProptestConfig::default() })]

        #[test]
        fn it_answers_as_the_regex_crate_does(
            pattern in pattern(),
            texts in prop::collection::vec("[abcßé1 A\n]{0,8}", 12),
        ) {
            let Ok(table) = automaton(&pattern) else { return Ok(()) };
            let bytes = table.write().expect("it is well-formed");
            let oracle = regex::Regex::new(&pattern).expect("it is a pattern");
            for text in &texts {
                prop_assert_eq!(matches(&bytes, text.as_bytes()), oracle.is_match(text), "{} in {:?}", pattern, text);
            }
        }
    }
}
