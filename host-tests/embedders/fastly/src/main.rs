//! The guest that `runners/viceroy.mjs` asks over HTTP: the shared questions and the measurements of docs/embedders.md, with the native
//! library in Fastly Compute. The fixtures lie in the KV store `fixtures`, a key a path. Every request is an instance of its own.

use std::time::Instant;

use fastly::{Error, KVStore, Request, Response};
use rust_embedders::answers::Answers;
use rust_embedders::native::Native;
use rust_embedders::{Fixtures, Outcome, measure};
use serde_json::{Value, json};

/// Bytes of a page of linear memory.
const PAGE: u64 = 65_536;

fn main() -> Result<(), Error> {
    let request = Request::from_client();
    let answer = match told(request.get_path()) {
        Ok(Some(told)) => {
            Response::from_body(told.to_string()).with_header("content-type", "application/json")
        }
        Ok(None) => Response::from_status(404),
        Err(error) => Response::from_status(500).with_body(error.to_string()),
    };
    answer.send_to_client();
    Ok(())
}

fn told(path: &str) -> Outcome<Option<Value>> {
    let maker: fn() -> u64 = linear_memory;
    let workload = || -> Outcome<_> { Ok(fixtures().workload()?.ok_or("there is no W")?) };
    Ok(Some(match path {
        "/answers" => {
            let told = Answers::all::<Native>(&fixtures(), &maker)?;
            let (answers, explained) = told.hashes();
            let vectors = json!({"passed": told.passed, "failed": told.failed});
            json!({"vectors": vectors, "answers": answers, "explained": explained})
        }
        "/open" if fixtures().workload()?.is_none() => json!({"open": false}),
        "/open" => {
            let start = Instant::now();
            let first = measure::first::<Native>(&fixtures(), &maker, start)?;
            json!({"open": true, "firstMs": first, "memoryBytes": linear_memory()})
        }
        "/timed" => measure::timed::<Native>(&maker, &workload()?)?,
        "/swaps" => measure::swaps::<Native>(&maker, &workload()?)?,
        _ => return Ok(None),
    }))
}

fn fixtures() -> Fixtures {
    Fixtures::by(|path| {
        let store = KVStore::open("fixtures")?.ok_or("there is no KV store `fixtures`")?;
        let mut found = store.lookup(path).map_err(|error| format!("`{path}`: {error}"))?;
        Ok(found.take_body_bytes())
    })
}

/// Bytes of this instance's linear memory, which never shrinks.
fn linear_memory() -> u64 {
    #[cfg(target_arch = "wasm32")]
    let pages = core::arch::wasm32::memory_size(0) as u64;
    #[cfg(not(target_arch = "wasm32"))]
    let pages = 0;
    pages * PAGE
}
