//! An open key: what it holds, and the few changes a module makes in place.
//!
//! Edge: which type a caller may find is `datatype/`'s business.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;
use std::sync::LazyLock;

use redis_module::raw::{self, RedisModuleKey, RedisModuleStreamID, RedisModuleString};

use super::context::Ctx;
use super::native::{NativeType, TypeSpec};
use super::text::{Text, TextBuf};

/// How a key is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To see what is there, and do nothing to it: not even to a key whose time is over.
    /// Redis 7.0 takes it for `Read`.
    Look,
    Read,
    Write,
}

/// What a key holds, as far as this module tells things apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Empty,
    Stream,
    Other,
}

/// A key open until dropped.
pub struct Key<'c> {
    raw: *mut RedisModuleKey,
    name: Text<'c>,
}

impl<'c> Key<'c> {
    pub fn open(ctx: Ctx<'c>, name: Text<'c>, mode: Mode) -> Key<'c> {
        let flags = match mode {
            Mode::Look => raw::REDISMODULE_READ | raw::REDISMODULE_OPEN_KEY_NOEFFECTS,
            Mode::Read => raw::REDISMODULE_READ,
            Mode::Write => raw::REDISMODULE_READ | raw::REDISMODULE_WRITE,
        };
        // SAFETY: context and name are valid during this callback.
        let raw = unsafe { api!(RedisModule_OpenKey(ctx.raw(), name.raw(), flags as c_int)) };
        Key {
            raw: raw.cast(),
            name,
        }
    }

    pub fn name(&self) -> Text<'c> {
        self.name
    }

    pub(super) fn raw(&self) -> *mut RedisModuleKey {
        self.raw
    }

    pub fn kind(&self) -> Kind {
        if self.raw.is_null() {
            return Kind::Empty;
        }
        // SAFETY: the key is open.
        let kind = unsafe { api!(RedisModule_KeyType(self.raw)) };
        match kind as isize {
            raw::REDISMODULE_KEYTYPE_EMPTY => Kind::Empty,
            raw::REDISMODULE_KEYTYPE_STREAM => Kind::Stream,
            _ => Kind::Other,
        }
    }

    /// The key with its value, if that is one of type `T`; else the key alone.
    pub fn typed<T: NativeType>(self) -> Result<Typed<'c, T>, Key<'c>> {
        if self.raw.is_null() {
            return Err(self);
        }
        // SAFETY: the key is open; the value is taken only when its type is ours, and
        // then it is a `Box<T>` given away by `set_value` or by the loader.
        let value = unsafe {
            if api!(RedisModule_ModuleTypeGetType(self.raw)) != T::Spec::handle().raw() {
                return Err(self);
            }
            api!(RedisModule_ModuleTypeGetValue(self.raw)).cast()
        };
        match NonNull::new(value) {
            Some(value) => Ok(Typed { key: self, value }),
            None => Err(self),
        }
    }

    /// Makes `value` what the key holds. Whatever it held is deleted with its TTL.
    pub fn set_value<T: NativeType>(self, value: Box<T>) -> bool {
        let value: *mut c_void = Box::into_raw(value).cast();
        // SAFETY: the key is open for writing, and from here on the server owns the
        // value; if it refuses, we do again.
        unsafe {
            let status = api!(RedisModule_ModuleTypeSetValue(
                self.raw,
                T::Spec::handle().raw(),
                value
            ));
            if status != raw::REDISMODULE_OK as c_int {
                drop(Box::from_raw(value.cast::<T>()));
                return false;
            }
        }
        true
    }

    /// Deletes the key, here alone: nothing is replicated.
    pub fn delete(self) {
        // SAFETY: the key is open for writing, and closed right after.
        unsafe {
            api!(RedisModule_DeleteKey(self.raw));
        }
    }

    /// Sets or removes the moment the key expires, in Unix milliseconds.
    pub fn set_expiry(&mut self, at_ms: Option<u64>) {
        let at_ms = at_ms
            .and_then(|at_ms| i64::try_from(at_ms).ok())
            .unwrap_or(i64::from(raw::REDISMODULE_NO_EXPIRE));
        // SAFETY: the key is open for writing.
        unsafe {
            api!(RedisModule_SetAbsExpire(self.raw, at_ms));
        }
    }

    /// Returns the moment the key expires, in Unix milliseconds; `None` without one.
    pub fn expiry(&self) -> Option<u64> {
        // SAFETY: the key is open; without a moment the answer is negative.
        let at_ms = unsafe { api!(RedisModule_GetAbsExpire(self.raw)) };
        u64::try_from(at_ms).ok()
    }

    /// Appends an entry to the stream and returns its ID. Fields and values alternate.
    ///
    /// # Errors
    ///
    /// The key holds no stream, `id` is not above its last one, or there is none left.
    pub fn stream_add(
        &mut self,
        id: Option<(u64, u64)>,
        fields: &mut [Text<'_>],
    ) -> Result<(u64, u64), ()> {
        let (ms, seq) = id.unwrap_or_default();
        let mut stream_id = RedisModuleStreamID { ms, seq };
        let flags = if id.is_none() {
            raw::REDISMODULE_STREAM_ADD_AUTOID
        } else {
            0
        };
        let pairs = i64::try_from(fields.len() / 2).map_err(|_| ())?;
        // SAFETY: the key is open for writing; a `Text` is a `RedisModuleString *` and
        // nothing else (see the assertion below), and the server copies the strings.
        let status = unsafe {
            api!(RedisModule_StreamAdd(
                self.raw,
                flags as c_int,
                &mut stream_id,
                fields.as_mut_ptr().cast::<*mut RedisModuleString>(),
                pairs,
            ))
        };
        if status != raw::REDISMODULE_OK as c_int {
            return Err(());
        }
        Ok((stream_id.ms, stream_id.seq))
    }
}

impl Ctx<'_> {
    /// Returns the database that keys are opened in.
    ///
    /// A key is asked, which need not be there. `RM_GetSelectedDb` of Valkey 9 answers in a
    /// transaction with the database of the last SELECT that was queued, also before that is
    /// carried out, and does not know of the one an event is about.
    pub fn database(self) -> i32 {
        static NAME: LazyLock<TextBuf> = LazyLock::new(|| TextBuf::new(b""));
        let key = Key::open(self, NAME.as_text(), Mode::Write);
        // SAFETY: a key opened for writing is there, if only as a place for one.
        unsafe { api!(RedisModule_GetDbIdFromModuleKey(key.raw)) }
    }
}

const _: () = assert!(size_of::<Text<'static>>() == size_of::<*mut RedisModuleString>());

/// An open key and its value, or a part of it.
pub struct Typed<'c, T> {
    key: Key<'c>,
    value: NonNull<T>,
}

impl<'c, T> Typed<'c, T> {
    pub fn name(&self) -> Text<'c> {
        self.key.name()
    }

    /// As [`Key::set_expiry`]. The key itself is not lent: another one put in its place
    /// would part it from its value.
    pub fn set_expiry(&mut self, at_ms: Option<u64>) {
        self.key.set_expiry(at_ms);
    }

    /// As [`Key::expiry`].
    pub fn expiry(&self) -> Option<u64> {
        self.key.expiry()
    }

    /// The key alone, to do away with its value.
    pub fn into_key(self) -> Key<'c> {
        self.key
    }

    /// Narrows the value to a part of it.
    pub fn part<U>(mut self, pick: impl FnOnce(&mut T) -> Option<&mut U>) -> Option<Typed<'c, U>> {
        let value = NonNull::from(pick(&mut self)?);
        Some(Typed {
            key: self.key,
            value,
        })
    }
}

impl<T> std::ops::Deref for Typed<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the value stays where it is while the key is open: the functions that
        // do away with it consume the key, and no command puts a value under a name that it
        // has open by another key.
        unsafe { self.value.as_ref() }
    }
}

impl<T> std::ops::DerefMut for Typed<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above. Commands run one at a time, and none changes a value it has
        // open a second time: the second key of a sale's command is a stream, and a merge of
        // filters leaves the destination out of its sources, or refuses an event that has it
        // among them.
        unsafe { self.value.as_mut() }
    }
}

impl Drop for Key<'_> {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: opened by `open` and not closed before.
            unsafe { api!(RedisModule_CloseKey(self.raw)) }
        }
    }
}
