//! A module with one mistake in it, named by its argument. scripts/asan.sh loads it to
//! see that such a mistake is found: in a server that brings its own allocator, say, it
//! would not be.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::hint::black_box;

type GetApi = unsafe extern "C" fn(*const c_char, *mut c_void) -> c_int;

/// A function of the server's API: a context begins with the one that finds the others.
///
/// # Safety
///
/// `F` is the type of the function `name`.
unsafe fn api<F>(ctx: *mut c_void, name: &CStr) -> F {
    unsafe {
        let get: GetApi = *ctx.cast();
        let mut function: Option<F> = None;
        get(name.as_ptr(), (&raw mut function).cast());
        function.expect("an API function")
    }
}

/// # Safety
///
/// The server calls this when it loads the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn RedisModule_OnLoad(
    ctx: *mut c_void,
    argv: *mut *mut c_void,
    argc: c_int,
) -> c_int {
    type Init = unsafe extern "C" fn(*mut c_void, *const c_char, c_int, c_int);
    type Text = unsafe extern "C" fn(*mut c_void, *mut usize) -> *const c_char;
    type Alloc = unsafe extern "C" fn(usize) -> *mut u8;
    type Free = unsafe extern "C" fn(*mut u8);
    assert_eq!(argc, 1, "one argument: the mistake");
    unsafe {
        api::<Init>(ctx, c"RedisModule_SetModuleAttribs")(ctx, c"canary".as_ptr(), 1, 1);
        let text: Text = api(ctx, c"RedisModule_StringPtrLen");
        let alloc: Alloc = api(ctx, c"RedisModule_Alloc");
        let free: Free = api(ctx, c"RedisModule_Free");
        let mistake = CStr::from_ptr(text(*argv, std::ptr::null_mut()));
        let bytes = black_box(alloc(100));
        match mistake.to_bytes() {
            b"none" => free(bytes),
            b"heap-buffer-overflow" => *bytes.add(black_box(100)) = 1,
            b"heap-use-after-free" => {
                free(bytes);
                black_box(*bytes);
            }
            b"double-free" => {
                free(bytes);
                free(bytes);
            }
            // Nothing points to it after the return.
            b"leak" => {}
            b"panic" => panic!("out of a callback"),
            other => panic!("no such mistake: {other:?}"),
        }
    }
    // "Not loaded": the server ends.
    1
}
