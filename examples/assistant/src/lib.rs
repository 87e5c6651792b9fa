//! A question-answering service over the help centre of Harbour, a fictional parcel-locker service, rolled out by
//! Flagstone: the example behind `cargo xtask demo`.
//!
//! The parts, in the order of one request: [`traffic`] makes a user ask a question, the flag decides a behaviour,
//! [`retrieve`] finds passages of the [`articles`], [`prompt`] writes the messages, [`model`] (behind the HTTP
//! endpoint of [`server`]) produces the text, [`measure`] looks at what was produced.

pub mod articles;
pub mod client;
pub mod demo;
pub mod measure;
pub mod model;
pub mod prompt;
pub mod random;
pub mod retrieve;
pub mod server;
pub mod service;
pub mod text;
pub mod traffic;
pub mod trial;
