//! Three Sentinels that watch one primary, impatient ones: what takes them minutes by
//! default takes them a second here.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::con::Con;
use super::load::Found;
use super::server::{Server, connect, free_port};
use super::wait::wait_until;

/// Without a pong for this long a server is taken for dead.
const DOWN_AFTER_MS: u32 = 1000;

/// How often Sentinels look, in milliseconds. The last is how late one of them may run
/// before it stops trusting its clock, for half a minute: a busy machine is late.
const PACE: &str = "info-period 200 publish-period 200 ask-period 200 ping-period 200 \
     min-link-reconnect-period 1000 slave-reconf-timeout 2000 tilt-trigger 20000";

struct Sentinel {
    child: Child,
    port: u16,
    _folder: TempDir,
}

/// Ends with the test.
pub struct Sentinels(Vec<Sentinel>);

impl Sentinels {
    /// Watches the primary at a port of this machine, and waits until all three know
    /// each other and its replicas.
    #[track_caller]
    pub fn watch(port: u16, replicas: usize) -> Sentinels {
        let sentinels = Sentinels((0..3).map(|_| launch(port)).collect());
        for sentinel in &sentinels.0 {
            wait_until("the sentinel knows all of them", || {
                let Some(mut con) = connect(&address(sentinel.port), false) else {
                    return false;
                };
                con.run(&format!("SENTINEL DEBUG {PACE}"));
                let known = con.map("SENTINEL MASTER shop");
                let tells = |name: &str, value: String| {
                    let value = format!("\"{value}\"");
                    known
                        .iter()
                        .any(|(field, told)| field == name && *told == value)
                };
                tells("num-slaves", replicas.to_string())
                    && tells("num-other-sentinels", "2".to_owned())
                    && known
                        .iter()
                        .any(|(name, told)| name == "flags" && told == "master")
            });
        }
        sentinels
    }

    /// Something that finds the primary as a client does, and asks it whether it is one.
    pub fn guide(&self) -> impl Fn() -> Found + Clone + Send + 'static {
        let ports: Vec<u16> = self.0.iter().map(|sentinel| sentinel.port).collect();
        move || {
            let Some(mut con) = primary(&ports).and_then(|place| connect(&place, false)) else {
                return Found::NotNow;
            };
            match is_primary(&mut con) {
                true => Found::Primary(con),
                false => Found::NotNow,
            }
        }
    }

    /// The port of the first of them.
    pub fn port(&self) -> u16 {
        self.0[0].port
    }

    /// The port all of them take for the primary's.
    pub fn agreed_port(&self) -> Option<u16> {
        let mut told = self.0.iter().map(|sentinel| primary(&[sentinel.port]));
        let first = told.next()??;
        told.all(|other| other.as_ref() == Some(&first))
            .then(|| first.rsplit(':').next()?.parse().ok())?
    }
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        for sentinel in &mut self.0 {
            let _ = sentinel.child.kill();
            let _ = sentinel.child.wait();
        }
    }
}

/// Something that finds the primary among servers that no Sentinel watches.
pub fn guide_among(servers: &[&Server]) -> impl Fn() -> Found + Clone + Send + 'static {
    let places: Vec<String> = servers.iter().map(|one| one.address().to_owned()).collect();
    move || {
        let mut found = places.iter().filter_map(|place| connect(place, false));
        let found = found.find_map(|mut con| is_primary(&mut con).then_some(con));
        found.map_or(Found::NotNow, Found::Primary)
    }
}

/// Something that finds one server for as long as it lives.
pub fn guide_to(server: &Server) -> impl Fn() -> Found + Clone + Send + 'static {
    let place = server.address().to_owned();
    move || connect(&place, false).map_or(Found::Gone, Found::Primary)
}

/// A connection, or none where there is no server just now, or one that closes it.
pub fn dial(server: &Server) -> Option<Con> {
    connect(server.address(), false)
}

fn is_primary(con: &mut Con) -> bool {
    let told = redis::cmd("INFO")
        .arg("replication")
        .query::<String>(&mut con.inner);
    told.is_ok_and(|text| text.contains("role:master"))
}

/// Where the first sentinel that answers says the primary is.
fn primary(ports: &[u16]) -> Option<String> {
    let mut told = ports
        .iter()
        .filter_map(|port| connect(&address(*port), false));
    told.find_map(|mut con| {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg("shop");
        let (host, port) = ask.query::<(String, u16)>(&mut con.inner).ok()?;
        Some(format!("{host}:{port}"))
    })
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn launch(primary_port: u16) -> Sentinel {
    let folder = tempfile::Builder::new().prefix("flashsale-test-").tempdir();
    let folder = folder.expect("a folder for the sentinel");
    let port = free_port();
    let settings = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nlogfile log\n\
         sentinel monitor shop 127.0.0.1 {primary_port} 2\n\
         sentinel down-after-milliseconds shop {DOWN_AFTER_MS}\n\
         sentinel failover-timeout shop 4000\nsentinel parallel-syncs shop 2\n",
        folder.path().display()
    );
    let path = folder.path().join("sentinel.conf");
    std::fs::write(&path, settings).expect("its settings");
    let program = std::env::var("FLASHSALE_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let mut command = Command::new(&program);
    command
        .arg(&path)
        .arg("--sentinel")
        .current_dir(folder.path());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Sentinel {
        child: command
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}")),
        port,
        _folder: folder,
    }
}
