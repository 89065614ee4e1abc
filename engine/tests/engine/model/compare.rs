//! Everything a reader could see of the model and of a sale, side by side.

use std::collections::BTreeSet;

use super::reference::{Model, words};
use super::translate::entry_word;
use super::views::{shown, shown_items, shown_lines};
use crate::commands::play::{self, Fault};
use crate::commands::requests::{bytes, name};
use flashsale_engine::sale::{self, Events, NameBuffer, Sale, Slot, State};

/// Finds the first difference between the model and a sale.
pub fn compare(model: &Model, sale: &Sale, clock_ms: u64) -> Result<(), Fault> {
    agree("INFO", model.info(clock_ms), info(model, sale, clock_ms))?;
    let stock = |sku: &str| match sale.find_item(&bytes(sku)) {
        Some(item) => words_of_item(sale.item(item)),
        None => format!("no item {sku}"),
    };
    for sku in &model.skus {
        agree("STOCK", model.stock(sku), stock(sku))?;
    }
    let all = |words: Vec<String>| words.join(", ");
    agree(
        "STOCK",
        all(model.skus.iter().map(|sku| model.stock(sku)).collect()),
        all(sale.items().map(words_of_item).collect()),
    )?;
    for known in &model.reservations {
        agree("GET", model.get(&known.id), get(sale, &known.id))?;
    }
    let users: BTreeSet<&str> = model
        .reservations
        .iter()
        .filter_map(|r| r.user.as_deref())
        .collect();
    for who in users.into_iter().chain(["a stranger"]) {
        agree("USER", model.user(who), user(sale, who))?;
    }
    for state in [None].into_iter().chain(State::ALL.map(Some)) {
        scan_all(model, sale, state)?;
    }
    let is_made_by = play::with_create(&model.setup, model.sale_id, |ask| sale.is_made_by(ask));
    agree(
        "a CREATE sent again",
        model.is_as_created().to_string(),
        is_made_by.to_string(),
    )?;
    let differences = sale.audit();
    if !differences.is_empty() {
        return Err(format!("the audit finds: {differences:?}"));
    }
    Ok(())
}

fn agree(what: &str, expected: String, given: String) -> Result<(), Fault> {
    if expected == given {
        return Ok(());
    }
    Err(format!(
        "{what} differs\n  model:  {expected}\n  engine: {given}"
    ))
}

fn words_of_item(item: sale::ItemView<'_>) -> String {
    words![
        name(item.sku),
        item.available,
        item.reserved,
        item.sold,
        item.total
    ]
}

fn lines_of(sale: &Sale, lines: impl Iterator<Item = (u32, u64)>) -> String {
    let lines: Vec<(String, u64)> = lines
        .map(|(item, qty)| (name(sale.item(item).sku), qty))
        .collect();
    shown_lines(&lines)
}

fn items_of(sale: &Sale, view: &sale::View<'_>) -> String {
    let lines = view.lines.iter().map(|line| (line.item, line.qty));
    match view.is_shortened {
        true if view.lines.is_empty() => shown_items(&[], true),
        _ => lines_of(sale, lines),
    }
}

fn get(sale: &Sale, id: &str) -> String {
    let Some(view) = sale
        .find(sale.key(&bytes(id)))
        .and_then(|slot| sale.view(slot))
    else {
        return "unknown".into();
    };
    let refunded = (view.lines.iter().zip(view.refunded))
        .filter(|(_, refunded)| **refunded > 0)
        .map(|(line, refunded)| (line.item, *refunded));
    let mut buffer = NameBuffer::default();
    [
        format!(
            "id={:?} state={}",
            name(view.id(&mut buffer)),
            view.state.word()
        ),
        format!("user={:?}", view.user(&mut buffer).map(name)),
        format!("items={}", items_of(sale, &view)),
        format!("refunded={}", lines_of(sale, refunded)),
        format!("reserved_at={}", shown(view.reserved_at_ms)),
        format!("expires_at={}", shown(view.expires_at_ms)),
        format!("sold_at={}", shown(view.sold_at_ms)),
        format!("released_at={}", shown(view.released_at_ms)),
        format!(
            "order={}",
            shown(view.order.map(|entry| entry_word(Some(entry))))
        ),
        format!("ref={:?}", view.reference().map(name)),
    ]
    .join(" ")
}

fn id_at(sale: &Sale, slot: Slot) -> String {
    let mut buffer = NameBuffer::default();
    sale.view(slot).map_or_else(
        || format!("nothing at {slot}"),
        |view| name(view.id(&mut buffer)),
    )
}

fn user(sale: &Sale, who: &str) -> String {
    let view = sale.user(&bytes(who));
    let ids: Vec<String> = view.slots.iter().map(|slot| id_at(sale, *slot)).collect();
    format!(
        "reserved={} sold={} counted={} remaining={} open={} ids={ids:?}",
        view.reserved,
        view.sold,
        view.counted,
        shown(view.remaining),
        view.open,
    )
}

fn info(model: &Model, sale: &Sale, clock_ms: u64) -> String {
    let view = sale.info(clock_ms);
    let set = view.options;
    let options = [
        shown(set.user_limit),
        shown(set.item_limit),
        shown(set.order_limit),
        shown(set.sale_limit),
        shown(Some(set.hold_ms)),
        shown(Some(set.grace_ms)),
        shown(set.start_at_ms),
        shown(set.end_at_ms),
        shown(Some(set.keep_ms)),
        shown(Some(set.remember_ms)),
        shown((set.events == Events::All).then_some(1)),
    ]
    .to_vec();
    let mark = sale
        .mark()
        .map(|mark| (mark.id.at_ms, mark.id.misses, &mark.reason));
    let stepped_back = sale.time(clock_ms).stepped_back;
    let earlier = sale.time(model.a_minute_before());
    [
        format!("mark={mark:?}"),
        format!(
            "sale_id={} orders={:?} state={}",
            view.sale_id,
            name(view.orders),
            view.phase.word()
        ),
        format!(
            "now={} stepped_back={stepped_back} created_at={}",
            view.now_ms, view.created_at_ms
        ),
        format!(
            "paused_at={} closed_at={}",
            shown(view.paused_at_ms),
            shown(view.closed_at_ms)
        ),
        format!(
            "earlier={:?} maxhold={}",
            (earlier.now_ms, earlier.stepped_back),
            set.max_hold_ms()
        ),
        format!("options={options:?} items={}", view.items),
        format!("total={} available={}", view.total, view.available),
        format!("reserved={} sold={}", view.reserved, view.sold),
        format!("refunded={} users={}", view.refunded, view.users),
        format!(
            "open={} remembered={}",
            view.reservations_open, view.reservations_remembered
        ),
        format!(
            "next_due={} key_expires_at={}",
            shown(sale.next_due_ms()),
            shown(sale.key_expires_at_ms())
        ),
    ]
    .join(" ")
}

/// A whole SCAN between two changes shows each id of a state once.
fn scan_all(model: &Model, sale: &Sale, state: Option<State>) -> Result<(), Fault> {
    let mut ids: Vec<String> = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = sale.scan(cursor, 7, state, &mut |slot| ids.push(id_at(sale, slot)));
        if cursor == 0 {
            break;
        }
    }
    ids.sort();
    let mut expected: Vec<String> = (model.reservations.iter())
        .filter(|known| state.is_none_or(|state| state.word() == known.state()))
        .map(|known| known.id.clone())
        .collect();
    expected.sort();
    agree("SCAN", format!("{expected:?}"), format!("{ids:?}"))
}

/// A SCAN that goes on while the sale changes: an id known from its beginning to its
/// end has to be among what it shows.
#[derive(Default)]
pub struct SlowScan {
    cursor: u64,
    throughout: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl SlowScan {
    /// One call of SCAN, after a change.
    pub fn go_on(&mut self, model: &Model, sale: &Sale) -> Result<(), Fault> {
        let known: BTreeSet<String> = model.reservations.iter().map(|r| r.id.clone()).collect();
        if self.cursor == 0 {
            *self = SlowScan {
                throughout: known,
                ..SlowScan::default()
            };
        } else {
            self.throughout.retain(|id| known.contains(id));
        }
        let seen = &mut self.seen;
        self.cursor = sale.scan(self.cursor, 3, None, &mut |slot| {
            seen.insert(id_at(sale, slot));
        });
        match self.throughout.difference(&self.seen).next() {
            Some(missed) if self.cursor == 0 => {
                Err(format!("a scan among changes misses {missed:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Cursors are good for one copy of the sale only.
    pub fn restart(&mut self) {
        *self = SlowScan::default();
    }
}
