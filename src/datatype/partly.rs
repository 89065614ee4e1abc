//! A value that is only partly loaded: its first chunks have come, and more are to come.
//!
//! The chunks are kept until the value is whole, because the server may save in between: a
//! slot import can take minutes.
//!
//! Edge: keeps chunks in their order, and the places where a load has begun a value. What is
//! in a chunk is the engine's business, what becomes of those values that of `settle.rs`.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use crate::ffi::Stored;
use crate::place::Place;

/// Puts a value together from its chunks.
pub trait Assembler: Default {
    type Whole;

    /// Bytes that are freed about as fast as one small allocation.
    const BYTES_PER_EFFORT: usize;

    /// Takes the next chunk; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, or one too many.
    fn push(&mut self, chunk: &[u8]) -> Result<bool, String>;

    /// Returns the value.
    ///
    /// # Errors
    ///
    /// Some chunks are missing, or they do not fit together.
    fn finish(self) -> Result<Self::Whole, String>;

    /// Returns the bytes of memory of what was put together so far.
    fn memory_bytes(&self) -> usize;
}

/// Turns an error into words for the log.
pub fn in_words<T>(result: Result<T, impl Display>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// What has come of a value that is not whole.
pub struct Partly<A> {
    /// `None` once a chunk was damaged.
    assembler: Option<Box<A>>,
    /// The chunks that have come, to be saved again.
    chunks: Vec<Box<[u8]>>,
}

impl<A: Assembler> Partly<A> {
    /// Returns one of which no chunk has come.
    pub fn empty() -> Partly<A> {
        Partly {
            assembler: Some(Box::default()),
            chunks: Vec::new(),
        }
    }

    /// Takes the next chunk; returns the value when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, or an earlier one was. The value is then of no use.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Option<A::Whole>, String> {
        let mut assembler = self
            .assembler
            .take()
            .ok_or("an earlier chunk was damaged")?;
        if assembler.push(chunk)? {
            return assembler.finish().map(Some);
        }
        self.assembler = Some(assembler);
        self.chunks.push(chunk.into());
        Ok(None)
    }
}

impl<A: Assembler> Stored for Partly<A> {
    fn save(&self, sink: &mut dyn FnMut(&[u8])) {
        self.chunks.iter().for_each(|chunk| sink(chunk));
    }

    fn is_partly_loaded(&self) -> bool {
        true
    }

    fn heap_bytes(&self) -> usize {
        let chunks = self.chunks.iter().map(|chunk| chunk.len());
        let assembler = self.assembler.iter();
        let made = assembler.map(|assembler| assembler.memory_bytes());
        chunks.chain(made).sum()
    }

    fn free_effort(&self) -> usize {
        1 + self.heap_bytes() / A::BYTES_PER_EFFORT
    }

    fn digest(&self, _: &mut dyn FnMut(&[u8])) {}
}

/// Where a load has begun a value, which may be whole by now, or gone.
static PLACES: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// Notes where a load has begun a value.
pub fn note_place(place: Place) {
    PLACES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(place);
}

/// Takes all places noted so far.
pub fn take_places() -> Vec<Place> {
    std::mem::take(&mut *PLACES.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends with a chunk of one byte.
    #[derive(Default)]
    struct Words(Vec<u8>);

    impl Assembler for Words {
        type Whole = Vec<u8>;
        const BYTES_PER_EFFORT: usize = 1;

        fn push(&mut self, chunk: &[u8]) -> Result<bool, String> {
            if chunk == b"??" {
                return Err("damaged".to_owned());
            }
            self.0.extend(chunk);
            Ok(chunk.len() == 1)
        }

        fn finish(self) -> Result<Vec<u8>, String> {
            Ok(self.0)
        }

        fn memory_bytes(&self) -> usize {
            self.0.len()
        }
    }

    #[test]
    fn what_has_come_can_be_saved_and_gone_on_with() {
        let mut partly = Partly::<Words>::empty();
        assert_eq!(partly.push(b"ab"), Ok(None));
        assert_eq!(partly.push(b"cd"), Ok(None));
        let mut again = Partly::<Words>::empty();
        partly.save(&mut |chunk| assert_eq!(again.push(chunk), Ok(None)));
        for mut one in [partly, again] {
            assert_eq!(one.heap_bytes(), 4 + 4);
            assert_eq!(one.push(b"e"), Ok(Some(b"abcde".to_vec())));
        }
    }

    #[test]
    fn nothing_is_made_of_what_comes_after_damage() {
        let mut partly = Partly::<Words>::empty();
        assert_eq!(partly.push(b"ab"), Ok(None));
        assert_eq!(partly.push(b"??"), Err("damaged".to_owned()));
        assert!(partly.push(b"e").is_err());
    }
}
