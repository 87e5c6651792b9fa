//! The module's two functions: numbers cross, text lies in one scratch room that the page writes and reads.

use std::string::String;
use std::vec::Vec;

use spin::Mutex;
use wasm_bindgen::prelude::wasm_bindgen;

static ROOM: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Makes the room at least `length` bytes long and returns its address, which holds until the next call of either
/// function.
#[wasm_bindgen]
pub fn scratch(length: u32) -> u32 {
    let mut room = ROOM.lock();
    if room.len() < length as usize {
        room.resize(length as usize, 0);
    }
    room.as_ptr() as u32
}

/// Answers the question in the first `length` bytes of the room. The answer is left at the start of the room; returned
/// is its length in bytes.
#[wasm_bindgen]
pub fn ask(length: u32) -> u32 {
    let mut room = ROOM.lock();
    let question = String::from_utf8_lossy(room.get(..length as usize).unwrap_or_default()).into_owned();
    *room = crate::answer(&question).into_bytes();
    room.len() as u32
}
