//! Killed at each step, before and after the server has heard of it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use redis::Value;

use super::races::bytes_equal;
use super::{Scene, ids, sell};
use crate::servers::{DatabaseServer, Process, free_port, signal};

/// Between the program and Redis: kills the program when it sends for the so-manieth time.
struct Killer {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    pid: AtomicU32,
    left: AtomicU32,
    /// Does the server still get what is sent then?
    passes_on: bool,
}

impl Killer {
    fn start(target: u16, at: u32, passes_on: bool) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let shared = Arc::new(Shared {
            pid: AtomicU32::new(0),
            left: AtomicU32::new(at),
            passes_on,
        });
        let ours = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
                    let shared = Arc::clone(&ours);
                    std::thread::spawn(move || shared.join(client, server));
                }
            }
        });
        Self { port, shared }
    }
}

impl Shared {
    fn join(&self, client: TcpStream, server: TcpStream) {
        let mut back = (
            server.try_clone().expect("a clone"),
            client.try_clone().expect("a clone"),
        );
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut back.0, &mut back.1);
            let _ = back.1.shutdown(Shutdown::Both);
        });
        let (mut client, mut server) = (client, server);
        let mut buffer = [0; 16_384];
        while let Ok(read @ 1..) = client.read(&mut buffer) {
            let is_struck = self.left.fetch_sub(1, Ordering::SeqCst) == 1;
            if is_struck && !self.passes_on {
                self.kill();
                break;
            }
            if server.write_all(&buffer[..read]).is_err() {
                break;
            }
            if is_struck {
                self.kill();
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    }

    fn kill(&self) {
        loop {
            match self.pid.load(Ordering::SeqCst) {
                0 => std::thread::yield_now(),
                pid => return signal(pid, "KILL"),
            }
        }
    }
}

/// Runs it to its end, which may be a violent one. Reports whether it was.
fn is_killed(scene: &Scene, at: u32, passes_on: bool) -> bool {
    let killer = Killer::start(scene.primary.port, at, passes_on);
    let child = Command::new(env!("CARGO_BIN_EXE_flashsale"))
        .args(["reconcile", "--sale", "tea", "--apply"])
        .env(
            "FLASHSALE_REDIS",
            format!("redis://127.0.0.1:{}", killer.port),
        )
        .env("FLASHSALE_SQL", &scene.url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("flashsale");
    let mut process = Process(child);
    killer.shared.pid.store(process.0.id(), Ordering::SeqCst);
    let status = process.0.wait().expect("its end");
    status.code().is_none()
}

pub fn killed_anywhere_the_next_run_goes_on(server: &DatabaseServer, name: &str) {
    let create = "FLASHSALE.CREATE tea tea:orders ITEMS 2 green 1000 black 1000";
    let mut scene = Scene::new(server, name, create);
    let ask = |scene: &Scene, line: &str| scene.primary.ask::<Vec<Value>>(line);
    sell(&scene.primary, ids("kept", 60));
    // Trimmed before a worker came.
    scene.primary.ask::<i64>("XTRIM tea:orders MAXLEN 55");
    scene.store(&[]);
    // Forgotten by SQL, and in the stream still.
    for id in ["kept-20", "kept-30", "kept-40"] {
        let of = bytes_equal(&scene, "id", id);
        scene
            .sql
            .run(&format!("DELETE FROM flashsale_orders WHERE {of}"));
    }
    scene.cut();
    sell(&scene.primary, ids("lost", 600));
    for at in 0..60 {
        let whole = format!("FLASHSALE.REFUND tea tea:orders lost-{at} REF back-{at}");
        ask(&scene, &whole);
    }
    scene.store(&[]);
    scene.fail_over();
    let (mut kills, mut at) = (0, 1);
    loop {
        let before = is_killed(&scene, at, false);
        let after = is_killed(&scene, at, true);
        kills += u32::from(before) + u32::from(after);
        if !before && !after {
            break;
        }
        at += 1;
    }
    assert!(kills > 20, "{kills} kills");
    scene.reconcile(&["--apply"]).finds_nothing();
    scene.store(&[]);
    scene.agrees();
    assert_eq!(scene.count("flashsale_orders"), 660);
    assert_eq!(scene.count("flashsale_refunds"), 60);
    assert_eq!(scene.count("flashsale_dead"), 0);
    // 660 orders, a third of them of each kind: no import was counted twice.
    let row = match &ask(&scene, "FLASHSALE.STOCK tea green")[0] {
        Value::Array(row) => row.iter().skip(1).map(super::number).sum::<i64>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(row, 1_000);
}
