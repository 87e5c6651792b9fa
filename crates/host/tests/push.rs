//! Pulses that come by themselves, beside polls that are hours apart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::{
    AUDIENCE, ENVIRONMENT, Live, NOW, Shared, World, engine, mark, payload, publish, pulse_event, wait_until,
};
use flagstone_events::Pepper;
use flagstone_host::{Host, HostConfig, PushStatus, State, Time};

const HOUR: Duration = Duration::from_secs(3_600);

struct Bench {
    plane: Shared,
    world: World,
    address: String,
    folder: tempfile::TempDir,
    file: Vec<u8>,
}

impl Bench {
    async fn new(live: Option<Live>) -> Self {
        let (plane, world) = (Shared::default(), World::new());
        let file = world.snapshot(1, &payload("one"));
        plane.lock().unwrap().trust = Some(world.trust());
        plane.lock().unwrap().live = live;
        publish(&plane, &world, 1, &file, &[("assistant", 0)], &[]);
        let address = common::serve(Arc::clone(&plane)).await;
        Self { plane, world, address, folder: tempfile::tempdir().unwrap(), file }
    }

    async fn host(&self, change: impl FnOnce(&mut HostConfig)) -> Host {
        let pepper = Pepper::from_bytes([9; 32]);
        let mut config = HostConfig::new(
            &self.address,
            self.world.trust(),
            AUDIENCE,
            ENVIRONMENT,
            self.folder.path(),
            pepper,
        );
        (config.poll, config.poll_live) = (HOUR, HOUR);
        config.backoff_first = Duration::from_millis(5);
        config.time = Time::from_fn(|| NOW * 1000);
        change(&mut config);
        Host::start_with(config, engine()).await.unwrap()
    }

    fn event(&self, number: u64, halts: &[&str]) -> Vec<u8> {
        pulse_event(&self.world.pulse(number, mark(&self.file), &[("assistant", 0)], halts))
    }

    fn send(&self, bytes: Vec<u8>) {
        self.plane.lock().unwrap().live.as_ref().unwrap().rest.send(bytes).unwrap();
    }

    fn looks(&self) -> usize {
        self.plane.lock().unwrap().seen.iter().filter(|seen| seen.starts_with("pulse")).count()
    }
}

fn push(host: &Host) -> PushStatus {
    host.status().sync.push
}

fn number(host: &Host) -> u64 {
    host.status().sync.pulse.unwrap().number
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_pulse_is_in_force_long_before_the_next_look() {
    let bench = Bench::new(Some(Live::new(b": hello\n\n"))).await;
    let host = bench.host(|_| ()).await;
    bench.send(bench.event(1, &[]));
    wait_until("live", || push(&host).live).await;
    assert_eq!((number(&host), push(&host).pulses), (1, 0), "that one was in force already");
    let all_safe = || {
        let decided =
            |n| host.evaluate("assistant", serde_json::json!({"targetingKey": format!("user-{n}")}));
        (0..50).all(|n| decided(n).decision.variant.as_deref() == Some("baseline"))
    };
    assert!(!all_safe());
    let began = Instant::now();
    bench.send(bench.event(2, &["assistant"]));
    wait_until("halted", all_safe).await;
    eprintln!("halted {} ms after the event was sent", began.elapsed().as_millis());
    // It decides before it is counted: between the two it is written to the disk.
    wait_until("counted", || push(&host).pulses == 1).await;
    assert_eq!(bench.looks(), 1, "nobody asked");
    // One that names another snapshot brings that too.
    let next = bench.world.snapshot(2, &payload("two"));
    publish(&bench.plane, &bench.world, 3, &next, &[], &[]);
    bench.send(pulse_event(&bench.world.pulse(3, mark(&next), &[], &[])));
    wait_until("the second snapshot", || host.status().serving.is_some_and(|id| id.sequence == 2)).await;
    assert_eq!((bench.looks(), host.status().sync.failures), (1, 0));
    // The look after it knows what came by the stream: nothing is sent again.
    host.sync_now();
    wait_until("a look", || bench.looks() == 2).await;
    assert!(bench.plane.lock().unwrap().seen.contains(&"pulse 304".to_owned()));
    host.shutdown(Duration::from_secs(1)).await;
    wait_until("closed", || bench.plane.lock().unwrap().streams.0.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_a_stream_is_polled() {
    let bench = Bench::new(None).await;
    let host = bench.host(|config| config.poll = Duration::from_millis(20)).await;
    wait_until("asked", || push(&host).absent).await;
    publish(&bench.plane, &bench.world, 2, &bench.file, &[], &["assistant"]);
    wait_until("polled", || number(&host) == 2).await;
    let seen = bench.plane.lock().unwrap().seen.clone();
    assert_eq!(seen.iter().filter(|seen| *seen == "live").count(), 1, "it is not asked for again and again");
    assert_eq!((push(&host).failures, host.status().state), (0, State::Fresh));
    host.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_opened_anew_one_at_a_time_and_the_state_does_not_flap() {
    let bench = Bench::new(Some(Live::new(b""))).await;
    bench.plane.lock().unwrap().live.as_mut().unwrap().first = bench.event(1, &[]);
    let host = bench.host(|config| config.poll = Duration::from_millis(10)).await;
    for round in 1..=10 {
        wait_until("opened", || {
            assert_eq!(host.status().state, State::Fresh);
            push(&host).streams >= round && push(&host).live
        })
        .await;
        let mut plane = bench.plane.lock().unwrap();
        let first = plane.live.take().unwrap().first; // dropping the sender ends the stream
        plane.live = Some(Live::new(&first));
    }
    wait_until("opened again", || push(&host).streams >= 11 && push(&host).live).await;
    let status = host.status();
    assert_eq!((status.state, status.sync.failures, status.sync.failures_total), (State::Fresh, 0, 0));
    assert!(status.sync.push.failures >= 10, "short lives count as failures, so the back-off grows");
    assert_eq!(bench.plane.lock().unwrap().streams.1.load(Ordering::SeqCst), 1, "one at a time");
    host.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_stream_the_polls_come_at_their_ordinary_pace_again() {
    let bench = Bench::new(Some(Live::new(b""))).await;
    bench.plane.lock().unwrap().live.as_mut().unwrap().first = bench.event(1, &[]);
    let host = bench.host(|config| config.poll = Duration::from_millis(200)).await;
    wait_until("live", || push(&host).live).await;
    // The next look may still have been planned before the stream was live; the one after it is an hour away.
    host.sync_now();
    wait_until("a look", || bench.looks() >= 2).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let before = bench.looks();
    assert!(before <= 3, "{before} looks while the stream lives");
    bench.plane.lock().unwrap().live = None;
    publish(&bench.plane, &bench.world, 2, &bench.file, &[], &["assistant"]);
    wait_until("polled", || number(&host) == 2).await;
    host.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_a_flooding_and_a_lying_stream_are_given_up() {
    let endless_event = [b"event: pulse\n".to_vec(), b"data: xxxxxxxxxxxxxxxx\n".repeat(20_000)].concat();
    let stranger = World { governor: common::key("acme.example/pulse", 99), ..World::new() };
    let file = World::new().snapshot(1, &payload("one"));
    let forged = pulse_event(&stranger.pulse(9, mark(&file), &[("assistant", 0)], &[]));
    let older = pulse_event(&World::new().pulse(0, mark(&file), &[("assistant", 0)], &[]));
    for (expected, first) in [
        ("no sign of life for 0.1 s", b": hello\n\n".to_vec()),
        ("the stream floods", b": alive\n".repeat(200_000)),
        ("the stream floods", b"data: x\n\n".repeat(1_000)),
        ("an event is longer than 262144 bytes", endless_event),
        ("pulse refused (threshold)", forged),
        ("pulse refused (rollback)", older),
    ] {
        let bench = Bench::new(Some(Live::new(&first))).await;
        let host = bench.host(|config| config.push = Some(Duration::from_millis(100))).await;
        let said = || push(&host).last_error.is_some_and(|error| error.contains(expected));
        wait_until(expected, || said() && push(&host).streams >= 3).await;
        let status = host.status();
        assert_eq!((status.state, number(&host), status.sync.failures), (State::Fresh, 1, 0), "{expected}");
        assert!(!status.sync.push.live);
        assert_eq!(
            bench.plane.lock().unwrap().streams.1.load(Ordering::SeqCst),
            1,
            "{expected}: one at a time"
        );
        host.shutdown(Duration::from_secs(1)).await;
    }
}
