//! The native library's door: the same code in a process and, compiled for `wasm32-wasip1`, in a guest.

use std::sync::Arc;

use flagstone::{Decision, Flags, InForce, Memory, Refusal, Settings, Unit};

use crate::{Door, Opening, Outcome};

/// One snapshot in the process.
pub struct Native {
    flags: Flags,
    current: Arc<InForce>,
    units: Vec<Unit>,
    every: Vec<Decision>,
}

impl Native {
    fn again(&mut self) -> Outcome<()> {
        self.current = self.flags.in_force().ok_or("nothing is in force")?;
        Ok(())
    }
}

impl Door for Native {
    /// Counts the bytes that live.
    type Maker = fn() -> u64;

    fn named() -> [String; 3] {
        ["rust".into(), env!("CARGO_PKG_RUST_VERSION").into(), "native".into()]
    }

    fn open(_: &Self::Maker, opening: &Opening) -> Outcome<Result<Self, String>> {
        let settings = Settings::new(&opening.audience, &opening.environment)
            .remembering(Memory { mark: opening.mark, ..Memory::default() });
        let opened = Flags::pin(&opening.trust, settings, opening.now)
            .and_then(|flags| flags.offer(opening.file.as_slice(), opening.now).map(|_| flags));
        let flags = match opened {
            Ok(flags) => flags,
            Err(refusal) => return Ok(Err(refusal.code().to_owned())),
        };
        let current = flags.in_force().ok_or("nothing is in force")?;
        Ok(Ok(Self { flags, current, units: Vec::new(), every: Vec::new() }))
    }

    fn pulse(&mut self, note: &[u8], now: u64) -> Outcome<Result<(), String>> {
        let told = self.flags.pulse(note, now).map(|_| ());
        self.again()?;
        Ok(told.map_err(|refusal: Refusal| refusal.code().to_owned()))
    }

    fn texts(&mut self, context: &str, key: &str, now: u64) -> Outcome<(String, String)> {
        let mut unit = Unit::json(context);
        Ok((self.current.decision_text(&mut unit, key, now), self.current.explain(&mut unit, key, now)))
    }

    fn packed(&mut self, context: &str, key: &str, now: u64) -> Outcome<Option<(u64, u64)>> {
        let Some(flag) = self.current.find(key) else { return Ok(None) };
        let mut unit = Unit::json(context);
        let one = self.current.decide(&mut unit, flag, now).pack();
        self.current.decide_all(&mut unit, now, &mut self.every);
        Ok(Some((one, self.every.get(flag as usize).ok_or("too few decisions")?.pack())))
    }

    fn take(&mut self, contexts: &[String]) -> Outcome<u32> {
        self.units = contexts.iter().map(Unit::json).collect();
        for unit in &mut self.units {
            self.current.prepare(unit)?;
        }
        Ok(self.current.flag_count())
    }

    fn one(&mut self, context: usize, flag: u32, now: u64) -> Outcome<usize> {
        let unit = self.units.get_mut(context).ok_or("no such context")?;
        Ok(self.current.value(&self.current.decide(unit, flag, now)).map_or(0, str::len))
    }

    fn all(&mut self, context: usize, now: u64) -> Outcome<usize> {
        let unit = self.units.get_mut(context).ok_or("no such context")?;
        self.current.decide_all(unit, now, &mut self.every);
        Ok(self.every.iter().filter_map(|decision| self.current.value(decision)).map(str::len).sum())
    }

    fn living(maker: &Self::Maker) -> u64 {
        maker()
    }
}
