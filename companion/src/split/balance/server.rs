//! One primary: the connection that rounds read over, and what it still has to answer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use redis::Value;

use crate::link::{Address, string};
use crate::log;
use crate::retry::Backoff;
use crate::split::wire::Wire;

/// How long a round waits for a server. A longer silence is a broken connection, and its parts
/// are silent.
pub const PATIENCE: Duration = Duration::from_millis(600);

/// What an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Shares(usize),
    Stock,
    Take,
    Rest,
}

/// A primary.
pub struct Server {
    pub place: (String, u16),
    pub wire: Option<Wire>,
    pub expects: VecDeque<Expect>,
    /// The connection of transfers, while none runs.
    pub mover: Option<Wire>,
    pub is_moving: bool,
    is_connecting: bool,
    again_at: Option<Instant>,
    backoff: Backoff,
    fails: u32,
}

/// Names a server in a line of the log.
pub fn name_of((host, port): &(String, u16)) -> String {
    format!("{host}:{port}")
}

/// Connects to a server that has to be a primary.
///
/// # Errors
///
/// In words.
pub async fn open(
    address: &Address,
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<Wire, String> {
    let mut wire = Wire::connect(address, host, port).await?;
    let role = wire.ask(&[b"ROLE"]).await;
    match role.map_err(|error| error.to_string())? {
        Value::Array(row) if row.first().map(string).as_deref() != Some("master") => {
            Err("it is a replica".into())
        }
        // Without that right, the first GIVE shows it.
        _ => {
            wire.wait_at_most(patience);
            Ok(wire)
        }
    }
}

impl Server {
    pub fn new(place: (String, u16)) -> Self {
        Self {
            place,
            wire: None,
            expects: VecDeque::new(),
            mover: None,
            is_moving: false,
            is_connecting: false,
            again_at: None,
            backoff: Backoff::default(),
            fails: 0,
        }
    }

    pub fn name(&self) -> String {
        name_of(&self.place)
    }

    /// Whether a connection is to be made now; then one is being made.
    pub fn may_connect(&mut self, now: Instant) -> bool {
        let may =
            self.wire.is_none() && !self.is_connecting && self.again_at.is_none_or(|at| at <= now);
        self.is_connecting |= may;
        may
    }

    /// Takes the connection that was made, or waits before the next try.
    pub fn connected(&mut self, wire: Result<Wire, String>) {
        self.is_connecting = false;
        match wire {
            Ok(wire) => {
                self.wire = Some(wire);
                self.expects.clear();
                self.backoff.reset();
                (self.again_at, self.fails) = (None, 0);
            }
            Err(text) => {
                self.again_at = Some(Instant::now() + self.backoff.next());
                if self.backoff.is_first() {
                    log::warn(format!("{}: {text}; trying again", self.name()));
                }
                self.fails += 1;
            }
        }
    }

    /// Whether its parts should be looked for elsewhere.
    pub fn is_gone(&self) -> bool {
        self.wire.is_none() && self.fails > 0
    }

    /// The connection is broken: what it was asked is asked anew, on another.
    pub fn lose(&mut self, text: &str) {
        if self.wire.take().is_some() {
            log::warn(format!("{}: {text}", self.name()));
        }
        self.expects.clear();
    }

    /// Puts a command on the connection; `false` where there is none.
    pub fn push(&mut self, words: &[&[u8]], expect: Expect) -> bool {
        let Some(wire) = &mut self.wire else {
            return false;
        };
        wire.push(words);
        self.expects.push_back(expect);
        true
    }

    /// Sends what was put there.
    pub async fn flush(&mut self) {
        if let Some(wire) = &mut self.wire
            && let Err(error) = wire.flush().await
        {
            self.lose(&error.to_string());
        }
    }
}
