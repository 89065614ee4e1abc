//! Transcripts in documents: what is typed at a prompt and what it prints, found in the
//! text, typed in again, and compared.
//!
//! Moments, stream IDs and ULIDs differ from run to run: ULIDs, runs of five digits or
//! more, and what stands after such a run in a stream ID are compared by their presence.
//!
//! A document is played as a whole, against a new server known by the port 6379. It may
//! have directions for the stage between its blocks, in comments that no reader of the
//! page sees:
//!
//! - `<!-- test: server 6379 --appendonly yes -->` a server, known by this port; what
//!   follows `--` alone are arguments of the module
//! - `<!-- test: replica 6380 of 6379 -->` and its copy
//! - `<!-- test: older 6379 -->` a server with the older module
//! - `<!-- test: upgrade 6379 -->` starts a server that was shut down with today's module
//! - `<!-- test: sentinels 26379 watch 6379 with 1 -->` three Sentinels, the first known
//!   by this port, and how many replicas they know of
//! - `<!-- test: cut 6379 -->` ends a server at once, as a power cut would
//! - `<!-- test: start 6379 -->` starts it again
//! - `<!-- test: run 6379 DEBUG JMAP -->` a command that brings something about
//! - `<!-- test: shell redis-cli -p 6379 PING -->` the same for the shell, again until
//!   what it prints has no ERR
//! - `<!-- test: diverges 6380 -->` its events may fail to fit, on purpose
//! - `<!-- test: empty -->` ends every server
//! - `<!-- test: until -->` the next block: each step again until it prints that
//! - `<!-- test: numbers -->` the next block: any number may be another
//!
//! Ports of the page stand for those of the servers, in what is typed and in what is
//! printed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::sentinel::{Sentinels, dial};
use super::server::{Server, module_path, replicate};
use super::wait::{is_soon, wait_until};

/// What stands before a fenced block that is not run: it is for a person to decide.
const DECISION: &str = "**Decision:**";

/// A line typed at a prompt, and the output that follows it.
pub struct Step<'d> {
    /// The port in the prompt of redis-cli; none at the shell's.
    port: Option<u16>,
    pub typed: &'d str,
    pub output: Vec<&'d str>,
    /// Where it is in the document, counted from 0.
    line: usize,
}

/// What a document consists of, for those who play it.
enum Part<'d> {
    Direction(Vec<&'d str>),
    Transcript(Vec<Step<'d>>),
    /// A fenced block of another kind, which is not run.
    Block {
        line: usize,
        is_decision: bool,
    },
}

fn parts(document: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut is_decision = false;
    let mut lines = document.lines().enumerate();
    while let Some((line, text)) = lines.next() {
        if let Some(kind) = text.strip_prefix("```") {
            let body = lines.by_ref().take_while(|(_, text)| *text != "```");
            let body: Vec<(usize, &str)> = body.collect();
            parts.push(match kind {
                "console" => Part::Transcript(steps_of(&body)),
                _ => Part::Block { line, is_decision },
            });
        } else if let Some(words) = text.strip_prefix("<!-- test: ") {
            let words = words.trim_end_matches("-->").split_whitespace();
            parts.push(Part::Direction(words.collect()));
        }
        if !text.is_empty() {
            is_decision = text.starts_with(DECISION);
        }
    }
    parts
}

fn steps_of<'d>(body: &[(usize, &'d str)]) -> Vec<Step<'d>> {
    let mut steps: Vec<Step<'d>> = Vec::new();
    for &(line, text) in body {
        let at_server = text.strip_prefix("127.0.0.1:").and_then(|rest| {
            let (port, typed) = rest.split_once("> ")?;
            Some((Some(port.parse().ok()?), typed))
        });
        let at_shell = || text.strip_prefix("$ ").map(|typed| (None, typed));
        if let Some((port, typed)) = at_server.or_else(at_shell) {
            let output = Vec::new();
            steps.push(Step {
                port,
                typed,
                output,
                line,
            });
        } else {
            let step = steps.last_mut();
            let step = step.unwrap_or_else(|| panic!("no prompt before {text:?}"));
            step.output.push(text);
        }
    }
    steps
}

/// What `redis-cli` prints for one line typed into it.
pub fn typed(port: u16, line: &str) -> String {
    let mut cli = Command::new("redis-cli")
        .args(["--no-raw", "-p", &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli is on the path");
    let stdin = cli.stdin.as_mut().expect("stdin is a pipe");
    writeln!(stdin, "{line}").expect("redis-cli reads its input");
    let output = cli.wait_with_output().expect("redis-cli ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The text with its words, runs of letters and digits, put through `change`.
fn with_words(text: &str, mut change: impl FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
            continue;
        }
        out.push_str(&change(&std::mem::take(&mut word)));
        out.push(letter);
    }
    out.push_str(&change(&word));
    out
}

/// The text with what differs from run to run replaced by its kind: ULIDs, and numbers of
/// so many digits and more.
fn without(text: &str, digits: usize) -> String {
    let kept = with_words(text, |word| {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let is_ulid = word.len() == 26 && word.starts_with('0');
        match word {
            _ if word.len() >= digits && is_number && !word.is_empty() => "<number>".to_owned(),
            _ if is_ulid => "<ulid>".to_owned(),
            _ => word.to_owned(),
        }
    });
    let lines = kept.lines().map(|line| without_sequences(line.trim_end()));
    let lines: Vec<String> = lines.collect();
    lines.join("\n").trim_end().to_owned()
}

/// The line with the second half of each stream ID left out: two entries of one batch may
/// fall into one millisecond or into two.
fn without_sequences(line: &str) -> String {
    let mut parts = line.split("<number>-");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("<number>-<sequence>");
        out.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    out
}

/// The servers a document speaks of, by the ports it gives them.
struct Stage {
    // Dropped first: else they would fail over while the servers end.
    sentinels: Option<(u16, Sentinels)>,
    servers: BTreeMap<u16, Server>,
    folder: TempDir,
}

impl Stage {
    /// Follows a direction; false when servers must not be started.
    #[track_caller]
    fn follow(&mut self, words: &[&str]) -> bool {
        let port = |word: &str| word.parse::<u16>().expect("a port");
        match words {
            ["server", name, args @ ..] => {
                let mut parts = args.split(|word| *word == "--");
                let args = parts.next().unwrap_or_default().join(" ");
                let args = format!("redis.conf --replica-announce-ip 127.0.0.1 {args}");
                let of_module = parts.next().unwrap_or_default().join(" ");
                let of_module = Some(&of_module[..]).filter(|args| !args.is_empty());
                let Some(server) = Server::own(&[args.trim_end()], of_module.as_slice()) else {
                    return false;
                };
                self.servers.insert(port(name), server);
            }
            ["older", name, args @ ..] => {
                let args = format!("--replica-announce-ip 127.0.0.1 {}", args.join(" "));
                let Some(server) = Server::older(&[args.trim_end()]) else {
                    return false;
                };
                self.servers.insert(port(name), server);
            }
            ["replica", name, "of", of, args @ ..] => {
                let args = [&["server", *name], args].concat();
                if !self.follow(&args) {
                    return false;
                }
                replicate(&self.servers[&port(of)], &self.servers[&port(name)]);
            }
            ["sentinels", name, "watch", of, "with", replicas] => {
                let watched = self.servers[&port(of)].port();
                let replicas = replicas.parse().expect("how many replicas");
                let sentinels = Sentinels::watch(watched, replicas);
                self.sentinels = Some((port(name), sentinels));
            }
            ["upgrade", name] => {
                let server = self.server(port(name));
                wait_until("it has ended", || server.has_ended().is_some());
                server.set_module(&module_path());
                server.start_again(&[]);
            }
            ["cut", name] => {
                self.settle();
                self.server(port(name)).kill9();
            }
            ["start", name] => self.server(port(name)).start_again(&[]),
            ["run", name, line @ ..] => {
                let told = self.server(port(name)).conn().show(&line.join(" "));
                let is_change = line[0].starts_with("FLASHSALE.");
                let is_done = ["OK", "RESERVED", "SOLD"];
                let is_done = is_done.iter().any(|word| told.starts_with(word));
                assert!(
                    !told.contains("(error)") && (is_done || !is_change),
                    "{words:?}: {told}"
                );
            }
            ["shell", line @ ..] => {
                let line = with_words(&line.join(" "), |word| self.real(word));
                let mut told = String::new();
                let succeeds = is_soon(|| {
                    told = self.shell(&line);
                    !told.contains("ERR")
                });
                assert!(succeeds, "{words:?}: {told}");
            }
            ["diverges", name] => self.server(port(name)).may_diverge(),
            ["empty"] => {
                self.sentinels = None;
                self.servers.clear();
            }
            _ => panic!("no such direction: {words:?}"),
        }
        true
    }

    fn server(&mut self, port: u16) -> &mut Server {
        let server = self.servers.get_mut(&port);
        server.unwrap_or_else(|| panic!("no server at {port}"))
    }

    /// The ports of the page, and those they stand for.
    fn ports(&self) -> Vec<(String, String)> {
        let servers = self.servers.iter().map(|(page, one)| (*page, one.port()));
        let sentinels = self.sentinels.iter();
        let sentinels = sentinels.map(|(page, sentinels)| (*page, sentinels.port()));
        let both = servers.chain(sentinels);
        both.map(|(page, real)| (page.to_string(), real.to_string()))
            .collect()
    }

    /// A port of the page as the one it stands for, any other word as it is.
    fn real(&self, word: &str) -> String {
        let mut ports = self.ports().into_iter();
        let found = ports.find(|(page, _)| page == word);
        found.map_or_else(|| word.to_owned(), |(_, real)| real)
    }

    /// Waits until every replica whose link is up has what its primary has: the next
    /// line may be typed at the other.
    fn settle(&self) {
        for replica in self.servers.values() {
            is_soon(|| {
                let names = ["master_port", "master_link_status", "slave_repl_offset"];
                let Some([primary, link, offset]) = replication(replica, names) else {
                    return true;
                };
                let mut servers = self.servers.values();
                let primary = servers.find(|one| one.port().to_string() == primary);
                let primary = primary.filter(|_| link == "up");
                let ahead = primary.and_then(|one| replication(one, ["master_repl_offset"]));
                ahead.is_none_or(|[ahead]| ahead == offset)
            });
        }
    }

    /// What a step prints here, in the page's ports.
    fn print(&self, step: &Step<'_>) -> String {
        self.settle();
        let ports = self.ports();
        let line = with_words(step.typed, |word| self.real(word));
        let printed = match step.port {
            Some(port) => {
                let port = self.real(&port.to_string());
                typed(port.parse().expect("a port"), &line)
            }
            None => self.shell(&line),
        };
        // INFO has lines as the protocol has them.
        with_words(&printed.replace('\r', ""), |word| {
            let found = ports.iter().find(|(_, real)| real == word);
            found.map_or_else(|| word.to_owned(), |(page, _)| page.clone())
        })
    }

    fn shell(&self, line: &str) -> String {
        let mut shell = Command::new("bash");
        let shell = shell.args(["-c", &format!("exec 2>&1; {line}")]);
        let shell = shell.current_dir(self.folder.path()).stdin(Stdio::null());
        let output = shell.output().expect("bash is on the path");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Lines of INFO replication. None when there is no answer: a Sentinel that gives a server
/// another role closes all its connections.
fn replication<const N: usize>(server: &Server, names: [&str; N]) -> Option<[String; N]> {
    let mut ask = redis::cmd("INFO");
    ask.arg("replication");
    let text: String = ask.query(&mut dial(server)?.inner).ok()?;
    Some(names.map(|name| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().trim().to_owned()
    }))
}

/// Which fenced blocks a document may have beside its transcripts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OtherBlocks {
    Any,
    /// Those that stand under a decision, so that no line for an operator was never run.
    Decisions,
}

/// Plays a document from its first line to its last, and asserts that everything prints
/// what the document shows, and that it has no blocks of other kinds than it may have.
///
/// With FLASHSALE_WRITE_TRANSCRIPTS set, what is printed is written into the document
/// instead: look at the difference.
#[track_caller]
pub fn play(path: &str, other_blocks: OtherBlocks) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let document = std::fs::read_to_string(&path).expect("the document");
    let mut stage = Stage {
        sentinels: None,
        servers: BTreeMap::new(),
        folder: TempDir::new().expect("a folder"),
    };
    let writes = std::env::var_os("FLASHSALE_WRITE_TRANSCRIPTS").is_some();
    let mut lines: Vec<String> = document.lines().map(str::to_owned).collect();
    let (mut repeats, mut digits) = (false, 5);
    let mut played = 0;
    let parts = parts(&document);
    let begins = parts
        .iter()
        .find(|part| !matches!(part, Part::Block { .. }));
    let sets_stage = |part: &Part<'_>| matches!(part, Part::Direction(words) if words.len() > 1);
    if !begins.is_some_and(sets_stage) {
        stage.servers.insert(6379, Server::any());
    }
    for part in parts {
        match part {
            Part::Direction(words) if words == ["until"] => repeats = true,
            Part::Direction(words) if words == ["numbers"] => digits = 1,
            Part::Direction(words) => {
                if !stage.follow(&words) {
                    return;
                }
            }
            Part::Block { line, is_decision } => assert!(
                is_decision || other_blocks == OtherBlocks::Any,
                "line {}: a block that is neither a transcript nor a decision",
                line + 1
            ),
            Part::Transcript(steps) => {
                for step in &steps {
                    let shown = without(&step.output.join("\n"), digits);
                    let mut printed = stage.print(step);
                    let mut fits = || {
                        let fits = without(&printed, digits) == shown;
                        if !fits && repeats {
                            printed = stage.print(step);
                        }
                        fits
                    };
                    let fits = fits() || repeats && is_soon(fits);
                    assert!(
                        fits || writes,
                        "line {}: another answer to: {}\nit is\n{printed}",
                        step.line + 1,
                        step.typed
                    );
                    if !fits {
                        // Joined again below; the old output goes.
                        lines[step.line] = format!("{}\n{}", lines[step.line], printed.trim_end());
                        let old = step.line + 1..step.line + 1 + step.output.len();
                        lines[old].fill("\0".to_owned());
                    }
                    played += 1;
                }
                (repeats, digits) = (false, 5);
                if writes {
                    let lines = lines.iter().filter(|line| *line != "\0");
                    let text: String = lines.map(|line| format!("{line}\n")).collect();
                    std::fs::write(&path, text).expect("the document is written");
                }
            }
        }
    }
    assert!(played > 0, "the document has transcripts");
}
