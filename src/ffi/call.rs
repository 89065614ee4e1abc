//! One call of a command: its arguments in place, and the shim the server calls.

use std::any::Any;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redis_module::raw::{self, RedisModuleCtx, RedisModuleString};

use super::context::{Ctx, c_string};
use super::reply::{self, Reply};
use super::spec::CommandSpec;
use super::text::Text;

/// Arguments kept on the stack; a longer line costs one allocation.
const STACK_ARGUMENTS: usize = 24;

/// A command as the server calls it.
pub trait Command {
    /// What the server is told about it.
    const SPEC: &'static CommandSpec;

    /// Answers one call. Writes exactly one reply.
    fn call(call: &Call<'_>);

    /// Answers a call that panicked before it replied; `reason` is what the panic said.
    fn panicked(call: &Call<'_>, reason: &str);
}

/// What one call brings.
#[derive(Clone, Copy)]
pub struct Call<'c> {
    ctx: Ctx<'c>,
    texts: &'c [Text<'c>],
    words: &'c [&'c [u8]],
}

impl<'c> Call<'c> {
    pub fn ctx(&self) -> Ctx<'c> {
        self.ctx
    }

    pub fn reply(&self) -> Reply<'c> {
        Reply::new(self.ctx)
    }

    /// The whole line, the command's name first.
    pub fn words(&self) -> &'c [&'c [u8]] {
        self.words
    }

    /// All arguments as the server has them, without the command's name.
    pub fn arguments(&self) -> &'c [Text<'c>] {
        self.texts.get(1..).unwrap_or_default()
    }

    /// An argument as the server has it, to open it as a key or to pass it on.
    pub fn text(&self, index: usize) -> Option<Text<'c>> {
        self.texts.get(index).copied()
    }
}

/// Lets the server's log say where the module panics; the standard error, where a panic is
/// reported otherwise, is closed in a server that runs in the background.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let line = c_string(&panic.to_string().replace(char::is_control, " "));
        // SAFETY: the server takes a null context; the format takes one C string, which is the
        // argument.
        unsafe {
            api!(RedisModule_Log(
                std::ptr::null_mut(),
                c"warning".as_ptr(),
                c"flashsale: %s".as_ptr(),
                line.as_ptr()
            ));
        }
    }));
}

/// Runs `act`, and keeps a panic from ending the server.
///
/// A panic is a broken invariant: no input leads to one. Whatever `act` was changing may be
/// half changed.
///
/// # Errors
///
/// It panicked, with these words.
pub fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| words_of(&*panic))
}

#[cold]
fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    // For a reply and the log, where it is one line.
    let text = text.unwrap_or("a panic without a word");
    text.replace(char::is_control, " ")
}

/// Reads the words of a line into as many places.
#[inline]
fn words_in<'w, 'c>(places: &'w mut [MaybeUninit<&'c [u8]>], texts: &[Text<'c>]) -> &'w [&'c [u8]] {
    let len = places.len().min(texts.len());
    for (place, text) in places.iter_mut().zip(texts) {
        place.write(text.bytes());
    }
    // SAFETY: so many places were written just now, and a place is a word once it is written.
    unsafe { std::slice::from_raw_parts(places.as_ptr().cast(), len) }
}

/// The function the server gets for the command `C`.
pub struct Shim<C>(std::marker::PhantomData<C>);

impl<C: Command> Shim<C> {
    /// Reads the arguments where they are and passes them on.
    ///
    /// # Safety
    ///
    /// The server calls this with its own context and arguments.
    pub(super) unsafe extern "C" fn run(
        ctx: *mut RedisModuleCtx,
        argv: *mut *mut RedisModuleString,
        argc: c_int,
    ) -> c_int {
        let argc = usize::try_from(argc).unwrap_or(0);
        // SAFETY: `argv` holds `argc` strings, which live as long as the call, and a
        // `Text` is such a pointer and nothing else.
        let (ctx, texts) = unsafe {
            (
                Ctx::new(ctx),
                std::slice::from_raw_parts(argv.cast::<Text<'_>>().cast_const(), argc),
            )
        };
        let mut stack = [const { MaybeUninit::uninit() }; STACK_ARGUMENTS];
        let heap: Vec<&[u8]>;
        let words = match stack.get_mut(..argc) {
            Some(stack) => words_in(stack, texts),
            None => {
                heap = texts.iter().map(|text| text.bytes()).collect();
                &heap
            }
        };
        let call = Call { ctx, texts, words };
        reply::note_call();
        if let Err(reason) = caught(|| C::call(&call)) {
            // Half a reply cannot be taken back, and the client would read the next one as
            // the other half.
            if reply::has_begun() {
                std::process::abort();
            }
            C::panicked(&call, &reason);
        }
        raw::REDISMODULE_OK as c_int
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_words() {
        assert_eq!(caught(|| 7), Ok(7));
        let slot = 7;
        let none: Result<(), String> = caught(|| panic!("no record"));
        let formatted: Result<(), String> = caught(|| panic!("no record at {slot}"));
        assert_eq!(none, Err("no record".to_owned()));
        assert_eq!(formatted, Err("no record at 7".to_owned()));
    }
}
