//! Requests in plain words: what the model, the engine and a failure's printout share.
//!
//! Edge: data only. A `char` of a name stands for one byte (Latin-1), so that names
//! of any bytes are still readable here.

/// `{qty | ITEMS count sku qty ... [UNITS count unit ...] | UNITS count unit ...}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    Qty(u64),
    Items(Vec<(String, u64)>),
    /// Units by their names, and perhaps items beside them.
    Named(Vec<(String, u64)>, Vec<String>),
}

impl Ask {
    /// The names of units that are asked for.
    pub fn names(&self) -> &[String] {
        match self {
            Ask::Named(_, names) => names,
            Ask::Qty(_) | Ask::Items(_) => &[],
        }
    }
}

/// `{delta | ITEMS count sku delta ...}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Deltas {
    Bare(i64),
    Items(Vec<(String, i64)>),
}

/// An option of CREATE or ALTER, by its keyword.
pub type Named = (&'static str, u64);

/// One command, or a sweep of the primary's timer.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Reserve {
        user: String,
        ask: Ask,
        id: String,
        hold: Option<u64>,
        /// REPLACE; there is no HOLD with it.
        replaces: Option<String>,
    },
    Buy {
        user: String,
        ask: Ask,
        id: String,
        reference: Option<String>,
    },
    Checkout {
        id: String,
        user: Option<String>,
        reference: Option<String>,
    },
    Release {
        id: String,
        user: Option<String>,
    },
    Extend {
        id: String,
        ms: u64,
        user: Option<String>,
    },
    Refund {
        id: String,
        ask: Option<Ask>,
        reference: Option<String>,
        user: Option<String>,
        no_restock: bool,
        restore_limit: bool,
    },
    Restock {
        deltas: Deltas,
        new: bool,
        reference: Option<String>,
    },
    /// `RESTOCK ... UNITS`.
    RestockUnits {
        sku: String,
        names: Vec<String>,
        sealed: bool,
        withdraw: bool,
        reference: Option<String>,
    },
    /// An order that was sold elsewhere, or that a failover lost.
    Import {
        user: String,
        ask: Ask,
        id: String,
        sold_at_ms: u64,
        reference: Option<String>,
    },
    Alter(Vec<Named>),
    Pause,
    Resume,
    Close,
    Bind(String),
    Sweep(u32),
    /// No command: this copy missed a change of its primary, for this reason.
    Mark(&'static str),
}

/// A command at a moment of the server's clock.
#[derive(Clone, Debug)]
pub struct Step {
    pub clock_ms: u64,
    pub op: Op,
}

/// A CREATE, and the configuration of the server around it.
#[derive(Clone, Debug)]
pub struct Setup {
    pub clock_ms: u64,
    pub orders: String,
    pub items: Vec<(String, u64)>,
    pub options: Vec<Named>,
    pub hold_ms_default: u64,
    pub keep_ms_default: u64,
    pub sweep_max: u32,
    pub reservations_max: usize,
    pub items_max: usize,
}

/// The bytes of a name.
pub fn bytes(name: &str) -> Vec<u8> {
    name.chars().map(|letter| letter as u8).collect()
}

/// The name of some bytes.
pub fn name(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| *byte as char).collect()
}
