//! Native types: the callbacks the server wants, from a trait in plain Rust.
//!
//! A value is saved as a run of byte strings ("chunks"), and the type itself knows
//! from their contents when it has the last one.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use redis_module::raw::{
    self, RedisModuleDigest, RedisModuleIO, RedisModuleKeyOptCtx, RedisModuleString,
    RedisModuleType, RedisModuleTypeMethods,
};

use super::call::caught;
use super::context::{Ctx, c_string};
use super::text::Text;
use crate::place::Place;

/// What the server is told of a type when it is registered.
pub trait TypeSpec {
    /// Nine characters, known to every RDB file.
    const NAME: &'static CStr;
    /// Version of how chunks stand in an RDB file, not of what is in them; a file of a
    /// later one is refused.
    const VERSION: i32;
    /// The command that takes one chunk of a value from a rewritten AOF.
    const LOAD_COMMAND: &'static CStr;
    /// May COPY make a second key of the value?
    const IS_COPYABLE: bool = false;

    /// Where the server's handle of this type is kept.
    fn handle() -> &'static TypeHandle;

    /// A key is about to lose its value: deleted, renamed, moved, overwritten.
    fn unlinked(_: &Place) {}
}

/// What the server saves, measures and compares: a whole value, or what has come of one.
///
/// `save` and `digest` may run in a forked child: they read, and do nothing else.
pub trait Stored {
    /// Writes the chunks that the value consists of, or all that have come of it so far.
    fn save(&self, chunk: &mut dyn FnMut(&[u8]));

    /// Have only the first chunks of the value come?
    fn is_partly_loaded(&self) -> bool {
        false
    }

    /// Bytes of memory outside of the value itself, from the sizes of all allocations.
    fn heap_bytes(&self) -> usize;

    /// How much work freeing the value is: UNLINK frees large ones on another thread.
    fn free_effort(&self) -> usize;

    /// Tells the parts of the value whose order does not matter, one a call.
    fn digest(&self, element: &mut dyn FnMut(&[u8]));
}

/// A type of values that live in keys. `drop` may run on another thread.
pub trait NativeType: Sized + Send + 'static {
    type Spec: TypeSpec;

    /// The value, whether all of it has come or not.
    fn stored(&self) -> &dyn Stored;

    /// Reads a value. In an RDB file an empty chunk before the first one says that the
    /// value was saved when only a part of it had come; it ends with another one.
    ///
    /// # Errors
    ///
    /// The chunks are damaged, in words for the log.
    fn load(origin: Origin, next: &mut dyn FnMut() -> Option<Chunk>) -> Result<Self, String>;

    /// The value once more, where that is allowed. `None` refuses the COPY.
    fn copy(&self) -> Option<Self>;
}

/// Where a value that is being loaded comes from.
pub struct Origin {
    /// The key it is for; `None` when a value is loaded from a string alone.
    pub place: Option<Place>,
    /// The value is one of a file, or of a primary's, that is being loaded; not of RESTORE.
    pub is_of_file: bool,
}

/// The server's handle of a type.
pub struct TypeHandle(AtomicPtr<RedisModuleType>);

impl TypeHandle {
    pub const fn unregistered() -> TypeHandle {
        TypeHandle(AtomicPtr::new(std::ptr::null_mut()))
    }

    pub(super) fn raw(&self) -> *mut RedisModuleType {
        self.0.load(Ordering::Relaxed)
    }
}

/// A chunk as the server read it.
pub struct Chunk {
    start: *mut c_char,
    len: usize,
}

impl std::ops::Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the server allocated `len` bytes at `start`, and they are ours.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.len) }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated by the server for us, and not freed before.
        unsafe { api!(RedisModule_Free(self.start.cast())) }
    }
}

/// Registers the type `T`.
///
/// # Errors
///
/// Another module has a type of this name.
pub fn register_type<T: NativeType>(ctx: Ctx<'_>) -> Result<(), String> {
    let mut methods = RedisModuleTypeMethods {
        version: u64::from(raw::REDISMODULE_TYPE_METHOD_VERSION),
        rdb_load: Some(rdb_load::<T>),
        rdb_save: Some(rdb_save::<T>),
        // Called without a check for null when `aof-use-rdb-preamble` is `no`.
        aof_rewrite: Some(aof_rewrite::<T>),
        mem_usage: None,
        digest: Some(digest::<T>),
        free: Some(free::<T>),
        aux_load: None,
        aux_save: None,
        aux_save_triggers: 0,
        free_effort: None,
        unlink: None,
        // Without either, COPY is refused.
        copy: None,
        defrag: None,
        mem_usage2: Some(memory_bytes::<T>),
        free_effort2: Some(free_effort::<T>),
        unlink2: Some(unlinked::<T>),
        copy2: if T::Spec::IS_COPYABLE {
            Some(copy::<T>)
        } else {
            None
        },
        aux_save2: None,
    };
    // SAFETY: called while the module is loaded; the server copies the structure.
    let handle = unsafe {
        api!(RedisModule_CreateDataType(
            ctx.raw(),
            T::Spec::NAME.as_ptr(),
            T::Spec::VERSION,
            &mut methods
        ))
    };
    if handle.is_null() {
        return Err(format!(
            "the type {} cannot be registered",
            T::Spec::NAME.to_string_lossy()
        ));
    }
    T::Spec::handle().0.store(handle, Ordering::Relaxed);
    Ok(())
}

/// # Safety
///
/// The server calls this with its own reader.
unsafe extern "C" fn rdb_load<T: NativeType>(
    io: *mut RedisModuleIO,
    version: c_int,
) -> *mut c_void {
    if !(1..=T::Spec::VERSION).contains(&version) {
        // SAFETY: `io` is valid during the callback, here and below.
        unsafe { complain(io, &unknown_encoding(version, T::Spec::VERSION)) };
        return std::ptr::null_mut();
    }
    let mut next = || {
        let mut len = 0;
        // SAFETY: a failed read returns null or sets the error flag, because the
        // module handles I/O errors itself.
        unsafe {
            let start = api!(RedisModule_LoadStringBuffer(io, &mut len));
            if start.is_null() {
                return None;
            }
            let chunk = Chunk { start, len };
            (api!(RedisModule_IsIOError(io)) == 0).then_some(chunk)
        }
    };
    // SAFETY: the name, if there is one, lives as long as the reader; flags of the server
    // need no context.
    let origin = unsafe {
        let flags = api!(RedisModule_GetContextFlags(std::ptr::null_mut()));
        Origin {
            place: place(
                api!(RedisModule_GetDbIdFromIO(io)),
                api!(RedisModule_GetKeyNameFromIO(io)),
            ),
            is_of_file: flags as u32 & raw::REDISMODULE_CTX_FLAGS_LOADING != 0,
        }
    };
    // A client sends these bytes, by RESTORE: a panic over them is damage.
    match caught(|| T::load(origin, &mut next)).unwrap_or_else(Err) {
        Ok(value) => Box::into_raw(Box::new(value)).cast(),
        Err(reason) => {
            // SAFETY: see above.
            unsafe { complain(io, &reason) };
            std::ptr::null_mut()
        }
    }
}

/// The place of a value, unless it has no key.
///
/// # Safety
///
/// The name is null or a string of the server.
unsafe fn place(database: c_int, key: *const RedisModuleString) -> Option<Place> {
    // SAFETY: as above.
    (!key.is_null()).then(|| Place::new(database, unsafe { Text::new(key.cast_mut()) }.bytes()))
}

/// Why a value in this encoding cannot be loaded, in the words of the codecs.
fn unknown_encoding(version: c_int, latest: c_int) -> String {
    let what = if version > latest {
        "of a newer version"
    } else {
        "damaged"
    };
    format!(
        "the data is {what}: encoding {version} of the type, where {latest} is the latest known"
    )
}

/// # Safety
///
/// `io` is the reader of the callback in progress.
unsafe fn complain(io: *mut RedisModuleIO, reason: &str) {
    let line = c_string(reason);
    // SAFETY: the format takes one C string, which is the argument.
    unsafe {
        api!(RedisModule_LogIOError(
            io,
            c"warning".as_ptr(),
            c"%s".as_ptr(),
            line.as_ptr()
        ));
    }
}

/// # Safety
///
/// The server calls this with its own writer and a value of this type.
unsafe extern "C" fn rdb_save<T: NativeType>(io: *mut RedisModuleIO, value: *mut c_void) {
    // SAFETY: as above; the writer copies each chunk.
    unsafe {
        let value = (*value.cast::<T>()).stored();
        let mut put = |chunk: &[u8]| {
            api!(RedisModule_SaveStringBuffer(
                io,
                chunk.as_ptr().cast(),
                chunk.len()
            ));
        };
        if value.is_partly_loaded() {
            put(&[]);
            value.save(&mut put);
            put(&[]);
        } else {
            value.save(&mut put);
        }
    }
}

/// # Safety
///
/// The server calls this with its own writer, a key and its value of this type.
unsafe extern "C" fn aof_rewrite<T: NativeType>(
    io: *mut RedisModuleIO,
    key: *mut RedisModuleString,
    value: *mut c_void,
) {
    // SAFETY: as above; the format names a string of the server and bytes with their
    // length as `size_t`.
    unsafe {
        let value = (*value.cast::<T>()).stored();
        value.save(&mut |chunk| {
            api!(RedisModule_EmitAOF(
                io,
                T::Spec::LOAD_COMMAND.as_ptr(),
                c"sb".as_ptr(),
                key,
                chunk.as_ptr().cast::<c_char>(),
                chunk.len(),
            ));
        });
    }
}

/// # Safety
///
/// The server calls this with a value of this type that nothing refers to any more.
unsafe extern "C" fn free<T: NativeType>(value: *mut c_void) {
    // SAFETY: a value is a `Box<T>` given away by `set_value` or by the loader.
    drop(unsafe { Box::from_raw(value.cast::<T>()) });
}

/// # Safety
///
/// The server calls this with a value of this type.
unsafe extern "C" fn memory_bytes<T: NativeType>(
    _: *mut RedisModuleKeyOptCtx,
    value: *const c_void,
    _samples: usize,
) -> usize {
    // SAFETY: as above.
    size_of::<T>() + unsafe { (*value.cast::<T>()).stored().heap_bytes() }
}

/// # Safety
///
/// The server calls this with a value of this type.
unsafe extern "C" fn free_effort<T: NativeType>(
    _: *mut RedisModuleKeyOptCtx,
    value: *const c_void,
) -> usize {
    // SAFETY: as above. 0 would mean "always on another thread".
    unsafe { (*value.cast::<T>()).stored().free_effort().max(1) }
}

/// # Safety
///
/// The server calls this with a value of this type.
unsafe extern "C" fn copy<T: NativeType>(
    _: *mut RedisModuleKeyOptCtx,
    value: *const c_void,
) -> *mut c_void {
    // SAFETY: as above; from here on the server owns the copy.
    match unsafe { (*value.cast::<T>()).copy() } {
        Some(copy) => Box::into_raw(Box::new(copy)).cast(),
        None => std::ptr::null_mut(),
    }
}

/// # Safety
///
/// The server calls this with a value of this type and where it is.
unsafe extern "C" fn unlinked<T: NativeType>(at: *mut RedisModuleKeyOptCtx, _: *const c_void) {
    // SAFETY: as above; the name lives as long as the callback.
    let place = unsafe {
        place(
            api!(RedisModule_GetDbIdFromOptCtx(at)),
            api!(RedisModule_GetKeyNameFromOptCtx(at)),
        )
    };
    if let Some(place) = place {
        T::Spec::unlinked(&place);
    }
}

/// # Safety
///
/// The server calls this with its own digest and a value of this type.
unsafe extern "C" fn digest<T: NativeType>(digest: *mut RedisModuleDigest, value: *mut c_void) {
    // SAFETY: as above; the server copies each element.
    unsafe {
        (*value.cast::<T>()).stored().digest(&mut |element| {
            api!(RedisModule_DigestAddStringBuffer(
                digest,
                element.as_ptr().cast(),
                element.len()
            ));
            api!(RedisModule_DigestEndSequence(digest));
        });
    }
}
