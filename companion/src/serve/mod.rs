//! `flashsale serve`: from browsers to a sale, by HTTP.
//!
//! An example that holds under load, and no shop: it has no login and no CAPTCHA, and takes no
//! money.
//!
//! # How it holds
//!
//! 1. The header `Idempotency-Key` is the reservation's id. Whatever is lost on the way, a
//!    browser or a connection to the server, the same request again is a replay.
//! 2. A refusal is a 4xx. 503 is for faults and for a full queue: proxies take a host out of
//!    service for its 5xx, and most answers of a flash sale are refusals.
//! 3. The user comes from a cookie that nobody can guess, or from a header of a proxy, never
//!    from a body. What another user has is not there.
//!
//! | File | |
//! |---|---|
//! | `door` | what the sale asks for that no batch can carry |
//! | `gate`, `queue`, `keeper` | to the sale: batches, what waits for one, a connection that comes back |
//! | `connections` | from browsers: how long a connection may be silent, and an orderly end |
//! | `places` | how many requests wait for an answer, and how long |
//! | `routes`, `user`, `idempotency` | the requests, and who asks for what |
//! | `reply`, `lookup`, `meaning`, `answers` | answers over HTTP, by the table of `clients/answers.json` |
//! | `own` | what the gateway answers by itself |
//! | `view` | the live view, for GET /sale and GET /events |

mod answers;
mod connections;
mod door;
mod gate;
mod idempotency;
mod keeper;
mod lookup;
mod meaning;
mod metrics;
mod options;
mod own;
mod places;
mod queue;
mod reply;
mod routes;
mod user;
mod view;

use std::sync::Arc;

use axum::body::Bytes;
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::link::{Address, Link, explain, field, pairs, string};
use crate::log;
use crate::stop::Stop;

use gate::Gate;
use metrics::Metrics;
pub use options::Options;
use routes::App;
use user::Who;
use view::LiveView;

/// The commands that it sends.
const COMMANDS: [&str; 8] = [
    "FLASHSALE.MRESERVE",
    "FLASHSALE.RESERVE",
    "FLASHSALE.CHECKOUT",
    "FLASHSALE.RELEASE",
    "FLASHSALE.GET",
    "FLASHSALE.USER",
    "FLASHSALE.STOCK",
    "FLASHSALE.INFO",
];

const PAGE: &str = include_str!("page.html");

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; something at the start is not as it has to be.
pub async fn run(options: Options) -> Result<u8, Failure> {
    log::begin(options.tell.log);
    let address = options.redis.address()?;
    let cannot = |text: String| Failure::CannotGoOn(text);
    let stop = Stop::on_signals().map_err(|error| cannot(format!("signals: {error}")))?;
    let link = Link::connect_by(&address, &gate::probe(&options.sale)).await;
    let link = link.map_err(|error| cannot(format!("Redis: {error}")))?;
    link.check_commands(&COMMANDS).await.map_err(cannot)?;
    check_sale(&link, &options).await?;
    let numbers = match &options.tell.metrics {
        Some(place) => crate::metrics::show_at(place).map(|()| None)?,
        None => Some(crate::metrics::begin()?),
    };
    let metrics = Metrics::begin();
    let gate = open(&address, &options, &metrics).await?;
    let app = Arc::new(App {
        view: LiveView::start(Arc::clone(&gate), metrics.clone()),
        gate,
        from: options.from_header,
        who: options.user_header.map_or(Who::Cookie, Who::Header),
        numbers,
        metrics,
        page: page_of(&options.sale),
        stop: stop.clone(),
    });
    let listener = TcpListener::bind(&options.listen).await;
    let listener =
        listener.map_err(|error| cannot(format!("--listen {}: {error}", options.listen)))?;
    let local = listener.local_addr().ok();
    let place = local.map_or_else(|| options.listen.clone(), |place| place.to_string());
    log::info(format!(
        "{}: selling at http://{place}, from {}",
        options.sale, link.server
    ));
    if let Some(warning) = local.and_then(|place| app.who.warning_at(place)) {
        log::warn(warning);
    }
    drop(link);
    connections::serve(listener, routes::router(app), stop).await;
    Ok(0)
}

async fn open(
    address: &Address,
    options: &Options,
    metrics: &Metrics,
) -> Result<Arc<Gate>, Failure> {
    let gate = Gate::open(address, &options.sale, &options.orders, metrics).await;
    gate.map_err(|error| Failure::CannotGoOn(format!("Redis: {error}")))
}

/// Looks whether the sale is there, and whether its orders go where the command line says.
async fn check_sale(link: &Link, options: &Options) -> Result<(), Failure> {
    let sale = &options.sale;
    let cannot = |text: String| Err(Failure::CannotGoOn(text));
    let info = match link.ask(&gate::probe(sale)).await {
        Ok(info) => pairs(&info),
        Err(error) => return cannot(format!("{sale}: {}", explain(&error))),
    };
    for name in ["orders", "state", "now_ms", "start_at_ms", "end_at_ms"] {
        if field(&info, name).is_none() {
            return cannot(format!(
                "{sale}: INFO has no {name}: load the module flashsale, 0.2.0 or later"
            ));
        }
    }
    let orders = field(&info, "orders").map(string).unwrap_or_default();
    if orders != options.orders {
        return cannot(format!(
            "{sale}: its orders go to {orders}, and not to {}",
            options.orders
        ));
    }
    Ok(())
}

/// Writes the sale's name into the page.
fn page_of(sale: &str) -> Bytes {
    let shown = sale
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    PAGE.replace("{{sale}}", &shown).into()
}
