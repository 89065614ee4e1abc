//! A sale with its history and its stream: what a failover cuts.

use super::decide::{self, KnownRefund, OrderRow, RefundRow, State, Units};
use crate::commands::play::{Done, Fault, Host};
use flashsale_engine::sale::{
    self, Bounds, Change, EntryId, Event, Hasher, NameBuffer, Sale, Slot, View, decode_event,
    encode_event,
};
use flashsale_fuzz::samples::set_entry;

/// The key of the names' hashes, the same in each history.
const HASHER: Hasher = Hasher::new([1, 2]);

const BOUNDS: Bounds = Bounds {
    units_max: 1_000_000,
    reservations_max: 10_000,
    items_max: 10,
};

/// An entry of the stream.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: decide::EntryId,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Order(OrderRow),
    Refund(RefundRow),
}

/// One event of the history.
struct Logged {
    bytes: Vec<u8>,
    entry: Option<Entry>,
    /// By item, what CREATE, RESTOCK and refunds without restock have made of its stock.
    base: Vec<i64>,
}

/// A primary.
pub struct Server {
    pub sale: Sale,
    log: Vec<Logged>,
    pub stream: Vec<Entry>,
    /// The last ID that was ever given.
    pub last_id: decide::EntryId,
    pub now_ms: u64,
    pub base: Vec<i64>,
}

impl Server {
    pub fn new(event: &Event<'_>, stock: &[u64]) -> Result<Self, Fault> {
        let sale = Sale::create(event, HASHER).ok_or("no sale")?;
        let base: Vec<i64> = stock.iter().map(|units| units.cast_signed()).collect();
        let mut bytes = Vec::new();
        encode_event(event, &mut bytes);
        let created = Logged {
            bytes,
            entry: None,
            base: base.clone(),
        };
        Ok(Self {
            sale,
            log: vec![created],
            stream: Vec::new(),
            last_id: (0, 0),
            now_ms: event.at_ms,
            base,
        })
    }

    pub fn events(&self) -> usize {
        self.log.len()
    }

    /// What is left of it after its last events are lost.
    pub fn prefix(&self, len: usize) -> Result<Self, Fault> {
        let mut server: Option<Self> = None;
        for logged in &self.log[..len] {
            let event = decode_event(&logged.bytes, HASHER).map_err(|error| error.to_string())?;
            let server = match &mut server {
                None => {
                    let stock: Vec<u64> = (logged.base.iter())
                        .map(|units| units.unsigned_abs())
                        .collect();
                    server = Some(Self::new(&event, &stock)?);
                    continue;
                }
                Some(server) => server,
            };
            server
                .sale
                .check(&event)
                .map_err(|fault| fault.to_string())?;
            server.sale.apply(&event);
            server.note(&logged.bytes, logged.entry.clone(), logged.base.clone());
            server.now_ms = server.now_ms.max(event.at_ms);
        }
        server.ok_or_else(|| "an empty history".into())
    }

    fn note(&mut self, bytes: &[u8], entry: Option<Entry>, base: Vec<i64>) {
        self.base.clone_from(&base);
        if let Some(entry) = &entry {
            self.last_id = entry.id;
            self.stream.push(entry.clone());
        }
        self.log.push(Logged {
            bytes: bytes.to_vec(),
            entry,
            base,
        });
    }

    pub fn import(&mut self, row: &OrderRow) -> Result<Result<(), sale::Answer>, Fault> {
        let lines: Vec<(&[u8], u64)> = (row.units.lines())
            .map(|(sku, line)| (sku, line.qty))
            .collect();
        let reference = (!row.reference.is_empty()).then_some(&row.reference[..]);
        let ask = sale::Import {
            units: &[],
            user: self.sale.key(&row.user),
            ask: sale::Ask::Items(lines.into_iter().collect()),
            id: self.sale.key(&row.id),
            sold_at_ms: row.at_ms.unsigned_abs(),
            reference,
            payload: None,
        };
        let now_ms = self.sale.time(self.now_ms).now_ms;
        match self.sale.plan_import(now_ms, &ask, &BOUNDS) {
            Ok(pending) => {
                let event = pending.entered(EntryId::default());
                self.commit(event)?;
                Ok(Ok(()))
            }
            Err(answer) => Ok(Err(answer)),
        }
    }

    /// An id as GET shows it, with its entry and those of its refunds.
    pub fn get(&self, id: &[u8]) -> Option<(decide::Known, Option<Entry>, Vec<Entry>)> {
        let slot = self.sale.find(self.sale.key(id))?;
        let view = self.sale.view(slot)?;
        let state = match view.state {
            sale::State::Sold => State::Sold,
            sale::State::Refunded => State::Refunded,
            _ => State::Unsold,
        };
        let refunds = self.refund_rows(slot, id);
        let known = decide::Known {
            state,
            user: view.user(&mut NameBuffer::default()).map(<[u8]>::to_vec),
            units: (!view.is_shortened).then(|| self.units(&view.lines)),
            reference: view.reference().unwrap_or_default().to_vec(),
            refunds: (refunds.iter())
                .map(|(_, row)| KnownRefund {
                    reference: row.reference.clone(),
                    units: row.units.clone(),
                })
                .collect(),
        };
        let order = view.order.map(|entry| Entry {
            id: (entry.ms, entry.seq),
            what: What::Order(self.order_row(&view)),
        });
        let refunds = refunds.into_iter().map(|(id, row)| Entry {
            id,
            what: What::Refund(row),
        });
        Some((known, order, refunds.collect()))
    }

    fn units(&self, lines: &[sale::Line]) -> Units {
        let mut units = Units::default();
        for line in lines {
            units.add(self.sale.item(line.item).sku, line.qty);
        }
        units
    }

    fn order_row(&self, view: &View<'_>) -> OrderRow {
        OrderRow {
            id: view.id(&mut NameBuffer::default()).to_vec(),
            user: (view.user(&mut NameBuffer::default()))
                .unwrap_or_default()
                .to_vec(),
            reference: view.reference().unwrap_or_default().to_vec(),
            units: self.units(&view.lines),
            at_ms: view.sold_at_ms.unwrap_or_default().cast_signed(),
        }
    }

    fn refund_rows(&self, slot: Slot, id: &[u8]) -> Vec<(decide::EntryId, RefundRow)> {
        let row = |refund: sale::RefundView<'_>| {
            let row = RefundRow {
                id: id.to_vec(),
                reference: refund.reference.unwrap_or_default().to_vec(),
                units: self.units(&refund.lines),
                restorelimit: refund.restore_limit,
                norestock: refund.no_restock == Some(true),
                at_ms: refund.entry.ms.cast_signed(),
            };
            ((refund.entry.ms, refund.entry.seq), row)
        };
        self.sale.refunds(slot).map(row).collect()
    }

    /// All ids that are sold, refunded or not.
    pub fn sold(&self) -> Vec<Vec<u8>> {
        let mut ids = Vec::new();
        for state in [sale::State::Sold, sale::State::Refunded] {
            self.sale.scan(0, usize::MAX, Some(state), &mut |slot| {
                if let Some(view) = self.sale.view(slot) {
                    ids.push(view.id(&mut NameBuffer::default()).to_vec());
                }
            });
        }
        ids
    }

    /// The entry that a change of one reservation has made.
    fn entry_of(&self, slot: Slot, at: EntryId, is_refund: bool) -> Option<Entry> {
        let view = self.sale.view(slot)?;
        let order = self.order_row(&view);
        let what = if is_refund {
            What::Refund(self.refund_rows(slot, &order.id).pop()?.1)
        } else {
            What::Order(order)
        };
        Some(Entry {
            id: (at.ms, at.seq),
            what,
        })
    }

    fn shift_base(&mut self, change: &Change<'_>, entry: Option<&Entry>) -> Vec<i64> {
        let mut base = self.base.clone();
        let mut shift = |sale: &Sale, sku: &[u8], by: i64| {
            let item = sale.items().position(|item| item.sku == sku);
            base[item.expect("an item")] += by;
        };
        if let Change::Restocked { deltas, .. } = change {
            for delta in deltas {
                shift(&self.sale, &delta.sku, delta.delta);
            }
        }
        if let Some(What::Refund(row)) = entry.map(|entry| &entry.what)
            && row.norestock
        {
            for (sku, line) in row.units.lines() {
                shift(&self.sale, sku, -line.qty.cast_signed());
            }
        }
        base
    }
}

impl Host for Server {
    fn sale(&self) -> &Sale {
        &self.sale
    }

    fn bounds(&self) -> Bounds {
        BOUNDS
    }

    fn sweep_max(&self) -> u32 {
        3
    }

    fn commit(&mut self, event: Event<'_>) -> Result<Done, Fault> {
        let mut event = event;
        let has_entry = event.entry().is_some();
        let at = EntryId {
            ms: self.now_ms.max(self.last_id.0),
            seq: self.last_id.1 + 1,
        };
        if has_entry {
            set_entry(&mut event, at);
            if let Change::Imported(imported) = &mut event.change {
                imported.order.entry = at;
            }
        }
        self.sale.check(&event).map_err(|fault| fault.to_string())?;
        let mut bytes = Vec::new();
        encode_event(&event, &mut bytes);
        let slot = self.sale.apply(&event).slot;
        let is_refund = matches!(event.change, Change::Refunded(_));
        let entry = match (has_entry, slot) {
            (true, Some(slot)) => self.entry_of(slot, at, is_refund),
            _ => None,
        };
        let base = self.shift_base(&event.change, entry.as_ref());
        self.note(&bytes, entry, base);
        Ok(Done {
            slot,
            entry: has_entry.then_some(at),
        })
    }
}
