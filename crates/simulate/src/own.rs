//! Scenarios of a person's own plan: nothing changes, and each metric that can take it back doubles or grows fivefold.

use flagstone_judge::Role;

use crate::scenario::Scenario;
use crate::summary::Goal;
use crate::trial::Trial;
use crate::world::{Effect, World};

/// What to assume of the population.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Own {
    /// How many units there are.
    pub units: u32,
    /// Mean visits of a unit over all of the time.
    pub visits: f64,
    /// Virtual days; none: one and a half times what the stages bake.
    pub days: Option<u32>,
}

/// The scenarios of a plan. Units differ in how often they come and how fragile they are.
#[must_use]
pub fn own(trial: &Trial, own: &Own) -> Vec<Scenario> {
    let stages = trial.stages.iter().skip(usize::from(trial.first));
    let bake = stages.fold(0_u64, |sum, stage| sum.saturating_add(stage.bake));
    let seconds = own.days.map_or((bake.saturating_mul(3) / 2).max(86_400), |days| u64::from(days) * 86_400);
    let world = World {
        units: own.units,
        // Visits are kept to the second in 32 bits.
        seconds: seconds.min(u64::from(u32::MAX)),
        visits: own.visits,
        volume: 1.0,
        frail: true,
        ..World::default()
    };
    let scenario = |name: String, title: String, effect: Effect, goal| Scenario {
        name,
        title,
        world: World { effect, ..world.clone() },
        trial: trial.clone(),
        goal,
        design: "",
        rollouts_at_most: u64::MAX,
        until_alarm: false,
    };
    let flag = &trial.flag;
    let mut all =
        vec![scenario(format!("{flag}/same"), "no change".to_owned(), Effect::default(), Goal::NoHarm)];
    for meter in trial.meters.iter().filter(|meter| meter.role == Role::Deterioration) {
        for (word, ratio) in [("doubled", 2.0), ("fivefold", 5.0)] {
            let effect = Effect { ratio, segment: None, source: Some(meter.source) };
            let name = format!("{flag}/{}-{word}", meter.name);
            all.push(scenario(name, format!("`{}` {word}", meter.name), effect, Goal::Shown));
        }
    }
    all
}
