//! The replication stream as a replica receives it: a raw socket that asks for
//! PSYNC, skips the snapshot and then reads command after command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::con::Con;
use super::server::Server;

/// A replica that only listens.
pub struct Feed {
    stream: BufReader<TcpStream>,
    teller: Con,
    marks: u64,
}

impl Feed {
    /// Follows a server from now on.
    #[track_caller]
    pub fn follow(server: &Server) -> Feed {
        let socket = TcpStream::connect(server.address()).expect("a connection");
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        let mut feed = Feed {
            stream: BufReader::new(socket),
            teller: server.conn(),
            marks: 0,
        };
        feed.stream
            .get_mut()
            .write_all(b"PSYNC ? -1\r\n")
            .expect("sent");
        let answer = feed.line();
        assert!(answer.starts_with("+FULLRESYNC"), "{answer}");
        // The server sends empty lines while it prepares the snapshot.
        let header = loop {
            let line = feed.line();
            if !line.is_empty() {
                break line;
            }
        };
        let length: usize = header
            .trim_start_matches('$')
            .parse()
            .expect("length of the snapshot");
        let mut snapshot = vec![0; length];
        feed.stream.read_exact(&mut snapshot).expect("the snapshot");
        feed
    }

    /// Every command since the last call, but for the stream's own (PING, SELECT).
    #[track_caller]
    pub fn commands(&mut self) -> Vec<Vec<Vec<u8>>> {
        self.marks += 1;
        let mark = format!("flashsale-test-mark-{}", self.marks);
        // PUBLISH is replicated and changes no key.
        self.teller.int(&format!("PUBLISH {mark} x"));
        self.read_to(&mark)
    }

    fn read_to(&mut self, mark: &str) -> Vec<Vec<Vec<u8>>> {
        let mut commands = Vec::new();
        loop {
            let command = self.command();
            match command.first().map(Vec::as_slice) {
                Some(b"PING" | b"ping" | b"SELECT") => {}
                Some(b"PUBLISH") if command.get(1).is_some_and(|word| word == mark.as_bytes()) => {
                    return commands;
                }
                _ => commands.push(command),
            }
        }
    }

    /// The same, on a replica of the server that `ahead` follows, up to the mark of
    /// its last `commands`.
    #[track_caller]
    pub fn commands_behind(&mut self, ahead: &Feed) -> Vec<Vec<Vec<u8>>> {
        self.read_to(&format!("flashsale-test-mark-{}", ahead.marks))
    }

    /// The commands in short: name and keys of ours (`FLASHSALE.APPLY sale orders`,
    /// the event left out), the first word of others.
    #[track_caller]
    pub fn short(&mut self) -> Vec<String> {
        let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
        let shorten = |command: &Vec<Vec<u8>>| match command.split_last() {
            Some((_, words)) if command[0] == b"FLASHSALE.APPLY" => {
                words.iter().map(text).collect::<Vec<_>>().join(" ")
            }
            _ => text(&command[0]).to_uppercase(),
        };
        self.commands().iter().map(shorten).collect()
    }

    fn command(&mut self) -> Vec<Vec<u8>> {
        let header = self.line();
        let count: usize = header
            .strip_prefix('*')
            .and_then(|n| n.parse().ok())
            .expect("a command");
        (0..count).map(|_| self.word()).collect()
    }

    fn word(&mut self) -> Vec<u8> {
        let header = self.line();
        let length: usize = header
            .strip_prefix('$')
            .and_then(|n| n.parse().ok())
            .expect("a word");
        let mut word = vec![0; length + 2];
        self.stream.read_exact(&mut word).expect("a word");
        word.truncate(length);
        word
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "the server ended the replication stream");
        line.trim_end().to_owned()
    }
}
