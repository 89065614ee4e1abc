//! Over HTTP: one task for each connection, which takes the next request as soon as it is free.
//!
//! # How it holds
//!
//! 1. Who finds no free connection waits in a queue without a bound, and the wait counts.
//! 2. A request without an answer is sent again under its `Idempotency-Key`, until there is one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::carrier::{Asked, Carrier, Parcel};
use super::clock::Clock;
use super::http::{Broken, Call, Connection, Place, Said};
use super::request::{Request, Sale, Step};
use super::resp::{Answer, Reply};
use super::world::World;

/// How long after a request without an answer it is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// All connections to a gateway.
pub struct Calls {
    parcels: UnboundedSender<Parcel>,
    answers: mpsc::Receiver<(Asked, Reply, u64)>,
    connections_lost: Arc<AtomicU64>,
}

impl Calls {
    /// Starts the tasks, in the runtime of this thread.
    pub fn start(world: &World, place: &Place) -> Self {
        let (parcels, receiver) = unbounded_channel();
        let (sender, answers) = mpsc::channel();
        let connections_lost = Arc::new(AtomicU64::new(0));
        let parcels_there = Arc::new(Mutex::new(receiver));
        for _ in 0..world.connections {
            let caller = Caller {
                place: place.clone(),
                sale: world.sale.clone(),
                clock: world.rules.clock,
                parcels: Arc::clone(&parcels_there),
                answers: sender.clone(),
                connections_lost: Arc::clone(&connections_lost),
            };
            tokio::spawn(caller.run());
        }
        Self {
            parcels,
            answers,
            connections_lost,
        }
    }
}

impl Carrier for Calls {
    fn send(&mut self, parcel: Parcel) {
        // The tasks are there for as long as this is.
        let _ = self.parcels.send(parcel);
    }

    fn flush(&mut self) {}

    fn read(&mut self, answered: &mut Vec<(Asked, Reply, u64)>) -> std::io::Result<()> {
        answered.extend(self.answers.try_iter());
        Ok(())
    }

    fn connections_lost(&self) -> u64 {
        self.connections_lost.load(Ordering::Relaxed)
    }

    fn put_off_us(&self, reply: &Reply) -> Option<u64> {
        if !reply.is_error {
            return None;
        }
        reply.after_ms.map(|after_ms| after_ms * 1_000)
    }
}

/// One connection.
struct Caller {
    place: Place,
    sale: Sale,
    clock: Clock,
    parcels: Arc<Mutex<UnboundedReceiver<Parcel>>>,
    answers: mpsc::Sender<(Asked, Reply, u64)>,
    connections_lost: Arc<AtomicU64>,
}

impl Caller {
    async fn run(self) {
        let mut connection = Connection::default();
        loop {
            let parcel = self.parcels.lock().await.recv().await;
            let Some(parcel) = parcel else {
                return;
            };
            let call = call_of(&parcel.request, &self.sale);
            let said = loop {
                match connection.ask(&self.place, &call).await {
                    Ok(said) => break said,
                    Err(Broken::Away(_)) => {}
                    Err(Broken::Lost(_)) => {
                        self.connections_lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            };
            let answer = (parcel.asked, reply_of(said), self.clock.now_us());
            if self.answers.send(answer).is_err() {
                return;
            }
        }
    }
}

fn call_of(request: &Request, sale: &Sale) -> Call {
    let (method, path, body) = match request.step {
        Step::Reserve | Step::Change => {
            let lines = [Some(request.first), request.second].into_iter().flatten();
            let items: BTreeMap<&str, u64> = lines
                .map(|(item, units)| (sale.items[item].as_str(), units))
                .collect();
            let body = json!({ "items": items });
            (Method::POST, "/reservations".into(), Some(body))
        }
        Step::Checkout | Step::PayAgain => {
            let path = format!("/reservations/{}/payment", request.id);
            let body = json!({ "ref": request.reference() });
            (Method::POST, path, Some(body))
        }
        Step::Release => {
            let path = format!("/reservations/{}", request.id);
            (Method::DELETE, path, None)
        }
    };
    let key = matches!(request.step, Step::Reserve | Step::Change).then(|| request.id.clone());
    Call {
        method,
        path,
        user: request.user.clone(),
        key,
        body,
    }
}

/// Members that stand beside the details of an answer.
const BESIDE: [&str; 6] = [
    "type",
    "status",
    "answer",
    "detail",
    "error",
    "reservations",
];

/// Takes an answer apart as if it had come over RESP: its members are the details, in their order.
fn reply_of(said: Said) -> Reply {
    let members = said.body.as_object();
    let word = members.and_then(|members| members.get("answer")?.as_str());
    let word = word.map_or_else(|| format!("HTTP-{}", said.status), str::to_owned);
    let details = members.into_iter().flatten();
    let details = details.filter(|(name, _)| !BESIDE.contains(&name.as_str()));
    Reply {
        word,
        details: details.map(|(_, value)| answer_of(value)).collect(),
        is_error: said.status >= 500,
        after_ms: said.after_ms,
    }
}

fn answer_of(value: &Json) -> Answer {
    match (value, value.as_i64()) {
        (_, Some(number)) => Answer::Number(number),
        (Json::String(text), _) => Answer::Text(text.clone()),
        (Json::Array(list), _) => Answer::List(list.iter().map(answer_of).collect()),
        (Json::Null, _) => Answer::Nothing,
        (other, _) => Answer::Text(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, after_ms: Option<u64>, body: &str) -> Said {
        Said {
            status,
            after_ms,
            body: serde_json::from_str(body).expect("JSON"),
        }
    }

    #[test]
    fn reads_an_answer_as_over_resp() {
        let body =
            r#"{"answer":"RESERVED","id":"a","expires_at_ms":5,"remaining":1,"user_remaining":0}"#;
        let reply = reply_of(said(201, None, body));
        assert_eq!(
            (reply.line(), reply.number(1)),
            ("RESERVED a 5 1 0".into(), Some(5))
        );
        let body = r#"{"type":"/problems/SOLDOUT","status":409,"answer":"SOLDOUT","available":1,"sku":"red","detail":"Sold out."}"#;
        let reply = reply_of(said(409, None, body));
        assert_eq!(reply.line(), "SOLDOUT 1 red");
        // A proxy's page.
        assert_eq!(reply_of(said(502, None, "null")).line(), "HTTP-502");
        let body = r#"{"status":503,"answer":"LATE","detail":"..."}"#;
        let late = reply_of(said(503, Some(1_000), body));
        assert!(late.is_error && late.after_ms == Some(1_000));
    }

    #[test]
    fn asks_for_a_cart_under_its_id() {
        let sale = Sale {
            items: vec!["red".into(), "blue".into()],
            ..Sale::default()
        };
        let mut request = Request {
            step: Step::Reserve,
            user: "ann".into(),
            id: "cart-1".into(),
            old_id: String::new(),
            first: (1, 2),
            second: Some((0, 1)),
            waits: false,
        };
        let call = call_of(&request, &sale);
        assert_eq!(
            (call.path.as_str(), call.key.as_deref()),
            ("/reservations", Some("cart-1"))
        );
        assert_eq!(call.body, Some(json!({"items": {"blue": 2, "red": 1}})));
        request.step = Step::PayAgain;
        let call = call_of(&request, &sale);
        assert_eq!(call.path, "/reservations/cart-1/payment");
        assert_eq!(call.body, Some(json!({"ref": "again-cart-1"})));
        request.step = Step::Release;
        let call = call_of(&request, &sale);
        assert_eq!(
            (call.method, call.key, call.body),
            (Method::DELETE, None, None)
        );
    }
}
