//! What a visit has to know of the run: its limits, its clock, and how buyers call themselves.

use super::clock::Clock;

/// What a visit has to know of the run.
pub struct Rules {
    pub clock: Clock,
    pub user_limit: u64,
    pub order_limit: u64,
    pub grace_ms: u64,
    pub hold_ms: u64,
    /// Whether the fate of each buyer is wanted in the end.
    pub keeps_fates: bool,
    /// How many items there are.
    pub items: usize,
    pub names: Names,
}

/// How buyers call themselves and their reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// In a sale of their own.
    Plain,
    /// In a sale where others have been: no other run has this number. Users are 32 hexadecimal
    /// digits, as a gateway's cookie wants them.
    OfRun(u64),
}

impl Names {
    /// Returns the name under which a buyer is known to the sale.
    pub fn user(self, user: u64) -> String {
        match self {
            Self::Plain => format!("user-{user}"),
            Self::OfRun(run) => format!("{run:016x}{user:016x}"),
        }
    }

    /// Returns what every id of this run begins with.
    pub fn prefix(self) -> String {
        match self {
            Self::Plain => "cart-".into(),
            Self::OfRun(run) => format!("cart-{run:x}-"),
        }
    }

    /// Reports whether an order is one of this run's buyers. In a sale of their own all are, and in
    /// another one a gateway that makes ids of its own still sells to them.
    pub fn are_of_this_run(self, id: &str, user: &str) -> bool {
        match self {
            Self::Plain => true,
            Self::OfRun(run) => {
                id.starts_with(&self.prefix()) || user.starts_with(&format!("{run:016x}"))
            }
        }
    }
}
