//! The AOF: rewritten while the server runs; and when it has ended, read as commands, or
//! its last file cut at any byte, which is what a power cut leaves of it, and put back.

use std::path::{Path, PathBuf};

use super::con::{Con, pack};
use super::server::Server;
use super::wait::wait_until;

/// A copy of the AOF, to try several cuts on.
pub struct Aof {
    folder: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
    /// The file that is written to last.
    pub last: PathBuf,
}

impl Aof {
    /// Reads all files of an ended server.
    #[track_caller]
    pub fn of(server: &Server) -> Aof {
        let folder = server.folder().join("appendonlydir");
        let entries = std::fs::read_dir(&folder).expect("the AOF's folder");
        let paths = entries.map(|entry| entry.expect("a file").path());
        let files = paths.map(|path| {
            let bytes = std::fs::read(&path).expect("a file of the AOF");
            (path, bytes)
        });
        Aof {
            files: files.collect(),
            last: last_file(&folder),
            folder,
        }
    }

    /// The bytes of the file that is written to last.
    pub fn tail(&self) -> &[u8] {
        let found = self.files.iter().find(|(path, _)| *path == self.last);
        &found.expect("the last file").1
    }

    /// Puts everything back as it was read, but for the last file: only this many bytes
    /// of it.
    #[track_caller]
    pub fn cut(&self, length: usize) {
        std::fs::remove_dir_all(&self.folder).expect("the AOF is removed");
        std::fs::create_dir(&self.folder).expect("its folder is made");
        for (path, bytes) in &self.files {
            let length = if *path == self.last {
                length
            } else {
                bytes.len()
            };
            std::fs::write(path, &bytes[..length]).expect("a file is written");
        }
    }
}

/// The length of the file that a running server writes to.
#[track_caller]
pub fn length(server: &Server) -> usize {
    let path = last_file(&server.folder().join("appendonlydir"));
    std::fs::metadata(path).expect("its length").len() as usize
}

fn last_file(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder).expect("the AOF's folder");
    let paths = entries.map(|entry| entry.expect("a file").path());
    // appendonly.aof.12.incr.aof
    let number = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        let number = name.strip_suffix(".incr.aof")?.rsplit('.').next()?;
        number.parse::<u64>().ok()
    };
    let numbered = paths.filter_map(|path| Some((number(&path)?, path)));
    numbered.max().expect("a file of changes").1
}

/// Rewrites the AOF, and waits for it.
#[track_caller]
pub fn rewrite(con: &mut Con) {
    let before = con.info("persistence", "aof_rewrites");
    con.run("BGREWRITEAOF");
    wait_for_rewrite(con);
    assert_ne!(con.info("persistence", "aof_rewrites"), before);
}

/// Waits until no rewrite of the AOF runs or is about to.
#[track_caller]
pub fn wait_for_rewrite(con: &mut Con) {
    wait_until("the AOF is rewritten", || {
        con.info("persistence", "aof_rewrite_in_progress") == "0"
            && con.info("persistence", "aof_rewrite_scheduled") == "0"
    });
    assert_eq!(con.info("persistence", "aof_last_bgrewrite_status"), "ok");
}

/// The commands of an AOF without a preamble, as words.
#[track_caller]
pub fn commands(bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let (mut commands, mut at) = (Vec::new(), 0);
    while let Some((end, words)) = command(bytes, at) {
        commands.push(words.iter().map(|word| word.to_vec()).collect());
        at = end;
    }
    assert_eq!(at, bytes.len(), "a command is cut off");
    commands
}

/// The bytes of an AOF of these commands.
pub fn written(commands: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let line = |words: &Vec<Vec<u8>>| {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        pack(&words)
    };
    commands.iter().flat_map(line).collect()
}

/// Where each whole step of an AOF ends: a command, or all of a transaction.
#[track_caller]
pub fn steps(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    let mut is_in_transaction = false;
    while let Some((end, words)) = command(bytes, at) {
        match words[0].to_ascii_uppercase().as_slice() {
            b"MULTI" => is_in_transaction = true,
            b"EXEC" => is_in_transaction = false,
            _ => {}
        }
        if !is_in_transaction {
            ends.push(end);
        }
        at = end;
    }
    ends
}

/// Where the command that begins here ends, and its words; none when it is cut off.
fn command(bytes: &[u8], at: usize) -> Option<(usize, Vec<&[u8]>)> {
    let (count, mut at) = header(bytes, at, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, begin) = header(bytes, at, b'$')?;
        words.push(bytes.get(begin..begin + length)?);
        at = begin + length + 2;
    }
    (at <= bytes.len()).then_some((at, words))
}

fn header(bytes: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let rest = bytes.get(at..)?;
    let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let (first, digits) = rest[..length].split_first()?;
    assert_eq!(*first, mark, "at byte {at} of the AOF");
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, at + length + 2))
}
