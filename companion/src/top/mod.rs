//! `flashsale top`: sales and their server as plain text, printed anew each second.

mod look;
mod screen;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use lexopt::ValueExt;

use crate::link::{Address, Way};
use crate::options::Failure;
use crate::retry::Backoff;
use crate::secret::url_of;
use crate::sql::{Database, describe, dialect_of};
use crate::stop::Stop;

use look::{Look, Viewer};

/// What `--help` prints.
const HELP: &str = "\
flashsale top: sales and their server in the terminal, printed anew each second

  flashsale top --redis URL [--sale SALE ...] [options]

  --redis URL        redis://[user[:password]@]host:port[/db][,host:port...], or rediss://;
                     the first server that is a primary. Or FLASHSALE_REDIS, FLASHSALE_REDIS_FILE
  --sentinel NAME    the servers are Sentinels of this primary
  --cluster          the servers are nodes of a cluster; name the sales
  --sale SALE        the key of a sale; again for each further one. Without it, all are looked for
  --sql URL          count the worker's dead letters. Or FLASHSALE_SQL, FLASHSALE_SQL_FILE
  --once             print once, and end

Exit codes: 0 done, 2 wrong usage, 3 cannot go on. The manual is docs/companion.md.
";

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// The command line, checked.
struct Options {
    address: Address,
    sales: Vec<String>,
    sql_url: Option<String>,
    is_once: bool,
}

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; the server or the sale is not there at the start.
pub async fn run(arguments: lexopt::Parser) -> Result<u8, Failure> {
    let Some(options) = parse(arguments)? else {
        print!("{HELP}");
        return Ok(0);
    };
    let cannot = |text: String| Failure::CannotGoOn(text);
    let stop = Stop::on_signals().map_err(|error| cannot(format!("signals: {error}")))?;
    let mut database = match &options.sql_url {
        Some(url) => {
            let opened = Database::connect(url).await;
            Some(opened.map_err(|error| cannot(format!("SQL: {}", describe(&error))))?)
        }
        None => None,
    };
    let mut viewer = Viewer::new(options.address, options.sales);
    let mut before = viewer.look(&mut database).await.map_err(cannot)?;
    let mut backoff = Backoff::default();
    loop {
        stop.sleep(EVERY).await;
        if stop.is_set() {
            return Ok(0);
        }
        match viewer.look(&mut database).await {
            Ok(now) => {
                print(&screen::draw(&now, &before), options.is_once);
                if options.is_once {
                    return Ok(0);
                }
                backoff.reset();
                before = now;
            }
            Err(text) if options.is_once => return Err(Failure::CannotGoOn(text)),
            Err(text) => {
                print(&format!("{text}\nwaiting for it\n"), false);
                viewer.forget_links();
                stop.sleep(backoff.next()).await;
                // Rates are of two looks at the same server.
                before = Look::default();
            }
        }
    }
}

/// Overwrites the screen of a terminal; a closed output is the end of nothing.
fn print(text: &str, is_once: bool) {
    let mut out = std::io::stdout().lock();
    let clears = out.is_terminal() && !is_once;
    let start = if clears { "\x1b[H\x1b[J" } else { "" };
    let _ = write!(out, "{start}{text}").and_then(|()| out.flush());
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, Failure> {
    let usage = |text: String| Err(Failure::Usage(text));
    let (mut redis, mut sentinel, mut is_cluster) = (None, None, false);
    let (mut sales, mut sql, mut is_once) = (Vec::new(), None, false);
    while let Some(argument) = parser.next()? {
        use lexopt::Arg::{Long, Short};
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("redis") => redis = Some(parser.value()?.string()?),
            Long("sentinel") => sentinel = Some(parser.value()?.string()?),
            Long("cluster") => is_cluster = true,
            Long("sale") => sales.push(parser.value()?.string()?),
            Long("sql") => sql = Some(parser.value()?.string()?),
            Long("once") => is_once = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let way = match (sentinel, is_cluster) {
        (Some(_), true) => return usage("--sentinel or --cluster, not both".into()),
        (Some(name), false) => Way::Sentinel(name),
        (None, true) => Way::Cluster,
        (None, false) => Way::Direct,
    };
    if is_cluster && sales.is_empty() {
        return usage("--cluster takes the names of the sales: --sale SALE".into());
    }
    let url = url_of(redis, "--redis", "FLASHSALE_REDIS")?;
    // Dead letters are looked for only where somebody has said where.
    let has_variable = ["FLASHSALE_SQL", "FLASHSALE_SQL_FILE"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    let sql_url = if sql.is_some() || has_variable {
        Some(url_of(sql, "--sql", "FLASHSALE_SQL")?)
    } else {
        None
    };
    if let Some(url) = &sql_url {
        dialect_of(url).map_err(Failure::Usage)?;
    }
    Ok(Some(Options {
        address: Address::parse(&url, way).map_err(Failure::Usage)?,
        sales,
        sql_url,
        is_once,
    }))
}
