//! The events of one batch as bytes: a container of all of them, in their order.
//!
//! | Bytes | |
//! |---|---|
//! | version, kind | as of an event; the kind is 19 |
//! | the moment | one for all |
//! | the number of events | at least 1 |
//! | the events | each its kind, its fields and its options, as by itself |
//!
//! A container holds what the entries of a batch do, what expires on the way, and what happens
//! to the outbox: see [`is_of_batch`]. It holds no container and makes no sale.
//!
//! Edge: bytes to events and back, one event at a time, so that no forged number of events is
//! an allocation. Whether an event fits a sale is `check.rs`.

use crate::sale::event::codec::{
    BATCH, EVENT_VERSION, put_event, take_body, take_kind, take_version,
};
use crate::sale::event::parts::take_moment;
use crate::sale::event::{Change, Event};
use crate::table::hash::Hasher;
use crate::wire::{CodecError, Collector, NameReader, Writer};

/// Longest head of a container, in bytes: version, kind, and two numbers.
const HEAD_BYTES_MAX: usize = 2 + 9 + 9;
/// Shortest event, in bytes: its kind, and a field.
const EVENT_BYTES_MIN: u64 = 2;

/// Reports whether a change of this kind can stand in a container.
fn is_of_batch(change: &Change<'_>) -> bool {
    match change {
        Change::Reserved { .. }
        | Change::Sold { .. }
        | Change::Bought { .. }
        | Change::Released { .. }
        | Change::ReleasedUnseen { .. }
        | Change::Swept { .. }
        | Change::Expired { .. }
        | Change::Lapsed { .. }
        | Change::Left { .. }
        // What lines have to do comes before an entry, or with its poll.
        | Change::Drawn { .. }
        | Change::Granted(_)
        // Before an event that would take the outbox above its bound, and where a stream took
        // no more entries in the middle of a batch.
        | Change::Told(_)
        | Change::Dropped { .. }
        // In the AOF of a copy, in the place of an event that did not fit.
        | Change::Marked { .. } => true,
        Change::Created(_)
        | Change::Extended { .. }
        | Change::Refunded(_)
        | Change::Restocked { .. }
        | Change::Altered(_)
        | Change::Paused
        | Change::Resumed { .. }
        | Change::Closed
        | Change::Bound { .. }
        | Change::Imported(_)
        | Change::Given(_)
        | Change::Taken(_)
        // A batch takes no WAIT.
        | Change::Joined { .. }
        | Change::Dissolved { .. } => false,
    }
}

/// Reads a container, event by event. An event that cannot be read is the last item.
#[derive(Clone)]
pub struct Container<'a> {
    at_ms: u64,
    /// The bytes of all events.
    events: &'a [u8],
    count: u64,
    left: u64,
    from: NameReader<'a>,
}

impl<'a> Container<'a> {
    /// Reads the head of a container; `None` when the bytes are those of an event by itself.
    /// `hasher` is that of the sale the events are for.
    ///
    /// # Errors
    ///
    /// The container is of a newer version, or its head is damaged.
    pub fn open(bytes: &'a [u8], hasher: Hasher) -> Result<Option<Container<'a>>, CodecError> {
        let mut from = NameReader::new(bytes, hasher);
        let version = take_version(&mut from)?;
        let (BATCH, has_options) = take_kind(version, &mut from)? else {
            return Ok(None);
        };
        if version == 1 {
            return Err(CodecError::Invalid("the kind of an event"));
        }
        if has_options {
            return Err(CodecError::Newer("an option of a batch"));
        }
        let at_ms = take_moment(&mut from)?;
        let count = from.number()?;
        let events = from.rest();
        if count == 0 {
            return Err(CodecError::Invalid("the number of events"));
        }
        if count > events.len() as u64 / EVENT_BYTES_MIN {
            return Err(CodecError::Truncated);
        }
        Ok(Some(Container {
            at_ms,
            events,
            count,
            left: count,
            from,
        }))
    }

    /// Returns the moment of all events, in Unix milliseconds.
    pub fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// Returns the bytes of the events that were read so far, and their number.
    pub fn read(&self) -> (&'a [u8], u64) {
        let len = self.events.len() - self.from.rest().len();
        let read = self.events.get(..len).unwrap_or_default();
        (read, self.count - self.left)
    }

    /// The bytes of the events that were not read, and their number.
    pub fn unread(&self) -> (&'a [u8], u64) {
        (self.from.rest(), self.left)
    }

    fn take_event(&mut self) -> Result<Event<'a>, CodecError> {
        let change = take_body(EVENT_VERSION, self.at_ms, &mut self.from)?;
        if !is_of_batch(&change) {
            return Err(CodecError::Newer("a kind of event in a batch"));
        }
        Ok(Event {
            at_ms: self.at_ms,
            change,
        })
    }
}

impl<'a> Iterator for Container<'a> {
    type Item = Result<Event<'a>, CodecError>;

    fn next(&mut self) -> Option<Result<Event<'a>, CodecError>> {
        let next = match (self.left, self.from.rest()) {
            (0, []) => return None,
            (0, _) => Err(CodecError::Invalid("more bytes than the batch has")),
            _ => self.take_event(),
        };
        match next {
            Ok(_) => self.left -= 1,
            Err(_) => {
                self.left = 0;
                self.from.take_rest();
            }
        }
        Some(next)
    }
}

/// Writes a container, event by event.
pub struct ContainerWriter {
    /// Room for the head, then the events.
    bytes: Vec<u8>,
    at_ms: u64,
    count: u64,
}

impl ContainerWriter {
    /// Begins a container of events of one moment. The contents of `buffer` are lost.
    pub fn new(mut buffer: Vec<u8>, at_ms: u64) -> ContainerWriter {
        buffer.clear();
        buffer.resize(HEAD_BYTES_MAX, 0);
        ContainerWriter {
            bytes: buffer,
            at_ms,
            count: 0,
        }
    }

    /// Adds an event of the container's moment.
    #[inline]
    pub fn push(&mut self, event: &Event<'_>) {
        debug_assert!(event.at_ms == self.at_ms && is_of_batch(&event.change));
        let mut collector = Collector::new(&mut self.bytes);
        put_event(&mut Writer(&mut collector), event, false);
        collector.flush();
        self.count += 1;
    }

    /// Adds events that were read from a container of the same moment, as they came.
    pub fn push_read(&mut self, (events, count): (&[u8], u64)) {
        self.bytes.extend_from_slice(events);
        self.count += count;
    }

    /// Returns the moment of all events, in Unix milliseconds.
    pub fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// Reports whether no event was added.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the bytes of the container. An empty container cannot be read.
    pub fn finish(&mut self) -> &[u8] {
        // The number of events is known only now, and how many bytes it takes; so the head
        // is written behind the events and moved in front of them.
        let end = self.bytes.len();
        let out = &mut Writer(&mut self.bytes);
        out.tag(EVENT_VERSION);
        out.tag(BATCH);
        out.number(self.at_ms);
        out.number(self.count);
        let start = HEAD_BYTES_MAX.saturating_sub(self.bytes.len() - end);
        self.bytes.copy_within(end.., start);
        self.bytes.truncate(end);
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Returns the buffer, for the next container.
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}
