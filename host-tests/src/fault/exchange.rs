//! One connection: the request read, the server asked, the answer passed on or spoilt.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::answer::{self, Head};
use super::{Fault, Kept, Seen, Shared, lock};

/// Bytes of a request's head or an answer's.
const MAX_HEAD: usize = 64 << 10;
/// Bytes of an answer that is kept to be replayed.
const MAX_KEPT: usize = 8 << 20;
/// How long a server or a client may be silent in the middle of a word; a stream may be for longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn serve(shared: &Shared, mut client: TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_nodelay(true)?;
    let (head, rest) = read_head(&mut client)?;
    let body = read_rest(&mut client, &head, rest)?;
    let fault = shared.fault(&head.path());
    let at = (shared.clock)();
    lock(&shared.seen).push(Seen { request: head.request(), at, fault: fault.clone() });
    match &fault {
        Some(Fault::Drop) => return client.shutdown(Shutdown::Both),
        Some(Fault::Garbage) => return client.write_all(b"ceci n'est pas HTTP\r\n\r\n"),
        Some(Fault::Status(status, retry)) => {
            return client.write_all(&answer::empty(*status, retry.as_deref()));
        }
        Some(Fault::Redirect(to)) => return client.write_all(&answer::redirect(to)),
        Some(Fault::Endless) => return endless(&mut client),
        Some(Fault::Delay(time)) => wait(&mut client, *time)?,
        Some(Fault::Replay) => {
            let kept = lock(&shared.first_answers).get(&head.path()).cloned();
            if let Some(Kept { head, body }) = kept {
                client.write_all(&head)?;
                return client.write_all(&body);
            }
        }
        _ => {}
    }
    let mut server = TcpStream::connect(shared.upstream)?;
    server.set_nodelay(true)?;
    let asked = match &fault {
        Some(Fault::WrongFile(path)) => head.with_path(path),
        _ => head.clone(),
    };
    server.write_all(&asked.closing())?;
    server.write_all(&body)?;
    let (answered, rest) = read_head(&mut server)?;
    pass_on(shared, &head, &answered, rest, &mut server, &mut client, fault.as_ref())
}

fn pass_on(
    shared: &Shared,
    asked: &Head,
    answered: &Head,
    rest: Vec<u8>,
    server: &mut TcpStream,
    client: &mut TcpStream,
    fault: Option<&Fault>,
) -> io::Result<()> {
    let head = match fault {
        Some(Fault::WrongLength(off)) => answered.with_length_off(*off).closing(),
        _ => answered.closing(),
    };
    client.write_all(&head)?;
    let mut keep = (fault.is_none() && answered.is_ok()).then(Vec::new);
    let (mut piece, mut sent) = (rest, 0_usize);
    loop {
        if let Some(kept) = &mut keep {
            kept.extend_from_slice(&piece);
            if kept.len() > MAX_KEPT {
                keep = None;
            }
        }
        match fault {
            Some(Fault::Corrupt(at)) => {
                if let Some(byte) = at.checked_sub(sent).and_then(|at| piece.get_mut(at)) {
                    *byte ^= 1;
                }
                client.write_all(&piece)?;
            }
            Some(Fault::CutAfter(length) | Fault::ResetAfter(length)) if sent + piece.len() >= *length => {
                client.write_all(piece.get(..length - sent).unwrap_or_default())?;
                if matches!(fault, Some(Fault::ResetAfter(_))) {
                    // Closing a socket that must not linger is a reset.
                    return socket2::SockRef::from(&*client).set_linger(Some(Duration::ZERO));
                }
                return client.shutdown(Shutdown::Both);
            }
            Some(Fault::SlowBody(bytes, pause)) => {
                for part in piece.chunks((*bytes).max(1)) {
                    wait(client, *pause)?;
                    client.write_all(part)?;
                }
            }
            _ => client.write_all(&piece)?,
        }
        sent += piece.len();
        piece.resize(16 << 10, 0);
        match server.read(&mut piece)? {
            0 => break,
            read => piece.truncate(read),
        }
    }
    if let Some(body) = keep {
        let mut first = lock(&shared.first_answers);
        first.entry(asked.path()).or_insert_with(|| Kept { head: answered.closing(), body });
    }
    client.shutdown(Shutdown::Both)
}

/// A head and what came with it of the body.
fn read_head(peer: &mut TcpStream) -> io::Result<(Head, Vec<u8>)> {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(head) = Head::split(&mut read) {
            return Ok((head, read));
        }
        match peer.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if read.len() > MAX_HEAD => return Err(io::Error::other("a head without an end")),
            length => read.extend_from_slice(piece.get(..length).unwrap_or_default()),
        }
    }
}

/// The body of a request, as long as its head says.
fn read_rest(client: &mut TcpStream, head: &Head, mut body: Vec<u8>) -> io::Result<Vec<u8>> {
    let missing = head.length().saturating_sub(body.len());
    client.take(missing as u64).read_to_end(&mut body)?;
    Ok(body)
}

fn endless(client: &mut TcpStream) -> io::Result<()> {
    client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
    loop {
        client.write_all(&[b'x'; 16 << 10])?;
    }
}

/// Waits, but not for a client that has gone.
fn wait(client: &mut TcpStream, time: Duration) -> io::Result<()> {
    client.set_read_timeout(Some(time.max(Duration::from_millis(1))))?;
    match client.read(&mut [0; 1]) {
        Ok(_) => Err(io::ErrorKind::ConnectionAborted.into()),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
        Err(error) => Err(error),
    }
}
