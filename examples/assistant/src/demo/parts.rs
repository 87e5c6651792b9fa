//! What a demonstration is put together from: the host, the surfaces' behaviours, a port, a way to be stopped.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use flagstone_events::Pepper;
use flagstone_host::{Host, HostConfig};

use super::driver::Known;
use super::edition::DEFINITION;
use super::keys::{AUDIENCE, ENVIRONMENT, Keys};
use super::operator::behaviours;
use super::plane::Plane;
use super::report;
use crate::client::Client;
use crate::model::{Message, Role};
use crate::prompt::Behaviour;
use crate::traffic::Surface;

/// Ctrl-C, or what a service manager sends.
pub(super) async fn asked_to_stop() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Asks a model that is not ours for one word, so that a wrong address is named at once.
pub(super) async fn probe(client: &Client) -> Result<()> {
    let known = known()?;
    let behaviour = &known.get(&report::BETTER).context("no such surface")?.fallback;
    let hello = Message::new(Role::User, "Say hello.");
    client.complete(vec![hello], &Behaviour { max_tokens: 5, ..behaviour.clone() }, 1).await.map(drop)
}

/// Starts the edge: a host that looks at the pulse twice a second.
pub(super) async fn start_host(plane: &Plane, keys: &Keys, folder: &Path) -> Result<Host> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the machine gives no randomness")?;
    let pepper = Pepper::from_bytes(secret);
    let folder = folder.join("edge");
    let mut config =
        HostConfig::new(plane.address(), keys.trust.clone(), AUDIENCE, ENVIRONMENT, folder, pepper);
    config.poll = Duration::from_millis(500);
    config.backoff_first = Duration::from_millis(250);
    config.linger = Duration::from_millis(250);
    config.init_timeout = Duration::from_secs(10);
    Host::start(config).await.context("the host does not start")
}

/// What each surface falls back to, and its candidate's name, from the definition itself.
pub(super) fn known() -> Result<BTreeMap<Surface, Known>> {
    let all = behaviours(DEFINITION)?;
    let mut known = BTreeMap::new();
    for surface in Surface::ALL {
        let of = |position: usize| {
            let mut variants = all.iter().filter(|(flag, _, _)| flag == surface.flag());
            variants.nth(position).with_context(|| format!("`{}` has too few variants", surface.flag()))
        };
        let (_, _, fallback) = of(0)?;
        let (_, candidate, _) = of(1)?;
        known.insert(surface, Known { fallback: fallback.clone(), candidate: candidate.clone() });
    }
    Ok(known)
}

/// The port asked for, or one that is free now. It stays the control plane's own across its restarts.
pub(super) fn free_port(asked: Option<u16>) -> Result<u16> {
    if let Some(port) = asked {
        return Ok(port);
    }
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr().context("no free port")?.port())
}
