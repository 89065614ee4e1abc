//! What whoever waits is told, and what the read commands see of lines.
//!
//! Edge: reads only.

use std::ops::ControlFlow;

use crate::sale::book::waiting::line::WaitingLine;
use crate::sale::book::waiting::{LastDraw, LineCounts, Place, PlaceSlot, Waiting};
use crate::sale::state::Sale;
use crate::sale::units::ItemIndex;

/// Longest wait between two polls without PATIENCE, in milliseconds.
const RETRY_MS_MAX: u64 = 30_000;
/// The shortest, in milliseconds, and how much longer it is for each place in front.
const RETRY_MS: u64 = 1_000;
const RETRY_MS_PER_PLACE: u64 = 10;

/// What the reply to whoever waits says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTerms {
    /// Places in front, at most; `None` before the draw.
    pub ahead: Option<u64>,
    /// Units of the item that could still come.
    pub left: u64,
    /// How long it will take, by the last minute; `None` before the draw, while paused and
    /// where nothing moves.
    pub eta_ms: Option<u64>,
    /// When to ask again.
    pub retry_in_ms: u64,
}

/// Where a scan of places goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceCursor {
    pub item: ItemIndex,
    /// The highest page to look at, of 64 numbers each.
    pub page: u32,
}

impl Sale {
    /// A place that was found.
    pub fn place(&self, slot: PlaceSlot) -> Option<Place<'_>> {
        self.waiting.as_ref()?.get(slot)
    }

    /// The place of a user, if they wait.
    pub fn place_of_user(&self, name: &[u8]) -> Option<Place<'_>> {
        let waiting = self.waiting.as_ref()?;
        waiting.get(waiting.find_of_user(self.key(name))?)
    }

    /// Has anybody ever waited for something here?
    #[inline(always)]
    pub fn has_line(&self) -> bool {
        self.has_queue && self.waiting.is_some()
    }

    /// Is there memory of lines that ended?
    pub fn has_dead(&self) -> bool {
        self.waiting
            .as_ref()
            .is_some_and(|waiting| waiting.dead() > 0)
    }

    /// Most people who may wait, by WAITING.
    pub fn waiting_max(&self) -> u64 {
        self.options.waiting_max
    }

    /// Is a grant held for less time than somebody may be silent before it?
    pub fn holds_less_than_patience(&self) -> bool {
        self.options.waiting_max > 0 && self.options.hold_ms < self.options.patience_ms
    }

    /// PATIENCE, in milliseconds.
    pub fn patience_ms(&self) -> u64 {
        self.options.patience_ms
    }

    /// People who wait in the whole sale.
    pub fn waiting_len(&self) -> u64 {
        self.waiting.as_ref().map_or(0, |waiting| waiting.len())
    }

    /// People who wait for an item.
    pub fn waiting_for(&self, item: ItemIndex) -> u64 {
        let line = self.waiting.as_ref().and_then(|waiting| waiting.line(item));
        line.map_or(0, WaitingLine::len)
    }

    /// Places in front of one, at most; `None` before the draw.
    pub fn ahead_of(&self, place: Place<'_>) -> Option<u64> {
        let line = self.waiting.as_ref()?.line(place.item)?;
        line.ahead(place.number)
    }

    /// What became of places so far.
    pub fn line_counts(&self) -> LineCounts {
        let waiting = self.waiting.as_ref();
        waiting.map_or_else(LineCounts::default, |waiting| waiting.counts())
    }

    /// The last draw, also when all lines of it are gone.
    pub fn last_draw(&self) -> Option<&LastDraw> {
        self.waiting.as_ref()?.last_draw()
    }

    /// Bytes of memory of all who wait.
    pub fn waiting_bytes(&self) -> usize {
        let waiting = self.waiting.as_ref();
        waiting.map_or(0, |waiting| size_of::<Waiting>() + waiting.heap_bytes())
    }

    /// One past the highest page of places: how large a [`Presence`](super::Presence) is.
    pub fn place_pages(&self) -> usize {
        self.waiting
            .as_ref()
            .map_or(0, |waiting| waiting.pages_end())
    }

    /// What the reply to whoever has this place says.
    pub fn wait_terms(&self, slot: PlaceSlot, now_ms: u64) -> Option<WaitTerms> {
        let waiting = self.waiting.as_ref()?;
        let place = waiting.get(slot)?;
        let line = waiting.line(place.item)?;
        let ahead = line.ahead(place.number);
        let left = self.left_of(place.item);
        let is_moving = self.refuses_since_ms().is_none() && self.options.has_started(now_ms);
        let ahead_now = ahead.filter(|_| is_moving);
        Some(WaitTerms {
            ahead,
            left,
            eta_ms: ahead_now.and_then(|ahead| line.eta_ms(ahead, now_ms)),
            retry_in_ms: self.retry_of(now_ms, place, line, ahead, left),
        })
    }

    fn retry_of(
        &self,
        now_ms: u64,
        place: Place<'_>,
        line: &WaitingLine,
        ahead: Option<u64>,
        left: u64,
    ) -> u64 {
        let options = &self.options;
        let places = ahead.unwrap_or(line.len());
        let mut retry_ms = RETRY_MS.saturating_add(places.saturating_mul(RETRY_MS_PER_PLACE));
        retry_ms = retry_ms.min(match options.patience_ms {
            0 => RETRY_MS_MAX,
            patience_ms => patience_ms / 2,
        });
        // A grant is learned of at the next poll.
        if ahead.is_some_and(|ahead| ahead < left) {
            retry_ms = retry_ms.min(options.hold_ms / 4);
        }
        let spread = spread_of(place.number);
        if !options.has_started(now_ms) {
            let starts_in_ms = options.start_at_ms.unwrap_or(0).saturating_sub(now_ms);
            // All at once would be a second rush.
            let share_ms = spread % (line.len() / 100 + 1);
            retry_ms = retry_ms.min(starts_in_ms.saturating_add(share_ms));
        }
        let quarter = retry_ms / 4;
        (retry_ms - spread % (quarter + 1)).max(1)
    }

    /// Visits people who wait, from a cursor on, until as many were visited as asked for;
    /// returns where to go on, `None` at the end.
    ///
    /// Whoever waits during the whole of a scan is visited at least once: pages are visited
    /// downwards, as before the draw a place only ever moves to a lower number.
    pub fn scan_places(
        &self,
        cursor: PlaceCursor,
        count: usize,
        visit: &mut dyn FnMut(Place<'_>),
    ) -> Option<PlaceCursor> {
        let waiting = self.waiting.as_ref()?;
        let mut seen = 0;
        let stopped =
            waiting.visit_pages(cursor.item, cursor.page.into(), &mut |item, page, slot| {
                if seen >= count {
                    return ControlFlow::Break((item, page));
                }
                for place in waiting.of_page(slot) {
                    seen += 1;
                    visit(place);
                }
                ControlFlow::Continue(())
            });
        let (item, page) = stopped?;
        let page = u32::try_from(page).unwrap_or(u32::MAX);
        Some(PlaceCursor { item, page })
    }
}

/// A number that differs between places of a line and is nearly always the same for each: only
/// before the draw a place may get another number. The step is the golden ratio of the range,
/// so neighbours poll at moments far from each other.
fn spread_of(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

impl PlaceCursor {
    /// Where a scan begins.
    pub const START: PlaceCursor = PlaceCursor {
        item: 0,
        page: u32::MAX,
    };
}
