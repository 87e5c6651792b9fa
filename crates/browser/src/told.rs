//! What JavaScript tells and is told as objects: configuration, never decisions.

use flagstone_evaluate::ContextError;
use flagstone_seal::{Mark, Opened, PulseStatement, SealError};
use flagstone_snapshot::{Flag, FlagKind, LoadError, Snapshot};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

/// What the page is ready to accept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Policy {
    pub(crate) audience: String,
    pub(crate) environment: String,
    now: f64,
    #[serde(default)]
    mark: Option<MarkText>,
    #[serde(default)]
    pub(crate) max_payload: Option<u64>,
}

/// A snapshot's identity, its digest as 64 lower-case hexadecimal digits.
#[derive(Serialize, Deserialize)]
pub(crate) struct MarkText {
    epoch: u64,
    sequence: u64,
    digest: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Info<'a> {
    mark: MarkText,
    flag_set: &'a str,
    issued: u64,
    expires: u64,
    flags: u32,
    signers: &'a [String],
}

#[derive(Serialize)]
pub(crate) struct PulseInfo {
    number: u64,
    issued: u64,
    expires: u64,
    snapshot: MarkText,
}

#[derive(Serialize)]
pub(crate) struct FlagInfo<'a> {
    key: &'a str,
    kind: &'static str,
    client: bool,
    planned: bool,
    unit: Option<&'a str>,
    variants: Vec<&'a str>,
}

impl Policy {
    pub(crate) fn now(&self) -> u64 {
        self.now as u64
    }

    pub(crate) fn mark(&self) -> Result<Option<Mark>, JsValue> {
        let Some(MarkText { epoch, sequence, digest }) = &self.mark else { return Ok(None) };
        let byte = |at: usize| u8::from_str_radix(digest.get(2 * at..2 * at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..digest.len().div_ceil(2)).map(byte).collect();
        let digest = bytes.and_then(|bytes| bytes.try_into().ok());
        let digest =
            digest.ok_or_else(|| thrown("bad-mark", "the mark's digest is not 64 hexadecimal digits"))?;
        Ok(Some(Mark { epoch: *epoch, sequence: *sequence, digest }))
    }
}

impl From<Mark> for MarkText {
    fn from(mark: Mark) -> Self {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        let digest = mark.digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        MarkText { epoch: mark.epoch, sequence: mark.sequence, digest }
    }
}

impl<'a> Info<'a> {
    pub(crate) fn new(snapshot: &Snapshot<'a>, opened: &'a Opened<'_>) -> Self {
        Info {
            mark: opened.mark.into(),
            flag_set: snapshot.flag_set(),
            issued: opened.statement.issued,
            expires: opened.statement.expires,
            flags: snapshot.flag_count(),
            signers: &opened.signers,
        }
    }
}

impl PulseInfo {
    pub(crate) fn new(pulse: &PulseStatement) -> Self {
        let PulseStatement { number, issued, expires, snapshot, .. } = *pulse;
        PulseInfo { number, issued, expires, snapshot: snapshot.into() }
    }
}

pub(crate) fn flag_info(flag: Flag<'_>) -> FlagInfo<'_> {
    let kind = match flag.kind() {
        FlagKind::Boolean => "boolean",
        FlagKind::Text => "string",
        FlagKind::Number => "number",
        FlagKind::Object => "object",
    };
    let variants = (0..flag.variant_count()).filter_map(|at| flag.variant(at)).map(|variant| variant.name);
    let (client, planned) = (flag.client(), flag.plan().is_some());
    FlagInfo { key: flag.key(), kind, client, planned, unit: flag.unit(), variants: variants.collect() }
}

/// Errors with a stable code.
pub(crate) trait Coded: ToString {
    fn code(&self) -> &'static str;
}

macro_rules! coded {
    ($($error:ty),*) => {$(
        impl Coded for $error {
            fn code(&self) -> &'static str {
                <$error>::code(self)
            }
        }
    )*};
}
coded!(SealError, LoadError, ContextError);

pub(crate) fn failure(error: impl Coded) -> JsValue {
    thrown(error.code(), &error.to_string())
}

fn thrown(code: &str, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    // Setting a property of a fresh object cannot fail.
    let _ = js_sys::Reflect::set(&error, &"code".into(), &code.into());
    error.into()
}
