//! A decision, typed, read from the engine's canonical text.

use flagstone_events::Arm;
use flagstone_snapshot::SHARE_TOTAL;
use serde::Deserialize;
use serde_json::Value;

/// What the engine decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The flag's key, as asked for.
    pub flag: String,
    /// The variant's name; none means the caller's own default.
    pub variant: Option<String>,
    /// The variant's value; `null` when there is no variant.
    pub value: Value,
    /// OpenFeature's reason, upper case.
    pub reason: String,
    /// OpenFeature's error code, when the reason is `ERROR`.
    pub error_code: Option<String>,
    /// What, more exactly, decided: `stage`, `control`, `halt`, `consent`, ...
    pub detail: Option<String>,
    /// The side of the rollout plan's comparison.
    pub arm: Arm,
    /// The open stage of the plan.
    pub stage: Option<Stage>,
    /// The unit's enrolment cohort.
    pub cohort: Option<Cohort>,
    /// The flag's metadata, or the flag set's.
    pub metadata: Value,
}

/// A stage of a rollout plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Stage {
    /// Counted from 0 in the order of the plan.
    pub index: u8,
    /// Its name.
    pub name: String,
}

/// An enrolment cohort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cohort {
    /// The stage that took the unit in, counted from 0.
    pub index: u8,
    /// That stage's name.
    pub name: String,
    /// Probability of treatment within the cohort, in parts of 1,000,000,000.
    pub probability: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    flag: String,
    variant: Option<String>,
    value: Value,
    reason: String,
    error_code: Option<String>,
    detail: Option<String>,
    arm: Option<Arm>,
    stage: Option<Stage>,
    cohort: Option<CohortText>,
    metadata: Value,
}

#[derive(Deserialize)]
struct CohortText {
    index: u8,
    name: String,
    /// A fraction of 1 in the canonical text.
    probability: f64,
}

impl Decision {
    /// Reads the canonical text (docs/engine.md).
    pub(super) fn from_canonical(text: &str) -> Result<Self, String> {
        let text: Text = serde_json::from_str(text)
            .map_err(|error| format!("its decision is not as documented: {error}"))?;
        let cohort = text.cohort.map(|cohort| {
            let CohortText { index, name, probability } = cohort;
            let parts = parts(probability).ok_or("a probability outside 0 to 1 in its decision")?;
            Ok::<_, String>(Cohort { index, name, probability: parts })
        });
        Ok(Self {
            flag: text.flag,
            variant: text.variant,
            value: text.value,
            reason: text.reason,
            error_code: text.error_code,
            detail: text.detail,
            arm: text.arm.unwrap_or_default(),
            stage: text.stage,
            cohort: cohort.transpose()?,
            metadata: text.metadata,
        })
    }

    /// The answer when there is no engine to ask: the caller's own default.
    pub(crate) fn error(flag: &str, code: &str) -> Self {
        Self {
            flag: flag.to_owned(),
            variant: None,
            value: Value::Null,
            reason: "ERROR".to_owned(),
            error_code: Some(code.to_owned()),
            detail: None,
            arm: Arm::None,
            stage: None,
            cohort: None,
            metadata: Value::Null,
        }
    }

    /// The canonical text of [`Decision::error`].
    pub(crate) fn error_text(&self) -> String {
        let text = |text: &str| Value::String(text.to_owned()).to_string();
        let code = self.error_code.as_deref().map_or_else(|| "null".to_owned(), text);
        format!(
            r#"{{"flag":{},"variant":null,"value":null,"reason":"ERROR","errorCode":{code},"detail":null,"arm":null,"stage":null,"cohort":null,"metadata":null}}"#,
            text(&self.flag)
        )
    }
}

fn parts(fraction: f64) -> Option<u32> {
    // Exact: a whole number of parts survives the way through the nearest f64 fraction and back.
    (0.0..=1.0).contains(&fraction).then(|| (fraction * f64::from(SHARE_TOTAL)).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_the_canonical_text_is_read() {
        let text = r#"{"flag":"assistant","variant":"careful","value":{"order":3},"reason":"SPLIT","errorCode":null,"detail":"stage","arm":"treatment","stage":{"index":2,"name":"1%"},"cohort":{"index":1,"name":"beta","probability":0.266666667},"metadata":{"team":"qa"}}"#;
        let read = Decision::from_canonical(text).unwrap();
        let expected = Decision {
            flag: "assistant".into(),
            variant: Some("careful".into()),
            value: serde_json::json!({"order": 3}),
            reason: "SPLIT".into(),
            error_code: None,
            detail: Some("stage".into()),
            arm: Arm::Treatment,
            stage: Some(Stage { index: 2, name: "1%".into() }),
            cohort: Some(Cohort { index: 1, name: "beta".into(), probability: 266_666_667 }),
            metadata: serde_json::json!({"team": "qa"}),
        };
        assert_eq!(read, expected);
        assert!(Decision::from_canonical("{}").is_err());
        assert!(Decision::from_canonical(&text.replace("0.266666667", "2")).is_err());
    }

    #[test]
    fn the_error_text_reads_back() {
        let error = Decision::error("a \"quoted\" key", "PROVIDER_NOT_READY");
        assert_eq!(Decision::from_canonical(&error.error_text()).unwrap(), error);
    }

    #[test]
    fn parts_survive_the_way_through_a_fraction() {
        for part in (0..=SHARE_TOTAL).step_by(999_983).chain([1, SHARE_TOTAL - 1, SHARE_TOTAL]) {
            let printed = (f64::from(part) / f64::from(SHARE_TOTAL)).to_string();
            assert_eq!(parts(printed.parse().unwrap()), Some(part));
        }
    }
}
