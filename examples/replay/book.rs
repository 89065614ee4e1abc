//! What the lines of the file mean, and the totals that must come of them.
//!
//! # Rules
//!
//! 1. Consecutive lines of one invoice are one cart. Its user is the customer, or
//!    `guest` when the shop did not know; its id is the invoice.
//! 2. A line of a cancellation names no order. The one meant is the customer's
//!    latest before it with enough units of the SKU left. If none has enough, it is
//!    asked of the one with the most left, the latest of them, and must be refused:
//!    NOTSOLD. If the customer has no order yet, it was made before the file begins:
//!    it is asked of the invoice without its `C`, and must be refused: NORESERVATION.
//! 3. Other negative quantities correct the stock: a RESTOCK with the invoice as REF.
//! 4. Each SKU starts with the units the whole file takes, and a few more, so that no
//!    cart is refused and what is left is not simply zero.
//!
//! Edge: the file alone. No answer of a server comes in here.

use std::collections::HashMap;

use crate::lines::Line;
use crate::steps::{Adjust, Expected, Order, Refund, Step};

/// The user of lines without a customer.
const GUEST: &str = "guest";

/// One SKU.
#[derive(Clone, Copy, Debug, Default)]
pub struct Item {
    /// Stock at the beginning.
    pub initial: u64,
    pub available: u64,
    pub sold: u64,
}

/// One customer.
#[derive(Clone, Copy, Debug, Default)]
pub struct User {
    /// Net of refunds.
    pub sold: u64,
    /// Units that count against USERLIMIT: refunds do not lower it.
    pub counted: u64,
}

/// How many cancelled lines there are of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cancellations {
    pub done: usize,
    pub too_many: usize,
    pub before: usize,
}

/// Everything that must be true when the file has been replayed.
pub struct Book {
    /// SKUs in the order of the file.
    pub skus: Vec<String>,
    pub items: HashMap<String, Item>,
    pub users: HashMap<String, User>,
    pub orders: Vec<Order>,
    pub steps: Vec<Step>,
    pub cancellations: Cancellations,
    pub adjustments: usize,
    /// Above what anybody buys, so that `user_remaining` has something to say.
    pub user_limit: u64,
}

impl Book {
    /// Works the lines out.
    pub fn new(lines: &[Line]) -> Book {
        let mut book = Book {
            skus: Vec::new(),
            items: HashMap::new(),
            users: HashMap::new(),
            orders: Vec::new(),
            steps: Vec::new(),
            cancellations: Cancellations::default(),
            adjustments: 0,
            user_limit: 1 + lines
                .iter()
                .map(|line| line.quantity.unsigned_abs())
                .sum::<u64>(),
        };
        book.set_stock(lines);
        let mut orders_of: HashMap<String, Vec<usize>> = HashMap::new();
        for invoice in lines.chunk_by(|a, b| a.invoice == b.invoice) {
            if invoice[0].invoice.starts_with('C') {
                for (at, line) in invoice.iter().enumerate() {
                    book.cancel(line, at + 1, orders_of.get(user_of(line)));
                }
                continue;
            }
            let (bought, corrected): (Vec<&Line>, Vec<&Line>) =
                invoice.iter().partition(|line| line.quantity > 0);
            if !bought.is_empty() {
                orders_of
                    .entry(user_of(&invoice[0]).to_owned())
                    .or_default()
                    .push(book.orders.len());
                book.order(&bought);
            }
            if !corrected.is_empty() {
                book.adjust(&corrected);
            }
        }
        book
    }

    /// Units ordered, before refunds.
    pub fn units_ordered(&self) -> u64 {
        self.users.values().map(|user| user.counted).sum()
    }

    /// Rule 4.
    fn set_stock(&mut self, lines: &[Line]) {
        for line in lines {
            if !self.items.contains_key(&line.sku) {
                let spare = 1 + self.skus.len() as u64 % 7;
                let item = Item {
                    initial: spare,
                    available: spare,
                    sold: 0,
                };
                self.items.insert(line.sku.clone(), item);
                self.skus.push(line.sku.clone());
            }
            if let Some(item) = self.items.get_mut(&line.sku)
                && !line.invoice.starts_with('C')
            {
                item.initial += line.quantity.unsigned_abs();
                item.available = item.initial;
            }
        }
    }

    /// Rule 1.
    fn order(&mut self, lines: &[&Line]) {
        let asked: Vec<(String, u64)> = lines
            .iter()
            .map(|line| (line.sku.clone(), line.quantity.unsigned_abs()))
            .collect();
        let mut items: Vec<(String, u64)> = Vec::new();
        for (sku, units) in &asked {
            match items.iter_mut().find(|(known, _)| known == sku) {
                Some((_, sum)) => *sum += units,
                None => items.push((sku.clone(), *units)),
            }
        }
        let mut remaining = u64::MAX;
        let user = self.users.entry(user_of(lines[0]).to_owned()).or_default();
        for (sku, units) in &items {
            let item = self.items.entry(sku.clone()).or_default();
            item.available -= units;
            item.sold += units;
            remaining = remaining.min(item.available);
            user.sold += units;
            user.counted += units;
        }
        let user_remaining = self.user_limit - user.counted;
        self.steps.push(Step::Order {
            order: self.orders.len(),
            remaining,
            user_remaining,
        });
        self.orders.push(Order {
            id: lines[0].invoice.clone(),
            user: user_of(lines[0]).to_owned(),
            refunded: vec![0; items.len()],
            asked,
            items,
            time: lines[0].time.clone(),
            country: lines[0].country.clone(),
        });
    }

    /// Rule 2.
    fn cancel(&mut self, line: &Line, number: usize, earlier: Option<&Vec<usize>>) {
        let units = line.quantity.unsigned_abs();
        let left_of = |order: &Order| match order.place_of(&line.sku) {
            Some(at) => order.items[at].1 - order.refunded[at],
            None => 0,
        };
        let earlier = earlier.map(Vec::as_slice).unwrap_or_default();
        let left = |at: &usize| left_of(&self.orders[*at]);
        let enough = earlier.iter().rev().find(|at| left(at) >= units);
        // Of equals, `max_by_key` takes the last: the latest.
        let meant = enough
            .or_else(|| earlier.iter().max_by_key(|at| left(at)))
            .copied();
        let (id, expected) = match meant {
            None => (line.invoice[1..].to_owned(), Expected::NoReservation),
            Some(at) => {
                let order = &mut self.orders[at];
                let left = left_of(order);
                if left < units {
                    (order.id.clone(), Expected::NotSold { left })
                } else {
                    order.take_back(&line.sku, units);
                    (order.id.clone(), Expected::Refunded { left_before: left })
                }
            }
        };
        match expected {
            Expected::Refunded { .. } => {
                self.cancellations.done += 1;
                let item = self.items.entry(line.sku.clone()).or_default();
                item.sold -= units;
                item.available += units;
                self.users.entry(user_of(line).to_owned()).or_default().sold -= units;
            }
            Expected::NotSold { .. } => self.cancellations.too_many += 1,
            Expected::NoReservation => self.cancellations.before += 1,
        }
        self.steps.push(Step::Refund(Refund {
            id,
            user: user_of(line).to_owned(),
            sku: line.sku.clone(),
            units,
            reference: format!("{}/{number}", line.invoice),
            expected,
        }));
    }

    /// Rule 3.
    fn adjust(&mut self, lines: &[&Line]) {
        self.adjustments += lines.len();
        let mut deltas: Vec<(String, i64)> = Vec::new();
        for line in lines {
            match deltas.iter_mut().find(|(sku, _)| *sku == line.sku) {
                Some((_, sum)) => *sum += line.quantity,
                None => deltas.push((line.sku.clone(), line.quantity)),
            }
        }
        let mut after = Vec::new();
        for (sku, delta) in &deltas {
            let item = self.items.entry(sku.clone()).or_default();
            item.available -= delta.unsigned_abs();
            after.push((sku.clone(), item.available + item.sold, item.available));
        }
        let reference = lines[0].invoice.clone();
        self.steps.push(Step::Adjust(Adjust {
            reference,
            deltas,
            after,
        }));
    }
}

fn user_of(line: &Line) -> &str {
    if line.customer.is_empty() {
        GUEST
    } else {
        &line.customer
    }
}
