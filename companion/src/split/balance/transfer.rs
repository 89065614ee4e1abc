//! One server's part of a round's transfers: what the rules say, on one connection.

use std::io::Error;
use std::time::Duration;

use redis::Value;

use crate::link::{Address, pairs, string};
use crate::split::names::Names;
use crate::split::rules::transfer::{Ask, File, Give, Take, Transfer};
use crate::split::shares::{given, ulid_text};
use crate::split::topology;
use crate::split::wire::Wire;

use super::server;

/// How long WAIT and WAITAOF wait, in milliseconds. Files are flushed once a second.
const WAIT_MS: &str = "200";
const WAITAOF_MS: &str = "1100";
/// A longer silence is a broken connection.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// What a GIVE is made of, as text.
struct Words {
    key: String,
    from: String,
    to: String,
    sku: String,
}

/// What it takes to carry out a transfer.
pub struct Mover {
    /// The place among the servers.
    pub server: usize,
    /// The connection of the last transfer.
    pub wire: Option<Wire>,
    place: (String, u16),
    address: Address,
    /// One for each GIVE.
    words: Vec<Words>,
    /// The slots of the givers.
    slots: Vec<usize>,
    /// Replicas, where no topology says so.
    replicas: Option<u64>,
}

/// A transfer at its end.
pub struct Moved {
    pub server: usize,
    pub wire: Option<Wire>,
    pub takes: Vec<Take>,
    /// Pairs that were asked to give.
    pub asked: usize,
    /// Why nothing may be taken, in words.
    pub unconfirmed: Option<String>,
}

impl Mover {
    /// Makes what it takes for the gifts of one server, on a connection of its own.
    pub fn new(
        address: &Address,
        server: &str,
        names: &Names,
        gives: &[Give],
        sku: impl Fn(usize) -> String,
        replicas: Option<u64>,
    ) -> Self {
        let (host, port) = server.rsplit_once(':').unwrap_or_default();
        let words = |give: &Give| Words {
            key: names.parts[give.from].key.clone(),
            from: ulid_text(give.from_share),
            to: ulid_text(give.to_share),
            sku: sku(give.item),
        };
        Self {
            server: 0,
            wire: None,
            place: (host.to_owned(), port.parse().unwrap_or(6_379)),
            address: address.clone(),
            words: gives.iter().map(words).collect(),
            slots: gives
                .iter()
                .map(|give| names.parts[give.from].slot)
                .collect(),
            replicas,
        }
    }

    /// Carries it out.
    pub async fn run(mut self, gives: Vec<Give>, enough: Option<u64>) -> Moved {
        let asked = gives.len();
        let mut transfer = Transfer::new(gives, enough);
        let mut why = "its parts gave nothing".to_owned();
        let mut is_confirmed = false;
        let mut wire = match self.wire.take() {
            Some(wire) => Some(wire),
            None => {
                let (host, port) = &self.place;
                let opened = server::open(&self.address, host, *port, PATIENCE).await;
                opened.map_err(|text| why = text).ok()
            }
        };
        let mut takes = Vec::new();
        while let Some(open) = &mut wire {
            let step = match transfer.next() {
                Ask::Take(list) => {
                    (takes, is_confirmed) = (list, true);
                    break;
                }
                Ask::Nothing => break,
                Ask::Give(_) => self.give(open, &mut transfer).await,
                Ask::Copies => self.copies(open, &mut transfer, &mut why).await,
                Ask::Wait { replicas } => wait(open, &mut transfer, replicas, &mut why).await,
                Ask::WaitFile => wait_file(open, &mut transfer, &mut why).await,
            };
            if let Err(error) = step {
                why = error.to_string();
                transfer.broken();
                wire = None;
            }
        }
        Moved {
            server: self.server,
            wire,
            unconfirmed: (!is_confirmed).then_some(why),
            takes,
            asked,
        }
    }

    async fn give(&self, wire: &mut Wire, transfer: &mut Transfer) -> Result<(), Error> {
        let Ask::Give(gives) = transfer.next() else {
            return Ok(());
        };
        for (give, words) in gives.iter().zip(&self.words) {
            let total = give.total.to_string();
            let line = [
                "FLASHSALE.GIVE",
                &words.key,
                &words.from,
                &words.to,
                &total,
                "SKU",
                &words.sku,
                "MOST",
                "CONFIRM",
            ];
            wire.push(&line.map(str::as_bytes));
        }
        wire.flush().await?;
        let mut totals = Vec::with_capacity(self.words.len());
        for _ in &self.words {
            totals.push(wire.read(given).await?);
        }
        transfer.given(totals);
        Ok(())
    }

    /// Asks the topology after the GIVE: whoever was a replica then counts.
    async fn copies(
        &self,
        wire: &mut Wire,
        transfer: &mut Transfer,
        why: &mut String,
    ) -> Result<(), Error> {
        let is_cluster = self.replicas.is_none();
        if is_cluster {
            wire.push(&[b"CLUSTER", b"SHARDS"]);
            wire.push(&[b"CLUSTER", b"MYID"]);
        }
        wire.push(&[b"CONFIG", b"GET", b"append*"]);
        wire.push(&[b"COMMAND", b"INFO", b"WAITAOF"]);
        wire.flush().await?;
        let mut named = self.replicas;
        if is_cluster {
            let shards = topology::shards(&wire.answer().await?, false);
            let own = string(&wire.answer().await?);
            let mut ours = shards.iter().filter(|shard| shard.primary_id == own);
            let shard = ours.next();
            let has_all = |shard: &&topology::Shard| self.slots.iter().all(|slot| shard.has(*slot));
            named = shard.filter(has_all).map(|shard| shard.replicas);
            if named.is_none() {
                "the topology does not name it as the primary".clone_into(why);
            }
        }
        let settings = wire.answer().await?;
        let file = file_of(&settings, &wire.answer().await?);
        if file == File::None {
            "there is no append only file that is flushed: appendonly yes, and appendfsync \
             everysec or always"
                .clone_into(why);
        }
        transfer.named(named, file);
        Ok(())
    }
}

fn file_of(settings: &Value, waitaof: &Value) -> File {
    let settings = pairs(settings);
    let setting = |name: &str| crate::link::field(&settings, name).map(string);
    let knows_waitaof = match waitaof {
        Value::Array(rows) => rows.first().is_some_and(|row| *row != Value::Nil),
        // No right to ask: WAITAOF itself will say.
        _ => true,
    };
    let unknown = if knows_waitaof {
        File::Waited
    } else {
        File::Unasked
    };
    match (
        setting("appendonly").as_deref(),
        setting("appendfsync").as_deref(),
    ) {
        (Some("no"), _) | (_, Some("no")) => File::None,
        (Some(_), Some("always")) => File::Always,
        (Some(_), _) => unknown,
        // No right to CONFIG: only WAITAOF can tell.
        (None, _) if knows_waitaof => File::Waited,
        (None, _) => File::None,
    }
}

async fn wait(
    wire: &mut Wire,
    transfer: &mut Transfer,
    replicas: u64,
    why: &mut String,
) -> Result<(), Error> {
    let needed = replicas.to_string();
    let answer = wire
        .ask(&[b"WAIT", needed.as_bytes(), WAIT_MS.as_bytes()])
        .await?;
    let have = number(&answer);
    if have < replicas {
        *why = format!("{have} of {replicas} replicas have it");
    }
    transfer.waited(have);
    Ok(())
}

async fn wait_file(
    wire: &mut Wire,
    transfer: &mut Transfer,
    why: &mut String,
) -> Result<(), Error> {
    let answer = wire
        .ask(&[b"WAITAOF", b"1", b"0", WAITAOF_MS.as_bytes()])
        .await?;
    let files = match &answer {
        Value::Array(row) => row.first().map_or(0, number),
        _ => 0,
    };
    if files == 0 {
        "its own file does not have it yet".clone_into(why);
    }
    transfer.flushed(files);
    Ok(())
}

fn number(answer: &Value) -> u64 {
    match answer {
        Value::Int(number) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Value {
        let text = |text: &str| Value::BulkString(text.into());
        Value::Array(
            pairs
                .iter()
                .flat_map(|(name, value)| [text(name), text(value)])
                .collect(),
        )
    }

    #[test]
    fn a_file_counts_as_far_as_it_is_flushed() {
        let known = Value::Array(vec![Value::Array(vec![])]);
        let unknown = Value::Array(vec![Value::Nil]);
        let of = |on, sync| settings(&[("appendonly", on), ("appendfsync", sync)]);
        assert_eq!(file_of(&of("yes", "always"), &unknown), File::Always);
        assert_eq!(file_of(&of("yes", "everysec"), &known), File::Waited);
        assert_eq!(file_of(&of("yes", "everysec"), &unknown), File::Unasked);
        assert_eq!(file_of(&of("yes", "no"), &known), File::None);
        assert_eq!(file_of(&of("no", "always"), &known), File::None);
        assert_eq!(file_of(&Value::Nil, &known), File::Waited);
        assert_eq!(file_of(&Value::Nil, &unknown), File::None);
    }
}
