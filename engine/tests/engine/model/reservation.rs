//! What the model knows of one reservation, and sums over its lines.

use std::collections::BTreeMap;

/// What became of a reservation; a wholly refunded one is `Sold` with nothing left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Open,
    Sold,
    Released,
    /// Past its deadline, and perhaps still within its grace.
    Late,
    /// Expired for good.
    Expired,
}

#[derive(Clone, Debug)]
pub struct Refund {
    pub lines: Vec<(String, u64)>,
    pub reference: Option<String>,
    pub restocked: bool,
    /// NORESTOCK, as it was asked.
    pub no_restock: bool,
    pub restores_limit: bool,
    pub entry: u64,
}

#[derive(Clone, Debug)]
pub struct Reservation {
    pub id: String,
    /// None: an id never seen was released, by nobody in particular.
    pub user: Option<String>,
    /// Each SKU once; empty for an id never seen.
    pub lines: Vec<(String, u64)>,
    pub fate: Fate,
    pub reserved_at: Option<u64>,
    pub deadline: Option<u64>,
    pub sold_at: Option<u64>,
    pub released_at: Option<u64>,
    pub order: Option<u64>,
    pub reference: Option<String>,
    pub refunds: Vec<Refund>,
    /// Who came first: set anew whenever a deadline is set or a reservation ends.
    pub turn: u64,
    /// REMEMBER counts from here: the deadline, or the release.
    pub ended_at: u64,
}

impl Reservation {
    pub fn is_open(&self) -> bool {
        self.fate == Fate::Open
    }

    pub fn is_remembered(&self) -> bool {
        self.fate == Fate::Late || self.is_final()
    }

    /// Can it never become an order?
    pub fn is_final(&self) -> bool {
        matches!(self.fate, Fate::Released | Fate::Expired)
    }

    /// Of a large cart that can never become an order, GET shows no items.
    pub fn is_shortened(&self) -> bool {
        self.is_final() && self.lines.len() > 8
    }

    pub fn is_overdue(&self, now: u64) -> bool {
        self.is_open() && self.deadline.is_some_and(|deadline| deadline <= now)
    }

    pub fn lines_kept(&self) -> usize {
        if self.is_shortened() {
            0
        } else {
            self.lines.len()
        }
    }

    pub fn units(&self, sku: &str) -> u64 {
        units(&self.lines, sku)
    }

    pub fn refunded(&self, sku: &str) -> u64 {
        self.refunds
            .iter()
            .map(|refund| units(&refund.lines, sku))
            .sum()
    }

    pub fn restored(&self, sku: &str) -> u64 {
        (self.refunds.iter().filter(|refund| refund.restores_limit))
            .map(|refund| units(&refund.lines, sku))
            .sum()
    }

    pub fn left(&self, sku: &str) -> u64 {
        self.units(sku) - self.refunded(sku)
    }

    pub fn sold_net(&self, sku: &str) -> u64 {
        if self.fate == Fate::Sold {
            self.left(sku)
        } else {
            0
        }
    }

    /// Sold, and every unit of it given back since.
    pub fn is_refunded(&self) -> bool {
        self.fate == Fate::Sold && self.lines.iter().all(|(sku, _)| self.left(sku) == 0)
    }

    /// Is it this user's, as far as one can tell?
    pub fn is_of(&self, user: Option<&str>) -> bool {
        match (user, self.user.as_deref()) {
            (Some(asked), Some(owner)) => asked == owner,
            _ => true,
        }
    }
}

/// Units of a SKU in some lines.
pub fn units(lines: &[(String, u64)], sku: &str) -> u64 {
    lines
        .iter()
        .filter(|(s, _)| s == sku)
        .map(|(_, qty)| qty)
        .sum()
}

/// Units in all; wider than a cart of the largest quantities.
pub fn units_in_all(lines: &[(String, u64)]) -> u128 {
    lines.iter().map(|(_, qty)| *qty as u128).sum()
}

/// Each SKU once, first asked first.
pub fn sum_lines(lines: &[(String, u64)]) -> Vec<(String, u64)> {
    let mut summed: Vec<(String, u64)> = Vec::new();
    for (sku, _) in lines {
        if units(&summed, sku) == 0 {
            summed.push((sku.clone(), units(lines, sku)));
        }
    }
    summed
}

/// The same units per SKU, in whatever order.
pub fn same_units(one: &[(String, u64)], other: &[(String, u64)]) -> bool {
    let sorted = |lines: &[(String, u64)]| lines.iter().cloned().collect::<BTreeMap<_, _>>();
    sorted(one) == sorted(other)
}
