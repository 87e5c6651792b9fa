//! How a plan moves over time: what opens stages, from when to when, in which steps, with which pauses.

use flagstone_snapshot::FlagError;

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{Advance, Flag, Intake, Pause, Rollout, Step};
use crate::read::{Fields, Reader};
use crate::span::Span;
use crate::time;
use crate::tree::{Node, Value};

/// The parts of a plan that are about time.
#[derive(Debug, Default)]
pub(super) struct Timing {
    pub(super) advance: Advance,
    pub(super) not_before: Option<u64>,
    pub(super) until: Option<u64>,
    pub(super) schedule: Vec<Step>,
    pub(super) pauses: Vec<Pause>,
    pub(super) intake: Intake,
}

impl Reader<'_> {
    /// A point in time in unix seconds: RFC 3339, or the seconds themselves.
    pub(super) fn time(&mut self, key: &str, node: &Node) -> Option<u64> {
        let seconds = match &node.value {
            Value::Text(text) => time::unix_seconds(text),
            Value::Number(number) => number.as_count().and_then(|seconds| i64::try_from(seconds).ok()),
            _ => None,
        };
        let found =
            seconds.filter(|seconds| *seconds <= time::LAST).and_then(|seconds| u64::try_from(seconds).ok());
        if found.is_none() {
            let hint = match seconds {
                Some(seconds) if seconds > time::LAST => {
                    "unix time is in seconds, this looks like milliseconds"
                }
                Some(_) => "times begin with 1970",
                None => "write it as `2026-12-01T09:00:00Z`, or as unix seconds",
            };
            self.refuse(
                Diagnostic::error(Code::BadValue, node.span, format!("`{key}` is not a time")).hint(hint),
            );
        }
        found
    }

    pub(super) fn timing(&mut self, fields: &mut Fields<'_>) -> Timing {
        let advance = fields.take("advance").and_then(|node| {
            self.word("advance", node, &[("pulse", Advance::Pulse), ("schedule", Advance::Schedule)])
        });
        let not_before = fields.take("notBefore").and_then(|node| self.time("notBefore", node));
        let until_node = fields.take("until");
        let until = until_node.and_then(|node| self.time("until", node));
        if let (Some(from), Some(to), Some(node)) = (not_before, until, until_node)
            && to <= from
        {
            self.refuse(
                Diagnostic::error(Code::Schedule, node.span, "the plan ends before it begins")
                    .hint("`until` comes after `notBefore`"),
            );
        }
        let schedule = fields.take("schedule").map(|node| self.schedule(node)).unwrap_or_default();
        let pauses = fields.take("pauses").map(|node| self.pauses(node)).unwrap_or_default();
        let intake = fields.take("intake").and_then(|node| {
            self.word("intake", node, &[("open", Intake::Open), ("paused", Intake::Paused)])
        });
        Timing {
            advance: advance.unwrap_or_default(),
            not_before,
            until,
            schedule,
            pauses,
            intake: intake.unwrap_or_default(),
        }
    }

    /// A list of things with times, at most as many as a plan may have.
    fn moments<'n>(&mut self, key: &str, node: &'n Node) -> &'n [Node] {
        let Some(items) = node.as_list() else {
            self.wrong_kind(key, "a list", node);
            return &[];
        };
        if items.is_empty() || items.len() > limits::SCHEDULE {
            self.refuse(
                Diagnostic::error(Code::Schedule, node.span, format!("`{key}` is empty, or far too long"))
                    .hint(format!("1 to {} entries, or leave it out", limits::SCHEDULE)),
            );
        }
        items
    }

    fn schedule(&mut self, node: &Node) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for item in self.moments("schedule", node) {
            let Some(mut fields) = Fields::open(self, "a step of the schedule", item) else { continue };
            let at_node = fields.need(self, "a step", "at");
            let at = at_node.and_then(|node| self.time("at", node));
            let stage = fields.need(self, "a step", "stage").and_then(|node| self.text("stage", node));
            fields.finish(self, "a step of the schedule", true);
            let (Some(at), Some(stage), Some(node)) = (at, stage, at_node) else { continue };
            if steps.last().is_some_and(|earlier| at <= earlier.at) {
                self.refuse(
                    Diagnostic::error(Code::Schedule, node.span, "this step is not after the one before it")
                        .hint("steps stand in the order of their times"),
                );
            }
            steps.push(Step { at, stage });
        }
        steps
    }

    fn pauses(&mut self, node: &Node) -> Vec<Pause> {
        let mut pauses: Vec<Pause> = Vec::new();
        for item in self.moments("pauses", node) {
            let Some(mut fields) = Fields::open(self, "a pause", item) else { continue };
            let from = fields.need(self, "a pause", "from").and_then(|node| self.time("from", node));
            let to = fields.need(self, "a pause", "to").and_then(|node| self.time("to", node));
            fields.finish(self, "a pause", true);
            let (Some(from), Some(to)) = (from, to) else { continue };
            if to <= from {
                self.refuse(Diagnostic::error(Code::Schedule, item.span, "the pause ends before it begins"));
            }
            match pauses.last_mut() {
                Some(earlier) if from < earlier.to => self.refuse(
                    Diagnostic::error(Code::Schedule, item.span, "the pause begins before the last one ends")
                        .hint("pauses stand in the order of their times and do not overlap"),
                ),
                // Two that meet are one.
                Some(earlier) if from == earlier.to => earlier.to = to,
                _ => pauses.push(Pause { from, to }),
            }
        }
        pauses
    }

    /// `ramp` of a stage; `listed` when it is an allow-list.
    pub(super) fn ramp(&mut self, node: &Node, listed: bool) -> Option<u64> {
        if listed {
            self.refuse(
                Diagnostic::error(Code::Ladder, node.span, "an allow-list has no `ramp`")
                    .hint("only shares grow by and by"),
            );
        }
        let seconds = self.duration("ramp", node)?;
        self.not_too_long("ramp", seconds, node);
        Some(seconds)
    }

    pub(super) fn not_too_long(&mut self, key: &str, seconds: u64, node: &Node) {
        if seconds > limits::RAMP_SECONDS {
            self.refuse(
                Diagnostic::error(Code::BadValue, node.span, format!("`{key}` is far too long"))
                    .hint("ten years at most"),
            );
        }
    }

    /// What the parts of a plan's timing ask of its stages and of its flag.
    pub(super) fn timing_fits(&mut self, rollout: &Rollout, flag: &Flag, head: Span) {
        if rollout.advance == Advance::Schedule && rollout.schedule.is_empty() {
            self.refuse(
                Diagnostic::error(
                    Code::Schedule,
                    head,
                    "`advance: schedule` without a `schedule` opens nothing",
                )
                .hint("add `schedule: [{ at: 2026-12-01T09:00:00Z, stage: … }]`"),
            );
        }
        if rollout.intake == Intake::Paused && flag.sticky.is_none() {
            self.refuse(
                Diagnostic::error(
                    Code::Intake,
                    head,
                    "`intake: paused` would throw everybody out of the plan",
                )
                .label(flag.key.span, "its decisions are not remembered")
                .hint("who is in stays in by what is remembered: give the flag `sticky: true`"),
            );
        }
        let mut earlier: Option<(u8, &Step)> = None;
        let mut above = false;
        for step in &rollout.schedule {
            if !self.known("stage", &step.stage, rollout.stages.iter().map(|stage| stage.name.as_str())) {
                continue;
            }
            let Some(at) = rollout.stage(&step.stage) else { continue };
            if let Some((below, last)) = earlier
                && at < below
            {
                self.refuse(
                    Diagnostic::error(
                        Code::Schedule,
                        step.stage.span,
                        format!("the schedule goes back from `{}` to `{}`", last.stage, step.stage),
                    )
                    .label(last.stage.span, "already here")
                    .hint("a schedule only widens; halting and lowering are for the pulse"),
                );
            }
            if rollout.ceiling.is_none_or(|ceiling| at > ceiling)
                && !above
                && self.broken != Some(FlagError::Parse)
            {
                above = true;
                self.push(
                    Diagnostic::warning(
                        Code::Schedule,
                        step.stage.span,
                        format!("`{}` is above the ceiling, so this step opens nothing more", step.stage),
                    )
                    .hint("raise `ceiling` once people have approved it"),
                );
            }
            if rollout.until.is_some_and(|until| step.at >= until) {
                self.push(Diagnostic::warning(
                    Code::Schedule,
                    step.stage.span,
                    format!("`{}` comes when the plan has ended", step.stage),
                ));
            }
            earlier = Some((at, step));
        }
        self.held_back(rollout, earlier);
    }

    /// A schedule that stops below the ceiling holds the stages above it back for ever.
    fn held_back(&mut self, rollout: &Rollout, last: Option<(u8, &Step)>) {
        let (Some((reached, step)), Some(ceiling)) = (last, rollout.ceiling) else { return };
        let next = rollout.stages.get(usize::from(reached) + 1);
        if let (Some(stage), true) = (next, reached < ceiling) {
            self.push(
                Diagnostic::warning(
                    Code::UnreachableStage,
                    stage.name.span,
                    format!("no step of the schedule opens `{}`", stage.name),
                )
                .label(step.stage.span, "the schedule ends here")
                .hint("a stage without a step stays closed; add one, or leave the schedule out"),
            );
        }
    }
}
