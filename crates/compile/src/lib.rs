//! Authored definition -> diagnostics and snapshot.
//!
//! A definition says which flags there are, who answers for them and how they are rolled out. It is
//! flagd's format with additions, in YAML or JSON (`docs/definition.md`). [`compile`] reads it, says what is
//! wrong with it in the author's words, and lowers it to the [`Draft`] that `flagstone_snapshot::encode`
//! lays out.
//!
//! ```
//! use flagstone_compile::{Options, Source, compile};
//!
//! let source = Source::new("flags.yaml", "
//! flags:
//!   greeting:
//!     state: ENABLED
//!     variants: { short: Hi, long: Good morning }
//!     defaultVariant: short
//!     targeting: { if: [{ starts_with: [{ var: locale }, en] }, lnog] }
//! ");
//! let outcome = compile(&source, &Options { environment: "production".into(), ..Options::default() });
//!
//! // The flag still works for everybody whom the typo does not meet …
//! assert!(outcome.draft.is_some());
//! // … and the author hears of it.
//! let said = outcome.diagnostics.render(&source, false);
//! assert!(said.contains("error[FS0306]: there is no variant `lnog`"));
//! assert!(said.contains("hint: did you mean `long`?"));
//! ```
//!
//! Words: a *definition* is text; its *tree* is what the notation says; the *model* ([`Definition`]) is what
//! the author says; the *draft* is what the engine needs.
//!
//! Two modes. **Lenient** (the default): one bad flag never takes others down, it answers with an error when
//! evaluated. **Strict** ([`Options::strict`]): any error, and nothing is built. Limits are in [`limits`].

mod code;
pub mod diagnostic;
pub mod limits;
mod lower;
pub mod model;
mod nearest;
pub mod peers;
mod read;
mod render;
pub mod span;
mod tree;

use sha2::{Digest, Sha256};

pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use flagstone_snapshot::{Draft, FractionalVersion};
pub use model::Definition;
pub use render::JsonDiagnostic;
pub use span::{Span, Spanned};
pub use tree::{Format, Member, Node, Number, Source, Value};

/// For whom a definition is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Audience {
    /// Hosts that the team runs: every flag.
    #[default]
    Server,
    /// Browsers: flags with `client: true` only, and no lists of targeting keys.
    Browser,
}

/// How to compile.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The environment that the snapshot is for; empty: the definition's own `metadata.environment`.
    pub environment: String,
    /// Any error stops the build. Otherwise a bad flag is marked as broken and the others are built.
    pub strict: bool,
    /// For whom.
    pub audience: Audience,
    /// Which `fractional` algorithm rules mean.
    pub fractional: FractionalVersion,
}

/// What compiling gives.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Ready to be laid out; none when nothing could be built, or in strict mode anything was wrong.
    pub draft: Option<Draft>,
    /// What the author said; none when the text is no definition at all. Flags that cannot be used are
    /// not in it.
    pub definition: Option<Definition>,
    /// What there is to say.
    pub diagnostics: Diagnostics,
}

/// Reads a definition without lowering it: kinds, names, amounts and plans are checked, rules are not.
#[must_use]
pub fn parse(source: &Source) -> (Option<Definition>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let read = source.tree(&mut diagnostics).and_then(|root| read::read(&root, false, &mut diagnostics));
    diagnostics.sort();
    (read.map(|read| read.definition), diagnostics)
}

/// Reads a definition and lowers it.
#[must_use]
pub fn compile(source: &Source, options: &Options) -> Outcome {
    let mut diagnostics = Diagnostics::default();
    let root = source.tree(&mut diagnostics);
    let Some(read) = root.and_then(|root| read::read(&root, options.strict, &mut diagnostics)) else {
        diagnostics.sort();
        return Outcome { draft: None, definition: None, diagnostics };
    };
    let mut draft = lower::lower(&read.definition, &read.broken, options, &mut diagnostics);
    draft.definition = Sha256::digest(source.text()).into();
    diagnostics.sort();
    let refused = options.strict && diagnostics.has_errors();
    Outcome { draft: (!refused).then_some(draft), definition: Some(read.definition), diagnostics }
}

impl Outcome {
    /// Reports that a canary of the draft is not answered as it should be, at its place in the definition. Nothing is
    /// built then, strict or not: no host would serve it. `compile` itself does not decide flags: who has an engine
    /// asks it, and reports here.
    pub fn wrong_canary(&mut self, position: usize, answer: &str) {
        let Some((draft, definition)) = self.draft.as_ref().zip(self.definition.as_ref()) else { return };
        let (Some(canary), Some(drafted)) =
            (lower::canary_at(definition, draft, position), draft.canaries.get(position))
        else {
            return;
        };
        self.diagnostics.about(Some(&drafted.flag));
        self.diagnostics.push(
            Diagnostic::error(Code::Canary, canary.span, format!("this canary is answered with {answer}"))
                .hint("canaries are asked without a pulse, at `at` (1970 when it does not say)"),
        );
        self.diagnostics.sort();
        self.draft = None;
    }
}

/// Lowers a definition that was read before: [`parse`] and `lower` give what [`compile`] gives, except
/// that flags which could not be read are missing instead of answering with an error.
#[must_use]
pub fn lower(definition: &Definition, options: &Options) -> (Draft, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let draft = lower::lower(definition, &[], options, &mut diagnostics);
    diagnostics.sort();
    (draft, diagnostics)
}
