//! Flagstone native: every call that a host makes, from one flag to opening 5,000.

use std::hint::black_box;

use anyhow::{Context as _, Result, anyhow, bail};
use ed25519_dalek::{Signer as _, SigningKey};
use flagstone_evaluate::{Context, Control, Decision, decide, decide_all, decide_key};
use flagstone_measure::counting::count;
use flagstone_measure::{Answer, Case, Fixtures, NOW, Part, Row, Schedule, Workload, by_position, packed};
use flagstone_seal::{OpenPolicy, TrustRoot};
use flagstone_snapshot::Snapshot;
use sha2::{Digest, Sha256};

/// The name in the table.
pub(crate) const NAME: &str = "flagstone native";
/// Length of the statement that a release signature covers, near enough.
const STATEMENT: usize = 512;

/// W compiled, sealed and loaded. Snapshots live as long as the process.
pub(crate) struct Flagstone {
    snapshot: Snapshot<'static>,
    control: Control,
    larger: Snapshot<'static>,
    larger_control: Control,
    contexts: Vec<Context>,
    larger_contexts: Vec<Context>,
    packed: Vec<Vec<u8>>,
    positions: Vec<Vec<u8>>,
    texts: Vec<String>,
    keys: Vec<String>,
    keys_5000: Vec<String>,
    trust: TrustRoot,
    sealed_5000: Vec<u8>,
    audience: String,
    environment: String,
    payload_5000: &'static [u8],
}

impl Flagstone {
    /// Compiles and loads W, and checks every answer.
    pub(crate) fn new(workload: &Workload, fixtures: &Fixtures, part: &mut Part) -> Result<Self> {
        let payload = fixtures.snapshot("w100")?;
        let payload_5000: &'static [u8] = fixtures.snapshot("w5000")?.leak();
        let snapshot = loaded(payload.leak())?;
        let packed: Vec<Vec<u8>> = workload.contexts.iter().map(packed).collect();
        let larger = loaded(payload_5000)?;
        let ((bytes, control), counted) = count(|| {
            let bytes = payload_5000.to_vec();
            let control = Snapshot::load(&bytes).map(|snapshot| Control::closed(&snapshot));
            (bytes, control)
        });
        part.rows.push(Row::bytes(NAME, "memory-5000", counted.live.max(0) as u64));
        drop((bytes, control));
        let this = Flagstone {
            control: Control::closed(&snapshot),
            larger_control: Control::closed(&larger),
            contexts: contexts(&snapshot, &packed)?,
            larger_contexts: contexts(&larger, &packed)?,
            texts: workload.contexts.iter().map(ToString::to_string).collect(),
            keys: keys(&snapshot),
            keys_5000: keys(&larger),
            trust: TrustRoot::pin(fixtures.trust.as_bytes(), NOW).map_err(|error| anyhow!("{error}"))?,
            sealed_5000: fixtures.sealed("w5000")?,
            audience: fixtures.audience.clone(),
            environment: fixtures.environment.clone(),
            positions: workload.contexts.iter().map(|context| by_position(&snapshot, context)).collect(),
            snapshot,
            larger,
            packed,
            payload_5000,
        };
        let asked = workload.check(NAME, true, |context, flag| this.answer(context, flag))?;
        part.checked.push((NAME.to_owned(), asked));
        Ok(this)
    }

    /// By index, by key, from JSON and by position must be one.
    fn answer(&self, context: usize, flag: usize) -> Result<Answer> {
        let prepared = &self.contexts[context];
        let decision = decide(&self.snapshot, &self.control, prepared, flag as u32, NOW);
        let by_key = decide_key(&self.snapshot, &self.control, prepared, &self.keys[flag], NOW);
        let ask = |context: &Context| decide(&self.snapshot, &self.control, context, flag as u32, NOW);
        let by_json = ask(&Context::from_json(&self.snapshot, &self.texts[context])?);
        let by_position = ask(&Context::from_attributes(&self.snapshot, self.positions[context].clone())?);
        let all = decide_all(&self.snapshot, &self.control, prepared, NOW).nth(flag);
        let among_all = all.context("too few decisions")?;
        if [by_key, by_json, by_position, among_all].iter().any(|other| *other != decision) {
            bail!(
                "its doors disagree: {decision:?}, {by_key:?}, {by_json:?}, {by_position:?}, {among_all:?}"
            );
        }
        let variant = decision.variant.with_context(|| format!("no variant: {decision:?}"))?;
        Ok(Answer { variant: usize::from(variant), rule: None })
    }

    /// All cases of the table.
    pub(crate) fn cases<'a>(&'a self, cases: &mut Vec<Case<'a>>) {
        let Flagstone { snapshot, control, contexts, larger_contexts, .. } = self;
        let count = contexts.len();
        let mut next = Schedule::new(count, 100);
        cases.push(each("one-flag", move || {
            let (context, flag) = next.step();
            take(snapshot, decide(snapshot, control, &contexts[context], flag as u32, NOW));
        }));
        let mut next = Schedule::new(count, 100);
        cases.push(each("one-flag-by-key", move || {
            let (context, flag) = next.step();
            let key = black_box(self.keys[flag].as_str());
            take(snapshot, decide_key(snapshot, control, &contexts[context], key, NOW));
        }));
        let (larger, larger_control) = (&self.larger, &self.larger_control);
        let mut next = Schedule::new(count, 5_000);
        cases.push(each("one-flag-of-5000", move || {
            let (context, flag) = next.step();
            take(larger, decide(larger, larger_control, &larger_contexts[context], flag as u32, NOW));
        }));
        let mut next = Schedule::new(count, 5_000);
        cases.push(each("one-flag-by-key-of-5000", move || {
            let (context, flag) = next.step();
            let key = black_box(self.keys_5000[flag].as_str());
            take(larger, decide_key(larger, larger_control, &larger_contexts[context], key, NOW));
        }));
        let mut next = Schedule::new(count, 100);
        cases.push(each("one-shot-packed", move || {
            let (_, flag) = next.step();
            let bytes = self.packed[next.fresh()].clone();
            if let Ok(context) = Context::from_packed(snapshot, bytes) {
                take(snapshot, decide(snapshot, control, &context, flag as u32, NOW));
            }
        }));
        let mut next = Schedule::new(count, 100);
        cases.push(each("one-shot-positions", move || {
            let (_, flag) = next.step();
            let bytes = self.positions[next.fresh()].clone();
            if let Ok(context) = Context::from_attributes(snapshot, bytes) {
                take(snapshot, decide(snapshot, control, &context, flag as u32, NOW));
            }
        }));
        let (mut next, mut room) = (Schedule::new(count, 100), Context::default());
        cases.push(each("one-shot-refill", move || {
            let (_, flag) = next.step();
            let bytes = &self.positions[next.fresh()];
            if room.refill(snapshot, |packed| packed.extend_from_slice(bytes)).is_ok() {
                take(snapshot, decide(snapshot, control, &room, flag as u32, NOW));
            }
        }));
        let mut next = Schedule::new(count, 100);
        cases.push(each("one-shot-json", move || {
            let (_, flag) = next.step();
            if let Ok(context) = Context::from_json(snapshot, &self.texts[next.fresh()]) {
                take(snapshot, decide(snapshot, control, &context, flag as u32, NOW));
            }
        }));
        let mut next = Schedule::new(count, 1);
        cases.push(each("all-100", move || {
            let context = &contexts[next.fresh()];
            for decision in decide_all(snapshot, control, context, NOW) {
                take(snapshot, decision);
            }
        }));
        self.opening(cases);
    }

    /// Loading and opening 5,000 flags, and the cryptography of it alone.
    fn opening<'a>(&'a self, cases: &mut Vec<Case<'a>>) {
        let payload = self.payload_5000;
        cases.push(each("load-5000", move || {
            black_box(Snapshot::load(black_box(payload)).is_ok());
        }));
        cases.push(each("open-5000", move || {
            let policy = OpenPolicy {
                audience: &self.audience,
                environment: &self.environment,
                now: NOW,
                mark: None,
                max_payload: u64::MAX,
            };
            let opened = flagstone_seal::open(black_box(&self.sealed_5000), &self.trust, &policy);
            black_box(opened.is_ok_and(|opened| Snapshot::load(opened.payload).is_ok()));
        }));
        let key = SigningKey::from_bytes(&[7; 32]);
        let statement = vec![b'x'; STATEMENT];
        let signature = key.sign(&statement);
        let public = key.verifying_key();
        cases.push(each("signature-and-digest-5000", move || {
            black_box(public.verify_strict(black_box(&statement), &signature).is_ok());
            black_box(Sha256::digest(black_box(payload)));
        }));
    }
}

fn each<'a>(task: &'static str, mut call: impl FnMut() + 'a) -> Case<'a> {
    Case::new(NAME, task, move |calls| {
        for _ in 0..calls {
            call();
        }
    })
}

/// The full result in hand: the decision and the variant's name and value.
fn take(snapshot: &Snapshot<'_>, decision: Decision) {
    let flag = snapshot.flag(decision.flag);
    black_box(flag.zip(decision.variant).and_then(|(flag, variant)| flag.variant(variant)));
    black_box(decision);
}

fn keys(snapshot: &Snapshot<'_>) -> Vec<String> {
    snapshot.flags().map(|flag| flag.key().to_owned()).collect()
}

fn contexts(snapshot: &Snapshot<'_>, packed: &[Vec<u8>]) -> Result<Vec<Context>> {
    Ok(packed.iter().map(|bytes| Context::from_packed(snapshot, bytes.clone())).collect::<Result<_, _>>()?)
}

fn loaded(payload: &'static [u8]) -> Result<Snapshot<'static>> {
    Snapshot::load(payload).map_err(|error| anyhow!("{error}"))
}
