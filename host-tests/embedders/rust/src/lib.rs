//! What Rust's rows of `cargo xtask embedders` share: the fixtures, a door to an engine, the questions (`answers`), the measurements
//! (`measure`), and the native library's door (`native`). A program of `bin` brings its doors; `host-tests/embedders/fastly` asks the native one
//! inside a guest.

pub mod answers;
pub mod measure;
pub mod native;

use std::error::Error;
use std::path::PathBuf;

use flagstone::Mark;
use serde_json::Value;

/// A value, or why there is none.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Reads a file by its path below the fixtures.
type Read = Box<dyn Fn(&str) -> Outcome<Vec<u8>>>;

/// What `cargo run -p host-tests --bin fixtures` makes.
pub struct Fixtures(Read);

impl Fixtures {
    /// In the folder where they were made.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        let folder = path.into();
        Self::by(move |path| {
            let path = folder.join(path);
            std::fs::read(&path).map_err(|error| format!("`{}`: {error}", path.display()).into())
        })
    }

    /// From where there are no folders.
    pub fn by(read: impl Fn(&str) -> Outcome<Vec<u8>> + 'static) -> Self {
        Self(Box::new(read))
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// That it cannot be read.
    pub fn read(&self, path: &str) -> Outcome<Vec<u8>> {
        (self.0)(path)
    }

    /// A file's JSON.
    ///
    /// # Errors
    /// That it cannot be read, or is none.
    pub fn json(&self, path: &str) -> Outcome<Value> {
        Ok(serde_json::from_slice(&self.read(path)?)?)
    }

    /// What opens a sealed file, from its trust note and policy.
    ///
    /// # Errors
    /// That a file cannot be read.
    pub fn opening(&self, folder: &str, trust: &str, file: &str, policy: &Value) -> Outcome<Opening> {
        let text = |member: &str| policy[member].as_str().unwrap_or_default().to_owned();
        let mark = policy.get("mark").filter(|mark| !mark.is_null()).map(|mark| Mark {
            epoch: mark["epoch"].as_u64().unwrap_or_default(),
            sequence: mark["sequence"].as_u64().unwrap_or_default(),
            digest: digest(mark["digest"].as_str().unwrap_or_default()),
        });
        Ok(Opening {
            trust: self.read(&format!("{folder}/{trust}"))?,
            file: self.read(&format!("{folder}/{file}"))?,
            audience: text("audience"),
            environment: text("environment"),
            now: policy["now"].as_u64().unwrap_or_default(),
            mark,
        })
    }

    /// What opens W; none without the shared data.
    ///
    /// # Errors
    /// That a file cannot be read.
    pub fn workload(&self) -> Outcome<Option<Opening>> {
        let Ok(policy) = self.json("w100/policy.json") else { return Ok(None) };
        self.opening("w100", "trust.txt", "flags.sealed", &policy).map(Some)
    }
}

/// How a snapshot is opened.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The trust note.
    pub trust: Vec<u8>,
    /// The sealed file.
    pub file: Vec<u8>,
    /// Who reads it.
    pub audience: String,
    /// Where.
    pub environment: String,
    /// Unix seconds.
    pub now: u64,
    /// The highest mark accepted before.
    pub mark: Option<Mark>,
}

/// A way to run the engine. One door holds one opened snapshot.
pub trait Door: Sized {
    /// What doors are made with: an engine, a compiled module.
    type Maker;

    /// The row's `runtime`, `version` and `build`.
    fn named() -> [String; 3];

    /// Opens a snapshot; the inner error is the code with which it is refused.
    ///
    /// # Errors
    /// What is broken.
    fn open(maker: &Self::Maker, opening: &Opening) -> Outcome<Result<Self, String>>;

    /// Gives it a pulse; the inner error is the code with which it is refused.
    ///
    /// # Errors
    /// What is broken.
    fn pulse(&mut self, note: &[u8], now: u64) -> Outcome<Result<(), String>>;

    /// The decision text and the explanation.
    ///
    /// # Errors
    /// What is broken.
    fn texts(&mut self, context: &str, key: &str, now: u64) -> Outcome<(String, String)>;

    /// The packed decision by itself and out of all; none when there is no such flag, or no such door.
    ///
    /// # Errors
    /// What is broken.
    fn packed(&mut self, context: &str, key: &str, now: u64) -> Outcome<Option<(u64, u64)>>;

    /// Takes in contexts that are asked about often; says how many flags there are.
    ///
    /// # Errors
    /// What is broken.
    fn take(&mut self, contexts: &[String]) -> Outcome<u32>;

    /// One decision about a context that was taken in, as somebody would who asks often: bytes of its value.
    ///
    /// # Errors
    /// What is broken.
    fn one(&mut self, context: usize, flag: u32, now: u64) -> Outcome<usize>;

    /// All decisions about it, with a number that depends on them.
    ///
    /// # Errors
    /// What is broken.
    fn all(&mut self, context: usize, now: u64) -> Outcome<usize>;

    /// Bytes that all open doors take.
    fn living(maker: &Self::Maker) -> u64;
}

fn digest(text: &str) -> [u8; 32] {
    let mut digest = [0; 32];
    for (at, byte) in digest.iter_mut().enumerate() {
        let digits = text.get(at * 2..at * 2 + 2).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    digest
}
