//! Who returns what expired, and when.
//!
//! | Question | File |
//! |---|---|
//! | when does the timer go off | `alarm.rs` |
//! | what happens then | `sweep.rs` |
//!
//! Which sale is due next is in `hints/`, below the values that write it down.

pub mod alarm;
pub mod sweep;
