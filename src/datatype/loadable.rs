//! A value of any of the types: whole, or loaded in part.
//!
//! A rewritten AOF and the source of a slot import send a value with one command for each
//! chunk. In between it is *partly loaded*: every command on it is an error, but the server
//! can save it.
//!
//! Edge: what is the same for all of them. What differs is their [`Content`].

use super::partly::{self, Assembler, Partly};
use crate::error::Error;
use crate::ffi::{Chunk, NativeType, Origin, Stored, TypeSpec};
use crate::place::Place;
use crate::rehearsal::{self, Point};

/// What a value is once it is whole.
pub trait Content: Stored + TypeSpec + Sized + Send + 'static {
    /// Puts the content together from its chunks.
    type Assembler: Assembler<Whole = Self> + Send + 'static;

    /// What error texts and the log call it.
    const NOUN: &'static str;

    /// Returns the error for a key of this name that holds something else.
    fn wrong_type(name: &[u8]) -> Error;

    /// As [`NativeType::copy`].
    fn copy(&self) -> Option<Self> {
        None
    }

    /// Notes elsewhere that the content was loaded. It may be freed right away, when the key
    /// turns out to exist or the rest of the file to be damaged: such a note must be weak.
    fn note_loaded(&mut self, _: Place) {}
}

/// What a key of one of the types holds.
pub enum Loadable<C: Content> {
    Whole(C),
    Partly(Partly<C::Assembler>),
}

impl<C: Content> Loadable<C> {
    /// Returns the content, unless the value is only partly loaded.
    pub(super) fn whole(&mut self) -> Option<&mut C> {
        match self {
            Loadable::Whole(content) => Some(content),
            Loadable::Partly(_) => None,
        }
    }

    /// Takes the next chunk; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, one too many, or too much for the memory that is left. The
    /// value is then of no use.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<bool, String> {
        let Loadable::Partly(partly) = self else {
            return Err(format!("{} is whole already", C::NOUN));
        };
        let Some(content) = partly.push(chunk)? else {
            return Ok(false);
        };
        *self = Loadable::Whole(content);
        Ok(true)
    }
}

impl<C: Content> NativeType for Loadable<C> {
    type Spec = C;

    fn stored(&self) -> &dyn Stored {
        match self {
            Loadable::Whole(content) => content,
            Loadable::Partly(partly) => partly,
        }
    }

    /// # Errors
    ///
    /// The chunks are damaged, end too early, or a payload of RESTORE holds a partly loaded
    /// value: the rest would never come.
    fn load(
        origin: Origin,
        next: &mut dyn FnMut() -> Option<Chunk>,
    ) -> Result<Loadable<C>, String> {
        let mut next = || next().ok_or("the payload ends too early");
        let mut chunk = next()?;
        // The value was saved when it was partly loaded.
        if chunk.is_empty() && origin.is_of_file {
            let mut partly = Partly::empty();
            loop {
                chunk = next()?;
                if chunk.is_empty() {
                    break;
                }
                if partly.push(&chunk)?.is_some() {
                    return Err("a part of a value is a whole one".to_owned());
                }
            }
            origin.place.into_iter().for_each(partly::note_place);
            return Ok(Loadable::Partly(partly));
        }
        let mut assembler = C::Assembler::default();
        while !assembler.push(&chunk)? {
            chunk = next()?;
        }
        let mut content = assembler.finish()?;
        if let Some(place) = origin.place {
            if !origin.is_of_file {
                rehearsal::panic_at(Point::Restore, &place.key);
            }
            content.note_loaded(place);
        }
        Ok(Loadable::Whole(content))
    }

    fn copy(&self) -> Option<Loadable<C>> {
        match self {
            Loadable::Whole(content) => content.copy().map(Loadable::Whole),
            Loadable::Partly(_) => None,
        }
    }
}
