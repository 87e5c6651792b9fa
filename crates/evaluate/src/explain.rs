//! Why a decision came out as it did: the checks that were made, in order, each with what it saw, and the tests of the
//! rules with what they compared. The decision is made by the same code as without an explanation.

use alloc::string::String;

use flagstone_snapshot::Snapshot;
use flagstone_snapshot::json_text::{write_number, write_string};

use crate::context::Context;
use crate::control::Control;
use crate::decide::traced;
use crate::decision::NO_FLAG;
use crate::item::{Built, Item};
use crate::machine::{Answer, Machine};
use crate::report::write_decision;
use crate::state::{Scene, State};
use crate::trace::{Silent, Test, Trace};

/// Bytes of tests that an explanation holds: a rule over long lists says what fits, and that there was more.
const MAX_TOLD: usize = 32 << 10;
/// Bytes of one value in a test; longer ones are cut.
const MAX_VALUE: usize = 512;

/// The decision with a `trace`: a list of steps `{"check", "passed", …}` in the order they were made. The
/// last step is the one that decided. A step in which a rule ran has its `rules` (each number with its tests, up to the
/// one that matched) and the `tests` that belong to none.
#[must_use]
pub fn explain_json(
    snapshot: &Snapshot<'_>,
    control: &Control,
    context: &Context,
    key: &str,
    now: u64,
) -> String {
    let flag = snapshot.find(key).unwrap_or(NO_FLAG);
    let (decision, told) = traced(snapshot, control, context, flag, now, Told::default());
    let mut out = String::with_capacity(1024);
    out.push_str("{\"decision\":");
    write_decision(snapshot, &decision, key, &mut out);
    out.push_str(",\"now\":");
    write_number(now as f64, &mut out);
    out.push_str(",\"snapshot\":{\"flagSet\":");
    write_string(snapshot.flag_set(), &mut out);
    out.push_str(",\"environment\":");
    write_string(snapshot.environment(), &mut out);
    out.push_str(",\"definition\":\"");
    for byte in snapshot.definition() {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    out.push_str("\"},\"trace\":[");
    out.push_str(&told.finish());
    out.push_str("]}");
    out
}

/// What was heard so far.
#[derive(Default)]
struct Told {
    steps: String,
    /// Tests since the last numbered rule.
    tests: String,
    /// Rules since the last check.
    rules: String,
    /// How deep in other flags' decisions.
    nested: u32,
    full: bool,
}

impl Told {
    /// Closes the last step and hands over all of them.
    fn finish(mut self) -> String {
        self.close();
        self.steps
    }

    /// What the rules did is known before the check that they were run for is told, so it waits until then.
    fn close(&mut self) {
        if !self.steps.is_empty() {
            self.steps.push('}');
        }
    }

    fn name(&mut self, name: &str) {
        self.steps.push(',');
        write_string(name, &mut self.steps);
        self.steps.push(':');
    }

    fn list(&mut self, name: &str, list: String) {
        if !list.is_empty() {
            self.name(name);
            self.steps.push('[');
            self.steps.push_str(&list);
            self.steps.push(']');
        }
    }
}

impl Trace for Told {
    const ON: bool = true;

    fn check(&mut self, name: &'static str, passed: bool) {
        if self.nested > 0 {
            return;
        }
        self.close();
        if !self.steps.is_empty() {
            self.steps.push(',');
        }
        self.steps.push_str("{\"check\":");
        write_string(name, &mut self.steps);
        self.steps.push_str(if passed { ",\"passed\":true" } else { ",\"passed\":false" });
        let (rules, tests) = (core::mem::take(&mut self.rules), core::mem::take(&mut self.tests));
        self.list("rules", rules);
        self.list("tests", tests);
        if self.full {
            self.steps.push_str(",\"more\":true");
        }
    }

    fn text(&mut self, name: &'static str, text: &str) {
        if self.nested == 0 {
            self.name(name);
            write_string(text, &mut self.steps);
        }
    }

    fn number(&mut self, name: &'static str, number: f64) {
        if self.nested == 0 {
            self.name(name);
            write_number(number, &mut self.steps);
        }
    }

    fn value<'a>(&mut self, name: &'static str, built: &Built<'a>, item: Item<'a>) {
        if self.nested == 0 {
            self.name(name);
            built.write_json(item, &mut self.steps);
        }
    }

    fn test<'a>(&mut self, built: &Built<'a>, test: Test<'_, 'a>) {
        self.full |= self.tests.len() + self.rules.len() > MAX_TOLD;
        if self.nested > 0 || self.full {
            return;
        }
        let out = &mut self.tests;
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str("{\"test\":");
        write_string(test.name, out);
        if let Some(attribute) = test.attribute {
            out.push_str(",\"attribute\":");
            write_string(attribute, out);
        }
        for (name, item) in [(",\"value\":", Some(test.left)), (",\"against\":", test.right)] {
            let Some(item) = item else { continue };
            let mut text = String::new();
            built.write_json(item, &mut text);
            out.push_str(name);
            if text.len() > MAX_VALUE {
                let mut cut = text;
                cut.truncate((0..=MAX_VALUE).rev().find(|end| cut.is_char_boundary(*end)).unwrap_or(0));
                cut.push('…');
                write_string(&cut, out);
            } else {
                out.push_str(&text);
            }
        }
        out.push_str(",\"answer\":");
        built.write_json(test.result, out);
        out.push('}');
    }

    fn rule(&mut self, number: u16, matched: bool) {
        if self.nested > 0 {
            return;
        }
        let tests = core::mem::take(&mut self.tests);
        let out = &mut self.rules;
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str("{\"rule\":");
        write_number(f64::from(number), out);
        out.push_str(if matched { ",\"matched\":true" } else { ",\"matched\":false" });
        out.push_str(",\"tests\":[");
        out.push_str(&tests);
        out.push_str("]}");
    }

    fn nested(&mut self, inside: bool) {
        self.nested = if inside { self.nested + 1 } else { self.nested.saturating_sub(1) };
    }
}

/// The raw answer of a flag's targeting rule as JSON text: what the rule returned, before it is read as a
/// variant's name. None for a flag without a rule, or when the rule ran past a limit.
#[must_use]
pub fn targeting_json(snapshot: &Snapshot<'_>, context: &Context, flag: u32, now: u64) -> Option<String> {
    let flag = snapshot.flag(flag)?;
    let rule = snapshot.rule(flag.targeting()?)?;
    let scene = Scene { snapshot, context, flag_key: flag.key_bytes(), now };
    let mut machine = Machine { state: State::new(scene), trace: Silent };
    let answer = machine.run(rule).ok()?;
    let mut out = String::new();
    match answer {
        Answer::Value(item) => machine.state.built.write_json(item, &mut out),
        Answer::Variant(variant, true) => out.push_str(flag.variant(variant)?.name),
        Answer::Variant(variant, false) => write_string(flag.variant(variant)?.name, &mut out),
    }
    Some(out)
}
