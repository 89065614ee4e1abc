//! The type `fls-bloom`: how a filter is saved, loaded, copied, measured and freed.
//!
//! In an RDB file or a DUMP a filter is a run of byte strings, the chunks of
//! `bloom/snapshot.rs`. In a rewritten AOF each chunk is one FLASHSALE.BFLOAD; as with a
//! sale, a filter of which only the first have come is a value that takes no command,
//! and is deleted when the AOF ends before it does: half a filter would deny what it
//! contains.
//!
//! There is nothing to defragment: the server moves small pieces alone, and all of a
//! filter but its smallest ones is one large piece.

use std::ffi::CStr;

use super::bloom_live::LiveBloom;
use crate::bloom::{Bloom, Loader};
use crate::ffi::{Chunk, NativeType, Origin, TypeHandle};

/// What a key of the type holds.
pub enum BloomValue {
    Live(LiveBloom),
    /// `None` once a chunk was damaged.
    PartlyLoaded(Option<Box<Loader>>),
}

/// Bytes that are freed about as fast as one small allocation.
const BYTES_PER_EFFORT: usize = 16 * 1024;

impl BloomValue {
    pub(super) fn live(bloom: Bloom) -> BloomValue {
        BloomValue::Live(LiveBloom::new(bloom))
    }

    pub(super) fn empty() -> BloomValue {
        BloomValue::PartlyLoaded(Some(Box::default()))
    }

    /// Takes the next chunk of a filter; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, or one too many. The value is then of no use.
    pub fn push(&mut self, chunk: &[u8]) -> Result<bool, String> {
        let BloomValue::PartlyLoaded(loading) = self else {
            return Err("the filter is whole already".to_owned());
        };
        let mut loader = loading.take().ok_or("an earlier chunk was damaged")?;
        if !loader.push(chunk).map_err(|error| error.to_string())? {
            *loading = Some(loader);
            return Ok(false);
        }
        let bloom = loader.finish().map_err(|error| error.to_string())?;
        *self = BloomValue::live(bloom);
        Ok(true)
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
            // Saved only in the middle of loading, if ever; no loader takes it for a
            // filter.
            BloomValue::PartlyLoaded(_) => chunk(&[]),
        }
    }

    fn load(_: &Origin<'_>, next: &mut dyn FnMut() -> Option<Chunk>) -> Result<BloomValue, String> {
        let mut value = BloomValue::empty();
        loop {
            let chunk = next().ok_or("the payload ends in the middle of a filter")?;
            if value.push(&chunk)? {
                return Ok(value);
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of::<BloomValue>()
            + match self {
                BloomValue::Live(live) => live.bloom().memory_bytes() - size_of::<Bloom>(),
                BloomValue::PartlyLoaded(_) => size_of::<Loader>(),
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
