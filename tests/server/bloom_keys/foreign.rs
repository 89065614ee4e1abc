//! AOFs that RedisBloom wrote.

use std::io::Write;

use crate::support::{Server, aof, wait_for};

/// Appends commands to the AOF of an ended server.
fn append(server: &Server, commands: &[&[&[u8]]]) {
    let last = aof::Aof::of(server).last;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(last)
        .expect("the AOF");
    let words = |command: &&[&[u8]]| command.iter().map(|word| word.to_vec()).collect();
    let commands: Vec<_> = commands.iter().map(words).collect();
    file.write_all(&aof::written(&commands)).expect("written");
}

/// A header as RedisBloom tells it of one link of 8 bytes.
fn header() -> Vec<u8> {
    let mut header = vec![0; 73];
    header[0] = 1;
    header[8] = 1;
    header[20] = 8;
    header
}

#[test]
fn an_aof_of_redisbloom_that_was_not_rewritten_is_loaded() {
    let Some(mut server) = Server::own(&[super::AOF], &["bf-aliases yes"]) else {
        return;
    };
    server.kill9();
    append(
        &server,
        &[
            &[b"BF.RESERVE", b"seen", b"0.001", b"1000"],
            &[b"BF.ADD", b"seen", b"ann"],
            &[b"BF.MADD", b"seen", b"ann", b"bob"],
            &[b"BF.INSERT", b"other", b"CAPACITY", b"50", b"ITEMS", b"cyd"],
        ],
    );
    server.start_again(&[]);
    let mut con = server.conn();
    con.says("FLASHSALE.BFMEXISTS seen ann bob cyd", "1 1 0");
    con.says("FLASHSALE.BFINFO seen CAPACITY", "1000");
    con.says("FLASHSALE.BFEXISTS other cyd", "1");
    con.has_not_diverged();
}

#[test]
fn filters_in_a_rewritten_aof_of_redisbloom_end_the_start_or_are_left_out() {
    let Some(mut server) = Server::own(&[super::AOF_PLAIN], &["bf-aliases yes"]) else {
        return;
    };
    server.may_diverge();
    server.kill9();
    append(
        &server,
        &[
            &[b"BF.LOADCHUNK", b"seen", b"1", &header()],
            &[b"BF.LOADCHUNK", b"seen", b"9", &[0xff; 8]],
            &[b"BF.ADD", b"seen", b"new"],
        ],
    );
    server.launch_again(&[]);
    let code = wait_for("the start ends", || server.has_ended());
    assert_eq!(code, Some(1));
    let log = server.log();
    for told in [
        "ends here: BF.LOADCHUNK of the key 'seen' in database 0",
        "it is a filter of RedisBloom",
    ] {
        assert!(log.contains(told), "{log}");
    }
    server.start_again(&["--flashsale.load-damaged yes"]);
    let mut con = server.conn();
    assert_eq!(con.divergence(), 2);
    con.says("FLASHSALE.BFEXISTS seen new", "1");
}
