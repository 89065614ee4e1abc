//! A proxy that lies about one order: the first CHECKOUT is told SOLD and never reaches the
//! server.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Starts the proxy, and returns its URL. It lives as long as the test.
pub fn start(port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("redis://{}", listener.local_addr().expect("its address"));
    let has_lied = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", port)).expect("the server");
            let has_lied = Arc::clone(&has_lied);
            std::thread::spawn(move || serve(client, server, &has_lied));
        }
    });
    url
}

/// Passes on one command after the other, until either side is gone.
fn serve(client: TcpStream, server: TcpStream, has_lied: &AtomicBool) -> Option<()> {
    let mut to_client = client.try_clone().ok()?;
    let mut to_server = server.try_clone().ok()?;
    let mut from_client = BufReader::new(client);
    let mut from_server = BufReader::new(server);
    loop {
        let command = one(&mut from_client)?;
        let text = String::from_utf8_lossy(&command).into_owned();
        let words: Vec<&str> = text.split("\r\n").skip(2).step_by(2).collect();
        if words[0] == "FLASHSALE.CHECKOUT" && !has_lied.swap(true, Ordering::Relaxed) {
            let (id, order) = (words[3], "1700000000000-0");
            let (id_length, length) = (id.len(), order.len());
            let lie =
                format!("*3\r\n$4\r\nSOLD\r\n${id_length}\r\n{id}\r\n${length}\r\n{order}\r\n");
            to_client.write_all(lie.as_bytes()).ok()?;
            continue;
        }
        to_server.write_all(&command).ok()?;
        to_client.write_all(&one(&mut from_server)?).ok()?;
    }
}

/// Reads one value of RESP2 as it is.
fn one(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut left = 1_i64;
    while left > 0 {
        let at = bytes.len();
        if from.read_until(b'\n', &mut bytes).ok()? == 0 {
            return None;
        }
        left -= 1;
        let line = std::str::from_utf8(&bytes[at..])
            .ok()?
            .trim_end()
            .to_owned();
        let length = || line[1..].parse::<i64>().ok();
        match line.as_bytes()[0] {
            b'*' => left += length()?.max(0),
            b'$' if length()? >= 0 => {
                let mut word = vec![0; usize::try_from(length()?).ok()? + 2];
                from.read_exact(&mut word).ok()?;
                bytes.extend_from_slice(&word);
            }
            _ => {}
        }
    }
    Some(bytes)
}
