//! The TLS handshake over a fresh connection, both sides.
//!
//! Runs in the connection's own task, never in the accept loop. A stream whose handshake failed is
//! closed; the peer is told why where TLS has an alert for it.

use crate::limits::MIDDLE_READ_BYTES;
use crate::net::connection::stream::NetStream;
use crate::net::connection::tls::{ClientTls, ServerTls, TlsSession};
use crate::net::error::{NetError, NetErrorKind, NetOperation, TlsFault};
use crate::net::runtime::buffers::{self, Class};
use crate::net::runtime::timer::within;

/// Makes `stream` speak TLS with the provider behind `tls`, within `ms` milliseconds.
///
/// # Errors
///
/// When time runs out, the connection breaks, or TLS says no. The stream is closed then.
pub async fn client(stream: NetStream, tls: &ClientTls, ms: u64) -> Result<NetStream, NetError> {
    timed(stream, TlsSession::client(tls), ms).await
}

/// Answers a client's TLS handshake on `stream`, within `ms` milliseconds.
///
/// # Errors
///
/// When time runs out, the connection breaks, or TLS says no. The stream is closed then.
pub async fn server(stream: NetStream, tls: &ServerTls, ms: u64) -> Result<NetStream, NetError> {
    timed(stream, TlsSession::server(tls), ms).await
}

async fn timed(
    stream: NetStream,
    session: Result<TlsSession, TlsFault>,
    ms: u64,
) -> Result<NetStream, NetError> {
    let session = session.map_err(refused)?;
    // Boxed: tasks of plain connections would carry its size too.
    match within(ms, Box::pin(shake(stream, session))).await {
        Some(result) => result,
        None => Err(NetError::new(
            NetOperation::Handshake,
            NetErrorKind::Timeout,
        )),
    }
}

async fn shake(mut stream: NetStream, mut session: TlsSession) -> Result<NetStream, NetError> {
    let mut early = Vec::new();
    loop {
        send(&mut stream, &mut session).await?;
        if !session.is_handshaking() {
            break;
        }
        let mut sealed = Vec::new();
        let count = core::future::poll_fn(|cx| {
            stream.reader.poll_bytes(cx, &mut sealed, MIDDLE_READ_BYTES)
        })
        .await;
        if count.map_err(in_handshake)? == 0 {
            return Err(NetError::new(NetOperation::Handshake, NetErrorKind::Closed));
        }
        let opened = session.open(&sealed, &mut early);
        buffers::give(sealed);
        if let Err(fault) = opened {
            // The alert is for the peer's log; that it cannot be sent changes nothing.
            let _ = send(&mut stream, &mut session).await;
            return Err(refused(fault));
        }
    }
    stream.secure(session, early);
    Ok(stream)
}

async fn send(stream: &mut NetStream, session: &mut TlsSession) -> Result<(), NetError> {
    let mut sealed = buffers::take(Class::Quiet);
    session.drain(&mut sealed);
    stream.writer.flush(sealed).await.map_err(in_handshake)
}

const fn in_handshake(error: NetError) -> NetError {
    NetError::new(NetOperation::Handshake, error.kind())
}

const fn refused(fault: TlsFault) -> NetError {
    NetError::new(NetOperation::Handshake, NetErrorKind::Tls(fault))
}
