//! Recounts a sale from its reservations up.
//!
//! Edge: finds differences and says them in words; mends nothing. A decoder asks
//! [`Sale::audit`] before it trusts what it read, tests ask it after every step; AUDIT
//! asks [`Sale::audit_whole`]. The order stream is compared in `orders.rs`.

#[cfg(test)]
pub(super) mod fixture;
mod line;
pub mod orders;
mod outbox;
mod shares;

use std::collections::HashMap;

use crate::sale::book::items::Stock;
use crate::sale::book::reservation::{OrderRecord, Reservation, Slot, Status};
use crate::sale::book::users::UserSlot;
use crate::sale::state::Sale;
use crate::sale::units::{INTEGER_MAX, ItemIndex, Line, units_of};
use crate::table::hash::Hasher;
use crate::table::name::{NameBuffer, Spelling};

/// How many differences are told in words; a sale that is wrong throughout would
/// otherwise be a reply of a gigabyte.
const DIFFERENCES_MAX: usize = 100;

/// What was found: the first hundred in words, then how many more there are.
#[derive(Default)]
pub struct Differences {
    told: Vec<String>,
    untold: u64,
}

impl Differences {
    /// Adds one; it is put into words only if it is among the first.
    pub fn add(&mut self, words: impl FnOnce() -> String) {
        if self.told.len() < DIFFERENCES_MAX {
            self.told.push(words());
        } else {
            self.untold = self.untold.saturating_add(1);
        }
    }

    /// Adds what was found elsewhere.
    pub fn append(&mut self, others: Differences) {
        for words in others.told {
            self.add(|| words);
        }
        self.untold = self.untold.saturating_add(others.untold);
    }

    fn compare(&mut self, what: impl FnOnce() -> String, kept: u64, counted: u64) {
        if kept != counted {
            self.add(|| format!("{} is {kept}, recounted {counted}", what()));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// A line for each, and one for all that are not told.
    pub fn into_lines(self) -> Vec<String> {
        let mut lines = self.told;
        if self.untold > 0 {
            lines.push(format!("and {} more", self.untold));
        }
        lines
    }
}

/// A name as a difference shows it.
pub(crate) fn shown(name: Spelling<'_>) -> String {
    let mut buffer = NameBuffer::default();
    format!("'{}'", name.bytes(&mut buffer).escape_ascii())
}

/// What the reservations say, summed the slow way.
struct Recount {
    items: HashMap<ItemIndex, Stock, Hasher>,
    /// By slot: a load waits for this.
    users: Vec<UserCount>,
    /// `None` in a sale that keeps no such counts.
    tallies: Option<HashMap<(UserSlot, ItemIndex), u64, Hasher>>,
    refunded: u64,
    open: usize,
    late: usize,
    ended: usize,
    /// Open ones and orders whose user's slot was never handed out.
    strangers: usize,
}

#[derive(Clone, Default)]
struct UserCount {
    reserved: u64,
    sold: u64,
    counted: u64,
    open: u32,
    /// Open ones and orders.
    named_by: u32,
}

/// Forged quantities may sum to anything; a saturated sum differs from the kept one.
fn saturate(sum: &mut u64, by: u64) {
    *sum = sum.saturating_add(by);
}

impl Recount {
    fn new(sale: &Sale) -> Recount {
        let tracks_items = sale.users.tracks_items();
        Recount {
            items: HashMap::with_hasher(sale.hasher),
            users: vec![UserCount::default(); sale.users.slots_end()],
            tallies: tracks_items.then(|| HashMap::with_hasher(sale.hasher)),
            refunded: 0,
            open: 0,
            late: 0,
            ended: 0,
            strangers: 0,
        }
    }

    fn count_item(&mut self, item: ItemIndex) -> &mut Stock {
        self.items.entry(item).or_default()
    }

    fn tally(&mut self, record: Reservation<'_>, line: &Line, change: impl Fn(u64, u64) -> u64) {
        if let Some(tallies) = &mut self.tallies {
            let tally = tallies.entry((record.user(), line.item)).or_default();
            *tally = change(*tally, line.qty);
        }
    }

    fn add(&mut self, record: Reservation<'_>) {
        match record.status() {
            Status::Open => self.add_open(record),
            Status::Sold => self.add_order(record),
            Status::InGrace => self.late += 1,
            Status::Released | Status::Expired => self.ended += 1,
        }
    }

    fn add_open(&mut self, record: Reservation<'_>) {
        self.open += 1;
        let lines = record.lines();
        for line in &lines {
            saturate(&mut self.count_item(line.item).reserved, line.qty);
            self.tally(record, line, u64::saturating_add);
        }
        let Some(user) = self.users.get_mut(record.user() as usize) else {
            self.strangers += 1;
            return;
        };
        user.named_by += 1;
        user.open += 1;
        saturate(&mut user.reserved, units_of(&lines));
        saturate(&mut user.counted, units_of(&lines));
    }

    fn add_order(&mut self, record: Reservation<'_>) {
        let (lines, left) = (record.lines(), record.left());
        for line in &left {
            saturate(&mut self.count_item(line.item).sold, line.qty);
        }
        for line in &lines {
            self.tally(record, line, u64::saturating_add);
        }
        let mut restored = 0;
        let refunds = record.order().into_iter().flat_map(OrderRecord::refunds);
        for refund in refunds {
            let lines = refund.cart.lines();
            saturate(&mut self.refunded, units_of(&lines));
            if refund.restores_limit {
                saturate(&mut restored, units_of(&lines));
                for line in &lines {
                    self.tally(record, line, u64::saturating_sub);
                }
            }
        }
        let Some(user) = self.users.get_mut(record.user() as usize) else {
            self.strangers += 1;
            return;
        };
        user.named_by += 1;
        saturate(&mut user.sold, units_of(&left));
        saturate(&mut user.counted, units_of(&lines));
        user.counted = user.counted.saturating_sub(restored);
    }
}

impl Sale {
    /// Every difference between what the sale counts and what its reservations say.
    /// Empty when it is consistent. O(reservations + users + items).
    pub fn audit(&self) -> Vec<String> {
        self.recount().into_lines()
    }

    /// The same, and what a load makes itself: can each reservation, user and item be
    /// found by its name, and do an order's refunds add up?
    pub fn audit_whole(&self) -> Differences {
        let mut differences = self.recount();
        self.audit_names(&mut differences);
        self.audit_refunds(&mut differences);
        self.audit_places(&mut differences);
        differences
    }

    fn recount(&self) -> Differences {
        let mut recount = Recount::new(self);
        for (_, record) in self.reservations.iter() {
            recount.add(record);
        }
        let mut differences = Differences::default();
        self.audit_items(&recount, &mut differences);
        self.audit_users(&mut recount, &mut differences);
        self.audit_queues(&recount, &mut differences);
        self.audit_outbox(&mut differences);
        self.audit_lines(&mut differences);
        differences
    }

    fn audit_items(&self, recount: &Recount, differences: &mut Differences) {
        let mut totals = Stock::default();
        for (item, (sku, stock, base)) in (0..).zip(self.items.iter()) {
            let counted = recount.items.get(&item).copied().unwrap_or_default();
            let of = |what: &str| format!("{what} of the item '{}'", sku.escape_ascii());
            differences.compare(|| of("reserved"), stock.reserved, counted.reserved);
            differences.compare(|| of("sold"), stock.sold, counted.sold);
            self.audit_item_total((item, sku), (stock, base), differences);
            saturate(&mut totals.available, stock.available);
            saturate(&mut totals.reserved, stock.reserved);
            saturate(&mut totals.sold, stock.sold);
        }
        let kept = self.items.totals();
        let of = |what: &str| format!("{what} of the sale");
        differences.compare(|| of("available"), kept.available, totals.available);
        differences.compare(|| of("reserved"), kept.reserved, totals.reserved);
        differences.compare(|| of("sold"), kept.sold, totals.sold);
        differences.compare(|| of("refunded"), self.refunded, recount.refunded);
        if kept.units() > INTEGER_MAX {
            let units = kept.units();
            differences.add(|| format!("units of the sale are {units}, above 2^53 - 1"));
        }
        self.audit_owed(differences);
        for item in recount.items.keys() {
            if *item as usize >= self.items.len() {
                differences.add(|| {
                    format!("a reservation names the item number {item}, which is not there")
                });
            }
        }
    }

    fn audit_users(&self, recount: &mut Recount, differences: &mut Differences) {
        for slot in self.users.slots() {
            let counted = recount
                .users
                .get_mut(slot as usize)
                .map(std::mem::take)
                .unwrap_or_default();
            let sums = self.users.sums(slot);
            let name = || self.users.name(slot).map(shown).unwrap_or_default();
            let of = |what: &str| format!("{what} of the user {}", name());
            differences.compare(|| of("reserved"), sums.reserved, counted.reserved);
            differences.compare(|| of("sold"), sums.sold, counted.sold);
            differences.compare(|| of("counted"), sums.counted, counted.counted);
            let open = u64::from(sums.open);
            differences.compare(|| of("open"), open, u64::from(counted.open));
            let chain = self.reservations.iter_chain(self.users.chain(slot));
            // A damaged list may have no end.
            let chain = chain.take(sums.open as usize + 1);
            let own = chain.filter(|(_, record)| record.user() == slot).count();
            if own as u64 != open {
                differences.add(|| {
                    let name = name();
                    format!("the list of open reservations of the user {name} does not hold {open}")
                });
            }
        }
        if recount.strangers > 0 || recount.users.iter().any(|user| user.named_by > 0) {
            differences.add(|| "a reservation names a user who is not there".into());
        }
        let Some(tallies) = &mut recount.tallies else {
            return;
        };
        // Taken out one by one: a second table of them would be the dearest part of a load.
        let mut differs = false;
        for (user, item, counted) in self.users.tallies() {
            differs |= tallies.remove(&(user, item)) != Some(counted);
        }
        if differs || tallies.values().any(|&counted| counted > 0) {
            differences.add(|| "what counts against ITEMLIMIT differs from the recount".into());
        }
    }

    fn audit_queues(&self, recount: &Recount, differences: &mut Differences) {
        let reservations = &self.reservations;
        // A damaged queue may have no end.
        let all = recount.open + recount.late + recount.ended + 1;
        let strays = |queue: &mut dyn Iterator<Item = (Slot, Reservation<'_>)>,
                      belongs: fn(Status) -> bool| {
            let strays = queue.take(all).filter(|(_, r)| !belongs(r.status()));
            strays.count()
        };
        let wrong = strays(&mut reservations.iter_open(), |s| s == Status::Open)
            + strays(&mut reservations.iter_late(), |s| s == Status::InGrace)
            + strays(&mut reservations.iter_ended(), Status::is_final);
        if wrong > 0 {
            differences.add(|| format!("{wrong} reservations stand in the wrong queue"));
        }
        for (what, kept, walked, counted) in [
            (
                "open",
                reservations.deadlines().len(),
                reservations.iter_open().take(recount.open + 1).count(),
                recount.open,
            ),
            (
                "late",
                reservations.late().len(),
                reservations.iter_late().take(recount.late + 1).count(),
                recount.late,
            ),
            (
                "ended",
                reservations.ended().len(),
                reservations.iter_ended().take(recount.ended + 1).count(),
                recount.ended,
            ),
        ] {
            if kept != counted || walked != counted {
                differences.add(|| {
                    format!(
                        "{what} reservations: {kept} by the queue's count, {walked} in the queue, \
                         recounted {counted}"
                    )
                });
            }
        }
    }

    fn audit_names(&self, differences: &mut Differences) {
        for (slot, record) in self.reservations.iter() {
            if self.find(self.key_of(record.id())) != Some(slot) {
                let id = shown(record.id());
                differences.add(|| format!("the reservation {id} is not found by its id"));
            }
        }
        for slot in self.users.slots() {
            let Some(name) = self.users.name(slot) else {
                continue;
            };
            if self.users.find(self.key_of(name)) != Some(slot) {
                differences.add(|| format!("the user {} is not found by name", shown(name)));
            }
        }
        for (item, (sku, _, _)) in (0..).zip(self.items.iter()) {
            if self.items.find(sku) != Some(item) {
                let sku = sku.escape_ascii();
                differences.add(|| format!("the item '{sku}' is not found by its SKU"));
            }
        }
    }

    fn audit_refunds(&self, differences: &mut Differences) {
        for (_, record) in self.reservations.iter() {
            let Some(order) = record.order() else {
                continue;
            };
            let (mut lines, mut left) = (record.lines(), record.left());
            lines.sort_unstable();
            left.sort_unstable();
            let mut refunds = order.refunds();
            let are_of_it = refunds.all(|refund| {
                refund
                    .cart
                    .lines()
                    .iter()
                    .all(|line| take(&mut lines, *line))
            });
            if !are_of_it || lines != left {
                let id = shown(record.id());
                differences.add(|| format!("the refunds of the order {id} do not add up"));
            }
        }
    }
}

/// Takes units of one item out of an order's lines, ordered by item; false if there are
/// too few.
fn take(lines: &mut [Line], taken: Line) -> bool {
    let at = lines.binary_search_by_key(&taken.item, |line| line.item);
    let line = at.ok().and_then(|at| lines.get_mut(at));
    let Some(line) = line.filter(|line| line.qty >= taken.qty) else {
        return false;
    };
    line.qty -= taken.qty;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::audit::fixture::{entry, lines, sale};
    use crate::sale::book::cart::Cart;
    use crate::sale::book::items::{Move, StockChanges};
    use crate::sale::book::refunds::RefundRecord;
    use crate::sale::book::reservation::Slot;
    use crate::sale::book::shares::Way;
    use crate::sale::book::user::Account;
    use crate::table::slab::NONE;

    fn slot(sale: &Sale, id: &[u8]) -> Slot {
        sale.find(sale.key(id)).unwrap()
    }

    fn user(sale: &Sale, name: &[u8]) -> UserSlot {
        sale.users.find(sale.key(name)).unwrap()
    }

    fn shift(sale: &mut Sale, by: Move) {
        sale.items.shift(0, by, &mut StockChanges::new());
    }

    fn account(sale: &mut Sale, by: Account) {
        let bob = user(sale, b"bob");
        sale.users.account(bob, by);
    }

    /// A kind of damage, and what is said about it first.
    type Damage = (fn(&mut Sale), &'static str);

    const DAMAGE: [Damage; 18] = [
        (
            |sale| {
                shift(
                    sale,
                    Move {
                        reserved: 1,
                        ..Move::default()
                    },
                )
            },
            "reserved of the item 'a' is 5, recounted 4",
        ),
        (
            |sale| {
                shift(
                    sale,
                    Move {
                        sold: -1,
                        ..Move::default()
                    },
                )
            },
            "sold of the item 'a' is 2, recounted 3",
        ),
        (
            |sale| {
                shift(
                    sale,
                    Move {
                        available: 1 << 53,
                        ..Move::default()
                    },
                )
            },
            "units of the sale are 9007199254741192, above 2^53 - 1",
        ),
        (
            |sale| sale.items.set_owed(0, 7),
            "available of the item 'a' is 93, though 7 are owed",
        ),
        (
            |sale| sale.shares_mut().set(Way::Given, 0, 9, 4),
            "total of the item 'a' is 100, by CREATE, RESTOCK, REFUND, GIVE and TAKE it would be 96",
        ),
        (
            |sale| sale.refunded += 1,
            "refunded of the sale is 3, recounted 2",
        ),
        (
            |sale| {
                account(
                    sale,
                    Account {
                        reserved: 2,
                        counted: 2,
                        ..Account::default()
                    },
                )
            },
            "reserved of the user 'bob' is 2, recounted 0",
        ),
        (
            |sale| {
                account(
                    sale,
                    Account {
                        sold: 1,
                        counted: 1,
                        ..Account::default()
                    },
                )
            },
            "sold of the user 'bob' is 5, recounted 4",
        ),
        (
            |sale| {
                account(
                    sale,
                    Account {
                        counted: -1,
                        ..Account::default()
                    },
                )
            },
            "counted of the user 'bob' is 3, recounted 4",
        ),
        (
            |sale| {
                let ann = user(sale, b"ann");
                sale.users.set_newest(ann, NONE, 0);
            },
            "the list of open reservations of the user 'ann' does not hold 2",
        ),
        (
            |sale| {
                let (ann, newest) = (user(sale, b"ann"), slot(sale, b"open2"));
                sale.users.set_newest(ann, newest, 1);
            },
            "open of the user 'ann' is 3, recounted 2",
        ),
        (
            |sale| {
                let ann = user(sale, b"ann");
                sale.users.count(ann, 0, 1);
            },
            "what counts against ITEMLIMIT differs from the recount",
        ),
        (
            |sale| {
                let bob = user(sale, b"bob");
                sale.users.release(bob);
                sale.users.release(bob);
            },
            "a reservation names a user who is not there",
        ),
        (
            |sale| sale.reservations.lose_deadline(slot(sale, b"open")),
            "open reservations: 1 by the queue's count, 1 in the queue, recounted 2",
        ),
        (
            |sale| sale.reservations.misplace(slot(sale, b"open")),
            "1 reservations stand in the wrong queue",
        ),
        (
            |sale| sale.reservations.lose_id(slot(sale, b"open")),
            "the reservation 'open' is not found by its id",
        ),
        (
            |sale| {
                let refund = RefundRecord {
                    restocked: true,
                    reference: None,
                    cart: Cart::new(&lines(&[(0, 1)])),
                    entry: entry(9),
                    restores_limit: false,
                    no_restock: Some(false),
                };
                // Known as a refund, and taken out of nothing.
                sale.reservations
                    .add_refund(slot(sale, b"sold"), &[], refund);
                sale.refunded += 1;
            },
            "the refunds of the order 'sold' do not add up",
        ),
        (
            |sale| {
                let (open, ended) = (slot(sale, b"open"), Status::Expired);
                sale.reservations.end(open, &mut sale.users, ended, 0);
            },
            "reserved of the item 'a' is 4, recounted 2",
        ),
    ];

    #[test]
    fn a_sale_that_was_only_sold_from_adds_up() {
        assert_eq!(sale().audit_whole().into_lines(), [""; 0]);
    }

    #[test]
    fn every_kind_of_damage_is_found_and_named() {
        for (damage, words) in DAMAGE {
            let mut sale = sale();
            damage(&mut sale);
            let found = sale.audit_whole().into_lines();
            assert!(found.iter().any(|line| line == words), "{words}\n{found:?}");
        }
    }

    #[test]
    fn a_hundred_differences_are_told_and_the_rest_counted() {
        let mut differences = Differences::default();
        for number in 0..DIFFERENCES_MAX {
            differences.add(|| number.to_string());
        }
        assert_eq!(differences.into_lines().len(), DIFFERENCES_MAX);
        let mut differences = Differences::default();
        for number in 0..DIFFERENCES_MAX + 2 {
            differences.add(|| number.to_string());
        }
        let mut more = Differences::default();
        more.add(|| "one more".into());
        differences.append(more);
        let lines = differences.into_lines();
        assert_eq!(lines[99..], ["99", "and 3 more"]);
    }
}
