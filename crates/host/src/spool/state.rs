//! What the spool remembers beside its segments: who it is, how far the receiver has got, what was lost.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::durable;

const NAME: &str = "state.json";
const VERSION: u32 = 1;

/// Written as one file by one rename, so that the place reached and the losses counted always agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    version: u32,
    /// A random name, drawn when the spool was made.
    pub(super) instance: String,
    /// Every event up to this sequence number was delivered, or is counted in `dropped`.
    pub(super) accounted_through: u64,
    /// The id of the last batch that was acknowledged.
    pub(super) previous: Option<String>,
    /// Events lost since the spool was made, by reason.
    pub(super) dropped: BTreeMap<String, u64>,
}

impl State {
    pub(super) fn new(instance: String) -> Self {
        Self { version: VERSION, instance, accounted_through: 0, previous: None, dropped: BTreeMap::new() }
    }

    /// None when there is none yet.
    pub(super) fn read(folder: &Path) -> io::Result<Option<Self>> {
        let Some(bytes) = durable::read(&folder.join(NAME))? else { return Ok(None) };
        let state: Self = serde_json::from_slice(&bytes)?;
        if state.version != VERSION {
            let found = state.version;
            return Err(io::Error::other(format!("spool state of version {found}, this reads {VERSION}")));
        }
        Ok(Some(state))
    }

    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        durable::write(folder, NAME, &serde_json::to_vec_pretty(self)?)
    }

    pub(super) fn count(&mut self, reason: &str, events: u64) {
        if events > 0 {
            let total = self.dropped.entry(reason.to_owned()).or_default();
            *total = total.saturating_add(events);
        }
    }
}
