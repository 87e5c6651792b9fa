//! The tick: take in what came, judge every plan, act, and tell: stages and halts go out with the next pulse at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use flagstone_judge::{Evidence, Judgement, PlanRules, RolloutState};
use flagstone_seal::PulseStage;
use sqlx::SqliteConnection;

use crate::attempts::{self, Attempt, Phase, Standing};
use crate::decision::{self, Inputs};
use crate::derive::{self, Live};
use crate::evidence::{self, UnitCounts};
use crate::evidence_rows::Rows;
use crate::governor::{Governor, Steering};
use crate::metric::MetricRule;
use crate::operator::{self, OperatorHalt};
use crate::plan::Plan;
use crate::pulse::Says;
use crate::snapshots::Current;
use crate::{GovernError, looks, pulse, stage, status, unit_slices, values, withdraw};

/// One plan after a tick, with all that the status shows of it.
#[derive(Debug, Clone)]
pub(crate) struct Steered {
    pub(crate) plan: Plan,
    pub(crate) attempt: Attempt,
    pub(crate) halt: Option<OperatorHalt>,
    pub(crate) units: UnitCounts,
    pub(crate) inputs: Inputs,
    pub(crate) judgement: Judgement,
    /// When the stage was opened for the first time in this attempt, unix seconds: going back to it, or on after an
    /// outage, takes nobody out whom its ramp had reached.
    pub(crate) since: u64,
}

/// A plan, its attempt, and what was counted for it.
type Counted = (Plan, Attempt, Evidence, UnitCounts);

impl Governor {
    /// Does everything once. What the store cannot take is tried again at the next tick; until then the last pulse runs
    /// out, and hosts go back to what is safe by themselves.
    pub(crate) async fn tick(&self) -> Result<(), GovernError> {
        let mut steering = self.steering.lock().await;
        self.tick_locked(&mut steering).await
    }

    /// The same for a caller that holds the steering.
    pub(crate) async fn tick_locked(&self, steering: &mut Steering) -> Result<(), GovernError> {
        let now_ms = self.now_ms();
        self.take_in(steering.current.as_ref(), now_ms).await?;
        self.skip_outage(steering.current.as_ref(), now_ms).await?;
        // Counting reads a lot; it is done beside the writer, so that reporters need not wait for it.
        let counted = self.count(steering.current.as_ref(), now_ms).await?;
        let mut write = self.store.write().await?;
        let mut steered = Vec::new();
        let mut published = None;
        if let Some(current) = &steering.current {
            for (plan, attempt, evidence, units) in counted {
                steered.push(self.steer(&mut write, plan, attempt, (evidence, units), now_ms).await?);
            }
            let says = says(current, &steered, operator::halted_flags(&mut write).await?);
            let withdrawn = self.published.borrow().as_ref().is_some_and(|last| last.withdrawn);
            published = pulse::renew(&mut write, &self.config, &says, withdrawn, now_ms).await?;
        }
        write.commit().await?;
        steering.unpublished = published.or(steering.unpublished.take());
        // Log first, then publish. When the log cannot be written the pulse waits for the next tick, and the last one
        // runs out.
        self.catch_up().await?;
        if let Some(new) = steering.unpublished.take() {
            self.published.send_replace(Some(Arc::new(new)));
        }
        let mut read = self.store.read().await?;
        let shown = status::of(&mut read, self, steering, &steered).await?;
        if shown != steering.shown {
            self.status.send_replace(Arc::from(shown.as_str()));
            steering.shown = shown;
        }
        steering.newest = steered.into_iter().map(|one| (one.plan.flag, one.inputs)).collect();
        Ok(())
    }

    /// When the last pulse had run out before this tick, moves the bake clocks on by as long.
    async fn skip_outage(&self, current: Option<&Current>, now_ms: u64) -> Result<(), GovernError> {
        let last = self.published.borrow().as_ref().map(|last| last.expires.saturating_mul(1_000));
        if let Some(expired_ms) = last.filter(|expired_ms| *expired_ms < now_ms && current.is_some()) {
            let mut write = self.store.write().await?;
            decision::skip_outage(&mut write, expired_ms, now_ms).await?;
            write.commit().await?;
        }
        Ok(())
    }

    /// Derives units, readings and counts from the events that came since the last time, a little at a time.
    async fn take_in(&self, current: Option<&Current>, now_ms: u64) -> Result<(), GovernError> {
        let plans = current.map(|current| current.plans.as_slice()).unwrap_or_default();
        let live: Vec<Live> = plans.iter().map(Plan::live).collect();
        // First, so that most units are counted in their slices at once instead of being moved there.
        loop {
            let mut write = self.store.write().await?;
            let read = unit_slices::derive(&mut write, &live).await?;
            write.commit().await?;
            if read == 0 {
                break;
            }
        }
        loop {
            let mut write = self.store.write().await?;
            let read = derive::exposures(&mut write, &live).await?;
            write.commit().await?;
            if read == 0 {
                break;
            }
        }
        loop {
            let mut write = self.store.write().await?;
            let seen = withdraw::apply(&mut write, &live).await?;
            write.commit().await?;
            if seen == 0 {
                break;
            }
        }
        let mut by_event: BTreeMap<&str, BTreeMap<[u8; 32], &MetricRule>> = BTreeMap::new();
        for rule in plans.iter().flat_map(|plan| &plan.metrics).filter_map(|metric| metric.rule.as_ref()) {
            by_event.entry(&rule.event).or_default().insert(rule.digest, rule);
        }
        for rules in by_event.into_values() {
            let rules: Vec<&MetricRule> = rules.into_values().collect();
            loop {
                let mut write = self.store.write().await?;
                let read = derive::outcomes(&mut write, &rules, &live).await?;
                write.commit().await?;
                if read == 0 {
                    break;
                }
            }
        }
        self.take_in_values(&live, now_ms).await
    }

    /// The same for metrics that measure values: outcomes as they read them, then the units that this or the time concerns.
    async fn take_in_values(&self, live: &[Live], now_ms: u64) -> Result<(), GovernError> {
        let metrics = live.iter().flat_map(|live| &live.metrics).filter_map(|metric| metric.value.as_ref());
        let rules: BTreeMap<[u8; 32], _> = metrics.map(|metric| (metric.rule.digest, &metric.rule)).collect();
        if rules.is_empty() {
            return Ok(());
        }
        for rule in rules.into_values() {
            loop {
                let mut write = self.store.write().await?;
                let read = values::outcomes(&mut write, rule, live).await?;
                write.commit().await?;
                if read == 0 {
                    break;
                }
            }
        }
        loop {
            let mut write = self.store.write().await?;
            let settled = values::settle(&mut write, live, now_ms).await?;
            if settled == 0 {
                values::handed(&mut write, live, now_ms).await?;
            }
            write.commit().await?;
            if settled == 0 {
                return Ok(());
            }
        }
    }

    /// Each plan with its attempt and its evidence.
    async fn count(&self, current: Option<&Current>, now_ms: u64) -> Result<Vec<Counted>, GovernError> {
        let mut read = self.store.read().await?;
        let mut counted = Vec::new();
        let plans = current.map(|current| current.plans.as_slice()).unwrap_or_default();
        let mut latest = attempts::all_latest(&mut read).await?;
        let ids: Vec<i64> =
            plans.iter().filter_map(|plan| latest.get(&plan.flag)).map(|attempt| attempt.id).collect();
        let mut rows = Rows::read(&mut read, &ids).await?;
        for plan in plans {
            let Some(attempt) = latest.remove(&plan.flag) else { continue };
            let (evidence, units) =
                evidence::gather(&mut read, &mut rows, &attempt, &plan.metrics, now_ms).await?;
            counted.push((plan.clone(), attempt, evidence, units));
        }
        Ok(counted)
    }

    /// Judges one plan and moves its attempt.
    async fn steer(
        &self,
        connection: &mut SqliteConnection,
        plan: Plan,
        mut attempt: Attempt,
        (evidence, units): (Evidence, UnitCounts),
        now_ms: u64,
    ) -> Result<Steered, GovernError> {
        let halt = operator::halt_of(connection, &plan.flag).await?;
        let k = self.config.k_anonymity;
        let start = self.config.auto_start
            && attempt.standing.phase == Phase::Closed
            && halt.is_none()
            && plan.ceiling.is_some();
        if start {
            operator::auto_start(connection, &mut attempt, now_ms).await?;
        }
        let lowered = stage::beneath(&attempt.standing, plan.ceiling, now_ms);
        let mut inputs = Inputs {
            rules: PlanRules { display_units: k, ..plan.rules.clone() },
            state: state_of(&lowered),
            evidence,
            now: now_ms / 1_000,
        };
        let mut judgement = inputs.judge();
        // Evidence of harm latches whatever a person has halted; other moves wait until they resume.
        decision::latch(connection, &attempt, &judgement).await?;
        let mixed = evidence::mixed(connection, attempt.id).await?;
        let next = stage::next(&lowered, &judgement, &plan.stages, plan.ceiling, now_ms);
        let mut next = stage::unmixed(&lowered, next, &judgement, &mixed);
        if halt.is_some() && next.phase != Phase::Halted {
            next = lowered;
        }
        if stage::differs(&attempt.standing, &next) {
            decision::record(connection, &attempt, &inputs, &judgement, (&next, k), now_ms).await?;
            attempts::set_standing(connection, &attempt, &next, now_ms).await?;
            tracing::info!(flag = %plan.flag, phase = next.phase.as_str(), stage = ?next.stage, rule = ?next.rule, "moved");
        } else if attempt.standing.rule != next.rule {
            attempts::set_standing(connection, &attempt, &next, now_ms).await?;
        }
        attempt.standing = next;
        // The judge is pure: asked the same again, it would say the same.
        let state = state_of(&attempt.standing);
        if state != inputs.state {
            inputs.state = state;
            judgement = inputs.judge();
        }
        looks::keep(connection, &attempt, &inputs, now_ms).await?;
        let since = attempts::first_opening(connection, &attempt).await? / 1_000;
        Ok(Steered { plan, attempt, halt, units, inputs, judgement, since })
    }
}

/// Where a rollout stands, in the judge's terms.
fn state_of(standing: &Standing) -> RolloutState {
    RolloutState {
        stage: standing.stage,
        stage_opened: standing.since_ms / 1_000,
        halted: false,
        lease_until: None,
    }
}

/// The pulse's content. A stage line never stands above the ceiling that release keys signed.
fn says(current: &Current, steered: &[Steered], operator_halts: Vec<String>) -> Says {
    let mut halts: Vec<String> =
        operator_halts.into_iter().filter(|flag| current.flags.contains(flag)).collect();
    let mut stages = Vec::new();
    for one in steered {
        let standing = &one.attempt.standing;
        if standing.phase == Phase::Halted {
            halts.push(one.plan.flag.clone());
        }
        let open = standing.stage.filter(|_| !matches!(standing.phase, Phase::Halted | Phase::Closed));
        if let Some(stage) = open.zip(one.plan.ceiling).map(|(stage, ceiling)| stage.min(ceiling)) {
            stages.push(PulseStage { flag: one.plan.flag.clone(), stage, since: one.since });
        }
    }
    stages.sort();
    halts.sort();
    halts.dedup();
    Says { snapshot: current.mark, stages, halts }
}
