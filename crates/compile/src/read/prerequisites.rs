//! Prerequisites: what a flag asks of others, and that nobody asks in a circle.

use std::collections::{HashMap, HashSet};

use flagstone_snapshot::FlagError;

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{Flag, Prerequisite};
use crate::nearest;
use crate::read::{Read, Reader};
use crate::tree::{Node, Value};

impl Reader<'_> {
    /// `prerequisites: { other-flag: variant | [variants] }`; whether there are such flags is looked at later.
    pub(super) fn prerequisites(&mut self, node: &Node) -> Vec<Prerequisite> {
        let before = self.diagnostics.errors();
        let named: Vec<_> = self.named("prerequisites", node).collect();
        if named.len() > limits::PREREQUISITES {
            self.push(
                Diagnostic::error(
                    Code::TooLarge,
                    node.span,
                    format!("{} prerequisites of one flag", named.len()),
                )
                .hint(format!("at most {}", limits::PREREQUISITES)),
            );
        }
        let mut list = Vec::with_capacity(named.len());
        for (flag, node) in named {
            let items = match &node.value {
                Value::List(items) => items.as_slice(),
                _ => std::slice::from_ref(node),
            };
            if items.is_empty() {
                let said = format!("no variant of `{flag}` would do");
                self.push(
                    Diagnostic::error(Code::BadValue, node.span, said).hint("name the variants that will do"),
                );
            }
            // Whether there are such variants is looked at once every flag is known.
            let variants =
                items.iter().filter_map(|item| self.variant_name("prerequisites", item, &[])).collect();
            list.push(Prerequisite { flag, variants });
        }
        if self.diagnostics.errors() > before {
            self.broken.get_or_insert(FlagError::General);
        }
        list
    }

    /// Looks at the prerequisites of all flags; answers with the keys of those that cannot be used.
    pub(super) fn prerequisites_fit(&mut self, read: &Read) -> HashSet<String> {
        let flags: HashMap<&str, &Flag> =
            read.definition.flags.iter().map(|flag| (flag.key.as_str(), flag)).collect();
        let mut refused = HashSet::new();
        for flag in &read.definition.flags {
            self.diagnostics.about(Some(&flag.key));
            let before = self.diagnostics.errors();
            for prerequisite in &flag.prerequisites {
                self.asked(prerequisite, &flags, read);
            }
            if self.diagnostics.errors() > before {
                refused.insert(flag.key.value.clone());
            }
        }
        self.depths(read, &mut refused);
        self.diagnostics.about(None);
        refused
    }

    /// The flag that is asked for, and its variants.
    fn asked(&mut self, prerequisite: &Prerequisite, flags: &HashMap<&str, &Flag>, read: &Read) {
        let broken = read.broken.iter().find(|broken| broken.key == prerequisite.flag.value);
        let other = flags.get(prerequisite.flag.as_str()).copied();
        // A flag that cannot be used is there, and never at a variant.
        if let (None, Some(_)) = (other, broken) {
            return;
        }
        let Some(other) = other else {
            let known = read.definition.flags.iter().map(|flag| flag.key.as_str());
            self.push(
                Diagnostic::error(
                    Code::UnknownName,
                    prerequisite.flag.span,
                    format!("there is no flag `{}`", prerequisite.flag),
                )
                .maybe_hint(nearest::hint(&prerequisite.flag, known)),
            );
            return;
        };
        for variant in &prerequisite.variants {
            if other.variant(variant).is_none() {
                let known = other.variants.iter().map(|variant| variant.name.as_str());
                self.push(
                    Diagnostic::error(
                        Code::UnknownName,
                        variant.span,
                        format!("`{}` has no variant `{variant}`", prerequisite.flag),
                    )
                    .label(other.key.span, "this flag")
                    .maybe_hint(nearest::hint(variant, known)),
                );
            }
        }
    }

    /// Puts the flags behind those that they ask for (Kahn 1962), counting how many stand behind one another. What
    /// cannot be put anywhere is in a circle, or asks for one that is. Flags that were refused ask for nothing.
    fn depths(&mut self, read: &Read, refused: &mut HashSet<String>) {
        let flags = &read.definition.flags;
        let places: HashMap<&str, usize> =
            flags.iter().enumerate().map(|(at, flag)| (flag.key.as_str(), at)).collect();
        let mut asks: Vec<Vec<usize>> = Vec::with_capacity(flags.len());
        let mut asked_by: Vec<Vec<usize>> = vec![Vec::new(); flags.len()];
        for (at, flag) in flags.iter().enumerate() {
            let known =
                flag.prerequisites.iter().filter_map(|other| places.get(other.flag.as_str()).copied());
            let known: Vec<usize> =
                if refused.contains(&flag.key.value) { Vec::new() } else { known.collect() };
            for other in &known {
                if let Some(list) = asked_by.get_mut(*other) {
                    list.push(at);
                }
            }
            asks.push(known);
        }
        let mut open: Vec<usize> = asks.iter().map(Vec::len).collect();
        let mut depths = vec![0usize; flags.len()];
        let mut placed = vec![false; flags.len()];
        let mut ready: Vec<usize> =
            (0..flags.len()).filter(|at| asks.get(*at).is_some_and(Vec::is_empty)).collect();
        let mut first = 0;
        loop {
            while let Some(at) = ready.pop() {
                let Some(done) = placed.get_mut(at).filter(|done| !**done) else { continue };
                *done = true;
                let depth = depths.get(at).copied().unwrap_or_default();
                let depth = match flags.get(at) {
                    Some(flag) if depth > limits::PREREQUISITE_DEPTH => {
                        self.too_deep(flag, depth, refused);
                        0
                    }
                    _ => depth,
                };
                for behind in asked_by.get(at).into_iter().flatten().copied() {
                    if let (Some(deepest), Some(left)) = (depths.get_mut(behind), open.get_mut(behind)) {
                        *deepest = depth.saturating_add(1).max(*deepest);
                        *left = left.saturating_sub(1);
                        if *left == 0 {
                            ready.push(behind);
                        }
                    }
                }
            }
            while placed.get(first) == Some(&true) {
                first += 1;
            }
            if first >= flags.len() {
                return;
            }
            // Every flag that is left asks for one that is left, so that following them leads into a circle.
            let mut trail = vec![first];
            let circle = loop {
                let here = trail.last().copied().unwrap_or(first);
                let left = |at: &&usize| placed.get(**at) == Some(&false);
                let Some(next) = asks.get(here).and_then(|asked| asked.iter().find(left)).copied() else {
                    return;
                };
                match trail.iter().position(|at| *at == next) {
                    Some(at) => break trail.split_off(at),
                    None => trail.push(next),
                }
            };
            let circle_flags: Vec<&Flag> = circle.iter().filter_map(|at| flags.get(*at)).collect();
            self.circle(&circle_flags, refused);
            for at in circle {
                if let Some(depth) = depths.get_mut(at) {
                    *depth = 0;
                }
                ready.push(at);
            }
        }
    }

    fn too_deep(&mut self, flag: &Flag, depth: usize, refused: &mut HashSet<String>) {
        self.diagnostics.about(Some(&flag.key));
        self.push(
            Diagnostic::error(
                Code::Prerequisite,
                flag.key.span,
                format!("`{}` has prerequisites of prerequisites, {depth} deep", flag.key),
            )
            .hint(format!("at most {} flags one behind the other", limits::PREREQUISITE_DEPTH)),
        );
        refused.insert(flag.key.value.clone());
    }

    /// Refuses every flag of a circle, each of which asks for the next and the last one for the first.
    fn circle(&mut self, members: &[&Flag], refused: &mut HashSet<String>) {
        let (Some(first), Some(last)) = (members.first(), members.last()) else { return };
        let back = last.prerequisites.iter().find(|prerequisite| prerequisite.flag.value == first.key.value);
        let names: Vec<String> =
            members.iter().chain(std::iter::once(first)).map(|flag| format!("`{}`", flag.key)).collect();
        self.diagnostics.about(Some(&last.key));
        self.push(
            Diagnostic::error(
                Code::Prerequisite,
                back.map_or(last.key.span, |prerequisite| prerequisite.flag.span),
                "prerequisites run in a circle",
            )
            .hint(format!("the circle is {}", names.join(" -> "))),
        );
        refused.extend(members.iter().map(|flag| flag.key.value.clone()));
    }
}
