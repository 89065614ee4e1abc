//! One connection and its buyers: whoever is due is sent, a batch at a time.
//!
//! Edge: moves requests and answers; what they mean is in `visit.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Connection, ConnectionLike};

use crate::buyer::Crowd;
use crate::reply::{Outcome, Reply};
use crate::tally::Tally;
use crate::visit::{Next, Step, Visit, now_ms};

/// Most requests in one batch: what one web server would have under way at a time.
const BATCH: usize = 16;

/// What all connections together have done so far, for the progress bar.
#[derive(Default)]
pub struct Progress {
    answers: AtomicU64,
    gone: AtomicU64,
}

impl Progress {
    /// Answers received, buyers gone.
    pub fn read(&self) -> (u64, u64) {
        (
            self.answers.load(Ordering::Relaxed),
            self.gone.load(Ordering::Relaxed),
        )
    }
}

/// A request that waits for its moment: when, whose, which.
type Due = Reverse<(u64, usize, Step)>;

/// Serves a crowd over one connection until everybody has left.
///
/// # Errors
///
/// The connection broke.
pub fn serve(crowd: Crowd, mut connection: Connection, progress: &Progress) -> Outcome<Tally> {
    let Crowd { buyers, mut random } = crowd;
    let mut visits: Vec<Visit> = buyers.into_iter().map(Visit::new).collect();
    let arrivals = visits.iter().enumerate();
    let mut queue: BinaryHeap<Due> = arrivals
        .map(|(at, visit)| Reverse((visit.arrives_at_ms(), at, Step::Reserve)))
        .collect();
    let mut tally = Tally::new()?;
    while let Some(&Reverse((due_at_ms, _, _))) = queue.peek() {
        let sent_ms = now_ms();
        if due_at_ms > sent_ms {
            thread::sleep(Duration::from_millis(due_at_ms - sent_ms));
            continue;
        }
        let batch = take_due(&mut queue, sent_ms);
        let answers = exchange(&mut connection, &visits, &batch, &mut tally)?;
        progress
            .answers
            .fetch_add(batch.len() as u64, Ordering::Relaxed);
        for ((at, step), reply) in batch.into_iter().zip(answers) {
            tally.count(step, &reply.word);
            match visits[at].take(step, sent_ms, reply, &mut random, &mut tally) {
                Next::At { ms, step } => queue.push(Reverse((ms, at, step))),
                Next::Leaves => {
                    progress.gone.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
    Ok(tally)
}

fn take_due(queue: &mut BinaryHeap<Due>, now_ms: u64) -> Vec<(usize, Step)> {
    let mut batch = Vec::with_capacity(BATCH);
    while batch.len() < BATCH
        && let Some(&Reverse((due_at_ms, at, step))) = queue.peek()
        && due_at_ms <= now_ms
    {
        queue.pop();
        batch.push((at, step));
    }
    batch
}

/// Sends a batch in one write and reads its answers; each request took as long as
/// the batch did, from the write to the last answer.
fn exchange(
    connection: &mut Connection,
    visits: &[Visit],
    batch: &[(usize, Step)],
    tally: &mut Tally,
) -> Outcome<Vec<Reply>> {
    let mut pipeline = redis::pipe();
    for (at, step) in batch {
        pipeline.add_command(visits[*at].request(*step));
    }
    let bytes = pipeline.get_packed_pipeline();
    let sent = Instant::now();
    let values = connection.req_packed_commands(&bytes, 0, batch.len())?;
    let took = sent.elapsed();
    for (_, step) in batch {
        tally.took(*step, took);
    }
    Ok(values.into_iter().map(Reply::new).collect())
}
