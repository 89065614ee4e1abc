//! A listener to keyspace events that knows when it has seen all of them.

use super::con::Con;
use super::reply::text_of;
use super::server::Server;
use redis::Value;

/// Name of the channel whose message means "everything before this has arrived".
const MARK: &str = "flashsale-test-mark";

/// Collects the module's keyspace events of database 0.
pub struct Events {
    listener: Con,
    teller: Con,
    marks: u64,
}

impl Events {
    /// Turns events of module types on, and listens from now on.
    #[track_caller]
    pub fn listen(server: &Server) -> Events {
        let mut teller = server.conn();
        teller.says("CONFIG SET notify-keyspace-events KEd", "OK");
        let mut listener = server.conn();
        listener.send("SUBSCRIBE flashsale-test-mark");
        listener.receive();
        listener.send("PSUBSCRIBE __keyspace@0__:*");
        listener.receive();
        Events {
            listener,
            teller,
            marks: 0,
        }
    }

    /// Everything since the last call, as `key event` each, `flashsale.` taken off.
    #[track_caller]
    pub fn seen(&mut self) -> Vec<String> {
        self.marks += 1;
        let mark = self.marks.to_string();
        self.teller.int(&format!("PUBLISH {MARK} {mark}"));
        let mut seen = Vec::new();
        loop {
            let message = self.listener.receive();
            let Value::Array(parts) = &message else {
                panic!("not a message: {message:?}")
            };
            let parts: Vec<String> = parts.iter().map(text_of).collect();
            match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["message", MARK, text] if text == mark => return seen,
                ["pmessage", _, channel, event] => {
                    let key = channel.trim_start_matches("__keyspace@0__:");
                    seen.push(format!("{key} {}", event.trim_start_matches("flashsale.")));
                }
                _ => panic!("an unexpected message: {parts:?}"),
            }
        }
    }

    /// Asserts what happened to `sale` since the last call: event names in order.
    #[track_caller]
    pub fn are(&mut self, expected: &str) {
        let seen = self.seen();
        let expected: Vec<String> = expected
            .split_whitespace()
            .map(|event| format!("sale {event}"))
            .collect();
        assert_eq!(seen, expected);
    }
}
