//! A small generative language model, trained at start-up: an interpolated n-gram model of order 1 to 5 over the
//! articles, adapted to each prompt by merging the prompt's own n-grams into the counts.
//!
//! It really generates: every token is sampled from `P(word | last words)`. At low order or high temperature it
//! changes passages in mid-sentence and says things that no article says, which is what the service measures.
//!
//! - Smoothing: Witten-Bell interpolation (Bell, Cleary, Witten, "Text Compression", 1990): at each order the history
//!   seen `n` times with `d` different successors passes `d / (n + d)` on to the next lower order.
//! - Adaptation: count merging (Bacchiani, Roark, "Unsupervised language model adaptation", 2003): n-grams of the
//!   prompt's sources count [`FOCUS`] times their source's attention.
//! - Temperature `t`: the final distribution is raised to `1 / t` and normalised; at 0 the likeliest word is taken.

mod counts;
mod prompt;
mod sample;

use crate::articles::Passage;
use crate::random::Random;
use crate::retrieve::Index;
use crate::text;

pub use counts::Vocabulary;
pub use prompt::{Message, Role};

use counts::{BEGIN, Counts, END};
use prompt::Reading;
use sample::Sampler;

/// The highest order that is trained.
pub const HIGHEST_ORDER: usize = 5;
/// How many times an n-gram of a fully attended source counts against one of the training text.
pub const FOCUS: f64 = 400.0;

/// What the model is called over HTTP.
pub const NAME: &str = "harbour-ngram";

/// How to generate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Words of history and the next one: 1 to [`HIGHEST_ORDER`]; values outside are moved to the nearest.
    pub order: usize,
    /// 0 (always the likeliest word) to 2.
    pub temperature: f64,
    /// The most tokens that are produced.
    pub max_tokens: usize,
    /// The same seed, prompt and settings give the same text.
    pub seed: u64,
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended the text.
    Stop,
    /// `max_tokens` were produced.
    Length,
}

/// A produced text.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The text, without the beginning that the prompt gave.
    pub text: String,
    /// Tokens read.
    pub prompt_tokens: usize,
    /// Tokens produced.
    pub completion_tokens: usize,
    /// Why it ended.
    pub finish: Finish,
}

/// The trained model.
#[derive(Debug)]
pub struct Model {
    vocabulary: Vocabulary,
    counts: Counts,
    index: Index,
}

impl Model {
    /// Trains on the passages: counts every n-gram of order 1 to [`HIGHEST_ORDER`].
    pub fn train(passages: &[Passage]) -> Self {
        let mut vocabulary = Vocabulary::new();
        let mut counts = Counts::new();
        for passage in passages {
            let mut sequence = vec![BEGIN];
            sequence.extend(text::tokens(&passage.text).iter().map(|token| vocabulary.intern(token)));
            sequence.push(END);
            counts.add(&sequence);
        }
        counts.finish();
        Self { vocabulary, counts, index: Index::new(passages) }
    }

    /// Different words and marks seen in training.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary.len()
    }

    /// Different histories of any order seen in training.
    pub fn histories(&self) -> usize {
        self.counts.histories()
    }

    /// Reads a conversation and writes the next message.
    pub fn complete(&self, messages: &[Message], settings: &Settings) -> Generated {
        let reading = Reading::new(messages, &self.vocabulary, &self.index);
        let prompt_tokens = reading.prompt_tokens;
        if let Some(refusal) = reading.refusal() {
            return Generated {
                completion_tokens: text::tokens(refusal).len(),
                text: refusal.to_owned(),
                prompt_tokens,
                finish: Finish::Stop,
            };
        }
        let mut sampler = Sampler::new(&self.counts, &reading, settings);
        let mut random = Random::new(settings.seed);
        let mut history = reading.beginning.clone();
        let given = history.len();
        let mut finish = Finish::Length;
        while history.len() - given < settings.max_tokens {
            let next = sampler.next(&history, &mut random);
            if next == END {
                finish = Finish::Stop;
                break;
            }
            history.push(next);
        }
        let produced = history.get(given..).unwrap_or_default();
        Generated {
            text: text::join(produced.iter().map(|id| reading.word(&self.vocabulary, *id))),
            prompt_tokens,
            completion_tokens: produced.len(),
            finish,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::articles;

    fn ask(model: &Model, source: &str, question: &str, settings: &Settings) -> Generated {
        let system = format!("Answer from the sources.\n\n{source}");
        model.complete(&[Message::new(Role::System, system), Message::new(Role::User, question)], settings)
    }

    const SOURCE: &str = "## reservation time limit\nA reserved compartment is held for 45 minutes after you confirm it \
                          in the app. The countdown is shown on the reservation card, and you receive a reminder ten \
                          minutes before it ends.";

    #[test]
    fn greedy_high_order_quotes_its_only_source() {
        let model = Model::train(&articles::load().unwrap());
        let settings = Settings { order: 5, temperature: 0.0, max_tokens: 60, seed: 1 };
        let answer = ask(&model, SOURCE, "What is the reservation time limit?", &settings);
        assert!(answer.text.contains("held for 45 minutes"), "{}", answer.text);
        assert_eq!(answer.finish, Finish::Stop);
        assert!(answer.prompt_tokens > 20 && answer.completion_tokens > 5);
    }

    #[test]
    fn the_same_seed_writes_the_same_text_and_other_seeds_write_others() {
        let model = Model::train(&articles::load().unwrap());
        let write = |seed| {
            let settings = Settings { order: 2, temperature: 1.0, max_tokens: 40, seed };
            ask(&model, SOURCE, "What is the reservation time limit?", &settings).text
        };
        assert_eq!(write(4), write(4));
        let different: std::collections::BTreeSet<_> = (0..20).map(write).collect();
        assert!(different.len() > 10, "{different:?}");
    }

    #[test]
    fn words_that_only_the_prompt_has_can_be_said() {
        let model = Model::train(&articles::load().unwrap());
        let settings = Settings { order: 4, temperature: 0.2, max_tokens: 20, seed: 9 };
        let source = "## price of a balloon parcel\nA balloon zeppelin parcel costs 99 talers in Lummerland.";
        let answer = ask(&model, source, "price of a balloon parcel?", &settings);
        assert!(answer.text.contains("zeppelin"), "{}", answer.text);
    }

    #[test]
    fn without_a_source_that_fits_it_refuses_in_the_language_of_the_question() {
        let model = Model::train(&articles::load().unwrap());
        let settings = Settings { order: 4, temperature: 0.2, max_tokens: 40, seed: 9 };
        let english = ask(&model, SOURCE, "Who won the football match?", &settings).text;
        let german =
            ask(&model, SOURCE, "Wer hat das Spiel gewonnen und wie ist es ausgegangen?", &settings).text;
        assert!(english.starts_with("I'm sorry"), "{english}");
        assert!(german.starts_with("Es tut mir leid"), "{german}");
    }

    #[test]
    fn the_limit_on_tokens_is_kept() {
        let model = Model::train(&articles::load().unwrap());
        let settings = Settings { order: 3, temperature: 0.7, max_tokens: 5, seed: 2 };
        let answer = ask(&model, SOURCE, "reservation time limit?", &settings);
        assert_eq!((answer.completion_tokens, answer.finish), (5, Finish::Length));
    }
}
