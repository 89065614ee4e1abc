//! What CREATE sets and ALTER changes: limits, durations and the window.
//!
//! Edge: values only. Whether a change is allowed is decided in `plan/manage.rs`.

use crate::sale::book::attempt_rate::AttemptRate;
use crate::sale::book::pace::PaceRate;
use crate::sale::book::passkeys::PassKeys;

/// What a sale writes to its order stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Events {
    /// Orders and refunds.
    #[default]
    Orders,
    /// Also what happens to reservations, items and the sale.
    All,
}

impl Events {
    /// Returns the word of CREATE, ALTER and INFO.
    pub fn word(self) -> &'static str {
        match self {
            Events::Orders => "orders",
            Events::All => "all",
        }
    }
}

/// How many options are a number, or none.
pub const NUMBERS: usize = 19;

/// The names of these options, as INFO gives them, in the order of [`Options::numbers`].
pub const NUMBER_NAMES: [&str; NUMBERS] = [
    "userlimit",
    "itemlimit",
    "orderlimit",
    "salelimit",
    "hold_ms",
    "maxhold_ms",
    "grace_ms",
    "start_at_ms",
    "end_at_ms",
    "keep_ms",
    "remember_ms",
    "waiting_max",
    "patience_ms",
    "pace_n",
    "pace_ms",
    "userrate_n",
    "userrate_ms",
    "fromrate_n",
    "fromrate_ms",
];

/// The options of a sale. `None` means no limit, or always open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most units one user may have reserved + bought in the sale.
    pub user_limit: Option<u64>,
    /// Most units one user may have reserved + bought of one SKU.
    pub item_limit: Option<u64>,
    /// Most units in one reservation.
    pub order_limit: Option<u64>,
    /// Most units reserved + sold, net of refunds, in the whole sale.
    pub sale_limit: Option<u64>,
    /// How long a reservation lasts, at least 1.
    pub hold_ms: u64,
    /// Longest a reservation may last with EXTEND; `None` follows `hold_ms`.
    pub hold_ms_max: Option<u64>,
    /// How late a CHECKOUT can still succeed.
    pub grace_ms: u64,
    /// First moment of the window for new reservations.
    pub start_at_ms: Option<u64>,
    /// First moment after the window.
    pub end_at_ms: Option<u64>,
    /// How long the key outlives the sale, for refunds.
    pub keep_ms: u64,
    /// How long released and expired ids stay known; see [`Options::remembers_ms`].
    pub remember_ms: u64,
    pub events: Events,
    /// Most places of people who wait; 0: nobody joins a line.
    pub waiting_max: u64,
    /// Whoever was not heard from for this long at their turn is passed over; 0: nobody is.
    pub patience_ms: u64,
    /// How fast reservations begin; `None`: as they are asked for.
    pub pace: Option<PaceRate>,
    /// What passes are made with; none: nobody needs one.
    pub passkeys: PassKeys,
    /// How often a user may try; `None`: as often as they like.
    pub user_rate: Option<AttemptRate>,
    /// The same for a source that requests name.
    pub from_rate: Option<AttemptRate>,
    /// The split sale that this one is a part of.
    pub group: Option<Box<str>>,
}

impl Options {
    /// REMEMBER unless asked otherwise.
    pub const REMEMBER_MS_DEFAULT: u64 = 600_000;
    /// PATIENCE unless asked otherwise.
    pub const PATIENCE_MS_DEFAULT: u64 = 60_000;
    /// Least PATIENCE, but for none: a poll may be a second late.
    pub const PATIENCE_MS_MIN: u64 = 2_000;
    /// Most WAITING.
    pub const WAITING_MAX: u64 = 100_000_000;

    /// A sale with no limit and no window.
    pub fn new(hold_ms: u64, keep_ms: u64) -> Options {
        Options {
            user_limit: None,
            item_limit: None,
            order_limit: None,
            sale_limit: None,
            hold_ms,
            hold_ms_max: None,
            grace_ms: 0,
            start_at_ms: None,
            end_at_ms: None,
            keep_ms,
            remember_ms: Options::REMEMBER_MS_DEFAULT,
            events: Events::Orders,
            waiting_max: 0,
            patience_ms: Options::PATIENCE_MS_DEFAULT,
            pace: None,
            passkeys: PassKeys::default(),
            user_rate: None,
            from_rate: None,
            group: None,
        }
    }

    /// Returns the options that are a number, as INFO gives them. Their order is that of
    /// [`NUMBER_NAMES`], and part of the format of records.
    pub fn numbers(&self) -> [Option<u64>; NUMBERS] {
        [
            self.user_limit,
            self.item_limit,
            self.order_limit,
            self.sale_limit,
            Some(self.hold_ms),
            Some(self.max_hold_ms()),
            Some(self.grace_ms),
            self.start_at_ms,
            self.end_at_ms,
            Some(self.keep_ms),
            Some(self.remember_ms),
            Some(self.waiting_max),
            Some(self.patience_ms),
            self.pace.map(|rate| rate.n),
            self.pace.map(|rate| rate.ms),
            self.user_rate.map(|rate| rate.n),
            self.user_rate.map(|rate| rate.ms),
            self.from_rate.map(|rate| rate.n),
            self.from_rate.map(|rate| rate.ms),
        ]
    }

    /// MAXHOLD in force.
    pub fn max_hold_ms(&self) -> u64 {
        self.hold_ms_max.unwrap_or(self.hold_ms)
    }

    /// Units a user with this many counted may still have, `None` without USERLIMIT.
    #[inline]
    pub fn user_remaining(&self, counted: u64) -> Option<u64> {
        self.user_limit.map(|limit| limit.saturating_sub(counted))
    }

    /// Do the options say anything of lines and PACE?
    pub(crate) fn has_line_options(&self) -> bool {
        let [waiting, patience] = [self.waiting_max, self.patience_ms];
        waiting > 0 || patience != Options::PATIENCE_MS_DEFAULT || self.pace.is_some()
    }

    /// Do the options limit attempts?
    #[inline]
    pub(crate) fn has_rates(&self) -> bool {
        self.user_rate.is_some() | self.from_rate.is_some()
    }

    /// Is the window open by `now_ms`, as far as START goes?
    #[inline]
    pub(crate) fn has_started(&self, now_ms: u64) -> bool {
        self.start_at_ms
            .is_none_or(|start_at_ms| start_at_ms <= now_ms)
    }

    /// How long an ended reservation stays known: REMEMBER, never shorter than
    /// GRACE, which could not be granted to a forgotten id.
    #[inline]
    pub fn remembers_ms(&self) -> u64 {
        self.remember_ms.max(self.grace_ms)
    }
}

/// The options named in one ALTER, or in the tail of one CREATE.
///
/// A limit, START or END of 0 means "none", a MAXHOLD of 0 "follows HOLD"; everything
/// else is absent when not named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub user_limit: Option<u64>,
    pub item_limit: Option<u64>,
    pub order_limit: Option<u64>,
    pub sale_limit: Option<u64>,
    pub hold_ms: Option<u64>,
    pub hold_ms_max: Option<u64>,
    pub grace_ms: Option<u64>,
    pub start_at_ms: Option<u64>,
    pub end_at_ms: Option<u64>,
    pub keep_ms: Option<u64>,
    pub remember_ms: Option<u64>,
    pub events: Option<Events>,
    pub waiting_max: Option<u64>,
    pub patience_ms: Option<u64>,
    /// `Some(None)` removes it.
    pub pace: Option<Option<PaceRate>>,
    /// All secrets there are then.
    pub passkeys: Option<PassKeys>,
    /// `Some(None)` removes it.
    pub user_rate: Option<Option<AttemptRate>>,
    /// `Some(None)` removes it.
    pub from_rate: Option<Option<AttemptRate>>,
    /// `Some(None)` removes it.
    pub group: Option<Option<Box<str>>>,
}

impl Changes {
    /// The options after these changes; nothing is checked.
    pub fn applied_to(&self, before: &Options) -> Options {
        let none_if_zero = |change: Option<u64>, old: Option<u64>| match change {
            Some(0) => None,
            Some(value) => Some(value),
            None => old,
        };
        Options {
            user_rate: self.user_rate.unwrap_or(before.user_rate),
            from_rate: self.from_rate.unwrap_or(before.from_rate),
            user_limit: none_if_zero(self.user_limit, before.user_limit),
            item_limit: none_if_zero(self.item_limit, before.item_limit),
            order_limit: none_if_zero(self.order_limit, before.order_limit),
            sale_limit: none_if_zero(self.sale_limit, before.sale_limit),
            hold_ms: self.hold_ms.unwrap_or(before.hold_ms),
            hold_ms_max: none_if_zero(self.hold_ms_max, before.hold_ms_max),
            grace_ms: self.grace_ms.unwrap_or(before.grace_ms),
            start_at_ms: none_if_zero(self.start_at_ms, before.start_at_ms),
            end_at_ms: none_if_zero(self.end_at_ms, before.end_at_ms),
            keep_ms: self.keep_ms.unwrap_or(before.keep_ms),
            remember_ms: self.remember_ms.unwrap_or(before.remember_ms),
            events: self.events.unwrap_or(before.events),
            waiting_max: self.waiting_max.unwrap_or(before.waiting_max),
            patience_ms: self.patience_ms.unwrap_or(before.patience_ms),
            pace: self.pace.unwrap_or(before.pace),
            passkeys: self.passkeys.as_ref().unwrap_or(&before.passkeys).clone(),
            group: self.group.as_ref().unwrap_or(&before.group).clone(),
        }
    }
}
