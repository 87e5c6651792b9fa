//! What the rules of one definition share while they are lowered, and what is computed once for all of them.

use std::cell::RefCell;
use std::collections::HashMap;

use flagstone_snapshot::{Dfa, KeySet};

use crate::Options;
use crate::lower::pattern::{self, PatternError};
use crate::model::{Definition, KeyList, Store};

/// The definition being lowered.
pub(super) struct Scope<'a> {
    pub(super) set: &'a Definition,
    pub(super) options: &'a Options,
    patterns: RefCell<HashMap<String, Result<Dfa, PatternError>>>,
    /// By the place of the list in the model, which does not move meanwhile.
    key_sets: RefCell<HashMap<*const KeyList, KeySet>>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(set: &'a Definition, options: &'a Options) -> Self {
        Scope { set, options, patterns: RefCell::default(), key_sets: RefCell::default() }
    }

    /// The table of a pattern.
    pub(super) fn pattern(&self, pattern: &str) -> Result<Dfa, PatternError> {
        if let Some(known) = self.patterns.borrow().get(pattern) {
            return known.clone();
        }
        let made = pattern::automaton(pattern);
        self.patterns.borrow_mut().insert(pattern.to_owned(), made.clone());
        made
    }

    /// The hashed form of a list that is kept so; none when it is kept as a list.
    pub(super) fn key_set(&self, list: &KeyList) -> Option<KeySet> {
        let keys = || list.keys.iter().map(String::as_str);
        if list.store == Store::List {
            return None;
        }
        let place = std::ptr::from_ref(list);
        if let Some(known) = self.key_sets.borrow().get(&place) {
            return Some(known.clone());
        }
        let made = match list.store {
            Store::Bloom { bytes, probes, .. } => KeySet::bloom(keys(), bytes as usize, probes),
            _ => KeySet::hashes(keys()),
        };
        self.key_sets.borrow_mut().insert(place, made.clone());
        Some(made)
    }
}
