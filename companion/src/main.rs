//! `flashsale`: the program beside the module.
//!
//! It speaks to a server like any client. `flashsale worker` moves the order stream into SQL
//! tables, each order exactly once; `flashsale load` lets a crowd at a sale and checks the books;
//! `flashsale top` shows a sale in the terminal. docs/companion.md is their manual.
//!
//! | Folder | |
//! |---|---|
//! | `link` | one connection to the primary, which never reconnects by itself |
//! | `sql` | three databases by one interface, the tables, which errors pass |
//! | `load` | buyers and their habits, the driver, the books and their checks, the report |
//! | `top` | what a sale and its server look like now |
//! | `worker` | entries, hooks, one batch, reading and acknowledging |

#![forbid(unsafe_code)]

mod link;
mod load;
mod log;
mod options;
mod plain;
mod retry;
mod secret;
mod sql;
mod stop;
mod top;
mod worker;

use std::process::ExitCode;

use options::Failure;

const HELP: &str = "\
flashsale: the program beside the flashsale module

  flashsale worker ...       moves the order stream into your SQL tables, each order once
  flashsale worker dead ...  lists, retries and drops what could not be stored
  flashsale load ...         lets a crowd at a sale, and checks the books at the end
  flashsale top ...          shows sales and their server in the terminal

`flashsale worker --help`, and so on, lists the options. Exit codes: 0 done, 1 the answer is no,
2 wrong usage, 3 cannot go on.
";

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads for the runtime");
    let code = match runtime.block_on(run()) {
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

async fn run() -> Result<u8, Failure> {
    let mut arguments = lexopt::Parser::from_env();
    match arguments.next()? {
        Some(lexopt::Arg::Value(word)) if word == "worker" => worker::run(arguments).await,
        Some(lexopt::Arg::Value(word)) if word == "load" => load::run(arguments).await,
        Some(lexopt::Arg::Value(word)) if word == "top" => top::run(arguments).await,
        Some(lexopt::Arg::Value(word)) => Err(Failure::Usage(format!(
            "there is no subcommand {}: see flashsale --help",
            word.display()
        ))),
        Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) => {
            print!("{HELP}");
            Ok(0)
        }
        Some(lexopt::Arg::Long("version")) => {
            println!("flashsale {}", env!("CARGO_PKG_VERSION"));
            Ok(0)
        }
        Some(other) => Err(other.unexpected().into()),
        None => Err(Failure::Usage(
            "no subcommand given: see flashsale --help".into(),
        )),
    }
}
