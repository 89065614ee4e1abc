//! Stands between the gateway and Redis: loses answers of batches, delays commands, and answers
//! errors itself.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Every so manieth batch is carried out, and its answer lost with the connection; 0: none.
    cut_every: AtomicU32,
    batches: AtomicU32,
    cuts: AtomicU32,
    /// What commands of the module are answered instead, as a line of RESP.
    error: Mutex<Option<String>>,
    /// Commands by their beginning, and how long each is held up, with all behind it.
    delays: Mutex<Vec<(String, Duration)>>,
}

impl Proxy {
    pub fn start(target: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
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

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn cut_every(&self, batches: u32) {
        self.shared.cut_every.store(batches, Ordering::SeqCst);
    }

    pub fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// Holds up a command of the module from now on.
    pub fn delay(&self, command: &str, by: Duration) {
        let mut delays = self.shared.delays.lock().expect("the delays");
        delays.push((format!("\r\nFLASHSALE.{command}\r\n"), by));
    }

    pub fn answer_with(&self, error: Option<&str>) {
        *self.shared.error.lock().expect("the error") = error.map(str::to_owned);
    }
}

fn count(bytes: &[u8], word: &str) -> usize {
    let words = bytes.windows(word.len());
    words.filter(|window| *window == word.as_bytes()).count()
}

impl Shared {
    fn join(&self, mut from_client: TcpStream, mut to_server: TcpStream) {
        let mut from_server = to_server.try_clone().expect("a clone");
        let mut to_client = from_client.try_clone().expect("a clone");
        let mut errors_to = from_client.try_clone().expect("a clone");
        let is_mute = Arc::new(AtomicBool::new(false));
        let mute = Arc::clone(&is_mute);
        let back = std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(read @ 1..) = from_server.read(&mut buffer) {
                if !mute.load(Ordering::SeqCst) && to_client.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let mut buffer = [0; 65_536];
        while let Ok(read @ 1..) = from_client.read(&mut buffer) {
            let bytes = &buffer[..read];
            let error = self.error.lock().expect("the error").clone();
            let asked = count(bytes, "\r\nFLASHSALE.");
            if let Some(error) = error.filter(|_| asked > 0) {
                let _ = errors_to.write_all(format!("-{error}\r\n").repeat(asked).as_bytes());
                continue;
            }
            self.hold_up(bytes);
            let is_struck = self.is_struck(bytes);
            is_mute.fetch_or(is_struck, Ordering::SeqCst);
            if to_server.write_all(bytes).is_err() {
                break;
            }
            if is_struck {
                // The server carries it out, and nobody hears of it.
                std::thread::sleep(Duration::from_millis(20));
                self.cuts.fetch_add(1, Ordering::SeqCst);
                break;
            }
        }
        let _ = to_server.shutdown(Shutdown::Both);
        let _ = from_client.shutdown(Shutdown::Both);
        let _ = back.join();
    }

    fn hold_up(&self, bytes: &[u8]) {
        let delays = self.delays.lock().expect("the delays").clone();
        for (command, by) in delays {
            if count(bytes, &command) > 0 {
                std::thread::sleep(by);
            }
        }
    }

    fn is_struck(&self, bytes: &[u8]) -> bool {
        let every = self.cut_every.load(Ordering::SeqCst);
        if every == 0 || count(bytes, "FLASHSALE.MRESERVE") == 0 {
            return false;
        }
        self.batches.fetch_add(1, Ordering::SeqCst) % every == every - 1
    }
}
