//! The native library's row of `cargo xtask embedders`: `native-embedder FIXTURES [PACKAGE COMPONENT]` (the last two are not looked
//! at) prints the row of docs/embedders.md. `native-embedder FIXTURES cold` prints the milliseconds from the start of the
//! process to the first value of W.
#![allow(unsafe_code)] // a global allocator's trait is unsafe; this one only counts and passes on

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rust_embedders::native::Native;
use rust_embedders::{Fixtures, Outcome, measure};

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
            measure::first::<Native>(&Fixtures::folder(fixtures), &(living as fn() -> u64), start)
        }
        [fixtures, ..] => row(fixtures),
        [] => Err("usage: native-embedder FIXTURES [PACKAGE COMPONENT]".into()),
    })
}

fn row(fixtures: &str) -> Outcome<String> {
    let cold = [fixtures.to_owned(), "cold".to_owned()];
    let maker: fn() -> u64 = living;
    measure::row::<Native>(&Fixtures::folder(fixtures), &maker, &std::env::current_exe()?, &cold)
}

fn living() -> u64 {
    LIVE.load(Ordering::Relaxed)
}
