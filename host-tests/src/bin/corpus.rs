//! Writes the committed fuzzing corpus from the vectors: `cargo run -p host-tests --bin corpus`. Files that it does not know
//! (inputs that once failed) it leaves alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use flagstone_seal::{Mark, PulseStage};
use flagstone_snapshot::{Draft, Json, Value as Packed, encode};
use host_tests::fixture::{self, ISSUED, World};
use host_tests::vectors::{Vectors, files};
use serde_json::{Value, json};

/// Files by target and name.
type Corpus = BTreeMap<(&'static str, String), Vec<u8>>;

/// The definition that the target `context` asks about.
const CONTEXT: &str = include_str!("../../fuzz/src/context.json");
/// The documented example.
const EXAMPLE: &str = include_str!("../../../docs/definition.md");

fn main() -> Result<()> {
    let mut corpus = Corpus::new();
    sealed(&mut corpus)?;
    for file in files()? {
        let vectors = Vectors::read(&file)?;
        from_vectors(&mut corpus, &vectors)?;
    }
    let all = fixture::snapshot("context.json", CONTEXT)?;
    corpus.insert(("load", "everything".into()), all.clone());
    corpus.insert(("load", "empty".into()), encode(&Draft::default()).map_err(|error| anyhow!("{error}"))?);
    corpus.insert(
        ("evaluate", "everything".into()),
        question(1_800_000_000, 2, &all, &json!({"a": [1, {"n": 2}]})),
    );
    corpus.insert(("compile", "everything".into()), with(0, CONTEXT.as_bytes()));
    let example = EXAMPLE.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    corpus.insert(("compile", "example".into()), with(1, example.context("the example is gone")?.as_bytes()));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut bytes = 0;
    for ((target, name), content) in &corpus {
        let path: PathBuf = folder.join(target).join(name);
        std::fs::create_dir_all(folder.join(target))?;
        std::fs::write(&path, content).with_context(|| format!("cannot write `{}`", path.display()))?;
        bytes += content.len();
    }
    println!("{} files, {bytes} bytes", corpus.len());
    Ok(())
}

fn with(first: u8, rest: &[u8]) -> Vec<u8> {
    std::iter::once(first).chain(rest.iter().copied()).collect()
}

/// Good files, and changes to them, for the target `open`.
fn sealed(corpus: &mut Corpus) -> Result<()> {
    let world = World::new(ISSUED)?;
    let file = world.seal(b"any payload, a few lines\nlong\n", 7)?;
    let mark = Mark { epoch: 1, sequence: 7, digest: [5; 32] };
    let stages = [PulseStage { flag: "answers".into(), stage: 2, since: ISSUED - 50 }];
    let pulse = world.pulse(9, mark, &stages, &["banner"])?;
    for (what, name, content) in [(0, "file", &file), (1, "pulse", &pulse), (2, "trust", &world.trust)] {
        corpus.insert(("open", name.into()), with(what, content));
        for (number, change) in
            [[9, 0, 0, b'x'], [40, 0, 1, b'\n'], [200, 0, 2, 0], [90, 1, 3, 0]].iter().enumerate()
        {
            corpus.insert(("open", format!("{name}-changed-{number}")), with(what + 3, change));
        }
    }
    Ok(())
}

/// Each flag of the vectors by itself, with what it refers to; each context; each question.
fn from_vectors(corpus: &mut Corpus, vectors: &Vectors) -> Result<()> {
    let whole: Value = serde_json::from_str(vectors.definition.get())?;
    let mut snapshots = BTreeMap::new();
    for (key, flag) in whole["flags"].as_object().into_iter().flatten() {
        let mut alone = whole.clone();
        alone["flags"] = json!({key: flag});
        for asked in flag["prerequisites"].as_object().into_iter().flatten() {
            alone["flags"][asked.0] = whole["flags"][asked.0].clone();
        }
        let text = alone.to_string();
        // A layer or holdout may name flags that are not here; such a flag is in the whole only.
        let Ok(snapshot) = fixture::snapshot("corpus.json", &text) else { continue };
        corpus.insert(("load", format!("flag-{key}")), snapshot.clone());
        corpus.insert(
            ("compile", format!("flag-{key}")),
            with(0, json!({"flags": {key: flag}}).to_string().as_bytes()),
        );
        snapshots.insert(key.as_str(), snapshot);
    }
    for (number, case) in vectors.cases.iter().enumerate() {
        let context: Value = serde_json::from_str(case.context.get())?;
        let name = format!("case-{number:03}");
        corpus.insert(("context", format!("{name}-text")), with(1, case.context.get().as_bytes()));
        corpus.insert(("context", format!("{name}-packed")), with(0, &packed(&context)));
        if let Some(snapshot) = snapshots.get(case.flag.as_str()) {
            let how = case.pulse.as_ref().map_or(64, |_| 2);
            corpus.insert(("evaluate", name), question(case.now, how, snapshot, &context));
        }
    }
    Ok(())
}

/// What the target `evaluate` reads.
fn question(now: u64, how: u8, snapshot: &[u8], context: &Value) -> Vec<u8> {
    let mut bytes = now.to_le_bytes().to_vec();
    bytes.push(how);
    bytes.extend_from_slice(&(snapshot.len() as u32).to_le_bytes());
    bytes.extend_from_slice(snapshot);
    bytes.extend_from_slice(&packed(context));
    bytes
}

fn packed(context: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    Packed::write(&owned(context), &mut bytes);
    bytes
}

fn owned(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Json::Integer(number),
            (None, Some(number)) => Json::Unsigned(number),
            (None, None) => Json::Number(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Json::Text(text.clone()),
        Value::Array(items) => Json::List(items.iter().map(owned).collect()),
        Value::Object(members) => {
            Json::Object(members.iter().map(|(key, value)| (key.clone(), owned(value))).collect())
        }
    }
}
