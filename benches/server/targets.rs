//! What the module is meant to reach, and whether it did.
//!
//! Ratios are of two rows of the same server and the same minutes; absolute figures
//! would say more about the machine. Where batches are measured, a ratio is of the time that
//! the server's main thread ran for an entry; elsewhere of throughputs.

use crate::batch::Batches;
use crate::bout::{Figures, Mode};
use crate::growth::{Growth, Kind};
use crate::wave::Wave;

/// One aim and what was measured.
#[derive(Clone, Debug)]
pub struct Target {
    pub name: String,
    pub aim: Aim,
    /// `None` where its rows were not measured.
    pub measured: Option<f64>,
    pub unit: &'static str,
}

/// Which side of a number is good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    /// Was it met? `None` where it was not measured.
    pub fn is_met(&self) -> Option<bool> {
        self.measured.map(|measured| match self.aim {
            Aim::AtLeast(aim) => measured >= aim,
            Aim::AtMost(aim) => measured <= aim,
        })
    }
}

/// A ratio of throughputs: ours, theirs, at least.
const RATIOS: [(Mode, &str, &str, f64); 7] = [
    (Mode::Memory, "RESERVE sold out", "INCR", 0.45),
    (Mode::Memory, "RESERVE sold out", "Lua sold out", 5.0),
    (Mode::Single, "RESERVE", "INCR", 0.95),
    (Mode::Memory, "CHECKOUT", "XADD", 0.7),
    (Mode::Everysec, "CHECKOUT", "XADD", 0.95),
    (Mode::Memory, "STOCK", "HGET", 1.2),
    (Mode::Memory, "GET", "HGETALL", 1.0),
];

/// A ratio of the server's time for an entry: ours, theirs, at least. A row against our own
/// single command may be missed because that became faster; then the row against Redis's
/// command counts.
const BATCH_RATIOS: [(Mode, &str, &str, f64); 14] = [
    (Mode::BatchMemory, "RESERVE", "HINCRBY", 0.74),
    (Mode::BatchEverysec, "RESERVE", "HINCRBY", 0.85),
    (Mode::BatchMemory, "RESERVE", "Lua reserve", 8.0),
    (Mode::BatchMemory, "MRESERVE 64", "RESERVE", 2.2),
    (Mode::BatchMemory, "MRESERVE 64", "HINCRBY", 1.5),
    (Mode::BatchEverysec, "MRESERVE 64", "HINCRBY", 2.0),
    (Mode::BatchReplica, "MRESERVE 64", "HINCRBY", 1.75),
    (Mode::BatchMemory, "MRESERVE 64", "Lua reserve", 15.0),
    (
        Mode::BatchMemory,
        "MRESERVE sold out 64",
        "RESERVE sold out",
        2.3,
    ),
    (Mode::BatchMemory, "MRESERVE sold out 64", "INCR", 0.75),
    (Mode::BatchMemory, "MCHECKOUT 64", "XADD", 0.95),
    (Mode::BatchEverysec, "MCHECKOUT 64", "XADD", 1.5),
    (Mode::BatchMemory, "MCHECKOUT 64", "CHECKOUT", 1.8),
    (Mode::BatchMemory, "MBUY 64", "BUY", 1.6),
];

/// The same per item, of filters: ours, theirs, at least.
const BLOOM_RATIOS: [(&str, &str, f64); 2] = [
    ("BF.EXISTS", "RedisBloom EXISTS", 1.15),
    ("BF.MEXISTS 100", "RedisBloom MEXISTS 100", 3.0),
];

/// All targets, against what was measured.
pub fn judge(
    rows: &[Figures],
    measured: Option<Batches>,
    growths: &[Growth],
    wave: Option<&Wave>,
) -> Vec<Target> {
    let mut targets = ratios(rows);
    targets.extend(bloom(rows));
    targets.extend(batch_ratios(rows));
    targets.extend(batches(measured));
    targets.extend(sizes(growths));
    targets.extend(stalls(growths, wave));
    targets
}

fn find<'f>(rows: &'f [Figures], mode: Mode, name: &str) -> Option<&'f Figures> {
    rows.iter().find(|row| row.mode == mode && row.name == name)
}

fn ratios(rows: &[Figures]) -> Vec<Target> {
    let target = |(mode, ours, theirs, aim): &(Mode, &str, &str, f64)| {
        let ratio = find(rows, *mode, ours).zip(find(rows, *mode, theirs));
        let mode = match mode {
            Mode::Everysec => ", AOF everysec",
            Mode::Single => ", unpipelined",
            _ => "",
        };
        Target {
            name: format!("{ours} : {theirs}{mode}"),
            aim: Aim::AtLeast(*aim),
            measured: ratio.map(|(ours, theirs)| ours.per_second() / theirs.per_second()),
            unit: "×",
        }
    };
    RATIOS.iter().map(target).collect()
}

fn batch_ratios(rows: &[Figures]) -> Vec<Target> {
    let target = |(mode, ours, theirs, aim): &(Mode, &str, &str, f64)| {
        let per_second = |name: &str| find(rows, *mode, name)?.items_per_core_second();
        Target {
            name: format!("{ours} : {theirs}, {}", mode.word()),
            aim: Aim::AtLeast(*aim),
            measured: per_second(ours)
                .zip(per_second(theirs))
                .map(|(ours, theirs)| ours / theirs),
            unit: "×",
        }
    };
    BATCH_RATIOS.iter().map(target).collect()
}

fn batches(batches: Option<Batches>) -> [Target; 2] {
    let count = batches.map(|batches| crate::print::commas(batches.longest.count));
    let count = count.unwrap_or("most".into());
    [
        Target {
            name: "AOF an entry of MRESERVE 64".into(),
            aim: Aim::AtMost(50.0),
            measured: batches.map(|batches| batches.aof_bytes),
            unit: "B",
        },
        Target {
            name: format!("longest MRESERVE 1000, growing to {count}, a tenth overdue"),
            aim: Aim::AtMost(2.0),
            measured: batches.map(|batches| batches.longest.most_us() / 1e3),
            unit: "ms",
        },
    ]
}

fn bloom(rows: &[Figures]) -> Vec<Target> {
    let per_item = |name: &str| find(rows, Mode::Bloom, name).map(Figures::items_per_second);
    let ratio = |ours: &str, theirs: &str, aim: f64| Target {
        name: format!("{ours} : {theirs}, items"),
        aim: Aim::AtLeast(aim),
        measured: per_item(ours)
            .zip(per_item(theirs))
            .map(|(ours, theirs)| ours / theirs),
        unit: "×",
    };
    if find(rows, Mode::Bloom, BLOOM_RATIOS[0].1).is_none() {
        // Without the other module: what a batch is worth.
        return vec![ratio("BF.MEXISTS 100", "BF.EXISTS", 3.0)];
    }
    let ratios = BLOOM_RATIOS.iter();
    ratios
        .map(|(ours, theirs, aim)| ratio(ours, theirs, *aim))
        .collect()
}

/// Bytes of a reservation, and files, at a million reservations where that was measured.
fn sizes(growths: &[Growth]) -> Vec<Target> {
    let ours = |growth: &&Growth| growth.kind == Kind::Sale;
    let million = |growth: &&Growth| growth.count == 1_000_000;
    let one = growths.iter().filter(ours).find(million);
    let one = one.or(growths.iter().rfind(ours));
    let at_most = |name: &str, aim: f64, of: fn(&Growth) -> f64, unit| Target {
        name: match one {
            Some(growth) => format!(
                "{name}, {} reservations",
                crate::print::commas(growth.count)
            ),
            None => name.to_owned(),
        },
        aim: Aim::AtMost(aim),
        measured: one.map(of),
        unit,
    };
    vec![
        at_most(
            "memory a reservation",
            100.0,
            |growth| growth.memory_bytes,
            "B",
        ),
        at_most("AOF a reservation", 100.0, |growth| growth.aof_bytes, "B"),
        at_most("RDB a reservation", 60.0, |growth| growth.rdb_bytes, "B"),
        at_most("RDB save", 1.0, |growth| growth.save_s, "s"),
        at_most("RDB load", 1.0, |growth| growth.load_s, "s"),
        at_most(
            "UNLINK, main thread",
            1.0,
            |growth| growth.unlink_us / 1e3,
            "ms",
        ),
        at_most("DEL, main thread", 1.0, |growth| growth.del_us / 1e3, "ms"),
        at_most(
            "expiry of the key, main thread",
            1.0,
            |growth| growth.expire_us / 1e3,
            "ms",
        ),
    ]
}

/// The longest that anything held the server up.
fn stalls(growths: &[Growth], wave: Option<&Wave>) -> Vec<Target> {
    let at_most = |name: String, measured: Option<f64>| Target {
        name,
        aim: Aim::AtMost(2.0),
        measured: measured.map(|us| us / 1e3),
        unit: "ms",
    };
    let mut targets: Vec<Target> = growths
        .iter()
        .filter(|growth| growth.kind == Kind::Sale)
        .map(|growth| {
            let count = crate::print::commas(growth.count);
            at_most(
                format!("longest call of a sale growing to {count}"),
                Some(growth.call_max_us),
            )
        })
        .collect();
    targets.extend(wave.map(|wave| {
        let count = crate::print::commas(wave.count);
        at_most(
            format!("longest sweep, {count} due at once"),
            wave.sweep_max_us,
        )
    }));
    targets
}
