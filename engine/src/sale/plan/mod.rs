//! Decisions: one file a kind. A plan reads the state and returns an event or an answer.

mod attempt;
pub mod batch;
mod choose;
pub mod expiry;
mod grant;
mod hold;
pub mod import;
mod line;
pub mod manage;
pub mod order;
mod outbox;
mod part;
pub mod pass;
pub mod refund;
mod refund_units;
mod replay;
pub mod reserve;
mod restock_units;
pub mod share;
mod units;
mod wanted;
