//! One connection, and assertions about what the server answers on it.

use redis::{ConnectionLike, Value};

use super::reply::{fits, pattern_tokens, render, text_of, tokens};

/// One connection to a server.
pub struct Con {
    pub inner: redis::Connection,
}

impl Con {
    /// Sends a command line and returns the reply, errors included.
    ///
    /// Words are separated by spaces; `'...'` holds anything but `'`.
    #[track_caller]
    pub fn run(&mut self, line: &str) -> Value {
        let words = words_of(line);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.run_words(&words)
    }

    /// Sends a command given as binary words.
    #[track_caller]
    pub fn run_words(&mut self, words: &[&[u8]]) -> Value {
        match self.inner.req_packed_command(&pack(words)) {
            Ok(value) => value,
            Err(error) => panic!("{}: no reply: {error}", shown(words)),
        }
    }

    /// Sends lines in one piece, which the server works off without a look at its timers,
    /// and returns the reply to the last.
    #[track_caller]
    pub fn run_at_once(&mut self, lines: &[&str]) -> Value {
        let mut packed = Vec::new();
        for line in lines {
            let words = words_of(line);
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            packed.extend(pack(&words));
        }
        let sent = self.inner.send_packed_command(&packed);
        sent.expect("sent");
        let replies = lines.iter().map(|_| self.receive());
        replies.last().expect("a line")
    }

    /// Sends a command line without waiting for the reply.
    #[track_caller]
    pub fn send(&mut self, line: &str) {
        assert!(self.try_send(line), "sent");
    }

    /// The same; false when the server is gone.
    pub fn try_send(&mut self, line: &str) -> bool {
        let words = words_of(line);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.try_send_words(&words)
    }

    /// The same for binary words.
    pub fn try_send_words(&mut self, words: &[&[u8]]) -> bool {
        self.inner.send_packed_command(&pack(words)).is_ok()
    }

    /// The reply in words; `None` when the server is gone.
    pub fn try_show(&mut self, line: &str) -> Option<String> {
        self.try_send(line);
        self.inner.recv_response().ok().map(|reply| render(&reply))
    }

    /// The next reply, or push message, that arrives.
    #[track_caller]
    pub fn receive(&mut self) -> Value {
        self.inner.recv_response().expect("a reply")
    }

    /// The reply in words.
    #[track_caller]
    pub fn show(&mut self, line: &str) -> String {
        render(&self.run(line))
    }

    /// A string or integer reply as text.
    #[track_caller]
    pub fn text(&mut self, line: &str) -> String {
        let value = self.run(line);
        assert!(
            !matches!(value, Value::ServerError(_)),
            "{line}: {}",
            render(&value)
        );
        text_of(&value)
    }

    /// An integer reply.
    #[track_caller]
    pub fn int(&mut self, line: &str) -> i64 {
        match self.run(line) {
            Value::Int(number) => number,
            other => panic!("{line}: not an integer: {}", render(&other)),
        }
    }

    /// Asserts that the answer fits the pattern (see `reply.rs`), and returns it.
    #[track_caller]
    pub fn says(&mut self, line: &str, pattern: &str) -> Value {
        let expected = pattern_tokens(pattern);
        let timed = expected.iter().any(|word| word.starts_with('@'));
        let earliest = if timed { self.now_ms() } else { 0 };
        let reply = self.run(line);
        let latest = if timed { self.now_ms() } else { 0 };
        assert!(
            fits(&tokens(&reply), &expected, (earliest, latest)),
            "\n command: {line}\nexpected: {pattern}\n     got: {}\n     now: {earliest}..{latest}",
            render(&reply)
        );
        reply
    }

    /// Asserts what `says` does, and that nothing changed: not the sale's value,
    /// not the server's count of changes.
    #[track_caller]
    pub fn refuses(&mut self, line: &str, pattern: &str) {
        let before = self.trace_of(line);
        self.says(line, pattern);
        assert_eq!(
            before,
            self.trace_of(line),
            "{line}: refused, yet something changed"
        );
    }

    /// Asserts an error with this code whose text contains `part`, in any case,
    /// and that nothing changed.
    #[track_caller]
    pub fn fails(&mut self, line: &str, code: &str, part: &str) {
        let before = self.trace_of(line);
        let reply = self.run(line);
        assert_error(line, &reply, code, part);
        assert_eq!(
            before,
            self.trace_of(line),
            "{line}: an error, yet something changed"
        );
    }

    /// What `fails` asserts, for binary words.
    #[track_caller]
    pub fn fails_words(&mut self, words: &[&[u8]], code: &str, part: &str) {
        let reply = self.run_words(words);
        assert_error(&shown(words), &reply, code, part);
    }

    /// Digest of the first key, and the changes the server has counted.
    fn trace_of(&mut self, line: &str) -> (String, String) {
        let words = words_of(line);
        let digest = match words.get(1) {
            Some(key) => render(&self.run_words(&[b"DEBUG", b"DIGEST-VALUE", key])),
            None => String::new(),
        };
        let changes = self.info("persistence", "rdb_changes_since_last_save");
        (digest, changes)
    }

    /// The server's clock, in Unix milliseconds.
    pub fn now_ms(&mut self) -> u64 {
        let Value::Array(parts) = self.run("TIME") else {
            panic!("TIME")
        };
        let part = |index: usize| text_of(&parts[index]).parse::<u64>().expect("TIME");
        part(0) * 1000 + part(1) / 1000
    }

    /// One line of the server's INFO; empty when there is none.
    pub fn info(&mut self, section: &str, name: &str) -> String {
        let text = self.text(&format!("INFO {section}"));
        let prefix = format!("{name}:");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_default().trim().to_owned()
    }

    /// `DEBUG DIGEST-VALUE` of keys.
    #[track_caller]
    pub fn digest(&mut self, keys: &str) -> String {
        let digest = self.show(&format!("DEBUG DIGEST-VALUE {keys}"));
        assert!(!digest.contains("(error)"), "{digest}");
        digest
    }

    /// A map reply, RESP2 or RESP3, as names and rendered values.
    #[track_caller]
    pub fn map(&mut self, line: &str) -> Vec<(String, String)> {
        let shown = |value: &Value| match value {
            Value::Array(_) => format!("[{}]", render(value).replace("(empty)", "")),
            other => render(other),
        };
        match self.run(line) {
            Value::Array(flat) if flat.len() % 2 == 0 => flat
                .chunks(2)
                .map(|pair| (text_of(&pair[0]), shown(&pair[1])))
                .collect(),
            Value::Map(pairs) => pairs
                .iter()
                .map(|(name, value)| (text_of(name), shown(value)))
                .collect(),
            other => panic!("{line}: not a map: {}", render(&other)),
        }
    }

    /// One value of a map reply, rendered; empty when there is no such field.
    #[track_caller]
    pub fn field(&mut self, line: &str, name: &str) -> String {
        let found = self.map(line).into_iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value).unwrap_or_default()
    }

    /// Asserts some values of a map reply: `state reserved, user alice`.
    #[track_caller]
    pub fn fields(&mut self, line: &str, expected: &str) {
        let map = self.map(line);
        for pair in expected.split(", ") {
            let (name, wanted) = pair.split_once(' ').expect("name value");
            let value = map
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, value)| value.as_str());
            assert_eq!(value, Some(wanted), "{line}: {name}");
        }
    }

    /// How many replayed events did not fit this server's sales.
    #[track_caller]
    pub fn divergence(&mut self) -> u64 {
        let counted = self.info("flashsale", "flashsale_replay_divergence");
        counted.parse().expect("a counter")
    }

    /// Asserts that every event this server has replayed fitted its sales.
    #[track_caller]
    pub fn has_not_diverged(&mut self) {
        assert_eq!(self.divergence(), 0, "events that did not fit");
    }

    /// `FLASHSALE.STOCK key` in words, for short assertions.
    #[track_caller]
    pub fn stock(&mut self, key: &str) -> String {
        self.show(&format!("FLASHSALE.STOCK {key}"))
    }
}

#[track_caller]
fn assert_error(line: &str, reply: &Value, code: &str, part: &str) {
    let Value::ServerError(error) = reply else {
        panic!(
            "{line}: wanted the error {code} ...{part}..., got {}",
            render(reply)
        );
    };
    let text = error.details().unwrap_or_default();
    let names_it = text.to_lowercase().contains(&part.to_lowercase());
    assert!(
        error.code() == code && names_it,
        "{line}: wanted the error {code} ...{part}..., got {} {text}",
        error.code()
    );
}

/// Splits a command line into words; `'...'` is one word, quotes taken off.
pub fn words_of(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, tail) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').expect("a closing quote"),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.as_bytes().to_vec());
        rest = tail.trim_start();
    }
    words
}

/// A command in RESP.
pub fn pack(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn shown(words: &[&[u8]]) -> String {
    let word = |word: &&[u8]| {
        let cut = &word[..word.len().min(40)];
        cut.escape_ascii().to_string()
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}
