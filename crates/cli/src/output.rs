//! How commands speak: prose for people on the way, and with `--json` one object on the last line.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::Value;

/// Every command has this.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Output {
    /// End with one line that holds one JSON object (docs/cli.md)
    #[arg(long)]
    pub(crate) json: bool,
}

impl Output {
    /// Prints a line for people; with `--json` to standard error, so that the object stands alone.
    pub(crate) fn say(self, line: &str) {
        if self.json {
            eprintln!("{line}");
        } else {
            print(&line);
        }
    }

    /// Prints the object, when it was asked for.
    pub(crate) fn object(self, object: &Value) {
        if self.json {
            print(&object);
        }
    }
}

/// Prints a line. When nobody reads any more, as behind `| head`, there is nothing left to do.
pub(crate) fn print(line: &dyn Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("error: cannot write to standard output: {error}");
        }
        std::process::exit(if error.kind() == ErrorKind::BrokenPipe { 0 } else { 2 });
    }
}

/// [`print`] with a format.
macro_rules! tell {
    ($($words:tt)*) => { $crate::output::print(&format_args!($($words)*)) };
}
pub(crate) use tell;

/// A reason with its code, which goes before the hint where there is one.
pub(crate) fn coded(reason: &str, code: &str) -> String {
    match reason.split_once('\n') {
        Some((reason, hint)) => format!("{reason} ({code})\n{hint}"),
        None => format!("{reason} ({code})"),
    }
}

/// The exit code of an answer.
pub(crate) fn answer(yes: bool) -> ExitCode {
    if yes { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a person agrees: `yes` was given with the command, or they say so at the terminal.
pub(crate) fn agreed(question: &str, yes: bool) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        anyhow::bail!(
            "a signature is an approval, and there is no terminal to ask at\n\
             hint: `--yes`, once you have looked at what is above"
        );
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Whether messages on standard error may have colours.
pub(crate) fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Unix seconds as people read them.
pub(crate) fn time(seconds: u64) -> String {
    let moment = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    flagstone_events::to_hex(bytes)
}

/// Sends the libraries' own messages to standard error; `RUST_LOG` says how many (by default warnings).
pub(crate) fn log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second call in one process finds the first in place, which is as good.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
