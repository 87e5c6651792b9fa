//! The compiled flag set: layout, codec, limits, stable ids and codes.
//!
//! `compile` fills a [`Draft`], [`encode`] lays it out once, [`Snapshot::load`] validates the bytes wherever
//! they arrive, and from then on they are read in place: no decoding, no second copy.
//!
//! ```
//! use flagstone_snapshot::*;
//!
//! let draft = Draft {
//!     environment: "production".into(),
//!     flags: vec![DraftFlag {
//!         variants: vec![
//!             DraftVariant { name: "on".into(), value: Json::Bool(true) },
//!             DraftVariant { name: "off".into(), value: Json::Bool(false) },
//!         ],
//!         default_variant: Some(1),
//!         ..DraftFlag::new("new-answers", FlagKind::Boolean)
//!     }],
//!     ..Draft::default()
//! };
//! let bytes = encode(&draft)?;
//!
//! let snapshot = Snapshot::load(&bytes).expect("what was laid out loads");
//! let flag = snapshot.find("new-answers").and_then(|index| snapshot.flag(index)).expect("it is there");
//! assert_eq!(flag.variant(1).map(|variant| variant.json), Some("false"));
//! # Ok::<(), EncodeError>(())
//! ```
//!
//! Words: a *flag* has *variants*; a *plan* widens one of them by *stages*; a *rule* is a small program over
//! *attributes* of a context; a *salt* makes one purpose's bucketing independent of another's.
//!
//! Limits are in [`limits`], each with its reason. The crate knows no clock, no randomness and no files.
#![no_std]
extern crate alloc;

mod big;
pub mod blob;
mod draft;
mod encode;
mod hash;
mod json;
pub mod json_text;
pub mod layout;
pub mod limits;
mod load;
pub mod number_text;
pub mod program;
pub mod time;
mod told;
mod value;
pub mod version;
mod view;

pub use blob::{Dfa, KeySet};
pub use draft::*;
pub use encode::{EncodeError, encode};
pub use hash::{Murmur32, bucket_salt, murmur3_x64_128, murmur3_x86_32, position};
pub use json::Json;
pub use load::LoadError;
pub use told::Told;
pub use value::{List, Object, Value, ValueError};
pub use view::{Canary, Flag, Parts, Plan, Rule, Snapshot, Stage, Variant};

/// Shares are counted in parts of this total: one part is 10^-9.
pub const SHARE_TOTAL: u32 = 1_000_000_000;
