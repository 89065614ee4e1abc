//! The type `flashsale`: how a sale is saved, loaded, measured and freed.
//!
//! In an RDB file or a DUMP a sale is a run of byte strings, the chunks of
//! the engine's `sale/disk/snapshot.rs`, each at most 64 KiB, so that a forged length is never an
//! allocation of this module. In a rewritten AOF each chunk is one FLASHSALE.LOAD.
//!
//! A sale of which only the first chunks have come, from an AOF or from a server that
//! gives its slot to this one, is a value as well ("partly loaded"): every command on it is
//! an error. What becomes of it when the rest does not come, `unfinished.rs` decides.

use std::ffi::CStr;

use super::live::LiveSale;
use super::partly::{self, Loaded, Partly};
use super::{begun, marks};
use crate::ffi::{self, Chunk, NativeType, Origin, TypeHandle};
use crate::hints;
use crate::names;
use crate::place::Place;
use flashsale_engine::sale::{self, Loader, Sale};

/// What a key of the type holds.
pub enum SaleValue {
    Live(Box<LiveSale>),
    PartlyLoaded(Partly<Loading>),
}

/// A sale of which some chunks have come.
pub struct Loading {
    loader: Loader,
    /// Bytes of all chunks so far.
    bytes: usize,
}

impl Default for Loading {
    fn default() -> Loading {
        Loading {
            loader: Loader::new(names::hasher()),
            bytes: 0,
        }
    }
}

/// Most bytes of memory that a byte of a chunk may come to, in records and tables.
const MEMORY_PER_BYTE: usize = 16;
/// Most bytes of memory for each byte of the whole that the recount at the end takes.
const RECOUNT_PER_BYTE: usize = 4;
/// Bytes of a part of a sale that are freed about as fast as one small allocation.
const BYTES_PER_EFFORT: usize = 64;
/// What tables may grow by at once, whatever the size of a chunk, and the server's allocator
/// for its own books, which jemalloc keeps in aligned blocks of two mebibytes.
const STEP_BYTES: usize = 8 << 20;

impl partly::Loader for Loading {
    type Whole = Sale;

    /// Takes the next chunk; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, or there is no memory for it: to find that out in the middle
    /// of a table would end the server.
    fn push(&mut self, chunk: &[u8]) -> Result<bool, String> {
        self.bytes = self.bytes.saturating_add(chunk.len());
        let records = chunk.len().saturating_mul(MEMORY_PER_BYTE);
        if !ffi::has_system_memory(records.saturating_add(STEP_BYTES)) {
            return Err(NO_MEMORY.to_owned());
        }
        self.loader.push(chunk).map_err(|error| error.to_string())
    }

    /// The sale, recounted.
    ///
    /// # Errors
    ///
    /// It does not add up, or there is no memory to find that out.
    fn finish(self) -> Result<Sale, String> {
        let recount = self.bytes.saturating_mul(RECOUNT_PER_BYTE);
        if !ffi::has_system_memory(recount.saturating_add(STEP_BYTES)) {
            return Err(NO_MEMORY.to_owned());
        }
        self.loader.finish().map_err(|error| error.to_string())
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Loading>() + self.loader.heap_bytes()
    }
}

/// Why a sale is not loaded that is not damaged.
const NO_MEMORY: &str = "there is not enough memory for the sale";

impl SaleValue {
    pub(super) fn live(sale: Sale) -> SaleValue {
        SaleValue::Live(Box::new(LiveSale::new(sale)))
    }

    pub(super) fn empty() -> SaleValue {
        SaleValue::PartlyLoaded(Partly::empty())
    }

    /// Takes the next chunk of a sale; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, one too many, or too much for the memory that is left. The
    /// value is then of no use.
    pub fn push(&mut self, chunk: &[u8]) -> Result<bool, String> {
        let SaleValue::PartlyLoaded(partly) = self else {
            return Err("the sale is whole already".to_owned());
        };
        let Some(sale) = partly.push(chunk)? else {
            return Ok(false);
        };
        *self = SaleValue::live(sale);
        Ok(true)
    }
}

static HANDLE: TypeHandle = TypeHandle::unregistered();

fn place_of(origin: &Origin<'_>) -> Option<Place> {
    Some(Place::new(origin.database, origin.key?.bytes()))
}

impl NativeType for SaleValue {
    const NAME: &'static CStr = c"flashsale";
    const VERSION: i32 = 1;
    const LOAD_COMMAND: &'static CStr = c"FLASHSALE.LOAD";

    fn handle() -> &'static TypeHandle {
        &HANDLE
    }

    fn save(&self, chunk: &mut dyn FnMut(&[u8])) {
        match self {
            SaleValue::Live(live) => sale::save(live.sale(), chunk),
            SaleValue::PartlyLoaded(partly) => partly.save(chunk),
        }
    }

    fn is_partly_loaded(&self) -> bool {
        matches!(self, SaleValue::PartlyLoaded(_))
    }

    fn load(
        origin: &Origin<'_>,
        next: &mut dyn FnMut() -> Option<Chunk>,
    ) -> Result<SaleValue, String> {
        let mut value = match partly::load(origin, next)? {
            Loaded::Whole(sale) => SaleValue::live(sale),
            Loaded::Partly(partly) => SaleValue::PartlyLoaded(partly),
        };
        // The value may be freed right away, when the key turns out to exist or the
        // rest of the file to be damaged: what is left behind must be weak.
        if let Some(place) = place_of(origin) {
            match &mut value {
                SaleValue::Live(live) => live.note_loaded(place),
                SaleValue::PartlyLoaded(_) => begun::note(place),
            }
        }
        Ok(value)
    }

    fn memory_bytes(&self) -> usize {
        size_of::<SaleValue>()
            + match self {
                SaleValue::Live(live) => {
                    size_of::<LiveSale>() - size_of::<Sale>() + live.sale().memory_bytes()
                }
                SaleValue::PartlyLoaded(partly) => partly.memory_bytes(),
            }
    }

    fn free_effort(&self) -> usize {
        match self {
            SaleValue::Live(live) => live.sale().free_effort(),
            SaleValue::PartlyLoaded(partly) => 1 + partly.memory_bytes() / BYTES_PER_EFFORT,
        }
    }

    fn digest(&self, element: &mut dyn FnMut(&[u8])) {
        if let SaleValue::Live(live) = self {
            sale::digest(live.sale(), element);
        }
    }

    fn unlinked(&self, origin: &Origin<'_>) {
        if let Some(place) = place_of(origin) {
            hints::forget(&place);
            marks::forget(&place);
        }
    }
}
