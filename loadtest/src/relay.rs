//! Floors: relays that copy bytes and know nothing of HTTP, or leave all of HTTP to hyper. What a
//! gateway costs beyond them is what it does.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, Splitable};

use crate::driver;

/// Copies bytes both ways between a client's connection and one of its own, on monoio.
///
/// # Errors
/// An address that cannot be had.
pub fn monoio_bytes(listen: SocketAddr, upstream: SocketAddr) -> io::Result<()> {
    let mut runtime = driver::build(4096)?;
    runtime.block_on(async move {
        let listener = monoio::net::TcpListener::bind(listen)?;
        loop {
            let (client, _) = listener.accept().await?;
            monoio::spawn(async move {
                let Ok(provider) = monoio::net::TcpStream::connect_addr(upstream).await else {
                    return;
                };
                if client.set_nodelay(true).is_ok() && provider.set_nodelay(true).is_ok() {
                    let (from_client, to_client) = client.into_split();
                    let (from_provider, to_provider) = provider.into_split();
                    monoio::spawn(copy(from_provider, to_client));
                    copy(from_client, to_provider).await;
                }
            });
        }
    })
}

async fn copy(mut from: impl AsyncReadRent, mut to: impl AsyncWriteRent) {
    let mut buf = Vec::with_capacity(16 * 1024);
    loop {
        let (read, back) = from.read(buf).await;
        if !read.is_ok_and(|count| count > 0) {
            break;
        }
        let (written, back) = to.write_all(back).await;
        if written.is_err() {
            break;
        }
        buf = back;
        buf.clear();
    }
    // An end goes on as an end; a peer that is gone needs none.
    let _ = to.shutdown().await;
}

/// A reverse proxy of hyper's own server and client on tokio, one upstream connection for each of
/// the client's.
///
/// # Errors
/// An address that cannot be had.
pub fn hyper_proxy(listen: SocketAddr, upstream: SocketAddr) -> io::Result<()> {
    use hyper_util::rt::TokioIo;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        loop {
            let (client, _) = listener.accept().await?;
            client.set_nodelay(true)?;
            tokio::task::spawn_local(async move {
                let provider = tokio::net::TcpStream::connect(upstream).await.ok()?;
                provider.set_nodelay(true).ok()?;
                let io = TokioIo::new(provider);
                let (sender, connection) = hyper::client::conn::http1::handshake(io).await.ok()?;
                tokio::task::spawn_local(connection);
                let sender = std::rc::Rc::new(tokio::sync::Mutex::new(sender));
                let service = hyper::service::service_fn(move |request| {
                    let sender = std::rc::Rc::clone(&sender);
                    async move { Ok::<_, Infallible>(forward(&sender, request).await) }
                });
                let server = hyper::server::conn::http1::Builder::new();
                server
                    .serve_connection(TokioIo::new(client), service)
                    .await
                    .ok()
            });
        }
    })
}

type Body =
    http_body_util::Either<hyper::body::Incoming, http_body_util::Empty<hyper::body::Bytes>>;

async fn forward(
    sender: &tokio::sync::Mutex<hyper::client::conn::http1::SendRequest<hyper::body::Incoming>>,
    request: hyper::Request<hyper::body::Incoming>,
) -> hyper::Response<Body> {
    let mut sender = sender.lock().await;
    let ready = sender.ready().await.is_ok();
    let answer = if ready {
        sender.send_request(request).await.ok()
    } else {
        None
    };
    answer.map_or_else(
        || {
            let mut refusal =
                hyper::Response::new(http_body_util::Either::Right(http_body_util::Empty::new()));
            *refusal.status_mut() = hyper::StatusCode::BAD_GATEWAY;
            refusal
        },
        |answer| answer.map(http_body_util::Either::Left),
    )
}
