//! A connection that is made anew whenever it breaks, for ever.
//!
//! Every command that `serve` sends is its own replay, so the sender decides what to do with
//! one that a broken connection has left unanswered: send it again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, RedisError, Value};
use tokio::sync::watch;

use super::metrics::Metrics;
use crate::link::{Address, Link, LinkError, moved_to};
use crate::log;
use crate::retry::Backoff;

/// A command that is unanswered for so long has lost its connection. It is shorter than what
/// a buyer's request may take, so that there is time to send it again.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A connection that breaks sooner than this does not reset the waits between tries.
const IS_SOUND_AFTER: Duration = Duration::from_secs(5);

/// How soon a command is sent again that came in the middle of a slot's migration.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Why a command has no answer.
pub enum Unanswered {
    /// The connection broke, or the key is on its way to another node. The command may have been
    /// carried out: send it again.
    Lost,
    /// The server refuses, and would again.
    Refused(RedisError),
}

#[derive(Clone)]
struct Held {
    link: Arc<Link>,
    /// Counts the connections, so that a late failure of an old one does not end a new one.
    number: u64,
}

/// Holds one connection to the primary of a sale.
#[derive(Clone)]
pub struct Keeper(Arc<watch::Sender<Option<Held>>>);

impl Keeper {
    /// Takes over a connection, and keeps it from now on.
    pub fn start(link: Link, address: Address, probe: Cmd, metrics: Metrics) -> Self {
        let (sender, _) = watch::channel(Some(Held {
            link: Arc::new(link),
            number: 0,
        }));
        let keeper = Self(Arc::new(sender));
        let ours = keeper.clone();
        tokio::spawn(async move { ours.keep(address, probe, &metrics).await });
        keeper
    }

    async fn keep(&self, address: Address, probe: Cmd, metrics: &Metrics) {
        let mut backoff = Backoff::default();
        let mut number = 0;
        let mut receiver = self.0.subscribe();
        loop {
            let since = Instant::now();
            // An error means that no sender is left, and `self` is one.
            let _ = receiver.wait_for(Option::is_none).await;
            metrics.count_lost_connection();
            if since.elapsed() > IS_SOUND_AFTER {
                backoff.reset();
            }
            let link = Arc::new(reconnect(&address, &probe, &mut backoff).await);
            number += 1;
            self.0.send_replace(Some(Held { link, number }));
        }
    }

    /// Waits until there is a connection.
    pub async fn wait_until_ready(&self) {
        // An error means that no sender is left, and `self` is one.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Sends a command as soon as there is a connection, and waits for its answer.
    ///
    /// # Errors
    ///
    /// The connection breaks, the key is on its way to another node, or the server answers an
    /// error.
    pub async fn ask(&self, command: &Cmd) -> Result<Value, Unanswered> {
        let mut receiver = self.0.subscribe();
        let held = match receiver.wait_for(Option::is_some).await {
            Ok(held) => held.clone(),
            Err(_) => None,
        };
        let Some(held) = held else {
            return Err(Unanswered::Lost);
        };
        match tokio::time::timeout(ANSWER_WITHIN, held.link.ask(command)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if error.code() == Some("ASK") => {
                tokio::time::sleep(ASK_AGAIN_AFTER).await;
                Err(Unanswered::Lost)
            }
            Ok(Err(error)) if !is_lost(&error) => Err(Unanswered::Refused(error)),
            _ => {
                self.0.send_if_modified(|there| {
                    let is_this = there.as_ref().is_some_and(|one| one.number == held.number);
                    if is_this {
                        *there = None;
                    }
                    is_this
                });
                Err(Unanswered::Lost)
            }
        }
    }

    /// Sends a command until it is answered. The caller limits the time.
    pub async fn ask_until_answered(&self, command: &Cmd) -> Result<Value, RedisError> {
        loop {
            match self.ask(command).await {
                Ok(value) => return Ok(value),
                Err(Unanswered::Refused(error)) => return Err(error),
                Err(Unanswered::Lost) => {}
            }
        }
    }
}

async fn reconnect(address: &Address, probe: &Cmd, backoff: &mut Backoff) -> Link {
    loop {
        tokio::time::sleep(backoff.next()).await;
        match Link::connect_by(address, probe).await {
            Ok(link) => {
                log::info(format!("connected to {} again", link.server));
                return link;
            }
            Err(error) => say(&error, backoff),
        }
    }
}

fn say(error: &LinkError, backoff: &Backoff) {
    if backoff.is_first() {
        log::warn(format!("Redis: {error}; trying again until it answers"));
    }
}

/// Reports whether another connection may answer what this one did not: it is broken, or it
/// leads to a server that is no primary (any more), or not that of the key.
fn is_lost(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || moved_to(error).is_some()
        || error.code() == Some("READONLY")
}
