//! How many requests wait for an answer, and how long.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use super::own;
use super::reply::Reply;

/// How long the sale has for all that a request asks of it.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Returns until when a request waits that begins now.
pub fn deadline() -> Instant {
    Instant::now() + ANSWER_WITHIN
}

/// Why there is no answer of the sale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// Too many wait: the request was not sent.
    Full,
    /// It took too long, and may have happened.
    Late,
}

impl NoAnswer {
    /// Returns what a client is told.
    pub fn reply(self) -> Reply {
        match self {
            Self::Full => Reply::own(&own::FULL, "It is crowded. Asking again for you."),
            Self::Late => Reply::own(&own::LATE, "Asking again for you."),
        }
    }
}

/// Places for those who wait.
pub struct Places(Semaphore);

impl Places {
    /// Makes so many places.
    pub fn new(most: usize) -> Self {
        Self(Semaphore::new(most))
    }

    /// Waits in a place of its own for an answer, until a moment.
    ///
    /// # Errors
    ///
    /// No place is free, or there is no answer in time.
    pub async fn wait<A>(
        &self,
        answered: impl Future<Output = A>,
        until: Instant,
    ) -> Result<A, NoAnswer> {
        let Ok(_place) = self.0.try_acquire() else {
            return Err(NoAnswer::Full);
        };
        let answer = timeout_at(until.into(), answered).await;
        answer.map_err(|_| NoAnswer::Late)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn who_finds_no_place_is_refused_at_once() {
        let places = Places::new(1);
        let soon = Instant::now() + Duration::from_millis(50);
        let first = places.wait(pending::<()>(), soon);
        let second = async {
            // The first one waits by now.
            tokio::task::yield_now().await;
            let begun = Instant::now();
            let refused = places.wait(ready(()), soon).await;
            assert!(begun.elapsed() < Duration::from_millis(50));
            refused
        };
        let ended = tokio::join!(first, second);
        assert_eq!(ended, (Err(NoAnswer::Late), Err(NoAnswer::Full)));
        // The place of a request that was given up is free again.
        let again = places.wait(ready(7), deadline()).await;
        assert_eq!(again, Ok(7));
    }

    #[tokio::test]
    async fn a_second_question_has_what_the_first_has_left() {
        let places = Places::new(9);
        let until = Instant::now() + Duration::from_millis(60);
        let slow = tokio::time::sleep(Duration::from_millis(40));
        assert_eq!(places.wait(slow, until).await, Ok(()));
        let ended = places.wait(pending::<()>(), until).await;
        assert_eq!(ended, Err(NoAnswer::Late));
        assert!(Instant::now() < until + Duration::from_millis(500));
    }
}
