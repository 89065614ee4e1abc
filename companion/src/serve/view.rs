//! What browsers watch: the state of the sale and its stock, looked up only while somebody
//! looks.
//!
//! However many readers there are, the server is asked once every [`LOOK_EVERY`]. A reader
//! that is too slow for an event gets the newest one instead: what it missed is of no use.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, StreamExt, unfold};
use redis::Value;
use serde_json::{Value as Json, json};
use tokio::sync::{Notify, watch};

use super::gate::Gate;
use super::gates::Gates;
use super::metrics::Metrics;
use super::places::{NoAnswer, deadline};
use super::reply::Reply;
use crate::link::{StockRow, field, integer, pairs, stock_rows, string};
use crate::retry::random_in;
use crate::stop::Stop;

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How often a silent connection gets a comment, before something between takes it for dead.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// After how long a browser comes back from a lost connection, drawn for each reader: all at once would be a
/// rush of its own after a restart.
const RETRY_MS: std::ops::Range<u64> = 2_000..5_000;

/// A sale as it was looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
struct SaleSeen {
    now_ms: i64,
    state: String,
    start_at_ms: Option<i64>,
    end_at_ms: Option<i64>,
    /// Most places in line; 0 where nobody can wait.
    waiting_max: i64,
    /// How long a place may be silent at its turn; 0 for ever.
    patience_ms: i64,
    items: Vec<StockRow>,
}

impl SaleSeen {
    /// Reads INFO and STOCK.
    fn of(info: &Value, stock: &Value) -> Option<Self> {
        let info = pairs(info);
        Some(Self {
            now_ms: integer(&info, "now_ms")?,
            state: string(field(&info, "state")?),
            start_at_ms: integer(&info, "start_at_ms"),
            end_at_ms: integer(&info, "end_at_ms"),
            waiting_max: integer(&info, "waiting_max").unwrap_or(0),
            patience_ms: integer(&info, "patience_ms").unwrap_or(0),
            items: stock_rows(stock)?,
        })
    }

    /// Adds another part of the same sale. A sale is open as long as one part is.
    fn add(&mut self, other: Self) {
        self.now_ms = self.now_ms.max(other.now_ms);
        if other.state == "open" {
            self.state = other.state;
        }
        for row in other.items {
            match self.items.iter_mut().find(|known| known.sku == row.sku) {
                Some(known) => {
                    let pairs = known.units.iter_mut().zip(row.units);
                    pairs.for_each(|(sum, units)| *sum += units);
                    known.waiting += row.waiting;
                }
                None => self.items.push(row),
            }
        }
    }

    fn json(&self) -> Json {
        let until = |at: Option<i64>| at.map(|at| (at - self.now_ms).max(0));
        let item = |row: &StockRow| {
            let [available, reserved, sold] = row.units;
            json!({"sku": row.sku, "available": available, "reserved": reserved, "sold": sold, "waiting": row.waiting})
        };
        json!({
            "now_ms": self.now_ms,
            "state": self.state,
            "starts_in_ms": until(self.start_at_ms),
            "ends_in_ms": until(self.end_at_ms),
            "waiting_max": self.waiting_max,
            "patience_ms": self.patience_ms,
            "items": self.items.iter().map(item).collect::<Vec<_>>(),
        })
    }

    /// Reports whether readers have to be told; they count the time themselves.
    fn differs(&self, before: &Self) -> bool {
        let now_ms = self.now_ms;
        *self
            != Self {
                now_ms,
                ..before.clone()
            }
    }
}

/// Looks at one part.
async fn look_at(gate: Arc<Gate>, until: Instant) -> Result<SaleSeen, Reply> {
    let (info, stock) = tokio::join!(
        gate.read("INFO", None, until),
        gate.read("STOCK", None, until)
    );
    match (info, stock) {
        (Ok(Ok(info)), Ok(Ok(stock))) => {
            SaleSeen::of(&info, &stock).ok_or_else(|| Reply::of("INFO", Ok(Value::Nil)))
        }
        (Ok(Err(error)), _) | (_, Ok(Err(error))) => Err(Reply::of("INFO", Err(error))),
        (Err(late), _) | (_, Err(late)) => Err(late.reply()),
    }
}

/// The newest look.
#[derive(Clone)]
enum Seen {
    Sale(Arc<SaleSeen>, Arc<str>),
    /// There is no answer, or an error: its status, word and sentence.
    Nothing(u16, String, String),
}

impl Seen {
    fn nothing(reply: &Reply) -> Self {
        let detail = reply.members.get("detail").and_then(Json::as_str);
        let detail = detail.unwrap_or_default().to_owned();
        Self::Nothing(reply.status, reply.answer.clone(), detail)
    }

    fn differs(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Sale(sale, _), Self::Sale(before, _)) => sale.differs(before),
            (Self::Nothing(_, answer, _), Self::Nothing(_, before, _)) => answer != before,
            _ => true,
        }
    }
}

/// The live view of one sale.
pub struct LiveView {
    gates: Gates,
    metrics: Metrics,
    /// Changes only where readers have to be told, but always holds the newest.
    seen: watch::Sender<Seen>,
    looked_at: watch::Sender<Option<Instant>>,
    asked: Notify,
}

impl LiveView {
    /// Starts to look whenever somebody looks.
    pub fn start(gates: Gates, metrics: Metrics) -> Arc<Self> {
        let nothing = Seen::nothing(&NoAnswer::Late.reply());
        let view = Arc::new(Self {
            gates,
            metrics,
            seen: watch::channel(nothing).0,
            looked_at: watch::channel(None).0,
            asked: Notify::new(),
        });
        let ours = Arc::clone(&view);
        tokio::spawn(async move { ours.look_for_ever().await });
        view
    }

    async fn look_for_ever(&self) {
        loop {
            if self.metrics.readers() == 0 {
                self.asked.notified().await;
            }
            let begin = Instant::now();
            let new = self.look().await;
            self.seen.send_if_modified(|seen| {
                let differs = new.differs(seen);
                *seen = new;
                differs
            });
            self.looked_at.send_replace(Some(Instant::now()));
            tokio::time::sleep_until((begin + LOOK_EVERY).into()).await;
        }
    }

    /// Looks at all parts at once. What those have that answer is shown: a part that is away
    /// takes its own share of the sale along, and no more.
    async fn look(&self) -> Seen {
        let until = deadline();
        let looks: Vec<_> = self
            .gates
            .all()
            .map(|gate| tokio::spawn(look_at(Arc::clone(gate), until)))
            .collect();
        let (mut whole, mut nothing): (Option<SaleSeen>, Option<Reply>) = (None, None);
        for look in looks {
            match look.await {
                Ok(Ok(seen)) => match &mut whole {
                    Some(whole) => whole.add(seen),
                    None => whole = Some(seen),
                },
                Ok(Err(reply)) => nothing = Some(reply),
                Err(_) => {}
            }
        }
        match (whole, nothing) {
            (Some(sale), _) => {
                let json = sale.json().to_string();
                Seen::Sale(Arc::new(sale), json.into())
            }
            (None, Some(reply)) => Seen::nothing(&reply),
            (None, None) => Seen::nothing(&NoAnswer::Late.reply()),
        }
    }

    /// Waits for a look that is not older than [`LOOK_EVERY`]. A look has a deadline of its own,
    /// so the one that is awaited here ends.
    async fn wait_until_fresh(&self) {
        let is_fresh = |at: &Option<Instant>| at.is_some_and(|at| at.elapsed() <= LOOK_EVERY);
        let mut looked_at = self.looked_at.subscribe();
        if !is_fresh(&looked_at.borrow_and_update()) {
            self.asked.notify_one();
            // An error means that nobody looks any more; then what was seen last is all there is.
            let _ = looked_at.changed().await;
        }
    }

    /// Returns the sale as JSON.
    ///
    /// # Errors
    ///
    /// There is none, or no answer.
    pub async fn sale(&self) -> Result<Arc<str>, Reply> {
        self.wait_until_fresh().await;
        match &*self.seen.borrow() {
            Seen::Sale(_, json) => Ok(Arc::clone(json)),
            Seen::Nothing(status, answer, detail) => {
                Err(Reply::problem(*status, answer, detail.as_str()))
            }
        }
    }

    /// Sends the sale now and after each change, until the reader leaves or the program is to
    /// stop.
    pub fn events(
        self: Arc<Self>,
        stop: Stop,
    ) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
        let reader = Reader::new(self);
        let events = unfold(reader, async |mut reader| {
            let event = reader.next().await?;
            Some((Ok(event), reader))
        });
        let events = events.take_until(async move { stop.wait().await });
        Sse::new(events).keep_alive(KeepAlive::new().interval(COMMENT_EVERY))
    }
}

/// One browser that watches.
struct Reader {
    view: Arc<LiveView>,
    seen: watch::Receiver<Seen>,
    is_first: bool,
}

impl Reader {
    fn new(view: Arc<LiveView>) -> Self {
        view.metrics.add_reader();
        // Whoever looks may have counted no readers and be asleep. What it saw before is fresh
        // for a moment more, so the first event alone would not wake it.
        view.asked.notify_one();
        Self {
            seen: view.seen.subscribe(),
            view,
            is_first: true,
        }
    }

    async fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        if std::mem::take(&mut self.is_first) {
            // The first event sets the browser's clock: an old one would set it wrong.
            self.view.wait_until_fresh().await;
            event = event.retry(Duration::from_millis(random_in(RETRY_MS)));
        } else {
            self.seen.changed().await.ok()?;
        }
        let seen = self.seen.borrow_and_update();
        Some(match &*seen {
            Seen::Sale(_, json) => event.data(json),
            Seen::Nothing(_, answer, detail) => {
                let data = json!({"answer": answer, "detail": detail});
                event.event("away").data(data.to_string())
            }
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.view.metrics.remove_reader();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale(now_ms: i64, available: u64) -> SaleSeen {
        SaleSeen {
            now_ms,
            state: "open".into(),
            start_at_ms: Some(1_000),
            end_at_ms: None,
            waiting_max: 9,
            patience_ms: 60_000,
            items: vec![StockRow {
                sku: "red".into(),
                units: [available, 1, 2],
                waiting: 3,
            }],
        }
    }

    #[test]
    fn parts_of_one_sale_are_shown_as_one() {
        let mut whole = sale(1_000, 5);
        whole.state = "paused".into();
        let mut other = sale(1_100, 7);
        other.items[0].sku = "blue".into();
        whole.add(sale(900, 4));
        whole.add(other);
        assert_eq!((whole.now_ms, &*whole.state), (1_100, "open"));
        let rows: Vec<_> = whole
            .items
            .iter()
            .map(|row| (&*row.sku, row.units))
            .collect();
        assert_eq!(rows, [("red", [9, 2, 4]), ("blue", [7, 1, 2])]);
        assert_eq!(whole.items[0].waiting, 6);
    }

    #[test]
    fn tells_of_changes_and_not_of_time() {
        assert!(!sale(2_000, 5).differs(&sale(1_000, 5)));
        assert!(sale(1_000, 4).differs(&sale(1_000, 5)));
        assert_eq!(
            sale(400, 5).json().to_string(),
            r#"{"now_ms":400,"state":"open","starts_in_ms":600,"ends_in_ms":null,"waiting_max":9,"patience_ms":60000,"items":[{"sku":"red","available":5,"reserved":1,"sold":2,"waiting":3}]}"#
        );
    }
}
