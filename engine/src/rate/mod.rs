//! How often a subject may call, as a pure state machine.
//!
//! | Question | File |
//! |---|---|
//! | may a call pass, and when is it worth trying again | `gcra.rs` |
//! | which subjects are there, who makes room for whom, what is the time | `table.rs` |

pub(crate) mod gcra;
pub(crate) mod table;

pub use gcra::{Decision, Rate, RateError, YEAR_MS};
pub use table::{MOMENT_US_MAX, STEP_BACK_US_MAX, Table};
