//! The module's section of INFO.

use std::ffi::{c_char, c_int};

use redis_module::raw::{self, RedisModuleInfoCtx};

use super::context::Ctx;

/// Tells the fields of `INFO flashsale`. Must read only, allocate nothing, and take no
/// lock that the rest of the module holds across a call into the server: a crash report
/// asks too, perhaps out of the middle of the allocator.
pub trait Source {
    fn tell(section: &mut Section);
}

/// Takes the fields, in order.
pub struct Section(*mut RedisModuleInfoCtx);

impl Section {
    /// Tells a field.
    pub fn field(&mut self, name: &str, value: u64) {
        self.field_of("", name, value);
    }

    /// Tells a field whose name is put together from a prefix and a word, in lower case.
    pub fn field_of(&mut self, prefix: &str, word: &str, value: u64) {
        let name = Name::of(prefix, word);
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        // SAFETY: the context is valid during the callback; the server copies.
        unsafe {
            api!(RedisModule_InfoAddFieldLongLong(
                self.0,
                name.as_ptr(),
                value
            ));
        }
    }
}

/// Longest name of a field, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// The name of a field as a C string on the stack, in lower case; what is too long is cut.
struct Name([u8; NAME_BYTES_MAX + 1]);

impl Name {
    fn of(prefix: &str, word: &str) -> Name {
        let mut name = [0; NAME_BYTES_MAX + 1];
        let letters = prefix.bytes().chain(word.bytes());
        for (place, letter) in name.iter_mut().take(NAME_BYTES_MAX).zip(letters) {
            *place = letter.to_ascii_lowercase();
        }
        Name(name)
    }

    fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// Registers the section.
pub fn register_info<S: Source>(ctx: Ctx<'_>) {
    // SAFETY: the callback has the signature the server expects.
    unsafe {
        api!(RedisModule_RegisterInfoFunc(ctx.raw(), Some(tell::<S>)));
    }
}

/// # Safety
///
/// The server calls this with its own context.
unsafe extern "C" fn tell<S: Source>(ctx: *mut RedisModuleInfoCtx, _for_crash_report: c_int) {
    // SAFETY: as above; an empty name makes the section bear the module's.
    let wanted = unsafe { api!(RedisModule_InfoAddSection(ctx, c"".as_ptr())) };
    // A section that was not asked for takes no fields.
    if wanted == raw::REDISMODULE_OK as c_int {
        S::tell(&mut Section(ctx));
    }
}

/// A server that takes the section in a unit test.
#[cfg(test)]
pub mod testing {
    use super::*;
    use std::cell::RefCell;
    use std::ffi::{CStr, c_longlong};

    use flashsale_fuzz::meter::allocations;

    thread_local! {
        static FIELDS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        static COUNTED: RefCell<usize> = const { RefCell::new(0) };
    }

    /// # Safety
    ///
    /// Looks at nothing it is given, like the next and the last of these.
    unsafe extern "C" fn add_section(_: *mut RedisModuleInfoCtx, _: *const c_char) -> c_int {
        raw::REDISMODULE_OK as c_int
    }

    /// # Safety
    ///
    /// See `add_section`.
    unsafe extern "C" fn count_field(
        _: *mut RedisModuleInfoCtx,
        _: *const c_char,
        _: c_longlong,
    ) -> c_int {
        COUNTED.with_borrow_mut(|fields| *fields += 1);
        raw::REDISMODULE_OK as c_int
    }

    /// # Safety
    ///
    /// `name` is a C string.
    unsafe extern "C" fn keep_field(
        _: *mut RedisModuleInfoCtx,
        name: *const c_char,
        _: c_longlong,
    ) -> c_int {
        // SAFETY: as above.
        let name = unsafe { CStr::from_ptr(name) };
        FIELDS.with_borrow_mut(|fields| fields.push(name.to_string_lossy().into_owned()));
        raw::REDISMODULE_OK as c_int
    }

    /// # Safety
    ///
    /// See `add_section`.
    unsafe extern "C" fn milliseconds() -> c_longlong {
        1_765_000_000_000
    }

    /// The names of all fields, and how many allocations telling them took.
    pub fn tell_all<S: Source>() -> (Vec<String>, u64) {
        // SAFETY: no other test calls these functions of the server, and there is none.
        unsafe {
            raw::RedisModule_Milliseconds = Some(milliseconds);
            raw::RedisModule_InfoAddSection = Some(add_section);
            raw::RedisModule_InfoAddFieldLongLong = Some(keep_field);
            tell::<S>(std::ptr::null_mut(), 1);
            raw::RedisModule_InfoAddFieldLongLong = Some(count_field);
            let before = allocations();
            tell::<S>(std::ptr::null_mut(), 1);
            let taken = allocations() - before;
            let fields = FIELDS.take();
            assert_eq!(COUNTED.take(), fields.len());
            (fields, taken)
        }
    }
}
