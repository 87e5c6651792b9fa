//! Behaviours and prompt templates: what a variant's value means, and how a question becomes messages.
//!
//! Templates are Markdown files in `prompts/`: a head with `articles` (which ones are searched: `all`, or those of one
//! language) and `headings` (what stands over a passage: `none`, the article's `title`, or title and `section`), then
//! the parts `# system`, `# user` and optionally `# assistant` (a beginning for the model to continue).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::articles::{PROMPTS, Passage};
use crate::model::{Message, Role, Settings};
use crate::retrieve::Index;
use crate::text::Language;

/// A generative behaviour: the value of a flag's variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Behaviour {
    /// The model's name, sent to the endpoint.
    pub model: String,
    /// Name of the prompt template, such as `answer@1`.
    pub prompt_template: String,
    /// Order of the n-gram model, 1 to 5; servers of other models ignore it.
    pub order: usize,
    /// Sampling temperature, 0 to 2.
    pub temperature: f64,
    /// How many passages are retrieved.
    pub retrieval_depth: usize,
    /// The most tokens of an answer.
    pub max_tokens: usize,
}

impl Behaviour {
    /// Reads a variant's value.
    ///
    /// # Errors
    /// Not JSON, or not a behaviour.
    pub fn read(json: &str) -> Result<Self> {
        serde_json::from_str(json).with_context(|| format!("`{json}` is no behaviour"))
    }

    /// The model's settings under this behaviour.
    pub fn settings(&self, seed: u64) -> Settings {
        Settings { order: self.order, temperature: self.temperature, max_tokens: self.max_tokens, seed }
    }
}

/// What stands over a passage in the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Headings {
    None,
    Title,
    Section,
}

/// A prompt template.
#[derive(Debug, Clone)]
pub struct Template {
    articles: Option<Language>,
    headings: Headings,
    system: String,
    user: String,
    assistant: Option<String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// An unknown key or value in the head, or a missing part.
    pub fn parse(source: &str) -> Result<Self> {
        let rest = source.strip_prefix("---\n").context("the head must begin with `---`")?;
        let (head, body) = rest.split_once("\n---\n").context("the head must end with `---`")?;
        let (mut articles, mut headings) = (None, Headings::None);
        for line in head.lines() {
            match line.split_once(':').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("articles", "all")) => articles = None,
                Some(("articles", code)) => {
                    articles = Some(
                        Language::from_code(code).with_context(|| format!("unknown language `{code}`"))?,
                    );
                }
                Some(("headings", "none")) => headings = Headings::None,
                Some(("headings", "title")) => headings = Headings::Title,
                Some(("headings", "section")) => headings = Headings::Section,
                _ => bail!("the head does not know `{line}`"),
            }
        }
        let body = format!("\n{body}");
        let mut parts: BTreeMap<&str, String> = BTreeMap::new();
        for part in body.split("\n# ").skip(1) {
            let (name, text) = part.split_once('\n').context("a part without text")?;
            parts.insert(name.trim(), text.trim().to_owned());
        }
        Ok(Self {
            articles,
            headings,
            system: parts.remove("system").context("the part `# system` is missing")?,
            user: parts.remove("user").context("the part `# user` is missing")?,
            assistant: parts.remove("assistant"),
        })
    }

    /// Retrieves passages for a question and writes the messages.
    pub fn render(&self, question: &str, depth: usize, index: &Index, passages: &[Passage]) -> Vec<Message> {
        let found: Vec<String> = index
            .search(question, passages.len())
            .into_iter()
            .filter_map(|(position, _)| passages.get(position))
            .filter(|passage| self.articles.is_none_or(|language| passage.language == language))
            .take(depth)
            .map(|passage| match self.headings {
                Headings::None => passage.text.clone(),
                Headings::Title => format!("## {}\n{}", passage.title, passage.text),
                Headings::Section => format!("## {}: {}\n{}", passage.title, passage.topic, passage.text),
            })
            .collect();
        let user = self.user.replace("{question}", question);
        let system = self.system.replace("{passages}", &found.join("\n\n"));
        let mut messages = vec![Message::new(Role::System, system), Message::new(Role::User, user)];
        messages.extend(self.assistant.as_ref().map(|text| Message::new(Role::Assistant, text.clone())));
        messages
    }
}

/// Every template by name.
#[derive(Debug, Clone)]
pub struct Templates(BTreeMap<String, Template>);

impl Templates {
    /// Reads the templates that are part of the program.
    ///
    /// # Errors
    /// A template that does not parse, by its name.
    pub fn load() -> Result<Self> {
        let read = |(name, source): &(&str, &str)| {
            let template = Template::parse(source).with_context(|| format!("in prompt template `{name}`"))?;
            Ok(((*name).to_owned(), template))
        };
        Ok(Self(PROMPTS.iter().map(read).collect::<Result<_>>()?))
    }

    /// A template by name.
    ///
    /// # Errors
    /// No template has the name; the message lists those there are.
    pub fn get(&self, name: &str) -> Result<&Template> {
        self.0.get(name).with_context(|| {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            format!("no prompt template `{name}`\nhint: there are {}", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::articles;

    #[test]
    fn templates_write_instruction_passages_and_question() {
        let passages = articles::load().unwrap();
        let index = Index::new(&passages);
        let templates = Templates::load().unwrap();
        let question = "What is the reservation time limit?";
        let titled = templates.get("answer@1").unwrap().render(question, 2, &index, &passages);
        let headed = templates.get("answer@2").unwrap().render(question, 2, &index, &passages);
        assert_eq!(titled[0].content.split("\n\n").count(), 3, "{}", titled[0].content);
        assert!(
            titled[0]
                .content
                .contains("## Reserve a compartment\nA reserved compartment is held for 45 minutes")
        );
        assert!(headed[0].content.contains("## Reserve a compartment: reservation time limit\n"));
        assert_eq!(titled[1].content, question);
        assert!(templates.get("answer@9").unwrap_err().to_string().contains("answer@1"));
    }

    #[test]
    fn a_template_of_one_language_searches_only_that_language() {
        let passages = articles::load().unwrap();
        let index = Index::new(&passages);
        let templates = Templates::load().unwrap();
        let ask = |name: &str| {
            templates.get(name).unwrap().render("Frist einer Reservierung?", 3, &index, &passages)[0]
                .content
                .clone()
        };
        assert!(ask("draft@1").contains("Ein reserviertes Fach"), "{}", ask("draft@1"));
        assert!(!ask("draft@2").contains("Ein reserviertes Fach"), "{}", ask("draft@2"));
    }

    #[test]
    fn a_template_that_is_not_understood_is_refused() {
        assert!(Template::parse("---\nheadings: bold\n---\n# system\nx\n# user\ny").is_err());
        assert!(Template::parse("---\narticles: xx\n---\n# system\nx\n# user\ny").is_err());
        assert!(Template::parse("---\narticles: all\n---\n# system\nx").is_err());
        assert!(Template::parse("# system\nx\n# user\ny").is_err());
    }
}
