//! The program as it is started: what it says of itself.

use std::process::Command;

#[test]
fn help_names_the_commands_and_shows_how() {
    let said = Command::new(env!("CARGO_BIN_EXE_assistant")).arg("--help").output().unwrap();
    assert!(said.status.success());
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(text.contains("demo") && text.contains("Usage"), "{text}");
}

#[test]
fn an_unknown_argument_is_refused_with_a_reason() {
    let said = Command::new(env!("CARGO_BIN_EXE_assistant")).args(["demo", "--sede", "7"]).output().unwrap();
    assert_eq!(said.status.code(), Some(2));
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(text.contains("--sede") && text.contains("--seed"), "the near one is named: {text}");
}
