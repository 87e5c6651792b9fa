//! `flagstone keys import`: the public key of a key service or a hardware module, with a name.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use ed25519::PublicKeyBytes;
use ed25519::pkcs8::spki::DecodePublicKey;
use flagstone_seal::VerifierKey;
use serde_json::json;

use crate::files;
use crate::output::Output;

/// Give a name to a public key that lives elsewhere, for `--signer-command`
///
/// Reads what key services and OpenSSL give out: an Ed25519 public key as PEM or DER (SubjectPublicKeyInfo).
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  flagstone keys import acme.example/root-cyd --public-key kms.pem --output root-cyd.key.pub"
)]
pub(crate) struct Arguments {
    /// The key's name, as signatures will show it
    name: String,
    /// The public key
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    /// Where to write the public key file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    show: Output,
}

fn read(path: &Path) -> Result<[u8; 32]> {
    let bytes = files::read(path)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let key = PublicKeyBytes::from_public_key_pem(text.trim())
        .or_else(|_| PublicKeyBytes::from_public_key_der(&bytes))
        .ok()
        .with_context(|| format!("`{}` is no Ed25519 public key in PEM or DER", path.display()))?;
    Ok(key.to_bytes())
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { name, public_key, output, show } = arguments;
    if output.exists() {
        bail!("`{}` exists; a key is never overwritten\nhint: name another file", output.display());
    }
    let key = VerifierKey::new(name, read(public_key)?)
        .map_err(|error| anyhow::anyhow!("`{}` cannot be used: {error}", public_key.display()))?;
    files::write(output, format!("{}\n", key.to_text()).as_bytes())?;
    show.say(&format!("public key in {}", output.display()));
    show.say(&key.to_text());
    show.object(&json!({"name": key.name(), "key": key.to_text(), "files": {"public": output}}));
    Ok(ExitCode::SUCCESS)
}
