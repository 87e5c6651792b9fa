//! Rotations of the trust root: from the pinned note to the newest, step by step.

use fastly::Error;
use flagstone::Flags;

/// Notes followed in one look; a chain that is longer goes on at the next.
const STEPS: usize = 64;
/// Refusals that the notes in between may cure.
const MISSED: [&str; 3] = ["trust-version", "threshold", "wrong-role"];

/// Walks towards the newest trust note; `ask` gives what is published under a name. On an error it is as far as it got.
pub fn follow(flags: &Flags, ask: impl Fn(&str) -> Result<Vec<u8>, Error>, now: u64) -> Result<(), Error> {
    let newest = ask("trust")?;
    for _ in 0..STEPS {
        match flags.advance(&newest, now) {
            Ok(_) => return Ok(()),
            Err(refused) if MISSED.contains(&refused.code()) => {}
            Err(refused) => return Err(refused.into()),
        }
        let version = flags.trust_version() + 1;
        if !flags.advance(&ask(&format!("trust/{version}"))?, now)? {
            return Err(Error::msg(format!(
                "what is published as version {version} of the trust note is an older one"
            )));
        }
    }
    Ok(())
}
