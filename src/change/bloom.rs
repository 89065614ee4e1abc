//! The one way a filter changes: carried out, sent on and signalled in one function.
//!
//! What is sent on is an event, `FLASHSALE.BFAPPLY key [src ...] event`: sizes resolved,
//! items as hashes, only the new ones. A request sent on would be decided again, by
//! another configuration; and under its own name it would be refused by a replica that
//! has reached its `maxmemory` and minds it (`replica-ignore-maxmemory no`), which leaves
//! the copy another than the original. Events are never refused.
//!
//! An event is as small as its request, but for a merge, which can bring gigabytes: its
//! event names the sources. Replicas have the same ones, and an AOF has made them by then.
//!
//! Filters have no keyspace events: no client of one expects any, and an event for each
//! item would cost more than the item.

use std::collections::HashSet;
use std::ffi::CStr;

use crate::change::replay;
use crate::datatype::{self, AnyBloomKey, BloomKey, bloom_key};
use crate::error::Error;
use crate::ffi::{Call, Ctx, Text, TextBuf};
use crate::info;
use crate::scratch;
use flashsale_engine::bloom::{
    Bloom, Divergence, Event, Header, decode_event, encode_event, is_header_of_redisbloom,
};

/// The command that carries events.
const APPLY: &CStr = c"FLASHSALE.BFAPPLY";

/// Carries out an event that was just planned for this filter, and sends it on.
#[inline]
pub fn commit(ctx: Ctx<'_>, key: &mut BloomKey<'_>, event: &Event<'_>) {
    key.apply(event);
    send(ctx, key.name(), event);
    ctx.signal_modified(key.name());
}

/// Makes a filter from a `Created` event and the empty filter of it, and sends it on.
///
/// # Errors
///
/// The server does not take the value.
pub fn commit_creation(
    ctx: Ctx<'_>,
    name: Text<'_>,
    mut bloom: Bloom,
    event: &Event<'_>,
) -> Result<(), Error> {
    bloom.apply(event);
    bloom_key::create(ctx, name, bloom)?;
    send(ctx, name, event);
    ctx.signal_modified(name);
    Ok(())
}

/// Merges filters into one, as it was planned, and sends it on. At least one brings
/// something new.
pub fn commit_merge(ctx: Ctx<'_>, key: &mut BloomKey<'_>, sources: &[&BloomKey<'_>]) {
    let blooms: Vec<&Bloom> = sources.iter().map(|source| source.bloom()).collect();
    let items = key.bloom().items_with(&blooms);
    blooms.iter().for_each(|source| key.merge(source));
    send_merge(ctx, key.name(), sources, false, items);
    ctx.signal_modified(key.name());
}

/// Makes a filter from a copy of the first source and the others, merged, and sends it
/// on.
///
/// # Errors
///
/// The server does not take the value.
pub fn commit_merge_anew(
    ctx: Ctx<'_>,
    name: Text<'_>,
    mut bloom: Bloom,
    sources: &[&BloomKey<'_>],
) -> Result<(), Error> {
    let others = sources.iter().skip(1);
    others.for_each(|source| bloom.merge(source.bloom()));
    let items = bloom.items();
    bloom_key::create(ctx, name, bloom)?;
    send_merge(ctx, name, sources, true, items);
    ctx.signal_modified(name);
    Ok(())
}

/// Begins a filter with the header of a dump, and sends it on.
///
/// # Errors
///
/// The server does not take the value.
pub fn commit_begin(ctx: Ctx<'_>, name: Text<'_>, header: Header) -> Result<(), Error> {
    bloom_key::begin(ctx, name, &header)?;
    send(ctx, name, &Event::Begun(header));
    ctx.signal_modified(name);
    Ok(())
}

/// Takes the next bits of a dump, as it was planned, and sends them on.
///
/// # Errors
///
/// There is no memory for them. Nothing has changed then.
pub fn commit_bits(
    ctx: Ctx<'_>,
    key: &mut AnyBloomKey<'_>,
    event: &Event<'_>,
) -> Result<(), String> {
    if let Event::Loaded { bits, .. } = event {
        key.take_bits(bits)?;
    }
    send(ctx, key.name(), event);
    ctx.signal_modified(key.name());
    Ok(())
}

fn send(ctx: Ctx<'_>, key: Text<'_>, event: &Event<'_>) {
    scratch::with(|bytes| {
        encode_event(event, bytes);
        ctx.replicate(APPLY, key, None, bytes);
    });
}

fn send_merge(ctx: Ctx<'_>, key: Text<'_>, sources: &[&BloomKey<'_>], is_new: bool, items: u64) {
    scratch::with(|bytes| {
        encode_event(&Event::Merged { is_new, items }, bytes);
        let event = TextBuf::new(bytes);
        let names = sources.iter().map(|source| source.name());
        let words: Vec<Text<'_>> = [key]
            .into_iter()
            .chain(names)
            .chain([event.as_text()])
            .collect();
        ctx.replicate_words(APPLY, &words);
    });
}

/// Carries out an event that was decided elsewhere. It is passed on as it came once it is
/// known to fit.
///
/// # Errors
///
/// It cannot be read, or does not fit what is found here.
pub fn replay(
    ctx: Ctx<'_>,
    name: Text<'_>,
    sources: &[Text<'_>],
    bytes: &[u8],
) -> Result<(), Error> {
    replay_event(ctx, name, sources, bytes)?;
    info::EVENTS_REPLAYED.add(1);
    Ok(())
}

fn replay_event(
    ctx: Ctx<'_>,
    name: Text<'_>,
    sources: &[Text<'_>],
    bytes: &[u8],
) -> Result<(), Error> {
    let event = decode_event(bytes).map_err(misfit)?;
    match &event {
        Event::Created { .. } => replay_creation(ctx, name, &event),
        Event::Merged { is_new, items } => replay_merge(ctx, name, sources, *is_new, *items),
        Event::Begun(header) => replace(ctx, name, || bloom_key::begin(ctx, name, header)),
        Event::Loaded { position, bits } => replay_bits(ctx, name, *position, bits),
        Event::Added(_) | Event::Cleared => {
            let key = bloom_key::open_write(ctx, name).and_then(bloom_key::found);
            let mut key = key?;
            key.bloom().check(&event).map_err(misfit)?;
            ctx.replicate_verbatim();
            key.apply(&event);
            ctx.signal_modified(name);
            Ok(())
        }
    }
}

/// What does not fit, in words.
fn misfit(reason: impl ToString) -> Error {
    Error::new(reason.to_string())
}

fn replay_creation(ctx: Ctx<'_>, name: Text<'_>, event: &Event<'_>) -> Result<(), Error> {
    let Some(created) = Bloom::create(event) else {
        return Ok(());
    };
    let mut bloom = created.map_err(misfit)?;
    bloom.check(event).map_err(misfit)?;
    bloom.apply(event);
    replace(ctx, name, || bloom_key::create(ctx, name, bloom))
}

/// Makes a new filter under a name. The replica follows its primary even when something
/// else is there.
fn replace(
    ctx: Ctx<'_>,
    name: Text<'_>,
    make: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let was_free = datatype::is_free(ctx, name);
    make()?;
    replay::pass_on_creation(ctx, name, was_free);
    ctx.signal_modified(name);
    if was_free {
        Ok(())
    } else {
        Err(Error::new("the key of a new filter was taken"))
    }
}

fn replay_merge(
    ctx: Ctx<'_>,
    name: Text<'_>,
    sources: &[Text<'_>],
    is_new: bool,
    items: u64,
) -> Result<(), Error> {
    if !are_distinct(name, sources) {
        return Err(misfit(Divergence::OtherSources));
    }
    if is_new {
        let union = replay_union(ctx, sources, items)?;
        return replace(ctx, name, || bloom_key::create(ctx, name, union));
    }
    let keys = open_sources(ctx, sources)?;
    let blooms: Vec<&Bloom> = keys.iter().map(|key| key.bloom()).collect();
    let mut key = bloom_key::open_write(ctx, name).and_then(bloom_key::found)?;
    key.bloom().check_merge(&blooms, items).map_err(misfit)?;
    ctx.replicate_verbatim();
    blooms.iter().for_each(|source| key.merge(source));
    ctx.signal_modified(name);
    Ok(())
}

/// Reports whether the destination and the sources of a merge are all different keys, as
/// those of every primary are. A source that is the destination would be freed or changed
/// while it is read.
fn are_distinct(name: Text<'_>, sources: &[Text<'_>]) -> bool {
    let mut known = HashSet::from([name.bytes()]);
    sources.iter().all(|source| known.insert(source.bytes()))
}

fn open_sources<'c>(ctx: Ctx<'c>, sources: &[Text<'c>]) -> Result<Vec<BloomKey<'c>>, Error> {
    let open = |&source| bloom_key::open_read(ctx, source).and_then(bloom_key::found);
    sources.iter().map(open).collect()
}

/// Makes the filter of a merge without a destination. The keys of the sources are closed
/// again before it is put anywhere.
fn replay_union(ctx: Ctx<'_>, sources: &[Text<'_>], items: u64) -> Result<Bloom, Error> {
    let keys = open_sources(ctx, sources)?;
    let blooms: Vec<&Bloom> = keys.iter().map(|key| key.bloom()).collect();
    let [first, others @ ..] = &blooms[..] else {
        return Err(misfit(Divergence::OtherSources));
    };
    first.check_merge(others, items).map_err(misfit)?;
    let copy = first.try_clone_for(others).ok_or(Divergence::NoMemory);
    let mut union = copy.map_err(misfit)?;
    others.iter().for_each(|source| union.merge(source));
    Ok(union)
}

fn replay_bits(ctx: Ctx<'_>, name: Text<'_>, position: u64, bits: &[u8]) -> Result<(), Error> {
    let mut key = bloom_key::open_to_load(ctx, name).and_then(bloom_key::found)?;
    if key.received() != Some(position) {
        return Err(misfit(Divergence::NotNext));
    }
    key.take_bits(bits).map_err(misfit)?;
    ctx.replicate_verbatim();
    ctx.signal_modified(name);
    Ok(())
}

/// Refuses a piece of a filter that the AOF being loaded holds under LOADCHUNK, which no
/// AOF of this module does: RedisBloom writes filters so when it rewrites an AOF without
/// RDB preamble. Its bits mean nothing here; without the filter, the next BFADD would make a
/// fresh one that denies what the old one contained.
///
/// # Errors
///
/// The command comes from a client.
pub fn refuse_foreign_filter(call: &Call<'_>) -> Result<(), Error> {
    let piece = call.words().get(3).copied().unwrap_or_default();
    let reason = if is_header_of_redisbloom(piece) {
        "it is a filter of RedisBloom, whose bits mean nothing here, see docs/operating/from-redisbloom.md"
    } else {
        "it is a piece of a filter of another format, see docs/operating/from-redisbloom.md"
    };
    replay::follow(call, || Err(Error::new(reason)))
}
