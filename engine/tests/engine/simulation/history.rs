//! Histories: what happened to the sale, and where a failover made two of one.
//!
//! A branch is the stream of one primary; it begins where its primary stood when it
//! became one. What a copy missed of the stream it followed is its own, see [`Missed`].
//! Edge: bytes of events by place; nothing is carried out here.

use std::collections::BTreeMap;
use std::rc::Rc;

/// The events that a copy did not carry out, by their offset in its history, each with
/// the reason in words. Where they stand its own AOF has a mark.
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
    events: Vec<Rc<[u8]>>,
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
        branch.events.push(event);
        branch.digests.push(None);
        At {
            offset: at.offset + 1,
            ..at
        }
    }

    /// The event that leads to a place.
    pub fn event(&self, at: At) -> Rc<[u8]> {
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
