//! The engine for JavaScript: `seal`, `snapshot` and `evaluate` behind wasm-bindgen. Conversions only.
//!
//! Decisions cross as scalars and contexts as one packed buffer; serde-wasm-bindgen carries configuration only
//! (the policy in, what was opened out). `js/flagstone.js` is the face people use; `docs/engine.md` describes it.

mod told;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use flagstone_evaluate as evaluate;
use flagstone_evaluate::{Control, OpenStage};
use flagstone_seal::limits::BROWSER_PAYLOAD_BYTES;
use flagstone_seal::{Mark, OpenPolicy, PulsePolicy, TrustRoot};
use flagstone_snapshot::Snapshot;
use told::{Info, Policy, PulseInfo, failure, flag_info};
use wasm_bindgen::prelude::*;

self_cell::self_cell!(
    /// The payload and the view that reads it in place; freed together.
    struct Loaded {
        owner: Vec<u8>,
        #[covariant]
        dependent: Snapshot,
    }
);

/// What an engine and its contexts share.
struct Shared {
    loaded: Loaded,
    trust: TrustRoot,
    policy: Policy,
    mark: Mark,
    expires: u64,
    control: RefCell<Control>,
    pulse: Cell<Option<u64>>,
}

impl Shared {
    fn snapshot(&self) -> &Snapshot<'_> {
        self.loaded.borrow_dependent()
    }
}

/// One opened snapshot.
#[wasm_bindgen]
pub struct Engine {
    shared: Rc<Shared>,
    info: JsValue,
}

/// The attributes of one unit, resident in the engine.
#[wasm_bindgen]
pub struct Context {
    shared: Rc<Shared>,
    context: evaluate::Context,
    rest: Cell<u32>,
}

#[wasm_bindgen]
impl Engine {
    /// Verifies a sealed file by a trust statement and a policy `{audience, environment, now, mark?,
    /// maxPayload?}` and validates its snapshot. Throws an `Error` with a `code`.
    pub fn open(trust: &str, file: Vec<u8>, policy: JsValue) -> Result<Engine, JsValue> {
        let policy: Policy = serde_wasm_bindgen::from_value(policy)?;
        let trust = TrustRoot::pin(trust.as_bytes(), policy.now()).map_err(failure)?;
        let asked = OpenPolicy {
            audience: &policy.audience,
            environment: &policy.environment,
            now: policy.now(),
            mark: policy.mark()?,
            max_payload: policy.max_payload.unwrap_or(BROWSER_PAYLOAD_BYTES),
        };
        let opened = flagstone_seal::open(&file, &trust, &asked).map_err(failure)?;
        let loaded =
            Loaded::try_new(opened.payload.to_vec(), |bytes| Snapshot::load(bytes)).map_err(failure)?;
        let info = serde_wasm_bindgen::to_value(&Info::new(loaded.borrow_dependent(), &opened))?;
        let (mark, expires) = (opened.mark, opened.statement.expires);
        let control = RefCell::new(Control::closed(loaded.borrow_dependent()));
        let shared =
            Rc::new(Shared { loaded, trust, policy, mark, expires, control, pulse: Cell::new(None) });
        Ok(Engine { shared, info })
    }

    /// What was opened: `{mark: {epoch, sequence, digest}, flagSet, issued, expires, flags, signers}`.
    pub fn info(&self) -> JsValue {
        self.info.clone()
    }

    /// The flags in index order: `[{key, kind, client, planned, unit?, variants: [name]}]`.
    pub fn flags(&self) -> Result<JsValue, JsValue> {
        let flags: Vec<_> = self.shared.snapshot().flags().map(flag_info).collect();
        Ok(serde_wasm_bindgen::to_value(&flags)?)
    }

    /// Verifies a pulse and lets it replace the one before; one for another snapshot may only halt here.
    pub fn pulse(&self, note: &[u8], now: f64) -> Result<JsValue, JsValue> {
        let Shared { trust, policy: Policy { audience, environment, .. }, .. } = &*self.shared;
        let policy =
            PulsePolicy { audience, environment, now: now as u64, last_number: self.shared.pulse.get() };
        let pulse = flagstone_seal::open_pulse(note, trust, &policy).map_err(failure)?;
        let halts = pulse.halts.iter().map(String::as_str);
        let snapshot = self.shared.snapshot();
        let control = if pulse.snapshot == self.shared.mark {
            let stages = pulse.stages.iter().map(|line| OpenStage {
                flag: &line.flag,
                stage: line.stage,
                since: line.since,
            });
            Control::new(snapshot, pulse.expires.min(self.shared.expires), stages, halts)
        } else {
            self.shared.control.borrow().also_halting(snapshot, halts)
        };
        self.shared.control.replace(control);
        self.shared.pulse.set(Some(pulse.number));
        Ok(serde_wasm_bindgen::to_value(&PulseInfo::new(&pulse))?)
    }

    /// The index of a flag.
    pub fn find(&self, key: &str) -> Option<u32> {
        self.shared.snapshot().find(key)
    }

    /// The attribute paths that the rules read.
    pub fn attributes(&self) -> Vec<String> {
        let snapshot = self.shared.snapshot();
        (0..snapshot.attribute_count())
            .filter_map(|index| snapshot.attribute(index))
            .map(String::from)
            .collect()
    }

    /// Takes in a packed context.
    pub fn context(&self, packed: Vec<u8>) -> Result<Context, JsValue> {
        let context = evaluate::Context::from_packed(self.shared.snapshot(), packed).map_err(failure)?;
        Ok(Context { shared: self.shared.clone(), context, rest: Cell::new(0) })
    }

    /// A variant's value as JSON text.
    pub fn value(&self, flag: u32, variant: u16) -> Option<String> {
        Some(self.shared.snapshot().flag(flag)?.variant(variant)?.json.into())
    }

    /// The canonical decision text for a packed context.
    pub fn decision(&self, packed: Vec<u8>, key: &str, now: f64) -> Result<String, JsValue> {
        let context = self.context(packed)?.context;
        let (snapshot, control) = (self.shared.snapshot(), &self.shared.control.borrow());
        let decision = evaluate::decide_key(snapshot, control, &context, key, now as u64);
        Ok(evaluate::decision_json(snapshot, &decision, key))
    }

    /// The decision with a trace of why, as JSON text.
    pub fn explain(&self, packed: Vec<u8>, key: &str, now: f64) -> Result<String, JsValue> {
        let context = self.context(packed)?.context;
        let (snapshot, control) = (self.shared.snapshot(), &self.shared.control.borrow());
        Ok(evaluate::explain_json(snapshot, control, &context, key, now as u64))
    }
}

#[wasm_bindgen]
impl Context {
    /// Decides a flag: the low half of the packed decision (variant, reason, error).
    pub fn evaluate(&self, flag: u32, now: f64) -> u32 {
        let Shared { control, .. } = &*self.shared;
        let snapshot = self.shared.snapshot();
        let packed = evaluate::decide(snapshot, &control.borrow(), &self.context, flag, now as u64).pack();
        self.rest.set((packed >> 32) as u32);
        packed as u32
    }

    /// The high half (detail, arm, stage, cohort) of the last `evaluate`.
    pub fn rest(&self) -> u32 {
        self.rest.get()
    }

    /// Decides every flag: 8 bytes little-endian each, in index order.
    #[wasm_bindgen(js_name = evaluateAll)]
    pub fn evaluate_all(&self, now: f64) -> Vec<u8> {
        let (snapshot, control) = (self.shared.snapshot(), self.shared.control.borrow());
        let one =
            |flag| evaluate::decide(snapshot, &control, &self.context, flag, now as u64).pack().to_le_bytes();
        (0..snapshot.flag_count()).flat_map(one).collect()
    }
}
