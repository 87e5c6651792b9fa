//! A global allocator that counts while it is told to, and otherwise costs one relaxed load a call.
#![allow(unsafe_code)] // The trait of global allocators is unsafe; both functions only pass on to the system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

static ON: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);

/// To be named in `#[global_allocator]`.
pub struct Counting;

// SAFETY: every call goes unchanged to `System`, which upholds the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(true, layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(true, layout.size() as i64);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(false, -(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(true, size as i64 - layout.size() as i64);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn note(call: bool, bytes: i64) {
    if ON.load(Relaxed) {
        CALLS.fetch_add(u64::from(call), Relaxed);
        LIVE.fetch_add(bytes, Relaxed);
    }
}

/// What a piece of work asked of the allocator.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Calls of alloc and realloc.
    pub calls: u64,
    /// Bytes taken and not given back, as asked for (the allocator's own overhead is not in it).
    pub live: i64,
}

/// Counts while `work` runs; one at a time.
pub fn count<R>(work: impl FnOnce() -> R) -> (R, Counted) {
    CALLS.store(0, Relaxed);
    LIVE.store(0, Relaxed);
    ON.store(true, Relaxed);
    let result = work();
    ON.store(false, Relaxed);
    (result, Counted { calls: CALLS.load(Relaxed), live: LIVE.load(Relaxed) })
}
