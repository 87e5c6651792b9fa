//! YAML text to the tree: YAML 1.2, core schema, one document; anchors are written out under a budget.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::limits;
use crate::span::{Span, Spanned};
use crate::tree::json::{Members, too_deep};
use crate::tree::{Node, Number, Value};

/// Reads `text`, or says why it cannot.
pub(super) fn read(text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    let lines = Lines::new(text);
    let mut builder = Builder {
        diagnostics,
        lines: &lines,
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        nodes: 0,
    };
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0usize;
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let at = lines.offset(error.marker());
                builder.diagnostics.push(Diagnostic::error(
                    Code::Syntax,
                    Span::new(at, at),
                    format!("this is not YAML: {}", error.info()),
                ));
                return None;
            }
        };
        let span = Span::new(lines.offset(&span.start), lines.offset(&span.end));
        match event {
            Event::StreamEnd => break,
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    builder.diagnostics.push(
                        Diagnostic::error(Code::Syntax, span, "a second document begins here")
                            .hint("a definition is one document; put the other in its own file"),
                    );
                    return None;
                }
            }
            event => builder.event(event, span)?,
        }
    }
    if builder.root.is_none() {
        builder.diagnostics.push(Diagnostic::error(
            Code::Syntax,
            Span::new(0, text.len()),
            "the definition is empty",
        ));
    }
    builder.root
}

/// A list or an object that is being read.
enum Open {
    List { items: Vec<Node>, start: usize, anchor: usize },
    Object { members: Members, key: Option<Spanned<String>>, start: usize, anchor: usize },
}

struct Builder<'a> {
    diagnostics: &'a mut Diagnostics,
    lines: &'a Lines<'a>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
    nodes: usize,
}

impl Builder<'_> {
    /// Takes one event in; none means that reading cannot go on.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.expects_key() {
                    return self.key(Spanned::new(text.into_owned(), span));
                }
                let value = self.scalar(text, style, tag, span)?;
                self.close(Node::new(value, span), anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(tag, span)?;
                self.open.push(Open::List { items: Vec::new(), start: span.start, anchor });
                Some(())
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(tag, span)?;
                let members = Members::default();
                self.open.push(Open::Object { members, key: None, start: span.start, anchor });
                Some(())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (value, start, anchor) = match self.open.pop()? {
                    Open::List { items, start, anchor } => (Value::List(items), start, anchor),
                    Open::Object { members, start, anchor, .. } => {
                        (Value::Object(members.finish()), start, anchor)
                    }
                };
                let span = Span::new(start, self.lines.trim_end(start, span.end));
                let node = Node::new(value, span);
                let size = if anchor > 0 { count(&node) } else { 1 };
                self.close(node, anchor, size)
            }
            Event::Alias(anchor) => {
                if self.expects_key() {
                    self.diagnostics.push(Diagnostic::error(Code::Syntax, span, "a key cannot be an alias"));
                    return None;
                }
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    self.diagnostics.push(Diagnostic::error(
                        Code::Syntax,
                        span,
                        "this alias names no anchor",
                    ));
                    return None;
                };
                self.close(node, 0, size)
            }
            _ => Some(()),
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Object { key: None, .. }))
    }

    fn key(&mut self, text: Spanned<String>) -> Option<()> {
        if let Some(Open::Object { key, .. }) = self.open.last_mut() {
            *key = Some(text);
        }
        Some(())
    }

    /// Checks that a list or an object may begin here.
    fn begin(&mut self, tag: Option<Cow<'_, Tag>>, span: Span) -> Option<()> {
        if self.expects_key() {
            self.diagnostics.push(Diagnostic::error(
                Code::Syntax,
                span,
                "a key must be a plain word or a string",
            ));
            return None;
        }
        if self.open.len() > limits::SOURCE_DEPTH {
            self.diagnostics.push(too_deep(span));
            return None;
        }
        if let Some(tag) = tag
            && !matches!(tag.suffix.as_str(), "map" | "seq")
        {
            self.unknown_tag(&tag, span);
            return None;
        }
        Some(())
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node, anchor: usize, size: usize) -> Option<()> {
        self.nodes += size;
        if self.nodes > limits::SOURCE_NODES {
            self.diagnostics.push(
                Diagnostic::error(Code::TooLarge, node.span, "the definition has too many values")
                    .hint(format!("at most {} are read, aliases written out", limits::SOURCE_NODES)),
            );
            return None;
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Object { members, key, .. }) => {
                members.push(key.take()?, node, self.diagnostics);
            }
        }
        Some(())
    }

    fn unknown_tag(&mut self, tag: &Tag, span: Span) {
        self.diagnostics.push(
            Diagnostic::error(
                Code::Syntax,
                span,
                format!("the tag `{}{}` has no meaning here", tag.handle, tag.suffix),
            )
            .hint("`!!str`, `!!int`, `!!float`, `!!bool` and `!!null` are understood"),
        );
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<Cow<'_, Tag>>,
        span: Span,
    ) -> Option<Value> {
        let Some(tag) = tag else {
            if style != ScalarStyle::Plain {
                return Some(Value::Text(text.into_owned()));
            }
            let value = plain(&text);
            if value.is_none() {
                self.diagnostics.push(Diagnostic::error(
                    Code::Syntax,
                    span,
                    format!("`{text}` is not a number that JSON can carry"),
                ));
            }
            return value;
        };
        let value = match tag.suffix.as_str() {
            _ if !tag.is_yaml_core_schema() => None,
            "str" => Some(Value::Text(text.to_string())),
            "null" => plain(&text).filter(|value| *value == Value::Null),
            "bool" => plain(&text).filter(|value| matches!(value, Value::Bool(_))),
            "int" | "float" => plain(&text).filter(|value| matches!(value, Value::Number(_))),
            _ => None,
        };
        if value.is_none() {
            self.unknown_tag(&tag, span);
        }
        value
    }
}

/// A plain scalar by YAML's core schema; none for infinities, `.nan` and numbers beyond a 64-bit float.
fn plain(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return None,
        _ => {}
    }
    if matches!(text.strip_prefix(['-', '+']).unwrap_or(text), ".inf" | ".Inf" | ".INF") {
        return None;
    }
    let radix = |prefix: &str, radix: u32| {
        let digits = text.strip_prefix(prefix)?;
        // `from_str_radix` alone would take a sign after the prefix.
        if digits.starts_with(['-', '+']) {
            return None;
        }
        i64::from_str_radix(digits, radix).ok()
    };
    if let Some(integer) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(Value::Number(Number::from_integer(integer)));
    }
    match Number::from_decimal(text) {
        Some(number) => Some(Value::Number(number)),
        // A decimal too large for a float is neither a number nor plainly a word.
        None if text.parse::<f64>().is_ok_and(f64::is_infinite)
            && text.contains(|c: char| c.is_ascii_digit()) =>
        {
            None
        }
        None => Some(Value::Text(text.to_owned())),
    }
}

fn count(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.iter().map(|member| count(&member.value)).sum::<usize>(),
        _ => 1,
    }
}

/// Turns the parser's lines and columns (in characters) into byte offsets.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let lone_return = *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n');
            if *byte == b'\n' || lone_return {
                starts.push(at + 1);
            }
        }
        Lines { text, starts }
    }

    fn offset(&self, marker: &Marker) -> usize {
        let line = marker.line().saturating_sub(1);
        let Some(start) = self.starts.get(line).copied() else {
            return self.text.len();
        };
        let rest = self.text.get(start..).unwrap_or_default();
        rest.char_indices().nth(marker.col()).map_or(self.text.len(), |(at, _)| start + at)
    }

    /// The end of a block without the white space and comments that follow it.
    fn trim_end(&self, start: usize, end: usize) -> usize {
        let mut text = self.text.get(start..end).unwrap_or_default();
        loop {
            text = text.trim_end();
            let line = text.rfind('\n').map_or(0, |at| at + 1);
            match text.get(line..) {
                Some(last) if line > 0 && last.trim_start().starts_with('#') => {
                    text = text.get(..line).unwrap_or_default();
                }
                _ => return start + text.len(),
            }
        }
    }
}
