//! One call of a command: its arguments in place, and the shim the server calls.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redis_module::raw::{self, RedisModuleCtx, RedisModuleString};
use smallvec::SmallVec;

use super::context::Ctx;
use super::reply::Reply;
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

    /// Answers a call that ended in a panic, which would end the server; `reason` is what
    /// the panic said.
    fn broke(call: &Call<'_>, reason: &str);
}

/// What one call brings.
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

/// Runs `act`, and returns what a panic of it said.
///
/// A panic is a broken invariant: no input leads to one. What it has left half done, the
/// caller must not rely on.
///
/// # Errors
///
/// It panicked.
pub fn caught(act: impl FnOnce()) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without a word").to_owned()
    })
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
        let words: SmallVec<[&[u8]; STACK_ARGUMENTS]> =
            texts.iter().map(|text| text.bytes()).collect();
        let call = Call {
            ctx,
            texts,
            words: &words,
        };
        if let Err(reason) = caught(|| C::call(&call)) {
            C::broke(&call, &reason);
        }
        raw::REDISMODULE_OK as c_int
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_words() {
        assert_eq!(caught(|| {}), Ok(()));
        assert_eq!(caught(|| panic!("no record")), Err("no record".to_owned()));
        let slot = 7;
        assert_eq!(
            caught(|| panic!("no record at {slot}")),
            Err("no record at 7".to_owned())
        );
    }
}
