//! Rollout plans: which stage is open, the shares it has at a time, and where a unit stands.

use serde_json::Value;

use super::amounts::{TOTAL, moment, seconds, share};
use super::rules::{Rule, arguments};
use super::values::{text, truthy};
use super::{World, at};

const HALF: u64 = TOTAL / 2;

/// The text that identifies a unit; none when it cannot.
pub(super) fn unit_key(context: &Value, path: &str) -> Option<String> {
    match at(context, path)? {
        Value::String(key) if !key.is_empty() => Some(key.clone()),
        Value::Number(number) => number.as_i64().map(|number| number.to_string()),
        _ => None,
    }
}

/// The position of a unit for a purpose and an object.
pub(super) fn position(unit: &str, purpose: &str, object: &str) -> u64 {
    let hash = |text: &str| {
        let whole = murmur3::murmur3_x64_128(&mut text.as_bytes(), 0).unwrap_or_default();
        (whole as u64, (whole >> 64) as u64)
    };
    let finalise = |mut value: u128| {
        for factor in [0xff51_afd7_ed55_8ccd_u128, 0xc4ce_b9fe_1a85_ec53] {
            value = ((value ^ (value >> 33)) * factor) % (1 << 64);
        }
        value ^ (value >> 33)
    };
    let ((low, high), salt) = (hash(unit), hash(&format!("{purpose}:{object}")).0);
    let mixed = finalise((finalise(u128::from(low ^ salt)) + u128::from(high)) % (1 << 64));
    (((mixed >> 30) * u128::from(TOTAL)) >> 34) as u64
}

/// Where a unit stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) arm: &'static str,
    pub(super) cohort: usize,
    pub(super) probability: u64,
    pub(super) listed: bool,
}

/// A flag's plan.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) world: World<'a>,
    pub(super) flag: &'a str,
    pub(super) rollout: &'a Value,
}

impl<'a> Plan<'a> {
    fn stages(&self) -> &'a [Value] {
        self.rollout["stages"].as_array().map_or(&[], Vec::as_slice)
    }

    fn named(&self, name: &Value) -> Option<usize> {
        self.stages().iter().position(|stage| stage["name"] == *name)
    }

    pub(super) fn unit(&self) -> &'a str {
        self.rollout["unit"].as_str().unwrap_or("targetingKey")
    }

    fn pauses(&self) -> Vec<(u64, u64)> {
        let pauses = self.rollout["pauses"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        pauses.iter().filter_map(|pause| moment(&pause["from"]).zip(moment(&pause["to"]))).collect()
    }

    /// The open stage and since when it is open.
    pub(super) fn open(&self) -> Option<(usize, u64)> {
        let now = self.world.now;
        let ceiling = match self.rollout.get("ceiling") {
            None => 0,
            Some(name) => self.named(name)?,
        };
        if moment(&self.rollout["notBefore"]).is_some_and(|time| now < time) {
            return None;
        }
        let pauses = self.pauses();
        // A pause may begin where another ends.
        let effective = |mut at: u64| {
            while let Some((_, to)) = pauses.iter().find(|(from, to)| (*from..*to).contains(&at)) {
                at = *to;
            }
            at
        };
        let steps: Vec<(u64, usize)> = self.rollout["schedule"]
            .as_array()
            .map_or(&[] as &[Value], Vec::as_slice)
            .iter()
            .filter_map(|step| Some((effective(moment(&step["at"])?), self.named(&step["stage"])?)))
            .collect();
        let scheduled = steps.iter().rev().find(|(at, _)| *at <= now).map(|(_, stage)| (*stage).min(ceiling));
        let first = |open: usize| steps.iter().find(|(_, stage)| *stage >= open).map_or(0, |(at, _)| *at);
        if self.rollout["advance"] == "schedule" {
            let open = scheduled?;
            return Some((open, first(open)));
        }
        let (stage, since) = *self.world.pulse?.stages.get(self.flag)?;
        let stage = usize::from(stage).min(ceiling);
        if steps.is_empty() {
            return Some((stage, since));
        }
        let scheduled = scheduled?;
        let open = stage.min(scheduled);
        let since = match stage.cmp(&scheduled) {
            std::cmp::Ordering::Less => since,
            std::cmp::Ordering::Equal => since.max(first(open)),
            std::cmp::Ordering::Greater => first(open),
        };
        Some((open, since))
    }

    /// Seconds since then that were not paused.
    fn elapsed(&self, since: u64) -> u64 {
        let now = self.world.now;
        let paused: u64 =
            self.pauses().iter().map(|(from, to)| (*to).min(now).saturating_sub((*from).max(since))).sum();
        now.saturating_sub(since).saturating_sub(paused)
    }

    /// The full shares of a stage, none for an allow-list.
    fn full(&self, stage: usize) -> Option<(u64, u64)> {
        let stage = self.stages().get(stage)?;
        stage.get("treat").map(|treat| (share(treat), share(&stage["control"])))
    }

    /// The last share stage among those below `end`.
    fn last_share(&self, end: usize) -> Option<usize> {
        (0..end).rev().find(|stage| self.full(*stage).is_some())
    }

    /// Control's full share of the share stage in force while `open` is open.
    pub(super) fn control(&self, open: usize) -> u64 {
        self.last_share(open + 1).and_then(|stage| self.full(stage)).map_or(0, |(_, control)| control)
    }

    /// The shares of treatment and control at the present time.
    fn shares(&self, open: usize, since: u64) -> Option<(u64, u64)> {
        let stage = self.last_share(open + 1)?;
        let (treat, control) = self.full(stage)?;
        let (before, control_before) =
            self.last_share(stage).and_then(|stage| self.full(stage)).unwrap_or((0, 0));
        let part =
            |whole: u64, of: u64, all: u64| (u128::from(whole) * u128::from(of) / u128::from(all)) as u64;
        let ramp = seconds(&self.stages()[stage]["ramp"]);
        let elapsed = if stage == open { self.elapsed(since) } else { u64::MAX };
        let ramped = |whole: u64| if elapsed >= ramp { whole } else { part(whole, elapsed, ramp) };
        let full = treat - before;
        let mut limited = ramped(full);
        let window = &self.rollout["watch"];
        if window.get("share").is_some() && elapsed < seconds(&window["for"]) {
            limited = limited.min(share(&window["share"]));
        }
        let control_now = if control <= control_before {
            control
        } else if full > 0 {
            control_before + part(control - control_before, limited, full)
        } else {
            control_before + ramped(control - control_before)
        };
        Some((before + limited, control_now))
    }

    /// A share stage's probability of treatment among the units it takes in.
    fn probability(&self, stage: usize) -> u64 {
        let (treat, control) = self.full(stage).unwrap_or_default();
        let (before, control_before) =
            self.last_share(stage).and_then(|stage| self.full(stage)).unwrap_or((0, 0));
        let (treated, controls) = (treat - before, control.saturating_sub(control_before));
        if control < control_before || treat > HALF || controls == 0 || treated + controls == 0 {
            return 0;
        }
        (u128::from(treated) * u128::from(TOTAL) / u128::from(treated + controls)) as u64
    }

    /// Where the context's unit stands; none nowhere, or without a usable key.
    pub(super) fn place(&self, open: usize, since: u64) -> Option<Place> {
        let unit = unit_key(self.world.context, self.unit())?;
        for (index, stage) in self.stages().iter().enumerate().take(open + 1) {
            if stage.get("who").is_some_and(|who| self.listed(who)) {
                return Some(Place { arm: "treatment", cohort: index, probability: 0, listed: true });
            }
        }
        let position = position(&unit, "rollout", self.flag);
        let arm = arm(position, self.shares(open, since)?)?;
        let cohort = (0..=open)
            .find(|stage| self.full(*stage).is_some_and(|shares| self::arm(position, shares).is_some()))?;
        let shares = self.full(cohort)?;
        let intact = self::arm(position, shares) == Some(arm) && shares.1 <= self.control(open);
        let probability = if intact { self.probability(cohort) } else { 0 };
        Some(Place { arm, cohort, probability, listed: false })
    }

    /// Whether the context is on an allow-list: a segment's name, a shared rule's, a rule, or a list of such.
    fn listed(&self, who: &Value) -> bool {
        let rule = Rule { world: self.world, flag: self.flag };
        arguments(who).iter().any(|entry| match entry {
            Value::String(name) if self.world.definition["segments"].get(name).is_some() => {
                rule.segment(name)
            }
            Value::String(name) => truthy(&rule.run(&self.world.definition["$evaluators"][name])),
            entry => truthy(&rule.run(entry)),
        })
    }

    /// What keeps the context out before anything is hashed.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        let (consent, domain) = (&self.world.context["consent"], &self.world.context["dataDomain"]);
        let needed = &self.rollout["consent"];
        let granted = match consent {
            Value::Array(list) => list.contains(needed),
            Value::Object(object) => object.get(&text(needed)) == Some(&Value::Bool(true)),
            one => one == needed,
        };
        if !needed.is_null() && !granted {
            return Some("consent");
        }
        let domains = self.rollout["dataDomains"].as_array().filter(|domains| !domains.is_empty());
        domains.is_some_and(|domains| !domains.contains(domain)).then_some("data-domain")
    }
}

/// Treatment from below and, past one half, from the top; control from the middle.
fn arm(position: u64, (treat, control): (u64, u64)) -> Option<&'static str> {
    let from_top = TOTAL - treat.saturating_sub(HALF);
    if position < treat.min(HALF) || position >= from_top {
        Some("treatment")
    } else {
        (HALF..HALF + control).contains(&position).then_some("control")
    }
}
