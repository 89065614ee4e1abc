//! What `make bench` says.
//!
//! **Goal**: the figures of a row are those the load's own program printed, a table is
//! legible as text, and the docs show what was measured and nothing else.
//!
//! **Method**: the files of the benchmark that read and write text are included by path
//! and given text that redis-benchmark printed; the page on performance is compared with the summary
//! that the benchmark wrote into docs/bench. What sums the instructions of the module is
//! given a file as callgrind writes them.

#[allow(dead_code)]
#[path = "../benches/server/load.rs"]
mod load;
#[allow(dead_code)]
#[path = "../examples/common/print.rs"]
mod print;
#[allow(dead_code)]
#[path = "../examples/common/reply.rs"]
mod reply;
#[allow(dead_code)]
#[path = "../benches/server/table.rs"]
mod table;

use std::fs;
use std::path::Path;

use load::Seen;
use table::{Table, number};

/// As Redis 7.0, Redis 8.0 and Valkey 8.1 print it, `\r` of the running line included.
const PRINTED: &str = "\
HINCRBY h __rand_int__ 1: rps=0.0 (overall: -nan) avg_msec=-nan (overall: -nan)\r\
====== HINCRBY h __rand_int__ 1 ======
  200000 requests completed in 0.23 seconds
  50 parallel clients

Latency by percentile distribution:
0.000% <= 0.263 milliseconds (cumulative count 64)
50.000% <= 3.223 milliseconds (cumulative count 100032)
99.805% <= 9.351 milliseconds (cumulative count 199616)
99.902% <= 9.375 milliseconds (cumulative count 199808)
100.000% <= 9.407 milliseconds (cumulative count 200000)

Cumulative distribution of latencies:
98.656% <= 7.103 milliseconds (cumulative count 197312)
100.000% <= 10.103 milliseconds (cumulative count 200000)

Summary:
  throughput summary: 865800.81 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        3.605     0.264     3.223     6.199     8.495     9.407
";

#[test]
fn the_figures_are_those_the_load_printed() {
    let seen = load::read(PRINTED);
    let expected = Seen {
        per_second: 865_800.81,
        p50_ms: 3.223,
        p99_ms: 8.495,
        p999_ms: 9.375,
        max_ms: 9.407,
    };
    assert_eq!(seen, Some(expected));
}

#[test]
fn what_is_cut_off_or_something_else_has_no_figures() {
    for end in [0, 80, 400, PRINTED.len() - 60] {
        assert_eq!(load::read(&PRINTED[..end]), None, "{end} bytes");
    }
    assert_eq!(load::read("Error from server: ERR no"), None);
}

#[test]
fn a_table_is_markdown_and_legible_as_it_is() {
    let mut table = Table::new(&["row", "calls/s", "p50 ms"]);
    table.add(vec!["PING".into(), number(1_234_567.8, 0), number(0.5, 2)]);
    table.add(vec!["A longer one".into(), number(9.0, 0), number(10.0, 2)]);
    let expected = "\
| row          |   calls/s | p50 ms |
| ------------ | --------: | -----: |
| PING         | 1,234,568 |   0.50 |
| A longer one |         9 |  10.00 |
";
    assert_eq!(table.markdown(), expected);
}

#[test]
fn the_page_on_performance_shows_what_was_measured() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect(path);
    let page = read("docs/internals/performance.md");
    let summary = read("docs/bench/summary.md");
    assert!(
        page.contains(&summary),
        "docs/internals/performance.md does not contain docs/bench/summary.md as it is:\n\n{summary}"
    );
    for file in ["bench.md", "bench.csv", "bench.svg"] {
        assert!(!read(&format!("docs/bench/{file}")).is_empty(), "{file}");
        if file != "bench.csv" {
            assert!(page.contains(&format!("(../bench/{file})")), "{file}");
        }
    }
}

/// Two functions of the module, one of which has code of another file put into it and
/// calls the server, and one of the server. Names are written once.
const CALLGRIND: &str = "\
events: Ir
ob=(1) /usr/lib/libflashsale.so
fl=(1) reserve.rs
fn=(1) reserve
10 100
+2 20
fi=(2) index.rs
7 3000
fe=(1)
cob=(2) /usr/bin/redis-server
cfn=(2) RM_Replicate
calls=1 50
12 9000
* 5
fn=(3) sweep
-4 1
ob=(2)
fl=(3) module.c
fn=(2)
50 9000
ob=(1)
fn=(1)
11 7
";

#[test]
fn all_code_of_the_modules_file_is_the_modules_and_no_call_is() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), CALLGRIND).expect("a profile");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/object_cost.awk");
    let cost = |object: &str| {
        let awk = std::process::Command::new("awk")
            .args(["-v", &format!("object={object}"), "-f"])
            .args([&script, file.path()])
            .output()
            .expect("awk");
        String::from_utf8_lossy(&awk.stdout).trim().to_owned()
    };
    assert_eq!(cost("libflashsale"), "3133");
    assert_eq!(cost("redis-server"), "9000");
}
