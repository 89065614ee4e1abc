//! Decides GIVE and TAKE: units that go to another sale, and units that come from one.
//!
//! Both name a total, not an amount: what one sale has given another of an item in all. So a
//! request may come twice, late or out of order, and nothing is moved twice.
//!
//! Edge: reads the state and returns an event or an answer.

use std::borrow::Cow;

use crate::sale::Plan;
use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Bounds, Give, Take};
use crate::sale::book::shares::{Shares, Way};
use crate::sale::event::{Change, Event, Given, Taken};
use crate::sale::plan::manage::TOO_MANY_ITEMS;
use crate::sale::state::Sale;
use crate::sale::units::{INTEGER_MAX, ItemIndex};
use crate::sale::views_units::ItemKind;

const SAME_SALE: Answer = Answer::Invalid("to: the share id of the sale that gives");
const TOO_MANY_PEERS: Answer =
    Answer::Invalid("share id: one more than the 1024 that a sale gives to and takes from");
const NAMED: Answer =
    Answer::Invalid("sku: its units have names, which stay in the sale they are named in");
const TOO_MUCH: Answer =
    Answer::Invalid("total: the sum over all share ids exceeds 9007199254740991");

const TOO_MUCH_OWED: Answer =
    Answer::Invalid("total: the sum of what is owed exceeds 9007199254740991");

impl Sale {
    /// The ULID that names this sale to GIVE and TAKE.
    #[inline]
    pub fn share_id(&self) -> u128 {
        let shares = self.shares.as_deref();
        shares.map_or(self.sale_id, Shares::share_id)
    }

    /// Units of an item that went to another sale, or came from it, in all.
    pub fn shared(&self, way: Way, item: ItemIndex, peer: u128) -> u64 {
        let shares = self.shares.as_ref();
        shares.map_or(0, |shares| shares.total(way, item, peer))
    }

    /// May so many more go to another sale, or come from it?
    pub(crate) fn may_share(&self, way: Way, item: ItemIndex, peer: u128, units: u64) -> bool {
        self.has_room_for_peer(peer, units)
            && match &self.shares {
                Some(shares) => shares.may_grow(way, item, units),
                None => units <= INTEGER_MAX,
            }
    }

    fn has_room_for_peer(&self, peer: u128, units: u64) -> bool {
        let shares = self.shares.as_ref();
        units == 0 || shares.is_none_or(|shares| shares.has_room_for(peer))
    }

    /// GIVE. O(log items + share ids).
    pub fn plan_give(&self, now_ms: u64, ask: &Give<'_>) -> Plan<'static> {
        if ask.from == ask.to {
            return Err(SAME_SALE);
        }
        if ask.from != self.share_id() {
            return Err(Answer::Invalid(
                "from: not the share id of this sale, which FLASHSALE.INFO shows",
            ));
        }
        let item = self.item_of(ask.sku).ok_or(Answer::NoSku {
            ask: ask.sku.map(|_| 0),
        })?;
        if self.kind_of_item(item) != ItemKind::Counted {
            return Err(NAMED);
        }
        let before = self.shared(Way::Given, item, ask.to);
        let units = self.units_to_give(item, ask, before)?;
        if units == 0 && !ask.confirms {
            return Err(Answer::Given {
                total: before,
                item,
            });
        }
        if !self.has_room_for_peer(ask.to, units) {
            return Err(TOO_MANY_PEERS);
        }
        if !self.may_share(Way::Given, item, ask.to, units) {
            return Err(TOO_MUCH);
        }
        let owes = units.saturating_sub(self.items.stock(item).available);
        if self.items.owed_in_all().saturating_add(owes) > INTEGER_MAX {
            return Err(TOO_MUCH_OWED);
        }
        let given = Given {
            item,
            to: ask.to,
            total: before.saturating_add(units),
            units,
            owes,
        };
        Ok(Event {
            at_ms: now_ms,
            change: Change::Given(Box::new(given)),
        })
    }

    /// How many units are to go now.
    fn units_to_give(&self, item: ItemIndex, ask: &Give<'_>, before: u64) -> Result<u64, Answer> {
        let wanted = ask.total.saturating_sub(before);
        if wanted == 0 {
            return Ok(0);
        }
        // Nobody knows what a diverged copy has given already.
        if let Some(at_ms) = self.refuses_since_ms()
            && self.sells_nowhere()
        {
            return Err(Answer::Paused { at_ms });
        }
        let available = self.items.stock(item).available;
        if wanted <= available || ask.owes {
            Ok(wanted)
        } else if ask.most {
            Ok(available)
        } else {
            Err(Answer::TooFew { available, item })
        }
    }

    /// TAKE. O(log items + share ids).
    pub fn plan_take<'a>(&self, now_ms: u64, ask: &Take<'a>, bounds: &Bounds) -> Plan<'a> {
        if ask.from == ask.to {
            return Err(SAME_SALE);
        }
        if ask.to != self.share_id() {
            return Err(Answer::Invalid(
                "to: not the share id of this sale, which FLASHSALE.INFO shows",
            ));
        }
        let item = self.item_of(ask.sku);
        let sku = match (ask.sku, item) {
            (Some(sku), _) => Cow::Borrowed(sku),
            (None, Some(item)) => Cow::Owned(self.items.sku(item).to_vec()),
            (None, None) => return Err(Answer::NoSku { ask: None }),
        };
        if item.is_some_and(|item| self.kind_of_item(item) != ItemKind::Counted) {
            return Err(NAMED);
        }
        let before = item.map_or(0, |item| self.shared(Way::Taken, item, ask.from));
        let units = ask.total.saturating_sub(before);
        if let Some(item) = item
            && units == 0
        {
            return Err(Answer::Taken {
                total: before,
                item,
            });
        }
        if item.is_none() && self.items.len() >= bounds.items_max {
            return Err(TOO_MANY_ITEMS);
        }
        if !self.has_room_for_peer(ask.from, units) {
            return Err(TOO_MANY_PEERS);
        }
        let number = item.unwrap_or(self.items.len() as ItemIndex);
        if !self.may_share(Way::Taken, number, ask.from, units) {
            return Err(TOO_MUCH);
        }
        if !self.has_number_for(item, units) {
            return Err(Answer::Invalid(
                "total: the sum over the sale exceeds 9007199254740991",
            ));
        }
        let taken = Taken {
            sku,
            from: ask.from,
            total: before.saturating_add(units),
            units,
        };
        Ok(Event {
            at_ms: now_ms,
            change: Change::Taken(Box::new(taken)),
        })
    }

    /// The item of a SKU; without one, what a bare quantity means.
    pub fn item_of(&self, sku: Option<&[u8]>) -> Option<ItemIndex> {
        match sku {
            Some(sku) => self.items.find(sku),
            None => self.items.bare(),
        }
    }
}
