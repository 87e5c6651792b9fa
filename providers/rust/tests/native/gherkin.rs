//! As much of Gherkin as OpenFeature's features use: backgrounds, outlines with examples, tables.

/// A step: its text, and the rows of its table.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) text: String,
    pub(crate) table: Vec<Vec<String>>,
}

/// A scenario, outlines unfolded, with the background's steps first.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) title: String,
    pub(crate) steps: Vec<Step>,
}

#[derive(Default)]
struct Raw {
    title: String,
    steps: Vec<Step>,
    examples: Vec<Vec<Vec<String>>>,
}

#[derive(PartialEq)]
enum Place {
    Background,
    Steps,
    Examples,
}

/// The scenarios of a feature.
pub(crate) fn scenarios(feature: &str) -> Vec<Scenario> {
    let (mut background, mut all, mut place) = (Vec::new(), Vec::<Raw>::new(), Place::Background);
    for line in feature.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', '@']) || line.starts_with("Feature:") {
        } else if line.starts_with("Background:") {
            place = Place::Background;
        } else if line.starts_with("Examples:") {
            place = Place::Examples;
            all.last_mut().unwrap().examples.push(Vec::new());
        } else if let Some(title) =
            line.strip_prefix("Scenario Outline:").or_else(|| line.strip_prefix("Scenario:"))
        {
            place = Place::Steps;
            all.push(Raw { title: title.trim().to_owned(), ..Raw::default() });
        } else if let Some(row) = line.strip_prefix('|') {
            let row = row.trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
            match place {
                Place::Examples => all.last_mut().unwrap().examples.last_mut().unwrap().push(row),
                Place::Steps => all.last_mut().unwrap().steps.last_mut().unwrap().table.push(row),
                Place::Background => {
                    background.last_mut().map(|step: &mut Step| step.table.push(row)).unwrap()
                }
            }
        } else if let Some((_, text)) =
            line.split_once(' ').filter(|(word, _)| ["Given", "When", "Then", "And", "But"].contains(word))
        {
            let step = Step { text: text.trim().to_owned(), table: Vec::new() };
            if place == Place::Background {
                background.push(step);
            } else {
                all.last_mut().unwrap().steps.push(step);
            }
        } // anything else describes
    }
    all.into_iter().flat_map(|raw| unfold(raw, &background)).collect()
}

fn unfold(raw: Raw, background: &[Step]) -> Vec<Scenario> {
    let scenario = |title: String, steps: Vec<Step>| Scenario {
        title,
        steps: background.iter().cloned().chain(steps).collect(),
    };
    if raw.examples.is_empty() {
        return vec![scenario(raw.title, raw.steps)];
    }
    let mut unfolded = Vec::new();
    for rows in &raw.examples {
        let (names, rows) = rows.split_first().unwrap();
        for cells in rows {
            let fill = |text: &String| {
                names
                    .iter()
                    .zip(cells)
                    .fold(text.clone(), |text, (name, cell)| text.replace(&format!("<{name}>"), cell))
            };
            let steps = raw.steps.iter().map(|step| Step {
                text: fill(&step.text),
                table: step.table.iter().map(|row| row.iter().map(fill).collect()).collect(),
            });
            unfolded.push(scenario(format!("{} ({})", raw.title, cells.join(", ")), steps.collect()));
        }
    }
    unfolded
}

/// Whether a step reads as a pattern, and what its parts are. In a pattern `{}` is a text in double quotes (with `\"` for a quote),
/// `{w}` a word or number; letters compare without case.
pub(crate) fn matched(pattern: &str, text: &str) -> Option<Vec<String>> {
    let (mut pattern, mut text, mut parts) = (pattern, text, Vec::new());
    while let Some(at) = pattern.find('{') {
        let (fixed, rest) = pattern.split_at(at);
        text = after(fixed, text)?;
        if let Some(rest) = rest.strip_prefix("{}") {
            let inner = text.strip_prefix('"')?;
            let bytes = inner.as_bytes();
            let end =
                (0..bytes.len()).find(|at| bytes[*at] == b'"' && (*at == 0 || bytes[*at - 1] != b'\\'))?;
            parts.push(inner[..end].replace("\\\"", "\""));
            (pattern, text) = (rest, &inner[end + 1..]);
        } else {
            let end = text.find([' ', ',', '-']).unwrap_or(text.len());
            parts.push(text[..end].to_owned());
            (pattern, text) = (rest.strip_prefix("{w}")?, &text[end..]);
        }
    }
    after(pattern, text)?.is_empty().then_some(parts)
}

fn after<'t>(fixed: &str, text: &'t str) -> Option<&'t str> {
    let head = text.get(..fixed.len())?;
    head.eq_ignore_ascii_case(fixed).then(|| &text[fixed.len()..])
}

#[test]
fn features_are_read_and_steps_matched() {
    let feature = "@tag\nFeature: One\n  Background:\n    Given a start\n  Scenario Outline: Two\n    When <a> is \"<b>\"\n      | <a> | x |\n    \
                   Examples: few\n      | a | b |\n      | 1 | \\\"q\\\" |\n  Scenario: Three\n    Then end\n";
    let all = scenarios(feature);
    let texts: Vec<Vec<&str>> =
        all.iter().map(|one| one.steps.iter().map(|step| step.text.as_str()).collect()).collect();
    assert_eq!(texts, [vec!["a start", "1 is \"\\\"q\\\"\""], vec!["a start", "end"]]);
    assert_eq!(all[0].steps[1].table, [["1", "x"]]);
    assert_eq!(matched("{w} is {}", &all[0].steps[1].text).unwrap(), ["1", "\"q\""]);
    assert_eq!(matched("{w} is {} now", &all[0].steps[1].text), None);
}
