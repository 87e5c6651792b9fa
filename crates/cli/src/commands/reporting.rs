//! What a host reports, of whom, and how, as arguments.

use std::path::PathBuf;

use anyhow::{Context, Result};
use flagstone_events::{Inclusion, Pepper, Sampling};
use flagstone_host::{Consent, NextPepper, Reporting};

use crate::files;

#[derive(clap::Args)]
#[command(next_help_heading = "Reporting")]
pub(crate) struct ReportingArguments {
    /// Keep the events of a sample of units only: parts of 1,000,000,000
    #[arg(long, value_name = "PARTS")]
    sample: Option<u32>,
    /// Report nothing of contexts that do not grant `analytics` in their `consent`
    #[arg(long)]
    require_consent: bool,
    /// Send events as OTLP logs to this receiver instead, such as `http://127.0.0.1:4318`
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// What the receiver of reports asks for as a bearer token
    #[arg(long, value_name = "TOKEN", env = "FLAGSTONE_REPORTER_TOKEN", hide_env_values = true)]
    reporter_token: Option<String>,
    /// What callers of the doors must send as a bearer token
    #[arg(long, value_name = "TOKEN", env = "FLAGSTONE_DOOR_TOKEN", hide_env_values = true)]
    door_token: Option<String>,
    /// The pepper that follows: a file with 64 hexadecimal digits
    #[arg(long, value_name = "FILE", requires_all = ["pepper_from", "pepper_until"])]
    next_pepper: Option<PathBuf>,
    /// When to begin to look for a moment without open rollouts to change the pepper at
    #[arg(long, value_name = "TIME", requires = "next_pepper")]
    pepper_from: Option<humantime::Timestamp>,
    /// When to change it at the latest
    #[arg(long, value_name = "TIME", requires = "next_pepper")]
    pepper_until: Option<humantime::Timestamp>,
}

impl ReportingArguments {
    /// As settings.
    pub(crate) fn settings(&self) -> Result<Reporting> {
        let mut reporting = Reporting::default();
        if let Some(parts) = self.sample {
            let inclusion = Inclusion::new(parts);
            let inclusion = inclusion.context("--sample must lie between 1 and 1,000,000,000")?;
            reporting.sampling = Sampling { inclusion };
        }
        if self.require_consent {
            reporting.consent = Consent::Required;
        }
        reporting.otlp.clone_from(&self.otlp);
        reporting.report_token.clone_from(&self.reporter_token);
        reporting.door_token.clone_from(&self.door_token);
        if let (Some(file), Some(from), Some(until)) =
            (&self.next_pepper, self.pepper_from, self.pepper_until)
        {
            let pepper = Pepper::from_hex(&files::read_text(file)?)
                .with_context(|| format!("`{}` does not hold 64 hexadecimal digits", file.display()))?;
            let (not_before_ms, at_latest_ms) = (milliseconds(from)?, milliseconds(until)?);
            reporting.next_pepper = Some(NextPepper { pepper, not_before_ms, at_latest_ms });
        }
        Ok(reporting)
    }
}

fn milliseconds(time: humantime::Timestamp) -> Result<u64> {
    let since = time.duration_since(std::time::UNIX_EPOCH).context("a time before 1970")?;
    u64::try_from(since.as_millis()).context("a time too far away")
}
