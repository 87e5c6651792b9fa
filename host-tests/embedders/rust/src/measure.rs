//! A door's row: what it answered, and on W its first value, one decision, all decisions, memory, and memory under swaps.

use std::process::{Command, ExitCode};
use std::time::Instant;

use serde_json::{Value, json};

use crate::answers::Answers;
use crate::{Door, Fixtures, Opening, Outcome};

/// Prints a text, or says what is wrong.
pub fn finish(told: Outcome<String>) -> ExitCode {
    match told {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The row of docs/embedders.md. `cold` are the arguments with which this program prints the milliseconds to the first value, `artefact`
/// the file that is weighed.
///
/// # Errors
/// That the fixtures cannot be read, or the door is broken.
pub fn row<D: Door>(
    fixtures: &Fixtures,
    maker: &D::Maker,
    artefact: &std::path::Path,
    cold: &[String],
) -> Outcome<String> {
    let told = Answers::all::<D>(fixtures, maker)?;
    let (answers, explained) = told.hashes();
    let [runtime, version, build] = D::named();
    let mut row = json!({
        "runtime": runtime, "version": version, "build": build,
        "vectors": {"passed": told.passed, "failed": told.failed},
        "answers": answers, "explained": explained,
        "artefactBytes": std::fs::metadata(artefact)?.len(),
    });
    if let Some(opening) = fixtures.workload()? {
        row["coldStartMs"] = soonest(cold)?.into();
        for (name, value) in timed::<D>(maker, &opening)?.as_object().into_iter().flatten() {
            row[name] = value.clone();
        }
        row["swaps"] = swaps::<D>(maker, &opening)?;
    }
    Ok(row.to_string())
}

/// Milliseconds from `start` to the first value of W.
///
/// # Errors
/// That there is none.
pub fn first<D: Door>(fixtures: &Fixtures, maker: &D::Maker, start: Instant) -> Outcome<String> {
    let opening = fixtures.workload()?.ok_or("there is no W")?;
    let mut door = D::open(maker, &opening)??;
    door.take(&[context(1)])?;
    let bytes = door.one(0, 0, opening.now)?;
    let took = start.elapsed().as_secs_f64() * 1_000.0;
    if bytes == 0 {
        return Err("the first decision has no value".into());
    }
    Ok(took.to_string())
}

/// A context such as W's, that of measure.mjs.
fn context(number: usize) -> String {
    let of = |list: [&'static str; 4]| list.get(number % 4).copied().unwrap_or_default();
    let at = if number % 2 == 1 { "example.com" } else { "acme.example" };
    let context = json!({
        "targetingKey": format!("user-{number}-fdec65fe-5e1c"), "country": of(["de", "us", "jp", "br"]),
        "appVersion": format!("{}.{}.1", number % 9, number % 7), "email": format!("user{number}@{at}"), "plan": "pro",
        "age": 20 + number % 50, "beta": number.is_multiple_of(2), "locale": "en",
    });
    context.to_string()
}

/// The shortest of five cold starts of this program, milliseconds.
fn soonest(cold: &[String]) -> Outcome<f64> {
    let mut soonest = f64::INFINITY;
    for _ in 0..5 {
        let told = Command::new(std::env::current_exe()?).args(cold).output()?;
        let text = String::from_utf8(told.stdout)?;
        let took: f64 = text.trim().parse().map_err(|error| format!("`{text}` is no time: {error}"))?;
        soonest = soonest.min(took);
    }
    Ok(soonest)
}

/// What one decision and all of them take, nanoseconds, and what the door takes, bytes: `decisionNs`, `allNs`, `memoryBytes`.
///
/// # Errors
/// That the door is broken.
pub fn timed<D: Door>(maker: &D::Maker, opening: &Opening) -> Outcome<Value> {
    let before = D::living(maker);
    let mut door = D::open(maker, opening)??;
    let memory = D::living(maker).saturating_sub(before);
    let contexts: Vec<String> = (0..64).map(context).collect();
    let flags = door.take(&contexts)?;
    let (mut bytes, mut broken) = (0, None);
    let mut count = |told: Outcome<usize>| match told {
        Ok(more) => bytes += more,
        Err(error) => broken = Some(error),
    };
    let one = best(&mut |turn| count(door.one(turn % 64, (turn * 7 % flags as usize) as u32, opening.now)));
    let all = best(&mut |turn| count(door.all(turn % 64, opening.now)));
    if let Some(error) = broken {
        return Err(error);
    }
    if bytes == 0 {
        return Err("no decision had a value".into());
    }
    Ok(json!({"decisionNs": one, "allNs": all, "memoryBytes": memory}))
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

/// 50,000 decisions, a hundred between one snapshot and the next; what is taken after twenty swaps, and at the end.
///
/// # Errors
/// That the door is broken.
pub fn swaps<D: Door>(maker: &D::Maker, opening: &Opening) -> Outcome<Value> {
    let contexts = [context(1)];
    let (mut held, mut before) = (None, 0);
    for swap in 0..520 {
        // The next is open before the one in force goes.
        let mut next = D::open(maker, opening)??;
        next.take(&contexts)?;
        let kept = held.insert(next);
        for flag in 0..100 {
            std::hint::black_box(kept.one(0, flag, opening.now)?);
        }
        if swap == 19 {
            before = D::living(maker);
        }
    }
    let after = D::living(maker);
    Ok(json!({"decisions": 50_000, "memoryBefore": before, "memoryAfter": after}))
}
