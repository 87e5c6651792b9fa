//! Running the real binary: commands that end, and a control plane that is stopped with the test.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Runs a command in a folder; nothing of the developer's own surroundings gets in.
pub fn flagstone(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("FLAGSTONE_PASSPHRASE_FILE")
        .env_remove("FLAGSTONE_OPERATOR_TOKEN")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// All that a command said.
pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// The object on the last line of a command that must have ended with this exit code.
pub fn object(folder: &Path, arguments: &[&str], code: i32) -> Value {
    let output = flagstone(folder, &[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", told(&output));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    serde_json::from_str(text.lines().last().unwrap_or_else(|| panic!("{arguments:?}: {}", told(&output))))
        .expect("it is one JSON object")
}

/// What a command that must have ended with exit code 0 said on standard output.
pub fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = flagstone(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A process that ends with the test, however that ends.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `flagstone govern` with these arguments at a free port; gives its address.
pub fn govern(folder: &Path, arguments: &[&str]) -> (Running, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flagstone"))
        .args(["govern", "--json", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let running = Running(child);
    let started: Value = serde_json::from_str(&line).expect("one object with the address");
    (running, format!("http://{}", started["address"].as_str().unwrap()))
}
