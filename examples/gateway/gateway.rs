//! A gateway in miniature: reservations of many buyers as batches over a few connections.
//!
//! A free connection takes whatever waits, at most [`MOST`]. So a lone buyer is sent on at once,
//! and the more buyers there are, the larger the batches become: no timer has to be chosen.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use redis::{Client, Connection, ConnectionLike, RedisResult, Value};

/// Entries of the largest batch.
const MOST: usize = 128;
/// How long to wait before a lost batch is sent again.
const PAUSE: Duration = Duration::from_millis(100);

/// A buyer's `user qty id`, and where the answer goes.
type Waiting = ([String; 3], Sender<RedisResult<Value>>);

/// Where buyers ask. It ends its connections when it is dropped.
pub struct Gateway(Sender<Waiting>);

impl Gateway {
    /// Opens a gateway to a sale, with so many connections.
    pub fn open(client: &Client, sale: &'static str, connections: usize) -> Gateway {
        let (gate, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..connections {
            let (client, waiting) = (client.clone(), Arc::clone(&waiting));
            thread::spawn(move || serve(&client, sale, &waiting));
        }
        Gateway(gate)
    }

    /// Waits for the answer to a buyer: what RESERVE would have answered, or an error of the
    /// server as a value. Returns `None` when the gateway has ended.
    ///
    /// # Errors
    ///
    /// What the client reports of the whole batch, such as a wrong password. Lost connections
    /// and time-outs are no answer: the batch is sent again.
    pub fn reserve(&self, user: &str, qty: &str, id: &str) -> Option<RedisResult<Value>> {
        let (answer, answered) = channel();
        let entry = [user, qty, id].map(str::to_owned);
        self.0.send((entry, answer)).ok()?;
        answered.recv().ok()
    }
}

/// Sends batch after batch over one connection, until there is nobody left who could ask.
fn serve(client: &Client, sale: &str, waiting: &Mutex<Receiver<Waiting>>) {
    let mut connection = None;
    while let Some(batch) = take(waiting) {
        let mut command = redis::cmd("FLASHSALE.MRESERVE");
        command.arg(sale).arg("ENTRIES").arg(batch.len());
        for (entry, _) in &batch {
            command.arg(entry);
        }
        let answers = match send(client, &mut connection, &command.get_packed_command()) {
            Ok(Value::Array(answers)) => answers.into_iter().map(Ok).collect(),
            // One error for the whole batch is everybody's.
            error => vec![error; batch.len()],
        };
        for ((_, buyer), answer) in batch.into_iter().zip(answers) {
            // A buyer who has gone needs no answer.
            let _ = buyer.send(answer);
        }
    }
}

/// Waits for the first entry and takes those that wait behind it.
fn take(waiting: &Mutex<Receiver<Waiting>>) -> Option<Vec<Waiting>> {
    let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let first = waiting.recv().ok()?;
    let rest = waiting.try_iter().take(MOST - 1);
    Some([first].into_iter().chain(rest).collect())
}

/// Sends a batch until it is answered. After a lost connection nobody knows whether it was
/// carried out; the same line again is right in either case, because an entry that was carried
/// out is answered like the first time.
///
/// Any other error is the answer: the same line would meet it again.
///
/// `query` would turn an error among the elements into an error of the whole batch.
fn send(client: &Client, connection: &mut Option<Connection>, batch: &[u8]) -> RedisResult<Value> {
    loop {
        let opened = connection
            .take()
            .map_or_else(|| client.get_connection(), Ok);
        let answered = opened.and_then(|mut open| Ok((open.req_packed_command(batch)?, open)));
        match answered {
            Ok((answer, open)) => {
                *connection = Some(open);
                return Ok(answer);
            }
            Err(error) if error.is_io_error() => {
                eprintln!("gateway: the same batch again: {error}");
                thread::sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}
