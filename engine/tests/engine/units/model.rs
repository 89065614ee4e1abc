//! A sale with units as lists, from the contract alone: nothing is kept that can be counted.

use std::collections::BTreeMap;

use super::said::Op;

/// Units that one reservation may have with names.
const ORDER_UNITS_MAX: u64 = 1_000;
const ROWS_LOOKED_MAX: usize = 64;

pub const HOLD_MS: u64 = 100;
pub const GRACE_MS: u64 = 50;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Free,
    Withdrawn,
    Held(u32),
}

#[derive(Clone, Debug)]
pub struct Unit {
    pub name: String,
    pub item: usize,
    pub row: usize,
    pub state: State,
    seen: bool,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub sku: String,
    /// `Some(sealed)` of one whose units have names.
    pub named: Option<bool>,
    /// Of a counted one; of a sealed one what no reservation has.
    pub available: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Status {
    Open,
    Sold,
    Released,
    InGrace,
    Expired,
}

#[derive(Clone, Debug)]
pub struct Refund {
    reference: Option<u32>,
    lines: Vec<(usize, u64)>,
    units: Vec<usize>,
    no_restock: bool,
}

#[derive(Clone, Debug)]
pub struct Reservation {
    pub user: u32,
    pub lines: Vec<(usize, u64)>,
    /// What it has now, or had within its grace.
    pub units: Vec<usize>,
    pub status: Status,
    pub expires_at: u64,
    /// It expired while an item was counted whose units have names now.
    lost: bool,
    order_ref: Option<u32>,
    refunds: Vec<Refund>,
}

impl Reservation {
    fn grace_left(&self, now: u64) -> u64 {
        match self.status {
            Status::InGrace if !self.lost => (self.expires_at + GRACE_MS).saturating_sub(now),
            _ => 0,
        }
    }

    pub fn left(&self) -> Vec<(usize, u64)> {
        let gone = |item| {
            let lines = self.refunds.iter().flat_map(|refund| &refund.lines);
            lines
                .filter(|(other, _)| *other == item)
                .map(|(_, qty)| qty)
                .sum::<u64>()
        };
        self.lines
            .iter()
            .map(|&(item, qty)| (item, qty - gone(item)))
            .collect()
    }
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub now: u64,
    pub items: Vec<Item>,
    pub units: Vec<Unit>,
    rows: usize,
    pub reservations: BTreeMap<u32, Reservation>,
    restocks: BTreeMap<u32, Call>,
    closed: Option<u64>,
}

/// A RESTOCK by name: SKU, names, SEALED, WITHDRAW.
type Call = Option<(String, Vec<String>, bool, bool)>;

/// Lines, and their units.
type LinesAndUnits = (Vec<(usize, u64)>, Vec<usize>);

/// What is asked for: lines, and the units named.
struct Wanted {
    lines: Vec<(usize, u64)>,
    named: Vec<usize>,
    by_number: usize,
}

fn twice(names: &[String]) -> Option<usize> {
    (0..names.len()).find(|&at| names[..at].contains(&names[at]))
}

impl Model {
    fn item(&self, sku: &str) -> Option<usize> {
        self.items.iter().position(|item| item.sku == sku)
    }

    fn unit(&self, name: &str) -> Option<usize> {
        self.units.iter().position(|unit| unit.name == name)
    }

    fn is_sealed(&self, item: usize) -> bool {
        self.items[item].named == Some(true)
    }

    fn is_open_named(&self, item: usize) -> bool {
        self.items[item].named == Some(false)
    }

    fn free(&self, item: usize) -> u64 {
        let units = self.units.iter();
        units
            .filter(|unit| unit.item == item && unit.state == State::Free)
            .count() as u64
    }

    pub fn available(&self, item: usize) -> u64 {
        match self.items[item].named {
            Some(false) => self.free(item),
            _ => self.items[item].available,
        }
    }

    pub fn reserved(&self, item: usize) -> u64 {
        let open = self
            .reservations
            .values()
            .filter(|r| r.status == Status::Open);
        let lines = open.flat_map(|r| &r.lines);
        lines
            .filter(|(other, _)| *other == item)
            .map(|(_, qty)| qty)
            .sum()
    }

    pub fn sold(&self, item: usize) -> u64 {
        let sold = self
            .reservations
            .values()
            .filter(|r| r.status == Status::Sold);
        let left = sold.flat_map(Reservation::left);
        left.filter(|(other, _)| *other == item)
            .map(|(_, qty)| qty)
            .sum()
    }

    fn names(&self, units: &[usize]) -> String {
        let names = units.iter().map(|&unit| self.units[unit].name.as_str());
        names.collect::<Vec<_>>().join(",")
    }

    /// The units of lines, in their order, ascending within each.
    fn in_order(&self, lines: &[(usize, u64)], mut units: Vec<usize>) -> Vec<usize> {
        let place = |unit: usize| {
            lines
                .iter()
                .position(|(item, _)| *item == self.units[unit].item)
        };
        units.sort_by_key(|&unit| (place(unit), unit));
        units
    }

    // ----- expiry

    fn expire(&mut self, id: u32) {
        let now = self.now;
        let Some(record) = self.reservations.get_mut(&id) else {
            return;
        };
        if record.status == Status::Open && record.expires_at <= now {
            record.status = Status::InGrace;
            let (lines, units) = (record.lines.clone(), record.units.clone());
            self.give_back(&lines, &units);
        }
        let record = self.reservations.get_mut(&id).expect("it is there");
        if record.status == Status::InGrace && record.expires_at + GRACE_MS <= now {
            record.status = Status::Expired;
            record.units.clear();
        }
    }

    fn give_back(&mut self, lines: &[(usize, u64)], units: &[usize]) {
        for &(item, qty) in lines {
            if self.items[item].named != Some(false) {
                self.items[item].available += qty;
            }
        }
        for &unit in units {
            self.units[unit].state = State::Free;
        }
    }

    pub fn sweep(&mut self) -> String {
        let ids: Vec<u32> = self.reservations.keys().copied().collect();
        ids.into_iter().for_each(|id| self.expire(id));
        "SWEPT".into()
    }

    fn has_overdue(&self) -> bool {
        let mut all = self.reservations.values();
        all.any(|r| r.status == Status::Open && r.expires_at <= self.now)
    }

    // ----- the choice

    /// Free runs of each row of an item, in order, with `also` counted as free.
    fn runs(&self, item: usize, also: &[usize]) -> Vec<Vec<Vec<usize>>> {
        let mut rows: Vec<(usize, Vec<Vec<usize>>)> = Vec::new();
        let mut last = None;
        for (at, unit) in self.units.iter().enumerate() {
            if unit.item != item {
                continue;
            }
            if rows.last().is_none_or(|(row, _)| *row != unit.row) {
                rows.push((unit.row, Vec::new()));
                last = None;
            }
            let is_free = unit.state == State::Free || also.contains(&at);
            let runs = &mut rows.last_mut().expect("just pushed").1;
            match last {
                Some(true) if is_free => runs.last_mut().expect("a run").push(at),
                _ if is_free => runs.push(vec![at]),
                _ => {}
            }
            last = Some(is_free);
        }
        rows.into_iter().map(|(_, runs)| runs).collect()
    }

    fn choose(&self, item: usize, qty: u64, old: &[usize]) -> Vec<usize> {
        let qty = qty as usize;
        if old.len() >= qty {
            return old[..qty].to_vec();
        }
        let rows = self.runs(item, old);
        let mut looked = 0;
        for runs in &rows {
            let longest = runs.iter().map(Vec::len).max().unwrap_or(0);
            let is_between = longest == qty + 1;
            if is_between && looked == ROWS_LOOKED_MAX {
                continue;
            }
            let exact_counts = looked < ROWS_LOOKED_MAX;
            looked += usize::from(is_between);
            let fits =
                |run: &&Vec<usize>| (exact_counts && run.len() == qty) || run.len() >= qty + 2;
            if let Some(run) = runs.iter().find(fits) {
                return run[..qty].to_vec();
            }
        }
        let all = rows.iter().flatten();
        if let Some(run) = all.clone().find(|run| run.len() >= qty) {
            return run[..qty].to_vec();
        }
        all.flatten().copied().take(qty).collect()
    }

    // ----- requests

    pub fn answer(&mut self, op: &Op) -> String {
        match op {
            Op::RestockUnits { .. } => self.restock_units(op),
            Op::Restock { sku, delta } => self.restock(sku, *delta),
            Op::Reserve { id, replaces, .. } => {
                self.expire(*id);
                if let Some(old) = replaces {
                    self.expire(*old);
                }
                let said = self.reserve(op);
                let holder = |name: &str| match self.units[self.unit(name)?].state {
                    State::Held(id) => Some(self.reservations[&id].expires_at),
                    _ => None,
                };
                let could_lift = match said.split(' ').collect::<Vec<_>>()[..] {
                    ["ALLRESERVED", ..] => self.has_overdue(),
                    ["NOTFREE", "-1", _] => false,
                    ["NOTFREE", _, name] => holder(name).is_some_and(|at| at <= self.now),
                    ["EXPIRED", ..] => false,
                    _ => false,
                };
                if could_lift {
                    self.sweep();
                    return self.reserve(op);
                }
                said
            }
            Op::Checkout { id, reference } => {
                self.expire(*id);
                let said = self.checkout(*id, *reference);
                let is_late = self
                    .reservations
                    .get(id)
                    .is_some_and(|r| r.status == Status::InGrace);
                if said.starts_with("EXPIRED") && is_late && self.has_overdue() {
                    self.sweep();
                    return self.checkout(*id, *reference);
                }
                said
            }
            Op::Release { id } => self.release(*id),
            Op::Refund { .. } => self.refund(op),
            Op::Sweep => self.sweep(),
            Op::Close => {
                self.closed.get_or_insert(self.now);
                "OK".into()
            }
        }
    }

    fn restock_units(&mut self, op: &Op) -> String {
        let Op::RestockUnits {
            sku,
            names,
            sealed,
            new,
            withdraw,
            reference,
        } = op
        else {
            return String::new();
        };
        let call = Some((sku.clone(), names.clone(), *sealed, *withdraw));
        if let Some(known) = reference.and_then(|reference| self.restocks.get(&reference)) {
            return if *known == call {
                "RESTOCKED"
            } else {
                "MISMATCH"
            }
            .into();
        }
        let item = self.item(sku);
        let done = if *withdraw {
            self.withdraw(item, names)
        } else {
            self.add(item, sku, names, *sealed, *new)
        };
        if let Err(said) = done {
            return said;
        }
        if let Some(reference) = reference {
            self.restocks.insert(*reference, call);
        }
        "RESTOCKED".into()
    }

    fn add(
        &mut self,
        item: Option<usize>,
        sku: &str,
        names: &[String],
        sealed: bool,
        new: bool,
    ) -> Result<(), String> {
        if item.is_none() && !new {
            return Err("NOSKU".into());
        }
        if let Some(at) = item {
            match self.items[at].named {
                Some(before) if before != sealed => return Err("ERR".into()),
                None if self.available(at) + self.reserved(at) + self.sold(at) > 0 => {
                    return Err("ERR".into());
                }
                _ => {}
            }
        }
        if let Some(at) = twice(names) {
            return Err(format!("KNOWN {at}"));
        }
        for (at, name) in names.iter().enumerate() {
            let Some(unit) = self.unit(name) else {
                continue;
            };
            let unit = &self.units[unit];
            if Some(unit.item) != item || unit.state != State::Withdrawn || unit.seen {
                return Err(format!("KNOWN {at}"));
            }
        }
        let at = item.unwrap_or_else(|| {
            self.items.push(Item {
                sku: sku.into(),
                named: None,
                available: 0,
            });
            self.items.len() - 1
        });
        if self.items[at].named.is_none() {
            // What expired before is expired for good.
            let late = self.reservations.values_mut();
            for record in late.filter(|record| record.status == Status::InGrace) {
                record.lost |= record.lines.iter().any(|(item, _)| *item == at);
            }
        }
        self.items[at].named = Some(sealed);
        self.items[at].available += names.len() as u64;
        let row = self.rows;
        self.rows += 1;
        for name in names {
            match self.unit(name) {
                Some(unit) => self.units[unit].state = State::Free,
                None => self.units.push(Unit {
                    name: name.clone(),
                    item: at,
                    row,
                    state: State::Free,
                    seen: false,
                }),
            }
        }
        Ok(())
    }

    fn withdraw(&mut self, item: Option<usize>, names: &[String]) -> Result<(), String> {
        let item = item.ok_or("NOSKU")?;
        let sealed = self.items[item].named.ok_or("ERR")?;
        if twice(names).is_some() {
            return Err("ERR".into());
        }
        let mut gone = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let unit = self
                .unit(name)
                .filter(|&unit| self.units[unit].item == item);
            let unit = unit.ok_or(format!("NOUNIT {at}"))?;
            match self.units[unit].state {
                State::Withdrawn => {}
                State::Free => gone.push(unit),
                State::Held(id) => return Err(self.not_free(id, unit)),
            }
        }
        if sealed && gone.len() as u64 > self.items[item].available {
            return Err(format!(
                "TOOFEW {} {}",
                self.items[item].available, self.items[item].sku
            ));
        }
        self.items[item].available = self.items[item].available.saturating_sub(gone.len() as u64);
        for unit in gone {
            self.units[unit].state = State::Withdrawn;
        }
        Ok(())
    }

    fn not_free(&self, holder: u32, unit: usize) -> String {
        let name = &self.units[unit].name;
        let holder = &self.reservations[&holder];
        match holder.status {
            Status::Open => format!(
                "NOTFREE {} {name}",
                holder.expires_at.saturating_sub(self.now).max(1)
            ),
            _ => format!("NOTFREE -1 {name}"),
        }
    }

    fn restock(&mut self, sku: &str, delta: i64) -> String {
        let Some(item) = self.item(sku) else {
            return "NOSKU".into();
        };
        if self.items[item].named.is_some() {
            return "ERR".into();
        }
        match self.items[item].available.checked_add_signed(delta) {
            Some(available) => self.items[item].available = available,
            None => return format!("TOOFEW {} {sku}", self.items[item].available),
        }
        "RESTOCKED".into()
    }

    fn wanted(&self, items: &[(String, u64)], names: &[String]) -> Result<Wanted, String> {
        let mut lines: Vec<(usize, u64)> = Vec::new();
        let mut add = |item, qty| match lines.iter_mut().find(|(other, _)| *other == item) {
            Some((_, sum)) => *sum += qty,
            None => lines.push((item, qty)),
        };
        for (sku, qty) in items {
            add(self.item(sku).ok_or("NOSKU")?, *qty);
        }
        let mut named = Vec::new();
        let mut of_names = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let unit = self
                .unit(name)
                .filter(|&unit| !self.is_sealed(self.units[unit].item));
            named.push(unit.ok_or(format!("NOUNIT {at}"))?);
            of_names.push(self.units[named[at]].item);
        }
        let by_number = lines.len();
        let mut by_name: Vec<(usize, u64)> = Vec::new();
        for item in of_names {
            if lines.iter().any(|(other, _)| *other == item) {
                return Err("ERR".into());
            }
            match by_name.iter_mut().find(|(other, _)| *other == item) {
                Some((_, sum)) => *sum += 1,
                None => by_name.push((item, 1)),
            }
        }
        lines.extend(by_name);
        Ok(Wanted {
            lines,
            named,
            by_number,
        })
    }

    fn is_same(
        &self,
        record: &Reservation,
        user: u32,
        items: &[(String, u64)],
        names: &[String],
    ) -> bool {
        if record.user == u32::MAX {
            return true;
        }
        if record.user != user {
            return false;
        }
        let Ok(wanted) = self.wanted(items, names) else {
            return false;
        };
        let sorted = |lines: &[(usize, u64)]| {
            let mut lines = lines.to_vec();
            lines.sort_unstable();
            lines
        };
        let has_now = match record.status {
            Status::Open | Status::Sold => &record.units[..],
            _ => &[],
        };
        sorted(&wanted.lines) == sorted(&record.lines) && self.names_all(has_now, items, names)
    }

    /// Are all of these units, of the items that some units are named of, among those?
    fn names_all(&self, units: &[usize], items: &[(String, u64)], names: &[String]) -> bool {
        let Ok(wanted) = self.wanted(items, names) else {
            return false;
        };
        let by_name = &wanted.lines[wanted.by_number..];
        let is_named = |unit: usize| {
            by_name
                .iter()
                .any(|(item, _)| *item == self.units[unit].item)
        };
        units
            .iter()
            .all(|&unit| !is_named(unit) || wanted.named.contains(&unit))
    }

    fn state_of(&self, id: u32) -> String {
        let record = &self.reservations[&id];
        match record.status {
            Status::Open if record.expires_at <= self.now => "EXPIRED".into(),
            Status::Open => format!("RESERVED {}", self.names(&record.units)),
            Status::Sold
                if !record.refunds.is_empty() && record.left().iter().all(|(_, qty)| *qty == 0) =>
            {
                "REFUNDED".into()
            }
            Status::Sold => format!("SOLD {}", self.names(&record.units)),
            Status::Released => "RELEASED".into(),
            Status::InGrace | Status::Expired => "EXPIRED".into(),
        }
    }

    fn reserve(&mut self, op: &Op) -> String {
        let Op::Reserve {
            id,
            user,
            items,
            names,
            replaces,
            buys,
        } = op
        else {
            return String::new();
        };
        if twice(names).is_some() {
            return "ERR".into();
        }
        if let Some(record) = self.reservations.get(id) {
            if !self.is_same(record, *user, items, names) {
                return "MISMATCH".into();
            }
            // Within its grace it would be sold what it had, which must be what is named.
            let is_late = record.status == Status::InGrace;
            if *buys && is_late && !self.names_all(&record.units, items, names) {
                return "MISMATCH".into();
            }
            return if *buys {
                self.checkout(*id, None)
            } else {
                self.state_of(*id)
            };
        }
        let replaces = replaces.filter(|_| !buys);
        let old = match replaces {
            None => None,
            Some(old) => match self.reservations.get(&old) {
                None => return "NORESERVATION".into(),
                Some(record) if self.state_of(old) == "EXPIRED" => {
                    return format!("EXPIRED {}", record.grace_left(self.now));
                }
                Some(_) if !self.state_of(old).starts_with("RESERVED") => {
                    return self.state_of(old);
                }
                Some(record) => Some(record.clone()),
            },
        };
        match self.decide(items, names, old.as_ref(), replaces) {
            Err(said) => said,
            Ok((lines, units)) => {
                let mut expires_at = self.now + HOLD_MS;
                if let (Some(old), Some(old_id)) = (&old, replaces) {
                    let (lines, units) = (old.lines.clone(), old.units.clone());
                    self.give_back(&lines, &units);
                    let replaced = self.reservations.get_mut(&old_id).expect("it is open");
                    replaced.status = Status::Released;
                    replaced.units.clear();
                    expires_at = old.expires_at;
                }
                for &(item, qty) in &lines {
                    if !self.is_open_named(item) {
                        self.items[item].available -= qty;
                    }
                }
                for &unit in &units {
                    assert_eq!(self.units[unit].state, State::Free);
                    self.units[unit].state = State::Held(*id);
                }
                let record = Reservation {
                    user: *user,
                    lines,
                    units,
                    status: Status::Open,
                    expires_at,
                    lost: false,
                    order_ref: None,
                    refunds: Vec::new(),
                };
                self.reservations.insert(*id, record);
                if *buys {
                    return self.sell(*id, None);
                }
                self.state_of(*id)
            }
        }
    }

    /// Rows 3 to 13 of a new id: its lines and units.
    fn decide(
        &self,
        items: &[(String, u64)],
        names: &[String],
        old: Option<&Reservation>,
        old_id: Option<u32>,
    ) -> Result<LinesAndUnits, String> {
        let wanted = self.wanted(items, names)?;
        if self.closed.is_some() {
            return Err("ENDED".into());
        }
        let of_names = wanted
            .lines
            .iter()
            .filter(|(item, _)| self.items[*item].named.is_some());
        if of_names.map(|(_, qty)| qty).sum::<u64>() > ORDER_UNITS_MAX {
            return Err("ORDERLIMIT 1000".into());
        }
        let old_lines = old.map_or(&[][..], |old| &old.lines);
        let freed = |item| {
            let lines = old_lines.iter().filter(|(other, _)| *other == item);
            lines.map(|(_, qty)| qty).sum::<u64>()
        };
        let by_number = &wanted.lines[..wanted.by_number];
        for &(item, qty) in by_number {
            if self.available(item) + self.reserved(item) < qty {
                return Err(format!(
                    "SOLDOUT {} {}",
                    self.available(item) + freed(item),
                    self.items[item].sku
                ));
            }
        }
        for &unit in &wanted.named {
            match self.units[unit].state {
                State::Withdrawn => return Err(format!("NOTFREE -1 {}", self.units[unit].name)),
                State::Held(id) if self.reservations[&id].status == Status::Sold => {
                    return Err(self.not_free(id, unit));
                }
                _ => {}
            }
        }
        for &(item, qty) in by_number {
            if self.available(item) + freed(item) < qty {
                let open = self
                    .reservations
                    .values()
                    .filter(|r| r.status == Status::Open);
                let next = open.map(|r| r.expires_at).min();
                let retry = next.map_or(1, |at| at.saturating_sub(self.now).max(1));
                return Err(format!("ALLRESERVED {retry} {}", self.items[item].sku));
            }
        }
        for &unit in &wanted.named {
            if let State::Held(id) = self.units[unit].state
                && Some(id) != old_id
            {
                return Err(self.not_free(id, unit));
            }
        }
        let mut units = Vec::new();
        for (at, &(item, qty)) in wanted.lines.iter().enumerate() {
            let of_item = |&unit: &usize| self.units[unit].item == item;
            if at >= wanted.by_number {
                let mut own: Vec<usize> = wanted.named.iter().copied().filter(of_item).collect();
                own.sort_unstable();
                units.extend(own);
            } else if self.is_open_named(item) {
                let had = old.map_or(&[][..], |old| &old.units).iter().copied();
                let had: Vec<usize> = had.filter(of_item).collect();
                units.extend(self.choose(item, qty, &had));
            }
        }
        Ok((wanted.lines, units))
    }

    fn checkout(&mut self, id: u32, reference: Option<u32>) -> String {
        let Some(record) = self.reservations.get(&id) else {
            return "NORESERVATION".into();
        };
        match record.status {
            Status::Open if record.expires_at > self.now => self.sell(id, reference),
            Status::InGrace => {
                let are_free = record
                    .units
                    .iter()
                    .all(|&unit| self.units[unit].state == State::Free);
                let mut lines = record.lines.iter();
                let has_stock = lines.all(|&(item, qty)| self.available(item) >= qty);
                if !are_free || !has_stock || record.lost {
                    return format!("EXPIRED {}", record.grace_left(self.now));
                }
                let (lines, units) = (record.lines.clone(), record.units.clone());
                for &(item, qty) in &lines {
                    if !self.is_open_named(item) {
                        self.items[item].available -= qty;
                    }
                }
                for unit in units {
                    self.units[unit].state = State::Held(id);
                }
                self.sell(id, reference)
            }
            Status::Open | Status::Expired => "EXPIRED 0".into(),
            Status::Released => "RELEASED".into(),
            Status::Sold => {
                let state = self.state_of(id);
                let record = &self.reservations[&id];
                match reference {
                    Some(_) if state != "REFUNDED" && record.order_ref != reference => {
                        "ALREADYSOLD".into()
                    }
                    _ => state,
                }
            }
        }
    }

    /// Names the oldest codes, and sells.
    fn sell(&mut self, id: u32, reference: Option<u32>) -> String {
        let record = self.reservations[&id].clone();
        let mut units = record.units.clone();
        for &(item, qty) in &record.lines {
            if self.is_sealed(item) {
                let left = (0..self.units.len()).filter(|&unit| {
                    self.units[unit].item == item && self.units[unit].state == State::Free
                });
                let oldest: Vec<usize> = left.take(qty as usize).collect();
                assert_eq!(oldest.len() as u64, qty, "a checkout always finds a code");
                for &unit in &oldest {
                    self.units[unit].state = State::Held(id);
                    self.units[unit].seen = true;
                }
                units.extend(oldest);
            }
        }
        let units = self.in_order(&record.lines, units);
        let record = self.reservations.get_mut(&id).expect("it is there");
        (record.status, record.units, record.order_ref) = (Status::Sold, units, reference);
        self.state_of(id)
    }

    fn release(&mut self, id: u32) -> String {
        let Some(record) = self.reservations.get_mut(&id) else {
            // Known from now on, without items, as nobody's.
            let record = Reservation {
                user: u32::MAX,
                lines: Vec::new(),
                units: Vec::new(),
                status: Status::Released,
                expires_at: 0,
                lost: false,
                order_ref: None,
                refunds: Vec::new(),
            };
            self.reservations.insert(id, record);
            return "RELEASED".into();
        };
        match record.status {
            Status::Open => {
                record.status = Status::Released;
                let units = std::mem::take(&mut record.units);
                let lines = record.lines.clone();
                self.give_back(&lines, &units);
                "RELEASED".into()
            }
            Status::InGrace | Status::Expired | Status::Released => {
                record.status = Status::Released;
                record.units.clear();
                "RELEASED".into()
            }
            Status::Sold => self.state_of(id),
        }
    }

    fn refund(&mut self, op: &Op) -> String {
        let Op::Refund {
            id,
            items,
            names,
            reference,
            no_restock,
        } = op
        else {
            return String::new();
        };
        let Some(record) = self.reservations.get(id).cloned() else {
            return "NORESERVATION".into();
        };
        if record.status != Status::Sold {
            return "NOTSOLD 0".into();
        }
        if twice(names).is_some() {
            return "ERR".into();
        }
        let units: Vec<Option<usize>> = names.iter().map(|name| self.unit(name)).collect();
        let asked: Vec<(Option<usize>, u64)> = items
            .iter()
            .map(|(sku, qty)| (self.item(sku), *qty))
            .collect();
        let is_all = names.is_empty() && items.is_empty();
        let left: Vec<(usize, u64)> = record
            .left()
            .into_iter()
            .filter(|(_, qty)| *qty > 0)
            .collect();
        let known = reference.and_then(|reference| {
            let at = record
                .refunds
                .iter()
                .position(|refund| refund.reference == Some(reference))?;
            Some((at, record.refunds[at].clone()))
        });
        if let Some((at, known)) = known {
            let is_same = if is_all {
                at + 1 == record.refunds.len() && left.is_empty()
            } else if !names.is_empty() {
                let mut asked: Vec<Option<usize>> = units.clone();
                let mut kept: Vec<Option<usize>> = known.units.iter().copied().map(Some).collect();
                asked.sort_unstable();
                kept.sort_unstable();
                asked == kept
            } else {
                let lines = known.lines.iter().map(|&(item, qty)| (Some(item), qty));
                lines.eq(asked.iter().copied())
            };
            return if is_same && known.no_restock == *no_restock {
                "REFUNDED"
            } else {
                "MISMATCH"
            }
            .into();
        }
        if reference.is_none() && left.is_empty() && !record.refunds.is_empty() {
            return "REFUNDED".into();
        }
        let (lines, gone) = if !names.is_empty() {
            match self.refunded_by_name(*id, &units) {
                Ok(all) => all,
                Err(said) => return said,
            }
        } else if is_all {
            if left.is_empty() {
                return format!("NOTSOLD 0 {}", self.items[record.lines[0].0].sku);
            }
            (left.clone(), record.units.clone())
        } else {
            let (item, qty) = asked[0];
            let Some(item) = item else {
                return format!("NOTSOLD 0 {}", items[0].0);
            };
            let has = left
                .iter()
                .find(|(other, _)| *other == item)
                .map_or(0, |(_, qty)| *qty);
            if qty > has {
                return format!("NOTSOLD {has} {}", self.items[item].sku);
            }
            if self.items[item].named.is_some() && qty < has {
                return "ERR".into();
            }
            let own = record
                .units
                .iter()
                .copied()
                .filter(|&unit| self.units[unit].item == item);
            (vec![(item, qty)], own.collect())
        };
        let restocks = !no_restock && self.closed.is_none();
        for &(item, qty) in &lines {
            if restocks && self.items[item].named.is_none() {
                self.items[item].available += qty;
            }
        }
        for &unit in &gone {
            let sealed = self.is_sealed(self.units[unit].item);
            self.units[unit].state = if restocks && !sealed {
                State::Free
            } else {
                State::Withdrawn
            };
        }
        let record = self.reservations.get_mut(id).expect("it is there");
        record.units.retain(|unit| !gone.contains(unit));
        record.refunds.push(Refund {
            reference: *reference,
            lines,
            units: gone,
            no_restock: *no_restock,
        });
        "REFUNDED".into()
    }

    fn refunded_by_name(&self, id: u32, units: &[Option<usize>]) -> Result<LinesAndUnits, String> {
        let mut lines: Vec<(usize, u64)> = Vec::new();
        for (at, unit) in units.iter().enumerate() {
            let unit = unit.ok_or(format!("NOUNIT {at}"))?;
            let item = self.units[unit].item;
            if self.units[unit].state != State::Held(id) {
                return Err(match self.is_sealed(item) {
                    true => format!("NOUNIT {at}"),
                    false => format!("NOTSOLD unit {}", self.units[unit].name),
                });
            }
            match lines.iter_mut().find(|(other, _)| *other == item) {
                Some((_, sum)) => *sum += 1,
                None => lines.push((item, 1)),
            }
        }
        let gone = units.iter().flatten().copied().collect();
        let gone = self.in_order(&lines, gone);
        Ok((lines, gone))
    }
}
