//! What `make bench` says.
//!
//! **Goal**: the figures of a row are those the load's own program printed, the load of the
//! batches sends what it should and overlooks no error, a table is legible as text, and the
//! docs show what was measured and nothing else.
//!
//! **Method**: the files of the benchmark that read and write text are included by path
//! and given text that redis-benchmark printed; the load of the batches is answered by a thread
//! of the test, which keeps what it was sent; the page on performance is compared with the summary
//! that the benchmark wrote into docs/bench. What sums the instructions of the module is
//! given a file as callgrind writes them.

#[allow(dead_code)]
#[path = "../benches/server/load.rs"]
mod load;
#[allow(dead_code)]
#[path = "../examples/common/print.rs"]
mod print;
#[allow(dead_code)]
#[path = "../benches/server/pump.rs"]
mod pump;
#[allow(dead_code)]
#[path = "../examples/common/reply.rs"]
mod reply;
#[allow(dead_code)]
#[path = "../benches/server/table.rs"]
mod table;
#[allow(dead_code)]
#[path = "../benches/server/times.rs"]
mod times;
#[allow(dead_code)]
#[path = "../benches/server/wire.rs"]
mod wire;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use load::Seen;
use pump::Pour;
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
    }
    assert!(page.contains("(../bench/bench.md)"));
    for entry in fs::read_dir(root.join("docs/bench")).expect("docs/bench") {
        let name = entry.expect("a file").file_name();
        let name = name.to_string_lossy();
        let is_shown = page.contains(&format!("(../bench/{name})"));
        assert!(is_shown || !name.ends_with(".svg"), "{name} is not shown");
    }
}

/// Replies of every kind a batch may have, but errors.
const REPLIES: &str =
    "*2\r\n*5\r\n$8\r\nRESERVED\r\n$3\r\na\r\n\r\n:1\r\n:-1\r\n$-1\r\n*0\r\n+OK\r\n";

#[test]
fn the_end_of_a_reply_is_found_wherever_it_was_cut() {
    let bytes = REPLIES.as_bytes();
    for cut in 0..=bytes.len() {
        let mut left = 2;
        let skipped = pump::skip(&bytes[..cut], &mut left).expect("no error");
        assert!(skipped <= cut);
        // What follows the last reply is left alone.
        let rest = [&bytes[skipped..], b"+NEXT\r\n"].concat();
        let skipped = skipped + pump::skip(&rest, &mut left).expect("no error");
        assert_eq!((skipped, left), (bytes.len(), 0), "cut at {cut}");
    }
}

#[test]
fn an_error_among_the_elements_of_a_reply_is_an_error() {
    let mut left = 1;
    let reply = b"*2\r\n:1\r\n-OOM command not allowed\r\n";
    let error = pump::skip(reply, &mut left).expect_err("an error");
    assert_eq!(error.to_string(), "-OOM command not allowed");
    // A text that looks like one is none.
    let mut left = 1;
    assert_eq!(pump::skip(b"$4\r\n-OOM\r\n", &mut left).expect("text"), 10);
}

/// What the load sends in 999 commands of such an id, of which one was used before.
fn ids(id: &str, range: u64) -> Vec<String> {
    let words = ["MRESERVE", "__rand_int__", id, ""];
    let pour = Pour {
        command: &words.map(str::to_owned),
        requests: 999,
        depth: 8,
        connections: 3,
        range,
        used: 1,
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let sent = thread::scope(|scope| {
        let lanes: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| commands(&listener.accept().expect("a connection").0)))
            .collect();
        pump::run(port, &pour).expect("all replies");
        let lanes = lanes.into_iter();
        let sent = lanes.map(|lane| lane.join().expect("no panic"));
        sent.collect::<Vec<_>>().concat()
    });
    assert_eq!(sent.len(), 999);
    for [command, random, _, empty] in &sent {
        assert_eq!((command.as_str(), empty.as_str()), ("MRESERVE", ""));
        assert!(random.parse::<u64>().expect("a number") < range);
    }
    sent.into_iter().map(|[_, _, id, _]| id).collect()
}

#[test]
fn the_load_sends_every_command_once_and_no_id_twice() {
    let of_range = ids("01__next_int__", 1000);
    let distinct: BTreeSet<&String> = of_range.iter().collect();
    let used = format!("01{:012}", pump::next(0, 1000));
    assert!(distinct.len() == 999 && !distinct.contains(&used));
    let numbers = of_range.iter().map(|id| id[2..].parse::<u64>());
    assert!(numbers.flatten().all(|number| number < 1000));
    // New ids do not run out, however few users there are.
    let fresh = ids("__new__int____rand_int__", 10);
    let starts: BTreeSet<&str> = fresh.iter().map(|id| &id[..12]).collect();
    assert_eq!(starts.len(), 999);
}

/// Reads commands of four words until the connection ends, and answers each.
fn commands(stream: &std::net::TcpStream) -> Vec<[String; 4]> {
    let mut lines = BufReader::new(stream)
        .lines()
        .map(|line| line.expect("a line"));
    let mut sent = Vec::new();
    while let Some(head) = lines.next() {
        assert_eq!(head, "*4");
        let words = std::array::from_fn(|_| lines.nth(1).expect("a word"));
        sent.push(words);
        let mut stream = stream;
        stream
            .write_all(b"*1\r\n*2\r\n+RESERVED\r\n:1\r\n")
            .expect("answered");
    }
    sent
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
