//! A thousand clients whose control plane is gone for ten minutes and comes back, in virtual time: the real loop of sync,
//! its back-off and its store, with the network left out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use flagstone_evaluate::{Arm, Context, Control, OpenStage, decide_key};
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{Mark, PulsePolicy, TrustRoot, inspect, open_pulse};
use flagstone_snapshot::Snapshot;
use futures_util::future::{BoxFuture, FutureExt};

use super::*;
use crate::clock::Time;
use crate::testing::{AUDIENCE, ENVIRONMENT, NOW, World, mark, payload};

const CLIENTS: usize = 1_000;
const POLL: u64 = 10;
/// Seconds: up, then down, then up again.
const DOWN: std::ops::Range<u64> = 240..840;
const END: u64 = 1_800;

/// The control plane, as far as clients can see it.
#[derive(Debug)]
struct Plane {
    file: Vec<u8>,
    named: Mark,
    down: AtomicBool,
    /// Virtual milliseconds since the beginning.
    time: Arc<AtomicU64>,
    /// Looks at the pulse by second, answered or not.
    arrivals: Mutex<BTreeMap<u64, u64>>,
    pulses: Mutex<BTreeMap<u64, Vec<u8>>>,
}

impl Plane {
    fn second(&self) -> u64 {
        self.time.load(Ordering::Relaxed) / 1_000
    }

    /// A pulse is renewed after a third of its lease, as govern does.
    fn pulse(&self) -> (u64, Vec<u8>) {
        let (number, issued) = (self.second() / 100 + 1, NOW + self.second() / 100 * 100);
        let mut pulses = self.pulses.lock().unwrap();
        let make = || {
            World::new().pulse_with(number, self.named, &[("assistant", 0)], &[], |pulse| {
                (pulse.issued, pulse.expires) = (issued, issued + 300);
            })
        };
        (number, pulses.entry(number).or_insert_with(make).clone())
    }
}

/// One client's way to it.
#[derive(Debug)]
struct Way {
    plane: Arc<Plane>,
    in_flight: AtomicUsize,
}

impl Source for Way {
    fn fetch<'a>(
        &'a self,
        item: Item,
        known: Option<&'a str>,
        _: u64,
    ) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        async move {
            assert_eq!(self.in_flight.fetch_add(1, Ordering::SeqCst), 0, "one attempt in flight");
            let plane = &self.plane;
            if item == Item::Pulse {
                *plane.arrivals.lock().unwrap().entry(plane.second()).or_default() += 1;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            let answer = match item {
                _ if plane.down.load(Ordering::Relaxed) => Err("connection refused".to_owned().into()),
                Item::Trust => Ok(Fetched::Body(World::new().trust(), None)),
                Item::TrustVersion(_) => Ok(Fetched::Missing),
                Item::Snapshot(_) => Ok(Fetched::Body(plane.file.clone(), None)),
                Item::Pulse => {
                    let (number, note) = plane.pulse();
                    let tag = number.to_string();
                    let same = known == Some(tag.as_str());
                    Ok(if same { Fetched::NotModified } else { Fetched::Body(note, Some(tag)) })
                }
            };
            self.in_flight.store(0, Ordering::SeqCst);
            answer
        }
        .boxed()
    }
}

/// What is in force at a client, decided by the engine itself.
#[derive(Default)]
struct InForce(Mutex<(Vec<u8>, Option<flagstone_seal::PulseStatement>)>);

impl InForce {
    fn apply(&self, note: &[u8], now: u64) -> Result<(), String> {
        let trust = TrustRoot::pin(&World::new().trust(), now).map_err(|error| error.to_string())?;
        let policy = PulsePolicy { audience: AUDIENCE, environment: ENVIRONMENT, now, last_number: None };
        let pulse = open_pulse(note, &trust, &policy).map_err(|error| error.to_string())?;
        self.0.lock().unwrap().1 = Some(pulse);
        Ok(())
    }

    /// Whether the unit of this number has the candidate; none when the decision failed.
    fn treated(&self, unit: usize, now: u64) -> Option<bool> {
        let (payload, pulse) = &*self.0.lock().unwrap();
        let snapshot = Snapshot::load(payload).ok()?;
        let control = match pulse {
            None => Control::closed(&snapshot),
            Some(pulse) => {
                let stage =
                    |open: &'_ flagstone_seal::PulseStage| (open.flag.clone(), open.stage, open.since);
                let stages: Vec<_> = pulse.stages.iter().map(stage).collect();
                let open = stages.iter().map(|(flag, stage, since)| OpenStage {
                    flag,
                    stage: *stage,
                    since: *since,
                });
                Control::new(&snapshot, pulse.expires, open, pulse.halts.iter().map(String::as_str))
            }
        };
        let context = Context::from_json(&snapshot, &format!(r#"{{"targetingKey":"user-{unit}"}}"#)).ok()?;
        let plain = decide_key(&snapshot, &control, &context, "plain", now);
        let planned = decide_key(&snapshot, &control, &context, "assistant", now);
        let well = plain.error.is_none() && plain.variant == Some(0) && planned.error.is_none();
        well.then_some(planned.arm == Arm::Treatment)
    }
}

impl Gate for InForce {
    fn swap(&self, candidate: &Candidate, pulse: Option<&[u8]>, now: u64) -> Result<(), String> {
        let claim = inspect(&candidate.file, SERVER_PAYLOAD_BYTES).map_err(|error| error.to_string())?;
        self.0.lock().unwrap().0 = claim.payload.unwrap_or_default().to_vec();
        pulse.map_or(Ok(()), |note| self.apply(note, now))
    }

    fn pulse(&self, note: &[u8], now: u64) -> Result<(), String> {
        self.apply(note, now)
    }
}

struct Client {
    gate: Arc<InForce>,
    status: Arc<Mutex<SyncStatus>>,
}

/// Starts a client that looks for the first time after a part of the period.
fn start(
    plane: &Arc<Plane>,
    folder: &Path,
    number: usize,
    tasks: &mut JoinSet<()>,
    stop: &watch::Receiver<bool>,
) -> Client {
    let (store, kept, _) = Store::open(&folder.join(number.to_string())).unwrap();
    let read = Arc::clone(&plane.time);
    let time = Time::from_fn(move || NOW * 1_000 + read.load(Ordering::Relaxed));
    let clock = HostClock::new(time, kept.latest_issued);
    let (audience, environment) = (AUDIENCE.to_owned(), ENVIRONMENT.to_owned());
    let (keeper, _) = Keeper::new(&World::new().trust(), audience, environment, kept, NOW).unwrap();
    let config = SyncConfig {
        source: Arc::new(Way { plane: Arc::clone(plane), in_flight: AtomicUsize::new(0) }),
        poll: Duration::from_secs(POLL),
        poll_live: Duration::from_secs(POLL),
        push: None,
        trust_poll: Duration::from_secs(86_400),
        backoff_first: Duration::from_secs(1),
    };
    let gate = Arc::new(InForce::default());
    let dynamic: Arc<dyn Gate> = Arc::<InForce>::clone(&gate);
    let sync = Syncer::new(config, dynamic, keeper, Arc::new(store), Arc::new(clock), Vec::new());
    let status = sync.status();
    let (first, now, stop) = (watch::Sender::new(false), Arc::new(Notify::new()), stop.clone());
    tasks.spawn(async move {
        // Fleets start by and by.
        tokio::time::sleep(Duration::from_millis(number as u64 * POLL * 1_000 / CLIENTS as u64)).await;
        sync.run(first, now, stop).await;
    });
    Client { gate, status }
}

/// Threat 20: nobody's decisions fail while the control plane is gone, and when it is back, no second sees more than twice
/// the mean arrival rate.
#[tokio::test(start_paused = true)]
async fn a_thousand_clients_come_back_without_a_storm() {
    // Eighteen thousand saves: on a disk in memory where there is one.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let file = World::new().snapshot(1, &payload("swarm"));
    let plane = Arc::new(Plane {
        named: mark(&file),
        file,
        down: AtomicBool::new(false),
        time: Arc::default(),
        arrivals: Mutex::default(),
        pulses: Mutex::default(),
    });
    let (stopper, stop) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let clients: Vec<_> =
        (0..CLIENTS).map(|number| start(&plane, folder.path(), number, &mut tasks, &stop)).collect();
    let began = Instant::now();
    let mut treated = BTreeMap::new();
    while began.elapsed() < Duration::from_secs(END) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        plane.time.store(began.elapsed().as_millis() as u64, Ordering::Relaxed);
        let second = plane.second();
        plane.down.store(DOWN.contains(&second), Ordering::Relaxed);
        if !second.is_multiple_of(30) || second < 2 * POLL || treated.contains_key(&second) {
            continue;
        }
        let decided =
            clients.iter().enumerate().map(|(unit, client)| client.gate.treated(unit, NOW + second));
        let decided: Option<Vec<bool>> = decided.collect();
        let decided = decided.unwrap_or_else(|| panic!("a decision failed in second {second}"));
        treated.insert(second, decided.iter().filter(|treated| **treated).count());
    }
    stopper.send(true).unwrap();
    while tasks.join_next().await.is_some() {}

    // Half of the units have the candidate while leases run, nobody once they are over, and all of them again after.
    let usual = treated[&60];
    assert!((400..600).contains(&usual), "{treated:?}");
    assert!(treated.iter().all(|(second, count)| !(60..DOWN.start).contains(second) || *count == usual));
    assert!(treated.range(DOWN.start + 310..DOWN.end).all(|(_, count)| *count == 0), "{treated:?}");
    assert_eq!(treated[&(END - 30)], usual, "{treated:?}");
    for client in &clients {
        let status = client.status.lock().unwrap();
        assert!(status.failures == 0 && status.swaps == 1, "{status:?}");
    }

    let arrivals = plane.arrivals.lock().unwrap();
    let after = DOWN.end..END - 1;
    let seen: u64 = arrivals.range(after.clone()).map(|(_, count)| count).sum();
    let mean = seen as f64 / (after.end - after.start) as f64;
    let (worst, most) = arrivals.range(after).max_by_key(|(_, count)| **count).unwrap();
    println!("after the return: mean {mean:.1} a second, most {most} in second {worst}");
    assert!((*most as f64) < 2.0 * mean, "{most} in second {worst}, the mean is {mean:.1}");
    // A fleet that gave up, or one without the outage, would pass as well.
    assert!((60.0..110.0).contains(&mean), "{mean}");
    let while_down: u64 = arrivals.range(DOWN.start + 60..DOWN.end).map(|(_, count)| count).sum();
    assert!(while_down > 2_000 && while_down < 40_000, "{while_down}");
}
