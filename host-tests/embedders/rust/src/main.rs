//! The native library's row of `cargo xtask embedders`: `native-embedder FIXTURES PACKAGE COMPONENT` (the last two are not looked
//! at) prints the row of docs/embedders.md as its last line. `native-embedder FIXTURES cold` prints the milliseconds from the start of the
//! process to the first value of W.
#![allow(unsafe_code)] // a global allocator's trait is unsafe; this one only counts and passes on

mod answers;
mod counting;

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use answers::{Answers, opened};
use flagstone::{Flags, Unit};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The folder that `cargo run -p host-tests --bin fixtures` makes.
struct Fixtures(PathBuf);

impl Fixtures {
    fn read(&self, path: &str) -> Outcome<Vec<u8>> {
        let path = self.0.join(path);
        std::fs::read(&path).map_err(|error| format!("`{}`: {error}", path.display()).into())
    }

    fn json(&self, path: &str) -> Outcome<Value> {
        Ok(serde_json::from_slice(&self.read(path)?)?)
    }
}

fn main() -> ExitCode {
    let start = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told = match arguments.as_slice() {
        [fixtures, cold] if cold == "cold" => first(&Fixtures(fixtures.into()), start),
        [fixtures, ..] => row(&Fixtures(fixtures.into())).map(|row| println!("{row}")),
        [] => Err("usage: native-embedder FIXTURES [PACKAGE COMPONENT]".into()),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn row(fixtures: &Fixtures) -> Outcome<Value> {
    let told = Answers::all(fixtures)?;
    let (answers, explained) = told.hashes();
    let mut row = json!({
        "runtime": "rust", "version": env!("CARGO_PKG_RUST_VERSION"), "build": "native",
        "vectors": {"passed": told.passed, "failed": told.failed},
        "answers": answers, "explained": explained,
        "artefactBytes": std::fs::metadata(std::env::current_exe()?)?.len(),
    });
    if fixtures.0.join("w100").is_dir() {
        let measured = measured(fixtures)?;
        for (name, value) in measured.as_object().into_iter().flatten() {
            row[name] = value.clone();
        }
    }
    Ok(row)
}

/// W in force, and its time.
fn workload(fixtures: &Fixtures) -> Outcome<(Flags, u64)> {
    let policy = fixtures.json("w100/policy.json")?;
    let flags = opened(fixtures, "w100", "trust.txt", "flags.sealed", &policy)?;
    Ok((flags, policy["now"].as_u64().unwrap_or_default()))
}

/// A context such as W's, that of measure.mjs.
fn unit(number: usize) -> Unit {
    let of = |list: [&'static str; 4]| list.get(number % 4).copied().unwrap_or_default();
    let at = if number % 2 == 1 { "example.com" } else { "acme.example" };
    let context = json!({
        "targetingKey": format!("user-{number}-fdec65fe-5e1c"), "country": of(["de", "us", "jp", "br"]),
        "appVersion": format!("{}.{}.1", number % 9, number % 7), "email": format!("user{number}@{at}"), "plan": "pro",
        "age": 20 + number % 50, "beta": number.is_multiple_of(2), "locale": "en",
    });
    Unit::json(context.to_string())
}

fn first(fixtures: &Fixtures, start: Instant) -> Outcome<()> {
    let (flags, now) = workload(fixtures)?;
    let current = flags.in_force().ok_or("nothing is in force")?;
    let value = current.decide(&mut unit(1), 0, now);
    let took = start.elapsed().as_secs_f64() * 1_000.0;
    current.value(&value).ok_or("the first decision has no value")?;
    println!("{took}");
    Ok(())
}

fn measured(fixtures: &Fixtures) -> Outcome<Value> {
    let mut cold = f64::INFINITY;
    for _ in 0..5 {
        let told = Command::new(std::env::current_exe()?).arg(&fixtures.0).arg("cold").output()?;
        let took: f64 = String::from_utf8(told.stdout)?.trim().parse()?;
        cold = cold.min(took);
    }
    let before = counting::live();
    let (flags, now) = workload(fixtures)?;
    let memory = counting::live().saturating_sub(before);
    let current = flags.in_force().ok_or("nothing is in force")?;
    let count = current.flag_count();
    let mut units: Vec<Unit> = (0..64).map(unit).collect();
    for unit in &mut units {
        current.prepare(unit)?;
    }
    let mut every = Vec::with_capacity(count as usize);
    let mut bytes = 0;
    let one = best(&mut |turn| {
        let flag = (turn * 7 % count as usize) as u32;
        if let Some(unit) = units.get_mut(turn % 64) {
            bytes += current.value(&current.decide(unit, flag, now)).map_or(0, str::len);
        }
    });
    let all = best(&mut |turn| {
        if let Some(unit) = units.get_mut(turn % 64) {
            current.decide_all(unit, now, &mut every);
            bytes += every.iter().filter_map(|decision| current.value(decision)).map(str::len).sum::<usize>();
        }
    });
    if bytes == 0 {
        return Err("no decision had a value".into());
    }
    Ok(json!({
        "coldStartMs": cold, "decisionNs": one, "allNs": all, "memoryBytes": memory, "swaps": swaps(fixtures)?,
    }))
}

/// Nanoseconds for one turn: the best of 40 short rounds, for what else a shared machine does only adds.
fn best(turn: &mut dyn FnMut(usize)) -> f64 {
    let mut times = 64;
    let mut round = |times: usize| {
        let start = Instant::now();
        for at in 0..times {
            turn(at);
        }
        start.elapsed().as_secs_f64()
    };
    while round(times) < 0.005 {
        times *= 2;
    }
    (0..40).map(|_| round(times) / times as f64 * 1e9).fold(f64::INFINITY, f64::min)
}

/// 50,000 decisions, a hundred between one snapshot and the next; what lives after twenty swaps, and at the end.
fn swaps(fixtures: &Fixtures) -> Outcome<Value> {
    let mut asked = unit(1);
    let mut kept = workload(fixtures)?;
    let mut round = || -> Outcome<()> {
        kept = workload(fixtures)?;
        let (flags, now) = &kept;
        let current = flags.in_force().ok_or("nothing is in force")?;
        for flag in 0..100 {
            std::hint::black_box(current.decide(&mut asked, flag, *now));
        }
        Ok(())
    };
    for _ in 0..20 {
        round()?;
    }
    let before = counting::live();
    for _ in 0..500 {
        round()?;
    }
    let after = counting::live(); // before the row itself takes room
    Ok(json!({"decisions": 50_000, "memoryBefore": before, "memoryAfter": after}))
}
