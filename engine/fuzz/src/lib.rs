//! What must hold for any bytes, and where such bytes come from: shared by the seeded
//! fuzzers of `cargo test` and the targets of libFuzzer.
//!
//! | Question | File |
//! |---|---|
//! | what must hold | `targets.rs`; of rate limits, `rate.rs` |
//! | which inputs are valid | `samples.rs`, `samples_line.rs`, `samples_pass.rs`, `samples_share.rs`, `corpus.rs`; the densest ones, `dense.rs` |
//! | how are they damaged | `mutate.rs` |
//! | how does a seeded run find, shrink and report | `seeded.rs` |
//! | what does decoding cost in memory | `meter.rs` |
//! | what was found before | `found.rs` |

pub mod corpus;
pub mod dense;
pub mod dice;
pub mod found;
pub mod meter;
pub mod mutate;
pub mod rate;
pub mod requests;
pub mod samples;
pub mod samples_line;
pub mod samples_pass;
pub mod samples_share;
pub mod seeded;
pub mod targets;
