//! A network link that can be cut: a port whose connections are passed on to another.
//!
//! Cut, it swallows what is sent without closing anything, as a network does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub struct Link {
    port: u16,
    state: Arc<State>,
}

struct State {
    leads_to: u16,
    is_cut: AtomicBool,
    is_over: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Link {
    pub fn to(port: u16) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State {
            leads_to: port,
            is_cut: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
        });
        let accepting = state.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if accepting.is_over.load(Ordering::Relaxed) {
                    return;
                }
                accepting.join(near);
            }
        });
        Link {
            port: address.port(),
            state,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing comes through, in either direction.
    pub fn cut(&self) {
        self.state.is_cut.store(true, Ordering::SeqCst);
    }

    /// Lets new connections through; those that lost something are closed.
    pub fn mend(&self) {
        self.state.is_cut.store(false, Ordering::SeqCst);
        self.state.close_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        self.state.close_all();
        // The listener is waiting for a connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn join(self: &Arc<State>, near: TcpStream) {
        let Ok(far) = TcpStream::connect(("127.0.0.1", self.leads_to)) else {
            return;
        };
        // Else a small answer waits for more to come.
        for end in [&near, &far] {
            let _ = end.set_nodelay(true);
        }
        let clones = [near.try_clone(), far.try_clone()];
        let [Ok(to_near), Ok(to_far)] = clones else {
            return;
        };
        let clones = [near.try_clone(), far.try_clone()];
        // Known before anything can be lost on it, so that `mend` closes it.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.extend(clones.into_iter().flatten());
        drop(open);
        for (from, to) in [(near, to_far), (far, to_near)] {
            let state = self.clone();
            std::thread::spawn(move || state.carry(from, to));
        }
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 65536];
        let mut has_lost = false;
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            // A stream with a hole in it must not go on after the hole.
            has_lost |= self.is_cut.load(Ordering::SeqCst);
            if has_lost {
                continue;
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    fn close_all(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
