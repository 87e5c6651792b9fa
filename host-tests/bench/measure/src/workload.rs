//! Workload W: flags, contexts, and which rule must match for each pair.
//!
//! The data is shared between projects and lies outside this repository. The flags are read from the flagd
//! definitions, and the 100 are compared with the neutral form, so that every engine's configuration is
//! built from one source.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// A flag of W, without any engine's notation.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Its key.
    pub key: String,
    /// Name and value, in order.
    pub variants: Vec<(String, Value)>,
    /// The shared segment that is its first rule, by name.
    pub segment: Option<String>,
    /// The countries of the first rule (the segment's, where there is one).
    pub countries: Vec<String>,
    /// Second rule: `appVersion` at least this.
    pub min_version: String,
    /// Third rule: `email` ends with this.
    pub email_suffix: String,
    /// Weights of the variants for everybody else.
    pub split: Vec<u32>,
}

/// What an engine answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The variant's position.
    pub variant: usize,
    /// The rule that matched (3: the split), from engines that tell.
    pub rule: Option<u8>,
}

/// The whole of it.
#[derive(Debug)]
pub struct Workload {
    /// The flagd definition of the 100 flags.
    pub definition_100: String,
    /// The flagd definition of the 5,000.
    pub definition_5000: String,
    /// The 100 flags.
    pub flags_100: Vec<Shape>,
    /// The 5,000 flags.
    pub flags_5000: Vec<Shape>,
    /// The contexts, as JSON objects.
    pub contexts: Vec<Value>,
    expected: Vec<u8>,
}

impl Workload {
    /// Reads the folder.
    ///
    /// # Errors
    /// A file that is missing or not in the form of W.
    pub fn read(folder: &Path) -> Result<Workload> {
        let text = |name: &str| {
            std::fs::read_to_string(folder.join(name))
                .with_context(|| format!("workload W has no `{}`", folder.join(name).display()))
        };
        let (definition_100, definition_5000) = (text("flagd100.json")?, text("flagd5000.json")?);
        let contexts: Vec<Value> = serde_json::from_str(&text("contexts.json")?)?;
        let expected = std::fs::read(folder.join("expected-rule.bin"))?;
        let (flags_100, flags_5000) = (shapes(&definition_100)?, shapes(&definition_5000)?);
        ensure!(expected.len() == contexts.len() * flags_100.len(), "expected-rule.bin is of another W");
        let workload =
            Workload { definition_100, definition_5000, flags_100, flags_5000, contexts, expected };
        workload.agrees_with(&serde_json::from_str(&text("w100.json")?)?)?;
        Ok(workload)
    }

    /// The neutral form must say what the definition says.
    fn agrees_with(&self, neutral: &Value) -> Result<()> {
        for (shape, flag) in self.flags_100.iter().zip(list(&neutral["flags"])?) {
            let same = flag["key"] == shape.key.as_str()
                && flag["segment"].as_str() == shape.segment.as_deref()
                && texts(&flag["countries"])? == shape.countries
                && flag["minVersion"] == shape.min_version.as_str()
                && flag["emailSuffix"] == shape.email_suffix.as_str()
                && flag["ruleVariants"] == serde_json::json!([0, 1, 2]);
            ensure!(same, "w100.json and flagd100.json disagree about `{}`", shape.key);
        }
        Ok(())
    }

    /// Asks for every context and flag of the 100 and compares; returns how many were asked. `flagd`: the
    /// engine buckets as flagd does, so that the split's variant is known too.
    ///
    /// # Errors
    /// The first answer that is wrong, with flag and context; or a split whose shares are not W's.
    pub fn check(
        &self,
        engine: &str,
        flagd: bool,
        mut ask: impl FnMut(usize, usize) -> Result<Answer>,
    ) -> Result<u64> {
        let mut split = [0_u64; 4];
        for (context, attributes) in self.contexts.iter().enumerate() {
            for (flag, shape) in self.flags_100.iter().enumerate() {
                let wrong = || format!("{engine}: `{}` for {attributes}", shape.key);
                let rule = self.expected[context * self.flags_100.len() + flag];
                let answer = ask(context, flag).with_context(wrong)?;
                if answer.rule.is_some_and(|told| told != rule) {
                    bail!("{}: rule {:?} instead of {rule}", wrong(), answer.rule);
                }
                let expected = match rule {
                    3 if flagd => bucket(shape, attributes)?,
                    3 => answer.variant,
                    rule => usize::from(rule),
                };
                ensure!(
                    answer.variant == expected && expected < 4,
                    "{}: variant {} instead of {expected} (rule {rule})",
                    wrong(),
                    answer.variant
                );
                if rule == 3 {
                    split[answer.variant] += 1;
                }
            }
        }
        let all: u64 = split.iter().sum();
        for (variant, (got, weight)) in split.iter().zip([0.1, 0.2, 0.3, 0.4]).enumerate() {
            let share = *got as f64 / all as f64;
            ensure!((share - weight).abs() < 0.01, "{engine}: the split gives v{variant} to {share:.3}");
        }
        Ok(self.expected.len() as u64)
    }
}

/// flagd's bucketing, with the `murmur3` crate as oracle.
fn bucket(shape: &Shape, context: &Value) -> Result<usize> {
    let key = format!("{}{}", shape.key, context["targetingKey"].as_str().unwrap_or_default());
    let hash = murmur3::murmur3_32(&mut key.as_bytes(), 0)?;
    let total: u32 = shape.split.iter().sum();
    let at = ((u64::from(hash) * u64::from(total)) >> 32) as u32;
    let mut end = 0;
    let found = shape.split.iter().position(|weight| {
        end += weight;
        at < end
    });
    found.context("a split without weights")
}

/// The flags of a flagd definition that has W's form, in key order.
fn shapes(definition: &str) -> Result<Vec<Shape>> {
    let definition: Value = serde_json::from_str(definition)?;
    let flags = definition["flags"].as_object().context("no flags")?;
    let mut shapes = Vec::with_capacity(flags.len());
    for (key, flag) in flags {
        let shape = shape(key, flag, &definition["$evaluators"]);
        shapes.push(shape.with_context(|| format!("`{key}` is not of W's form"))?);
    }
    shapes.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(shapes)
}

fn shape(key: &str, flag: &Value, evaluators: &Value) -> Result<Shape> {
    let rules = &flag["targeting"]["if"];
    ensure!(list(rules)?.len() == 7, "not three rules and a split");
    let segment = rules[0]["$ref"].as_str();
    let first = segment.map_or(&rules[0], |name| &evaluators[name]);
    let variants = flag["variants"].as_object().context("no variants")?;
    let weights = list(&rules[6]["fractional"])?.iter().map(|part| part[1].as_u64().unwrap_or(0) as u32);
    let shape = Shape {
        key: key.to_owned(),
        variants: variants.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        segment: segment.map(str::to_owned),
        countries: texts(&first["in"][1])?,
        min_version: text(&rules[2]["sem_ver"][2])?,
        email_suffix: text(&rules[4]["ends_with"][1])?,
        split: weights.collect(),
    };
    for (position, (name, _)) in shape.variants.iter().enumerate() {
        ensure!(*name == format!("v{position}"), "variants are not v0 to v3");
    }
    ensure!(shape.split == [10, 20, 30, 40], "another split");
    Ok(shape)
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().context("not a list")
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("not a text")?.to_owned())
}

fn texts(value: &Value) -> Result<Vec<String>> {
    list(value)?.iter().map(text).collect()
}
