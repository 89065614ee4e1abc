//! The files of `examples/monitoring`, and which names stand in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use redis::Value;
use serde_json::Value as Json;

use crate::support::{Con, text_of};

pub const SCRIPT: &str = include_str!("../../../examples/monitoring/flashsale.lua");
pub const PROMETHEUS: &str = include_str!("../../../examples/monitoring/prometheus.yml");
pub const RULES: &str = include_str!("../../../examples/monitoring/rules.yml");
pub const WORKER_RULES: &str = include_str!("../../../examples/monitoring/worker_rules.yml");
pub const SERVE_RULES: &str = include_str!("../../../examples/monitoring/serve_rules.yml");
pub const RULES_TEST: &str = include_str!("../../../examples/monitoring/rules_test.yml");
pub const PAGE: &str = include_str!("../../../docs/operating/monitoring.md");
const DASHBOARD: &str = include_str!("../../../examples/monitoring/dashboard.json");

/// Labels that have a fixed set of values, told by the script or the server.
pub const CLOSED_LABELS: [&str; 4] = ["outcome", "code", "cmd", "state"];

/// The folder of the files.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/monitoring")
}

pub fn dashboard() -> Json {
    serde_json::from_str(DASHBOARD).expect("dashboard.json is JSON")
}

/// The panels that show something, rows left out.
pub fn panels(dashboard: &Json) -> Vec<&Json> {
    let panels = dashboard["panels"].as_array().expect("panels");
    let shown = panels.iter().filter(|panel| panel["type"] != "row");
    shown.collect()
}

/// Every query of the dashboard with the title of its panel, for all servers and sales.
pub fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let mut queries = Vec::new();
    for panel in panels(&dashboard) {
        for target in panel["targets"].as_array().expect("targets") {
            let query = target["expr"].as_str().expect("a query");
            let query = query
                .replace("$instance", ".+")
                .replace("$sale", ".+")
                .replace("$__rate_interval", "1m");
            queries.push((panel["title"].to_string(), query));
        }
    }
    queries
}

/// Everything that asks Prometheus for something: the rules without their comments, and
/// the queries of the dashboard.
pub fn asking() -> String {
    let lines = RULES.lines();
    let mut text: Vec<String> = lines
        .filter(|line| !line.trim_start().starts_with('#') && !line.contains("summary:"))
        .map(str::to_owned)
        .collect();
    text.extend(queries().into_iter().map(|(_, query)| query));
    text.join("\n")
}

/// The names in a text that begin so: `flashsale_`, `flashsale:`, `redis_`.
pub fn names(text: &str, prefix: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let words = text.split(|letter| !is_part(letter));
    let named = words.filter(|word| word.starts_with(prefix));
    named.map(str::to_owned).collect()
}

/// The names that recording rules give.
pub fn recorded() -> Vec<&'static str> {
    let lines = RULES.lines().map(str::trim_start);
    lines
        .filter_map(|line| line.strip_prefix("- record: "))
        .collect()
}

/// Which values of a label are asked for: `outcome="sold"`, `outcome=~"paused|ended"`.
pub fn values_asked(text: &str, label: &str) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    for operator in ["=", "!=", "=~", "!~"] {
        let opening = format!("{label}{operator}\"");
        for (at, _) in text.match_indices(&opening) {
            let (list, _) = text[at + opening.len()..].split_once('"').expect("its end");
            values.extend(list.split('|').map(str::to_owned));
        }
    }
    values
}

/// A metric that the script tells: `flashsale_sale_sold{sale="tea"}`.
pub struct Told {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub number: f64,
}

/// Runs the script as the exporter does.
#[track_caller]
pub fn told(con: &mut Con) -> Vec<Told> {
    told_by(con, SCRIPT)
}

/// Runs the script with sales named in it: `'tea', 'coffee'`.
#[track_caller]
pub fn told_of(con: &mut Con, sales: &str) -> Vec<Told> {
    let named = SCRIPT.replace("local SALES = {}", &format!("local SALES = {{{sales}}}"));
    assert_ne!(named, SCRIPT, "the script names sales so");
    told_by(con, &named)
}

#[track_caller]
fn told_by(con: &mut Con, script: &str) -> Vec<Told> {
    let reply = con.run_words(&[b"EVAL", script.as_bytes(), b"0", b"0"]);
    let Value::Array(flat) = &reply else {
        panic!("the script: {}", crate::support::render(&reply));
    };
    let metric = |pair: &[Value]| {
        let key = text_of(&pair[0]);
        let (name, labels) = key.split_once('{').unwrap_or((&key, ""));
        // A label's value has no quote in it.
        let parts: Vec<&str> = labels.split('"').collect();
        let pairs = parts.chunks_exact(2);
        Told {
            name: name.to_owned(),
            labels: pairs
                .map(|pair| {
                    let label = pair[0].trim_matches([',', '=']);
                    (label.to_owned(), pair[1].to_owned())
                })
                .collect(),
            number: text_of(&pair[1]).parse().expect("a number"),
        }
    };
    flat.chunks(2).map(metric).collect()
}

/// One of them.
#[track_caller]
pub fn number(told: &[Told], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let fits = |metric: &&Told| {
        let mut pairs = labels.iter();
        metric.name == name
            && metric.labels.len() == labels.len()
            && pairs.all(|(label, value)| metric.labels.get(*label).is_some_and(|is| is == value))
    };
    told.iter().find(fits).map(|metric| metric.number)
}

/// The sales that were told of.
pub fn sales(told: &[Told]) -> BTreeSet<&str> {
    let named = told.iter().filter_map(|metric| metric.labels.get("sale"));
    named.map(String::as_str).collect()
}

/// The first cells of the page's tables, split into the names in them, each with the
/// cells that follow.
pub fn documented(heading: &str) -> Vec<(String, Vec<String>)> {
    let (_, rest) = PAGE.split_once(heading).expect("the section");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut found = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let rest: Vec<String> = cells[1..].iter().map(|cell| (*cell).to_owned()).collect();
        let names = cells[0].split('`').skip(1).step_by(2);
        found.extend(names.map(|name| (name.to_owned(), rest.clone())));
    }
    found
}

/// The line with which the page makes the exporter's user.
pub fn acl_line() -> &'static str {
    let (_, rest) = PAGE.split_once("> ACL SETUSER ").expect("the page's user");
    rest.lines().next().expect("the rest of the line")
}
