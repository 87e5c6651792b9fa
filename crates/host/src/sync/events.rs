//! Server-sent events, as much of them as a pulse needs: lines in, events out, bounded memory.

use std::time::Duration;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    /// What it is, `message` when the sender did not say.
    pub(super) name: String,
    /// Its lines, joined by line feeds.
    pub(super) data: String,
    /// Its id, empty when it has none.
    pub(super) id: String,
}

/// Reads a stream, chunk by chunk (WHATWG HTML, 9.2.6; `retry` is passed over, the back-off is ours).
#[derive(Debug)]
pub(super) struct Parser {
    largest: usize,
    line: Vec<u8>,
    /// The last byte was a carriage return, so a line feed now is part of the same line end.
    returned: bool,
    event: Event,
    has_data: bool,
}

/// An event or a line is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl Parser {
    /// Events of at most `largest` bytes.
    pub(super) fn new(largest: usize) -> Self {
        Self { largest, line: Vec::new(), returned: false, event: Event::default(), has_data: false }
    }

    /// Takes in a chunk and gives the events that it completes.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut complete = Vec::new();
        for &byte in chunk {
            let second_half = std::mem::take(&mut self.returned) && byte == b'\n';
            match byte {
                b'\n' if second_half => {}
                b'\n' | b'\r' => {
                    self.returned = byte == b'\r';
                    complete.extend(self.end_of_line()?);
                }
                _ if self.line.len() >= self.largest => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(complete)
    }

    fn end_of_line(&mut self) -> Result<Option<Event>, TooLong> {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return Ok(std::mem::take(&mut self.has_data).then(|| Event {
                name: if event.name.is_empty() { "message".to_owned() } else { event.name },
                ..event
            }));
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.name = value.to_owned(),
            "id" => self.event.id = value.to_owned(),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            _ => {} // a comment (an empty field), `retry`, or something of the future
        }
        if self.event.data.len() > self.largest { Err(TooLong) } else { Ok(None) }
    }
}

/// What a sender may still send: a vessel that fills with time and is emptied by bytes.
#[derive(Debug)]
pub(super) struct Allowance {
    most: u64,
    each_second: u64,
    left: u64,
    /// When it was filled last, since any fixed moment.
    at: Duration,
}

impl Allowance {
    /// A full one. `at` is the time since any fixed moment, as in [`Allowance::spend`].
    pub(super) fn new(most: u64, each_second: u64, at: Duration) -> Self {
        Self { most, each_second, left: most, at }
    }

    /// Takes bytes out; false when there are not so many.
    pub(super) fn spend(&mut self, bytes: u64, at: Duration) -> bool {
        let passed = at.saturating_sub(self.at).as_millis();
        let filled =
            u64::try_from(passed.saturating_mul(self.each_second.into()) / 1_000).unwrap_or(u64::MAX);
        if filled > 0 {
            self.left = self.left.saturating_add(filled).min(self.most);
            self.at = at;
        }
        let enough = bytes <= self.left;
        self.left = self.left.saturating_sub(bytes);
        enough
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Vec<(String, String, String)> {
        let mut parser = Parser::new(100);
        let events = parser.feed(text).unwrap();
        events.into_iter().map(|event| (event.name, event.data, event.id)).collect()
    }

    fn event(name: &str, data: &str, id: &str) -> (String, String, String) {
        (name.to_owned(), data.to_owned(), id.to_owned())
    }

    #[test]
    fn fields_comments_and_line_ends() {
        let text = b": hello\r\nevent: pulse\rid:7\ndata: a\ndata:  b\ndata\nretry: 5\nnew: x\n\nevent: none\n\ndata:c\n\n";
        assert_eq!(read(text), [event("pulse", "a\n b\n", "7"), event("message", "c", "")]);
        assert_eq!(read(b"data: unfinished\n"), []);
    }

    #[test]
    fn nothing_grows_beyond_the_cap() {
        for endless in [&b"x"[..], b"data: x\n", b"data: \xff\xff\xff\n"] {
            let mut parser = Parser::new(100);
            let fed = (0..200).map(|_| parser.feed(endless)).find(Result::is_err);
            assert_eq!(fed, Some(Err(TooLong)), "{endless:?}");
        }
        let mut parser = Parser::new(100);
        assert!((0..1_000).all(|_| parser.feed(b": alive\n").is_ok()), "signs of life are no event");
    }

    #[test]
    fn an_allowance_fills_with_time_and_no_further() {
        let second = Duration::from_secs;
        let mut allowance = Allowance::new(100, 10, second(5));
        assert!(allowance.spend(100, second(5)) && !allowance.spend(1, second(5)));
        assert!(allowance.spend(20, second(7)) && !allowance.spend(1, second(7)));
        assert!(allowance.spend(100, second(1_000)) && !allowance.spend(1, second(1_000)));
        assert!(!allowance.spend(101, second(9_000)), "never more than it holds");
    }

    proptest! {
        #[test]
        fn where_the_chunks_end_does_not_matter(
            lines in proptest::collection::vec("(data|event|id|:|x)?:? ?[a-z]{0,5}(\r\n|\n|\r)", 0..20),
            cuts in proptest::collection::vec(0_usize..200, 0..6),
        ) {
            let text = lines.concat().into_bytes();
            let mut whole = Parser::new(1_000);
            let expected = whole.feed(&text).unwrap();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let mut parts = Parser::new(1_000);
            let mut found = Vec::new();
            for pair in cuts.windows(2) {
                found.extend(parts.feed(&text[pair[0]..pair[1]]).unwrap());
            }
            prop_assert_eq!(found, expected);
        }
    }
}
