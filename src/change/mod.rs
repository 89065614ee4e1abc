//! How anything changes: carried out, sent on, signalled and told, in one function a kind.
//!
//! | Question | File |
//! |---|---|
//! | how does a sale change here | `commit.rs` |
//! | how does a change from elsewhere come in | `replay.rs` |
//! | what becomes of a sale that missed a change, or does not add up | `mark.rs` |
//! | how does an event reach the AOF and the replicas | `send.rs` |
//! | the same of filters | `bloom.rs` |

pub mod bloom;
pub mod commit;
pub mod mark;
pub mod replay;
mod send;
