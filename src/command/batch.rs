//! Many requests in one command: what MRESERVE, MBUY, MCHECKOUT and MRELEASE have in common.
//!
//! | Question | File |
//! |---|---|
//! | which words are an entry, and what the page says | `sale/mreserve.rs`, `mbuy.rs`, `mcheckout.rs`, `mrelease.rs` |
//! | how the entries are read and answered in their order | here |
//! | what is decided about an entry, and the one budget of sweeps | the engine's `sale/plan/batch.rs` |
//! | how the events are carried out and sent on together | `change/batch_commit.rs` |
//! | the bytes of the container | the engine's `sale/event/container.rs` |
//! | what a replica and an AOF replay do with it | `change/batch_replay.rs` |
//!
//! What is wrong with the line as a whole is one error, and nothing has changed. What is wrong
//! with an entry is an error in its place among the answers: a gateway mixes strangers, and
//! one of them must not refuse the rest. The answer of an entry is written before the next
//! entry changes the sale, because it is read from slots and items.
//!
//! Entries are worked through in chunks of [`CHUNK`]: read and hashed, fetched from memory all at
//! once, then decided one by one.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use crate::change::batch_commit::BatchCommit;
use crate::clock;
use crate::command::args::Args;
use crate::command::open;
use crate::command::reply::{self, About, Word};
use crate::command::text;
use crate::config;
use crate::datatype;
use crate::error::{Error, echo};
use crate::ffi::{Call, CommandSpec, Reply, caught};
use crate::info;
use crate::orders::OrdersKey;
use crate::rehearsal::{self, Point};
use crate::scripts;
use flashsale_engine::sale::{
    Answer, Ask, AskLines, Batch, Budget, Carrier, Entry, Event, NAME_BYTES_MAX, Pending, Reserve,
    Sale,
};

/// Entries that are read before the first of them is decided.
const CHUNK: usize = 8;

/// An entry as it was read.
pub struct Asked<'a> {
    /// The id as the client spelled it, and where it stands among the words of the entry.
    pub id: &'a [u8],
    pub id_at: usize,
    pub entry: Entry<'a>,
}

/// The words of all entries.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'a> {
    words: &'a [&'a [u8]],
    /// Words of one entry.
    width: usize,
}

impl<'a> Entries<'a> {
    /// Reads `ENTRIES n` and the words of n entries, without a look at these; `most` entries
    /// may come.
    ///
    /// # Errors
    ///
    /// The word ENTRIES is missing; n is no number from 1 on, above `most`, or there are fewer
    /// words.
    pub fn parse(args: &mut Args<'a>, width: usize, most: u64) -> Result<Entries<'a>, Error> {
        if !args.keyword("ENTRIES") {
            return Err(Error::new("syntax: ENTRIES is missing"));
        }
        let count = args.integer("n", 1)?;
        if count > most {
            return Err(Error::new(format!(
                "n: {count} entries, at most {most} are allowed (batch-max)"
            )));
        }
        let left = args.len();
        match usize::try_from(count)
            .ok()
            .and_then(|n| n.checked_mul(width))
        {
            Some(words) if words <= left => Ok(Entries {
                words: args.take(words),
                width,
            }),
            _ => Err(Error::new(format!(
                "n: {count} entries of {width} words each, but {left} words follow"
            ))),
        }
    }

    fn len(&self) -> usize {
        self.words.len() / self.width.max(1)
    }

    /// Returns what to say when the next word is none of the options behind the entries. Most
    /// likely n is too small.
    pub fn unknown_option(&self, args: &Args<'_>) -> Error {
        let (word, words) = (echo(args.peek()), self.words.len());
        Error::new(format!(
            "syntax: unknown option '{word}' after the {words} words of ENTRIES {}, see FLASHSALE.HELP",
            self.len()
        ))
    }
}

/// Returns the units that an entry asks for: `qty` of the SKU of the batch, or a bare quantity.
pub fn ask<'a>(sku: Option<&'a [u8]>, qty: u64) -> Ask<'a> {
    match sku {
        None => Ask::Qty(qty),
        Some(sku) => Ask::Items(AskLines::from_iter([(sku, qty)])),
    }
}

/// Reads a REF of at most 255 bytes; an empty one is none.
///
/// # Errors
///
/// Missing, or longer.
pub fn reference<'a>(args: &mut Args<'a>) -> Result<Option<&'a [u8]>, Error> {
    let word = args.word("ref")?;
    match word.len() {
        0 => Ok(None),
        1..=NAME_BYTES_MAX => Ok(Some(word)),
        length => Err(Error::new(format!(
            "ref: {length} bytes, not 0 to {NAME_BYTES_MAX}"
        ))),
    }
}

/// Carries the entries of a command out in their order, and answers each; `read` reads the
/// words of one.
///
/// # Errors
///
/// `NOSALE`, `WRONGTYPE`, another stream than the sale's. Nothing has changed then.
pub fn answer<'a>(
    call: &Call<'a>,
    command: &CommandSpec,
    entries: Entries<'a>,
    read: impl Fn(Args<'a>) -> Result<Asked<'a>, Error>,
) -> Result<(), Error> {
    let mut open = OpenBatch::of(call, command, entries.len())?;
    call.reply().array(entries.len());
    // Behind the name of the command, its keys, ENTRIES and n.
    let mut first = command.keys.len() + 3;
    for words in entries.words.chunks(entries.width * CHUNK) {
        let mut chunk: SmallVec<[Result<Asked<'a>, Error>; CHUNK]> = SmallVec::new();
        for words in words.chunks(entries.width) {
            chunk.push(read(Args::of(words)));
        }
        if let Err(reason) = caught(|| open.fetch(&mut chunk)) {
            open.break_off(&reason);
        }
        open.answer(&chunk, first, entries.width);
        first += words.len();
    }
    Ok(())
}

/// Writes the error of an entry in its place.
#[cold]
fn reply_error(reply: Reply<'_>, error: &Error) {
    info::count_error(error.code);
    reply.error(&error.to_string());
}

/// A sale opened for a batch.
struct OpenBatch<'c> {
    /// The name of the command.
    command: &'static str,
    batch: Batch,
    desk: Desk<'c>,
}

/// Where the entries of a batch are carried out and answered.
struct Desk<'c> {
    call: Call<'c>,
    commit: BatchCommit<'c>,
    /// The moment of all decisions.
    now_ms: u64,
    /// Does the server refuse commands that take memory? Asked once.
    is_denied_memory: Option<bool>,
    /// The id of the entry at hand, and where it stands in the line.
    id: &'c [u8],
    id_at: usize,
    /// A part of the answer to the entry at hand may be written.
    is_answering: bool,
}

impl<'c> OpenBatch<'c> {
    fn of(call: &Call<'c>, command: &CommandSpec, entries: usize) -> Result<OpenBatch<'c>, Error> {
        let ctx = call.ctx();
        let key = datatype::open_write(ctx, text(call, 1)?)?;
        let orders = if command.keys.len() > 1 {
            Some(OrdersKey::open(ctx, text(call, 2)?, key.sale())?)
        } else {
            None
        };
        rehearsal::panic_at(Point::Plan, key.name().bytes());
        let now_ms = key.sale().time(clock::now_ms()).now_ms;
        let mut key = key;
        if key.sale().is_part() {
            key.tick_rest();
        }
        let mut commit = BatchCommit::begin(ctx, key, orders, now_ms, entries);
        if commit.sale().has_line() {
            commit.begin_line(now_ms);
        }
        Ok(OpenBatch {
            command: command.name,
            batch: Batch::new(now_ms, config::bounds(), config::sweep_max()),
            desk: Desk {
                call: *call,
                commit,
                now_ms,
                is_denied_memory: None,
                id: b"",
                id_at: 0,
                is_answering: false,
            },
        })
    }

    /// Prefetches what the entries of a chunk will look at first, so that their cache misses
    /// overlap.
    fn fetch(&self, chunk: &mut [Result<Asked<'_>, Error>]) {
        let sale = self.desk.sale();
        if sale.broken().is_some() {
            return;
        }
        for asked in chunk.iter_mut().flatten() {
            let (id, user) = asked.entry.keys_mut();
            sale.touch(Some(id), user.as_deref());
        }
        for asked in chunk.iter_mut().flatten() {
            let (id, user) = asked.entry.keys_mut();
            sale.touch_records(Some(id), user);
        }
    }

    /// Answers the entries of a chunk, the words of which begin with this argument, in their
    /// order. A panic on the way breaks the sale off, and is an error of its entry and of those
    /// after it: the array of answers has begun, and has to come to its end.
    fn answer(&mut self, chunk: &[Result<Asked<'c>, Error>], first: usize, width: usize) {
        let mut next = 0;
        while next < chunk.len() {
            // All in one, as catching takes as long as a part of an entry.
            let answered = caught(|| {
                while let Some(asked) = chunk.get(next) {
                    self.answer_one(asked, first + next * width);
                    next += 1;
                }
            });
            if let Err(reason) = answered {
                if self.desk.is_answering {
                    // Half an answer cannot be taken back, so the edge ends the server.
                    std::panic::resume_unwind(Box::new(reason));
                }
                let error = self.break_off(&reason);
                reply_error(self.desk.reply(), &error);
                next += 1;
            }
        }
    }

    /// Answers an entry, the words of which begin with this argument.
    #[inline(always)]
    fn answer_one(&mut self, asked: &Result<Asked<'c>, Error>, first: usize) {
        let desk = &mut self.desk;
        desk.is_answering = false;
        let answered = match (asked, desk.sale().broken()) {
            (Ok(asked), None) => {
                (desk.id, desk.id_at) = (asked.id, first + asked.id_at);
                self.batch.play(desk, &asked.entry)
            }
            (Ok(_), Some(reason)) => Err(Error::broken(reason)),
            (Err(error), _) => Err(error.clone()),
        };
        if let Err(error) = answered {
            self.desk.is_answering = true;
            reply_error(self.desk.reply(), &error);
        }
    }

    /// Breaks the sale off after a panic, and returns what its entries are answered.
    #[cold]
    fn break_off(&mut self, reason: &str) -> Error {
        let reason = format!("{}: {reason}", self.command);
        self.desk.commit.break_off(&reason);
        Error::broken(&reason)
    }
}

impl Desk<'_> {
    fn reply(&self) -> Reply<'_> {
        self.call.reply()
    }

    /// Refuses to take more memory for a new reservation at `maxmemory`, as RESERVE does.
    ///
    /// # Errors
    ///
    /// `OOM`.
    #[inline]
    fn refuse_at_maxmemory(&mut self, makes_reservation: bool) -> Result<(), Error> {
        if !makes_reservation {
            return Ok(());
        }
        let (ctx, key) = (self.call.ctx(), self.commit.name());
        let is_denied = *self
            .is_denied_memory
            .get_or_insert_with(|| ctx.is_denied_memory(key));
        // What an entry before this one changed may let a script go on, so that is asked anew.
        if is_denied && !scripts::has_changed(ctx) {
            return Err(open::out_of_memory());
        }
        Ok(())
    }
}

/// An answer that is an error is not written here.
impl<'a> Carrier<'a> for Desk<'_> {
    type Answered = Result<(), Error>;

    #[inline]
    fn sale(&self) -> &Sale {
        self.commit.sale()
    }

    fn throttle(&mut self, ask: &Reserve<'_>) -> Option<Answer> {
        self.commit.throttle(self.now_ms, ask.user)
    }

    fn expire(&mut self, event: &Event<'_>) -> ControlFlow<Self::Answered> {
        self.commit.commit(event);
        ControlFlow::Continue(())
    }

    #[inline(always)]
    fn change(&mut self, event: &Event<'a>) -> Self::Answered {
        let makes_reservation = event.change.makes_reservation();
        self.refuse_at_maxmemory(makes_reservation)?;
        let done = self.commit.commit(event);
        self.is_answering = true;
        if makes_reservation {
            reply::reserved_now(self.reply(), self.sale(), self.id, event, &done);
        } else {
            reply::status(self.reply(), Word::Released, 2);
            self.reply().bytes(self.id);
        }
        Ok(())
    }

    #[inline(always)]
    fn order(&mut self, pending: Pending<'a>) -> Self::Answered {
        self.refuse_at_maxmemory(pending.change().makes_reservation())?;
        let id = text(&self.call, self.id_at)?;
        let done = self.commit.commit_order(pending, id)?;
        self.is_answering = true;
        reply::sold(self.reply(), self.sale(), self.id, done.slot, done.entry);
        Ok(())
    }

    fn say(&mut self, entry: &Entry<'a>, mut answer: Answer) -> Self::Answered {
        if let Answer::Waiting { place } = answer
            && self.commit.hear(self.now_ms, place)
            && let Some(slot) = self.sale().find(entry.id())
        {
            answer = Answer::Reserved { slot };
        }
        let ask = match entry {
            Entry::Reserve(ask) | Entry::Buy { ask, .. } => Some(&ask.ask),
            Entry::Checkout(_) | Entry::Release(_) => None,
        };
        if let Some(ask) = ask {
            self.commit.note_refused(ask, &answer);
        }
        self.is_answering = true;
        let about = About::units(self.id, ask, &[]);
        reply::answer(self.reply(), self.sale(), &about, answer)
    }

    #[cold]
    fn refuse_large(&mut self, budget: Budget) -> Self::Answered {
        Err(Error::new(match budget {
            Budget::Lines => {
                "id: its cart is larger than what is left of the 10000 lines of a batch, \
                 send it by itself"
            }
            Budget::Units => {
                "id: it has more units with names than what is left of the 10000 of a batch, \
                 send it by itself"
            }
        }))
    }
}
