//! Other engines from their registries, each given W in its own notation and asked in its fastest documented way.

mod datalogic;
mod eppo;
mod launchdarkly;
mod unleash;

use std::cell::RefCell;

use anyhow::{Context as _, Result};
use flagstone_measure::counting::count;
use flagstone_measure::{Answer, Case, Part, Row, Schedule, Shape, Workload};
use serde_json::Value;

pub(crate) use datalogic::Datalogic;
pub(crate) use eppo::Eppo;
pub(crate) use launchdarkly::LaunchDarkly;
pub(crate) use unleash::Unleash;

/// An engine that is compared with.
pub(crate) trait Peer: Sized {
    /// Its crate.
    const CRATE: &'static str;
    /// Whether it buckets as flagd does.
    const FLAGD: bool = false;
    /// Whether it is asked by key, else by position.
    const BY_KEY: bool = true;
    /// A context, prepared as far as the engine allows.
    type Prepared;

    /// W in the engine's own notation.
    fn configuration(flags: &[Shape]) -> Result<String>;
    /// Takes a configuration in, ready to be asked.
    fn load(configuration: &str) -> Result<Self>;
    /// Prepares a context.
    fn prepare(context: &Value) -> Result<Self::Prepared>;
    /// The answer in full, for the check. `flag` counts in key order.
    fn answer(&mut self, context: &Self::Prepared, flag: usize) -> Result<Answer>;
    /// The same question, timed: the value in hand, nothing else.
    fn ask(&mut self, context: &Self::Prepared, flag: usize);
}

/// A peer with W in it.
pub(crate) struct Loaded<P: Peer> {
    name: String,
    engine: RefCell<P>,
    larger: RefCell<P>,
    contexts: Vec<P::Prepared>,
    configuration: String,
}

/// Loads a peer and checks every answer. One that cannot take W is reported missing, with the reason; a
/// wrong answer is an error.
pub(crate) fn load<P: Peer>(workload: &Workload, part: &mut Part) -> Result<Option<Loaded<P>>> {
    let name = format!("{} {}", P::CRATE, crate::version_of(P::CRATE));
    let (loaded, live) = match attempt::<P>(workload, &name) {
        Ok(loaded) => loaded,
        Err(error) => {
            part.missing.push((name, format!("it cannot take W: {error:#}")));
            return Ok(None);
        }
    };
    let mut engine = loaded.engine.borrow_mut();
    let asked =
        workload.check(&name, P::FLAGD, |context, flag| engine.answer(&loaded.contexts[context], flag))?;
    drop(engine);
    part.rows.push(Row::bytes(&name, "memory-5000", live));
    part.checked.push((name, asked));
    Ok(Some(loaded))
}

fn attempt<P: Peer>(workload: &Workload, name: &str) -> Result<(Loaded<P>, u64)> {
    let engine = P::load(&P::configuration(&workload.flags_100)?)?;
    let configuration = P::configuration(&workload.flags_5000)?;
    let (larger, counted) = count(|| P::load(&configuration));
    let contexts = workload.contexts.iter().map(P::prepare).collect::<Result<_>>()?;
    let (engine, larger) = (RefCell::new(engine), RefCell::new(larger?));
    let live = u64::try_from(counted.live).context("a load that frees more than it takes")?;
    Ok((Loaded { name: name.to_owned(), engine, larger, contexts, configuration }, live))
}

impl<P: Peer> Loaded<P> {
    /// One flag, all flags, one of 5,000, and loading 5,000.
    pub(crate) fn cases<'a>(&'a self, cases: &mut Vec<Case<'a>>) {
        let (small, large) = if P::BY_KEY {
            ("one-flag-by-key", "one-flag-by-key-of-5000")
        } else {
            ("one-flag", "one-flag-of-5000")
        };
        for (task, flags, engine) in [(small, 100, &self.engine), (large, 5_000, &self.larger)] {
            let mut schedule = Schedule::new(self.contexts.len(), flags);
            cases.push(Case::new(&self.name, task, move |calls| {
                let mut engine = engine.borrow_mut();
                for _ in 0..calls {
                    let (context, flag) = schedule.step();
                    engine.ask(&self.contexts[context], flag);
                }
            }));
        }
        let mut schedule = Schedule::new(self.contexts.len(), 1);
        cases.push(Case::new(&self.name, "all-100", move |calls| {
            let mut engine = self.engine.borrow_mut();
            for _ in 0..calls {
                let context = &self.contexts[schedule.fresh()];
                for flag in 0..100 {
                    engine.ask(context, flag);
                }
            }
        }));
        cases.push(Case::new(&self.name, "load-5000", move |calls| {
            for _ in 0..calls {
                std::hint::black_box(P::load(&self.configuration).is_ok());
            }
        }));
    }
}
