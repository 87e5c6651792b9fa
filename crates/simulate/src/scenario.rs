//! The scenarios: populations and candidates of which it is known what the judge should say.
//!
//! Fixed stages are those of the design's section 3.1, each unit coming once; there the attempt has all of alpha = 0.05,
//! as in the design. Ramps climb four stages of the default plan with the error budget of a first attempt (0.0304).

use flagstone_compile::Source;

use crate::summary::Goal;
use crate::trial::{BaseRates, Trial, trials};
use crate::world::{Effect, Loss, World};

/// A scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: String,
    /// What it is about.
    pub title: String,
    /// The population and what the candidate does to it.
    pub world: World,
    /// The plan.
    pub trial: Trial,
    /// What it has to show.
    pub goal: Goal,
    /// What the design measured in this setting; empty where it did not.
    pub design: &'static str,
    /// Rollouts of it are so large that no more than this many are made.
    pub rollouts_at_most: u64,
    /// Ends with the first alarm of the sample ratio.
    pub until_alarm: bool,
}

/// Seconds of a stage of the ramps.
const BAKE: u64 = 86_400;
/// Share of all units in the four segments of scenarios about segments.
const SEGMENTS: [f64; 4] = [0.4, 0.3, 0.2, 0.1];
/// α of the attempt such that the first attempt has 0.05.
const WHOLE_ALPHA: f64 = 0.05 * core::f64::consts::PI * core::f64::consts::PI / 6.0;

/// What is written down of a scenario.
struct Sketch {
    name: &'static str,
    title: &'static str,
    goal: Goal,
    design: &'static str,
    stages: &'static [(&'static str, &'static str)],
    base_rate: f64,
    world: World,
}

const HALF: &[(&str, &str)] = &[("50%", "50%")];
/// One treated unit for 99 controls, as in the design; half of all units are in neither.
const ONE_TO_99: &[(&str, &str)] = &[("0.5%", "49.5%")];
/// The design's first stage of random units.
const ONE_TO_9: &[(&str, &str)] = &[("1%", "9%")];
const RAMP: &[(&str, &str)] = &[("1%", "9%"), ("5%", "20%"), ("25%", "40%"), ("50%", "50%")];

/// People who come back, some of them all the time, some fragile, while the base rate doubles.
fn returning() -> World {
    World {
        units: 20_000,
        seconds: 4 * BAKE,
        visits: 4.0,
        volume: 1.0,
        frail: true,
        drift: 2.0,
        ..World::default()
    }
}

fn harm(ratio: f64, world: World) -> World {
    World { effect: Effect { ratio, ..Effect::default() }, ..world }
}

fn once(units: u32) -> World {
    World { units, ..World::default() }
}

fn sketches() -> Vec<Sketch> {
    let found = |at_least| Goal::Found { at_least, median_at_most: 0 };
    let sketch = |name, title, goal, design, stages, base_rate, world| Sketch {
        name,
        title,
        goal,
        design,
        stages,
        base_rate,
        world,
    };
    let lost = |exposures_come| World { loss: Some(Loss { share: 0.01, exposures_come }), ..once(2_000_000) };
    let segments = |world| World { segments: SEGMENTS.to_vec(), ..world };
    vec![
        sketch(
            "same-half",
            "no change, 50/50, 2 %",
            Goal::NoHarm,
            "2.2 % rolled back",
            HALF,
            0.02,
            once(40_000),
        ),
        sketch(
            "same-1-99",
            "no change, 1/99, 2 %",
            Goal::NoHarm,
            "2.2 % rolled back",
            ONE_TO_99,
            0.02,
            once(200_000),
        ),
        sketch(
            "same-returning",
            "no change, ramp, returning, frail, base rate doubles",
            Goal::NoHarm,
            "2.8-3.0 % rolled back",
            RAMP,
            0.04,
            returning(),
        ),
        sketch(
            "same-drift",
            "no change, ramp, new units, base rate grows fourfold",
            Goal::NoHarm,
            "2.1-3.0 % (pooled: 99.3 %)",
            RAMP,
            0.02,
            World { seconds: 4 * BAKE, drift: 4.0, ..once(80_000) },
        ),
        sketch(
            "same-heavy",
            "no change, 50/50, some come very often",
            Goal::NoHarm,
            "1.9-2.1 % rolled back",
            HALF,
            0.1,
            World { units: 4_000, visits: 20.0, volume: 1.5, frail: true, ..World::default() },
        ),
        sketch(
            "same-delayed",
            "no change, ramp, outcomes half a stage late",
            Goal::NoHarm,
            "",
            RAMP,
            0.04,
            World { delay: 0.125, ..returning() },
        ),
        sketch(
            "same-bots",
            "no change, ramp, 0.2 % bots",
            Goal::NoHarm,
            "",
            RAMP,
            0.04,
            World { bots: 0.002, bot_visits: 400.0, ..returning() },
        ),
        sketch(
            "same-segments",
            "no change, ramp, four segments",
            Goal::NoHarm,
            "",
            RAMP,
            0.04,
            segments(returning()),
        ),
        sketch(
            "half-more",
            "2 % -> 3 %, 50/50",
            found(0.99),
            "99.9 %, median 3,680 treated",
            HALF,
            0.02,
            harm(1.5, once(40_000)),
        ),
        sketch(
            "doubling",
            "2 % -> 4 %, 1/99",
            Goal::Found { at_least: 0.99, median_at_most: 500 },
            "99.4 %, median 473 treated",
            ONE_TO_99,
            0.02,
            harm(2.0, once(400_000)),
        ),
        sketch(
            "fivefold",
            "2 % -> 10 %, 1/99",
            found(0.99),
            "100 %, median 55 treated",
            ONE_TO_99,
            0.02,
            harm(5.0, once(400_000)),
        ),
        sketch(
            "doubling-1-9",
            "2 % -> 4 %, 1 % treated, 9 % control",
            found(0.99),
            "",
            ONE_TO_9,
            0.02,
            harm(2.0, once(250_000)),
        ),
        sketch(
            "doubling-ramp",
            "doubled, ramp, returning",
            found(0.99),
            "100 %, 15 % of them in the first stage",
            RAMP,
            0.04,
            harm(2.0, returning()),
        ),
        sketch(
            "fivefold-ramp",
            "five times, ramp, returning",
            found(0.99),
            "",
            RAMP,
            0.04,
            harm(5.0, returning()),
        ),
        sketch(
            "segment",
            "three times in a segment of 10 %, ramp",
            found(0.95),
            "",
            RAMP,
            0.04,
            World {
                effect: Effect { ratio: 3.0, segment: Some(3), source: None },
                ..segments(World { units: 60_000, ..returning() })
            },
        ),
        sketch(
            "loss-units",
            "1 % of the treated never reported, 50/50",
            Goal::Alarm { at_least: 0.95 },
            "",
            HALF,
            0.002,
            lost(false),
        ),
        sketch(
            "loss-outcomes",
            "1 % of the treated without outcomes, 50/50",
            Goal::Alarm { at_least: 0.95 },
            "",
            HALF,
            0.002,
            lost(true),
        ),
    ]
}

/// All scenarios, in the order of the table.
///
/// # Errors
/// In words, when one's own definition does not compile.
pub fn all() -> Result<Vec<Scenario>, String> {
    sketches().into_iter().map(scenario).collect()
}

fn scenario(sketch: Sketch) -> Result<Scenario, String> {
    let text = definition(sketch.stages, sketch.world.segments.len());
    let rates = BaseRates { general: sketch.base_rate, ..BaseRates::default() };
    let source = Source::new(sketch.name, text);
    let mut trial =
        trials(&source, &rates, BAKE)?.pop().ok_or_else(|| format!("`{}` has no plan", sketch.name))?;
    // Beside the metric of all units stands one for each segment, which reads the same outcomes: each has its part of the
    // error budget, so that harm to any segment is found at the same overall error rate.
    for (position, meter) in trial.meters.iter_mut().enumerate() {
        meter.source = 0;
        meter.segment = position.checked_sub(1).and_then(|segment| u8::try_from(segment).ok());
    }
    if sketch.stages.len() == 1 {
        trial.rules.alpha = WHOLE_ALPHA;
    }
    let until_alarm = sketch.world.loss.is_some();
    Ok(Scenario {
        name: sketch.name.to_owned(),
        title: sketch.title.to_owned(),
        goal: sketch.goal,
        design: sketch.design,
        rollouts_at_most: if until_alarm { 100 } else { u64::MAX },
        until_alarm,
        world: sketch.world,
        trial,
    })
}

/// The definition that is compiled: one flag, one metric, and one more for each segment.
fn definition(stages: &[(&str, &str)], segments: usize) -> String {
    let mut metrics = String::from("  bad: { event: answer, bad: { bad: true } }\n");
    let mut guards = String::from("        - { metric: bad, role: deterioration");
    guards += if segments > 0 { ", share: 0.5 }\n" } else { " }\n" };
    for segment in 0..segments {
        metrics +=
            &format!("  bad-{segment}: {{ event: answer, name: segment-{segment}, bad: {{ bad: true }} }}\n");
        guards += &format!("        - {{ metric: bad-{segment}, role: deterioration }}\n");
    }
    let stages: String = stages
        .iter()
        .map(|(treat, control)| {
            format!("        - {{ name: {treat}, treat: {treat}, control: {control}, bake: {BAKE}s }}\n")
        })
        .collect();
    format!(
        "metadata: {{ flagSetId: simulated, environment: simulated }}\n\
         metrics:\n{metrics}\
         flags:\n  answers:\n    state: ENABLED\n    owner: nobody@simulated.example\n    rationale: Simulated.\n    \
         expectedImpact: Known.\n    worstCase: Known.\n    rollbackPlan: None needed.\n    \
         variants: {{ today: 0, tomorrow: 1 }}\n    defaultVariant: today\n    \
         rollout:\n      candidate: tomorrow\n      guardrails:\n{guards}      stages:\n{stages}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_compile_to_what_they_say() {
        let all = all().unwrap();
        let names: std::collections::BTreeSet<&str> =
            all.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names.len(), all.len(), "a name stands twice");
        let probabilities = |name: &str| -> Vec<u32> {
            let scenario = all.iter().find(|scenario| scenario.name == name).unwrap();
            scenario.trial.stages.iter().map(|stage| stage.probability).collect()
        };
        assert_eq!(probabilities("doubling"), [10_000_000]);
        assert_eq!(probabilities("same-returning"), [100_000_000, 266_666_666, 500_000_000, 714_285_714]);
        let segments = all.iter().find(|scenario| scenario.name == "segment").unwrap();
        let shares: Vec<f64> = segments.trial.meters.iter().map(|meter| meter.share).collect();
        assert_eq!(shares, [0.5, 0.125, 0.125, 0.125, 0.125]);
        assert_eq!(segments.trial.meters[4].segment, Some(3));
    }
}
