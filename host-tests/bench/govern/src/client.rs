//! As much of HTTP as the measurement needs: one connection that is kept, requests with a body, answers with a length.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Client {
    address: SocketAddr,
    stream: TcpStream,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        Self { address, stream }
    }

    /// Sends a body and waits for the answer; anything but success ends the measurement.
    pub(crate) async fn send(&mut self, method: &str, path: &str, content_type: &str, body: &[u8]) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await.expect("sent");
        self.stream.write_all(body).await.expect("sent");
        let mut answer = Vec::new();
        let (head, length) = loop {
            let mut some = [0_u8; 4_096];
            let read = self.stream.read(&mut some).await.expect("an answer");
            assert!(read > 0, "the governor hung up");
            answer.extend_from_slice(&some[..read]);
            let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            break (head, end + 4 + length.unwrap_or(0_usize));
        };
        while answer.len() < length {
            let mut some = [0_u8; 4_096];
            let read = self.stream.read(&mut some).await.expect("an answer");
            assert!(read > 0, "the governor hung up");
            answer.extend_from_slice(&some[..read]);
        }
        assert!(head.starts_with("http/1.1 2"), "{method} {path}: {}", String::from_utf8_lossy(&answer));
    }
}
