//! Many rollouts over all cores, with a result that does not depend on how many there are.

use flagstone_snapshot::Snapshot;
use rayon::prelude::*;

use crate::rollout::{Ending, Steering, roll_out};
use crate::scenario::Scenario;
use crate::summary::{About, Goal, Row, summarise};

/// How much to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Where chance comes from: the same seed, the same table.
    pub seed: u64,
    /// Rollouts of each scenario.
    pub rollouts: u64,
    /// Units of each rollout instead of the scenario's own; where something is to be found no fewer than its own.
    pub units: Option<u32>,
    /// Ask also what others would have done. Stages then move by their bake times, so that all see the same rollout.
    pub compare: bool,
}

impl Scenario {
    /// How many rollouts are made of it.
    #[must_use]
    pub fn rollouts(&self, settings: &Settings) -> u64 {
        settings.rollouts.min(self.rollouts_at_most)
    }

    /// How many units each of them has: as many as asked for, but no fewer than what is to be found needs.
    #[must_use]
    pub fn units(&self, settings: &Settings) -> u32 {
        let needed = if self.goal == Goal::NoHarm || self.goal == Goal::Shown { 1 } else { self.world.units };
        settings.units.map_or(self.world.units, |units| units.max(needed))
    }
}

/// Simulates one scenario. `done` is called after each rollout, from several threads.
///
/// # Errors
/// In words, when the plan cannot be loaded, or enrols nobody.
pub fn run(scenario: &Scenario, settings: &Settings, done: &(dyn Fn() + Sync)) -> Result<Row, String> {
    let trial = &scenario.trial;
    let snapshot =
        Snapshot::load(&trial.snapshot).map_err(|error| format!("the snapshot is refused: {error}"))?;
    let mut world = scenario.world.clone();
    world.units = scenario.units(settings);
    let steering = match (settings.compare, scenario.until_alarm) {
        // The others do not ask whether the comparison is sound: there is nothing to compare.
        (_, true) => Steering::Alarm,
        (true, false) => Steering::Clock,
        (false, false) => Steering::Judge,
    };
    let endings: Vec<Ending> = (0..scenario.rollouts(settings))
        .into_par_iter()
        .map(|number| {
            let ending = roll_out(trial, &snapshot, &world, settings.seed, number, steering);
            done();
            ending
        })
        .collect();
    if !endings.is_empty() && endings.iter().all(|ending| ending.enrolled == 0) {
        return Err(format!(
            "`{}`: not one of {} units came into the comparison\n\
             hint: prerequisites, layers, holdouts and dates keep units out here as they do in earnest",
            trial.flag, world.units
        ));
    }
    let about = About {
        name: &scenario.name,
        title: &scenario.title,
        units: world.units,
        stages: trial.stages.iter().map(|stage| stage.name.clone()).collect(),
        goal: scenario.goal,
        design: scenario.design,
    };
    Ok(summarise(about, &endings))
}
