//! `flashsale`: the program beside the module.
//!
//! It speaks to a server like any client. `flashsale worker` moves the order stream into SQL
//! tables, each order exactly once; `flashsale reconcile` makes both agree again after a loss;
//! `flashsale serve` is the way from browsers to a sale, by
//! HTTP; `flashsale load` lets a crowd loose on a sale and checks the books; `flashsale top` shows a
//! sale in the terminal; `flashsale split` sells one stock on several shards. docs/companion.md is
//! their manual, and docs/split.md that of the last.
//!
//! | Folder | |
//! |---|---|
//! | `link` | one connection to the primary, which never reconnects by itself |
//! | `sql` | three databases by one interface, the tables, which errors pass |
//! | `load` | buyers and their habits, the driver, the books and their checks, the report |
//! | `top` | what a sale and its server look like now |
//! | `serve` | the gateway: queues and batches, answers over HTTP, the live view, the page |
//! | `reconcile` | SQL, sale and stream compared, and what is done about the differences |
//! | `split` | the parts of one sale: names, rules, the driver, what is run by hand |
//! | `worker` | entries, hooks, one batch, reading and acknowledging |

#![forbid(unsafe_code)]

mod failure;
mod link;
mod load;
mod log;
mod metrics;
mod options;
mod plain;
mod reconcile;
mod retry;
mod secret;
mod serve;
mod split;
mod sql;
mod stop;
mod top;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// The program beside the flashsale module
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 cannot go on."
)]
struct Flashsale {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Worker(Box<worker::Options>),
    Reconcile(Box<reconcile::Options>),
    Load(Box<load::Options>),
    Top(top::Options),
    Serve(Box<serve::Options>),
    Split(Box<split::Options>),
}

fn main() -> ExitCode {
    // Wrong usage ends here with 2, help and version with 0.
    let Flashsale { command } = Flashsale::parse();
    let mut builder = match &command {
        // A driver reads and decides in turn: to hand bytes from one thread to another would cost
        // it more than what is done with them.
        Command::Split(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads for the runtime");
    let run = async {
        match command {
            Command::Worker(options) => worker::run(*options).await,
            Command::Reconcile(options) => reconcile::run(*options).await,
            Command::Load(options) => load::run(*options).await,
            Command::Top(options) => top::run(options).await,
            Command::Serve(options) => serve::run(*options).await,
            Command::Split(options) => split::run(*options).await,
        }
    };
    let code = match runtime.block_on(run) {
        Ok(code) => code,
        Err(Failure::Usage(text)) => {
            eprintln!("flashsale: {text}");
            2
        }
        Err(Failure::CannotGoOn(text)) => {
            eprintln!("flashsale: {text}");
            3
        }
    };
    // A read that is still blocked must not keep the program from ending.
    runtime.shutdown_background();
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        use clap::CommandFactory;
        Flashsale::command().debug_assert();
    }
}
