//! How places come, move and go.
//!
//! Edge: carries out. Each function is one half of an event, or of a load; the other half is
//! `event/apply_line.rs`.

use std::cell::OnceCell;

use crate::sale::book::items::{Stock, StockChange, StockChanges};
use crate::sale::book::waiting::draw::{Draw, Seed};
use crate::sale::book::waiting::line::WaitingLine;
use crate::sale::book::waiting::page::{PAGE_NUMBERS, Page, Record};
use crate::sale::book::waiting::{
    By, LastDraw, LineCounts, Place, PlaceNames, PlaceSlot, Waiting, joined, split,
};
use crate::sale::units::ItemIndex;
use crate::table::name::Key;
use crate::table::slab::{NONE, SlotNumber};

/// Holes that a line steps over by itself behind whoever leaves its head. More take events
/// of their own, so that no change is without a bound.
const HOLES_PASSED: u64 = 8;

/// A line as a snapshot has it.
pub struct LoadedLine {
    pub item: ItemIndex,
    /// The number of whoever joins next.
    pub next: u64,
    /// The first place that is not settled.
    pub head: u64,
    pub draw: Option<Draw>,
}

impl Waiting {
    /// Adds whoever joins a line at its end, and begins the line if nobody was in it: then
    /// `is_drawn` says whether START is over. `stock` is that of the item.
    pub fn join(
        &mut self,
        id: Key<'_>,
        user: Key<'_>,
        (item, qty): (ItemIndex, u64),
        is_drawn: bool,
        stock: Stock,
    ) -> PlaceSlot {
        let line = self.line_or_new(item, is_drawn.then(|| Draw::of_nobody(item)), stock);
        let number = self.lines[line].next;
        let slot = self.add(line, number, id, user, qty);
        self.moves.joined = Some(slot);
        slot
    }

    /// Begins a line that was loaded, with no one in it yet; false if there is one of its item.
    pub fn begin_line(&mut self, line: LoadedLine, stock: Stock) -> bool {
        if self.by_item.contains_key(&line.item) {
            return false;
        }
        let slot = self.line_or_new(line.item, line.draw, stock);
        let kept = &mut self.lines[slot];
        (kept.next, kept.head) = (line.next, line.head);
        true
    }

    /// Adds a place that was loaded, behind all those of its line that were.
    pub fn load(&mut self, id: Key<'_>, user: Key<'_>, place: (ItemIndex, u64), number: u64) {
        let (item, qty) = place;
        if let Some(&line) = self.by_item.get(&item) {
            let next = self.lines[line].next;
            self.add(line, number, id, user, qty);
            self.lines[line].next = next;
        }
    }

    fn line_or_new(&mut self, item: ItemIndex, draw: Option<Draw>, stock: Stock) -> SlotNumber {
        if let Some(&line) = self.by_item.get(&item) {
            return line;
        }
        self.undrawn += usize::from(draw.is_none());
        let line = self.lines.insert(WaitingLine::new(item, draw));
        self.by_item.insert(item, line);
        if stock.available > 0 {
            self.stocked.insert(item);
        } else if stock.reserved == 0 {
            self.sold_out.insert(item);
        }
        line
    }

    fn add(
        &mut self,
        line_slot: SlotNumber,
        number: u64,
        id: Key<'_>,
        user: Key<'_>,
        qty: u64,
    ) -> PlaceSlot {
        let line = &mut self.lines[line_slot];
        let mut at = line.page_of(number);
        if at == NONE {
            let first = number / PAGE_NUMBERS * PAGE_NUMBERS;
            at = self.pages.insert(Page::new(line_slot, first));
            line.add_page(number, at);
        }
        line.next = number + 1;
        line.living += 1;
        line.units += u128::from(qty);
        let slot = joined(at, number);
        let record = Record {
            id: self.names.pack(id.spelling()),
            user: self.names.pack(user.spelling()),
            qty: match u32::try_from(qty) {
                Ok(qty) if qty != Record::WIDE => qty,
                _ => {
                    self.wide.insert(slot, qty);
                    Record::WIDE
                }
            },
        };
        self.living += 1;
        self.put(slot, record);
        self.index(slot, id.hash(), user.hash());
        slot
    }

    /// Keeps a record at its slot.
    fn put(&mut self, slot: PlaceSlot, record: Record) {
        let (page, bit) = split(slot);
        if let Some(page) = self.pages.get_mut(page) {
            self.record_bytes -= page.heap_bytes();
            page.insert(bit, record);
            self.record_bytes += page.heap_bytes();
        }
    }

    fn take(&mut self, slot: PlaceSlot) -> Option<Record> {
        let (page, bit) = split(slot);
        let page = self.pages.get_mut(page)?;
        self.record_bytes -= page.heap_bytes();
        let record = page.take(bit);
        self.record_bytes += page.heap_bytes();
        record
    }

    fn index(&mut self, slot: PlaceSlot, id: u64, user: u64) {
        for (index, hash, by) in [
            (&mut self.by_id, id, By::Id),
            (&mut self.by_user, user, By::User),
        ] {
            let rows = PlaceNames {
                pages: &self.pages,
                names: &self.names,
                hasher: self.hasher,
                by,
            };
            index.insert(hash, slot, rows);
        }
    }

    fn unindex(&mut self, slot: PlaceSlot, record: &Record) -> (u64, u64) {
        let id = self.hasher.hash(self.names.spelling(&record.id));
        let user = self.hasher.hash(self.names.spelling(&record.user));
        self.by_id.remove(id, |other| other == slot);
        self.by_user.remove(user, |other| other == slot);
        (id, user)
    }

    /// Takes a place out. Before the draw the last one moves to its slot: returns from where.
    pub fn leave(&mut self, slot: PlaceSlot, at_ms: u64) -> Option<PlaceSlot> {
        let (line, moved) = self.remove(slot)?;
        self.moves.moved = moved.map(|from| (from, slot));
        if self.lines[line].living == 0 {
            self.remove_line(line);
        } else if self.lines[line].is_drawn() {
            self.pass_holes(line, at_ms);
        }
        moved
    }

    /// Takes a place out that is being settled; [`Waiting::settle`] does the rest.
    pub fn take_out(&mut self, slot: PlaceSlot) {
        self.remove(slot);
    }

    /// Takes a place out of its line, and returns the line. Before the draw the last one
    /// moves to its slot: also returns from where.
    fn remove(&mut self, slot: PlaceSlot) -> Option<(SlotNumber, Option<PlaceSlot>)> {
        let Place {
            item, number, qty, ..
        } = self.get(slot)?;
        let &line_slot = self.by_item.get(&item)?;
        let record = self.take(slot)?;
        self.unindex(slot, &record);
        self.names.remove(record.id);
        self.names.remove(record.user);
        self.wide.remove(&slot);
        self.living -= 1;
        let line = &mut self.lines[line_slot];
        line.living -= 1;
        line.units -= u128::from(qty);
        let mut moved = None;
        let mut emptied = number;
        if line.draw.is_none() {
            line.next -= 1;
            emptied = line.next;
            if number < emptied {
                moved = self.move_place(line_slot, emptied, slot);
            }
        }
        self.drop_if_empty(line_slot, emptied);
        Some((line_slot, moved))
    }

    /// Moves whoever has this number to a slot where nobody is.
    fn move_place(&mut self, line: SlotNumber, number: u64, to: PlaceSlot) -> Option<PlaceSlot> {
        let from = self.at_number(&self.lines[line], number)?;
        let record = self.take(from)?;
        let (id, user) = self.unindex(from, &record);
        self.put(to, record);
        self.index(to, id, user);
        if let Some(qty) = self.wide.remove(&from) {
            self.wide.insert(to, qty);
        }
        Some(from)
    }

    /// Frees the page of a number if nobody is left in it.
    fn drop_if_empty(&mut self, line: SlotNumber, number: u64) {
        let at = self.lines[line].page_of(number);
        let is_empty = self.pages.get(at).is_some_and(Page::is_empty);
        if is_empty && let Some(page) = self.pages.remove(at) {
            self.record_bytes -= page.heap_bytes();
            self.lines[line].remove_page(number);
        }
    }

    fn remove_line(&mut self, line: SlotNumber) {
        if let Some(line) = self.lines.remove(line) {
            self.forget_line(line.item, line.is_drawn());
        }
    }

    /// An item has no line any more.
    fn forget_line(&mut self, item: ItemIndex, was_drawn: bool) {
        self.by_item.remove(&item);
        self.stocked.remove(&item);
        self.sold_out.remove(&item);
        self.undrawn -= usize::from(!was_drawn);
    }

    /// Steps over some places where nobody is, at the head of a line that changed.
    fn pass_holes(&mut self, line_slot: SlotNumber, at_ms: u64) {
        self.lines[line_slot].front_qty = OnceCell::new();
        for _ in 0..HOLES_PASSED {
            let line = &self.lines[line_slot];
            if self.front_qty(line).is_some() || line.head >= line.next {
                break;
            }
            let line = &mut self.lines[line_slot];
            line.front_qty = OnceCell::new();
            line.head += 1;
            line.flow.note(at_ms, 1);
        }
    }

    /// Draws the order of every line that has none. O(lines).
    pub fn draw(&mut self, seed: Seed, at_ms: u64) {
        let mut drawn = Vec::new();
        let lines: Vec<SlotNumber> = self.by_item.values().copied().collect();
        for slot in lines {
            let line = &mut self.lines[slot];
            if line.is_drawn() {
                continue;
            }
            drawn.push((line.item, line.next));
            line.draw = Some(Draw::new(seed, line.item, line.next));
            line.front_qty = OnceCell::new();
        }
        self.undrawn = 0;
        self.last_draw = Some(LastDraw { at_ms, seed, drawn });
    }

    /// Lines without an order.
    #[inline]
    pub fn undrawn(&self) -> usize {
        self.undrawn
    }

    /// Moves the head of a line over places that were settled: nobody is there any more.
    pub fn settle(&mut self, item: ItemIndex, places: u64, by: LineCounts, at_ms: u64) {
        self.counts.granted = self.counts.granted.saturating_add(by.granted);
        self.counts.passed_over = self.counts.passed_over.saturating_add(by.passed_over);
        let Some(&line) = self.by_item.get(&item) else {
            return;
        };
        let kept = &mut self.lines[line];
        kept.head = kept.head.saturating_add(places).min(kept.next);
        kept.flow.note(at_ms, places);
        if kept.living == 0 {
            self.remove_line(line);
        } else {
            self.pass_holes(line, at_ms);
        }
    }

    /// Notes what became of the stock of items that have lines.
    pub fn note_stock(&mut self, changes: &StockChanges) {
        for (item, change) in changes {
            match change {
                _ if !self.by_item.contains_key(item) => {}
                StockChange::BackInStock => {
                    self.stocked.insert(*item);
                    self.sold_out.remove(item);
                }
                StockChange::AllReserved => {
                    self.stocked.remove(item);
                    self.sold_out.remove(item);
                }
                StockChange::SoldOut => {
                    self.stocked.remove(item);
                    self.sold_out.insert(*item);
                }
            }
        }
    }

    /// Ends the line of an item: nobody in it is found from now on. O(log lines); the memory
    /// is freed by [`Waiting::free`].
    pub fn dissolve(&mut self, item: ItemIndex) {
        let Some(&line_slot) = self.by_item.get(&item) else {
            return;
        };
        let line = &mut self.lines[line_slot];
        line.is_dead = true;
        self.living -= line.living;
        self.dead += line.living;
        let was_drawn = line.is_drawn();
        self.ended.push_back(line_slot);
        self.forget_line(item, was_drawn);
    }

    /// Frees the memory of about `most` dead places, a page at a time.
    pub fn free(&mut self, most: usize) {
        let mut freed = 0;
        while freed < most
            && let Some(&line) = self.ended.front()
        {
            freed += 1;
            match self.lines[line].pop_page() {
                Some(page) => freed += self.free_page(page),
                None => {
                    self.ended.pop_front();
                    self.lines.remove(line);
                }
            }
        }
    }

    fn free_page(&mut self, at: SlotNumber) -> usize {
        let Some(page) = self.pages.remove(at) else {
            return 0;
        };
        self.record_bytes -= page.heap_bytes();
        for (bit, record) in page.iter() {
            let slot = joined(at, u64::from(bit));
            self.unindex(slot, record);
            self.names.remove(record.id);
            self.names.remove(record.user);
            self.wide.remove(&slot);
        }
        self.dead -= page.len() as u64;
        page.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::table::hash::HASHER;
    use crate::table::name::{NameBuffer, Spelling};

    const STOCK: Stock = Stock {
        available: 0,
        reserved: 9,
        sold: 0,
    };

    fn text(name: Spelling<'_>) -> String {
        let mut buffer = NameBuffer::default();
        String::from_utf8(name.bytes(&mut buffer).to_vec()).unwrap()
    }

    /// A line as anybody would write it: a list of who waits, by number.
    #[derive(Default)]
    struct Model {
        people: BTreeMap<u64, (String, u64)>,
        next: u64,
        head: u64,
        drawn: Option<u64>,
    }

    impl Model {
        fn leave(&mut self, number: u64) {
            self.people.remove(&number);
            if self.drawn.is_none() {
                self.next -= 1;
                if let Some(last) = self.people.remove(&self.next) {
                    self.people.insert(number, last);
                }
            }
        }
    }

    fn compare(waiting: &Waiting, models: &BTreeMap<ItemIndex, Model>) {
        let lines: Vec<ItemIndex> = waiting.lines().map(WaitingLine::item).collect();
        let with_people = models.iter().filter(|(_, model)| !model.people.is_empty());
        assert_eq!(
            lines,
            with_people.map(|(&item, _)| item).collect::<Vec<_>>()
        );
        let mut living = 0;
        for line in waiting.lines() {
            let model = &models[&line.item()];
            let kept: Vec<_> = waiting
                .iter(line)
                .map(|place| {
                    let found = waiting.find(HASHER.key_of(place.id));
                    assert_eq!(found, Some(place.slot));
                    let user = format!("of {}", text(place.id));
                    let key = HASHER.key(user.as_bytes());
                    assert_eq!(waiting.find_of_user(key), Some(place.slot));
                    assert_eq!(text(place.user), user);
                    (place.number, (text(place.id), place.qty))
                })
                .collect();
            let expected: Vec<_> = model.people.clone().into_iter().collect();
            assert_eq!(kept, expected);
            assert_eq!(
                (line.next(), line.len()),
                (model.next, expected.len() as u64)
            );
            let units: u128 = expected.iter().map(|(_, (_, qty))| u128::from(*qty)).sum();
            assert_eq!(line.units(), units);
            living += line.len();
        }
        assert_eq!(waiting.len(), living);
    }

    fn find_any(waiting: &Waiting, model: &Model, rng: &mut SmallRng) -> (u64, PlaceSlot) {
        let nth = rng.random_range(0..model.people.len());
        let (&number, (id, _)) = model.people.iter().nth(nth).unwrap();
        (number, waiting.find(HASHER.key(id.as_bytes())).unwrap())
    }

    /// Settles up to so many places of a line, whoever is there.
    fn settle_some(waiting: &mut Waiting, model: &mut Model, item: ItemIndex, most: u64) {
        let line = waiting.line(item).unwrap();
        let head = line.head();
        let places = u64::min(most, line.next() - head);
        let turns = head..head + places;
        let people: Vec<_> = turns
            .filter_map(|place| waiting.at_place(line, place))
            .collect();
        for slot in people {
            let number = waiting.get(slot).unwrap().number;
            model.people.remove(&number);
            waiting.take_out(slot);
        }
        waiting.settle(item, places, LineCounts::default(), 0);
    }

    #[test]
    fn keeps_everybody_in_order_whoever_comes_and_goes() {
        for seed in 0..30 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let mut waiting = Waiting::new(HASHER);
            let mut models: BTreeMap<ItemIndex, Model> = BTreeMap::new();
            let (mut names, mut is_started) = (0, false);
            for step in 0..1_500 {
                let item = rng.random_range(0..3);
                let model = models.entry(item).or_default();
                if model.people.is_empty() {
                    *model = Model {
                        drawn: is_started.then_some(0),
                        ..Model::default()
                    };
                }
                match rng.random_range(0..100) {
                    0..55 => {
                        names += 1;
                        let long = "x".repeat(20 * (names % 2));
                        let id = format!("id-{names}{long}");
                        let user = format!("of {id}");
                        let qty = [1, 7, u64::from(u32::MAX), 1 << 50][rng.random_range(0..4)];
                        let [id_key, user] = [&id, &user].map(|name| HASHER.key(name.as_bytes()));
                        waiting.join(id_key, user, (item, qty), is_started, STOCK);
                        model.people.insert(model.next, (id, qty));
                        model.next += 1;
                    }
                    55..85 if !model.people.is_empty() => {
                        let (number, slot) = find_any(&waiting, model, &mut rng);
                        waiting.leave(slot, 0);
                        model.leave(number);
                        if let Some(line) = waiting.line(item) {
                            model.head = line.head();
                        }
                    }
                    85..95 if model.drawn.is_some() && !model.people.is_empty() => {
                        settle_some(&mut waiting, model, item, rng.random_range(1..5));
                    }
                    95 => {
                        waiting.dissolve(item);
                        model.people.clear();
                    }
                    96 if step > 700 => {
                        is_started = true;
                        waiting.draw([seed as u8; 16], 0);
                        for model in models.values_mut() {
                            model.drawn.get_or_insert(model.next);
                        }
                    }
                    _ => waiting.free(3),
                }
                if step % 50 == 0 {
                    compare(&waiting, &models);
                }
            }
            compare(&waiting, &models);
            models.keys().for_each(|&item| waiting.dissolve(item));
            assert_eq!((waiting.len(), waiting.lines().count()), (0, 0));
            while waiting.dead() > 0 {
                waiting.free(64);
            }
            waiting.free(64);
            let empty = (waiting.pages.len(), waiting.lines.len(), waiting.wide.len());
            assert_eq!((empty, waiting.record_bytes), ((0, 0, 0), 0));
        }
    }

    #[test]
    fn a_flood_that_comes_and_goes_before_the_draw_leaves_no_holes() {
        let mut waiting = Waiting::new(HASHER);
        let join = |waiting: &mut Waiting, n: u32| {
            let name = n.to_le_bytes();
            waiting.join(HASHER.key(&name), HASHER.key(&name), (0, 1), false, STOCK)
        };
        join(&mut waiting, 0);
        for n in 1..10_000 {
            let slot = join(&mut waiting, n);
            waiting.leave(slot, 0);
        }
        waiting.draw([0; 16], 0);
        let line = waiting.line(0).unwrap();
        assert_eq!((line.next(), waiting.front_qty(line)), (1, Some(1)));
    }

    /// The page of whoever leaves last goes with them, and whoever comes next needs a new one.
    #[test]
    fn latecomers_who_leave_at_once_are_in_line_until_then() {
        let mut waiting = Waiting::new(HASHER);
        let join = |waiting: &mut Waiting, n: u32, is_started| {
            let name = n.to_le_bytes();
            waiting.join(
                HASHER.key(&name),
                HASHER.key(&name),
                (0, 1),
                is_started,
                STOCK,
            )
        };
        for n in 0..64 {
            join(&mut waiting, n, false);
        }
        waiting.draw([0; 16], 0);
        for n in 64..300 {
            let slot = join(&mut waiting, n, true);
            let number = waiting.get(slot).map(|place| place.number);
            assert_eq!((number, waiting.len()), (Some(n.into()), 65));
            waiting.leave(slot, 0);
        }
    }

    #[test]
    fn a_place_is_about_60_bytes() {
        let mut waiting = Waiting::new(HASHER);
        for n in 0..200_000_u64 {
            let name = n.to_le_bytes();
            let [id, user] = [&name[..], &name[1..]].map(|name| HASHER.key(name));
            waiting.join(id, user, (0, 1), false, STOCK);
        }
        let bytes = waiting.heap_bytes() as f64 / 200_000.0;
        // Twice the index of ids, whose filling goes up and down.
        assert!((45.0..62.0).contains(&bytes), "{bytes}");
    }
}
