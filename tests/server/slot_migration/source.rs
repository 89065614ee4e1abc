//! A source of an import that is played by the test: it sends as much as the test likes,
//! when it likes.

use std::path::Path;

use super::pair::{Pair, SLOT, id, job};
use crate::support::{Con, Server, aof, send_all, wait_until};

/// Reservations of the sale that is sent.
const RESERVATIONS: u64 = 6_000;

/// A sale and a filter as a rewritten AOF brings them.
pub struct Chunks {
    /// Each with the command that brings it, in order.
    pub sale: Vec<Line>,
    pub filter: Vec<Line>,
    /// `DEBUG DIGEST-VALUE` of both when they are whole.
    pub digest: String,
}

pub type Line = Vec<Vec<u8>>;

impl Chunks {
    /// Makes the two on a server of their own.
    #[track_caller]
    pub fn make(program: &Path) -> Chunks {
        let args = "--appendonly yes --aof-use-rdb-preamble no";
        let mut server = Server::own_of(program, &[args]);
        let mut con = server.conn();
        con.says(
            "FLASHSALE.CREATE {s} {s}:o STOCK 1000000 HOLD 9000000",
            "OK",
        );
        send_all(&mut con, (0..RESERVATIONS).map(|number| {
            format!("FLASHSALE.RESERVE {{s}} a-buyer-of-some-name-{number} 1 ID reservation-{number:040}")
        }));
        con.says("FLASHSALE.BFRESERVE {s}:f 0.01 200000", "OK");
        con.says("FLASHSALE.BFADD {s}:f ann", "1");
        aof::rewrite(&mut con);
        let digest = con.digest("{s} {s}:f");
        server.kill9();
        let entries = std::fs::read_dir(server.folder().join("appendonlydir")).expect("its AOF");
        let mut paths = entries.map(|entry| entry.expect("a file").path());
        let base = paths.find(|path| path.to_string_lossy().ends_with(".base.aof"));
        let bytes = std::fs::read(base.expect("a base file")).expect("the file");
        let lines = aof::commands(&bytes);
        let of = |key: &str| -> Vec<Line> {
            let is_of = |line: &&Line| line.len() == 3 && line[1] == key.as_bytes();
            lines.iter().filter(is_of).cloned().collect()
        };
        let (sale, filter) = (of("{s}"), of("{s}:f"));
        assert!(sale.len() > 4 && filter.len() > 3, "several chunks each");
        Chunks {
            sale,
            filter,
            digest,
        }
    }

    /// The first chunks of both, and the others.
    pub fn halves(&self) -> [Vec<Line>; 2] {
        let (sale, filter) = (self.sale.split_at(2), self.filter.split_at(2));
        [[sale.0, filter.0].concat(), [sale.1, filter.1].concat()]
    }
}

pub struct Source {
    con: Con,
    /// Lines sent.
    sent: usize,
    target: Con,
    /// Lines the target had been sent before.
    before: usize,
}

impl Source {
    /// Begins an import of the slot, in the name of the server that owns it.
    #[track_caller]
    pub fn begin(pair: &Pair) -> Source {
        let mut target = pair.target.conn();
        let mut con = pair.target.conn();
        let owner = id(&mut pair.source.conn());
        let before = lines_met(&mut target);
        // A name of 40 letters that no migration had before.
        let name = format!("{:040x}", crate::support::unix_ms());
        let line = format!(
            "CLUSTER SYNCSLOTS ESTABLISH SOURCE {owner} NAME {name} SLOTSRANGE {SLOT} {SLOT}"
        );
        con.says(&line, "OK");
        con.send("CLUSTER SYNCSLOTS ACK");
        wait_until("the target takes a snapshot", || {
            job(&mut target, "IMPORT", "state") == "receiving-snapshot"
        });
        Source {
            con,
            sent: 0,
            target,
            before,
        }
    }

    /// Sends some lines, which are answered by nobody.
    #[track_caller]
    pub fn send(&mut self, lines: &[Line]) {
        for line in lines {
            let words: Vec<&[u8]> = line.iter().map(Vec::as_slice).collect();
            let sent = self.con.try_send_words(&words);
            assert!(sent, "the target takes the line");
            self.sent += 1;
        }
    }

    /// Waits until the target has carried out all that was sent.
    #[track_caller]
    pub fn is_heard(&mut self) {
        let wanted = self.before + self.sent;
        wait_until("the target has got all", || {
            lines_met(&mut self.target) == wanted
        });
    }
}

/// How many chunks and events a server was ever sent.
#[track_caller]
fn lines_met(con: &mut Con) -> usize {
    let told = con.text("INFO commandstats");
    let internal = |line: &&str| {
        ["load", "apply"].iter().any(|end| {
            let name = line.split(':').next().unwrap_or_default();
            name.starts_with("cmdstat_flashsale.") && name.ends_with(end)
        })
    };
    let calls = |line: &str| -> Option<usize> {
        line.split_once(":calls=")?
            .1
            .split(',')
            .next()?
            .parse()
            .ok()
    };
    told.lines().filter(internal).filter_map(calls).sum()
}
