//! The shared vectors of `vectors/*.json`: one definition, many questions, the one right text for each.
//!
//! The same files run natively, in the component and in the browser build, byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use flagstone_evaluate::{Context, Control, OpenStage, decide_key, decision_json};
use flagstone_seal::{Mark, OpenPolicy, PulseStage, open};
use flagstone_snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::fixture::{self, AUDIENCE, ENVIRONMENT, World};

/// The time around which the vectors are, unix seconds: everything is issued then.
pub const ISSUED: u64 = 1_800_000_000;
/// How long a pulse of the fixtures lives, seconds.
pub const LEASE: u64 = 300;

/// One file of vectors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vectors {
    /// What the file is and how its texts were made.
    pub about: String,
    /// A definition in flagd's JSON with our additions; compiled strictly.
    pub definition: Box<RawValue>,
    /// The questions.
    pub cases: Vec<Case>,
}

/// One question and its answer.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The context.
    pub context: Box<RawValue>,
    /// The flag's key.
    pub flag: String,
    /// Unix seconds.
    pub now: u64,
    /// The pulse in force; null: none has come yet.
    pub pulse: Option<Pulse>,
    /// The canonical decision text.
    pub expect: String,
}

/// What a pulse says in a vector.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pulse {
    /// Open stage by flag key.
    pub stages: BTreeMap<String, u8>,
    /// Since when a stage is open, by flag key, unix seconds; long ago for flags that are not here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub since: BTreeMap<String, u64>,
    /// Halted flags.
    pub halts: Vec<String>,
    /// End of the lease, unix seconds; the pulse is issued [`LEASE`] before.
    pub expires: u64,
}

impl Pulse {
    /// The stages that it opens.
    pub fn open(&self) -> impl Iterator<Item = OpenStage<'_>> {
        self.stages.iter().map(|(flag, stage)| OpenStage {
            flag,
            stage: *stage,
            since: self.since.get(flag).copied().unwrap_or_default(),
        })
    }
}

/// The vector files of this folder, by name.
///
/// # Errors
/// When the folder cannot be read, or holds none.
pub fn files() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).context("cannot read host-tests/vectors")? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("no vectors in host-tests/vectors");
    }
    Ok(files)
}

impl Vectors {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not there or not of this form.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("in `{}`", path.display()))
    }

    /// The definition as the bytes of a snapshot.
    ///
    /// # Errors
    /// What the compiler says of it.
    pub fn snapshot(&self) -> Result<Vec<u8>> {
        fixture::snapshot("vectors.json", self.definition.get())
    }

    /// The different pulses of the cases, in order of their first use.
    #[must_use]
    pub fn pulses(&self) -> Vec<&Pulse> {
        let mut pulses = Vec::new();
        for pulse in self.cases.iter().filter_map(|case| case.pulse.as_ref()) {
            if !pulses.contains(&pulse) {
                pulses.push(pulse);
            }
        }
        pulses
    }
}

/// A sealed snapshot with the trust root that opens it.
pub struct Sealed {
    /// The trust note.
    pub trust: Vec<u8>,
    /// The sealed file.
    pub file: Vec<u8>,
    /// The identity that opening it gives.
    pub mark: Mark,
}

/// Seals a payload with the test keys at [`ISSUED`].
///
/// # Errors
/// What sealing refuses.
pub fn seal(payload: &[u8]) -> Result<Sealed> {
    let world = World::new(ISSUED)?;
    let file = world.seal(payload, 1)?;
    let policy = OpenPolicy {
        audience: AUDIENCE,
        environment: ENVIRONMENT,
        now: ISSUED,
        mark: None,
        max_payload: flagstone_seal::limits::BROWSER_PAYLOAD_BYTES,
    };
    let mark = open(&file, &world.pinned()?, &policy).map_err(|error| anyhow!("{error}"))?.mark;
    Ok(Sealed { trust: world.trust, file, mark })
}

impl Sealed {
    /// Signs a pulse for this snapshot.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn pulse(&self, pulse: &Pulse, number: u64) -> Result<Vec<u8>> {
        let stages: Vec<_> = pulse
            .open()
            .map(|open| PulseStage { flag: open.flag.into(), stage: open.stage, since: open.since })
            .collect();
        let halts: Vec<_> = pulse.halts.iter().map(String::as_str).collect();
        World::new(pulse.expires - LEASE)?.pulse(number, self.mark, &stages, &halts)
    }
}

impl Case {
    /// What the pulse in force opens and halts.
    #[must_use]
    pub fn control(&self, snapshot: &Snapshot<'_>) -> Control {
        match &self.pulse {
            None => Control::closed(snapshot),
            Some(pulse) => {
                Control::new(snapshot, pulse.expires, pulse.open(), pulse.halts.iter().map(String::as_str))
            }
        }
    }

    /// What the native engine answers.
    ///
    /// # Errors
    /// When the context is none.
    pub fn native(&self, snapshot: &Snapshot<'_>) -> Result<String> {
        let context = Context::from_json(snapshot, self.context.get())?;
        let decision = decide_key(snapshot, &self.control(snapshot), &context, &self.flag, self.now);
        Ok(decision_json(snapshot, &decision, &self.flag))
    }
}
