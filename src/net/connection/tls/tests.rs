use std::rc::Rc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair, date_time_ymd,
};

use super::{ClientTls, Roots, ServerTls, SetupError};
use crate::limits::MIB;
use crate::net::connection::stream::NetStream;
use crate::net::connection::vectored_write::WritePiece;
use crate::net::endpoint::connect::{ProviderEndpoint, connect};
use crate::net::endpoint::handshake;
use crate::net::error::{NetError, NetErrorKind, NetOperation, TlsFault};
use crate::net::runtime::task;
use crate::net::runtime::timer::within;
use crate::net::test_support::{
    WAITS, endpoint_at, hear, is_gone, listen, on_both_drivers, pair, pattern, poll_once, say,
};

/// A root of our own and a server certificate under it.
struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("key");
        Self {
            root: CertifiedIssuer::self_signed(params, key).expect("signs"),
        }
    }

    fn root_pem(&self) -> String {
        self.root.pem()
    }

    fn server(&self, names: &[&str], until_year: i32) -> ServerTls {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("params");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until_year, 1, 1);
        let key = KeyPair::generate().expect("key");
        let issuer: &Issuer<'static, KeyPair> = &self.root;
        let certificate = params.signed_by(&key, issuer).expect("signs");
        let chain = certificate.pem();
        ServerTls::new(chain.as_bytes(), key.serialize_pem().as_bytes()).expect("settings")
    }

    fn client(&self, host: &str) -> ClientTls {
        ClientTls::new(host, Roots::Bundled, Some(self.root_pem().as_bytes())).expect("settings")
    }
}

/// Both ends of one TLS connection, as each side's handshake ended.
async fn shake(
    client: &ClientTls,
    server: &ServerTls,
) -> (Result<NetStream, NetError>, Result<NetStream, NetError>) {
    let (near, far) = pair().await;
    let server = server.clone();
    let answering = task::spawn(async move { handshake::server(far, &server, 5_000).await });
    let near = handshake::client(near, client, 5_000).await;
    (near, answering.await.expect("no panic"))
}

async fn shaken(client: &ClientTls, server: &ServerTls) -> (NetStream, NetStream) {
    let (near, far) = shake(client, server).await;
    (
        near.expect("client's handshake"),
        far.expect("server's handshake"),
    )
}

#[test]
fn tls_echo_of_a_mebibyte_comes_back() {
    on_both_drivers(|| async {
        let authority = Authority::new();
        let (mut near, mut far) = shaken(
            &authority.client("localhost"),
            &authority.server(&["localhost"], 2100),
        )
        .await;
        let facts = near.tls().expect("tls");
        assert_eq!((facts.version, facts.is_resumed), ("TLSv1.3", false));
        let sent = pattern(MIB);
        let expected = sent.clone();
        let echo = task::spawn(async move {
            let mut heard = Vec::new();
            while far.reader.read(&mut heard).await.expect("reads") > 0 {
                let end = heard.len();
                let (result, mut back) = far.writer.write(heard, 0..end).await;
                result.expect("writes");
                back.clear();
                heard = back;
            }
            far.half_close().await.expect("closes");
        });
        let NetStream { reader, writer, .. } = &mut near;
        let mut heard = Vec::new();
        let mut writing = Box::pin(writer.write(sent, 0..MIB));
        let mut is_written = false;
        while heard.len() < MIB {
            // Reading and writing at once, in one task.
            if !is_written && let Some((result, _)) = poll_once(&mut writing).await {
                result.expect("writes");
                is_written = true;
            }
            if let Some(result) = within(1, reader.read(&mut heard)).await {
                assert_ne!(result.expect("reads"), 0);
            }
        }
        assert!(heard == expected);
        drop(writing);
        near.half_close().await.expect("half closes");
        assert_eq!(near.reader.read(&mut Vec::new()).await, Ok(0));
        echo.await.expect("no panic");
    });
}

#[test]
fn tls_certificate_faults_are_told_apart_and_the_server_hears_of_them() {
    on_both_drivers(|| async {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let cases = [
            (ours.server(&["other.example"], 2100), TlsFault::Name),
            (ours.server(&["localhost"], 2021), TlsFault::Expired),
            (theirs.server(&["localhost"], 2100), TlsFault::Untrusted),
        ];
        for (server, fault) in cases {
            let (near, far) = shake(&ours.client("localhost"), &server).await;
            let error = near.err().expect("refused");
            assert_eq!(
                error,
                NetError::new(NetOperation::Handshake, NetErrorKind::Tls(fault))
            );
            let error = far.err().expect("told so");
            assert_eq!(error.kind(), NetErrorKind::Tls(TlsFault::Alert));
        }
    });
}

#[test]
fn tls_with_ip_address_as_host_is_verified_against_it() {
    on_both_drivers(|| async {
        let authority = Authority::new();
        let server = authority.server(&["127.0.0.1"], 2100);
        let (near, _far) = shaken(&authority.client("127.0.0.1"), &server).await;
        assert!(near.tls().is_some());
        let (near, _) = shake(&authority.client("127.0.0.2"), &server).await;
        assert_eq!(
            near.err().expect("refused").kind(),
            NetErrorKind::Tls(TlsFault::Name)
        );
    });
}

#[test]
fn tls_close_message_is_a_clean_end_and_a_cut_is_not() {
    on_both_drivers(|| async {
        let authority = Authority::new();
        let (client, server) = (
            authority.client("localhost"),
            authority.server(&["localhost"], 2100),
        );

        let (mut near, mut far) = shaken(&client, &server).await;
        say(&mut far, b"all of it").await;
        far.half_close().await.expect("half closes");
        assert_eq!(hear(&mut near, 9).await, b"all of it");
        assert_eq!(near.reader.read(&mut Vec::new()).await, Ok(0));
        assert_eq!(near.reader.read(&mut Vec::new()).await, Ok(0));
        say(&mut near, b"heard").await;
        assert_eq!(hear(&mut far, 5).await, b"heard");

        let (mut near, mut far) = shaken(&client, &server).await;
        say(&mut far, b"some of it").await;
        drop(far);
        assert_eq!(hear(&mut near, 10).await, b"some of it");
        let error = near.reader.read(&mut Vec::new()).await.expect_err("a cut");
        assert_eq!(error.kind(), NetErrorKind::Cut);
        assert!(is_gone(error));
    });
}

#[test]
fn tls_bytes_changed_on_the_way_are_a_fault_after_what_came_before() {
    on_both_drivers(|| async {
        let authority = Authority::new();
        let (mut near, mut far) = shaken(
            &authority.client("localhost"),
            &authority.server(&["localhost"], 2100),
        )
        .await;
        say(&mut far, b"good").await;
        // A record of application data that no key of theirs sealed.
        let forged = [&[23, 3, 3, 0, 32][..], &[7; 32]].concat();
        far.writer.flush(forged).await.expect("writes");
        assert_eq!(hear(&mut near, 4).await, b"good");
        let error = near.reader.read(&mut Vec::new()).await.expect_err("forged");
        assert_eq!(error.kind(), NetErrorKind::Tls(TlsFault::Protocol));
        let error = far.reader.read(&mut Vec::new()).await.expect_err("told so");
        assert_eq!(error.kind(), NetErrorKind::Tls(TlsFault::Alert));
    });
}

#[test]
fn tls_second_connection_resumes_the_first_ones_session() {
    on_both_drivers(|| async {
        let authority = Authority::new();
        let (client, server) = (
            authority.client("localhost"),
            authority.server(&["localhost"], 2100),
        );
        let (mut near, mut far) = shaken(&client, &server).await;
        // Tickets come with the first bytes that are read.
        say(&mut far, b"ticket").await;
        assert_eq!(hear(&mut near, 6).await, b"ticket");
        let (near, far) = shaken(&client, &server).await;
        assert!(near.tls().expect("tls").is_resumed);
        assert!(far.tls().expect("tls").is_resumed);
    });
}

#[test]
fn handshake_with_silent_peer_runs_out_of_time_and_closes() {
    on_both_drivers(|| async {
        let authority = Authority::new();
        let (near, mut far) = pair().await;
        let error = handshake::client(near, &authority.client("localhost"), 30)
            .await
            .err();
        assert_eq!(
            error,
            Some(NetError::new(
                NetOperation::Handshake,
                NetErrorKind::Timeout
            ))
        );
        let mut heard = Vec::new();
        while far.reader.read(&mut heard).await.expect("reads") > 0 {}
        assert_eq!(heard.first(), Some(&22), "a client hello came");
    });
}

#[test]
fn handshake_with_peer_that_speaks_no_tls_is_a_fault() {
    on_both_drivers(|| async {
        let authority = Authority::new();
        let (near, mut far) = pair().await;
        say(&mut far, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let error = handshake::client(near, &authority.client("localhost"), 5_000)
            .await
            .err();
        assert_eq!(
            error,
            Some(NetError::new(
                NetOperation::Handshake,
                NetErrorKind::Tls(TlsFault::Protocol)
            ))
        );

        let (near, mut far) = pair().await;
        far.half_close().await.expect("half closes");
        let error = handshake::client(near, &authority.client("localhost"), 5_000)
            .await
            .err();
        assert_eq!(
            error,
            Some(NetError::new(NetOperation::Handshake, NetErrorKind::Closed))
        );
    });
}

#[test]
fn connect_to_tls_endpoint_hands_out_a_sealed_stream_that_pools_clean() {
    on_both_drivers(|| async {
        let authority = Authority::new();
        let server = authority.server(&["127.0.0.1"], 2100);
        let (mut listener, address) = listen();
        let endpoint: std::sync::Arc<ProviderEndpoint> =
            endpoint_at(address, Some(authority.client("127.0.0.1")));
        assert!(endpoint.is_tls());
        let answering = task::spawn(async move {
            let plain = listener.accept().await.expect("accepts");
            let mut far = handshake::server(plain, &server, 5_000)
                .await
                .expect("shakes");
            assert_eq!(hear(&mut far, 4).await, b"ping");
            say(&mut far, b"pong").await;
            far
        });
        let mut near = connect(&endpoint, WAITS, |_| true).await.expect("connects");
        say(&mut near, b"ping").await;
        assert_eq!(hear(&mut near, 4).await, b"pong");
        assert!(near.is_clean_idle());
        drop(answering.await);
    });
}

#[test]
fn fill_over_tls_brings_plaintext() {
    on_both_drivers(|| async {
        let authority = Authority::new();
        let (mut near, mut far) = shaken(
            &authority.client("localhost"),
            &authority.server(&["localhost"], 2100),
        )
        .await;
        let sent = pattern(200_000);
        let expected = sent.clone();
        let writing = task::spawn(async move {
            say(&mut near, &sent).await;
            near
        });
        let mut body = Vec::new();
        while body.len() < expected.len() {
            let (result, grown) = far.reader.fill(body, usize::MAX).await;
            assert_ne!(result, Ok(0));
            body = grown;
        }
        assert!(body == expected);
        drop(writing.await);
    });
}

#[test]
fn settings_with_faults_name_them() {
    let authority = Authority::new();
    let other = KeyPair::generate().expect("key").serialize_pem();
    let chain = authority.root_pem();
    let server = |chain: &str, key: &str| ServerTls::new(chain.as_bytes(), key.as_bytes()).err();
    assert_eq!(server("", &other), Some(SetupError::NoCertificate));
    assert_eq!(server(&chain, ""), Some(SetupError::NoKey));
    assert_eq!(server(&chain, &other), Some(SetupError::BadKey));
    let client = |host: &str, pem: Option<&[u8]>| ClientTls::new(host, Roots::Bundled, pem).err();
    assert_eq!(client("not a name", None), Some(SetupError::HostName));
    assert_eq!(
        client("a.example", Some(b"nothing")),
        Some(SetupError::NoCertificate)
    );
    assert_eq!(client("a.example", None), None);
}

#[test]
fn write_pieces_over_tls_arrive_in_order() {
    on_both_drivers(|| async {
        let authority = Authority::new();
        let (mut near, mut far) = shaken(
            &authority.client("localhost"),
            &authority.server(&["localhost"], 2100),
        )
        .await;
        let large = Rc::new(pattern(150_000));
        let small = Rc::new(b"head.!".to_vec());
        let piece = |buffer: &Rc<Vec<u8>>, range| WritePiece {
            buffer: Rc::clone(buffer),
            range,
        };
        let pieces = vec![
            piece(&small, 0..5),
            piece(&large, 7..150_000),
            piece(&small, 5..6),
        ];
        let expected = [b"head.", &large[7..], b"!"].concat();
        let writing = task::spawn(async move {
            near.writer.write_pieces(pieces).await.expect("writes");
            near.writer.write_shared(small, 0..4).await.expect("writes");
            near
        });
        let heard = hear(&mut far, expected.len() + 4).await;
        assert!(heard == [expected.as_slice(), b"head"].concat());
        drop(writing.await);
    });
}
