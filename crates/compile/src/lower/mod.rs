//! The definition to what the engine needs: rules become programs, plans become ladders of parts.

mod calculation;
mod canary;
mod control;
mod flag;
mod flagd;
mod minimise;
mod moment;
mod network;
mod operators;
mod ours;
mod pattern;
mod plan;
mod reference;
mod results;
mod rule;
mod scope;
mod ties;
mod variable;

pub(crate) use canary::at as canary_at;

use flagstone_snapshot::{Draft, DraftFlag, FlagKind, Json};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::limits;
use crate::model::{Definition, Flag, Metadata};
use crate::read::BrokenFlag;
use crate::{Audience, Options};

/// Lowers a definition; what cannot be lowered is among the diagnostics and marks its flag as broken.
pub(crate) fn lower(
    set: &Definition,
    broken: &[BrokenFlag],
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> Draft {
    let scope = scope::Scope::new(set, options);
    rule::check_shared(&scope, diagnostics);
    check_environment(set, options, diagnostics);
    let environment = match options.environment.as_str() {
        "" => set.metadata.text("environment").unwrap_or_default(),
        given => given,
    };
    let mut draft = Draft {
        flag_set: set.metadata.text("flagSetId").unwrap_or_default().to_owned(),
        environment: environment.to_owned(),
        definition: [0; 32], // the text is not known here
        metadata: merge(&set.metadata, &Metadata::default()),
        holdouts: Vec::new(),
        layers: Vec::new(),
        flags: Vec::with_capacity(set.flags.len() + broken.len()),
        canaries: Vec::new(),
    };
    let reaches = |client: bool| client || options.audience == Audience::Server;
    let flags: Vec<&Flag> = set.flags.iter().filter(|flag| reaches(flag.client)).collect();
    let ties = ties::Ties::new(set, &flags, &mut draft);
    for flag in &flags {
        diagnostics.about(Some(&flag.key));
        let lowered = flag::lower(flag, &ties, &draft, &scope, diagnostics);
        draft.flags.push(lowered);
    }
    // A key that cannot be laid out cannot be asked for either.
    let short = |key: &str| (1..=limits::KEY_BYTES).contains(&key.len());
    for flag in broken.iter().filter(|flag| reaches(flag.client) && short(&flag.key)) {
        diagnostics.about(Some(&flag.key));
        if let Some(rest) = &flag.rest {
            flag::check_rules(rest, &scope, diagnostics);
        }
        draft.flags.push(DraftFlag {
            enabled: flag.enabled,
            client: flag.client,
            broken: Some(flag.error),
            metadata: draft.metadata.clone(),
            ..DraftFlag::new(&flag.key, FlagKind::Boolean)
        });
    }
    ties::check_prerequisites(&mut draft, &scope, diagnostics);
    ties::check_raised(&mut draft, &scope, diagnostics);
    canary::lower(&flags, options, &mut draft, diagnostics);
    draft
}

/// A definition may say which environment it is meant for.
fn check_environment(set: &Definition, options: &Options, diagnostics: &mut Diagnostics) {
    let Some(member) = set.metadata.0.iter().find(|member| member.key == "environment") else {
        return;
    };
    if let Some(meant) = member.value.as_text()
        && !options.environment.is_empty()
        && meant != options.environment
    {
        diagnostics.push(
            Diagnostic::warning(
                Code::Environment,
                member.value.span,
                format!("the definition is for `{meant}`, it is compiled for `{}`", options.environment),
            )
            .hint("leave `environment` out of the metadata of a definition for several environments"),
        );
    }
}

/// A flag's metadata over the set's, key by key; none when there is nothing.
fn merge(set: &Metadata, flag: &Metadata) -> Option<Json> {
    let mut members: Vec<(String, Json)> = Vec::with_capacity(set.0.len() + flag.0.len());
    for member in set.0.iter().chain(&flag.0) {
        let value = member.value.to_json();
        match members.iter_mut().find(|(key, _)| *key == member.key.value) {
            Some((_, earlier)) => *earlier = value,
            None => members.push((member.key.value.clone(), value)),
        }
    }
    (!members.is_empty()).then_some(Json::Object(members))
}
