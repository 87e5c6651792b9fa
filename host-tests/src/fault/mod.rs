//! A proxy on loopback that stands before any HTTP server and misbehaves as it is told, request by request.
//!
//! ```no_run
//! use host_tests::fault::{Fault, Proxy, Rule};
//!
//! # fn main() -> std::io::Result<()> {
//! let proxy = Proxy::start("127.0.0.1:7070".parse().unwrap())?;
//! proxy.add(Rule::new("/pulse", Fault::Status(503, Some("30".into()))).times(2)); // the next two looks
//! proxy.add(Rule::new("/snapshots/", Fault::Corrupt(1_000))); // every snapshot
//! println!("point the host at {}", proxy.url());
//! # Ok(()) }
//! ```
//!
//! It is made of threads and plain sockets: no runtime, so it can stand beside any. Every connection carries one request
//! (`Connection: close`), and streams are passed on as they come.

mod answer;
mod exchange;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use answer::DATE;

/// What to do to a request's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing for so long, then the answer.
    Delay(Duration),
    /// The body in pieces of so many bytes, with a pause before each.
    SlowBody(usize, Duration),
    /// The connection is closed in good order after so many bytes of the body.
    CutAfter(usize),
    /// The connection is reset after so many bytes of the body.
    ResetAfter(usize),
    /// One bit of this byte of the body is turned over (as it is on the wire, where it may be part of a chunk's frame).
    Corrupt(usize),
    /// The first answer with this path that was passed on, again. Without one: the true answer.
    Replay,
    /// A body that does not end.
    Endless,
    /// What the server has at another path.
    WrongFile(String),
    /// This status with an empty body, and perhaps a `Retry-After`; the server is not asked.
    Status(u16, Option<String>),
    /// A redirect to this address.
    Redirect(String),
    /// A `Content-Length` that says so many bytes more (or fewer) than there are; then the connection is closed.
    WrongLength(i64),
    /// Something that is not HTTP.
    Garbage,
    /// The connection is closed without a word.
    Drop,
}

/// When a fault happens.
#[derive(Debug, Clone)]
pub struct Rule {
    path: String,
    fault: Fault,
    skip: u32,
    times: Option<u32>,
}

impl Rule {
    /// At every request whose path contains `path`.
    pub fn new(path: impl Into<String>, fault: Fault) -> Self {
        Self { path: path.into(), fault, skip: 0, times: None }
    }

    /// Only so many times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Not the first so many requests.
    #[must_use]
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its method and path, as `GET /v1/status`.
    pub request: String,
    /// When it came, by the proxy's clock.
    pub at: Duration,
    /// What was done to it.
    pub fault: Option<Fault>,
}

/// A kept answer.
#[derive(Debug, Clone)]
struct Kept {
    head: Vec<u8>,
    body: Vec<u8>,
}

struct Shared {
    upstream: SocketAddr,
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    first_answers: Mutex<HashMap<String, Kept>>,
    stop: AtomicBool,
}

impl Shared {
    /// The first rule that applies; counts it.
    fn fault(&self, path: &str) -> Option<Fault> {
        let mut rules = lock(&self.rules);
        for rule in rules.iter_mut().filter(|rule| path.contains(&rule.path)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            match &mut rule.times {
                Some(0) => continue,
                Some(times) => *times -= 1,
                None => {}
            }
            return Some(rule.fault.clone());
        }
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The proxy. Dropping it closes its door; connections under way end with their peers.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    door: Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    /// Starts before a server, on a port of its own.
    ///
    /// # Errors
    /// What the system said.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let began = Instant::now();
        Self::start_with(upstream, move || began.elapsed())
    }

    /// As [`Proxy::start`], with arrival times from a clock of one's own (a virtual one, say).
    ///
    /// # Errors
    /// What the system said.
    pub fn start_with(
        upstream: SocketAddr,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            clock: Box::new(clock),
            rules: Mutex::default(),
            seen: Mutex::default(),
            first_answers: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let door = Mutex::new(Some(open(listener, &shared)));
        Ok(Self { address, shared, door })
    }

    /// Its address, as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a rule; of several that apply the first added wins.
    pub fn add(&self, rule: Rule) {
        lock(&self.shared.rules).push(rule);
    }

    /// Behaves well again.
    pub fn clear(&self) {
        lock(&self.shared.rules).clear();
    }

    /// Closes the door: connections are refused.
    pub fn refuse(&self) {
        let Some(door) = lock(&self.door).take() else { return };
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the door; it may be closed already.
        let _ = TcpStream::connect(self.address);
        // A door that panicked is as closed as one that ended.
        let _ = door.join();
    }

    /// Opens the door again, at the same address.
    ///
    /// # Errors
    /// What the system said.
    pub fn accept(&self) -> io::Result<()> {
        let mut door = lock(&self.door);
        if door.is_none() {
            self.shared.stop.store(false, Ordering::SeqCst);
            *door = Some(open(TcpListener::bind(self.address)?, &self.shared));
        }
        Ok(())
    }

    /// Every request so far, in order of arrival.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// How many requests had a path that contains this.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        lock(&self.shared.seen).iter().filter(|seen| seen.request.contains(path)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
    }
}

/// The thread that accepts connections and gives each a thread of its own.
fn open(listener: TcpListener, shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            if shared.stop.load(Ordering::SeqCst) {
                return;
            }
            let shared = Arc::clone(&shared);
            // Broken connections are this proxy's business; whoever needs to know sees it at the other end.
            std::thread::spawn(move || exchange::serve(&shared, client).ok());
        }
    })
}
