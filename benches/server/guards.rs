//! What stands at the door of a sale: what USERRATE costs a RESERVE that gets units and one that
//! finds none, and what a pass costs.
//!
//! Edge: costs are the time that the server's main thread ran for a call, of every user once;
//! the calls are pipelined, AOF off.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::growth::Setups;
use crate::line::{ask, in_turn, time};
use crate::print::commas;
use crate::reply::Outcome;
use crate::stage::{self, Names, PLENTY, Stage};
use crate::table::{Table, number};
use crate::targets::{Aim, Target};
use crate::wire::{fill, push};

/// What passes are made with.
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Passes are good for as long as it takes.
const END_MS: &str = "9007199254740991";
/// So many attempts that nobody has too few.
const USERRATE: [&str; 3] = ["USERRATE", "100", "60000"];

/// What was measured, in nanoseconds of the main thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guards {
    pub users: u64,
    pub reserve_ns: f64,
    pub counted_ns: f64,
    pub sold_out_ns: f64,
    pub counted_out_ns: f64,
    pub pass_ns: f64,
    pub no_pass_ns: f64,
}

impl Guards {
    /// Names and values for the CSV.
    pub fn measures(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("reserve_ns", self.reserve_ns),
            ("reserve_userrate_ns", self.counted_ns),
            ("sold_out_ns", self.sold_out_ns),
            ("sold_out_userrate_ns", self.counted_out_ns),
            ("reserve_pass_ns", self.pass_ns),
            ("no_pass_ns", self.no_pass_ns),
        ]
    }

    /// A line an answer.
    pub fn table(&self) -> Table {
        let users = format!("{} users, server ns a call", commas(self.users));
        let mut table = Table::new(&[&users, "without", "USERRATE", "PASSKEY"]);
        let row = |name: &str, values: [Option<f64>; 3]| {
            let cells = values.map(|ns| ns.map_or("-".to_owned(), |ns| number(ns, 0)));
            [vec![name.to_owned()], cells.to_vec()].concat()
        };
        let reserve = [self.reserve_ns, self.counted_ns, self.pass_ns].map(Some);
        table.add(row("RESERVED", reserve));
        let sold_out = [Some(self.sold_out_ns), Some(self.counted_out_ns), None];
        table.add(row("SOLDOUT", sold_out));
        table.add(row(
            "NOPASS, of another user",
            [None, None, Some(self.no_pass_ns)],
        ));
        table
    }

    /// What it is held against.
    pub fn targets(&self) -> Vec<Target> {
        let ratio = |what: &str, before_ns: f64, ns: f64, aim| Target {
            name: what.to_owned(),
            aim: Aim::AtLeast(aim),
            measured: Some(before_ns / ns),
            unit: "",
        };
        vec![
            ratio(
                "RESERVE with USERRATE : without",
                self.reserve_ns,
                self.counted_ns,
                0.85,
            ),
            ratio(
                "sold out with USERRATE : without",
                self.sold_out_ns,
                self.counted_out_ns,
                0.75,
            ),
            Target {
                name: "a verified pass".into(),
                aim: Aim::AtMost(2_000.0),
                measured: Some(self.pass_ns - self.reserve_ns),
                unit: "ns",
            },
        ]
    }
}

/// Measures all of it with so many users, each the median of the rounds.
pub fn measure(setups: &Setups, users: u64, rounds: u32) -> Outcome<Guards> {
    let mut stage = Stage::open(&setups.plain, users)?;
    let passkey = ["PASSKEY", "1", SECRET];
    for (key, options) in [("none", &[][..]), ("none-counted", &USERRATE)] {
        let options = [&["STOCK", "0"][..], options].concat();
        stage::create(&mut stage.wire, key, "none:orders", &options)?;
    }
    let mut taken_ns: [Vec<f64>; 6] = Default::default();
    for _ in 0..rounds {
        for (at, key, options) in [
            (0, "plain", &[][..]),
            (1, "counted", &USERRATE[..]),
            (4, "passes", &passkey[..]),
        ] {
            let options = [&["STOCK", PLENTY][..], options].concat();
            stage::create(&mut stage.wire, key, "guards:orders", &options)?;
            let ns = match at {
                4 => {
                    let wrong = with_pass(key, 1);
                    taken_ns[5].push(time(&mut stage, "NOPASS", wrong)?);
                    time(&mut stage, "RESERVED", with_pass(key, 0))?
                }
                _ => time(&mut stage, "RESERVED", ask(key, in_turn, &[]))?,
            };
            taken_ns[at].push(ns);
        }
        // Users that are known by now, as those of a crowd that tries again are.
        fill(
            stage.server.port(),
            users,
            "SOLDOUT",
            ask("none-counted", in_turn, &[]),
        )?;
        taken_ns[2].push(time(&mut stage, "SOLDOUT", ask("none", in_turn, &[]))?);
        taken_ns[3].push(time(
            &mut stage,
            "SOLDOUT",
            ask("none-counted", in_turn, &[]),
        )?);
    }
    let [reserve, counted, sold_out, counted_out, pass, no_pass] = taken_ns.map(|mut taken| {
        taken.sort_by(f64::total_cmp);
        taken.get(taken.len() / 2).copied().unwrap_or_default()
    });
    Ok(Guards {
        users,
        reserve_ns: reserve,
        counted_ns: counted,
        sold_out_ns: sold_out,
        counted_out_ns: counted_out,
        pass_ns: pass,
        no_pass_ns: no_pass,
    })
}

/// The request of a user for one unit, with the pass of the user so many after them: made as an
/// app does, since the benchmark links none of the module.
fn with_pass(key: &'static str, after: u64) -> impl Fn(u64, &mut Vec<u8>) + Send {
    move |at, bytes| {
        let (user, id) = Names::Lifelike.of(at);
        let (owner, _) = Names::Lifelike.of(at + after);
        let pass = pass_of(&id, &owner);
        let words = [
            "FLASHSALE.RESERVE",
            key,
            &user,
            "1",
            "ID",
            &id,
            "PASS",
            &pass,
        ];
        push(bytes, &words.map(str::as_bytes));
    }
}

fn pass_of(id: &str, user: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).expect("a secret");
    let length = u8::try_from(id.len()).expect("an id of at most 255 bytes");
    for part in [
        END_MS.as_bytes(),
        b".",
        &[length],
        id.as_bytes(),
        user.as_bytes(),
    ] {
        mac.update(part);
    }
    let tag = mac.finalize().into_bytes();
    let bits = tag[..16]
        .iter()
        .fold(0_u128, |bits, &byte| bits << 8 | u128::from(byte));
    // 21 letters of six bits, and one of the two that are left.
    let letter = |at: u32| match at {
        21 => (bits & 3) << 4,
        _ => bits >> (122 - 6 * at) & 63,
    };
    let letters = (0..22).map(|at| char::from(LETTERS[letter(at) as usize]));
    format!("{END_MS}.{}", letters.collect::<String>())
}
