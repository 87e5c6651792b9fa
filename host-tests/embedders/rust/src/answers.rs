//! Everything that the library is asked, as docs/embedders.md has it, and the hashes of what it answered.

use std::fmt::Write as _;

use flagstone::{Flags, Mark, Memory, Refusal, Settings, Unit};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{Fixtures, Outcome};

/// What was asked, what was wrong, and the bytes that were answered.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) passed: u64,
    pub(crate) failed: Vec<String>,
    answers: Sha256,
    explained: Sha256,
}

#[derive(Clone)]
struct Told {
    text: String,
    trace: String,
}

impl Answers {
    pub(crate) fn all(fixtures: &Fixtures) -> Outcome<Self> {
        let mut all = Self::default();
        for name in fixtures.json("index.json")?["vectors"].as_array().ok_or("index.json has no vectors")? {
            all.vectors(fixtures, name.as_str().unwrap_or_default())?;
        }
        all.refusals(fixtures)?;
        Ok(all)
    }

    pub(crate) fn hashes(&self) -> (String, String) {
        (hexadecimal(&self.answers), hexadecimal(&self.explained))
    }

    fn same(&mut self, title: &str, told: &str, wanted: &str) {
        if told == wanted {
            self.passed += 1;
        } else {
            self.failed.push(format!("{title}: {told} instead of {wanted}"));
        }
    }

    fn vectors(&mut self, fixtures: &Fixtures, name: &str) -> Outcome<()> {
        let said = fixtures.json(&format!("{name}/cases.json"))?;
        let contexts = contexts(&fixtures.read(&format!("{name}/cases.json"))?)?;
        let cases = said["cases"].as_array().ok_or("no cases")?;
        let mut told: Vec<Option<Told>> = vec![None; cases.len()];
        let pulses = said["pulses"].as_array().ok_or("no pulses")?;
        for number in std::iter::once(None).chain((0..pulses.len()).map(Some)) {
            let flags = opened(fixtures, name, "trust.txt", "flags.sealed", &said["policy"])?;
            if let Some(number) = number {
                let now = pulses.get(number).and_then(|pulse| pulse["now"].as_u64()).unwrap_or_default();
                flags.pulse(&fixtures.read(&format!("{name}/pulse-{number}.txt"))?, now)?;
            }
            let current = flags.in_force().ok_or("nothing is in force")?;
            let mut every = Vec::new();
            for ((case, context), place) in cases.iter().zip(&contexts).zip(&mut told) {
                if case["pulse"].as_u64() != number.map(|number| number as u64) {
                    continue;
                }
                let text = |member: &str| case[member].as_str().unwrap_or_default();
                let (title, key) = (text("name"), text("flag"));
                let now = case["now"].as_u64().unwrap_or_default();
                let mut unit = Unit::json(context.get());
                let answered = Told {
                    text: current.decision_text(&mut unit, key, now),
                    trace: current.explain(&mut unit, key, now),
                };
                self.same(title, &answered.text, text("expect"));
                self.same(&format!("explain: {title}"), &answered.trace, text("explain"));
                if let Some(index) = current.find(key) {
                    let packed = |decision: &flagstone::Decision| format!("{:016x}", decision.pack());
                    let one = packed(&current.decide(&mut unit, index, now));
                    self.same(&format!("packed: {title}"), &one, text("packed"));
                    current.decide_all(&mut unit, now, &mut every);
                    let one = every.get(index as usize).map(packed).unwrap_or_default();
                    self.same(&format!("all: {title}"), &one, text("packed"));
                }
                *place = Some(answered);
            }
        }
        for (told, case) in told.iter().zip(cases) {
            let told = told.as_ref().ok_or_else(|| format!("`{}` was not asked", case["name"]))?;
            line(&mut self.answers, &told.text);
            line(&mut self.explained, &told.trace);
        }
        Ok(())
    }

    fn refusals(&mut self, fixtures: &Fixtures) -> Outcome<()> {
        let said = fixtures.json("refused/cases.json")?;
        let cases = said["cases"].as_array().ok_or("no cases")?;
        for case in cases {
            let text = |member: &str| case[member].as_str().unwrap_or_default();
            let told = match opened(fixtures, "refused", text("trust"), text("file"), &case["policy"]) {
                Ok(_) => "opens".to_owned(),
                Err(error) => code(error.as_ref())?,
            };
            self.same(text("name"), &told, case["code"].as_str().unwrap_or("opens"));
            line(&mut self.answers, &told);
        }
        let good = cases.first().ok_or("no cases")?;
        let flags = opened(fixtures, "refused", "trust.txt", "good.sealed", &good["policy"])?;
        for pulse in said["pulses"].as_array().ok_or("no pulses")? {
            let file = pulse["file"].as_str().unwrap_or_default();
            let now = pulse["now"].as_u64().unwrap_or_default();
            let told = match flags.pulse(&fixtures.read(&format!("refused/{file}"))?, now) {
                Ok(_) => "taken".to_owned(),
                Err(refusal) => refusal.code().to_owned(),
            };
            self.same(file, &told, pulse["code"].as_str().unwrap_or("taken"));
            line(&mut self.answers, &told);
        }
        Ok(())
    }
}

/// The contexts as they are written, since the order of members may matter to an explanation.
fn contexts(cases: &[u8]) -> Outcome<Vec<Box<RawValue>>> {
    type Members = std::collections::BTreeMap<String, Box<RawValue>>;
    let whole: Members = serde_json::from_slice(cases)?;
    let cases: Vec<Members> = serde_json::from_str(whole.get("cases").ok_or("no cases")?.get())?;
    cases
        .into_iter()
        .map(|mut case| case.remove("context").ok_or_else(|| "a case without context".into()))
        .collect()
}

/// Flags with a fixture's file in force.
pub(crate) fn opened(
    fixtures: &Fixtures,
    folder: &str,
    trust: &str,
    file: &str,
    policy: &Value,
) -> Outcome<Flags> {
    let text = |member: &str| policy[member].as_str().unwrap_or_default();
    let now = policy["now"].as_u64().unwrap_or_default();
    let mark = policy.get("mark").filter(|mark| !mark.is_null()).map(|mark| Mark {
        epoch: mark["epoch"].as_u64().unwrap_or_default(),
        sequence: mark["sequence"].as_u64().unwrap_or_default(),
        digest: digest(mark["digest"].as_str().unwrap_or_default()),
    });
    let settings = Settings::new(text("audience"), text("environment"))
        .remembering(Memory { mark, ..Memory::default() });
    let flags = Flags::pin(&fixtures.read(&format!("{folder}/{trust}"))?, settings, now)?;
    flags.offer(fixtures.read(&format!("{folder}/{file}"))?, now)?;
    Ok(flags)
}

fn code(error: &(dyn std::error::Error + 'static)) -> Outcome<String> {
    match error.downcast_ref::<Refusal>() {
        Some(refusal) => Ok(refusal.code().to_owned()),
        None => Err(error.to_string().into()),
    }
}

fn line(hash: &mut Sha256, text: &str) {
    hash.update(text.as_bytes());
    hash.update(b"\n");
}

fn hexadecimal(hash: &Sha256) -> String {
    hash.clone().finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn digest(text: &str) -> [u8; 32] {
    let mut digest = [0; 32];
    for (at, byte) in digest.iter_mut().enumerate() {
        let digits = text.get(at * 2..at * 2 + 2).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    digest
}
