//! The engine as a component: `wit/flagstone-flags.wit` over `seal`, `snapshot` and `evaluate`. Conversions
//! only; an instance opens one snapshot, keeps it for life, and imports nothing.
//!
//! `cargo xtask build` makes `target/guest/flagstone.component.wasm` of it. `docs/engine.md` describes the
//! handles, the packed decision, and the same exports as a flat core ABI.
#![no_std]
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code))] // natively nothing is exported
extern crate alloc;
#[cfg(not(target_arch = "wasm32"))]
extern crate std;

#[cfg(target_arch = "wasm32")]
mod runtime;
mod slots;

/// What wit-bindgen makes of the world.
#[allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit" });
    #[cfg(target_arch = "wasm32")]
    export!(Component with_types_in self);
    #[cfg(target_arch = "wasm32")]
    use super::Component;
}

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bindings::exports::flagstone::flags::evaluator::{
    Fault, FlagInfo, Kind, Policy, PulseInfo, SnapshotInfo, TrustInfo,
};
use bindings::exports::flagstone::flags::{cohorts, evaluator};
use flagstone_evaluate::{
    Arm, Context, ContextError, Control, Decision, Detail, ErrorCode, NO_FLAG, OpenStage, Reason, decide,
    decide_key, decision_json, explain_json, pack_all,
};
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{Mark, OpenPolicy, Opened, PulsePolicy, PulseStatement, SealError, TrustRoot};
use flagstone_snapshot::{FlagKind, Snapshot};
use slots::Slots;
use spin::Mutex;

/// What an instance holds once it is open.
struct Engine {
    trust: TrustRoot,
    audience: String,
    environment: String,
    mark: Mark,
    expires: u64,
    snapshot: Snapshot<'static>,
    control: Control,
    pulse: Option<u64>,
    contexts: Slots<Context>,
    /// The context of decisions that keep none: its room is used again and again.
    once: Context,
}

impl Engine {
    fn decide(&self, context: &Context, flag: u32, now: u64) -> Decision {
        decide(&self.snapshot, &self.control, context, flag, now)
    }
}

static ENGINE: Mutex<Option<Engine>> = Mutex::new(None);

/// Runs with the open engine, none before `open`. One thread, no imports: nothing can hold the lock twice.
fn with<R>(run: impl FnOnce(&mut Engine) -> R) -> Option<R> {
    ENGINE.lock().as_mut().map(run)
}

/// The component: everything it has is in [`ENGINE`].
struct Component;

impl evaluator::Guest for Component {
    fn open(trust: String, file: Vec<u8>, policy: Policy) -> Result<SnapshotInfo, Fault> {
        if with(|_| ()).is_some() {
            return Err(fault("already-open", "a snapshot is open\nhint: open another in a new instance"));
        }
        let trust = TrustRoot::pin(trust.as_bytes(), policy.now).map_err(sealed)?;
        let (audience, environment) = (policy.audience, policy.environment);
        let mark = policy.mark.map(mark_in).transpose()?;
        let (now, max_payload) = (policy.now, SERVER_PAYLOAD_BYTES);
        let asked = OpenPolicy { audience: &audience, environment: &environment, now, mark, max_payload };
        let Opened { statement, payload, mark, signers, .. } =
            flagstone_seal::open(&file, &trust, &asked).map_err(sealed)?;
        let length = payload.len();
        let file: &'static [u8] = file.leak(); // the payload ends the file and lives as long as the instance
        let payload = file.get(file.len() - length..).unwrap_or_default();
        let snapshot = Snapshot::load(payload).map_err(|error| fault(error.code(), &error.to_string()))?;
        let info = SnapshotInfo {
            mark: mark_out(mark),
            flag_set: snapshot.flag_set().into(),
            issued: statement.issued,
            expires: statement.expires,
            flags: snapshot.flag_count(),
            signers,
        };
        let control = Control::closed(&snapshot);
        let (contexts, once, pulse) = (Slots::new(), Context::default(), None);
        let expires = statement.expires;
        let engine =
            Engine { trust, audience, environment, mark, expires, snapshot, control, pulse, contexts, once };
        *ENGINE.lock() = Some(engine);
        Ok(info)
    }

    fn advance(trust: String, next: String, now: u64) -> Result<TrustInfo, Fault> {
        let mut root = TrustRoot::pin(trust.as_bytes(), now).map_err(sealed)?;
        if trust != next {
            root = root.advance(next.as_bytes(), now).map_err(sealed)?;
        }
        let (version, epoch, issued, expires) = (root.version(), root.epoch(), root.issued(), root.expires());
        Ok(TrustInfo { version, epoch, issued, expires })
    }

    fn pulse(note: Vec<u8>, now: u64) -> Result<PulseInfo, Fault> {
        with(|engine| {
            let (audience, environment) = (engine.audience.as_str(), engine.environment.as_str());
            let policy = PulsePolicy { audience, environment, now, last_number: engine.pulse };
            let pulse = flagstone_seal::open_pulse(&note, &engine.trust, &policy).map_err(sealed)?;
            engine.control = controlled(engine, &pulse);
            engine.pulse = Some(pulse.number);
            let PulseStatement { number, issued, expires, snapshot, .. } = pulse;
            Ok(PulseInfo { number, issued, expires, snapshot: mark_out(snapshot) })
        })
        .unwrap_or_else(not_open)
    }

    fn flags() -> Vec<FlagInfo> {
        let info = |flag: flagstone_snapshot::Flag<'_>| FlagInfo {
            key: flag.key().into(),
            kind: match flag.kind() {
                FlagKind::Boolean => Kind::Boolean,
                FlagKind::Text => Kind::Text,
                FlagKind::Number => Kind::Number,
                FlagKind::Object => Kind::Object,
            },
            client: flag.client(),
            planned: flag.plan().is_some(),
            unit: flag.unit().map(Into::into),
            sticky: flag.parts().and_then(|parts| parts.sticky()),
        };
        with(|engine| engine.snapshot.flags().map(info).collect()).unwrap_or_default()
    }

    fn find(key: String) -> Option<u32> {
        with(|engine| engine.snapshot.find(&key)).flatten()
    }

    fn attributes() -> Vec<String> {
        let path = |snapshot: Snapshot<'_>, index| snapshot.attribute(index).map(Into::into);
        let paths = |engine: &mut Engine| {
            (0..engine.snapshot.attribute_count()).filter_map(|index| path(engine.snapshot, index)).collect()
        };
        with(paths).unwrap_or_default()
    }

    fn context_json(json: String) -> Result<u32, Fault> {
        with(|engine| keep(engine, Context::from_json(&engine.snapshot, &json))).unwrap_or_else(not_open)
    }

    fn context_packed(bytes: Vec<u8>) -> Result<u32, Fault> {
        with(|engine| keep(engine, Context::from_packed(&engine.snapshot, bytes))).unwrap_or_else(not_open)
    }

    fn context_attributes(bytes: Vec<u8>) -> Result<u32, Fault> {
        with(|engine| keep(engine, Context::from_attributes(&engine.snapshot, bytes)))
            .unwrap_or_else(not_open)
    }

    fn drop_context(context: u32) {
        with(|engine| engine.contexts.remove(context));
    }

    fn evaluate(context: u32, flag: u32, now: u64) -> u64 {
        decided(context, flag, now).pack()
    }

    fn decide_attributes(bytes: Vec<u8>, flag: u32, now: u64) -> u64 {
        let one = |engine: &mut Engine| {
            engine.once.refill(&engine.snapshot, |room| *room = bytes).ok()?;
            Some(engine.decide(&engine.once, flag, now))
        };
        with(one).flatten().unwrap_or(FAILED).pack()
    }

    fn evaluate_all(context: u32, now: u64) -> Vec<u8> {
        let all = |engine: &mut Engine| {
            let context = engine.contexts.get(context)?;
            let mut packed = alloc::vec![[0; 8]; engine.snapshot.flag_count() as usize];
            pack_all(&engine.snapshot, &engine.control, context, now, &mut packed);
            Some(packed.into_flattened())
        };
        with(all).flatten().unwrap_or_default()
    }

    fn value(flag: u32, variant: u32) -> Option<String> {
        let json = |engine: &mut Engine| {
            Some(engine.snapshot.flag(flag)?.variant(u16::try_from(variant).ok()?)?.json.into())
        };
        with(json).flatten()
    }

    fn decision(context_json: String, flag_key: String, now: u64) -> String {
        readable(&context_json, &flag_key, now, false)
    }

    fn explain(context_json: String, flag_key: String, now: u64) -> String {
        readable(&context_json, &flag_key, now, true)
    }
}

impl cohorts::Guest for Component {
    fn assign(context: u32, flag: u32, now: u64) -> Option<cohorts::Assignment> {
        with(|engine| engine.snapshot.flag(flag)?.plan().map(|_| ())).flatten()?;
        let decision = decided(context, flag, now);
        let arm = match decision.arm {
            Arm::None => cohorts::Arm::None,
            Arm::Treatment => cohorts::Arm::Treatment,
            Arm::Control => cohorts::Arm::Control,
        };
        let Decision { stage, cohort, probability, variant, .. } = decision;
        Some(cohorts::Assignment { arm, stage, cohort, probability, variant })
    }
}

/// A pulse for this snapshot replaces the one before, and its lease ends with the snapshot at the latest. One
/// for another snapshot may only halt here.
fn controlled(engine: &Engine, pulse: &PulseStatement) -> Control {
    let halts = pulse.halts.iter().map(String::as_str);
    if pulse.snapshot != engine.mark {
        return engine.control.also_halting(&engine.snapshot, halts);
    }
    let stages =
        pulse.stages.iter().map(|line| OpenStage { flag: &line.flag, stage: line.stage, since: line.since });
    Control::new(&engine.snapshot, pulse.expires.min(engine.expires), stages, halts)
}

fn keep(engine: &mut Engine, context: Result<Context, ContextError>) -> Result<u32, Fault> {
    let context = context.map_err(|error| fault(error.code(), &error.to_string()))?;
    let full = || fault("too-many-contexts", "too many contexts are alive\nhint: drop those that are done");
    engine.contexts.insert(context).ok_or_else(full)
}

/// For an instance that is not open, a handle that is not live, a context that is none.
const FAILED: Decision = Decision {
    flag: NO_FLAG,
    variant: None,
    reason: Reason::Error,
    error: Some(ErrorCode::General),
    detail: Detail::None,
    arm: Arm::None,
    stage: None,
    cohort: None,
    probability: 0,
};

fn decided(context: u32, flag: u32, now: u64) -> Decision {
    let one = |engine: &mut Engine| Some(engine.decide(engine.contexts.get(context)?, flag, now));
    with(one).flatten().unwrap_or(FAILED)
}

/// The readable door; empty before `open`.
fn readable(context: &str, key: &str, now: u64, explain: bool) -> String {
    let text = |engine: &mut Engine| {
        let (snapshot, control) = (&engine.snapshot, &engine.control);
        match Context::from_json(snapshot, context) {
            Err(_) => decision_json(snapshot, &FAILED, key),
            Ok(context) if explain => explain_json(snapshot, control, &context, key, now),
            Ok(context) => decision_json(snapshot, &decide_key(snapshot, control, &context, key, now), key),
        }
    };
    with(text).unwrap_or_default()
}

fn mark_in(mark: evaluator::Mark) -> Result<Mark, Fault> {
    let digest = <[u8; 32]>::try_from(mark.digest);
    let digest = digest.map_err(|_| fault("bad-mark", "the mark's digest is not 32 bytes"))?;
    Ok(Mark { epoch: mark.epoch, sequence: mark.sequence, digest })
}

fn mark_out(mark: Mark) -> evaluator::Mark {
    evaluator::Mark { epoch: mark.epoch, sequence: mark.sequence, digest: mark.digest.to_vec() }
}

fn fault(code: &str, message: &str) -> Fault {
    Fault { code: code.into(), message: message.into() }
}

fn sealed(error: SealError) -> Fault {
    fault(error.code(), &error.to_string())
}

fn not_open<T>() -> Result<T, Fault> {
    Err(fault("not-open", "nothing is open in this instance\nhint: call `open` first"))
}
