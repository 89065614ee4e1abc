//! The type `flashsale`: how a sale is saved, loaded, measured and freed.
//!
//! In an RDB file or a DUMP a sale is a run of byte strings, the chunks of
//! the engine's `sale/disk/snapshot.rs`, each at most 64 KiB, so that a forged length is
//! never an allocation of this module. In a rewritten AOF each chunk is one FLASHSALE.LOAD.

use std::ffi::CStr;

use super::live::LiveSale;
use super::loadable::{Content, Loadable};
use super::marks;
use super::partly::{Assembler, in_words};
use crate::error::Error;
use crate::ffi::{self, Stored, TypeHandle, TypeSpec};
use crate::hints;
use crate::names;
use crate::place::Place;
use flashsale_engine::sale::{self, Loader, Sale};

/// What a key of the type holds.
pub type SaleValue = Loadable<LiveSale>;

/// Puts a sale together from its chunks, while there is memory for them.
pub struct SaleAssembler {
    loader: Loader,
    /// Bytes of all chunks so far.
    bytes: usize,
}

impl Default for SaleAssembler {
    fn default() -> SaleAssembler {
        SaleAssembler {
            loader: Loader::new(names::hasher()),
            bytes: 0,
        }
    }
}

/// Most bytes of memory, in records and tables, that one byte of a chunk can take.
const MEMORY_PER_BYTE: usize = 16;
/// Most bytes of memory that the recount at the end takes for each byte of all chunks.
const RECOUNT_PER_BYTE: usize = 4;
/// Most bytes by which tables grow at once, whatever the size of a chunk, and those that
/// the allocator then needs itself: jemalloc keeps its records in aligned blocks of two
/// mebibytes.
const STEP_BYTES: usize = 8 << 20;

impl Assembler for SaleAssembler {
    type Whole = LiveSale;
    const BYTES_PER_EFFORT: usize = 64;

    /// Takes the next chunk; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, or there is no memory for it. An allocation that fails in the
    /// middle of a table would end the server.
    fn push(&mut self, chunk: &[u8]) -> Result<bool, String> {
        self.bytes = self.bytes.saturating_add(chunk.len());
        let records = chunk.len().saturating_mul(MEMORY_PER_BYTE);
        if !ffi::has_system_memory(records.saturating_add(STEP_BYTES)) {
            return Err(NO_MEMORY.to_owned());
        }
        in_words(self.loader.push(chunk))
    }

    /// Recounts the sale and returns it.
    ///
    /// # Errors
    ///
    /// The sale does not add up, or there is no memory to recount it.
    fn finish(self) -> Result<LiveSale, String> {
        let recount = self.bytes.saturating_mul(RECOUNT_PER_BYTE);
        if !ffi::has_system_memory(recount.saturating_add(STEP_BYTES)) {
            return Err(NO_MEMORY.to_owned());
        }
        in_words(self.loader.finish()).map(LiveSale::new)
    }

    fn memory_bytes(&self) -> usize {
        size_of::<SaleAssembler>() + self.loader.heap_bytes()
    }
}

/// The reason for which a sale that is not damaged is not loaded.
const NO_MEMORY: &str = "there is not enough memory for the sale";

impl TypeSpec for LiveSale {
    const NAME: &'static CStr = c"flashsale";
    const VERSION: i32 = 1;
    const LOAD_COMMAND: &'static CStr = c"FLASHSALE.LOAD";

    fn handle() -> &'static TypeHandle {
        static HANDLE: TypeHandle = TypeHandle::unregistered();
        &HANDLE
    }

    fn unlinked(place: &Place) {
        hints::forget(place);
        marks::forget(place);
    }
}

impl Stored for LiveSale {
    fn save(&self, sink: &mut dyn FnMut(&[u8])) {
        sale::save(self.sale(), sink);
    }

    fn heap_bytes(&self) -> usize {
        self.sale().memory_bytes() - size_of::<Sale>() + self.door().heap_bytes()
    }

    fn free_effort(&self) -> usize {
        self.sale().free_effort() + self.door().len()
    }

    fn digest(&self, element: &mut dyn FnMut(&[u8])) {
        sale::digest(self.sale(), element);
    }
}

impl Content for LiveSale {
    type Assembler = SaleAssembler;

    const NOUN: &'static str = "the sale";

    fn wrong_type(name: &[u8]) -> Error {
        Error::wrong_type("key", name, "a sale")
    }

    fn note_loaded(&mut self, place: Place) {
        LiveSale::note_loaded(self, place);
    }
}
