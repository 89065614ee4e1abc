//! **Goal**: a setting is what it was set to, wherever that was said - as an argument of
//! the module, in the server's file, by CONFIG SET - and stays so over CONFIG REWRITE and
//! a restart. A value out of range is refused in each place, in words that name the
//! setting and its range; at the load they are a line in the log, and the load fails.
//!
//! **Method**: the table of the page on configuration is the list, with defaults and ranges.
//! Every setting gets its least and its largest value and those next to them, in every
//! place there is, on real servers.

use crate::support::{Con, Server};

const PAGE: &str = include_str!("../../docs/reference/configuration.md");

/// A row of the page's table.
struct Setting {
    name: &'static str,
    default: &'static str,
    /// Values that are taken, as they are told again.
    good: Vec<String>,
    bad: Vec<String>,
    /// How an error names the range: on CONFIG SET, and at the load.
    told: [String; 2],
    is_mutable: bool,
}

impl Setting {
    fn read(row: &'static str) -> Setting {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, default, unit, range, ..] = cells[..] else {
            panic!("a row of the table: {row}");
        };
        let (name, default) = (name.trim_matches('`'), default.trim_matches('`'));
        let words = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let mut setting = Setting {
            name,
            default,
            good: Vec::new(),
            bad: words(&["", "x", "1x"]),
            told: Default::default(),
            is_mutable: range != "at load only",
        };
        match (range.split_once(" to "), range.strip_suffix(", exclusive")) {
            (_, Some(range)) => {
                setting.good = words(&["0.000000001", "0.125"]);
                setting.bad.extend(words(&["0", "1", "0.0000000009", "-1"]));
                setting.told = [range, range].map(|range| format!("from {range}, exclusive"));
            }
            (Some((min, max)), None) => {
                let (min, max) = (number(min), number(max));
                setting.good = [min, max].map(|value| value.to_string()).into();
                let beside = [min - 1, max + 1, -1].map(|value| value.to_string());
                setting.bad.extend(beside);
                setting.told = [
                    format!("between {min} and {max}"),
                    format!("from {min} to {max}"),
                ];
            }
            (None, None) => {
                assert_eq!(unit, "yes or no", "a range: {range}");
                setting.good = words(&["yes", "no"]);
                setting.told = ["yes", "not yes or no"].map(str::to_owned);
            }
        }
        setting
    }
}

/// `100,000`, `2^30`, `2^53 - 1`.
fn number(text: &str) -> i64 {
    let (text, less) = match text.split_once(" - ") {
        Some((text, less)) => (text, less.parse::<i64>().expect("a number")),
        None => (text, 0),
    };
    let value = match text.split_once('^') {
        Some((base, power)) => {
            let base: i64 = base.parse().expect("a number");
            base.pow(power.parse().expect("a power"))
        }
        None => text.replace(',', "").parse().expect("a number"),
    };
    value - less
}

fn settings() -> Vec<Setting> {
    let (chapter, _) = PAGE.split_once("\n## ").expect("its end");
    let rows = chapter.lines().filter(|line| line.starts_with("| `"));
    let settings: Vec<Setting> = rows.map(Setting::read).collect();
    assert!(settings.len() >= 8, "{} settings", settings.len());
    settings
}

/// Asserts what the server says a setting is.
#[track_caller]
fn is(con: &mut Con, name: &str, value: &str) {
    let told = con.map(&format!("CONFIG GET flashsale.{name}"));
    let expected = vec![(format!("flashsale.{name}"), value.to_owned())];
    let plain = |(name, value): (String, String)| (name, value.trim_matches('"').to_owned());
    let told: Vec<_> = told.into_iter().map(plain).collect();
    assert_eq!(told, expected);
}

#[test]
fn config_set_takes_the_range_and_nothing_beside_it() {
    let server = Server::any();
    let mut con = server.conn();
    for setting in settings() {
        let name = setting.name;
        is(&mut con, name, setting.default);
        let set = |value: &str| format!("CONFIG SET flashsale.{name} '{value}'");
        if !setting.is_mutable {
            con.fails(&set("yes"), "ERR", "immutable");
            continue;
        }
        for value in &setting.good {
            con.says(&set(value), "OK");
            is(&mut con, name, value);
        }
        for value in &setting.bad {
            con.fails(&set(value), "ERR", &format!("flashsale.{name}"));
            let is_number = value.parse::<f64>().is_ok();
            if is_number {
                con.fails(&set(value), "ERR", &setting.told[0]);
            }
            is(&mut con, name, &setting.good[1]);
        }
        con.says(&set(setting.default), "OK");
    }
}

#[test]
fn arguments_of_the_module_and_the_servers_file_take_the_range() {
    for setting in settings() {
        let name = setting.name;
        for value in &setting.good {
            let Some(server) = Server::own(&[], &[&format!("{name} {value}")]) else {
                return;
            };
            is(&mut server.conn(), name, value);
            // What the file says is said later than the argument.
            let server = Server::own(
                &[&format!("--flashsale.{name} {value}")],
                &[&format!("{name} {}", setting.default)],
            );
            let server = server.expect("a server with settings of its own");
            is(&mut server.conn(), name, value);
        }
    }
}

#[test]
fn a_module_argument_out_of_range_fails_the_load_with_a_line_that_names_the_range() {
    if Server::own(&[], &[]).is_none() {
        return;
    }
    for setting in settings() {
        let name = setting.name;
        for value in setting.bad.iter().filter(|value| !value.is_empty()) {
            let log = Server::start_in_vain(&[], &[&format!("{name} {value}")]);
            let is_number = value.parse::<f64>().is_ok();
            let line = log.lines().find(|line| {
                line.contains(&format!("module argument {name}"))
                    && line.contains(&format!("'{value}'"))
                    && (!is_number || line.contains(&setting.told[1]))
            });
            assert!(line.is_some(), "{name} {value}:\n{log}");
        }
        let log = Server::start_in_vain(&[], &[name]);
        let line = format!("the module argument {name} has no value");
        assert!(log.contains(&line), "{log}");
        let twice = format!("{name} {0} {name} {0}", setting.default);
        let log = Server::start_in_vain(&[], &[&twice]);
        let line = format!("the module argument {name} is given twice");
        assert!(log.contains(&line), "{log}");
    }
    let log = Server::start_in_vain(&[], &["sweep 1"]);
    assert!(log.contains("unknown module argument 'sweep'"), "{log}");
}

#[test]
fn a_line_of_the_servers_file_that_is_out_of_range_fails_the_start() {
    if Server::own(&[], &[]).is_none() {
        return;
    }
    for setting in settings() {
        let name = setting.name;
        for value in setting.bad.iter().filter(|value| !value.is_empty()) {
            let log = Server::start_in_vain(&[&format!("--flashsale.{name} {value}")], &[]);
            assert!(
                log.contains(&format!("flashsale.{name}")),
                "{name} {value}:\n{log}"
            );
        }
    }
}

#[test]
fn config_rewrite_keeps_what_was_set_also_beside_module_arguments() {
    // One is an argument and stays so, one is an argument and changed, one is changed
    // to what an argument would be without it, the rest are changed or left alone.
    let arguments = "sweep-max 7 max-items 8 default-hold-ms 9 bf-aliases yes";
    let Some(mut server) = Server::own(&["redis.conf"], &[arguments]) else {
        return;
    };
    let mut con = server.conn();
    let set = [
        ("max-items", "88"),
        ("default-hold-ms", "300000"),
        ("max-reservations", "1000"),
        ("bf-error-rate", "0.001"),
        ("bf-initial-size", "5000"),
    ];
    for (name, value) in set {
        con.says(&format!("CONFIG SET flashsale.{name} {value}"), "OK");
    }
    let expected = |con: &mut Con| {
        set.iter().for_each(|(name, value)| is(con, name, value));
        for (name, value) in [
            ("sweep-max", "7"),
            ("bf-expansion", "2"),
            ("bf-aliases", "yes"),
        ] {
            is(con, name, value);
        }
    };
    // Twice: what was read from the file is written into it again.
    for _ in 0..2 {
        let mut con = server.conn();
        con.says("CONFIG REWRITE", "OK");
        server.restart();
        expected(&mut server.conn());
    }
    // It is in force, too.
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1", "OK");
    con.fields("FLASHSALE.INFO sale", "hold_ms 300000");
    con.says("FLASHSALE.BFADD f a", "1");
    con.says("FLASHSALE.BFINFO f CAPACITY", "5000");
}
