//! Servers, clients and the wire between them, moved one step at a time.
//!
//! Everything that a step shows is checked at once: the answer by the judge, the sale
//! by the books of its history, a replica by what its primary came to at that place,
//! and what a client was told by what it is told now.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::clients::{Asking, Client, Request, Told};
use super::history::{At, Histories, missed_alike};
use super::judge::Case;
use super::ledger::{Ledger, must};
use super::notable::notable_units;
use super::record::Fate;
use super::reply::Reply;
use super::server::{Deciding, Role, Server, digest_of};
use super::step::{Act, Scene, Step};
use crate::commands::lines::{id_of, replaced_of};
use crate::commands::play::{self, Fault};
use crate::commands::requests::{Op, bytes};
use flashsale_engine::sale::{Answer, Sale, encode_event};
use flashsale_fuzz::dice::Dice;

/// A sale's id is a ULID of this test's making.
const SALE_ID: u128 = 0x0192_0000_0000_0000_0000_0000_002a;
/// More requests than this are not on their way at once.
const WIRE_MAX: usize = 60;
/// Events from one full look at everything to the next.
const FULL_LOOK_EVERY: u64 = 4;

pub struct World {
    pub scene: Scene,
    pub now_ms: u64,
    pub servers: Vec<Server>,
    /// The primary, as those who run the servers see it.
    pub primary: usize,
    pub histories: Histories,
    pub clients: Vec<Client>,
    pub requests: Vec<Request>,
    /// Requests on their way, each with the server it goes to.
    pub wire: Vec<(usize, usize)>,
    ids: usize,
    events: u64,
    /// Requests carried out, faults, sweeps, and steps of replication.
    pub operations: u64,
    /// How often each thing was seen.
    pub seen: BTreeMap<&'static str, u64>,
    /// What happened, in words; written only for a report.
    pub notes: Option<Vec<String>>,
    /// Nothing that was acknowledged can have been lost so far.
    pub is_durable: bool,
}

/// Where the answer to a request is given.
#[derive(Clone, Copy)]
pub struct Standing {
    at: At,
    /// Which life of the id it is about.
    life: u32,
    is_known: bool,
}

impl Standing {
    /// `None` for a request that is not held against what was said before.
    pub fn of(server: &Server, op: &Op) -> Result<Option<Standing>, Fault> {
        let books = server.books.as_ref().ok_or("a replica answers")?;
        let (life, is_known) = match (op, id_of(op)) {
            (_, Some(id)) => {
                let id = bytes(id);
                (books.life(&id), books.record(&id).is_some())
            }
            (Op::Restock { reference, .. } | Op::RestockUnits { reference, .. }, _)
                if reference.is_some() =>
            {
                (0, false)
            }
            _ => return Ok(None),
        };
        Ok(Some(Standing {
            at: server.at,
            life,
            is_known,
        }))
    }
}

impl World {
    /// `None` when the sale cannot be made.
    pub fn new(scene: &Scene) -> Result<Option<World>, Fault> {
        let created = play::create(&scene.setup, SALE_ID, |event| {
            let mut bytes = Vec::new();
            encode_event(event, &mut bytes);
            Ok(bytes)
        })?;
        let Some(created) = created else {
            return Ok(None);
        };
        let histories = Histories::new(Rc::from(created));
        let mut servers = Vec::new();
        for (at, config) in scene.servers.iter().enumerate() {
            // The last one is chained behind another replica.
            let of = if at == 3 { 2 } else { 0 };
            let role = if at == 0 {
                Role::Primary
            } else {
                Role::Replica { of }
            };
            servers.push(Server::new(&histories, config.clone(), role)?);
        }
        servers[0].books = Some(Ledger::open(&histories.created)?);
        let mut seen = BTreeMap::new();
        if scene.has_names {
            seen.insert("sale with names", 1);
        }
        Ok(Some(World {
            scene: scene.clone(),
            now_ms: scene.setup.clock_ms,
            servers,
            primary: 0,
            histories,
            clients: scene.people(),
            requests: Vec::new(),
            wire: Vec::new(),
            ids: 0,
            events: 0,
            operations: 0,
            seen,
            notes: None,
            is_durable: true,
        }))
    }

    pub fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub fn note(&mut self, words: impl FnOnce(&World) -> String) {
        if self.notes.is_some() {
            let words = words(self);
            self.notes
                .iter_mut()
                .for_each(|notes| notes.push(words.clone()));
        }
    }

    /// The books of the primary.
    pub fn books(&self) -> &Ledger {
        let books = self.servers[self.primary].books.as_ref();
        books.expect("the books of the primary")
    }

    pub fn step(&mut self, step: Step) -> Result<(), Fault> {
        let dice = &mut Dice(step.dice);
        match step.act {
            Act::Ask => self.ask(dice),
            Act::Retry => self.retry(dice),
            Act::Deliver if !self.wire.is_empty() => {
                let (request, server) = self.wire.swap_remove(dice.index(self.wire.len()));
                self.count("request delayed or reordered");
                self.deliver(dice, request, server)
            }
            Act::Duplicate if !self.wire.is_empty() => {
                let message = self.wire[dice.index(self.wire.len())];
                self.count("request duplicated");
                self.wire.push(message);
                Ok(())
            }
            Act::Lose if !self.wire.is_empty() => {
                self.wire.swap_remove(dice.index(self.wire.len()));
                self.count("request lost");
                Ok(())
            }
            Act::Gather => self.gather(dice),
            Act::Hear => {
                let client = dice.index(self.clients.len());
                self.clients[client].knows = self.primary;
                Ok(())
            }
            Act::Deliver | Act::Duplicate | Act::Lose => Ok(()),
            of_a_server => self.server_step(of_a_server, dice),
        }
    }

    fn ask(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        let client = dice.index(self.clients.len());
        let books = self.servers[self.primary].books.as_ref();
        let mut asking = Asking {
            dice,
            scene: &self.scene,
            clients: &mut self.clients,
            client,
            books: books.expect("the books of the primary"),
            now_ms: self.now_ms,
            ids: &mut self.ids,
        };
        let op = asking.request();
        self.requests.push(Request {
            client,
            op,
            told: Vec::new(),
        });
        self.send(dice, self.requests.len() - 1)
    }

    fn retry(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        if self.requests.is_empty() {
            return Ok(());
        }
        let recent = if dice.one_in(4) { usize::MAX } else { 25 };
        let from = self.requests.len().saturating_sub(recent);
        let request = from + dice.index(self.requests.len() - from);
        self.count("request sent again");
        self.send(dice, request)
    }

    fn send(&mut self, dice: &mut Dice, request: usize) -> Result<(), Fault> {
        let server = self.clients[self.requests[request].client].knows;
        let fate = dice.below(100);
        if fate < 65 {
            self.deliver(dice, request, server)?;
        }
        if (62..97).contains(&fate) && self.wire.len() < WIRE_MAX {
            self.wire.push((request, server));
        } else if fate >= 65 {
            self.count("request lost");
        }
        Ok(())
    }

    /// A request arrives at a server, is carried out, and is answered or not.
    fn deliver(&mut self, dice: &mut Dice, request: usize, to: usize) -> Result<(), Fault> {
        self.operations += 1;
        if !self.servers[to].is_primary() {
            self.count("READONLY");
            if dice.one_in(2) {
                self.clients[self.requests[request].client].knows = self.primary;
            }
            return Ok(());
        }
        if to != self.primary {
            self.count("request to a deposed primary");
        }
        let op = self.requests[request].op.clone();
        let reply = self.decide(to, &op)?;
        self.note(|world| {
            let client = world.requests[request].client;
            format!("client {client} asks server {to}: {op:?} -> {reply:?}")
        });
        self.count(reply.word());
        let told = self.told(request, to, &reply)?;
        self.keep(dice, request, told);
        Ok(())
    }

    /// The client keeps what it was told, unless the reply is lost.
    pub fn keep(&mut self, dice: &mut Dice, request: usize, told: Option<Told>) {
        if dice.one_in(8) {
            self.count("reply lost");
        } else if let Some(told) = told {
            let kept = &mut self.requests[request].told;
            kept.truncate(2);
            kept.insert(0, told);
        }
    }

    /// One command or sweep on a server that takes itself for the primary.
    pub fn decide(&mut self, at: usize, op: &Op) -> Result<Reply, Fault> {
        let server = &mut self.servers[at];
        let clock_ms = server.clock_ms(self.now_ms);
        let books = server.books.as_ref().ok_or("a replica decides")?;
        let now_ms = books.time(clock_ms);
        let mut deciding = Deciding::new(server, &mut self.histories, clock_ms);
        let played = play::play(&mut deciding, clock_ms, op)?;
        if let Op::Sweep(most) = op
            && !deciding.drop_above(20)?
        {
            deciding.tell(u64::from(*most))?;
        }
        let (changes, events) = (deciding.changes, deciding.events as u64);
        let (notable, swept) = (deciding.seen, deciding.sweeps > 0);
        must(changes <= 1, "a request changes something once")?;
        let server = &self.servers[at];
        let reply = Reply::of(&server.sale, op, played);
        let books = server.books.as_ref().ok_or("a replica decides")?;
        let case = Case {
            books,
            op,
            reply: &reply,
            now_ms,
            is_vouched: false,
            changed: changes > 0,
            swept,
            has_backlog: server.sale.has_backlog(server.config.sweep_max),
            bounds: server.config.bounds,
        };
        case.judge()
            .map_err(|fault| format!("{fault}: {op:?} is answered {reply:?}"))?;
        books.compare_items(&server.sale)?;
        for id in id_of(op).into_iter().chain(replaced_of(op)) {
            books.compare_id(&server.sale, &bytes(id))?;
        }
        let record = id_of(op).and_then(|id| books.record(&bytes(id)));
        let is_lost = record.is_some_and(|record| {
            let is_late = books.is_in_grace(record, now_ms) && !books.has_claim(record);
            is_late && matches!(reply, Reply::Expired { .. })
        });
        let is_of_others = record.is_some_and(|record| {
            let (Op::Buy { ask, .. }, Reply::No(Answer::Mismatch)) = (op, &reply) else {
                return false;
            };
            let is_named = |buys| books.has_no_others(record, ask, buys);
            record.fate == Fate::Late && is_named(false) && !is_named(true)
        });
        self.look_now_and_then(at, events)?;
        if is_lost {
            self.count("expired before its item had names");
        }
        if is_of_others {
            self.count("BUY of others than a late one had");
        }
        for what in notable.into_iter().chain(notable_units(op, &reply)) {
            self.count(what);
        }
        if events > changes as u64 && !matches!(op, Op::Sweep(_)) {
            self.count("expiry on the way of a request");
        }
        Ok(reply)
    }

    /// Looks at the whole sale after so many more events, if it is time.
    pub fn look_now_and_then(&mut self, at: usize, events: u64) -> Result<(), Fault> {
        let before = self.events / FULL_LOOK_EVERY;
        self.events += events;
        if self.events / FULL_LOOK_EVERY > before {
            let server = &self.servers[at];
            let books = server.books.as_ref().ok_or("a replica decides")?;
            books.compare_all(&server.sale)?;
        }
        Ok(())
    }

    /// Holds an answer against what the client was told before about the same request;
    /// what it is told now.
    fn told(&mut self, request: usize, by: usize, reply: &Reply) -> Result<Option<Told>, Fault> {
        let server = &self.servers[by];
        let Some(standing) = Standing::of(server, &self.requests[request].op)? else {
            return Ok(None);
        };
        self.told_there(request, by, reply, &standing)
    }

    /// The same for an answer that was given there, before later entries of a batch.
    pub fn told_there(
        &mut self,
        request: usize,
        by: usize,
        reply: &Reply,
        standing: &Standing,
    ) -> Result<Option<Told>, Fault> {
        let server = &self.servers[by];
        let Request { told, op, .. } = &self.requests[request];
        let is_by_name = match op {
            Op::Reserve { ask, .. } | Op::Buy { ask, .. } => !ask.names().is_empty(),
            _ => false,
        };
        let Standing { at, life, is_known } = *standing;
        let books = server.books.as_ref().ok_or("a replica answers")?;
        let (mut replayed, mut other_history, mut missed) = (false, false, false);
        let mut codes = false;
        let record = id_of(op).and_then(|id| books.record(&bytes(id)));
        let was_imported = record.is_some_and(|record| record.was_imported);
        for before in told {
            if !self.histories.leads_through(at, before.at) {
                other_history = true;
                continue;
            }
            if !missed_alike(&before.missed, &server.missed, before.at.offset) {
                // It does not know of everything that the client was told.
                missed = true;
                continue;
            }
            if before.life != life {
                continue;
            }
            let is_order = matches!(
                before.reply,
                Reply::Sold(..) | Reply::Refunded(_) | Reply::AlreadySold(_) | Reply::Restocked(_)
            );
            if !is_known && !is_order {
                // Forgotten since, or never known.
                continue;
            }
            before.reply.may_become(reply, is_by_name, was_imported)?;
            replayed |= !matches!(before.reply, Reply::No(_));
            codes |= matches!(&before.reply, Reply::Sold(_, names) if books.has_codes(names));
        }
        let told = Told {
            at,
            missed: server.missed.clone(),
            life,
            reply: reply.clone(),
        };
        if replayed {
            self.count("retry answered as before");
        }
        if codes {
            self.count("retry of an order with codes");
        }
        if missed {
            self.count("retry of what a copy missed");
        }
        if other_history {
            self.count("retry of what a failover lost");
        }
        Ok(Some(told))
    }

    /// A copy stands where its primary stood: it has to be the same sale.
    pub fn compare_digest(&mut self, at: usize) -> Result<(), Fault> {
        let server = &self.servers[at];
        if !server.is_like_its_primary(&self.histories, server.at) {
            return Ok(());
        }
        let Some(digest) = *self.histories.digest(server.at) else {
            return Ok(());
        };
        self.count("digest compared");
        let server = &self.servers[at];
        if digest == digest_of(&server.sale) {
            return Ok(());
        }
        Err(format!("server {at} is another sale at {:?}", server.at))
    }

    /// Writes down what a server's sale comes to where it stands.
    pub fn look_at(&mut self, at: usize) {
        let place = self.servers[at].at;
        let is_like_it = self.servers[at].is_like_its_primary(&self.histories, place);
        if is_like_it && self.histories.digest(place).is_none() {
            let digest = digest_of(&self.servers[at].sale);
            *self.histories.digest(place) = Some(digest);
        }
    }

    /// The end of a run: everything arrives, everyone asks again, and every copy is
    /// brought up to date.
    pub fn settle(&mut self) -> Result<(), Fault> {
        let dice = &mut Dice(1);
        for (request, server) in std::mem::take(&mut self.wire) {
            self.deliver(dice, request, server)?;
        }
        self.check_durability()?;
        for client in &mut self.clients {
            client.knows = self.primary;
        }
        for request in 0..self.requests.len() {
            if !self.requests[request].told.is_empty() {
                self.deliver(dice, request, self.primary)?;
            }
        }
        for at in 0..self.servers.len() {
            if at != self.primary {
                self.follow(at, self.primary)?;
                self.replicate(at, usize::MAX)?;
                self.mend(at)?;
            }
        }
        let primary = &self.servers[self.primary];
        let Some(books) = &primary.books else {
            return Ok(());
        };
        books.compare_all(self.sale())?;
        primary.stream.judge(&primary.sale, books)?;
        let is_same = |copy: &Server| copy.stream.is_like(&primary.stream);
        must(
            self.servers.iter().all(is_same),
            "every copy has the same entries at the same IDs",
        )
    }

    fn sale(&self) -> &Sale {
        &self.servers[self.primary].sale
    }

    /// Without a failover or a lost tail, all that was acknowledged is there.
    fn check_durability(&mut self) -> Result<(), Fault> {
        let place = self.servers[self.primary].at;
        let told = self.requests.iter().flat_map(|request| &request.told);
        let lost = told.filter(|told| !self.histories.leads_through(place, told.at));
        let lost = lost.count();
        must(
            lost == 0 || !self.is_durable,
            "nothing acknowledged is lost",
        )?;
        if lost > 0 {
            self.count("run that lost what was acknowledged");
        } else if self.is_durable {
            self.count("run that could lose nothing");
        }
        Ok(())
    }
}
