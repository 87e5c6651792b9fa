//! The operator: the person (here: a few rules) who holds the release key. Every approval and every withdrawal is a
//! newly compiled, newly signed snapshot; the control plane cannot make one.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use flagstone_compile::{Options, Source, compile};
use flagstone_seal::{SecretKey, SnapshotStatementDraft, Statement, inspect, seal_snapshot};
use flagstone_snapshot::{Snapshot, encode};
use serde_json::Value;

use super::edition::{DEFINITION, with_ceiling};
use super::keys::{AUDIENCE, ENVIRONMENT};
use crate::prompt::Behaviour;
use crate::traffic::Surface;

const WEEK: u64 = 7 * 86_400;
const PAYLOAD_TYPE: &str = "application/vnd.flagstone.snapshot.v1";
const LARGEST: u64 = 4 << 20;

/// A compiled and signed definition, on its way to the control plane.
#[derive(Debug, Clone)]
pub struct Release {
    /// The sealed file.
    pub sealed: Vec<u8>,
    /// SHA-256 of its statement, in hexadecimal.
    pub digest: String,
    /// The definition's text, which accompanies the file.
    pub definition: String,
    /// Its sequence number.
    pub sequence: u64,
    /// What changed.
    pub reason: String,
}

/// Holds the release key, the definition in force and the chain of what was signed.
#[derive(Debug)]
pub struct Operator {
    key: SecretKey,
    http: reqwest::Client,
    base: String,
    definition: String,
    sequence: u64,
    parent: [u8; 32],
    /// What was last signed of each flag: the stage approved, or none once withdrawn.
    signed: BTreeMap<String, Option<String>>,
    /// Every snapshot that was published, oldest first.
    pub published: Vec<Release>,
}

impl Operator {
    /// An operator for the control plane at `http://host:port`.
    pub fn new(key: SecretKey, http: reqwest::Client, control_plane: &str) -> Self {
        let base = format!("{control_plane}/v1/environments/{ENVIRONMENT}");
        Self {
            key,
            http,
            base,
            definition: DEFINITION.to_owned(),
            sequence: 0,
            parent: [0; 32],
            signed: BTreeMap::new(),
            published: Vec::new(),
        }
    }

    /// Publishes the definition as it stands in the repository.
    ///
    /// # Errors
    /// It does not compile, or the control plane does not take it.
    pub async fn publish_first(&mut self, now: u64) -> Result<()> {
        self.publish(self.definition.clone(), "first release".to_owned(), now).await
    }

    /// Approves a plan up to a stage: a new signature over a higher ceiling. False when that is signed already.
    ///
    /// # Errors
    /// As [`Operator::publish_first`].
    pub async fn approve(&mut self, flag: &str, stage: &str, now: u64) -> Result<bool> {
        self.sign(flag, Some(stage), format!("{flag}: approved up to {stage}"), now).await
    }

    /// Withdraws every approval of a plan: a new signature over a definition without its ceiling. False when that is
    /// signed already.
    ///
    /// # Errors
    /// As [`Operator::publish_first`].
    pub async fn withdraw(&mut self, flag: &str, now: u64) -> Result<bool> {
        self.sign(flag, None, format!("{flag}: withdrawn"), now).await
    }

    async fn sign(&mut self, flag: &str, stage: Option<&str>, reason: String, now: u64) -> Result<bool> {
        let wanted = stage.map(str::to_owned);
        if self.signed.get(flag) == Some(&wanted) {
            return Ok(false);
        }
        let text = with_ceiling(&self.definition, flag, stage)?;
        self.publish(text, reason, now).await?;
        self.signed.insert(flag.to_owned(), wanted);
        Ok(true)
    }

    async fn publish(&mut self, definition: String, reason: String, now: u64) -> Result<()> {
        let release = self.release(definition, reason, now)?;
        let url = format!("{}/snapshots", self.base);
        let request = self.http.post(&url).header("content-type", "application/octet-stream");
        accept(request.body(release.sealed.clone()).send().await, &url).await?;
        let url = format!("{}/definitions/{}", self.base, release.digest);
        let request = self.http.put(&url).header("content-type", "application/yaml");
        accept(request.body(release.definition.clone()).send().await, &url).await?;
        self.parent = statement_digest(&release.sealed)?;
        self.sequence = release.sequence;
        self.definition.clone_from(&release.definition);
        tracing::info!(sequence = release.sequence, reason = release.reason, "published");
        self.published.push(release);
        Ok(())
    }

    /// Compiles and seals, without sending.
    ///
    /// # Errors
    /// The definition does not compile (the message holds the diagnostics), or cannot be laid out or signed.
    pub fn release(&self, definition: String, reason: String, now: u64) -> Result<Release> {
        let payload = payload(&definition)?;
        let sequence = self.sequence + 1;
        let draft = SnapshotStatementDraft {
            audience: AUDIENCE.to_owned(),
            environment: ENVIRONMENT.to_owned(),
            epoch: 1,
            sequence,
            issued: now,
            expires: now + WEEK,
            parent: self.parent,
            payload_type: PAYLOAD_TYPE.to_owned(),
        };
        let sealed = seal_snapshot(&draft, &payload, &[&self.key]).context("cannot seal the snapshot")?;
        let digest = hexadecimal(&statement_digest(&sealed)?);
        Ok(Release { sealed, digest, definition, sequence, reason })
    }
}

/// Compiles a definition strictly and lays it out.
///
/// # Errors
/// The diagnostics, as text.
pub fn payload(definition: &str) -> Result<Vec<u8>> {
    let source = Source::new("definition.yaml", definition);
    let options = Options { environment: ENVIRONMENT.to_owned(), strict: true, ..Options::default() };
    let outcome = compile(&source, &options);
    let Some(draft) = outcome.draft else {
        bail!("the definition does not compile\n{}", outcome.diagnostics.render(&source, false));
    };
    encode(&draft).context("the definition cannot be laid out")
}

fn statement_digest(sealed: &[u8]) -> Result<[u8; 32]> {
    let claim = inspect(sealed, LARGEST).context("the sealed file cannot be read back")?;
    match claim.statement {
        Statement::Snapshot(snapshot) => Ok(snapshot.digest()),
        _ => bail!("the sealed file holds no snapshot statement"),
    }
}

async fn accept(response: reqwest::Result<reqwest::Response>, url: &str) -> Result<Value> {
    let response = response.with_context(|| format!("cannot reach `{url}`"))?;
    let status = response.status();
    let body = response.text().await.unwrap_or_default();
    if !status.is_success() {
        bail!("`{url}` answered {status}: {body}");
    }
    Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// The behaviours of every flag in a definition: flag, variant, behaviour, in the author's order.
///
/// # Errors
/// The definition does not compile, or a variant is no behaviour.
pub fn behaviours(definition: &str) -> Result<Vec<(String, String, Behaviour)>> {
    let payload = payload(definition)?;
    let snapshot = Snapshot::load(&payload).context("the snapshot cannot be read back")?;
    let mut found = Vec::new();
    for surface in Surface::ALL {
        let key = surface.flag();
        let flag = snapshot.find(key).and_then(|index| snapshot.flag(index));
        let flag = flag.with_context(|| format!("the definition has no flag `{key}`"))?;
        for variant in (0..u16::MAX).map_while(|index| flag.variant(index)) {
            let name = variant.name;
            let behaviour =
                Behaviour::read(variant.json).with_context(|| format!("in variant `{name}` of `{key}`"))?;
            found.push((key.to_owned(), name.to_owned(), behaviour));
        }
    }
    Ok(found)
}

/// Lower-case hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_compiles_and_every_variant_is_a_behaviour() {
        let found = behaviours(DEFINITION).unwrap();
        let names: Vec<_> = found.iter().map(|(flag, variant, _)| format!("{flag}/{variant}")).collect();
        assert_eq!(
            names,
            [
                "chat-answers/today",
                "chat-answers/sharper",
                "email-drafts/today",
                "email-drafts/english-first"
            ]
        );
        let templates = crate::prompt::Templates::load().unwrap();
        assert!(found.iter().all(|(_, _, behaviour)| templates.get(&behaviour.prompt_template).is_ok()));
    }

    #[test]
    fn an_approval_is_another_payload_and_another_signature() {
        let key = SecretKey::from_seed("harbour.example/release", [7; 32]).unwrap();
        let operator = Operator::new(key, reqwest::Client::new(), "http://127.0.0.1:9");
        let first = operator.release(DEFINITION.to_owned(), "first".to_owned(), 1_800_000_000).unwrap();
        let raised = with_ceiling(DEFINITION, "chat-answers", Some("everyone")).unwrap();
        let second = operator.release(raised, "approved".to_owned(), 1_800_000_000).unwrap();
        assert_ne!(first.digest, second.digest);
        assert_eq!(first.digest.len(), 64);
    }

    #[test]
    fn a_definition_with_a_fault_is_refused_with_its_diagnostics() {
        let error = payload(&DEFINITION.replace("candidate: sharper", "candidate: blunter")).unwrap_err();
        assert!(error.to_string().contains("blunter"), "{error}");
    }
}
