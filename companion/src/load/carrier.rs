//! What takes requests to the target and brings answers back: over RESP (`wires`), or over HTTP
//! (`calls`). The driver knows no more of either than this.

use super::request::{Request, Step};
use super::resp::Reply;

/// A request of a visit, and the moment from which its latency counts.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub visit: usize,
    pub step: Step,
    pub intended_us: u64,
}

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub asked: Asked,
    pub request: Request,
    /// Chooses the connection, where requests of one buyer have to share one.
    pub number: u64,
}

/// Takes requests to the target, and never keeps the driver waiting.
pub trait Carrier {
    /// Takes a request over. It is asked again until it is answered, whatever breaks meanwhile.
    fn send(&mut self, parcel: Parcel);

    /// Writes what can be written now.
    fn flush(&mut self);

    /// Adds the answers that have come, each with the moment at which it came.
    ///
    /// # Errors
    ///
    /// The system refuses to poll.
    fn read(&mut self, answered: &mut Vec<(Asked, Reply, u64)>) -> std::io::Result<()>;

    /// Returns how many connections broke that nobody had announced.
    fn connections_lost(&self) -> u64;

    /// Returns after how long a request is asked again, if `reply` only asks for patience.
    fn put_off_us(&self, reply: &Reply) -> Option<u64>;
}
