//! How anything changes: carried out, sent on, signalled and told, in one function a kind.
//!
//! | Question | File |
//! |---|---|
//! | how does a sale change here | `commit.rs` |
//! | how does a change from elsewhere come in | `replay.rs` |
//! | the same of a batch of changes | `batch_commit.rs`, `batch_replay.rs` |
//! | what becomes of a sale that breaks an invariant | `broken.rs` |
//! | the same of filters | `bloom.rs` |

pub mod batch_commit;
mod batch_replay;
pub mod bloom;
pub mod broken;
pub mod commit;
pub mod replay;
