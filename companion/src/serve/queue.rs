//! Reservations that wait for a connection, by SKU.
//!
//! # Invariants
//!
//! 1. A SKU has a queue exactly while something waits in it, and is then in `turns` once. So
//!    names that strangers make up take no memory after their answer.
//! 2. `waiting` is the sum of all queues, and never above `most` by a push.
//! 3. `batch_most` is 1 to [`BATCH_MOST`].

use std::collections::{HashMap, VecDeque};

use redis::{RedisError, Value};
use tokio::sync::oneshot;

/// Entries of the largest batch.
const BATCH_MOST: usize = 128;

/// What the sale answers: a value, or an error. An entry of a batch is answered its element of
/// the reply, or the error of the whole batch.
pub type SaleAnswer = Result<Value, RedisError>;

/// One reservation, and who waits for its answer.
pub struct Entry {
    pub user: Vec<u8>,
    pub qty: u64,
    pub id: String,
    pub answer: oneshot::Sender<SaleAnswer>,
}

/// The queues of one sale.
pub struct Queues {
    by_sku: HashMap<String, VecDeque<Entry>>,
    turns: VecDeque<String>,
    waiting: usize,
    most: usize,
    /// How many entries a batch has at most, as far as the server's `batch-max` is known.
    batch_most: usize,
}

impl Queues {
    /// Makes empty queues for at most so many entries.
    pub fn new(most: usize) -> Self {
        Self {
            by_sku: HashMap::new(),
            turns: VecDeque::new(),
            waiting: 0,
            most,
            batch_most: BATCH_MOST,
        }
    }

    /// Makes batches smaller: the server has refused a whole one of so many entries. Reports
    /// `false` if a batch cannot be smaller.
    pub fn shrink(&mut self, refused: usize) -> bool {
        self.batch_most = self.batch_most.min((refused / 2).max(1));
        refused > 1
    }

    /// Makes batches larger again by one entry, once the server has answered the largest that
    /// was tried: `batch-max` can be raised while the gateway runs.
    pub fn grow(&mut self, answered: usize) {
        if answered == self.batch_most {
            self.batch_most = BATCH_MOST.min(answered + 1);
        }
    }

    /// Returns how many entries wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Puts an entry at the end. Reports `false` if the queues are full.
    pub fn push(&mut self, sku: &str, entry: Entry) -> bool {
        if self.waiting >= self.most {
            return false;
        }
        self.waiting += 1;
        match self.by_sku.get_mut(sku) {
            Some(queue) => queue.push_back(entry),
            None => {
                self.turns.push_back(sku.to_owned());
                self.by_sku.insert(sku.to_owned(), VecDeque::from([entry]));
            }
        }
        true
    }

    /// Takes what waits for the SKU whose turn it is, at most one batch. Nobody waits
    /// any more for an entry that was given up, so it is dropped: it was not sent, and holds
    /// no unit.
    pub fn take(&mut self) -> Option<(String, Vec<Entry>)> {
        while let Some(sku) = self.turns.pop_front() {
            let mut batch = Vec::new();
            if let Some(queue) = self.by_sku.get_mut(&sku) {
                while batch.len() < self.batch_most
                    && let Some(entry) = queue.pop_front()
                {
                    self.waiting -= 1;
                    if !entry.answer.is_closed() {
                        batch.push(entry);
                    }
                }
                if queue.is_empty() {
                    self.by_sku.remove(&sku);
                } else {
                    self.turns.push_back(sku.clone());
                }
            }
            if !batch.is_empty() {
                return Some((sku, batch));
            }
        }
        None
    }

    /// Puts a batch that was not answered back to the front: these have waited longest.
    pub fn put_back(&mut self, sku: &str, batch: Vec<Entry>) {
        if batch.is_empty() {
            return;
        }
        self.waiting += batch.len();
        let mut queue = VecDeque::from(batch);
        match self.by_sku.get_mut(sku) {
            Some(behind) => {
                queue.append(behind);
                *behind = queue;
            }
            None => {
                self.turns.push_front(sku.to_owned());
                self.by_sku.insert(sku.to_owned(), queue);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Waits = Vec<oneshot::Receiver<SaleAnswer>>;

    fn push(queues: &mut Queues, sku: &str, id: usize, waits: &mut Waits) -> bool {
        let (answer, receiver) = oneshot::channel();
        waits.push(receiver);
        queues.push(
            sku,
            Entry {
                user: b"ann".to_vec(),
                qty: 1,
                id: id.to_string(),
                answer,
            },
        )
    }

    fn ids(batch: &[Entry]) -> Vec<&str> {
        batch.iter().map(|entry| entry.id.as_str()).collect()
    }

    #[test]
    fn takes_at_most_a_batch_of_one_sku_and_takes_turns() {
        let (mut queues, mut waits) = (Queues::new(1_000), Waits::new());
        for id in 0..200 {
            assert!(push(&mut queues, "red", id, &mut waits));
        }
        push(&mut queues, "blue", 200, &mut waits);
        let (sku, batch) = queues.take().expect("a batch");
        assert_eq!((sku.as_str(), batch.len()), ("red", 128));
        let (sku, batch) = queues.take().expect("a batch");
        assert_eq!((sku.as_str(), batch.len()), ("blue", 1));
        let (_, batch) = queues.take().expect("a batch");
        assert_eq!((batch.len(), batch[0].id.as_str()), (72, "128"));
        assert!(queues.take().is_none());
        assert!(queues.by_sku.is_empty() && queues.turns.is_empty());
        assert_eq!(queues.waiting(), 0);
    }

    #[test]
    fn batches_shrink_where_they_are_refused_and_grow_where_they_are_answered() {
        let (mut queues, mut waits) = (Queues::new(1_000), Waits::new());
        for id in 0..300 {
            push(&mut queues, "red", id, &mut waits);
        }
        let mut sizes = Vec::new();
        for batch_max in [3, 3, 3, 3, 3, 3, 128, 128, 128] {
            let (sku, batch) = queues.take().expect("a batch");
            sizes.push(batch.len());
            if batch.len() > batch_max {
                assert!(queues.shrink(batch.len()));
                queues.put_back(&sku, batch);
            } else {
                queues.grow(batch.len());
            }
        }
        assert_eq!(sizes, [128, 64, 32, 16, 8, 4, 2, 3, 4]);
        assert!(!queues.shrink(1), "it is the entry that is refused");
        assert_eq!(queues.take().map(|(_, batch)| batch.len()), Some(1));
    }

    #[test]
    fn refuses_what_is_beyond_its_bound() {
        let (mut queues, mut waits) = (Queues::new(2), Waits::new());
        assert!(push(&mut queues, "a", 0, &mut waits));
        assert!(push(&mut queues, "b", 1, &mut waits));
        assert!(!push(&mut queues, "c", 2, &mut waits));
        queues.take();
        assert!(push(&mut queues, "c", 2, &mut waits));
    }

    #[test]
    fn drops_what_nobody_waits_for_and_sends_the_rest_again_first() {
        let (mut queues, mut waits) = (Queues::new(9), Waits::new());
        for id in 0..3 {
            push(&mut queues, "a", id, &mut waits);
        }
        let (sku, batch) = queues.take().expect("a batch");
        push(&mut queues, "a", 3, &mut waits);
        queues.put_back(&sku, batch);
        waits.remove(1);
        assert_eq!(queues.waiting(), 4);
        let (_, batch) = queues.take().expect("a batch");
        assert_eq!(ids(&batch), ["0", "2", "3"]);
        assert_eq!(queues.waiting(), 0);
    }
}
