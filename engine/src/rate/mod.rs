//! How often a subject may call, as a pure state machine.
//!
//! A limit keeps one number of each subject, its TAT. Rates come in with each call, and are not
//! kept: a changed rate takes effect at once.
//!
//! | Question | File |
//! |---|---|
//! | may a call pass, and when is it worth trying again | `gcra.rs` |
//! | which subjects are there, who makes room for whom, what is the time | `table.rs` |
//! | what happened, and may a replayed event | `event.rs` |
//! | what is on disk and in a replication stream | `codec.rs` |

pub(crate) mod codec;
pub(crate) mod event;
pub(crate) mod gcra;
pub(crate) mod table;

pub use crate::table::hash::Hasher;
pub use crate::table::name::Key;
pub use crate::wire::CodecError;
pub use codec::{Loader, decode_event, encode_event};
pub use event::{Allowed, Ask, Change, Divergence, Event, Planned, plan_first};
pub use gcra::{CAPACITY_NS_MAX, Decision, Rate, RateError, YEAR_MS};
pub use table::{MOMENT_US_MAX, STEP_BACK_US_MAX, Table};
