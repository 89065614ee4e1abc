//! The type `fls-limit`: how a rate limit is saved, loaded, measured and freed.
//!
//! In an RDB file or a DUMP a limit is a run of byte strings, the chunks of the engine's
//! `rate/codec.rs`. In a rewritten AOF each chunk is one FLASHSALE.RATELOAD. COPY is refused:
//! a second limit would let every subject call twice as often.

use std::ffi::CStr;

use super::limit_live::LiveLimit;
use super::loadable::{Content, Loadable};
use super::partly::{Assembler, in_words};
use crate::error::Error;
use crate::ffi::{Stored, TypeHandle, TypeSpec};
use crate::names;
use flashsale_engine::rate::{Loader, Table};

/// What a key of the type holds.
pub type LimitValue = Loadable<LiveLimit>;

/// Puts a limit together from its chunks.
pub struct LimitAssembler(Loader);

impl Default for LimitAssembler {
    fn default() -> LimitAssembler {
        LimitAssembler(Loader::new(names::hasher()))
    }
}

impl Assembler for LimitAssembler {
    type Whole = LiveLimit;
    // Subjects are kept in pages of 32 KiB; a long name is a block of its own.
    const BYTES_PER_EFFORT: usize = 4 * 1024;

    fn push(&mut self, chunk: &[u8]) -> Result<bool, String> {
        in_words(self.0.push(chunk))
    }

    fn finish(self) -> Result<LiveLimit, String> {
        in_words(self.0.finish()).map(LiveLimit::new)
    }

    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

impl TypeSpec for LiveLimit {
    const NAME: &'static CStr = c"fls-limit";
    const VERSION: i32 = 1;
    const LOAD_COMMAND: &'static CStr = c"FLASHSALE.RATELOAD";

    fn handle() -> &'static TypeHandle {
        static HANDLE: TypeHandle = TypeHandle::unregistered();
        &HANDLE
    }
}

impl Stored for LiveLimit {
    fn save(&self, sink: &mut dyn FnMut(&[u8])) {
        self.table().save(sink);
    }

    fn heap_bytes(&self) -> usize {
        self.table().memory_bytes() - size_of::<Table>()
    }

    fn free_effort(&self) -> usize {
        1 + self.heap_bytes() / LimitAssembler::BYTES_PER_EFFORT
    }

    fn digest(&self, element: &mut dyn FnMut(&[u8])) {
        self.table().digest(element);
    }
}

impl Content for LiveLimit {
    type Assembler = LimitAssembler;

    const NOUN: &'static str = "the rate limit";

    fn wrong_type(name: &[u8]) -> Error {
        Error::wrong_type("key", name, "a rate limit")
    }
}
