//! The library's sandbox: the component within its limits, from a pool, by the readable door.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flagstone::sandbox::engine::{CallError, Engine, Opening as Sealed, Pool};
use rust_embedders::{Door, Opening, Outcome};

/// The engine, and the memory of one instance.
pub(crate) struct Maker {
    engine: Arc<Engine>,
    one: AtomicU64,
}

pub(crate) fn maker(artefact: &Path) -> Outcome<Maker> {
    let engine = Engine::kept_in(&crate::kept(artefact), &std::fs::read(artefact)?)?;
    Ok(Maker { engine: Arc::new(engine), one: AtomicU64::new(0) })
}

/// A snapshot in a pool of one instance.
pub(crate) struct Sandbox {
    pool: Pool,
    keys: Vec<String>,
    contexts: Vec<String>,
}

impl Door for Sandbox {
    type Maker = Maker;

    fn named() -> [String; 3] {
        ["rust-sandbox".into(), env!("CARGO_PKG_RUST_VERSION").into(), "component".into()]
    }

    fn open(maker: &Maker, opening: &Opening) -> Outcome<Result<Self, String>> {
        let sealed = Sealed {
            trust: &String::from_utf8_lossy(&opening.trust),
            file: &opening.file,
            audience: &opening.audience,
            environment: &opening.environment,
            mark: opening.mark,
            now: opening.now,
        };
        let pool = match Pool::open(Arc::clone(&maker.engine), &sealed, 1) {
            Ok(pool) => pool,
            Err(CallError::Refused { code, .. }) => return Ok(Err(code)),
            Err(trap) => return Err(trap.into()),
        };
        maker.one.store(pool.memory_bytes() as u64, Ordering::Relaxed);
        let keys = pool.flags().iter().map(|flag| flag.key.clone()).collect();
        Ok(Ok(Self { pool, keys, contexts: Vec::new() }))
    }

    fn pulse(&mut self, note: &[u8], now: u64) -> Outcome<Result<(), String>> {
        match self.pool.pulse(note, now) {
            Ok(_) => Ok(Ok(())),
            Err(CallError::Refused { code, .. }) => Ok(Err(code)),
            Err(trap) => Err(trap.into()),
        }
    }

    fn texts(&mut self, context: &str, key: &str, now: u64) -> Outcome<(String, String)> {
        Ok((self.pool.decide(context, key, now)?.1, self.pool.explain(context, key, now)?))
    }

    /// It has no door by index.
    fn packed(&mut self, _: &str, _: &str, _: u64) -> Outcome<Option<(u64, u64)>> {
        Ok(None)
    }

    fn take(&mut self, contexts: &[String]) -> Outcome<u32> {
        self.contexts = contexts.to_vec();
        Ok(u32::try_from(self.keys.len())?)
    }

    fn one(&mut self, context: usize, flag: u32, now: u64) -> Outcome<usize> {
        let (context, key) = (self.contexts.get(context), self.keys.get(flag as usize));
        let (decision, text) =
            self.pool.decide(context.ok_or("no such context")?, key.ok_or("no such flag")?, now)?;
        Ok(if decision.value.is_null() { 0 } else { text.len() })
    }

    fn all(&mut self, context: usize, now: u64) -> Outcome<usize> {
        let mut bytes = 0;
        for flag in 0..u32::try_from(self.keys.len())? {
            bytes += self.one(context, flag, now)?;
        }
        Ok(bytes)
    }

    fn living(maker: &Maker) -> u64 {
        maker.engine.alive().unwrap_or(1) * maker.one.load(Ordering::Relaxed)
    }
}
