//! The sale that a `Created` event makes.

use crate::sale::book::items::{Items, Stock};
use crate::sale::book::options::Events;
use crate::sale::book::outbox::Outbox;
use crate::sale::book::pace::Pace;
use crate::sale::book::reservations::Reservations;
use crate::sale::book::restock_refs::RestockRefs;
use crate::sale::book::shares::Shares;
use crate::sale::book::users::Users;
use crate::sale::event::moves::signed;
use crate::sale::event::{Change, Created, Event};
use crate::sale::state::Sale;
use crate::table::hash::Hasher;

impl Sale {
    /// The sale a `Created` event makes, `None` for any other; `hasher` is the one that
    /// hashes its names from now on.
    pub fn create(event: &Event<'_>, hasher: Hasher) -> Option<Sale> {
        let Change::Created(created) = &event.change else {
            return None;
        };
        let tracks_items = created.options.item_limit.is_some();
        let mut sale = Sale::empty(created, event.at_ms, tracks_items, hasher);
        sale.had_one_item = created.items.len() == 1;
        for &(sku, available) in &created.items {
            sale.items.add(
                sku,
                Stock {
                    available,
                    ..Stock::default()
                },
                signed(available),
            );
        }
        Some(sale)
    }

    /// A sale before its items are added.
    pub(crate) fn empty(
        created: &Created<'_>,
        created_at_ms: u64,
        tracks_items: bool,
        hasher: Hasher,
    ) -> Sale {
        Sale {
            sale_id: created.sale_id,
            hasher,
            orders: created.orders.into(),
            options: created.options.clone(),
            created_at_ms,
            paused_at_ms: None,
            closed_at_ms: None,
            last_change_at_ms: created_at_ms,
            items: Items::new(hasher),
            users: Users::new(hasher, tracks_items),
            reservations: Reservations::new(hasher),
            had_one_item: false,
            refunded: 0,
            restock_refs: RestockRefs::default(),
            outbox: (created.options.events == Events::All).then(Outbox::empty),
            waiting: None,
            pace: Pace::default(),
            has_queue: created.options.pace.is_some(),
            shares: Shares::of_share_id(created.sale_id, created.share_id),
            rest: None,
            asked: Vec::new(),
            mark: None,
            broken: None,
        }
    }
}
