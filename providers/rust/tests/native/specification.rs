//! OpenFeature's own features (conformance/openfeature-spec of the shared data) through the Rust SDK, over a sealed file with the
//! specification's test flags. Says so where they are not there, and what is not asked and why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use flagstone::Flags;
use flagstone::openfeature::FlagstoneProvider;
use open_feature::{
    Client, EvaluationContext, EvaluationDetails, EvaluationError, EvaluationReason, FlagMetadataValue, Hook,
    HookContext, HookHints, OpenFeature, StructValue, Value, async_trait,
};
use serde_json::json;

use crate::gherkin::{Scenario, Step, matched, scenarios};
use crate::world::{NOW, flags, settings, world};
use host_tests::fixture;
use host_tests::shared;

/// What an evaluation told.
#[derive(Default)]
struct Told {
    value: serde_json::Value,
    flag_key: String,
    reason: String,
    variant: Option<String>,
    code: Option<String>,
    metadata: BTreeMap<String, serde_json::Value>,
}

type Calls = Arc<Mutex<Vec<(&'static str, Told)>>>;

struct World {
    api: OpenFeature,
    client: Option<Client>,
    kind: String,
    key: String,
    otherwise: serde_json::Value,
    context: EvaluationContext,
    told: Told,
    calls: Calls,
}

fn parse(kind: &str, text: &str) -> serde_json::Value {
    match kind.to_ascii_lowercase().as_str() {
        _ if text == "null" => serde_json::Value::Null,
        "string" => json!(text),
        "float" => json!(text.parse::<f64>().unwrap()),
        _ => serde_json::from_str(text).unwrap(),
    }
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::String(value) => json!(value),
        Value::Array(list) => list.iter().map(plain).collect(),
        Value::Struct(object) => serde_json::Value::Object(
            object.fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        ),
    }
}

fn told<T: Into<Value>>(details: EvaluationDetails<T>) -> Told {
    let metadata = details.flag_metadata.values.iter().map(|(name, value)| {
        let value = match value {
            FlagMetadataValue::Bool(value) => json!(value),
            FlagMetadataValue::Int(value) => json!(value),
            FlagMetadataValue::Float(value) => json!(value),
            FlagMetadataValue::String(value) => json!(value),
        };
        (name.clone(), value)
    });
    Told {
        metadata: metadata.collect(),
        value: plain(&details.value.into()),
        flag_key: details.flag_key,
        reason: details.reason.map(|reason| reason.to_string()).unwrap_or_default(),
        variant: details.variant,
        code: None,
    }
}

struct Watch(Calls);

#[async_trait]
impl Hook for Watch {
    async fn before<'a>(
        &self,
        _: &HookContext<'a>,
        _: Option<&'a HookHints>,
    ) -> Result<Option<EvaluationContext>, EvaluationError> {
        self.0.lock().unwrap().push(("before", Told::default()));
        Ok(None)
    }

    async fn after<'a>(
        &self,
        _: &HookContext<'a>,
        details: &EvaluationDetails<Value>,
        _: Option<&'a HookHints>,
    ) -> Result<(), EvaluationError> {
        self.0.lock().unwrap().push(("after", told(details.clone())));
        Ok(())
    }

    async fn error<'a>(&self, _: &HookContext<'a>, error: &EvaluationError, _: Option<&'a HookHints>) {
        let told = Told { code: Some(error.code.to_string()), ..Told::default() };
        self.0.lock().unwrap().push(("error", told));
    }

    async fn finally<'a>(
        &self,
        _: &HookContext<'a>,
        details: &EvaluationDetails<Value>,
        _: Option<&'a HookHints>,
    ) {
        self.0.lock().unwrap().push(("finally", told(details.clone())));
    }
}

impl World {
    async fn provide(&mut self, status: &str, sealed: &[u8]) {
        let flags = match status {
            "stale" => Flags::pin(&world().trust, settings(), NOW).unwrap(),
            _ => Flags::pin(&world().trust, settings().without_pulses(), NOW).unwrap(),
        };
        if !["not ready", "error"].contains(&status) {
            flags.offer(sealed, NOW).unwrap();
        }
        let provider = FlagstoneProvider::new(Arc::new(flags)).with_clock(|| NOW);
        self.api.set_provider(provider).await;
        self.client = Some(self.api.create_client());
    }

    async fn ask(&mut self) {
        let (client, context) = (self.client.as_ref().unwrap(), Some(&self.context));
        let key = self.key.as_str();
        let told = match self.kind.to_ascii_lowercase().as_str() {
            "boolean" => client.get_bool_details(key, context, None).await.map(told),
            "string" => client.get_string_details(key, context, None).await.map(told),
            "integer" => client.get_int_details(key, context, None).await.map(told),
            "float" => client.get_float_details(key, context, None).await.map(told),
            "object" => client.get_struct_details::<StructValue>(key, context, None).await.map(told),
            other => panic!("there is no type {other}"),
        };
        // The SDK answers errors instead of defaults: the default is what `unwrap_or` gives.
        self.told = told.unwrap_or_else(|error| Told {
            value: self.otherwise.clone(),
            flag_key: self.key.clone(),
            reason: EvaluationReason::Error.to_string(),
            code: Some(error.code.to_string()),
            ..Told::default()
        });
    }

    async fn ask_for(&mut self, kind: &str, key: &str, otherwise: serde_json::Value) {
        (self.kind, self.key, self.otherwise) = (kind.to_owned(), key.to_owned(), otherwise);
        self.ask().await;
    }

    /// Runs a step; false when it is not known.
    async fn run(&mut self, step: &Step, sealed: &[u8]) -> bool {
        let text = step.text.trim_end_matches(" asynchronously");
        let is = |pattern: &str| matched(pattern, text);
        if let Some(status) = text.strip_prefix("a ").and_then(|text| text.strip_suffix(" provider")) {
            self.provide(status, sealed).await;
        } else if let Some(parts) = is("a {w}-flag with key {} and a fallback value {}") {
            self.kind.clone_from(&parts[0]);
            self.key.clone_from(&parts[1]);
            self.otherwise = parse(&parts[0], &parts[2]);
        } else if let Some(parts) = is("a context containing a key {}, with type {} and with value {}") {
            let value = parse(&parts[1], &parts[2]);
            self.context.add_custom_field(&parts[0], field(value));
        } else if let Some(parts) = is("a context containing a key {} with null value") {
            let null = open_feature::EvaluationContextFieldValue::new_struct(serde_json::Value::Null);
            self.context.add_custom_field(&parts[0], null);
        } else if is("the flag was evaluated with details").is_some() {
            self.ask().await;
        } else if let Some(parts) = is("the resolved details value should be {}") {
            assert_eq!(self.told.value, parse(&self.kind, &parts[0]));
        } else if let Some(parts) = is("the reason should be {}") {
            assert_eq!(self.told.reason, parts[0]);
        } else if let Some(parts) = is("the error-code should be {}") {
            assert_eq!(self.told.code.as_ref(), Some(&parts[0]));
        } else if let Some(parts) = is("the variant should be {}") {
            assert_eq!(self.told.variant.as_ref(), Some(&parts[0]));
        } else if let Some(parts) = is("the flag key should be {}") {
            assert_eq!(self.told.flag_key, parts[0]);
        } else if is("the resolved metadata should contain").is_some() {
            for row in &step.table[1..] {
                assert_eq!(self.told.metadata[&row[0]], parse(&row[1], &row[2]));
            }
        } else if is("the resolved metadata is empty").is_some() {
            assert!(self.told.metadata.is_empty(), "{:?}", self.told.metadata);
        } else if is("a client with added hook").is_some() {
            let client = self.client.take().unwrap();
            self.client = Some(client.with_hook(Watch(Arc::clone(&self.calls))));
        } else if let Some(parts) = is("the {} hook should have been executed") {
            assert!(self.calls.lock().unwrap().iter().any(|(name, _)| *name == parts[0]));
        } else if let Some(parts) = is("the {} hooks should be called with evaluation details") {
            self.hooked(&parts[0], &step.table[1..]);
        } else {
            return self.run_older(text).await;
        }
        true
    }

    fn hooked(&self, names: &str, rows: &[Vec<String>]) {
        let calls = self.calls.lock().unwrap();
        for name in names.split(", ") {
            let (_, told) = calls.iter().find(|(known, _)| *known == name).unwrap();
            for row in rows {
                let value = match row[1].as_str() {
                    "flag_key" => json!(told.flag_key),
                    "value" => told.value.clone(),
                    "variant" => json!(told.variant),
                    "reason" => json!(told.reason),
                    "error_code" => json!(told.code),
                    other => panic!("there is no member {other}"),
                };
                assert_eq!(value, parse(&row[0], &row[2]), "{name}: {}", row[1]);
            }
        }
    }

    /// The steps of evaluation.feature, which is deprecated.
    async fn run_older(&mut self, text: &str) -> bool {
        let unquoted = |text: &str| text.trim_matches('"').to_owned();
        for between in ["default value ", "details and default value "] {
            for article in ["a", "an"] {
                let pattern = format!("{article} {{w}} flag with key {{}} is evaluated with {between}");
                let Some((head, value)) = text.split_once(between) else { continue };
                let Some(parts) = matched(&pattern, &format!("{head}{between}")) else { continue };
                let otherwise = parse(&parts[0], &unquoted(value));
                self.ask_for(&parts[0], &parts[1], otherwise).await;
                return true;
            }
        }
        let is = |pattern: &str| matched(pattern, text);
        let object = is("an object flag with key {} is evaluated with a null default value")
            .or_else(|| is("an object flag with key {} is evaluated with details and a null default value"));
        if let Some(parts) = object {
            self.ask_for("object", &parts[0], serde_json::Value::Null).await;
        } else if let Some(parts) = is(
            "the resolved object {w} should be contain fields {}, {}, and {}, with values {}, {} and {w}, respectively",
        )
        .or_else(|| is("the resolved object {w} value should be contain fields {}, {}, and {}, with values {}, {} and {w}, respectively"))
        {
            let wanted = json!({ &parts[1]: parts[4] == "true", &parts[2]: parts[5], &parts[3]: parse("integer", &parts[6]) });
            for (name, value) in wanted.as_object().unwrap() {
                assert_eq!(&self.told.value[name], value);
            }
        } else if let Some(parts) =
            is("the resolved {w} details value should be {}, the variant should be {}, and the reason should be {}")
                .or_else(|| is("the resolved {w} details value should be {w}, the variant should be {}, and the reason should be {}"))
        {
            assert_eq!(self.told.value, parse(&parts[0], &parts[1]));
            assert_eq!((self.told.variant.as_ref(), &self.told.reason), (Some(&parts[2]), &parts[3]));
        } else if let Some(parts) = is("the resolved {w} value should be {}")
            .or_else(|| is("the resolved {w} value should be {w}"))
        {
            assert_eq!(self.told.value, parse(&parts[0], &parts[1]));
        } else if let Some(parts) = is("the variant should be {}, and the reason should be {}") {
            assert_eq!((self.told.variant.as_ref(), &self.told.reason), (Some(&parts[0]), &parts[1]));
        } else if let Some(parts) =
            is("a non-existent string flag with key {} is evaluated with details and a fallback value {}")
        {
            self.ask_for("string", &parts[0], json!(parts[1])).await;
        } else if let Some(parts) =
            is("a string flag with key {} is evaluated as an integer, with details and a fallback value {w}")
        {
            self.ask_for("integer", &parts[0], parse("integer", &parts[1])).await;
        } else if is("the default {w} value should be returned").is_some() {
            assert_eq!(self.told.value, self.otherwise);
        } else if let Some(code) = text
            .strip_prefix("the reason should indicate an error and the error code should indicate a ")
            .and_then(|rest| rest.split('"').nth(1))
        {
            assert_eq!((self.told.reason.as_str(), self.told.code.as_deref()), ("ERROR", Some(code)));
        } else {
            return false;
        }
        true
    }
}

fn field(value: serde_json::Value) -> open_feature::EvaluationContextFieldValue {
    match value {
        serde_json::Value::Bool(value) => value.into(),
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap().into(),
        },
        other => open_feature::EvaluationContextFieldValue::new_struct(other),
    }
}

/// Why a scenario is not asked.
fn skipped(scenario: &Scenario, flags: &serde_json::Value) -> Option<&'static str> {
    let says = |text: &str| scenario.steps.iter().any(|step| step.text.contains(text));
    let told_of =
        |text: &str| scenario.steps.iter().flat_map(|step| &step.table).flatten().any(|cell| cell == text);
    if says("\"CACHED\"") {
        Some("nothing is cached here: a decision is always made anew")
    } else if says("\"context-aware\"") && flags["context-aware"].is_null() {
        Some("the test flags have no `context-aware` any more")
    } else if says("a fatal provider") || says("provider status should be") || says("an error provider") {
        Some("the SDK has no state `fatal` and gives clients no status")
    } else if told_of("FLAG_NOT_FOUND") || told_of("TYPE_MISMATCH") {
        Some("the SDK's hooks hear of an error without the caller's default")
    } else if says("evaluation options")
        || says("immutable")
        || says("unmodified")
        || says("without blocking")
    {
        Some("it is about the SDK, or about the language")
    } else if says("\"Disabled\"") || says("\"DISABLED\"") || says("disabled-flag") || says("-default-flag") {
        Some("the SDK takes no default value: the answer is the error USE_DEFAULT")
    } else {
        None
    }
}

#[tokio::test]
async fn openfeatures_features_hold() {
    let Some(folder) = shared::folder().map(|folder| folder.join("conformance/openfeature-spec")) else {
        println!("the shared data is not beside the checkout: OpenFeature's features were not asked");
        return;
    };
    let test_flags: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("test-flags.json")).unwrap()).unwrap();
    let definition = host_tests::openfeature::definition(&test_flags).unwrap();
    let payload = fixture::snapshot("test-flags.json", &definition.to_string()).unwrap();
    let sealed = world().seal(&payload, 1).unwrap();
    flags().offer(sealed.clone(), NOW).unwrap();
    for name in ["evaluation", "evaluation_v2", "hooks", "metadata"] {
        let all = scenarios(&std::fs::read_to_string(folder.join(format!("{name}.feature"))).unwrap());
        let (mut passed, mut why) = (0, BTreeMap::<&str, usize>::new());
        for scenario in &all {
            if let Some(reason) = skipped(scenario, &test_flags) {
                *why.entry(reason).or_default() += 1;
                continue;
            }
            println!("{name}: {}", scenario.title);
            let mut world = World {
                api: OpenFeature::default(),
                client: None,
                kind: String::new(),
                key: String::new(),
                otherwise: serde_json::Value::Null,
                context: EvaluationContext::default(),
                told: Told::default(),
                calls: Calls::default(),
            };
            for step in &scenario.steps {
                println!("    {}", step.text);
                assert!(world.run(step, &sealed).await, "no definition for the step `{}`", step.text);
            }
            passed += 1;
        }
        println!("{name}.feature: {passed} of {} scenarios passed; not asked: {why:?}", all.len());
        assert!(passed > 0, "{name}.feature: nothing was asked");
    }
}
