//! Heads of HTTP/1.1 messages, as much of them as the proxy changes.

use std::fmt::Write;

/// The first line and the header lines of a request or an answer.
#[derive(Debug, Clone)]
pub(super) struct Head {
    first: String,
    lines: Vec<String>,
}

impl Head {
    /// Takes a whole head off the front of what was read, if there is one.
    pub(super) fn split(read: &mut Vec<u8>) -> Option<Self> {
        let end = read.windows(4).position(|window| window == b"\r\n\r\n")?;
        let body = read.split_off(end + 4);
        let text = String::from_utf8_lossy(read).into_owned();
        *read = body;
        let mut lines = text.trim_end().split("\r\n").map(str::to_owned);
        Some(Self { first: lines.next()?, lines: lines.collect() })
    }

    /// `GET /path`, of a request.
    pub(super) fn request(&self) -> String {
        self.first.rsplit_once(' ').map_or(self.first.as_str(), |(request, _)| request).to_owned()
    }

    /// `/path`, of a request.
    pub(super) fn path(&self) -> String {
        self.first.split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// Whether an answer is a 200.
    pub(super) fn is_ok(&self) -> bool {
        self.first.split(' ').nth(1) == Some("200")
    }

    /// The same request for another path.
    pub(super) fn with_path(&self, path: &str) -> Self {
        let mut words: Vec<&str> = self.first.split(' ').collect();
        if let Some(word) = words.get_mut(1) {
            *word = path;
        }
        Self { first: words.join(" "), lines: self.without("if-none-match").lines }
    }

    fn without(&self, name: &str) -> Self {
        let is =
            |line: &&String| line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        Self {
            first: self.first.clone(),
            lines: self.lines.iter().filter(|line| !is(line)).cloned().collect(),
        }
    }

    /// What `Content-Length` says, 0 without it.
    pub(super) fn length(&self) -> usize {
        let value = |line: &String| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        };
        self.lines.iter().find_map(value).unwrap_or(0)
    }

    /// The same answer with a length that is not true.
    pub(super) fn with_length_off(&self, off: i64) -> Self {
        let length = (self.length() as u64).saturating_add_signed(off);
        let mut changed = self.without("content-length");
        changed.lines.push(format!("content-length: {length}"));
        changed
    }

    /// Its bytes, saying that the connection ends with this message.
    pub(super) fn closing(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first);
        for line in &self.without("connection").lines {
            let _ = write!(text, "{line}\r\n"); // writing to a string cannot fail
        }
        text.push_str("connection: close\r\n\r\n");
        text.into_bytes()
    }
}

/// An answer without a body.
pub(super) fn empty(status: u16, retry_after: Option<&str>) -> Vec<u8> {
    // The date is any one: what is asked for with a date is measured against it.
    let retry = retry_after.map(|retry| format!("retry-after: {retry}\r\n")).unwrap_or_default();
    format!(
        "HTTP/1.1 {status} As Told\r\ndate: {DATE}\r\n{retry}content-length: 0\r\nconnection: close\r\n\r\n"
    )
    .into_bytes()
}

/// A redirect.
pub(super) fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .into_bytes()
}

/// The `Date` of answers that the proxy makes up; a `Retry-After` as a date counts from it.
pub const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_split_off_read_and_changed() {
        let mut read = b"GET /a/b HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nIF-none-match: \"1\"\r\nContent-Length: 3\r\n\r\nabcd".to_vec();
        let head = Head::split(&mut read).unwrap();
        assert_eq!((read.as_slice(), head.length()), (&b"abcd"[..], 3));
        assert_eq!((head.request(), head.path()), ("GET /a/b".to_owned(), "/a/b".to_owned()));
        let other = String::from_utf8(head.with_path("/c").closing()).unwrap();
        assert_eq!(other, "GET /c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nconnection: close\r\n\r\n");
        assert_eq!(head.with_length_off(-5).length(), 0);
        assert!(Head::split(&mut b"HTTP/1.1 200 OK\r\nunfinished".to_vec()).is_none());
    }
}
