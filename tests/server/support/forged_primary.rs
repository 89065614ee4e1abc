//! A program that plays a primary: it says what it likes, and a real replica believes it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::con::{Con, pack};
use super::server::Server;

/// How long the replica may take to say its next word.
const PATIENCE: Duration = Duration::from_secs(30);

/// The listening side of a replica's link.
pub struct ForgedPrimary {
    link: BufReader<TcpStream>,
    /// Bytes of the stream so far.
    offset: u64,
    /// Where the last command of a test ended.
    told: u64,
}

impl ForgedPrimary {
    /// Makes `replica` ours, and gives it this RDB file.
    #[track_caller]
    pub fn lead(replica: &Server, rdb: &[u8]) -> ForgedPrimary {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        replica
            .conn()
            .says(&format!("REPLICAOF 127.0.0.1 {port}"), "OK");
        let (socket, _) = listener.accept().expect("the replica");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_nodelay(true).expect("no delay");
        let mut primary = ForgedPrimary {
            link: BufReader::new(socket),
            offset: 0,
            told: 0,
        };
        primary.shake_hands();
        let header = format!("+FULLRESYNC {} 0\r\n${}\r\n", "f0".repeat(20), rdb.len());
        primary.write(header.as_bytes());
        primary.write(rdb);
        primary
    }

    /// Says yes to everything until the replica asks for the data.
    fn shake_hands(&mut self) {
        loop {
            let command = self.command().expect("a question of the replica");
            let name = command[0].to_ascii_uppercase();
            match name.as_slice() {
                b"PSYNC" | b"SYNC" => return,
                b"PING" => self.write(b"+PONG\r\n"),
                _ => self.write(b"+OK\r\n"),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        // A replica that was told nonsense may have hung up.
        let _ = self.link.get_mut().write_all(bytes);
    }

    /// Sends a command to be carried out.
    pub fn tell(&mut self, words: &[&[u8]]) {
        let bytes = pack(words);
        self.write(&bytes);
        self.offset += bytes.len() as u64;
        self.told = self.offset;
    }

    /// Sends a command, as words that a test keeps.
    pub fn tell_words(&mut self, words: &[Vec<u8>]) {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.tell(&words);
    }

    /// Waits until the replica has carried out everything; false when it hung up.
    #[must_use]
    pub fn is_followed(&mut self) -> bool {
        let question = pack(&[b"REPLCONF", b"GETACK", b"*"]);
        self.write(&question);
        self.offset += question.len() as u64;
        loop {
            let Some(command) = self.command() else {
                return false;
            };
            if let [name, ack, offset, ..] = command.as_slice()
                && name.eq_ignore_ascii_case(b"REPLCONF")
                && ack.eq_ignore_ascii_case(b"ACK")
                && String::from_utf8_lossy(offset)
                    .parse::<u64>()
                    .is_ok_and(|offset| offset >= self.told)
            {
                return true;
            }
        }
    }

    fn command(&mut self) -> Option<Vec<Vec<u8>>> {
        let line = self.line()?;
        let Some(count) = line.strip_prefix('*').and_then(|n| n.parse().ok()) else {
            return Some(vec![line.into_bytes()]);
        };
        (0..count).map(|_| self.word()).collect()
    }

    fn word(&mut self) -> Option<Vec<u8>> {
        let length: usize = self.line()?.strip_prefix('$')?.parse().ok()?;
        let mut word = vec![0; length + 2];
        self.link.read_exact(&mut word).ok()?;
        word.truncate(length);
        Some(word)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.link.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }
}

/// The RDB file of everything on a server, as it would send it to a replica.
#[track_caller]
pub fn rdb_of(con: &mut Con, server: &Server) -> Vec<u8> {
    con.says("SAVE", "OK");
    std::fs::read(server.folder().join("dump.rdb")).expect("the RDB file")
}

/// An RDB file with other bytes in it, and a checksum that fits them again.
pub fn forge_rdb(rdb: &[u8], damage: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = rdb[..rdb.len() - 8].to_vec();
    damage(&mut bytes);
    let checksum = super::payload::crc64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Asserts that the log tells of no crash.
#[track_caller]
pub fn assert_no_crash(log: &str) {
    for word in [
        "BUG REPORT",
        "crashed by signal",
        "panicked",
        "ASSERTION FAILED",
        "Guru",
    ] {
        assert!(!log.contains(word), "{word}:\n{log}");
    }
}
