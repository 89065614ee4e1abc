//! What happens to servers: clocks, sweeps, replication, crashes and failovers.

use super::history::At;
use super::ledger::must;
use super::reply::Reply;
use super::server::{Role, digest_of};
use super::step::Act;
use super::world::World;
use crate::commands::play::Fault;
use crate::commands::requests::Op;
use flashsale_engine::sale::{Container, Hasher, decode_event};
use flashsale_fuzz::dice::Dice;

/// How many events of a damaged line can be read, and why the next one cannot.
fn why_unreadable(bytes: &[u8]) -> Result<(usize, String), Fault> {
    let hasher = Hasher::new([0, 0]);
    let container = match Container::open(bytes, hasher) {
        Ok(container) => container,
        Err(error) => return Ok((0, error.to_string())),
    };
    let Some(container) = container else {
        return match decode_event(bytes, hasher) {
            Ok(event) => Err(format!("damaged, and yet an event: {event:?}")),
            Err(error) => Ok((0, error.to_string())),
        };
    };
    for (read, event) in container.enumerate() {
        if let Err(error) = event {
            return Ok((read, error.to_string()));
        }
    }
    Err("damaged, and yet a batch".into())
}

impl World {
    pub fn server_step(&mut self, act: Act, dice: &mut Dice) -> Result<(), Fault> {
        self.operations += 1;
        match act {
            Act::Sweep => self.sweep(dice),
            Act::Clock => {
                self.clock(dice);
                Ok(())
            }
            Act::Replicate => {
                let Some(at) = self.a_replica(dice) else {
                    return Ok(());
                };
                self.replicate(at, dice.of(&[1, 2, 5, 20, usize::MAX]))
            }
            Act::Follow => {
                let at = dice.index(self.servers.len());
                let to = match dice.below(3) {
                    0 => dice.index(self.servers.len()),
                    _ => self.primary,
                };
                self.follow(at, to)?;
                if dice.one_in(6) && !self.servers[at].is_primary() {
                    self.resync(at)?;
                }
                Ok(())
            }
            Act::Sync => {
                self.servers.iter_mut().for_each(|server| server.sync());
                Ok(())
            }
            Act::Rewrite => {
                let at = dice.index(self.servers.len());
                self.servers[at].rewrite();
                self.count("AOF rewritten");
                Ok(())
            }
            Act::Miss => self.miss(dice),
            Act::Crash => self.crash(dice),
            Act::Restart => self.restart(dice),
            Act::Promote => self.promote(dice),
            Act::Configure => {
                let at = dice.index(self.servers.len());
                let config = &mut self.servers[at].config;
                config.sweep_max = dice.of(&[1, 2, 3, 1_000]);
                config.bounds.reservations_max = dice.of(&[8, 30, 4_000_000]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn a_replica(&self, dice: &mut Dice) -> Option<usize> {
        let replicas: Vec<usize> = (0..self.servers.len())
            .filter(|at| !self.servers[*at].is_primary())
            .collect();
        (!replicas.is_empty()).then(|| dice.of(&replicas))
    }

    fn sweep(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        let primaries: Vec<usize> = (0..self.servers.len())
            .filter(|at| self.servers[*at].is_primary())
            .collect();
        let at = match dice.below(4) {
            0 => dice.of(&primaries),
            _ => self.primary,
        };
        let budget = self.servers[at].config.sweep_max;
        let reply = self.decide(at, &Op::Sweep(budget))?;
        self.note(|_| format!("server {at} sweeps: {reply:?}"));
        match reply {
            Reply::Swept([0, 0, 0]) => self.count("sweep of nothing"),
            Reply::Swept([expired, lapsed, forgotten]) => {
                for (what, times) in [
                    ("sweep that expires", expired),
                    ("sweep that ends a grace", lapsed),
                    ("sweep that forgets", forgotten),
                ] {
                    if times > 0 {
                        self.count(what);
                    }
                }
                if expired == budget && budget < 1_000 {
                    self.count("sweep at the end of its budget");
                }
                if at != self.primary {
                    self.count("sweep by a deposed primary");
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn clock(&mut self, dice: &mut Dice) {
        let hold_ms = self.scene.setup.hold_ms_default;
        let skew_ms = self.servers[self.primary].config.skew_ms;
        let books = self.books();
        let due = books.open.keys().next().map(|due| due.0);
        let ended = books.ended.keys().next().map(|ended| ended.0);
        let late = books.late.keys().next().map(|late| late.0);
        let last_change_ms = books.last_change_ms;
        let aim = match dice.below(100) {
            0..30 => Some(self.now_ms + dice.below(hold_ms / 4 + 2)),
            30..60 => due,
            60..66 => ended.map(|ended| books.known_until(ended)),
            66..70 => late.map(|late| books.lapses_at(late)),
            70..74 => books.options.start_at_ms,
            74..78 => books.options.end_at_ms,
            78..85 => Some(self.now_ms + dice.below(hold_ms * 2 + 2)),
            _ => {
                self.set_clock(dice, last_change_ms);
                return;
            }
        };
        // The aim is a moment of the primary's clock.
        let Some(aim) = aim else { return };
        let aim = (aim + dice.below(3)).saturating_sub(1);
        let aim = aim.saturating_add_signed(-skew_ms);
        let is_near = aim < self.now_ms + 20 * hold_ms + 1_000;
        if aim > self.now_ms && is_near {
            self.now_ms = aim;
        }
    }

    /// Somebody sets a clock, forwards or back.
    fn set_clock(&mut self, dice: &mut Dice, last_change_ms: u64) {
        let at = match dice.below(2) {
            0 => self.primary,
            _ => dice.index(self.servers.len()),
        };
        let now_ms = self.now_ms;
        let config = &mut self.servers[at].config;
        let before = config.skew_ms;
        config.skew_ms = match dice.below(9) {
            0..3 => 0,
            3 => before - dice.below(50_000) as i64,
            4 => before - dice.between(60_000, 300_000) as i64,
            5 => before + dice.below(2_000) as i64,
            6 => before + dice.between(60_000, 200_000) as i64,
            // At the edge of what is believed.
            _ => {
                let aim = last_change_ms as i64 - 60_001 + dice.below(3) as i64;
                aim - now_ms as i64
            }
        };
        let after = config.skew_ms;
        let clock_ms = self.servers[at].clock_ms(now_ms);
        if after < before {
            self.count("clock set back");
        }
        if clock_ms == 0 {
            self.count("clock before 1970");
        }
        if at == self.primary && clock_ms + 60_000 < last_change_ms {
            self.count("step back of more than a minute");
        }
        self.note(|_| format!("the clock of server {at} is set from {before:+} to {after:+}"));
    }

    /// Would `at` follow itself in the end?
    fn goes_round(&self, at: usize, mut to: usize) -> bool {
        while let Role::Replica { of } = self.servers[to].role {
            if to == at {
                return true;
            }
            to = of;
        }
        to == at
    }

    /// REPLICAOF.
    pub fn follow(&mut self, at: usize, to: usize) -> Result<(), Fault> {
        if at == self.primary || self.goes_round(at, to) {
            return Ok(());
        }
        if self.servers[at].is_primary() {
            self.count("deposed primary made a replica");
        }
        if to != self.primary {
            self.count("chained replica");
        }
        self.note(|_| format!("server {at} follows server {to}"));
        self.servers[at].books = None;
        self.servers[at].role = Role::Replica { of: to };
        Ok(())
    }

    /// A replica receives up to `most` events, or all at once when it stands on another
    /// history.
    pub fn replicate(&mut self, at: usize, most: usize) -> Result<(), Fault> {
        let Role::Replica { of } = self.servers[at].role else {
            return Ok(());
        };
        let (here, to) = (self.servers[at].at, self.servers[of].at);
        if !self.histories.leads_through(to, here) {
            self.count("full resync from another history");
            return self.resync(at);
        }
        if here.branch != to.branch {
            self.count("partial resync");
        }
        let mut seen = Vec::new();
        let received = self.servers[at].stream(&self.histories, to, most, &mut seen)?;
        if received > 0 {
            self.count("replication");
        }
        seen.into_iter().for_each(|what| self.count(what));
        if self.histories.is_same(self.servers[at].at, to) {
            self.look_at(of);
        }
        self.compare_digest(at)
    }

    /// The next line of the stream comes to a replica damaged, or not at all.
    fn miss(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        let Some(at) = self.a_replica(dice) else {
            return Ok(());
        };
        let Role::Replica { of } = self.servers[at].role else {
            return Ok(());
        };
        let (here, to) = (self.servers[at].at, self.servers[of].at);
        if here.offset >= to.offset || !self.histories.leads_through(to, here) {
            return Ok(());
        }
        let offset = here.offset + 1;
        let part = self.histories.event(At { offset, ..to });
        let (bytes, missed) = (part.line(), part.after());
        let (read, reason) = match dice.below(3) {
            0 => (0, "the event is lost".to_owned()),
            1 => why_unreadable(&bytes[..dice.index(bytes.len())])?,
            _ => why_unreadable(&[&[0xff][..], &bytes[1..]].concat())?,
        };
        if missed > 0 {
            self.count("batch that a replica misses a part of");
        }
        self.note(|_| format!("server {at} misses event {offset}: {reason}"));
        let server = &mut self.servers[at];
        server.at.branch = to.branch;
        let mut seen = Vec::new();
        for _ in 0..read {
            server.follow(&self.histories, &mut seen)?;
        }
        // What follows in the line is missed with it.
        server.miss(reason)?;
        for _ in 0..missed - read {
            server.miss(String::new())?;
        }
        seen.into_iter().for_each(|what| self.count(what));
        self.count("event that a replica misses");
        let server = &self.servers[at];
        must(server.sale.mark().is_some(), "what is missed is marked")?;
        let books = server.books_so_far(&self.histories)?;
        books.compare_all(&server.sale)
    }

    /// A full resync.
    fn resync(&mut self, at: usize) -> Result<(), Fault> {
        let Role::Replica { of } = self.servers[at].role else {
            return Ok(());
        };
        self.look_at(of);
        let pair = self.servers.get_disjoint_mut([at, of]);
        let [replica, source] = pair.map_err(|_| "a server follows itself")?;
        let was_marked = replica.sale.mark().is_some();
        replica.load(source)?;
        if was_marked && replica.sale.mark().is_none() {
            self.count("full resync of a marked copy");
        }
        self.count("full resync");
        self.note(|_| format!("server {at} loads what server {of} has"));
        self.compare_digest(at)
    }

    /// A copy that missed something is made anew.
    pub fn mend(&mut self, at: usize) -> Result<(), Fault> {
        let server = &self.servers[at];
        if server.is_like_its_primary(&self.histories, server.at) {
            return Ok(());
        }
        self.resync(at)
    }

    fn crash(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        let at = match dice.below(2) {
            0 => self.primary,
            _ => dice.index(self.servers.len()),
        };
        let most = self.servers[at].at_risk();
        let lost = match dice.below(3) {
            0 => 0,
            1 => most,
            _ => dice.index(most + 1),
        };
        self.note(|_| format!("server {at} crashes and loses {lost} events"));
        let before = self.servers[at].at.offset;
        if self.servers[at].config.syncs_always {
            must(most == 0, "fsync always keeps everything")?;
            self.count("crash with fsync always");
        }
        if self.servers[at].has_base() {
            self.count("replay on top of a rewritten base");
        }
        self.servers[at].crash(&self.histories, lost)?;
        // A batch whose end is lost is lost as a whole.
        let (asked, lost) = (lost, before - self.servers[at].at.offset);
        must((asked..=most).contains(&lost), "the rest is there")?;
        if lost > asked {
            self.count("batch at the end of a lost tail");
        }
        self.compare_digest(at)?;
        if lost > 0 {
            self.count("crash with a lost tail");
        }
        if !self.servers[at].is_primary() {
            self.count("crash of a replica");
            if self.servers[at].sale.mark().is_some() {
                self.count("crash of a marked copy");
            }
            let books = self.servers[at].books_so_far(&self.histories)?;
            return books.compare_all(&self.servers[at].sale);
        }
        self.count("crash of a primary");
        if at == self.primary && lost > 0 {
            self.is_durable = false;
        }
        self.servers[at].take_over(&mut self.histories)
    }

    fn restart(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        let at = dice.index(self.servers.len());
        let before = digest_of(&self.servers[at].sale);
        self.servers[at].restart()?;
        self.count("restart from a snapshot");
        self.note(|_| format!("server {at} restarts"));
        let after = digest_of(&self.servers[at].sale);
        must(before == after, "a reloaded sale is the same sale")
    }

    fn promote(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        let Some(at) = self.a_replica(dice) else {
            return Ok(());
        };
        let (here, there) = (self.servers[at].at, self.servers[self.primary].at);
        let on_the_way = self.histories.leads_through(there, here);
        if !on_the_way {
            self.count("promotion onto another history");
        } else if here.offset < there.offset {
            self.count("promotion with lag");
        } else {
            self.count("promotion without lag");
        }
        if !on_the_way || here.offset < there.offset {
            self.is_durable = false;
        }
        if self.servers[at].sale.mark().is_some() {
            self.count("promotion of a marked copy");
        }
        self.note(|_| format!("server {at} is promoted at {}", here.offset));
        self.servers[at].take_over(&mut self.histories)?;
        let deposed = self.primary;
        self.primary = at;
        // The others hear of it sooner or later.
        if dice.one_in(3) {
            self.follow(deposed, at)?;
        } else {
            // What it goes on to acknowledge is lost when it hears.
            self.is_durable = false;
            self.count("split brain");
        }
        Ok(())
    }
}
