//! What is sent, in the order of the file, and what must be answered.
//!
//! Edge: data, made by `book.rs` and read by everything else here.

/// What is sent, in the order of the file.
#[derive(Clone, Debug)]
pub enum Step {
    /// An order, by its position in the book's orders, and how many units there are
    /// once it is reserved: of its scarcest item, and to its user.
    Order {
        order: usize,
        remaining: u64,
        user_remaining: u64,
    },
    Refund(Refund),
    Adjust(Adjust),
}

/// One line of a cancellation.
#[derive(Clone, Debug)]
pub struct Refund {
    pub id: String,
    pub user: String,
    pub sku: String,
    pub units: u64,
    /// Cancellation and line within it.
    pub reference: String,
    pub expected: Expected,
}

/// What a cancelled line must be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Done; before, so many were left.
    Refunded {
        left_before: u64,
    },
    NotSold {
        left: u64,
    },
    NoReservation,
}

/// A correction of the stock.
#[derive(Clone, Debug)]
pub struct Adjust {
    pub reference: String,
    /// SKU and change, each SKU once.
    pub deltas: Vec<(String, i64)>,
    /// SKU, total and available afterwards, in the same order.
    pub after: Vec<(String, u64, u64)>,
}

/// One invoice.
#[derive(Clone, Debug)]
pub struct Order {
    pub id: String,
    pub user: String,
    /// As in the file: the same SKU may come twice.
    pub asked: Vec<(String, u64)>,
    /// Each SKU once, in the order first asked.
    pub items: Vec<(String, u64)>,
    /// Units taken back, beside `items`.
    pub refunded: Vec<u64>,
    pub time: String,
    pub country: String,
}

impl Order {
    /// Where a SKU stands among the items.
    pub fn place_of(&self, sku: &str) -> Option<usize> {
        self.items.iter().position(|(known, _)| known == sku)
    }

    /// Is nothing left that could be refunded?
    pub fn is_wholly_refunded(&self) -> bool {
        self.items
            .iter()
            .zip(&self.refunded)
            .all(|((_, units), refunded)| units == refunded)
    }

    /// Notes units as refunded.
    pub fn take_back(&mut self, sku: &str, units: u64) {
        if let Some(at) = self.place_of(sku) {
            self.refunded[at] += units;
        }
    }
}
