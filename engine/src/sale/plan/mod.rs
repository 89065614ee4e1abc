//! Decisions: one file a kind. A plan reads the state and returns an event or an answer.

mod attempt;
pub mod batch;
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
pub mod reserve;
pub mod share;
