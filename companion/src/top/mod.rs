//! `flashsale top`: sales and their server as plain text, printed anew each second.

mod look;
mod screen;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;

use crate::failure::Failure;
use crate::link::Way;
use crate::options::{RedisOptions, SqlOptions};
use crate::plain::harmless;
use crate::retry::Backoff;
use crate::sql::{Database, describe};
use crate::stop::Stop;

use look::{Look, Viewer};

/// Shows sales, their server, and with --sql the worker's dead letters, printed anew each second
///
/// The manual is docs/companion.md.
#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub struct Options {
    #[command(flatten)]
    redis: RedisOptions,
    /// The key of a sale; again for each further one. Without it, all are looked for, but not in a
    /// cluster
    #[arg(long, value_name = "SALE")]
    sale: Vec<String>,
    #[command(flatten)]
    sql: SqlOptions,
    /// Prints once, and ends
    #[arg(long)]
    once: bool,
}

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; the server or the sale is not there at the start.
pub async fn run(options: Options) -> Result<u8, Failure> {
    let address = options.redis.address()?;
    if address.way == Way::Cluster && options.sale.is_empty() {
        return Err(Failure::Usage(
            "--cluster takes the names of the sales: --sale SALE".into(),
        ));
    }
    let cannot = |text: String| Failure::CannotGoOn(text);
    let stop = Stop::on_signals().map_err(|error| cannot(format!("signals: {error}")))?;
    let mut database = match &options.sql.url_if_given()? {
        Some(url) => {
            let opened = Database::connect(url).await;
            Some(opened.map_err(|error| cannot(format!("SQL: {}", describe(&error))))?)
        }
        None => None,
    };
    let mut viewer = Viewer::new(address, options.sale);
    let mut before = viewer.look(&mut database).await.map_err(cannot)?;
    let mut backoff = Backoff::default();
    loop {
        stop.sleep(EVERY).await;
        if stop.is_set() {
            return Ok(0);
        }
        match viewer.look(&mut database).await {
            Ok(now) => {
                let is_read = print(&screen::draw(&now, &before), options.once);
                if options.once || !is_read {
                    return Ok(0);
                }
                backoff.reset();
                before = now;
            }
            Err(text) if options.once => return Err(Failure::CannotGoOn(text)),
            Err(text) => {
                if !print(&format!("{}\nwaiting for it\n", shown(&text)), false) {
                    return Ok(0);
                }
                viewer.forget_links();
                stop.sleep(backoff.next()).await;
                // Rates are of two looks at the same server.
                before = Look::default();
            }
        }
    }
}

/// Writes a text, over the one before on a terminal. Reports `false` once nobody reads it any
/// more, as behind `| head`.
fn print(text: &str, is_once: bool) -> bool {
    let mut out = std::io::stdout().lock();
    let clears = out.is_terminal() && !is_once;
    let start = if clears { "\x1b[H\x1b[J" } else { "" };
    let written = write!(out, "{start}{text}").and_then(|()| out.flush());
    written.is_ok()
}

/// Makes an error harmless, line by line: it names sales.
fn shown(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(harmless).collect();
    lines.join("\n")
}
