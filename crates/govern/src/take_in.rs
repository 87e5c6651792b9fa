//! Before anything is judged: what came in since the last tick is derived and counted, a little at a time, so that the writer
//! is never taken for long.

use std::collections::BTreeMap;

use crate::GovernError;
use crate::decision;
use crate::derive::{self, Live};
use crate::governor::Governor;
use crate::metric::MetricRule;
use crate::snapshots::Current;
use crate::{unit_slices, values, withdraw};

impl Governor {
    /// When the last pulse had run out before this tick, moves the bake clocks on by as long.
    pub(crate) async fn skip_outage(
        &self,
        current: Option<&Current>,
        now_ms: u64,
    ) -> Result<(), GovernError> {
        let last = self.published.borrow().as_ref().map(|last| last.expires.saturating_mul(1_000));
        if let Some(expired_ms) = last.filter(|expired_ms| *expired_ms < now_ms && current.is_some()) {
            let mut write = self.store.write().await?;
            decision::skip_outage(&mut write, expired_ms, now_ms).await?;
            write.commit().await?;
        }
        Ok(())
    }

    /// Derives units, readings and counts from the events that came since the last time, a little at a time.
    pub(crate) async fn take_in(&self, current: Option<&Current>, now_ms: u64) -> Result<(), GovernError> {
        let plans = current.map(|current| current.plans.as_slice()).unwrap_or_default();
        let live: Vec<Live> = plans.iter().map(|plan| plan.live()).collect();
        // First, so that most units are counted in their slices at once instead of being moved there.
        loop {
            let mut write = self.store.write().await?;
            let read = unit_slices::derive(&mut write, &live).await?;
            write.commit().await?;
            if read == 0 {
                break;
            }
        }
        loop {
            let mut write = self.store.write().await?;
            let read = derive::exposures(&mut write, &live).await?;
            write.commit().await?;
            if read == 0 {
                break;
            }
        }
        loop {
            let mut write = self.store.write().await?;
            let seen = withdraw::apply(&mut write, &live).await?;
            write.commit().await?;
            if seen == 0 {
                break;
            }
        }
        let mut by_event: BTreeMap<&str, BTreeMap<[u8; 32], &MetricRule>> = BTreeMap::new();
        for rule in
            plans.iter().flat_map(|plan| plan.metrics.iter()).filter_map(|metric| metric.rule.as_ref())
        {
            by_event.entry(&rule.event).or_default().insert(rule.digest, rule);
        }
        for rules in by_event.into_values() {
            let rules: Vec<&MetricRule> = rules.into_values().collect();
            loop {
                let mut write = self.store.write().await?;
                let read = derive::outcomes(&mut write, &rules, &live).await?;
                write.commit().await?;
                if read == 0 {
                    break;
                }
            }
        }
        self.take_in_values(&live, now_ms).await
    }

    /// The same for metrics that measure values: outcomes as they read them, then the units that this or the time concerns.
    async fn take_in_values(&self, live: &[Live], now_ms: u64) -> Result<(), GovernError> {
        let metrics =
            live.iter().flat_map(|live| live.metrics.iter()).filter_map(|metric| metric.value.as_ref());
        let rules: BTreeMap<[u8; 32], _> = metrics.map(|metric| (metric.rule.digest, &metric.rule)).collect();
        if rules.is_empty() {
            return Ok(());
        }
        for rule in rules.into_values() {
            loop {
                let mut write = self.store.write().await?;
                let read = values::outcomes(&mut write, rule, live).await?;
                write.commit().await?;
                if read == 0 {
                    break;
                }
            }
        }
        loop {
            let mut write = self.store.write().await?;
            let settled = values::settle(&mut write, live, now_ms).await?;
            if settled == 0 {
                values::handed(&mut write, live, now_ms).await?;
            }
            write.commit().await?;
            if settled == 0 {
                return Ok(());
            }
        }
    }
}
