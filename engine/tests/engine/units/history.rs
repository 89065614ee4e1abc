//! Units on one history: replies are lost and doubled, primaries restart and are lost.
//!
//! **Goal**: no unit is ever in two hands, and no code is named before its order or in two orders,
//! on the history that survives.
//!
//! **Method**: seeded clients reserve, buy, check out, release and refund seats and codes, and send
//! a request again until a reply reaches them. A primary keeps a log of its events; a replica lags
//! behind it, and takes over at any point of the log, so that what was decided since is lost with
//! its entries; or the primary restarts from a snapshot. A judge, who knows the log and the replies
//! alone, looks after each step.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::world::{BEGIN_MS, BOUNDS, ask_of, names_of};
use crate::commands::copies::reloaded;
use crate::commands::seeded::{fresh_seed, from_environment};
use flashsale_engine::sale::{
    Answer, Change, Changes, Checkout, CreateAsk, EntryId, Event, Hasher, NameBuffer, Pass,
    RefundAsk, Reserve, RestockUnits, Sale, State, decode_event, encode_event,
};

const STEPS: usize = 1_500;
const CLIENTS: usize = 12;

/// An order or a refund in the stream: its id, and the names of its units.
#[derive(Clone, Debug)]
struct Entry {
    id: String,
    is_refund: bool,
    names: Vec<String>,
}

/// A primary with the log of its events, and a replica somewhere behind it.
struct Servers {
    primary: Sale,
    replica: Sale,
    applied: usize,
    log: Vec<(Vec<u8>, Option<Entry>)>,
    entries: u64,
    now: u64,
}

#[derive(Clone, Debug)]
enum Want {
    Reserve(Vec<(String, u64)>),
    Buy(Vec<(String, u64)>),
    /// By name.
    Seats(Vec<String>),
    Checkout,
    Release,
    Refund,
}

#[derive(Clone, Debug)]
struct Client {
    id: String,
    want: Want,
}

fn hasher() -> Hasher {
    Hasher::new([7, 11])
}

impl Servers {
    fn new() -> Servers {
        let create = CreateAsk {
            sale_id: 1,
            orders: b"orders",
            items: vec![(b"ga", 50), (b"stalls", 0), (b"code", 0)],
            changes: Changes {
                grace_ms: Some(40),
                remember_ms: Some(100_000),
                ..Changes::default()
            },
            hold_ms_default: 80,
            keep_ms_default: 3_600_000,
        };
        let event = Sale::plan_create(BEGIN_MS, &create, &BOUNDS).expect("a sale");
        let mut primary = Sale::create(&event, hasher()).expect("a sale");
        for (sku, rows, len) in [("stalls", 6, 7), ("code", 3, 20)] {
            for row in 0..rows {
                let names: Vec<String> = (0..len).map(|n| format!("{sku}-{row}-{n}")).collect();
                let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
                let ask = RestockUnits {
                    sku: sku.as_bytes(),
                    names: &names,
                    sealed: sku == "code",
                    new: false,
                    withdraw: false,
                    reference: None,
                };
                let event = primary.plan_restock_units(BEGIN_MS, &ask, &BOUNDS);
                let event = event.expect("a row");
                primary.apply(&event);
            }
        }
        let replica = reloaded(&primary).expect("a copy");
        Servers {
            primary,
            replica,
            applied: 0,
            log: Vec::new(),
            entries: 0,
            now: BEGIN_MS,
        }
    }

    fn commit(&mut self, event: &Event<'_>) {
        let units = self.primary.units_of_change(&event.change);
        let names = units
            .iter()
            .map(|&unit| super::world::name_of(&self.primary, unit));
        let names: Vec<String> = names.collect();
        let entry = match &event.change {
            Change::Sold { id, .. } | Change::Bought { id, .. } => Some((id, false)),
            Change::Refunded(refund) => Some((&refund.id, true)),
            _ => None,
        };
        let entry = entry.map(|(id, is_refund)| Entry {
            id: String::from_utf8_lossy(id.bytes(&mut NameBuffer::default())).into_owned(),
            is_refund,
            names,
        });
        let mut bytes = Vec::new();
        encode_event(event, &mut bytes);
        self.primary.apply(event);
        self.log.push((bytes, entry));
    }

    fn follow(&mut self, most: usize) {
        let end = (self.applied + most).min(self.log.len());
        for (bytes, _) in &self.log[self.applied..end] {
            let event = decode_event(bytes, self.replica.hasher()).expect("an event");
            assert_eq!(self.replica.check(&event), Ok(()), "{event:?}");
            self.replica.apply(&event);
        }
        self.applied = end;
    }

    /// The replica takes over as it is.
    fn promote(&mut self) {
        self.log.truncate(self.applied);
        let replica = reloaded(&self.replica).expect("a copy");
        self.primary = std::mem::replace(&mut self.replica, replica);
    }

    fn own(&mut self, plan: Option<Event<'_>>) {
        // Names of an event are those of the sale, which is about to change.
        let Some(event) = plan else { return };
        let mut bytes = Vec::new();
        encode_event(&event, &mut bytes);
        let event = decode_event(&bytes, self.primary.hasher()).expect("an event");
        self.commit(&event);
    }

    fn entry(&mut self) -> EntryId {
        self.entries += 1;
        EntryId {
            ms: self.entries,
            seq: 0,
        }
    }

    /// Carries a request out: the first word of the reply, and the names in it.
    fn ask(&mut self, client: &Client) -> (&'static str, String) {
        let now = self.now;
        while let Some(event) = self.primary.plan_sweep(now, 100) {
            self.own(Some(event));
        }
        let id = self.primary.hasher().key(client.id.as_bytes());
        let user = self.primary.hasher().key(b"user");
        let seats = match &client.want {
            Want::Seats(names) => names.iter().map(String::as_bytes).collect(),
            _ => Vec::new(),
        };
        let items: &[(String, u64)] = match &client.want {
            Want::Reserve(items) | Want::Buy(items) => items,
            _ => &[],
        };
        let reserve = Reserve {
            user,
            ask: ask_of(items),
            units: &seats,
            id,
            hold_ms: None,
            replaces: None,
            waits: false,
            pass: Pass::Vouched,
        };
        let event = match &client.want {
            Want::Reserve(_) | Want::Seats(_) => self.primary.plan_reserve(now, &reserve, &BOUNDS),
            Want::Buy(_) => {
                let plan = self.primary.plan_buy(now, &reserve, None, None, &BOUNDS);
                plan.map(|pending| pending.entered(self.entry()))
            }
            Want::Checkout => {
                let ask = Checkout {
                    id,
                    user: None,
                    reference: None,
                    payload: None,
                };
                let plan = self.primary.plan_checkout(now, &ask);
                plan.map(|pending| pending.entered(self.entry()))
            }
            Want::Release => self.primary.plan_release(now, id, None, &BOUNDS),
            Want::Refund => {
                let ask = RefundAsk {
                    id,
                    user: None,
                    ask: None,
                    units: &[],
                    reference: None,
                    no_restock: false,
                    restore_limit: false,
                };
                let plan = self.primary.plan_refund(now, &ask);
                plan.map(|pending| pending.entered(self.entry()))
            }
        };
        let word = match (&event, &client.want) {
            (Ok(_), Want::Reserve(_) | Want::Seats(_)) | (Err(Answer::Reserved { .. }), _) => {
                "RESERVED"
            }
            (Ok(_), Want::Buy(_) | Want::Checkout) | (Err(Answer::Sold { .. }), _) => "SOLD",
            (Ok(_), _) => "DONE",
            (Err(_), _) => "NO",
        };
        if let Ok(event) = event {
            self.commit(&event);
        }
        let slot = self.primary.find(self.primary.key(client.id.as_bytes()));
        let names = match word {
            "RESERVED" | "SOLD" => slot.map(|slot| names_of(&self.primary, slot)),
            _ => None,
        };
        (word, names.unwrap_or_default())
    }
}

/// Looks at the log, at all hands, and at a reply.
fn judge(servers: &Servers, replies: &BTreeMap<String, String>) {
    let mut named = BTreeSet::new();
    let mut orders = BTreeMap::new();
    for entry in servers.log.iter().filter_map(|(_, entry)| entry.as_ref()) {
        let codes = entry.names.iter().filter(|name| name.starts_with("code"));
        for code in codes.filter(|_| !entry.is_refund) {
            assert!(named.insert(code), "{code} is in two orders");
        }
        if !entry.is_refund {
            let names = entry.names.join(",");
            assert!(
                orders.insert(&entry.id, names).is_none(),
                "{} twice",
                entry.id
            );
        }
    }
    // A reply names what the order of the surviving history has.
    for (id, names) in replies {
        if let Some(order) = orders.get(id) {
            assert_eq!(names, order, "{id} was told something else");
        }
    }
    let (sale, mut hands) = (&servers.primary, BTreeMap::new());
    let mut known = Vec::new();
    sale.scan(0, 100_000, None, &mut |slot| known.push(slot));
    for slot in known {
        let view = sale.view(slot).expect("a reservation");
        for unit in sale.units_of(slot) {
            let other = hands.insert(unit, slot);
            assert!(other.is_none(), "the unit {unit} is in two hands");
            let is_code = super::world::name_of(sale, unit).starts_with("code");
            assert!(
                !is_code || view.state == State::Sold,
                "a code before its order"
            );
        }
    }
    assert_eq!(sale.audit(), Vec::<String>::new());
}

fn cart(rng: &mut SmallRng) -> Vec<(String, u64)> {
    let skus = ["stalls", "code", "ga"];
    let mut items: Vec<(String, u64)> = Vec::new();
    for sku in skus {
        if rng.random_bool(0.4) {
            items.push((sku.into(), rng.random_range(1..4)));
        }
    }
    if items.is_empty() {
        items.push(("stalls".into(), 2));
    }
    items
}

fn live(seed: u64) -> [u64; 3] {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut servers = Servers::new();
    let mut count = 0;
    let mut next = |rng: &mut SmallRng| {
        count += 1;
        let want = match rng.random_range(0..3) {
            0 => Want::Buy(cart(rng)),
            1 => Want::Reserve(cart(rng)),
            _ => {
                let (row, seat) = (rng.random_range(0..6), rng.random_range(0..6));
                let seats = [seat, seat + 1];
                Want::Seats(seats.map(|seat| format!("stalls-{row}-{seat}")).to_vec())
            }
        };
        Client {
            id: format!("id-{count}"),
            want,
        }
    };
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| next(&mut rng)).collect();
    let mut replies = BTreeMap::new();
    let mut seen = [0; 3];
    for _ in 0..STEPS {
        servers.now += *[0, 1, 7, 30].choose(&mut rng).expect("a time");
        match rng.random_range(0..60) {
            0 => {
                servers.promote();
                // What was told of an order that is lost is void.
                let orders = servers.log.iter().filter_map(|(_, entry)| entry.as_ref());
                let orders: BTreeSet<&String> = orders.map(|entry| &entry.id).collect();
                replies.retain(|id, _| orders.contains(id));
                seen[0] += 1;
            }
            1 => servers.primary = reloaded(&servers.primary).expect("a restart"),
            2..30 => servers.follow(rng.random_range(0..6)),
            _ => {}
        }
        let at = rng.random_range(0..clients.len());
        let client = clients[at].clone();
        let (word, names) = servers.ask(&client);
        if word == "RESERVED" {
            assert!(!names.contains("code"), "a code before its order: {names}");
        }
        if rng.random_bool(0.3) {
            // The reply is lost: the same request comes again.
            judge(&servers, &replies);
            continue;
        }
        if word == "SOLD" {
            seen[1] += 1;
            seen[2] += u64::from(names.contains("code"));
            replies.insert(client.id.clone(), names);
        }
        judge(&servers, &replies);
        let follows = match (word, &client.want) {
            ("RESERVED", _) if rng.random_bool(0.8) => Some(Want::Checkout),
            ("RESERVED", _) => Some(Want::Release),
            ("SOLD", _) if rng.random_bool(0.3) => Some(Want::Refund),
            _ => None,
        };
        if matches!(follows, Some(Want::Refund)) {
            // A refunded order has fewer units than its entry.
            replies.remove(&client.id);
        }
        clients[at] = match follows {
            Some(want) => Client {
                id: client.id,
                want,
            },
            None => next(&mut rng),
        };
    }
    seen
}

#[test]
fn no_unit_is_in_two_hands_and_no_code_in_two_orders_on_one_history() {
    let seed = from_environment("FLASHSALE_SEED").unwrap_or_else(fresh_seed);
    println!("FLASHSALE_SEED={seed}");
    let mut seen = [0; 3];
    for n in 0..12 {
        let lived = live(seed.wrapping_add(n));
        for (sum, more) in seen.iter_mut().zip(lived) {
            *sum += more;
        }
    }
    assert!(seen.iter().all(|&count| count > 20), "{seen:?}");
}
