//! One rollout in virtual time: visits are decided by the engine, outcomes are counted, the judge is asked, and what it
//! says is done.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use flagstone_evaluate::{Arm, Context, Control, Decision, OpenStage, decide};
use flagstone_judge::alpha::clears;
use flagstone_judge::{Action, CohortCounts, Judgement, Role, RolloutState, judge};
use flagstone_snapshot::{Json, Snapshot, Value};

use crate::population::{Population, Unit};
use crate::random::Random;
use crate::record::{Place, Record};
use crate::rivals::{LOOKS, Rival, Seen};
use crate::trial::Trial;
use crate::world::World;

/// A moment of a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    /// Seconds since the beginning.
    pub seconds: u64,
    /// The open stage.
    pub stage: u8,
    /// Units that were given the candidate until then.
    pub treated: u64,
}

/// What became of a rollout.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ending {
    /// When it was taken back, if it was.
    pub rolled_back: Option<Moment>,
    /// The metric whose evidence of harm took it back.
    pub by: Option<String>,
    /// When units were first said to be split otherwise than promised.
    pub sample_ratio: Option<Moment>,
    /// When a metric was first said to be measured in one arm more readily than in the other.
    pub measured: Option<Moment>,
    /// When the last stage's gate was green.
    pub completed: Option<Moment>,
    /// The last open stage, and what the judge said at the end.
    pub stage: u8,
    /// The judge's rule at the last look.
    pub rule: &'static str,
    /// Units in the comparison.
    pub enrolled: u64,
    /// Units that were given the candidate.
    pub treated: u64,
    /// Decisions made by the engine.
    pub decisions: u64,
    /// Times that the judge was asked.
    pub looks: u64,
    /// When each of [`Rival::ALL`] would have stopped it; empty unless they were asked.
    pub rivals: Vec<Option<Moment>>,
}

/// Who moves the stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steering {
    /// The judge; a rollback ends the rollout.
    Judge,
    /// The judge, until it says that the comparison itself is not sound.
    Alarm,
    /// Bake times alone; the judge and its rivals only watch, so that all see the same rollout to its end.
    Clock,
}

/// Rolls out once. The same trial, world, seed and number give the same ending.
pub(crate) fn roll_out(
    trial: &Trial,
    snapshot: &Snapshot<'_>,
    world: &World,
    seed: u64,
    number: u64,
    steering: Steering,
) -> Ending {
    let mut random = Random::new(seed, number);
    let population = Population::new(world, &mut random);
    let mut rollout = Rollout::new(trial, snapshot, world, random, steering, population.units.len());
    rollout.run(&population);
    rollout.ending()
}

/// An outcome on its way: when it comes, of which unit, which sources found it bad, and which arm it had.
type Coming = Reverse<(u64, u32, u32)>;

struct Rollout<'a> {
    trial: &'a Trial,
    snapshot: &'a Snapshot<'a>,
    world: &'a World,
    random: Random,
    steering: Steering,
    flag: u32,
    keys: Keys,
    context: Context,
    control: Control,
    state: RolloutState,
    record: Record,
    /// Chance of a bad outcome at a visit at the beginning, by source.
    chances: Vec<f64>,
    coming: BinaryHeap<Coming>,
    /// Bad outcomes of the first source by cohort, repeated ones too.
    outcomes: Vec<CohortCounts>,
    ending: Ending,
    over: bool,
}

impl<'a> Rollout<'a> {
    fn new(
        trial: &'a Trial,
        snapshot: &'a Snapshot<'a>,
        world: &'a World,
        random: Random,
        steering: Steering,
        units: usize,
    ) -> Self {
        let flag = snapshot.find(&trial.flag).unwrap_or(flagstone_evaluate::NO_FLAG);
        let mut sources: Vec<f64> = Vec::new();
        for meter in &trial.meters {
            let source = usize::from(meter.source);
            if sources.len() <= source {
                sources.resize(source + 1, 0.0);
            }
            if let Some(chance) = sources.get_mut(source) {
                *chance = chance_a_visit(meter.base_rate, world.visits);
            }
        }
        let rivals = if steering == Steering::Clock { vec![None; Rival::ALL.len()] } else { Vec::new() };
        let mut rollout = Self {
            trial,
            snapshot,
            world,
            random,
            steering,
            flag,
            keys: Keys::new(snapshot, flag),
            context: Context::default(),
            control: Control::closed(snapshot),
            state: RolloutState {
                stage: Some(trial.first),
                stage_opened: trial.begin,
                ..RolloutState::default()
            },
            record: Record::new(units, &trial.meters),
            chances: sources,
            coming: BinaryHeap::new(),
            outcomes: Vec::new(),
            ending: Ending {
                rolled_back: None,
                by: None,
                sample_ratio: None,
                measured: None,
                completed: None,
                stage: trial.first,
                rule: "",
                enrolled: 0,
                treated: 0,
                decisions: 0,
                looks: 0,
                rivals,
            },
            over: false,
        };
        rollout.open(trial.first, trial.begin);
        rollout
    }

    /// Opens a stage, as a pulse would.
    fn open(&mut self, stage: u8, now: u64) {
        self.state.stage = Some(stage);
        self.state.stage_opened = now;
        self.ending.stage = stage;
        let open = OpenStage { flag: &self.trial.flag, stage, since: now };
        self.control = Control::new(self.snapshot, u64::MAX, [open].into_iter(), [].into_iter());
    }

    fn run(&mut self, population: &Population) {
        let mut look = 1;
        for (at, unit) in &population.visits {
            let now = self.trial.begin.saturating_add(u64::from(*at));
            while self.look_at(look) <= now && !self.over {
                self.arrive(self.look_at(look));
                self.tick(look, self.look_at(look));
                look += 1;
            }
            self.arrive(now);
            if self.over {
                return;
            }
            if let Some(known) = population.units.get(*unit as usize) {
                self.visit(*unit, known, now);
            }
        }
        while look <= LOOKS && !self.over {
            self.arrive(self.look_at(look));
            self.tick(look, self.look_at(look));
            look += 1;
        }
    }

    /// The time of a regular look, counted from 1.
    fn look_at(&self, look: u32) -> u64 {
        self.trial.begin.saturating_add(self.world.seconds * u64::from(look) / u64::from(LOOKS))
    }

    /// A unit visits: the engine decides, the exposure is reported, and an outcome follows.
    fn visit(&mut self, number: u32, unit: &Unit, now: u64) {
        let decision = self.decide(unit, now);
        self.ending.decisions += 1;
        let treated = match decision.arm {
            Arm::None => return,
            arm => arm == Arm::Treatment,
        };
        let lost = treated && unit.lost;
        let exposures_come = self.world.loss.is_none_or(|loss| loss.exposures_come);
        if !lost || exposures_come {
            let (cohort, probability) = (decision.cohort.unwrap_or(0), decision.probability);
            self.record.exposed(number, Place { treated, cohort, probability, at: now });
        }
        let bad = self.outcome(unit, treated, now);
        if bad & 1 != 0 && !lost {
            self.count_outcome(&decision, treated);
        }
        if lost {
            return;
        }
        if self.world.delay > 0.0 {
            let delay = self.random.waiting() * self.world.delay * self.world.seconds as f64;
            self.coming.push(Reverse((
                now.saturating_add(delay as u64),
                number,
                bad | u32::from(unit.segment) << 24,
            )));
        } else {
            self.take(number, bad, unit.segment, now);
        }
    }

    fn decide(&mut self, unit: &Unit, now: u64) -> Decision {
        let keys = &self.keys;
        // Keys are short and in the packed form by construction; an engine that refused one would decide for nobody.
        let filled = self.context.refill(self.snapshot, |room| keys.fill(unit.id, room));
        if filled.is_err() {
            self.over = true;
        }
        decide(self.snapshot, &self.control, &self.context, self.flag, now)
    }

    /// Which sources find the visit bad, a bit each.
    fn outcome(&mut self, unit: &Unit, treated: bool, now: u64) -> u32 {
        let gone = now.saturating_sub(self.trial.begin) as f64 / self.world.seconds.max(1) as f64;
        let drift = 1.0 + (self.world.drift - 1.0) * gone;
        let effect = &self.world.effect;
        let hit = treated && effect.segment.is_none_or(|segment| segment == unit.segment);
        let mut bad = 0;
        for (source, chance) in self.chances.iter().enumerate() {
            let harmed = hit && effect.source.is_none_or(|only| usize::from(only) == source);
            let rate = chance * drift * unit.fragility * if harmed { effect.ratio } else { 1.0 };
            if self.random.happens(rate.min(0.95)) {
                bad |= 1 << (source % 24);
            }
        }
        bad
    }

    /// Takes in what has come by now.
    fn arrive(&mut self, now: u64) {
        while let Some(Reverse((at, unit, bits))) = self.coming.peek().copied().filter(|next| next.0.0 <= now)
        {
            self.coming.pop();
            if self.over {
                return;
            }
            self.take(unit, bits & 0x00ff_ffff, (bits >> 24) as u8, at);
        }
    }

    /// Takes an outcome in; a bad unit more is looked at at once.
    fn take(&mut self, unit: u32, bad: u32, segment: u8, now: u64) {
        let mut turned = false;
        for (position, meter) in self.trial.meters.iter().enumerate() {
            if meter.segment.is_none_or(|only| only == segment) {
                let is_bad = bad >> (meter.source % 24) & 1 != 0;
                turned |= self.record.outcome(unit, position, is_bad, now);
            }
        }
        if turned && self.ending.rolled_back.is_none() {
            self.look(now);
        }
    }

    fn count_outcome(&mut self, decision: &Decision, treated: bool) {
        let (cohort, probability) = (decision.cohort.unwrap_or(0), decision.probability);
        let found = self
            .outcomes
            .iter_mut()
            .find(|counts| (counts.cohort, counts.probability) == (cohort, probability));
        let counts = match found {
            Some(counts) => counts,
            None => self.outcomes.push_mut(CohortCounts { cohort, probability, ..CohortCounts::default() }),
        };
        *(if treated { &mut counts.treated_bad } else { &mut counts.control_bad }) += 1;
    }

    /// A regular look: the judge, and whoever is compared with it.
    fn tick(&mut self, look: u32, now: u64) {
        if self.ending.rolled_back.is_none() {
            self.look(now);
        }
        if self.steering == Steering::Clock && !self.over {
            self.compare(look, now);
            self.climb(now);
        }
    }

    fn look(&mut self, now: u64) {
        let judgement = judge(&self.trial.rules, &self.state, &self.record.evidence, now);
        self.ending.looks += 1;
        self.ending.rule = judgement.rule;
        self.note(&judgement, now);
        match judgement.action {
            Action::RollBack => {
                self.ending.rolled_back = Some(self.moment(now));
                let latched = judgement.metrics.into_iter().find(|metric| metric.latched.is_some());
                self.ending.by = latched.map(|metric| metric.metric);
                self.over |= self.steering != Steering::Clock;
            }
            Action::Advance { to } if self.steering != Steering::Clock => self.open(to, now),
            Action::Complete if self.ending.completed.is_none() => {
                self.ending.completed = Some(self.moment(now))
            }
            _ => {}
        }
    }

    /// What the judge says about the comparison itself.
    fn note(&mut self, judgement: &Judgement, now: u64) {
        let alarm = judgement.sample_ratio_log_threshold;
        if self.ending.sample_ratio.is_none() && clears(judgement.sample_ratio_log_e, alarm) {
            self.ending.sample_ratio = Some(self.moment(now));
        }
        let unlike = judgement
            .metrics
            .iter()
            .any(|metric| metric.role != Role::Observe && clears(metric.measured_log_e, alarm));
        if self.ending.measured.is_none() && unlike {
            self.ending.measured = Some(self.moment(now));
        }
        let alarmed = self.ending.sample_ratio.is_some() || self.ending.measured.is_some();
        self.over |= alarmed && self.steering == Steering::Alarm;
    }

    fn compare(&mut self, look: u32, now: u64) {
        let moment = self.moment(now);
        let Some(metric) = self.record.evidence.metrics.first() else { return };
        let seen = Seen::new(&metric.cohorts, &self.outcomes);
        for (rival, stopped) in Rival::ALL.iter().zip(&mut self.ending.rivals) {
            if stopped.is_none() && rival.stops(look, &seen) {
                *stopped = Some(moment);
            }
        }
    }

    /// One stage up once its bake time is over.
    fn climb(&mut self, now: u64) {
        let Some(stage) = self.state.stage else { return };
        let bake = self.trial.stages.get(usize::from(stage)).map_or(u64::MAX, |rung| rung.bake);
        let next = stage.saturating_add(1);
        if now.saturating_sub(self.state.stage_opened) >= bake && usize::from(next) < self.trial.stages.len()
        {
            self.open(next, now);
        }
    }

    fn moment(&self, now: u64) -> Moment {
        Moment {
            seconds: now.saturating_sub(self.trial.begin),
            stage: self.ending.stage,
            treated: self.record.treated,
        }
    }

    fn ending(self) -> Ending {
        Ending { enrolled: self.record.enrolled, treated: self.record.treated, ..self.ending }
    }
}

/// The chance of a bad outcome at one visit, such that `base_rate` of the units have had one after `visits`.
fn chance_a_visit(base_rate: f64, visits: f64) -> f64 {
    if visits <= 0.0 { 0.0 } else { 1.0 - libm::pow(1.0 - base_rate, 1.0 / visits) }
}

/// `unit-` and sixteen hexadecimal digits; written by hand, since it is written at every visit.
fn key(id: u64) -> String {
    let mut key = String::with_capacity(21);
    key.push_str("unit-");
    for digit in (0..16).rev() {
        let digit = (id >> (digit * 4)) as u32 % 16;
        key.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
    key
}

/// A context in the packed form, apart from the unit's key: consent and data domain are granted, nothing else is known.
struct Keys {
    /// (position of the attribute, its packed value, or none for the unit's key), ascending.
    attributes: Vec<(u16, Option<Vec<u8>>)>,
}

impl Keys {
    fn new(snapshot: &Snapshot<'_>, flag: u32) -> Self {
        let plan = snapshot.flag(flag).and_then(|flag| flag.plan());
        let packed = |text: &str| {
            let mut packed = Vec::new();
            Value::write(&Json::Text(text.to_owned()), &mut packed);
            packed
        };
        let mut attributes = vec![(0, None)];
        let mut put = |position: u32, value: Option<Vec<u8>>| {
            if let Ok(position) = u16::try_from(position)
                && attributes.iter().all(|(known, _)| *known != position)
            {
                attributes.push((position, value));
            }
        };
        if let Some(plan) = plan {
            put(plan.unit(), None);
            if let Some((purpose, position)) = plan.consent() {
                put(position, Some(packed(purpose)));
            }
            if let Some((position, domain)) = plan.domain_attribute().zip(plan.domains().next()) {
                put(position, Some(packed(domain)));
            }
        }
        attributes.sort();
        Self { attributes }
    }

    fn fill(&self, id: u64, room: &mut Vec<u8>) {
        let count = u16::try_from(self.attributes.len()).unwrap_or(0);
        room.extend_from_slice(&count.to_le_bytes());
        for (position, value) in &self.attributes {
            room.extend_from_slice(&position.to_le_bytes());
            match value {
                Some(value) => room.extend_from_slice(value),
                None => Value::write(&Json::Text(key(id)), room),
            }
        }
    }
}
