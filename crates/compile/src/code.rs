//! The stable codes. A code never changes its meaning; a code that is no longer needed is not given again.

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A diagnostic's stable code: `FS01..` the text itself, `FS02..` the set and its flags,
        /// `FS03..` targeting, `FS04..` rollout plans, `FS05..` metrics, `FS06..` what ties flags together.
        /// `FS0208` was given once and is not given again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as printed.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The text is not JSON or YAML.
    Syntax = "FS0101",
    /// The text or its nesting is beyond a limit.
    TooLarge = "FS0102",
    /// A key stands twice in one object.
    DuplicateKey = "FS0103",

    /// A value is of another kind than its key wants.
    WrongKind = "FS0201",
    /// A key that means nothing here.
    UnknownKey = "FS0202",
    /// A key that must be there is not.
    MissingKey = "FS0203",
    /// A value that its key does not allow.
    BadValue = "FS0204",
    /// A name that nothing in the definition bears.
    UnknownName = "FS0205",
    /// The variants of a flag are not all of one kind, or there are none.
    Variants = "FS0206",
    /// A variant does not satisfy its flag's `valueSchema`.
    ValueSchema = "FS0207",
    /// The definition is for another environment.
    Environment = "FS0209",

    /// An operator that JsonLogic, flagd and Flagstone do not know.
    UnknownOperator = "FS0301",
    /// A `$ref` or `segment` that names nothing.
    UnknownReference = "FS0302",
    /// Rules that refer to each other in a circle.
    ReferenceCycle = "FS0303",
    /// An operator with arguments that it can only answer null to.
    BadArguments = "FS0304",
    /// A rule beyond a limit.
    RuleTooLarge = "FS0305",
    /// An answer of a rule names no variant.
    UnknownVariant = "FS0306",
    /// A rule that would carry identities to where they must not be.
    Privacy = "FS0307",
    /// A pattern that is none, or that cannot become a table.
    Pattern = "FS0308",
    /// A network that is none, or is not written as meant.
    Network = "FS0309",

    /// A flag with a plan lacks what governance asks for.
    Governance = "FS0401",
    /// A share that is not one, or not exact in parts of 10^-9.
    Share = "FS0402",
    /// Shares that shrink, overlap or cannot stand beside each other.
    Ladder = "FS0403",
    /// A stage that nobody can be in, or that adds nobody.
    UnreachableStage = "FS0404",
    /// A plan without the guardrail that its share stages need.
    Guardrail = "FS0405",
    /// A plan whose baseline and candidate do not fit.
    Arms = "FS0406",
    /// Times of a plan that contradict each other or lead nowhere.
    Schedule = "FS0407",
    /// Paused intake without the memory that it needs.
    Intake = "FS0408",

    /// A metric that does not say what is bad or what is measured, says it twice, or contradicts itself.
    Metric = "FS0501",
    /// A metric that cannot do what a guardrail or criterion asks of it.
    MetricRole = "FS0502",
    /// A part of the population by which a plan cannot watch a metric.
    Slice = "FS0503",

    /// Flags that are each other's prerequisites in a circle, or through too many others.
    Prerequisite = "FS0601",
    /// Slots of a layer that overlap, or a flag in two layers.
    Layer = "FS0602",
    /// A flag that too many holdouts name.
    Holdout = "FS0603",
    /// A unit that is to have two variants at once.
    Override = "FS0604",
    /// A canary that the flag does not answer as it should.
    Canary = "FS0605",
    /// A prerequisite that would be met by taking back another flag.
    Raised = "FS0606",
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }
}
