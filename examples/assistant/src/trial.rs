//! Trying a behaviour offline: many generated questions through retrieval, model and measure, without HTTP or flags.
//! It shows what a behaviour is really like, by slice, before it is rolled out.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use crate::model::Model;
use crate::prompt::Behaviour;
use crate::service::Parts;
use crate::traffic::{Surface, Traffic};

/// Counts over the answers of one slice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Answers.
    pub answers: u32,
    /// Answers with at least one unsupported statement.
    pub unsupported: u32,
    /// Answers without the fact asked for.
    pub unanswered: u32,
    /// Refusals.
    pub refused: u32,
}

impl Tally {
    /// A count as a share of the answers, in percent.
    pub fn percent(&self, count: u32) -> f64 {
        100.0 * f64::from(count) / f64::from(self.answers.max(1))
    }
}

/// What a behaviour did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Trial {
    /// All answers.
    pub all: Tally,
    /// By slice, such as `language=de`.
    pub slices: BTreeMap<String, Tally>,
    /// Mean microseconds for retrieval, model and measure.
    pub mean_microseconds: u64,
    /// The first answers, as question and answer.
    pub samples: Vec<(String, String)>,
}

/// Answers `count` questions of a surface under a behaviour.
///
/// # Errors
/// The behaviour names a template that does not exist.
pub fn run(
    parts: &Parts,
    model: &Model,
    behaviour: &Behaviour,
    surface: Surface,
    count: u32,
    seed: u64,
) -> Result<Trial> {
    let traffic = Traffic::new(seed, 2_000, 0, &parts.passages);
    let template = parts.templates.get(&behaviour.prompt_template)?;
    let mut trial = Trial::default();
    let start = Instant::now();
    let requests = (0..u64::MAX)
        .filter_map(|number| traffic.request(number, &parts.passages))
        .filter(|request| request.surface == surface)
        .take(count as usize);
    for request in requests {
        let Some(passage) = parts.passages.get(request.passage) else { continue };
        let messages =
            template.render(&request.question, behaviour.retrieval_depth, &parts.index, &parts.passages);
        let answer = model.complete(&messages, &behaviour.settings(request.seed)).text;
        let measured = parts.checker.measure(&answer, &passage.fact);
        let slices = [
            format!("language={}", passage.language.code()),
            format!("style={}", request.style.name()),
            format!("intent={}", request.intent.name()),
        ];
        let each = slices.into_iter().map(Some).chain([None]);
        for slice in each {
            let tally = match slice {
                Some(slice) => trial.slices.entry(slice).or_default(),
                None => &mut trial.all,
            };
            tally.answers += 1;
            tally.unsupported += u32::from(measured.unsupported > 0);
            tally.unanswered += u32::from(!measured.found);
            tally.refused += u32::from(measured.refused);
        }
        if trial.samples.len() < 12 {
            trial.samples.push((request.question, answer));
        }
    }
    let elapsed = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    trial.mean_microseconds = elapsed / u64::from(trial.all.answers.max(1));
    Ok(trial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{edition::DEFINITION, operator::behaviours};

    /// The demonstration stands on this: whatever the seed, one candidate is better for everybody and the other is
    /// worse for those who do not write English.
    #[test]
    fn the_candidates_are_what_the_demonstration_says_they_are() {
        let parts = Parts::load().unwrap();
        let model = Model::train(&parts.passages);
        let behaviours = behaviours(DEFINITION).unwrap();
        for seed in 1..=5 {
            let try_one = |variant: &str, surface: Surface| {
                let (_, _, behaviour) = behaviours
                    .iter()
                    .find(|(flag, name, _)| flag == surface.flag() && name == variant)
                    .unwrap();
                run(&parts, &model, behaviour, surface, 1_000, seed).unwrap()
            };
            let today = try_one("today", Surface::Chat).all;
            let sharper = try_one("sharper", Surface::Chat).all;
            assert!(sharper.unsupported * 3 < today.unsupported, "seed {seed}: {today:?} {sharper:?}");
            assert!(sharper.unanswered * 2 < today.unanswered, "seed {seed}: {today:?} {sharper:?}");
            let today = try_one("today", Surface::Email);
            let english = try_one("english-first", Surface::Email);
            let unanswered = |trial: &Trial, slice: &str| {
                let tally = trial.slices.get(slice).copied().unwrap_or_default();
                tally.percent(tally.unanswered)
            };
            assert!(unanswered(&english, "language=en") <= unanswered(&today, "language=en"), "seed {seed}");
            for slice in ["language=de", "language=fr"] {
                assert!(
                    unanswered(&english, slice) > 4.0 * unanswered(&today, slice),
                    "seed {seed}, {slice}"
                );
            }
            assert!(english.all.unanswered > 2 * today.all.unanswered, "seed {seed}");
            assert!(english.all.refused > 20 * today.all.refused, "seed {seed}");
        }
    }
}
