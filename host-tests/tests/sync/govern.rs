//! The real control plane and the real host: how soon a published order is in force by push alone.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flagstone_govern::{Govern, GovernConfig};
use flagstone_host::{HostConfig, State, Time};
use host_tests::fault::{Fault, Proxy, Rule};

use super::common::{AUDIENCE, ENVIRONMENT, World};
use super::{config, serving, start, state, wait_until};

const HOUR: Duration = Duration::from_secs(3_600);

async fn govern(world: &World, folder: &std::path::Path) -> Govern {
    let database = folder.join("govern.sqlite");
    let signer = Box::new(world.governor.clone());
    let log = Box::new(flagstone_seal::SecretKey::from_seed("flagstone.example/log", [44; 32]).unwrap());
    let mut config = GovernConfig::new(database, ENVIRONMENT, AUDIENCE, world.trust(), signer, log);
    config.listen = "127.0.0.1:0".parse().unwrap();
    Govern::start(config).await.unwrap()
}

async fn post(govern: &Govern, path: &str, kind: &str, body: Vec<u8>) -> u16 {
    let url = format!("http://{}/v1/environments/{ENVIRONMENT}/{path}", govern.address());
    let request = reqwest::Client::new().post(url).header("content-type", kind).body(body);
    request.send().await.unwrap().status().as_u16()
}

/// A flag set without plans: current as soon as it is posted.
fn plain(salt: &str) -> Vec<u8> {
    use flagstone_snapshot::{Draft, DraftFlag, DraftVariant, FlagKind, Json, encode};
    let on = DraftVariant { name: "on".into(), value: Json::Bool(true) };
    let flag = DraftFlag {
        variants: vec![on],
        default_variant: Some(0),
        ..DraftFlag::new("plain", FlagKind::Boolean)
    };
    let draft = Draft {
        flag_set: salt.into(),
        environment: ENVIRONMENT.into(),
        flags: vec![flag],
        ..Draft::default()
    };
    encode(&draft).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_in_force_by_push_within_moments() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (world, folder) = (World::at(now), tempfile::tempdir().unwrap());
    let govern = govern(&world, folder.path()).await;
    let sealed = |sequence: u64| world.snapshot(sequence, &plain(&sequence.to_string()));
    assert_eq!(post(&govern, "snapshots", "application/octet-stream", sealed(1)).await, 201);
    let proxy = Proxy::start(govern.address()).unwrap();
    let settings = HostConfig {
        poll: HOUR,
        poll_live: HOUR,
        push: Some(Duration::from_secs(45)),
        time: Time::system(),
        ..config(&proxy.url(), &world, &folder.path().join("host"))
    };
    let host = start(settings).await;
    wait_until("live", || host.status().sync.push.live).await;
    let looks = host.status().sync.attempts;
    let mut times = Vec::new();
    for sequence in 2..=6 {
        let began = Instant::now();
        assert_eq!(post(&govern, "snapshots", "application/octet-stream", sealed(sequence)).await, 201);
        while serving(&host) != Some(sequence) {
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", host.status().sync);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(began.elapsed());
    }
    times.sort();
    eprintln!("from the post to the snapshot in force, by push: {times:?}");
    assert_eq!((host.status().sync.attempts, state(&host)), (looks, State::Fresh), "nobody asked");
    host.shutdown(Duration::from_secs(1)).await;
    drop(host);
    // The same through a proxy that has no such route: the host polls.
    proxy.add(Rule::new("/pulse/live", Fault::Status(404, None)));
    let settings = HostConfig {
        push: Some(Duration::from_secs(45)),
        time: Time::system(),
        ..config(&proxy.url(), &world, &folder.path().join("polling"))
    };
    let host = start(settings).await;
    wait_until("absent", || host.status().sync.push.absent).await;
    assert_eq!(post(&govern, "snapshots", "application/octet-stream", sealed(7)).await, 201);
    wait_until("polled", || serving(&host) == Some(7)).await;
    host.shutdown(Duration::from_secs(1)).await;
    govern.shutdown().await;
}
