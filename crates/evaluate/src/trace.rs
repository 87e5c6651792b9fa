//! What an explanation hears while a decision is made. A decision without one is made by [`Silent`], of which nothing
//! is left in the machine code.

use crate::item::{Built, Item};

/// Hears each check and each test of a rule.
pub(crate) trait Trace {
    /// Whether anybody listens; what is only gathered for the listener is left out otherwise.
    const ON: bool;

    /// A check of the order of checks. Members follow by the other calls, up to the next check.
    fn check(&mut self, _name: &'static str, _passed: bool) {}
    /// A text about the last check.
    fn text(&mut self, _name: &'static str, _text: &str) {}
    /// A number about the last check.
    fn number(&mut self, _name: &'static str, _number: f64) {}
    /// A value about the last check.
    fn value<'a>(&mut self, _name: &'static str, _built: &Built<'a>, _item: Item<'a>) {}
    /// A test inside a rule: the operator, the attribute when it is about one, what was compared, the result.
    fn test<'a>(&mut self, _built: &Built<'a>, _test: Test<'_, 'a>) {}
    /// A numbered rule was decided by the tests since the one before.
    fn rule(&mut self, _number: u16, _matched: bool) {}
    /// What happens inside is about another flag: nothing of it is heard.
    fn nested(&mut self, _inside: bool) {}
}

/// One test of a rule.
pub(crate) struct Test<'t, 'a> {
    pub(crate) name: &'static str,
    pub(crate) attribute: Option<&'t str>,
    pub(crate) left: Item<'a>,
    /// What it was compared with, when that is a value.
    pub(crate) right: Option<Item<'a>>,
    pub(crate) result: Item<'a>,
}

/// Nobody listens.
#[derive(Default)]
pub(crate) struct Silent;

impl Trace for Silent {
    const ON: bool = false;
}
