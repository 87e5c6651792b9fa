//! A rollout plan as authored: the arms, who may be in, what must hold, and the ladder.

use serde::Serialize;

use crate::model::{DriftWatch, SliceWatch};
use crate::span::Spanned;
use crate::tree::Node;

/// A rollout plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// The variant that people have today.
    pub baseline: Spanned<String>,
    /// The variant being introduced.
    pub candidate: Spanned<String>,
    /// Dotted path of the attribute that identifies the unit.
    pub unit: String,
    /// The purpose that a context's `consent` must grant.
    pub consent: Option<String>,
    /// A context's `dataDomain` must be one of these; empty: any.
    pub data_domains: Vec<Spanned<String>>,
    /// The window of closer watching after each step up.
    pub watch: Option<Watch>,
    /// The guardrails in force: the flag's own, then the plan's.
    pub guardrails: Vec<Guardrail>,
    /// What should get better.
    pub success: Vec<Success>,
    /// Between whom it must stay fair.
    pub fairness: Option<Fairness>,
    /// Metrics that are watched by parts of the population, in the author's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceWatch>,
    /// Rates of the candidate that are held against a fixed one, in the author's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<DriftWatch>,
    /// The ladder, lowest first.
    pub stages: Vec<Stage>,
    /// Position of the highest stage that people approved; none keeps the plan closed.
    pub ceiling: Option<u8>,
    /// What opens stages.
    pub advance: Advance,
    /// Unix seconds before which the plan is closed.
    pub not_before: Option<u64>,
    /// Unix seconds from which on everybody gets the baseline.
    pub until: Option<u64>,
    /// From when on each stage may be open; times ascending, stages not falling.
    pub schedule: Vec<Step>,
    /// Spans of time in which nothing widens; ascending and apart.
    pub pauses: Vec<Pause>,
    /// Whether shares admit anybody new.
    pub intake: Intake,
}

impl Rollout {
    /// Position of the stage of that name.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<u8> {
        let at = self.stages.iter().position(|stage| stage.name == *name)?;
        u8::try_from(at).ok()
    }
}

/// What opens the stages of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Advance {
    /// The pulse.
    #[default]
    Pulse,
    /// The schedule alone.
    Schedule,
}

/// Whether shares admit anybody new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Intake {
    /// They do.
    #[default]
    Open,
    /// Only who remembers an arm stays in it.
    Paused,
}

/// A step of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Unix seconds.
    pub at: u64,
    /// Name of the stage.
    pub stage: Spanned<String>,
}

/// A span of time in which nothing widens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Unix seconds.
    pub from: u64,
    /// Unix seconds, after `from`; not part of the pause.
    pub to: u64,
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its name.
    pub name: Spanned<String>,
    /// Who is taken in.
    #[serde(flatten)]
    pub admission: Admission,
    /// Seconds that the stage stays open at least.
    pub bake: u64,
    /// Seconds over which its shares grow from those of the stage below, 0 for at once.
    pub ramp: u64,
    /// What must be there before the next stage.
    pub need: Need,
    /// Roles that must approve before this stage may open.
    pub approve: Vec<String>,
}

impl Stage {
    /// The shares of a share stage as (treatment, control), none for an allow-list stage.
    #[must_use]
    pub fn shares(&self) -> Option<(u32, u32)> {
        match self.admission {
            Admission::Share { treat, control } => Some((treat, control)),
            Admission::AllowList { .. } => None,
        }
    }
}

/// Who a stage takes in.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum Admission {
    /// Everyone in one of these; not randomised.
    AllowList {
        /// Segments, shared rules or conditions.
        who: Vec<Who>,
    },
    /// Random shares of all units.
    Share {
        /// The candidate's share, parts of `SHARE_TOTAL`.
        treat: u32,
        /// The concurrent control's share, parts of `SHARE_TOTAL`.
        control: u32,
    },
}

/// One entry of `who`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Who {
    /// The name of a segment, or of a rule under `$evaluators`.
    Named(Spanned<String>),
    /// JsonLogic in place.
    Rule(Node),
}

/// What a stage needs before the next one may open, besides time and guardrails.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Need {
    /// Exposed units at least.
    pub units: Option<u64>,
    /// Bad units in each arm at least, for each deterioration guardrail.
    pub bad: Option<u64>,
    /// Outcomes judged by people at least.
    pub audited: Option<u64>,
    /// A test suite, `name@version`, that must have passed.
    pub suite: Option<String>,
}

/// A metric in the role of a guard.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Guardrail {
    /// Name of the metric.
    pub metric: Spanned<String>,
    /// What it does.
    pub role: Role,
    /// Deterioration: its part of the plan's error budget, parts of `SHARE_TOTAL`; those of all
    /// deterioration guardrails add up to the total (evenly split unless the author says otherwise).
    /// 0 for other roles.
    pub share: u32,
    /// What promotion asks of it.
    pub promote: Option<NotWorseBy>,
}

/// What a guardrail does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// A single bad outcome takes the flag back.
    Tripwire,
    /// Evidence of harm takes the flag back.
    Deterioration,
    /// Must be shown to be no worse than its margin before promotion; never takes back.
    Guardrail,
    /// Must be shown to be better before the last stage opens.
    Success,
    /// Holds, never takes back.
    Signal,
    /// Measures the measuring: a difference between the arms makes the evidence invalid, which holds.
    Health,
    /// Counted and shown, never acts.
    Observe,
}

/// `promote: { notWorseBy: 10% }`: the margin of non-inferiority, relative to the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotWorseBy {
    /// Parts of `SHARE_TOTAL`.
    pub not_worse_by: u32,
}

/// A criterion of success.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Success {
    /// Name of the metric.
    pub metric: Spanned<String>,
    /// It must be shown to be better; false: reported only.
    pub better: bool,
}

/// `fairness`: no group may fare much worse than another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fairness {
    /// Name of the slice.
    pub by: Spanned<String>,
    /// Least ratio between the groups, parts of `SHARE_TOTAL`.
    pub disparity: u32,
}

/// `watch`: the restricted window that opens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// Seconds that it stays open.
    #[serde(rename = "for")]
    pub seconds: u64,
    /// Treated units at most that the stage may add while it is open, parts of `SHARE_TOTAL`: the engine sees to it.
    pub share: Option<u32>,
    /// Exposed units at most while it is open.
    pub at_most: Option<u64>,
    /// Seconds within which somebody must have acknowledged it.
    pub acknowledge: Option<u64>,
}
