//! A service on Fastly Compute: keeps the newest verified snapshot, decides in the guest, and reports what was shown. What
//! `examples/worker` is for JavaScript's runtimes.
//!
//! The clock and random numbers are read here alone; everything else is given them.

mod doors;
mod keep;
mod last;
mod origin;
mod page;
mod report;
mod rotation;
mod settings;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastly::http::serve::Serve;
use fastly::{Error, Request};
use flagstone_events::token::Tokens;

use crate::keep::Keep;
use crate::report::Reporter;
use crate::settings::Settings;

/// Everything that outlives a request, for as long as the platform lets one sandbox serve several.
struct Edge {
    settings: Settings,
    keep: Keep,
    tokens: Tokens,
    reporter: Reporter,
}

fn main() -> Result<(), Error> {
    let mut edge = Edge::new()?;
    Serve::new()
        .with_max_requests(edge.settings.requests)
        .with_timeout(Duration::from_secs(1))
        .run_with_context(serve, &mut edge)
        .into_result()
}

fn serve(request: Request, edge: &mut Edge) -> Result<(), Error> {
    let now_ms = edge.settings.now_ms.unwrap_or_else(machine_ms);
    edge.keep.look(now_ms / 1_000);
    doors::answer(request, edge, now_ms).send_to_client();
    // The visitor has the answer; what is to be reported goes now.
    edge.reporter.flush(edge.keep.origin());
    Ok(())
}

impl Edge {
    fn new() -> Result<Self, Error> {
        let settings = Settings::read()?;
        let now_ms = settings.now_ms.unwrap_or_else(machine_ms);
        Ok(Self {
            keep: Keep::new(&settings, now_ms / 1_000),
            tokens: Tokens::new(&settings.pepper, &settings.audience, &settings.environment),
            reporter: Reporter::new(&random()?),
            settings,
        })
    }
}

/// The machine's clock, unix milliseconds.
fn machine_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// 16 random bytes as hexadecimal digits.
fn random() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::msg(format!("the platform gave no randomness: {error}")))?;
    Ok(flagstone_events::to_hex(&bytes))
}
