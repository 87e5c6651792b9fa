//! Every class of failure at every kind of request: the old snapshot stays, it is tried again, one request at a time, and
//! all is well by itself when the fault is gone.

use std::time::Duration;

use flagstone_host::{Access, source};
use host_tests::fault::{DATE, Fault, Proxy, Rule};

use super::common::{ENVIRONMENT, hex, mark, payload, publish};
use super::counting::Counting;
use super::{State, config, plane, serving, start, state, wait_until};

/// A request's time in these tests.
const REQUEST_TIME: Duration = Duration::from_millis(400);

/// The faults, and what the status says of each when it befalls a snapshot.
fn faults() -> Vec<(Fault, &'static str)> {
    let slow = Duration::from_secs(20);
    let mut faults = vec![
        (Fault::Drop, ""),
        (Fault::Garbage, ""),
        (Fault::Delay(slow), "no whole answer within 0.4 s"),
        (Fault::SlowBody(16, Duration::from_millis(50)), "no whole answer within 0.4 s"),
        (Fault::CutAfter(100), ""),
        (Fault::ResetAfter(100), ""),
        (Fault::Corrupt(150), "refused"),
        (Fault::Endless, "longer than"),
        (Fault::WrongFile(format!("/v1/environments/{ENVIRONMENT}/trust")), "refused"),
        (Fault::WrongLength(50), ""),
        (Fault::WrongLength(-50), "refused"),
        (Fault::Redirect("http://127.0.0.1:9/".into()), "the server answered 302"),
        (Fault::Status(404, None), ""),
    ];
    for (status, expected) in [
        (400, "answered 400"),
        (401, "answered 401"),
        (403, "answered 403"),
        (408, "answered 408"),
        (410, "answered 410"),
        (429, "answered 429"),
        (500, "answered 500"),
        (501, "answered 501"),
        (502, "answered 502"),
        (503, "answered 503"),
        (504, "answered 504"),
    ] {
        faults.push((Fault::Status(status, None), expected));
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_keeps_the_old_snapshot_and_is_tried_again() {
    for path in ["/snapshots/", "/pulse"] {
        let (plane, world, upstream) = plane().await;
        let proxy = Proxy::start(upstream).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let access = Access { request_time: REQUEST_TIME, ..Access::default() };
        let counting = Counting::new(source(&proxy.url(), ENVIRONMENT, &access).unwrap());
        let mut config = config("unused", &world, folder.path());
        let own: std::sync::Arc<dyn flagstone_host::Source> = std::sync::Arc::<Counting>::clone(&counting);
        config.own_source = Some(own);
        let host = start(config).await;
        let mut sequence = 1;
        for (fault, expected) in faults() {
            wait_until("the snapshot before", || serving(&host) == Some(sequence)).await;
            let asked = proxy.count(path);
            proxy.add(Rule::new(path, fault.clone()));
            let next = world.snapshot(sequence + 1, &payload(&format!("{fault:?} at {path}")));
            publish(&plane, &world, sequence + 1, &next, &[], &[]);
            let context = format!("{fault:?} at {path}");
            wait_until(&context, || host.status().sync.failures >= 2).await;
            let status = host.status();
            assert_eq!((serving(&host), status.state), (Some(sequence), State::Fresh), "{context}");
            let error = status.sync.last_error.unwrap();
            assert!(path != "/snapshots/" || error.contains(expected), "{context}: {error}");
            assert!(proxy.count(path) >= asked + 2, "{context}");
            proxy.clear();
            sequence += 1;
            wait_until(&context, || serving(&host) == Some(sequence) && host.status().sync.failures == 0)
                .await;
            assert_eq!(host.status().sync.last_error, None, "{context}");
        }
        // Nobody there at all.
        proxy.refuse();
        publish(&plane, &world, 90, &world.snapshot(90, &payload("ninety")), &[], &[]);
        wait_until("refused", || host.status().sync.failures >= 2).await;
        let error = host.status().sync.last_error.unwrap();
        assert!(error.contains("refused"), "{error}");
        assert_eq!((serving(&host), state(&host)), (Some(sequence), State::Fresh));
        proxy.accept().unwrap();
        wait_until("back again", || serving(&host) == Some(90)).await;
        assert_eq!(counting.most(), 1, "one request at a time");
        assert!(host.status().sync.quarantined.is_empty(), "no fault of a line is the snapshot's own");
        host.shutdown(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_pulse_played_again_is_refused_and_nothing_moves_back() {
    let (plane, world, upstream) = plane().await;
    let (proxy, folder) = (Proxy::start(upstream).unwrap(), tempfile::tempdir().unwrap());
    let host = start(config(&proxy.url(), &world, folder.path())).await;
    publish(&plane, &world, 2, &world.snapshot(2, &payload("two")), &[], &["assistant"]);
    wait_until("the second", || serving(&host) == Some(2)).await;
    proxy.add(Rule::new("/pulse", Fault::Replay));
    wait_until("played again", || host.status().sync.failures >= 2).await;
    let status = host.status();
    assert!(status.sync.last_error.unwrap().contains("rollback"));
    assert_eq!((status.sync.pulse.unwrap().number, status.sync.pulse.unwrap().halts), (2, 1));
    assert_eq!((serving(&host), state(&host)), (Some(2), State::Fresh));
    host.shutdown(Duration::from_millis(100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_a_pause_gets_it() {
    let later = "Sun, 06 Nov 1994 08:49:38 GMT"; // a second after the date of the proxy's answers
    assert_eq!(DATE, "Sun, 06 Nov 1994 08:49:37 GMT");
    for retry in ["1", later] {
        let (_plane, world, upstream) = plane().await;
        let (proxy, folder) = (Proxy::start(upstream).unwrap(), tempfile::tempdir().unwrap());
        proxy.add(Rule::new("/pulse", Fault::Status(503, Some(retry.into()))).times(1));
        let host = start(config(&proxy.url(), &world, folder.path())).await;
        wait_until("back", || serving(&host) == Some(1)).await;
        let looks: Vec<_> = proxy.seen().into_iter().filter(|seen| seen.request.contains("/pulse")).collect();
        let pause = looks[1].at - looks[0].at;
        assert!(looks[0].fault.is_some() && pause >= Duration::from_secs(1), "{retry}: {pause:?}");
        host.shutdown(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_cannot_be_used_is_fetched_once() {
    let (plane, world, upstream) = plane().await;
    let (proxy, folder) = (Proxy::start(upstream).unwrap(), tempfile::tempdir().unwrap());
    let host = start(config(&proxy.url(), &world, folder.path())).await;
    let bad = world.snapshot(2, b"signed, but no snapshot");
    publish(&plane, &world, 2, &bad, &[], &[]);
    let digest = hex(&mark(&bad).digest);
    wait_until("quarantined", || host.status().sync.quarantined == [digest.clone()]).await;
    let attempts = host.status().sync.attempts;
    wait_until("more looks", || host.status().sync.attempts > attempts + 5).await;
    assert_eq!(proxy.count(&digest), 1);
    assert_eq!((serving(&host), state(&host)), (Some(1), State::Fresh));
    publish(&plane, &world, 3, &world.snapshot(3, &payload("three")), &[], &[]);
    wait_until("the next", || serving(&host) == Some(3)).await;
    host.shutdown(Duration::from_millis(100)).await;
}
