//! The real redis_exporter and the real Prometheus over servers of a test, with the files of
//! `examples/monitoring` as they are, but for addresses and intervals.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

use super::files;
use super::tools::{Tool, program};
use crate::support::Server;

const EXPORTERS: [&str; 2] = ["redis_exporter", "prometheus-redis-exporter"];

/// redis_exporter and Prometheus, looking at some servers.
pub struct Watch {
    pub prometheus: Tool,
    _exporter: Tool,
    _folder: tempfile::TempDir,
}

impl Watch {
    /// Starts both; `None`, with a plain message, where one is not installed.
    #[track_caller]
    pub fn over(servers: &[&Server]) -> Option<Watch> {
        let exporter = program(&EXPORTERS);
        let prometheus = program(&["prometheus"]);
        let (Some(exporter), Some(prometheus)) = (exporter, prometheus) else {
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let script = files::folder().join("flashsale.lua").display().to_string();
        let exporter = Tool::start(&exporter, folder.path(), |address| {
            let fixed = ["--redis.addr=", "--redis.user=monitor"];
            let mut args = fixed.map(str::to_owned).to_vec();
            args.push("--redis.password=secret".to_owned());
            args.push("--include-system-metrics".to_owned());
            args.push(format!("--script={script}"));
            args.push(format!("--web.listen-address={address}"));
            args
        });
        let targets: Vec<&str> = servers.iter().map(|server| server.address()).collect();
        let prometheus = scraping(&prometheus, folder.path(), &targets, exporter.address());
        Some(Watch {
            prometheus,
            _exporter: exporter,
            _folder: folder,
        })
    }

    /// The state of an alert: inactive, pending or firing.
    #[track_caller]
    pub fn state(&self, name: &str) -> String {
        let rules = self.prometheus.rules();
        let rule = rules.iter().find(|rule| rule["name"] == name);
        let rule = rule.unwrap_or_else(|| panic!("no rule {name}"));
        rule["state"].as_str().unwrap_or_default().to_owned()
    }
}

/// Starts Prometheus with the files as they are, but for addresses and patience.
#[track_caller]
pub fn scraping(program: &Path, folder: &Path, targets: &[&str], exporter: &str) -> Tool {
    let quoted: Vec<String> = targets.iter().map(|target| format!("{target:?}")).collect();
    let config = files::PROMETHEUS
        .replace("\"redis:6379\"", &quoted.join(", "))
        .replace("redis-exporter:9121", exporter)
        .replace("_interval: 5s", "_interval: 500ms");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).expect("a file of Prometheus");
    };
    write("prometheus.yml", &config);
    write("rules.yml", files::RULES);
    write("worker_rules.yml", files::WORKER_RULES);
    write("serve_rules.yml", files::SERVE_RULES);
    let place = folder.display().to_string();
    Tool::start(program, folder, |address| {
        vec![
            format!("--config.file={place}/prometheus.yml"),
            format!("--storage.tsdb.path={place}/data"),
            format!("--web.listen-address={address}"),
        ]
    })
}

/// Answers every request with this page, as long as the test runs; returns its address.
pub fn serve(page: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // The whole request, else the answer is reset on its way.
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n";
            let _ = stream.write_all(format!("{head}{page}").as_bytes());
        }
    });
    address
}
