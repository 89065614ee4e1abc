//! A proxy that lies about a gateway's sale, and passes on all the rest.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What the proxy lies about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lie {
    /// Carts are told RESERVED, and the gateway never hears of them.
    Reserves,
    /// Payments are told SOLD, and the gateway never hears of them.
    Forgets,
    /// Whoever has bought buys once more, under an id that nobody chose.
    SellsTwice,
}

impl Lie {
    /// How often: some buyers never come back to see it, or ask again and are told the truth.
    fn times(self) -> u32 {
        match self {
            Self::Reserves | Self::Forgets => 10,
            Self::SellsTwice => 1,
        }
    }
}

/// Starts the proxy, and returns its URL. It lives as long as the test.
pub fn start(gateway: SocketAddr, lie: Lie) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let lies = Arc::new(AtomicU32::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(gateway).expect("the gateway");
            let lies = Arc::clone(&lies);
            std::thread::spawn(move || serve(client, server, lie, &lies));
        }
    });
    url
}

/// Answers one request after the other, until either side is gone.
fn serve(client: TcpStream, server: TcpStream, lie: Lie, lies: &AtomicU32) -> Option<()> {
    let mut to_client = client.try_clone().ok()?;
    let mut from_client = BufReader::new(client);
    let mut gateway = (server.try_clone().ok()?, BufReader::new(server));
    let mut ask = |request: &str| {
        gateway.0.write_all(request.as_bytes()).ok()?;
        message(&mut gateway.1)
    };
    loop {
        let request = message(&mut from_client)?;
        let is_payment = request
            .lines()
            .next()
            .is_some_and(|line| line.contains("/payment "));
        let is_cart = request.starts_with("POST /reservations ");
        let may_lie = || lies.fetch_add(1, Ordering::SeqCst) < lie.times();
        let answer = match lie {
            Lie::Reserves if is_cart && may_lie() => {
                let id = between(&request, "idempotency-key: \"", "\"");
                let details =
                    "\"expires_at_ms\":1900000000000,\"remaining\":1,\"user_remaining\":1";
                told(201, "RESERVED", &format!("\"id\":\"{id}\",{details}"))
            }
            Lie::Forgets if is_payment && may_lie() => {
                let id = between(&request, "/reservations/", "/payment");
                let details = format!("\"id\":\"{id}\",\"order_id\":\"1700000000000-0\"");
                told(200, "SOLD", &details)
            }
            _ => ask(&request)?,
        };
        let has_bought = is_payment && answer.starts_with("HTTP/1.1 200 ");
        if lie == Lie::SellsTwice && has_bought && lies.load(Ordering::SeqCst) < lie.times() {
            let cookie = between(&request, "cookie: ", "\r\n");
            let body = "{\"items\":{\"green\":1}}";
            let path = "/reservations";
            let key = "idempotency-key: \"second\"\r\n";
            ask(&post(path, cookie, key, body))?;
            let body = "{\"ref\":\"second\"}";
            let paid = ask(&post("/reservations/second/payment", cookie, "", body))?;
            // A buyer with two units may have no more: the next one then.
            if paid.starts_with("HTTP/1.1 200 ") {
                may_lie();
            }
        }
        to_client.write_all(answer.as_bytes()).ok()?;
    }
}

fn told(status: u16, word: &str, details: &str) -> String {
    let body = format!("{{\"answer\":\"{word}\",{details}}}");
    let length = body.len();
    format!("HTTP/1.1 {status} OK\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn post(path: &str, cookie: &str, key: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: shop\r\ncookie: {cookie}\r\n{key}content-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    let rest = text.split_once(begin).expect(begin).1;
    rest.split_once(end).expect(end).0
}

/// Reads a request or an answer, with its body.
fn message(from: &mut impl BufRead) -> Option<String> {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if from.read_line(&mut text).ok()? == 0 {
            return None;
        }
    }
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    from.read_exact(&mut body).ok()?;
    Some(text + &String::from_utf8(body).expect("text"))
}
