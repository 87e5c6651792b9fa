//! What can go wrong inside the governor, and how a request is refused.

use std::net::SocketAddr;

use flagstone_seal::{SealError, SignError};

use crate::ledger::LedgerFault;
use crate::log::LogError;

/// Why the governor cannot start, or cannot go on with what it was doing.
#[derive(Debug, thiserror::Error)]
pub enum GovernError {
    /// The SQLite file cannot be used.
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    /// The file's schema cannot be brought up to date.
    #[error("the database cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The file belongs to another audience or environment.
    #[error("the database belongs to {what} `{found}`, not `{wanted}`\nhint: one file holds one environment")]
    OtherEnvironment {
        /// `audience` or `environment`.
        what: &'static str,
        /// What the file says.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// The trust note does not verify by its own root keys.
    #[error("the trust root is refused ({}): {source}", source.code())]
    Trust {
        /// How it was refused.
        source: SealError,
    },
    /// The trust notes in the database and the configured one do not belong together.
    #[error(
        "trust note {version} in the database is refused: {fault}\nhint: a control plane goes on from the trust notes it was given; start it with one of them"
    )]
    StoredTrust {
        /// The version.
        version: u64,
        /// How it was refused.
        fault: String,
    },
    /// The pulse signer is not the key that the trust root names, or it failed.
    #[error("the pulse cannot be signed: {0}")]
    Sign(#[from] SignError),
    /// The trust root does not give this signer the pulse of this environment.
    #[error("the pulse signed by `{signer}` does not open with the trust root ({}): {source}\nhint: the key must hold role `pulse:{environment}`", source.code())]
    Signer {
        /// Name of the signing key.
        signer: String,
        /// The environment.
        environment: String,
        /// How a host would refuse it.
        source: SealError,
    },
    /// The listening address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A setting makes no sense.
    #[error("setting `{setting}` {fault}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What is wrong and what would help.
        fault: String,
    },
    /// The ledger was changed from outside.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
    /// The log beside the database is damaged, ahead of it or in contradiction to it, or cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A stored value is not what this program writes.
    #[error("the database holds a {0} that this program did not write")]
    Stored(&'static str),
    /// A number does not fit into the database.
    #[error("`{0}` is above 2^63 - 1, the largest number the store holds")]
    OutOfRange(u64),
    /// Work on many rollouts at once ended without an answer.
    #[error("judging was interrupted: {0}")]
    Interrupted(String),
    /// A record does not serialise.
    #[error("a record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Why a request is refused. `status` is the HTTP status; `code` is stable, kebab-case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

impl From<GovernError> for Refusal {
    fn from(error: GovernError) -> Self {
        tracing::error!(%error, "request failed");
        match error {
            GovernError::OutOfRange(_) => Self::new(422, "out-of-range", error.to_string()),
            other => Self::new(500, "internal", other.to_string()),
        }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        GovernError::from(error).into()
    }
}
