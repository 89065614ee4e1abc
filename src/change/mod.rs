//! How anything changes: carried out, sent on, signalled and told, in one function a kind.
//!
//! | Question | File |
//! |---|---|
//! | how does a sale change here | `commit.rs`, by the steps in `carry.rs` |
//! | what becomes of the entries that wait, with `EVENTS all` | `outbox.rs` |
//! | how does a change from elsewhere come in | `replay.rs` |
//! | the same of a batch of changes | `batch_commit.rs`, `batch_replay.rs` |
//! | what becomes of a sale that breaks an invariant | `broken.rs` |
//! | the same of filters, of rate limits | `bloom.rs`, `rate.rs` |

pub mod batch_commit;
mod batch_replay;
pub mod bloom;
pub mod broken;
mod carry;
pub mod commit;
pub mod outbox;
pub mod rate;
pub mod replay;

pub use carry::Done;
