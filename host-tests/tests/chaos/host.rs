//! A host in a process of its own, that decides until it is killed and says how it went.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flagstone_evaluate::{Arm, Context, Control, OpenStage, decide_key};
use flagstone_events::Pepper;
use flagstone_host::{Host, HostConfig, OutcomeReport, Report, Time};
use flagstone_snapshot::Snapshot;

use super::common::{AUDIENCE, ENVIRONMENT, NOW, World, engine, payload};

/// Tells the child process what it is: its folder, the source, the receiver, how far its clock is off, the number of the run.
pub(crate) const CHILD: &str = "FLAGSTONE_CHAOS";
/// Users, of whom the plan treats a half.
const USERS: usize = 400;

/// What children told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) decisions: u64,
    pub(crate) wrong: u64,
    pub(crate) torn: u64,
    pub(crate) swaps: u64,
    /// What was wrong, in words.
    pub(crate) words: String,
}

impl Told {
    pub(crate) fn add(&mut self, other: &Told) {
        self.decisions += other.decisions;
        self.wrong += other.wrong;
        self.torn += other.torn;
        self.swaps += other.swaps;
        self.words += &other.words;
    }
}

fn config(folder: &str, source: &str, receiver: &str, skew: i64) -> HostConfig {
    let pepper = Pepper::from_bytes([9; 32]);
    let mut config = HostConfig::new(source, World::new().trust(), AUDIENCE, ENVIRONMENT, folder, pepper);
    config.report = Report::To(receiver.to_owned());
    config.time = Time::from_fn(move || NOW.saturating_add_signed(skew) * 1_000);
    (config.poll, config.poll_live) = (Duration::from_millis(50), Duration::from_millis(50));
    (config.backoff_first, config.linger) = (Duration::from_millis(10), Duration::from_millis(20));
    config.request_time = Duration::from_millis(400);
    config.segment_bytes = 50_000;
    config
}

fn context(user: usize) -> String {
    format!(r#"{{"targetingKey":"user-{user}"}}"#)
}

/// Whom the plan treats when its stage is open, by the engine natively. The plan is the same in every release.
fn treated() -> Vec<bool> {
    let bytes = payload("any release");
    let snapshot = Snapshot::load(&bytes).unwrap();
    let open = [OpenStage { flag: "assistant", stage: 0, since: 0 }];
    let control = Control::new(&snapshot, u64::MAX, open.into_iter(), [].into_iter());
    let arm = |user| {
        let context = Context::from_json(&snapshot, &context(user)).unwrap();
        decide_key(&snapshot, &control, &context, "assistant", NOW).arm
    };
    (0..USERS).map(|user| arm(user) == Arm::Treatment).collect()
}

/// The child.
#[test]
fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let told: Vec<&str> = told.split('|').collect();
    let treated = treated();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = config(told[0], told[1], told[2], told[3].parse().unwrap());
        let host = Host::start_with(config, engine()).await.unwrap();
        for damage in host.status().sync.damage {
            println!("torn {damage}");
        }
        let (mut decisions, mut swaps, mut newest) = (0_u64, 0_u64, 0);
        loop {
            for (user, treated) in treated.iter().enumerate() {
                if decisions % 400 < 20 {
                    host.outcome(&format!("user-{user}"), outcome(&format!("{} {decisions}", told[4])));
                }
                for flag in ["plain", "assistant"] {
                    let evaluation = host.evaluate(flag, context(user).as_str());
                    decisions += 1;
                    let variant = evaluation.decision.variant.as_deref();
                    let Some(snapshot) = evaluation.snapshot else {
                        // Nothing has come yet: the caller's own default is meant, and the code says why.
                        assert_eq!(evaluation.decision.error_code.as_deref(), Some("PROVIDER_NOT_READY"));
                        continue;
                    };
                    let right = match (flag, variant) {
                        ("plain", Some("on")) | ("assistant", Some("baseline")) => true,
                        ("assistant", Some("candidate")) => *treated,
                        _ => false,
                    };
                    if !right || evaluation.decision.error_code.is_some() || snapshot.sequence < newest {
                        println!("wrong {} for user {user} after {newest}", evaluation.text);
                    }
                    swaps += u64::from(snapshot.sequence > newest);
                    newest = newest.max(snapshot.sequence);
                    if user % 40 == 0 {
                        host.expose(&evaluation);
                    }
                }
            }
            let mut out = std::io::stdout();
            writeln!(out, "told {decisions} {swaps}").unwrap();
            out.flush().unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

fn outcome(request: &str) -> OutcomeReport {
    let booleans = BTreeMap::from([("wrong".to_owned(), false)]);
    OutcomeReport { name: "answer".into(), request: request.into(), booleans, ..OutcomeReport::default() }
}

/// Runs a child for about so long after its first words, and kills it.
pub(crate) fn run_and_kill(told: &str, life: Duration) -> Told {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "host::child", "--nocapture", "--test-threads=1"])
        .env(CHILD, told)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut all = Told::default();
    let mut until = None;
    for line in lines.map(Result::unwrap) {
        if let Some((_, told)) = line.rsplit_once("told ") {
            let numbers: Vec<u64> = told.split(' ').map(|number| number.parse().unwrap()).collect();
            (all.decisions, all.swaps) = (numbers[0], numbers[1]);
            let until = *until.get_or_insert_with(|| Instant::now() + life);
            if Instant::now() >= until {
                break;
            }
        } else if line.contains("wrong ") || line.contains("panicked") {
            all.wrong += 1;
            all.words += &format!("{line}\n");
        } else if line.contains("torn ") {
            all.torn += 1;
            all.words += &format!("{line}\n");
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    all
}

/// A last run with everything in order: the snapshot that it comes to, and what it has lost over all its runs.
pub(crate) async fn last_run(
    folder: &Path,
    source: &str,
    receiver: &str,
    wanted: u64,
) -> (u64, BTreeMap<String, u64>) {
    let host =
        Host::start_with(config(folder.to_str().unwrap(), source, receiver, 0), engine()).await.unwrap();
    let serving = || host.status().serving.map_or(0, |id| id.sequence);
    let began = Instant::now();
    while serving() < wanted && began.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sequence = serving();
    // One event more, so that the receiver knows the last number.
    host.outcome("the last", outcome(&format!("the last of {}", folder.display())));
    let status = host.shutdown(Duration::from_secs(60)).await;
    assert_eq!(status.events.pending, 0, "{:?}", status.events);
    (sequence, status.events.dropped)
}
