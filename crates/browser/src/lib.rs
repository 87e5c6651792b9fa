//! The wasm-bindgen face for browsers and JavaScript workers: conversions only.
