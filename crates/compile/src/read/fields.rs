//! The members of an object being read: what was asked for is known, what was not is reported.

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::nearest;
use crate::read::Reader;
use crate::span::Span;
use crate::tree::{Member, Node, Value};

/// An object whose members are taken one by one.
pub(crate) struct Fields<'n> {
    members: &'n [Member],
    asked: Vec<&'static str>,
    pub(crate) span: Span,
}

impl<'n> Fields<'n> {
    /// The members of `node`; when it is no object that is reported as being about `what`.
    pub(crate) fn open(reader: &mut Reader<'_>, what: &str, node: &'n Node) -> Option<Self> {
        let Some(members) = node.as_object() else {
            reader.wrong_kind(what, "an object", node);
            return None;
        };
        Some(Fields { members, asked: Vec::new(), span: node.span })
    }

    /// The member of that key, `null` included.
    pub(crate) fn raw(&mut self, key: &'static str) -> Option<&'n Member> {
        self.asked.push(key);
        self.members.iter().find(|member| member.key == key)
    }

    /// The value of that key; `null` is as good as none.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.raw(key).map(|member| &member.value).filter(|node| node.value != Value::Null)
    }

    /// The value of a key that must be there.
    pub(crate) fn need(
        &mut self,
        reader: &mut Reader<'_>,
        what: &str,
        key: &'static str,
    ) -> Option<&'n Node> {
        let found = self.take(key);
        if found.is_none() {
            reader.push(Diagnostic::error(Code::MissingKey, self.head(), format!("{what} has no `{key}`")));
        }
        found
    }

    /// A text of that key.
    pub(crate) fn text(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<String> {
        let node = self.take(key)?;
        reader.text(key, node).map(|text| text.value)
    }

    /// Where to point when something is missing: the object's beginning.
    pub(crate) fn head(&self) -> Span {
        self.members.first().map_or(self.span, |member| {
            Span::new(self.span.start.min(member.key.span.start), member.key.span.end)
        })
    }

    /// Reports the members that nobody asked for. `ours` are refused, flagd's own objects may carry more.
    pub(crate) fn finish(self, reader: &mut Reader<'_>, what: &str, ours: bool) {
        for member in self.members {
            let key = member.key.value.as_str();
            if self.asked.contains(&key) || key.starts_with("x-") || key == "$comment" {
                continue;
            }
            let mut diagnostic =
                Diagnostic::error(Code::UnknownKey, member.key.span, format!("{what} has no key `{key}`"));
            if !ours && !reader.strict {
                diagnostic.severity = Severity::Warning;
            }
            let near = nearest::nearest(key, self.asked.iter().copied());
            reader.push(diagnostic.hint(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "keys of your own begin with `x-`".to_owned(),
            }));
        }
    }
}
