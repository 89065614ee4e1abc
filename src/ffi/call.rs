//! One call of a command: its arguments in place, and the shim the server calls.

use std::ffi::c_int;

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
        C::call(&Call {
            ctx,
            texts,
            words: &words,
        });
        raw::REDISMODULE_OK as c_int
    }
}
