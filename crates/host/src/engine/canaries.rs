//! Asks a freshly opened instance the questions whose answers its snapshot brings along.

use flagstone_seal::inspect;
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_snapshot::Snapshot;

use super::{CallError, Instance};

impl Instance {
    /// That the engine answers every canary of the sealed file that it has opened, before a pulse has been applied. An
    /// engine that decides otherwise than the one that compiled the snapshot must not serve it.
    ///
    /// # Errors
    /// The first canary that is answered otherwise, or what the engine failed with.
    pub fn ask_canaries(&mut self, file: &[u8]) -> Result<(), CallError> {
        let fault = |message: String| CallError::Refused { code: "canary".to_owned(), message };
        let claim = inspect(file, SERVER_PAYLOAD_BYTES).map_err(|error| fault(error.to_string()))?;
        let payload = claim.payload.unwrap_or_default();
        let snapshot = Snapshot::load(payload).map_err(|error| fault(error.to_string()))?;
        for (position, canary) in snapshot.canaries().enumerate() {
            let Some(flag) = snapshot.flag(canary.flag) else { continue };
            let expected =
                canary.variant.and_then(|variant| flag.variant(variant)).map(|variant| variant.name);
            let (answer, _) = self.decide(canary.context, flag.key(), canary.at)?;
            if answer.variant.as_deref() != expected {
                return Err(fault(format!(
                    "canary {position}: flag `{}` answers {}, not {}",
                    flag.key(),
                    named(answer.variant.as_deref()),
                    named(expected)
                )));
            }
        }
        Ok(())
    }
}

/// The answer in words. A canary's context is not told: it may name people.
fn named(variant: Option<&str>) -> String {
    variant.map_or_else(|| "the caller's own default".to_owned(), |name| format!("`{name}`"))
}
