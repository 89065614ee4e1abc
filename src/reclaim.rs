//! Frees what commands replace on a thread of its own: to give gigabytes back takes the
//! system so long that every client would notice.
//!
//! Edge: what the server frees stays with the server. It has settings for that
//! (`lazyfree-*`), and when it evicts keys it counts the bytes that freeing one gave
//! back: freed elsewhere, they would be missed, and further keys evicted.

use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Values of fewer bytes are freed in place, about as fast as they are handed over. The
/// server draws the line of UNLINK there.
const LARGE_BYTES: usize = 1 << 20;
/// What the thread is called, in 15 characters.
const NAME: &str = "flashsale-free";
/// Its stack: dropping blocks needs next to none.
const STACK_BYTES: usize = 128 * 1024;

/// Something to be dropped.
type Garbage = Box<dyn Send>;

/// The thread that frees; `None` where the system gave none.
static FREER: OnceLock<Option<Sender<Garbage>>> = OnceLock::new();

/// Drops a value of so many bytes: here if it is small, else on another thread.
pub fn discard<T: Send + 'static>(value: T, bytes: usize) {
    if bytes < LARGE_BYTES {
        return;
    }
    if let Some(freer) = FREER.get_or_init(start) {
        // Were the thread gone, the value would come back and be dropped here.
        drop(freer.send(Box::new(value)));
    }
}

fn start() -> Option<Sender<Garbage>> {
    let (sender, garbage) = channel::<Garbage>();
    let thread = thread::Builder::new()
        .name(NAME.to_owned())
        .stack_size(STACK_BYTES);
    let started = thread.spawn(move || garbage.into_iter().for_each(drop));
    started.ok().map(|_| sender)
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use super::*;

    /// Tells on which thread it is dropped.
    struct Told(Sender<ThreadId>);

    impl Drop for Told {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).ok();
        }
    }

    #[test]
    fn large_values_are_dropped_on_another_thread_and_small_ones_here() {
        let (sender, told) = channel();
        discard(Told(sender.clone()), LARGE_BYTES - 1);
        assert_eq!(told.try_recv(), Ok(thread::current().id()));
        for _ in 0..2 {
            discard(Told(sender.clone()), LARGE_BYTES);
            let thread = told.recv().expect("it is dropped");
            assert_ne!(thread, thread::current().id());
        }
    }
}
