//! Those who wait: the places of a sale by id, by user and by line.
//!
//! # Invariants
//!
//! 1. A user has at most one place, an id names at most one.
//! 2. `living` is the number of places, each line's `living` and `units` the same of its own.
//! 3. Each place is found by its id and by its user, and stands in the page of its number.
//! 4. `stocked` has the items of lines with people, and with units available.
//!
//! A line that ends is marked: from then on nobody in it is found, though the records are
//! there until [`Waiting::free`] has come to them, some at a time. Dead places are in no count
//! but [`Waiting::dead`].
//!
//! Edge: keeps and moves places. Who may join, and who gets units, is decided in `plan/`; who
//! was heard from is in `sale/presence.rs`.

pub mod draw;
pub mod line;
pub mod moves;
mod page;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{ControlFlow, Range};

use crate::sale::book::waiting::draw::{Draw, Seed};
use crate::sale::book::waiting::line::WaitingLine;
use crate::sale::book::waiting::page::{PAGE_NUMBERS, Page, Record};
use crate::sale::units::ItemIndex;
use crate::table::hash::Hasher;
use crate::table::index::{Index, Rows};
use crate::table::name::{Key, Names, Spelling};
use crate::table::slab::{Slab, SlotNumber};

/// Numbers of a line: a cursor of SCAN has 32 bits for a page.
pub const NUMBERS_MAX: u64 = PAGE_NUMBERS << 32;
/// Pages of all lines together: a slot is a page and a bit of it, and the last slot is `NONE`.
pub const PAGES_MAX: usize = (1 << 26) - 1;

/// The number of a place in its sale. It changes only where a place moves into the hole of
/// another, see [`Waiting::leave`].
pub type PlaceSlot = SlotNumber;

/// One who waits.
#[derive(Clone, Copy)]
pub struct Place<'s> {
    pub slot: PlaceSlot,
    pub id: Spelling<'s>,
    pub user: Spelling<'s>,
    pub item: ItemIndex,
    /// Units asked for.
    pub qty: u64,
    /// In its line.
    pub number: u64,
}

/// The draw of a START, for those who want to compute it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastDraw {
    /// Unix milliseconds.
    pub at_ms: u64,
    pub seed: Seed,
    /// How many people were drawn in each line.
    pub drawn: Vec<(ItemIndex, u64)>,
}

/// What the last changes did to places, for whoever keeps something beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Whoever joined.
    pub joined: Option<PlaceSlot>,
    /// A place took the slot of one that left: from where, and to where.
    pub moved: Option<(PlaceSlot, PlaceSlot)>,
}

/// What became of places so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Places that became reservations.
    pub granted: u64,
    /// Places that were dropped at their turn.
    pub passed_over: u64,
}

/// All who wait for something in a sale.
pub struct Waiting {
    lines: Slab<WaitingLine>,
    by_item: BTreeMap<ItemIndex, SlotNumber>,
    pages: Slab<Page>,
    names: Names,
    /// Quantities that a record has no room for.
    wide: BTreeMap<PlaceSlot, u64>,
    by_id: Index,
    by_user: Index,
    living: u64,
    /// Lines with people and with units available.
    stocked: BTreeSet<ItemIndex>,
    /// Lines with people of items that are sold out.
    sold_out: BTreeSet<ItemIndex>,
    /// Lines without an order.
    undrawn: usize,
    /// Lines that ended, oldest first.
    ended: VecDeque<SlotNumber>,
    dead: u64,
    last_draw: Option<LastDraw>,
    counts: LineCounts,
    moves: Moves,
    /// Of the records in all pages.
    record_bytes: usize,
    hasher: Hasher,
}

/// Which of its two names a place is found by.
#[derive(Clone, Copy)]
enum By {
    Id,
    User,
}

/// The names of all places, as an index hashes them again.
struct PlaceNames<'a> {
    pages: &'a Slab<Page>,
    names: &'a Names,
    hasher: Hasher,
    by: By,
}

impl Rows for PlaceNames<'_> {
    fn hash(&self, slot: PlaceSlot) -> u64 {
        let (page, bit) = split(slot);
        let record = self.pages.get(page).and_then(|page| page.get(bit));
        record.map_or(0, |record| {
            let name = match self.by {
                By::Id => &record.id,
                By::User => &record.user,
            };
            self.hasher.hash(self.names.spelling(name))
        })
    }

    fn touch(&self, slot: PlaceSlot) {
        self.pages.touch(split(slot).0);
    }
}

/// The page of a place, and the bit of its number.
fn split(slot: PlaceSlot) -> (SlotNumber, u32) {
    let numbers = PAGE_NUMBERS as u32;
    (slot / numbers, slot % numbers)
}

fn joined(page: SlotNumber, number: u64) -> PlaceSlot {
    let numbers = PAGE_NUMBERS as u32;
    page.wrapping_mul(numbers) + (number % PAGE_NUMBERS) as u32
}

impl Waiting {
    pub fn new(hasher: Hasher) -> Waiting {
        Waiting {
            lines: Slab::new(),
            by_item: BTreeMap::new(),
            pages: Slab::new(),
            names: Names::new(),
            wide: BTreeMap::new(),
            by_id: Index::new(),
            by_user: Index::new(),
            living: 0,
            stocked: BTreeSet::new(),
            sold_out: BTreeSet::new(),
            undrawn: 0,
            ended: VecDeque::new(),
            dead: 0,
            last_draw: None,
            counts: LineCounts::default(),
            moves: Moves::default(),
            record_bytes: 0,
            hasher,
        }
    }

    /// People who wait.
    #[inline]
    pub fn len(&self) -> u64 {
        self.living
    }

    /// Does nobody wait?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.living == 0
    }

    /// Places of lines that ended, whose memory is not free yet.
    pub fn dead(&self) -> u64 {
        self.dead
    }

    pub fn last_draw(&self) -> Option<&LastDraw> {
        self.last_draw.as_ref()
    }

    /// Returns what the changes since the last call did to places.
    pub fn take_moves(&mut self) -> Moves {
        std::mem::take(&mut self.moves)
    }

    pub fn counts(&self) -> LineCounts {
        self.counts
    }

    /// Notes what was loaded of the past.
    pub fn load_past(&mut self, counts: LineCounts, last_draw: Option<LastDraw>) {
        (self.counts, self.last_draw) = (counts, last_draw);
    }

    /// An empty one with the same past.
    pub fn successor(&self) -> Waiting {
        let mut waiting = Waiting::new(self.hasher);
        waiting.load_past(self.counts, self.last_draw.clone());
        waiting
    }

    /// The line of an item that somebody waits for. O(log lines).
    pub fn line(&self, item: ItemIndex) -> Option<&WaitingLine> {
        self.lines.get(*self.by_item.get(&item)?)
    }

    /// Has the line of an item a number for one more, and is there a page for it, if there may
    /// be so many?
    pub fn has_number(&self, item: ItemIndex, pages_max: usize) -> bool {
        let next = self.line(item).map_or(0, WaitingLine::next);
        next < NUMBERS_MAX && self.has_page(pages_max)
    }

    /// Is there one more page, if there may be so many?
    pub fn has_page(&self, pages_max: usize) -> bool {
        (self.pages.next_slot() as usize) < pages_max
    }

    /// All lines that somebody is in, by item.
    pub fn lines(&self) -> impl Iterator<Item = &WaitingLine> {
        self.by_item
            .values()
            .filter_map(|&line| self.lines.get(line))
    }

    /// All lines from this item on, then the ones before it: whoever has them in turn begins
    /// where the last one stopped.
    pub fn lines_from(&self, item: ItemIndex) -> impl Iterator<Item = &WaitingLine> {
        let both = self.by_item.range(item..).chain(self.by_item.range(..item));
        both.filter_map(|(_, &line)| self.lines.get(line))
    }

    /// Lines that have units available.
    pub fn stocked_lines(&self) -> impl Iterator<Item = &WaitingLine> {
        self.stocked.iter().filter_map(|&item| self.line(item))
    }

    /// Lines of items that are sold out, by item.
    pub fn sold_out_lines(&self) -> impl Iterator<Item = ItemIndex> {
        self.sold_out.iter().copied()
    }

    /// Fetches where the places of this id and this user are, both at once.
    pub fn touch(&self, id: Option<&Key<'_>>, user: Option<&Key<'_>>) {
        if let Some(user) = user {
            self.by_user.touch(user.hash());
        }
        if let Some(id) = id {
            self.by_id.touch(id.hash());
        }
    }

    /// The place of an id. O(1).
    pub fn find(&self, id: Key<'_>) -> Option<PlaceSlot> {
        self.find_by(By::Id, id)
    }

    /// The place of a user. O(1).
    pub fn find_of_user(&self, user: Key<'_>) -> Option<PlaceSlot> {
        self.find_by(By::User, user)
    }

    fn find_by(&self, by: By, name: Key<'_>) -> Option<PlaceSlot> {
        let index = match by {
            By::Id => &self.by_id,
            By::User => &self.by_user,
        };
        index.find(name.hash(), |slot| self.is_at(slot, by, name))
    }

    /// Is this the place of that name, in a line that has not ended?
    fn is_at(&self, slot: PlaceSlot, by: By, name: Key<'_>) -> bool {
        let (page, bit) = split(slot);
        let Some(page) = self.pages.get(page) else {
            return false;
        };
        let is_named = page.get(bit).is_some_and(|record| {
            let kept = match by {
                By::Id => &record.id,
                By::User => &record.user,
            };
            self.names.is(kept, name.spelling())
        });
        is_named && self.lines.get(page.line).is_some_and(|line| !line.is_dead)
    }

    /// A place that was found.
    pub fn get(&self, slot: PlaceSlot) -> Option<Place<'_>> {
        let (page, bit) = split(slot);
        let page = self.pages.get(page)?;
        let record = page.get(bit)?;
        let line = self.lines.get(page.line)?;
        Some(self.place(slot, page.first + u64::from(bit), line.item, record))
    }

    fn place<'s>(
        &'s self,
        slot: PlaceSlot,
        number: u64,
        item: ItemIndex,
        record: &'s Record,
    ) -> Place<'s> {
        let qty = match record.qty {
            Record::WIDE => self.wide.get(&slot).copied().unwrap_or_default(),
            qty => u64::from(qty),
        };
        Place {
            slot,
            id: self.names.spelling(&record.id),
            user: self.names.spelling(&record.user),
            item,
            qty,
            number,
        }
    }

    /// Everybody in a line, by number.
    pub fn iter<'s>(&'s self, line: &'s WaitingLine) -> impl Iterator<Item = Place<'s>> {
        line.pages.values().flat_map(move |&at| {
            let page = self.pages.get(at);
            page.into_iter().flat_map(move |page| {
                page.iter().map(move |(bit, record)| {
                    let number = page.first + u64::from(bit);
                    self.place(joined(at, number), number, line.item, record)
                })
            })
        })
    }

    /// One past the highest page number in use.
    pub fn pages_end(&self) -> usize {
        self.pages.slots()
    }

    /// The places of one page that are not dead, by number: what SCAN goes by.
    pub fn of_page(&self, page_number: SlotNumber) -> impl Iterator<Item = Place<'_>> {
        let page = self.pages.get(page_number);
        let line = page.and_then(|page| self.lines.get(page.line));
        let both = page.zip(line.filter(|line| !line.is_dead));
        both.into_iter().flat_map(move |(page, line)| {
            page.iter().map(move |(bit, record)| {
                let number = page.first + u64::from(bit);
                self.place(joined(page_number, number), number, line.item, record)
            })
        })
    }

    /// Visits pages of places until told to stop: line by line from an item on, of the first
    /// one from this page on downwards. Returns where it stopped.
    pub fn visit_pages(
        &self,
        item: ItemIndex,
        page: u64,
        visit: &mut dyn FnMut(ItemIndex, u64, SlotNumber) -> ControlFlow<(ItemIndex, u64)>,
    ) -> Option<(ItemIndex, u64)> {
        for (&at, &line) in self.by_item.range(item..) {
            let highest = if at == item { page } else { u64::MAX };
            let pages = self.lines.get(line).into_iter();
            let pages = pages.flat_map(|line| line.pages.range(..=highest).rev());
            for (&page, &slot) in pages {
                if let ControlFlow::Break(stopped) = visit(at, page, slot) {
                    return Some(stopped);
                }
            }
        }
        None
    }

    /// Who has this place of a line, if anybody is there. O(1).
    pub fn at_place(&self, line: &WaitingLine, place: u64) -> Option<PlaceSlot> {
        self.at_number(line, line.number_of(place))
    }

    /// Is anybody at a place before the head of a line, where all are settled? O(the fewer of
    /// people and of places before the head).
    pub fn has_anybody_before_head(&self, line: &WaitingLine) -> bool {
        if line.head <= line.living {
            return self
                .at_places(line, 0..line.head)
                .flatten()
                .next()
                .is_some();
        }
        self.iter(line).any(|place| line.is_settled(place.number))
    }

    /// Who has these places of a line, each in its turn; `None` where nobody is.
    pub fn at_places<'w>(
        &'w self,
        line: &'w WaitingLine,
        places: Range<u64>,
    ) -> impl Iterator<Item = Option<PlaceSlot>> + 'w {
        let order = line.draw().map(Draw::order);
        places.map(move |place| {
            let number = order.as_ref().map_or(place, |order| order.number_of(place));
            self.at_number(line, number)
        })
    }

    /// Units that whoever is at the head of a line waits for; `None` where nobody is there any
    /// more, and before the draw. Looked for when it is asked first: at START no line is. O(1).
    pub fn front_qty(&self, line: &WaitingLine) -> Option<u64> {
        *line.front_qty.get_or_init(|| {
            let is_drawn = line.is_drawn();
            let front = is_drawn.then(|| self.at_place(line, line.head)).flatten();
            Some(self.get(front?)?.qty)
        })
    }

    fn at_number(&self, line: &WaitingLine, number: u64) -> Option<PlaceSlot> {
        let at = line.page_of(number);
        let page = self.pages.get(at)?;
        let slot = joined(at, number);
        page.is_living(split(slot).1).then_some(slot)
    }

    /// How much work freeing it is, in places.
    pub fn free_effort(&self) -> usize {
        usize::try_from(self.living.saturating_add(self.dead)).unwrap_or(usize::MAX)
    }

    /// Heap bytes of everything.
    pub fn heap_bytes(&self) -> usize {
        let lines: usize = self.lines.iter().map(|(_, line)| line.heap_bytes()).sum();
        let drawn = self.last_draw.as_ref();
        lines
            + self.lines.heap_bytes()
            + self.pages.heap_bytes()
            + self.record_bytes
            + self.names.heap_bytes()
            + self.by_id.heap_bytes()
            + self.by_user.heap_bytes()
            // As B-trees keep them, at their usual filling.
            + self.wide.len() * 2 * size_of::<(PlaceSlot, u64)>()
            + self.by_item.len() * 2 * size_of::<(ItemIndex, SlotNumber)>()
            + (self.stocked.len() + self.sold_out.len()) * 2 * size_of::<ItemIndex>()
            + self.ended.capacity() * size_of::<SlotNumber>()
            + drawn.map_or(0, |draw| draw.drawn.capacity() * size_of::<(ItemIndex, u64)>())
    }
}
