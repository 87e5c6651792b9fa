//! Who signs: a key in a file, or a program that reaches a key service or a hardware module.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use flagstone_seal::Signer;

use crate::key_file::KeyFile;
use crate::passphrase::Passphrase;
use crate::signer_command::CommandSigner;

/// Every command that signs has this.
#[derive(clap::Args, Clone)]
pub(crate) struct Signing {
    /// A program with arguments that signs for public key files: it gets the statement on its standard input and prints
    /// the base64 of the 64-byte Ed25519 signature; the variable FLAGSTONE_SIGNER_KEY names the key (docs/keys.md)
    #[arg(long, value_name = "COMMAND")]
    signer_command: Option<String>,
    /// How long the program may take
    #[arg(long, value_name = "DURATION", default_value = "60s", requires = "signer_command")]
    signer_timeout: humantime::Duration,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
}

/// What a command signs with.
pub(crate) type BoxedSigner = Box<dyn Signer + Send + Sync>;

impl Signing {
    /// The signer of a key file: a secret key signs by itself, a public one by the signer command.
    pub(crate) fn signer(&self, path: &Path) -> Result<BoxedSigner> {
        let file = KeyFile::read(path)?;
        match (&self.signer_command, file) {
            (Some(command), KeyFile::Public(public)) => {
                Ok(Box::new(CommandSigner::new(command, public, Duration::from(self.signer_timeout))?))
            }
            (Some(_), _) => bail!(
                "`{}` holds a secret key, and `--signer-command` signs for public ones\n\
                 hint: name the file of the public key",
                path.display()
            ),
            (None, file) => Ok(Box::new(file.secret(path, &self.passphrase)?)),
        }
    }

    /// The signers of several key files, in their order.
    pub(crate) fn signers<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a std::path::PathBuf>,
    ) -> Result<Vec<BoxedSigner>> {
        paths.into_iter().map(|path| self.signer(path)).collect()
    }
}

/// Boxed signers as `seal` takes them.
pub(crate) fn borrowed(signers: &[BoxedSigner]) -> Vec<&dyn Signer> {
    signers.iter().map(|signer| &**signer as &dyn Signer).collect()
}
