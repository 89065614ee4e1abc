//! Returns expired reservations to their sales, writes the entries that wait, and knows when to
//! look.
//!
//! | Question | File |
//! |---|---|
//! | when does the timer go off | `alarm.rs` |
//! | what happens then | `sweep.rs` |
//! | what do lines have to do | `lines.rs` |
//! | when does an order stream take entries | `tell.rs` |
//!
//! Which sale is due next is in `hints/`, which the values of keys use as well.

pub mod alarm;
mod lines;
pub mod sweep;
mod tell;
