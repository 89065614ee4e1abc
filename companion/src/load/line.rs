//! Places in line as the buyers know them, and whether the line kept its order.
//!
//! Edge: compares what buyers were told, and when; asks nobody. A request is on its way for a
//! while, so one place is called smaller than another only if its join was answered before the
//! other one was asked for.

use hdrhistogram::Histogram;

use super::buyer::ITEMS;
use super::clock::Clock;
use super::resp::Reply;

/// How long somebody in line may be silent. They ask twice in this time at least, which is as
/// often as those who race ask.
pub const PATIENCE_MS: u64 = 4_000;

/// A day: an estimate of a line that hardly moves says more, and is as wrong then.
const WRONG_US_MAX: u64 = 86_400_000_000;

/// How many faults are kept in words; all are counted.
const TEXTS_MAX: usize = 10;

/// One place of one buyer.
#[derive(Clone, Debug)]
struct Place {
    user: u64,
    item: usize,
    /// When the request that joined was due, and when it was answered.
    asked_us: u64,
    told_us: u64,
    /// Joined before the start: a draw decides where.
    is_drawn: bool,
    /// When the last request that was answered WAITING was due.
    waited_us: u64,
    /// The server's time of the grant, and when the buyer was told.
    granted: Option<(u64, u64)>,
}

/// What a visit has to remember of its place.
#[derive(Default)]
pub struct Standing {
    /// The position in `Places`.
    place: Option<usize>,
    ahead: i64,
    /// What was estimated, and when.
    estimates: Vec<(u64, u64)>,
    /// Answers that were WAITING, over all places.
    pub times: u32,
}

impl Standing {
    /// Reports whether the buyer waits.
    pub fn is_in_line(&self) -> bool {
        self.place.is_some()
    }

    /// Forgets the place: it has ended.
    pub fn leave(&mut self) {
        self.place = None;
        self.estimates.clear();
    }
}

/// Whose place it is, and what its request was.
#[derive(Clone, Copy)]
pub struct Who {
    pub user: u64,
    pub item: usize,
    /// When the request was due.
    pub asked_us: u64,
    /// Another visit asks under the same id, so this one may not know when it joined.
    pub is_twin: bool,
}

/// All places of a run.
pub struct Places {
    places: Vec<Place>,
    /// How wrong `eta_ms` was, in microseconds, for each estimate of a place that was granted.
    pub wrong_by: Histogram<u64>,
    /// Places that ended although the buyer had asked in time.
    passed_over: u64,
    passed_over_texts: Vec<String>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            wrong_by: Histogram::new_with_bounds(1, WRONG_US_MAX, 3)
                .expect("bounds that are in order"),
            passed_over: 0,
            passed_over_texts: Vec::new(),
        }
    }
}

impl Places {
    /// Takes WAITING, told at `told_us`. Returns when to ask again.
    pub fn waiting(
        &mut self,
        standing: &mut Standing,
        who: Who,
        reply: &Reply,
        told_us: u64,
    ) -> u64 {
        let number = |at: usize| reply.number(at).unwrap_or(-1);
        let (ahead, eta_ms, retry_in_ms) = (number(1), number(3), number(4));
        standing.times += 1;
        self.stand(standing, who, ahead, told_us);
        standing.ahead = ahead;
        if let Ok(eta_ms) = u64::try_from(eta_ms) {
            standing.estimates.push((told_us, eta_ms * 1_000));
        }
        told_us + retry_in_ms.max(1).unsigned_abs() * 1_000
    }

    fn stand(&mut self, standing: &mut Standing, who: Who, ahead: i64, told_us: u64) {
        if let Some(at) = standing.place {
            let place = &mut self.places[at];
            let silent_us = told_us.saturating_sub(place.waited_us);
            let is_present = silent_us < PATIENCE_MS * 1_000;
            // A place only moves forward, so this is another one.
            let has_fallen_back = standing.ahead >= 0 && ahead > standing.ahead;
            if has_fallen_back && is_present {
                self.passed_over += 1;
                if self.passed_over_texts.len() < TEXTS_MAX {
                    self.passed_over_texts.push(format!(
                        "buyer {} was passed over after {} ms without a request: {} before it, then {ahead}",
                        who.user,
                        silent_us / 1_000,
                        standing.ahead
                    ));
                }
            }
            if !has_fallen_back && is_present {
                place.waited_us = who.asked_us;
                return;
            }
            standing.leave();
        }
        standing.place = Some(self.places.len());
        self.places.push(Place {
            user: who.user,
            item: if who.is_twin { ITEMS.len() } else { who.item },
            asked_us: who.asked_us,
            told_us,
            is_drawn: ahead < 0,
            waited_us: who.asked_us,
            granted: None,
        });
    }

    /// Takes RESERVED of a place, which was granted at `granted_ms` of the server's clock.
    pub fn granted(
        &mut self,
        standing: &mut Standing,
        granted_ms: u64,
        told_us: u64,
        clock: &Clock,
    ) {
        let Some(at) = standing.place else {
            return;
        };
        self.places[at].granted = Some((granted_ms, told_us));
        let granted_us = clock.us_of(granted_ms);
        for (estimated_us, eta_us) in &standing.estimates {
            let truth_us = granted_us.saturating_sub(*estimated_us);
            self.wrong_by
                .saturating_record(truth_us.abs_diff(*eta_us).max(1));
        }
        standing.leave();
    }

    /// Returns how many joined, and how many of them were granted.
    pub fn counts(&self) -> (u64, u64) {
        let granted = self.places.iter().filter(|place| place.granted.is_some());
        (self.places.len() as u64, granted.count() as u64)
    }

    /// Returns how many have lost their place although they asked in time, and the first of them
    /// in words.
    pub fn passed_over(&self) -> (u64, &[String]) {
        (self.passed_over, &self.passed_over_texts)
    }

    /// Returns grants that came before a smaller place of the same line, in words: that place was
    /// granted later, or still waited when the other buyer had been told.
    pub fn overtakings(&self) -> Vec<String> {
        (0..ITEMS.len())
            .flat_map(|item| self.overtakings_of(item))
            .collect()
    }

    fn overtakings_of(&self, item: usize) -> Vec<String> {
        let places = self.places.iter().filter(|place| place.item == item);
        let mut told: Vec<&Place> = places.collect();
        // Those who joined before the start have no order among themselves, but are before all others.
        let mut granted: Vec<_> = told
            .iter()
            .filter(|place| !place.is_drawn)
            .filter_map(|place| Some((*place, place.granted?)))
            .collect();
        told.sort_unstable_by_key(|place| place.told_us);
        granted.sort_unstable_by_key(|(place, _)| place.asked_us);
        let mut smaller = told.into_iter().peekable();
        let (mut last_granted, mut last_waiting): (Option<&Place>, Option<&Place>) = (None, None);
        let mut wrong = Vec::new();
        for (place, (granted_ms, told_us)) in granted {
            while let Some(one) = smaller.next_if(|one| one.told_us < place.asked_us) {
                let granted_ms = |place: &Place| place.granted.map(|granted| granted.0);
                if granted_ms(one) > last_granted.and_then(granted_ms) {
                    last_granted = Some(one);
                }
                if Some(one.waited_us) > last_waiting.map(|last| last.waited_us) {
                    last_waiting = Some(one);
                }
            }
            let later = last_granted.filter(|one| one.granted.is_some_and(|at| at.0 > granted_ms));
            let waiting = last_waiting.filter(|one| one.waited_us > told_us);
            if let Some(one) = later.or(waiting) {
                wrong.push(format!(
                    "buyer {} was granted before buyer {}, who had joined {:.1} ms sooner",
                    place.user,
                    one.user,
                    (place.asked_us - one.told_us) as f64 / 1e3
                ));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::super::resp::Answer;
    use super::*;

    fn who(user: u64, asked_us: u64) -> Who {
        Who {
            user,
            item: 0,
            asked_us,
            is_twin: false,
        }
    }

    fn waiting(ahead: i64, eta_ms: i64) -> Reply {
        let numbers = [ahead, 9, eta_ms, 1_000].map(Answer::Number);
        let texts = ["WAITING", "id"].map(|text| Answer::Text(text.into()));
        Reply::new(Answer::List(texts.into_iter().chain(numbers).collect()))
    }

    /// Joins at a moment, in milliseconds, which takes 5 of them.
    fn join(line: &mut Places, user: u64, at_ms: u64, ahead: i64) -> Standing {
        let mut standing = Standing::default();
        let again_us = line.waiting(
            &mut standing,
            who(user, at_ms * 1_000),
            &waiting(ahead, -1),
            (at_ms + 5) * 1_000,
        );
        assert_eq!(again_us, (at_ms + 1_005) * 1_000);
        standing
    }

    fn grant(line: &mut Places, standing: &mut Standing, at_ms: u64, told_ms: u64) {
        line.granted(standing, at_ms, told_ms * 1_000, &Clock::start_in(0, 0));
        assert!(!standing.is_in_line());
    }

    #[test]
    fn a_grant_before_a_smaller_place_is_named() {
        let mut line = Places::default();
        let mut first = join(&mut line, 1, 100, 0);
        let mut second = join(&mut line, 2, 110, 1);
        grant(&mut line, &mut first, 500, 600);
        grant(&mut line, &mut second, 500, 520);
        assert_eq!(line.overtakings(), Vec::<String>::new());
        let mut third = join(&mut line, 3, 700, 0);
        let mut fourth = join(&mut line, 4, 710, 1);
        grant(&mut line, &mut fourth, 800, 810);
        grant(&mut line, &mut third, 801, 802);
        let wrong = line.overtakings();
        assert_eq!(
            wrong,
            ["buyer 4 was granted before buyer 3, who had joined 5.0 ms sooner"]
        );
        assert_eq!(line.counts(), (4, 4));
    }

    #[test]
    fn one_who_still_waits_while_another_is_granted_is_named() {
        let mut line = Places::default();
        let mut first = join(&mut line, 1, 100, 0);
        let mut second = join(&mut line, 2, 110, 1);
        grant(&mut line, &mut second, 300, 310);
        assert!(line.overtakings().is_empty(), "the first may have left");
        line.waiting(&mut first, who(1, 320_000), &waiting(0, -1), 325_000);
        assert_eq!(line.overtakings().len(), 1);
    }

    /// Nobody knows who of them was first: their requests were on their way at the same time, or
    /// the draw has decided.
    #[test]
    fn what_cannot_be_known_is_no_fault() {
        let mut line = Places::default();
        for (ahead, at_ms) in [(0, 103), (-1, 120)] {
            let mut first = join(&mut line, 1, 100, ahead);
            let mut second = join(&mut line, 2, at_ms, ahead);
            grant(&mut line, &mut second, 300, 310);
            grant(&mut line, &mut first, 400, 410);
        }
        assert_eq!(line.overtakings(), Vec::<String>::new());
        // But whoever came after the start is behind all who came before it.
        let mut early = join(&mut line, 3, 500, -1);
        let mut late = join(&mut line, 4, 600, 0);
        grant(&mut line, &mut late, 700, 710);
        grant(&mut line, &mut early, 701, 720);
        assert_eq!(line.overtakings().len(), 1);
    }

    #[test]
    fn whoever_asks_in_time_keeps_the_place_and_whoever_does_not_joins_anew() {
        let mut line = Places::default();
        let mut here = join(&mut line, 1, 0, 7);
        line.waiting(&mut here, who(1, 3_990_000), &waiting(7, -1), 3_999_000);
        assert_eq!((line.passed_over().0, line.counts().0), (0, 1));
        line.waiting(&mut here, who(1, 9_000_000), &waiting(9, -1), 9_005_000);
        assert_eq!((line.passed_over().0, line.counts().0), (0, 2));
        line.waiting(&mut here, who(1, 9_500_000), &waiting(10, -1), 9_505_000);
        assert_eq!((line.passed_over().0, line.counts().0), (1, 3));
        assert!(line.passed_over().1[0].contains("9 before it, then 10"));
    }

    #[test]
    fn an_estimate_is_held_against_the_grant_and_not_against_the_answer() {
        let mut line = Places::default();
        let mut standing = join(&mut line, 1, 0, 7);
        line.waiting(&mut standing, who(1, 10_000), &waiting(6, 1_500), 11_000);
        // Hours are no two minutes.
        line.waiting(
            &mut standing,
            who(1, 20_000),
            &waiting(6, 7_200_000),
            21_000,
        );
        // Estimated at 11 ms for 1,511 ms; granted at 1,411 ms, and heard of at 2,000 ms.
        grant(&mut line, &mut standing, 1_411, 2_000);
        assert_eq!(line.wrong_by.len(), 2);
        assert!(line.wrong_by.max() > 7_000_000_000);
        let wrong_us = line.wrong_by.min();
        assert!((99_900..100_200).contains(&wrong_us), "{wrong_us}");
    }
}
