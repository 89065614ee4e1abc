//! Settings that are not numbers: a text that the module checks, and yes or no.
//!
//! The server has no settings with a fraction, so a fraction is registered as a text.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use redis_module::raw::{self, RedisModuleString};

use super::context::{Ctx, c_string};
use super::text::{Text, TextBuf};

/// A setting that is a text.
pub struct TextSetting {
    /// Takes a value, or says why it does not.
    pub set: fn(&[u8]) -> Result<(), String>,
    /// The value in force.
    pub get: fn() -> String,
    /// What the server was told last; it reads it after the call.
    told: Mutex<Option<TextBuf>>,
}

impl TextSetting {
    pub const fn new(set: fn(&[u8]) -> Result<(), String>, get: fn() -> String) -> TextSetting {
        TextSetting {
            set,
            get,
            told: Mutex::new(None),
        }
    }
}

/// Registers `flashsale.<name>`, a text; CONFIG SET may change it.
pub fn register_text(ctx: Ctx<'_>, name: &str, setting: &'static TextSetting, default: &str) {
    let (name, default) = (c_string(name), c_string(default));
    // SAFETY: the server copies name and default, and calls the functions with the
    // setting, which lives for ever.
    unsafe {
        api!(RedisModule_RegisterStringConfig(
            ctx.raw(),
            name.as_ptr(),
            default.as_ptr(),
            raw::REDISMODULE_CONFIG_DEFAULT,
            Some(get_text),
            Some(set_text),
            None,
            ptr::from_ref(setting).cast_mut().cast::<c_void>(),
        ));
    }
}

/// # Safety
///
/// The server calls this with the setting it was registered with.
unsafe extern "C" fn get_text(
    _name: *const c_char,
    setting: *mut c_void,
) -> *mut RedisModuleString {
    // SAFETY: as above.
    let setting = unsafe { &*setting.cast::<TextSetting>() };
    let value = TextBuf::new((setting.get)().as_bytes());
    let value_raw = value.as_text().raw();
    *setting.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    value_raw
}

/// # Safety
///
/// The server calls this with a string of its own, the setting it was registered with,
/// and a place for an error.
unsafe extern "C" fn set_text(
    _name: *const c_char,
    value: *mut RedisModuleString,
    setting: *mut c_void,
    error: *mut *mut RedisModuleString,
) -> c_int {
    // SAFETY: as above; the server frees the error.
    unsafe {
        let setting = &*setting.cast::<TextSetting>();
        match (setting.set)(Text::new(value).bytes()) {
            Ok(()) => raw::REDISMODULE_OK as c_int,
            Err(reason) => {
                *error = api!(RedisModule_CreateString(
                    ptr::null_mut(),
                    reason.as_ptr().cast(),
                    reason.len()
                ));
                raw::REDISMODULE_ERR as c_int
            }
        }
    }
}

/// Registers `flashsale.<name>`, yes or no; CONFIG SET may change it if it is mutable.
pub fn register_flag(
    ctx: Ctx<'_>,
    name: &str,
    value: &'static AtomicBool,
    default: bool,
    is_mutable: bool,
) {
    let name = c_string(name);
    let flags = if is_mutable {
        raw::REDISMODULE_CONFIG_DEFAULT
    } else {
        raw::REDISMODULE_CONFIG_IMMUTABLE
    };
    // SAFETY: see `register_text`.
    unsafe {
        api!(RedisModule_RegisterBoolConfig(
            ctx.raw(),
            name.as_ptr(),
            c_int::from(default),
            flags,
            Some(get_flag),
            Some(set_flag),
            None,
            ptr::from_ref(value).cast_mut().cast::<c_void>(),
        ));
    }
}

/// # Safety
///
/// The server calls this with the value it was registered with.
unsafe extern "C" fn get_flag(_name: *const c_char, value: *mut c_void) -> c_int {
    // SAFETY: as above.
    c_int::from(unsafe { &*value.cast::<AtomicBool>() }.load(Ordering::Relaxed))
}

/// # Safety
///
/// The server calls this with the value it was registered with.
unsafe extern "C" fn set_flag(
    _name: *const c_char,
    new: c_int,
    value: *mut c_void,
    _error: *mut *mut RedisModuleString,
) -> c_int {
    // SAFETY: as above.
    unsafe { &*value.cast::<AtomicBool>() }.store(new != 0, Ordering::Relaxed);
    raw::REDISMODULE_OK as c_int
}
