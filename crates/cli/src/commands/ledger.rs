//! `flagstone ledger`: verify, prove and show the control plane's ledger, from its database, its log or over HTTP.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use flagstone_govern::log::{self, Checkpoint, LogError, Proof, Verified};
use flagstone_govern::{Audit, GovernError, LedgerFile};
use flagstone_seal::VerifierKey;
use serde_json::{Value, json};

use crate::commands::{keys, ledger_show};
use crate::files;
use crate::output::{Output, hex};

/// Verify, prove and show the ledger
///
/// A ledger is named by its log's folder (`govern.ledger`), its database (`govern.sqlite`), or the address of its log
/// (`http://HOST/v1/environments/ENVIRONMENT/log`).
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Recompute every hash, and check the signature and what was remembered
    ///
    /// With a database also its chain, the decisions in it, and the log beside it. Exit code 1 names the first entry that
    /// was changed, is missing or out of its place.
    #[command(after_help = "Examples:\n  \
        flagstone ledger verify govern.ledger --key log.key.pub --since remembered\n  \
        flagstone ledger verify govern.sqlite --key log.key.pub\n  \
        flagstone ledger verify http://127.0.0.1:7070/v1/environments/production/log --key log.key.pub\n  \
        flagstone ledger verify --proof 12.tlog-proof --entry 12.json --key log.key.pub")]
    Verify(Verify),
    /// Make a proof that an entry is in the log; it is verified offline
    #[command(after_help = "Example:\n  \
        flagstone ledger prove 12 govern.ledger --key log.key.pub -o 12.tlog-proof --entry 12.json")]
    Prove(Prove),
    /// Show entries, oldest first; those of a log once all of it has been verified
    #[command(after_help = "Examples:\n  \
        flagstone ledger show govern.sqlite --flag answers --kind decision\n  \
        flagstone ledger show govern.ledger --key log.key.pub --json")]
    Show(ledger_show::Arguments),
}

#[derive(clap::Args)]
pub(crate) struct Verify {
    /// A log's folder or address, or a database
    #[arg(required_unless_present = "proof", conflicts_with = "proof")]
    ledger: Option<String>,
    /// The log's public key that was pinned: a file, or the key itself
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// What was remembered last time; written anew when all is good, made when missing
    #[arg(long, value_name = "FILE", conflicts_with = "proof")]
    since: Option<PathBuf>,
    /// A proof to verify, without any ledger
    #[arg(long, value_name = "FILE", requires_all = ["entry", "key"])]
    proof: Option<PathBuf>,
    /// The entry that the proof is for
    #[arg(long, value_name = "FILE", requires = "proof")]
    entry: Option<PathBuf>,
    #[command(flatten)]
    show: Output,
}

#[derive(clap::Args)]
pub(crate) struct Prove {
    /// The entry's number, counted from 1
    number: u64,
    /// The log's folder or address
    ledger: String,
    /// The log's public key: a file, or the key itself
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Where to write the proof
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Where to write the entry's bytes
    #[arg(long, value_name = "FILE")]
    entry: Option<PathBuf>,
    #[command(flatten)]
    show: Output,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Verify(arguments) => verify(arguments),
        Command::Prove(arguments) => prove(arguments),
        Command::Show(arguments) => ledger_show::run(arguments),
    }
}

/// Where a ledger is.
pub(crate) enum Place {
    Folder(PathBuf),
    Database(PathBuf),
    Address(String),
}

impl Place {
    pub(crate) fn of(text: &str) -> Result<Self> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Address(text.trim_end_matches('/').to_owned()));
        }
        let path = PathBuf::from(text);
        match std::fs::metadata(&path).with_context(|| format!("cannot read `{text}`"))? {
            found if found.is_dir() => Ok(Self::Folder(path)),
            _ => Ok(Self::Database(path)),
        }
    }
}

/// A pinned key: in a file that holds either half, or written out.
pub(crate) fn pinned(text: &str) -> Result<VerifierKey> {
    if Path::new(text).is_file() {
        return keys::public(Path::new(text));
    }
    VerifierKey::parse(text).map_err(|error| {
        anyhow!("`{text}` is neither a file nor a public key: {error}\nhint: the control plane prints its log key when it starts")
    })
}

/// Gives a log's files by their paths.
pub(crate) type Files = Box<dyn FnMut(&str) -> std::io::Result<Option<Vec<u8>>>>;

/// A log's files in a folder or at an address, read as they are asked for.
pub(crate) fn reader(place: &Place) -> Result<Files> {
    let address = match place {
        Place::Folder(folder) => return Ok(Box::new(log::folder(folder.clone()))),
        Place::Database(file) => bail!(
            "`{}` is a database\nhint: name its log, by default `{}`",
            file.display(),
            file.with_extension("ledger").display()
        ),
        Place::Address(address) => address.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = flagstone_host::client(None)?;
    Ok(Box::new(move |path: &str| runtime.block_on(fetch(&client, &format!("{address}/{path}")))))
}

/// Bytes of the largest file of a log: a bundle of 256 entries.
const MAX_FILE: usize = 256 * (2 + log::MAX_ENTRY_BYTES);

async fn fetch(client: &reqwest::Client, url: &str) -> std::io::Result<Option<Vec<u8>>> {
    let mut response = client.get(url).send().await.map_err(Error::other)?;
    if response.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !response.status().is_success() {
        return Err(Error::other(format!("`{url}` answers {}", response.status())));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Error::other)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_FILE {
            return Err(Error::new(
                ErrorKind::FileTooLarge,
                format!("`{url}` answers more than {MAX_FILE} bytes"),
            ));
        }
    }
    Ok(Some(bytes))
}

fn verify(arguments: &Verify) -> Result<ExitCode> {
    let show = arguments.show;
    match good(arguments) {
        Ok((line, object)) => {
            show.say(&line);
            show.object(&object);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let (entry, bad) = judged(&error);
            if !bad {
                return Err(error);
            }
            show.say(&format!("bad: {error:#}"));
            show.object(&json!({"verified": false, "entry": entry, "reason": format!("{error:#}")}));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The first bad entry, and whether the ledger is bad rather than unreadable.
pub(crate) fn judged(error: &anyhow::Error) -> (Option<u64>, bool) {
    let of_log = |error: &LogError| (error.entry(), error.is_bad());
    match (error.downcast_ref::<LogError>(), error.downcast_ref::<GovernError>()) {
        (Some(error), _) | (None, Some(GovernError::Log(error))) => of_log(error),
        (None, Some(GovernError::Ledger(fault))) => (Some(fault.entry), true),
        _ => (None, false),
    }
}

fn good(arguments: &Verify) -> Result<(String, Value)> {
    let keys = arguments.key.as_deref().map(pinned).transpose()?.map(|key| vec![key]);
    if let (Some(proof), Some(entry), Some(keys)) = (&arguments.proof, &arguments.entry, &keys) {
        let proof = Proof::parse(&files::read(proof)?)?;
        let checkpoint = proof.verify(&files::read(entry)?, keys)?;
        let number = proof.index.saturating_add(1);
        let line = format!(
            "good: entry {number} is in the log `{}` of {} entries",
            checkpoint.origin, checkpoint.size
        );
        let object = json!({
            "verified": true, "entry": number, "origin": checkpoint.origin, "entries": checkpoint.size,
            "root": hex(&checkpoint.root),
        });
        return Ok((line, object));
    }
    let place = Place::of(arguments.ledger.as_deref().unwrap_or_default())?;
    let (audit, folder) = match &place {
        Place::Database(file) => {
            let folder = file.with_extension("ledger");
            (Some(audit(file)?), folder.is_dir().then_some(Place::Folder(folder)))
        }
        _ => (None, None),
    };
    let of_log = folder.as_ref().unwrap_or(&place);
    let Some(keys) = keys else {
        return match (&audit, matches!(of_log, Place::Database(_))) {
            (Some(audit), true) if arguments.since.is_none() => Ok(chain_alone(audit)),
            _ => bail!("which key must have signed the log?\nhint: --key FILE, with the key that was pinned"),
        };
    };
    let verified = log::verify(reader(of_log)?, &keys, &mut |_, _| {})?;
    if let Place::Database(file) = &place {
        runtime()?.block_on(async { LedgerFile::open(file).await?.compare(&verified.leaves).await })?;
    }
    let since =
        arguments.since.as_deref().map(|file| remember(file, &keys, &verified)).transpose()?.flatten();
    let checkpoint = &verified.checkpoint;
    let mut line = format!("good: {} entries of `{}`", checkpoint.size, checkpoint.origin);
    if let Some(since) = since {
        line += &format!(", of which {since} as remembered");
    }
    if let Some(audit) = &audit {
        line += &format!(
            "; in the database {} entries, {} decisions replayed",
            audit.head.entries, audit.decisions
        );
    }
    let object = json!({
        "verified": true, "origin": checkpoint.origin, "entries": checkpoint.size, "root": hex(&checkpoint.root),
        "since": since, "database": audit.as_ref().map(audited),
    });
    Ok((line, object))
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

fn audit(file: &Path) -> Result<Audit> {
    Ok(runtime()?.block_on(async { LedgerFile::open(file).await?.audit(None).await })?)
}

fn audited(audit: &Audit) -> Value {
    json!({
        "entries": audit.head.entries, "head": hex(&audit.head.hash), "decisions": audit.decisions,
        "words": audit.words, "erased": audit.erased,
    })
}

fn chain_alone(audit: &Audit) -> (String, Value) {
    let line = format!(
        "good: a chain of {} entries, {} decisions replayed; there is no log beside it, so nothing is signed",
        audit.head.entries, audit.decisions
    );
    (
        line,
        json!({"verified": true, "origin": null, "entries": null, "root": null, "since": null, "database": audited(audit)}),
    )
}

/// Compares with what was remembered, then remembers the new checkpoint, and beside it (`FILE.leaves`) the hashes of the
/// entries, which later name the entry at which history was rewritten. Returns how many entries were remembered before.
fn remember(file: &Path, keys: &[VerifierKey], now: &Verified) -> Result<Option<u64>> {
    let mut beside = file.as_os_str().to_os_string();
    beside.push(".leaves");
    let beside = PathBuf::from(beside);
    let mut before = None;
    if file.exists() {
        let old = Checkpoint::open(&files::read(file)?, keys).map_err(|error| {
            anyhow!("`{}` is not what was remembered of this log: {error}", file.display())
        })?;
        let bytes = std::fs::read(&beside).unwrap_or_default();
        log::compare(&old, bytes.as_chunks::<32>().0, now)?;
        before = Some(old.size);
    }
    // The hashes first: more of them than the checkpoint speaks of do no harm.
    files::write(&beside, now.leaves.as_flattened())?;
    files::write(file, &now.note)?;
    Ok(before)
}

fn prove(arguments: &Prove) -> Result<ExitCode> {
    let (show, keys) = (arguments.show, [pinned(&arguments.key)?]);
    let (proof, entry) = match log::prove(reader(&Place::of(&arguments.ledger)?)?, &keys, arguments.number) {
        Ok(found) => found,
        Err(error) if error.is_bad() => {
            show.say(&format!("no proof: {error}"));
            show.object(&json!({"proven": false, "entry": error.entry(), "reason": error.to_string()}));
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error.into()),
    };
    let bytes = proof.to_bytes();
    files::write(&arguments.output, &bytes)?;
    if let Some(file) = &arguments.entry {
        files::write(file, &entry)?;
    }
    show.say(&format!(
        "proof of entry {}: {} ({} bytes)",
        arguments.number,
        arguments.output.display(),
        bytes.len()
    ));
    show.object(&json!({
        "proven": true, "entry": arguments.number, "output": arguments.output, "bytes": bytes.len(),
        "hashes": proof.path.len(),
    }));
    Ok(ExitCode::SUCCESS)
}
