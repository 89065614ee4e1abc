//! The requests, one function each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Json, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, Response, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use redis::Value;
use serde::Deserialize;
use serde_json::{Map, Value as Js, json};

use super::door::Beside;
use super::gates::Gates;
use super::idempotency::{NAME_MOST, key_of};
use super::metrics::Metrics;
use super::own;
use super::places::{NoAnswer, deadline};
use super::queue::SaleAnswer;
use super::reply::{Reply, describe};
use super::user::Who;
use super::view::LiveView;
use crate::link::{field, pairs, string};
use crate::stop::Stop;

/// The longest body.
const BODY_MOST: usize = 4_096;

/// The longest SKU that the module takes, in bytes.
const SKU_MOST: usize = 128;

/// How long a request may take, its body and its answer included. The sale answers within 2 s or
/// not at all, so this ends bodies that never do.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// What all requests share.
pub struct App {
    pub gates: Gates,
    pub view: Arc<LiveView>,
    pub who: Who,
    /// The header of the proxy that says where a request comes from.
    pub from: Option<HeaderName>,
    pub metrics: Metrics,
    /// What writes the numbers, unless they have a place of their own.
    pub numbers: Option<PrometheusHandle>,
    pub page: Bytes,
    pub stop: Stop,
}

type Shared = State<Arc<App>>;
type Id = Result<Path<String>, PathRejection>;

/// Returns the routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/events", get(events))
        .route("/sale", get(sale))
        .route("/reservations", post(reserve))
        .route("/reservations/{id}", get(look_up).delete(release))
        .route("/reservations/{id}/payment", post(pay))
        .route("/problems/{answer}", get(problem))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(nowhere)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_MOST))
        .layer(from_fn(end_in_time))
        .with_state(app)
}

/// Answers 408 where a request is too slow. The live view is answered at once, by a body that
/// goes on: it is not ended.
async fn end_in_time(request: Request, next: Next) -> Response<Body> {
    match tokio::time::timeout(REQUEST_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Reply::own(&own::SLOW, "The request took too long.").send(),
    }
}

async fn page(State(app): Shared, headers: HeaderMap) -> Response<Body> {
    const CONTENT: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
        connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::CONTENT_SECURITY_POLICY, CONTENT),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    let mut response = (fixed, Body::from(app.page.clone())).into_response();
    welcome(&app, &headers, &mut response);
    response
}

/// Gives a browser its name.
fn welcome(app: &App, headers: &HeaderMap, response: &mut Response<Body>) {
    if let Some(cookie) = app.who.welcome(headers) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

async fn events(State(app): Shared) -> impl IntoResponse {
    let events = Arc::clone(&app.view).events(app.stop.clone());
    // nginx would collect the events otherwise.
    ([("x-accel-buffering", "no")], events)
}

async fn sale(State(app): Shared, headers: HeaderMap) -> Response<Body> {
    let mut response = match app.view.sale().await {
        Ok(json) => {
            let fixed = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (fixed, json.to_string()).into_response()
        }
        Err(reply) => reply.send(),
    };
    welcome(&app, &headers, &mut response);
    response
}

/// The body of a reservation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// In the order of the names, so that the same cart is the same command.
    items: BTreeMap<String, u64>,
    /// Whether the request waits in line where it cannot be met at once.
    #[serde(default)]
    wait: bool,
    /// What the app made for this id and this user, in a sale with PASSKEY.
    pass: Option<String>,
}

async fn reserve(
    State(app): Shared,
    headers: HeaderMap,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Response<Body> {
    let begin = Instant::now();
    let reply = try_reserve(&app, &headers, body).await;
    app.metrics.count_reserve(begin.elapsed());
    finish(&app, "reserve", reply)
}

async fn try_reserve(
    app: &App,
    headers: &HeaderMap,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<Reply, Reply> {
    let until = deadline();
    let user = app.who.of(headers)?;
    let id = key_of(headers)?;
    let Wanted { items, wait, pass } = read(body)?;
    let beside = Beside {
        waits: wait,
        pass: pass.as_deref(),
        source: app.from.as_ref().and_then(|name| source_of(name, headers)),
    };
    if items.keys().any(|sku| sku.len() > SKU_MOST) {
        return Err(Reply::problem(404, "NOSKU", "Not on sale."));
    }
    let gate = app.gates.of_user(&user);
    let mut lines = items.iter().map(|(sku, qty)| (sku.as_str(), *qty));
    let answer = match (lines.next(), lines.len()) {
        (None, _) => return Err(Reply::own(&own::NOITEMS, "No item is asked for.")),
        // Batches have no WAIT, no pass and no source.
        (Some((sku, qty)), 0) if !gate.takes_alone(&beside) => {
            gate.reserve_one(sku, qty, &user, &id, until).await
        }
        _ => {
            let lines = items.iter().map(|(sku, qty)| (sku.as_str(), *qty));
            gate.reserve_alone(lines, &user, &id, beside, until).await
        }
    };
    let reply = answered("RESERVE", answer);
    if matches!(reply.answer.as_str(), "USERLIMIT" | "ITEMLIMIT") {
        return Ok(with_reservations(app, &user, reply, until).await);
    }
    Ok(reply)
}

/// Returns where a request comes from, by the header of the proxy: of several the last one, as a
/// proxy adds its own behind what a client sent.
fn source_of<'h>(name: &HeaderName, headers: &'h HeaderMap) -> Option<&'h [u8]> {
    let last = headers.get_all(name).iter().next_back()?.as_bytes();
    (1..=NAME_MOST).contains(&last.len()).then_some(last)
}

/// Adds the ids that the user has open, so that a second tab can go on with one. The refusal is
/// answered without them if there is no time left to ask.
async fn with_reservations(app: &App, user: &[u8], reply: Reply, until: Instant) -> Reply {
    let Ok(Ok(found)) = app
        .gates
        .of_user(user)
        .read("USER", Some(user), until)
        .await
    else {
        return reply;
    };
    match field(&pairs(&found), "reservations") {
        Some(Value::Array(ids)) => {
            let ids: Js = ids.iter().map(string).collect();
            reply.with("reservations", ids)
        }
        _ => reply,
    }
}

async fn look_up(State(app): Shared, headers: HeaderMap, id: Id) -> Response<Body> {
    let reply = try_look_up(&app, &headers, id).await;
    finish(&app, "get", reply)
}

async fn try_look_up(app: &App, headers: &HeaderMap, id: Id) -> Result<Reply, Reply> {
    let user = app.who.of(headers)?;
    let id = id_of(id)?;
    // What is theirs is on their part, whatever part the id names.
    let gate = app.gates.of_user(&user);
    let found = match gate.read("GET", Some(id.as_bytes()), deadline()).await {
        Ok(Ok(found)) => pairs(&found),
        other => return Ok(answered("GET", other)),
    };
    // Of another user: as if it were not there.
    let is_theirs = match field(&found, "user") {
        Some(Value::BulkString(owner)) => *owner == user,
        _ => false,
    };
    if !is_theirs {
        let unknown = Reply::problem(404, "NORESERVATION", "We do not know this order.");
        return Err(unknown.with("id", id.into()));
    }
    Ok(Reply::done("RESERVATION", reservation(&id, &found)))
}

/// Returns what GET says, without the user: its name is a secret of the browser's.
fn reservation(id: &str, found: &[(String, Value)]) -> Map<String, Js> {
    let mut members = Map::new();
    members.insert("id".into(), id.into());
    for (name, value) in found.iter().filter(|(name, _)| name != "user") {
        let shown = match value {
            Value::Nil => Js::Null,
            Value::Int(number) => (*number).into(),
            Value::Array(lines) => lines.iter().filter_map(line).collect(),
            other => string(other).into(),
        };
        members.insert(name.clone(), shown);
    }
    members
}

fn line(line: &Value) -> Option<Js> {
    match line {
        Value::Array(pair) => match pair.as_slice() {
            [sku, Value::Int(qty)] => Some(json!({"sku": string(sku), "qty": qty})),
            _ => None,
        },
        _ => None,
    }
}

async fn release(State(app): Shared, headers: HeaderMap, id: Id) -> Response<Body> {
    let reply = try_release(&app, &headers, id).await;
    finish(&app, "release", reply)
}

async fn try_release(app: &App, headers: &HeaderMap, id: Id) -> Result<Reply, Reply> {
    let user = app.who.of(headers)?;
    let id = id_of(id)?;
    let answer = app.gates.of_user(&user).release(&user, &id, deadline());
    Ok(answered("RELEASE", answer.await))
}

/// The body of a payment: a stand-in for what a payment provider's webhook brings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    #[serde(rename = "ref")]
    paid: String,
}

async fn pay(
    State(app): Shared,
    headers: HeaderMap,
    id: Id,
    body: Result<Json<Payment>, JsonRejection>,
) -> Response<Body> {
    let reply = try_pay(&app, &headers, id, body).await;
    finish(&app, "payment", reply)
}

async fn try_pay(
    app: &App,
    headers: &HeaderMap,
    id: Id,
    body: Result<Json<Payment>, JsonRejection>,
) -> Result<Reply, Reply> {
    let user = app.who.of(headers)?;
    let id = id_of(id)?;
    let paid = read(body)?.paid;
    let gate = app.gates.of_user(&user);
    let answer = gate.checkout(&user, &id, &paid, deadline()).await;
    Ok(answered("CHECKOUT", answer))
}

async fn problem(answer: Result<Path<String>, PathRejection>) -> Response<Body> {
    let described = answer.ok().and_then(|Path(answer)| describe(&answer));
    match described {
        Some(text) => Json(text).into_response(),
        None => nowhere().await,
    }
}

async fn health(State(app): Shared) -> Response<Body> {
    let until = deadline();
    for gate in app.gates.all() {
        let answer = gate.read("INFO", None, until).await;
        if !matches!(answer, Ok(Ok(_))) {
            return answered("INFO", answer).send();
        }
    }
    Reply::done("OK", Map::new()).send()
}

async fn metrics(State(app): Shared) -> Response<Body> {
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    match &app.numbers {
        Some(numbers) => ([(header::CONTENT_TYPE, TEXT)], numbers.render()).into_response(),
        None => nowhere().await,
    }
}

async fn nowhere() -> Response<Body> {
    Reply::own(&own::NOTHERE, "There is nothing here.").send()
}

async fn no_such_method() -> Response<Body> {
    Reply::own(&own::NOMETHOD, "This path does not take this method.").send()
}

fn answered(command: &str, answer: Result<SaleAnswer, NoAnswer>) -> Reply {
    match answer {
        Ok(answer) => Reply::of(command, answer),
        Err(none) => none.reply(),
    }
}

fn finish(app: &App, request: &'static str, reply: Result<Reply, Reply>) -> Response<Body> {
    let (Ok(reply) | Err(reply)) = reply;
    app.metrics.count_answer(request, &reply.answer);
    reply.send()
}

fn id_of(id: Id) -> Result<String, Reply> {
    match id {
        Ok(Path(id)) if (1..=NAME_MOST).contains(&id.len()) => Ok(id),
        Ok(_) => Err(Reply::own(&own::BADID, "An id has 1 to 255 bytes.")),
        Err(error) => Err(Reply::own(&own::BADID, error.body_text())),
    }
}

/// Returns the body. A body that is no such thing is 400, and never 422, which is what another
/// cart under the same key is.
fn read<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Reply> {
    match body {
        Ok(Json(body)) => Ok(body),
        Err(error) => {
            let own = match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => &own::LONGBODY,
                StatusCode::UNSUPPORTED_MEDIA_TYPE => &own::NOJSON,
                _ => &own::BADBODY,
            };
            Err(Reply::own(own, error.body_text()))
        }
    }
}
