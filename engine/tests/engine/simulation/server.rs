//! One server: its copy of the sale, where in a history it stands, its clock, its
//! configuration and its AOF.

use std::rc::Rc;

use super::history::{At, Histories, Missed, Part, missed_alike};
use super::ledger::{Decider, Ledger};
use super::notable::notable;
use super::stream::Stream;
use crate::commands::copies::{loaded, reloaded, saved};
use crate::commands::play::{Done, Fault, Host};
use flashsale_engine::sale::{
    self, Answer, Attempts, Bounds, Change, EntryId, Event, Hasher, Sale, ToldWriter, decode_event,
    encode_event,
};
use flashsale_fuzz::samples::{set_entry, set_told};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Also one that was deposed and does not know yet.
    Primary,
    Replica {
        of: usize,
    },
}

/// What a server can read after a crash.
#[derive(Default)]
struct Aof {
    /// A rewritten base, and the offset it was saved at; else everything from CREATE on.
    base: Option<(Vec<Vec<u8>>, usize)>,
    /// The stream as it was then.
    stream: Stream,
    /// Everything up to this offset is on disk.
    durable: usize,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub bounds: Bounds,
    pub sweep_max: u32,
    /// `appendfsync always`, else `everysec`.
    pub syncs_always: bool,
    /// How far the server's clock is from the true time, in milliseconds.
    pub skew_ms: i64,
}

pub struct Server {
    pub sale: Sale,
    /// Who has tried how often, beside the sale.
    pub attempts: Attempts,
    pub at: At,
    /// What it missed of the history that leads there.
    pub missed: Missed,
    pub role: Role,
    pub config: Config,
    /// The books of its history, as long as it decides.
    pub books: Option<Ledger>,
    /// What it has of the order stream.
    pub stream: Stream,
    aof: Aof,
}

/// The sale a history begins with.
fn created(bytes: &[u8], hasher: Hasher) -> Result<Sale, Fault> {
    let event = decode_event(bytes, hasher).map_err(|error| error.to_string())?;
    Sale::create(&event, hasher).ok_or_else(|| "a history begins with another event".into())
}

/// A number that is equal for equal sales: the digest's elements have no order.
pub fn digest_of(sale: &Sale) -> u64 {
    let mut sum: u64 = 0;
    sale::digest(sale, &mut |element| {
        let mut hash = element.len() as u64;
        for bytes in element.chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            hash ^= hash >> 29;
        }
        sum = sum.wrapping_add(hash.wrapping_mul(0xBF58_476D_1CE4_E5B9));
    });
    sum
}

impl Config {
    /// Every server hashes names with a key of its own.
    fn hasher(&self) -> Hasher {
        Hasher::new([self.skew_ms.cast_unsigned(), 1])
    }
}

impl Server {
    pub fn new(histories: &Histories, config: Config, role: Role) -> Result<Server, Fault> {
        Ok(Server {
            sale: created(&histories.created, config.hasher())?,
            attempts: Attempts::default(),
            at: At {
                branch: 0,
                offset: 0,
            },
            missed: Missed::new(),
            role,
            config,
            books: None,
            stream: Stream::default(),
            aof: Aof::default(),
        })
    }

    /// Counts an attempt, or returns the answer to one too many.
    pub fn throttle(&mut self, now_ms: u64, user: &[u8]) -> Option<Answer> {
        let who = (self.sale.key(user), None);
        self.sale.throttle(&mut self.attempts, now_ms, who, 1_000)
    }

    /// The server's clock, 0 before 1970.
    pub fn clock_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add_signed(self.config.skew_ms)
    }

    pub fn is_primary(&self) -> bool {
        self.role == Role::Primary
    }

    /// The next event of the history, as a replica carries it out. One that does not fit a
    /// copy which missed something is missed as well.
    pub fn follow(
        &mut self,
        histories: &Histories,
        seen: &mut Vec<&'static str>,
    ) -> Result<(), Fault> {
        let next = At {
            offset: self.at.offset + 1,
            ..self.at
        };
        let part = histories.event(next);
        if !self.is_like_its_primary(histories, next) {
            self.stream.doubt();
        }
        match carry_out(&mut self.sale, &mut self.stream, &part)? {
            Carried::Out { keeps_mark: true } => seen.push("RESUME of a sound primary"),
            Carried::Out { .. } => {}
            Carried::Not(divergence) if !self.is_like_its_primary(histories, next) => {
                seen.push("event that does not fit a diverged copy");
                return self.miss(divergence);
            }
            Carried::Not(divergence) => return Err(format!("a divergence, {divergence}")),
        }
        self.at = next;
        self.note_sync();
        Ok(())
    }

    /// Did it miss the same as the primary that decided the event before a place?
    pub fn is_like_its_primary(&self, histories: &Histories, at: At) -> bool {
        missed_alike(&self.missed, histories.missed(at), at.offset)
    }

    /// The next event does not come to this copy, which marks its sale, and its own AOF in
    /// place of the event.
    pub fn miss(&mut self, reason: String) -> Result<(), Fault> {
        self.at.offset += 1;
        self.stream.doubt();
        self.mark(&reason)?;
        self.missed.insert(self.at.offset, reason);
        self.note_sync();
        Ok(())
    }

    /// What the copy's own AOF has in place of an event.
    fn mark(&mut self, reason: &str) -> Result<(), Fault> {
        if reason.is_empty() {
            return Ok(());
        }
        let marked = Event {
            at_ms: self.sale.last_change_at_ms(),
            change: Change::Marked { reason },
        };
        let mut bytes = Vec::new();
        encode_event(&marked, &mut bytes);
        must_carry_out(&mut self.sale, &mut self.stream, &Part::alone(bytes.into()))
    }

    /// What its own AOF says next.
    fn replay(&mut self, histories: &Histories) -> Result<(), Fault> {
        self.at.offset += 1;
        if !self.is_like_its_primary(histories, self.at) {
            self.stream.doubt();
        }
        match self.missed.get(&self.at.offset).cloned() {
            Some(reason) => self.mark(&reason),
            None => must_carry_out(&mut self.sale, &mut self.stream, &histories.event(self.at)),
        }
    }

    /// The books of its history.
    pub fn books_so_far(&self, histories: &Histories) -> Result<Ledger, Fault> {
        Ledger::at(histories, self.at, &self.missed)
    }

    fn note_sync(&mut self) {
        if self.config.syncs_always {
            self.aof.durable = self.at.offset;
        }
    }

    /// About `most` events of the stream that leads to `to`; how many there were. What is
    /// worth counting is added to `seen`.
    pub fn stream(
        &mut self,
        histories: &Histories,
        to: At,
        most: usize,
        seen: &mut Vec<&'static str>,
    ) -> Result<usize, Fault> {
        // The same place on the branch of the other: a partial resync costs nothing.
        self.at.branch = to.branch;
        let before = self.at.offset;
        let mut left = 0;
        while self.at.offset < to.offset && (left > 0 || self.at.offset - before < most) {
            self.follow(histories, seen)?;
            // A line comes as a whole.
            left = histories.event(self.at).after();
        }
        Ok(self.at.offset - before)
    }

    /// A full resync from another server, which knows no more than that one does.
    pub fn load(&mut self, from: &Server) -> Result<(), Fault> {
        let chunks = saved(&from.sale);
        self.sale = loaded(&chunks)?;
        self.attempts = Attempts::default();
        let at = from.at;
        self.at = at;
        self.missed = from.missed.clone();
        self.stream = from.stream.clone();
        self.aof = Aof {
            base: Some((chunks, at.offset)),
            stream: from.stream.clone(),
            durable: at.offset,
        };
        Ok(())
    }

    /// A restart from its own RDB: nothing is lost, and everything is in another place.
    pub fn restart(&mut self) -> Result<(), Fault> {
        self.sale = reloaded(&self.sale)?;
        self.attempts = Attempts::default();
        Ok(())
    }

    /// An AOF rewrite.
    pub fn rewrite(&mut self) {
        self.aof.base = Some((saved(&self.sale), self.at.offset));
        self.aof.stream = self.stream.clone();
        self.aof.durable = self.at.offset;
    }

    /// The fsync of every second.
    pub fn sync(&mut self) {
        self.aof.durable = self.at.offset;
    }

    /// What a crash now could lose at most.
    pub fn at_risk(&self) -> usize {
        self.at.offset - self.aof.durable
    }

    /// Has its AOF been rewritten?
    pub fn has_base(&self) -> bool {
        self.aof.base.is_some()
    }

    /// A crash that loses the last `lost` events, and the replay of what is left.
    pub fn crash(&mut self, histories: &Histories, lost: usize) -> Result<(), Fault> {
        let kept = self.at.offset - lost.min(self.at_risk());
        let kept = histories.whole_until(self.at, kept);
        let (sale, from) = match &self.aof.base {
            Some((chunks, from)) => (loaded(chunks)?, *from),
            None => (created(&histories.created, self.config.hasher())?, 0),
        };
        self.sale = sale;
        self.attempts = Attempts::default();
        self.stream = self.aof.stream.clone();
        self.at.offset = from;
        self.missed.retain(|offset, _| *offset <= kept);
        while self.at.offset < kept {
            self.replay(histories)?;
        }
        self.aof.durable = kept;
        Ok(())
    }

    /// Becomes a primary, on a branch of its own.
    pub fn take_over(&mut self, histories: &mut Histories) -> Result<(), Fault> {
        let books = self.books_so_far(histories)?;
        books.compare_all(&self.sale)?;
        self.stream.judge(&self.sale, &books)?;
        self.books = Some(books);
        self.role = Role::Primary;
        self.at = histories.fork(self.at, self.missed.clone());
        Ok(())
    }
}

/// What came of a replicated event.
enum Carried {
    Out {
        /// It resumed the sale, and not what is marked.
        keeps_mark: bool,
    },
    /// It does not fit, for this reason.
    Not(String),
}

/// Carries a replicated event out, if it fits.
fn carry_out(sale: &mut Sale, stream: &mut Stream, part: &Part) -> Result<Carried, Fault> {
    let event = part.event(sale.hasher())?;
    if let Err(divergence) = sale.check(&event) {
        return Ok(Carried::Not(divergence.to_string()));
    }
    let was_marked = sale.mark().is_some();
    stream.follow(sale, &event)?;
    sale.apply(&event);
    refuse_twice(sale, &event)?;
    Ok(Carried::Out {
        keeps_mark: was_marked
            && sale.mark().is_some()
            && matches!(event.change, Change::Resumed { .. }),
    })
}

/// Carries an event out that has to fit.
fn must_carry_out(sale: &mut Sale, stream: &mut Stream, part: &Part) -> Result<(), Fault> {
    match carry_out(sale, stream, part)? {
        Carried::Out { .. } => Ok(()),
        Carried::Not(divergence) => Err(format!("its own AOF: {divergence}")),
    }
}

/// A step of a reservation happens once: the same event again does not fit.
fn refuse_twice(sale: &Sale, event: &Event<'_>) -> Result<(), Fault> {
    let once = matches!(
        event.change,
        Change::Reserved { .. }
            | Change::Bought { .. }
            | Change::ReleasedUnseen { .. }
            | Change::Sold { .. }
            | Change::Imported(_)
            | Change::Released { .. }
            | Change::Expired { .. }
            | Change::Lapsed { .. }
    );
    if once && sale.check(event).is_ok() {
        return Err(format!("fits twice: {event:?}"));
    }
    Ok(())
}

/// A primary while it decides one request.
pub struct Deciding<'w> {
    pub server: &'w mut Server,
    pub histories: &'w mut Histories,
    pub clock_ms: u64,
    /// What came of it, for counting.
    pub seen: Option<&'static str>,
    /// Sweeps on the way.
    pub sweeps: usize,
    /// Events other than expiry's.
    pub changes: usize,
    /// Events in all.
    pub events: usize,
    /// How many reservations sweeps may still return.
    pub budget: u32,
}

impl<'w> Deciding<'w> {
    pub fn new(
        server: &'w mut Server,
        histories: &'w mut Histories,
        clock_ms: u64,
    ) -> Deciding<'w> {
        Deciding {
            budget: server.config.sweep_max,
            server,
            histories,
            clock_ms,
            seen: None,
            sweeps: 0,
            changes: 0,
            events: 0,
        }
    }

    /// Writes the oldest entries that wait, as the timer does.
    pub fn tell(&mut self, most: u64) -> Result<(), Fault> {
        let mut writer = ToldWriter::default();
        self.write(most, &mut writer)?;
        let told = writer.finish();
        if told.is_empty() {
            return Ok(());
        }
        let at_ms = self.server.sale.time(self.clock_ms).now_ms;
        let change = Change::Told(told);
        self.carry_out(&Event { at_ms, change }).map(|_| ())
    }

    /// Drops the oldest entries, if more wait than may; returns whether it did.
    pub fn drop_above(&mut self, events_max: u64) -> Result<bool, Fault> {
        let sale = &self.server.sale;
        let now_ms = sale.time(self.clock_ms).now_ms;
        match sale.plan_drop(now_ms, events_max) {
            Some(event) => self.carry_out(&event).map(|_| true),
            None => Ok(false),
        }
    }

    /// Gives the oldest entries that wait their IDs.
    pub fn write(&self, most: u64, writer: &mut ToldWriter) -> Result<(), Fault> {
        let books = self.server.books.as_ref().ok_or("a replica decides")?;
        let outbox = self.server.sale.outbox();
        let count = outbox.map_or(0, |outbox| outbox.count_costing(most).0);
        let (ms, last) = (books.entries, books.entries * 7 + books.told);
        (1..=count).for_each(|n| writer.push(EntryId { ms, seq: last + n }));
        Ok(())
    }

    /// Gives an order its entry.
    pub fn enter(&self, event: &mut Event<'_>) -> Result<(), Fault> {
        if event.entry().is_some() {
            let books = self.server.books.as_ref().ok_or("a replica decides")?;
            let ms = books.entries + 1;
            set_entry(event, EntryId { ms, seq: ms * 7 });
        }
        Ok(())
    }

    /// Carries an event out that was decided here.
    pub fn carry_out(&mut self, event: &Event<'_>) -> Result<Done, Fault> {
        let server = &mut *self.server;
        let books = server.books.as_mut().ok_or("a replica decides")?;
        let mut bytes = Vec::new();
        encode_event(event, &mut bytes);
        let decoded =
            decode_event(&bytes, server.sale.hasher()).map_err(|error| error.to_string())?;
        if decoded != *event {
            return Err(format!("encoded {event:?}, decoded {decoded:?}"));
        }
        let fits = server.sale.check(event);
        fits.map_err(|divergence| format!("its own primary, {divergence}: {event:?}"))?;
        self.seen = notable(books, &decoded).or(self.seen);
        server.stream.follow(&server.sale, event)?;
        let applied = server.sale.apply(event);
        let decider = Decider {
            clock_ms: self.clock_ms,
            bounds: server.config.bounds,
            budget: self.budget,
        };
        books.book(&decoded, Some(&decider))?;
        refuse_twice(&server.sale, event)?;
        let is_expiry = matches!(
            event.change,
            Change::Swept { .. }
                | Change::Expired { .. }
                | Change::Lapsed { .. }
                | Change::Told(_)
                | Change::Dropped { .. }
        );
        if let Change::Swept {
            expired,
            lapsed,
            forgotten,
        } = event.change
        {
            self.sweeps += 1;
            // No cart here has so many lines that it counts twice.
            self.budget -= expired + lapsed + forgotten;
        }
        self.changes += usize::from(!is_expiry);
        self.events += 1;
        server.at = self.histories.push(server.at, Rc::from(bytes));
        server.note_sync();
        if server.at.offset.is_multiple_of(2) {
            *self.histories.digest(server.at) = Some(digest_of(&server.sale));
        }
        Ok(Done {
            slot: applied.slot,
            entry: event.entry(),
        })
    }
}

impl Host for Deciding<'_> {
    fn sale(&self) -> &Sale {
        &self.server.sale
    }

    fn bounds(&self) -> Bounds {
        self.server.config.bounds
    }

    fn sweep_max(&self) -> u32 {
        self.server.config.sweep_max
    }

    fn throttle(&mut self, now_ms: u64, user: &[u8]) -> Option<Answer> {
        self.server.throttle(now_ms, user)
    }

    fn commit(&mut self, event: Event<'_>) -> Result<Done, Fault> {
        let (mut told, mut event) = (ToldWriter::default(), event);
        if event.entry().is_some() {
            self.write(self.server.config.sweep_max.into(), &mut told)?;
            set_told(&mut event, told.finish());
        }
        self.enter(&mut event)?;
        self.carry_out(&event)
    }
}
