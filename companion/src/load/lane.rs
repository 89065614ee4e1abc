//! One connection that never waits: bytes out, bytes in, and what is on the way.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::carrier::Parcel;
use super::request::{Kind, Sale, push_batch};
use super::resp::{Answer, Stuck, take_answer};

/// How long after a broken connection the next one is tried.
const AGAIN_AFTER_US: u64 = 20_000;

/// One command on the way.
pub enum Flight {
    Alone(Parcel),
    Batch(Kind, Vec<Parcel>),
}

impl Flight {
    /// Appends the command that carries it.
    pub fn push(&self, sale: &Sale, bytes: &mut Vec<u8>) {
        match self {
            Self::Alone(parcel) => parcel.request.push(sale, bytes),
            Self::Batch(kind, parcels) => {
                let requests = parcels.iter().map(|parcel| &parcel.request);
                push_batch(*kind, requests, sale, bytes);
            }
        }
    }
}

/// One connection.
pub struct Lane {
    stream: Option<TcpStream>,
    token: Token,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    input: Vec<u8>,
    pub flights: VecDeque<Flight>,
    /// Answers to the handshake that are still to come.
    greetings: usize,
    /// Whether a byte has come over this connection.
    is_up: bool,
    connect_at_us: u64,
}

impl Lane {
    /// Makes a lane that will connect at once.
    pub fn new(number: usize) -> Self {
        Self {
            stream: None,
            token: Token(number),
            out: Vec::new(),
            written: 0,
            input: Vec::new(),
            flights: VecDeque::new(),
            greetings: 0,
            is_up: false,
            connect_at_us: 0,
        }
    }

    /// Reports whether there is a connection, be it one that is still being made.
    pub fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// Reports whether the server has answered on this connection.
    pub fn is_up(&self) -> bool {
        self.is_up
    }

    /// Returns when the next connection is to be tried, if there is none.
    pub fn connects_at(&self) -> Option<u64> {
        self.stream.is_none().then_some(self.connect_at_us)
    }

    /// Begins a connection with a handshake of so many commands.
    pub fn connect(
        &mut self,
        address: SocketAddr,
        registry: &Registry,
        greetings: (&[u8], usize),
        now_us: u64,
    ) {
        self.connect_at_us = now_us + AGAIN_AFTER_US;
        let Ok(mut stream) = TcpStream::connect(address) else {
            return;
        };
        let both = Interest::READABLE | Interest::WRITABLE;
        if registry.register(&mut stream, self.token, both).is_err() {
            return;
        }
        let _ = stream.set_nodelay(true);
        self.stream = Some(stream);
        self.out = greetings.0.to_vec();
        self.greetings = greetings.1;
    }

    /// Returns where the bytes of a new command go, or `None` while there is no connection.
    pub fn bytes(&mut self) -> Option<&mut Vec<u8>> {
        self.stream.is_some().then_some(&mut self.out)
    }

    /// Writes what the socket takes. The rest stays here: a server that is slow to read must
    /// not keep the load from going on.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn flush(&mut self) -> std::io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        while self.written < self.out.len() {
            match stream.write(&self.out[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.written += written,
                Err(error) if is_not_now(&error) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what is there.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn read(&mut self) -> std::io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let mut piece = [0; 32 * 1_024];
        loop {
            match stream.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    self.is_up = true;
                    self.input.extend_from_slice(&piece[..read]);
                    // A short read has emptied the socket (epoll(7)).
                    if read < piece.len() {
                        return Ok(());
                    }
                }
                Err(error) if is_not_now(&error) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the whole answers that were read, each with what it answers.
    ///
    /// # Errors
    ///
    /// The bytes are no answers, or there are more answers than questions.
    pub fn take_answers(&mut self, into: &mut Vec<(Flight, Answer)>) -> std::io::Result<()> {
        let mut taken = 0;
        loop {
            match take_answer(&self.input[taken..]) {
                Ok((answer, length)) => {
                    taken += length;
                    if self.greetings > 0 {
                        self.greetings -= 1;
                        if let Answer::Error(text) = answer {
                            return Err(std::io::Error::other(text));
                        }
                        continue;
                    }
                    let flight = self.flights.pop_front();
                    into.push((flight.ok_or(ErrorKind::InvalidData)?, answer));
                }
                Err(Stuck::Incomplete) => break,
                Err(Stuck::Garbled) => return Err(ErrorKind::InvalidData.into()),
            }
        }
        self.input.drain(..taken);
        Ok(())
    }

    /// Gives the connection up; what is on the way stays, to be sent again. Returns whether it
    /// had ever answered.
    pub fn close(&mut self, registry: &Registry, now_us: u64) -> bool {
        if let Some(mut stream) = self.stream.take() {
            // It vanishes with the socket in any case.
            let _ = registry.deregister(&mut stream);
        }
        self.out.clear();
        self.written = 0;
        self.input.clear();
        self.connect_at_us = now_us + AGAIN_AFTER_US;
        std::mem::take(&mut self.is_up)
    }
}

/// Also while the connection is being made.
fn is_not_now(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}
