//! The engine as the tests ask it: a definition compiled as a host would, one decision at a time.

use flagstone_compile::{Options, Source, compile};
use flagstone_evaluate::{Context, Control, Decision, OpenStage, decide_all, decide_key, decision_json};
use flagstone_snapshot::{Snapshot, encode};
use host_tests::reference::Pulse;
use serde_json::Value;

/// Whether definitions have everything, or only what the first engine acted on.
pub(crate) const FULL: bool = true;

/// A compiled definition.
pub(crate) struct Native {
    bytes: Vec<u8>,
    /// What compile said of it.
    pub(crate) said: String,
}

impl Native {
    /// Compiles leniently, so that a bad rule takes down its flag only.
    pub(crate) fn new(definition: &Value) -> Self {
        let source = Source::new("random.json", definition.to_string());
        let options = Options { environment: "test".into(), ..Options::default() };
        let outcome = compile(&source, &options);
        let said = outcome.diagnostics.render(&source, false);
        let bytes = encode(&outcome.draft.unwrap_or_else(|| panic!("{said}"))).unwrap();
        Native { bytes, said }
    }

    /// The decision's text. Deciding all flags in one call must say the same of this one.
    pub(crate) fn text(&self, context: &Value, pulse: Option<&Pulse>, key: &str, now: u64) -> String {
        let snapshot = Snapshot::load(&self.bytes).unwrap();
        let context = Context::from_json(&snapshot, &context.to_string()).unwrap();
        let control = control(&snapshot, pulse);
        let decision = decide_key(&snapshot, &control, &context, key, now);
        let all: Vec<Decision> = decide_all(&snapshot, &control, &context, now).collect();
        assert_eq!(all.len(), snapshot.flag_count() as usize);
        if let Some(index) = snapshot.find(key) {
            assert_eq!(all[index as usize], decision, "`{key}` among all");
        }
        decision_json(&snapshot, &decision, key)
    }
}

/// A pulse as the engine takes it.
fn control(snapshot: &Snapshot<'_>, pulse: Option<&Pulse>) -> Control {
    let Some(pulse) = pulse else { return Control::closed(snapshot) };
    let stages =
        pulse.stages.iter().map(|(flag, (stage, since))| OpenStage { flag, stage: *stage, since: *since });
    Control::new(snapshot, pulse.expires, stages, pulse.halts.iter().map(String::as_str))
}
