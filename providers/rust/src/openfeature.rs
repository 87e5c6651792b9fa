//! A provider for the `open-feature` crate.
//!
//! ```
//! use std::sync::Arc;
//! use flagstone::{Flags, openfeature::FlagstoneProvider};
//! use open_feature::{EvaluationContext, OpenFeature};
//!
//! # async fn run(flags: Arc<Flags>) {
//! let mut api = OpenFeature::singleton_mut().await;
//! api.set_provider(FlagstoneProvider::new(flags)).await;
//! let client = api.create_client();
//! let ana = EvaluationContext::default().with_targeting_key("ana");
//! let model = client.get_string_value("answers", Some(&ana), None).await.unwrap_or("baseline".into());
//! # drop(model); }
//! ```
//!
//! The SDK takes no default value with a question. Where a decision means the caller's own default (a disabled flag, a plan that is
//! closed, …) the answer is therefore an error with code [`USE_DEFAULT`], so that `unwrap_or` gives the right thing; its message has
//! the reason. `STALE` is told as the SDK's `Other`.

mod attributes;
mod value;

use std::sync::Arc;

use open_feature::provider::{FeatureProvider, ProviderMetadata, ProviderStatus, ResolutionDetails};
use open_feature::{
    EvaluationContext, EvaluationError, EvaluationErrorCode, EvaluationReason, EvaluationResult,
    FlagMetadata, StructValue, async_trait,
};

use crate::{Answer, ErrorCode, Flags, Reason, State};

/// Code of the error that means: nothing is wrong, use your own default.
pub const USE_DEFAULT: &str = "USE_DEFAULT";

type Clock = Box<dyn Fn(&Flags) -> u64 + Send + Sync>;
type Exposed = Box<dyn Fn(&EvaluationContext, &str, &Answer) + Send + Sync>;

/// Answers OpenFeature's questions from [`Flags`]. Whoever made the flags goes on bringing them news.
pub struct FlagstoneProvider {
    flags: Arc<Flags>,
    metadata: ProviderMetadata,
    clock: Clock,
    exposed: Option<Exposed>,
}

impl FlagstoneProvider {
    /// A provider that decides by the machine's clock ([`Flags::now`]).
    #[must_use]
    pub fn new(flags: Arc<Flags>) -> Self {
        let clock: Clock = Box::new(|flags| flags.now());
        Self { flags, metadata: ProviderMetadata::new("flagstone"), clock, exposed: None }
    }

    /// With another clock, unix seconds.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { clock: Box::new(move |_| clock()), ..self }
    }

    /// Tells `exposed` of every value that is handed out: context, flag key, answer. It is called in the caller's thread, so it must
    /// not wait.
    #[must_use]
    pub fn with_exposures(
        self,
        exposed: impl Fn(&EvaluationContext, &str, &Answer) + Send + Sync + 'static,
    ) -> Self {
        Self { exposed: Some(Box::new(exposed)), ..self }
    }

    fn resolve<T>(
        &self,
        key: &str,
        context: &EvaluationContext,
        kind: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> EvaluationResult<ResolutionDetails<T>> {
        let now = (self.clock)(&self.flags);
        let Some(in_force) = self.flags.in_force() else {
            let message = "no snapshot has been accepted yet\nhint: give `Flags::offer` a sealed file first";
            return Err(error(EvaluationErrorCode::ProviderNotReady, message.to_owned()));
        };
        let mut unit = attributes::unit(context)?;
        if let Err(fault) = in_force.prepare(&mut unit) {
            return Err(error(EvaluationErrorCode::InvalidContext, fault.to_string()));
        }
        let state = in_force.state(now);
        let decision = in_force.decide_key(&mut unit, key, now);
        let answer = Answer::new(in_force, decision);
        if let Some(code) = decision.error {
            return Err(failed(key, code));
        }
        let Some(json) = answer.json() else {
            let reason = answer.reason();
            let message = format!(
                "flag `{key}` means the caller's own default here (reason {reason})\nhint: `.unwrap_or(default)`"
            );
            return Err(error(EvaluationErrorCode::General(USE_DEFAULT.to_owned()), message));
        };
        let Some(value) = read(json) else {
            return Err(error(
                EvaluationErrorCode::TypeMismatch,
                format!("flag `{key}` is not of type {kind}"),
            ));
        };
        let details = ResolutionDetails {
            value,
            variant: answer.variant().map(ToOwned::to_owned),
            reason: Some(reason(decision.reason)),
            flag_metadata: Some(metadata(&answer, state)),
        };
        if let Some(exposed) = &self.exposed {
            exposed(context, key, &answer);
        }
        Ok(details)
    }
}

fn error(code: EvaluationErrorCode, message: String) -> EvaluationError {
    EvaluationError { code, message: Some(message) }
}

fn failed(key: &str, code: ErrorCode) -> EvaluationError {
    let (code, message) = match code {
        ErrorCode::FlagNotFound => (EvaluationErrorCode::FlagNotFound, "was not found"),
        ErrorCode::ParseError => (EvaluationErrorCode::ParseError, "cannot be evaluated"),
        ErrorCode::TypeMismatch => {
            (EvaluationErrorCode::TypeMismatch, "has a rule that gives no variant's name")
        }
        ErrorCode::General => (EvaluationErrorCode::General("GENERAL".to_owned()), "could not be evaluated"),
    };
    error(code, format!("flag `{key}` {message}"))
}

fn reason(reason: Reason) -> EvaluationReason {
    match reason {
        Reason::Static => EvaluationReason::Static,
        Reason::Default => EvaluationReason::Default,
        Reason::TargetingMatch => EvaluationReason::TargetingMatch,
        Reason::Split => EvaluationReason::Split,
        Reason::Disabled => EvaluationReason::Disabled,
        Reason::Stale => EvaluationReason::Other("STALE".to_owned()),
        Reason::Error => EvaluationReason::Error,
    }
}

/// The flag's own plain values, and ours where they say something: `flagstone.state` (unless it is fresh), `.detail`, `.stage`,
/// `.cohort`.
fn metadata(answer: &Answer, state: State) -> FlagMetadata {
    let mut told = FlagMetadata::default();
    let Some(of) = answer.of() else { return told };
    let decision = answer.decision();
    value::plain(of.metadata(decision.flag), &mut told);
    let stage = |index: Option<u8>| of.stage(decision.flag, index?);
    let ours = [
        ("flagstone.state", Some(state.name()).filter(|_| state != State::Fresh)),
        ("flagstone.detail", decision.detail.as_str()),
        ("flagstone.stage", stage(decision.stage)),
        ("flagstone.cohort", stage(decision.cohort)),
    ];
    for (name, text) in ours {
        if let Some(text) = text {
            told.add_value(name, text);
        }
    }
    told
}

#[async_trait]
impl FeatureProvider for FlagstoneProvider {
    fn status(&self) -> ProviderStatus {
        match self.flags.state((self.clock)(&self.flags)) {
            State::Empty => ProviderStatus::NotReady,
            State::Fresh => ProviderStatus::Ready,
            State::Stale | State::Expired => ProviderStatus::STALE,
        }
    }

    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        self.resolve(flag_key, evaluation_context, "boolean", |json| serde_json::from_str(json).ok())
    }

    async fn resolve_int_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        self.resolve(flag_key, evaluation_context, "integer", value::whole)
    }

    async fn resolve_float_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        self.resolve(flag_key, evaluation_context, "float", |json| serde_json::from_str(json).ok())
    }

    async fn resolve_string_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        self.resolve(flag_key, evaluation_context, "string", |json| serde_json::from_str(json).ok())
    }

    async fn resolve_struct_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        self.resolve(flag_key, evaluation_context, "object", value::object)
    }
}

impl std::fmt::Debug for FlagstoneProvider {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("FlagstoneProvider").field("flags", &self.flags).finish_non_exhaustive()
    }
}
