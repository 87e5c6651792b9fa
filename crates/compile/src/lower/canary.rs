//! Canaries of the flags that can be used. Snapshots for browsers carry none: a context may name people.

use flagstone_snapshot::{Draft, DraftCanary, limits};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::model::{Canary, Definition, Flag};
use crate::{Audience, Options};

pub(super) fn lower(flags: &[&Flag], options: &Options, draft: &mut Draft, diagnostics: &mut Diagnostics) {
    if options.audience == Audience::Browser {
        return;
    }
    diagnostics.about(None);
    for (flag, canary) in flags.iter().flat_map(|flag| flag.canaries.iter().map(move |canary| (flag, canary)))
    {
        if !usable(draft, &flag.key) {
            continue;
        }
        if draft.canaries.len() == limits::MAX_CANARIES {
            diagnostics.push(
                Diagnostic::error(Code::TooLarge, canary.span, "there are too many canaries")
                    .hint(format!("at most {} in a set", limits::MAX_CANARIES)),
            );
            return;
        }
        draft.canaries.push(DraftCanary {
            flag: flag.key.value.clone(),
            context: canary.context.to_json(),
            at: canary.at,
            variant: canary.variant.as_ref().map(|name| name.value.clone()),
        });
    }
}

/// A flag that answers with an error has no variants to answer with.
fn usable(draft: &Draft, key: &str) -> bool {
    draft.flags.iter().any(|flag| flag.key == key && flag.broken.is_none())
}

/// The author's canary behind a position in [`Draft::canaries`].
pub(crate) fn at<'d>(definition: &'d Definition, draft: &Draft, position: usize) -> Option<&'d Canary> {
    let of = |flag: &'d Flag| flag.canaries.iter();
    definition
        .flags
        .iter()
        .filter(|flag| !flag.canaries.is_empty() && usable(draft, &flag.key))
        .flat_map(of)
        .nth(position)
}
