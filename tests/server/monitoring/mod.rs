//! `examples/monitoring`, as an operator uses it.
//!
//! **Goal**: the script tells every field of `INFO flashsale` and the state of each sale,
//! to a user with no more rights than its page gives, also while writes are paused and on
//! a replica; no rule and no panel asks for a name or a label that nobody tells; each alert
//! says how bad it is and where to read on, and none is up while a sale goes well.
//!
//! **Method**: the script is run by EVAL and compared with INFO and the sale, and the names
//! in rules and dashboard with what it told. Where they are installed, the real
//! redis_exporter and Prometheus run with the files as they are, but for addresses and
//! intervals: every query of the dashboard and every recording rule has to find something,
//! and promtool runs the unit tests of the rules. What is missing is told past the capture
//! of the test's output: a skip is always seen.

mod files;
mod tools;
mod watch;

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::{Con, Server, is_soon, replicate, wait_for_replica, wait_until};
use files::{Told, number, told};
use tools::{program, run, tell};
use watch::Watch;

/// A sale that has sold, with a consumer group that has read one of two orders.
fn open_sale(con: &mut Con) {
    con.says("FLASHSALE.CREATE tea tea:orders STOCK 9 USERLIMIT 3", "OK");
    con.says("XGROUP CREATE tea:orders shipping 0 MKSTREAM", "OK");
    con.says("FLASHSALE.BUY tea tea:orders ann 2 ID a1", "SOLD ...");
    con.says("FLASHSALE.BUY tea tea:orders bob 1 ID b1", "SOLD ...");
    con.says("FLASHSALE.RESERVE tea cyd 3 ID c1", "RESERVED ...");
    con.run("XREADGROUP GROUP shipping worker COUNT 1 STREAMS tea:orders >");
}

/// A connection as the user that the page on monitoring makes for the exporter.
#[track_caller]
fn monitor(server: &Server) -> Con {
    let line = format!("ACL SETUSER {}", files::acl_line());
    server.conn().says(&line, "OK");
    let mut con = server.conn();
    con.says("AUTH monitor secret", "OK");
    con
}

#[test]
fn the_script_tells_every_field_of_info() {
    let server = Server::any();
    let mut con = server.conn();
    open_sale(&mut con);
    con.run("FLASHSALE.RESERVE tea cyd 3");
    con.run("FLASHSALE.RESERVE nosuch cyd 3");
    let told = told(&mut con);
    let text = con.text("INFO flashsale");
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    let mut count = 0;
    for (field, value) in fields {
        let found = match field.strip_prefix("flashsale_").expect("a field of ours") {
            name if name.starts_with("outcome_") => {
                let outcome = &name["outcome_".len()..];
                number(&told, "flashsale_outcomes_total", &[("outcome", outcome)])
            }
            name if name.starts_with("error_") => {
                let code = &name["error_".len()..];
                number(&told, "flashsale_errors_total", &[("code", code)])
            }
            _ => number(&told, field, &[]),
        };
        assert_eq!(found, value.trim().parse().ok(), "{field}");
        count += 1;
    }
    assert!(count > 40, "{text}");
    let counted = |name, label| number(&told, name, &[label]);
    assert!(counted("flashsale_outcomes_total", ("outcome", "userlimit")) >= Some(1.0));
    assert!(counted("flashsale_errors_total", ("code", "nosale")) >= Some(1.0));
    assert_eq!(number(&told, "flashsale_loaded", &[]), Some(1.0));
}

/// What the script tells of the sale of [`open_sale`], and whether that is right.
#[track_caller]
fn assert_sale_told(told: &[Told]) {
    let of_sale = |name: &str| number(told, &format!("flashsale_sale_{name}"), &[("sale", "tea")]);
    let units = ["total", "available", "reserved", "sold", "refunded"].map(of_sale);
    assert_eq!(units, [9.0, 3.0, 3.0, 3.0, 0.0].map(Some));
    let others = ["users", "reservations_open", "reservations_remembered"].map(of_sale);
    assert_eq!(others, [3.0, 1.0, 0.0].map(Some));
    assert!(of_sale("memory_bytes") > Some(0.0));
    let state = [("sale", "tea"), ("state", "open")];
    assert_eq!(number(told, "flashsale_sale_state", &state), Some(1.0));
    let group = [("sale", "tea"), ("group", "shipping")];
    let of_group = |name: &str| number(told, &format!("flashsale_orders_{name}"), &group);
    assert_eq!(of_group("undelivered"), Some(1.0));
    assert_eq!(of_group("pending"), Some(1.0));
    assert!(of_group("waiting_ms").is_some_and(|ms| ms < 600_000.0));
}

#[test]
fn the_user_of_the_readme_is_told_all_while_writes_are_paused_and_by_a_replica() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replicate(&primary, &replica);
    open_sale(&mut primary.conn());
    wait_for_replica(&primary, &replica);
    assert_sale_told(&told(&mut monitor(&primary)));
    assert_sale_told(&told(&mut monitor(&replica)));
    let mut con = monitor(&primary);
    primary.conn().says("CLIENT PAUSE 60000 WRITE", "OK");
    assert_sale_told(&told(&mut con));
    // And is told no more than that.
    for line in [
        "FLASHSALE.RELEASE tea c1",
        "FLASHSALE.GET tea a1",
        "XRANGE tea:orders - +",
        "CONFIG GET requirepass",
        "SET key value",
    ] {
        con.fails(line, "NOPERM", "");
    }
    primary.conn().says("CLIENT UNPAUSE", "OK");
}

#[test]
fn an_order_is_no_longer_told_as_waiting_once_it_is_acknowledged() {
    let server = Server::any();
    let mut con = server.conn();
    open_sale(&mut con);
    let group = [("sale", "tea"), ("group", "shipping")];
    let waiting = |con: &mut Con| {
        let told = told(con);
        let of_group = |name: &str| number(&told, &format!("flashsale_orders_{name}"), &group);
        ["undelivered", "pending", "waiting_ms"].map(|name| of_group(name).expect("told"))
    };
    wait_until("it has waited", || waiting(&mut con)[2] > 0.0);
    con.run("XREADGROUP GROUP shipping worker COUNT 1 STREAMS tea:orders >");
    assert_eq!(waiting(&mut con)[..2], [0.0, 2.0]);
    for id in ["a1", "b1"] {
        let order = con.field(&format!("FLASHSALE.GET tea {id}"), "order_id");
        con.says(&format!("XACK tea:orders shipping {order}"), "1");
    }
    assert_eq!(waiting(&mut con), [0.0, 0.0, 0.0]);
}

#[test]
fn sales_are_found_among_few_keys_and_the_strangest_name_is_one_label() {
    let server = Server::any();
    let mut con = server.conn();
    let name = "a\"b{,}group=\"c\\\n";
    let words: [&[u8]; 5] = [
        b"FLASHSALE.CREATE",
        name.as_bytes(),
        b"orders",
        b"STOCK",
        b"1",
    ];
    con.run_words(&words);
    con.says("SET other value", "OK");
    let told = told(&mut con);
    assert_eq!(files::sales(&told), ["a_b{,}group=_c__"].into());
}

#[test]
fn no_sale_is_looked_for_among_too_many_keys() {
    let server = Server::any();
    let mut con = server.conn();
    open_sale(&mut con);
    assert_eq!(files::sales(&told(&mut con)), ["tea"].into());
    con.says("DEBUG POPULATE 1000", "OK");
    let told = told(&mut con);
    assert_eq!(number(&told, "flashsale_sales", &[]), Some(1.0));
    assert_eq!(files::sales(&told), [].into());
}

#[test]
fn sales_that_are_named_are_told_and_one_that_is_gone_is_no_error() {
    let server = Server::any();
    let mut con = server.conn();
    open_sale(&mut con);
    con.says("FLASHSALE.CREATE coffee orders STOCK 1", "OK");
    con.says("FLASHSALE.CREATE third orders STOCK 1", "OK");
    let errors = |con: &mut Con| -> Vec<f64> {
        let told = files::told_of(con, "'nosuch', 'tea', 'tea:orders', 'coffee'");
        assert_eq!(files::sales(&told), ["coffee", "tea"].into());
        let counted = told.iter().filter(|of| of.name == "flashsale_errors_total");
        counted.map(|metric| metric.number).collect()
    };
    let before = errors(&mut con);
    assert_eq!(before, errors(&mut con));
    assert_eq!(before.len(), 7);
}

#[test]
fn rules_and_dashboard_ask_for_what_is_told() {
    let server = Server::any();
    let mut con = server.conn();
    open_sale(&mut con);
    let told = told(&mut con);
    let names: BTreeSet<&str> = told.iter().map(|metric| metric.name.as_str()).collect();
    let asking = files::asking();
    let asked = files::names(&asking, "flashsale_");
    let unknown = asked.iter().filter(|name| !names.contains(name.as_str()));
    assert_eq!(unknown.collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(asked.len() > 20, "{asked:?}");
    let recorded = files::recorded();
    let asked = files::names(&asking, "flashsale:");
    let unknown = asked.iter().filter(|name| !recorded.contains(&&name[..]));
    assert_eq!(unknown.collect::<Vec<_>>(), Vec::<&String>::new());
    for label in ["outcome", "code"] {
        let values: BTreeSet<&String> = told
            .iter()
            .filter_map(|metric| metric.labels.get(label))
            .collect();
        for value in files::values_asked(&asking, label) {
            assert!(values.contains(&value), "{label}={value:?}");
        }
    }
    let documented = files::documented("## Metrics");
    let documented: BTreeSet<&str> = documented.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(documented, names, "the page's table of metrics");
}

#[test]
fn every_alert_says_how_bad_it_is_and_where_to_read_on() {
    let anchors = [
        "alerts",
        "success-rate",
        "sweep-lag",
        "backlog",
        "entries-that-wait",
        "memory",
        "evictions",
        "divergence",
        "diverged-sales",
        "owed",
        "replica-lag",
    ];
    let alerts: Vec<(&str, &str)> = files::RULES
        .split("- alert: ")
        .skip(1)
        .map(|alert| alert.split_once('\n').expect("its lines"))
        .collect();
    let documented = files::documented("## Alerts");
    for (name, alert) in &alerts {
        for line in ["for: ", "severity: ", "summary: \"", "runbook_url: "] {
            assert!(alert.contains(line), "{name}: {line}");
        }
        let (_, rest) = alert.split_once("runbook_url: ").expect("a link");
        let link = rest.lines().next().unwrap_or_default();
        let anchor = link.strip_prefix("docs/operating/runbook.md#");
        assert!(
            anchor.is_some_and(|anchor| anchors.contains(&anchor)),
            "{name}: {link}"
        );
        let row = documented.iter().find(|(row, _)| row == name);
        let severity = row.map(|(_, cells)| cells[0].as_str()).unwrap_or_default();
        let (_, rest) = alert.split_once("severity: ").expect("a severity");
        let is = rest.lines().next().unwrap_or_default();
        assert!(
            severity.contains(is),
            "{name} is {is}, on the page {severity:?}"
        );
        let tested = format!("alertname: {name}");
        assert!(
            files::RULES_TEST.contains(&tested),
            "{name} has no unit test"
        );
    }
    assert_eq!(alerts.len(), documented.len(), "the page's table");
    let runbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating/runbook.md");
    let Ok(runbook) = std::fs::read_to_string(runbook) else {
        return tell("SKIPPED: there is no docs/operating/runbook.md to look into");
    };
    let headings: Vec<String> = runbook
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .replace(' ', "-")
        })
        .collect();
    for anchor in anchors {
        assert!(headings.iter().any(|heading| heading == anchor), "{anchor}");
    }
}

#[test]
fn the_dashboard_is_laid_out_for_any_server_with_units_and_words() {
    let dashboard = files::dashboard();
    let variables = dashboard["templating"]["list"].as_array().expect("a list");
    let variables: Vec<&str> = variables
        .iter()
        .map(|variable| variable["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(variables, ["datasource", "instance", "sale"]);
    let panels = files::panels(&dashboard);
    let mut taken = BTreeSet::new();
    let mut idents = BTreeSet::new();
    for panel in &panels {
        let title = panel["title"].as_str().expect("a title");
        let is_known = ["timeseries", "stat"].iter().any(|is| panel["type"] == *is);
        assert!(is_known, "{title}: {}", panel["type"]);
        assert!(idents.insert(panel["id"].as_u64()), "{title}: its id");
        let description = panel["description"].as_str().unwrap_or_default();
        assert!(description.ends_with('.'), "{title}: a description");
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
        assert!(unit.is_some_and(|unit| !unit.is_empty()), "{title}: a unit");
        let place = |name: &str| panel["gridPos"][name].as_u64().expect("a place");
        assert!(place("x") + place("w") <= 24, "{title}: too wide");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{title}: over another panel");
            }
        }
        let targets = panel["targets"].as_array().expect("targets");
        for target in [*panel].into_iter().chain(targets) {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
        let refs: BTreeSet<&str> = targets
            .iter()
            .filter_map(|target| target["refId"].as_str())
            .collect();
        assert!(
            !refs.is_empty() && refs.len() == targets.len(),
            "{title}: refs"
        );
        for target in targets {
            let query = target["expr"].as_str().expect("a query");
            assert!(query.contains("=~\"$instance\""), "{title}: {query}");
        }
    }
    assert!(panels.len() > 20, "{} panels", panels.len());
    for (title, query) in files::queries() {
        assert!(!query.contains('$'), "{title}: another variable in {query}");
    }
}

#[test]
fn promtool_accepts_the_files_and_runs_the_tests_of_the_rules() {
    let Some(promtool) = program(&["promtool"]) else {
        return;
    };
    let folder = files::folder();
    run(&promtool, &folder, &["check", "config", "prometheus.yml"]);
    run(&promtool, &folder, &["test", "rules", "rules_test.yml"]);
}

#[test]
fn compose_accepts_its_file() {
    let Some(compose) = program(&["docker-compose"]) else {
        return;
    };
    let args = ["-f", "compose.yml", "config", "--quiet"];
    run(&compose, &files::folder(), &args);
}

/// What happens in a sale that goes well, once more.
fn go_on(con: &mut Con, round: u64) {
    for line in [
        format!("FLASHSALE.RESERVE tea dan 1 ID d{round}"),
        format!("FLASHSALE.RELEASE tea d{round}"),
        "FLASHSALE.RESERVE tea cyd 3".to_owned(),
        "FLASHSALE.RESERVE tea ann 2 ID a1".to_owned(),
        "FLASHSALE.CHECKOUT tea tea:orders a1".to_owned(),
        "FLASHSALE.STOCK tea".to_owned(),
    ] {
        let reply = con.show(&line);
        assert!(!reply.contains("(error)"), "{line}: {reply}");
    }
}

#[test]
fn every_query_finds_what_the_real_exporter_tells_and_nothing_is_alarming() {
    let own = || Server::own(&["--maxmemory 1gb --appendonly yes"], &[]);
    let (Some(primary), Some(mut replica)) = (own(), own()) else {
        return;
    };
    replicate(&primary, &replica);
    for server in [&primary, &replica] {
        monitor(server);
    }
    let Some(watch) = Watch::over(&[&primary, &replica]) else {
        return tell("SKIPPED: rules and dashboard were only compared with the script");
    };
    let mut con = primary.conn();
    open_sale(&mut con);
    // What each panel and each rule needs, while the sale goes on.
    let mut queries = files::queries();
    queries.extend(
        files::recorded()
            .into_iter()
            .map(|name| (name.to_owned(), name.to_owned())),
    );
    let mut empty: Vec<(String, String)> = Vec::new();
    let mut round = 0;
    is_soon(|| {
        round += 1;
        go_on(&mut con, round);
        empty.clone_from(&queries);
        empty.retain(|(_, query)| watch.prometheus.finds(query) == 0);
        empty.is_empty()
    });
    assert_eq!(empty, [], "these find nothing");

    let names = watch.prometheus.values("__name__");
    let asking = files::asking();
    for prefix in ["redis_", "flashsale_"] {
        for name in files::names(&asking, prefix) {
            assert!(names.contains(&name), "nobody tells {name}");
        }
    }
    for label in files::CLOSED_LABELS {
        let values = watch.prometheus.values(label);
        for value in files::values_asked(&asking, label) {
            let is_told = values.contains(&value) || value == "flashsale[.].+";
            assert!(is_told, "nobody tells {label}={value:?}");
        }
    }
    // Each number the script tells is one series of each server, with its labels.
    for metric in told(&mut con) {
        let labels = metric.labels.iter();
        let labels: String = labels
            .map(|(label, value)| format!(", {label}={value:?}"))
            .collect();
        let query = format!("{}{{instance=~\".+\"{labels}}}", metric.name);
        assert_eq!(watch.prometheus.finds(&query), 2, "{query}");
    }
    // Nothing is left as the exporter told it.
    for query in [
        "{__name__=~\"flashsale_.*\", key=~\".+\"}",
        "redis_script_values{key=~\"flashsale.*\"}",
    ] {
        assert_eq!(watch.prometheus.finds(query), 0, "{query}");
    }
    // Soon: a scrape that took too long on a busy machine alarms for a moment.
    let mut alarming = Vec::new();
    is_soon(|| {
        alarming = watch.prometheus.rules();
        alarming.retain(|rule| {
            rule["health"] != "ok" || rule["type"] == "alerting" && rule["state"] != "inactive"
        });
        alarming.is_empty()
    });
    assert_eq!(alarming, Vec::<serde_json::Value>::new());
    replica.kill9();
    wait_until("the dead server is noticed", || {
        watch.state("FlashsaleServerDown") != "inactive"
    });
    tell("ran: redis_exporter and Prometheus on two servers");
}

/// What redis_exporter after 1.45 tells of the script: with the label `filename`, and of
/// whatever else it is told to run.
const LATER_PAGE: &str = r#"
redis_script_result{filename="/flashsale.lua"} 1
redis_script_values{filename="/flashsale.lua",key="flashsale_sweeps"} 7
redis_script_values{filename="/flashsale.lua",key="flashsale_orders_pending{sale=\"tea, hot\",group=\"g}\"}"} 3
redis_script_values{filename="/other.lua",key="other{sale=\"tea\"}"} 5
redis_key_size{db="db0",key="flashsale_key"} 1
"#;

#[test]
fn what_a_later_exporter_tells_comes_to_the_same() {
    let Some(prometheus) = program(&["prometheus"]) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let exporter = watch::serve(LATER_PAGE);
    let prometheus = watch::scraping(&prometheus, folder.path(), &["redis:1"], &exporter);
    wait_until("it was scraped", || prometheus.finds("redis_key_size") == 1);
    let matching = "%7Binstance=%22redis:1%22,__name__=~%22flashsale_.%2B%7Credis_.%2B%22%7D";
    let series = prometheus.api(&format!("series?match[]={matching}"));
    let mut told: Vec<String> = series
        .as_array()
        .expect("a list")
        .iter()
        .map(|labels| {
            let labels = labels.as_object().expect("labels").iter();
            let own = labels.filter(|(label, _)| !["instance", "job"].contains(&label.as_str()));
            let shown = own.map(|(label, value)| format!("{label}={value}"));
            shown.collect::<Vec<_>>().join(" ")
        })
        .collect();
    told.sort();
    let expected = [
        r#"__name__="flashsale_orders_pending" group="g}" sale="tea, hot""#,
        r#"__name__="flashsale_sweeps""#,
        r#"__name__="redis_key_size" db="db0" key="flashsale_key""#,
        r#"__name__="redis_script_result" filename="/flashsale.lua""#,
        r#"__name__="redis_script_values" filename="/other.lua" key="other{sale=\"tea\"}""#,
    ];
    assert_eq!(told, expected);
}
