//! The connections of browsers and proxies.
//!
//! `axum::serve` does the same without time-outs: whoever connects and says nothing keeps a
//! descriptor for ever, and about a thousand of these keep everybody else out.

use std::time::Duration;

use axum::Router;
use axum::serve::{Listener, ListenerExt};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::log;
use crate::stop::Stop;

/// How long a stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How long the headers of a request may take. A connection between two requests counts as
/// one whose next headers are on their way, so an idle one is closed too.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// The longest headers, in bytes. hyper would take 400 KB.
const HEADERS_MOST: usize = 32_768;

/// Answers until the program is to stop, and then what is in hand.
pub async fn serve(listener: TcpListener, router: Router, stop: Stop) {
    let mut listener = listener.tap_io(|stream| {
        // An answer is one write: waiting for a second one only costs time. A stream that
        // refuses is slower, and no worse.
        let _ = stream.set_nodelay(true);
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // Where no descriptor is left, this waits a moment and tries again.
            (stream, _) = listener.accept() => {
                connections.spawn(answer(stream, router.clone(), stop.clone()));
            }
            Some(_) = connections.join_next() => {}
            () = stop.wait() => break,
        }
    }
    drop(listener);
    log::info("stopping: answering what is in hand");
    let rest = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_WITHIN, rest).await.is_err() {
        log::warn("stopped while somebody was still being answered");
    }
}

/// Answers the requests of one connection.
async fn answer(stream: TcpStream, router: Router, stop: Stop) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADERS_MOST)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // An error is of the client's making: it has gone, or speaks no HTTP.
        _ = &mut connection => return,
        () = stop.wait() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
