//! What one client was told about one reservation, and whether the next answer goes
//! with it: a deadline moves only outwards, a sold id stays sold under the same stream
//! ID, a retry is answered as the first was, brought up to date.

use std::collections::BTreeMap;

use super::wait::unix_ms;

/// How far a reservation has come, by the answers about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Nothing was answered yet, or a refusal.
    Asked,
    Reserved,
    Sold,
    Refunded,
    Released,
    Expired,
}

/// What a client asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    Reserve,
    Buy,
    Checkout,
    Extend,
    Release,
    /// One unit, under this number as REF.
    RefundOne(u32),
    RefundAll,
    /// RESERVE and CHECKOUT between MULTI and EXEC.
    Transaction,
    /// The same in a Lua script.
    Script,
}

impl Deed {
    fn may_be_refused(self) -> bool {
        matches!(
            self,
            Deed::Reserve | Deed::Buy | Deed::Transaction | Deed::Script
        )
    }

    fn sells(self) -> bool {
        matches!(
            self,
            Deed::Buy | Deed::Checkout | Deed::Transaction | Deed::Script
        )
    }
}

/// Something an answer promised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fact {
    /// The id is known, and its deadline is this moment or a later one.
    Until(u64),
    /// The order has this stream ID.
    Ordered(String),
    /// The refund has this stream ID.
    Refunded(String),
    /// The units were given back.
    Released,
}

/// A refund that was answered.
pub struct Refund {
    pub deed: Deed,
    pub entry: String,
    sku: String,
}

pub struct Story {
    pub id: String,
    pub user: String,
    /// Units per SKU.
    pub units: BTreeMap<String, u64>,
    pub hold_ms: u64,
    pub stage: Stage,
    pub until_ms: u64,
    pub order: String,
    pub refunds: Vec<Refund>,
}

const SCRIPT: &str = "'local held = redis.call(\"FLASHSALE.RESERVE\", KEYS[1], unpack(ARGV)) \
     if held[1] ~= \"RESERVED\" then return held end \
     return redis.call(\"FLASHSALE.CHECKOUT\", KEYS[1], KEYS[2], held[2], \"REF\", \"p-\" .. held[2])'";

impl Story {
    pub fn new(id: String, user: String, units: BTreeMap<String, u64>, hold_ms: u64) -> Story {
        Story {
            id,
            user,
            units,
            hold_ms,
            stage: Stage::Asked,
            until_ms: 0,
            order: String::new(),
            refunds: Vec::new(),
        }
    }

    /// The command lines of a deed; the last one's answer is the one that counts.
    pub fn lines(&self, deed: Deed) -> Vec<String> {
        let Story { id, user, .. } = self;
        let cart = self.cart();
        let hold = self.hold_ms;
        let reserve = format!("{user} {cart} ID {id} HOLD {hold}");
        let checkout = format!("FLASHSALE.CHECKOUT sale orders {id} REF p-{id}");
        let line = match deed {
            Deed::Reserve => format!("FLASHSALE.RESERVE sale {reserve}"),
            Deed::Buy => {
                format!("FLASHSALE.BUY sale orders {user} {cart} ID {id} REF p-{id}")
            }
            Deed::Checkout => checkout,
            Deed::Extend => format!("FLASHSALE.EXTEND sale {id} 3000000"),
            Deed::Release => format!("FLASHSALE.RELEASE sale {id}"),
            Deed::RefundOne(number) => {
                let sku = self.sku_to_refund(deed);
                format!(
                    "FLASHSALE.REFUND sale orders {id} ITEMS 1 {sku} 1 REF f{number} RESTORELIMIT"
                )
            }
            Deed::RefundAll => format!("FLASHSALE.REFUND sale orders {id} NORESTOCK"),
            Deed::Transaction => {
                let reserve = format!("FLASHSALE.RESERVE sale {reserve}");
                return vec!["MULTI".to_owned(), reserve, checkout, "EXEC".to_owned()];
            }
            Deed::Script => format!("EVAL {SCRIPT} 2 sale orders {reserve}"),
        };
        vec![line]
    }

    fn cart(&self) -> String {
        let count = self.units.len();
        let lines = self.units.iter().map(|(sku, qty)| format!(" {sku} {qty}"));
        format!("ITEMS {count}{}", lines.collect::<String>())
    }

    /// The SKU a refund was about, or is to be about.
    fn sku_to_refund(&self, deed: Deed) -> &str {
        let known = self.refunds.iter().find(|refund| refund.deed == deed);
        let left = self.units.iter().find(|(sku, qty)| {
            let back = self.refunds.iter().filter(|refund| refund.sku == **sku);
            back.count() < **qty as usize
        });
        known
            .map(|refund| refund.sku.as_str())
            .or(left.map(|(sku, _)| sku.as_str()))
            .expect("units that were not refunded yet")
    }

    /// Takes an answer in; what it promises that was not promised before.
    ///
    /// # Errors
    ///
    /// The answer contradicts an earlier one, in words.
    pub fn hear(&mut self, deed: Deed, answer: &[String]) -> Result<Option<Fact>, String> {
        let about = answer.get(1).is_some_and(|id| *id == self.id);
        let detail = answer.get(2).cloned().unwrap_or_default();
        match (answer[0].as_str(), self.stage) {
            ("RESERVED", Stage::Asked | Stage::Reserved) if about => {
                let until_ms = detail.parse().expect("a deadline");
                if until_ms < self.until_ms {
                    return self.contradicts(deed, answer);
                }
                let is_news = until_ms > self.until_ms;
                self.stage = Stage::Reserved;
                self.until_ms = until_ms;
                Ok(is_news.then_some(Fact::Until(until_ms)))
            }
            ("SOLD", Stage::Sold) if about && detail == self.order => Ok(None),
            ("SOLD", Stage::Asked | Stage::Reserved) if about && deed.sells() => {
                self.stage = Stage::Sold;
                self.order = detail.clone();
                Ok(Some(Fact::Ordered(detail)))
            }
            ("REFUNDED", Stage::Sold | Stage::Refunded) if about => {
                self.hear_refund(deed, answer, detail)
            }
            ("RELEASED", Stage::Asked | Stage::Reserved) if about && deed == Deed::Release => {
                self.stage = Stage::Released;
                Ok(Some(Fact::Released))
            }
            ("RELEASED", Stage::Released) if about => Ok(None),
            ("RELEASED", Stage::Expired) if about && deed == Deed::Release => Ok(None),
            // Of an id whose first answer was lost, the deadline is not known here.
            ("EXPIRED", Stage::Asked | Stage::Reserved | Stage::Expired) if about => {
                let expired_at_ms: u64 = detail.parse().expect("a deadline");
                if expired_at_ms < self.until_ms || expired_at_ms > unix_ms() {
                    return self.contradicts(deed, answer);
                }
                self.stage = Stage::Expired;
                Ok(None)
            }
            (
                "SOLDOUT" | "ALLRESERVED" | "USERLIMIT" | "ITEMLIMIT" | "SALELIMIT"
                | "NORESERVATION",
                Stage::Asked,
            ) if deed.may_be_refused() => Ok(None),
            _ => self.contradicts(deed, answer),
        }
    }

    fn hear_refund(
        &mut self,
        deed: Deed,
        answer: &[String],
        entry: String,
    ) -> Result<Option<Fact>, String> {
        let known = self.refunds.iter().find(|refund| refund.deed == deed);
        let asks_anew = matches!(deed, Deed::RefundOne(_) | Deed::RefundAll);
        // The last one tells of a wholly refunded order whatever else was asked.
        match known.or(self.refunds.last().filter(|_| !asks_anew)) {
            Some(refund) if refund.entry == entry => return Ok(None),
            None if asks_anew && self.stage == Stage::Sold => {}
            _ => return self.contradicts(deed, answer),
        }
        let sku = match deed {
            Deed::RefundOne(_) => self.sku_to_refund(deed).to_owned(),
            _ => String::new(),
        };
        self.refunds.push(Refund {
            deed,
            entry: entry.clone(),
            sku,
        });
        let units: u64 = self.units.values().sum();
        if deed == Deed::RefundAll || self.refunds.len() as u64 == units {
            self.stage = Stage::Refunded;
        }
        Ok(Some(Fact::Refunded(entry)))
    }

    fn contradicts(&self, deed: Deed, answer: &[String]) -> Result<Option<Fact>, String> {
        let Story {
            id,
            stage,
            until_ms,
            order,
            ..
        } = self;
        Err(format!(
            "{id} is {stage:?} until {until_ms}, order '{order}', but {deed:?} is answered {}",
            answer.join(" ")
        ))
    }
}
