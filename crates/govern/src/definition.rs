//! The definition that accompanies a snapshot: it must compile to the very flags that were signed.

use flagstone_compile::{Audience, Definition, FractionalVersion, Options, Source, compile};
use flagstone_snapshot::encode;

use crate::error::Refusal;

/// The name that messages use for a definition that came over HTTP.
const NAME: &str = "definition";

/// Compiles a text and compares with a signed payload, under each way that `compile` can be asked to.
///
/// # Errors
/// 422 with the compiler's own words when it does not compile, and when no way gives these bytes.
pub(crate) fn check(text: &str, environment: &str, payload: &[u8]) -> Result<(), Refusal> {
    let source = Source::new(NAME, text);
    let mut words = String::new();
    for audience in [Audience::Server, Audience::Browser] {
        for fractional in [FractionalVersion::V2, FractionalVersion::V1, FractionalVersion::V3] {
            let options =
                Options { environment: environment.to_owned(), strict: false, audience, fractional };
            let outcome = compile(&source, &options);
            match outcome.draft.map(|draft| encode(&draft)) {
                Some(Ok(bytes)) if bytes == payload => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => words = error.to_string(),
                None => words = outcome.diagnostics.render(&source, false),
            }
        }
    }
    if !words.is_empty() {
        return Err(Refusal::new(422, "bad-definition", words));
    }
    let message = "this definition does not compile to the flags that were signed\n\
                   hint: send the very text that the snapshot was compiled from";
    Err(Refusal::new(422, "other-flags", message))
}

/// Reads a definition that was checked when it came.
///
/// # Errors
/// In the compiler's words, when a newer compiler no longer reads it.
pub(crate) fn read(text: &str) -> Result<Definition, String> {
    let source = Source::new(NAME, text);
    let (definition, diagnostics) = flagstone_compile::parse(&source);
    definition.ok_or_else(|| diagnostics.render(&source, false))
}
