//! The sale that the tests of this folder damage.

use crate::sale::book::options::Options;
use crate::sale::event::told::Told;
use crate::sale::event::{Change, Created, Event, Forgets, Order, Refund};
use crate::sale::state::Sale;
use crate::sale::units::{EntryId, ItemIndex, Line, Lines};
use crate::table::hash::HASHER;
use crate::table::name::Spelling;

pub const AT_MS: u64 = 1_700_000_000_000;

pub fn entry(seq: u64) -> EntryId {
    EntryId { ms: AT_MS, seq }
}

pub fn lines(lines: &[(ItemIndex, u64)]) -> Lines {
    let line = |&(item, qty): &(ItemIndex, u64)| Line { item, qty };
    lines.iter().map(line).collect()
}

fn apply(sale: &mut Sale, change: Change<'_>) {
    let at_ms = AT_MS;
    sale.apply(&Event { at_ms, change });
}

fn reserve(sale: &mut Sale, id: &'static [u8], user: &'static [u8]) {
    let change = Change::Reserved {
        id: HASHER.key(id),
        user: HASHER.key(user),
        lines: lines(&[(0, 2)]),
        expires_at_ms: AT_MS + 1_000,
        forgets: Forgets::Nothing,
        replaces: None,
    };
    apply(sale, change);
}

fn order(reference: Option<&'static [u8]>, seq: u64) -> Order<'static> {
    Order {
        reference: reference.map(Spelling::of),
        payload: None,
        entry: entry(seq),
        told: Told::default(),
    }
}

/// Two items, two users; `open` and `open2` of ann, `ended`, and of bob `sold` at entry 1
/// with a refund at 2, and `late` at 3.
pub fn sale() -> Sale {
    let created = Created {
        sale_id: 7,
        share_id: 7,
        orders: b"orders",
        options: Options {
            item_limit: Some(50),
            ..Options::new(1_000, 3_600_000)
        },
        items: vec![(b"a", 100), (b"b", 100)],
    };
    let at_ms = AT_MS;
    let change = Change::Created(Box::new(created));
    let mut sale = Sale::create(&Event { at_ms, change }, HASHER).unwrap();
    reserve(&mut sale, b"open", b"ann");
    reserve(&mut sale, b"open2", b"ann");
    reserve(&mut sale, b"ended", b"ann");
    let id = HASHER.key(b"ended");
    apply(&mut sale, Change::Released { id });
    let change = Change::Bought {
        id: HASHER.key(b"sold"),
        user: HASHER.key(b"bob"),
        lines: lines(&[(1, 3), (0, 1)]),
        order: order(Some(b"p1"), 1),
        forgets: Forgets::Nothing,
    };
    apply(&mut sale, change);
    let refund = Refund {
        id: HASHER.key(b"sold"),
        lines: lines(&[(1, 2)]),
        reference: Some(Spelling::of(b"f1")),
        restocks: true,
        restores_limit: true,
        no_restock: Some(false),
        entry: entry(2),
        told: Told::default(),
    };
    apply(&mut sale, Change::Refunded(refund));
    reserve(&mut sale, b"late", b"bob");
    let change = Change::Sold {
        id: HASHER.key(b"late"),
        order: order(None, 3),
    };
    apply(&mut sale, change);
    sale
}
