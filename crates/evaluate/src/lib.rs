//! Decides flags: (snapshot, pulse, context, now) → decision. Pure, in place, bounded.
//!
//! ```
//! use flagstone_evaluate::{Context, Control, decide_key, decision_json};
//! use flagstone_snapshot::{Draft, DraftFlag, DraftVariant, FlagKind, Json, Snapshot, Value, encode};
//!
//! let draft = Draft {
//!     flags: vec![DraftFlag {
//!         variants: vec![DraftVariant { name: "on".into(), value: Json::Bool(true) }],
//!         default_variant: Some(0),
//!         ..DraftFlag::new("new-answers", FlagKind::Boolean)
//!     }],
//!     ..Draft::default()
//! };
//! let bytes = encode(&draft).expect("within limits");
//! let snapshot = Snapshot::load(&bytes).expect("valid");
//!
//! let mut packed = Vec::new();
//! Value::write(&Json::Object(vec![("targetingKey".into(), "user-1".into())]), &mut packed);
//! let context = Context::from_packed(&snapshot, packed).expect("an object");
//!
//! let decision = decide_key(&snapshot, &Control::closed(&snapshot), &context, "new-answers", 1_790_000_000);
//! assert_eq!(decision.reason.as_str(), "STATIC");
//! assert!(decision_json(&snapshot, &decision, "new-answers").contains(r#""value":true"#));
//! ```
//!
//! Words: a [`Context`] is what is known of the unit, a [`Control`] what the last pulse said, a
//! [`Decision`] the answer with OpenFeature's [`Reason`] and [`ErrorCode`] and our [`Detail`].
//!
//! Limits: rules run at most [`MAX_STEPS`] steps and build at most [`MAX_BUILT_TEXT`] bytes; a rule past a
//! limit answers `GENERAL`. Nothing is allocated by a decision whose rules build no text or list. There is
//! no clock, no randomness, no global state.
#![no_std]
extern crate alloc;

mod all;
mod arithmetic;
mod attribute_tests;
#[cfg(feature = "json")]
mod canary;
mod context;
mod control;
mod decide;
mod decision;
#[cfg(feature = "explain")]
mod explain;
mod fold;
mod fractional;
mod further;
mod item;
mod machine;
mod memory;
mod operators;
mod plan;
mod report;
mod schedule;
mod state;
mod trace;

pub use all::{Decisions, decide_all, pack_all};
#[cfg(feature = "json")]
pub use canary::wrong_canary;
pub use context::{Context, ContextError};
pub use control::{Control, OpenStage};
pub use decide::{decide, decide_key};
pub use decision::{Arm, Decision, Detail, ErrorCode, NO_FLAG, Reason};
#[cfg(feature = "explain")]
pub use explain::{explain_json, targeting_json};
pub use report::decision_json;
pub use state::{MAX_BUILT_ITEMS, MAX_BUILT_TEXT, MAX_STEPS};
