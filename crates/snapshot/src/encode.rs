//! Lays a [`Draft`] out as the bytes that are sealed.
//!
//! Equal drafts give equal bytes: tables follow the sorted flags, the heap keeps first use first, and a
//! text or value that occurs twice lies there once.

mod error;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use zerocopy::IntoBytes;

pub use error::EncodeError;

use crate::blob::network;
use crate::layout::*;
use crate::program::{ProgramError, check, code};
use crate::{
    Draft, DraftFlag, DraftPlan, FlagError, FlagKind, Json, OnExpiry, Op, Program, SHARE_TOTAL, Value,
};
use crate::{json_text, limits};

/// Lays a draft out.
///
/// # Errors
/// [`EncodeError`] for whatever [`crate::Snapshot::load`] would refuse or the engine could not do.
///
/// ```
/// use flagstone_snapshot::{encode, Draft, Snapshot};
/// let bytes = encode(&Draft { environment: "production".into(), ..Draft::default() })?;
/// assert_eq!(Snapshot::load(&bytes).expect("what was laid out loads").flag_count(), 0);
/// # Ok::<(), flagstone_snapshot::EncodeError>(())
/// ```
pub fn encode(draft: &Draft) -> Result<Vec<u8>, EncodeError> {
    limit("flags", "", draft.flags.len(), limits::MAX_FLAGS)?;
    let mut order: Vec<&DraftFlag> = draft.flags.iter().collect();
    order.sort_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
    if let Some(twice) = order.windows(2).find(|pair| matches!(pair, [a, b] if a.key == b.key)) {
        return Err(EncodeError::DuplicateFlag(
            twice.first().map(|flag| flag.key.clone()).unwrap_or_default(),
        ));
    }
    let mut writer = Writer::default();
    let flag_set = writer.name("", &draft.flag_set)?;
    let environment = writer.name("", &draft.environment)?;
    let metadata = writer.metadata("", draft.metadata.as_ref())?;
    for flag in order {
        writer.flag(flag)?;
    }
    limit("attributes", "", writer.attributes.len(), limits::MAX_ATTRIBUTES)?;
    writer.finish(draft.definition, [flag_set, environment, metadata])
}

fn limit(what: &'static str, flag: &str, found: usize, limit: usize) -> Result<(), EncodeError> {
    if found <= limit {
        Ok(())
    } else {
        Err(EncodeError::TooMany { what, flag: flag.to_string(), found, limit })
    }
}

#[derive(Default)]
struct Writer {
    attributes: Vec<AttributeRecord>,
    attribute_index: BTreeMap<String, u32>,
    instructions: Vec<Instruction>,
    programs: Vec<ProgramRecord>,
    variants: Vec<VariantRecord>,
    domains: Vec<DomainRecord>,
    stages: Vec<StageRecord>,
    plans: Vec<PlanRecord>,
    flags: Vec<FlagRecord>,
    heap: Vec<u8>,
    heap_index: BTreeMap<Vec<u8>, u32>,
}

impl Writer {
    /// Puts bytes in the heap once.
    fn span(&mut self, bytes: &[u8]) -> Span {
        if bytes.is_empty() {
            return Span::default();
        }
        let offset = match self.heap_index.get(bytes) {
            Some(offset) => *offset,
            None => {
                let offset = self.heap.len() as u32;
                self.heap.extend_from_slice(bytes);
                self.heap_index.insert(bytes.to_vec(), offset);
                offset
            }
        };
        Span { offset: offset.into(), length: (bytes.len() as u32).into() }
    }

    fn name(&mut self, flag: &str, name: &str) -> Result<Span, EncodeError> {
        limit("bytes of a name", flag, name.len(), limits::MAX_NAME_BYTES)?;
        Ok(self.span(name.as_bytes()))
    }

    fn json(&mut self, flag: &str, json: &Json) -> Result<Span, EncodeError> {
        well_formed(flag, json, 0)?;
        let text = json_text::to_text(json);
        limit("bytes of a value", flag, text.len(), limits::MAX_VALUE_BYTES)?;
        Ok(self.span(text.as_bytes()))
    }

    fn metadata(&mut self, flag: &str, metadata: Option<&Json>) -> Result<Span, EncodeError> {
        metadata.map_or(Ok(Span::default()), |json| self.json(flag, json))
    }

    /// Keeps bytes that were checked as they were written.
    fn blob(&mut self, flag: &str, bytes: Option<Vec<u8>>) -> Result<u32, EncodeError> {
        let bytes = bytes.ok_or_else(|| EncodeError::Value { flag: flag.to_string() })?;
        Ok(self.span(&bytes).offset.get())
    }

    fn attribute(&mut self, flag: &str, path: &str) -> Result<u32, EncodeError> {
        if let Some(index) = self.attribute_index.get(path) {
            return Ok(*index);
        }
        let record = AttributeRecord { path: self.name(flag, path)? };
        let index = self.attributes.len() as u32;
        self.attributes.push(record);
        self.attribute_index.insert(path.to_string(), index);
        Ok(index)
    }

    fn flag(&mut self, flag: &DraftFlag) -> Result<(), EncodeError> {
        let key = flag.key.as_str();
        limit("variants", key, flag.variants.len(), limits::MAX_VARIANTS)?;
        let has = |variant: Option<u16>, what| match variant {
            Some(index) if usize::from(index) >= flag.variants.len() => {
                Err(EncodeError::Reference { flag: key.to_string(), what })
            }
            Some(index) => Ok(index),
            None => Ok(NONE16),
        };
        let default_variant = has(flag.default_variant, "default variant")?;
        let baseline = has(flag.baseline, "baseline variant")?;
        let variants = self.variants.len() as u32;
        for variant in &flag.variants {
            let record =
                VariantRecord { name: self.name(key, &variant.name)?, json: self.json(key, &variant.value)? };
            self.variants.push(record);
        }
        let targeting = match &flag.targeting {
            Some(program) => self.program(key, program)?,
            None => NONE,
        };
        let plan = match &flag.plan {
            Some(plan) => self.plan(flag, plan)?,
            None => NONE,
        };
        let state = (u8::from(flag.enabled) * state::ENABLED)
            | (u8::from(flag.client) * state::CLIENT)
            | (u8::from(flag.on_expiry == OnExpiry::Safe) * state::SAFE)
            | match flag.broken {
                Some(FlagError::Parse) => state::BROKEN_PARSE,
                Some(FlagError::General) => state::BROKEN_GENERAL,
                None => 0,
            };
        let kind = match flag.kind {
            FlagKind::Boolean => 0,
            FlagKind::Text => 1,
            FlagKind::Number => 2,
            FlagKind::Object => 3,
        };
        let record = FlagRecord {
            key: self.name(key, key)?,
            metadata: self.metadata(key, flag.metadata.as_ref())?,
            variants: variants.into(),
            variant_count: (flag.variants.len() as u16).into(),
            default_variant: default_variant.into(),
            baseline: baseline.into(),
            kind,
            state,
            targeting: targeting.into(),
            plan: plan.into(),
        };
        self.flags.push(record);
        Ok(())
    }

    fn plan(&mut self, flag: &DraftFlag, plan: &DraftPlan) -> Result<u32, EncodeError> {
        let key = flag.key.as_str();
        let wrong = |what| EncodeError::Reference { flag: key.to_string(), what };
        limit("stages", key, plan.stages.len(), limits::MAX_STAGES)?;
        limit("data domains", key, plan.data_domains.len(), limits::MAX_DATA_DOMAINS)?;
        if usize::from(plan.baseline) >= flag.variants.len() {
            return Err(wrong("baseline variant"));
        }
        if usize::from(plan.candidate) >= flag.variants.len() {
            return Err(wrong("candidate variant"));
        }
        if plan.ceiling.is_some_and(|ceiling| usize::from(ceiling) >= plan.stages.len()) {
            return Err(wrong("ceiling stage"));
        }
        let stages = self.stages.len() as u32;
        let (mut treat, mut control) = (0, 0);
        for stage in &plan.stages {
            let name = self.name(key, &stage.name)?;
            let record = match &stage.who {
                Some(program) => StageRecord {
                    name,
                    who: self.program(key, program)?.into(),
                    treat: treat.into(),
                    control: control.into(),
                    probability: 0.into(),
                },
                None => {
                    let probability =
                        enrolment_probability((treat, control), (stage.treat, stage.control)).ok_or_else(
                            || EncodeError::Shares { flag: key.to_string(), stage: stage.name.clone() },
                        )?;
                    (treat, control) = (stage.treat, stage.control);
                    StageRecord {
                        name,
                        who: NONE.into(),
                        treat: treat.into(),
                        control: control.into(),
                        probability: probability.into(),
                    }
                }
            };
            self.stages.push(record);
        }
        let domains = self.domains.len() as u32;
        for domain in &plan.data_domains {
            let record = DomainRecord { name: self.name(key, domain)? };
            self.domains.push(record);
        }
        let record = PlanRecord {
            salt: plan.salt.into(),
            unit: self.attribute(key, &plan.unit)?.into(),
            domains: domains.into(),
            domain_count: (plan.data_domains.len() as u32).into(),
            stages: stages.into(),
            consent: self.name(key, plan.consent.as_deref().unwrap_or_default())?,
            baseline: plan.baseline.into(),
            candidate: plan.candidate.into(),
            stage_count: plan.stages.len() as u8,
            ceiling: plan.ceiling.unwrap_or(NONE8),
            reserved: 0.into(),
            consent_attribute: match plan.consent {
                Some(_) => self.attribute(key, "consent")?.into(),
                None => NONE.into(),
            },
            domain_attribute: match plan.data_domains.is_empty() {
                false => self.attribute(key, "dataDomain")?.into(),
                true => NONE.into(),
            },
        };
        let index = self.plans.len() as u32;
        self.plans.push(record);
        Ok(index)
    }

    fn program(&mut self, flag: &str, program: &Program) -> Result<u32, EncodeError> {
        let mut run = Vec::with_capacity(program.0.len());
        let mut bodies: Vec<(u32, u8)> = Vec::new();
        for (index, op) in program.0.iter().enumerate() {
            let instruction = self.instruction(flag, op, index as u32, &mut bodies, &program.0)?;
            run.push(instruction);
        }
        let needs = check(&run).map_err(|error| EncodeError::Program { flag: flag.to_string(), error })?;
        let record = ProgramRecord {
            start: (self.instructions.len() as u32).into(),
            count: (run.len() as u32).into(),
            stack: needs.stack.into(),
            loops: needs.loops.into(),
        };
        self.instructions.append(&mut run);
        let index = self.programs.len() as u32;
        self.programs.push(record);
        Ok(index)
    }

    fn instruction(
        &mut self,
        flag: &str,
        op: &Op,
        index: u32,
        bodies: &mut Vec<(u32, u8)>,
        program: &[Op],
    ) -> Result<Instruction, EncodeError> {
        let plain = |op: u8| (op, 0u8, 0u16, 0u32);
        let (op, a, b, c) = match op {
            Op::Constant(Json::Null) => plain(code::NULL),
            Op::Constant(Json::Bool(value)) => (code::BOOL, u8::from(*value), 0, 0),
            Op::Constant(json) => {
                well_formed(flag, json, 0)?;
                let mut bytes = Vec::new();
                Value::write(json, &mut bytes);
                (code::VALUE, 0, 0, self.span(&bytes).offset.get())
            }
            Op::Attribute(path) if path == "$flagd.flagKey" => plain(code::FLAG_KEY),
            Op::Attribute(path) if path == "$flagd.timestamp" => plain(code::TIMESTAMP),
            Op::Attribute(path) => (code::ATTRIBUTE, 0, 0, self.attribute(flag, path)?),
            Op::Variable => plain(code::VARIABLE),
            Op::Jump(target) => (code::JUMP, 0, 0, *target),
            Op::JumpIfFalse(target) => (code::JUMP_IF_FALSE, 0, 0, *target),
            Op::Branch { target, rule } => (code::JUMP_IF_FALSE, 0, *rule, *target),
            Op::JumpIfTrue(target) => (code::JUMP_IF_TRUE, 0, 0, *target),
            Op::AndJump(target) => (code::AND_JUMP, 0, 0, *target),
            Op::OrJump(target) => (code::OR_JUMP, 0, 0, *target),
            Op::CoalesceJump(target) => (code::COALESCE_JUMP, 0, 0, *target),
            Op::Not => plain(code::NOT),
            Op::Truthy => plain(code::TRUTHY),
            Op::Compare(comparison) => (code::COMPARE, *comparison as u8, 0, 0),
            Op::Between(comparison) => (code::BETWEEN, *comparison as u8, 0, 0),
            Op::In => plain(code::IN),
            Op::Concatenate(count) => (code::CONCATENATE, 0, *count, 0),
            Op::Substring(count) => (code::SUBSTRING, 0, *count, 0),
            Op::Arithmetic(which, count) => (code::ARITHMETIC, *which as u8, *count, 0),
            Op::List(count) => (code::LIST, 0, *count, 0),
            Op::Merge(count) => (code::MERGE, 0, *count, 0),
            Op::Missing(count) => (code::MISSING, 0, *count, 0),
            Op::MissingSome => plain(code::MISSING_SOME),
            Op::StartsWith => plain(code::STARTS_WITH),
            Op::EndsWith => plain(code::ENDS_WITH),
            Op::SemVer => plain(code::SEM_VER),
            Op::Fractional { version, keyed, buckets } => {
                (code::FRACTIONAL, *version as u8 | (u8::from(*keyed) * code::KEYED), *buckets, 0)
            }
            Op::Each(iteration) => {
                let end = matching_end(program, index as usize).ok_or_else(|| EncodeError::Program {
                    flag: flag.to_string(),
                    error: ProgramError::Iteration(index),
                })?;
                bodies.push((index + 1, *iteration as u8));
                (code::EACH, *iteration as u8, 0, end as u32 + 1)
            }
            Op::EndEach => {
                let (body, iteration) = bodies.pop().ok_or_else(|| EncodeError::Program {
                    flag: flag.to_string(),
                    error: ProgramError::Iteration(index),
                })?;
                (code::END_EACH, iteration, 0, body)
            }
            Op::ToNumber => plain(code::TO_NUMBER),
            Op::Fold(test) => (code::FOLD, *test as u8, 0, 0),
            Op::Matches(dfa) => (code::MATCHES, 0, 0, self.blob(flag, dfa.write())?),
            Op::Time => plain(code::TIME),
            Op::Order(comparison) => (code::ORDER, *comparison as u8, 0, 0),
            Op::Within => plain(code::WITHIN),
            Op::InNetwork(ranges) => (code::IN_NETWORK, 0, 0, self.blob(flag, network::write(ranges))?),
            Op::Overlap(overlap) => (code::OVERLAP, *overlap as u8, 0, 0),
            Op::InKeys(keys) => (code::IN_KEYS, 0, 0, self.blob(flag, keys.write())?),
        };
        Ok(Instruction { op, a, b: b.into(), c: c.into() })
    }

    fn finish(
        self,
        definition: [u8; 32],
        [flag_set, environment, metadata]: [Span; 3],
    ) -> Result<Vec<u8>, EncodeError> {
        let tables = [
            (self.attributes.len(), self.attributes.as_bytes()),
            (self.instructions.len(), self.instructions.as_bytes()),
            (self.programs.len(), self.programs.as_bytes()),
            (self.variants.len(), self.variants.as_bytes()),
            (self.domains.len(), self.domains.as_bytes()),
            (self.stages.len(), self.stages.as_bytes()),
            (self.plans.len(), self.plans.as_bytes()),
            (self.flags.len(), self.flags.as_bytes()),
            (self.heap.len(), self.heap.as_slice()),
        ];
        let total = size_of::<Header>() + tables.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        limit("bytes of snapshot", "", total, limits::MAX_SNAPSHOT_BYTES)?;
        let header = Header {
            magic: MAGIC,
            version: VERSION.into(),
            reserved: 0.into(),
            total: (total as u32).into(),
            counts: tables.map(|(count, _)| (count as u32).into()),
            definition,
            flag_set,
            environment,
            metadata,
        };
        let mut bytes = Vec::with_capacity(total);
        bytes.extend_from_slice(header.as_bytes());
        for (_, table) in tables {
            bytes.extend_from_slice(table);
        }
        Ok(bytes)
    }
}

/// The probability of treatment among the units that a share stage enrols, none when the shares do not
/// continue the stage before: treatment grows, control grows until treatment passes one half, and the two
/// never meet.
fn enrolment_probability(before: (u32, u32), now: (u32, u32)) -> Option<u32> {
    let half = SHARE_TOTAL / 2;
    let (treat, control) = now;
    let fits = treat >= before.0 && treat <= SHARE_TOTAL && control <= half && control <= SHARE_TOTAL - treat;
    let lowered = control < before.1;
    if !fits || (lowered && treat <= half) {
        return None;
    }
    let grown = (u64::from(treat - before.0), u64::from(control.saturating_sub(before.1)));
    // Where control is given up, or treatment grows out of control's half, there is no fair comparison.
    if lowered || treat > half || grown.0 + grown.1 == 0 {
        return Some(0);
    }
    Some((grown.0 * u64::from(SHARE_TOTAL) / (grown.0 + grown.1)) as u32)
}

/// The position of the `EndEach` that closes the `Each` at `start`.
fn matching_end(program: &[Op], start: usize) -> Option<usize> {
    let mut open = 0usize;
    for (index, op) in program.iter().enumerate().skip(start) {
        match op {
            Op::Each(_) => open += 1,
            Op::EndEach => {
                open -= 1;
                if open == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

fn well_formed(flag: &str, json: &Json, depth: usize) -> Result<(), EncodeError> {
    let wrong = || EncodeError::Value { flag: flag.to_string() };
    match json {
        _ if depth > limits::MAX_DEPTH => Err(wrong()),
        Json::Number(number) if !number.is_finite() => Err(wrong()),
        Json::Text(text) => limit("bytes of a value", flag, text.len(), limits::MAX_VALUE_BYTES),
        Json::List(elements) => {
            limit("members of a value", flag, elements.len(), limits::MAX_MEMBERS)?;
            elements.iter().try_for_each(|element| well_formed(flag, element, depth + 1))
        }
        Json::Object(members) => {
            limit("members of a value", flag, members.len(), limits::MAX_MEMBERS)?;
            members.iter().try_for_each(|(_, value)| well_formed(flag, value, depth + 1))
        }
        _ => Ok(()),
    }
}
