//! **Goal**: a rate limit decides exactly as its arithmetic says, whatever the rate, the cost
//! and the clock; every copy of it is the same; and it does not grow with subjects that do
//! not come again.
//!
//! **Method**: seeded random calls against a slow model in 128-bit numbers, which keeps a
//! plain list of subjects and moves each TAT when the clock steps. Each event is encoded,
//! decoded and carried out on a copy, which is loaded from a snapshot now and then. The
//! examples of the contract are in `vectors.rs`, the bytes in `bytes.rs`.

mod bytes;
mod vectors;

use flashsale_engine::rate::*;
use flashsale_fuzz::dice::Dice;
use flashsale_fuzz::rate::{digested, encoded, loaded, saved};
use flashsale_fuzz::samples::HASHER;
use flashsale_fuzz::seeded::number;

const YEAR_NS: u128 = YEAR_MS as u128 * 1_000_000;

/// A rate as it was asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    count: u64,
    ms: u64,
    burst: u64,
    cost: u64,
}

/// What a call is answered: allowed, remaining, retry and reset in milliseconds.
type Answered = (bool, u64, u64, u64);

fn answered(decision: &Decision) -> Answered {
    (
        decision.is_allowed,
        decision.remaining,
        decision.retry_ms(),
        decision.reset_ms(),
    )
}

/// The slow model: subjects in the order of the queue, each with its TAT, in nanoseconds of
/// Unix time. Numbers are signed: a clock may go back before a TAT was made.
#[derive(Default)]
struct Model {
    queue: Vec<(Vec<u8>, i128)>,
    changed_ns: i128,
}

impl Model {
    /// Decides a call and carries it out; also returns whether somebody gave way.
    fn call(&mut self, subject: &[u8], asked: Asked, clock_us: u64, most: usize) -> Answered {
        let clock_ns = i128::from(clock_us) * 1000;
        let back_ns = self.changed_ns - clock_ns;
        if back_ns > 1_000_000_000 && !self.queue.is_empty() {
            self.queue.iter_mut().for_each(|(_, tat)| *tat -= back_ns);
            self.changed_ns = clock_ns;
        }
        let now = clock_ns.max(self.changed_ns);
        let interval = (i128::from(asked.ms) * 1_000_000 + i128::from(asked.count) - 1)
            / i128::from(asked.count);
        let cap = i128::from(asked.burst) * interval;
        let found = self.queue.iter().position(|(name, _)| name == subject);
        let tat = found.map_or(now, |at| self.queue[at].1);
        let t = tat.max(now).min(now + cap);
        let cost = i128::from(asked.cost.max(1)) * interval;
        let is_allowed = t + cost <= now + cap;
        let after = if is_allowed && asked.cost > 0 {
            t + cost
        } else {
            t
        };
        if is_allowed && asked.cost > 0 {
            self.changed_ns = now;
            match found {
                Some(at) => self.queue[at].1 = after,
                None => self.add(subject, after, now, most),
            }
        }
        let ms = |ns: i128| u64::try_from((ns + 999_999) / 1_000_000).expect("not negative");
        (
            is_allowed,
            ((now + cap - after) / interval) as u64,
            if is_allowed {
                0
            } else {
                ms(t + cost - now - cap)
            },
            ms((after - now + 500) / 1000 * 1000),
        )
    }

    fn add(&mut self, subject: &[u8], tat: i128, now: i128, most: usize) {
        for _ in 0..2 {
            if self.queue.is_empty() {
                break;
            }
            let first = self.queue.remove(0);
            if first.1 > now {
                self.queue.push(first);
            }
        }
        if self.queue.len() >= most {
            let first = self.queue.iter().take(8).enumerate();
            let idlest = first.min_by_key(|(_, (_, tat))| *tat);
            let (at, _) = idlest.expect("there are some");
            self.queue.remove(at);
        }
        self.queue.push((subject.to_vec(), tat));
    }
}

/// A rate with numbers near every bound.
fn random_rate(dice: &mut Dice) -> (Asked, Rate) {
    loop {
        let ms = match dice.below(4) {
            0 => YEAR_MS - dice.below(3),
            1 => dice.between(1, 3),
            2 => dice.between(1, 2_000),
            _ => 1 + dice.below(YEAR_MS),
        };
        let count = match dice.below(4) {
            0 => ms * 1_000_000 - dice.below(3),
            1 => 1 + dice.below(ms * 1_000_000),
            _ => dice.between(1, 20),
        };
        let most = (u128::from(count) * u128::from(YEAR_MS) / u128::from(ms)) as u64;
        let burst = match dice.below(5) {
            0 => most - dice.below(most.min(3)),
            1 => 1 + dice.below(most),
            2 => 1,
            _ => count,
        };
        let cost = match dice.below(6) {
            0 => burst,
            1 => 0,
            2 => 1 + dice.below(burst),
            _ => 1,
        };
        if let Ok(rate) = Rate::new(count, ms, Some(burst)) {
            assert!(u128::from(burst) * u128::from(ms) <= u128::from(most) * YEAR_NS);
            let asked = Asked {
                count,
                ms,
                burst,
                cost,
            };
            return (asked, rate);
        }
    }
}

/// A limit, its copy and the model.
struct World {
    table: Option<Table>,
    copy: Option<Table>,
    model: Model,
    most: usize,
}

impl World {
    fn new(most: usize) -> World {
        World {
            table: None,
            copy: None,
            model: Model::default(),
            most,
        }
    }

    fn follow(&mut self, event: &Event<'_>) {
        let bytes = encoded(event);
        let again = decode_event(&bytes, HASHER).expect("an event");
        assert_eq!(&again, event);
        for (table, event) in [(&mut self.table, event), (&mut self.copy, &again)] {
            let table = table.get_or_insert_with(|| Table::create(event, HASHER).expect("a limit"));
            assert_eq!(table.check(event), Ok(()), "{event:?}");
            table.apply(event);
        }
    }

    fn call(&mut self, subject: &[u8], asked: Asked, rate: Rate, clock_us: u64) -> Answered {
        let ask = Ask {
            subject: HASHER.key(subject),
            rate,
            cost: asked.cost,
        };
        let (decision, event) = match &self.table {
            None => plan_first(clock_us, &ask),
            Some(table) => {
                if let Some(event) = table.plan_shift(clock_us) {
                    self.follow(&event);
                }
                let table = self.table.as_ref().expect("a limit");
                table.plan(clock_us, &ask, self.most as u64)
            }
        };
        if let Some(event) = event {
            self.follow(&event);
        }
        let answer = answered(&decision);
        let expected = self.model.call(subject, asked, clock_us, self.most);
        assert_eq!(answer, expected, "{asked:?} at {clock_us}");
        answer
    }

    fn assert_equal(&self) {
        let (Some(table), Some(copy)) = (&self.table, &self.copy) else {
            return;
        };
        assert_eq!(digested(table), digested(copy));
        assert_eq!(table.expires_at_ms(), copy.expires_at_ms());
        assert_eq!(table.len(), self.model.queue.len());
    }
}

#[test]
fn a_limit_decides_as_a_slow_model_and_every_copy_is_the_same() {
    let mut dice = Dice::seeded();
    for _ in 0..number("FLASHSALE_OPS").unwrap_or(120) {
        let mut world = World::new(dice.between(1, 30) as usize);
        let mut clock_us = 1_765_000_000_000_000 + dice.below(1_000_000);
        let rates: Vec<_> = (0..4).map(|_| random_rate(&mut dice)).collect();
        for _ in 0..400 {
            clock_us = match dice.below(30) {
                0 => clock_us.saturating_sub(dice.below(2_000_000)),
                1 => clock_us - 1_000_000 - dice.below(2),
                2 => clock_us - 3_600_000_000,
                3 => clock_us + 3_600_000_000,
                4 => clock_us + dice.below(1 << 45),
                5..=15 => clock_us,
                _ => {
                    let bits = dice.below(34);
                    clock_us + dice.below(1 << bits)
                }
            };
            let (mut asked, rate) = dice.of(&rates);
            if dice.one_in(3) {
                asked.cost = 1;
            }
            let subject = format!(
                "{:0>width$}",
                dice.below(50),
                width = 1 + 17 * dice.index(2)
            );
            world.call(subject.as_bytes(), asked, rate, clock_us);
            if dice.one_in(50)
                && let Some(table) = &world.table
            {
                world.copy = Some(loaded(&saved(table)).expect("what was saved"));
                world.assert_equal();
            }
        }
        world.assert_equal();
    }
}

/// A clock that steps: nobody waits longer than `reset_in_ms` said, but for a step that is not
/// believed, which is waited for.
#[test]
fn nobody_waits_longer_than_was_said_when_the_clock_steps() {
    const HOUR_US: i64 = 3_600_000_000;
    for (step_us, longer_us) in [
        (-HOUR_US, 0),
        (-1_100_000, 0),
        (-1_000_001, 0),
        (-1_000_000, 1_000_000),
        (-900_000, 900_000),
    ] {
        let mut world = World::new(100);
        let asked = Asked {
            count: 5,
            ms: 10_000,
            burst: 5,
            cost: 1,
        };
        let rate = Rate::new(5, 10_000, None).expect("a rate");
        let mut clock_us = 1_765_000_000_000_000_i64;
        let mut call = |clock_us: i64| world.call(b"ann", asked, rate, clock_us as u64);
        for _ in 0..5 {
            assert!(call(clock_us).0);
        }
        // A refusal is the first to see the step, and says the same as before it.
        let said = call(clock_us);
        assert_eq!(said, (false, 0, 2_000, 10_000));
        clock_us += step_us;
        assert_eq!(call(clock_us), said);
        clock_us += 2_000_000 + longer_us;
        assert!(!call(clock_us - 1).0, "{step_us}: too early");
        assert!(call(clock_us).0, "{step_us}: too late");
        // The whole burst is back when that was said.
        clock_us += 10_000_000;
        assert_eq!(call(clock_us), (true, 4, 0, 2_000));
        // Forward: everybody is idle, at once.
        clock_us += HOUR_US;
        assert_eq!(call(clock_us), (true, 4, 0, 2_000));
    }
}

#[test]
fn a_million_subjects_that_come_once_take_no_memory() {
    let rate = Rate::new(10, 1000, None).expect("a rate");
    let mut table = Table::new(HASHER, 0);
    let mut most = (0, 0);
    for number in 0..1_000_000_u64 {
        let name = format!("203.0.{}.{}", number >> 8, number & 255);
        let ask = Ask {
            subject: HASHER.key(name.as_bytes()),
            rate,
            cost: 1,
        };
        // Ten thousand a second, each of which is busy for a tenth of one.
        let (_, event) = table.plan(number * 100, &ask, 1_000_000);
        table.apply(&event.expect("it passes"));
        most = most.max((table.len(), table.memory_bytes()));
    }
    let (len, bytes) = most;
    assert!(len < 2_200 && bytes < 200_000, "{most:?}");
}

#[test]
fn a_subject_takes_no_more_than_44_bytes() {
    let rate = Rate::new(1, YEAR_MS, None).expect("a rate");
    let mut table = Table::new(HASHER, 0);
    for number in 0..1_000_000_u64 {
        let name = format!("user:{number}");
        let ask = Ask {
            subject: HASHER.key(name.as_bytes()),
            rate,
            cost: 1,
        };
        let (_, event) = table.plan(number, &ask, 2_000_000);
        table.apply(&event.expect("it passes"));
    }
    assert_eq!(table.len(), 1_000_000);
    let bytes = table.memory_bytes() as f64 / 1e6;
    println!("{bytes} bytes a subject");
    assert!(bytes <= 44.0, "{bytes}");
}

/// At most burst + rate x T calls pass in any T.
#[test]
fn no_window_of_any_length_admits_more_than_its_burst_and_its_rate() {
    let mut dice = Dice::seeded();
    for _ in 0..50 {
        let (count, ms, burst) = (dice.between(1, 9), dice.between(1, 50), dice.between(1, 9));
        let rate = Rate::new(count, ms, Some(burst)).expect("a rate");
        let mut table = Table::new(HASHER, 0);
        let mut passed = Vec::new();
        let mut now_us = 0;
        while passed.len() < 200 {
            let ask = Ask {
                subject: HASHER.key(b"ann"),
                rate,
                cost: 1,
            };
            let (_, event) = table.plan(now_us, &ask, 1);
            if let Some(event) = event {
                table.apply(&event);
                passed.push(now_us);
            }
            now_us += dice.below(2 * ms * 1000 / count / 3 + 2);
        }
        for (first, &from) in passed.iter().enumerate() {
            for (last, &to) in passed.iter().enumerate().skip(first) {
                let calls = (last - first + 1) as u64;
                let most = burst + count * (to - from) / (ms * 1000);
                assert!(calls <= most, "{calls} in {} us", to - from);
            }
        }
    }
}
