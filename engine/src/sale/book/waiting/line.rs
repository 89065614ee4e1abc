//! One line: the order of those who wait for one item.
//!
//! Before the draw the numbers are 0 to n - 1, without a hole: whoever has the last one
//! moves into the hole of whoever leaves, so that a flood of people who join and leave
//! costs nothing at START. After it nobody moves, and holes are stepped over.
//!
//! # Invariants
//!
//! 1. A number below `next` is of nobody, or of one place in the page of that number.
//! 2. Each place before `head` is settled: nobody is there.
//! 3. Undrawn, `head` is 0, and all numbers below `next` are of somebody.
//!
//! Edge: numbers and places; the records, and who is found how, are in `mod.rs`.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::sale::book::waiting::draw::Draw;
use crate::sale::book::waiting::page::PAGE_NUMBERS;
use crate::sale::units::ItemIndex;
use crate::table::slab::{NONE, SlotNumber};

/// Periods that a minute is counted in.
const PERIODS: usize = 6;
const PERIOD_MS: u64 = 10_000;
const MINUTE_MS: u64 = PERIODS as u64 * PERIOD_MS;

/// How many places were settled in the last minute. A property of this copy: after a load it
/// begins anew.
#[derive(Default)]
pub(super) struct Flow {
    settled: [u64; PERIODS],
    /// The newest period, since 1970.
    period: u64,
    /// When the first places were settled.
    first_ms: Option<u64>,
}

impl Flow {
    pub fn note(&mut self, at_ms: u64, places: u64) {
        self.first_ms.get_or_insert(at_ms);
        let period = at_ms / PERIOD_MS;
        let passed = period.saturating_sub(self.period).min(PERIODS as u64);
        for gone in 0..passed {
            self.settled[((period - gone) % PERIODS as u64) as usize] = 0;
        }
        self.period = self.period.max(period);
        let now = (self.period % PERIODS as u64) as usize;
        self.settled[now] = self.settled[now].saturating_add(places);
    }

    /// Places a minute, as they were settled up to now. In its first minute a line is judged by
    /// the time that it has moved, at least a period: at START many have their turn at once.
    pub fn a_minute(&self, now_ms: u64) -> u64 {
        let moved_ms = now_ms.saturating_sub(self.first_ms.unwrap_or(now_ms));
        let of_ms = moved_ms.clamp(PERIOD_MS, MINUTE_MS);
        let settled = u128::from(self.settled_lately(now_ms)) * u128::from(MINUTE_MS);
        u64::try_from(settled / u128::from(of_ms)).unwrap_or(u64::MAX)
    }

    fn settled_lately(&self, now_ms: u64) -> u64 {
        let period = now_ms / PERIOD_MS;
        let oldest = (period + 1).saturating_sub(PERIODS as u64);
        (oldest..=period.min(self.period))
            .filter(|&at| at + PERIODS as u64 > self.period)
            .map(|at| self.settled[(at % PERIODS as u64) as usize])
            .sum()
    }
}

/// The places of one item.
pub struct WaitingLine {
    pub(super) item: ItemIndex,
    /// The page of each 64 numbers that somebody has, by number / 64.
    pub(super) pages: BTreeMap<u64, SlotNumber>,
    /// The one of them that was made last, which whoever joins is put into.
    latest_page: Option<(u64, SlotNumber)>,
    /// The number of whoever joins next.
    pub(super) next: u64,
    /// The first place that is not settled.
    pub(super) head: u64,
    /// The order; `None` before it is drawn.
    pub(super) draw: Option<Draw>,
    /// People in it.
    pub(super) living: u64,
    /// Units they wait for.
    pub(super) units: u128,
    /// How fast its places are settled.
    pub(super) flow: Flow,
    /// What [`Waiting::front_qty`] found, since the head is where it is.
    ///
    /// [`Waiting::front_qty`]: crate::sale::book::waiting::Waiting::front_qty
    pub(super) front_qty: OnceCell<Option<u64>>,
    /// The line ended: nobody is in it, though the records are still there.
    pub(super) is_dead: bool,
}

impl WaitingLine {
    pub(super) fn new(item: ItemIndex, draw: Option<Draw>) -> WaitingLine {
        WaitingLine {
            item,
            pages: BTreeMap::new(),
            latest_page: None,
            next: 0,
            head: 0,
            draw,
            living: 0,
            units: 0,
            flow: Flow::default(),
            front_qty: OnceCell::new(),
            is_dead: false,
        }
    }

    /// People in it.
    pub fn len(&self) -> u64 {
        self.living
    }

    /// Units they wait for.
    pub fn units(&self) -> u128 {
        self.units
    }

    pub fn item(&self) -> ItemIndex {
        self.item
    }

    /// Has the line an order? Before START it has none.
    pub fn is_drawn(&self) -> bool {
        self.draw.is_some()
    }

    /// The first place that is not settled.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// The number of whoever joins next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The drawn order, if there is one.
    pub fn draw(&self) -> Option<&Draw> {
        self.draw.as_ref()
    }

    /// The number whose turn this place is.
    pub(super) fn number_of(&self, place: u64) -> u64 {
        let draw = self.draw.as_ref();
        draw.map_or(place, |draw| draw.number_of(place))
    }

    /// Is the place of this number before the head?
    pub(crate) fn is_settled(&self, number: u64) -> bool {
        let draw = self.draw.as_ref();
        draw.is_some_and(|draw| draw.place_of(number) < self.head)
    }

    /// Returns how many places at most are in front of this number; `None` before the draw.
    pub fn ahead(&self, number: u64) -> Option<u64> {
        let place = self.draw.as_ref()?.place_of(number);
        Some(place.saturating_sub(self.head))
    }

    /// Returns how long this many places take at the pace of the last minute; `None` where
    /// nothing moves.
    pub fn eta_ms(&self, ahead: u64, now_ms: u64) -> Option<u64> {
        let a_minute = self.flow.a_minute(now_ms);
        let ms = u128::from(ahead) * 60_000;
        let ms = ms.checked_div(u128::from(a_minute))?;
        Some(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    /// The page of a number, [`NONE`] without one.
    pub(super) fn page_of(&self, number: u64) -> SlotNumber {
        let key = number / PAGE_NUMBERS;
        match self.latest_page {
            Some((latest, slot)) if latest == key => slot,
            _ => self.pages.get(&key).copied().unwrap_or(NONE),
        }
    }

    /// Notes the page of a number.
    pub(super) fn add_page(&mut self, number: u64, slot: SlotNumber) {
        let key = number / PAGE_NUMBERS;
        self.pages.insert(key, slot);
        self.latest_page = Some((key, slot));
    }

    /// Forgets the page of a number.
    pub(super) fn remove_page(&mut self, number: u64) {
        self.pages.remove(&(number / PAGE_NUMBERS));
        self.latest_page = None;
    }

    /// Forgets the first of the pages, and returns it.
    pub(super) fn pop_page(&mut self) -> Option<SlotNumber> {
        self.latest_page = None;
        self.pages.pop_first().map(|(_, slot)| slot)
    }

    /// Heap bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        let draw = self.draw.as_ref().map_or(0, Draw::heap_bytes);
        // As a B-tree keeps them, at its usual filling.
        self.pages.len() * 2 * size_of::<(u64, SlotNumber)>() + draw
    }
}
