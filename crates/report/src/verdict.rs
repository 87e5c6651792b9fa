//! The verdict in a sentence, and the next thing that happens by itself.

use flagstone_judge::{Action, Judgement};

use crate::model::{Stage, Standing};
use crate::words;
use crate::{Look, Question};

/// What people read first.
pub(crate) struct Verdict {
    pub(crate) standing: Standing,
    pub(crate) action: String,
    pub(crate) sentence: String,
    pub(crate) next: String,
}

/// The open stage.
pub(crate) fn stage(look: &Look) -> Option<Stage> {
    let index = look.state.stage?;
    let rule = look.rules.stages.get(usize::from(index))?;
    Some(Stage {
        index,
        name: rule.name.clone(),
        of: look.rules.stages.len(),
        opened: look.state.stage_opened,
        bake: rule.bake,
    })
}

fn place(look: &Look) -> String {
    stage(look).map_or_else(
        || "no stage".to_owned(),
        |stage| format!("stage `{}` ({} of {})", stage.name, usize::from(stage.index) + 1, stage.of),
    )
}

/// The stage above the open one.
fn above(look: &Look) -> Option<&str> {
    let next = usize::from(look.state.stage?) + 1;
    look.rules.stages.get(next).map(|stage| stage.name.as_str())
}

/// What is missing first, and how much more.
fn missing(judgement: &Judgement) -> Option<String> {
    let unmet: Vec<_> = judgement.requirements.iter().filter(|line| !line.met).collect();
    let first = unmet.first()?;
    let more = match unmet.len() - 1 {
        0 => String::new(),
        1 => ", and one thing more".to_owned(),
        more => format!(", and {more} things more"),
    };
    Some(format!("{} (have {}, need {}){more}", first.text, first.have, first.need))
}

pub(crate) fn verdict(question: &Question<'_>, look: &Look, judgement: &Judgement) -> Verdict {
    let say = |standing, sentence: String, next: String| Verdict {
        standing,
        action: words::action(judgement.action).to_owned(),
        sentence,
        next,
    };
    let baseline = question.baseline.map_or_else(|| "the baseline".to_owned(), |name| format!("`{name}`"));
    let reason = || judgement.reasons.first().cloned().unwrap_or_else(|| judgement.rule.to_owned());
    let again = look.rules.attempt.max(1).saturating_add(1);
    if question.phase == Some("halted") || judgement.action == Action::RollBack {
        let done = question.phase == Some("halted");
        let sentence = if done { "Taken back" } else { "Harm is shown; it is taken back" };
        let next = if done {
            format!(
                "Everyone gets {baseline}. A changed candidate or plan begins attempt {again}, with a smaller error budget."
            )
        } else {
            format!("Everyone goes back to {baseline} at the next tick, without anybody's approval.")
        };
        return say(Standing::TakenBack, format!("{sentence} at {}: {}.", place(look), reason()), next);
    }
    if let Some(by) = question.halted_by {
        let next = format!("Everyone gets {baseline} until somebody resumes it.");
        return say(Standing::Person, format!("Halted {by}."), next);
    }
    if question.phase == Some("closed") || look.state.stage.is_none() {
        let sentence = "Published, and open to nobody.".to_owned();
        let first = look.rules.stages.first().map_or("?", |stage| stage.name.as_str());
        let next = match look.rules.ceiling {
            Some(_) => format!("Stage `{first}` opens when an operator starts it."),
            None => "A release signature must approve a stage first.".to_owned(),
        };
        return say(Standing::Person, sentence, next);
    }
    let opens =
        above(look).map_or("the rollout is complete".to_owned(), |name| format!("stage `{name}` opens"));
    let missing = missing(judgement).unwrap_or_else(|| "the next tick".to_owned());
    match judgement.action {
        Action::RollBack | Action::Wait => say(
            Standing::Fine,
            format!(
                "Going on at {}: nothing speaks against the candidate, and something is still missing.",
                place(look)
            ),
            format!("By itself {opens} once this is met: {missing}."),
        ),
        Action::Hold => say(
            Standing::Person,
            format!("Held at {}: {}.", place(look), reason()),
            format!(
                "It goes on by itself once this is met: {missing}. Evidence of harm still takes it back at once."
            ),
        ),
        Action::AwaitApproval => say(
            Standing::Person,
            format!(
                "Waiting for people at {}: every requirement that evidence can meet is met.",
                place(look)
            ),
            format!("By itself {opens} when a snapshot with a higher ceiling is signed: {missing}."),
        ),
        Action::Advance { .. } => say(
            Standing::Fine,
            format!("Passed {}: every requirement is met.", place(look)),
            format!("By itself {opens} at the next tick."),
        ),
        Action::Complete => say(
            Standing::Fine,
            "Complete: the last stage has met every requirement.".to_owned(),
            "Nothing more opens; evidence of harm still takes it back while a comparison lasts.".to_owned(),
        ),
    }
}
