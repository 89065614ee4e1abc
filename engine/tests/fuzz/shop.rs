//! A sale that counts what each call takes, on the primary and again on a copy.
//!
//! Edge: carries out what is asked; who asks for what is `work.rs` and `storms.rs`.

use flashsale_engine::sale::*;
use flashsale_engine::steps_of;
use flashsale_fuzz::samples::{HASHER, set_entry, unentered};

const NOW_MS: u64 = 1_765_000_000_000;
pub const HOLD_MS: u64 = 60_000;
/// Longer than any id is remembered.
pub const LONG_MS: u64 = 3_600_000;

/// Reservations of one sweep.
pub const SWEEP: u32 = 100;

/// What calls took, in steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    pub calls: u64,
    pub steps: u64,
    /// Of one call.
    pub longest: u64,
}

impl Took {
    fn note(&mut self, steps: u64) {
        self.calls += 1;
        self.steps += steps;
        self.longest = self.longest.max(steps);
    }

    /// Of an average call.
    pub fn average(&self) -> f64 {
        self.steps as f64 / self.calls.max(1) as f64
    }

    /// How many times more these calls took than others: on average, and in the longest
    /// one.
    pub fn times(&self, other: &Took) -> f64 {
        let longest = self.longest as f64 / other.longest.max(1) as f64;
        (self.average() / other.average()).max(longest)
    }
}

/// A sale under attack.
pub struct Shop {
    pub sale: Sale,
    pub now_ms: u64,
    pub bounds: Bounds,
    pub took: Took,
    /// The line that the timer is to begin with.
    pub next_item: ItemIndex,
    entries: u64,
}

impl Shop {
    /// A sale of these SKUs with enough of each for everybody. Limits are counted, and
    /// stop nobody.
    pub fn of(skus: &[&[u8]]) -> Shop {
        Shop::with(skus, 1 << 30, Changes::default())
    }

    /// A sale of these SKUs, of each so many units, with other options.
    pub fn with(skus: &[&[u8]], units: u64, changes: Changes) -> Shop {
        let bounds = Bounds {
            reservations_max: usize::MAX,
            items_max: usize::MAX,
        };
        let ask = CreateAsk {
            sale_id: 1,
            share_id: 1,
            orders: b"orders",
            items: skus.iter().map(|&sku| (sku, units)).collect(),
            changes: Changes {
                user_limit: Some(1 << 30),
                item_limit: Some(1 << 30),
                hold_ms_max: Some(2 * HOLD_MS),
                grace_ms: Some(HOLD_MS),
                ..changes
            },
            hold_ms_default: HOLD_MS,
            keep_ms_default: HOLD_MS,
        };
        let created = Sale::plan_create(NOW_MS, &ask, &bounds).expect("a sale");
        Shop {
            sale: Sale::create(&created, HASHER).expect("a sale"),
            now_ms: NOW_MS,
            bounds,
            took: Took::default(),
            next_item: 0,
            entries: 0,
        }
    }

    /// One call: decided, and carried out as a copy of the sale does. Did it change
    /// anything?
    pub fn call<'a>(&mut self, plan: impl FnOnce(&Sale, u64, &Bounds) -> Plan<'a>) -> bool {
        let (mut is_change, entry) = (false, self.entries + 1);
        let steps = steps_of(|| {
            if let Ok(mut event) = plan(&self.sale, self.now_ms, &self.bounds) {
                is_change = true;
                set_entry(&mut event, EntryId { ms: entry, seq: 0 });
                self.sale.check(&event).expect("an event that fits");
                self.sale.apply(&event);
                self.sale.take_moves();
            }
            // When the timer is to come round, which is asked after each command.
            self.sale.lines_due_ms();
        });
        self.entries = entry;
        self.took.note(steps);
        is_change
    }

    pub fn reserve(&mut self, user: &[u8], id: &[u8], lines: &[(&[u8], u64)]) -> bool {
        let ask = Reserve {
            user: HASHER.key(user),
            ask: Ask::Items(lines.iter().copied().collect()),
            id: HASHER.key(id),
            hold_ms: None,
            waits: false,
            pass: Pass::Missing,
            replaces: None,
        };
        self.call(|sale, now_ms, bounds| sale.plan_reserve(now_ms, &ask, bounds))
    }

    pub fn checkout(&mut self, id: &[u8]) -> bool {
        let ask = Checkout {
            id: HASHER.key(id),
            user: None,
            reference: None,
            payload: None,
        };
        self.call(|sale, now_ms, _| sale.plan_checkout(now_ms, &ask).map(unentered))
    }

    pub fn extend(&mut self, id: &[u8], ms: u64) -> bool {
        let id = HASHER.key(id);
        self.call(|sale, now_ms, _| sale.plan_extend(now_ms, id, ms, None))
    }

    pub fn release(&mut self, id: &[u8]) -> bool {
        let id = HASHER.key(id);
        self.call(|sale, now_ms, bounds| sale.plan_release(now_ms, id, None, bounds))
    }

    /// Gives one unit of an order back.
    pub fn refund(&mut self, id: &[u8], reference: &[u8]) -> bool {
        let ask = RefundAsk {
            id: HASHER.key(id),
            user: None,
            ask: Some(Ask::Qty(1)),
            reference: Some(reference),
            no_restock: false,
            restore_limit: false,
        };
        self.call(|sale, now_ms, _| sale.plan_refund(now_ms, &ask).map(unentered))
    }

    /// Adds new SKUs.
    pub fn restock(&mut self, skus: &[Vec<u8>]) -> bool {
        self.restock_each(skus, 1 << 30)
    }

    /// The same, so many units of each.
    pub fn restock_each(&mut self, skus: &[Vec<u8>], units: i64) -> bool {
        let items = skus.iter().map(|sku| (&sku[..], units)).collect();
        let ask = Restock {
            ask: RestockAsk::Items(items),
            new: true,
            reference: None,
        };
        self.call(|sale, now_ms, bounds| sale.plan_restock(now_ms, &ask, bounds))
    }

    /// Expires an id that a call is about, if it is overdue.
    pub fn expire(&mut self, id: &[u8]) -> bool {
        let id = HASHER.key(id);
        self.call(|sale, now_ms, _| sale.plan_expire(now_ms, id).ok_or(Answer::Unchanged))
    }

    /// Looks at what a user has.
    pub fn look_at(&mut self, user: &[u8]) -> UserView {
        let mut view = UserView::default();
        let steps = steps_of(|| view = self.sale.user(user));
        self.took.note(steps);
        view
    }

    /// Returns and forgets all that is due, a batch a call.
    pub fn sweep_all(&mut self) {
        while self.sweep(SWEEP) {}
    }

    /// Returns and forgets what is due, at most so many.
    fn sweep(&mut self, budget: u32) -> bool {
        self.call(|sale, now_ms, _| sale.plan_sweep(now_ms, budget).ok_or(Answer::Unchanged))
    }
}
