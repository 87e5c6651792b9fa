//! The tick: take in what came, judge every plan, act, and tell: stages and halts go out with the next pulse at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flagstone_judge::{Evidence, Judgement, PlanRules, RolloutState};
use flagstone_seal::PulseStage;
use sqlx::SqliteConnection;

use crate::attempts::{self, Attempt, Phase, Standing};
use crate::decision::{self, Inputs};
use crate::evidence::{self, UnitCounts};
use crate::evidence_rows::Rows;
use crate::governor::{Governor, Steering};
use crate::looks;
use crate::operator::{self, OperatorHalt};
use crate::plan::Plan;
use crate::pulse::{self, Says};
use crate::slice_rows::{SliceRows, SliceTexts};
use crate::snapshots::Current;
use crate::steer_rows::SteerRows;
use crate::{GovernError, parallel, stage, status};

/// One plan after a tick, with all that the status shows of it.
#[derive(Debug, Clone)]
pub(crate) struct Steered {
    pub(crate) plan: Arc<Plan>,
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
struct Counted {
    plan: Arc<Plan>,
    attempt: Attempt,
    halt: Option<OperatorHalt>,
    evidence: Evidence,
    slices: SliceTexts,
    units: UnitCounts,
}

/// The same with what the judge says of it.
struct Judged {
    plan: Arc<Plan>,
    attempt: Attempt,
    halt: Option<OperatorHalt>,
    units: UnitCounts,
    /// Where the attempt stands beneath the ceiling.
    lowered: Standing,
    inputs: Inputs,
    judgement: Judgement,
    /// The evidence is that of the tick before.
    unchanged: bool,
}

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
        // Counting reads a lot and judging computes a lot; both are done beside the writer, so that reporters need not wait.
        let mut counted = self.count(steering.current.as_ref(), now_ms).await?;
        self.start(&mut counted, now_ms).await?;
        let k = self.config.k_anonymity;
        let before = Arc::clone(&steering.newest);
        let judged = parallel::map(counted, move |counted| counted.judge(&before, k, now_ms)).await?;
        let judged = judged.into_iter().collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<i64> = judged.iter().map(|one| one.attempt.id).collect();
        let rows = SteerRows::read(&mut *self.store.read().await?, &ids).await?;
        let mut write = self.store.write().await?;
        let (mut steered, mut unchanged) = (Vec::new(), BTreeSet::new());
        let (mut published, mut looked) = (None, BTreeSet::new());
        if let Some(current) = &steering.current {
            for one in judged {
                if one.unchanged && steering.looked.contains(&one.attempt.id) {
                    unchanged.insert(one.attempt.id);
                }
                steered.push(one.steer(&mut write, &rows, k, now_ms).await?);
            }
            looked = keep_looks(&mut write, unchanged, &rows, &steered, now_ms).await?;
            let says = says(current, &steered, operator::halted_flags(&mut write).await?);
            let withdrawn = self.published.borrow().as_ref().is_some_and(|last| last.withdrawn);
            published = pulse::renew(&mut write, &self.config, &says, withdrawn, now_ms).await?;
        }
        write.commit().await?;
        steering.looked = looked;
        steering.unpublished = published.or(steering.unpublished.take());
        // Log first, then publish. When the log cannot be written the pulse waits for the next tick, and the last one
        // runs out.
        self.catch_up().await?;
        if let Some(new) = steering.unpublished.take() {
            self.published.send_replace(Some(Arc::new(new)));
        }
        let (shown, steered) = status::of(self, steering, steered).await?;
        if shown != steering.shown {
            self.status.send_replace(Arc::from(shown.as_str()));
            steering.shown = shown;
        }
        let newest = parallel::map(steered, |one| (one.plan.flag.clone(), one.inputs)).await?;
        let before = std::mem::replace(&mut steering.newest, Arc::new(newest.into_iter().collect()));
        // With a thousand flags it is of hundreds of thousands of counts, and nobody waits for its end.
        parallel::forget(before);
        Ok(())
    }

    /// Each plan with its attempt and its evidence.
    async fn count(&self, current: Option<&Current>, now_ms: u64) -> Result<Vec<Counted>, GovernError> {
        let mut read = self.store.read().await?;
        let mut counted = Vec::new();
        let plans = current.map(|current| current.plans.as_slice()).unwrap_or_default();
        let mut latest = attempts::all_latest(&mut read).await?;
        let mut halts = operator::halts(&mut read).await?;
        let ids: Vec<i64> =
            plans.iter().filter_map(|plan| latest.get(&plan.flag)).map(|attempt| attempt.id).collect();
        let mut rows = Rows::read(&mut read, &ids).await?;
        for plan in plans {
            let Some(attempt) = latest.remove(&plan.flag) else { continue };
            let (evidence, units) =
                evidence::gather(&mut read, &rows, &attempt, &plan.metrics, now_ms).await?;
            let halt = halts.remove(&plan.flag);
            let slices = rows.take_slices(attempt.id);
            counted.push(Counted { plan: Arc::clone(plan), attempt, halt, evidence, slices, units });
        }
        Ok(counted)
    }

    /// Opens the first stage of attempts that need nobody to start them.
    async fn start(&self, counted: &mut [Counted], now_ms: u64) -> Result<(), GovernError> {
        let closed = |one: &&mut Counted| {
            one.attempt.standing.phase == Phase::Closed && one.halt.is_none() && one.plan.ceiling.is_some()
        };
        let mut waiting = counted.iter_mut().filter(closed).peekable();
        if !self.config.auto_start || waiting.peek().is_none() {
            return Ok(());
        }
        let mut write = self.store.write().await?;
        for one in waiting {
            operator::auto_start(&mut write, &mut one.attempt, now_ms).await?;
        }
        write.commit().await?;
        Ok(())
    }
}

impl Counted {
    /// `before`: what was judged at the tick before, by flag.
    fn judge(self, before: &BTreeMap<String, Inputs>, k: u64, now_ms: u64) -> Result<Judged, GovernError> {
        let Counted { plan, attempt, halt, mut evidence, slices, units } = self;
        SliceRows { measured: evidence.slices, exposed: evidence.exposed_slices, .. } = slices.read()?;
        let lowered = stage::beneath(&attempt.standing, plan.ceiling, now_ms);
        let inputs = Inputs {
            rules: PlanRules { display_units: k, ..plan.rules.clone() },
            state: state_of(&lowered),
            evidence,
            now: now_ms / 1_000,
        };
        let judgement = inputs.judge();
        let unchanged = before.get(&plan.flag).is_some_and(|before| before.evidence == inputs.evidence);
        Ok(Judged { plan, attempt, halt, units, lowered, inputs, judgement, unchanged })
    }
}

impl Judged {
    /// Moves the attempt as the judge says.
    async fn steer(
        self,
        connection: &mut SqliteConnection,
        rows: &SteerRows,
        k: u64,
        now_ms: u64,
    ) -> Result<Steered, GovernError> {
        let Judged { plan, mut attempt, halt, units, lowered, mut inputs, mut judgement, .. } = self;
        // Evidence of harm latches whatever a person has halted; other moves wait until they resume.
        decision::latch(connection, &attempt, &judgement).await?;
        let next = stage::next(&lowered, &judgement, &plan.stages, plan.ceiling, now_ms);
        let mut next = stage::unmixed(&lowered, next, &judgement, rows.mixed(attempt.id));
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
        let reopened = next.stage != attempt.standing.stage;
        attempt.standing = next;
        // The judge is pure: asked the same again, it would say the same.
        let state = state_of(&attempt.standing);
        if state != inputs.state {
            inputs.state = state;
            judgement = inputs.judge();
        }
        // A stage that was never open before was opened just now.
        let opened =
            |stage| rows.first_opening(attempt.id, stage).unwrap_or(if reopened { now_ms } else { 0 });
        let since = attempt.standing.stage.map_or(0, opened) / 1_000;
        Ok(Steered { plan, attempt, halt, units, inputs, judgement, since })
    }
}

/// Keeps looks at the evidence where it is time for one, those first whose last one is the oldest. Returns the attempts whose
/// newest evidence is that of their last look; `seen` are those of which it has not changed since.
async fn keep_looks(
    connection: &mut SqliteConnection,
    mut seen: BTreeSet<i64>,
    rows: &SteerRows,
    steered: &[Steered],
    now_ms: u64,
) -> Result<BTreeSet<i64>, GovernError> {
    let mut waiting = Vec::new();
    for one in steered.iter().filter(|one| !seen.contains(&one.attempt.id)) {
        let last = rows.looks.get(&one.attempt.id);
        if looks::due(last, one.attempt.begun_ms, now_ms) {
            waiting.push((last.map(|last| last.at_ms), one));
        }
    }
    for one in looks::in_turn(waiting) {
        let last = rows.looks.get(&one.attempt.id);
        looks::keep(connection, &one.attempt, &one.inputs, last, now_ms).await?;
        seen.insert(one.attempt.id);
    }
    Ok(seen)
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
