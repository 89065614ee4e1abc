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
//! | `gates` | of a split sale: the part of a user |
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
mod gates;
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

use gates::{Gates, PartPlace};
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
    let places = places_of(&address, &options).await?;
    let mut server = String::new();
    for place in &places.sales {
        let link = Link::connect_by(&address, &gate::probe(&place.key)).await;
        let link = link.map_err(|error| cannot(format!("Redis: {error}")))?;
        link.check_commands(&COMMANDS).await.map_err(cannot)?;
        check_sale(&link, place).await?;
        server.clone_from(&link.server);
    }
    let numbers = match &options.tell.metrics {
        Some(place) => crate::metrics::show_at(place).map(|()| None)?,
        None => Some(crate::metrics::begin()?),
    };
    let metrics = Metrics::begin();
    let gates = Gates::open(&address, &places.sales, &metrics).await;
    let gates = gates.map_err(|error| cannot(format!("Redis: {error}")))?;
    let app = Arc::new(App {
        view: LiveView::start(gates.clone(), metrics.clone()),
        gates,
        from: options.from_header,
        who: options.user_header.map_or(Who::Cookie, Who::Header),
        numbers,
        metrics,
        page: page_of(&places.name),
        stop: stop.clone(),
    });
    let listener = TcpListener::bind(&options.listen).await;
    let listener =
        listener.map_err(|error| cannot(format!("--listen {}: {error}", options.listen)))?;
    let local = listener.local_addr().ok();
    let place = local.map_or_else(|| options.listen.clone(), |place| place.to_string());
    log::info(format!(
        "{}: selling at http://{place}, from {server}",
        places.name
    ));
    if let Some(warning) = local.and_then(|place| app.who.warning_at(place)) {
        log::warn(warning);
    }
    connections::serve(listener, routes::router(app), stop).await;
    Ok(0)
}

/// What is sold: one sale, or the parts of one.
struct Places {
    name: String,
    sales: Vec<PartPlace>,
}

/// The names of the sale that the command line names, or of its parts.
async fn places_of(address: &Address, options: &Options) -> Result<Places, Failure> {
    if let Some(sale) = &options.group_of {
        let names = crate::split::names::find(address, sale, &options.place).await;
        let names = names.map_err(Failure::CannotGoOn)?;
        let place = |part: &crate::split::names::PartNames| PartPlace {
            key: part.key.clone(),
            orders: part.orders.clone(),
        };
        return Ok(Places {
            name: sale.clone(),
            sales: names.parts.iter().map(place).collect(),
        });
    }
    let (Some(key), Some(orders)) = (&options.sale, &options.orders) else {
        let text = "give --sale KEY and --orders STREAM, or --group-of SALE";
        return Err(Failure::Usage(text.into()));
    };
    let place = PartPlace {
        key: key.clone(),
        orders: orders.clone(),
    };
    Ok(Places {
        name: key.clone(),
        sales: vec![place],
    })
}

/// Looks whether the sale is there, and whether its orders go where the command line says.
async fn check_sale(link: &Link, place: &PartPlace) -> Result<(), Failure> {
    let sale = &place.key;
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
    if orders != place.orders {
        return cannot(format!(
            "{sale}: its orders go to {orders}, and not to {}",
            place.orders
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
