//! `flagstone keys new`: a fresh key in a file, encrypted unless told otherwise.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use flagstone_seal::{SecretKey, VerifierKey};
use serde_json::json;
use zeroize::Zeroizing;

use super::generate;
use crate::files;
use crate::key_file::{WORK_FACTOR, encrypt};
use crate::output::Output;
use crate::passphrase::Passphrase;

/// Make a new secret key in a file that only you may read, and its public half beside it (`.pub`)
///
/// The secret key is encrypted with a passphrase: asked for twice at the terminal, or read from a file.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone keys new acme.example/release-ana --output ana.key\n  \
    flagstone keys new acme.example/pulse --output pulse.key --plain")]
pub(crate) struct Arguments {
    /// The key's name, as signatures will show it: `domain/role-person`
    name: String,
    /// Where to write the secret key
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    protection: Protection,
    #[command(flatten)]
    show: Output,
}

/// How a new secret key is kept.
#[derive(clap::Args)]
pub(crate) struct Protection {
    /// Do not encrypt the secret key: whoever reads the file can sign
    #[arg(long)]
    plain: bool,
    /// How dear each guess at the passphrase is, as a power of two; lower than 17 for tests only
    #[arg(long, value_name = "N", default_value_t = WORK_FACTOR, hide = true)]
    work_factor: u8,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
}

impl Protection {
    /// The text of a key file for `secret`.
    fn text(&self, secret: &SecretKey) -> Result<Zeroizing<String>> {
        if self.plain {
            let text = Zeroizing::new(secret.to_text());
            return Ok(Zeroizing::new(format!("{}\n", *text)));
        }
        let passphrase = self.passphrase.choose(secret.verifying_key().name())?;
        encrypt(secret, &passphrase, self.work_factor)
    }

    /// Makes a key and writes both its files; none of them over another.
    pub(crate) fn make(&self, name: &str, output: &Path) -> Result<(VerifierKey, PathBuf)> {
        let beside = public_beside(output);
        for file in [output, &beside] {
            if file.exists() {
                bail!("`{}` exists; a key is never overwritten\nhint: name another file", file.display());
            }
        }
        let secret = generate(name)?;
        let key = secret.verifying_key();
        files::write_secret(output, self.text(&secret)?.as_bytes())?;
        files::write(&beside, format!("{}\n", key.to_text()).as_bytes())?;
        Ok((key, beside))
    }

    /// What a person should know about the file.
    pub(crate) fn words(&self) -> &'static str {
        if self.plain { "not encrypted" } else { "encrypted with your passphrase" }
    }
}

/// The file of the public half.
fn public_beside(output: &Path) -> PathBuf {
    let mut beside = output.to_owned().into_os_string();
    beside.push(".pub");
    PathBuf::from(beside)
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { name, output, protection, show } = arguments;
    let (key, beside) = protection.make(name, output)?;
    show.say(&format!(
        "secret key in {} ({}), public key in {}",
        output.display(),
        protection.words(),
        beside.display()
    ));
    show.say(&key.to_text());
    show.object(&json!({
        "name": key.name(), "key": key.to_text(), "encrypted": !protection.plain,
        "files": {"secret": output, "public": beside},
    }));
    Ok(ExitCode::SUCCESS)
}
