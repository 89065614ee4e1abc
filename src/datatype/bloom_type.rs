//! The type `fls-bloom`: how a filter is saved, loaded, copied, measured and freed.
//!
//! In an RDB file or a DUMP a filter is a run of byte strings, the chunks of
//! `bloom/snapshot.rs`. In a rewritten AOF each chunk is one FLASHSALE.BF.LOAD; as with a
//! sale, a filter of which only the first have come is a value that takes no command: half
//! a filter would deny what it contains.
//!
//! There is nothing to defragment: the server moves small pieces alone, and all of a
//! filter but its smallest ones is one large piece.

use std::ffi::CStr;

use super::begun;
use super::bloom_live::LiveBloom;
use super::partly::{self, Loaded, Partly};
use crate::bloom::{Bloom, Loader};
use crate::ffi::{Chunk, NativeType, Origin, TypeHandle};

/// What a key of the type holds.
pub enum BloomValue {
    Live(LiveBloom),
    PartlyLoaded(Partly<Loader>),
}

/// Bytes that are freed about as fast as one small allocation.
const BYTES_PER_EFFORT: usize = 16 * 1024;

impl BloomValue {
    pub(super) fn live(bloom: Bloom) -> BloomValue {
        BloomValue::Live(LiveBloom::new(bloom))
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
        let Some(bloom) = partly.push(chunk)? else {
            return Ok(false);
        };
        *self = BloomValue::live(bloom);
        Ok(true)
    }
}

static HANDLE: TypeHandle = TypeHandle::unregistered();

impl NativeType for BloomValue {
    const NAME: &'static CStr = c"fls-bloom";
    const VERSION: i32 = 1;
    const LOAD_COMMAND: &'static CStr = c"FLASHSALE.BF.LOAD";
    // A copy of a filter promises nothing twice.
    const IS_COPYABLE: bool = true;

    fn handle() -> &'static TypeHandle {
        &HANDLE
    }

    fn save(&self, chunk: &mut dyn FnMut(&[u8])) {
        match self {
            BloomValue::Live(live) => live.bloom().save(chunk),
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
            Loaded::Whole(bloom) => Ok(BloomValue::live(bloom)),
            Loaded::Partly(partly) => {
                if let Some(key) = origin.key {
                    begun::note(origin.database, key.bytes());
                }
                Ok(BloomValue::PartlyLoaded(partly))
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of::<BloomValue>()
            + match self {
                BloomValue::Live(live) => live.bloom().memory_bytes() - size_of::<Bloom>(),
                BloomValue::PartlyLoaded(partly) => partly.memory_bytes(),
            }
    }

    fn free_effort(&self) -> usize {
        1 + self.memory_bytes() / BYTES_PER_EFFORT
    }

    fn copy(&self) -> Option<BloomValue> {
        match self {
            BloomValue::Live(live) => live.bloom().try_clone().map(BloomValue::live),
            BloomValue::PartlyLoaded(_) => None,
        }
    }

    fn digest(&self, element: &mut dyn FnMut(&[u8])) {
        if let BloomValue::Live(live) = self {
            live.bloom().digest(element);
        }
    }

    fn unlinked(&self, _: &Origin<'_>) {}
}
