//! The start: what came with the program, what the disk kept, and only then the network.

use std::time::{Duration, Instant};

use flagstone_host::{Host, HostConfig, State, Time};
use host_tests::fault::{Fault, Proxy, Rule};

use super::common::{DAY, NOW, World, engine, payload, publish};
use super::{config, plane, serving, start, state, wait_until};

/// Nothing listens there.
const NOBODY: &str = "http://127.0.0.1:9";

fn embedded(config: HostConfig, file: &[u8]) -> HostConfig {
    HostConfig { embedded: Some(file.to_vec()), ..config }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_of_embedded_and_disk_wins() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let [one, two, three] = [1, 2, 3].map(|n| world.snapshot(n, &payload(&n.to_string())));
    let settings = || config(NOBODY, &world, folder.path());
    // A first start without a network.
    let host = start(embedded(settings(), &two)).await;
    assert_eq!((serving(&host), state(&host)), (Some(2), State::Stale), "no lease without a pulse");
    assert_eq!(host.evaluate("plain", serde_json::json!({})).value(), Some(&serde_json::json!(true)));
    stop(host).await;
    // It was kept: a program that brings an older one, or none, goes on with it; that is no damage.
    for settings in [embedded(settings(), &one), settings()] {
        let host = start(settings).await;
        assert_eq!((serving(&host), host.status().sync.damage), (Some(2), vec![]));
        stop(host).await;
    }
    // A program that brings a newer one.
    let host = start(embedded(settings(), &three)).await;
    assert_eq!(serving(&host), Some(3));
    stop(host).await;
    let host = start(embedded(settings(), &three)).await;
    assert_eq!((serving(&host), host.status().sync.damage), (Some(3), vec![]));
    stop(host).await;
}

/// Until the data folder is free again.
async fn stop(host: Host) {
    host.shutdown(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_file_that_cannot_be_used_is_passed_over() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let good = world.snapshot(1, &payload("one"));
    let settings = || config(NOBODY, &world, folder.path());
    stop(start(embedded(settings(), &good)).await).await;
    let mut flipped = world.snapshot(5, &payload("five"));
    *flipped.last_mut().unwrap() ^= 1;
    let unusable = world.snapshot(6, b"signed, but no snapshot");
    let elsewhere = world.snapshot_with(7, &payload("seven"), |draft| draft.environment = "staging".into());
    for (file, expected) in [
        (flipped, "the embedded snapshot was refused"),
        (unusable, "the embedded snapshot cannot be used"),
        (elsewhere, "the embedded snapshot was refused"),
        (b"nonsense".to_vec(), "the embedded snapshot was refused"),
    ] {
        let host = start(embedded(settings(), &file)).await;
        let damage = host.status().sync.damage;
        assert!(damage.len() == 1 && damage[0].starts_with(expected), "{damage:?}");
        assert_eq!(serving(&host), Some(1), "{expected}");
        stop(host).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_file_that_has_expired_serves_as_expired_until_the_network_has_a_newer_one() {
    let (plane, world, address) = plane().await;
    let folder = tempfile::tempdir().unwrap();
    // The program was built a month ago, with the trust note of that time.
    let then = World::at(NOW - 30 * DAY);
    plane.lock().unwrap().trust = Some(then.trust());
    publish(&plane, &world, 2, &world.snapshot(2, &payload("two")), &[], &[]);
    let old = then.snapshot(1, &payload("old"));
    let proxy = Proxy::start(address).unwrap();
    proxy.refuse();
    let host = start(embedded(config(&proxy.url(), &then, folder.path()), &old)).await;
    assert_eq!((serving(&host), state(&host)), (Some(1), State::Expired), "{:?}", host.status().sync.damage);
    let evaluation = host.evaluate("plain", serde_json::json!({}));
    assert_eq!((evaluation.value(), evaluation.state), (Some(&serde_json::json!(true)), State::Expired));
    proxy.accept().unwrap();
    wait_until("the network", || serving(&host) == Some(2) && state(&host) == State::Fresh).await;
    assert_eq!(host.evaluate("plain", serde_json::json!({})).state, State::Fresh);
    host.shutdown(Duration::from_millis(100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_the_network_only_without_a_snapshot_and_then_not_for_long() {
    let (_plane, world, address) = plane().await;
    let proxy = Proxy::start(address).unwrap();
    proxy.add(Rule::new("/", Fault::Delay(Duration::from_secs(600))));
    let slow = |folder: &std::path::Path| {
        let mut config = config(&proxy.url(), &world, folder);
        (config.init_timeout, config.time) = (Duration::from_millis(300), Time::from_fn(|| NOW * 1000));
        config
    };
    let engine = engine(); // compiled before the clock runs
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let host = Host::start_with(slow(folder.path()), engine.clone()).await.unwrap();
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(300) && waited < Duration::from_secs(9), "{waited:?}");
    assert_eq!(state(&host), State::Empty);
    stop(host).await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = embedded(slow(folder.path()), &world.snapshot(1, &payload("one")));
    config.init_timeout = Duration::from_secs(3_600); // a wait that no test outlasts
    let host = Host::start_with(config, engine).await.unwrap();
    assert_eq!(serving(&host), Some(1), "ready without a word from the network");
}
