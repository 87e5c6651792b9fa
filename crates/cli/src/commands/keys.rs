//! `flagstone keys`: signing keys in files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use flagstone_seal::{SecretKey, VerifierKey};
use serde_json::json;

use crate::files;
use crate::output::Output;

/// Make and show signing keys (Ed25519, in the text form of signed notes).
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make a new secret key in a file that only you may read, and its public half beside it (`.pub`)
    #[command(after_help = "Example:\n  flagstone keys new acme.example/release-ana --output ana.key")]
    New {
        /// The key's name, as signatures will show it: `domain/role-person`
        name: String,
        /// Where to write the secret key; it is not encrypted, so keep the file as you keep a password
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        show: Output,
    },
    /// Show the public half of a key file
    Show {
        /// A secret or public key file
        file: PathBuf,
        #[command(flatten)]
        show: Output,
    },
}

/// A key from fresh randomness.
pub(crate) fn generate(name: &str) -> Result<SecretKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow!("the system gave no randomness: {error}"))?;
    SecretKey::from_seed(name, seed).map_err(|error| {
        anyhow!("`{name}` cannot name a key: {error}\nhint: a name like `acme.example/release-ana`, without spaces or `+`")
    })
}

/// The public key in a file that holds either half.
pub(crate) fn public(path: &std::path::Path) -> Result<VerifierKey> {
    let text = files::read_text(path)?;
    let text = text.trim();
    SecretKey::from_text(text)
        .map(|key| key.verifying_key())
        .or_else(|_| VerifierKey::parse(text))
        .ok()
        .with_context(|| format!("`{}` holds no key", path.display()))
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let (key, show, line, files) = match command {
        Command::New { name, output, show } => {
            let secret = generate(name)?;
            let key = secret.verifying_key();
            let mut beside = output.clone().into_os_string();
            beside.push(".pub");
            let beside = PathBuf::from(beside);
            files::write_secret(output, format!("{}\n", secret.to_text()).as_bytes())?;
            files::write(&beside, format!("{}\n", key.to_text()).as_bytes())?;
            let line = format!("secret key in {}, public key in {}", output.display(), beside.display());
            (key, show, Some(line), json!({"secret": output, "public": beside}))
        }
        Command::Show { file, show } => (public(file)?, show, None, json!({"file": file})),
    };
    if let Some(line) = line {
        show.say(&line);
    }
    show.say(&key.to_text());
    show.object(&json!({"name": key.name(), "key": key.to_text(), "files": files}));
    Ok(ExitCode::SUCCESS)
}
