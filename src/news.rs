//! What listeners are told of the changes of one command.
//!
//! A listener may be another module, and may delete the sale while it is told. The server
//! frees the sale at once; from then on everything of the open key is freed memory, and so
//! is what closing the key looks at. So news is noted while keys are open, and told when
//! the last of them is closed.
//!
//! Edge: knows no sale. Whoever holds news beside open keys declares it before them in a
//! function, and behind them in a struct, so that it is dropped last.

use std::ffi::CStr;

use smallvec::SmallVec;

use crate::ffi::{Ctx, Text};

/// Events noted without an allocation: a sale that is bought from has three.
const STACK_EVENTS: usize = 4;

/// Keyspace events that are told when this is dropped, in the order they were noted.
pub struct News<'c> {
    ctx: Ctx<'c>,
    sale: Text<'c>,
    events: SmallVec<[Event<'c>; STACK_EVENTS]>,
}

enum Event<'c> {
    /// An event of the sale, by its name.
    Sale(&'static CStr),
    /// An entry was appended to this stream.
    Entry(Text<'c>),
}

impl<'c> News<'c> {
    /// Begins without any, about the sale of this name.
    pub fn about(ctx: Ctx<'c>, sale: Text<'c>) -> News<'c> {
        News {
            ctx,
            sale,
            events: SmallVec::new(),
        }
    }

    /// Makes room for so many more events, in one allocation.
    pub fn reserve(&mut self, events: usize) {
        self.events.reserve(events);
    }

    /// Notes an event of the sale.
    pub fn note(&mut self, event: &'static CStr) {
        self.events.push(Event::Sale(event));
    }

    /// Notes that an entry was appended to a stream.
    pub fn note_entry(&mut self, orders: Text<'c>) {
        self.events.push(Event::Entry(orders));
    }
}

impl Drop for News<'_> {
    #[inline]
    fn drop(&mut self) {
        for event in &self.events {
            match *event {
                Event::Sale(name) => self.ctx.notify(name, self.sale),
                Event::Entry(orders) => self.ctx.notify_stream(c"xadd", orders),
            }
        }
    }
}
