//! Returns expired reservations to their sales, and knows when to look.
//!
//! | Question | File |
//! |---|---|
//! | when does the timer go off | `alarm.rs` |
//! | what happens then | `sweep.rs` |
//!
//! Which sale is due next is in `hints/`, which the values of keys use as well.

pub mod alarm;
pub mod sweep;
