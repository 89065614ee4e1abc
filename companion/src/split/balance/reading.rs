//! A round's questions and answers.

use redis::Value;

use super::server::{Expect, Server};
use super::{Balance, LEARN_EVERY};
use crate::link::{Way, stock_rows};
use crate::log;
use crate::split::names::Names;
use crate::split::rules::reading::Shelf;
use crate::split::rules::rest::Head;
use crate::split::rules::round::Driver;
use crate::split::shares::{About, Known, Reader};

/// Why a part says nothing of itself.
enum Silent {
    /// The connection is broken.
    Lost(String),
    /// The server answers an error: the code, and the whole.
    Refused(String, String),
    /// It is another sale.
    Foreign(String),
}

impl Balance {
    /// Asks all parts, and waits for their answers.
    pub(super) async fn read(&mut self) {
        self.driver.begin();
        let reads = self.driver.reads().to_vec();
        let learns = self.rounds % LEARN_EVERY;
        let parts = self.names.parts.len();
        // At the start all, then one part after the other: RESTOCK NEW brings new SKUs.
        let is_first = self.driver.items() == 0;
        let next = (self.rounds / LEARN_EVERY) as usize % parts;
        for part in 0..parts {
            let Some(at) = self.of[part] else {
                continue;
            };
            let key = self.names.parts[part].key.as_bytes();
            if is_first || (learns == 0 && part == next) {
                self.servers[at].push(&[b"FLASHSALE.STOCK", key], Expect::Stock);
            }
            if !reads.is_empty() {
                let mut words: Vec<&[u8]> = Vec::with_capacity(reads.len() + 2);
                words.extend([&b"FLASHSALE.SHARES"[..], key]);
                words.extend(reads.iter().map(|item| self.driver.sku(*item).as_bytes()));
                self.servers[at].push(&words, Expect::Shares(part));
            }
        }
        for server in &mut self.servers {
            server.flush().await;
        }
        let mut elsewhere = Vec::new();
        for server in &mut self.servers {
            let mut round = Round {
                driver: &mut self.driver,
                known: &mut self.known,
                names: &self.names,
                reads: &reads,
                silent: &mut self.told.silent,
            };
            elsewhere.extend(round.hear(server).await);
        }
        if self.address.way == Way::Cluster {
            elsewhere.iter().for_each(|part| self.of[*part] = None);
        }
    }
}

/// What answers are read into.
struct Round<'b> {
    driver: &'b mut Driver,
    known: &'b mut Vec<Known>,
    names: &'b Names,
    reads: &'b [usize],
    /// What was logged of silent parts, by part.
    silent: &'b mut Vec<String>,
}

impl Round<'_> {
    /// Reads all that a server has to answer, and returns the parts that are elsewhere.
    async fn hear(&mut self, server: &mut Server) -> Vec<usize> {
        let mut elsewhere = Vec::new();
        while let Some(expect) = server.expects.pop_front() {
            let heard = match expect {
                Expect::Shares(part) => self.hear_shares(server, part).await,
                other => self.hear_other(server, other).await,
            };
            match heard {
                Ok(()) => {}
                Err(Silent::Lost(text)) => {
                    server.lose(&text);
                    return elsewhere;
                }
                Err(Silent::Refused(code, text)) => {
                    if let Expect::Shares(part) = expect
                        && matches!(&*code, "MOVED" | "CLUSTERDOWN" | "READONLY")
                    {
                        elsewhere.push(part);
                    }
                    self.say(expect, text);
                }
                Err(Silent::Foreign(text)) => self.say(expect, text),
            }
        }
        elsewhere
    }

    /// Logs why a part is silent, unless that was the last that was logged of it.
    fn say(&mut self, expect: Expect, text: String) {
        let part = match expect {
            Expect::Shares(part) => part,
            _ => self.names.parts.len(),
        };
        self.silent
            .resize(self.names.parts.len() + 1, String::new());
        if self.silent[part] != text {
            let key = self.names.parts.get(part).map_or("", |part| &part.key);
            log::warn(format!("{key}: {text}"));
            self.silent[part] = text;
        }
    }

    async fn hear_shares(&mut self, server: &mut Server, part: usize) -> Result<(), Silent> {
        let lost = |error: std::io::Error| Silent::Lost(error.to_string());
        let Some(wire) = &mut server.wire else {
            return Err(Silent::Lost("no connection".into()));
        };
        let mut reader = Reader::default();
        loop {
            let bytes = wire.unread();
            if bytes.first() == Some(&b'-') {
                return refused(&wire.answer().await.map_err(lost)?);
            }
            let driver = &mut *self.driver;
            let mut is_sound = true;
            let length = reader.on(bytes, self.reads, &mut self.known[part], |item, row| {
                let Some(row) = row else {
                    *driver.shelf(item, part) = Shelf::default();
                    return;
                };
                is_sound &= row.sku == driver.sku(item).as_bytes();
                let shelf = match row.has_new_pairs {
                    true => driver.shelf(item, part),
                    false => driver.shelf_numbers(item, part),
                };
                is_sound &= row.write_to(shelf).is_ok();
            });
            match length {
                Ok(Some(length)) if is_sound => {
                    wire.pass(length);
                    let number = wire.number;
                    return self.note(part, number, &reader.about);
                }
                Ok(None) if is_sound => wire.fill().await.map_err(lost)?,
                _ => {
                    self.known[part].forget();
                    return Err(Silent::Lost("SHARES answers something else".into()));
                }
            }
        }
    }

    fn note(&mut self, part: usize, connection: u64, about: &About) -> Result<(), Silent> {
        if !about.group.is_empty() && about.group != self.names.sale {
            return Err(Silent::Foreign(format!("it is a part of {}", about.group)));
        }
        let head = Head {
            share_id: about.share_id,
            connection,
            refunded: about.refunded,
        };
        self.driver.heard(part, head);
        if let Some(said) = self.silent.get_mut(part) {
            said.clear();
        }
        Ok(())
    }

    async fn hear_other(&mut self, server: &mut Server, expect: Expect) -> Result<(), Silent> {
        let Some(wire) = &mut server.wire else {
            return Err(Silent::Lost("no connection".into()));
        };
        // Nothing is wanted of the answer to TAKE and REST but that it is no error.
        let read = |bytes: &[u8]| match (expect, bytes.first()) {
            (Expect::Stock, _) | (_, Some(b'-')) => redis::parse_redis_value(bytes),
            _ => Ok(Value::Okay),
        };
        let lost = |error: &dyn std::fmt::Display| Silent::Lost(error.to_string());
        let answer = wire.read(read).await.map_err(|error| lost(&error))?;
        let answer = answer.map_err(|error| lost(&error))?;
        if expect == Expect::Stock {
            for row in stock_rows(&answer).unwrap_or_default() {
                self.driver.learn(&row.sku);
            }
        }
        refused(&answer)
    }
}

fn refused(answer: &Value) -> Result<(), Silent> {
    match answer {
        Value::ServerError(error) => {
            let detail = error.details().unwrap_or_default();
            let code = error.code().to_owned();
            let text = format!("{code} {detail}");
            Err(Silent::Refused(code, text))
        }
        _ => Ok(()),
    }
}
