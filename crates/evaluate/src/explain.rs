//! Why a decision came out as it did: the same order of checks as `decide`, each with what it saw.
//!
//! A separate walk, so that a decision without an explanation costs nothing more.

use alloc::string::String;

use flagstone_snapshot::json_text::{write_number, write_string};
use flagstone_snapshot::{OnExpiry, SHARE_TOTAL, Snapshot};

use crate::context::Context;
use crate::control::Control;
use crate::decide::decide_key;
use crate::item::Item;
use crate::machine::{Machine, Scene};
use crate::plan;
use crate::report::write_decision;

/// The decision with a `trace`: a list of steps `{"check", "passed", …}` in the order they were made. The
/// last step is the one that decided.
#[must_use]
pub fn explain_json(
    snapshot: &Snapshot<'_>,
    control: &Control,
    context: &Context,
    key: &str,
    now: u64,
) -> String {
    let decision = decide_key(snapshot, control, context, key, now);
    let mut out = String::with_capacity(1024);
    out.push_str("{\"decision\":");
    write_decision(snapshot, &decision, key, &mut out);
    out.push_str(",\"now\":");
    write_number(now as f64, &mut out);
    out.push_str(",\"trace\":");
    let mut trace = Trace { out: &mut out, first: true };
    trace.walk(snapshot, control, context, key, now);
    out.push_str("]}");
    out
}

struct Trace<'o> {
    out: &'o mut String,
    first: bool,
}

impl Trace<'_> {
    /// Opens a step; members follow by [`Trace::text`] and the like, [`Trace::end`] closes it.
    fn step(&mut self, check: &str, passed: bool) {
        self.out.push(if self.first { '[' } else { ',' });
        self.first = false;
        self.out.push_str("{\"check\":");
        write_string(check, self.out);
        self.out.push_str(if passed { ",\"passed\":true" } else { ",\"passed\":false" });
    }

    fn name(&mut self, name: &str) {
        self.out.push(',');
        write_string(name, self.out);
        self.out.push(':');
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        write_string(text, self.out);
    }

    fn number(&mut self, name: &str, number: f64) {
        self.name(name);
        write_number(number, self.out);
    }

    fn end(&mut self) {
        self.out.push('}');
    }

    fn walk(&mut self, snapshot: &Snapshot<'_>, control: &Control, context: &Context, key: &str, now: u64) {
        let found = snapshot.find(key).and_then(|index| snapshot.flag(index));
        self.step("flag-exists", found.is_some());
        self.end();
        let Some(flag) = found else { return };
        let index = flag.index();
        self.step("definition-usable", flag.broken().is_none());
        self.end();
        if flag.broken().is_some() {
            return;
        }
        self.step("enabled", flag.enabled());
        self.end();
        if !flag.enabled() {
            return;
        }
        self.step("not-halted", !control.halted(index));
        self.end();
        if control.halted(index) {
            return;
        }
        let safe = flag.on_expiry() == OnExpiry::Safe;
        let holds = !safe || control.fresh(now);
        self.step("pulse", holds);
        self.text("onExpiry", if safe { "safe" } else { "hold" });
        self.number("until", control.lease_until() as f64);
        self.end();
        if !holds {
            return;
        }
        let scene = Scene { snapshot: *snapshot, context, flag_key: flag.key(), now };
        let mut machine = Machine::new(scene);
        if let Some(plan) = flag.plan() {
            let refused = plan::refusal(&scene, &plan);
            self.step("consent-and-data-domain", refused.is_none());
            if let Some((purpose, _)) = plan.consent() {
                self.text("consent", purpose);
            }
            if let Some(refusal) = refused.and_then(crate::Detail::as_str) {
                self.text("refusal", refusal);
            }
            self.end();
            if refused.is_some() {
                return;
            }
            let open = control.stage(index);
            let position = plan::unit_position(&scene, &plan);
            let place = match (open, position) {
                (Some(open), Some(position)) => {
                    plan::place(&mut machine, &plan, open, position).ok().flatten()
                }
                _ => None,
            };
            self.step("stage", place.is_some());
            for (name, index) in [("open", open), ("ceiling", plan.ceiling())] {
                if let Some(stage) = index.and_then(|index| plan.stage(index)) {
                    self.text(name, stage.name);
                }
            }
            if let Some(stage) = open.and_then(|open| plan.stage(open)) {
                self.number("treat", f64::from(stage.treat) / f64::from(SHARE_TOTAL));
                self.number("control", f64::from(stage.control) / f64::from(SHARE_TOTAL));
            }
            if let Some(path) = snapshot.attribute(plan.unit()) {
                self.text("unit", path);
            }
            if let Some(position) = position {
                self.number("position", f64::from(position) / f64::from(SHARE_TOTAL));
            }
            if let Some(place) = place {
                self.text("arm", place.arm.as_str().unwrap_or("none"));
                if let Some(stage) = plan.stage(place.cohort) {
                    self.text("cohort", stage.name);
                }
            }
            self.end();
            if place.is_some() {
                return;
            }
        }
        if let Some(rule) = flag.targeting().and_then(|rule| snapshot.rule(rule)) {
            let answer = machine.run(rule);
            self.step("targeting", !matches!(answer, Ok(Item::Null) | Err(_)));
            self.name("answer");
            match answer {
                Ok(item) => machine.built.write_json(item, self.out),
                Err(_) => self.out.push_str("null"),
            }
            self.end();
            if !matches!(answer, Ok(Item::Null)) {
                return;
            }
        }
        self.step("default", flag.default_variant().is_some());
        if let Some(variant) = flag.default_variant().and_then(|variant| flag.variant(variant)) {
            self.text("variant", variant.name);
        }
        self.end();
    }
}

/// The raw answer of a flag's targeting rule as JSON text: what the rule returned, before it is read as a
/// variant's name. None for a flag without a rule, or when the rule ran past a limit.
#[must_use]
pub fn targeting_json(snapshot: &Snapshot<'_>, context: &Context, flag: u32, now: u64) -> Option<String> {
    let flag = snapshot.flag(flag)?;
    let rule = snapshot.rule(flag.targeting()?)?;
    let mut machine = Machine::new(Scene { snapshot: *snapshot, context, flag_key: flag.key(), now });
    let answer = machine.run(rule).ok()?;
    let mut out = String::new();
    machine.built.write_json(answer, &mut out);
    Some(out)
}
