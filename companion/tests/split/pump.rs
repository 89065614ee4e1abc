//! Buyers that cost little: ready-made batches of MRESERVE over one connection to each server,
//! sent as answers come, and how many of each there were.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Entries of one batch.
pub const BATCH: usize = 64;
/// Batches on the way on one connection: a server that may run has always something to do.
const AHEAD: usize = 64;
/// How long a part that has nothing is left in peace: its `retry_in_ms`, unless said.
const REST: Duration = Duration::from_millis(200);

/// What all pumps have done so far.
#[derive(Default)]
pub struct Counts {
    pub answers: AtomicU64,
    pub reserved: AtomicU64,
}

/// One part: its batches, how many were sent, and whether it has nothing at the moment.
struct Part {
    batches: Vec<Vec<u8>>,
    sent: usize,
    rests_until: Option<Instant>,
}

/// One connection with the parts of its server.
pub struct Pump {
    stream: TcpStream,
    parts: Vec<Part>,
    /// The part of each batch that is under way.
    under_way: VecDeque<usize>,
    /// Chooses the next part: some are chosen more often, by chance.
    dice: u64,
}

impl Pump {
    /// Makes as many batches for each key as it can need; other pumps have other names.
    pub fn new(port: u16, keys: &[String], name: usize, batches: usize) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let part = |(at, key): (usize, &String)| Part {
            batches: (0..batches.div_ceil(keys.len()))
                .map(|number| batch(key, &format!("{name}-{at}-{number}")))
                .collect(),
            sent: 0,
            rests_until: None,
        };
        Self {
            stream,
            parts: keys.iter().enumerate().map(part).collect(),
            under_way: VecDeque::new(),
            dice: 88_172_645_463_325_252 + name as u64,
        }
    }

    /// Sells until it is told to stop; returns how many answers it got.
    pub fn run(mut self, counts: &Counts, is_over: impl Fn() -> bool) -> u64 {
        let mut input: Vec<u8> = Vec::new();
        let mut piece = vec![0; 256 * 1_024];
        let mut answers = 0;
        while !is_over() {
            self.send();
            if self.under_way.is_empty() {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            let read = self.stream.read(&mut piece).expect("answers");
            input.extend_from_slice(&piece[..read]);
            let mut at = 0;
            while let Some((length, reserved)) = whole(&input[at..]) {
                at += length;
                answers += BATCH as u64;
                counts.answers.fetch_add(BATCH as u64, Ordering::Relaxed);
                counts.reserved.fetch_add(reserved, Ordering::Relaxed);
                let part = self.under_way.pop_front().expect("a batch");
                if reserved < BATCH as u64 {
                    self.parts[part].rests_until = Some(Instant::now() + REST);
                }
            }
            input.drain(..at);
        }
        answers
    }

    fn send(&mut self) {
        let now = Instant::now();
        let is_ready = |part: &Part| part.rests_until.is_none_or(|until| until <= now);
        while self.under_way.len() < AHEAD {
            let ready: Vec<usize> = (0..self.parts.len())
                .filter(|at| is_ready(&self.parts[*at]))
                .collect();
            if ready.is_empty() {
                return;
            }
            self.dice ^= self.dice << 13;
            self.dice ^= self.dice >> 7;
            self.dice ^= self.dice << 17;
            let at = ready[self.dice as usize % ready.len()];
            let part = &mut self.parts[at];
            let batch = part
                .batches
                .get(part.sent)
                .expect("more batches are needed");
            self.stream.write_all(batch).expect("a batch");
            part.sent += 1;
            self.under_way.push_back(at);
        }
    }
}

fn batch(key: &str, name: &str) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", 4 + 3 * BATCH).into_bytes();
    let mut word = |text: &str| {
        bytes.extend_from_slice(format!("${}\r\n{text}\r\n", text.len()).as_bytes());
    };
    ["FLASHSALE.MRESERVE", key, "ENTRIES", &BATCH.to_string()]
        .into_iter()
        .for_each(&mut word);
    for entry in 0..BATCH {
        let name = format!("{name}-{entry}");
        [&*name, "1", &name].into_iter().for_each(&mut word);
    }
    bytes
}

/// The length of the first answer to a batch, and how many entries were reserved; `None` while it
/// is not whole.
fn whole(bytes: &[u8]) -> Option<(usize, u64)> {
    let (mut at, mut left, mut reserved) = (0, 1_u64, 0);
    while left > 0 {
        let line = bytes.get(at..)?;
        let end = line.windows(2).position(|two| two == b"\r\n")?;
        let number = || -> u64 {
            let text = std::str::from_utf8(&line[1..end]).unwrap_or_default();
            text.parse().unwrap_or(0)
        };
        at += end + 2;
        left -= 1;
        match line[0] {
            b'*' => left += number(),
            b'$' => {
                let length = usize::try_from(number()).expect("a length");
                let text = bytes.get(at..at + length + 2)?;
                reserved += u64::from(&text[..length] == b"RESERVED");
                at += length + 2;
            }
            b'-' => panic!("{}", String::from_utf8_lossy(&line[..end])),
            _ => {}
        }
    }
    Some((at, reserved))
}
