//! Generated users and their questions: returning people with a language and a way of asking, and questions derived
//! from the articles by templates. The same seed gives the same people and the same questions.

use crate::articles::{Intent, Passage};
use crate::random::Random;
use crate::text::{self, Language};

const PEOPLE: u64 = 1;
const QUESTIONS: u64 = 2;

/// How somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Style {
    /// A few words.
    Short,
    /// A small letter.
    Long,
    /// Half of what one would need to know.
    Ambiguous,
}

impl Style {
    /// Every style.
    pub const ALL: [Self; 3] = [Self::Short, Self::Long, Self::Ambiguous];

    /// The name, as slices carry it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Long => "long",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// Where a question is asked. Each surface asks its own flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Surface {
    /// The chat in the app: flag `chat-answers`.
    Chat,
    /// Reply drafts for e-mails: flag `email-drafts`.
    Email,
}

impl Surface {
    /// Every surface.
    pub const ALL: [Self; 2] = [Self::Chat, Self::Email];

    /// The flag that decides this surface's behaviour.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Chat => "chat-answers",
            Self::Email => "email-drafts",
        }
    }

    /// Name of the outcome events of this surface.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Chat => "chat.answer",
            Self::Email => "email.draft",
        }
    }
}

/// A person who uses the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Stable key, such as `user-000042`.
    pub key: String,
    /// E-mail address; staff have one of Harbour's.
    pub email: String,
    /// The language the person writes.
    pub language: Language,
    /// The way the person usually asks.
    pub style: Style,
}

/// One request: who asks what where.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Position of the person in the population.
    pub person: usize,
    /// Where it is asked.
    pub surface: Surface,
    /// The question's text.
    pub question: String,
    /// Position of the passage that the question came from.
    pub passage: usize,
    /// Intent of that passage.
    pub intent: Intent,
    /// How it is asked.
    pub style: Style,
    /// Seed for the model.
    pub seed: u64,
}

/// The population and the source of its questions.
#[derive(Debug)]
pub struct Traffic {
    seed: u64,
    people: Vec<Person>,
    /// Positions of passages by language and intent.
    topics: Vec<(Language, Intent, Vec<usize>)>,
}

impl Traffic {
    /// Makes a population: 64 % English, 20 % German, 16 % French; the first `staff` of them work for Harbour.
    pub fn new(seed: u64, size: usize, staff: usize, passages: &[Passage]) -> Self {
        let person = |number: usize| {
            let mut random = Random::derive(seed, PEOPLE, number as u64);
            let language = match random.unit() {
                share if share < 0.64 => Language::English,
                share if share < 0.84 => Language::German,
                _ => Language::French,
            };
            let style = match random.unit() {
                share if share < 0.45 => Style::Short,
                share if share < 0.8 => Style::Long,
                _ => Style::Ambiguous,
            };
            let host = if number < staff { "harbour.example" } else { "mail.example" };
            Person {
                key: format!("user-{number:06}"),
                email: format!("user-{number:06}@{host}"),
                language,
                style,
            }
        };
        let mut topics = Vec::new();
        for language in Language::ALL {
            for intent in Intent::ALL {
                let positions = passages
                    .iter()
                    .enumerate()
                    .filter(|(_, passage)| passage.language == language && passage.intent == intent)
                    .map(|(position, _)| position)
                    .collect();
                topics.push((language, intent, positions));
            }
        }
        Self { seed, people: (0..size).map(person).collect(), topics }
    }

    /// Everybody.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The request with a number; `None` only for an empty population. Three in ten requests come from the most
    /// active tenth of the people, the others from anybody; the surfaces alternate at random.
    pub fn request(&self, number: u64, passages: &[Passage]) -> Option<Request> {
        let mut random = Random::derive(self.seed, QUESTIONS, number);
        let active = self.people.len().div_ceil(10);
        let person = match random.chance(0.3) {
            true => random.below(active) * 10 % self.people.len().max(1),
            false => random.below(self.people.len()),
        };
        let asks = self.people.get(person)?;
        let surface = *random.pick(&Surface::ALL)?;
        let intent = *random.pick(&Intent::ALL)?;
        let style = if random.chance(0.8) { asks.style } else { *random.pick(&Style::ALL)? };
        let (_, _, positions) = self.topics.iter().find(|(l, i, _)| *l == asks.language && *i == intent)?;
        let passage = *random.pick(positions)?;
        let question = ask(passages.get(passage)?, style, &mut random);
        Some(Request { person, surface, question, passage, intent, style, seed: random.next() })
    }
}

/// A question about a passage's topic.
fn ask(passage: &Passage, style: Style, random: &mut Random) -> String {
    let form = match (passage.language, style) {
        (Language::English, Style::Short) => random.pick(&["{topic}?", "What is the {topic}?", "{title}: {topic}?"]),
        (Language::German, Style::Short) => random.pick(&["{topic}?", "{title}: {topic}?", "Was gilt für {topic}?"]),
        (Language::French, Style::Short) => {
            random.pick(&["{topic} ?", "{title} : {topic} ?", "Quelle est la règle pour {topic} ?"])
        }
        (Language::English, Style::Long) => random.pick(&[
            "Hello, I am writing because I would like to know about the {topic}. It is about this subject: {title}. \
             Thank you!",
            "Hi, I was reading about how to do this: {title}. I still do not understand the {topic}. Could you please \
             tell me?",
        ]),
        (Language::German, Style::Long) => random.pick(&[
            "Guten Tag, ich habe eine Frage zum Thema {title}. Bitte schreiben Sie mir, was für {topic} gilt. Danke!",
            "Hallo, ich wollte wissen, wie das ist: {topic}. Es geht um das Thema {title}. Können Sie mir das sagen?",
        ]),
        (Language::French, Style::Long) => random.pick(&[
            "Bonjour, je vous écris au sujet de ceci : {title}. Je voudrais savoir ce qui vaut pour {topic}. Merci !",
            "Bonjour, je ne comprends pas bien ce point : {topic}. Ma question porte sur : {title}. Merci d'avance !",
        ]),
        (Language::English, Style::Ambiguous) => {
            random.pick(&["Something about the {part}, how is that?", "The {part}, what do I need to know?"])
        }
        (Language::German, Style::Ambiguous) => random.pick(&["Etwas mit {part}, wie ist das?", "Und {part}?"]),
        (Language::French, Style::Ambiguous) => {
            random.pick(&["Quelque chose avec {part}, c'est comment ?", "Et {part} ?"])
        }
    };
    let form = form.copied().unwrap_or("{topic}?");
    form.replace("{part}", &part(passage, random))
        .replace("{topic}", &passage.topic)
        .replace("{title}", &passage.title)
}

/// Half of a topic: two of its content words, or the only one.
fn part(passage: &Passage, random: &mut Random) -> String {
    let mut words: Vec<String> = text::words(&passage.topic);
    words.retain(|word| text::stem(word).is_some());
    while words.len() > 2 {
        let drop = random.below(words.len());
        words.remove(drop);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::articles;

    #[test]
    fn the_same_seed_gives_the_same_people_and_questions() {
        let passages = articles::load().unwrap();
        let (a, b, c) = (
            Traffic::new(5, 100, 3, &passages),
            Traffic::new(5, 100, 3, &passages),
            Traffic::new(6, 100, 3, &passages),
        );
        assert_eq!(a.people(), b.people());
        assert_ne!(a.people(), c.people());
        for number in 0..50 {
            assert_eq!(a.request(number, &passages), b.request(number, &passages));
        }
        assert!(a.people().iter().take(3).all(|person| person.email.ends_with("@harbour.example")));
        assert!(a.people().iter().skip(3).all(|person| !person.email.ends_with("@harbour.example")));
    }

    #[test]
    fn people_return_and_every_kind_of_question_comes_up() {
        let passages = articles::load().unwrap();
        let traffic = Traffic::new(1, 500, 5, &passages);
        let requests: Vec<_> = (0..5_000).filter_map(|number| traffic.request(number, &passages)).collect();
        assert_eq!(requests.len(), 5_000);
        let people: std::collections::BTreeSet<_> = requests.iter().map(|request| request.person).collect();
        assert!(people.len() > 450, "{} people", people.len());
        let kinds: std::collections::BTreeSet<_> = requests
            .iter()
            .map(|r| (traffic.people()[r.person].language, r.intent, r.style, r.surface))
            .collect();
        assert_eq!(kinds.len(), 3 * 3 * 3 * 2);
        for request in &requests {
            assert!(!request.question.contains('{'), "{}", request.question);
            assert_eq!(passages[request.passage].language, traffic.people()[request.person].language);
        }
    }
}
