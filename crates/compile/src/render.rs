//! Diagnostics as people read them (excerpts) and as programs read them (JSON).

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity};
use crate::span::{Position, Span, position};
use crate::tree::Source;

/// One finding with its positions spelled out; what `--json` prints.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonDiagnostic<'a> {
    code: Code,
    severity: Severity,
    file: &'a str,
    #[serde(flatten)]
    place: Place,
    message: &'a str,
    labels: Vec<JsonLabel<'a>>,
    hint: Option<&'a str>,
    flag: Option<&'a str>,
}

#[derive(Debug, Clone, Serialize)]
struct JsonLabel<'a> {
    #[serde(flatten)]
    place: Place,
    text: &'a str,
}

#[derive(Debug, Clone, Serialize)]
struct Place {
    line: usize,
    column: usize,
    span: Span,
}

impl Place {
    fn new(source: &Source, span: Span) -> Self {
        let Position { line, column } = position(source.text(), span.start);
        Place { line, column, span }
    }
}

impl Diagnostics {
    /// All of them as text with excerpts of the source, each followed by an empty line; `color` adds
    /// terminal colours.
    #[must_use]
    pub fn render(&self, source: &Source, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for diagnostic in self {
            out.push_str(&render(diagnostic, source, &renderer));
            out.push_str("\n\n");
        }
        if self.left_out() > 0 {
            out.push_str(&format!("and {} more\n\n", self.left_out()));
        }
        out
    }

    /// All of them with lines and columns, ready to be serialised.
    #[must_use]
    pub fn to_json<'a>(&'a self, source: &'a Source) -> Vec<JsonDiagnostic<'a>> {
        self.iter()
            .map(|diagnostic| JsonDiagnostic {
                code: diagnostic.code,
                severity: diagnostic.severity,
                file: source.name(),
                place: Place::new(source, diagnostic.span),
                message: &diagnostic.message,
                labels: diagnostic
                    .labels
                    .iter()
                    .map(|label| JsonLabel { place: Place::new(source, label.span), text: &label.text })
                    .collect(),
                hint: diagnostic.hint.as_deref(),
                flag: diagnostic.flag.as_deref(),
            })
            .collect()
    }
}

fn render(diagnostic: &Diagnostic, source: &Source, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let excerpt = Excerpt::new(source.text(), diagnostic);
    let mut snippet = Snippet::source(excerpt.text)
        .line_start(excerpt.first_line)
        .path(source.name())
        .annotation(AnnotationKind::Primary.span(excerpt.range(diagnostic.span)));
    for label in &diagnostic.labels {
        if excerpt.holds(label.span) {
            snippet = snippet.annotation(
                AnnotationKind::Context.span(excerpt.range(label.span)).label(label.text.as_str()),
            );
        }
    }
    let mut group: Group<'_> =
        level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str()).element(snippet);
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
    }
    renderer.render(&[group])
}

/// The lines that a diagnostic speaks of; only those are given to the renderer.
struct Excerpt<'a> {
    text: &'a str,
    start: usize,
    first_line: usize,
}

/// A block that runs over more lines than this is shown by its first line.
const BLOCK_LINES: usize = 6;

impl<'a> Excerpt<'a> {
    fn new(text: &'a str, diagnostic: &Diagnostic) -> Self {
        let spans =
            || std::iter::once(diagnostic.span).chain(diagnostic.labels.iter().map(|label| label.span));
        let first = spans().map(|span| span.start).min().unwrap_or_default().min(text.len());
        let last = spans().map(|span| clip(text, span).end).max().unwrap_or_default().min(text.len());
        let start = text.get(..first).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let end = text.get(last..).and_then(|after| after.find('\n')).map_or(text.len(), |at| last + at);
        Excerpt {
            text: text.get(start..end).unwrap_or_default(),
            start,
            first_line: position(text, start).line,
        }
    }

    fn holds(&self, span: Span) -> bool {
        span.start >= self.start && span.start <= self.start + self.text.len()
    }

    fn range(&self, span: Span) -> std::ops::Range<usize> {
        let start = span.start.saturating_sub(self.start).min(self.text.len());
        let local = Span::new(start, span.end.saturating_sub(self.start).min(self.text.len()));
        let clipped = clip(self.text, local);
        clipped.start..clipped.end
    }
}

/// A span that runs over many lines, cut to its first.
fn clip(text: &str, span: Span) -> Span {
    let inside = text.get(span.start.min(text.len())..span.end.min(text.len())).unwrap_or_default();
    if inside.bytes().filter(|byte| *byte == b'\n').count() < BLOCK_LINES {
        return span;
    }
    let first = inside.find('\n').unwrap_or(inside.len());
    Span::new(span.start, span.start + inside.get(..first).map_or(0, |line| line.trim_end().len()))
}
