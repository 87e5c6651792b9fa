//! YAML text to the tree: YAML 1.2, core schema, one document; anchors are written out under a budget.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::limits;
use crate::span::{Span, Spanned};
use crate::tree::json::{Members, too_deep};
use crate::tree::yaml_lines::Lines;
use crate::tree::yaml_scalar::plain;
use crate::tree::{Node, Value};

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

fn count(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.iter().map(|member| count(&member.value)).sum::<usize>(),
        _ => 1,
    }
}
