//! Requests and answers in plain words, shared by the model and the engine.
//!
//! Edge: data only.

/// A request, or something that happens to a sale between requests.
#[derive(Clone, Debug)]
pub enum Op {
    Reserve(Ask),
    Buy(Ask),
    Checkout(String),
    Extend(String, u64),
    Release(String, Option<String>),
    Refund {
        id: String,
        no_restock: bool,
        restore_limit: bool,
    },
    /// Item and difference.
    Restock(usize, i64),
    Alter(Vec<(&'static str, u64)>),
    /// `PACE n ms`.
    Pace(u64, u64),
    /// `PASSKEY`: which of the secrets.
    PassKeys(Vec<usize>),
    /// USERRATE and FROMRATE.
    Rates(Option<(u64, u64)>, Option<(u64, u64)>),
    Pause,
    Resume,
    Close,
    /// The copy missed a change.
    Mark,
    /// What the timer does, with so many steps.
    Go(u32),
}

/// RESERVE or BUY.
#[derive(Clone, Debug)]
pub struct Ask {
    pub user: String,
    pub id: String,
    /// SKU and units, as asked; item 9 is one that the sale does not have.
    pub lines: Vec<(usize, u64)>,
    pub hold: Option<u64>,
    pub replaces: Option<String>,
    pub waits: bool,
    pub pass: Pass,
    /// FROM.
    pub source: Option<String>,
}

/// What somebody shows in a sale with PASSKEY.
#[derive(Clone, Debug, PartialEq)]
pub enum Pass {
    Missing,
    /// Made with this secret, for the request's user and id, until this moment.
    Made(usize, u64),
    /// The same for another user, or another id.
    ForUser(usize, u64),
    ForId(usize, u64),
    /// No pass at all.
    Noise,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Until when.
    Reserved(u64),
    /// Now, by this request.
    Made(u64),
    Bought,
    Sold,
    Refunded,
    GivenBack,
    Released,
    Expired,
    Mismatch,
    NoReservation,
    Ended(u64),
    NotStarted(u64),
    Paused(u64),
    OrderLimit(u64),
    UserLimit(u64),
    ItemLimit(u64, usize),
    SaleLimit(u64),
    SoldOut(u64, usize),
    AllReserved(u64, Option<usize>),
    Throttled(u64),
    /// Until when, and by which rate.
    TooOften(u64, &'static str),
    NoPass,
    Waiting,
    Joined,
    StillWaiting,
    /// The other id.
    Placed(String),
    LineFull(u64),
    NotSold,
    NoSku,
    Full,
    /// What changes the sale, or nothing.
    Changed,
    Unchanged,
    Invalid,
    Went,
}
