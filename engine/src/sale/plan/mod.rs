//! Decisions: one file a kind. A plan reads the state and returns an event or an answer.

mod attempt;
pub mod batch;
mod choose;
pub mod expiry;
mod grant;
mod hold;
mod line;
pub mod manage;
pub mod order;
mod outbox;
pub mod pass;
pub mod refund;
mod refund_units;
mod replay;
pub mod reserve;
mod restock_units;
mod units;
mod wanted;
