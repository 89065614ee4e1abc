//! Plays a batch against the pure engine: each entry decided, carried out and answered before
//! the next, and all events in one container.
//!
//! What `src/command/batch.rs` and `src/change/batch_commit.rs` do, for tests that have no
//! server. Edge: decides nothing; what an event does to the sale is the host's to play.

use std::ops::ControlFlow;

use super::lines::Lines;
use super::play::{Done, Fault};
use super::requests::{Op, bytes};
use flashsale_engine::sale;
use flashsale_engine::sale::{
    Answer, Batch, Bounds, Budget, Carrier, ContainerWriter, Entry, EntryId, Event, Pending, Sale,
};
use flashsale_fuzz::samples::unentered;

/// A server while it carries a batch out.
pub trait BatchHost {
    fn sale(&self) -> &Sale;
    fn bounds(&self) -> Bounds;
    fn sweep_max(&self) -> u32;
    /// As [`Host::throttle`](super::play::Host::throttle).
    fn throttle(&mut self, _user: &[u8]) -> Option<Answer> {
        None
    }
    /// Gives an order its entry.
    fn enter(&mut self, event: &mut Event<'_>) -> Result<(), Fault>;
    /// Carries an event out, which is in the container already.
    fn apply(&mut self, event: &Event<'_>) -> Result<Done, Fault>;
    /// Writes the answer to the entry at this position.
    fn answer(&mut self, at: usize, said: Said) -> Result<(), Fault>;
}

/// What there is to answer about an entry.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    Reserved(sale::Slot),
    Sold(EntryId),
    Released,
    Answer(Answer),
}

/// Reports whether this request can be an entry of a batch, which names no units.
pub fn is_entry(op: &Op) -> bool {
    match op {
        Op::Reserve { replaces, ask, .. } => replaces.is_none() && ask.names().is_empty(),
        Op::Buy { ask, .. } => ask.names().is_empty(),
        Op::Checkout { user, .. } | Op::Release { user, .. } => user.is_none(),
        _ => false,
    }
}

/// Carries out a batch of these requests at a moment of the server's clock, and returns its
/// container, which is empty if nothing changed.
pub fn play_batch(
    host: &mut impl BatchHost,
    clock_ms: u64,
    ops: &[Op],
) -> Result<Option<Vec<u8>>, Fault> {
    let now_ms = host.sale().time(clock_ms).now_ms;
    let mut batch = Batch::new(now_ms, host.bounds(), host.sweep_max());
    let mut carrying = Carrying {
        host,
        container: ContainerWriter::new(Vec::new(), now_ms),
        now_ms,
        at: 0,
    };
    for (at, op) in ops.iter().enumerate() {
        let names = Names::of(op);
        let entry = names.entry(op, carrying.host.sale());
        carrying.at = at;
        batch.play(&mut carrying, &entry)?;
    }
    let mut container = carrying.container;
    Ok((!container.is_empty()).then(|| container.finish().to_vec()))
}

/// Has a host carry out and answer what is decided about the entry at hand.
struct Carrying<'h, H> {
    host: &'h mut H,
    container: ContainerWriter,
    now_ms: u64,
    /// Where the entry stands among the others.
    at: usize,
}

impl<H: BatchHost> Carrying<'_, H> {
    fn apply(&mut self, event: &Event<'_>) -> Result<Done, Fault> {
        if event.at_ms != self.now_ms {
            let now_ms = self.now_ms;
            return Err(format!("decided at {now_ms}, but says so: {event:?}"));
        }
        self.container.push(event);
        self.host.apply(event)
    }
}

impl<'a, H: BatchHost> Carrier<'a> for Carrying<'_, H> {
    type Answered = Result<(), Fault>;

    fn sale(&self) -> &Sale {
        self.host.sale()
    }

    fn throttle(&mut self, ask: &sale::Reserve<'_>) -> Option<Answer> {
        let mut buffer = sale::NameBuffer::default();
        self.host.throttle(ask.user.bytes(&mut buffer))
    }

    fn expire(&mut self, event: &Event<'_>) -> ControlFlow<Result<(), Fault>> {
        match self.apply(event) {
            Ok(_) => ControlFlow::Continue(()),
            Err(fault) => ControlFlow::Break(Err(fault)),
        }
    }

    fn change(&mut self, event: &Event<'a>) -> Result<(), Fault> {
        let done = self.apply(event)?;
        let said = match (done.entry, done.slot) {
            (Some(entry), _) => Said::Sold(entry),
            (None, Some(slot)) if event.change.makes_reservation() => Said::Reserved(slot),
            _ => Said::Released,
        };
        self.host.answer(self.at, said)
    }

    fn order(&mut self, pending: Pending<'a>) -> Result<(), Fault> {
        let mut event = unentered(pending);
        self.host.enter(&mut event)?;
        self.change(&event)
    }

    fn say(&mut self, _: &Entry<'a>, answer: Answer) -> Result<(), Fault> {
        self.host.answer(self.at, Said::Answer(answer))
    }

    fn refuse_large(&mut self, _: Budget) -> Result<(), Fault> {
        Err("a cart too large for a batch".to_owned())
    }
}

/// The names of a request, as bytes that an entry can borrow.
struct Names {
    id: Vec<u8>,
    user: Vec<u8>,
    reference: Option<Vec<u8>>,
    lines: Lines,
}

impl Names {
    fn of(op: &Op) -> Names {
        let names = |id: &str, user: &str, reference: Option<&str>, lines| Names {
            id: bytes(id),
            user: bytes(user),
            reference: reference.map(bytes),
            lines,
        };
        match op {
            Op::Reserve { user, ask, id, .. } => names(id, user, None, Lines::of(ask)),
            Op::Buy {
                user,
                ask,
                id,
                reference,
            } => names(id, user, reference.as_deref(), Lines::of(ask)),
            Op::Checkout { id, reference, .. } => {
                names(id, "", reference.as_deref(), Lines::Qty(0))
            }
            Op::Release { id, .. } => names(id, "", None, Lines::Qty(0)),
            other => unreachable!("no entry: {other:?}"),
        }
    }

    fn entry(&self, op: &Op, sale: &Sale) -> Entry<'_> {
        let (id, reference) = (sale.hasher().key(&self.id), self.reference.as_deref());
        let ask = |hold_ms| sale::Reserve {
            units: &[],
            user: sale.hasher().key(&self.user),
            ask: self.lines.ask(),
            id,
            hold_ms,
            waits: false,
            pass: sale::Pass::Vouched,
            replaces: None,
        };
        match op {
            Op::Reserve { hold, .. } => Entry::Reserve(ask(*hold)),
            Op::Buy { .. } => Entry::Buy {
                ask: ask(None),
                reference,
            },
            Op::Checkout { .. } => Entry::Checkout(sale::Checkout {
                id,
                user: None,
                reference,
                payload: None,
            }),
            _ => Entry::Release(id),
        }
    }
}
