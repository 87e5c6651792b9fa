//! The body of documentation: the help centre of Harbour, a fictional parcel-locker service, in `articles/`.
//!
//! An article is a Markdown file with a head (`language`, `intent`), a title (`#`) and sections (`##`). A section
//! holds exactly one fact in bold: what a question about the section asks for.

use anyhow::{Context as _, Result, bail};

use crate::text::{self, Language};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

pub(crate) use embedded::PROMPTS;

/// What somebody wants who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Intent {
    /// How something is done.
    HowTo,
    /// Something does not work.
    Troubleshooting,
    /// Prices and payment.
    Billing,
}

impl Intent {
    /// Every intent.
    pub const ALL: [Self; 3] = [Self::HowTo, Self::Troubleshooting, Self::Billing];

    /// The name, as slices carry it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HowTo => "how-to",
            Self::Troubleshooting => "troubleshooting",
            Self::Billing => "billing",
        }
    }
}

/// One section of an article: the unit that is retrieved, quoted and asked about.
#[derive(Debug, Clone)]
pub struct Passage {
    /// File name of the article without its ending.
    pub article: String,
    /// Language of the article.
    pub language: Language,
    /// Intent of the article.
    pub intent: Intent,
    /// The article's title.
    pub title: String,
    /// The section's heading: a noun phrase, the topic of a question.
    pub topic: String,
    /// The text without emphasis.
    pub text: String,
    /// The words of the section's fact, lower case: an answer is found when it says them one after another.
    pub fact: Vec<String>,
}

/// Reads the articles that are part of the program.
///
/// # Errors
/// A file without the expected head, title or facts.
pub fn load() -> Result<Vec<Passage>> {
    let mut passages = Vec::new();
    for (name, source) in embedded::ARTICLES {
        passages.extend(parse(name, source).with_context(|| format!("in article `{name}`"))?);
    }
    Ok(passages)
}

/// Reads one article.
///
/// # Errors
/// A missing head, title or section, an unknown language or intent, or a section without exactly one bold fact.
pub fn parse(name: &str, source: &str) -> Result<Vec<Passage>> {
    let rest = source.strip_prefix("---\n").context("the head must begin with `---`")?;
    let (head, body) = rest.split_once("\n---\n").context("the head must end with `---`")?;
    let field = |key: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim))
            .with_context(|| format!("the head has no `{key}`"))
    };
    let language = field("language")?;
    let language = Language::from_code(language).with_context(|| format!("unknown language `{language}`"))?;
    let intent = field("intent")?;
    let intent = Intent::ALL
        .into_iter()
        .find(|known| known.name() == intent)
        .with_context(|| format!("unknown intent `{intent}`"))?;
    let mut parts = body.split("\n## ");
    let title = parts
        .next()
        .and_then(|top| top.trim().strip_prefix("# "))
        .context("the body must begin with a title (`# ...`)")?;
    let mut passages = Vec::new();
    for part in parts {
        let (topic, text) = part.split_once('\n').context("a section without text")?;
        let bold: Vec<&str> = text.split("**").skip(1).step_by(2).collect();
        let [fact] = bold.as_slice() else {
            bail!("section `{topic}` must hold exactly one fact in bold, it holds {}", bold.len());
        };
        passages.push(Passage {
            article: name.to_owned(),
            language,
            intent,
            title: title.trim().to_owned(),
            topic: topic.trim().to_owned(),
            text: text.trim().replace("**", ""),
            fact: text::words(fact),
        });
    }
    if passages.is_empty() {
        bail!("no sections (`## ...`)");
    }
    Ok(passages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_centre_has_articles_in_three_languages_for_every_intent() {
        let passages = load().unwrap();
        let articles: std::collections::BTreeSet<_> = passages.iter().map(|p| p.article.as_str()).collect();
        assert!((40..=60).contains(&articles.len()), "{}", articles.len());
        for language in Language::ALL {
            for intent in Intent::ALL {
                assert!(
                    passages.iter().any(|p| p.language == language && p.intent == intent),
                    "no {} article in {}",
                    intent.name(),
                    language.code()
                );
            }
        }
        for passage in &passages {
            assert!(!passage.fact.is_empty() && !passage.topic.is_empty(), "{passage:?}");
            assert_eq!(Language::detect(&passage.text), passage.language, "{}", passage.text);
        }
    }

    #[test]
    fn topics_are_unique_within_a_language() {
        let passages = load().unwrap();
        let mut topics: Vec<_> = passages.iter().map(|p| (p.language, p.topic.as_str())).collect();
        let before = topics.len();
        topics.sort_unstable();
        topics.dedup();
        assert_eq!(topics.len(), before);
    }

    #[test]
    fn articles_that_break_the_form_are_refused_by_name() {
        let message = |source: &str| parse("x", source).unwrap_err().to_string();
        assert!(message("# No head").contains("---"));
        assert!(message("---\nlanguage: xx\nintent: billing\n---\n# T\n\n## a\n\n**b**").contains("`xx`"));
        assert!(message("---\nlanguage: en\nintent: billing\n---\n# T\n\n## a\n\nno fact").contains("`a`"));
        assert!(message("---\nlanguage: en\nintent: billing\n---\n# T\n").contains("no sections"));
    }
}
