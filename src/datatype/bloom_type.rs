//! The type `fls-bloom`: how a filter is saved, loaded, copied, measured and freed.
//!
//! In an RDB file or a DUMP a filter is a run of byte strings, the chunks of
//! the engine's `bloom/snapshot.rs`. In a rewritten AOF each chunk is one FLASHSALE.BFLOAD; as with a
//! sale, a filter of which only the first have come is a value that takes no command: half
//! a filter would deny what it contains. A filter that a client is loading from a dump takes
//! no other command either, but it is saved and loaded as far as it has come: the client
//! may go on.
//!
//! There is nothing to defragment: the server moves small pieces alone, and all of a
//! filter but its smallest ones is one large piece.

use std::ffi::CStr;

use super::begun;
use super::bloom_live::{LiveBloom, LiveImport};
use super::partly::{self, Partly};
use crate::ffi::{Chunk, NativeType, Origin, TypeHandle};
use crate::place::Place;
use flashsale_engine::bloom::{Bloom, Header, Import, Loaded, Loader};

/// What a key of the type holds.
pub enum BloomValue {
    Live(LiveBloom),
    /// A client is loading it from a dump.
    Importing(LiveImport),
    PartlyLoaded(Partly<Loader>),
}

/// Bytes that are freed about as fast as one small allocation.
const BYTES_PER_EFFORT: usize = 16 * 1024;

impl BloomValue {
    pub(super) fn live(bloom: Bloom) -> BloomValue {
        BloomValue::Live(LiveBloom::new(bloom))
    }

    fn of(loaded: Loaded) -> BloomValue {
        match loaded {
            Loaded::Whole(bloom) => BloomValue::live(bloom),
            Loaded::Part(import) => BloomValue::Importing(LiveImport::new(import)),
        }
    }

    pub(super) fn importing(header: &Header) -> BloomValue {
        BloomValue::Importing(LiveImport::begin(header))
    }

    pub(super) fn empty() -> BloomValue {
        BloomValue::PartlyLoaded(Partly::empty())
    }

    /// Takes the next chunk of a filter; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, or one too many. The value is then of no use.
    pub fn push(&mut self, chunk: &[u8]) -> Result<bool, String> {
        let BloomValue::PartlyLoaded(partly) = self else {
            return Err("the filter is whole already".to_owned());
        };
        let Some(loaded) = partly.push(chunk)? else {
            return Ok(false);
        };
        *self = BloomValue::of(loaded);
        Ok(true)
    }

    /// Takes the next bits of a dump; the last ones make it whole. For
    /// `change/bloom.rs` alone.
    ///
    /// # Errors
    ///
    /// No dump is being loaded, they are not the next ones, or there is no memory.
    pub fn take_bits(&mut self, bits: &[u8]) -> Result<(), String> {
        let BloomValue::Importing(live) = self else {
            return Err("no dump is being loaded".to_owned());
        };
        if let Some(bloom) = live.take_bits(bits)? {
            *self = BloomValue::live(bloom);
        }
        Ok(())
    }

    /// Bytes of bits that have come, while a dump is being loaded.
    pub fn received(&self) -> Option<u64> {
        match self {
            BloomValue::Importing(live) => Some(live.import().received()),
            BloomValue::Live(_) | BloomValue::PartlyLoaded(_) => None,
        }
    }

    /// Frees what takes memory on another thread; the value is about to be replaced.
    pub(super) fn discard(&mut self) {
        match self {
            BloomValue::Live(live) => live.discard(),
            BloomValue::Importing(live) => live.discard(),
            BloomValue::PartlyLoaded(_) => {}
        }
    }
}

static HANDLE: TypeHandle = TypeHandle::unregistered();

impl NativeType for BloomValue {
    const NAME: &'static CStr = c"fls-bloom";
    const VERSION: i32 = 1;
    const LOAD_COMMAND: &'static CStr = c"FLASHSALE.BFLOAD";
    // A copy of a filter promises nothing twice.
    const IS_COPYABLE: bool = true;

    fn handle() -> &'static TypeHandle {
        &HANDLE
    }

    fn save(&self, chunk: &mut dyn FnMut(&[u8])) {
        match self {
            BloomValue::Live(live) => live.bloom().save(chunk),
            BloomValue::Importing(live) => live.import().save(chunk),
            BloomValue::PartlyLoaded(partly) => partly.save(chunk),
        }
    }

    fn is_partly_loaded(&self) -> bool {
        matches!(self, BloomValue::PartlyLoaded(_))
    }

    fn load(
        origin: &Origin<'_>,
        next: &mut dyn FnMut() -> Option<Chunk>,
    ) -> Result<BloomValue, String> {
        match partly::load(origin, next)? {
            partly::Loaded::Whole(loaded) => Ok(BloomValue::of(loaded)),
            partly::Loaded::Partly(partly) => {
                if let Some(key) = origin.key {
                    begun::note(Place::new(origin.database, key.bytes()));
                }
                Ok(BloomValue::PartlyLoaded(partly))
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of::<BloomValue>()
            + match self {
                BloomValue::Live(live) => live.bloom().memory_bytes() - size_of::<Bloom>(),
                BloomValue::Importing(live) => live.import().memory_bytes() - size_of::<Import>(),
                BloomValue::PartlyLoaded(partly) => partly.memory_bytes(),
            }
    }

    fn free_effort(&self) -> usize {
        1 + self.memory_bytes() / BYTES_PER_EFFORT
    }

    fn copy(&self) -> Option<BloomValue> {
        match self {
            BloomValue::Live(live) => live.bloom().try_clone().map(BloomValue::live),
            BloomValue::Importing(_) | BloomValue::PartlyLoaded(_) => None,
        }
    }

    fn digest(&self, element: &mut dyn FnMut(&[u8])) {
        match self {
            BloomValue::Live(live) => live.bloom().digest(element),
            BloomValue::Importing(live) => live.import().digest(element),
            BloomValue::PartlyLoaded(_) => {}
        }
    }

    fn unlinked(&self, _: &Origin<'_>) {}
}
