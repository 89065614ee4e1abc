//! Clients under load: each has ids of its own, takes up to a dozen reservations
//! through their lives at a time, and sends again what was not answered, under the same
//! id, on its next connection. What it was promised it keeps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use redis::{ConnectionLike, Value};

use super::con::{Con, pack, words_of};
use super::reply::{render, text_of};
use super::story::{Deed, Fact, Stage, Story};
use super::wait::{unix_ms, wait_for, wait_until};
use flashsale_fuzz::dice::Dice;

/// Units of the sale that [`open_sale`] makes. Shoppers leave the last item alone.
pub const STOCK: [(&str, u64); 4] = [("a", 1500), ("b", 1200), ("c", 900), ("spare", 50)];
pub const USER_LIMIT: u64 = 12;

/// Makes the sale that shoppers shop at.
#[track_caller]
pub fn open_sale(con: &mut Con) {
    let items = STOCK.map(|(sku, units)| format!("{sku} {units}")).join(" ");
    con.says(
        &format!(
            "FLASHSALE.CREATE sale orders ITEMS 4 {items} USERLIMIT {USER_LIMIT} \
             HOLD 3000000 MAXHOLD 9000000 GRACE 30 REMEMBER 90000000"
        ),
        "OK",
    );
}

/// A promise of the server, in the order it was made to this client.
#[derive(Clone, Debug)]
pub struct Ack {
    pub id: String,
    pub fact: Fact,
    /// WAIT said afterwards that as many replicas as asked for had it.
    pub is_confirmed: bool,
}

/// Why a client stops using its connection.
#[derive(PartialEq, Eq, Debug)]
pub enum Stop {
    /// It broke; nobody knows what became of the last command.
    Broken,
    /// The server answered an error with this code.
    Error(String),
}

pub struct Shopper {
    name: String,
    dice: Dice,
    open: Vec<Story>,
    done: Vec<Story>,
    /// Sent and not answered: the place of its story, and what was asked.
    pending: Option<(usize, Deed)>,
    made: u32,
    /// Asks WAIT for so many replicas after each promise; 0 for not at all.
    pub waits_for: u32,
    pub acks: Vec<Ack>,
    /// Answers that contradict earlier ones.
    pub surprises: Vec<String>,
}

impl Shopper {
    pub fn new(name: &str, dice: &mut Dice) -> Shopper {
        Shopper {
            name: name.to_owned(),
            dice: dice.split(),
            open: Vec::new(),
            done: Vec::new(),
            pending: None,
            made: 0,
            waits_for: 0,
            acks: Vec::new(),
            surprises: Vec::new(),
        }
    }

    pub fn several(count: usize, dice: &mut Dice) -> Vec<Shopper> {
        let names = ["ann", "bob", "cyd", "dan", "eve", "fay"];
        let names = names.iter().take(count);
        names.map(|name| Shopper::new(name, dice)).collect()
    }

    /// Sends what is pending, or else the next thing, and takes the answer in.
    ///
    /// # Errors
    ///
    /// There was no answer; what was asked is pending now.
    pub fn step(&mut self, con: &mut Con) -> Result<(), Stop> {
        let (place, deed) = match self.pending {
            Some(pending) => pending,
            None => self.choose(),
        };
        self.pending = Some((place, deed));
        let answer = ask(con, &self.open[place].lines(deed))?;
        self.pending = None;
        let story = &mut self.open[place];
        match story.hear(deed, &answer) {
            Ok(Some(fact)) => {
                let id = story.id.clone();
                let is_confirmed = self.waits_for > 0 && confirm(con, self.waits_for);
                self.acks.push(Ack {
                    id,
                    fact,
                    is_confirmed,
                });
            }
            Ok(None) => {}
            Err(surprise) => {
                self.surprises.push(surprise);
                self.open.swap_remove(place);
                return Ok(());
            }
        }
        if self.open[place].stage == Stage::Asked {
            self.open.swap_remove(place);
        }
        Ok(())
    }

    fn choose(&mut self) -> (usize, Deed) {
        let place = self.dice.below(12) as usize;
        if place >= self.open.len() {
            return self.begin();
        }
        let chance = self.dice.below(100);
        let story = &self.open[place];
        let deed = match story.stage {
            Stage::Reserved => match chance {
                0..=49 => Deed::Checkout,
                50..=64 => Deed::Extend,
                // Not of one that may expire before: the answer would be the same.
                65..=84 if story.until_ms > unix_ms() + 60_000 => Deed::Release,
                _ => Deed::Reserve,
            },
            Stage::Sold => match chance {
                0..=34 => Deed::RefundOne(story.refunds.len() as u32),
                35..=49 => Deed::RefundAll,
                50..=69 => Deed::Checkout,
                _ => return self.leave(place),
            },
            _ => return self.leave(place),
        };
        (place, deed)
    }

    /// Has done with a reservation, and begins another.
    fn leave(&mut self, place: usize) -> (usize, Deed) {
        self.done.push(self.open.swap_remove(place));
        self.begin()
    }

    fn begin(&mut self) -> (usize, Deed) {
        self.made += 1;
        let deed = match self.dice.below(10) {
            0..=4 => Deed::Reserve,
            5 | 6 => Deed::Buy,
            7 => Deed::Transaction,
            8 => Deed::Script,
            // Of an id nobody has seen.
            _ => Deed::Release,
        };
        let is_whole = matches!(deed, Deed::Transaction | Deed::Script);
        let kind = if is_whole { 't' } else { 'r' };
        let id = format!("{kind}-{}-{}", self.name, self.made);
        let user = format!("user{}", self.dice.below(300));
        let mut units = BTreeMap::new();
        for _ in 0..=self.dice.below(3) {
            let (sku, _) = STOCK[self.dice.below(3) as usize];
            *units.entry(sku.to_owned()).or_default() += 1;
        }
        let is_short = !is_whole && self.dice.below(3) == 0;
        let hold_ms = if is_short {
            1 + self.dice.below(150)
        } else {
            3_000_000
        };
        self.open.push(Story::new(id, user, units, hold_ms));
        (self.open.len() - 1, deed)
    }

    /// Asks for everything again, by id, first for what was not answered. What was ever
    /// promised must be answered as the first time, brought up to date.
    pub fn ask_again(&mut self, con: &mut Con) {
        if self.pending.is_some() {
            self.step(con).expect("an answer");
        }
        for story in self.open.iter_mut().chain(&mut self.done) {
            let mut deeds = match story.stage {
                Stage::Asked => continue,
                Stage::Sold | Stage::Refunded => vec![Deed::Reserve, Deed::Checkout],
                Stage::Released => vec![Deed::Reserve, Deed::Release],
                Stage::Reserved | Stage::Expired => vec![Deed::Reserve],
            };
            deeds.extend(story.refunds.iter().map(|refund| refund.deed));
            for deed in deeds {
                let answer = ask(con, &story.lines(deed)).expect("an answer");
                if let Err(surprise) = story.hear(deed, &answer) {
                    self.surprises.push(surprise);
                }
            }
        }
    }

    /// Does everything again that was ever promised, with the requests of the first
    /// time, as a client does whose server has forgotten it.
    pub fn make_again(&mut self, con: &mut Con) {
        for story in self.open.iter().chain(&self.done) {
            let mut deeds = match story.stage {
                Stage::Sold | Stage::Refunded => vec![Deed::Buy],
                Stage::Released => vec![Deed::Release],
                Stage::Reserved | Stage::Expired => vec![Deed::Reserve],
                Stage::Asked => continue,
            };
            deeds.extend(story.refunds.iter().map(|refund| refund.deed));
            for deed in deeds {
                ask(con, &story.lines(deed)).expect("an answer");
            }
        }
    }

    #[track_caller]
    pub fn is_not_surprised(&self) {
        let surprises = &self.surprises;
        assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    }
}

/// Sends lines and returns the last answer's words.
fn ask(con: &mut Con, lines: &[String]) -> Result<Vec<String>, Stop> {
    let packed: Vec<u8> = lines
        .iter()
        .flat_map(|line| {
            let words = words_of(line);
            pack(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())
        })
        .collect();
    let answers = con.inner.req_packed_commands(&packed, 0, lines.len());
    let mut answers = answers.map_err(|_| Stop::Broken)?;
    // The first one is the reason of an EXECABORT.
    if let Some(Value::ServerError(error)) = answers.iter().find(|answer| is_error(answer)) {
        return Err(Stop::Error(error.code().to_owned()));
    }
    let mut last = answers.pop().ok_or(Stop::Broken)?;
    // What EXEC answers: a list of answers.
    if lines.len() > 1
        && let Value::Array(parts) = &mut last
        && let Some(part) = parts.pop()
    {
        last = part;
    }
    match last {
        Value::Array(words) => Ok(words.iter().map(text_of).collect()),
        Value::ServerError(error) => Err(Stop::Error(error.code().to_owned())),
        other => panic!("{}: {}", lines.join(" / "), render(&other)),
    }
}

fn is_error(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(_))
}

/// Do this many replicas have what this connection has done so far?
fn confirm(con: &mut Con, replicas: u32) -> bool {
    let command = format!("WAIT {replicas} 200");
    let words = words_of(&command);
    let packed = pack(&words.iter().map(Vec::as_slice).collect::<Vec<_>>());
    match con.inner.req_packed_command(&packed) {
        Ok(Value::Int(count)) => count >= i64::from(replicas),
        _ => false,
    }
}

/// Shoppers at work, one thread each.
pub struct Load {
    threads: Vec<JoinHandle<Shopper>>,
    answers: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Lets each shopper shop. Whenever it has no connection that works, it asks `find`
    /// for one, time and again; when there will be none any more, it stops.
    pub fn start<F>(shoppers: Vec<Shopper>, find: F) -> Load
    where
        F: Fn() -> Found + Clone + Send + 'static,
    {
        let answers = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let begin = |mut shopper: Shopper| {
            let (answers, stop, find) = (answers.clone(), stop.clone(), find.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let found = wait_for("a primary is found", || match find() {
                        Found::Primary(con) => Some(Some(con)),
                        Found::NotNow => stop.load(Ordering::Relaxed).then_some(None),
                        Found::Gone => Some(None),
                    });
                    let Some(mut con) = found else { break };
                    while !stop.load(Ordering::Relaxed) && shopper.step(&mut con).is_ok() {
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                }
                shopper
            })
        };
        let threads = shoppers.into_iter().map(begin).collect();
        Load {
            threads,
            answers,
            stop,
        }
    }

    /// Waits until the shoppers have had this many more answers.
    #[track_caller]
    pub fn go_on_for(&self, count: u64) {
        let answers = || self.answers.load(Ordering::Relaxed);
        let enough = answers() + count;
        wait_until("the shoppers had their answers", || answers() >= enough);
    }

    /// Waits for the shoppers to stop of themselves.
    pub fn wait_to_end(self) -> Vec<Shopper> {
        let threads = self.threads.into_iter();
        threads
            .map(|thread| thread.join().expect("a shopper"))
            .collect()
    }

    /// Tells the shoppers to stop.
    pub fn end(self) -> Vec<Shopper> {
        self.stop.store(true, Ordering::Relaxed);
        self.wait_to_end()
    }
}

/// What comes of looking for a primary.
pub enum Found {
    Primary(Con),
    /// Look again.
    NotNow,
    /// There will be none.
    Gone,
}
