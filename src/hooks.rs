//! Everything the server tells the module by itself, in one place.

use crate::damage;
use crate::datatype::{self, marks};
use crate::ffi::{Ctx, Hooks, LoadBeside, Text};
use crate::hints;
use crate::info;
use crate::scripts;
use crate::slots;
use crate::timer::alarm;

/// What the module does about each event of the server.
pub struct Server;

impl Hooks for Server {
    fn ticked(ctx: Ctx<'_>) {
        // Not every server says when a slot becomes its own.
        hints::release();
        alarm::tick(ctx);
    }

    fn role_changed(ctx: Ctx<'_>, is_primary: bool) {
        slots::note_change();
        scripts::look(ctx);
        // What was queued before is not to be written in one go.
        info::take_queued();
        if is_primary {
            datatype::line::note_promotion();
            alarm::rearm(ctx);
        } else {
            alarm::disarm(ctx);
        }
    }

    fn loaded(ctx: Ctx<'_>) {
        slots::note_change();
        datatype::settle_partly_loaded(ctx, |key| slots::is_importing(ctx, key));
        damage::note_end();
        info::take_queued();
        alarm::rearm(ctx);
    }

    fn loads_beside(step: LoadBeside) {
        hints::load_beside(step);
    }

    fn settings_changed(ctx: Ctx<'_>) {
        scripts::look(ctx);
    }

    fn slots_moved(ctx: Ctx<'_>) {
        slots::note_change();
        if hints::release() {
            alarm::rearm(ctx);
        }
    }

    fn flushed(database: Option<i32>) {
        hints::clear(database);
        marks::clear(database);
    }

    fn swapped(one: i32, other: i32) {
        hints::swap(one, other);
        marks::swap(one, other);
    }

    fn arrived(ctx: Ctx<'_>, name: Text<'_>) {
        if let Ok(mut key) = datatype::open_read(ctx, name) {
            key.forget_hint();
            alarm::note(ctx, &mut key);
        }
    }
}
