//! What a figure means nothing without: the machine, the programs, the day.
//!
//! Edge: a fact that cannot be had is `?`.

use std::time::SystemTime;

use redis::Value;

use crate::link::{Link, pairs, string};

use super::http::Place;
use super::options::Options;

/// The commit this program was built from, where the build says so.
const COMMIT: Option<&str> = option_env!("FLASHSALE_COMMIT");

/// Returns the facts of a run on a server: names and values, in their order.
pub async fn facts(link: &Link, options: &Options) -> Vec<(&'static str, String)> {
    let target = match options.own {
        Some(_) => format!("{} of its own, with a replica", link.server),
        None => link.server.clone(),
    };
    let mut facts = vec![("target", format!("{target}, over RESP"))];
    facts.extend(of_server(link).await);
    facts.extend(of_load());
    facts
}

/// Returns the facts of a run through a gateway; `link` goes to the server behind it.
pub async fn facts_of_gateway(place: &Place, link: Option<&Link>) -> Vec<(&'static str, String)> {
    let mut facts = vec![("target", format!("{}, over HTTP", place.name))];
    if let Some(link) = link {
        facts.push(("behind it", link.server.clone()));
        facts.extend(of_server(link).await);
    }
    facts.extend(of_load());
    facts
}

async fn of_server(link: &Link) -> [(&'static str, String); 2] {
    [
        ("server", server(link).await),
        ("module", module(link).await),
    ]
}

fn of_load() -> [(&'static str, String); 3] {
    let program = format!(
        "flashsale {}, commit {}",
        env!("CARGO_PKG_VERSION"),
        COMMIT.filter(|commit| !commit.is_empty()).unwrap_or("?")
    );
    let day = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    [("load", program), ("machine", machine()), ("day", day)]
}

async fn server(link: &Link) -> String {
    let info = link.info("server").await.unwrap_or_default();
    let field = |name: &str| info.get(name).cloned();
    match (field("valkey_version"), field("redis_version")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, Some(version)) => format!("Redis {version}"),
        (None, None) => "?".into(),
    }
}

async fn module(link: &Link) -> String {
    let mut command = redis::cmd("MODULE");
    command.arg("LIST");
    let Ok(Value::Array(modules)) = link.ask(&command).await else {
        return "?".into();
    };
    let version = modules.iter().map(pairs).find_map(|facts| {
        let value = |name: &str| facts.iter().find(|(known, _)| known == name);
        (string(&value("name")?.1) == "flashsale").then_some(())?;
        match value("ver")?.1 {
            Value::Int(version) => Some(version),
            _ => None,
        }
    });
    // Two digits each for the last two parts.
    version.map_or("?".into(), |version| {
        format!(
            "flashsale {}.{}.{}",
            version / 10_000,
            version / 100 % 100,
            version % 100
        )
    })
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or("?".into(), |cores| cores.to_string());
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = processors.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "model name").then(|| value.trim().to_owned())
    });
    format!("{}, {cores} cores", name.unwrap_or_else(|| "?".into()))
}
