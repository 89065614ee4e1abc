//! The recipes of the guide, played.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{number, wait};
use crate::support::clock::wait_ms;
use crate::support::{Server, unix_ms, wait_until};

/// A waiting room in front of a shop: so many inside, so many let in a minute.
#[test]
fn a_room_lets_in_as_many_as_it_holds() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE {s}room {s}room:log STOCK 3 USERLIMIT 1 HOLD 1500 MAXHOLD 1800000 \
         REMEMBER 1000 WAITING 1000000 PACE 200 1000",
        "OK",
    );
    let enter = |n: u32| format!("FLASHSALE.RESERVE {{s}}room u{n} 1 ID v{n} WAIT");
    let inside = |con: &mut crate::support::Con| {
        (0..10)
            .filter(|n| {
                // An id that left may be forgotten.
                let shown = con.show(&format!("FLASHSALE.GET {{s}}room v{n}"));
                shown.contains("reserved user")
            })
            .count()
    };
    for n in 0..10 {
        con.says(&enter(n), "...");
    }
    wait_until("three are inside", || inside(&mut con) == 3);
    // One renews, one leaves, and the third does not come back.
    con.says("FLASHSALE.EXTEND {s}room v0 60000", "RESERVED v0 ...");
    con.says("FLASHSALE.RELEASE {s}room v1", "RELEASED v1");
    wait_until("others come in", || {
        for n in 3..10 {
            con.says(&enter(n), "...");
        }
        number(&mut con, "FLASHSALE.INFO {s}room", "granted") >= 4
    });
    assert!(inside(&mut con) <= 3);
    con.fields("FLASHSALE.GET {s}room v0", "state reserved");
}

/// A raffle: everybody before START, the order by lot, no need to be there.
#[test]
fn a_raffle_goes_on_to_the_next_when_somebody_does_not_pay() {
    let server = Server::any();
    let mut con = server.conn();
    let start_at_ms = unix_ms() + 800;
    con.says(
        &format!(
            "FLASHSALE.CREATE sale orders STOCK 2 USERLIMIT 1 WAITING 100 PATIENCE 0 EVENTS all \
             HOLD 700 START {start_at_ms}"
        ),
        "OK",
    );
    for n in 0..8 {
        wait(&mut con, &format!("u{n}"));
    }
    wait_until("two have won", || {
        con.field("FLASHSALE.INFO sale", "granted") == "2"
    });
    let won = |con: &mut crate::support::Con| -> Vec<u32> {
        (0..8)
            .filter(|n| con.field(&format!("FLASHSALE.GET sale i-u{n}"), "state") == "reserved")
            .collect()
    };
    let winners = won(&mut con);
    con.says(
        &format!("FLASHSALE.CHECKOUT sale orders i-u{}", winners[0]),
        "SOLD ...",
    );
    wait_until("the next has a chance", || {
        number(&mut con, "FLASHSALE.INFO sale", "granted") >= 3
    });
    // Sold out: the rest learns it at once.
    wait_ms("the hold is over", 100);
    let next = won(&mut con);
    con.says(
        &format!("FLASHSALE.CHECKOUT sale orders i-u{}", next[0]),
        "SOLD ...",
    );
    wait_until("nobody waits", || {
        con.field("FLASHSALE.INFO sale", "waiting") == "0"
    });
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

/// A limit on concurrent jobs.
#[test]
fn no_more_jobs_run_than_there_is_room_for() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 2 HOLD 30000 REMEMBER 1000 WAITING 1000 USERLIMIT 1",
        "OK",
    );
    for n in 0..6 {
        wait(&mut con, &format!("job{n}"));
    }
    for done in 0..4 {
        con.fields("FLASHSALE.INFO sale", "reserved 2");
        con.says(
            &format!("FLASHSALE.RELEASE sale i-job{done}"),
            "RELEASED ...",
        );
        let next = done + 2;
        con.says(
            &format!("FLASHSALE.RESERVE sale job{next} 1 ID i-job{next} WAIT"),
            "RESERVED ...",
        );
    }
}

/// Everybody's place after the draw is what both programs of `examples/draw` compute.
#[test]
fn anybody_can_compute_the_draw() {
    let server = Server::any();
    let mut con = server.conn();
    let start_at_ms = unix_ms() + 1_000;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 0 WAITING 100 START {start_at_ms}"),
        "OK",
    );
    con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
    con.says("FLASHSALE.PAUSE sale", "OK");
    for n in 0..40 {
        wait(&mut con, &format!("u{n}"));
    }
    wait_until("the draw", || {
        con.field("FLASHSALE.INFO sale", "drawn") == "[[default 40]]"
    });
    let (mut numbers, mut places) = (String::new(), Vec::new());
    for n in 0..40 {
        let line = format!("FLASHSALE.GET sale i-u{n}");
        let place = number(&mut con, &line, "ahead");
        places.push((place, format!("{place} i-u{n}\n")));
        numbers += &format!("i-u{n} {}\n", number(&mut con, &line, "number"));
    }
    places.sort();
    let expected: String = places.into_iter().map(|(_, line)| line).collect();
    let seed = con.field("FLASHSALE.INFO sale", "draw_seed");
    for (program, script) in [("python3", "draw.py"), ("node", "draw.mjs")] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples/draw")
            .join(script);
        let mut command = Command::new(program);
        command.arg(script).args([&seed, "0", "40"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            eprintln!("skipped: there is no {program}");
            continue;
        };
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(numbers.as_bytes()).expect("written");
        drop(stdin);
        let output = child.wait_with_output().expect("its output");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{program}"
        );
    }
}
