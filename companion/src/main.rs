//! `flashsale`: the program beside the module.
//!
//! It speaks to a server like any client. `flashsale worker` moves the order stream into SQL
//! tables, each order exactly once; `flashsale serve` is the way from browsers to a sale, by
//! HTTP. docs/companion.md is the manual.
//!
//! | Folder | |
//! |---|---|
//! | `link` | one connection to the primary, which never reconnects by itself |
//! | `sql` | three databases by one interface, the tables, which errors pass |
//! | `serve` | the gateway: queues and batches, answers over HTTP, the live view, the page |
//! | `worker` | entries, hooks, one batch, reading and acknowledging |

#![forbid(unsafe_code)]

mod link;
mod log;
mod options;
mod prometheus;
mod retry;
mod secret;
mod serve;
mod sql;
mod stop;
mod worker;

use std::process::ExitCode;

use options::Failure;

const HELP: &str = "\
flashsale: the program beside the flashsale module

  flashsale worker ...       moves the order stream into your SQL tables, each order once
  flashsale worker dead ...  lists, retries and drops what could not be stored
  flashsale serve ...        an HTTP gateway to a sale, with a page for buyers

`flashsale worker --help` and `flashsale serve --help` list the options. Exit codes: 0 done, 1 the answer is no,
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
        Some(lexopt::Arg::Value(word)) if word == "serve" => serve::run(arguments).await,
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
