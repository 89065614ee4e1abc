//! `flashsale split`: one sale in several parts, which lie on the shards of a cluster.
//!
//! Each part is a sale of its own. What belongs together is known to the clients, who find a
//! user's part by a rule, and to a driver that moves units to where they are asked for.
//!
//! | File | |
//! |---|---|
//! | `rules` | what is decided, without a connection |
//! | `names` | keys and streams of the parts, and the hash that keeps them |
//! | `balance` | the driver |
//! | `wire`, `shares`, `topology` | its connections, the answer of SHARES, where parts are |
//! | `create`, `stock`, `manage` | makes parts, deals stock, and does one thing in each part |
//! | `books`, `audit`, `repair`, `status` | reads all parts: sums, differences, what to do |

mod audit;
mod balance;
mod books;
mod create;
mod manage;
pub mod names;
mod options;
mod repair;
pub mod rules;
mod shares;
mod status;
mod stock;
mod topology;
mod wire;

use crate::failure::Failure;
use crate::log;
use crate::stop::Stop;

pub use options::Options;
use options::{Command, Common};

/// The commands of the module that are sent.
const COMMANDS: [&str; 5] = [
    "FLASHSALE.SHARES",
    "FLASHSALE.GIVE",
    "FLASHSALE.TAKE",
    "FLASHSALE.REST",
    "FLASHSALE.INFO",
];

impl Command {
    fn common(&self) -> &Common {
        match self {
            Self::Create(options) => &options.common,
            Self::Balance(options) => &options.common,
            Self::Repair(options) => &options.common,
            Self::Alter(options) => &options.common,
            Self::Restock(options) => &options.common,
            Self::Status(common)
            | Self::Audit(common)
            | Self::Pause(common)
            | Self::Resume(common)
            | Self::Close(common) => common,
        }
    }
}

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; something is not as it has to be.
pub async fn run(options: Options) -> Result<u8, Failure> {
    log::begin(options.command.common().log);
    let stop = Stop::on_signals();
    let stop = stop.map_err(|error| Failure::cannot("signals", error))?;
    match options.command {
        Command::Create(options) => create::run(options).await,
        Command::Balance(options) => balance::run(options, stop).await,
        Command::Status(common) => status::run(common).await,
        Command::Audit(common) => audit::run(common).await,
        Command::Repair(options) => repair::run(options).await,
        Command::Pause(common) => manage::run(common, &["PAUSE"]).await,
        Command::Resume(common) => manage::run(common, &["RESUME"]).await,
        Command::Close(common) => manage::run(common, &["CLOSE"]).await,
        Command::Alter(options) => manage::alter(options).await,
        Command::Restock(options) => stock::restock(options).await,
    }
}

/// Makes a ULID.
///
/// # Errors
///
/// The system has no random numbers.
fn random_ulid() -> Result<String, String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| format!("random numbers: {error}"))?;
    let low = u128::from_le_bytes(random) & ((1 << 80) - 1);
    let now_ms = log::now_ms().unsigned_abs();
    Ok(shares::ulid_text((u128::from(now_ms) << 80) | low))
}
