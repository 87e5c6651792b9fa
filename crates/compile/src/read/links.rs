//! What ties flags together, once every flag has been read: the names are there, nobody is tied twice.

use std::collections::{HashMap, HashSet};

use flagstone_snapshot::FlagError;

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{Covers, Holdout, Layer, State};
use crate::nearest;
use crate::read::{BrokenFlag, Read, Reader};
use crate::span::Spanned;

/// Holdouts and layers as read before the flags were.
#[derive(Debug, Default)]
pub(super) struct Ties {
    pub(super) holdouts: Vec<Holdout>,
    pub(super) layers: Vec<Layer>,
    /// The flags of those that could not be used.
    pub(super) unusable: Vec<Covers>,
}

impl Reader<'_> {
    /// Ties the flags; those that cannot be used as they are tied are moved to the broken ones.
    pub(super) fn tie(&mut self, ties: Ties, read: &mut Read) {
        self.name_flags(&ties, read);
        let mut refused = self.prerequisites_fit(read);
        self.one_layer(&ties.layers, &mut refused);
        for flag in &read.definition.flags {
            if ties.unusable.iter().any(|covers| covers.has(&flag.key)) {
                refused.insert(flag.key.value.clone());
            }
            let holdouts = ties.holdouts.iter().filter(|holdout| holdout.flags.has(&flag.key)).count();
            if holdouts > limits::FLAG_PARTS {
                self.diagnostics.about(Some(&flag.key));
                self.push(
                    Diagnostic::error(
                        Code::Holdout,
                        flag.key.span,
                        format!("{holdouts} holdouts name `{}`", flag.key),
                    )
                    .hint(format!("at most {}", limits::FLAG_PARTS)),
                );
                refused.insert(flag.key.value.clone());
            }
        }
        self.diagnostics.about(None);
        for at in (0..read.definition.flags.len()).rev() {
            let harmed = read.definition.flags.get(at).is_some_and(|flag| refused.contains(&flag.key.value));
            if harmed {
                let flag = read.definition.flags.remove(at);
                read.broken.push(BrokenFlag {
                    key: flag.key.value.clone(),
                    error: FlagError::General,
                    enabled: flag.state == State::Enabled,
                    client: flag.client,
                    rest: Some(Box::new(flag)),
                });
            }
        }
        read.definition.holdouts = ties.holdouts;
        read.definition.layers = ties.layers;
    }

    /// The flags that holdouts and layers name are there.
    fn name_flags(&mut self, ties: &Ties, read: &Read) {
        let flags = read.definition.flags.iter().map(|flag| flag.key.as_str());
        let flags: Vec<&str> = flags.chain(read.broken.iter().map(|flag| flag.key.as_str())).collect();
        let known: HashSet<&str> = flags.iter().copied().collect();
        let mut names: Vec<&Spanned<String>> = Vec::new();
        for holdout in &ties.holdouts {
            if let Covers::Listed(keys) = &holdout.flags {
                names.extend(keys);
            }
        }
        names.extend(ties.layers.iter().flat_map(|layer| &layer.slots).map(|slot| &slot.flag));
        for name in names.into_iter().filter(|name| !known.contains(name.as_str())) {
            self.push(
                Diagnostic::error(Code::UnknownName, name.span, format!("there is no flag `{name}`"))
                    .maybe_hint(nearest::hint(name, flags.iter().copied())),
            );
        }
    }

    /// A flag is in one layer: in two its share would be that of both together.
    fn one_layer(&mut self, layers: &[Layer], refused: &mut HashSet<String>) {
        let mut first: HashMap<&str, (&Layer, &Spanned<String>)> = HashMap::new();
        for layer in layers {
            for slot in &layer.slots {
                let Some((earlier, place)) = first.insert(&slot.flag, (layer, &slot.flag)) else { continue };
                self.diagnostics.about(Some(&slot.flag));
                self.push(
                    Diagnostic::error(
                        Code::Layer,
                        slot.flag.span,
                        format!("`{}` is in two layers, `{}` and `{}`", slot.flag, earlier.name, layer.name),
                    )
                    .label(place.span, "first here")
                    .hint("put what must exclude each other in one layer"),
                );
                refused.insert(slot.flag.value.clone());
            }
        }
        self.diagnostics.about(None);
    }
}
