//! What a sale keeps: items, users, reservations, their queues and carts, the options,
//! who waits, and what is to be written to the order stream.

pub mod attempt_rate;
pub mod cart;
pub mod deadlines;
pub mod items;
pub mod options;
pub mod outbox;
pub mod pace;
pub mod passkeys;
pub mod refunds;
pub mod reservation;
pub mod reservations;
pub mod rest;
pub mod restock_refs;
pub mod shares;
pub mod user;
pub mod user_chain;
pub mod users;
pub mod waiting;
