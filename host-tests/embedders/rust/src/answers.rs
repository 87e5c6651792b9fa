//! Everything that a door is asked, as docs/embedders.md has it, and the hashes of what it answered.

use std::fmt::Write as _;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{Door, Fixtures, Outcome};

/// What was asked, what was wrong, and the bytes that were answered.
#[derive(Debug, Default)]
pub struct Answers {
    /// Answers that were as expected.
    pub passed: u64,
    /// The others, a text each.
    pub failed: Vec<String>,
    answers: Sha256,
    explained: Sha256,
}

impl Answers {
    /// Asks everything.
    ///
    /// # Errors
    /// That the fixtures cannot be read, or the door is broken.
    pub fn all<D: Door>(fixtures: &Fixtures, maker: &D::Maker) -> Outcome<Self> {
        let mut all = Self::default();
        for name in fixtures.json("index.json")?["vectors"].as_array().ok_or("index.json has no vectors")? {
            all.vectors::<D>(fixtures, maker, name.as_str().unwrap_or_default())?;
        }
        all.refusals::<D>(fixtures, maker)?;
        Ok(all)
    }

    /// The hashes over decisions and explanations, 64 hexadecimal digits each.
    #[must_use]
    pub fn hashes(&self) -> (String, String) {
        (hexadecimal(&self.answers), hexadecimal(&self.explained))
    }

    fn same(&mut self, title: &str, told: &str, wanted: &str) {
        if told == wanted {
            self.passed += 1;
        } else {
            self.failed.push(format!("{title}: {told} instead of {wanted}"));
        }
    }

    fn vectors<D: Door>(&mut self, fixtures: &Fixtures, maker: &D::Maker, name: &str) -> Outcome<()> {
        let said = fixtures.json(&format!("{name}/cases.json"))?;
        let contexts = contexts(&fixtures.read(&format!("{name}/cases.json"))?)?;
        let opening = fixtures.opening(name, "trust.txt", "flags.sealed", &said["policy"])?;
        let cases = said["cases"].as_array().ok_or("no cases")?;
        let mut told: Vec<Option<(String, String)>> = vec![None; cases.len()];
        let pulses = said["pulses"].as_array().ok_or("no pulses")?;
        for number in std::iter::once(None).chain((0..pulses.len()).map(Some)) {
            let mut door = D::open(maker, &opening)??;
            if let Some(number) = number {
                let now = pulses.get(number).and_then(|pulse| pulse["now"].as_u64()).unwrap_or_default();
                door.pulse(&fixtures.read(&format!("{name}/pulse-{number}.txt"))?, now)??;
            }
            for ((case, context), place) in cases.iter().zip(&contexts).zip(&mut told) {
                if case["pulse"].as_u64() != number.map(|number| number as u64) {
                    continue;
                }
                let text = |member: &str| case[member].as_str().unwrap_or_default();
                let (title, key, now) =
                    (text("name"), text("flag"), case["now"].as_u64().unwrap_or_default());
                let answered = door.texts(context.get(), key, now)?;
                self.same(title, &answered.0, text("expect"));
                self.same(&format!("explain: {title}"), &answered.1, text("explain"));
                if let Some((one, of_all)) = door.packed(context.get(), key, now)? {
                    self.same(&format!("packed: {title}"), &format!("{one:016x}"), text("packed"));
                    self.same(&format!("all: {title}"), &format!("{of_all:016x}"), text("packed"));
                }
                *place = Some(answered);
            }
        }
        for (told, case) in told.iter().zip(cases) {
            let (text, trace) = told.as_ref().ok_or_else(|| format!("`{}` was not asked", case["name"]))?;
            line(&mut self.answers, text);
            line(&mut self.explained, trace);
        }
        Ok(())
    }

    fn refusals<D: Door>(&mut self, fixtures: &Fixtures, maker: &D::Maker) -> Outcome<()> {
        let said = fixtures.json("refused/cases.json")?;
        let cases = said["cases"].as_array().ok_or("no cases")?;
        for case in cases {
            let text = |member: &str| case[member].as_str().unwrap_or_default();
            let opening = fixtures.opening("refused", text("trust"), text("file"), &case["policy"])?;
            let told = D::open(maker, &opening)?.err().unwrap_or_else(|| "opens".to_owned());
            self.same(text("name"), &told, case["code"].as_str().unwrap_or("opens"));
            line(&mut self.answers, &told);
        }
        let good = cases.first().ok_or("no cases")?;
        let opening = fixtures.opening("refused", "trust.txt", "good.sealed", &good["policy"])?;
        let mut door = D::open(maker, &opening)??;
        for pulse in said["pulses"].as_array().ok_or("no pulses")? {
            let file = pulse["file"].as_str().unwrap_or_default();
            let now = pulse["now"].as_u64().unwrap_or_default();
            let told = door.pulse(&fixtures.read(&format!("refused/{file}"))?, now)?;
            let told = told.err().unwrap_or_else(|| "taken".to_owned());
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
