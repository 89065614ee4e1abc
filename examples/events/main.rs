//! Turns the events of an append-only file into text, one a line.
//!
//! ```sh
//! cargo run --release --example events -- data/appendonlydir/appendonly.aof.1.incr.aof
//! ```
//!
//! What a primary writes down is packed; this is how a person reads it. Other commands
//! are counted and skipped. The decoder is the engine's own.

use std::io::{self, BufRead, Write};
use std::{env, fs, process};

use flashsale_engine::sale::{
    Change, CodecError, Container, Event, Events, Forgets, Hasher, Line, NameBuffer, NamedRestock,
    Options, Order, Spelling, UnitNumber, decode_event,
};

/// Events are only read here: how their names are hashed is nothing to them.
const NO_LOOK_UP: Hasher = Hasher::new([0, 0]);

/// Longest argument believed: Redis's own `proto-max-bulk-len`.
const BULK_BYTES_MAX: usize = 512 << 20;

fn main() {
    let path = match env::args_os().nth(1) {
        Some(path) if !path.as_encoded_bytes().starts_with(b"-") => path,
        _ => {
            eprintln!("usage: events FILE.aof\nTurns the events of an append-only file into text.");
            process::exit(2);
        }
    };
    let told = fs::File::open(&path).and_then(|file| tell(io::BufReader::new(file)));
    // A reader that went away, as in `| head`, is not a failure.
    if let Err(error) = told
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        eprintln!("{}: {error}", path.display());
        process::exit(1);
    }
}

fn tell(mut aof: impl BufRead) -> io::Result<()> {
    if aof.fill_buf()?.starts_with(b"REDIS") {
        return Err(invalid(
            "an RDB preamble; events are in the .incr.aof files",
        ));
    }
    let mut out = io::stdout().lock();
    let (mut events, mut loads, mut others) = (0_u64, 0_u64, 0_u64);
    while let Some(words) = next_command(&mut aof)? {
        match words.as_slice() {
            [name, key, .., event] if name.eq_ignore_ascii_case(b"FLASHSALE.APPLY") => {
                events += 1;
                for text in sentences(event) {
                    writeln!(out, "{} {text}", key.escape_ascii())?;
                }
            }
            [name, ..] if name.eq_ignore_ascii_case(b"FLASHSALE.LOAD") => loads += 1,
            _ => others += 1,
        }
    }
    eprintln!("{events} events, {loads} FLASHSALE.LOAD, {others} other commands");
    Ok(())
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The next command of the file, or `None` at its end.
fn next_command(aof: &mut impl BufRead) -> io::Result<Option<Vec<Vec<u8>>>> {
    let Some(count) = next_header(aof, b'*')? else {
        return Ok(None);
    };
    let mut words = Vec::new();
    for _ in 0..count {
        let len = next_header(aof, b'$')?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if len > BULK_BYTES_MAX {
            return Err(invalid("an argument too long"));
        }
        let mut word = vec![0; len + 2];
        aof.read_exact(&mut word)?;
        word.truncate(len);
        words.push(word);
    }
    Ok(Some(words))
}

/// The number of a line like `*3` or `$15`; annotations (`#TS:...`) are skipped.
fn next_header(aof: &mut impl BufRead, mark: u8) -> io::Result<Option<usize>> {
    loop {
        let mut line = Vec::new();
        if aof.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.first() == Some(&b'#') {
            continue;
        }
        let number = line.strip_prefix(&[mark]).map(|rest| rest.trim_ascii());
        return number
            .and_then(|number| std::str::from_utf8(number).ok()?.parse().ok())
            .map(Some)
            .ok_or_else(|| invalid("not an append-only file"));
    }
}

/// A sentence for an event, or for each of a batch.
fn sentences(bytes: &[u8]) -> Vec<String> {
    let in_words = |event: Result<Event<'_>, CodecError>| match event {
        Ok(event) => sentence(&event),
        Err(error) => error.to_string(),
    };
    match Container::open(bytes, NO_LOOK_UP) {
        Ok(Some(batch)) => batch.map(in_words).collect(),
        Ok(None) => vec![in_words(decode_event(bytes, NO_LOOK_UP))],
        Err(error) => vec![error.to_string()],
    }
}

fn sentence(event: &Event<'_>) -> String {
    format!("{} {}", event.at_ms, change(&event.change))
}

fn change(change: &Change<'_>) -> String {
    match change {
        Change::Created(created) => {
            let items: Vec<String> = created
                .items
                .iter()
                .map(|(sku, stock)| format!("{}*{stock}", sku.escape_ascii()))
                .collect();
            let orders = created.orders.escape_ascii();
            format!(
                "created orders={orders} items={}{}",
                items.join(","),
                options(&created.options)
            )
        }
        Change::Reserved {
            id,
            user,
            lines,
            units: named,
            expires_at_ms,
            forgets,
            replaces,
        } => format!(
            "reserved id={} user={} {}{} expires_at_ms={expires_at_ms}{}{}",
            name(*id),
            name(*user),
            units(lines),
            numbers(" units", named),
            replaces
                .map(|old| format!(" replaces={}", name(old)))
                .unwrap_or_default(),
            forgot(*forgets)
        ),
        Change::Sold { id, order, sealed } => {
            let sealed = numbers(" sealed", sealed);
            format!("sold id={} {}{sealed}", name(*id), order_text(order))
        }
        Change::Bought {
            id,
            user,
            lines,
            units: named,
            order,
            sealed,
            forgets,
        } => format!(
            "bought id={} user={} {}{}{} {}{}",
            name(*id),
            name(*user),
            units(lines),
            numbers(" units", named),
            numbers(" sealed", sealed),
            order_text(order),
            forgot(*forgets)
        ),
        Change::Released { id } => format!("released id={}", name(*id)),
        Change::ReleasedUnseen { id, user, forgets } => {
            let user = user
                .map(|user| format!(" user={}", name(user)))
                .unwrap_or_default();
            format!("released-unseen id={}{user}{}", name(*id), forgot(*forgets))
        }
        Change::Swept {
            expired,
            lapsed,
            forgotten,
        } => format!("swept expired={expired} lapsed={lapsed} forgotten={forgotten}"),
        Change::Expired { id } => format!("expired id={}", name(*id)),
        Change::Lapsed { id } => format!("lapsed id={}", name(*id)),
        Change::Extended { id, expires_at_ms } => {
            format!("extended id={} expires_at_ms={expires_at_ms}", name(*id))
        }
        Change::Refunded(refund) => format!(
            "refunded id={} {}{} entry={}-{} ref={} restocks={} restores_limit={} norestock={}",
            name(refund.id),
            units(&refund.lines),
            numbers(" units", &refund.units),
            refund.entry.ms,
            refund.entry.seq,
            refund.reference.map(name).unwrap_or_default(),
            refund.restocks,
            refund.restores_limit,
            refund
                .no_restock
                .map_or("unknown".to_owned(), |asked| asked.to_string())
        ),
        Change::Restocked {
            deltas,
            reference,
            named,
        } => {
            let deltas: Vec<String> = deltas
                .iter()
                .map(|delta| format!("{}{:+}", delta.sku.escape_ascii(), delta.delta))
                .collect();
            let reference = reference.map(name).unwrap_or_default();
            let named = named.as_deref().map(names_of).unwrap_or_default();
            format!("restocked {} ref={reference}{named}", deltas.join(","))
        }
        Change::Altered(all) => format!("altered{}", options(all)),
        Change::Paused => "paused".to_owned(),
        Change::Resumed { lifts: None } => "resumed".to_owned(),
        Change::Resumed { lifts: Some(mark) } => {
            format!(
                "resumed lifts the mark of {} misses since {}",
                mark.misses, mark.at_ms
            )
        }
        Change::Marked { reason } => format!("marked: {reason}"),
        Change::Closed => "closed".to_owned(),
        Change::Bound { orders } => format!("bound orders={}", orders.escape_ascii()),
        Change::Told(told) => {
            let ids = told.ids().map(|id| format!(" {}-{}", id.ms, id.seq));
            format!("told{}", ids.collect::<String>())
        }
        Change::Dropped { count } => format!("dropped {count}"),
        of_lines => change_of_lines(of_lines),
    }
}

/// Numbers of units that have names, which only the sale knows.
fn numbers(what: &str, units: &[UnitNumber]) -> String {
    let numbers: Vec<String> = units.iter().map(u32::to_string).collect();
    match numbers.is_empty() {
        true => String::new(),
        false => format!("{what}={}", numbers.join(",")),
    }
}

/// The names that a restock brings or withdraws; of codes only how many.
fn names_of(named: &NamedRestock<'_>) -> String {
    let what = if named.withdraw { "withdraws" } else { "names" };
    if named.sealed {
        return format!(" {what}={} codes", named.names.len());
    }
    let names = named
        .names
        .iter()
        .map(|name| name.escape_ascii().to_string());
    format!(" {what}={}", names.collect::<Vec<_>>().join(","))
}

/// What happens to people in line.
fn change_of_lines(change: &Change<'_>) -> String {
    match change {
        Change::Joined {
            id,
            user,
            item,
            qty,
        } => format!(
            "joined id={} user={} items=#{item}*{qty}",
            name(*id),
            name(*user)
        ),
        Change::Left { id, remembers } => {
            let known = match remembers {
                Some(forgets) => forgot(*forgets),
                None => " remembered=no",
            };
            format!("left id={}{known}", name(*id))
        }
        Change::Drawn { seed } => format!("drawn seed={:032x}", u128::from_be_bytes(*seed)),
        Change::Granted(granted) => {
            let runs: Vec<String> = granted.runs.iter().map(u32::to_string).collect();
            let (item, places) = (granted.item, granted.places);
            let (runs, at_ms) = (runs.join(","), granted.expires_at_ms);
            format!("granted item=#{item} places={places} runs={runs} expires_at_ms={at_ms}")
        }
        Change::Dissolved { items } => {
            let items: Vec<String> = items.iter().map(u32::to_string).collect();
            format!("dissolved items={}", items.join(","))
        }
        other => format!("{other:?}"),
    }
}

/// The options that are set, by the names FLASHSALE.INFO gives them.
fn options(options: &Options) -> String {
    [
        ("userlimit", options.user_limit),
        ("itemlimit", options.item_limit),
        ("orderlimit", options.order_limit),
        ("salelimit", options.sale_limit),
        ("hold_ms", Some(options.hold_ms)),
        ("maxhold_ms", options.hold_ms_max),
        ("grace_ms", Some(options.grace_ms)),
        ("start_at_ms", options.start_at_ms),
        ("end_at_ms", options.end_at_ms),
        ("keep_ms", Some(options.keep_ms)),
        ("remember_ms", Some(options.remember_ms)),
    ]
    .iter()
    .filter_map(|(name, value)| value.map(|value| format!(" {name}={value}")))
    .chain((options.events == Events::All).then(|| " events=all".to_owned()))
    .collect()
}

fn name<'a>(name: impl Into<Spelling<'a>>) -> String {
    let name = name.into();
    name.bytes(&mut NameBuffer::default())
        .escape_ascii()
        .to_string()
}

/// Lines name items by their place in the sale, from 0.
fn units(lines: &[Line]) -> String {
    let lines: Vec<String> = lines
        .iter()
        .map(|line| format!("#{}*{}", line.item, line.qty))
        .collect();
    format!("items={}", lines.join(","))
}

fn order_text(order: &Order<'_>) -> String {
    let reference = order.reference.map(name).unwrap_or_default();
    let payload = order.payload.map_or(0, <[u8]>::len);
    let entry = order.entry;
    format!(
        "entry={}-{} ref={reference} payload_bytes={payload}",
        entry.ms, entry.seq
    )
}

fn forgot(forgets: Forgets) -> &'static str {
    match forgets {
        Forgets::Nothing => "",
        Forgets::Oldest => " forgets=oldest",
        Forgets::OldestPastGrace => " forgets=oldest-past-grace",
    }
}
