//! A Redis Cluster on loopback, made and resharded by `redis-cli --cluster`: who its
//! nodes are, and who owns what.

use std::path::Path;
use std::process::Command;

use super::con::Con;
use super::server::{Server, may_start_servers, program};
use super::wait::wait_until;

/// What a test needs of every node. A replica stays with its primary, so that each
/// primary has one whatever is moved.
const NODE_ARGS: &str = "--cluster-enabled yes --cluster-allow-replica-migration no \
                         --appendonly yes --appendfsync everysec";

/// Nodes that form one cluster. Ends with the test, also a failing one.
pub struct Cluster {
    nodes: Vec<Server>,
    /// The node that was killed and has not been started again.
    down: Option<usize>,
}

/// One line of CLUSTER NODES.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub index: usize,
    pub id: String,
    pub is_primary: bool,
    /// The primary's id; `-` for a primary.
    follows: String,
    link_is_up: bool,
    /// First and last slot of each range.
    slots: Vec<(u16, u16)>,
}

impl Cluster {
    /// Three primaries with a replica each; `None` when servers must not be started.
    #[track_caller]
    pub fn make(node_timeout_ms: u32) -> Option<Cluster> {
        may_start_servers().then(|| Cluster::make_of(&program(), node_timeout_ms))
    }

    /// The same, of this server program.
    #[track_caller]
    pub fn make_of(program: &Path, node_timeout_ms: u32) -> Cluster {
        let args = format!("{NODE_ARGS} --cluster-node-timeout {node_timeout_ms}");
        let nodes = (0..6).map(|_| Server::own_of(program, &[&args]));
        let cluster = Cluster {
            nodes: nodes.collect(),
            down: None,
        };
        let mut words = vec!["create"];
        words.extend(cluster.nodes.iter().map(Server::address));
        words.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        cluster.cli(&words);
        cluster.settle();
        cluster
    }

    /// A connection to one node.
    #[track_caller]
    pub fn conn(&self, index: usize) -> Con {
        self.nodes[index].conn()
    }

    /// A node's port.
    pub fn port(&self, index: usize) -> u16 {
        self.nodes[index].port()
    }

    /// Where a client may begin.
    pub fn urls(&self) -> Vec<String> {
        let url = |node: &Server| format!("redis://{}/", node.address());
        self.nodes.iter().map(url).collect()
    }

    /// The nodes that run.
    pub fn alive(&self) -> Vec<usize> {
        let all = 0..self.nodes.len();
        all.filter(|index| Some(*index) != self.down).collect()
    }

    /// Runs `redis-cli --cluster` and returns what it printed.
    #[track_caller]
    pub fn cli(&self, words: &[&str]) -> String {
        let (succeeded, text) = run_cli(words);
        assert!(succeeded, "--cluster {}:\n{text}", words.join(" "));
        text
    }

    /// Moves slots, the lowest ones first, from one primary to another.
    #[track_caller]
    pub fn reshard(&self, from: usize, to: usize, slots: u32) {
        let (from_id, to_id) = (self.id(from), self.id(to));
        let at = self.nodes[from].address();
        let slots = slots.to_string();
        self.cli(&[
            "reshard",
            at,
            "--cluster-from",
            &from_id,
            "--cluster-to",
            &to_id,
            "--cluster-slots",
            &slots,
            "--cluster-yes",
        ]);
        self.settle();
    }

    /// Moves slots until each primary has as many as the others.
    #[track_caller]
    pub fn rebalance(&self) {
        let at = self.nodes[self.primaries()[0]].address();
        self.cli(&["rebalance", at, "--cluster-threshold", "1"]);
        self.settle();
    }

    /// Moves slots until one primary has none, and the others as many as each other.
    #[track_caller]
    pub fn rebalance_without(&self, primary: usize) {
        let at = self.nodes[primary].address();
        let weight = format!("{}=0", self.id(primary));
        self.cli(&["rebalance", at, "--cluster-weight", &weight]);
        self.settle();
    }

    #[track_caller]
    fn id(&self, index: usize) -> String {
        self.conn(index).text("CLUSTER MYID")
    }

    /// The cluster as one of its nodes sees it, ordered by node.
    #[track_caller]
    pub fn members(&self, seen_by: usize) -> Vec<Member> {
        let text = self.conn(seen_by).text("CLUSTER NODES");
        let mut members: Vec<Member> = text.lines().filter_map(|line| self.member(line)).collect();
        members.sort_by_key(|member| member.index);
        members
    }

    fn member(&self, line: &str) -> Option<Member> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, address, flags, follows, _, _, _, link, ref slots @ ..] = words[..] else {
            return None;
        };
        let address = address.split('@').next()?;
        let index = self.nodes.iter().position(|node| node.address() == address);
        let range = |word: &&str| {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            // `[93->-...` is about a slot on its way, not an owned one.
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        Some(Member {
            index: index?,
            id: id.to_owned(),
            is_primary: flags.contains("master"),
            follows: follows.to_owned(),
            link_is_up: link == "connected" && !flags.contains("fail"),
            slots: slots.iter().filter_map(range).collect(),
        })
    }

    /// The primaries that own slots, ordered by their lowest one.
    #[track_caller]
    pub fn primaries(&self) -> Vec<usize> {
        let members = self.members(self.alive()[0]);
        let mut owners: Vec<&Member> = members
            .iter()
            .filter(|member| !member.slots.is_empty())
            .collect();
        owners.sort_by_key(|member| member.slots[0]);
        owners.iter().map(|member| member.index).collect()
    }

    /// All that are not replicas, those without slots as well.
    #[track_caller]
    pub fn writable(&self) -> Vec<usize> {
        let members = self.members(self.alive()[0]);
        let primaries = members.iter().filter(|member| member.is_primary);
        primaries.map(|member| member.index).collect()
    }

    /// The replica of a primary.
    #[track_caller]
    pub fn replica_of(&self, primary: usize) -> usize {
        let members = self.members(primary);
        let id = &self.id(primary);
        let found = members.iter().find(|member| &member.follows == id);
        found.expect("a replica").index
    }

    /// The primary that owns a slot.
    #[track_caller]
    pub fn owner(&self, slot: u16) -> usize {
        let members = self.members(self.alive()[0]);
        let owns = |member: &&Member| {
            (member.slots.iter()).any(|range| (range.0..=range.1).contains(&slot))
        };
        members.iter().find(owns).expect("an owner").index
    }

    /// Waits until all running nodes agree on who is who, every slot is served, and
    /// every replica follows its primary.
    #[track_caller]
    pub fn settle(&self) {
        wait_until("the cluster is settled", || self.is_settled());
    }

    fn is_settled(&self) -> bool {
        let alive = self.alive();
        let view = self.members(alive[0]);
        let agree = alive.iter().all(|index| self.members(*index) == view);
        let up = |member: &&Member| alive.contains(&member.index);
        if !agree || view.len() != self.nodes.len() || !view.iter().filter(up).all(|m| m.link_is_up)
        {
            return false;
        }
        alive.iter().all(|index| {
            let mut con = self.conn(*index);
            let state = con.text("CLUSTER INFO");
            let serves = state.contains("cluster_state:ok")
                && state.contains("cluster_slots_assigned:16384");
            let member = view.iter().find(|member| member.index == *index);
            let follows = member.is_some_and(|member| member.is_primary)
                || con.info("replication", "master_link_status") == "up";
            serves && follows
        })
    }

    /// Ends a node's process at once.
    pub fn kill(&mut self, index: usize) {
        self.nodes[index].kill9();
        self.down = Some(index);
    }

    /// Starts the killed node again, with the files it left.
    #[track_caller]
    pub fn start_again(&mut self) {
        let index = self.down.take().expect("a killed node");
        self.nodes[index].start_again(&[]);
        self.settle();
    }

    /// Waits until a replica has taken its primary's place.
    #[track_caller]
    pub fn wait_for_promotion(&self, replica: usize) {
        wait_until("the replica is promoted", || {
            let role = self.conn(replica).info("replication", "role");
            role == "master" && self.primaries().contains(&replica)
        });
    }

    /// The sum of a counter of `INFO` over the running nodes: `name:12` or `name:count=12`.
    #[track_caller]
    pub fn sum(&self, section: &str, name: &str) -> u64 {
        let of = |index: usize| {
            let text = self.conn(index).info(section, name);
            let number = text.trim_start_matches("count=").split(',').next();
            number.and_then(|number| number.parse::<u64>().ok())
        };
        self.alive().into_iter().filter_map(of).sum()
    }
}

/// Runs the client of whichever server is installed; it speaks to either.
fn run_cli(words: &[&str]) -> (bool, String) {
    for program in ["redis-cli", "valkey-cli"] {
        let mut command = Command::new(program);
        let Ok(output) = command.arg("--cluster").args(words).output() else {
            continue;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let more = String::from_utf8_lossy(&output.stderr).into_owned();
        // Some mistakes are printed alone, and the status is that of success.
        let is_clean = !text.contains("[ERR]") && !text.contains("*** ");
        return (output.status.success() && is_clean, text + &more);
    }
    panic!("neither redis-cli nor valkey-cli is installed");
}
