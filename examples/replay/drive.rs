//! Sends what the book says, everything twice, and compares the answers.
//!
//! Edge: answers on the way; the state afterwards is in `compare.rs`.

use std::collections::{BTreeMap, HashMap};

use redis::{Cmd, Connection, ConnectionLike, Value, cmd};
use serde_json::json;

use crate::book::Book;
use crate::reply::{Outcome, Reply, text_of};
use crate::steps::{Adjust, Expected, Order, Refund, Step};
use crate::{ORDERS, SALE};

/// Long enough that no deadline passes during a replay.
const HOLD_MS: u64 = 3_600_000;

/// Position of the stream ID in an answer of SOLD and REFUNDED.
const ENTRY: usize = 1;

/// A replay under way, and what came of it.
pub struct Drive {
    connection: Connection,
    /// Answers by command and status word.
    pub answers: BTreeMap<(&'static str, String), u64>,
    /// Answers that were not as expected, in words.
    pub differences: Vec<String>,
    /// Stream IDs as answered: of orders by invoice, of refunds by REF.
    entries: HashMap<String, String>,
}

impl Drive {
    pub fn new(connection: Connection) -> Drive {
        Drive {
            connection,
            answers: BTreeMap::new(),
            differences: Vec::new(),
            entries: HashMap::new(),
        }
    }

    /// Creates the sale and sends every step.
    ///
    /// # Errors
    ///
    /// The connection broke. Wrong answers are [`Drive::differences`].
    pub fn run(&mut self, book: &Book) -> Outcome<()> {
        self.create(book)?;
        for step in &book.steps {
            match step {
                Step::Order {
                    order,
                    remaining,
                    user_remaining,
                } => {
                    self.order(&book.orders[*order], *remaining, *user_remaining)?;
                }
                Step::Refund(refund) => self.refund(refund)?,
                Step::Adjust(adjust) => self.adjust(adjust)?,
            }
        }
        Ok(())
    }

    /// The stream ID that was answered when this was ordered or refunded.
    pub fn entry_of(&self, order_or_ref: &str) -> &str {
        self.entries
            .get(order_or_ref)
            .map(String::as_str)
            .unwrap_or("none")
    }

    fn create(&mut self, book: &Book) -> Outcome<()> {
        let mut create = cmd("FLASHSALE.CREATE");
        create
            .arg(SALE)
            .arg(ORDERS)
            .arg("ITEMS")
            .arg(book.skus.len());
        for sku in &book.skus {
            create.arg(sku).arg(book.items[sku].initial);
        }
        create
            .arg("USERLIMIT")
            .arg(book.user_limit)
            .arg("HOLD")
            .arg(HOLD_MS);
        let reply = self.send("CREATE", &create)?;
        self.expect("CREATE", &reply, "OK", &[]);
        Ok(())
    }

    fn order(&mut self, order: &Order, remaining: u64, user_remaining: u64) -> Outcome<()> {
        let first = self.send("RESERVE", &reserve(order, &order.asked))?;
        let id = order.id.clone();
        // Which deadline is the server's to say; that it is a number is not.
        let deadline = first.number(1).unwrap_or(-1);
        let numbers = [deadline, remaining as i64, user_remaining as i64].map(|n| n.to_string());
        let [deadline, remaining, user_remaining] = &numbers;
        self.expect(
            "RESERVE",
            &first,
            "RESERVED",
            &[&id, deadline, remaining, user_remaining],
        );
        // The same cart in another order, with its lines summed, is the same request.
        let turned: Vec<_> = order.items.iter().rev().cloned().collect();
        let again = self.send("RESERVE", &reserve(order, &turned))?;
        self.expect_same("RESERVE", &first, &again);

        let sold = self.send("CHECKOUT", &checkout(order))?;
        let entry = sold.text(ENTRY);
        self.expect("CHECKOUT", &sold, "SOLD", &[&id, &entry]);
        let again = self.send("CHECKOUT", &checkout(order))?;
        self.expect_same("CHECKOUT", &sold, &again);
        // A client that lost even the answer of RESERVE learns of its order.
        let late = self.send("RESERVE", &reserve(order, &order.asked))?;
        self.expect_same("RESERVE", &sold, &late);
        self.entries.insert(id, entry);
        Ok(())
    }

    fn refund(&mut self, line: &Refund) -> Outcome<()> {
        if let Expected::Refunded { left_before } = line.expected {
            let more = format!("{}/more", line.reference);
            let reply = self.send("REFUND", &refund(line, left_before + 1, &more))?;
            self.expect(
                "REFUND",
                &reply,
                "NOTSOLD",
                &[&left_before.to_string(), &line.sku],
            );
        }
        let first = self.send("REFUND", &refund(line, line.units, &line.reference))?;
        let entry = first.text(ENTRY);
        match line.expected {
            Expected::Refunded { .. } => {
                self.expect("REFUND", &first, "REFUNDED", &[&line.id, &entry]);
                self.entries.insert(line.reference.clone(), entry);
            }
            Expected::NotSold { left } => {
                self.expect("REFUND", &first, "NOTSOLD", &[&left.to_string(), &line.sku]);
            }
            Expected::NoReservation => {
                self.expect("REFUND", &first, "NORESERVATION", &[&line.id]);
            }
        }
        let again = self.send("REFUND", &refund(line, line.units, &line.reference))?;
        self.expect_same("REFUND", &first, &again);
        Ok(())
    }

    fn adjust(&mut self, adjust: &Adjust) -> Outcome<()> {
        let mut restock = cmd("FLASHSALE.RESTOCK");
        restock.arg(SALE).arg("ITEMS").arg(adjust.deltas.len());
        for (sku, delta) in &adjust.deltas {
            restock.arg(sku).arg(delta);
        }
        restock.arg("REF").arg(&adjust.reference);
        let first = self.send("RESTOCK", &restock)?;
        let rows: Vec<String> = adjust
            .after
            .iter()
            .map(|(sku, total, available)| format!("[{sku}, {total}, {available}]"))
            .collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        self.expect("RESTOCK", &first, "RESTOCKED", &rows);
        let again = self.send("RESTOCK", &restock)?;
        self.expect_same("RESTOCK", &first, &again);
        Ok(())
    }

    fn send(&mut self, command: &'static str, request: &Cmd) -> Outcome<Reply> {
        let bytes = request.get_packed_command();
        let mut values = self.connection.req_packed_commands(&bytes, 0, 1)?;
        let reply = Reply::new(values.pop().unwrap_or(Value::Nil));
        *self
            .answers
            .entry((command, reply.word.clone()))
            .or_default() += 1;
        Ok(reply)
    }

    /// The word and the leading details; later versions may append more.
    fn expect(&mut self, command: &str, reply: &Reply, word: &str, details: &[&str]) {
        let given: Vec<String> = reply
            .details
            .iter()
            .take(details.len())
            .map(text_of)
            .collect();
        if reply.word != word || given != details {
            let expected = format!("{word} {}", details.join(" "));
            self.differences
                .push(format!("{command}: {}; expected {expected}", reply.line()));
        }
    }

    fn expect_same(&mut self, command: &str, first: &Reply, again: &Reply) {
        if first != again {
            let (first, again) = (first.line(), again.line());
            self.differences.push(format!(
                "{command} again: {again}; the first answer was {first}"
            ));
        }
    }
}

/// The REF of an order's payment.
pub fn payment_of(order: &Order) -> String {
    format!("pay-{}", order.id)
}

/// What the shop notes down with an order.
pub fn payload_of(order: &Order) -> String {
    json!({ "time": order.time, "country": order.country }).to_string()
}

fn reserve(order: &Order, items: &[(String, u64)]) -> Cmd {
    let mut reserve = cmd("FLASHSALE.RESERVE");
    reserve
        .arg(SALE)
        .arg(&order.user)
        .arg("ITEMS")
        .arg(items.len());
    for (sku, units) in items {
        reserve.arg(sku).arg(units);
    }
    reserve.arg("ID").arg(&order.id);
    reserve
}

fn checkout(order: &Order) -> Cmd {
    let mut checkout = cmd("FLASHSALE.CHECKOUT");
    checkout
        .arg(SALE)
        .arg(ORDERS)
        .arg(&order.id)
        .arg("USER")
        .arg(&order.user);
    checkout
        .arg("REF")
        .arg(payment_of(order))
        .arg("PAYLOAD")
        .arg(payload_of(order));
    checkout
}

fn refund(line: &Refund, units: u64, reference: &str) -> Cmd {
    let mut refund = cmd("FLASHSALE.REFUND");
    refund
        .arg(SALE)
        .arg(ORDERS)
        .arg(&line.id)
        .arg("ITEMS")
        .arg(1)
        .arg(&line.sku)
        .arg(units);
    refund.arg("REF").arg(reference).arg("USER").arg(&line.user);
    refund
}
