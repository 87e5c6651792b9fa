//! The start: what came with the program and what the disk kept, whichever is newer, before any network.

use std::sync::Arc;

use super::{Candidate, Syncer};

/// Where a candidate of the start comes from, for sentences.
const DISK: &str = "the snapshot kept on disk";
const EMBEDDED: &str = "the embedded snapshot";

impl Syncer {
    /// Puts the newer of the embedded snapshot and the one on disk in force, by their marks; the other one when the newer
    /// cannot be used. Both are verified like a copy from the network, except that their age alone keeps neither out.
    /// Then the pulse that the disk kept, if its lease still runs.
    pub(crate) async fn restore(&mut self, embedded: Option<Arc<[u8]>>) {
        let now = self.clock.seconds();
        let mut found: Vec<(&str, Candidate)> = Vec::new();
        let disk = self.keeper.recheck_kept(now).map(|checked| (DISK, checked));
        let embedded = embedded.map(|file| (EMBEDDED, self.keeper.recheck(file, now)));
        for (name, checked) in disk.into_iter().chain(embedded) {
            match checked {
                Ok(candidate) => found.push((name, candidate)),
                // The ordinary case after an update that came over the network.
                Err(flagstone_seal::SealError::Rollback) if name == EMBEDDED => {}
                Err(error) => self.damaged(format!("{name} was refused: {error}")),
            }
        }
        // A stable order: of two alike the one on disk comes first.
        found
            .sort_by_key(|(_, candidate)| std::cmp::Reverse((candidate.mark.epoch, candidate.mark.sequence)));
        let mut in_force = false;
        for (name, candidate) in found {
            match self.put_in_force(candidate, None).await {
                Ok(()) => {
                    in_force = true;
                    if name == EMBEDDED
                        && let Err(error) = self.save().await
                    {
                        self.damaged(error.message);
                    }
                    break;
                }
                Err(problem) => self.damaged(format!("{name} cannot be used: {problem}")),
            }
        }
        if !in_force {
            return;
        }
        let Some(note) = self.keeper.kept().pulse.clone() else { return };
        // An expired pulse is the ordinary case after a long pause; plans stay closed until the next one.
        let Ok(pulse) = self.keeper.check_pulse(&note, now) else { return };
        if let Err(error) = self.apply(&note, &pulse).await {
            self.damaged(error.message);
        }
    }
}
