//! An event on its way to the AOF and the replicas.

use std::ffi::CStr;

use crate::ffi::{Ctx, Text};
use crate::scratch;
use flashsale_engine::sale::{Event, encode_event};

/// The command that carries events.
pub(super) const APPLY: &CStr = c"FLASHSALE.APPLY";

/// Sends an event that was carried out here.
pub(super) fn send(ctx: Ctx<'_>, key: Text<'_>, orders: Option<Text<'_>>, event: &Event<'_>) {
    scratch::with(|bytes| {
        encode_event(event, bytes);
        ctx.replicate(APPLY, key, orders, bytes);
    });
}
