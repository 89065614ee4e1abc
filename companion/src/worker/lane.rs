//! One stream: read, store, acknowledge, and never in another order.
//!
//! While one batch is in the database the next one is read, and no more: the stream is the
//! queue. All that is read by one connection is acknowledged by that connection or not at
//! all. A new connection begins with what is pending. After a failover one stream ID can be
//! two entries, so an XACK of the old one must never reach the new server.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::RedisError;

use super::batch::{self, Rules};
use super::entry::Raw;
use super::metrics::{self, Side};
use crate::link::{Address, Link, LinkError};
use crate::log;
use crate::retry::Backoff;
use crate::sql::{Database, describe, is_passing};
use crate::stop::Stop;

/// How often what other consumers have left idle is looked for.
const CLAIM_EVERY: Duration = Duration::from_secs(15);

/// A transaction that takes longer has lost its database.
const STORE_WITHIN: Duration = Duration::from_secs(300);

/// What all streams of a worker share.
pub struct Shared {
    pub address: Address,
    pub sql_url: String,
    pub group: String,
    pub name: String,
    pub batch: usize,
    pub attempts: u32,
    pub claim_after: Duration,
    pub rules: Rules,
    pub stop: Stop,
}

/// One stream on its way into SQL.
pub struct Lane {
    shared: Arc<Shared>,
    stream: Vec<u8>,
    /// The stream's name in logs.
    shown: String,
    database: Option<Database>,
    run_id: String,
    sql_backoff: Backoff,
    /// The database has failed, and the log says so.
    sql_is_away: bool,
}

/// Where the next entries are read.
struct Cursor {
    /// Behind which pending entry; `None` once there are no more.
    pending: Option<String>,
    claim_from: String,
    claim_at: Instant,
}

impl Lane {
    /// Makes a lane. `link` is only asked which primary it leads to.
    pub fn new(shared: Arc<Shared>, stream: Vec<u8>, link: &Link) -> Self {
        let shown = String::from_utf8_lossy(&stream).into_owned();
        let run_id = link.run_id.clone();
        Self {
            shared,
            stream,
            shown,
            database: None,
            run_id,
            sql_backoff: Backoff::default(),
            sql_is_away: false,
        }
    }

    /// Runs until the program is to stop, beginning with entries that `first` was handed.
    pub async fn run(mut self, first: Link, claimed: Vec<Raw>) {
        let mut link = Some(first);
        let mut claimed = claimed;
        let mut backoff = Backoff::default();
        let stop = self.shared.stop.clone();
        while !stop.is_set() {
            let driven = match link.take() {
                Some(link) => self
                    .drive(&link, std::mem::take(&mut claimed), &mut backoff)
                    .await
                    .map_err(LinkError::from),
                None => self.reconnect(&mut link).await,
            };
            if let Err(error) = driven {
                metrics::count_retry(Side::Redis);
                let wait = backoff.next();
                if backoff.is_first() {
                    log::warn(format!(
                        "{}: Redis: {error}; trying again until it answers",
                        self.shown
                    ));
                }
                stop.sleep(wait).await;
            }
        }
        if let Some(database) = self.database.take() {
            database.close().await;
        }
    }

    async fn reconnect(&mut self, link: &mut Option<Link>) -> Result<(), LinkError> {
        let new = Link::connect(&self.shared.address, &self.stream).await?;
        log::info(format!("{}: connected to {}", self.shown, new.server));
        if !new.run_id.is_empty() && new.run_id != self.run_id {
            metrics::count_primary_change();
            log::warn(format!(
                "{}: {} is not the process that was here before: after a failover run flashsale reconcile (docs/companion.md, Another primary)",
                self.shown, new.server
            ));
            self.run_id.clone_from(&new.run_id);
        }
        *link = Some(new);
        Ok(())
    }

    /// Reads, stores and acknowledges by one connection, until it breaks or the program is to
    /// stop.
    async fn drive(
        &mut self,
        link: &Link,
        mut in_hand: Vec<Raw>,
        backoff: &mut Backoff,
    ) -> Result<(), RedisError> {
        let shared = Arc::clone(&self.shared);
        link.make_group(&self.stream, &shared.group).await?;
        let mut cursor = Cursor {
            pending: Some("0".into()),
            claim_from: "0-0".into(),
            claim_at: Instant::now() + CLAIM_EVERY,
        };
        loop {
            if in_hand.is_empty() {
                if shared.stop.is_set() {
                    return self.leave(link).await;
                }
                in_hand = self.read_or_stop(link, &mut cursor).await?;
                backoff.reset();
                continue;
            }
            let stream = self.stream.clone();
            let read_next = async {
                if shared.stop.is_set() {
                    return Ok(Vec::new());
                }
                read(&shared, &stream, link, &mut cursor, false).await
            };
            let (next, is_stored) = tokio::join!(read_next, self.store(&in_hand));
            // First the errors of this connection: what is not acknowledged by it never is.
            let next = next?;
            if !is_stored {
                return Ok(());
            }
            link.acknowledge(&self.stream, &shared.group, &in_hand)
                .await?;
            in_hand = next;
        }
    }

    /// Waits for entries. The wish to stop ends a wait on the server, and not the connection:
    /// what the server hands out in that moment is still read.
    async fn read_or_stop(&self, link: &Link, cursor: &mut Cursor) -> Result<Vec<Raw>, RedisError> {
        let shared = &self.shared;
        let mut reading = pin!(read(shared, &self.stream, link, cursor, true));
        tokio::select! {
            found = &mut reading => return found,
            () = shared.stop.wait() => {}
        }
        // A user without the right to CLIENT UNBLOCK waits for the end of BLOCK.
        if let Ok(other) = Link::connect(&shared.address, &self.stream).await {
            let _ = other.unblock(link).await;
        }
        reading.await
    }

    async fn leave(&self, link: &Link) -> Result<(), RedisError> {
        let shared = &self.shared;
        // Without the right to EVAL the consumer stays, which harms nothing.
        let _ = link
            .remove_consumer(&self.stream, &shared.group, &shared.name)
            .await;
        Ok(())
    }

    /// Stores a batch, whatever it takes. Reports `false` if the program is to stop before
    /// that.
    async fn store(&mut self, entries: &[Raw]) -> bool {
        let mut parts: VecDeque<Range<usize>> = VecDeque::new();
        parts.push_back(0..entries.len());
        let mut attempts = 0;
        while let Some(part) = parts.pop_front() {
            let found = &entries[part.clone()];
            let error = match self.try_store(found, None).await {
                Ok(()) => {
                    attempts = 0;
                    continue;
                }
                Err(error) => error,
            };
            metrics::count_retry(Side::Sql);
            if is_passing(&error) {
                parts.push_front(part);
                if !self.wait_for_sql(&error).await {
                    return false;
                }
                continue;
            }
            // One of the entries is refused: halves lead to it.
            if found.len() > 1 {
                let middle = part.start + found.len() / 2;
                parts.push_front(middle..part.end);
                parts.push_front(part.start..middle);
                continue;
            }
            attempts += 1;
            if attempts < self.shared.attempts {
                parts.push_front(part);
                self.shared.stop.sleep(self.sql_backoff.next()).await;
                continue;
            }
            attempts = 0;
            if !self.bury(found, describe(&error)).await {
                return false;
            }
        }
        true
    }

    /// Writes the dead letter of a single entry.
    async fn bury(&mut self, entry: &[Raw], detail: String) -> bool {
        loop {
            let Err(error) = self.try_store(entry, Some(detail.clone())).await else {
                return true;
            };
            metrics::count_retry(Side::Sql);
            if !self.wait_for_sql(&error).await {
                return false;
            }
        }
    }

    /// Waits for the database. Reports `false` once the program is to stop.
    async fn wait_for_sql(&mut self, error: &sqlx::Error) -> bool {
        // A broken connection cannot be told from a sound one by the error alone.
        self.database = None;
        let wait = self.sql_backoff.next();
        if !std::mem::replace(&mut self.sql_is_away, true) {
            log::warn(format!(
                "{}: SQL: {}; trying again until it succeeds",
                self.shown,
                describe(error)
            ));
        }
        self.shared.stop.sleep(wait).await;
        !self.shared.stop.is_set()
    }

    async fn try_store(
        &mut self,
        entries: &[Raw],
        dead: Option<String>,
    ) -> Result<(), sqlx::Error> {
        let shared = Arc::clone(&self.shared);
        let mut database = match self.database.take() {
            Some(database) => database,
            None => Database::connect(&shared.sql_url).await?,
        };
        let begin = Instant::now();
        let storing = async {
            match dead {
                None => batch::store(&mut database, &shared.rules, &self.stream, entries).await,
                Some(detail) => {
                    batch::bury(
                        &mut database,
                        &shared.rules,
                        &self.stream,
                        &entries[0],
                        detail,
                    )
                    .await
                }
            }
        };
        let outcome = match tokio::time::timeout(STORE_WITHIN, storing).await {
            Ok(Ok(outcome)) => outcome,
            // The connection goes, and the transaction with it.
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
        };
        self.database = Some(database);
        self.sql_backoff.reset();
        if std::mem::take(&mut self.sql_is_away) {
            log::info(format!("{}: SQL: it succeeded", self.shown));
        }
        metrics::count(&outcome, begin.elapsed());
        outcome.log(&self.shown);
        Ok(())
    }
}

/// Reads the next entries: what is pending for this consumer, then from time to time what
/// others have left, then what is new.
async fn read(
    shared: &Shared,
    stream: &[u8],
    link: &Link,
    cursor: &mut Cursor,
    may_block: bool,
) -> Result<Vec<Raw>, RedisError> {
    let (group, name, count) = (&shared.group, &shared.name, shared.batch);
    if let Some(from) = cursor.pending.take() {
        let found = link.read(stream, group, name, &from, count, false).await?;
        if let Some(last) = found.last() {
            cursor.pending = Some(last.id.clone());
            return Ok(found);
        }
    }
    if Instant::now() >= cursor.claim_at {
        let idle_ms = shared.claim_after.as_millis();
        let claimed = link
            .claim(stream, group, name, idle_ms, &cursor.claim_from, count)
            .await?;
        let is_done = claimed.next == "0-0";
        cursor.claim_from = claimed.next;
        if is_done {
            cursor.claim_at = Instant::now() + CLAIM_EVERY.min(shared.claim_after);
        }
        if !claimed.entries.is_empty() {
            return Ok(claimed.entries);
        }
    }
    link.read(stream, group, name, ">", count, may_block).await
}
