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
    let (code, status) = host_status(&format!("http://{host}"));
    assert_eq!((code, &status["state"], &status["serving"]["sequence"]), (0, &json!("fresh"), &json!(1)));

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

/// The exit code of `flagstone host status --json`, and its object.
fn host_status(url: &str) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(["host", "status", "--json", "--url", url])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let object = text.lines().last().map(|line| serde_json::from_str(line).unwrap()).unwrap_or_default();
    (output.status.code().unwrap(), object)
}

#[test]
fn the_exit_code_tells_how_a_host_stands() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bodies = [
        (r#"{"state":"stale","reason":"no lease"}"#, 3),
        (r#"{"state":"expired","reason":"too old"}"#, 4),
        (r#"{"state":"empty","reason":"nothing yet"}"#, 4),
        (r#"{"weather":"fine"}"#, 2),
        ("not JSON", 2),
    ];
    let server = std::thread::spawn(move || {
        for (body, _) in bodies {
            use std::io::{Read, Write};
            let (mut client, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let length = body.len();
            write!(client, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                .unwrap();
        }
    });
    for (body, code) in bodies {
        assert_eq!(host_status(&url).0, code, "{body}");
    }
    server.join().unwrap();
    assert_eq!(host_status(&url), (2, Value::Null), "nobody there");
}
