//! Asks a snapshot the questions whose answers it brings along.

use flagstone_snapshot::{Canary, Snapshot};

use crate::{Context, Control, Decision, decide};

/// The first canary that is not answered as it should be: its position, itself, and the answer; none of a context that
/// cannot be read. Asked without a pulse, as the author wrote them.
///
/// ```
/// use flagstone_evaluate::wrong_canary;
/// use flagstone_snapshot::{Draft, DraftCanary, DraftFlag, DraftVariant, FlagKind, Json, Snapshot, encode};
///
/// let mut draft = Draft {
///     flags: vec![DraftFlag {
///         variants: vec![DraftVariant { name: "on".into(), value: Json::Bool(true) }],
///         ..DraftFlag::new("new-answers", FlagKind::Boolean)
///     }],
///     ..Draft::default()
/// };
/// draft.canaries.push(DraftCanary {
///     flag: "new-answers".into(),
///     context: Json::Object(Vec::new()),
///     at: 0,
///     variant: Some("on".into()),
/// });
/// let bytes = encode(&draft)?;
/// let snapshot = Snapshot::load(&bytes).expect("what was laid out loads");
/// let (position, _, answer) = wrong_canary(&snapshot).expect("the flag has no default variant");
/// assert_eq!((position, answer.expect("the context can be read").variant), (0, None));
/// # Ok::<(), flagstone_snapshot::EncodeError>(())
/// ```
#[must_use]
pub fn wrong_canary<'s>(snapshot: &Snapshot<'s>) -> Option<(usize, Canary<'s>, Option<Decision>)> {
    let control = Control::closed(snapshot);
    snapshot.canaries().enumerate().find_map(|(position, canary)| {
        let context = Context::from_json(snapshot, canary.context).ok();
        let answer = context.map(|context| decide(snapshot, &control, &context, canary.flag, canary.at));
        let right = answer.as_ref().is_some_and(|answer| answer.variant == canary.variant);
        (!right).then_some((position, canary, answer))
    })
}
