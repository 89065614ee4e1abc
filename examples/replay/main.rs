//! Real orders through a sale: `cargo run --release --example replay -- FILE.csv`.
//!
//! The file has one line per SKU of an invoice, with the columns `invoice`, `sku`,
//! `quantity`, `invoice_time`, `customer` and `country`, in the order of time. Every
//! invoice becomes a RESERVE of its whole cart and a CHECKOUT, every line of a
//! cancellation (an invoice that begins with `C`) a REFUND, every other negative
//! quantity a RESTOCK. Each request is sent twice, as if its answer had been lost.
//!
//! What must come of it is worked out from the file alone, before and without the
//! server, and compared with each answer on the way, and at the end with the sale,
//! its users, its reservations and its stream. The exit status is 0 only if there
//! is no difference.
//!
//! - `lines.rs`: the file, line by line
//! - `book.rs`: what the lines mean, and the totals that must come of them
//! - `steps.rs`: the requests that come of the lines
//! - `drive.rs`: sends it, and compares the answers
//! - `compare.rs`, `compare_stream.rs`: read it all back, and compare the state
//!
//! Edge: speaks RESP like any client and never links the crate.

mod book;
mod compare;
mod compare_stream;
mod comparison;
mod drive;
mod lines;
#[path = "../common/print.rs"]
mod print;
#[path = "../common/reply.rs"]
mod reply;
#[path = "../common/server.rs"]
mod server;
mod steps;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use book::Book;
use drive::Drive;
use print::{commas, heading, print_checks};
use reply::Outcome;
use server::{Server, Setup};

/// The sale's key.
pub const SALE: &str = "{shop}";
/// The stream of its orders.
pub const ORDERS: &str = "{shop}:orders";

const USAGE: &str = "\
Replays an order file through a sale and compares the outcome with the file's own totals.

Usage: replay FILE.csv

FLASHSALE_SERVER names the server program, FLASHSALE_MODULE the module.";

fn main() -> ExitCode {
    let file = match parse(lexopt::Parser::from_env()) {
        Ok(Some(file)) => file,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("replay: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&file) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("replay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line; `None` when help was asked for.
fn parse(mut parser: lexopt::Parser) -> Result<Option<PathBuf>, lexopt::Error> {
    use lexopt::Arg::{Long, Short, Value};
    let mut file = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Value(name) if file.is_none() => file = Some(PathBuf::from(name)),
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    file.ok_or_else(|| "no file named".into()).map(Some)
}

/// Everything, from the file to the verdict; true when nothing differs.
fn run(file: &Path) -> Outcome<bool> {
    let read = lines::read(file)?;
    let book = Book::new(&read.lines);
    print_file(file, &read, &book);
    let server = Server::start(&Setup::of(&["--appendonly", "yes"]))?;
    let mut drive = Drive::new(server.connect()?);
    drive.run(&book)?;
    print_drive(&server, &drive)?;
    let checks = compare::compare_all(&mut server.connect()?, &book, &drive)?;
    println!("{}", heading("Compared with the file's own totals"));
    let passed = print_checks(&checks) && drive.differences.is_empty();
    for text in drive.differences.iter().take(20) {
        println!("        {text}");
    }
    println!(
        "\n{}",
        if passed {
            "No difference."
        } else {
            "There are DIFFERENCES."
        }
    );
    Ok(passed)
}

fn print_file(file: &Path, read: &lines::Read, book: &Book) {
    let name = file
        .file_name()
        .unwrap_or(file.as_os_str())
        .to_string_lossy();
    println!(
        "{}",
        heading(&format!(
            "{name}: {} lines",
            commas(read.lines.len() as u64)
        ))
    );
    let row = |count: usize, text: String| println!("  {:>9}  {text}", commas(count as u64));
    row(
        book.orders.len(),
        format!("orders, {} units", commas(book.units_ordered())),
    );
    row(book.items.len(), "SKUs".into());
    row(
        book.users.len(),
        "users; lines without a customer are the user `guest`".into(),
    );
    row(
        book.cancellations.done,
        "cancelled lines of an order in the file".into(),
    );
    row(
        book.cancellations.too_many,
        "of an order that has not so many of them: NOTSOLD".into(),
    );
    row(
        book.cancellations.before,
        "of a customer without an order yet: NORESERVATION".into(),
    );
    row(book.adjustments, "stock adjustments".into());
    row(read.unusable, "unusable lines left out\n".into());
}

fn print_drive(server: &Server, drive: &Drive) -> Outcome<()> {
    let title = format!(
        "Sent to {} of its own on port {}, each request twice: the second must be answered as the first",
        server.version()?,
        server.port()
    );
    println!("{}", heading(&title));
    for ((command, word), count) in &drive.answers {
        println!("  {:>9}  {command} {word}", commas(*count));
    }
    println!();
    Ok(())
}
