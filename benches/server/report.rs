//! The tables: on the terminal, as Markdown, as CSV.

use std::fs;
use std::path::Path;

use crate::batch::Batches;
use crate::bout::{BATCHES, Figures, Mode};
use crate::events::Events;
use crate::growth::{Growth, Kind};
use crate::guards::Guards;
use crate::line::Line;
use crate::machine::Facts;
use crate::print::commas;
use crate::rate::Rates;
use crate::reply::Outcome;
use crate::table::{Table, number};
use crate::targets::{Aim, Target};
use crate::units::Units;
use crate::wave::Wave;

/// Everything that was measured.
#[derive(Default)]
pub struct Report {
    pub facts: Facts,
    pub options: String,
    pub rows: Vec<Figures>,
    pub growths: Vec<Growth>,
    pub wave: Option<Wave>,
    pub events: Option<Events>,
    pub batches: Option<Batches>,
    pub line: Option<Line>,
    pub rates: Option<Rates>,
    pub guards: Option<Guards>,
    pub units: Option<Units>,
    pub targets: Vec<Target>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

/// What the page on performance compares: ours and theirs.
const SUMMARY: [(Mode, &str, &str); 20] = [
    (Mode::Memory, "RESERVE", "Lua reserve"),
    (Mode::Memory, "RESERVE", "HINCRBY"),
    (Mode::Everysec, "RESERVE", "HINCRBY"),
    (Mode::Single, "RESERVE", "INCR"),
    (Mode::Memory, "RESERVE sold out", "Lua sold out"),
    (Mode::Memory, "CHECKOUT", "XADD"),
    (Mode::Everysec, "CHECKOUT", "XADD"),
    (Mode::Memory, "STOCK", "HGET"),
    (Mode::Memory, "GET", "HGETALL"),
    (Mode::Bloom, "BF.EXISTS", "RedisBloom EXISTS"),
    (Mode::Bloom, "BF.MEXISTS 100", "RedisBloom MEXISTS 100"),
    (Mode::Bloom, "BF.MEXISTS 100", "BF.EXISTS"),
    (Mode::BatchMemory, "MRESERVE 64", "RESERVE"),
    (Mode::BatchMemory, "MRESERVE 64", "HINCRBY"),
    (Mode::BatchEverysec, "MRESERVE 64", "HINCRBY"),
    (Mode::BatchReplica, "MRESERVE 64", "HINCRBY"),
    (Mode::BatchMemory, "MRESERVE 64", "Lua reserve"),
    (Mode::BatchMemory, "MRESERVE sold out 64", "INCR"),
    (Mode::BatchMemory, "MCHECKOUT 64", "XADD"),
    (Mode::BatchEverysec, "MCHECKOUT 64", "XADD"),
];

/// What a reader must know to read the rows.
const NOTES: &str = "\
Each row ran with 50 connections, pipelined 64 commands deep or not at all; latencies \
are what a client waits, of a whole pipeline where there is one. `us a call` is the \
server's own account (`INFO commandstats`), `longest call` its longest in any round \
(`INFO latencystats`). A row's other figures are those of its median round; rows of a \
round are measured one after the other, then all again. After each row the server's \
counters had to show that every call did what the row says. Background threads of the \
server (fsync, freeing) run on the load's core.

RESERVE, BUY and the script add to a sale that has a reservation of each user already, \
and is made anew before each row. RESERVE replayed: all reservations are one user's, \
since the load cannot send an id with the user whose it is. CHECKOUT, RELEASE and Lua \
checkout draw ids at random among those reserved, a tenth as many as there are, so \
about 5 in 100 come a second time. HGET and HINCRBY draw a field of a hash of all users, \
HGETALL one of as many hashes as there are reservations, with the fields of GET's reply. XADD appends CHECKOUT's entry. The \
scripts are benches/server/*.lua.
";

/// The same for the tables of batches.
const BATCH_NOTES: &str = "\
`server ns an entry` is how long the server's main thread ran for one entry of a batch, or \
for one call that is about one buyer (`/proc/PID/schedstat`; the median of the rounds): \
reading the command, carrying it out, answering, and passing it on to the AOF and the \
replica, until the replica has it. Targets are ratios of these times. Threads that write \
and free beside the main thread are not in them.

The load is the benchmark's own: 50 connections, each with 64 entries on the way, be they 64 \
calls or one batch (larger batches: one), and no id twice. It has a core of its own, and a row \
in which it ran for more than 0.8 of the server's time ends the benchmark. A replica runs on a \
third core, or beside the load. A target that compares a batch with our own single command is \
also reached if that command became faster, while the target beside HINCRBY or XADD is met. Except for the ids, rows are those above; MCHECKOUT, CHECKOUT \
and Lua checkout check out half of the reservations that were there.

The longest call is of batches of 1000 and the smoothest of several growths, with keyspace \
events on: first the sale grows until its stock is reserved, then a tenth of it falls due at \
one moment and the next buyers ask for it.
";

impl Report {
    /// The table of one mode.
    pub fn row_table(&self, mode: Mode) -> Table {
        let mut table = Table::new(&[
            mode.word(),
            "calls/s",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "max ms",
            "us a call",
            "longest call us",
        ]);
        for row in self.rows.iter().filter(|row| row.mode == mode) {
            let seen = row.median.seen;
            table.add(vec![
                row.name.to_owned(),
                number(row.per_second(), 0),
                number(seen.p50_ms, 2),
                number(seen.p99_ms, 2),
                number(seen.p999_ms, 2),
                number(row.max_ms, 2),
                number(row.median.call_us, 2),
                number(row.call_max_us, 0),
            ]);
        }
        table
    }

    /// The table of a mode with batches.
    pub fn batch_table(&self, mode: Mode) -> Table {
        let mut table = Table::new(&[
            mode.word(),
            "server ns an entry",
            "entries/s",
            "us a call",
            "longest call us",
            "server busy %",
            "load busy %",
        ]);
        for row in self.rows.iter().filter(|row| row.mode == mode) {
            let known = |value: Option<f64>, factor: f64| {
                value.map_or("-".into(), |value| number(value * factor, 0))
            };
            table.add(vec![
                row.name.to_owned(),
                known(row.server_us, 1e3),
                number(row.items_per_second(), 0),
                number(row.median.call_us, 2),
                number(row.call_max_us, 0),
                known(row.median.server_share, 1e2),
                known(row.median.load_share, 1e2),
            ]);
        }
        table
    }

    /// The longest call of a batch as a sale grows.
    pub fn longest_table(&self) -> Table {
        let mut table = Table::new(&[
            "growing to",
            "overdue at once",
            "longest call us, growing",
            "longest call us, overdue",
            "calls",
            "core taken ms",
            "AOF B an entry of 64",
        ]);
        if let Some(batches) = self.batches {
            let longest = batches.longest;
            table.add(vec![
                commas(longest.count),
                commas(longest.overdue),
                number(longest.growing_us, 0),
                number(longest.overdue_us, 0),
                commas(longest.calls),
                number(longest.waited_ms, 0),
                number(batches.aof_bytes, 1),
            ]);
        }
        table
    }

    /// Targets, measured, met.
    pub fn target_table(&self) -> Table {
        let mut table = Table::new(&["target", "aim", "measured", ""]);
        for target in &self.targets {
            let (sign, aim) = match target.aim {
                Aim::AtLeast(aim) => ("≥", aim),
                Aim::AtMost(aim) => ("≤", aim),
            };
            let unit = target.unit;
            let measured = target
                .measured
                .map_or("-".into(), |measured| format!("{measured:.2} {unit}"));
            let verdict = match target.is_met() {
                Some(true) => "met",
                Some(false) => "NOT met",
                None => "not measured",
            };
            table.add(vec![
                target.name.clone(),
                format!("{sign} {aim} {unit}"),
                measured,
                verdict.into(),
            ]);
        }
        table
    }

    /// Bytes and seconds by size.
    pub fn growth_table(&self) -> Table {
        let mut table = Table::new(&[
            "growing to",
            "calls/s",
            "us a call",
            "longest call us",
            "core taken ms",
            "with AOF us",
            "core taken ms",
            "memory B",
            "dataset B",
            "AOF B",
            "replication B",
            "RDB B",
            "save s",
            "load s",
            "UNLINK us",
            "DEL us",
            "expiry us",
        ]);
        for growth in &self.growths {
            let of_ours = |value: f64, places| match growth.kind {
                Kind::Sale => number(value, places),
                Kind::Script => "-".into(),
            };
            table.add(vec![
                growth.name(),
                number(growth.per_second, 0),
                number(growth.call_us, 2),
                number(growth.call_max_us, 0),
                number(growth.waited_ms, 0),
                number(growth.logged_call_max_us, 0),
                number(growth.logged_waited_ms, 0),
                number(growth.memory_bytes, 1),
                number(growth.dataset_bytes, 1),
                number(growth.aof_bytes, 1),
                number(growth.stream_bytes, 1),
                number(growth.rdb_bytes, 1),
                number(growth.save_s, 2),
                number(growth.load_s, 2),
                of_ours(growth.unlink_us, 0),
                of_ours(growth.del_us, 0),
                of_ours(growth.expire_us, 0),
            ]);
        }
        table
    }

    /// What was seen while very many reservations expired.
    pub fn wave_table(&self) -> Table {
        let mut table = Table::new(&[
            "due at once",
            "lasted ms",
            "longest sweep us",
            "longest RESERVE us",
            "PING p99.9 ms",
            "PING max ms",
            "RESERVE p99.9 ms",
            "RESERVE max ms",
        ]);
        if let Some(wave) = &self.wave {
            table.add(vec![
                commas(wave.count),
                number(wave.lasted_ms, 0),
                wave.sweep_max_us.map_or("-".into(), |us| number(us, 0)),
                number(wave.reserve_max_us, 0),
                number(wave.ping_p999_ms, 2),
                number(wave.ping_max_ms, 2),
                number(wave.reserve_p999_ms, 2),
                number(wave.reserve_max_ms, 2),
            ]);
        }
        table
    }

    /// What `EVENTS all` costs.
    pub fn events_table(&self) -> Table {
        let mut table = Table::new(&["EVENTS", "orders", "all", "all / orders"]);
        let Some(events) = &self.events else {
            return table;
        };
        for (name, [orders, all]) in [
            ("RESERVE / s", events.reserve_per_second),
            ("RESERVE and CHECKOUT / s", events.pair_per_second),
        ] {
            let cells = [number(orders, 0), number(all, 0), number(all / orders, 2)];
            table.add(std::iter::once(name.to_owned()).chain(cells).collect());
        }
        for (name, value, places) in [
            (
                "half of 20,000 entries a second written after ms",
                events.written_p50_ms,
                0,
            ),
            ("99% of them", events.written_p99_ms, 0),
            (
                "a backlog of 100,000 written after ms",
                events.drained_ms,
                0,
            ),
            ("longest go of that, us", events.go_max_us, 0),
        ] {
            let cells = ["-".to_owned(), number(value, places), "-".to_owned()];
            table.add(std::iter::once(name.to_owned()).chain(cells).collect());
        }
        table
    }

    /// The few figures that the page on performance shows, each beside what it is compared with.
    pub fn summary(&self) -> String {
        let mut table = Table::new(&[
            "requests a second on one core",
            "flashsale",
            "beside",
            "its requests a second",
            "ratio",
        ]);
        for (mode, ours, theirs) in SUMMARY {
            let find = |name: &str| {
                let mut rows = self.rows.iter();
                rows.find(|row| row.mode == mode && row.name == name)
            };
            if let (Some(one), Some(other)) = (find(ours), find(theirs)) {
                let how = match mode {
                    Mode::Bloom => "items, pipelined, AOF off",
                    mode => mode.word(),
                };
                let per_second = |row: &Figures| match BATCHES.contains(&mode) {
                    true => row.items_per_core_second().unwrap_or(f64::NAN),
                    false => row.items_per_second(),
                };
                let (one, other) = (per_second(one), per_second(other));
                table.add(vec![
                    format!("{ours}, {how}"),
                    number(one, 0),
                    theirs.to_owned(),
                    number(other, 0),
                    number(one / other, 2),
                ]);
            }
        }
        let mut costs = Table::new(&[
            "growing to",
            "memory B",
            "AOF B",
            "RDB B",
            "save s",
            "load s",
            "longest call ms",
        ]);
        for growth in &self.growths {
            costs.add(vec![
                growth.name(),
                number(growth.memory_bytes, 0),
                number(growth.aof_bytes, 0),
                number(growth.rdb_bytes, 0),
                number(growth.save_s, 2),
                number(growth.load_s, 2),
                number(growth.call_max_us / 1e3, 2),
            ]);
        }
        let facts = self
            .facts
            .iter()
            .filter(|(name, _)| ["machine", "pauses", "server", "module", "date"].contains(name));
        let facts: Vec<&str> = facts.map(|(_, value)| value.as_str()).collect();
        let tables = [table, costs].into_iter();
        let tables: Vec<String> = tables
            .filter(|table| !table.is_empty())
            .map(|table| table.markdown())
            .collect();
        format!(
            "{}\nMeasured on: {}.\n",
            tables.join("\n"),
            facts.join("; ")
        )
    }

    /// All of it, for a file.
    pub fn markdown(&self) -> String {
        let mut text = String::from("# Benchmark\n\n");
        for (name, value) in &self.facts {
            text += &format!("- {name}: {value}\n");
        }
        text += &format!("- options: {}\n", self.options);
        for line in &self.left_out {
            text += &format!("- {line}\n");
        }
        text += "\n## Targets\n\n";
        text += &self.target_table().markdown();
        text += "\n## Rows\n\n";
        text += NOTES;
        for mode in [Mode::Memory, Mode::Everysec, Mode::Single, Mode::Bloom] {
            let table = self.row_table(mode);
            if !table.is_empty() {
                text += &format!("\n{}", table.markdown());
            }
        }
        text += &self.batch_chapter();
        if !self.growths.is_empty() {
            text += "\n## Growth\n\nBytes are of one reservation, each of another user, \
                     under an id that is a ULID. Calls, and the longest of them, are of growths with AOF off, the longest \
                     of the smoothest; `core taken` is how long the server waited for its core in \
                     that one. `with AOF` is the longest call of the growth that the bytes are of, \
                     while the system writes the AOF to the disk, also on the server's core.\n\n";
            text += &self.growth_table().markdown();
        }
        if self.wave.is_some() {
            text += "\n## A wave of deadlines\n\n";
            text += &self.wave_table().markdown();
        }
        if self.events.is_some() {
            text += "\n## EVENTS all\n\n";
            text += &self.events_table().markdown();
        }
        if let Some(line) = &self.line {
            text += "\n## People in line\n\n";
            text += &line.table().markdown();
        }
        if let Some(rates) = &self.rates {
            text += "\n## Rate limits\n\n";
            text += &rates.table().markdown();
        }
        if let Some(guards) = &self.guards {
            text += "\n## Who may try\n\n";
            text += &guards.table().markdown();
        }
        if let Some(units) = &self.units {
            text += "\n## Units with names\n\n";
            text += &units.table().markdown();
        }
        text
    }

    /// The tables of batches, and what a reader must know to read them.
    fn batch_chapter(&self) -> String {
        let tables: Vec<String> = BATCHES
            .into_iter()
            .map(|mode| self.batch_table(mode))
            .chain([self.longest_table()])
            .filter(|table| !table.is_empty())
            .map(|table| table.markdown())
            .collect();
        match tables.is_empty() {
            true => String::new(),
            false => format!("\n## Batches\n\n{BATCH_NOTES}\n{}", tables.join("\n")),
        }
    }

    /// One line a figure: section, name, measure, value.
    pub fn csv(&self) -> String {
        let mut text = String::from("section,name,measure,value\n");
        let mut add = |section: &str, name: &str, measure: &str, value: f64| {
            text += &format!("\"{section}\",\"{name}\",{measure},{value}\n");
        };
        for row in &self.rows {
            let (seen, median) = (row.median.seen, row.median);
            for (measure, value) in [
                ("requests", row.requests as f64),
                ("items_a_call", row.items as f64),
                ("calls_per_second", seen.per_second),
                ("calls_per_second_min", row.slowest),
                ("calls_per_second_max", row.fastest),
                ("p50_ms", seen.p50_ms),
                ("p99_ms", seen.p99_ms),
                ("p999_ms", seen.p999_ms),
                ("max_ms", row.max_ms),
                ("call_us", median.call_us),
                ("call_p50_us", median.call_p50_us),
                ("call_p99_us", median.call_p99_us),
                ("call_p999_us", median.call_p999_us),
                ("call_max_us", row.call_max_us),
                ("server_us_an_item", row.server_us.unwrap_or(f64::NAN)),
                ("server_share", median.server_share.unwrap_or(f64::NAN)),
                ("load_share", median.load_share.unwrap_or(f64::NAN)),
            ] {
                // The load of the batches reports no latencies.
                let is_known = seen.max_ms > 0.0 || !measure.ends_with("_ms");
                if is_known && value.is_finite() {
                    add(row.mode.word(), row.name, measure, value);
                }
            }
        }
        for growth in &self.growths {
            for (measure, value) in growth.measures() {
                add("growth", &growth.name(), measure, value);
            }
        }
        if let Some(wave) = &self.wave {
            for (measure, value) in wave.measures() {
                add("wave", &wave.count.to_string(), measure, value);
            }
        }
        if let Some(events) = &self.events {
            for (measure, value) in events.measures() {
                add("events", "all", measure, value);
            }
        }
        if let Some(line) = &self.line {
            for (measure, value) in line.measures() {
                add("line", &line.count.to_string(), measure, value);
            }
        }
        if let Some(rates) = &self.rates {
            for (measure, value) in rates.measures() {
                add("rate", &rates.subjects.to_string(), measure, value);
            }
        }
        if let Some(guards) = &self.guards {
            for (measure, value) in guards.measures() {
                add("guards", &guards.users.to_string(), measure, value);
            }
        }
        if let Some(units) = &self.units {
            for (measure, value) in units.measures() {
                add("units", "80000", measure, value);
            }
        }
        if let Some(batches) = &self.batches {
            for (measure, value) in batches.measures() {
                add("batches", "MRESERVE", measure, value);
            }
        }
        for target in self.targets.iter() {
            if let Some(measured) = target.measured {
                add("target", &target.name, "measured", measured);
            }
        }
        text
    }

    /// Writes `bench.md`, `bench.csv`, and the `summary.md` of the page on performance.
    pub fn write(&self, folder: &Path) -> Outcome<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("bench.md"), self.markdown())?;
        fs::write(folder.join("bench.csv"), self.csv())?;
        fs::write(folder.join("summary.md"), self.summary())?;
        Ok(())
    }
}
