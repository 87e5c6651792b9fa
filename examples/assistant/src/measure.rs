//! Outcomes, measured from the produced text and the clock and from nothing else.
//!
//! **Unsupported statement.** A statement is a sentence with at least two content words or with a number. It is
//! supported when one passage of the articles (title, heading and text) holds every number of it followed by the same
//! word as in the statement, and at least [`SUPPORT`] of its content stems. Otherwise no article says what it says.
//!
//! **Refused.** The text says that it cannot answer, in one of the known phrases.
//!
//! **Found.** The fact asked for (the bold words of the section that the question came from) stands in the answer, word
//! after word. A refusal has not found it.
//!
//! **Latency.** Milliseconds between sending the request and having the whole answer; the caller measures it.

use std::collections::{HashMap, HashSet};

use crate::articles::Passage;
use crate::text::{self, Language};

/// The least share of a statement's content stems that one passage must hold.
pub const SUPPORT: f64 = 0.85;

const REFUSALS: &[&str] = &[
    "could not find an answer",
    "couldn't find",
    "do not contain the answer",
    "i don't know",
    "i cannot answer",
    "konnte ich im hilfebereich nichts finden",
    "kann ich nicht beantworten",
    "n'ai pas trouvé de réponse",
    "je ne sais pas",
];

/// What was measured about one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Sentences that state something.
    pub statements: usize,
    /// Those of them that no article supports.
    pub unsupported: usize,
    /// The text says that it cannot answer.
    pub refused: bool,
    /// The fact asked for is in the text.
    pub found: bool,
    /// The language of the text.
    pub language: Language,
}

/// Checks statements against the articles.
#[derive(Debug)]
pub struct Checker {
    /// Passages (by position) that hold a stem.
    holders: HashMap<String, Vec<u32>>,
    /// Passages that hold a number followed by a word (empty at the end of a sentence).
    quantities: HashMap<(String, String), HashSet<u32>>,
}

impl Checker {
    /// Prepares the check against these passages.
    pub fn new(passages: &[Passage]) -> Self {
        let mut holders: HashMap<String, Vec<u32>> = HashMap::new();
        let mut quantities: HashMap<(String, String), HashSet<u32>> = HashMap::new();
        for (position, passage) in passages.iter().enumerate() {
            let position = position as u32;
            let whole = format!("{} {} {}", passage.title, passage.topic, passage.text);
            let stems: HashSet<String> = text::stems(&whole).into_iter().collect();
            for stem in stems {
                holders.entry(stem).or_default().push(position);
            }
            for sentence in text::sentences(&text::tokens(&passage.text)) {
                for quantity in quantities_of(sentence) {
                    quantities.entry(quantity).or_default().insert(position);
                }
            }
        }
        Self { holders, quantities }
    }

    /// Whether a sentence is a statement, and if so whether some passage supports it.
    pub fn supported(&self, sentence: &[String]) -> Option<bool> {
        let stems: HashSet<String> =
            text::normalise(sentence).iter().filter_map(|word| text::stem(word)).collect();
        let quantities = quantities_of(sentence);
        if stems.len() < 2 && quantities.is_empty() {
            return None;
        }
        let mut held: HashMap<u32, usize> = HashMap::new();
        for position in stems.iter().filter_map(|stem| self.holders.get(stem)).flatten() {
            *held.entry(*position).or_default() += 1;
        }
        if stems.is_empty() {
            let first = quantities.first().and_then(|quantity| self.quantities.get(quantity));
            held.extend(first.into_iter().flatten().map(|position| (*position, 0)));
        }
        let needed = SUPPORT * stems.len() as f64;
        Some(held.into_iter().any(|(position, count)| {
            count as f64 >= needed
                && quantities.iter().all(|quantity| {
                    self.quantities.get(quantity).is_some_and(|held| held.contains(&position))
                })
        }))
    }

    /// Measures an answer to a question that asked for `fact` (lower-case words).
    pub fn measure(&self, answer: &str, fact: &[String]) -> Measured {
        let tokens = text::tokens(answer);
        let lower = answer.to_lowercase().replace('’', "'");
        let refused = answer.trim().is_empty() || REFUSALS.iter().any(|phrase| lower.contains(phrase));
        let (mut statements, mut unsupported) = (0, 0);
        if !refused {
            for supported in
                text::sentences(&tokens).into_iter().filter_map(|sentence| self.supported(sentence))
            {
                statements += 1;
                unsupported += usize::from(!supported);
            }
        }
        let words = text::normalise(&tokens);
        let found = !refused && !fact.is_empty() && words.windows(fact.len()).any(|window| window == fact);
        Measured { statements, unsupported, refused, found, language: Language::detect(answer) }
    }
}

/// The numbers of a sentence, each with the word that follows it (empty when none does).
fn quantities_of(sentence: &[String]) -> Vec<(String, String)> {
    let words = text::normalise(sentence);
    let following = words.iter().skip(1).cloned().chain([String::new()]);
    words.iter().cloned().zip(following).filter(|(word, _)| text::is_number(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::articles;

    fn checker() -> Checker {
        Checker::new(&articles::load().unwrap())
    }

    fn fact(words: &str) -> Vec<String> {
        text::words(words)
    }

    #[test]
    fn every_sentence_of_the_articles_supports_itself() {
        let checker = checker();
        for passage in articles::load().unwrap() {
            let measured = checker.measure(&passage.text, &passage.fact);
            assert_eq!(measured.unsupported, 0, "{}", passage.text);
            assert!(measured.found && !measured.refused && measured.statements > 0, "{}", passage.text);
            assert_eq!(measured.language, passage.language, "{}", passage.text);
        }
    }

    #[test]
    fn a_wrong_number_is_unsupported() {
        let measured =
            checker().measure("A reserved compartment is held for 72 minutes.", &fact("45 minutes"));
        assert_eq!((measured.statements, measured.unsupported, measured.found), (1, 1, false));
    }

    #[test]
    fn a_true_number_with_another_subject_is_unsupported() {
        let text = "The pickup code stays open for 45 minutes after you confirm the delivery.";
        assert_eq!(checker().measure(text, &fact("45 minutes")).unsupported, 1);
        let spliced = "A parcel search takes up to 250 euros with a standard shipment.";
        assert_eq!(checker().measure(spliced, &fact("nine working days")).unsupported, 1);
    }

    #[test]
    fn a_rearranged_true_statement_is_supported() {
        let text = "For 45 minutes the compartment is held after you confirm.";
        let measured = checker().measure(text, &fact("45 minutes"));
        assert_eq!((measured.unsupported, measured.found), (0, true));
    }

    #[test]
    fn refusals_are_seen_in_every_language_and_state_nothing() {
        for text in [
            "I'm sorry, I could not find an answer to that in the help centre.",
            "Es tut mir leid, dazu konnte ich im Hilfebereich nichts finden.",
            "Je suis désolé, je n'ai pas trouvé de réponse dans le centre d'aide.",
            "",
        ] {
            let measured = checker().measure(text, &fact("45 minutes"));
            assert!(measured.refused && !measured.found && measured.statements == 0, "{text}");
        }
    }

    #[test]
    fn greetings_are_no_statements() {
        assert_eq!(checker().measure("Hello! Thank you.", &fact("45 minutes")).statements, 0);
    }
}
