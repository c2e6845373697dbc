//! A reverse proxy of monoio-http's own server and client, one upstream connection for each of the
//! client's, on one thread.
//!
//! Bodies of declared length go on when they are whole, chunks when 8 KiB of them have come: that is
//! how the crate's encoder works, and why paced streams are not measured through it.

use std::io;
use std::net::SocketAddr;

use monoio::io::sink::SinkExt;
use monoio::io::stream::Stream;
use monoio::io::Splitable;
use monoio::net::{TcpListener, TcpStream};
use monoio_http::common::error::HttpError;
use monoio_http::common::request::Request;
use monoio_http::h1::codec::decoder::{FillPayload, RequestDecoder, ResponseDecoder};
use monoio_http::h1::codec::encoder::GenericEncoder;

fn main() -> io::Result<()> {
    let (listen, upstream) = addresses()?;
    let mut runtime = monoio::RuntimeBuilder::<monoio::FusionDriver>::new()
        .with_entries(4096)
        .build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind(listen)?;
        loop {
            let (client, _) = listener.accept().await?;
            monoio::spawn(async move {
                // Either side's end is the connection's.
                let _ = serve(client, upstream).await;
            });
        }
    })
}

async fn serve(client: TcpStream, upstream: SocketAddr) -> Result<(), HttpError> {
    let provider = TcpStream::connect_addr(upstream).await?;
    client.set_nodelay(true)?;
    provider.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_provider, to_provider) = provider.into_split();
    let mut requests = RequestDecoder::new(from_client);
    let mut answers = ResponseDecoder::new(from_provider);
    let mut forward = GenericEncoder::new(to_provider);
    let mut back = GenericEncoder::new(to_client);
    while let Some(request) = requests.next().await {
        let mut request: Request = request?;
        requests.fill_payload().await?;
        // The encoder writes the length itself.
        request.headers_mut().remove(http::header::CONTENT_LENGTH);
        forward.send_and_flush(request).await?;
        let Some(answer) = answers.next().await else {
            return Ok(());
        };
        let mut answer = answer?;
        answer.headers_mut().remove(http::header::CONTENT_LENGTH);
        answer.headers_mut().remove(http::header::TRANSFER_ENCODING);
        let (filled, sent) = monoio::join!(answers.fill_payload(), back.send_and_flush(answer));
        filled?;
        sent?;
    }
    Ok(())
}

/// `--listen ADDRESS --upstream ADDRESS`, both of this host alone.
fn addresses() -> io::Result<(SocketAddr, SocketAddr)> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let read = |text: &str| text.parse().ok().filter(|a: &SocketAddr| a.ip().is_loopback());
    let addresses = match words.as_slice() {
        [one, listen, two, upstream] if one == "--listen" && two == "--upstream" => {
            read(listen).zip(read(upstream))
        }
        _ => None,
    };
    let usage = "ringway-monoio-http --listen ADDRESS --upstream ADDRESS, loopback addresses";
    addresses.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, usage))
}
