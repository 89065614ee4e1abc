//! The module's section of INFO.

use std::ffi::c_int;

use redis_module::raw::{self, RedisModuleInfoCtx};

use super::context::{Ctx, c_string};

/// Tells the fields of `INFO flashsale`. Must read only, and take no lock that the
/// rest of the module holds across a call into the server: a crash report asks too.
pub trait Source {
    fn tell(section: &mut Section);
}

/// Takes the fields, in order.
pub struct Section(*mut RedisModuleInfoCtx);

impl Section {
    pub fn field(&mut self, name: &str, value: u64) {
        let name = c_string(name);
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
