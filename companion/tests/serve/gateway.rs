//! The program under test, and buyers who ask it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

use crate::common::{Process, Redis, signal, wait_until};

/// Starts a Redis with the sale `shoes`, which has these options.
pub fn sale(options: &str) -> Redis {
    let redis = Redis::with_module();
    redis.ask::<String>(&format!("FLASHSALE.CREATE shoes shoes:orders {options}"));
    redis
}

/// Runs `flashsale serve` to its end.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flashsale"))
        .arg("serve")
        .args(arguments)
        .output()
        .expect("flashsale")
}

/// A gateway to the sale `shoes` that runs.
pub struct Gateway {
    process: Process,
    log: PathBuf,
    folder: tempfile::TempDir,
    pub place: SocketAddr,
}

impl Gateway {
    pub fn start(redis_url: &str, more: &[&str]) -> Self {
        let ours = ["--sale", "shoes", "--orders", "shoes:orders"];
        Self::start_with(redis_url, &[&ours, more].concat())
    }

    pub fn start_with(redis_url: &str, arguments: &[&str]) -> Self {
        let program = env!("CARGO_BIN_EXE_flashsale").to_owned();
        Self::start_by(&[program], redis_url, arguments)
    }

    /// Starts it by a program that starts it, such as `taskset`.
    pub fn start_by(program: &[String], redis_url: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let child = Command::new(&program[0])
            .args(&program[1..])
            .arg("serve")
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("FLASHSALE_REDIS", redis_url)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("flashsale");
        let mut gateway = Self {
            process: Process(child),
            log,
            folder,
            place: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        wait_until("the gateway listens", || {
            let log = gateway.log();
            let place = log.split("http://").nth(1);
            let place = place.and_then(|rest| rest.split(',').next()?.parse().ok());
            let ended = gateway.process.0.try_wait().expect("its state");
            assert!(place.is_some() || ended.is_none(), "{log}");
            place.inspect(|place| gateway.place = *place).is_some()
        });
        gateway
    }

    /// Starts it again at the same place.
    pub fn restart(&mut self, redis_url: &str) {
        let place = self.place.to_string();
        // Whoever is still connected keeps the place taken for a moment.
        let arguments = [
            "--sale",
            "shoes",
            "--orders",
            "shoes:orders",
            "--listen",
            &place,
        ];
        let next = Self::start_with(redis_url, &arguments);
        *self = next;
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.place)
    }

    /// Kills it as a crash would; its place is free then.
    pub fn kill(&mut self) {
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
    }

    /// Ends it in order, and returns how.
    pub fn stop(mut self) -> (ExitStatus, String) {
        signal(self.pid(), "TERM");
        let status = self.process.0.wait().expect("its end");
        let log = self.log();
        drop(self.folder);
        (status, log)
    }

    /// Returns one of its numbers, summed over labels that contain a text.
    pub fn number(&self, name: &str, label: &str) -> f64 {
        let page = Buyer::nobody(self).get("/metrics").text;
        let lines = page.lines().filter(|line| {
            let name_of = line.split(['{', ' ']).next();
            name_of == Some(&format!("flashsale_serve_{name}")) && line.contains(label)
        });
        let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        lines.filter_map(value).sum()
    }
}

/// What a buyer is answered.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
    /// Null where the body is no JSON.
    pub body: Json,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(one, _)| one == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn answer(&self) -> &str {
        self.body["answer"].as_str().unwrap_or_default()
    }
}

/// One browser, as far as the gateway sees it.
#[derive(Clone)]
pub struct Buyer {
    agent: ureq::Agent,
    url: String,
    headers: Vec<(String, String)>,
}

impl Buyer {
    /// Returns a buyer without a cookie.
    pub fn nobody(gateway: &Gateway) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)));
        Self {
            agent: config.build().into(),
            url: gateway.url(),
            headers: Vec::new(),
        }
    }

    /// Returns a buyer who has looked at the page.
    pub fn new(gateway: &Gateway) -> Self {
        let nobody = Self::nobody(gateway);
        let page = nobody.get("/");
        let cookie = page.header("set-cookie").expect("a cookie");
        let cookie = cookie.split(';').next().expect("its value").to_owned();
        nobody.with("cookie", &cookie)
    }

    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut buyer = self.clone();
        buyer.headers.push((name.into(), value.into()));
        buyer
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None)
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None)
    }

    pub fn post(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, Some(body))
    }

    /// Reserves, with items as JSON.
    pub fn reserve(&self, key: &str, items: &str) -> Reply {
        let key = format!("{key:?}");
        let body = format!(r#"{{"items": {items}}}"#);
        self.with("idempotency-key", &key)
            .post("/reservations", &body)
    }

    /// Reserves, and waits in line where that is not possible at once.
    pub fn wait(&self, key: &str, items: &str) -> Reply {
        let body = format!(r#"{{"items": {items}, "wait": true}}"#);
        self.with("idempotency-key", key)
            .post("/reservations", &body)
    }

    pub fn pay(&self, id: &str, paid: &str) -> Reply {
        let body = format!(r#"{{"ref": "{paid}"}}"#);
        self.post(&format!("/reservations/{id}/payment"), &body)
    }

    /// Sends a request. Panics where there is no answer.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: Option<&str>) -> Reply {
        let reply = self.try_send(method, path, body);
        reply.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<Reply, ureq::Error> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body.unwrap_or_default().to_owned());
        let mut reply = self.agent.run(request.expect("a request"))?;
        let text = reply.body_mut().read_to_string()?;
        let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        };
        Ok(Reply {
            status: reply.status().as_u16(),
            headers: reply.headers().iter().map(header).collect(),
            body: serde_json::from_str(&text).unwrap_or(Json::Null),
            text,
        })
    }
}
