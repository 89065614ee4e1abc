//! The examples of the contract, and those that redis-cell is tested with.

use super::answered;
use flashsale_engine::rate::*;
use flashsale_fuzz::samples::HASHER;

/// One subject.
struct Subject(Option<Table>);

impl Subject {
    /// Allowed, remaining, retry and reset in milliseconds.
    fn call(&mut self, now_us: u64, rate: Rate, cost: u64) -> (bool, u64, u64, u64) {
        let ask = Ask {
            subject: HASHER.key(b"ann"),
            rate,
            cost,
        };
        // Not from 0 on: a moment is one of Unix time.
        let clock_us = 1_795_203_103_000_000 + now_us;
        let (decision, event) = match &self.0 {
            None => plan_first(clock_us, &ask),
            Some(table) => table.plan(clock_us, &ask, 1_000),
        };
        if let Some(event) = event {
            let table = self.0.get_or_insert_with(|| {
                Table::create(&event, HASHER).expect("the first call makes it")
            });
            table.apply(&event);
        }
        answered(&decision)
    }
}

fn rate(count: u64, ms: u64, burst: u64) -> Rate {
    Rate::new(count, ms, Some(burst)).expect("a rate")
}

#[test]
fn calls_are_answered_as_the_contract_shows() {
    let three = rate(3, 1000, 3);
    let mut ann = Subject(None);
    for (now_us, cost, answer) in [
        (0, 0, (true, 3, 0, 0)),
        (0, 1, (true, 2, 0, 334)),
        (0, 1, (true, 1, 0, 667)),
        (0, 1, (true, 0, 0, 1000)),
        (0, 1, (false, 0, 334, 1000)),
        (333_333, 1, (false, 0, 1, 667)),
        (333_334, 1, (true, 0, 0, 1000)),
        (400_000, 0, (false, 0, 267, 934)),
        (3_000_000, 3, (true, 0, 0, 1000)),
    ] {
        assert_eq!(ann.call(now_us, three, cost), answer, "{now_us} {cost}");
    }
    // A changed rate takes effect at once, both ways.
    for (first, cost, then, answers) in [
        (
            rate(10, 1000, 10),
            10,
            rate(1, 60_000, 1),
            [
                (0, (false, 0, 1000, 1000)),
                (1_000_000, (true, 0, 0, 60_000)),
            ],
        ),
        (
            rate(1, 60_000, 1),
            1,
            rate(10, 1000, 10),
            [(0, (false, 0, 100, 1000)), (100_000, (false, 0, 100, 1000))],
        ),
    ] {
        let mut ann = Subject(None);
        assert!(ann.call(0, first, cost).0);
        for (now_us, answer) in answers {
            assert_eq!(ann.call(now_us, then, 1), answer, "{now_us}");
        }
    }
}

#[test]
fn rates_above_a_thousand_a_second_are_kept() {
    for (rate, calls) in [
        (
            rate(1500, 1000, 1),
            &[(0, true, 0), (666, false, 1), (667, true, 0)][..],
        ),
        (
            rate(6000, 1000, 2),
            &[(0, true, 0), (0, true, 0), (166, false, 1), (167, true, 0)],
        ),
        (
            rate(1_000_000, 1000, 1),
            &[(0, true, 0), (0, false, 1), (1, true, 0)],
        ),
    ] {
        let mut ann = Subject(None);
        for &(now_us, is_allowed, retry_ms) in calls {
            let answer = ann.call(now_us, rate, 1);
            assert_eq!((answer.0, answer.2), (is_allowed, retry_ms), "{now_us}");
        }
    }
    let rate = rate(6000, 1000, 1);
    let mut ann = Subject(None);
    let allowed = (0..1_000_000).filter(|&now_us| ann.call(now_us, rate, 1).0);
    assert_eq!(allowed.count(), 5989);
}

/// The cases of `it_rate_limits` in redis-cell 0.5: a `max_burst` of 4 is a BURST of 5 here,
/// its request for 6 an error instead of a refusal, and its wait of -1 is 0.
#[test]
fn the_cases_of_redis_cell_are_answered_alike() {
    let five = rate(1, 1000, 5);
    let mut ann = Subject(None);
    for (now_ms, cost, remaining, reset_ms, retry_ms, is_limited) in [
        (0, 1, 4, 1000, 0, false),
        (0, 1, 3, 2000, 0, false),
        (0, 1, 2, 3000, 0, false),
        (0, 1, 1, 4000, 0, false),
        (0, 1, 0, 5000, 0, false),
        (0, 1, 0, 5000, 1000, true),
        (3000, 1, 2, 3000, 0, false),
        (3100, 1, 1, 3900, 0, false),
        (4000, 1, 1, 4000, 0, false),
        (8000, 1, 4, 1000, 0, false),
        (9500, 1, 4, 1000, 0, false),
        (9500, 0, 4, 1000, 0, false),
        (9500, 2, 2, 3000, 0, false),
        (9500, 5, 2, 3000, 3000, true),
    ] {
        let answer = ann.call(now_ms * 1000, five, cost);
        let expected = (!is_limited, remaining, retry_ms, reset_ms);
        assert_eq!(answer, expected, "{now_ms} {cost}");
    }
    // Of its README: `CL.THROTTLE user123 15 30 60`.
    let answer = Subject(None).call(0, rate(30, 60_000, 16), 1);
    assert_eq!(answer, (true, 15, 0, 2000));
    // Of its test against a server: one in two seconds.
    let mut ann = Subject(None);
    let rate = rate(1, 2000, 1);
    assert_eq!(ann.call(0, rate, 1), (true, 0, 0, 2000));
    assert_eq!(ann.call(0, rate, 1), (false, 0, 2000, 2000));
    assert_eq!(ann.call(2_000_000, rate, 1), (true, 0, 0, 2000));
}
