//! A value of which only the first chunks have come.
//!
//! An AOF brings a value chunk by chunk, and so does a server that gives a whole slot to
//! this one, which may take minutes. In between the value can be saved like any other: it
//! keeps what has come, and only for so long.
//!
//! Edge: knows chunks in their order. What is in them, `sale/` and `bloom/` know.

use std::fmt::Display;

use crate::ffi::{Chunk, Origin};
use flashsale_engine::bloom;

/// Puts a value together from its chunks.
pub trait Loader: Default {
    type Whole;

    /// Takes the next chunk; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, or one too many.
    fn push(&mut self, chunk: &[u8]) -> Result<bool, String>;

    /// # Errors
    ///
    /// Some chunks are missing, or they do not fit together.
    fn finish(self) -> Result<Self::Whole, String>;

    /// Bytes of memory of what was put together so far.
    fn memory_bytes(&self) -> usize;
}

fn in_words<T>(result: Result<T, impl Display>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

impl Loader for bloom::Loader {
    type Whole = bloom::Loaded;

    fn push(&mut self, chunk: &[u8]) -> Result<bool, String> {
        in_words(bloom::Loader::push(self, chunk))
    }

    fn finish(self) -> Result<bloom::Loaded, String> {
        in_words(bloom::Loader::finish(self))
    }

    fn memory_bytes(&self) -> usize {
        bloom::Loader::memory_bytes(self)
    }
}

/// What has come of a value.
pub struct Partly<L> {
    /// `None` once a chunk was damaged.
    loader: Option<Box<L>>,
    /// What has come, to be saved again.
    chunks: Vec<Box<[u8]>>,
}

impl<L: Loader> Partly<L> {
    pub fn empty() -> Partly<L> {
        Partly {
            loader: Some(Box::default()),
            chunks: Vec::new(),
        }
    }

    /// Takes the next chunk; the value when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, or an earlier one was. The value is then of no use.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Option<L::Whole>, String> {
        let mut loader = self.loader.take().ok_or("an earlier chunk was damaged")?;
        if loader.push(chunk)? {
            return loader.finish().map(Some);
        }
        self.loader = Some(loader);
        self.chunks.push(chunk.into());
        Ok(None)
    }

    /// Writes the chunks that have come.
    pub fn save(&self, sink: &mut dyn FnMut(&[u8])) {
        self.chunks.iter().for_each(|chunk| sink(chunk));
    }

    /// Bytes of memory: of the chunks, and of what was put together from them.
    pub fn memory_bytes(&self) -> usize {
        let chunks = self.chunks.iter().map(|chunk| chunk.len());
        let made = self
            .loader
            .as_ref()
            .map_or(0, |loader| loader.memory_bytes());
        chunks.sum::<usize>() + made
    }
}

/// What a file or a payload holds.
pub enum Loaded<L: Loader> {
    Whole(L::Whole),
    /// Saved when only a part of it had come.
    Partly(Partly<L>),
}

/// Reads a value, a chunk a call.
///
/// # Errors
///
/// The chunks are damaged, end too early, or a payload of RESTORE holds a part of a value:
/// the rest would never come.
pub fn load<L: Loader>(
    origin: &Origin<'_>,
    next: &mut dyn FnMut() -> Option<Chunk>,
) -> Result<Loaded<L>, String> {
    let mut next = || next().ok_or("the payload ends too early");
    let mut chunk = next()?;
    if chunk.is_empty() && origin.is_of_file {
        return load_part(&mut next).map(Loaded::Partly);
    }
    let mut loader = L::default();
    while !loader.push(&chunk)? {
        chunk = next()?;
    }
    loader.finish().map(Loaded::Whole)
}

fn load_part<L: Loader>(
    next: &mut dyn FnMut() -> Result<Chunk, &'static str>,
) -> Result<Partly<L>, String> {
    let mut partly = Partly::empty();
    loop {
        let chunk = next()?;
        if chunk.is_empty() {
            return Ok(partly);
        }
        if partly.push(&chunk)?.is_some() {
            return Err("a part of a value is a whole one".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends with a chunk of one byte.
    #[derive(Default)]
    struct Words(Vec<u8>);

    impl Loader for Words {
        type Whole = Vec<u8>;

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
            assert_eq!(one.memory_bytes(), 4 + 4);
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
