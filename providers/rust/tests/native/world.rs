//! What the tests share: flags pinned in the fixtures' world, and a small definition.

use flagstone::{Flags, Settings};

use host_tests::fixture::{AUDIENCE, ENVIRONMENT, World, snapshot};

/// When everything is issued, unix seconds.
pub(crate) const NOW: u64 = 1_800_000_000;

/// The fixtures' world.
pub(crate) fn world() -> World {
    World::new(NOW).unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings::new(AUDIENCE, ENVIRONMENT)
}

/// Flags that trust the fixtures' world, nothing in force.
pub(crate) fn flags() -> Flags {
    Flags::pin(&world().trust, settings(), NOW).unwrap()
}

/// A snapshot with one flag under a plan and one of each kind; `word` is what `word` answers.
pub(crate) fn payload(word: &str) -> Vec<u8> {
    let definition = format!(
        r#"{{"flags": {{
            "word": {{"state": "ENABLED", "variants": {{"one": "{word}", "two": "two \"quoted\""}}, "defaultVariant": "one",
                "targeting": {{"if": [{{"==": [{{"var": "country"}}, "de"]}}, "two", null]}}}},
            "switch": {{"state": "ENABLED", "variants": {{"on": true, "off": false}}, "defaultVariant": "on"}},
            "amount": {{"state": "ENABLED", "variants": {{"some": 2.5, "whole": 7}}, "defaultVariant": "some"}},
            "off": {{"state": "DISABLED", "variants": {{"on": true}}, "defaultVariant": "on"}},
            "parts": {{"state": "ENABLED", "variants": {{"all": {{"list": [1, "two", {{"three": 3.5}}], "yes": true}}}}, "defaultVariant": "all",
                "metadata": {{"team": "search", "level": 3}}}}
        }}}}"#
    );
    snapshot("world.json", &definition).unwrap()
}

/// The small definition, sealed.
pub(crate) fn sealed(word: &str, sequence: u64) -> Vec<u8> {
    world().seal(&payload(word), sequence).unwrap()
}
