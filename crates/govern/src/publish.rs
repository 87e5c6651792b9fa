//! Posting: a snapshot or its definition comes in, and when that makes a newer one current it is published at once.

use flagstone_seal::Mark;

use crate::error::Refusal;
use crate::governor::{Governor, Steering};
use crate::snapshots::{self, Posted};

/// Whether it is the current one now, and if not what it waits for.
type Place = (bool, Option<String>);

impl Governor {
    /// Takes in a sealed file.
    pub(crate) async fn post_snapshot(&self, file: &[u8]) -> Result<(Posted, bool, Option<String>), Refusal> {
        let mut steering = self.steering.lock().await;
        let trust = self.trust.borrow().clone();
        let mut write = self.store.write().await?;
        let posted = snapshots::post(&mut write, &self.config, &trust.root, file, self.now_ms()).await;
        // A refusal may have been written down; it is kept too.
        write.commit().await?;
        let posted = posted?;
        let (current, waits) = self.adopt(&mut steering, &posted.mark.digest).await?;
        Ok((posted, current, waits))
    }

    /// Takes in the source text of a snapshot.
    pub(crate) async fn put_definition(
        &self,
        digest: &[u8; 32],
        text: &str,
    ) -> Result<(bool, bool, Option<String>), Refusal> {
        let mut steering = self.steering.lock().await;
        let mut write = self.store.write().await?;
        let new = snapshots::put_definition(&mut write, &self.config, digest, text, self.now_ms()).await?;
        write.commit().await?;
        let (current, waits) = self.adopt(&mut steering, digest).await?;
        Ok((new, current, waits))
    }

    /// Makes the newest adoptable snapshot current and publishes.
    async fn adopt(&self, steering: &mut Steering, digest: &[u8; 32]) -> Result<Place, Refusal> {
        let trust = self.trust.borrow().clone();
        let mut write = self.store.write().await?;
        let adopted = snapshots::adopt(&mut write, &self.config, &trust.root, self.now_ms()).await?;
        write.commit().await?;
        (steering.current, steering.waiting) = adopted;
        self.tick_locked(steering).await?;
        let is = |mark: &Mark| mark.digest == *digest;
        let current = steering.current.as_ref().is_some_and(|current| is(&current.mark));
        let waits = steering.waiting.iter().find(|waiting| is(&waiting.mark));
        Ok((current, waits.map(|waiting| waiting.reason.clone())))
    }
}
