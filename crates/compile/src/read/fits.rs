//! What a metric can do in which role.
//!
//! | kind | tripwire | deterioration | guardrail | success | signal | health | observe |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | `bad` | yes | yes | yes | yes | yes | yes | yes |
//! | `mean`, `ratio` | | with `window` | with `window` | yes | yes | yes | yes |
//! | `quantile` | | yes | yes | yes | yes | yes | yes |
//! | `score` | | yes | yes | | yes | | yes |

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Guardrail, Measure, Metric, NotWorseBy, Role, Success};
use crate::read::Reader;
use crate::span::{Span, Spanned};

/// Whether a margin needs no `baseline`: rates are compared by their ratio, scores have a bar, and plain means and ratios are held
/// against the control as it is measured.
fn follows(metric: &Metric) -> bool {
    match metric.measure {
        Measure::Bad(_) | Measure::Score { .. } | Measure::Ratio { .. } => true,
        Measure::Mean { adjust, .. } => adjust.is_none(),
        Measure::Quantile { .. } => false,
    }
}

impl Reader<'_> {
    /// Holds a metric against the role that it is given at `name`, and against the margin that it is to keep.
    pub(super) fn fits(
        &mut self,
        name: &Spanned<String>,
        metric: &Metric,
        role: Role,
        margin: Option<(NotWorseBy, Span)>,
    ) {
        let (kind, word) = (&metric.measure, role.as_str());
        let rate = matches!(kind, Measure::Bad(_));
        let score = matches!(kind, Measure::Score { .. });
        let mut cannot = |message: String, hint: String| {
            self.refuse(
                Diagnostic::error(Code::MetricRole, name.span, message)
                    .label(metric.name.span, "declared here")
                    .hint(hint),
            );
        };
        match role {
            Role::Tripwire if !rate => cannot(
                format!("`{name}` takes a {}, so its role cannot be `{word}`", kind.key()),
                "a tripwire is one bad outcome: say in the metric what is `bad`".to_owned(),
            ),
            Role::Success | Role::Health if score => cannot(
                format!("`{name}` is held against a bar, so its role cannot be `{word}`"),
                "a bar compares with no control: make it a `guardrail`, which must be shown to be above it"
                    .to_owned(),
            ),
            Role::Deterioration | Role::Guardrail
                if matches!(kind, Measure::Mean { .. } | Measure::Ratio { .. })
                    && metric.window.is_none() =>
            {
                cannot(
                    format!("`{name}` has no `window`, so its role cannot be `{word}`"),
                    "what a unit comes to is known when its window is over: add `window: 24h` to the metric"
                        .to_owned(),
                );
            }
            _ => {}
        }
        let relative = margin.filter(|(promote, _)| promote.not_worse_by > 0);
        if let Some((_, span)) = relative
            && !follows(metric)
            && metric.baseline.is_none_or(|baseline| baseline == 0)
        {
            self.refuse(
                Diagnostic::error(
                    Code::MetricRole,
                    span,
                    format!("the margin of `{name}` is a share of a `baseline`, and it has none"),
                )
                .label(metric.name.span, "declared here")
                .hint("add to the metric what it is today, as `baseline: 0.02`"),
            );
        }
        self.promotes(name, role, score, margin.map(|(_, span)| span));
    }

    /// Where a `promote` means something, and where it must be.
    fn promotes(&mut self, name: &Spanned<String>, role: Role, score: bool, promote: Option<Span>) {
        let word = role.as_str();
        match (promote, role) {
            (Some(span), _) if score => self.refuse(
                Diagnostic::error(Code::Guardrail, span, format!("`{name}` has its bar as its margin"))
                    .hint("leave `promote` out: before promotion it must be shown to be above the bar"),
            ),
            (Some(span), Role::Success | Role::Health | Role::Observe) => self.refuse(
                Diagnostic::error(
                    Code::Guardrail,
                    span,
                    format!("`promote` means nothing for the role `{word}`"),
                )
                .hint("make it a `guardrail`, which must keep its margin"),
            ),
            (None, Role::Guardrail) if !score => self.refuse(
                Diagnostic::error(
                    Code::Guardrail,
                    name.span,
                    format!("the `{word}` `{name}` has no margin to keep"),
                )
                .hint("add `promote: { notWorseBy: 10% }`"),
            ),
            _ => {}
        }
    }

    /// A criterion of success is said once, as a guardrail or in `success`.
    pub(super) fn twice_success(&mut self, guardrails: &[Guardrail], success: &[Success]) {
        for criterion in success {
            let role = if criterion.better { Role::Success } else { Role::Observe };
            let earlier = guardrails.iter().find(|one| one.role == role && one.metric == criterion.metric);
            if let Some(earlier) = earlier {
                self.refuse(
                    Diagnostic::error(
                        Code::Guardrail,
                        criterion.metric.span,
                        format!("`{}` is a `{}` twice", criterion.metric, role.as_str()),
                    )
                    .label(earlier.metric.span, "first here"),
                );
            }
        }
    }
}
