//! The governor's settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flagstone_seal::Signer;

use crate::clock::{Clock, system_clock};
use crate::log::Probe;
use crate::{GovernError, limits};

/// Everything a governor is started with. [`GovernConfig::new`] sets what has a sensible default.
pub struct GovernConfig {
    /// The SQLite file; created when missing. One file holds one environment.
    pub database: PathBuf,
    /// The environment it governs.
    pub environment: String,
    /// The audience of the snapshots and pulses.
    pub audience: String,
    /// The trust note that hosts pin, or a later one, as signed by the root keys. From there on the stored ones are walked.
    pub trust: Vec<u8>,
    /// The pulse key. It must have the role `pulse:<environment>`.
    pub signer: Arc<dyn Signer + Send + Sync>,
    /// The log key, which signs the ledger's checkpoints and nothing else. Its name is the log's name.
    pub log_signer: Arc<dyn Signer + Send + Sync>,
    /// The folder of the ledger's log; by default beside the database, with the ending `.ledger`.
    pub log: PathBuf,
    /// Called before every step of writing the log; for drills.
    pub log_probe: Option<Probe>,
    /// Where to listen; port 0 picks one.
    pub listen: SocketAddr,
    /// How often evidence is judged.
    pub tick: Duration,
    /// How long a pulse lives: the exposure lease. Three ticks at least, 15 minutes at most.
    pub pulse_lifetime: Duration,
    /// How long a metric may be silent before the rollout holds.
    pub staleness: Duration,
    /// Whether new attempts open their first stage by themselves, within the ceiling.
    pub auto_start: bool,
    /// What reporters must send as `Authorization: Bearer …`; none: anyone who can connect may report.
    pub reporter_token: Option<String>,
    /// What operators must send; none: anyone who can connect may halt, resume, start and post snapshots.
    pub operator_token: Option<String>,
    /// Units in the smallest cell of slices that is shown, 2 or more.
    pub k_anonymity: u64,
    /// The folder of the playground's page, as `cargo xtask build --browser` makes it; none: the dashboard links to none.
    pub playground: Option<PathBuf>,
    /// The clock.
    pub clock: Clock,
}

impl GovernConfig {
    /// The settings with their defaults: loopback at a free port, a tick a minute, pulses of five minutes, stale after
    /// 15 minutes, started by an operator, no tokens, the machine's clock.
    pub fn new(
        database: impl Into<PathBuf>,
        environment: impl Into<String>,
        audience: impl Into<String>,
        trust: impl Into<Vec<u8>>,
        signer: Box<dyn Signer + Send + Sync>,
        log_signer: Box<dyn Signer + Send + Sync>,
    ) -> Self {
        let database = database.into();
        Self {
            log: database.with_extension("ledger"),
            database,
            environment: environment.into(),
            audience: audience.into(),
            trust: trust.into(),
            signer: Arc::from(signer),
            log_signer: Arc::from(log_signer),
            log_probe: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tick: Duration::from_secs(60),
            pulse_lifetime: Duration::from_secs(300),
            staleness: Duration::from_secs(flagstone_judge::limits::DEFAULT_STALENESS),
            auto_start: false,
            reporter_token: None,
            operator_token: None,
            k_anonymity: 20,
            playground: None,
            clock: system_clock(),
        }
    }

    /// Refuses settings that would fail later or be unsafe.
    pub(crate) fn check(&self) -> Result<(), GovernError> {
        let wrong = |setting, fault: String| Err(GovernError::Setting { setting, fault });
        if self.tick.is_zero() {
            return wrong("tick", "is zero".to_owned());
        }
        if self.k_anonymity < limits::SMALLEST_K {
            return wrong("k_anonymity", format!("is below {}", limits::SMALLEST_K));
        }
        let longest = Duration::from_secs(flagstone_seal::limits::MAX_PULSE_LIFETIME);
        let shortest = self.tick.saturating_mul(3).max(Duration::from_secs(limits::SHORTEST_PULSE));
        if self.pulse_lifetime < shortest || self.pulse_lifetime > longest {
            return wrong(
                "pulse_lifetime",
                format!(
                    "is {} s; it must lie between {} s (three ticks) and {} s",
                    self.pulse_lifetime.as_secs(),
                    shortest.as_secs(),
                    longest.as_secs()
                ),
            );
        }
        if self.signer.verifier_key().public() == self.log_signer.verifier_key().public() {
            let fault = "is the pulse key\nhint: a key has one power; make another with `flagstone keys new`";
            return wrong("log_signer", fault.to_owned());
        }
        let open = self.reporter_token.is_none() || self.operator_token.is_none();
        if open && !self.listen.ip().is_loopback() {
            return wrong(
                "listen",
                format!(
                    "is `{}`, which others can reach, and a token is missing\n\
                     hint: set reporter_token and operator_token, or listen on 127.0.0.1",
                    self.listen
                ),
            );
        }
        for (setting, token) in
            [("reporter_token", &self.reporter_token), ("operator_token", &self.operator_token)]
        {
            if token.as_ref().is_some_and(|token| token.len() < limits::SHORTEST_TOKEN) {
                return wrong(setting, format!("has fewer than {} characters", limits::SHORTEST_TOKEN));
            }
        }
        Ok(())
    }
}
