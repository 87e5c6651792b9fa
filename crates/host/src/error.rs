//! Why a host cannot start.

use crate::store::StoreError;

/// Why a host cannot start. Once it has started, nothing that happens outside ends it: troubles show in its status.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A setting cannot be used.
    #[error("{0}")]
    Config(String),
    /// The engine component cannot be found or used.
    #[error("{0}")]
    Component(String),
    /// The pinned trust statement was refused.
    #[error("pinned trust statement: {0}")]
    Trust(flagstone_seal::SealError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The event spool cannot be used.
    #[error("event spool: {0}")]
    Spool(std::io::Error),
    /// The system gave no thread, no socket or no random bytes.
    #[error("{0}")]
    System(String),
}
