//! A limit as bytes: its events, and its snapshot for RDB, DUMP and the AOF rewrite. Held by
//! golden files in `tests/`.
//!
//! | Event | Bytes: version 1, kind 1, the moment, then |
//! |---|---|
//! | created (1) | the new TAT counted from the moment, the subject |
//! | allowed (2) | the new TAT counted from the moment, the subject |
//! | allowed, and another subject gives way (3) | the same |
//! | shifted (4) | by how much |
//!
//! | Chunk of a snapshot | Bytes |
//! |---|---|
//! | the first | version 1, the moment of the last change, the time from the base to it, the latest TAT, the number of subjects |
//! | the others | subjects in the order of the queue, each with its TAT counted from the base, up to 64 KiB |
//!
//! Moments are in Unix microseconds, TATs in nanoseconds. Events have no options: what they
//! have to say more takes another version, which an older module reports as newer, not as
//! damage.
//!
//! What is loaded is not trusted: the number of subjects is only compared, and nothing is
//! allocated before a subject has come.

use crate::rate::event::{Allowed, Change, Event};
use crate::rate::table::{Table, Times};
use crate::table::hash::Hasher;
use crate::wire::{CodecError, Collector, NameReader, Reader, Sink, Writer};

const EVENT_VERSION: u8 = 1;
const SNAPSHOT_VERSION: u8 = 1;

const CREATED: u8 = 1;
const ALLOWED: u8 = 2;
const EVICTING: u8 = 3;
const SHIFTED: u8 = 4;

/// Most bytes of a chunk.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of a subject: its name with its length, and its TAT.
const SUBJECT_BYTES_MAX: usize = 256 + 9;

/// Appends the bytes of one event.
#[inline]
pub fn encode_event(event: &Event<'_>, out: &mut Vec<u8>) {
    let mut collector = Collector::new(out);
    put_event(event, &mut Writer(&mut collector));
    collector.flush();
}

#[inline(always)]
fn put_event<S: Sink>(event: &Event<'_>, out: &mut Writer<'_, S>) {
    let kind = match event.change {
        Change::Created(_) => CREATED,
        Change::Allowed(allowed) if allowed.evicts => EVICTING,
        Change::Allowed(_) => ALLOWED,
        Change::Shifted { .. } => SHIFTED,
    };
    out.raw(&[EVENT_VERSION, kind]);
    out.number(event.at_us);
    match event.change {
        Change::Created(allowed) | Change::Allowed(allowed) => {
            out.number(allowed.reset_ns);
            out.name(allowed.subject);
        }
        Change::Shifted { by_us } => out.number(by_us),
    }
}

/// Reads the bytes of one event, all of them.
///
/// # Errors
///
/// When the bytes are of a newer version, damaged, too few or too many.
pub fn decode_event(bytes: &[u8], hasher: Hasher) -> Result<Event<'_>, CodecError> {
    let mut from = Reader::new(bytes, hasher);
    match from.tag()? {
        EVENT_VERSION => {}
        0 => return Err(CodecError::Invalid("the version of an event")),
        _ => return Err(CodecError::Newer("an event of a limit")),
    }
    let kind = from.tag()?;
    let at_us = from.number()?;
    let change = match kind {
        CREATED => Change::Created(take_allowed(&mut from, false)?),
        ALLOWED => Change::Allowed(take_allowed(&mut from, false)?),
        EVICTING => Change::Allowed(take_allowed(&mut from, true)?),
        SHIFTED => Change::Shifted {
            by_us: from.number()?,
        },
        _ => return Err(CodecError::Invalid("an unknown kind of event")),
    };
    from.end("more bytes than the event has")?;
    Ok(Event { at_us, change })
}

fn take_allowed<'a>(from: &mut NameReader<'a>, evicts: bool) -> Result<Allowed<'a>, CodecError> {
    Ok(Allowed {
        reset_ns: from.number()?,
        subject: from.name()?,
        evicts,
    })
}

impl Table {
    /// Writes the limit, a chunk a call. Only reads: it runs in a forked child.
    pub fn save(&self, sink: &mut dyn FnMut(&[u8])) {
        let mut chunk = Vec::new();
        let out = &mut Writer(&mut chunk);
        let Times {
            changed_us,
            elapsed_us,
            latest_ns,
        } = self.times();
        out.tag(SNAPSHOT_VERSION);
        for number in [changed_us, elapsed_us, latest_ns, self.len() as u64] {
            out.number(number);
        }
        sink(&chunk);
        chunk.clear();
        for (subject, tat_ns) in self.subjects() {
            let out = &mut Writer(&mut chunk);
            out.name(subject);
            out.number(tat_ns);
            if chunk.len() > CHUNK_BYTES_MAX - SUBJECT_BYTES_MAX {
                sink(&chunk);
                chunk.clear();
            }
        }
        if !chunk.is_empty() {
            sink(&chunk);
        }
    }

    /// Feeds what makes two copies of a limit equal, one unordered element a call: the chunks
    /// of [`Table::save`], each behind its number.
    pub fn digest(&self, element: &mut dyn FnMut(&[u8])) {
        let mut number = 0_u64;
        let mut numbered = Vec::new();
        self.save(&mut |chunk| {
            numbered.clear();
            numbered.extend_from_slice(&number.to_le_bytes());
            numbered.extend_from_slice(chunk);
            element(&numbered);
            number += 1;
        });
    }
}

/// A limit of which some chunks have come.
pub struct Loader {
    hasher: Hasher,
    /// What has come, once the first chunk has.
    table: Option<Table>,
    /// Subjects there are to come in all.
    subjects: u64,
}

impl Loader {
    pub fn new(hasher: Hasher) -> Loader {
        Loader {
            hasher,
            table: None,
            subjects: 0,
        }
    }

    /// Bytes of memory of what has come.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Loader>() + self.table.as_ref().map_or(0, Table::heap_bytes)
    }

    /// Takes the next chunk; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, or one too many. The loader is then of no use.
    pub fn push(&mut self, chunk: &[u8]) -> Result<bool, CodecError> {
        let mut from = Reader::new(chunk, self.hasher);
        let Some(table) = &mut self.table else {
            let (times, subjects) = take_header(&mut from)?;
            self.table = Some(Table::of_times(self.hasher, times));
            self.subjects = subjects;
            return Ok(false);
        };
        if chunk.is_empty() {
            return Err(CodecError::Invalid("a chunk without a subject"));
        }
        while !from.rest().is_empty() {
            if table.len() as u64 == self.subjects {
                return Err(CodecError::Invalid("more subjects than the limit has"));
            }
            take_subject(&mut from, table)?;
        }
        Ok(table.len() as u64 == self.subjects)
    }

    /// The limit of all the chunks.
    ///
    /// # Errors
    ///
    /// Some are missing.
    pub fn finish(self) -> Result<Table, CodecError> {
        let is_whole = |table: &Table| table.len() as u64 == self.subjects;
        self.table.filter(is_whole).ok_or(CodecError::Truncated)
    }
}

fn take_header(from: &mut NameReader<'_>) -> Result<(Times, u64), CodecError> {
    match from.tag()? {
        SNAPSHOT_VERSION => {}
        0 => return Err(CodecError::Invalid("the version of a limit")),
        _ => return Err(CodecError::Newer("a limit")),
    }
    let times = Times {
        changed_us: from.number()?,
        elapsed_us: from.number()?,
        latest_ns: from.number()?,
    };
    let subjects = from.number()?;
    from.end("more bytes than the header has")?;
    if !times.are_sound() {
        return Err(CodecError::Invalid("the times of a limit"));
    }
    // The event that makes a limit has a subject.
    if subjects == 0 {
        return Err(CodecError::Invalid("a limit without a subject"));
    }
    Ok((times, subjects))
}

fn take_subject(from: &mut NameReader<'_>, table: &mut Table) -> Result<(), CodecError> {
    let subject = from.name()?;
    let tat_ns = from.number()?;
    if tat_ns > table.times().latest_ns {
        return Err(CodecError::Invalid("a TAT after the latest"));
    }
    if table.is_known(subject) {
        return Err(CodecError::Invalid("a subject that stands twice"));
    }
    table.add(subject, tat_ns);
    Ok(())
}
