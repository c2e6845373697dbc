//! TLS towards providers and on the listener.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Instant;

use ringway::wire::kind::Wire;

use crate::support::certificates::Authority;
use crate::support::client::{Client, End};
use crate::support::directions::{DIRECTIONS, Driver, SAME_WIRE, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{chunk, json, post, request, stream, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Step, always, then};
use crate::support::wait;
use crate::support::wires::{chat, events, path, start_up, text, told, whole};

/// A gateway before a provider at `https://localhost`, which trusts `authority`.
fn gateway(
    driver: Driver,
    wire: Wire,
    provider: &Provider,
    trusted: Option<&Authority>,
) -> Gateway {
    let setup = Setup::new(driver);
    let mut extra = "key = \"none\"\n".to_owned();
    if let Some(authority) = trusted {
        fs::write(setup.folder().join("ca.pem"), authority.pem()).unwrap();
        extra.push_str("ca_file = \"ca.pem\"\n");
    }
    let origin = format!("https://localhost:{}", provider.port());
    setup
        .provider_at("up", wire, &origin, &extra)
        .model(MODEL, &["up/up-model"])
        .start()
}

#[test]
fn providers_behind_tls_are_reached_and_their_connections_used_again() {
    each_way(&DIRECTIONS, |driver, direction| {
        let authority = Authority::new();
        let tls = authority.server("localhost", 2100);
        let answers = vec![
            Step::Request,
            Step::Send(json(whole(direction.upstream))),
            Step::Request,
            Step::Send(stream(events(direction.upstream))),
        ];
        let provider = Provider::start_tls(vec![answers], tls);
        let gateway = gateway(driver, direction.upstream, &provider, Some(&authority));
        for streamed in [false, true] {
            let body = chat(direction.client, MODEL, streamed);
            let got = gateway.client().ask(post(path(direction.client), "", body));
            assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
            assert!(got.text().contains("Hel"), "{}", got.text());
        }
        assert_eq!(provider.connections(), 1);
        let host = provider.requests()[0]
            .head
            .field("host")
            .unwrap()
            .to_owned();
        assert_eq!(host, format!("localhost:{}", provider.port()));
    });
}

#[test]
fn wrong_names_expired_and_untrusted_certificates_are_502_with_the_detail_in_the_log() {
    each_way(&DIRECTIONS, |driver, direction| {
        let (own, other) = (Authority::new(), Authority::new());
        for (row, certified, trusted) in [
            ("wrong name", own.server("elsewhere.test", 2100), Some(&own)),
            ("expired", own.server("localhost", 2021), Some(&own)),
            (
                "of another authority",
                other.server("localhost", 2100),
                Some(&own),
            ),
            ("untrusted", own.server("localhost", 2100), None),
        ] {
            let provider = Provider::start_tls(vec![always(json("{}"))], certified);
            let gateway = gateway(driver, direction.upstream, &provider, trusted);
            let body = chat(direction.client, MODEL, false);
            let got = gateway.client().ask(post(path(direction.client), "", body));
            assert_eq!(got.status, 502, "{row}: {}", got.text());
            let message = told(direction.client, &got).message;
            assert_eq!(
                message, "upstream TLS connection could not be made",
                "{row}"
            );
            let line = gateway.only_line();
            assert_eq!(line["attempts"][0]["fault"], "tls", "{row}: {line}");
            let detail = line["attempts"][0]["detail"].as_str().unwrap();
            assert!(detail.contains("certificate"), "{row}: {detail}");
            assert_eq!(provider.requests().len(), 0, "{row}: nothing was sent");
        }
    });
}

#[test]
fn a_provider_that_does_not_speak_tls_is_502_and_says_so() {
    each(|driver| {
        let provider = Provider::all(then("HTTP/1.1 400 Bad Request\r\n\r\n", Step::Close));
        let gateway = gateway(driver, Wire::OpenAiChat, &provider, None);
        let body = chat(Wire::OpenAiChat, MODEL, false);
        let got = gateway.client().ask(post(path(Wire::OpenAiChat), "", body));
        assert!(matches!(got.status, 502 | 504), "{}", got.text());
        told(Wire::OpenAiChat, &got);
    });
}

#[test]
fn a_tls_connection_cut_without_goodbye_does_not_end_an_answer() {
    each_way(&SAME_WIRE, |driver, direction| {
        let authority = Authority::new();
        let tls = authority.server("localhost", 2100);
        let body = whole(direction.upstream);
        // Only the end of the connection would end this body; it ends without a close alert.
        let sent = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{body}");
        let provider = Provider::start_tls(vec![then(sent, Step::Close)], tls);
        let gateway = gateway(driver, direction.upstream, &provider, Some(&authority));
        let request = post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, false),
        );
        let got = gateway.client().ask(request);
        assert_eq!((got.status, got.end), (200, End::Cut), "{}", got.text());
        assert_eq!(gateway.only_line()["end"], "truncated");
    });
}

fn listener(driver: Driver, provider: &Provider, authority: &Authority) -> Gateway {
    limited_listener(driver, provider, authority, &[("head_timeout_ms", 300)])
}

fn limited_listener(
    driver: Driver,
    provider: &Provider,
    authority: &Authority,
    limits: &[(&str, u64)],
) -> Gateway {
    let mut setup = Setup::upstream(driver, Wire::OpenAiChat, provider)
        .server("tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"");
    for (name, value) in limits {
        setup = setup.limit(name, value);
    }
    let certified = authority.certify("gateway.test", 2100);
    fs::write(setup.folder().join("cert.pem"), certified.certificate).unwrap();
    let key = setup.folder().join("key.pem");
    fs::write(&key, certified.key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    setup.start()
}

#[test]
fn the_listener_speaks_tls_where_it_has_a_certificate() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let authority = Authority::new();
        let provider = Provider::start(vec![vec![
            Step::Request,
            Step::Send(json(whole(wire))),
            Step::Request,
            Step::Send(stream(events(wire))),
        ]]);
        let gateway = listener(driver, &provider, &authority);
        let config = authority.client();
        let mut client =
            Client::connect_tls(gateway.address(), "gateway.test", Arc::clone(&config));
        let got = client.ask(post(path(wire), "", chat(wire, MODEL, false)));
        assert_eq!((got.status, got.text()), (200, whole(wire)));
        let got = client.ask(post(path(wire), "", chat(wire, MODEL, true)));
        assert_eq!((got.text(), got.end), (&*events(wire), End::Whole));
        // One after the other: the session of the first is there for the second.
        let mut again = Client::connect_tls(gateway.address(), "gateway.test", config);
        assert_eq!(again.ask(request("GET", "/healthz", "", "")).status, 200);
    });
}

#[test]
fn clients_without_tls_get_nothing_of_a_tls_listener_and_others_are_served_on() {
    each(|driver| {
        let authority = Authority::new();
        let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
        let gateway = listener(driver, &provider, &authority);
        let mut plain = gateway.client();
        plain.send(request("GET", "/healthz", "", ""));
        let mut silent = gateway.client();
        let config = authority.client();
        let mut client = Client::connect_tls(gateway.address(), "gateway.test", config);
        assert_eq!(client.ask(request("GET", "/healthz", "", "")).status, 200);
        assert!(
            silent.is_closed(),
            "a handshake that does not begin times out"
        );
        assert!(!plain.heard_http(), "not a byte of HTTP in clear");
    });
}

#[test]
fn a_tls_connection_ends_with_its_close_message_behind_whole_answers_alone() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let authority = Authority::new();
        let begun = [
            stream_head(),
            chunk(start_up(wire)),
            chunk(text(wire, "Hel", true)),
        ];
        let provider = Provider::all(vec![
            Step::Request,
            Step::Send(json(whole(wire))),
            Step::Request,
            Step::Send(stream(events(wire))),
            Step::Request,
            Step::Send(begun.concat()),
            Step::Gate,
            Step::Reset,
        ]);
        let gateway = listener(driver, &provider, &authority);
        let connect = || Client::connect_tls(gateway.address(), "gateway.test", authority.client());
        let closing = "connection: close\r\n";
        let mut client = connect();
        let got = client.ask(post(path(wire), closing, chat(wire, MODEL, false)));
        assert_eq!((got.status, got.end), (200, End::Whole));
        assert!(client.is_closed(), "a length tells the end as well");
        // What an HTTP/1.0 client gets ends with the connection: how that ends tells whole from cut.
        let request = post(path(wire), "", chat(wire, MODEL, true));
        let old = String::from_utf8(request)
            .unwrap()
            .replace("HTTP/1.1", "HTTP/1.0");
        let got = connect().ask(&old);
        assert_eq!((got.status, got.end), (200, End::Closed), "{}", got.text());
        let mut client = connect();
        client.send(&old);
        let mut got = client.head();
        client.until(&mut got, "Hel");
        provider.open();
        client.finish(&mut got);
        assert_eq!((got.status, got.end), (200, End::Cut), "{}", got.text());
    });
}

#[test]
fn a_silent_tls_handshake_does_not_delay_the_stop() {
    each(|driver| {
        let authority = Authority::new();
        let provider = Provider::answering(json("{}"));
        let far = 10_000 * wait::DEADLINE.as_secs();
        let limits = [("head_timeout_ms", far), ("drain_timeout_ms", far)];
        let gateway = limited_listener(driver, &provider, &authority, &limits);
        let silent = gateway.client();
        gateway.wait_metric("ringway_connections_open", 1.0);
        let begun = Instant::now();
        gateway.end();
        let took = begun.elapsed();
        assert!(took < wait::DEADLINE, "{took:?}");
        drop(silent);
    });
}

#[test]
fn a_tls_client_too_many_gets_an_alert_and_nothing_in_clear() {
    each(|driver| {
        let authority = Authority::new();
        let provider = Provider::answering(json("{}"));
        let limits = [("connections_max", 1)];
        let gateway = limited_listener(driver, &provider, &authority, &limits);
        let config = authority.client();
        let mut client = Client::connect_tls(gateway.address(), "gateway.test", config);
        assert_eq!(client.ask(request("GET", "/healthz", "", "")).status, 200);
        let mut refused = TcpStream::connect(gateway.address()).unwrap();
        refused.set_read_timeout(Some(wait::DEADLINE)).unwrap();
        let mut heard = Vec::new();
        refused.read_to_end(&mut heard).unwrap();
        // Alert, TLS 1.2, two bytes: fatal, internal_error.
        assert_eq!(heard, [21, 3, 3, 0, 2, 2, 80]);
    });
}
