//! The load of the part `batch`: one thread, many connections, commands of many words.
//!
//! redis-benchmark draws every number independently, so that ids come twice: a checkout that is
//! only repeated would count as one. It also builds an object for every element of a reply.
//! This load overwrites digits in a command that it has spelled out once, and of a reply it
//! only looks for the end and for errors.
//!
//! It serves its connections in turn. While it waits for the replies of one, the server has
//! the commands of all the others to go on with.
//!
//! Edge: whether the commands did what they should is for the server's counters to say.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::reply::Outcome;
use crate::times::Times;

/// Stands for 12 digits below the range, drawn anew each time.
const RANDOM: &str = "__rand_int__";
/// Stands for 12 digits below the range, which do not come again before all have come.
pub const NEXT: &str = "__next_int__";
/// The same of all numbers of 12 digits: for ids that nobody had before.
pub const FRESH: &str = "__new__int__";
/// Above all numbers of 12 digits.
pub const DIGITS: u64 = 1_000_000_000_000;
/// Bytes read at once, at least.
const READ: usize = 64 * 1024;

/// What is sent.
pub struct Pour<'a> {
    /// The words of a command, with places for numbers in them.
    pub command: &'a [String],
    pub requests: u64,
    /// Commands on the way on each connection.
    pub depth: u64,
    pub connections: u32,
    /// All numbers are below this.
    pub range: u64,
    /// How many of the numbers that do not come twice have been used before.
    pub used: u64,
}

/// How it went.
#[derive(Clone, Copy, Debug)]
pub struct Poured {
    pub took: Duration,
    /// What the load itself did; `None` where the system does not tell.
    pub times: Option<Times>,
}

/// Sends all commands and reads all replies.
///
/// # Errors
///
/// A reply is an error, or has one among its elements; a connection fails.
pub fn run(port: u16, pour: &Pour<'_>) -> Outcome<Poured> {
    let mut lanes = Vec::new();
    for _ in 0..pour.connections {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        lanes.push(Lane {
            stream,
            bytes: vec![0; READ],
            filled: 0,
            left: 0,
        });
    }
    let mut block = Block::new(pour);
    let mut unsent = pour.requests;
    let before = Times::of_this_thread();
    let started = Instant::now();
    loop {
        let mut is_over = true;
        for lane in &mut lanes {
            lane.receive()?;
            let count = unsent.min(pour.depth);
            if count > 0 {
                lane.stream.write_all(block.draw(count))?;
                lane.left = count;
                unsent -= count;
                is_over = false;
            }
        }
        if is_over {
            break;
        }
    }
    let took = started.elapsed();
    let times = Times::of_this_thread()
        .zip(before)
        .map(|(after, before)| after.since(before));
    Ok(Poured { took, times })
}

/// A connection, and what has come of the replies to its last commands.
struct Lane {
    stream: TcpStream,
    bytes: Vec<u8>,
    /// How many of the bytes were read and not yet skipped.
    filled: usize,
    /// Values still to come.
    left: u64,
}

impl Lane {
    fn receive(&mut self) -> Outcome<()> {
        while self.left > 0 {
            if self.filled == self.bytes.len() {
                self.bytes.resize(self.filled * 2, 0);
            }
            let read = self.stream.read(&mut self.bytes[self.filled..])?;
            if read == 0 {
                return Err("the server closed a connection of the load".into());
            }
            self.filled += read;
            let skipped = skip(&self.bytes[..self.filled], &mut self.left)?;
            self.bytes.copy_within(skipped..self.filled, 0);
            self.filled -= skipped;
        }
        Ok(())
    }
}

/// Skips the values of replies that have come as a whole, and returns their bytes. `left` is
/// how many values are still to come; an array adds its elements.
///
/// # Errors
///
/// A value is an error.
pub fn skip(bytes: &[u8], left: &mut u64) -> Outcome<usize> {
    let mut at = 0;
    while *left > 0 {
        let rest = &bytes[at..];
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            break;
        };
        let line = rest[..end].trim_ascii_end();
        let mut size = end + 1;
        match line.first() {
            Some(b'-') => return Err(String::from_utf8_lossy(line).into_owned().into()),
            Some(b'$') => size += length(line).map_or(0, |length| length as usize + 2),
            Some(b'*') => *left += length(line).unwrap_or(0),
            _ => {}
        }
        if size > rest.len() {
            break;
        }
        *left -= 1;
        at += size;
    }
    Ok(at)
}

/// The number after the first byte of a line; of `-1`, which is null, none.
fn length(line: &[u8]) -> Option<u64> {
    line[1..].iter().try_fold(0, |number: u64, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number * 10 + digit)
    })
}

/// What stands in a place.
#[derive(Clone, Copy)]
enum Kind {
    Random,
    Next,
    Fresh,
}

impl Kind {
    fn of(word: &[u8]) -> Option<Kind> {
        let known = [
            (RANDOM, Kind::Random),
            (NEXT, Kind::Next),
            (FRESH, Kind::Fresh),
        ];
        let mut known = known.into_iter();
        known
            .find(|(name, _)| name.as_bytes() == word)
            .map(|(_, kind)| kind)
    }
}

/// Commands as bytes, as many as a connection has on the way.
struct Block {
    bytes: Vec<u8>,
    /// Bytes of one command.
    command: usize,
    /// Where numbers go, and of which kind.
    places: Vec<(usize, Kind)>,
    range: u64,
    /// From one number to the next, below the range and of all.
    step: u64,
    fresh_step: u64,
    next: u64,
    random: u64,
}

impl Block {
    fn new(pour: &Pour<'_>) -> Block {
        let mut bytes = Vec::new();
        let words: Vec<&[u8]> = pour.command.iter().map(String::as_bytes).collect();
        crate::wire::push(&mut bytes, &words);
        let command = bytes.len();
        bytes = bytes.repeat(pour.depth.max(1) as usize);
        let windows = bytes.windows(RANDOM.len()).enumerate();
        let places = windows
            .filter_map(|(at, word)| Some((at, Kind::of(word)?)))
            .collect();
        Block {
            bytes,
            command,
            places,
            range: pour.range.max(1),
            step: step(pour.range),
            fresh_step: step(DIGITS),
            next: pour.used,
            random: pour.used,
        }
    }

    /// The bytes of so many commands, with new numbers in them.
    fn draw(&mut self, count: u64) -> &[u8] {
        let end = self.command * count as usize;
        for (at, kind) in &self.places {
            if *at >= end {
                break;
            }
            let number = match kind {
                Kind::Random => {
                    self.random += 1;
                    mix(self.random) % self.range
                }
                Kind::Next => spread(&mut self.next, self.step, self.range),
                Kind::Fresh => spread(&mut self.next, self.fresh_step, DIGITS),
            };
            spell(number, &mut self.bytes[*at..at + 12]);
        }
        &self.bytes[..end]
    }
}

/// Returns the number in the place `number`, counted from 0, of those that do not come again.
pub fn next(mut number: u64, range: u64) -> u64 {
    spread(&mut number, step(range), range.max(1))
}

/// Counts on, and returns where the step leads.
fn spread(number: &mut u64, step: u64, range: u64) -> u64 {
    let place = u128::from(*number) * u128::from(step) % u128::from(range);
    *number += 1;
    place as u64
}

/// The distance from one number to the next: a share of the range, so that neighbours lie far
/// apart, and without a common divisor, so that all come before one comes again.
fn step(range: u64) -> u64 {
    let divisor = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let first = range * 618 / 1000;
    let mut steps = first.max(1)..;
    steps.find(|step| divisor(*step, range) == 1).unwrap_or(1)
}

/// The finaliser of SplitMix64: all bits of a number in all bits of the result.
pub fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Writes a number with leading zeros.
fn spell(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
