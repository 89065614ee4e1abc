//! Who returns what expired, and when.
//!
//! | Question | File |
//! |---|---|
//! | which sale is due next | `index.rs` |
//! | what is written down of a sale | `hints.rs` |
//! | when does the timer go off | `alarm.rs` |
//! | what happens then | `sweep.rs` |

pub mod alarm;
pub mod hints;
pub mod index;
pub mod sweep;
