//! Histories: what happened to the sale, and where a failover made two of one.
//!
//! A branch is the stream of one primary; it begins where its primary stood when it
//! became one. What a copy missed of the stream it followed is its own, see [`Missed`].
//! The events of a batch are one line, which comes to a copy, and is lost, as a whole.
//! Edge: bytes of events by place; nothing is carried out here.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::commands::play::Fault;
use flashsale_engine::sale::{Container, Event, Hasher, decode_event};

/// An event of a history: a line by itself, or one of the events of a batch.
#[derive(Clone)]
pub struct Part {
    line: Rc<[u8]>,
    /// Its place in the line, and how many there are.
    nth: usize,
    of: usize,
    is_batch: bool,
}

impl Part {
    /// A line that is one event.
    pub fn alone(line: Rc<[u8]>) -> Part {
        Part {
            line,
            nth: 0,
            of: 1,
            is_batch: false,
        }
    }

    /// The bytes of the whole line.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// How many events of the line come after this one.
    pub fn after(&self) -> usize {
        self.of - self.nth - 1
    }

    /// The event, as a copy of the sale reads it.
    pub fn event(&self, hasher: Hasher) -> Result<Event<'_>, Fault> {
        let read = if self.is_batch {
            let container = Container::open(&self.line, hasher);
            let container = container.map_err(|error| error.to_string())?;
            container.and_then(|mut events| events.nth(self.nth))
        } else {
            Some(decode_event(&self.line, hasher))
        };
        let event = read.ok_or("a batch has fewer events than were carried out")?;
        event.map_err(|error| error.to_string())
    }
}

/// The events that a copy did not carry out, by their offset in its history, each with
/// the reason in words. Where they stand its own AOF has a mark; one for all of a line that
/// could not be read: the others have no reason.
pub type Missed = BTreeMap<usize, String>;

/// Did two copies miss the same up to an offset?
pub fn missed_alike(one: &Missed, other: &Missed, until: usize) -> bool {
    one.range(..=until).eq(other.range(..=until))
}

/// A place in a history: after so many events of a branch and the branches before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    pub branch: usize,
    pub offset: usize,
}

struct Branch {
    /// Where it forked off.
    from: At,
    /// What its primary had missed when it became one.
    missed: Missed,
    events: Vec<Part>,
    /// What the sale of its primary came to after each event, where it was looked at.
    digests: Vec<Option<u64>>,
}

pub struct Histories {
    /// The event every history begins with.
    pub created: Rc<[u8]>,
    branches: Vec<Branch>,
}

impl Histories {
    pub fn new(created: Rc<[u8]>) -> Histories {
        let root = At {
            branch: 0,
            offset: 0,
        };
        Histories {
            created,
            branches: vec![Branch {
                from: root,
                missed: Missed::new(),
                events: Vec::new(),
                digests: vec![None],
            }],
        }
    }

    /// Begins a new branch at a place, for a primary that missed something or nothing, and
    /// stands there.
    pub fn fork(&mut self, at: At, missed: Missed) -> At {
        let from = self.resolve(at);
        self.branches.push(Branch {
            from,
            missed,
            events: Vec::new(),
            digests: vec![None],
        });
        At {
            branch: self.branches.len() - 1,
            offset: from.offset,
        }
    }

    /// The same place, named by the branch it was first reached on.
    pub fn resolve(&self, mut at: At) -> At {
        while at.branch > 0 && at.offset <= self.branches[at.branch].from.offset {
            at.branch = self.branches[at.branch].from.branch;
        }
        at
    }

    /// Adds an event at the end of a branch, where its primary stands.
    pub fn push(&mut self, at: At, event: Rc<[u8]>) -> At {
        let branch = &mut self.branches[at.branch];
        assert_eq!(at.offset, branch.from.offset + branch.events.len());
        branch.events.push(Part::alone(event));
        branch.digests.push(None);
        At {
            offset: at.offset + 1,
            ..at
        }
    }

    /// Makes the last `count` events of a branch one line: they were a batch.
    pub fn bundle(&mut self, at: At, count: usize, line: &Rc<[u8]>) {
        let events = &mut self.branches[at.branch].events;
        let from = events.len() - count;
        for (nth, event) in events[from..].iter_mut().enumerate() {
            *event = Part {
                line: line.clone(),
                nth,
                of: count,
                is_batch: true,
            };
        }
    }

    /// The end of the last whole line up to a place on the way to another one.
    pub fn whole_until(&self, to: At, offset: usize) -> usize {
        if offset == to.offset {
            return offset;
        }
        let next = At {
            offset: offset + 1,
            ..to
        };
        offset - self.event(next).nth
    }

    /// The event that leads to a place.
    pub fn event(&self, at: At) -> Part {
        let at = self.resolve(at);
        let branch = &self.branches[at.branch];
        branch.events[at.offset - branch.from.offset - 1].clone()
    }

    /// What the sale comes to at a place, if anyone has looked.
    pub fn digest(&mut self, at: At) -> &mut Option<u64> {
        let at = self.resolve(at);
        let branch = &mut self.branches[at.branch];
        &mut branch.digests[at.offset - branch.from.offset]
    }

    /// What the primary had missed that decided the event before a place.
    pub fn missed(&self, at: At) -> &Missed {
        &self.branches[self.resolve(at).branch].missed
    }

    pub fn is_same(&self, one: At, other: At) -> bool {
        self.resolve(one) == self.resolve(other)
    }

    /// Does the history that leads to `later` lead through `earlier`?
    pub fn leads_through(&self, later: At, earlier: At) -> bool {
        let (mut later, earlier) = (self.resolve(later), self.resolve(earlier));
        while later.branch != earlier.branch {
            if later.branch == 0 {
                return false;
            }
            later = self.resolve(self.branches[later.branch].from);
        }
        earlier.offset <= later.offset
    }
}
