//! One plain connection of a driver: commands in one write, answers as raw bytes.
//!
//! A driver reads tens of thousands of totals in a round, most of them as they were in the round
//! before. So the answer of SHARES is compared as bytes, and nothing is allocated for it. A
//! connection is never made anew behind the driver's back: WAIT speaks for what its own
//! connection wrote, and a reading counts for the connection it came by.

use std::io::{Error, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::link::{Address, Link};

/// A server that says nothing for so long is given up: longer than WAITAOF.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// What one read takes.
const CHUNK: usize = 64 * 1_024;

/// The number of the last connection that was made.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

enum Stream {
    Plain(TcpStream),
    /// TLS, by the client library; its answers are written out as bytes again.
    Secret(Box<Link>, Vec<Cmd>),
}

/// A connection.
pub struct Wire {
    stream: Stream,
    out: Vec<u8>,
    input: Vec<u8>,
    /// What of `input` is read already.
    at: usize,
    patience: Duration,
    /// No other connection of this program has it.
    pub number: u64,
}

impl Wire {
    /// From now on, a silence of this length is a broken connection.
    pub fn wait_at_most(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Connects, and says who it is.
    ///
    /// # Errors
    ///
    /// In words.
    pub async fn connect(address: &Address, host: &str, port: u16) -> Result<Self, String> {
        let stream = if address.is_secret() {
            let of_server = address.of_server((host.to_owned(), port), crate::link::Way::Direct);
            let link = timeout(CONNECT_WITHIN, Link::connect_to_any(&of_server)).await;
            let link = link.map_err(|_| "it does not answer".to_owned())?;
            Stream::Secret(
                Box::new(link.map_err(|error| error.to_string())?),
                Vec::new(),
            )
        } else {
            let stream = timeout(CONNECT_WITHIN, TcpStream::connect((host, port))).await;
            let stream = stream.map_err(|_| "it does not answer".to_owned())?;
            let stream = stream.map_err(|error| error.to_string())?;
            // Commands are written whole: waiting for more only costs time.
            let _ = stream.set_nodelay(true);
            Stream::Plain(stream)
        };
        let mut wire = Self {
            stream,
            out: Vec::new(),
            input: Vec::new(),
            at: 0,
            patience: ANSWER_WITHIN,
            number: NUMBERS.fetch_add(1, Ordering::Relaxed) + 1,
        };
        wire.log_in(address).await?;
        Ok(wire)
    }

    async fn log_in(&mut self, address: &Address) -> Result<(), String> {
        if matches!(self.stream, Stream::Secret(..)) {
            return Ok(());
        }
        let (user, password, database) = address.login();
        let mut asked = 0;
        if let Some(password) = &password {
            let user = user.as_deref().unwrap_or("default");
            self.push(&[b"AUTH", user.as_bytes(), password.as_bytes()]);
            asked += 1;
        }
        if database != 0 {
            self.push(&[b"SELECT", database.to_string().as_bytes()]);
            asked += 1;
        }
        self.flush().await.map_err(|error| error.to_string())?;
        for _ in 0..asked {
            let answer = self.answer().await.map_err(|error| error.to_string())?;
            if let Value::ServerError(error) = answer {
                return Err(error.to_string());
            }
        }
        Ok(())
    }

    /// Appends a command, to be sent by [`Wire::flush`].
    pub fn push(&mut self, words: &[&[u8]]) {
        if let Stream::Secret(_, commands) = &mut self.stream {
            let mut command = Cmd::new();
            for word in words {
                command.arg(*word);
            }
            commands.push(command);
            return;
        }
        push_header(&mut self.out, b'*', words.len());
        for word in words {
            push_header(&mut self.out, b'$', word.len());
            self.out.extend_from_slice(word);
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// Sends what was appended.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub async fn flush(&mut self) -> Result<(), Error> {
        match &mut self.stream {
            Stream::Plain(stream) => {
                let sent = timeout(self.patience, stream.write_all(&self.out)).await;
                self.out.clear();
                sent.map_err(|_| Error::from(ErrorKind::TimedOut))?
            }
            Stream::Secret(link, commands) => {
                let answers = link.ask_all(std::mem::take(commands)).await;
                let answers = answers.map_err(Error::other)?;
                answers
                    .iter()
                    .for_each(|answer| write_out(answer, &mut self.input));
                Ok(())
            }
        }
    }

    /// What has arrived and is not read yet.
    pub fn unread(&self) -> &[u8] {
        &self.input[self.at..]
    }

    /// So many bytes are read.
    pub fn pass(&mut self, bytes: usize) {
        self.at += bytes;
        if self.at == self.input.len() {
            self.input.clear();
            self.at = 0;
        }
    }

    /// Waits for more bytes.
    ///
    /// # Errors
    ///
    /// The connection is broken, or the server says nothing.
    pub async fn fill(&mut self) -> Result<(), Error> {
        let Stream::Plain(stream) = &mut self.stream else {
            // All answers came with the flush.
            return Err(ErrorKind::UnexpectedEof.into());
        };
        if self.at > CHUNK {
            self.input.drain(..self.at);
            self.at = 0;
        }
        self.input.reserve(CHUNK);
        let read = timeout(self.patience, stream.read_buf(&mut self.input)).await;
        match read.map_err(|_| Error::from(ErrorKind::TimedOut))? {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits for one answer; it may be an error of the server.
    ///
    /// # Errors
    ///
    /// The connection is broken, or the answer makes no sense.
    pub async fn answer(&mut self) -> Result<Value, Error> {
        let answer = self.read(redis::parse_redis_value).await?;
        answer.map_err(Error::other)
    }

    /// Waits for one answer, and has its bytes read where they lie.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub async fn read<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Result<T, Error> {
        let mut walk = Walk::default();
        loop {
            if let Some(length) = walk.on(self.unread()) {
                let found = read(&self.unread()[..length]);
                self.pass(length);
                return Ok(found);
            }
            self.fill().await?;
        }
    }

    /// Sends one command and waits for its answer.
    ///
    /// # Errors
    ///
    /// As [`Wire::answer`].
    pub async fn ask(&mut self, words: &[&[u8]]) -> Result<Value, Error> {
        self.push(words);
        self.flush().await?;
        self.answer().await
    }
}

fn push_header(out: &mut Vec<u8>, kind: u8, number: usize) {
    out.push(kind);
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Finds the end of one answer in bytes that come bit by bit.
pub struct Walk {
    at: usize,
    /// Elements that are still to come.
    left: u64,
}

impl Default for Walk {
    fn default() -> Self {
        Self { at: 0, left: 1 }
    }
}

impl Walk {
    /// Begins at a place behind the first byte; the length it finds counts from the first.
    pub fn from(at: usize) -> Self {
        Self { at, left: 1 }
    }

    /// Goes on, and returns the length of the answer once it is whole.
    pub fn on(&mut self, bytes: &[u8]) -> Option<usize> {
        while self.left > 0 {
            let (kind, number, after) = header(bytes, self.at)?;
            let (end, more) = match kind {
                b'$' if number >= 0 => (after + number as usize + 2, 0),
                b'*' if number > 0 => (after, number as u64),
                _ => (after, 0),
            };
            if end > bytes.len() {
                return None;
            }
            self.at = end;
            self.left = self.left - 1 + more;
        }
        Some(self.at)
    }
}

/// Reads the line at a place: its kind, its number (0 for text), and where the next one begins.
#[inline]
pub fn header(bytes: &[u8], at: usize) -> Option<(u8, i64, usize)> {
    let kind = *bytes.get(at)?;
    let mut here = at + 1;
    let is_negative = bytes.get(here) == Some(&b'-');
    here += usize::from(is_negative);
    let mut number = 0_i64;
    loop {
        match *bytes.get(here)? {
            digit @ b'0'..=b'9' => {
                number = number
                    .wrapping_mul(10)
                    .wrapping_add(i64::from(digit - b'0'));
            }
            b'\r' => {
                bytes.get(here + 1)?;
                let number = if is_negative { -number } else { number };
                return Some((kind, number, here + 2));
            }
            _ => {}
        }
        here += 1;
    }
}

/// Writes an answer as a server would.
fn write_out(answer: &Value, out: &mut Vec<u8>) {
    match answer {
        Value::Nil => out.extend_from_slice(b"$-1\r\n"),
        Value::Int(number) => out.extend_from_slice(format!(":{number}\r\n").as_bytes()),
        Value::Array(list) => {
            push_header(out, b'*', list.len());
            list.iter().for_each(|one| write_out(one, out));
        }
        Value::ServerError(error) => {
            let code = error.code().replace(['\r', '\n'], " ");
            let detail = error
                .details()
                .unwrap_or_default()
                .replace(['\r', '\n'], " ");
            out.extend_from_slice(format!("-{code} {detail}\r\n").as_bytes());
        }
        Value::Okay => out.extend_from_slice(b"+OK\r\n"),
        other => {
            let bytes = match other {
                Value::BulkString(bytes) => bytes.clone(),
                Value::SimpleString(text) => text.clone().into_bytes(),
                _ => Vec::new(),
            };
            push_header(out, b'$', bytes.len());
            out.extend_from_slice(&bytes);
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"*4\r\n$3\r\na\r\n\r\n:-12\r\n*2\r\n+OK\r\n*0\r\n$-1\r\n";

    #[test]
    fn finds_the_end_of_an_answer_however_it_comes() {
        let two = [ANSWER, b":7\r\n"].concat();
        for step in 1..ANSWER.len() {
            let mut walk = Walk::default();
            let mut found = None;
            for end in (0..two.len()).step_by(step).chain([two.len()]) {
                found = found.or(walk.on(&two[..end]));
                assert!(found.is_none() || end >= ANSWER.len(), "{step} {end}");
            }
            assert_eq!(found, Some(ANSWER.len()), "{step}");
        }
    }

    #[test]
    fn writes_an_answer_as_it_came() {
        let value = redis::parse_redis_value(ANSWER).expect("an answer");
        let mut out = Vec::new();
        write_out(&value, &mut out);
        assert_eq!(redis::parse_redis_value(&out).expect("an answer"), value);
    }

    #[test]
    fn reads_numbers_of_lines() {
        assert_eq!(header(b":-120\r\n", 0), Some((b':', -120, 7)));
        assert_eq!(header(b":12\r", 0), None);
        assert_eq!(header(b"", 0), None);
    }
}
