//! The units with names of one history, kept from its events as the rest of the books is.
//!
//! A list of units, each looked at one by one. Which unit is chosen is the model test's to say;
//! here a unit is in one hand at a time, a code is given out once, the oldest first, and as many
//! are free as the stock says. Edge: a part of the ledger.

use super::ledger::{Ledger, must, units_of};
use super::record::{Fate, Record, Units};
use crate::commands::play::Fault;
use crate::commands::requests::{Ask, bytes};
use flashsale_engine::sale::{self, ItemKind, NameBuffer, NamedRestock, Sale, UnitState};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hand {
    Free,
    Withdrawn,
    /// The id of a reservation or an order.
    Of(Vec<u8>),
}

#[derive(Debug)]
pub struct Seat {
    pub name: Vec<u8>,
    pub item: usize,
    pub hand: Hand,
    /// A buyer has seen this code.
    pub seen: bool,
}

/// All units with names, in the order of coming.
#[derive(Default)]
pub struct Seats(pub Vec<Seat>);

impl Seats {
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        let at = self.0.iter().position(|seat| seat.name == name)?;
        Some(at as u32)
    }

    pub fn get(&self, number: u32) -> Option<&Seat> {
        self.0.get(number as usize)
    }

    fn set(&mut self, numbers: &[u32], hand: &Hand) {
        for &number in numbers {
            if let Some(seat) = self.0.get_mut(number as usize) {
                seat.hand = hand.clone();
            }
        }
    }

    pub fn free(&mut self, numbers: &[u32]) {
        self.set(numbers, &Hand::Free);
    }

    /// Are all of these free?
    pub fn are_free(&self, numbers: &[u32]) -> bool {
        let mut seats = numbers.iter().map(|&number| self.get(number));
        seats.all(|seat| seat.is_some_and(|seat| seat.hand == Hand::Free))
    }

    pub fn names(&self, numbers: &[u32]) -> Vec<Vec<u8>> {
        let seats = numbers.iter().filter_map(|&number| self.get(number));
        seats.map(|seat| seat.name.clone()).collect()
    }
}

/// The names of the units that a reservation or an order has, as a reply tells them.
pub fn names_in(sale: &Sale, id: &[u8]) -> Vec<Vec<u8>> {
    let slot = sale.find(sale.key(id));
    let units = slot.map(|slot| sale.units_of(slot)).unwrap_or_default();
    let name = |&number: &u32| {
        let view = sale.unit(number);
        view.map_or_else(Vec::new, |view| {
            view.name(&mut NameBuffer::default()).to_vec()
        })
    };
    units.iter().map(name).collect()
}

impl Ledger {
    pub fn item_of(&self, number: u32) -> Option<usize> {
        Some(self.seats.get(number)?.item)
    }

    pub fn is_sealed(&self, item: usize) -> bool {
        self.items
            .get(item)
            .is_some_and(|item| item.named == Some(true))
    }

    /// Are these units of the lines of these items, as many as each has, in their order?
    fn fits(&self, lines: &Units, numbers: &[u32], counts: impl Fn(Option<bool>) -> bool) -> bool {
        let mut rest = numbers;
        for &(item, qty) in lines.iter().filter(|line| counts(self.items[line.0].named)) {
            let Some((own, behind)) = rest.split_at_checked(qty as usize) else {
                return false;
            };
            let ascends = own.is_sorted_by(|one, next| one < next);
            if !ascends || own.iter().any(|&number| self.item_of(number) != Some(item)) {
                return false;
            }
            rest = behind;
        }
        rest.is_empty()
    }

    /// May a checkout within its grace have back what this one had?
    pub fn has_claim(&self, record: &Record) -> bool {
        let was_counted = |item: usize| {
            let until_ms = self.items[item].counted_until_ms;
            until_ms.is_some_and(|until_ms| record.expires_at_ms <= until_ms)
        };
        let is_open = |named| named == Some(false);
        self.fits(&record.units, &record.has, is_open)
            && !record.units.iter().any(|line| was_counted(line.0))
    }

    /// Puts units in the order of lines.
    fn in_order(&self, lines: &Units, mut numbers: Vec<u32>) -> Vec<u32> {
        numbers.sort_by_key(|&number| {
            let item = self.item_of(number);
            (lines.iter().position(|line| Some(line.0) == item), number)
        });
        numbers
    }

    /// Gives free units to a new reservation or order, and codes to an order.
    pub fn give_seats(&mut self, id: &[u8], open: &[u32], sealed: &[u32]) -> Result<(), Fault> {
        self.give_open(id, open)?;
        self.give_codes(id, sealed)
    }

    fn give_open(&mut self, id: &[u8], open: &[u32]) -> Result<(), Fault> {
        let record = self.record(id).ok_or("units for an unknown id")?;
        let fits = self.fits(&record.units, open, |named| named == Some(false));
        must(fits, "units are those of their lines")?;
        must(self.seats.are_free(open), "no unit is in two hands")?;
        self.seats.set(open, &Hand::Of(id.to_vec()));
        self.keep_seats(id, open.to_vec());
        Ok(())
    }

    /// A reservation becomes an order: a late one has back what it had, and codes are given out.
    pub fn sell_seats(&mut self, id: &[u8], was_late: bool, sealed: &[u32]) -> Result<(), Fault> {
        let record = self.record(id).ok_or("units for an unknown id")?;
        if was_late {
            let had = record.has.clone();
            must(self.seats.are_free(&had), "only the very same units")?;
            self.seats.set(&had, &Hand::Of(id.to_vec()));
        }
        self.give_codes(id, sealed)
    }

    /// The same as was sold elsewhere, where any codes were named.
    pub fn give_seats_sold(
        &mut self,
        id: &[u8],
        open: &[u32],
        sealed: &[u32],
    ) -> Result<(), Fault> {
        self.give_open(id, open)?;
        self.hand_out(id, sealed)
    }

    fn give_codes(&mut self, id: &[u8], sealed: &[u32]) -> Result<(), Fault> {
        let record = self.record(id).ok_or("codes for an unknown id")?;
        if record.fate != Fate::Sold {
            return must(sealed.is_empty(), "no code is named before it is sold");
        }
        let lines = record.units.iter();
        for &(item, qty) in lines.filter(|line| self.is_sealed(line.0)) {
            let left = (0..).zip(&self.seats.0);
            let left = left.filter(|(_, seat)| seat.item == item && seat.hand == Hand::Free);
            let oldest: Vec<u32> = left.map(|(number, _)| number).take(qty as usize).collect();
            let are_oldest = oldest.iter().all(|number| sealed.contains(number));
            self.rule(are_oldest, "the oldest codes are sold first")?;
        }
        self.hand_out(id, sealed)
    }

    /// Gives codes out to an order, whose units stand in the order of its lines then.
    pub fn hand_out(&mut self, id: &[u8], sealed: &[u32]) -> Result<(), Fault> {
        let record = self.record(id).ok_or("codes for an unknown id")?;
        let fits = self.fits(&record.units, sealed, |named| named == Some(true));
        must(fits, "an order has a code for each unit")?;
        must(self.seats.are_free(sealed), "no code is in two orders")?;
        let all = self.in_order(&record.units, [&record.has[..], sealed].concat());
        for &number in sealed {
            let seat = self.seats.0.get_mut(number as usize);
            let seat = seat.ok_or("no such code")?;
            must(!seat.seen, "a code that was seen never sells again")?;
            seat.seen = true;
        }
        self.seats.set(sealed, &Hand::Of(id.to_vec()));
        self.keep_seats(id, all);
        Ok(())
    }

    fn keep_seats(&mut self, id: &[u8], numbers: Vec<u32>) {
        if let Some(record) = self.ids.get_mut(id).and_then(|id| id.record.as_mut()) {
            record.has = numbers;
        }
    }

    /// Takes units of an order back.
    pub fn take_seats_back(&mut self, id: &[u8], refund: &sale::Refund<'_>) -> Result<(), Fault> {
        let lines = units_of(&refund.lines);
        let fits = self.fits(&lines, &refund.units, |named| named.is_some());
        must(fits, "a refund names a unit for each that has a name")?;
        let record = self.record(id).ok_or("units of an unknown id")?;
        let mut left = record.has.clone();
        left.retain(|number| !refund.units.contains(number));
        must(
            left.len() + refund.units.len() == record.has.len(),
            "what comes back is in the order",
        )?;
        for &number in &refund.units {
            let item = self.item_of(number).ok_or("no such unit")?;
            let is_free = refund.restocks && !self.is_sealed(item);
            let hand = if is_free { Hand::Free } else { Hand::Withdrawn };
            self.seats.set(&[number], &hand);
        }
        self.keep_seats(id, left);
        Ok(())
    }

    /// RESTOCK by names, whose number was booked.
    pub fn book_names(
        &mut self,
        delta: &sale::StockDelta<'_>,
        named: &NamedRestock<'_>,
    ) -> Result<(), Fault> {
        let at = self.items.iter().position(|item| item.sku == *delta.sku);
        let at = at.ok_or("names of no item")?;
        let count = named.names.len() as i64;
        let is_sum = delta.delta == if named.withdraw { -count } else { count };
        must(is_sum, "as many names as units")?;
        if named.withdraw {
            for name in &named.names {
                let number = self
                    .seats
                    .find(name)
                    .ok_or("an unknown unit is withdrawn")?;
                let is_its = self.item_of(number) == Some(at);
                must(
                    is_its && self.seats.are_free(&[number]),
                    "only what is free is withdrawn",
                )?;
                self.seats.set(&[number], &Hand::Withdrawn);
            }
            return Ok(());
        }
        let late = self.late.keys().next_back().map(|late| late.0);
        let item = &mut self.items[at];
        if item.named.is_none() {
            let had_none = (item.owed, item.reserved, item.sold) == (0, 0, 0)
                && item.available() == Some(count.cast_unsigned());
            must(had_none, "an item with units does not get names")?;
            item.named = Some(named.sealed);
            item.counted_until_ms = late.filter(|_| named.sealed);
        }
        must(
            item.named == Some(named.sealed),
            "sealed from the first, or never",
        )?;
        for name in &named.names {
            let Some(number) = self.seats.find(name) else {
                self.seats.0.push(Seat {
                    name: name.to_vec(),
                    item: at,
                    hand: Hand::Free,
                    seen: false,
                });
                continue;
            };
            let seat = &mut self.seats.0[number as usize];
            let comes_back = seat.item == at && seat.hand == Hand::Withdrawn && !seat.seen;
            must(comes_back, "a name is that of one unit")?;
            seat.hand = Hand::Free;
        }
        Ok(())
    }

    /// A RESTOCK by numbers is of counted items.
    pub fn must_be_counted(&self, deltas: &[sale::StockDelta<'_>]) -> Result<(), Fault> {
        let is_named = |delta: &sale::StockDelta<'_>| {
            let mut items = self.items.iter();
            items.any(|item| item.sku == *delta.sku && item.named.is_some())
        };
        must(
            !deltas.iter().any(is_named),
            "units with names come by their names",
        )
    }

    /// As many are free as the stock says: invariants 10 and 11 of the sale.
    pub fn count_seats(&self) -> Result<(), Fault> {
        for (at, item) in self.items.iter().enumerate() {
            let Some(sealed) = item.named else { continue };
            let of_item = self.seats.0.iter().filter(|seat| seat.item == at);
            let free = of_item.filter(|seat| seat.hand == Hand::Free).count() as u64;
            let promised = if sealed { item.reserved } else { 0 };
            let left = item.available().map(|left| left + promised);
            must(
                left == Some(free),
                "as many units are free as the stock says",
            )?;
        }
        Ok(())
    }

    /// Every unit with its name and its state, as UNITS tells them, and who has it.
    pub fn compare_seats(&self, sale: &Sale) -> Result<(), Fault> {
        must(sale.units_len() == self.seats.0.len() as u64, "units known")?;
        for (at, item) in self.items.iter().enumerate() {
            let kind = match item.named {
                None => ItemKind::Counted,
                Some(false) => ItemKind::Named,
                Some(true) => ItemKind::Sealed,
            };
            must(sale.kind_of_item(at as u32) == kind, "what an item counts")?;
            let mut told = Vec::new();
            sale.scan_units(at as u32, 0, usize::MAX >> 1, &mut |unit| {
                let [mut one, mut other] = [NameBuffer::default(), NameBuffer::default()];
                let holder = unit.holder(&mut other).map(<[u8]>::to_vec);
                told.push((unit.name(&mut one).to_vec(), unit.state, holder));
            });
            let of_item = self.seats.0.iter().filter(|seat| seat.item == at);
            let booked = of_item.filter_map(|seat| {
                let (state, holder) = match &seat.hand {
                    Hand::Free => (UnitState::Free, None),
                    Hand::Withdrawn => (UnitState::Withdrawn, None),
                    Hand::Of(id) => match self.record(id)?.fate {
                        Fate::Sold => (UnitState::Sold, Some(id.clone())),
                        _ => (UnitState::Reserved, Some(id.clone())),
                    },
                };
                let is_told = item.named != Some(true) || state == UnitState::Sold;
                is_told.then(|| (seat.name.clone(), state, holder))
            });
            let booked: Vec<_> = booked.collect();
            if booked != told {
                return Err(format!(
                    "units: the books say {booked:?}, the sale {told:?}"
                ));
            }
        }
        Ok(())
    }

    /// The units that a request names, `None` if one is unknown; a sealed one has no name yet.
    pub fn seats_named(&self, ask: &Ask) -> Option<Vec<u32>> {
        let numbers = self.seats_sold(ask)?;
        let is_open = |number: &u32| {
            self.item_of(*number)
                .is_some_and(|item| !self.is_sealed(item))
        };
        numbers.iter().all(is_open).then_some(numbers)
    }

    /// The same where it was sold elsewhere: sealed ones among them.
    pub fn seats_sold(&self, ask: &Ask) -> Option<Vec<u32>> {
        let names = ask.names().iter();
        names.map(|name| self.seats.find(&bytes(name))).collect()
    }

    /// Has a reservation among the units it has now only such as the request names, of the
    /// items it names some of? A BUY could be sold those that a late one had.
    pub fn has_no_others(&self, record: &Record, ask: &Ask, buys: bool) -> bool {
        let Some(asked) = self.seats_named(ask) else {
            return false;
        };
        let items: Vec<_> = asked.iter().map(|&number| self.item_of(number)).collect();
        let has = match buys {
            true => &record.has,
            false => record.has_now(),
        };
        has.iter()
            .all(|number| asked.contains(number) || !items.contains(&self.item_of(*number)))
    }

    /// Who has a unit, as long as it is a reservation or an order.
    pub fn holder(&self, number: u32) -> Option<&Record> {
        match &self.seats.get(number)?.hand {
            Hand::Of(id) => self.record(id),
            Hand::Free | Hand::Withdrawn => None,
        }
    }

    /// Is what a RESTOCK says of one name true?
    pub fn is_in_the_sale(&self, name: &str, sku: &str) -> bool {
        let Some(number) = self.seats.find(&bytes(name)) else {
            return false;
        };
        let seat = &self.seats.0[number as usize];
        let is_its = self.items[seat.item].sku == bytes(sku);
        !is_its || seat.hand != Hand::Withdrawn || seat.seen
    }

    /// The names of codes in an order, to know that some were told.
    pub fn has_codes(&self, names: &[Vec<u8>]) -> bool {
        let mut numbers = names.iter().filter_map(|name| self.seats.find(name));
        numbers.any(|number| {
            self.item_of(number)
                .is_some_and(|item| self.is_sealed(item))
        })
    }
}
