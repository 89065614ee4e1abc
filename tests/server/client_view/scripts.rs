//! A sale in scripts and in functions: what a library of functions can do with it, which
//! flags hold it back, and what it is told.

use crate::support::{Con, Server, render};

/// A library that buys in two steps, looks, and looks while it promises not to write.
const LIBRARY: &str = r##"#!lua name=shop
redis.register_function("shop_buy", function(keys, args)
  local held = redis.call("FLASHSALE.RESERVE", keys[1], args[1], args[2], "ID", args[3])
  if held[1] ~= "RESERVED" then return held end
  return redis.call("FLASHSALE.CHECKOUT", keys[1], keys[2], args[3], "REF", args[4])
end)
local function look(keys, args)
  return redis.call("FLASHSALE.STOCK", keys[1])
end
redis.register_function{function_name="shop_look", callback=look, flags={"no-writes"}}
redis.register_function{function_name="shop_lie", flags={"no-writes"}, callback=function(keys)
  return redis.call("FLASHSALE.RESERVE", keys[1], "eve", 1)
end}
redis.register_function{function_name="shop_user", flags={"no-writes"}, callback=function(keys, args)
  redis.setresp(3)
  local user = redis.call("FLASHSALE.USER", keys[1], args[1]).map
  return {user.reserved, user.sold, user.user_remaining}
end}
"##;

fn load(con: &mut Con) {
    let words: [&[u8]; 4] = [b"FUNCTION", b"LOAD", b"REPLACE", LIBRARY.as_bytes()];
    assert_eq!(render(&con.run_words(&words)), "shop");
}

fn make_sale(con: &mut Con) {
    con.says("FLASHSALE.CREATE {s} {s}:orders STOCK 9 USERLIMIT 4", "OK");
}

/// Asserts an error that says `part`, and that the sale is as it was.
#[track_caller]
fn is_refused(con: &mut Con, line: &str, part: &str) {
    let before = con.digest("{s} {s}:orders");
    let reply = con.show(line);
    let says_it = reply.to_lowercase().contains(&part.to_lowercase());
    assert!(reply.contains("(error)") && says_it, "{line}: {reply}");
    assert_eq!(con.digest("{s} {s}:orders"), before, "{line}");
}

#[test]
fn a_function_reserves_and_checks_out() {
    let server = Server::any();
    for mut con in [server.conn(), server.conn3()] {
        con.run("DEL {s} {s}:orders");
        load(&mut con);
        make_sale(&mut con);
        con.says(
            "FCALL shop_buy 2 {s} {s}:orders ann 3 a1 p",
            "SOLD a1 (entry)",
        );
        con.says(
            "FCALL shop_buy 2 {s} {s}:orders ann 3 a1 p",
            "SOLD a1 (entry)",
        );
        con.says("FCALL shop_buy 2 {s} {s}:orders ann 2 a2 p", "USERLIMIT 1");
        con.says("FCALL_RO shop_look 1 {s}", "[default 6 0 3 0]");
        con.says("FCALL shop_look 1 {s}", "[default 6 0 3 0]");
        con.says("FCALL_RO shop_user 1 {s} ann", "0 3 1");
        is_refused(
            &mut con,
            "FCALL_RO shop_buy 2 {s} {s}:orders bob 1 b1 p",
            "write",
        );
        is_refused(&mut con, "FCALL shop_lie 1 {s}", "write commands");
        is_refused(&mut con, "FCALL_RO shop_lie 1 {s}", "write commands");
        is_refused(
            &mut con,
            "FCALL shop_buy 2 {s} {s}:others bob 0 b1 p",
            "ERR qty",
        );
        con.fails("FCALL shop_look 1 nosuch", "NOSALE", "no such sale");
        assert_eq!(con.int("XLEN {s}:orders"), 1);
        // In a transaction, and through a script's own transaction of two steps.
        for line in [
            "MULTI",
            "FCALL shop_buy 2 {s} {s}:orders bob 4 b1 p",
            "FLASHSALE.STOCK {s}",
        ] {
            con.run(line);
        }
        con.says("EXEC", "[SOLD b1 (entry)] [[default 2 0 7 0]]");
    }
    server.conn().says("FUNCTION DELETE shop", "OK");
}

#[test]
fn an_error_in_a_script_keeps_what_was_done_before_it() {
    let server = Server::any();
    let mut con = server.conn();
    make_sale(&mut con);
    // As everywhere in the server: a script is not rolled back, each command is whole.
    let script = "'redis.call(\"FLASHSALE.RESERVE\", KEYS[1], \"ann\", 1, \"ID\", \"a1\") \
         local r = redis.pcall(\"FLASHSALE.RESERVE\", KEYS[1], \"ann\", \"x\") \
         if not r.err then return \"no error\" end \
         return redis.call(\"FLASHSALE.CHECKOUT\", KEYS[1], KEYS[2] .. \"x\", \"a1\")'";
    let reply = con.show(&format!("EVAL {script} 2 {{s}} {{s}}:orders"));
    assert!(
        reply.contains("(error)") && reply.contains("orders"),
        "{reply}"
    );
    con.says("FLASHSALE.STOCK {s}", "[default 8 1 0 0]");
    con.says("EXISTS {s}:orders {s}:ordersx", "0");
}

#[test]
fn the_flags_of_a_script_hold() {
    let server = Server::any();
    let mut con = server.conn();
    make_sale(&mut con);
    let mut run = |flags: &str, body: &str| {
        let script = format!("#!lua flags={flags}\nreturn {body}");
        let words: [&[u8]; 4] = [b"EVAL", script.as_bytes(), b"1", b"{s}"];
        render(&con.run_words(&words))
    };
    let reserve = "redis.call('FLASHSALE.RESERVE', KEYS[1], 'ann', 1, 'ID', 'a1')[1]";
    let stock = "redis.call('FLASHSALE.STOCK', KEYS[1])[1][2]";
    assert_eq!(run("no-writes", stock), "9");
    let reply = run("no-writes", reserve);
    assert!(reply.contains("Write commands"), "{reply}");
    assert_eq!(run("no-cluster", stock), "9");
    assert_eq!(run("", reserve), "RESERVED");
    assert_eq!(run("allow-cross-slot-keys", stock), "8");
    for line in ["CREATE {s}2 o STOCK 1", "CLOSE {s}"] {
        let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
        let call = format!("redis.call('FLASHSALE.' .. {})", words.join(", "));
        assert!(run("no-writes", &call).contains("Write commands"), "{line}");
    }
}

#[test]
fn internal_commands_are_an_error_in_a_function_too() {
    let server = Server::any();
    let mut con = server.conn();
    make_sale(&mut con);
    let library = "#!lua name=forger\n\
         redis.register_function('forge', function(keys, args) \
         return redis.call(args[1], keys[1], 'x') end)";
    let words: [&[u8]; 4] = [b"FUNCTION", b"LOAD", b"REPLACE", library.as_bytes()];
    con.run_words(&words);
    for command in ["FLASHSALE.APPLY", "FLASHSALE.LOAD"] {
        is_refused(&mut con, &format!("FCALL forge 1 {{s}} {command}"), "err");
    }
    con.says("FUNCTION DELETE forger", "OK");
}

#[test]
fn in_a_cluster_a_script_names_its_keys() {
    let Some(server) = Server::own(&["--cluster-enabled yes"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("CLUSTER ADDSLOTSRANGE 0 16383", "OK");
    crate::support::wait_until("the cluster is up", || {
        con.text("CLUSTER INFO").contains("cluster_state:ok")
    });
    make_sale(&mut con);
    let buy = |keys: [&str; 2]| {
        let [sale, orders] = keys;
        let call = format!("redis.call(\"FLASHSALE.BUY\", {sale}, {orders}, \"ann\", 1)[1]");
        format!("EVAL 'return {call}' 2 {{s}} {{s}}:orders")
    };
    con.says(&buy(["KEYS[1]", "KEYS[2]"]), "SOLD");
    // The server sees the keys of the call itself, declared or not.
    is_refused(&mut con, &buy(["KEYS[1]", "\"{t}:orders\""]), "");
    is_refused(&mut con, "FLASHSALE.BUY {s} {t}:orders ann 1", "CROSSSLOT");
    let mut declared_elsewhere = |script: &str| {
        let words: [&[u8]; 4] = [b"EVAL", script.as_bytes(), b"1", b"{t}"];
        render(&con.run_words(&words))
    };
    let look = "return redis.call(\"FLASHSALE.STOCK\", \"{s}\")[1][2]";
    let reply = declared_elsewhere(&format!("#!lua\n{look}"));
    // Valkey 9.1 calls any key of a slot that was not declared one that is not its own.
    let elsewhere = "access a non local key";
    let is_refused = reply.contains("same slot") || reply.contains(elsewhere);
    assert!(is_refused, "{reply}");
    let reply = declared_elsewhere(look);
    assert!(reply == "8" || reply.contains(elsewhere), "{reply}");
    con.says("FLASHSALE.STOCK {s}", "[default 8 0 1 0]");
    assert_eq!(con.int("XLEN {s}:orders"), 1);
}
