//! What is known about the server and its sales at one moment.
//!
//! Edge: facts are words as the server spells them, and numbers this module counted. What
//! cannot be found out is left out, and judged by no rule.

use std::collections::HashMap;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;
use crate::datatype::{self, marks};
use crate::ffi::{self, Ctx, TextBuf};
use crate::hints;
use crate::info;
use crate::place::Place;
use flashsale_engine::sale::Deed;

/// The settings that are looked at.
const SETTINGS: [&str; 27] = [
    "appendfsync",
    "appendonly",
    "bind",
    "cluster-allow-replica-migration",
    "cluster-enabled",
    "cluster-require-full-coverage",
    "enable-module-command",
    "flashsale.load-damaged",
    "hz",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-user-flush",
    "maxclients",
    "maxmemory",
    "maxmemory-policy",
    "min-replicas-to-write",
    "no-appendfsync-on-rewrite",
    "notify-keyspace-events",
    "port",
    "protected-mode",
    "repl-backlog-size",
    "replica-lazy-flush",
    "replica-read-only",
    "save",
    "stop-writes-on-bgsave-error",
    "timeout",
];

/// The fields of INFO that are looked at, by section. Replicas come in addition.
const FIELDS: [(&CStr, &[&str]); 5] = [
    (c"server", &["redis_version", "valkey_version"]),
    (c"clients", &["connected_clients"]),
    (c"memory", &["used_memory", "total_system_memory"]),
    (
        c"persistence",
        &[
            "aof_last_bgrewrite_status",
            "aof_last_write_status",
            "rdb_last_bgsave_status",
        ],
    ),
    (
        c"replication",
        &[
            "role",
            "connected_slaves",
            "master_link_status",
            "min_slaves_good_slaves",
        ],
    ),
];

/// How many replicas are looked at.
const REPLICAS_MAX: u32 = 32;

/// How many sales that missed a change are named.
const DIVERGED_MAX: usize = 5;

/// Where Linux says whether a fork may be given memory that is not there yet.
const OVERCOMMIT: &str = "/proc/sys/vm/overcommit_memory";

static REPLICAS_AT_LOAD: AtomicU64 = AtomicU64::new(0);

/// Notes how many replicas a server has at the load of the module: none at a start.
pub fn note_load(ctx: Ctx<'_>) {
    let told = ffi::server_info(ctx, c"replication", &["connected_slaves"]);
    let replicas = told.into_iter().flatten().next();
    let replicas = replicas.and_then(|number| number.parse().ok()).unwrap_or(0);
    REPLICAS_AT_LOAD.store(replicas, Ordering::Relaxed);
}

/// What is known about a server at one moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// By name, as CONFIG GET tells them; `None` where there is no CONFIG.
    pub settings: Option<HashMap<String, String>>,
    /// Fields of INFO by name.
    pub info: HashMap<String, String>,
    /// One for each connected replica: `ip=127.0.0.1,port=7001,state=online,...`
    pub replicas: Vec<String>,
    /// `vm.overcommit_memory`.
    pub overcommit: Option<String>,
    /// Replicas that were connected when the module was loaded.
    pub replicas_at_load: u64,
    /// Replicated events that did not fit.
    pub replay_divergence: u64,
    /// Sales that missed a change.
    pub sales_diverged: u64,
    /// Some of them.
    pub diverged: Vec<Diverged>,
    /// Changes made after a large step back of the clock.
    pub clock_steps_back: u64,
    /// How late the last return of overdue reservations was, in milliseconds.
    pub sweep_lag_ms: u64,
    /// For how long the earliest deadline of all sales has passed, in milliseconds.
    pub overdue_ms: u64,
    /// Units of all sales that were sold or given, and that the sales do not have.
    pub owed: u64,
    /// The most reservations that one sale knows.
    pub reservations_known_max: u64,
    /// The most people that may wait in one sale.
    pub waiting_max: u64,
    /// The most polls of a full line in a second.
    pub polls_max: u64,
    /// Sales with a line that hold a grant for less than PATIENCE.
    pub sales_with_short_hold: u64,
    /// Sales that ask for a pass.
    pub sales_with_passkey: u64,
    /// The rules of each user, as ACL LIST tells them; asked for where a sale has a PASSKEY.
    pub users: Vec<String>,
    /// Entries of sales with `EVENTS all` that were dropped since the start.
    pub events_dropped: u64,
    /// For how long the oldest entry has waited, in milliseconds.
    pub events_waiting_ms: u64,
    /// Why the timer last left entries waiting, in words.
    pub events_wait: &'static str,
}

impl Facts {
    /// Asks the server. Nothing changes by it.
    pub fn gather(ctx: Ctx<'_>) -> Facts {
        let settings = ctx.config_get(&SETTINGS);
        let mut told = HashMap::new();
        for (section, fields) in FIELDS {
            let values = ffi::server_info(ctx, section, fields);
            let pairs = fields.iter().zip(values);
            told.extend(pairs.filter_map(|(name, value)| Some(((*name).to_owned(), value?))));
        }
        let names: Vec<String> = (0..REPLICAS_MAX).map(|n| format!("slave{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let replicas = ffi::server_info(ctx, c"replication", &names);
        let overcommit = std::fs::read_to_string(OVERCOMMIT).ok();
        let sales_with_passkey = info::SALES_WITH_PASSKEY.get();
        let due_ms = hints::first_due_ms().unwrap_or(u64::MAX);
        Facts {
            settings: settings.map(HashMap::from_iter),
            info: told,
            replicas: replicas.into_iter().flatten().collect(),
            overcommit: overcommit.map(|text| text.trim().to_owned()),
            replicas_at_load: REPLICAS_AT_LOAD.load(Ordering::Relaxed),
            replay_divergence: info::REPLAY_DIVERGENCE.get(),
            sales_diverged: info::SALES_DIVERGED.get(),
            diverged: diverged_sales(ctx, DIVERGED_MAX),
            clock_steps_back: info::CLOCK_STEPS_BACK.get(),
            sweep_lag_ms: info::SWEEP_LAG_MS.load(Ordering::Relaxed),
            overdue_ms: clock::now_ms().saturating_sub(due_ms),
            owed: info::UNITS_OWED.get(),
            reservations_known_max: info::RESERVATIONS_KNOWN_MAX.get(),
            waiting_max: info::WAITING_MAX.get(),
            polls_max: info::POLLS_MAX.get(),
            sales_with_short_hold: info::SALES_WITH_SHORT_HOLD.get(),
            sales_with_passkey,
            users: if sales_with_passkey > 0 {
                ctx.acl_list().unwrap_or_default()
            } else {
                Vec::new()
            },
            events_dropped: info::deeds(Deed::Dropped),
            events_waiting_ms: info::events_waiting_ms(),
            events_wait: info::longest_wait().words(),
        }
    }
}

/// A sale that missed a change of its primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diverged {
    pub database: i32,
    pub key: Vec<u8>,
    /// Why, in words.
    pub reason: String,
}

/// Returns the first `max` marked sales that are found, and forgets the places where there
/// is none any more. The context is left in the database it was in.
fn diverged_sales(ctx: Ctx<'_>, max: usize) -> Vec<Diverged> {
    let here = ctx.database();
    let mut found = Vec::new();
    for place in marks::places() {
        match look(ctx, &place) {
            Some(diverged) => found.push(diverged),
            None => marks::forget(&place),
        }
        if found.len() == max {
            break;
        }
    }
    ctx.select(here);
    found
}

fn look(ctx: Ctx<'_>, place: &Place) -> Option<Diverged> {
    let name = TextBuf::new(&place.key);
    if !ctx.select(place.database) {
        return None;
    }
    let key = datatype::open_read(ctx, name.as_text()).ok()?;
    let reason = key.sale().why_diverged()?.to_owned();
    Some(Diverged {
        database: place.database,
        key: place.key.to_vec(),
        reason,
    })
}
