//! What a rule can answer, as far as that stands in it: names of variants that do not exist are typos.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::model::Flag;
use crate::nearest;
use crate::tree::{Node, Value};

/// Reports the names in the rule's answers that no variant bears. In flagd such an answer is an error of
/// that evaluation only, so the flag stays usable.
pub(super) fn check(flag: &Flag, rule: &Node, diagnostics: &mut Diagnostics) {
    let mut names = Vec::new();
    answers(rule, &mut names);
    for node in names {
        let name = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            _ => continue,
        };
        if flag.variant(&name).is_none() {
            let known = flag.variants.iter().map(|variant| variant.name.as_str());
            diagnostics.push(
                Diagnostic::error(Code::UnknownVariant, node.span, format!("there is no variant `{name}`"))
                    .maybe_hint(nearest::hint(&name, known)),
            );
        }
    }
}

/// The literals that a rule may answer with: through `if` and `fractional`, nothing else.
fn answers<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
    match &node.value {
        Value::Text(_) | Value::Bool(_) => found.push(node),
        Value::Object(members) => {
            let [member] = members.as_slice() else {
                return;
            };
            let arguments = match &member.value.value {
                Value::List(items) => items.as_slice(),
                _ => return,
            };
            match member.key.as_str() {
                "if" | "?:" => {
                    for pair in arguments.chunks(2) {
                        match pair {
                            [_, answer] => answers(answer, found),
                            // A lone `if` answers with its condition, which is rarely written for its name.
                            [last] if arguments.len() > 1 => answers(last, found),
                            _ => {}
                        }
                    }
                }
                "fractional" => {
                    for bucket in arguments.iter().filter_map(Node::as_list) {
                        if let Some(name) = bucket.first() {
                            answers(name, found);
                        }
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
}
