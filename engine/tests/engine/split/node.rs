//! One server of a part: its copy of the sale, and what of it is in its file.

use std::rc::Rc;

use super::rules::reading::Shelf;
use crate::commands::play::{Done, Fault, Host};
use flashsale_engine::sale::{
    Answer, Bounds, Changes, CreateAsk, EntryId, Event, Give, Hasher, Sale, Take, decode_event,
    encode_event,
};
use flashsale_fuzz::samples::set_entry;

const HASHER: Hasher = Hasher::new([3, 4]);
pub const BOUNDS: Bounds = Bounds {
    units_max: 1_000_000,
    reservations_max: 1_000_000,
    items_max: 100,
};
pub const HOLD_MS: u64 = 2_000;
/// `part-retry-ms`.
const RETRY_MS: u64 = 200;

/// The events of a history, from CREATE on, as bytes.
pub type Log = Vec<Rc<[u8]>>;

pub struct Node {
    pub sale: Sale,
    pub log: Log,
    /// So many of the log are in its file.
    pub durable: usize,
    pub syncs_always: bool,
    pub is_up: bool,
    /// It believes that it is the primary: also one that was cut off before another took over.
    pub leads: bool,
    /// It follows, or is followed.
    pub is_linked: bool,
    /// It had all that the primary had, once since its last start.
    pub is_synced: bool,
    /// Another number after each start, and after each change of role: connections of before
    /// are broken.
    pub epoch: u64,
    /// For each item, the step that the rest it was told of reaches back to.
    pub rest_since: Vec<u64>,
}

/// The event of a CREATE.
pub fn created(now_ms: u64, share_id: u128, sale_id: u128, items: &[(String, u64)]) -> Rc<[u8]> {
    let ask = CreateAsk {
        sale_id,
        share_id,
        orders: b"orders",
        items: items
            .iter()
            .map(|(sku, units)| (sku.as_bytes(), *units))
            .collect(),
        changes: Changes {
            group: Some(Some("shoes".into())),
            ..Changes::default()
        },
        hold_ms_default: HOLD_MS,
        keep_ms_default: 1_000,
    };
    let event = Sale::plan_create(now_ms, &ask, &BOUNDS).expect("a CREATE");
    let mut bytes = Vec::new();
    encode_event(&event, &mut bytes);
    bytes.into()
}

fn played(log: &[Rc<[u8]>]) -> Sale {
    let create = decode_event(&log[0], HASHER).expect("a CREATE");
    let mut sale = Sale::create(&create, HASHER).expect("a CREATE");
    log[1..].iter().for_each(|bytes| follow(&mut sale, bytes));
    sale
}

fn follow(sale: &mut Sale, bytes: &[u8]) {
    let event = decode_event(bytes, HASHER).expect("an event");
    sale.check(&event).expect("an event that fits");
    sale.apply(&event);
}

impl Node {
    pub fn new(log: Log, leads: bool, syncs_always: bool, epoch: u64) -> Self {
        Self {
            sale: played(&log),
            durable: log.len(),
            log,
            syncs_always,
            is_up: true,
            leads,
            is_linked: true,
            is_synced: true,
            epoch,
            rest_since: Vec::new(),
        }
    }

    /// Whether the log is a beginning of another, as far as the first `len` go.
    pub fn agrees(&self, other: &Self, len: usize) -> bool {
        match len.checked_sub(1) {
            None => true,
            Some(last) => match (self.log.get(last), other.log.get(last)) {
                (Some(own), Some(others)) => Rc::ptr_eq(own, others),
                _ => false,
            },
        }
    }

    /// Takes over some events of the primary, or all of it where the histories differ.
    pub fn sync(&mut self, primary: &Self, most: usize) {
        if self.log.len() > primary.log.len() || !self.agrees(primary, self.log.len()) {
            self.log.clone_from(&primary.log);
            self.sale = played(&self.log);
            self.durable = self.log.len();
        }
        let end = self.log.len().saturating_add(most).min(primary.log.len());
        for at in self.log.len()..end {
            follow(&mut self.sale, &primary.log[at]);
            self.log.push(Rc::clone(&primary.log[at]));
        }
        if self.syncs_always {
            self.durable = self.log.len();
        }
        self.is_synced |= self.log.len() == primary.log.len();
    }

    /// A crash: what is not in the file is lost, and some of it may be.
    pub fn crash(&mut self, lost: usize) {
        let kept = self.log.len() - lost.min(self.log.len() - self.durable);
        self.log.truncate(kept.max(1));
        self.durable = self.log.len();
        self.sale = played(&self.log);
        (self.is_up, self.is_synced) = (false, false);
    }

    /// Carries an event out that was decided here.
    pub fn carry_out(&mut self, event: &Event<'_>) -> Done {
        let mut bytes = Vec::new();
        encode_event(event, &mut bytes);
        let decoded = decode_event(&bytes, HASHER).expect("an event");
        assert_eq!(decoded, *event);
        self.sale.check(event).expect("an event of its own");
        let applied = self.sale.apply(event);
        self.log.push(bytes.into());
        if self.syncs_always {
            self.durable = self.log.len();
        }
        Done {
            slot: applied.slot,
            entry: event.entry(),
        }
    }

    /// GIVE; the total in force, and whether anything was written.
    pub fn give(&mut self, now_ms: u64, ask: &Give<'_>) -> (Option<u64>, bool) {
        let now_ms = self.sale.time(now_ms).now_ms;
        match self.sale.plan_give(now_ms, ask) {
            Ok(event) => {
                let total = match &event.change {
                    flashsale_engine::sale::Change::Given(given) => given.total,
                    _ => unreachable!("a GIVE"),
                };
                self.carry_out(&event);
                (Some(total), true)
            }
            Err(Answer::Given { total, .. }) => (Some(total), false),
            Err(_) => (None, false),
        }
    }

    /// TAKE; whether units came.
    pub fn take(&mut self, now_ms: u64, ask: &Take<'_>) -> bool {
        let now_ms = self.sale.time(now_ms).now_ms;
        let event = match self.sale.plan_take(now_ms, ask, &BOUNDS) {
            Ok(event) => event,
            Err(_) => return false,
        };
        let bytes = {
            let mut bytes = Vec::new();
            encode_event(&event, &mut bytes);
            bytes
        };
        let event = decode_event(&bytes, HASHER).expect("an event");
        self.carry_out(&event);
        true
    }

    /// What SHARES says of an item.
    pub fn shelf(&self, sku: &str) -> Shelf {
        let Some(item) = self.sale.find_item(sku.as_bytes()) else {
            return Shelf::default();
        };
        let view = self.sale.share(item);
        Shelf {
            available: view.item.available,
            reserved: view.item.reserved,
            sold: view.item.sold,
            owed: view.item.owed,
            base: view.base,
            asked: view.asked,
            waiting: view.waiting,
            given: view.given,
            taken: view.taken,
        }
    }

    pub fn tick(&mut self, now_ms: u64) {
        self.sale.tick_rest(now_ms, RETRY_MS);
    }
}

/// A primary while it decides one request of a buyer.
pub struct Deciding<'n> {
    pub node: &'n mut Node,
    pub entries: &'n mut u64,
}

impl Host for Deciding<'_> {
    fn sale(&self) -> &Sale {
        &self.node.sale
    }

    fn bounds(&self) -> Bounds {
        BOUNDS
    }

    fn sweep_max(&self) -> u32 {
        100
    }

    fn commit(&mut self, event: Event<'_>) -> Result<Done, Fault> {
        let mut event = event;
        if event.entry().is_some() {
            *self.entries += 1;
            let (ms, seq) = (*self.entries, 0);
            set_entry(&mut event, EntryId { ms, seq });
        }
        Ok(self.node.carry_out(&event))
    }
}
