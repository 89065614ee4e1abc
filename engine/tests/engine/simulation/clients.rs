//! What clients ask for: buyers with ids and REFs of their own, and the seller.
//!
//! A client remembers what it asked for, not what became of it: it pays for what may
//! have expired, releases what may never have arrived, and refunds what it has not
//! bought. Edge: makes requests up; who carries them out is the world's business.

use std::collections::BTreeMap;

use super::history::{At, Missed};
use super::ledger::Ledger;
use super::reply::Reply;
use super::step::{Scene, option_value};
use crate::commands::requests::{Ask, Deltas, Named, Op, bytes, name};
use flashsale_fuzz::dice::Dice;

pub struct Client {
    pub user: String,
    /// The server it takes for the primary.
    pub knows: usize,
    /// Its ids with what it asked for, newest last.
    pub own: Vec<(String, Ask)>,
}

/// What a client was told, and where in a history that was true.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: At,
    /// What the server that told it had missed.
    pub missed: Missed,
    /// Which life of the id it was about.
    pub life: u32,
    pub reply: Reply,
}

pub struct Request {
    pub client: usize,
    pub op: Op,
    pub told: Vec<Told>,
}

/// The same units, asked for in another order.
fn in_any_order(ask: Ask) -> Ask {
    let reversed = |lines: Vec<(String, u64)>| lines.into_iter().rev().collect();
    match ask {
        Ask::Items(lines) => Ask::Items(reversed(lines)),
        Ask::Named(lines, names) => Ask::Named(reversed(lines), names.into_iter().rev().collect()),
        qty => qty,
    }
}

/// A name in one of the shapes that are kept differently.
fn shaped(prefix: &str, n: usize) -> String {
    match n % 9 {
        0 => format!("01ARZ3NDEKTSV4RRFFQ{}{n:0>6}", &prefix[..1].to_uppercase()),
        1 => format!("01arz3ndektsv4rrffq{prefix}{n:0>6}"),
        2 => format!("{prefix}{n:_>127}"),
        3 => format!("{prefix}{n:_>21}"),
        4 => format!("{prefix}{n:_>22}"),
        _ => format!("{prefix}{n}"),
    }
}

impl Scene {
    pub fn people(&self) -> Vec<Client> {
        let client = |n: usize| Client {
            user: shaped("u", n % self.users),
            knows: 0,
            own: Vec::new(),
        };
        (0..self.clients).map(client).collect()
    }
}

/// A client about to ask, and what it can see from where it stands.
pub struct Asking<'a> {
    pub dice: &'a mut Dice,
    pub scene: &'a Scene,
    pub clients: &'a mut [Client],
    pub client: usize,
    /// The books of the primary, for SKUs and for times that matter.
    pub books: &'a Ledger,
    pub now_ms: u64,
    /// Ids made up so far.
    pub ids: &'a mut usize,
}

impl Asking<'_> {
    pub fn request(&mut self) -> Op {
        if let Some(op) = self.reopen() {
            return op;
        }
        if let Some(op) = self.names_to_begin_with() {
            return op;
        }
        if self.scene.has_imports && self.dice.one_in(12) {
            return self.import();
        }
        match self.dice.below(100) {
            0..28 => self.reserve(),
            28..38 => self.replace(),
            38..46 => self.buy(),
            46..62 => self.checkout(),
            62..67 => {
                let (id, _) = self.an_id();
                Op::Release {
                    user: self.whose(&id),
                    id,
                }
            }
            67..75 => {
                let (id, _) = self.an_id();
                let hold_ms = self.books.options.hold_ms;
                Op::Extend {
                    ms: self.dice.between(1, hold_ms * 2),
                    user: self.whose(&id),
                    id,
                }
            }
            75..86 => self.refund(),
            86..92 if self.scene.has_names && self.dice.one_in(2) => self.restock_units(),
            86..92 => self.restock(),
            _ => self.manage(),
        }
    }

    fn me(&mut self) -> &mut Client {
        &mut self.clients[self.client]
    }

    pub fn user(&mut self) -> String {
        self.me().user.clone()
    }

    /// USER: mostly not given, now and then of somebody else.
    fn whose(&mut self, id: &str) -> Option<String> {
        match self.dice.below(30) {
            0 => {
                let other = self.dice.index(self.clients.len());
                Some(self.clients[other].user.clone())
            }
            1..10 => {
                let record = self.books.record(&bytes(id));
                let owner = record.and_then(|record| record.user.as_deref());
                Some(owner.map_or_else(|| self.user(), name))
            }
            _ => None,
        }
    }

    fn new_id(&mut self, ask: &Ask) -> String {
        *self.ids += 1;
        let id = shaped("r", *self.ids);
        self.me().own.push((id.clone(), ask.clone()));
        id
    }

    /// An id with what was asked for: a recent one of this client, or of another.
    pub fn an_id(&mut self) -> (String, Ask) {
        if !self.dice.one_in(3)
            && let Some(known) = self.a_known_id()
        {
            return known;
        }
        let of = match self.dice.below(12) {
            0 => self.dice.index(self.clients.len()),
            _ => self.client,
        };
        let recent = if self.dice.one_in(4) { usize::MAX } else { 4 };
        let own = &self.clients[of].own;
        let from = own.len().saturating_sub(recent);
        if own.is_empty() || self.dice.one_in(25) {
            // One that was never reserved, or will be.
            let ask = self.ask();
            return (self.new_id(&ask), ask);
        }
        own[from + self.dice.index(own.len() - from)].clone()
    }

    /// An id that the books know: mostly an open one.
    fn a_known_id(&mut self) -> Option<(String, Ask)> {
        let books = self.books;
        let of_queue = |queue: &'_ BTreeMap<(u64, u64), Vec<u8>>, at: u64| {
            let len = queue.len() as u64;
            let nth = (len > 0).then(|| at % len)?;
            queue.values().nth(nth as usize).cloned()
        };
        let at = self.dice.roll();
        let id = match self.dice.below(10) {
            0..5 => of_queue(&books.open, at)?,
            5 | 6 => of_queue(&books.ended, at)?,
            7 if !books.late.is_empty() => of_queue(&books.late, at)?,
            _ => {
                let nth = at as usize % books.ids.len().max(1);
                books.ids.keys().nth(nth)?.clone()
            }
        };
        self.with_its_lines(&id)
    }

    fn with_its_lines(&self, id: &[u8]) -> Option<(String, Ask)> {
        let books = self.books;
        let record = books.record(id)?;
        let lines = (record.units.iter())
            .map(|&(item, qty)| (name(&books.items[item].sku), qty))
            .collect();
        Some((name(id), Ask::Items(lines)))
    }

    /// One within its grace that had units with names.
    fn a_late_id(&mut self) -> Option<(String, Ask)> {
        let books = self.books;
        let had = |id: &&Vec<u8>| {
            books
                .record(id)
                .is_some_and(|record| !record.has.is_empty())
        };
        let late: Vec<&Vec<u8>> = books.late.values().filter(had).collect();
        let at = self.dice.roll() as usize;
        let id = late.get(at % late.len().max(1))?;
        self.with_its_lines(id)
    }

    pub fn sku(&mut self) -> String {
        if self.dice.one_in(60) {
            return "no such SKU".into();
        }
        let items = &self.books.items;
        let item = &items[self.dice.index(items.len())];
        name(&item.sku)
    }

    pub fn qty(&mut self) -> u64 {
        self.dice.between(1, self.scene.most)
    }

    pub fn ask(&mut self) -> Ask {
        if self.scene.has_names && self.dice.one_in(4) {
            return self.ask_by_names();
        }
        let items = &self.books.items;
        if items.len() > 8 && self.dice.one_in(2) {
            let lines = 8 + self.dice.index(items.len() - 7);
            let lines = items[..lines].iter().map(|item| (name(&item.sku), 1));
            return Ask::Items(lines.collect());
        }
        let one_in = if self.books.bare_items().is_empty() {
            40
        } else {
            3
        };
        if self.dice.one_in(one_in) {
            return Ask::Qty(self.qty());
        }
        let lines = self.dice.of(&[1, 1, 2, 2, 3]);
        Ask::Items((0..lines).map(|_| (self.sku(), self.qty())).collect())
    }

    fn reserve(&mut self) -> Op {
        let ask = self.ask();
        let hold = match self.dice.below(4) {
            0 => Some(self.dice.between(1, self.books.options.hold_ms * 2)),
            _ => None,
        };
        // A client that uses an id again, for the same or for something else.
        let (id, ask) = match self.dice.below(10) {
            0 => {
                let (id, before) = self.an_id();
                let other = self.dice.one_in(2) || before == Ask::Items(Vec::new());
                let again = self.by_its_names(&id, before);
                (id, if other { ask } else { in_any_order(again) })
            }
            _ => (self.new_id(&ask), ask),
        };
        Op::Reserve {
            user: self.user(),
            ask,
            id,
            hold,
            replaces: None,
        }
    }

    /// A cart that changes: a client does not know whether it was sold, given back or
    /// replaced in the meantime. Now and then it is another one's, who has logged in since.
    fn replace(&mut self) -> Op {
        let (old, before) = self.an_id();
        let mut ask = self.ask();
        if let Ask::Items(mut lines) = before
            && !lines.is_empty()
            && !self.dice.one_in(4)
        {
            let at = self.dice.index(lines.len());
            match self.dice.below(5) {
                0 => lines[at].1 += 1,
                1 => lines[at].1 = self.dice.between(1, lines[at].1),
                2 => lines.push((self.sku(), self.qty())),
                3 if lines.len() > 1 => {
                    lines.remove(at);
                }
                _ => {}
            }
            ask = match self.dice.below(3) {
                0 => self.by_its_names(&old, Ask::Items(lines)),
                _ => Ask::Items(lines),
            };
        }
        let owner = self.books.record(&bytes(&old));
        let owner = owner.and_then(|record| record.user.as_deref()).map(name);
        let user = match owner {
            Some(owner) if !self.dice.one_in(5) => owner,
            _ => self.user(),
        };
        // As many as are on their way to replace one id, one does.
        let id = match self.dice.below(12) {
            0 => self.an_id().0,
            _ => self.new_id(&ask),
        };
        Op::Reserve {
            user,
            ask,
            id,
            hold: None,
            replaces: Some(old),
        }
    }

    fn buy(&mut self) -> Op {
        let ask = self.ask();
        let late = match self.scene.has_names && self.dice.one_in(2) {
            true => self.a_late_id(),
            false => None,
        };
        let (id, ask) = match self.dice.below(3) {
            0 => match late.unwrap_or_else(|| self.an_id()) {
                (id, Ask::Items(lines)) if lines.is_empty() => (id, ask),
                (id, before) => {
                    let again = self.by_its_names(&id, before);
                    (id, again)
                }
            },
            _ => (self.new_id(&ask), ask),
        };
        let reference = self.payment(&id);
        Op::Buy {
            user: self.user(),
            ask,
            id,
            reference,
        }
    }

    /// The REF of a payment: one an id, and now and then a second payment.
    pub fn payment(&mut self, id: &str) -> Option<String> {
        let short = &id[..id.len().min(40)];
        match self.dice.below(10) {
            0 | 1 => None,
            2 => Some("another payment".into()),
            _ => Some(format!("p-{short}")),
        }
    }

    fn checkout(&mut self) -> Op {
        let (id, _) = self.an_id();
        let reference = self.payment(&id);
        Op::Checkout {
            user: self.whose(&id),
            id,
            reference,
        }
    }

    fn refund(&mut self) -> Op {
        let (id, bought) = self.an_id();
        let reference = match self.dice.below(4) {
            0 => None,
            n => Some(format!("back-{n}")),
        };
        let ask = match self.dice.below(5) {
            0 => Some(self.ask()),
            1 if bought != Ask::Items(Vec::new()) => Some(bought),
            2 => Some(Ask::Qty(self.dice.of(&[1, 1, 1, 2]))),
            3 => match bought {
                Ask::Items(lines) => {
                    (lines.first()).map(|line| Ask::Items(vec![(line.0.clone(), 1)]))
                }
                qty => Some(qty),
            },
            _ => None,
        };
        let ask = match self.names_to_refund(&id) {
            Some(names) if self.dice.one_in(2) => Some(Ask::Named(Vec::new(), names)),
            _ => ask,
        };
        Op::Refund {
            ask: ask.filter(|_| reference.is_some()),
            reference,
            user: self.whose(&id),
            id,
            no_restock: self.dice.one_in(4),
            restore_limit: self.dice.one_in(3),
        }
    }

    fn restock(&mut self) -> Op {
        let delta = |dice: &mut Dice| match dice.below(4) {
            0 => -(dice.between(1, 3) as i64),
            _ => dice.between(1, 5) as i64,
        };
        let new = self.dice.one_in(6);
        let deltas = match self.dice.below(3) {
            0 => Deltas::Bare(delta(self.dice)),
            _ if new => {
                let sku = self.dice.of(&["default", "new", "b"]);
                Deltas::Items(vec![(sku.into(), 2), (self.sku(), delta(self.dice))])
            }
            _ => Deltas::Items(vec![(self.sku(), delta(self.dice))]),
        };
        let reference = match self.dice.below(4) {
            0 => None,
            _ => Some(format!("delivery {}", self.dice.below(30))),
        };
        Op::Restock {
            deltas,
            new,
            reference,
        }
    }

    /// A sale that sells nothing for long has little to show.
    fn reopen(&mut self) -> Option<Op> {
        let is_paused = self.books.refuses_since().is_some();
        let is_over = self.books.ended_at(self.now_ms).is_some();
        let is_early = self.books.options.start_at_ms > Some(self.now_ms);
        let is_shut = is_paused || is_over || is_early;
        let is_marked = self.books.mark.is_some();
        let is_closed = self.books.closed_at_ms.is_some() && !is_marked;
        if !is_shut || is_closed || !self.dice.one_in(4) {
            return None;
        }
        Some(match (is_paused, is_over) {
            // A mark can be lifted after it as well.
            (true, false) if is_marked && self.dice.one_in(3) => Op::Close,
            (true, _) => Op::Resume,
            (_, true) => Op::Alter(vec![("END", 0)]),
            _ => Op::Alter(vec![("START", 0)]),
        })
    }

    fn manage(&mut self) -> Op {
        match self.dice.below(60) {
            0..40 => Op::Alter(self.changes()),
            40..48 => Op::Pause,
            48..56 => Op::Resume,
            56 if self.dice.one_in(4) => Op::Close,
            _ => Op::Bind(self.dice.of(&["orders", "orders", "other orders"]).into()),
        }
    }

    fn changes(&mut self) -> Vec<Named> {
        const NAMES: [&str; 14] = [
            "USERLIMIT",
            "ITEMLIMIT",
            "ORDERLIMIT",
            "SALELIMIT",
            "HOLD",
            "MAXHOLD",
            "GRACE",
            "START",
            "END",
            "KEEP",
            "REMEMBER",
            "EVENTS",
            "PASSKEY",
            "USERRATE",
        ];
        let first = self.dice.index(NAMES.len());
        let hold_ms = self.scene.setup.hold_ms_default;
        let mut named = Vec::new();
        for at in 0..self.dice.of(&[1, 1, 1, 2]) {
            let option = NAMES[(first + at) % NAMES.len()];
            let value = option_value(self.dice, option, hold_ms, self.now_ms);
            named.push((option, value));
        }
        named
    }
}
