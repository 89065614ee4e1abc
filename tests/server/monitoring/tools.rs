//! redis_exporter, Prometheus and its promtool, where they are installed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

use crate::support::wait_for;

/// Shows a line also when the test passes.
pub fn tell(line: &str) {
    writeln!(std::io::stderr(), "monitoring: {line}").expect("stderr");
}

/// The first of these programs that is on the path; `None`, with a plain message, when
/// none is.
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let places = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = places.into_iter().find(|place| place.is_file());
    if found.is_none() {
        tell(&format!("SKIPPED: no {} is installed", names.join(" or ")));
    }
    found
}

/// A program that serves HTTP. Ends with the test.
pub struct Tool {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Tool {
    /// Starts it on a free port, with what `args` makes of its address, and waits until
    /// it answers.
    #[track_caller]
    pub fn start(program: &Path, folder: &Path, args: impl Fn(&str) -> Vec<String>) -> Tool {
        // Another process may take the port between our look and the start.
        for _ in 0..10 {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("its address").to_string();
            drop(listener);
            let log = folder.join(format!("log-{}", address.replace(':', "-")));
            let file = std::fs::File::create(&log).expect("a log");
            let child = Command::new(program)
                .args(args(&address))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(file)
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
            let mut tool = Tool {
                child,
                address,
                log,
            };
            let is_up = wait_for("it answers", || {
                let has_ended = tool.child.try_wait().expect("its state").is_some();
                let answers = tool.get("/-/ready").is_some();
                (has_ended || answers).then_some(answers)
            });
            if is_up {
                return tool;
            }
            let told = tool.log();
            assert!(
                told.contains("address already in use"),
                "it did not start:\n{told}"
            );
        }
        panic!("no free port");
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The body of what it answers; `None` when it does not, or not yet.
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).ok()?;
        // With 1.0 the body ends with the connection, and comes in one piece.
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let is_unavailable = head.split(' ').nth(1) == Some("503");
        (!is_unavailable).then(|| body.to_owned())
    }

    /// What Prometheus's API answers.
    #[track_caller]
    pub fn api(&self, path: &str) -> Json {
        let body = self.get(&format!("/api/v1/{path}")).expect("an answer");
        let json: Json = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path}: {body}"));
        assert_eq!(json["status"], "success", "{path}: {body}");
        json["data"].clone()
    }

    /// How many series a query finds now.
    #[track_caller]
    pub fn finds(&self, query: &str) -> usize {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let found = self.api(&format!("query?query={encoded}"));
        found["result"].as_array().map_or(0, Vec::len)
    }

    /// The values of a label.
    #[track_caller]
    pub fn values(&self, label: &str) -> Vec<String> {
        let values = self.api(&format!("label/{label}/values"));
        let values = values.as_array().expect("a list").iter();
        values
            .map(|value| value.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Every rule, as Prometheus tells of it.
    #[track_caller]
    pub fn rules(&self) -> Vec<Json> {
        let groups = self.api("rules")["groups"].clone();
        let groups = groups.as_array().expect("groups").iter();
        groups
            .flat_map(|group| group["rules"].as_array().expect("rules").clone())
            .collect()
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- its log ---\n{}", self.log());
        }
    }
}

/// Runs a program to its end, and asserts that it is content.
#[track_caller]
pub fn run(program: &Path, folder: &Path, args: &[&str]) {
    let output = Command::new(program)
        .current_dir(folder)
        .args(args)
        .stdin(Stdio::null())
        .output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(output.status.success(), "{}: {told}", args.join(" "));
}
