//! Where the passphrase of a key file comes from: a file, or a person at the terminal.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flagstone_seal::VerifierKey;
use zeroize::Zeroizing;

use crate::files;

/// Characters that a new passphrase must have at least.
const SHORTEST: usize = 12;

/// Every command that reads a secret key has this.
#[derive(clap::Args, Clone)]
pub(crate) struct Passphrase {
    /// A file whose first line is the passphrase of the key files; without it you are asked at the terminal
    #[arg(long, value_name = "FILE", env = "FLAGSTONE_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Passphrase {
    /// The passphrase that opens the key `key` in the file `path`.
    pub(crate) fn of(&self, key: &VerifierKey, path: &Path) -> Result<Zeroizing<String>> {
        match &self.passphrase_file {
            Some(file) => first_line(file),
            None => ask(&format!("passphrase of `{}` ({}): ", key.name(), path.display())),
        }
    }

    /// A passphrase for a new key, asked for twice.
    pub(crate) fn choose(&self, name: &str) -> Result<Zeroizing<String>> {
        let chosen = match &self.passphrase_file {
            Some(file) => first_line(file)?,
            None => {
                let first = ask(&format!("passphrase for `{name}`: "))?;
                if *first != *ask("once more: ")? {
                    bail!("the two differ; no key was made");
                }
                first
            }
        };
        if chosen.chars().count() < SHORTEST {
            bail!(
                "a passphrase has {SHORTEST} characters and more\n\
                 hint: four or five words picked by chance, or `--plain` for a key that protects nothing"
            );
        }
        Ok(chosen)
    }
}

fn first_line(file: &Path) -> Result<Zeroizing<String>> {
    let text = Zeroizing::new(files::read_text(file)?);
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("`{}` holds no passphrase in its first line", file.display());
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn ask(prompt: &str) -> Result<Zeroizing<String>> {
    if !std::io::stdin().is_terminal() {
        bail!(
            "a passphrase is needed, and there is no terminal to ask at\n\
             hint: `--passphrase-file FILE`, or the variable FLAGSTONE_PASSPHRASE_FILE"
        );
    }
    rpassword::prompt_password(prompt).map(Zeroizing::new).context("the passphrase could not be read")
}
