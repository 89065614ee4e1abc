//! Slots of a cluster that move as a whole: what Valkey 9 and Redis 8.4 say of them.
//!
//! Edge: numbers and words of the server. What follows from them, `slots.rs` decides.

use std::ffi::{c_char, c_int, c_void};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use redis_module::raw::{self, RedisModuleCallReply};

use super::context::{Ctx, Flags};
use super::server::{server_info, text_of};
use super::text::Text;

/// Option of a module: it can follow the move of a whole slot. Valkey's own number, like
/// the two below; on another server they may mean anything.
pub(super) const HANDLE_ATOMIC_SLOT_MIGRATION: c_int = 1 << 5;
/// Flag of a context: the call comes from the source of an import.
const CTX_FLAGS_SLOT_IMPORT_CLIENT: u32 = 1 << 25;
/// Server event: an import or export began or ended.
pub(super) const EVENT_ATOMIC_SLOT_MIGRATION: u64 = 19;

/// Does this server import whole slots as Valkey 9 does?
static IMPORTS_WHOLE_SLOTS: AtomicBool = AtomicBool::new(false);

/// Does this server import whole slots as Valkey 9 does? Known once the module's options
/// are set.
pub fn imports_whole_slots() -> bool {
    IMPORTS_WHOLE_SLOTS.load(Ordering::Relaxed)
}

/// Finds out whether this server is a Valkey that knows the option, and remembers it.
pub(super) fn learn_slot_imports(ctx: Ctx<'_>) -> bool {
    let name = server_info(ctx, c"server", &["server_name"]);
    let is_valkey = name.first().and_then(Option::as_deref) == Some("valkey");
    // SAFETY: an optional function that takes nothing; Redis has it since 7.2.
    let known = unsafe { raw::RedisModule_GetModuleOptionsAll.map_or(0, |all| all()) };
    let imports = is_valkey && known & HANDLE_ATOMIC_SLOT_MIGRATION != 0;
    IMPORTS_WHOLE_SLOTS.store(imports, Ordering::Relaxed);
    imports
}

/// Takes a slot and returns whether this server owns it, or imports it key by key.
///
/// # Safety
///
/// As the server gives it, it may be called whenever the server runs the module.
type CanAccessKeysInSlot = unsafe extern "C" fn(c_int) -> c_int;

/// A function of Redis 8.4, which the bindings do not know yet.
static CAN_ACCESS: LazyLock<Option<CanAccessKeysInSlot>> = LazyLock::new(|| {
    let mut function: Option<CanAccessKeysInSlot> = None;
    // SAFETY: the server writes the pointer of the function of this name, or nothing; the
    // signature is that of Redis 8.4, and no other server has the name.
    unsafe {
        if let Some(get) = raw::RedisModule_GetApi {
            get(
                c"RedisModule_ClusterCanAccessKeysInSlot".as_ptr(),
                (&raw mut function).cast::<c_void>(),
            );
        }
    }
    function
});

/// Does the server say that the keys of a slot may be used? Only Redis 8.4 ever says no:
/// while it imports the slot, and once it has given it away.
pub fn may_access_slot(slot: u16) -> bool {
    // SAFETY: as the server gave it.
    CAN_ACCESS.is_none_or(|function| unsafe { function(c_int::from(slot)) } != 0)
}

impl Flags {
    /// The call came from the server that gives a whole slot to this one.
    pub fn is_slot_import(self) -> bool {
        self.0 & CTX_FLAGS_SLOT_IMPORT_CLIENT != 0 && imports_whole_slots()
    }
}

impl Ctx<'_> {
    /// The slots of each import that has not ended, as CLUSTER GETSLOTMIGRATIONS writes
    /// them; nothing where the server is no part of a cluster.
    pub fn slot_imports(self) -> Vec<String> {
        // SAFETY: the format names one C string; the reply is freed, and no part of it is
        // used after that.
        unsafe {
            let reply = api!(RedisModule_Call(
                self.raw(),
                c"CLUSTER".as_ptr(),
                c"c".as_ptr(),
                c"GETSLOTMIGRATIONS".as_ptr().cast::<c_char>(),
            ));
            if reply.is_null() {
                return Vec::new();
            }
            let length = api!(RedisModule_CallReplyLength(reply));
            let job = |index| api!(RedisModule_CallReplyArrayElement(reply, index));
            let ranges = (0..length).filter_map(|index| slots_of_import(job(index)));
            let ranges = ranges.collect();
            api!(RedisModule_FreeCallReply(reply));
            ranges
        }
    }
}

/// How a server of a cluster takes a command with two keys of one slot, asked for from within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It runs here.
    Here,
    /// A client would be sent elsewhere, or told to try again: the slot is another server's, or
    /// moves, and not both keys are here.
    Elsewhere,
    /// EXISTS was renamed, so that nothing can be asked.
    Unknown,
}

impl Ctx<'_> {
    /// Asks how this server of a cluster takes a command with both keys. It must be a command of
    /// the server, which alone knows what moves.
    pub fn takes_keys(self, one: Text<'_>, other: Text<'_>) -> Taken {
        // SAFETY: the format names two strings of the server; the reply is freed, and no part of
        // it is used.
        let reply = unsafe {
            let reply = api!(RedisModule_Call(
                self.raw(),
                c"EXISTS".as_ptr(),
                c"ss".as_ptr(),
                one.raw(),
                other.raw(),
            ));
            if !reply.is_null() {
                api!(RedisModule_FreeCallReply(reply));
            }
            reply
        };
        // Right behind the call: the server says why in `errno`.
        let error = std::io::Error::last_os_error().raw_os_error();
        match (reply.is_null(), error) {
            (false, _) => Taken::Here,
            (true, Some(libc::ENOENT)) => Taken::Unknown,
            (true, _) => Taken::Elsewhere,
        }
    }
}

/// The slots of a migration, if it is an import that has not ended.
///
/// # Safety
///
/// `job` is null, or part of a reply that has not been freed.
unsafe fn slots_of_import(job: *mut RedisModuleCallReply) -> Option<String> {
    if job.is_null() {
        return None;
    }
    // SAFETY: as above; an element beyond the end is null, which has no text.
    let field = |name: &str| unsafe {
        let element = |index| text_of(api!(RedisModule_CallReplyArrayElement(job, index)));
        let length = api!(RedisModule_CallReplyLength(job));
        let place = (0..length)
            .step_by(2)
            .find(|&index| element(index).as_deref() == Some(name));
        element(place?.saturating_add(1))
    };
    let is_over = matches!(field("state")?.as_str(), "success" | "failed" | "cancelled");
    (field("operation")? == "IMPORT" && !is_over).then(|| field("slot_ranges"))?
}
