//! A client of the cluster that reserves, pays, gives back and forgets, asks again
//! with the same ids until it is answered, and remembers every answer.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::cluster::{ClusterClient, ClusterConnection};
use redis::{Cmd, ConnectionLike, ErrorKind, RedisError, ServerErrorKind, Value};

use super::sale::{ITEMS, SaleName};
use crate::support::{Dice, render, unix_ms, wait_for, words_of};

/// Users of each sale.
pub const USERS: u64 = 60;
/// Longest of the reservations that are left to expire, in milliseconds.
const SHORT_MS: u64 = 400;
/// Of the reservations that must not, in milliseconds.
const LONG_MS: u64 = 900_000;
/// How long a waiting client waits for the replica, in milliseconds.
const WAIT_MS: u32 = 300;

/// What became of a reservation, as its buyer was told.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum State {
    Reserved,
    Expired,
    Released,
    Sold,
    Refunded,
}

/// One id, and every request that was made with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub sale: usize,
    pub id: String,
    /// In order. The same lines again serve the buyer again.
    pub lines: Vec<String>,
    pub state: State,
    pub is_short: bool,
    pub order_id: String,
    /// When the last answer came, in Unix milliseconds.
    pub answered_at_ms: u64,
    /// The last state that the replica was known to have.
    pub safe: Option<State>,
}

impl Entry {
    /// What it must be in when all deadlines that are near have passed.
    pub fn state_in_the_end(&self) -> State {
        match self.state {
            State::Reserved if self.is_short => State::Expired,
            state => state,
        }
    }
}

/// What happened to a request.
enum Step {
    Done,
    Refused,
    /// What was acknowledged before is unknown to the server.
    Lost,
}

pub struct Buyer {
    number: usize,
    /// Ids made.
    made: u64,
    dice: Dice,
    sales: Vec<SaleName>,
    client: ClusterClient,
    con: Option<ClusterConnection>,
    /// A client that asks once and follows no redirection: only then is a WAIT sent
    /// together with a request about that request.
    once: Option<(ClusterClient, Option<ClusterConnection>)>,
    /// Asynchronous replication may lose acknowledged changes.
    may_lose: bool,
    pub entries: Vec<Entry>,
    pub counts: BTreeMap<String, u64>,
}

impl Buyer {
    pub fn new(
        number: usize,
        dice: Dice,
        sales: &[SaleName],
        urls: &[String],
        (waits, may_lose): (bool, bool),
    ) -> Buyer {
        let build = |retries: u32| {
            ClusterClient::builder(urls.iter().map(String::as_str))
                .retries(retries)
                .min_retry_wait(5)
                .max_retry_wait(50)
                .connection_timeout(Duration::from_secs(5))
                .response_timeout(Duration::from_secs(15))
                .build()
                .expect("a client of the cluster")
        };
        Buyer {
            number,
            made: 0,
            dice,
            sales: sales.to_vec(),
            client: build(16),
            con: None,
            once: waits.then(|| (build(0), None)),
            may_lose,
            entries: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    /// Asks until there is an answer of the module, and returns its words.
    pub fn ask(&mut self, line: &str) -> Vec<String> {
        wait_for(line, || self.try_to_ask(line))
    }

    fn try_to_ask(&mut self, line: &str) -> Option<Vec<String>> {
        if self.con.is_none() {
            self.con = self.client.get_connection().ok();
        }
        let reply = self.con.as_mut()?.req_command(&command(line));
        match reply.and_then(Value::extract_error) {
            Ok(value) => Some(words(&value)),
            Err(error) => {
                assert!(passes(&error), "{line}: {error}");
                self.count(&format!("error: {:?}", error.kind()));
                self.con = None;
                None
            }
        }
    }

    /// Asks once, with a WAIT behind it; `None` when that was not answered.
    fn ask_and_wait(&mut self, line: &str) -> Option<(Vec<String>, bool)> {
        let (client, con) = self.once.as_mut()?;
        if con.is_none() {
            *con = client.get_connection().ok();
        }
        let mut bytes = command(line).get_packed_command();
        let wait = format!("WAIT 1 {WAIT_MS}");
        bytes.extend(command(&wait).get_packed_command());
        let replies = con.as_mut()?.req_packed_commands(&bytes, 0, 2);
        match replies.as_deref() {
            Ok([answer, Value::Int(replicas)]) if !matches!(answer, Value::ServerError(_)) => {
                Some((words(answer), *replicas >= 1))
            }
            _ => {
                *con = None;
                None
            }
        }
    }

    fn new_id(&mut self) -> String {
        self.made += 1;
        format!("b{}-{}", self.number, self.made)
    }

    /// One buyer, from the first request to the last.
    pub fn visit(&mut self) {
        let sale = self.dice.index(self.sales.len());
        let id = self.new_id();
        let is_short = self.dice.below(10) < 4;
        let plan = self.plan(sale, &id, is_short);
        self.serve(sale, id, is_short, plan);
    }

    /// Makes one reservation and remembers it.
    pub fn reserve(&mut self, sale: usize, hold_ms: u64) -> String {
        let id = self.new_id();
        let key = &self.sales[sale].key;
        let line = format!("RESERVE {key} marked ITEMS 1 a 1 ID {id} HOLD {hold_ms}");
        self.serve(sale, id.clone(), true, vec![line]);
        id
    }

    /// The requests of one buyer.
    fn plan(&mut self, sale: usize, id: &str, is_short: bool) -> Vec<String> {
        let SaleName { key, orders, .. } = &self.sales[sale];
        let dice = &mut self.dice;
        let qty = 1 + dice.below(3);
        let items = match dice.below(3) {
            0 => format!("ITEMS 2 {} {qty} {} 1", ITEMS[0].0, ITEMS[1].0),
            item => {
                let sku = ITEMS[item as usize - 1].0;
                format!("ITEMS 1 {sku} {qty}")
            }
        };
        let user = format!("u{}", dice.below(USERS));
        let hold_ms = if is_short {
            20 + dice.below(SHORT_MS - 20)
        } else {
            LONG_MS
        };
        let mut lines = Vec::new();
        let fate = dice.below(40);
        if !is_short && fate < 6 {
            lines.push(format!("BUY {key} {orders} {user} {items} ID {id} REF p"));
        } else {
            lines.push(format!(
                "RESERVE {key} {user} {items} ID {id} HOLD {hold_ms}"
            ));
        }
        if !is_short && fate % 8 == 7 {
            lines.push(format!("EXTEND {key} {id} {LONG_MS}"));
        }
        match fate {
            0..6 => {}
            6..26 if is_short => {}
            6..16 => lines.push(format!("RELEASE {key} {id}")),
            39 => return lines,
            _ => lines.push(format!("CHECKOUT {key} {orders} {id} REF p")),
        }
        let sells = |line: &String| line.starts_with("BUY") || line.starts_with("CHECKOUT");
        let is_sold = lines.iter().any(sells);
        if is_sold && !is_short && !fate.is_multiple_of(4) {
            lines.push(format!("REFUND {key} {orders} {id} RESTORELIMIT"));
        }
        lines
    }

    fn serve(&mut self, sale: usize, id: String, is_short: bool, plan: Vec<String>) {
        let mut entry = Entry {
            sale,
            id,
            lines: Vec::new(),
            state: State::Reserved,
            is_short,
            order_id: String::new(),
            answered_at_ms: 0,
            safe: None,
        };
        for line in plan {
            match self.request(&mut entry, &line, true) {
                Step::Done => entry.lines.push(line),
                // Nothing is remembered of a refusal.
                Step::Refused => return,
                Step::Lost => {
                    self.count("lost, and seen at once");
                    entry.lines.push(line);
                    if !self.serve_again(&mut entry) {
                        return;
                    }
                }
            }
            // Whoever was told that the time is over asks for nothing more.
            if entry.state == State::Expired {
                break;
            }
        }
        self.entries.push(entry);
    }

    /// Sends every request of a reservation again; false when it is refused now.
    pub fn serve_again(&mut self, entry: &mut Entry) -> bool {
        entry.safe = None;
        for line in entry.lines.clone() {
            if !matches!(self.request(entry, &line, false), Step::Done) {
                self.count("refused after a loss");
                return false;
            }
            if entry.state == State::Expired {
                break;
            }
        }
        self.count("served again after a loss");
        true
    }

    /// One request, now and then sent twice.
    fn request(&mut self, entry: &mut Entry, line: &str, is_first: bool) -> Step {
        let sent = format!("FLASHSALE.{line}");
        let answered = if is_first {
            self.ask_and_wait(&sent)
        } else {
            None
        };
        let (answer, is_safe) = answered.unwrap_or_else(|| (self.ask(&sent), false));
        let step = self.take_in(entry, line, &answer);
        if !matches!(step, Step::Done) {
            return step;
        }
        if is_safe {
            entry.safe = Some(entry.state);
        }
        if is_first && self.dice.below(8) == 0 {
            let again = self.ask(&sent);
            let is_same = again[..2] == answer[..2] && again[0] != "SOLD" || again == answer;
            let is_late = entry.is_short && again[0] == "EXPIRED";
            assert!(
                is_same || is_late || self.may_lose,
                "{line}: {answer:?}, then {again:?}"
            );
            return self.take_in(entry, line, &again);
        }
        Step::Done
    }

    /// Writes down what an answer says about a reservation.
    fn take_in(&mut self, entry: &mut Entry, line: &str, answer: &[String]) -> Step {
        let status = answer[0].as_str();
        self.count(status);
        let verb = line.split(' ').next().unwrap_or_default();
        entry.state = match (verb, status) {
            ("RESERVE" | "EXTEND", "RESERVED") => State::Reserved,
            ("RESERVE" | "EXTEND" | "CHECKOUT", "EXPIRED") if entry.is_short => State::Expired,
            ("CHECKOUT" | "BUY", "SOLD") => State::Sold,
            ("RELEASE", "RELEASED") => State::Released,
            ("REFUND", "REFUNDED") => State::Refunded,
            // Asked again after a loss: what was not lost is answered as it is.
            ("RESERVE" | "EXTEND", "SOLD") if self.may_lose => State::Sold,
            ("RESERVE" | "EXTEND" | "CHECKOUT" | "BUY", "REFUNDED") if self.may_lose => {
                State::Refunded
            }
            ("RESERVE" | "EXTEND", "RELEASED") if self.may_lose => State::Released,
            ("RESERVE" | "BUY", "SOLDOUT" | "ALLRESERVED" | "USERLIMIT") => return Step::Refused,
            (_, "NORESERVATION" | "NOTSOLD") if self.may_lose => {
                let least = if status == "NOTSOLD" {
                    State::Sold
                } else {
                    State::Reserved
                };
                assert!(entry.safe < Some(least), "{line}: {answer:?}: {entry:?}");
                return Step::Lost;
            }
            _ => panic!("{line}: {answer:?}: {entry:?}"),
        };
        if status == "SOLD" {
            answer[2].clone_into(&mut entry.order_id);
        }
        entry.answered_at_ms = unix_ms();
        Step::Done
    }
}

fn command(line: &str) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words_of(line));
    command
}

fn words(reply: &Value) -> Vec<String> {
    render(reply).split(' ').map(str::to_owned).collect()
}

/// Will it do to ask again?
fn passes(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io | ErrorKind::ClusterConnectionNotFound | ErrorKind::Client => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::TryAgain
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::ReadOnly
        ),
        _ => error.code() == Some("UNBLOCKED"),
    }
}
