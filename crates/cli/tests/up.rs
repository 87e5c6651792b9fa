//! `flagstone up`, whole: from a definition to a decision over OFREP, a changed definition, and a clean stop.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const DEFINITION: &str = "\
flags:
  greeting:
    state: ENABLED
    variants: { today: hello, new: good day }
    defaultVariant: today
";

/// Ends the process with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path) -> (Running, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(["up", "flags.yaml", "--json", "--listen", "127.0.0.1:0", "--host-listen", "127.0.0.1:0"])
        .args(["--tick", "1s", "--pulse-lifetime", "30s"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let running = Running(child);
    (running, serde_json::from_str(&line).expect("one object with the addresses; is the component built?"))
}

async fn greeting(address: &str) -> Value {
    let answer = reqwest::Client::new()
        .post(format!("http://{address}/ofrep/v1/evaluate/flags/greeting"))
        .json(&json!({"context": {"targetingKey": "ana"}}))
        .send()
        .await
        .unwrap();
    answer.json().await.unwrap()
}

fn stop(mut running: Running) -> bool {
    let told = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().unwrap();
    assert!(told.success());
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        if let Some(status) = running.0.try_wait().unwrap() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[tokio::test]
async fn the_loop_runs_follows_the_file_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flags.yaml");
    std::fs::write(&file, DEFINITION).unwrap();
    let (running, started) = start(folder.path());
    assert_eq!(started["started"], true);
    let host = started["host"].as_str().unwrap().to_owned();
    let answer = greeting(&host).await;
    assert_eq!((&answer["value"], &answer["reason"]), (&json!("hello"), &json!("STATIC")), "{answer}");

    // A definition with errors changes nothing, a good one comes into force.
    std::fs::write(&file, DEFINITION.replace("defaultVariant: today", "defaultVariant: tomorrow")).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(greeting(&host).await["value"], "hello");
    std::fs::write(&file, DEFINITION.replace("defaultVariant: today", "defaultVariant: new")).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while greeting(&host).await["value"] != "good day" {
        assert!(Instant::now() < until, "the saved definition did not come into force");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(stop(running), "it ends by SIGTERM with exit code 0");

    // Keys, ledger and sequence go on where they were.
    let (running, again) = start(folder.path());
    assert_eq!(greeting(again["host"].as_str().unwrap()).await["value"], "good day");
    assert!(stop(running));
}
