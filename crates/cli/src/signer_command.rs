//! A signer that is a program: how a key in a key service or a hardware module signs.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flagstone_seal::{SignError, Signer, VerifierKey};

/// Bytes of an answer: a signature in base64 has 88, the rest is for line ends and for seeing what else came.
const ANSWER_BYTES: u64 = 4_096;
/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A program that holds, or reaches, a secret key.
pub(crate) struct CommandSigner {
    program: String,
    arguments: Vec<String>,
    key: VerifierKey,
    patience: Duration,
}

impl CommandSigner {
    pub(crate) fn new(command: &str, key: VerifierKey, patience: Duration) -> Result<Self> {
        let words = words(command).context("the signer command has a quote that is not closed")?;
        let mut words = words.into_iter();
        let program = words.next().context("the signer command is empty")?;
        Ok(Self { program, arguments: words.collect(), key, patience })
    }

    fn run(&self, message: &[u8]) -> Result<[u8; 64], String> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env("FLAGSTONE_SIGNER_KEY", self.key.to_text())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{}` does not start: {error}", self.program))?;
        // Written and read beside the waiting, so that a program that does neither cannot hold us.
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let message = message.to_vec();
        let write = std::thread::spawn(move || {
            // A program that closes its input early has perhaps read enough; its answer tells.
            stdin.map(|mut stdin| stdin.write_all(&message))
        });
        let read = std::thread::spawn(move || {
            let mut answer = Vec::new();
            stdout.map(|stdout| stdout.take(ANSWER_BYTES).read_to_end(&mut answer));
            answer
        });
        let status =
            wait(&mut child, self.patience).map_err(|fault| format!("`{}` {fault}", self.program))?;
        if !status.success() {
            return Err(format!("`{}` ended with {status}", self.program));
        }
        let answer = read.join().map_err(|_| "its answer could not be read".to_owned())?;
        drop(write);
        let text = std::str::from_utf8(&answer).unwrap_or_default().trim();
        let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        bytes.ok_or_else(|| {
            format!(
                "`{}` printed {} bytes that are not the base64 of a 64-byte signature",
                self.program,
                answer.len()
            )
        })
    }
}

impl Signer for CommandSigner {
    fn verifier_key(&self) -> VerifierKey {
        self.key.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let signature = self.run(message).map_err(|reason| SignError::Signer { reason })?;
        if !self.key.verifies(message, &signature) {
            return Err(SignError::WrongSignature { signer: self.key.name().into() });
        }
        Ok(signature)
    }
}

/// Waits for the end of a program, and ends it when that takes too long.
fn wait(child: &mut Child, patience: Duration) -> Result<ExitStatus, String> {
    let until = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
            Ok(None) => {
                let killed = child.kill().and_then(|()| child.wait());
                let how = if killed.is_ok() { "and was ended" } else { "and could not be ended" };
                return Err(format!("took longer than {} s {how}", patience.as_secs_f64()));
            }
            Err(error) => return Err(format!("could not be waited for: {error}")),
        }
    }
}

/// A command line's words: parted by white space, with '…' and "…" for words that have some. No shell: nothing else
/// is special. None for a quote that is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match quote {
            Some(open) if open == character => quote = None,
            Some(_) => word.get_or_insert_default().push(character),
            None if matches!(character, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            None if character.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_words() {
        let told = |line: &str| words(line).map(|words| words.join("|"));
        assert_eq!(told("kms sign --key 7").as_deref(), Some("kms|sign|--key|7"));
        assert_eq!(told("  'a b'/c  \"it's\" '' $HOME \\n ").as_deref(), Some("a b/c|it's||$HOME|\\n"));
        assert_eq!(told("a 'b"), None);
        assert_eq!(told("").as_deref(), Some(""));
    }
}
