//! Two primaries and a replica of the second one: the smallest cluster in which a slot can
//! move to a server that is followed by another.

use std::path::{Path, PathBuf};

use redis::Value;

use crate::support::{Con, Server, may_start_servers, program, text_of, wait_for, wait_until};

/// The slot of `{s}`, and of all keys of these tests.
pub const SLOT: u16 = 3828;
/// What is moved: a sale, its stream, and a filter beside it.
pub const KEYS: &str = "{s} {s}:o {s}:f {s}:l";
/// A server that is started again is missed by nobody within this time, in milliseconds.
const NODE_TIMEOUT_MS: u32 = 8_000;

/// A program that moves whole slots: the one the tests run on, or the one that was fetched
/// for them. `None`, with a plain message, where there is neither.
pub fn mover() -> Option<PathBuf> {
    if !may_start_servers() {
        return None;
    }
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers");
    let fetched = fetched.join("valkey-9.1/valkey-server");
    let found = [program(), fetched]
        .into_iter()
        .find(|path| moves_slots(path));
    if found.is_none() {
        eprintln!("skipped: no Valkey 9 here; scripts/setup.sh servers fetches one");
    }
    found
}

fn moves_slots(program: &Path) -> bool {
    let told = std::process::Command::new(program)
        .arg("--version")
        .output();
    let told = told.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    told.is_ok_and(|text| {
        let version = text.split_once("Valkey server v=").map(|(_, rest)| rest);
        let major = version.and_then(|version| version.split('.').next());
        major.and_then(|major| major.parse().ok()) >= Some(9)
    })
}

pub struct Pair {
    pub source: Server,
    pub target: Server,
    /// Of the target.
    pub replica: Server,
}

impl Pair {
    /// Starts the three, with some more arguments.
    #[track_caller]
    pub fn start(program: &Path, more: &str) -> Pair {
        let args = format!(
            "--cluster-enabled yes --cluster-node-timeout {NODE_TIMEOUT_MS} --appendonly yes {more}"
        );
        let start = || Server::own_of(program, &[args.trim_end()]);
        let pair = Pair {
            source: start(),
            target: start(),
            replica: start(),
        };
        pair.meet();
        pair
    }

    pub fn servers(&self) -> [&Server; 3] {
        [&self.source, &self.target, &self.replica]
    }

    #[track_caller]
    fn meet(&self) {
        let (mut source, mut target) = (self.source.conn(), self.target.conn());
        for (epoch, server) in self.servers().into_iter().enumerate() {
            let line = format!("CLUSTER SET-CONFIG-EPOCH {}", epoch + 1);
            server.conn().says(&line, "OK");
        }
        source.says("CLUSTER ADDSLOTSRANGE 0 8191", "OK");
        target.says("CLUSTER ADDSLOTSRANGE 8192 16383", "OK");
        for server in [&self.target, &self.replica] {
            let bus = server
                .conn()
                .field("CONFIG GET cluster-port", "cluster-port");
            let bus = bus.trim_matches('"');
            let line = format!("CLUSTER MEET 127.0.0.1 {} {bus}", server.port());
            source.says(&line, "OK");
        }
        let primary = id(&mut target);
        let mut replica = self.replica.conn();
        wait_until("the replica knows its primary", || {
            replica.show(&format!("CLUSTER REPLICATE {primary}")) == "OK"
        });
        self.settle();
    }

    /// Waits until every slot is served, as all of them see it, and the replica follows.
    #[track_caller]
    pub fn settle(&self) {
        for server in self.servers() {
            let mut con = server.conn();
            wait_until("the cluster is settled", || {
                let told = con.text("CLUSTER INFO");
                told.contains("cluster_state:ok")
                    && told.contains("cluster_slots_ok:16384")
                    && told.contains("cluster_known_nodes:3")
            });
        }
        let mut replica = self.replica.conn();
        wait_until("the replica follows", || {
            replica.info("replication", "master_link_status") == "up"
        });
    }

    /// Lets no migration come to its hand-over, or lets all go on.
    #[track_caller]
    pub fn hold_still(&self, is_still: bool) {
        for server in self.servers() {
            let line = format!("DEBUG SLOTMIGRATION PREVENT-PAUSE {}", u8::from(is_still));
            server.conn().says(&line, "OK");
        }
    }

    /// Moves the slot to the target.
    #[track_caller]
    pub fn migrate(&self) {
        let to = id(&mut self.target.conn());
        let line = format!("CLUSTER MIGRATESLOTS SLOTSRANGE {SLOT} {SLOT} NODE {to}");
        self.source.conn().says(&line, "OK");
    }

    /// Waits until some servers hold the same.
    #[track_caller]
    pub fn are_equal(servers: &[&Server]) {
        let mut cons: Vec<Con> = servers.iter().map(|server| server.conn()).collect();
        wait_until("they are equal", || {
            let digests: Vec<String> = cons.iter_mut().map(|con| con.digest(KEYS)).collect();
            digests.windows(2).all(|pair| pair[0] == pair[1])
        });
    }
}

/// A node's id.
#[track_caller]
pub fn id(con: &mut Con) -> String {
    con.text("CLUSTER MYID")
}

/// One field of the newest import or export of a server; empty when it has none.
#[track_caller]
pub fn job(con: &mut Con, operation: &str, field: &str) -> String {
    let Value::Array(jobs) = con.run("CLUSTER GETSLOTMIGRATIONS") else {
        panic!("a list of migrations")
    };
    let told = |job: &Value, name: &str| {
        let Value::Array(flat) = job else {
            panic!("a migration")
        };
        let mut pairs = flat.chunks(2);
        let found = pairs.find(|pair| text_of(&pair[0]) == name);
        found.map(|pair| text_of(&pair[1])).unwrap_or_default()
    };
    let found = jobs.iter().find(|job| told(job, "operation") == operation);
    found.map(|job| told(job, field)).unwrap_or_default()
}

/// Waits until the newest import or export of a server has come to a state.
#[track_caller]
pub fn wait_for_job(con: &mut Con, operation: &str, state: &str) {
    wait_for(&format!("the {operation} is {state}"), || {
        let found = job(con, operation, "state");
        let is_over = ["success", "failed", "cancelled"].contains(&found.as_str());
        assert!(
            !is_over || found == state,
            "{}",
            job(con, operation, "message")
        );
        (found == state).then_some(())
    });
}

/// Is there a key of this name here? Asked beside the cluster, which would send us on.
#[track_caller]
pub fn has_key(con: &mut Con, key: &str) -> bool {
    !con.show(&format!("DEBUG OBJECT {key}"))
        .contains("no such key")
}
