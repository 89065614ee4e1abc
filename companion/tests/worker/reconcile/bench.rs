//! How long a million orders take: `make bench-companion`.
//!
//! **Method**: a sale of a million orders and the same orders in SQL, made without the worker.
//! First nothing is missing, and everything is compared: SQL, the stream, SCAN and AUDIT. Then
//! the sale is made again, empty, and the whole of it imported. The databases keep their
//! defaults, and the server writes its AOF.

use std::time::Instant;

use redis::Value;

use super::{reconcile, server, text, value_of};
use crate::servers::{DatabaseServer, Redis, Sql};

/// Orders in one MBUY.
const BATCH: usize = 100;

fn orders() -> usize {
    let wanted = std::env::var("FLASHSALE_BENCH_ORDERS").ok();
    wanted.map_or(1_000_000, |number| number.parse().expect("a number"))
}

const CREATE: &str = "FLASHSALE.CREATE tea tea:orders ITEMS 1 green 10000000";

/// Sells them, one unit each.
fn fill_sale(redis: &Redis) {
    redis.ask::<String>(CREATE);
    let mut connection = redis.connection().expect("a connection");
    for start in (0..orders()).step_by(BATCH * 20) {
        let mut pipe = redis::pipe();
        for at in start..(start + BATCH * 20).min(orders()) {
            let command = pipe.cmd("FLASHSALE.BUY").arg("tea").arg("tea:orders");
            command.arg(format!("user-{at:07}")).arg(1);
            command.arg("ID").arg(format!("order-{at:07}"));
            command.arg("REF").arg(format!("charge-{at:07}"));
            command
                .arg("PAYLOAD")
                .arg(r#"{"amount":12900,"intent":"0196f3c1"}"#);
            command.ignore();
        }
        pipe.query::<()>(&mut connection).expect("BUY");
    }
}

/// Writes the same orders into SQL.
fn fill_sql(sql: &Sql, kind: &str, sale_id: &str) {
    let count = orders();
    let (numbers, padded) = match kind {
        "postgres" => (
            format!("generate_series(0, {}) AS s(n)", count - 1),
            "lpad(n::text, 7, '0')",
        ),
        "mariadb" => (
            format!("(SELECT seq AS n FROM seq_0_to_{}) s", count - 1),
            "lpad(n, 7, '0')",
        ),
        _ => (
            format!(
                "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {}) SELECT n FROM s)",
                count - 1
            ),
            "substr('0000000' || n, -7)",
        ),
    };
    let bytes = |prefix: &str| match kind {
        "postgres" => format!("convert_to('{prefix}-' || {padded}, 'UTF8')"),
        "mariadb" => format!("CONCAT('{prefix}-', {padded})"),
        _ => format!("CAST('{prefix}-' || {padded} AS BLOB)"),
    };
    let name = |name: &str| match kind {
        "postgres" => format!("convert_to('{name}', 'UTF8')"),
        "mariadb" => format!("'{name}'"),
        _ => format!("CAST('{name}' AS BLOB)"),
    };
    let (delivery, zero) = match kind {
        "mariadb" => (", delivery", ", 0"),
        _ => ("", ""),
    };
    let items = r#"[{"sku":"green","qty":1}]"#;
    let payload = r#"{"amount":12900,"intent":"0196f3c1"}"#;
    sql.run(&format!(
        "INSERT INTO flashsale_orders (sale_id, id, ref, user_id, qty, items, payload, at_ms, entry_id, sale, stream, imported{delivery}) SELECT '{sale_id}', {}, {}, {}, 1, '{items}', '{payload}', 1700000000000, '1-1', {}, {}, 0{zero} FROM {numbers}",
        bytes("order"),
        bytes("charge"),
        bytes("user"),
        name("tea"),
        name("tea:orders"),
    ));
}

/// Returns how many IMPORTs a second the server takes, in pipelines of 500.
fn imports_a_second() -> f64 {
    let redis = server(&[]);
    redis.ask::<String>(CREATE);
    let mut connection = redis.connection().expect("a connection");
    let count = orders().min(200_000);
    let pipelines: Vec<redis::Pipeline> = (0..count)
        .step_by(500)
        .map(|start| {
            let mut pipe = redis::pipe();
            for at in start..start + 500 {
                let command = pipe.cmd("FLASHSALE.IMPORT").arg("tea").arg("tea:orders");
                command.arg(format!("user-{at:07}")).arg(1);
                command.arg("ID").arg(format!("order-{at:07}"));
                command.arg("AT").arg(1_700_000_000_000_u64);
                command.arg("REF").arg(format!("charge-{at:07}"));
                command
                    .arg("PAYLOAD")
                    .arg(r#"{"amount":12900,"intent":"0196f3c1"}"#);
                command.ignore();
            }
            pipe
        })
        .collect();
    let begin = Instant::now();
    for pipe in &pipelines {
        pipe.query::<()>(&mut connection).expect("IMPORT");
    }
    count as f64 / begin.elapsed().as_secs_f64()
}

fn sale_id(redis: &Redis) -> String {
    let info: Vec<Value> = redis.ask("FLASHSALE.INFO tea");
    text(&value_of(&info, "sale_id").expect("a sale_id"))
}

#[test]
#[ignore = "a measurement: make bench-companion"]
fn compares_and_imports_so_many_orders() {
    println!(
        "{:.0} IMPORTs a second, in pipelines of 500",
        imports_a_second()
    );
    let sold = server(&[]);
    fill_sale(&sold);
    let sale_id = sale_id(&sold);
    println!(
        "| Database | {} orders compared | Imported in a second |\n|---|---|---|",
        orders()
    );
    for kind in ["sqlite", "postgres", "mariadb"] {
        let Some(database) = DatabaseServer::start(kind) else {
            continue;
        };
        let url = database.database("shop");
        if kind == "sqlite" {
            std::fs::File::create(url.trim_start_matches("sqlite:")).expect("a file");
        }
        let made = crate::worker::run(&["--migrate-only", "--sql", &url]);
        assert!(made.status.success());
        let sql = Sql::open(&url).expect("a database");
        fill_sql(&sql, kind, &sale_id);
        if kind == "postgres" {
            // Whoever reads a row first writes down that it is committed. The rows of a sale
            // that ran for a while have been read.
            sql.run("VACUUM ANALYZE flashsale_orders");
        }
        let begin = Instant::now();
        let compared = reconcile(&sold.url(), &url, &[]);
        let took = begin.elapsed().as_secs_f64();
        compared.finds_nothing();
        assert_eq!(compared.json["compared"], orders());
        let empty = server(&[]);
        empty.ask::<String>(&format!("{CREATE} SALEID {sale_id}"));
        let begin = Instant::now();
        let imported = reconcile(&empty.url(), &url, &["--apply"]);
        let all = begin.elapsed().as_secs_f64();
        assert_eq!(imported.of("lost"), (orders() as i64, orders() as i64));
        println!("| {kind} | {took:.1} s | {all:.1} s |");
    }
}
