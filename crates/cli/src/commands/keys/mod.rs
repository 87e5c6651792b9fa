//! `flagstone keys`: signing keys in files, and the proposals that exchange and revoke them.

mod import;
mod new;
mod revoke;
mod rotate;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use flagstone_seal::{SecretKey, VerifierKey};
use serde_json::json;

use crate::key_file::KeyFile;
use crate::output::Output;

/// Make, show, exchange and revoke signing keys (Ed25519, in the text form of signed notes).
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    New(new::Arguments),
    /// Show the public half of a key file; no passphrase is needed
    #[command(after_help = "Example:\n  flagstone keys show ana.key")]
    Show {
        /// A secret or public key file
        file: PathBuf,
        #[command(flatten)]
        show: Output,
    },
    Import(import::Arguments),
    Rotate(rotate::Arguments),
    Revoke(Box<revoke::Arguments>),
}

/// A key from fresh randomness.
pub(crate) fn generate(name: &str) -> Result<SecretKey> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| anyhow!("the system gave no randomness: {error}"))?;
    SecretKey::from_seed(name, *seed).map_err(|error| {
        anyhow!("`{name}` cannot name a key: {error}\nhint: a name like `acme.example/release-ana`, without spaces or `+`")
    })
}

/// The public key in a file that holds either half.
pub(crate) fn public(path: &Path) -> Result<VerifierKey> {
    Ok(KeyFile::read(path)?.public())
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::New(arguments) => new::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Rotate(arguments) => rotate::run(arguments),
        Command::Revoke(arguments) => revoke::run(arguments),
        Command::Show { file, show } => {
            let held = KeyFile::read(file)?;
            let key = held.public();
            let holds = match held {
                KeyFile::Public(_) => "public",
                KeyFile::Plain(_) => "plain",
                KeyFile::Encrypted { .. } => "encrypted",
            };
            show.say(&key.to_text());
            show.object(&json!({
                "name": key.name(), "key": key.to_text(), "holds": holds, "files": {"file": file},
            }));
            Ok(ExitCode::SUCCESS)
        }
    }
}
