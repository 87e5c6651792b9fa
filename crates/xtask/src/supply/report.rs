//! What was found, and how it is told.

use serde::Serialize;

/// Findings in the order of the checks.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    checks: Vec<Check>,
    findings: Vec<Finding>,
    not_compared: Vec<NotCompared>,
    /// The copy of the advisory database, when there is one.
    pub(crate) advisories: Option<Copy>,
}

/// One check, and what it went over.
#[derive(Serialize)]
struct Check {
    check: &'static str,
    summary: String,
}

#[derive(Serialize)]
struct Finding {
    check: &'static str,
    severity: Severity,
    /// A package with its version, a file, an advisory.
    subject: String,
    message: String,
}

#[derive(PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Failure,
    Warning,
}

#[derive(Serialize)]
struct NotCompared {
    check: &'static str,
    what: String,
}

/// What is known of the copy of the advisory database.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Copy {
    /// How many advisories it has.
    pub(crate) count: usize,
    /// The newest one's id and date.
    pub(crate) newest: String,
    pub(crate) newest_date: String,
    /// Days since that date.
    pub(crate) days: i32,
}

impl Report {
    /// A check was made over what `summary` says.
    pub(crate) fn checked(&mut self, check: &'static str, summary: String) {
        self.checks.push(Check { check, summary });
    }

    /// Something is against the policy.
    pub(crate) fn fail(
        &mut self,
        check: &'static str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) {
        let (severity, subject, message) = (Severity::Failure, subject.into(), message.into());
        self.findings.push(Finding { check, severity, subject, message });
    }

    /// Something to know, which fails nothing.
    pub(crate) fn warn(
        &mut self,
        check: &'static str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) {
        let (severity, subject, message) = (Severity::Warning, subject.into(), message.into());
        self.findings.push(Finding { check, severity, subject, message });
    }

    /// Something that could not be compared here.
    pub(crate) fn not_compared(&mut self, check: &'static str, what: impl Into<String>) {
        self.not_compared.push(NotCompared { check, what: what.into() });
    }

    /// Nothing is against the policy.
    pub(crate) fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Failure)
    }

    /// To standard output: lines for people, or one JSON object.
    pub(crate) fn print(&self, json: bool) {
        if json {
            let mut object = serde_json::json!({ "passed": self.passed() });
            if let (Some(object), Ok(serde_json::Value::Object(rest))) =
                (object.as_object_mut(), serde_json::to_value(self))
            {
                object.extend(rest);
            }
            println!("{object}");
            return;
        }
        for Check { check, summary } in &self.checks {
            let wrong = self
                .findings
                .iter()
                .filter(|finding| finding.check == *check && finding.severity == Severity::Failure)
                .count();
            let verdict = if wrong == 0 { "ok".to_owned() } else { format!("{wrong} WRONG") };
            println!("{check:<11} {verdict:<8} {summary}");
        }
        for NotCompared { check, what } in &self.not_compared {
            println!("{check:<11} {:<8} {what}", "unknown");
        }
        for Finding { check, severity, subject, message } in &self.findings {
            let word = if *severity == Severity::Failure { "WRONG" } else { "warning" };
            println!("{word}: {check}: {subject}: {message}");
        }
    }
}
