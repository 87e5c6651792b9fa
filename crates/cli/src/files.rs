//! Reading and writing what commands pass around, with messages that name the file; and the clock.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use flagstone_compile::{Audience, Options, Outcome, Source, compile};
use flagstone_seal::{TrustRoot, limits::SERVER_PAYLOAD_BYTES};

use crate::{canaries, output};

/// Largest sealed file that commands read: the payload cap and a note.
const MAX_FILE: u64 = SERVER_PAYLOAD_BYTES + (64 << 10);

/// Unix seconds by the machine's clock.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let size = fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?.len();
    if size > MAX_FILE {
        bail!("`{}` has {size} bytes, more than {MAX_FILE}", path.display());
    }
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

pub(crate) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("`{}` is not text", path.display()))
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, bytes, false)
}

/// Writes a file that only its owner may read, and never over another.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.exists() {
        bail!("`{}` exists; a key is never overwritten\nhint: name another file", path.display());
    }
    write_with(path, bytes, true)
}

fn write_with(path: &Path, bytes: &[u8], secret: bool) -> Result<()> {
    let context = || format!("cannot write `{}`", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).with_context(context)?;
    }
    let mut name = path.file_name().with_context(context)?.to_os_string();
    name.push(".part");
    let part = path.with_file_name(name);
    let mut options = fs::OpenOptions::new();
    if secret {
        // What an interrupted run left behind may be open to others: a fresh file has its mode from the first byte on.
        let _ = fs::remove_file(&part);
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    } else {
        options.write(true).create(true).truncate(true);
    }
    let mut file = options.open(&part).with_context(context)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(context)?;
    fs::rename(&part, path).with_context(context)
}

/// The trust note in a file, verified by its own root keys.
pub(crate) fn trust(path: &Path, now: u64) -> Result<TrustRoot> {
    let note = read(path)?;
    TrustRoot::pin(&note, now)
        .map_err(|error| anyhow::anyhow!("`{}` is no usable trust root: {error}", path.display()))
}

/// Reads and compiles a definition; what there is to say goes to standard error.
pub(crate) fn definition(path: &Path, options: &Options) -> Result<(Source, Outcome)> {
    let source = Source::new(path.display().to_string(), read_text(path)?);
    let mut outcome = compile(&source, options);
    canaries::ask(&mut outcome);
    let rendered = outcome.diagnostics.render(&source, output::colours());
    eprint!("{rendered}");
    Ok((source, outcome))
}

/// The options that every command that compiles has.
#[derive(clap::Args, Clone)]
pub(crate) struct Compiling {
    /// The environment to compile for; by default the definition's `metadata.environment`
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Leave out what must not reach a browser: flags not marked `client: true`, and all that only they need
    #[arg(long)]
    pub(crate) browser: bool,
    /// Build the other flags when one is wrong; it then answers with an error by itself
    #[arg(long)]
    pub(crate) lenient: bool,
}

impl Compiling {
    pub(crate) fn options(&self) -> Options {
        Options {
            environment: self.environment.clone().unwrap_or_default(),
            strict: !self.lenient,
            audience: if self.browser { Audience::Browser } else { Audience::Server },
            ..Options::default()
        }
    }
}
