//! The core module by its flat ABI (docs/core-abi.md): the hundred lines of host-tests/node/host.mjs once more, in another language.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rust_embedders::{Door, Opening, Outcome};
use wasmtime::{Instance, InstancePre, Linker, Module, Store, TypedFunc, Val};

use crate::{Memory, variant};

const EVALUATOR: &str = "flagstone:flags/evaluator@0.1.0#";

/// A compiled module, and the memory of its instances.
pub(crate) struct Maker {
    engine: wasmtime::Engine,
    ready: InstancePre<Memory>,
    living: Arc<AtomicU64>,
}

pub(crate) fn maker(artefact: &Path) -> Outcome<Maker> {
    let engine = crate::engine(artefact)?;
    let module = Module::from_file(&engine, artefact)?;
    let ready = Linker::new(&engine).instantiate_pre(&module)?;
    Ok(Maker { engine, ready, living: Arc::default() })
}

/// An instance of the module.
pub(crate) struct Core {
    store: Store<Memory>,
    instance: Instance,
    memory: wasmtime::Memory,
    realloc: TypedFunc<(i32, i32, i32, i32), i32>,
    evaluate: TypedFunc<(i32, i32, i64), i64>,
    evaluate_all: TypedFunc<(i32, i64), i32>,
    all_read: TypedFunc<i32, ()>,
    contexts: Vec<u32>,
    /// Length of a value by flag and variant, asked for once.
    values: HashMap<(u32, u32), usize>,
}

impl Core {
    /// Texts and bytes go over as address and length, and are the callee's from then on.
    fn lower(&mut self, bytes: &[u8]) -> Outcome<[Val; 2]> {
        let length = i32::try_from(bytes.len())?;
        let at = self.realloc.call(&mut self.store, (0, 0, 1, length))?;
        self.memory.write(&mut self.store, at as u32 as usize, bytes)?;
        Ok([Val::I32(at), Val::I32(length)])
    }

    /// Calls a function whose result lies in memory, reads it, and gives it back to be freed.
    fn call<T>(
        &mut self,
        name: &str,
        arguments: &[Val],
        read: impl FnOnce(&Self, usize) -> Outcome<T>,
    ) -> Outcome<T> {
        let name = format!("{EVALUATOR}{name}");
        let function = self.instance.get_func(&mut self.store, &name);
        let function = function.ok_or_else(|| format!("there is no `{name}`"))?;
        let mut result = [Val::I32(0)];
        function.call(&mut self.store, arguments, &mut result)?;
        let [result] = result;
        let at = result.i32().ok_or("no address")?;
        let told = read(self, at as u32 as usize);
        if let Some(free) = self.instance.get_func(&mut self.store, &format!("cabi_post_{name}")) {
            free.call(&mut self.store, &[Val::I32(at)], &mut [])?;
        }
        told
    }

    fn bytes(&self, at: usize, length: usize) -> Outcome<&[u8]> {
        let end = at.checked_add(length).ok_or("an address beyond memory")?;
        Ok(self.memory.data(&self.store).get(at..end).ok_or("an address beyond memory")?)
    }

    fn word(&self, at: usize) -> Outcome<u32> {
        Ok(u32::from_le_bytes(self.bytes(at, 4)?.try_into()?))
    }

    /// What an address and a length, which lie at `at`, point to.
    fn pointed(&self, at: usize) -> Outcome<&[u8]> {
        self.bytes(self.word(at)? as usize, self.word(at + 4)? as usize)
    }

    fn text(&self, at: usize) -> Outcome<String> {
        Ok(String::from_utf8(self.pointed(at)?.to_vec())?)
    }

    /// The code of a `result` whose payload lies at `payload` bytes, when it is an error.
    fn refused(&self, at: usize, payload: usize) -> Outcome<Result<(), String>> {
        Ok(match self.bytes(at, 1)? {
            [0] => Ok(()),
            _ => Err(self.text(at + payload)?),
        })
    }

    fn context(&mut self, text: &str) -> Outcome<u32> {
        let lowered = self.lower(text.as_bytes())?;
        self.call("context-json", &lowered, |core, at| {
            core.refused(at, 4)??;
            core.word(at + 4)
        })
    }

    fn one_packed(&mut self, context: u32, flag: u32, now: u64) -> Outcome<u64> {
        Ok(self.evaluate.call(&mut self.store, (context as i32, flag as i32, now as i64))? as u64)
    }
}

impl Door for Core {
    type Maker = Maker;

    fn named() -> [String; 3] {
        ["wasmtime-core".into(), crate::version(), "core".into()]
    }

    fn open(maker: &Maker, opening: &Opening) -> Outcome<Result<Self, String>> {
        let mut store = Store::new(&maker.engine, Memory::of(&maker.living));
        store.limiter(|memory| memory);
        let instance = maker.ready.instantiate(&mut store)?;
        let memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
        let realloc = instance.get_typed_func(&mut store, "cabi_realloc")?;
        let evaluate = instance.get_typed_func(&mut store, &format!("{EVALUATOR}evaluate"))?;
        let evaluate_all = instance.get_typed_func(&mut store, &format!("{EVALUATOR}evaluate-all"))?;
        let all_read = instance.get_typed_func(&mut store, &format!("cabi_post_{EVALUATOR}evaluate-all"))?;
        let (contexts, values) = (Vec::new(), HashMap::new());
        let mut core =
            Self { store, instance, memory, realloc, evaluate, evaluate_all, all_read, contexts, values };
        let mut arguments = Vec::new();
        let (audience, environment) = (opening.audience.as_bytes(), opening.environment.as_bytes());
        for bytes in [&opening.trust, &opening.file, audience, environment] {
            arguments.extend(core.lower(bytes)?);
        }
        arguments.push(Val::I64(opening.now as i64));
        match opening.mark {
            None => arguments.extend([Val::I32(0), Val::I64(0), Val::I64(0), Val::I32(0), Val::I32(0)]),
            Some(mark) => {
                let fields = [Val::I32(1), Val::I64(mark.epoch as i64), Val::I64(mark.sequence as i64)];
                arguments.extend(fields.into_iter().chain(core.lower(&mark.digest)?));
            }
        }
        let told = core.call("open", &arguments, |core, at| core.refused(at, 8))?;
        Ok(told.map(|()| core))
    }

    fn pulse(&mut self, note: &[u8], now: u64) -> Outcome<Result<(), String>> {
        let [at, length] = self.lower(note)?;
        self.call("pulse", &[at, length, Val::I64(now as i64)], |core, at| core.refused(at, 8))
    }

    fn texts(&mut self, context: &str, key: &str, now: u64) -> Outcome<(String, String)> {
        let mut ask = |name: &str| {
            let mut arguments = self.lower(context.as_bytes())?.to_vec();
            arguments.extend(self.lower(key.as_bytes())?);
            arguments.push(Val::I64(now as i64));
            self.call(name, &arguments, |core, at| core.text(at))
        };
        Ok((ask("decision")?, ask("explain")?))
    }

    fn packed(&mut self, context: &str, key: &str, now: u64) -> Outcome<Option<(u64, u64)>> {
        let lowered = self.lower(key.as_bytes())?;
        let flag = self.call("find", &lowered, |core, at| {
            Ok(if core.bytes(at, 1)? == [1] { Some(core.word(at + 4)?) } else { None })
        })?;
        let Some(flag) = flag else { return Ok(None) };
        let context = self.context(context)?;
        let one = self.one_packed(context, flag, now)?;
        let arguments = [Val::I32(context as i32), Val::I64(now as i64)];
        let of_all = self.call("evaluate-all", &arguments, |core, at| {
            let of_all = core.pointed(at)?.as_chunks::<8>().0.get(flag as usize);
            Ok(u64::from_le_bytes(*of_all.ok_or("too few decisions")?))
        })?;
        let name = format!("{EVALUATOR}drop-context");
        let drop = self.instance.get_typed_func::<i32, ()>(&mut self.store, &name)?;
        drop.call(&mut self.store, context as i32)?;
        Ok(Some((one, of_all)))
    }

    fn take(&mut self, contexts: &[String]) -> Outcome<u32> {
        self.contexts = contexts.iter().map(|text| self.context(text)).collect::<Outcome<_>>()?;
        self.call("flags", &[], |core, at| core.word(at + 4))
    }

    fn one(&mut self, context: usize, flag: u32, now: u64) -> Outcome<usize> {
        let context = *self.contexts.get(context).ok_or("no such context")?;
        let Some(variant) = variant(self.one_packed(context, flag, now)?) else { return Ok(0) };
        if let Some(length) = self.values.get(&(flag, variant)) {
            return Ok(*length);
        }
        let arguments = [Val::I32(flag as i32), Val::I32(variant as i32)];
        let length = self.call("value", &arguments, |core, at| {
            Ok(if core.bytes(at, 1)? == [1] { core.pointed(at + 4)?.len() } else { 0 })
        })?;
        self.values.insert((flag, variant), length);
        Ok(length)
    }

    fn all(&mut self, context: usize, now: u64) -> Outcome<usize> {
        let context = *self.contexts.get(context).ok_or("no such context")?;
        let at = self.evaluate_all.call(&mut self.store, (context as i32, now as i64))?;
        let length = self.pointed(at as u32 as usize)?.len();
        self.all_read.call(&mut self.store, at)?;
        Ok(length)
    }

    fn living(maker: &Maker) -> u64 {
        maker.living.load(Ordering::Relaxed)
    }
}
