//! How the model reads a conversation.
//!
//! - System message: its first paragraph is the instruction; every further paragraph is a source. A first line that
//!   begins with `#` is the source's heading: it guides attention and is not continued.
//! - Last user message: the question. A source's attention is the rarity of the question's stems that it holds,
//!   relative to the best source, raised to [`SHARPNESS`].
//! - A last message by the assistant is the beginning of the answer, to be continued.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::retrieve::Index;
use crate::text::{self, Language};

use super::counts::{BEGIN, END, Vocabulary};

/// How much attention favours the best source.
const SHARPNESS: i32 = 4;
/// The least attention that a source gets.
const LEAST_ATTENTION: f64 = 0.02;
/// With less of the question (nats of rarity) in the best source, the model says that it does not know.
const REFUSE_BELOW: f64 = 2.5;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The service that uses the model.
    #[serde(alias = "developer")]
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
}

impl Message {
    /// A message.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }
}

/// A source: its tokens between the two boundaries, and its attention.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) tokens: Vec<u32>,
    pub(super) attention: f64,
}

/// A conversation as the model takes it in.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) sources: Vec<Source>,
    pub(super) beginning: Vec<u32>,
    pub(super) prompt_tokens: usize,
    /// Entries of the vocabulary, with the prompt's own words after the trained ones.
    pub(super) words: usize,
    own: Vec<String>,
    known_words: usize,
    language: Language,
    best_match: f64,
}

impl Reading {
    pub(super) fn new(messages: &[Message], vocabulary: &Vocabulary, index: &Index) -> Self {
        let content = |role: Role| {
            messages
                .iter()
                .rev()
                .find(|message| message.role == role)
                .map_or("", |message| message.content.as_str())
        };
        let question = content(Role::User);
        let wanted: HashSet<String> = text::stems(question).into_iter().collect();
        let mut own = OwnWords { vocabulary, numbers: HashMap::new(), words: Vec::new() };
        let mut sources: Vec<Source> = Vec::new();
        let mut best_match: f64 = 0.0;
        for paragraph in content(Role::System).split("\n\n").skip(1) {
            let (heading, body) = match paragraph.trim().split_once('\n') {
                Some((first, rest)) if first.starts_with('#') => (first, rest),
                _ => ("", paragraph.trim()),
            };
            let held: HashSet<String> = text::stems(&format!("{heading} {body}")).into_iter().collect();
            // Summed in a fixed order, so that the last bits do not depend on a hash set's order.
            let mut shared: Vec<f64> = wanted.intersection(&held).map(|stem| index.rarity(stem)).collect();
            shared.sort_by(f64::total_cmp);
            let matched: f64 = shared.iter().sum();
            let mut tokens = vec![BEGIN];
            tokens.extend(text::tokens(body).iter().map(|token| own.number(token)));
            tokens.push(END);
            best_match = best_match.max(matched);
            sources.push(Source { tokens, attention: matched });
        }
        for source in &mut sources {
            source.attention = if best_match > 0.0 {
                (source.attention / best_match).powi(SHARPNESS).max(LEAST_ATTENTION)
            } else {
                1.0
            };
        }
        let mut beginning = vec![BEGIN];
        if let Some(last) = messages.last().filter(|message| message.role == Role::Assistant) {
            beginning.extend(text::tokens(&last.content).iter().map(|token| own.number(token)));
        }
        let prompt_tokens = messages.iter().map(|message| text::tokens(&message.content).len()).sum();
        Self {
            sources,
            beginning,
            prompt_tokens,
            words: vocabulary.len() + own.words.len(),
            own: own.words,
            known_words: vocabulary.len(),
            language: Language::detect(question),
            best_match,
        }
    }

    /// What the model says when no source answers the question.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        (self.best_match < REFUSE_BELOW).then_some(match self.language {
            Language::English => "I'm sorry, I could not find an answer to that in the help centre.",
            Language::German => "Es tut mir leid, dazu konnte ich im Hilfebereich nichts finden.",
            Language::French => "Je suis désolé, je n'ai pas trouvé de réponse dans le centre d'aide.",
        })
    }

    /// The word of a number, from the trained vocabulary or the prompt's own words.
    pub(super) fn word<'a>(&'a self, vocabulary: &'a Vocabulary, number: u32) -> &'a str {
        let own = || self.own.get((number as usize).checked_sub(self.known_words)?).map(String::as_str);
        vocabulary.word(number).or_else(own).unwrap_or_default()
    }
}

/// Words of the prompt that training did not know, numbered after the trained ones.
struct OwnWords<'a> {
    vocabulary: &'a Vocabulary,
    numbers: HashMap<String, u32>,
    words: Vec<String>,
}

impl OwnWords<'_> {
    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.vocabulary.number(word).or_else(|| self.numbers.get(word).copied()) {
            return number;
        }
        let number = (self.vocabulary.len() + self.words.len()) as u32;
        self.words.push(word.to_owned());
        self.numbers.insert(word.to_owned(), number);
        number
    }
}
