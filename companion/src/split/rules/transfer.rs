//! One transfer: what one server's parts give, and what of it may be taken.
//!
//! # Invariants
//!
//! 1. Each TAKE carries the total that GIVE answered, never the one that was decided: MOST gives
//!    less, and another driver may have given more.
//! 2. There is a TAKE only where, after all GIVE calls and on their connection, as many replicas as
//!    the topology names have confirmed them, and the server's own file, unless each write is in
//!    it before its answer.
//! 3. Nothing is given while a replica is away, or where no file is kept: it would be on sale
//!    nowhere until that is mended.
//! 4. A connection that breaks ends the transfer: WAIT speaks for what its own connection wrote.
//!    What is given stays under way, and the next round finishes it.

/// A GIVE, sent with MOST and CONFIRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Give {
    pub from: usize,
    pub to: usize,
    pub item: usize,
    /// Share ids, as read: a part that was made anew refuses what was meant for the one before.
    pub from_share: u128,
    pub to_share: u128,
    /// In all.
    pub total: u64,
}

/// A TAKE: the same pair, and the total that was confirmed.
pub type Take = Give;

/// What is to be sent next, on the connection of the transfer unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask<'t> {
    /// These, pipelined. [`Transfer::given`] takes the answers.
    Give(&'t [Give]),
    /// How many replicas has this server by the topology, and what is its own file worth?
    /// [`Transfer::named`].
    Copies,
    /// `WAIT replicas 200`. [`Transfer::waited`].
    Wait { replicas: u64 },
    /// `WAITAOF 1 0 1100`. [`Transfer::flushed`].
    WaitFile,
    /// These, each to the primary of its part. The end.
    Take(Vec<Take>),
    /// The end: nothing may be taken. The units stay under way.
    Nothing,
}

/// What a server's own file is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// Each write is in it before its answer: `appendfsync always`.
    Always,
    /// WAITAOF says what is in it.
    Waited,
    /// There is one, and no WAITAOF: Redis 7.0.
    Unasked,
    /// There is none: no transfer survives a restart.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the GIVE calls, so that nothing is given that could not be taken.
    LookFirst,
    WaitFirst(u64),
    Give,
    Copies,
    Wait(u64, File),
    File,
    Take,
    End,
}

/// A transfer on its way.
#[derive(Clone, Debug)]
pub struct Transfer {
    gives: Vec<Give>,
    /// The total in force, where one was answered.
    answered: Vec<Option<u64>>,
    /// So many replicas are enough, whatever the topology says.
    enough: Option<u64>,
    at: At,
}

impl Transfer {
    /// Makes a transfer of what the parts of one server are to give.
    pub fn new(gives: Vec<Give>, enough: Option<u64>) -> Self {
        Self {
            answered: vec![None; gives.len()],
            at: if gives.is_empty() {
                At::End
            } else {
                At::LookFirst
            },
            gives,
            enough,
        }
    }

    /// Returns what is to be sent next.
    pub fn next(&self) -> Ask<'_> {
        match self.at {
            At::Give => Ask::Give(&self.gives),
            At::LookFirst | At::Copies => Ask::Copies,
            At::WaitFirst(replicas) | At::Wait(replicas, _) => Ask::Wait { replicas },
            At::File => Ask::WaitFile,
            At::Take => Ask::Take(self.takes()),
            At::End => Ask::Nothing,
        }
    }

    /// Takes in the totals that are in force; `None` for a refusal.
    pub fn given(&mut self, totals: impl IntoIterator<Item = Option<u64>>) {
        for (answered, total) in self.answered.iter_mut().zip(totals) {
            *answered = total;
        }
        self.at = if self.answered.iter().any(Option::is_some) {
            At::Copies
        } else {
            At::End
        };
    }

    /// Takes in how many replicas the topology names, and what the server's own file is worth;
    /// `None` where the topology cannot be told.
    pub fn named(&mut self, replicas: Option<u64>, file: File) {
        self.at = match replicas {
            Some(replicas) if file != File::None => {
                let needed = self.enough.map_or(replicas, |most| most.min(replicas));
                match self.at {
                    At::LookFirst => At::WaitFirst(needed),
                    _ => At::Wait(needed, file),
                }
            }
            _ => At::End,
        };
    }

    /// Takes in how many replicas have what this connection wrote: so far nothing, or what was
    /// given.
    pub fn waited(&mut self, replicas: u64) {
        if let At::WaitFirst(needed) = self.at {
            self.at = if replicas < needed { At::End } else { At::Give };
        }
        let At::Wait(needed, file) = self.at else {
            return;
        };
        self.at = match file {
            _ if replicas < needed => At::End,
            File::Waited => At::File,
            File::Always | File::Unasked => At::Take,
            File::None => At::End,
        };
    }

    /// Takes in in how many files of the server itself it is.
    pub fn flushed(&mut self, files: u64) {
        self.at = if files >= 1 { At::Take } else { At::End };
    }

    /// The connection broke, or an answer makes no sense.
    pub fn broken(&mut self) {
        self.at = At::End;
    }

    fn takes(&self) -> Vec<Take> {
        let pairs = self.gives.iter().zip(&self.answered);
        let take =
            |(give, total): (&Give, &Option<u64>)| total.map(|total| Take { total, ..*give });
        // A total of 0 is nothing: the giver had none.
        pairs
            .filter_map(take)
            .filter(|take| take.total > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn give(total: u64) -> Give {
        Give {
            from: 0,
            to: 1,
            item: 0,
            from_share: 10,
            to_share: 20,
            total,
        }
    }

    fn up_to_wait(file: File, enough: Option<u64>, named: u64) -> Transfer {
        let mut transfer = Transfer::new(vec![give(5), give(6)], enough);
        assert_eq!(transfer.next(), Ask::Copies);
        transfer.named(Some(named), file);
        transfer.waited(named);
        assert!(matches!(transfer.next(), Ask::Give(gives) if gives.len() == 2));
        transfer.given([Some(3), None]);
        assert_eq!(transfer.next(), Ask::Copies);
        transfer.named(Some(named), file);
        transfer
    }

    #[test]
    fn takes_what_was_answered_once_all_have_it() {
        let mut transfer = up_to_wait(File::Waited, None, 2);
        assert_eq!(transfer.next(), Ask::Wait { replicas: 2 });
        transfer.waited(2);
        assert_eq!(transfer.next(), Ask::WaitFile);
        transfer.flushed(1);
        assert_eq!(transfer.next(), Ask::Take(vec![give(3)]));
    }

    #[test]
    fn takes_nothing_that_a_copy_could_lack() {
        let mut short = up_to_wait(File::Always, None, 2);
        short.waited(1);
        assert_eq!(short.next(), Ask::Nothing);
        let mut unflushed = up_to_wait(File::Waited, None, 0);
        unflushed.waited(0);
        unflushed.flushed(0);
        assert_eq!(unflushed.next(), Ask::Nothing);
        let mut broken = up_to_wait(File::Always, None, 0);
        broken.broken();
        assert_eq!(broken.next(), Ask::Nothing);
        for (named, file) in [(None, File::Always), (Some(0), File::None)] {
            let mut unknown = Transfer::new(vec![give(5)], None);
            unknown.named(named, file);
            assert_eq!(unknown.next(), Ask::Nothing);
        }
    }

    #[test]
    fn gives_nothing_while_a_replica_is_away() {
        let mut transfer = Transfer::new(vec![give(5)], None);
        transfer.named(Some(2), File::Always);
        assert_eq!(transfer.next(), Ask::Wait { replicas: 2 });
        transfer.waited(1);
        assert_eq!(transfer.next(), Ask::Nothing);
    }

    #[test]
    fn an_operator_may_be_content_with_fewer_and_never_asks_for_more() {
        for (named, needed) in [(0, 0), (1, 1), (3, 1)] {
            let transfer = up_to_wait(File::Always, Some(1), named);
            assert_eq!(transfer.next(), Ask::Wait { replicas: needed });
        }
    }
}
