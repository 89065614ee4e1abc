//! The type `fls-bloom`: how a filter is saved, loaded, copied, measured and freed.
//!
//! In an RDB file or a DUMP a filter is a run of byte strings, the chunks of
//! the engine's `bloom/snapshot.rs`. In a rewritten AOF each chunk is one FLASHSALE.BFLOAD;
//! a filter of which only the first chunks have come takes no command: half a filter would
//! deny what it contains. A filter that a client is loading from a dump takes no other
//! command either, but it is saved and loaded as far as it has come: the client may go on.
//!
//! There is nothing to defragment: the server moves small allocations alone, and nearly all
//! of a filter is in large ones.

use std::ffi::CStr;

use super::bloom_live::{LiveBloom, LiveImport};
use super::loadable::{Content, Loadable};
use super::partly::{Assembler, in_words};
use crate::error::{Code, Error};
use crate::ffi::{Stored, TypeHandle, TypeSpec};
use flashsale_engine::bloom::{Bloom, Import, Loaded, Loader};

/// What a key of the type holds.
pub type BloomValue = Loadable<BloomState>;

/// A filter all of whose chunks have come.
pub enum BloomState {
    Live(LiveBloom),
    /// A client is loading it from a dump.
    Importing(LiveImport),
}

/// The server's own error text for a key of another type, which clients of filters know.
const WRONG_TYPE: &str = "Operation against a key holding the wrong kind of value";

impl BloomState {
    pub(super) fn live(bloom: Bloom) -> BloomState {
        BloomState::Live(LiveBloom::new(bloom))
    }
}

impl BloomValue {
    /// Takes the next bits of a dump; the last ones make the filter whole. For
    /// `change/bloom.rs` alone.
    ///
    /// # Errors
    ///
    /// No dump is being loaded, the bits are not the next ones, or there is no memory.
    pub fn take_bits(&mut self, bits: &[u8]) -> Result<(), String> {
        let Loadable::Whole(BloomState::Importing(live)) = self else {
            return Err("no dump is being loaded".to_owned());
        };
        if let Some(bloom) = live.take_bits(bits)? {
            *self = Loadable::Whole(BloomState::live(bloom));
        }
        Ok(())
    }

    /// Returns how many bytes of bits have come, while a dump is being loaded.
    pub fn received(&self) -> Option<u64> {
        match self {
            Loadable::Whole(BloomState::Importing(live)) => Some(live.import().received()),
            Loadable::Whole(BloomState::Live(_)) | Loadable::Partly(_) => None,
        }
    }

    /// Frees what takes memory on another thread; the value is about to be replaced.
    pub(super) fn discard(&mut self) {
        match self {
            Loadable::Whole(BloomState::Live(live)) => live.discard(),
            Loadable::Whole(BloomState::Importing(live)) => live.discard(),
            Loadable::Partly(_) => {}
        }
    }
}

impl Assembler for Loader {
    type Whole = BloomState;
    const BYTES_PER_EFFORT: usize = 16 * 1024;

    fn push(&mut self, chunk: &[u8]) -> Result<bool, String> {
        in_words(Loader::push(self, chunk))
    }

    fn finish(self) -> Result<BloomState, String> {
        Ok(match in_words(Loader::finish(self))? {
            Loaded::Whole(bloom) => BloomState::live(bloom),
            Loaded::Part(import) => BloomState::Importing(LiveImport::new(import)),
        })
    }

    fn memory_bytes(&self) -> usize {
        Loader::memory_bytes(self)
    }
}

impl TypeSpec for BloomState {
    const NAME: &'static CStr = c"fls-bloom";
    const VERSION: i32 = 1;
    const LOAD_COMMAND: &'static CStr = c"FLASHSALE.BFLOAD";
    // A copy of a filter promises nothing twice.
    const IS_COPYABLE: bool = true;

    fn handle() -> &'static TypeHandle {
        static HANDLE: TypeHandle = TypeHandle::unregistered();
        &HANDLE
    }
}

impl Stored for BloomState {
    fn save(&self, sink: &mut dyn FnMut(&[u8])) {
        match self {
            BloomState::Live(live) => live.bloom().save(sink),
            BloomState::Importing(live) => live.import().save(sink),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            BloomState::Live(live) => live.bloom().memory_bytes() - size_of::<Bloom>(),
            BloomState::Importing(live) => live.import().memory_bytes() - size_of::<Import>(),
        }
    }

    fn free_effort(&self) -> usize {
        1 + self.heap_bytes() / Loader::BYTES_PER_EFFORT
    }

    fn digest(&self, element: &mut dyn FnMut(&[u8])) {
        match self {
            BloomState::Live(live) => live.bloom().digest(element),
            BloomState::Importing(live) => live.import().digest(element),
        }
    }
}

impl Content for BloomState {
    type Assembler = Loader;

    const NOUN: &'static str = "the filter";

    fn wrong_type(_: &[u8]) -> Error {
        Error::with(Code::WrongType, WRONG_TYPE)
    }

    fn copy(&self) -> Option<BloomState> {
        match self {
            BloomState::Live(live) => live.bloom().try_clone().map(BloomState::live),
            BloomState::Importing(_) => None,
        }
    }
}
