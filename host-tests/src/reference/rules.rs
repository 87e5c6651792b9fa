//! JsonLogic by recursion: scopes, control, iteration, `var`; and which rules can be used at all.

use serde_json::{Value, json};

use super::values::{strict_equal, text, truthy};
use super::{World, at, operators};

/// What `var` reads.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    /// The context, with `$flagd.*`.
    Whole,
    /// An element, or reduce's pair.
    Element(&'a Value),
}

/// A rule of one flag in one world.
#[derive(Clone, Copy)]
pub(super) struct Rule<'a> {
    pub(super) world: World<'a>,
    pub(super) flag: &'a str,
}

const OPERATORS: &str = "if ?: and or ! !! == === != !== < <= > >= var missing missing_some in cat substr + - * / % min \
    max merge map filter reduce all some none log fractional sem_ver starts_with ends_with $ref segment \
    equals_ignore_case starts_with_ignore_case ends_with_ignore_case contains_ignore_case in_ignore_case matches before \
    after now in_network between any_of all_of none_of";

/// Arguments that are no list are a list of one.
pub(super) fn arguments(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

impl<'a> Rule<'a> {
    /// The rule's answer about the whole context.
    pub(super) fn run(&self, rule: &Value) -> Value {
        self.apply(rule, Scope::Whole)
    }

    pub(super) fn apply(&self, rule: &Value, scope: Scope<'_>) -> Value {
        match rule {
            Value::Array(items) => items.iter().map(|item| self.apply(item, scope)).collect(),
            Value::Object(members) if members.len() == 1 => match members.iter().next() {
                Some((operator, value)) => self.operation(operator, value, scope),
                None => Value::Null,
            },
            literal => literal.clone(),
        }
    }

    fn operation(&self, operator: &str, value: &Value, scope: Scope<'_>) -> Value {
        let arguments = arguments(value);
        let argument =
            |index: usize| arguments.get(index).map_or(Value::Null, |rule| self.apply(rule, scope));
        match operator {
            "if" | "?:" => {
                for pair in arguments.chunks(2) {
                    match pair {
                        [condition, answer] if truthy(&self.apply(condition, scope)) => {
                            return self.apply(answer, scope);
                        }
                        [last] => return self.apply(last, scope),
                        _ => {}
                    }
                }
                Value::Null
            }
            "and" | "or" => {
                let mut last = Value::Bool(false);
                for rule in arguments {
                    last = self.apply(rule, scope);
                    if truthy(&last) == (operator == "or") {
                        break;
                    }
                }
                last
            }
            "var" => match (self.variable(&argument(0), scope), arguments.len()) {
                (Value::Null, 2..) => argument(1),
                (found, _) => found,
            },
            "missing" => {
                let given: Vec<Value> = arguments.iter().map(|rule| self.apply(rule, scope)).collect();
                let paths = match given.as_slice() {
                    [Value::Array(paths)] => paths.clone(),
                    paths => paths.to_vec(),
                };
                json!(self.missing(&paths, scope))
            }
            "missing_some" => {
                let paths = argument(1).as_array().cloned().unwrap_or_default();
                let missing = self.missing(&paths, scope);
                let present = (paths.len() - missing.len()) as f64;
                if present >= super::values::number(&argument(0)) { json!([]) } else { json!(missing) }
            }
            "map" | "filter" | "all" | "some" | "none" | "reduce" => {
                let list = argument(0).as_array().cloned().unwrap_or_default();
                let body = arguments.get(1).unwrap_or(&Value::Null);
                let of = |element: &Value| self.apply(body, Scope::Element(element));
                let holds = |element: &&Value| truthy(&of(element));
                match operator {
                    "map" => list.iter().map(of).collect(),
                    "filter" => list.iter().filter(holds).cloned().collect(),
                    "all" => json!(!list.is_empty() && list.iter().all(|element| holds(&element))),
                    "some" => json!(list.iter().any(|element| holds(&element))),
                    "none" => json!(!list.iter().any(|element| holds(&element))),
                    _ => list.iter().fold(argument(2), |accumulator, current| {
                        of(&json!({"current": current, "accumulator": accumulator}))
                    }),
                }
            }
            "fractional" => operators::fractional(self, arguments, scope),
            "$ref" => {
                let name = arguments.first().map(text).unwrap_or_default();
                self.apply(&self.world.definition["$evaluators"][name], scope)
            }
            "segment" => json!(self.segment(&arguments.first().map(text).unwrap_or_default())),
            "now" => json!(self.world.now),
            _ => {
                let values: Vec<Value> = arguments.iter().map(|rule| self.apply(rule, scope)).collect();
                operators::eager(operator, &values)
            }
        }
    }

    fn missing(&self, paths: &[Value], scope: Scope<'_>) -> Vec<Value> {
        let absent = |path: &&Value| {
            matches!(self.variable(path, scope), Value::Null) || self.variable(path, scope) == ""
        };
        paths.iter().filter(absent).cloned().collect()
    }

    fn variable(&self, path: &Value, scope: Scope<'_>) -> Value {
        let path = match path {
            Value::Array(_) | Value::Object(_) => return Value::Null,
            path => text(path),
        };
        match (scope, path.as_str()) {
            (Scope::Whole, "$flagd.flagKey") => json!(self.flag),
            (Scope::Whole, "$flagd.timestamp") => json!(self.world.now),
            (Scope::Whole, "") => self.world.context.clone(),
            (Scope::Whole, path) => at(self.world.context, path).cloned().unwrap_or_default(),
            (Scope::Element(element), "") => element.clone(),
            (Scope::Element(element), path) => at(element, path).cloned().unwrap_or_default(),
        }
    }

    /// Excluded units are out, included ones in, then the condition decides.
    pub(super) fn segment(&self, name: &str) -> bool {
        let segment = &self.world.definition["segments"][name];
        let unit = &self.world.context["targetingKey"];
        let among =
            |list: &Value| list.as_array().is_some_and(|keys| keys.iter().any(|key| strict_equal(key, unit)));
        if among(&segment["exclude"]) {
            return false;
        }
        among(&segment["include"]) || truthy(&self.run(&segment["when"]))
    }
}

/// Whether a rule knows all its operators and everything it refers to. `inside` names what is being written out.
pub(super) fn usable(definition: &Value, rule: &Value, inside: &mut Vec<String>) -> bool {
    match rule {
        Value::Array(items) => items.iter().all(|item| usable(definition, item, inside)),
        Value::Object(members) if members.len() == 1 => members.iter().all(|(operator, value)| {
            let place = match operator.as_str() {
                "$ref" => "$evaluators",
                "segment" => "segments",
                _ => {
                    return OPERATORS.split(' ').any(|known| known == operator)
                        && usable(definition, value, inside);
                }
            };
            let name = format!("{operator} {}", arguments(value).first().map(text).unwrap_or_default());
            let Some(named) = definition[place].get(name.split_once(' ').map_or("", |(_, name)| name)) else {
                return false;
            };
            if inside.contains(&name) {
                return false;
            }
            inside.push(name);
            let body = if place == "segments" { &named["when"] } else { named };
            let fits = usable(definition, body, inside);
            inside.pop();
            fits
        }),
        _ => true,
    }
}
