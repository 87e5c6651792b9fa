//! docs/keys.md, run: every command of the page in one shell, its output compared with what the page shows.
//!
//! Times, sizes, key ids, keys and digests differ from run to run and are blotted out on both sides. After a change of wording,
//! `FLAGSTONE_BLESS=1 cargo test -p flagstone-cli --test keys_page` writes the page's outputs anew.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// The address that the page shows; the test takes a free one.
const SHOWN: &str = "127.0.0.1:7070";
const END: &str = "=== end of a command:";
const PATIENCE: Duration = Duration::from_secs(60);

/// A shell that lives for the whole page; all that it started ends with it.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The group of the shell, which is its own: the control plane that the page starts is in it.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

impl Shell {
    fn start(folder: &Path) -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_flagstone")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut child = Command::new("sh")
            .current_dir(folder)
            .env("PATH", format!("{}:{path}", binary.display()))
            .env("NO_COLOR", "1")
            .env_remove("FLAGSTONE_PASSPHRASE_FILE")
            .env_remove("FLAGSTONE_OPERATOR_TOKEN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut shell = Self { child, input, output };
        shell.run("exec 2>&1");
        shell
    }

    /// Runs a command; its lines and its exit code.
    fn run(&mut self, command: &str) -> (Vec<String>, String) {
        // Commands read nothing of what is to be run after them.
        let quiet = if command.ends_with('&') || command.contains("<<") { "" } else { " < /dev/null" };
        let (command, quiet) = if command.starts_with("exec") { (command, "") } else { (command, quiet) };
        writeln!(self.input, "{command}{quiet}\necho \"{END} $?\"").unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the shell ended at `{command}`");
            let line = line.trim_end().to_owned();
            match line.strip_prefix(END) {
                Some(code) => return (lines, code.trim().to_owned()),
                None => lines.push(line),
            }
        }
    }
}

/// Blots out what differs from run to run.
fn blot(line: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches(['(', ')', ',', ';', ':', '.']);
        let hex = |length: usize| bare.len() == length && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        match () {
            () if bare.len() == 20 && bare.contains('T') && bare.ends_with('Z') => {
                word.replace(bare, "[time]")
            }
            () if hex(64) => word.replace(bare, "[digest]"),
            () if hex(8) && word.starts_with('(') => word.replace(bare, "[id]"),
            () if bare.matches('+').count() >= 2 => word.replace(bare, "[key]"),
            () => word.into(),
        }
    };
    let words: Vec<&str> = line.split(' ').collect();
    let next = |at: usize| words.get(at + 1).copied().unwrap_or_default();
    // Sizes change with the snapshot's format, which is another page's matter.
    let size = |at: usize| next(at).trim_end_matches(')') == "bytes";
    let blotted =
        words.iter().enumerate().map(|(at, one)| if size(at) { "[size]".into() } else { word(one) });
    blotted.collect::<Vec<_>>().join(" ")
}

fn wait_for(address: &str) {
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < until, "nothing listens on {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a block of commands and gives it as it should stand on the page.
fn run_block(shell: &mut Shell, block: &[&str], address: &str, wrong: &mut Vec<String>) -> Vec<String> {
    let mut out = Vec::new();
    let mut lines = block.iter().peekable();
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("no command before `{line}`"));
        let mut command = command.to_owned();
        out.push((*line).to_owned());
        while command.ends_with('\\') {
            let more = lines.next().expect("a line goes on");
            out.push((*more).to_owned());
            command = format!(
                "{} {}",
                command.trim_end_matches('\\').trim_end(),
                more.trim_start_matches("> ").trim()
            );
        }
        let mut expected = Vec::new();
        while let Some(next) = lines.next_if(|next| !next.starts_with("$ ")) {
            expected.push((*next).to_owned());
        }
        let (got, code) = shell.run(&command.replace(SHOWN, address));
        if command.ends_with('&') {
            wait_for(address);
        }
        let got: Vec<String> = got.iter().map(|line| line.replace(address, SHOWN)).collect();
        let same = got.iter().map(|line| blot(line)).eq(expected.iter().map(|line| blot(line)));
        if !same {
            wrong.push(format!(
                "$ {command}\nthe page:\n{}\ngot ({code}):\n{}",
                expected.join("\n"),
                got.join("\n")
            ));
        }
        out.extend(got);
    }
    out
}

#[test]
fn every_command_of_the_page_does_what_the_page_shows() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/keys.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let openssl = Command::new("openssl").arg("version").output().is_ok_and(|done| done.status.success());
    let mut shell = Shell::start(folder.path());
    let (mut wrong, mut blessed, mut commands) = (Vec::new(), Vec::new(), 0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        blessed.push(line.to_owned());
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match kind.split_once(' ').unwrap_or((kind, "")) {
            ("console", "with openssl") if !openssl => {
                eprintln!("openssl is not installed here: a block of the page was not run");
                blessed.extend(block.iter().map(|line| (*line).to_owned()));
            }
            ("console", _) => {
                commands += block.iter().filter(|line| line.starts_with("$ ")).count();
                blessed.extend(run_block(&mut shell, &block, &address, &mut wrong));
            }
            (_, file) if !file.is_empty() => {
                let path = folder.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, block.join("\n") + "\n").unwrap();
                blessed.extend(block.iter().map(|line| (*line).to_owned()));
            }
            (other, _) => panic!("a block of the kind `{other}` that is not run"),
        }
        blessed.push("```".into());
    }
    if std::env::var_os("FLAGSTONE_BLESS").is_some() {
        std::fs::write(&page, blessed.join("\n") + "\n").unwrap();
    } else {
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }
    assert!(commands > 25, "only {commands} commands were found");
}
