//! The component by nothing but its WIT: every call is made with dynamic values, as wasmtime's own command line makes them. No binding
//! generator and no code of ours.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rust_embedders::{Door, Opening, Outcome};
use wasmtime::Store;
use wasmtime::component::{Func, InstancePre, Linker, Val};

use crate::{Memory, variant};

const EVALUATOR: &str = "flagstone:flags/evaluator@0.1.0";

/// A compiled component, and the memory of its instances.
pub(crate) struct Maker {
    engine: wasmtime::Engine,
    ready: InstancePre<Memory>,
    living: Arc<AtomicU64>,
}

pub(crate) fn maker(artefact: &Path) -> Outcome<Maker> {
    let engine = crate::engine(artefact)?;
    let component = wasmtime::component::Component::from_file(&engine, artefact)?;
    let ready = Linker::new(&engine).instantiate_pre(&component)?;
    Ok(Maker { engine, ready, living: Arc::default() })
}

/// An instance, its functions by name.
pub(crate) struct Component {
    store: Store<Memory>,
    functions: HashMap<&'static str, Func>,
    contexts: Vec<u32>,
    /// Length of a value by flag and variant, asked for once.
    values: HashMap<(u32, u32), usize>,
}

const NAMES: [&str; 11] = [
    "open",
    "pulse",
    "flags",
    "find",
    "context-json",
    "drop-context",
    "evaluate",
    "evaluate-all",
    "value",
    "decision",
    "explain",
];

impl Component {
    fn call(&mut self, name: &str, arguments: &[Val]) -> Outcome<Val> {
        let function = self.functions.get(name).ok_or_else(|| format!("there is no `{name}`"))?;
        let mut result = [Val::Bool(false)];
        let results = if name == "drop-context" { &mut [][..] } else { &mut result[..] };
        function.call(&mut self.store, arguments, results)?;
        let [result] = result;
        Ok(result)
    }

    fn context(&mut self, text: &str) -> Outcome<u32> {
        match self.call("context-json", &[Val::String(text.into())])? {
            Val::Result(Ok(Some(handle))) => number(&handle),
            other => Err(format!("the context is not taken: {other:?}").into()),
        }
    }

    fn evaluate(&mut self, context: u32, flag: u32, now: u64) -> Outcome<u64> {
        match self.call("evaluate", &[Val::U32(context), Val::U32(flag), Val::U64(now)])? {
            Val::U64(packed) => Ok(packed),
            other => Err(format!("no packed decision: {other:?}").into()),
        }
    }

    fn evaluate_all(&mut self, context: u32, now: u64) -> Outcome<Vec<u8>> {
        match self.call("evaluate-all", &[Val::U32(context), Val::U64(now)])? {
            Val::List(bytes) => bytes.iter().map(byte).collect(),
            other => Err(format!("no packed decisions: {other:?}").into()),
        }
    }
}

impl Door for Component {
    type Maker = Maker;

    fn named() -> [String; 3] {
        ["wasmtime-component".into(), crate::version(), "component".into()]
    }

    fn open(maker: &Maker, opening: &Opening) -> Outcome<Result<Self, String>> {
        let mut store = Store::new(&maker.engine, Memory::of(&maker.living));
        store.limiter(|memory| memory);
        let instance = maker.ready.instantiate(&mut store)?;
        let evaluator = instance.get_export_index(&mut store, None, EVALUATOR).ok_or("no evaluator")?;
        let mut functions = HashMap::new();
        for name in NAMES {
            let index = instance.get_export_index(&mut store, Some(&evaluator), name);
            let function = index.and_then(|index| instance.get_func(&mut store, index));
            functions.insert(name, function.ok_or_else(|| format!("there is no `{name}`"))?);
        }
        let mut door = Self { store, functions, contexts: Vec::new(), values: HashMap::new() };
        let field = |name: &str, value: Val| (name.to_owned(), value);
        let mark = opening.mark.map(|mark| {
            Box::new(Val::Record(vec![
                field("epoch", Val::U64(mark.epoch)),
                field("sequence", Val::U64(mark.sequence)),
                field("digest", bytes(&mark.digest)),
            ]))
        });
        let policy = Val::Record(vec![
            field("audience", Val::String(opening.audience.clone())),
            field("environment", Val::String(opening.environment.clone())),
            field("now", Val::U64(opening.now)),
            field("mark", Val::Option(mark)),
        ]);
        let trust = Val::String(String::from_utf8_lossy(&opening.trust).into_owned());
        let told = door.call("open", &[trust, bytes(&opening.file), policy])?;
        Ok(refused(told)?.map(|()| door))
    }

    fn pulse(&mut self, note: &[u8], now: u64) -> Outcome<Result<(), String>> {
        refused(self.call("pulse", &[bytes(note), Val::U64(now)])?)
    }

    fn texts(&mut self, context: &str, key: &str, now: u64) -> Outcome<(String, String)> {
        let arguments = [Val::String(context.into()), Val::String(key.into()), Val::U64(now)];
        Ok((text(self.call("decision", &arguments)?)?, text(self.call("explain", &arguments)?)?))
    }

    fn packed(&mut self, context: &str, key: &str, now: u64) -> Outcome<Option<(u64, u64)>> {
        let flag = match self.call("find", &[Val::String(key.into())])? {
            Val::Option(Some(index)) => number(&index)?,
            _ => return Ok(None),
        };
        let context = self.context(context)?;
        let one = self.evaluate(context, flag, now)?;
        let every = self.evaluate_all(context, now)?;
        self.call("drop-context", &[Val::U32(context)])?;
        let of_all = every.as_chunks::<8>().0.get(flag as usize).ok_or("too few decisions")?;
        Ok(Some((one, u64::from_le_bytes(*of_all))))
    }

    fn take(&mut self, contexts: &[String]) -> Outcome<u32> {
        self.contexts = contexts.iter().map(|text| self.context(text)).collect::<Outcome<_>>()?;
        match self.call("flags", &[])? {
            Val::List(flags) => Ok(u32::try_from(flags.len())?),
            other => Err(format!("no flags: {other:?}").into()),
        }
    }

    fn one(&mut self, context: usize, flag: u32, now: u64) -> Outcome<usize> {
        let context = *self.contexts.get(context).ok_or("no such context")?;
        let Some(variant) = variant(self.evaluate(context, flag, now)?) else { return Ok(0) };
        if let Some(length) = self.values.get(&(flag, variant)) {
            return Ok(*length);
        }
        let length = match self.call("value", &[Val::U32(flag), Val::U32(variant)])? {
            Val::Option(Some(text)) => match *text {
                Val::String(text) => text.len(),
                _ => 0,
            },
            _ => 0,
        };
        self.values.insert((flag, variant), length);
        Ok(length)
    }

    fn all(&mut self, context: usize, now: u64) -> Outcome<usize> {
        let context = *self.contexts.get(context).ok_or("no such context")?;
        Ok(self.evaluate_all(context, now)?.len())
    }

    fn living(maker: &Maker) -> u64 {
        maker.living.load(Ordering::Relaxed)
    }
}

fn bytes(bytes: &[u8]) -> Val {
    Val::List(bytes.iter().copied().map(Val::U8).collect())
}

fn text(value: Val) -> Outcome<String> {
    match value {
        Val::String(text) => Ok(text),
        other => Err(format!("no text: {other:?}").into()),
    }
}

fn byte(value: &Val) -> Outcome<u8> {
    match value {
        Val::U8(byte) => Ok(*byte),
        other => Err(format!("no byte: {other:?}").into()),
    }
}

fn number(value: &Val) -> Outcome<u32> {
    match value {
        Val::U32(number) => Ok(*number),
        other => Err(format!("no number: {other:?}").into()),
    }
}

/// The code of a `result` that is a fault.
fn refused(told: Val) -> Outcome<Result<(), String>> {
    let Val::Result(told) = told else { return Err(format!("no result: {told:?}").into()) };
    let Err(fault) = told else { return Ok(Ok(())) };
    if let Some(Val::Record(fields)) = fault.as_deref()
        && let Some((_, Val::String(code))) = fields.iter().find(|(name, _)| name == "code")
    {
        return Ok(Err(code.clone()));
    }
    Err(format!("a fault without a code: {fault:?}").into())
}
