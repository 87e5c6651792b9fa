//! The judge behind a flat door: JSON in, JSON out, nothing imported. Natively the same functions are called as they are.
//!
//! The caller asks for [`room`], writes a request there and calls [`judge`] or [`report`] with its length; the answer lies
//! where the two halves of the result say (address, then length). One request at a time; the next one takes its place.
// `no_mangle` is what a door is made of.
#![allow(unsafe_code)]

use std::cell::RefCell;

use flagstone_report::{Look, Question};

thread_local! {
    static REQUEST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static ANSWER: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What the judge says of one look (`rules`, `state`, `evidence`, `now`), as JSON; what is wrong with the request otherwise.
#[must_use]
pub fn judgement(request: &[u8]) -> String {
    let look: Result<Look, _> = serde_json::from_slice(request);
    look.and_then(|look| serde_json::to_string(&look.judge())).unwrap_or_else(|error| error.to_string())
}

/// The report on a list of looks, as JSON.
#[must_use]
pub fn whole_report(request: &[u8]) -> String {
    let looks: Result<Vec<Look>, _> = serde_json::from_slice(request);
    let answer = looks.and_then(|looks| {
        let question = Question { flag: "answers", looks: &looks, k: 20, ..Question::default() };
        serde_json::to_string(&flagstone_report::report(&question))
    });
    answer.unwrap_or_else(|error| error.to_string())
}

/// Room for a request of this length; its address.
#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> usize {
    REQUEST.with_borrow_mut(|request| {
        request.clear();
        request.resize(length, 0);
        request.as_ptr() as usize
    })
}

/// Judges the request.
#[unsafe(no_mangle)]
pub extern "C" fn judge() -> u64 {
    answer(judgement)
}

/// Reports on the request.
#[unsafe(no_mangle)]
pub extern "C" fn report() -> u64 {
    answer(whole_report)
}

/// The answer's address in the upper half, its length in the lower.
fn answer(of: fn(&[u8]) -> String) -> u64 {
    let text = REQUEST.with_borrow(|request| of(request));
    ANSWER.with_borrow_mut(|answer| {
        *answer = text;
        ((answer.as_ptr() as u64) << 32) | answer.len() as u64
    })
}
