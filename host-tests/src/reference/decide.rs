//! The order of checks for one flag; the first that applies decides.

use serde_json::{Value, json};

use super::amounts::{moment, share};
use super::plan::{Plan, position, unit_key};
use super::rules::{Rule, arguments, usable};
use super::{Answer, World};

/// Decides a flag of the definition.
#[must_use]
pub fn decide(world: World<'_>, key: &str) -> Answer {
    let Some(flag) = world.definition["flags"].get(key) else { return Answer::failed("FLAG_NOT_FOUND") };
    Deciding { world, key, flag }.flag()
}

struct Deciding<'a> {
    world: World<'a>,
    key: &'a str,
    flag: &'a Value,
}

/// What a context remembers of a flag.
struct Memory<'a> {
    token: &'a str,
    arm: &'a str,
    cohort: Option<usize>,
    variant: &'a str,
}

impl<'a> Deciding<'a> {
    fn flag(&self) -> Answer {
        let (flag, now) = (self.flag, self.world.now);
        if !self.usable() {
            return Answer::failed("PARSE_ERROR");
        }
        if self.would_be_raised() {
            return Answer::failed("GENERAL");
        }
        if flag["state"] != "ENABLED" {
            return Answer::new(None, "DISABLED");
        }
        let safe = |reason, detail| Answer::new(self.baseline(), reason).detailed(detail);
        let pulse = self.world.pulse;
        if pulse.is_some_and(|pulse| pulse.halts.iter().any(|halted| halted == self.key)) {
            return Answer { stopped: true, ..safe("DEFAULT", "halt") };
        }
        if flag["onExpiry"] == "safe" && pulse.is_none_or(|pulse| now >= pulse.expires) {
            return Answer { stopped: true, ..safe("STALE", "expired") };
        }
        let plan = flag.get("rollout").map(|rollout| Plan { world: self.world, flag: self.key, rollout });
        if let Some(plan) = &plan {
            if let Some(refusal) = plan.refusal() {
                return safe("DEFAULT", refusal);
            }
            if moment(&plan.rollout["until"]).is_some_and(|until| now >= until) {
                return safe("DEFAULT", "ended");
            }
        }
        if let Some(answer) = self.unmet() {
            return Answer { stopped: answer.stopped, ..safe("DEFAULT", "prerequisite") };
        }
        if self.held_out() {
            return safe("DEFAULT", "holdout");
        }
        if self.outside_its_layer() {
            return safe("DEFAULT", "layer");
        }
        let unit = plan.map_or("targetingKey", |plan| plan.unit());
        if let Some(variant) = self.overridden(unit) {
            return Answer::new(Some(variant), "TARGETING_MATCH").detailed("override");
        }
        self.assigned(plan)
    }

    /// What was remembered, the open stage, targeting.
    fn assigned(&self, plan: Option<Plan<'_>>) -> Answer {
        let open = plan.and_then(|plan| plan.open());
        let place = plan.zip(open).and_then(|(plan, (open, since))| plan.place(open, since));
        let memory = self.memory();
        let (baseline, candidate) = (self.baseline(), &self.flag["rollout"]["candidate"]);
        if let (Some(memory), Some(plan), Some((open, _))) = (&memory, plan, open)
            && let Some(cohort) = memory.cohort.filter(|cohort| *cohort <= open)
        {
            let arm = match memory.arm {
                "t" if candidate == memory.variant => Some("treatment"),
                "c" if baseline.as_deref() == Some(memory.variant) && plan.control(open) > 0 => {
                    Some("control")
                }
                _ => None,
            };
            // Everybody on an allow-list is treated, whatever is remembered.
            let same =
                place.is_some_and(|place| place.listed || Some(place.arm) == arm && place.cohort == cohort);
            if arm.is_some() && !same {
                return Answer {
                    arm,
                    stage: Some(open),
                    cohort: Some(cohort),
                    remember: Some(memory.token.to_owned()),
                    ..Answer::new(Some(memory.variant.to_owned()), "SPLIT").detailed("remembered")
                };
            }
            if let Some(place) = place.filter(|_| same) {
                return self.placed(place, open);
            }
        }
        let stage = open.map(|(open, _)| open);
        let paused = self.flag["rollout"]["intake"] == "paused";
        if let Some((place, open)) = place.zip(stage).filter(|(place, _)| place.listed || !paused) {
            return self.placed(place, open);
        }
        let mut answer = match memory.filter(|memory| memory.arm == "n" && self.has_targeting()) {
            Some(memory) => Answer {
                remember: Some(memory.token.to_owned()),
                ..Answer::new(Some(memory.variant.to_owned()), "TARGETING_MATCH").detailed("remembered")
            },
            None => self.targeted(),
        };
        if plan.is_some() && answer.detail.is_none() {
            answer.detail = Some(if place.is_some() { "paused" } else { "closed" });
        }
        answer.stage = stage;
        answer
    }

    fn placed(&self, place: super::plan::Place, open: usize) -> Answer {
        let treated = place.arm == "treatment";
        let variant = if treated {
            self.flag["rollout"]["candidate"].as_str().map(str::to_owned)
        } else {
            self.baseline()
        };
        let reason = if place.listed { "TARGETING_MATCH" } else { "SPLIT" };
        let token =
            format!("{}:{}:{}", &place.arm[..1], place.cohort, variant.as_deref().unwrap_or_default());
        Answer {
            arm: Some(place.arm),
            stage: Some(open),
            cohort: Some(place.cohort),
            probability: place.probability,
            remember: self.version().filter(|_| !place.listed).map(|version| format!("{version}:{token}")),
            ..Answer::new(variant, reason).detailed(if treated { "stage" } else { "control" })
        }
    }

    fn targeted(&self) -> Answer {
        let default = self.flag["defaultVariant"].as_str().map(str::to_owned);
        if !self.has_targeting() {
            let reason = if default.is_some() { "STATIC" } else { "DEFAULT" };
            return Answer::new(default, reason);
        }
        let name = match self.rule(&self.flag["targeting"]) {
            Value::Null => return Answer::new(default, "DEFAULT"),
            Value::String(name) => name,
            Value::Bool(value) => value.to_string(),
            _ => return Answer::failed("GENERAL"),
        };
        if self.flag["variants"].get(&name).is_none() {
            return Answer::failed("GENERAL");
        }
        let remember = self.version().map(|version| format!("{version}:n:-:{name}"));
        Answer { remember, ..Answer::new(Some(name), "TARGETING_MATCH") }
    }

    fn has_targeting(&self) -> bool {
        self.flag["targeting"].as_object().is_some_and(|rule| !rule.is_empty())
    }

    fn rule(&self, rule: &Value) -> Value {
        Rule { world: self.world, flag: self.key }.run(rule)
    }

    /// Whether every rule of the flag can be used.
    fn usable(&self) -> bool {
        let stages = self.flag["rollout"]["stages"].as_array().into_iter().flatten();
        let rules = stages.flat_map(|stage| arguments(&stage["who"])).chain([&self.flag["targeting"]]);
        rules.into_iter().all(|rule| match rule {
            Value::String(name) => {
                let operator =
                    if self.world.definition["segments"].get(name).is_some() { "segment" } else { "$ref" };
                usable(self.world.definition, &json!({operator: name}), &mut Vec::new())
            }
            rule => usable(self.world.definition, rule, &mut Vec::new()),
        })
    }

    /// The safe variant.
    fn baseline(&self) -> Option<String> {
        [&self.flag["rollout"]["baseline"], &self.flag["baseline"], &self.flag["defaultVariant"]]
            .iter()
            .find_map(|name| name.as_str().map(str::to_owned))
    }

    /// Whether it asks for the baseline alone of a flag with a plan, which `compile` refuses.
    fn would_be_raised(&self) -> bool {
        self.flag["prerequisites"].as_object().into_iter().flatten().any(|(other, variants)| {
            let plan = &self.world.definition["flags"][other]["rollout"];
            let asks = |name: &Value| arguments(variants).iter().any(|variant| variant == name);
            plan.is_object() && asks(&plan["baseline"]) && !asks(&plan["candidate"])
        })
    }

    /// The answer of the first prerequisite that is not met.
    fn unmet(&self) -> Option<Answer> {
        self.flag["prerequisites"].as_object().into_iter().flatten().find_map(|(other, variants)| {
            let answer = decide(self.world, other);
            let named = |variant: &String| arguments(variants).iter().any(|name| name == variant);
            let met = !answer.stopped && answer.error.is_none() && answer.variant.as_ref().is_some_and(named);
            (!met).then_some(answer)
        })
    }

    fn held_out(&self) -> bool {
        self.world.definition["holdouts"].as_object().into_iter().flatten().any(|(name, holdout)| {
            let about =
                holdout["flags"] == "*" || arguments(&holdout["flags"]).iter().any(|key| key == self.key);
            let lasts = moment(&holdout["until"]).is_none_or(|until| self.world.now < until);
            let unit = unit_key(self.world.context, holdout["unit"].as_str().unwrap_or("targetingKey"));
            let inside = unit.is_none_or(|unit| position(&unit, "holdout", name) < share(&holdout["share"]));
            about && lasts && inside
        })
    }

    fn outside_its_layer(&self) -> bool {
        self.world.definition["layers"].as_object().into_iter().flatten().any(|(name, layer)| {
            let Some(ranges) = layer["flags"].get(self.key) else { return false };
            let unit = unit_key(self.world.context, layer["unit"].as_str().unwrap_or("targetingKey"));
            let Some(unit) = unit else { return true };
            let position = position(&unit, "layer", name);
            !arguments(ranges)
                .iter()
                .any(|range| (share(&range["from"])..share(&range["to"])).contains(&position))
        })
    }

    fn overridden(&self, unit: &str) -> Option<String> {
        let unit = super::at(self.world.context, unit)?;
        let overrides = self.flag["overrides"].as_object()?;
        overrides.iter().find(|(_, keys)| arguments(keys).contains(unit)).map(|(variant, _)| variant.clone())
    }

    /// The sticky version, none for flags that are not.
    fn version(&self) -> Option<u64> {
        match &self.flag["sticky"] {
            Value::Bool(true) => Some(1),
            version => version.as_u64(),
        }
    }

    fn memory(&self) -> Option<Memory<'a>> {
        let version = self.version()?;
        let token = self.world.context["remembered"].get(self.key)?.as_str()?;
        let parts: Vec<&str> = token.splitn(4, ':').collect();
        let [number, arm, cohort, variant] = parts.as_slice() else { return None };
        let cohort = match *cohort {
            "-" => None,
            cohort => Some(cohort.parse().ok()?),
        };
        let fits = number.parse() == Ok(version)
            && ["t", "c", "n"].contains(arm)
            && cohort.is_some() == (*arm != "n")
            && self.flag["variants"].get(*variant).is_some();
        fits.then_some(Memory { token, arm, cohort, variant })
    }
}
