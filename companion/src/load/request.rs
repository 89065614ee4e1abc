//! What a buyer asks for, and its bytes: as a command of its own, or as an entry of a batch.

use super::buyer::Line;
use super::resp::{push_command, push_header, push_word};
use crate::split::rules::place::part_of_user;

/// What a buyer is about to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Reserve,
    /// RESERVE with REPLACE.
    Change,
    Checkout,
    /// CHECKOUT under another REF.
    PayAgain,
    Release,
}

/// The rows of the tables, in their order.
pub const COMMANDS: [&str; 4] = ["RESERVE", "REPLACE", "CHECKOUT", "RELEASE"];

impl Step {
    /// Returns the row in `COMMANDS`.
    pub fn row(self) -> usize {
        match self {
            Self::Reserve => 0,
            Self::Change => 1,
            Self::Checkout | Self::PayAgain => 2,
            Self::Release => 3,
        }
    }
}

/// The keys of a sale, and the names of its items.
#[derive(Clone, Debug, Default)]
pub struct Sale {
    pub key: String,
    pub orders: String,
    pub items: Vec<String>,
    /// Key and stream of each part of a split sale; empty for a sale of one key.
    pub parts: Vec<(String, String)>,
}

impl Sale {
    /// Returns the position of an item.
    pub fn item(&self, sku: &str) -> Option<usize> {
        self.items.iter().position(|known| known == sku)
    }

    /// Returns the part of a user; 0 in a sale of one key.
    pub fn part_of(&self, user: &str) -> usize {
        part_of_user(user.as_bytes(), self.parts.len().max(1))
    }

    /// Returns the key and the stream that have what a user has.
    fn place_of(&self, user: &str) -> (&str, &str) {
        match self.parts.get(self.part_of(user)) {
            Some((key, orders)) => (key, orders),
            None => (&self.key, &self.orders),
        }
    }

    /// Returns each part as a sale of its own; the sale itself if it has none.
    pub fn each(&self) -> Vec<Self> {
        if self.parts.is_empty() {
            return vec![self.clone()];
        }
        let part = |(key, orders): &(String, String)| Self {
            key: key.clone(),
            orders: orders.clone(),
            items: self.items.clone(),
            parts: Vec::new(),
        };
        self.parts.iter().map(part).collect()
    }
}

/// One request of one buyer.
#[derive(Clone, Debug)]
pub struct Request {
    pub step: Step,
    pub user: String,
    pub id: String,
    /// The reservation that a `Change` replaces.
    pub old_id: String,
    pub first: Line,
    pub second: Option<Line>,
    /// RESERVE with WAIT.
    pub waits: bool,
}

/// Requests that one command can carry: the same command and, of MRESERVE, the same item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Reserve(usize),
    Checkout,
    Release,
}

impl Request {
    /// Returns the kind of batch that can carry this request, if one can: carts, REPLACE and WAIT
    /// go alone.
    pub fn kind(&self) -> Option<Kind> {
        match self.step {
            Step::Reserve if self.second.is_none() && !self.waits => {
                Some(Kind::Reserve(self.first.0))
            }
            Step::Reserve | Step::Change => None,
            Step::Checkout | Step::PayAgain => Some(Kind::Checkout),
            Step::Release => Some(Kind::Release),
        }
    }

    /// Returns the REF of the payment: another one where the buyer pays again.
    pub fn reference(&self) -> String {
        match self.step {
            Step::PayAgain => format!("again-{}", self.id),
            _ => format!("pay-{}", self.id),
        }
    }

    /// Appends the command of this request alone.
    pub fn push(&self, sale: &Sale, bytes: &mut Vec<u8>) {
        let (key, orders) = sale.place_of(&self.user);
        let (key, orders, id) = (key.as_bytes(), orders.as_bytes(), self.id.as_bytes());
        match self.step {
            Step::Reserve | Step::Change => {
                let lines: Vec<Line> = [Some(self.first), self.second]
                    .into_iter()
                    .flatten()
                    .collect();
                let count = lines.len().to_string();
                let units: Vec<String> = lines.iter().map(|line| line.1.to_string()).collect();
                let mut words: Vec<&[u8]> = vec![b"FLASHSALE.RESERVE", key];
                words.extend([self.user.as_bytes(), b"ITEMS", count.as_bytes()]);
                for (line, units) in lines.iter().zip(&units) {
                    words.extend([sale.items[line.0].as_bytes(), units.as_bytes()]);
                }
                words.extend([&b"ID"[..], id]);
                if self.step == Step::Change {
                    words.extend([&b"REPLACE"[..], self.old_id.as_bytes()]);
                }
                if self.step == Step::Reserve && self.waits {
                    words.push(b"WAIT");
                }
                push_command(bytes, &words);
            }
            Step::Checkout | Step::PayAgain => {
                let reference = self.reference();
                let words = [b"FLASHSALE.CHECKOUT", key, orders, id, b"REF"];
                push_command(bytes, &[&words[..], &[reference.as_bytes()]].concat());
            }
            Step::Release => push_command(bytes, &[b"FLASHSALE.RELEASE", key, id]),
        }
    }
}

/// Appends one command for requests of one kind.
pub fn push_batch<'r>(
    kind: Kind,
    requests: impl ExactSizeIterator<Item = &'r Request>,
    sale: &Sale,
    bytes: &mut Vec<u8>,
) {
    let (name, words_each, tail) = match kind {
        Kind::Reserve(item) => ("FLASHSALE.MRESERVE", 3, Some(sale.items[item].as_str())),
        Kind::Checkout => ("FLASHSALE.MCHECKOUT", 2, None),
        Kind::Release => ("FLASHSALE.MRELEASE", 1, None),
    };
    let has_orders = kind == Kind::Checkout;
    let words = 4 + usize::from(has_orders) + words_each * requests.len();
    push_header(bytes, b'*', words + if tail.is_some() { 2 } else { 0 });
    push_word(bytes, name.as_bytes());
    push_word(bytes, sale.key.as_bytes());
    if has_orders {
        push_word(bytes, sale.orders.as_bytes());
    }
    push_word(bytes, b"ENTRIES");
    push_word(bytes, requests.len().to_string().as_bytes());
    for request in requests {
        match kind {
            Kind::Reserve(_) => {
                push_word(bytes, request.user.as_bytes());
                push_word(bytes, request.first.1.to_string().as_bytes());
                push_word(bytes, request.id.as_bytes());
            }
            Kind::Checkout => {
                push_word(bytes, request.id.as_bytes());
                push_word(bytes, request.reference().as_bytes());
            }
            Kind::Release => push_word(bytes, request.id.as_bytes()),
        }
    }
    if let Some(sku) = tail {
        push_word(bytes, b"SKU");
        push_word(bytes, sku.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (count, _) = text[1..].split_once("\r\n").expect("a header");
        let words: Vec<&str> = text.split("\r\n").skip(2).step_by(2).collect();
        assert_eq!(count, words.len().to_string(), "{text}");
        words.join(" ")
    }

    fn request(step: Step) -> Request {
        Request {
            step,
            user: "user-1".into(),
            id: "cart-1".into(),
            old_id: "cart-0".into(),
            first: (0, 2),
            second: None,
            waits: false,
        }
    }

    #[test]
    fn writes_each_request_alone_and_in_a_batch() {
        let sale = Sale {
            key: "s".into(),
            orders: "o".into(),
            items: vec!["red".into(), "green".into()],
            ..Sale::default()
        };
        let alone = |request: &Request| {
            let mut bytes = Vec::new();
            request.push(&sale, &mut bytes);
            typed(&bytes)
        };
        let cart = Request {
            second: Some((1, 1)),
            ..request(Step::Change)
        };
        assert_eq!(
            alone(&cart),
            "FLASHSALE.RESERVE s user-1 ITEMS 2 red 2 green 1 ID cart-1 REPLACE cart-0"
        );
        assert_eq!(cart.kind(), None);
        let waits = Request {
            waits: true,
            ..request(Step::Reserve)
        };
        assert_eq!(
            alone(&waits),
            "FLASHSALE.RESERVE s user-1 ITEMS 1 red 2 ID cart-1 WAIT"
        );
        assert_eq!(waits.kind(), None);
        let pay = request(Step::PayAgain);
        assert_eq!(
            alone(&pay),
            "FLASHSALE.CHECKOUT s o cart-1 REF again-cart-1"
        );
        assert_eq!(alone(&request(Step::Release)), "FLASHSALE.RELEASE s cart-1");
        let batch = |step| {
            let two = [request(step), request(step)];
            let mut bytes = Vec::new();
            push_batch(
                two[0].kind().expect("a kind"),
                two.iter(),
                &sale,
                &mut bytes,
            );
            typed(&bytes)
        };
        assert_eq!(
            batch(Step::Reserve),
            "FLASHSALE.MRESERVE s ENTRIES 2 user-1 2 cart-1 user-1 2 cart-1 SKU red"
        );
        assert_eq!(
            batch(Step::Checkout),
            "FLASHSALE.MCHECKOUT s o ENTRIES 2 cart-1 pay-cart-1 cart-1 pay-cart-1"
        );
        assert_eq!(
            batch(Step::Release),
            "FLASHSALE.MRELEASE s ENTRIES 2 cart-1 cart-1"
        );
    }
}
