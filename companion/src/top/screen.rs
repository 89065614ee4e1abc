//! What is printed of a look, with the rates since the look before.

use crate::link::{Group, ReplicaRow, StockRow, entry_ms};
use crate::log;
use crate::plain::{bar, commas, harmless};

use super::look::{Look, SaleLook, ServerLook};

/// Items of one sale that have a line of their own.
const ITEMS_MAX: usize = 20;
const BAR_WIDTH: u64 = 40;

/// Counters of `INFO flashsale` that are answers to requests.
const ANSWERS: &str = "outcome_";
/// What the server does by itself, or counts beside the answer.
const NO_ANSWERS: [&str; 2] = ["outcome_expired", "outcome_forgotten"];

/// Draws a look.
pub fn draw(now: &Look, before: &Look) -> String {
    let mut text = String::new();
    for sale in &now.sales {
        draw_sale(sale, &mut text);
    }
    for why in &now.refused {
        text += &format!("{}\n\n", harmless(why));
    }
    if now.sales.is_empty() {
        text += "no sale here\n\n";
    }
    let seconds = match (now.at, before.at) {
        (Some(now), Some(before)) => now.duration_since(before).as_secs_f64(),
        _ => 0.0,
    };
    for server in &now.servers {
        let earlier = before
            .servers
            .iter()
            .find(|known| known.name == server.name);
        draw_server(server, earlier, seconds, &mut text);
    }
    if let Some(dead) = &now.dead {
        let of = |(reason, count): &(String, i64)| format!("{count} {}", harmless(reason));
        let reasons: Vec<String> = dead.iter().map(of).collect();
        text += &match reasons.is_empty() {
            true => "dead letters 0\n".to_owned(),
            false => format!("dead letters {}\n", reasons.join(", ")),
        };
    }
    text
}

fn draw_sale(sale: &SaleLook, text: &mut String) {
    let number = |name: &str| sale.numbers.get(name).copied().unwrap_or(0);
    let count = |name: &str| commas(number(name).unsigned_abs());
    *text += &format!(
        "{}  {}  {} open reservations, {} users, {} refunded\n",
        harmless(&sale.key),
        sale.state,
        count("reservations_open"),
        count("users"),
        count("refunded"),
    );
    let names = sale.items.iter().take(ITEMS_MAX);
    let width = names.map(|row| harmless(&row.sku).chars().count()).max();
    let width = width.unwrap_or(0);
    for StockRow { sku, units, .. } in sale.items.iter().take(ITEMS_MAX) {
        *text += &format!("  {:width$} {}\n", harmless(sku), bar(*units, BAR_WIDTH));
    }
    let rest = sale.items.get(ITEMS_MAX..).unwrap_or_default();
    if !rest.is_empty() {
        let mut sum = [0; 3];
        for row in rest {
            for (sum, units) in sum.iter_mut().zip(row.units) {
                *sum += units;
            }
        }
        let name = format!("{} more", rest.len());
        *text += &format!("  {name:width$} {}\n", bar(sum, BAR_WIDTH));
    }
    // Units that are owed after a loss: only where there are any.
    if number("owed") > 0 {
        *text += &format!("  owed {}\n", count("owed"));
    }
    for group in &sale.groups {
        draw_group(group, text);
    }
    if sale.groups.is_empty() {
        *text += &format!("  nobody reads {} by a group\n", harmless(&sale.orders));
    }
    text.push('\n');
}

fn draw_group(group: &Group, text: &mut String) {
    let name = harmless(&String::from_utf8_lossy(&group.name));
    let lag = group
        .lag
        .map_or("?".into(), |lag| commas(lag.unsigned_abs()));
    *text += &format!("  group {name}: lag {lag}, {} pending", group.pending);
    if let Some(ms) = group.oldest.as_deref().and_then(entry_ms) {
        let age_ms = log::now_ms().saturating_sub(ms).max(0);
        *text += &format!(", the oldest {:.1} s old", age_ms as f64 / 1e3);
    }
    text.push('\n');
}

fn draw_server(server: &ServerLook, before: Option<&ServerLook>, seconds: f64, text: &mut String) {
    let counter = |name: &str| server.counters.get(name).copied().unwrap_or(0);
    *text += &format!("{}  {}, ", server.name, server.version);
    *text += &match server.replicas.len() {
        0 => "no replica\n".to_owned(),
        1 => "1 replica: ".to_owned(),
        count => format!("{count} replicas: "),
    };
    let of = |replica: &ReplicaRow| {
        let ReplicaRow {
            host,
            port,
            state,
            lag,
        } = replica;
        format!("{host}:{port} {state}, {lag} s behind")
    };
    let replicas: Vec<String> = server.replicas.iter().map(of).collect();
    if !replicas.is_empty() {
        *text += &format!("{}\n", replicas.join("; "));
    }
    let mut rates: Vec<(u64, &str)> = Vec::new();
    if let Some(before) = before {
        for (name, count) in &server.counters {
            let Some(word) = name.strip_prefix(ANSWERS) else {
                continue;
            };
            let grown = count - before.counters.get(name).copied().unwrap_or(0);
            if grown > 0 && seconds > 0.0 && !NO_ANSWERS.contains(&name.as_str()) {
                rates.push(((grown as f64 / seconds).ceil() as u64, word));
            }
        }
    }
    rates.sort_by(|one, other| (other.0, one.1).cmp(&(one.0, other.1)));
    let of = |(rate, word): &(u64, &str)| format!("{word} {}", commas(*rate));
    let rates: Vec<String> = rates.iter().map(of).collect();
    *text += &match rates.is_empty() {
        true => "  answers a second: none\n".to_owned(),
        false => format!("  answers a second: {}\n", rates.join(", ")),
    };
    *text += &format!(
        "  sweep lag {} ms, at most {} ms; overdue {} ms\n",
        counter("sweep_lag_ms"),
        counter("sweep_lag_ms_max"),
        counter("overdue_ms")
    );
    for (name, what) in [
        ("sales_diverged", "sales are diverged: see FLASHSALE.DOCTOR"),
        (
            "replay_divergence",
            "events did not fit: see FLASHSALE.DOCTOR",
        ),
    ] {
        if counter(name) > 0 {
            *text += &format!("  {} {what}\n", counter(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn row(sku: &str, units: [u64; 3]) -> StockRow {
        StockRow {
            sku: sku.into(),
            units,
            waiting: 0,
        }
    }

    fn sale() -> SaleLook {
        SaleLook {
            key: "tea\x1b[2J".into(),
            state: "open".into(),
            orders: "tea:orders".into(),
            numbers: [("users".to_owned(), 1_200), ("owed".to_owned(), 3)].into(),
            items: vec![row("red", [5, 3, 2]), row("blue", [0, 0, 10])],
            groups: vec![Group {
                name: b"sql".to_vec(),
                lag: Some(1_234),
                pending: 2,
                ..Group::default()
            }],
        }
    }

    #[test]
    fn draws_sales_servers_and_rates() {
        let at = Instant::now();
        let server = |sold: i64, soldout: i64| ServerLook {
            name: "a:1".into(),
            version: "Redis 7.0.15".into(),
            replicas: vec![ReplicaRow {
                host: "b".into(),
                port: 2,
                state: "online".into(),
                lag: "1".into(),
            }],
            counters: [
                ("outcome_sold".to_owned(), sold),
                ("outcome_soldout".to_owned(), soldout),
                ("outcome_expired".to_owned(), sold),
                ("sweep_lag_ms".to_owned(), 4),
            ]
            .into(),
        };
        let look = |at, server| Look {
            at: Some(at),
            sales: vec![sale()],
            refused: vec!["gone\x1b: NOSALE".into()],
            servers: vec![server],
            dead: Some(vec![("conflict".into(), 2)]),
        };
        let before = look(at, server(10, 100));
        let now = look(at + Duration::from_secs(2), server(30, 5_100));
        let expected = "\
tea?[2J  open  0 open reservations, 1,200 users, 0 refunded
  red  [########++++++++++++....................] 2 sold, 3 reserved, 5 available
  blue [########################################] 10 sold, 0 reserved, 0 available
  owed 3
  group sql: lag 1,234, 2 pending

gone?: NOSALE

a:1  Redis 7.0.15, 1 replica: b:2 online, 1 s behind
  answers a second: soldout 2,500, sold 10
  sweep lag 4 ms, at most 0 ms; overdue 0 ms
dead letters 2 conflict
";
        assert_eq!(draw(&now, &before), expected);
    }

    #[test]
    fn sums_the_items_that_have_no_line_and_invents_no_rate() {
        let mut many = sale();
        many.items = (0..23)
            .map(|at| row(&format!("s{at}"), [1, 0, at]))
            .collect();
        let look = Look {
            sales: vec![many],
            servers: vec![ServerLook {
                name: "a:1".into(),
                counters: [("outcome_sold".to_owned(), 9)].into(),
                ..ServerLook::default()
            }],
            ..Look::default()
        };
        let text = draw(&look, &Look::default());
        assert!(text.contains("  3 more [#"), "{text}");
        assert!(text.contains("63 sold, 0 reserved, 3 available"), "{text}");
        assert!(text.contains("answers a second: none"), "{text}");
        assert!(text.contains("no replica"), "{text}");
    }
}
