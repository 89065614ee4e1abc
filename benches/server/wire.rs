//! Talking to the server: one command and its reply, or very many on one connection.
//!
//! Edge: what is sent, and what the answer should be, is the caller's business.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use redis::{Connection, Value};

use crate::reply::{Outcome, text_of};

/// Bytes of commands gathered before they are written.
const CHUNK: usize = 64 * 1024;
/// How long the server may take to become quiet.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection for single commands.
pub struct Wire {
    connection: Connection,
    /// Dumps of keys that are put back before each row.
    kept: BTreeMap<String, Vec<u8>>,
}

impl Wire {
    pub fn new(connection: Connection) -> Wire {
        Wire {
            connection,
            kept: BTreeMap::new(),
        }
    }

    /// Keeps a key as it is now.
    pub fn keep(&mut self, key: &str) -> Outcome<()> {
        let dump = redis::cmd("DUMP").arg(key).query(&mut self.connection)?;
        self.kept.insert(key.to_owned(), dump);
        Ok(())
    }

    /// Makes a key what it was when it was kept.
    pub fn put_back(&mut self, key: &str) -> Outcome<()> {
        let dump = self.kept.get(key).ok_or("put back what was not kept")?;
        let mut command = redis::cmd("RESTORE");
        command.arg(key).arg(0).arg(dump).arg("REPLACE");
        Ok(command.query(&mut self.connection)?)
    }

    /// The reply to a command.
    ///
    /// # Errors
    ///
    /// The server answers an error, or not at all.
    pub fn ask(&mut self, words: &[&str]) -> Outcome<Value> {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        let reply = command.query(&mut self.connection);
        Ok(reply.map_err(|error| format!("{}: {error}", words[..words.len().min(4)].join(" ")))?)
    }

    /// The reply as text.
    pub fn text(&mut self, words: &[&str]) -> Outcome<String> {
        Ok(text_of(&self.ask(words)?))
    }

    /// The reply as a number; of a key that is not there, 0.
    pub fn number(&mut self, words: &[&str]) -> Outcome<u64> {
        let text = self.text(words)?;
        if text == "null" {
            return Ok(0);
        }
        Ok(text
            .parse()
            .map_err(|_| format!("{}: not a number: {text}", words.join(" ")))?)
    }

    /// A section of INFO, or `all` of them.
    pub fn info(&mut self, section: &str) -> Outcome<BTreeMap<String, String>> {
        let text = match self.ask(&["INFO", section])? {
            Value::VerbatimString { text, .. } => text,
            other => text_of(&other),
        };
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        Ok(lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// A number of INFO; 0 where there is no such field.
    pub fn info_number(&mut self, section: &str, name: &str) -> Outcome<u64> {
        let info = self.info(section)?;
        Ok(info
            .get(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(0))
    }

    /// Waits until nothing goes on behind the commands: values freed on another thread,
    /// a file written, what was appended synchronised.
    pub fn wait_until_quiet(&mut self) -> Outcome<()> {
        self.wait_until("the server is quiet", |wire| {
            let info = wire.info("all")?;
            let quiet = [
                "lazyfree_pending_objects",
                "rdb_bgsave_in_progress",
                "aof_rewrite_in_progress",
                "aof_rewrite_scheduled",
                "aof_pending_bio_fsync",
                "aof_buffer_length",
            ];
            Ok(quiet
                .iter()
                .all(|name| info.get(*name).is_none_or(|value| value == "0")))
        })
    }

    /// Waits until `holds` does.
    ///
    /// # Errors
    ///
    /// It does not within two minutes; the text names `what`.
    pub fn wait_until(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&mut Wire) -> Outcome<bool>,
    ) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self)? {
            if Instant::now() > deadline {
                return Err(format!("waited {PATIENCE:?} in vain until {what}").into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// Appends a command to bytes that are to be sent.
pub fn push(bytes: &mut Vec<u8>, words: &[&[u8]]) {
    // Writing into memory does not fail.
    let _ = write!(bytes, "*{}\r\n", words.len());
    for word in words {
        let _ = write!(bytes, "${}\r\n", word.len());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
}

/// Sends `count` commands over one connection, writing on while replies are read, and
/// returns how long that took. `build` appends the command of a number to the bytes.
///
/// # Errors
///
/// A reply is an error, or does not begin with `word` where one is asked for.
pub fn fill(
    port: u16,
    count: u64,
    word: &str,
    build: impl Fn(u64, &mut Vec<u8>) + Send,
) -> Outcome<Duration> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut replies = Replies::new(stream.try_clone()?);
    let started = Instant::now();
    thread::scope(|scope| {
        let writer = scope.spawn(move || -> std::io::Result<()> {
            let mut bytes = Vec::with_capacity(CHUNK * 2);
            for number in 0..count {
                build(number, &mut bytes);
                if bytes.len() >= CHUNK {
                    stream.write_all(&bytes)?;
                    bytes.clear();
                }
            }
            stream.write_all(&bytes)
        });
        for number in 0..count {
            let said = replies.next()?;
            if said.starts_with(b"-") || !(word.is_empty() || said == word.as_bytes()) {
                let said = String::from_utf8_lossy(said).into_owned();
                // Ends the writer, too.
                replies.close();
                let _ = writer.join();
                return Err(
                    format!("command {number} of a fill: {said} in place of {word}").into(),
                );
            }
        }
        writer.join().map_err(|_| "the writer panicked")??;
        Ok(started.elapsed())
    })
}

/// The replies on a connection, of which only the beginning matters.
struct Replies {
    reader: BufReader<TcpStream>,
    line: Vec<u8>,
    word: Vec<u8>,
}

impl Replies {
    fn new(stream: TcpStream) -> Replies {
        Replies {
            reader: BufReader::with_capacity(CHUNK, stream),
            line: Vec::new(),
            word: Vec::new(),
        }
    }

    /// The first word of the next reply; an error with its `-`.
    fn next(&mut self) -> std::io::Result<&[u8]> {
        self.word.clear();
        let (mut left, mut is_known) = (1_u64, false);
        while left > 0 {
            left -= 1;
            self.line.clear();
            if self.reader.read_until(b'\n', &mut self.line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = self.line.trim_ascii_end();
            let (kind, rest) = (line.first(), line.get(1..).unwrap_or_default());
            let length = || {
                std::str::from_utf8(rest)
                    .ok()
                    .and_then(|rest| rest.parse::<u64>().ok())
            };
            match kind {
                Some(b'*') => {
                    left += length().unwrap_or(0);
                    continue;
                }
                Some(b'$') => {
                    let length = length();
                    self.line.clear();
                    if let Some(length) = length {
                        self.line.resize(length as usize + 2, 0);
                        self.reader.read_exact(&mut self.line)?;
                        self.line.truncate(length as usize);
                    }
                }
                Some(b'-') => {}
                _ => {
                    self.line.remove(0);
                }
            }
            if !is_known {
                self.word.extend_from_slice(self.line.trim_ascii_end());
                is_known = true;
            }
        }
        Ok(&self.word)
    }

    fn close(&self) {
        let _ = self.reader.get_ref().shutdown(std::net::Shutdown::Both);
    }
}
