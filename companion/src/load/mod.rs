//! `flashsale load`: a rush of buyers with bad habits, and a check of the books at the end.
//!
//! # How it holds
//!
//! 1. Who comes, when, and how they behave is drawn from the seed before anything is sent.
//! 2. Latency counts from the moment that was intended; if the load itself is late, the run
//!    is void.
//! 3. What has to hold is read from outside: the stream, GET of each promise, AUDIT on a
//!    replica, rows in SQL. What the target says while it sells proves nothing.
//! 4. Nothing is killed but what `--own` has started.
//!
//! | File | |
//! |---|---|
//! | `acts` | what is played, one after the other |
//! | `stage`, `prepare`, `own`, `worker`, `watch`, `split` | a sale of load's own, on a server or on several |
//! | `guest`, `seen` | the sale of a gateway, and the checks that HTTP alone allows |
//! | `crowd`, `buyer`, `chance`, `rules` | who comes, to what |
//! | `drive`, `agenda`, `visit` | what is due when, and what each buyer does next |
//! | `carrier`: `wires`, `lane`, `resp`; `calls`, `http` | requests over RESP, and over HTTP |
//! | `tally`, `series`, `line`, `fates` | what the buyers were told, and who waited for it |
//! | `books`, `checks`, `outcome` | what the servers say, and whether both agree |
//! | `live`, `text`, `report`, `plots`, `chart`, `machine` | what people read |

mod acts;
mod agenda;
mod books;
mod buyer;
mod calls;
mod carrier;
mod chance;
mod chart;
mod checks;
mod clock;
mod crowd;
mod drive;
mod fates;
mod guest;
mod http;
mod lane;
mod line;
mod live;
mod machine;
mod options;
mod outcome;
mod own;
mod plots;
mod prepare;
mod report;
mod request;
mod resp;
mod rules;
mod seen;
mod series;
mod split;
mod stage;
mod tally;
mod text;
mod visit;
mod watch;
mod wires;
mod worker;
mod world;

use crate::failure::Failure;
use crate::log;

pub use options::Options;

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; something at the start is not as it has to be; the target is gone at the end.
pub async fn run(options: Options) -> Result<u8, Failure> {
    log::begin(options.log);
    options.check()?;
    acts::play_all(&options).await
}
