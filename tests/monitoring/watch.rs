//! The real redis_exporter and the real Prometheus over servers of a test, with the files of
//! `examples/monitoring` as they are, but for addresses and intervals.

use crate::files;
use crate::support::Server;
use crate::tools::{Tool, program};

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
        let targets: Vec<String> = servers
            .iter()
            .map(|server| format!("{:?}", server.address()))
            .collect();
        // The files as they are, but for addresses and patience.
        let config = files::PROMETHEUS
            .replace("\"redis:6379\"", &targets.join(", "))
            .replace("redis-exporter:9121", exporter.address())
            .replace("_interval: 5s", "_interval: 500ms");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("a file of Prometheus");
        };
        write("prometheus.yml", &config);
        write("rules.yml", files::RULES);
        let place = folder.path().display().to_string();
        let prometheus = Tool::start(&prometheus, folder.path(), |address| {
            vec![
                format!("--config.file={place}/prometheus.yml"),
                format!("--storage.tsdb.path={place}/data"),
                format!("--web.listen-address={address}"),
            ]
        });
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
