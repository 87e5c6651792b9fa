//! Words, sentences and languages: the little linguistics that retrieval, model and measure share.
//!
//! Three languages are known (English, German, French). Nothing here is clever; all of it is documented, because
//! the measured outcomes depend on it.

/// A language of the help centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
    /// French.
    French,
}

impl Language {
    /// Every language, in the order of their share of users.
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::French];

    /// The two-letter code.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
        }
    }

    /// The language of a two-letter code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    fn stop_words(self) -> &'static [&'static str] {
        match self {
            Self::English => ENGLISH,
            Self::German => GERMAN,
            Self::French => FRENCH,
        }
    }

    /// The language whose function words are most frequent in the text; English when none are.
    pub fn detect(text: &str) -> Self {
        let words = words(text);
        let hits =
            |language: Self| words.iter().filter(|w| language.stop_words().contains(&w.as_str())).count();
        let mut best = (Self::English, hits(Self::English));
        for language in [Self::German, Self::French] {
            let count = hits(language);
            if count > best.1 {
                best = (language, count);
            }
        }
        best.0
    }
}

const ENGLISH: &[&str] = &[
    "a",
    "about",
    "after",
    "again",
    "all",
    "also",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "been",
    "before",
    "but",
    "by",
    "can",
    "could",
    "did",
    "do",
    "does",
    "each",
    "even",
    "every",
    "for",
    "from",
    "get",
    "had",
    "has",
    "have",
    "hello",
    "help",
    "here",
    "hi",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "know",
    "like",
    "me",
    "more",
    "most",
    "much",
    "my",
    "no",
    "not",
    "of",
    "off",
    "on",
    "only",
    "or",
    "other",
    "our",
    "out",
    "please",
    "so",
    "some",
    "something",
    "such",
    "tell",
    "than",
    "thank",
    "thanks",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "thing",
    "this",
    "those",
    "to",
    "until",
    "up",
    "us",
    "very",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "will",
    "with",
    "without",
    "would",
    "you",
    "your",
];

const GERMAN: &[&str] = &[
    "ab", "aber", "alle", "als", "am", "an", "auch", "auf", "aus", "bei", "bis", "bitte", "da", "danach",
    "danke", "das", "dass", "dazu", "dem", "den", "der", "des", "die", "dies", "diese", "dort", "durch",
    "ein", "eine", "einem", "einen", "einer", "eines", "er", "es", "etwas", "für", "geht", "gibt", "guten",
    "habe", "haben", "hallo", "hat", "ich", "ihnen", "ihr", "ihre", "ihrem", "ihren", "im", "in", "ins",
    "ist", "jede", "jeden", "jeder", "kann", "können", "man", "mehr", "mein", "meine", "mich", "mir", "mit",
    "nach", "nicht", "noch", "nur", "oder", "ohne", "schon", "sehr", "sich", "sie", "sind", "so", "tag",
    "um", "und", "uns", "unser", "unsere", "unserer", "viel", "vom", "von", "vor", "wann", "war", "was",
    "wegen", "wenn", "wer", "werden", "wie", "wird", "wir", "wissen", "wo", "zu", "zum", "zur",
];

const FRENCH: &[&str] = &[
    "a", "au", "aux", "avec", "avez", "bonjour", "ce", "ces", "cette", "chaque", "comment", "d", "dans",
    "de", "depuis", "des", "donc", "du", "elle", "en", "encore", "est", "et", "faire", "fois", "ici", "il",
    "j", "jamais", "je", "jusqu", "l", "la", "le", "les", "leur", "lors", "lui", "ma", "mais", "me", "merci",
    "mes", "moi", "mon", "n", "ne", "nos", "notre", "nous", "on", "ou", "où", "par", "pas", "peut", "plus",
    "pour", "pouvez", "qu", "quand", "que", "quel", "quelle", "quelque", "qui", "quoi", "s", "sa", "sans",
    "savoir", "se", "ses", "si", "son", "sont", "sous", "sur", "très", "un", "une", "vers", "vos", "votre",
    "vous", "y", "à", "été", "être",
];

/// Number words that state a quantity as a digit would.
const NUMBER_WORDS: &[&str] = &[
    "half", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twice",
    "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "zwölf", "trois", "quatre", "cinq",
    "six", "sept", "huit", "neuf", "dix",
];

/// Surface tokens in order: words as written, and the marks `. , ; : ? !` by themselves. Emphasis, quotes and
/// brackets are dropped; marks inside a word stay (`3.90`, `17:30`, `HB-17`, `d'une`).
pub fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for chunk in text.split_whitespace() {
        let chunk: String = chunk
            .chars()
            .map(|c| if c == '’' { '\'' } else { c })
            .filter(|c| !"*\"„“”«»()[]".contains(*c))
            .collect();
        let core = chunk.trim_end_matches(['.', ',', ';', ':', '?', '!']);
        let word = core.trim_start_matches(['.', ',', ';', ':', '?', '!', '#', '-']);
        if !word.is_empty() {
            out.push(word.to_owned());
        }
        if let Some(mark) = chunk.get(core.len()..).and_then(|marks| marks.chars().next()) {
            out.push(mark.to_string());
        }
    }
    out
}

/// Whether a token is one of the marks that [`tokens`] keeps.
pub fn is_mark(token: &str) -> bool {
    matches!(token, "." | "," | ";" | ":" | "?" | "!")
}

/// Whether a token ends a sentence.
pub fn ends_sentence(token: &str) -> bool {
    matches!(token, "." | "?" | "!")
}

/// Tokens put back together as text.
pub fn join<'a>(tokens: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for token in tokens {
        if !out.is_empty() && !is_mark(token) {
            out.push(' ');
        }
        out.push_str(token);
    }
    out
}

/// Lower-case words without marks; French elisions are split (`d'une` is `d`, `une`).
pub fn words(text: &str) -> Vec<String> {
    normalise(&tokens(text))
}

/// The words of tokens, as [`words`] does for text.
pub fn normalise(tokens: &[String]) -> Vec<String> {
    tokens
        .iter()
        .filter(|token| !is_mark(token))
        .flat_map(|token| token.to_lowercase().split('\'').map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Whether a lower-case word states a quantity: it holds a digit or is a number word.
pub fn is_number(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit()) || NUMBER_WORDS.contains(&word)
}

/// The stem of a lower-case content word: its first six letters without a plural or case ending; `None` for function
/// words, single letters and numbers.
pub fn stem(word: &str) -> Option<String> {
    if is_number(word) || word.chars().count() < 2 {
        return None;
    }
    if Language::ALL.iter().any(|language| language.stop_words().contains(&word)) {
        return None;
    }
    let mut base = word;
    for ending in ["ing", "ed", "es", "en", "er", "s", "e", "n"] {
        if let Some(shorter) = base.strip_suffix(ending).filter(|shorter| shorter.chars().count() >= 4) {
            base = shorter;
            break;
        }
    }
    Some(base.chars().take(6).collect())
}

/// The stems of a text's content words, in order, with repetitions.
pub fn stems(text: &str) -> Vec<String> {
    words(text).iter().filter_map(|word| stem(word)).collect()
}

/// The sentences of tokens: each up to and with its closing mark; an unfinished last one counts.
pub fn sentences(tokens: &[String]) -> Vec<&[String]> {
    tokens
        .split_inclusive(|token| ends_sentence(token))
        .filter(|part| part.iter().any(|t| !is_mark(t)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_numbers_whole_and_come_back_as_text() {
        let text = "It costs **3.90 euros**, at 17:30. Form HB-17?";
        let tokens = tokens(text);
        assert_eq!(
            tokens,
            ["It", "costs", "3.90", "euros", ",", "at", "17:30", ".", "Form", "HB-17", "?"]
                .map(str::to_owned)
        );
        assert_eq!(join(tokens.iter().map(String::as_str)), "It costs 3.90 euros, at 17:30. Form HB-17?");
        assert_eq!(sentences(&tokens).len(), 2);
    }

    #[test]
    fn stems_join_forms_of_one_word_and_drop_function_words() {
        assert_eq!(stem("reservation"), stem("reservations"));
        assert_eq!(stem("collected"), stem("collecting"));
        assert_eq!(stem("pakets"), stem("paketen"));
        assert_eq!(stem("the"), None);
        assert_eq!(stem("fünf"), None);
        assert!(is_number("fünf") && is_number("17:30") && !is_number("code"));
        assert_eq!(words("d'une réservation"), ["d", "une", "réservation"].map(str::to_owned));
    }

    #[test]
    fn languages_are_told_apart_by_their_function_words() {
        assert_eq!(Language::detect("What is the price of a small parcel?"), Language::English);
        assert_eq!(Language::detect("Wie ist der Preis für ein kleines Paket?"), Language::German);
        assert_eq!(Language::detect("Quel est le tarif pour un petit colis ?"), Language::French);
    }
}
