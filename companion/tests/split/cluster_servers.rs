//! Three primaries and three replicas on free ports of the loopback.

use std::time::Duration;

use crate::common::{Redis, free_port, module_path, wait_until};

/// A cluster.
pub struct Cluster {
    pub nodes: Vec<Redis>,
    arguments: Vec<Vec<String>>,
}

impl Cluster {
    pub fn start(primaries: usize, more: &[&str]) -> Self {
        let cluster = Self::without_replicas(primaries, primaries, more);
        for at in 0..primaries {
            let id: String = cluster.nodes[at].ask("CLUSTER MYID");
            cluster.nodes[primaries + at].ask::<String>(&format!("CLUSTER REPLICATE {id}"));
        }
        cluster.wait_until_whole();
        cluster
    }

    /// Primaries, and so many more nodes that have no slot.
    pub fn without_replicas(primaries: usize, others: usize, more: &[&str]) -> Self {
        let module = module_path();
        let (mut nodes, mut all) = (Vec::new(), Vec::new());
        for _ in 0..primaries + others {
            let bus = free_port().to_string();
            let mut arguments = vec!["--loadmodule", module.to_str().expect("a path")];
            arguments.extend(["--cluster-enabled", "yes", "--cluster-port", &bus]);
            arguments.extend(["--cluster-node-timeout", "2000"]);
            arguments.extend(["--cluster-require-full-coverage", "no"]);
            arguments.extend(more);
            nodes.push(Redis::start(&arguments));
            all.push(arguments.into_iter().map(str::to_owned).collect());
        }
        let cluster = Self {
            nodes,
            arguments: all,
        };
        let each = 16_384 / primaries;
        for at in 0..primaries {
            let last = if at + 1 == primaries {
                16_383
            } else {
                (at + 1) * each - 1
            };
            let line = format!("CLUSTER ADDSLOTSRANGE {} {last}", at * each);
            cluster.nodes[at].ask::<String>(&line);
            cluster.nodes[at].ask::<String>(&format!("CLUSTER SET-CONFIG-EPOCH {}", at + 1));
        }
        for node in &cluster.nodes[1..] {
            let bus = cluster.bus_of(0);
            node.ask::<String>(&format!(
                "CLUSTER MEET 127.0.0.1 {} {bus}",
                cluster.nodes[0].port
            ));
        }
        cluster.wait_until_all_know_all();
        cluster
    }

    fn bus_of(&self, at: usize) -> &str {
        let arguments = &self.arguments[at];
        let port = arguments
            .iter()
            .position(|one| one == "--cluster-port")
            .expect("a port");
        &arguments[port + 1]
    }

    fn wait_until_all_know_all(&self) {
        wait_until("all know all", || {
            self.nodes.iter().all(|node| {
                let info: String = node.ask("CLUSTER INFO");
                info.contains(&format!("cluster_known_nodes:{}\r", self.nodes.len()))
                    && info.contains("cluster_state:ok")
            })
        });
    }

    /// All slots are served, and each primary has its replica.
    pub fn wait_until_whole(&self) {
        wait_until("the cluster is whole", || {
            self.nodes.iter().all(|node| {
                let Ok(redis::Value::BulkString(info)) =
                    node.try_ask(redis::cmd("CLUSTER").arg("INFO"))
                else {
                    return false;
                };
                let info = String::from_utf8_lossy(&info).into_owned();
                let replication: String = node.ask("INFO replication");
                let is_linked = replication.contains("master_link_status:up")
                    || replication.contains("state=online");
                info.contains("cluster_state:ok") && is_linked
            })
        });
    }

    /// The URL of all nodes.
    pub fn url(&self) -> String {
        let places: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        format!("redis://{}", places.join(","))
    }

    /// Whether a node is a primary.
    pub fn leads(&self, at: usize) -> bool {
        let role = self.nodes[at].try_ask(&redis::cmd("ROLE"));
        role.is_ok_and(|role| format!("{role:?}").contains("master"))
    }

    pub fn primaries(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|at| self.leads(*at)).collect()
    }

    /// Kills a node, waits until another leads in its place, and starts it again.
    pub fn kill_and_restart(&mut self, at: usize, down: Duration) {
        self.nodes[at].kill();
        std::thread::sleep(down);
        let arguments: Vec<String> = self.arguments[at].clone();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.nodes[at].run(&arguments);
    }

    /// Moves a slot to another primary, as `redis-cli --cluster` does.
    pub fn move_slot(&self, slot: usize, to: usize) -> bool {
        let ids: Vec<String> = self
            .nodes
            .iter()
            .map(|node| node.ask("CLUSTER MYID"))
            .collect();
        let Some(from) = self.primaries().into_iter().find(|at| {
            let count = self.nodes[*at].try_ask(redis::cmd("CLUSTER").arg("SHARDS"));
            count.is_ok() && self.owns(*at, slot)
        }) else {
            return false;
        };
        if from == to || !self.leads(to) {
            return false;
        }
        let ok = |at: usize, line: String| {
            let mut words = line.split(' ');
            let mut command = redis::cmd(words.next().expect("a command"));
            words.for_each(|word| {
                command.arg(word);
            });
            self.nodes[at].try_ask(&command).is_ok()
        };
        if !ok(
            to,
            format!("CLUSTER SETSLOT {slot} IMPORTING {}", ids[from]),
        ) || !ok(
            from,
            format!("CLUSTER SETSLOT {slot} MIGRATING {}", ids[to]),
        ) {
            return false;
        }
        loop {
            let keys: Vec<String> =
                self.nodes[from].ask(&format!("CLUSTER GETKEYSINSLOT {slot} 10"));
            if keys.is_empty() {
                break;
            }
            let line = format!(
                "MIGRATE 127.0.0.1 {} \"\" 0 5000 KEYS {}",
                self.nodes[to].port,
                keys.join(" ")
            );
            let mut command = redis::cmd("MIGRATE");
            command
                .arg("127.0.0.1")
                .arg(self.nodes[to].port)
                .arg("")
                .arg(0)
                .arg(5_000);
            command.arg("KEYS").arg(&keys);
            assert!(self.nodes[from].try_ask(&command).is_ok(), "{line}");
        }
        // Nothing of it is lost if either dies now. WAIT would speak for its own connection alone.
        self.wait_for_replica_of(to);
        ok(to, format!("CLUSTER SETSLOT {slot} NODE {}", ids[to]))
            && ok(from, format!("CLUSTER SETSLOT {slot} NODE {}", ids[to]))
    }

    /// Waits until a replica has all that its primary has now.
    fn wait_for_replica_of(&self, at: usize) {
        let number = |text: &str, name: &str| -> Option<u64> {
            let rest = &text[text.find(name)? + name.len()..];
            rest.split(|one: char| !one.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        };
        let info = || self.nodes[at].ask::<String>("INFO replication");
        let offset = number(&info(), "master_repl_offset:");
        wait_until("the replica has it", || {
            let info = info();
            let line = info.lines().find(|line| line.starts_with("slave0:"));
            line.and_then(|line| number(line, ",offset=")) >= offset
        });
    }

    fn owns(&self, at: usize, slot: usize) -> bool {
        let rows: String = self.nodes[at].ask("CLUSTER NODES");
        let own = rows
            .lines()
            .find(|row| row.contains("myself"))
            .unwrap_or_default();
        own.split(' ').skip(8).any(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |text: &str| text.parse::<usize>().ok();
            match (number(first), number(last)) {
                (Some(first), Some(last)) => (first..=last).contains(&slot),
                _ => false,
            }
        })
    }
}
