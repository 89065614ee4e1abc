//! The model, a primary and a second sale that is told every event by its bytes.

use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use super::model::{GRACE_MS, HOLD_MS, Model, State, Status};
use super::said::{Op, SKUS, Step};
use crate::commands::copies::{elements, reloaded};
use crate::commands::play::Fault;
use flashsale_engine::sale::{
    self, Answer, Ask, Bounds, Changes, Checkout, CreateAsk, EntryId, Event, Hasher, ItemKind,
    NameBuffer, Pass, Plan, RefundAsk, Reserve, Restock, RestockAsk, RestockUnits, Sale, Slot,
    UnitNumber, UnitState, Which, encode_event,
};

const PRIMARY: Hasher = Hasher::new([1, 2]);
const SECOND: Hasher = Hasher::new([3, 5]);
pub const BEGIN_MS: u64 = 1_700_000_000_000;
pub const BOUNDS: Bounds = Bounds {
    reservations_max: 100_000,
    items_max: 100,
    units_max: 1_000_000,
};
const SWEEP_MAX: u32 = 1_000;

pub struct World {
    pub model: Model,
    pub primary: Sale,
    pub second: Sale,
    entries: u64,
    steps: u64,
}

/// What an operation came to.
enum Played {
    Said(Answer),
    Did,
}

pub fn name_of(sale: &Sale, unit: UnitNumber) -> String {
    let view = sale.unit(unit).expect("a unit");
    let mut buffer = NameBuffer::default();
    String::from_utf8(view.name(&mut buffer).to_vec()).expect("UTF-8")
}

pub fn names_of(sale: &Sale, slot: Slot) -> String {
    let units = sale.units_of(slot);
    let names: Vec<String> = units.iter().map(|&unit| name_of(sale, unit)).collect();
    names.join(",")
}

fn id_of(id: u32) -> String {
    format!("id-{id}")
}

pub fn ask_of(items: &[(String, u64)]) -> Ask<'_> {
    Ask::Items(
        items
            .iter()
            .map(|(sku, qty)| (sku.as_bytes(), *qty))
            .collect(),
    )
}

impl World {
    pub fn new() -> World {
        let create = CreateAsk {
            share_id: 7,
            sale_id: 42,
            orders: b"orders",
            items: vec![(b"ga", 9), (b"pit", 1)],
            changes: Changes {
                grace_ms: Some(GRACE_MS),
                events: Some(sale::Events::All),
                ..Changes::default()
            },
            hold_ms_default: HOLD_MS,
            keep_ms_default: 3_600_000,
        };
        let event = Sale::plan_create(BEGIN_MS, &create, &BOUNDS).expect("a sale");
        let created = |hasher| Sale::create(&event, hasher).expect("a sale");
        let mut world = World {
            model: Model::default(),
            primary: created(PRIMARY),
            second: created(SECOND),
            entries: 0,
            steps: 0,
        };
        world.model.now = BEGIN_MS;
        for (sku, available) in [("ga", 9), ("pit", 1)] {
            world.model.items.push(super::model::Item {
                sku: sku.into(),
                named: None,
                available,
            });
        }
        world
    }

    /// Carries an event out on both sales.
    pub fn commit(&mut self, event: &Event<'_>) -> Result<(), Fault> {
        let mut bytes = Vec::new();
        encode_event(event, &mut bytes);
        let decoded = sale::decode_event(&bytes, self.second.hasher())
            .map_err(|error| format!("{error}: {event:?}"))?;
        if decoded != *event {
            return Err(format!("encoded {event:?}, decoded {decoded:?}"));
        }
        self.second
            .check(&decoded)
            .map_err(|divergence| format!("does not fit: {divergence}: {event:?}"))?;
        let told = self.primary.units_of_change(&event.change);
        let applied = self.primary.apply(event);
        let again = self.second.apply(&decoded);
        if let Some(fault) = self.primary.fault() {
            return Err(format!("{fault}: {event:?}"));
        }
        if applied.stock != again.stock {
            return Err(format!("stock differs: {event:?}"));
        }
        // What an entry and a reply say is what there is then.
        let is_refund = matches!(event.change, sale::Change::Refunded(_));
        if let Some(slot) = applied.slot
            && !is_refund
            && event.entry().is_some()
            && told != self.primary.units_of(slot)
        {
            return Err(format!("told {told:?}: {event:?}"));
        }
        Ok(())
    }

    fn next_entry(&mut self) -> EntryId {
        self.entries += 1;
        EntryId {
            ms: self.entries,
            seq: 0,
        }
    }

    fn sweep(&mut self, now: u64) -> Result<(), Fault> {
        while let Some(event) = self.primary.plan_sweep(now, SWEEP_MAX) {
            self.commit(&event)?;
        }
        Ok(())
    }

    fn expire(&mut self, now: u64, id: &str) -> Result<(), Fault> {
        let owned = id.as_bytes().to_vec();
        loop {
            let key = self.primary.key(&owned);
            let Some(event) = self.primary.plan_expire(now, key) else {
                return Ok(());
            };
            // The key's lifetime ends with the borrow of the sale.
            let mut bytes = Vec::new();
            encode_event(&event, &mut bytes);
            let event =
                sale::decode_event(&bytes, self.primary.hasher()).map_err(|e| e.to_string())?;
            self.commit(&event)?;
        }
    }

    fn carry(&mut self, plan: Plan<'_>) -> Result<Played, Fault> {
        match plan {
            Ok(event) => {
                self.commit(&event)?;
                Ok(Played::Did)
            }
            Err(answer) => Ok(Played::Said(answer)),
        }
    }

    fn play(&mut self, now: u64, op: &Op) -> Result<Played, Fault> {
        match op {
            Op::RestockUnits {
                sku,
                names,
                sealed,
                new,
                withdraw,
                reference,
            } => {
                let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
                let reference = reference.map(|n| format!("ref-{n}"));
                let ask = RestockUnits {
                    sku: sku.as_bytes(),
                    names: &names,
                    sealed: *sealed,
                    new: *new,
                    withdraw: *withdraw,
                    reference: reference.as_ref().map(String::as_bytes),
                };
                let plan = self.primary.plan_restock_units(now, &ask, &BOUNDS);
                self.carry(plan)
            }
            Op::Restock { sku, delta } => {
                let ask = Restock {
                    ask: RestockAsk::Items(vec![(sku.as_bytes(), *delta)]),
                    new: false,
                    reference: None,
                };
                let plan = self.primary.plan_restock(now, &ask, &BOUNDS);
                self.carry(plan)
            }
            Op::Reserve { .. } => self.play_reserve(now, op),
            Op::Checkout { id, reference } => self.play_checkout(now, *id, *reference),
            Op::Release { id } => {
                let id = id_of(*id);
                let key = self.primary.hasher().key(id.as_bytes());
                let plan = self.primary.plan_release(now, key, None, &BOUNDS);
                self.carry(plan)
            }
            Op::Refund {
                id,
                items,
                names,
                reference,
                no_restock,
            } => {
                let id = id_of(*id);
                let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
                let reference = reference.map(|n| format!("back-{n}"));
                let ask = RefundAsk {
                    id: self.primary.hasher().key(id.as_bytes()),
                    user: None,
                    ask: (!items.is_empty()).then(|| ask_of(items)),
                    units: &names,
                    reference: reference.as_ref().map(String::as_bytes),
                    no_restock: *no_restock,
                    restore_limit: false,
                };
                match self.primary.plan_refund(now, &ask) {
                    Ok(pending) => {
                        let entry = self.next_entry();
                        self.commit(&pending.entered(entry))?;
                        Ok(Played::Did)
                    }
                    Err(answer) => Ok(Played::Said(answer)),
                }
            }
            Op::Sweep => {
                self.sweep(now)?;
                Ok(Played::Did)
            }
            Op::Close => {
                let plan = self.primary.plan_close(now);
                self.carry(plan)
            }
        }
    }

    fn play_reserve(&mut self, now: u64, op: &Op) -> Result<Played, Fault> {
        let Op::Reserve {
            id,
            user,
            items,
            names,
            replaces,
            buys,
        } = op
        else {
            return Err("no RESERVE".into());
        };
        let (id, user) = (id_of(*id), format!("user-{user}"));
        let old = replaces.map(id_of);
        self.expire(now, &id)?;
        if let Some(old) = &old {
            self.expire(now, old)?;
        }
        let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        let hasher = self.primary.hasher();
        let ask = Reserve {
            user: hasher.key(user.as_bytes()),
            ask: ask_of(items),
            units: &names,
            id: hasher.key(id.as_bytes()),
            hold_ms: None,
            replaces: old
                .as_ref()
                .filter(|_| !buys)
                .map(|old| hasher.key(old.as_bytes())),
            waits: false,
            pass: Pass::Vouched,
        };
        loop {
            let refusal = if *buys {
                match self.primary.plan_buy(now, &ask, None, None, &BOUNDS) {
                    Ok(pending) => {
                        let entry = self.next_entry();
                        self.commit(&pending.entered(entry))?;
                        return Ok(Played::Did);
                    }
                    Err(answer) => answer,
                }
            } else {
                match self.primary.plan_reserve(now, &ask, &BOUNDS) {
                    Ok(event) => {
                        self.commit(&event)?;
                        return Ok(Played::Did);
                    }
                    Err(answer) => answer,
                }
            };
            if !self.primary.overdue_could_lift(now, &refusal, ask.user) {
                return Ok(Played::Said(refusal));
            }
            self.sweep(now)?;
        }
    }

    fn play_checkout(
        &mut self,
        now: u64,
        id: u32,
        reference: Option<u32>,
    ) -> Result<Played, Fault> {
        let id = id_of(id);
        self.expire(now, &id)?;
        let reference = reference.map(|n| format!("pay-{n}"));
        let ask = Checkout {
            id: self.primary.hasher().key(id.as_bytes()),
            user: None,
            reference: reference.as_ref().map(String::as_bytes),
            payload: None,
        };
        loop {
            match self.primary.plan_checkout(now, &ask) {
                Ok(pending) => {
                    let entry = self.next_entry();
                    self.commit(&pending.entered(entry))?;
                    return Ok(Played::Did);
                }
                Err(Answer::Expired { .. })
                    if self.primary.overdue_could_grant_grace(now, ask.id) =>
                {
                    self.sweep(now)?;
                }
                Err(answer) => return Ok(Played::Said(answer)),
            }
        }
    }

    /// What the engine says, in the words of the model.
    fn answer(&mut self, op: &Op) -> Result<String, Fault> {
        let now = self.model.now;
        let (id, replaces) = match op {
            Op::Reserve { id, replaces, .. } => (Some(*id), *replaces),
            Op::Checkout { id, .. } | Op::Release { id } | Op::Refund { id, .. } => {
                (Some(*id), None)
            }
            _ => (None, None),
        };
        let played = self.play(now, op)?;
        let sale = &self.primary;
        let slot = |id: Option<u32>| {
            let id = id_of(id.unwrap_or_default());
            sale.find(sale.key(id.as_bytes()))
        };
        let names = |id| slot(id).map_or_else(String::new, |slot| names_of(sale, slot));
        let Played::Said(answer) = played else {
            return Ok(match op {
                Op::RestockUnits { .. } | Op::Restock { .. } => "RESTOCKED".into(),
                Op::Reserve { buys: false, .. } => format!("RESERVED {}", names(id)),
                Op::Reserve { .. } | Op::Checkout { .. } => format!("SOLD {}", names(id)),
                Op::Release { .. } => "RELEASED".into(),
                Op::Refund { .. } => "REFUNDED".into(),
                Op::Sweep => "SWEPT".into(),
                Op::Close => "OK".into(),
            });
        };
        let id_bytes = id_of(id.unwrap_or_default());
        let about = match replaces {
            Some(old) if sale.is_of_replaced(&answer, sale.key(id_bytes.as_bytes())) => Some(old),
            _ => id,
        };
        let sku = |item| String::from_utf8_lossy(sale.item(item).sku).into_owned();
        Ok(match answer {
            Answer::Reserved { .. } => format!("RESERVED {}", names(about)),
            Answer::Sold { .. } => format!("SOLD {}", names(about)),
            Answer::AlreadySold { .. } => "ALREADYSOLD".into(),
            Answer::Refunded { .. } => "REFUNDED".into(),
            Answer::Released => "RELEASED".into(),
            Answer::Expired { grace_left_ms, .. } => match grace_left_ms {
                Some(left_ms) => format!("EXPIRED {left_ms}"),
                None => "EXPIRED".into(),
            },
            Answer::Restocked => "RESTOCKED".into(),
            Answer::Unchanged => "OK".into(),
            Answer::Mismatch => "MISMATCH".into(),
            Answer::NoReservation => "NORESERVATION".into(),
            Answer::Ended { .. } => "ENDED".into(),
            Answer::OrderLimit { limit } => format!("ORDERLIMIT {limit}"),
            Answer::SoldOut { available, item } => format!("SOLDOUT {available} {}", sku(item)),
            Answer::AllReserved { retry_in_ms, item } => {
                format!(
                    "ALLRESERVED {retry_in_ms} {}",
                    item.map(sku).unwrap_or_default()
                )
            }
            Answer::NotFree { retry_in_ms, unit } => {
                let retry = retry_in_ms.map_or(-1, u64::cast_signed);
                format!("NOTFREE {retry} {}", name_of(sale, unit))
            }
            Answer::NotSold { left, which } => match which {
                Which::Nothing => format!("NOTSOLD {left}"),
                Which::Item(item) => format!("NOTSOLD {left} {}", sku(item)),
                Which::Unit(unit) => format!("NOTSOLD unit {}", name_of(sale, unit)),
                Which::Asked(at) => match op {
                    Op::Refund { items, .. } => format!("NOTSOLD {left} {}", items[at].0),
                    _ => "NOTSOLD ?".into(),
                },
            },
            Answer::TooFew { available, item } => format!("TOOFEW {available} {}", sku(item)),
            Answer::NoSku { .. } => "NOSKU".into(),
            Answer::NoUnit { ask } => format!("NOUNIT {ask}"),
            Answer::UnitKnown { ask } => format!("KNOWN {ask}"),
            Answer::Invalid(_) => "ERR".into(),
            other => return Err(format!("{other:?}")),
        })
    }

    /// Does one step on all sides, compares, and returns what was said, for a count.
    pub fn step(&mut self, step: &Step) -> Result<String, Fault> {
        self.model.now += step.later_ms;
        let known = match &step.op {
            Op::Reserve { id, .. } | Op::Checkout { id, .. } => {
                self.model.reservations.get(id).map(|record| record.status)
            }
            _ => None,
        };
        let expected = self.model.answer(&step.op);
        let given = self.answer(&step.op)?;
        if expected != given {
            return Err(format!(
                "model: {expected}\nengine: {given}\nto {:?}",
                step.op
            ));
        }
        self.compare()?;
        self.steps += 1;
        match step.turn {
            0 => {
                self.second = reloaded(&self.primary)?;
            }
            1 => std::mem::swap(&mut self.primary, &mut self.second),
            _ => {}
        }
        if step.turn < 3 && elements(&self.primary) != elements(&self.second) {
            return Err("the copies differ".into());
        }
        let words: Vec<&str> = given.split(' ').collect();
        Ok(match words[..] {
            ["NOTFREE", "-1", ..] => "NOTFREE -1".into(),
            ["NOTFREE", ..] => "NOTFREE later".into(),
            ["NOTSOLD", "unit", ..] => "NOTSOLD unit".into(),
            ["RESERVED", ..] if known.is_some() => "RESERVED again".into(),
            ["SOLD", ..] if known == Some(Status::Sold) => "SOLD again".into(),
            [first, ..] => first.into(),
            [] => String::new(),
        })
    }

    /// Compares all there is to see.
    fn compare(&self) -> Result<(), Fault> {
        for sale in [&self.primary, &self.second] {
            let differences = sale.audit_whole().into_lines();
            if !differences.is_empty() {
                return Err(format!("{differences:?}"));
            }
        }
        let (model, sale) = (&self.model, &self.primary);
        if sale.units_len() != model.units.len() as u64 {
            return Err(format!(
                "{} units, not {}",
                sale.units_len(),
                model.units.len()
            ));
        }
        for (item, kept) in model.items.iter().enumerate() {
            let view = sale.item(item as u32);
            let expected = (
                model.available(item),
                model.reserved(item),
                model.sold(item),
            );
            let given = (view.available, view.reserved, view.sold);
            if given != expected {
                return Err(format!("{}: {given:?}, not {expected:?}", kept.sku));
            }
            let kind = match kept.named {
                None => ItemKind::Counted,
                Some(false) => ItemKind::Named,
                Some(true) => ItemKind::Sealed,
            };
            if sale.kind_of_item(item as u32) != kind {
                return Err(format!("{} is no {kind:?}", kept.sku));
            }
            self.compare_scan(item)?;
        }
        for (id, record) in &model.reservations {
            let slot = sale
                .find(sale.key(id_of(*id).as_bytes()))
                .ok_or("an id is lost")?;
            let has = match record.status {
                Status::Open | Status::Sold => record.units.iter(),
                _ => [].iter(),
            };
            let names: Vec<&str> = has.map(|&unit| model.units[unit].name.as_str()).collect();
            if names_of(sale, slot) != names.join(",") {
                return Err(format!("{id} has {}, not {names:?}", names_of(sale, slot)));
            }
        }
        Ok(())
    }

    /// Reads the units of an item a few at a time.
    fn compare_scan(&self, item: usize) -> Result<(), Fault> {
        let (model, sale) = (&self.model, &self.primary);
        let mut seen = Vec::new();
        let (mut cursor, count) = (0, 1 + (self.steps % 5) as usize);
        loop {
            let mut visited = 0;
            cursor = sale.scan_units(item as u32, cursor, count, &mut |unit| {
                let [mut one, mut other] = [NameBuffer::default(), NameBuffer::default()];
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let holder = unit.holder(&mut other).map(text);
                seen.push((text(unit.name(&mut one)), unit.state, holder));
                visited += 1;
            });
            if visited > count {
                return Err("more units than asked for".into());
            }
            if cursor == 0 {
                break;
            }
        }
        let units = model.units.iter().filter(|unit| unit.item == item);
        let expected = units.filter_map(|unit| {
            let (state, holder) = match unit.state {
                State::Free => (UnitState::Free, None),
                State::Withdrawn => (UnitState::Withdrawn, None),
                State::Held(id) => match model.reservations[&id].status {
                    Status::Sold => (UnitState::Sold, Some(id_of(id))),
                    _ => (UnitState::Reserved, Some(id_of(id))),
                },
            };
            let sealed = model.items[item].named == Some(true);
            (!sealed || state == UnitState::Sold).then(|| (unit.name.clone(), state, holder))
        });
        let expected: Vec<_> = expected.collect();
        if seen != expected {
            return Err(format!("scan {seen:?}, not {expected:?}"));
        }
        Ok(())
    }

    /// A refund of some units of an order there is.
    pub fn some_refund(&self, rng: &mut SmallRng) -> Option<Op> {
        let sold = self.model.reservations.iter();
        let sold: Vec<_> = sold
            .filter(|(_, record)| record.status == Status::Sold)
            .collect();
        let (id, record) = sold.choose(rng)?;
        let mut names: Vec<String> = Vec::new();
        for &unit in &record.units {
            if rng.random_bool(0.4) {
                names.push(self.model.units[unit].name.clone());
            }
        }
        let mut items = Vec::new();
        if names.is_empty() && rng.random_bool(0.5) {
            let left: Vec<_> = record
                .left()
                .into_iter()
                .filter(|(_, qty)| *qty > 0)
                .collect();
            let &(item, qty) = left.choose(rng)?;
            items.push((
                SKUS.into_iter()
                    .find(|sku| *sku == self.model.items[item].sku)?
                    .into(),
                qty,
            ));
        }
        names.sort_by_key(|name| name.len());
        Some(Op::Refund {
            id: **id,
            items,
            names,
            reference: Some(rng.random_range(0..4)),
            no_restock: rng.random_bool(0.2),
        })
    }

    /// The request of a reservation there is, by the names of its units, now and then with
    /// another one in the place of the first.
    pub fn some_retry(&self, rng: &mut SmallRng) -> Option<Op> {
        let known: Vec<_> = self.model.reservations.iter().collect();
        let (id, record) = known.choose(rng)?;
        let model = &self.model;
        let of_units = |item: usize| {
            record
                .units
                .iter()
                .any(|&unit| model.units[unit].item == item)
        };
        let lines = record.lines.iter().filter(|(item, _)| !of_units(*item));
        let items = lines
            .map(|&(item, qty)| (model.items[item].sku.clone(), qty))
            .collect();
        let names = record
            .units
            .iter()
            .map(|&unit| model.units[unit].name.clone());
        let mut names: Vec<String> = names.collect();
        if let Some(&unit) = record.units.first()
            && rng.random_bool(0.5)
        {
            let item = model.units[unit].item;
            let others = (0..model.units.len())
                .filter(|other| model.units[*other].item == item && !record.units.contains(other));
            let others: Vec<usize> = others.collect();
            names[0] = model.units[*others.choose(rng)?].name.clone();
        }
        Some(Op::Reserve {
            id: **id,
            user: record.user.min(3),
            items,
            names,
            replaces: None,
            buys: rng.random_bool(0.3),
        })
    }
}
