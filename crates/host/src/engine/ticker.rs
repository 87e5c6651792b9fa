//! The epoch clock: one thread that advances the engine's epoch every few milliseconds, so that a guest that
//! does not come to an end can be stopped.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;

use wasmtime::EngineWeak;

use crate::limits;

/// Ticks until it is dropped.
pub(super) struct Ticker {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(engine: EngineWeak) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let thread = std::thread::Builder::new().name("flagstone-ticker".into()).spawn(move || {
            while stopped.recv_timeout(limits::TICK) == Err(RecvTimeoutError::Timeout) {
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop = None; // the thread sees the channel close
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
