//! One connection to a gateway, by hyper: a request out, its answer in.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, RETRY_AFTER};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio::net::TcpStream;

/// The cookie by which a gateway knows a buyer.
const USER: &str = "flashsale_user";
/// A gateway answers within 4 s; what takes longer is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A gateway closes a connection that is silent for 10 s; whoever lets go before misses nothing.
const LET_GO_AFTER: Duration = Duration::from_secs(8);
/// A body is not longer than this.
const BODY_MOST: usize = 1_000_000;

/// Where a gateway is, and how it knows its buyers.
#[derive(Clone, Debug)]
pub struct Place {
    /// Host and port, as the URL names them.
    pub name: String,
    pub address: SocketAddr,
    pub user_header: Option<HeaderName>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub user: String,
    /// The header `Idempotency-Key`.
    pub key: Option<String>,
    pub body: Option<Json>,
}

impl Call {
    /// Returns a GET.
    pub fn get(path: impl Into<String>, user: String) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            user,
            key: None,
            body: None,
        }
    }

    fn request(&self, place: &Place) -> Result<Request<Body>, hyper::http::Error> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(HOST, &place.name);
        request = match &place.user_header {
            Some(name) => request.header(name, &self.user),
            None => request.header(COOKIE, format!("{USER}={}", self.user)),
        };
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        match &self.body {
            Some(body) => request
                .header(CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        }
    }
}

/// What a gateway answers.
#[derive(Clone, Debug)]
pub struct Said {
    pub status: u16,
    /// `Retry-After`.
    pub after_ms: Option<u64>,
    /// Null if it is no JSON.
    pub body: Json,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Broken {
    /// Nobody listens there.
    Away(std::io::Error),
    /// The connection ended under a request, or its answer does not come.
    Lost(String),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(error) => error.fmt(formatter),
            Self::Lost(text) => formatter.write_str(text),
        }
    }
}

/// A connection, if there is one just now.
#[derive(Default)]
pub struct Connection(Option<(SendRequest<Body>, Instant)>);

impl Connection {
    /// Sends a request, and returns its answer.
    ///
    /// # Errors
    ///
    /// There is no connection, or it breaks. The next call makes a new one.
    pub async fn ask(&mut self, place: &Place, call: &Call) -> Result<Said, Broken> {
        let mut sender = match self.0.take() {
            Some((sender, used)) if used.elapsed() < LET_GO_AFTER && !sender.is_closed() => sender,
            _ => connect(place).await?,
        };
        let request = call.request(place);
        let request = request.map_err(|error| Broken::Lost(error.to_string()))?;
        let lost = |error: &dyn std::fmt::Display| Broken::Lost(error.to_string());
        let answered = async {
            let response = sender.send_request(request).await;
            let response = response.map_err(|error| lost(&error))?;
            let (head, body) = response.into_parts();
            let body = to_bytes(Body::new(body), BODY_MOST).await;
            let body = body.map_err(|error| lost(&error))?;
            let after = head.headers.get(RETRY_AFTER);
            let after = after.and_then(|after| after.to_str().ok()?.parse::<u64>().ok());
            Ok(Said {
                status: head.status.as_u16(),
                after_ms: after.map(|seconds| seconds.saturating_mul(1_000)),
                body: serde_json::from_slice(&body).unwrap_or_default(),
            })
        };
        let said = tokio::time::timeout(ANSWER_WITHIN, answered).await;
        let said = said.map_err(|_| Broken::Lost("no answer within 10 s".into()))??;
        self.0 = Some((sender, Instant::now()));
        Ok(said)
    }
}

async fn connect(place: &Place) -> Result<SendRequest<Body>, Broken> {
    let connected = tokio::time::timeout(ANSWER_WITHIN, TcpStream::connect(place.address)).await;
    let stream = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    let stream = stream.map_err(Broken::Away)?;
    let _ = stream.set_nodelay(true);
    let made = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = made.map_err(|error| Broken::Lost(error.to_string()))?;
    // It ends with its connection, and says nothing that the request does not say.
    tokio::spawn(connection);
    Ok(sender)
}
