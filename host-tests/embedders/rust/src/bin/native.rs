//! The native library's row of `cargo xtask embedders`: `native-embedder FIXTURES [PACKAGE COMPONENT]` (the last two are not looked
//! at) prints the row of docs/embedders.md. `native-embedder FIXTURES cold` prints the milliseconds from the start of the
//! process to the first value of W.
#![allow(unsafe_code)] // a global allocator's trait is unsafe; this one only counts and passes on

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use flagstone::{Decision, Flags, InForce, Memory, Refusal, Settings, Unit};
use rust_embedders::{Door, Fixtures, Opening, Outcome, measure};

/// Bytes that live.
static LIVE: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes on to `System`; the counter is an atomic number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as u64, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn main() -> ExitCode {
    let start = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    measure::finish(match arguments.as_slice() {
        [fixtures, cold] if cold == "cold" => {
            measure::first::<Native>(&Fixtures(fixtures.into()), &(), start)
        }
        [fixtures, ..] => row(fixtures),
        [] => Err("usage: native-embedder FIXTURES [PACKAGE COMPONENT]".into()),
    })
}

fn row(fixtures: &str) -> Outcome<String> {
    let cold = [fixtures.to_owned(), "cold".to_owned()];
    measure::row::<Native>(&Fixtures(fixtures.into()), &(), &std::env::current_exe()?, &cold)
}

struct Native {
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
    type Maker = ();

    fn named() -> [String; 3] {
        ["rust".into(), env!("CARGO_PKG_RUST_VERSION").into(), "native".into()]
    }

    fn open((): &(), opening: &Opening) -> Outcome<Result<Self, String>> {
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

    fn living((): &()) -> u64 {
        LIVE.load(Ordering::Relaxed)
    }
}
