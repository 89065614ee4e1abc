//! What is asked, in plain words.

/// `stalls` and `box` are named, `code` is sealed, `ga` counted; `pit` is counted until it has
/// none left, and then may get names.
pub const SKUS: [&str; 5] = ["stalls", "box", "code", "ga", "pit"];

#[derive(Clone, Debug)]
pub enum Op {
    RestockUnits {
        sku: String,
        names: Vec<String>,
        sealed: bool,
        new: bool,
        withdraw: bool,
        reference: Option<u32>,
    },
    Restock {
        sku: String,
        delta: i64,
    },
    /// RESERVE, or BUY.
    Reserve {
        id: u32,
        user: u32,
        items: Vec<(String, u64)>,
        names: Vec<String>,
        replaces: Option<u32>,
        buys: bool,
    },
    Checkout {
        id: u32,
        reference: Option<u32>,
    },
    Release {
        id: u32,
    },
    Refund {
        id: u32,
        items: Vec<(String, u64)>,
        names: Vec<String>,
        reference: Option<u32>,
        no_restock: bool,
    },
    Sweep,
    Close,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// After the one before.
    pub later_ms: u64,
    /// What happens to the second sale: 0 a load, 1 it takes over, else nothing.
    pub turn: u32,
    pub op: Op,
}
