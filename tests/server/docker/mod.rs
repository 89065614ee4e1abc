//! **Goal**: the image serves a sale with no setting at all, tells when it cannot, and
//! keeps the sale when its container is made anew; each file in `examples/compose`
//! starts what it says, for the users of `examples/acl`, and outlives a killed primary.
//!
//! **Method**: a real engine. Containers and compose projects of the test's own, on
//! ports of this machine; the servers' addresses in the network of a project are told
//! apart by their last number. `FLASHSALE_IMAGE` names the image, else `flashsale`.
//!
//! It takes an engine and an image, so `cargo test` ignores it: `make test-docker` runs
//! it. Without an engine or compose it says so and is skipped.

mod engine;

use crate::support::{Con, connect, render, wait_for, wait_until};
use engine::{Compose, Container, Volume, both, docker, told};

/// A connection as soon as the server takes it, as a user of `examples/acl/users.acl`.
#[track_caller]
fn conn_of(user: &str, address: &str) -> Con {
    wait_for("the server is up", || {
        let mut con = connect(address, false)?;
        // Not by `run`: a connection may be ended at any moment by a Sentinel.
        let mut greeting = redis::cmd("AUTH");
        greeting.arg(user).arg(format!("change-me-{user}"));
        let greeted: Result<String, _> = greeting.query(&mut con.inner);
        greeted.ok().map(|_| con)
    })
}

#[track_caller]
fn plain(container: &Container) -> Con {
    wait_until("it is healthy", || container.health() == "healthy");
    connect(&container.address(), false).expect("a connection")
}

#[test]
#[ignore = "needs Docker: make test-docker"]
fn a_sale_outlives_its_container() {
    if !engine::is_there() {
        return;
    }
    let volume = Volume(format!("flashsale-test-{}", std::process::id()));
    let mount = format!("{}:/data", volume.0);
    let options = ["-v", mount.as_str()];
    let first = Container::run(&options, &["--flashsale.sweep-max", "77"]);
    let mut con = plain(&first);
    con.says(
        "CONFIG GET flashsale.sweep-max",
        "flashsale.sweep-max \"77\"",
    );
    con.says("CONFIG GET maxmemory-policy", "maxmemory-policy noeviction");
    con.says("FLASHSALE.CREATE shoes shoes:orders STOCK 3", "OK");
    con.says(
        "FLASHSALE.BUY shoes shoes:orders ann 1 ID a REF p",
        "SOLD ...",
    );
    con.says("FLASHSALE.RESERVE shoes bob 1 ID b", "RESERVED ...");
    let user = told(&["exec", &first.0, "id", "-u"]);
    assert_ne!(user, "0", "it is not root's");
    told(&["stop", &first.0]);
    let code = told(&["inspect", "--format", "{{.State.ExitCode}}", &first.0]);
    assert_eq!(code, "0", "it ended in good order");
    drop(first);
    let second = Container::run(&options, &[]);
    let mut con = plain(&second);
    con.says("FLASHSALE.STOCK shoes", "[default 1 1 1 0]");
    con.fields(
        "FLASHSALE.AUDIT shoes shoes:orders",
        "consistent 1, entries 1",
    );
    con.has_not_diverged();
}

#[test]
#[ignore = "needs Docker: make test-docker"]
fn settings_that_were_rewritten_outlive_a_restart() {
    if !engine::is_there() {
        return;
    }
    let set_and_restart = |options: &[&str], args: &[&str]| {
        let container = Container::run(options, args);
        let mut con = plain(&container);
        con.says("CONFIG SET flashsale.sweep-max 78", "OK");
        con.says("CONFIG REWRITE", "OK");
        told(&["restart", &container.0]);
        plain(&container).says(
            "CONFIG GET flashsale.sweep-max",
            "flashsale.sweep-max \"78\"",
        );
    };
    set_and_restart(&[], &["--maxmemory", "100mb"]);
    // As somebody else, whose folder the image's is not.
    set_and_restart(&["--user", "4242", "--tmpfs", "/data:uid=4242"], &[]);
}

#[test]
#[ignore = "needs Docker: make test-docker"]
fn the_health_check_asks_the_module_wherever_the_server_listens() {
    if !engine::is_there() {
        return;
    }
    let well = |options: &[&str], args: &[&str]| {
        let container = Container::run(options, args);
        let is_well = || container.check().0;
        crate::support::is_soon(is_well).then_some(container)
    };
    assert!(well(&[], &["--port", "7000", "--bind", "127.0.0.1"]).is_some());
    assert!(well(&["-e", "FLASHSALE_PASSWORD=two words"], &[]).is_some());
    // Read-only but for the volume: then it asks the port.
    assert!(well(&["--read-only"], &[]).is_some());

    let sick = |container: &Container, wanted: &str| {
        wait_until("the check tells why", || {
            let (is_well, told) = container.check();
            assert!(!is_well, "{told}");
            told.contains(wanted)
        });
    };
    sick(&Container::run(&[], &["--requirepass", "x"]), "NOAUTH");
    // A server as the image's, without the module.
    let program = "exec $FLASHSALE_SERVER --unixsocket /run/flashsale/socket";
    let bare = Container::run(&[], &["sh", "-c", program]);
    sick(&bare, "unknown command");
}

#[test]
#[ignore = "needs Docker: make test-docker"]
fn a_folder_that_cannot_be_written_is_told_in_one_line() {
    if !engine::is_there() {
        return;
    }
    let image = engine::image();
    for options in [
        vec!["--tmpfs", "/data:uid=4242,mode=700"],
        vec!["--tmpfs", "/data:ro"],
        vec!["--user", "root", "--tmpfs", "/data:ro"],
    ] {
        let mut args = vec!["run", "--rm"];
        args.extend(&options);
        args.push(&image);
        let output = docker(&args);
        let text = both(&output);
        assert!(!output.status.success(), "{options:?}: {text}");
        assert!(text.contains("flashsale: "), "{options:?}: {text}");
        assert!(text.contains("read-only"), "{options:?}: {text}");
        assert!(text.lines().count() < 3, "{options:?}: {text}");
    }
    // Given up, once the folder is the server's.
    let root = Container::run(
        &["--user", "root", "--tmpfs", "/data:uid=4242,mode=700"],
        &[],
    );
    plain(&root).says("PING", "+PONG");
    let user = told(&["exec", &root.0, "stat", "-c", "%u", "/data/appendonlydir"]);
    assert_eq!(user, "999");
}

#[test]
#[ignore = "needs Docker: make test-docker"]
fn one_server_sells_to_its_users() {
    let Some(compose) = Compose::up("standalone", &["PORT"]) else {
        return;
    };
    let address = compose.address("PORT");
    let mut operator = conn_of("operator", &address);
    operator.says("FLASHSALE.CREATE sale:a orders:a STOCK 9", "OK");
    operator.says("XGROUP CREATE orders:a shipping 0", "(error) ...");
    let mut buyer = conn_of("buyer", &address);
    buyer.says("FLASHSALE.RESERVE sale:a ann 2 ID a", "RESERVED ...");
    let mut payment = conn_of("payment", &address);
    payment.says("FLASHSALE.CHECKOUT sale:a orders:a a REF p", "SOLD ...");
    operator.says("XGROUP CREATE orders:a shipping 0", "OK");
    let mut shipping = conn_of("shipping", &address);
    let order = shipping.show("XREADGROUP GROUP shipping one STREAMS orders:a >");
    assert!(order.contains("event order"), "{order}");
    // Made anew, with the same volume.
    compose.does(&["stop"]);
    compose.does(&["rm", "-f"]);
    compose.does(&["up", "-d", "--no-build"]);
    let mut buyer = conn_of("buyer", &address);
    wait_until("the sale is loaded", || {
        buyer.stock("sale:a") == "[default 7 0 2 0]"
    });
}

/// The last number of an address in the network of a project.
fn last_number(address: &str) -> usize {
    let number = address
        .rsplit('.')
        .next()
        .and_then(|part| part.parse().ok());
    number.expect("an address")
}

#[test]
#[ignore = "needs Docker: make test-docker"]
fn a_killed_primary_is_replaced_and_the_sale_goes_on() {
    let servers = ["PORT_1", "PORT_2", "PORT_3"];
    let sentinels = ["SENTINEL_PORT_1", "SENTINEL_PORT_2", "SENTINEL_PORT_3"];
    let Some(compose) = Compose::up("sentinel", &[servers, sentinels].concat()) else {
        return;
    };
    // The servers are .11 to .13.
    let primary = || {
        let place = compose.address(sentinels[0]);
        let mut con = connect(&place, false)?;
        let told = con.run("SENTINEL GET-MASTER-ADDR-BY-NAME shop");
        let redis::Value::Array(parts) = told else {
            return None;
        };
        Some(last_number(&crate::support::text_of(parts.first()?)) - 11)
    };
    let as_user = |user: &str, index: usize| conn_of(user, &compose.address(servers[index]));
    wait_until("the sentinels know each other", || {
        let answers = |port: &&str| {
            let con = connect(&compose.address(port), false);
            con.is_some_and(|mut con| con.show("SENTINEL CKQUORUM shop").contains("3 usable"))
        };
        sentinels.iter().all(answers)
    });
    assert_eq!(primary(), Some(0));
    let mut operator = as_user("operator", 0);
    wait_until("both replicas are there", || {
        operator.info("replication", "min_slaves_good_slaves") == "2"
    });
    operator.says("FLASHSALE.CREATE sale:a orders:a STOCK 9", "OK");
    as_user("buyer", 0).says("FLASHSALE.RESERVE sale:a ann 2 ID a", "RESERVED ...");
    let mut payment = as_user("payment", 0);
    payment.says("FLASHSALE.CHECKOUT sale:a orders:a a REF p", "SOLD ...");
    payment.says("WAIT 2 30000", "2");

    compose.does(&["kill", "server-1"]);
    wait_until("another is the primary", || {
        primary().is_some_and(|it| it != 0)
    });
    let next = primary().expect("a primary");
    let mut buyer = as_user("buyer", next);
    wait_until("it serves a buyer", || {
        render(&buyer.run("FLASHSALE.RESERVE sale:a bob 3 ID b")).starts_with("RESERVED")
    });
    // Nothing is lost: the payment sent again is the same sale.
    let mut payment = as_user("payment", next);
    payment.says("FLASHSALE.CHECKOUT sale:a orders:a a REF p", "SOLD ...");
    payment.says("FLASHSALE.CHECKOUT sale:a orders:a b REF q", "SOLD ...");
    let mut operator = as_user("operator", next);
    let audit = "FLASHSALE.AUDIT sale:a orders:a";
    operator.fields(audit, "consistent 1, entries 2");
    as_user("shipping", next).says("XLEN orders:a", "2");

    // Who comes back is a replica, and stays one: it has been written down.
    compose.does(&["start", "server-1"]);
    // A new connection each time: the Sentinel ends those that a primary had.
    let follows = || {
        let mut con = as_user("operator", 0);
        let told: String = redis::cmd("INFO").query(&mut con.inner).ok()?;
        told.contains("master_link_status:up").then_some(con)
    };
    let mut old = wait_for("it follows the new primary", follows);
    old.fields(audit, "consistent 1, entries 2");
    old.has_not_diverged();
}

#[test]
#[ignore = "needs Docker: make test-docker"]
fn a_cluster_sells_on_without_one_of_its_primaries() {
    let ports = ["PORT_1", "PORT_2", "PORT_3", "PORT_4", "PORT_5", "PORT_6"];
    let Some(compose) = Compose::up("cluster", &ports) else {
        return;
    };
    // The nodes are .11 to .16.
    let as_user = |user: &str, index: usize| conn_of(user, &compose.address(ports[index]));
    wait_until("the cluster is made", || {
        let up = |index: usize| {
            let told = as_user("operator", index).text("CLUSTER INFO");
            told.contains("cluster_state:ok") && told.contains("cluster_size:3")
        };
        (0..6).all(up)
    });
    wait_until("each primary has its replica", || {
        let good = |index: usize| {
            let mut con = as_user("operator", index);
            let link = con.info("replication", "master_link_status");
            link == "up" || con.info("replication", "connected_slaves") == "1"
        };
        (0..6).all(good)
    });
    // Whom the first node sends a client to.
    let owner_by = |asked: usize| {
        let told = as_user("operator", asked).show("FLASHSALE.STOCK sale:{a}");
        let Some((_, place)) = told.split_once("MOVED") else {
            return asked;
        };
        let place = place.split(':').next().unwrap_or_default();
        last_number(place) - 11
    };
    let owner = owner_by(0);
    let mut operator = as_user("operator", owner);
    operator.says("FLASHSALE.CREATE sale:{a} orders:{a} STOCK 9", "OK");
    as_user("buyer", owner).says("FLASHSALE.RESERVE sale:{a} ann 2 ID a", "RESERVED ...");
    let mut payment = as_user("payment", owner);
    payment.says("FLASHSALE.CHECKOUT sale:{a} orders:{a} a REF p", "SOLD ...");
    payment.says("WAIT 1 30000", "1");

    compose.does(&["kill", &format!("node-{}", owner + 1)]);
    let other = (owner + 1) % 6;
    let next = wait_for("a replica is promoted", || {
        let next = owner_by(other);
        let serves = |next: usize| {
            let told = as_user("buyer", next).show("FLASHSALE.RESERVE sale:{a} bob 3 ID b");
            told.starts_with("RESERVED")
        };
        (next != owner && serves(next)).then_some(next)
    });
    let mut payment = as_user("payment", next);
    payment.says("FLASHSALE.CHECKOUT sale:{a} orders:{a} a REF p", "SOLD ...");
    payment.says("FLASHSALE.CHECKOUT sale:{a} orders:{a} b REF q", "SOLD ...");
    as_user("operator", next).fields(
        "FLASHSALE.AUDIT sale:{a} orders:{a}",
        "consistent 1, entries 2",
    );
    as_user("shipping", next).says("XLEN orders:{a}", "2");
}
