//! What clients ask for by the names of units, and what the seller names.
//!
//! Edge: as `clients.rs`.

use super::clients::Asking;
use super::seats::Hand;
use super::step::{CODES, SEATS};
use crate::commands::requests::{Ask, Deltas, Op, bytes, name};

impl Asking<'_> {
    /// The first row of an item, as long as it can get one.
    pub fn names_to_begin_with(&mut self) -> Option<Op> {
        if !self.scene.has_names || !self.dice.one_in(4) {
            return None;
        }
        let sku = self.dice.of(&[SEATS, CODES]);
        let item = self
            .books
            .items
            .iter()
            .find(|item| item.sku == bytes(sku))?;
        if item.named.is_some() || (item.reserved, item.sold) != (0, 0) {
            return None;
        }
        match item.total {
            0 if item.owed == 0 => Some(self.row(sku, sku == CODES)),
            // What expired while it was counted has no part in what gets names.
            left if left > 0 && !self.books.late.is_empty() => Some(Op::Restock {
                deltas: Deltas::Items(vec![(sku.into(), -left)]),
                new: false,
                reference: None,
            }),
            _ => None,
        }
    }

    /// Names side by side, most of them new.
    fn row(&mut self, sku: &str, sealed: bool) -> Op {
        let from = self.dice.below(60);
        let to = from + self.dice.between(1, 8);
        Op::RestockUnits {
            sku: sku.into(),
            names: (from..to).map(|n| format!("{sku}-{n}")).collect(),
            sealed,
            withdraw: false,
            reference: self.delivery(),
        }
    }

    fn delivery(&mut self) -> Option<String> {
        match self.dice.below(4) {
            0 => None,
            _ => Some(format!("delivery {}", self.dice.below(30))),
        }
    }

    pub fn restock_units(&mut self) -> Op {
        let sku = match self.dice.below(12) {
            0 => self.sku(),
            1..8 => SEATS.into(),
            _ => CODES.into(),
        };
        if self.dice.one_in(3) {
            return self.withdraw(sku);
        }
        let sealed = (sku == CODES) != self.dice.one_in(40);
        match self.dice.below(3) {
            0 => self.put_back(sku, sealed),
            _ => self.row(&sku, sealed),
        }
    }

    /// Units that were taken off sale, and now and then a new one with them.
    fn put_back(&mut self, sku: String, sealed: bool) -> Op {
        let item = self
            .books
            .items
            .iter()
            .position(|item| item.sku == bytes(&sku));
        let seats = self.books.seats.0.iter();
        let off = seats.filter(|seat| Some(seat.item) == item && seat.hand == Hand::Withdrawn);
        let off: Vec<String> = off.map(|seat| name(&seat.name)).collect();
        if off.is_empty() {
            return self.row(&sku, sealed);
        }
        let from = self.dice.index(off.len());
        let mut names = off[from..].to_vec();
        if self.dice.one_in(4) {
            names.push(format!("{sku}-{}", 60 + self.dice.below(40)));
        }
        Op::RestockUnits {
            sku,
            names,
            sealed,
            withdraw: false,
            reference: self.delivery(),
        }
    }

    fn withdraw(&mut self, sku: String) -> Op {
        let item = self
            .books
            .items
            .iter()
            .position(|item| item.sku == bytes(&sku));
        let is_any = self.dice.one_in(20);
        let seats = self.books.seats.0.iter();
        let known = seats.filter(|seat| is_any || Some(seat.item) == item);
        let known: Vec<String> = known.map(|seat| name(&seat.name)).collect();
        let mut names = vec![format!("{sku}-no such one")];
        if !known.is_empty() && !self.dice.one_in(20) {
            let from = self.dice.index(known.len());
            let to = (from + self.dice.between(1, 3) as usize).min(known.len());
            names = known[from..to].to_vec();
        }
        Op::RestockUnits {
            sku,
            names,
            sealed: false,
            withdraw: true,
            reference: self.delivery(),
        }
    }

    /// Units by name: mostly neighbours, whoever has them, and perhaps counted items beside.
    pub fn ask_by_names(&mut self) -> Ask {
        let seats = &self.books.seats.0;
        if seats.is_empty() {
            return Ask::Named(Vec::new(), vec![format!("{SEATS}-1")]);
        }
        let from = self.dice.index(seats.len());
        let to = (from + self.dice.of(&[1, 1, 2, 2, 3, 4])).min(seats.len());
        let mut names: Vec<String> = seats[from..to]
            .iter()
            .map(|seat| name(&seat.name))
            .collect();
        match self.dice.below(40) {
            0 => names.push(names[0].clone()),
            1 => names.push("no such unit".into()),
            2..10 => {
                let other = &seats[self.dice.index(seats.len())];
                names.push(name(&other.name));
                names.dedup();
            }
            _ => {}
        }
        let lines = match self.dice.below(3) {
            0 => vec![(self.sku(), self.qty())],
            _ => Vec::new(),
        };
        Ask::Named(lines, names)
    }

    /// The request of an id, by the names of the units it has; now and then with another one in
    /// the place of the last, which is another request.
    pub fn by_its_names(&mut self, id: &str, before: Ask) -> Ask {
        let record = self.books.record(&bytes(id));
        let (Some(record), Ask::Items(mut lines)) = (record, before.clone()) else {
            return before;
        };
        let books = self.books;
        let is_named = |item: usize| books.items[item].named == Some(false);
        let seats = record
            .has
            .iter()
            .filter_map(|&number| books.seats.get(number));
        let seats: Vec<_> = seats.filter(|seat| is_named(seat.item)).collect();
        let Some(last) = seats.last() else {
            return before;
        };
        if self.dice.one_in(2) {
            return before;
        }
        let mut names: Vec<String> = seats.iter().map(|seat| name(&seat.name)).collect();
        if self.dice.one_in(3) {
            let others = books.seats.0.iter().filter(|seat| seat.item == last.item);
            let others: Vec<String> = others.map(|seat| name(&seat.name)).collect();
            let other = others[self.dice.index(others.len())].clone();
            if !names.contains(&other) {
                names.pop();
                names.push(other);
            }
        }
        let skus: Vec<String> = seats
            .iter()
            .map(|seat| name(&books.items[seat.item].sku))
            .collect();
        lines.retain(|(sku, _)| !skus.contains(sku));
        Ask::Named(lines, names)
    }

    /// Units that come back: some of an order's, and now and then another one's.
    pub fn names_to_refund(&mut self, id: &str) -> Option<Vec<String>> {
        let books = self.books;
        let record = books.record(&bytes(id))?;
        let has = books.seats.names(record.has_now());
        if has.is_empty() {
            return None;
        }
        let from = self.dice.index(has.len());
        let to = (from + self.dice.between(1, 2) as usize).min(has.len());
        let mut names: Vec<String> = has[from..to].iter().map(|bytes| name(bytes)).collect();
        if self.dice.one_in(10) {
            let seats = &books.seats.0;
            let other = name(&seats[self.dice.index(seats.len())].name);
            if !names.contains(&other) {
                names.push(other);
            }
        }
        Some(names)
    }
}
