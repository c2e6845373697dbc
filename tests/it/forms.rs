//! Forms on relayed endpoints: their `model` routes them and is renamed.

use ringway::wire::kind::Wire;

use crate::support::directions::{Driver, each};
use crate::support::gateway::{Gateway, Setup};
use crate::support::http::{self, chunk, request};
use crate::support::provider::Provider;
use crate::support::wires::told;

const TARGET: &str = "/v1/audio/transcriptions";
const TYPE: &str = "content-type: multipart/form-data; boundary=XyZ\r\n";

fn part(fields: &str, content: &str) -> String {
    format!("--XyZ\r\ncontent-disposition: form-data; {fields}\r\n\r\n{content}\r\n")
}

fn model(id: &str) -> String {
    part("name=\"model\"", id)
}

fn file(len: usize) -> String {
    part(
        "name=\"file\"; filename=\"a.wav\"",
        &"\r\n--Xy".repeat(len / 6),
    )
}

fn form(parts: &[String]) -> String {
    format!("{}--XyZ--\r\n", parts.concat())
}

fn post(target: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    request("POST", target, fields, body)
}

/// Whisper stands at `other`, and `second` too; bare ids go to `first`.
fn gateway(driver: Driver, first: &Provider, other: &Provider) -> Gateway {
    Setup::new(driver)
        .provider("first", Wire::OpenAiChat, first, "")
        .provider("other", Wire::OpenAiChat, other, "")
        .model("scribe", &["other/whisper-1-large"])
        .key("all", "one", None)
        .text("relay = [\"*\"]")
        .key("few", "two", Some(&["scribe"]))
        .text("relay = [\"*\"]")
        .start()
}

fn fields(key: &str) -> String {
    format!("{TYPE}authorization: Bearer {key}\r\n")
}

#[test]
fn pk10_the_model_of_a_form_chooses_the_provider_and_an_alias_is_renamed() {
    each(|driver| {
        let first = Provider::answering(http::json("{}"));
        let other = Provider::answering(http::json("{}"));
        let gateway = gateway(driver, &first, &other);
        let mut client = gateway.client();
        for parts in [
            [model("scribe"), file(200_000)],
            [file(60_000), model("scribe")],
            [file(600), model("scribe")],
        ] {
            let got = client.ask(post(TARGET, &fields("few"), form(&parts)));
            assert_eq!(got.status, 200, "{}", got.text());
            let sent = form(&parts.map(|part| part.replace("scribe", "whisper-1-large")));
            let seen = other.requests().pop().unwrap();
            assert_eq!(
                seen.head.field("content-length"),
                Some(&*sent.len().to_string())
            );
            assert!(seen.body == sent.as_bytes());
        }
        let bare = form(&[file(10), model("whisper-1")]);
        assert_eq!(
            client
                .ask(post(TARGET, &fields("all"), bare.clone()))
                .status,
            200
        );
        assert_eq!(first.requests().pop().unwrap().body, bare.as_bytes());
        // Without a model: the provider of the wire, as ever.
        let none = form(&[part("name=\"purpose\"", "batch"), file(10)]);
        assert_eq!(
            client
                .ask(post("/v1/files", &fields("few"), none.clone()))
                .status,
            200
        );
        assert_eq!(first.requests().pop().unwrap().body, none.as_bytes());
    });
}

#[test]
fn forms_in_chunks_are_renamed_in_chunks() {
    each(|driver| {
        let first = Provider::answering(http::json("{}"));
        let other = Provider::answering(http::json("{}"));
        let gateway = gateway(driver, &first, &other);
        let mut client = gateway.client();
        let body = form(&[model("scribe"), file(3_000)]);
        client.send(format!(
            "POST {TARGET} HTTP/1.1\r\nhost: a\r\n{}transfer-encoding: chunked\r\n\r\n",
            fields("few")
        ));
        for piece in body.as_bytes().chunks(40) {
            client.send(chunk(core::str::from_utf8(piece).unwrap()));
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.answer().status, 200);
        let seen = other.only_request();
        assert_eq!(seen.head.field("transfer-encoding"), Some("chunked"));
        assert_eq!(
            seen.body,
            body.replace("scribe", "whisper-1-large").as_bytes()
        );
    });
}

#[test]
fn p14_p20_forms_of_models_that_the_key_may_not_use_or_that_read_two_ways_are_refused() {
    each(|driver| {
        let first = Provider::answering(http::json("{}"));
        let other = Provider::answering(http::json("{}"));
        let gateway = gateway(driver, &first, &other);
        for (key, parts, status) in [
            ("few", vec![model("whisper-1"), file(10)], 404),
            ("few", vec![file(200_000), model("whisper-1")], 404),
            ("few", vec![file(10)], 403),
            ("few", vec![file(200_000)], 403),
            ("all", vec![model("nope"), file(10)], 404),
            ("all", vec![file(200_000), model("scribe")], 400),
            ("all", vec![model("scribe"), file(10), model("scribe")], 400),
            (
                "all",
                vec![model("scribe"), file(200_000), model("scribe")],
                400,
            ),
            ("all", vec![model(""), file(10)], 400),
            ("all", vec!["--XyZ\nname: x\n\n".to_owned()], 400),
        ] {
            let got = gateway
                .client()
                .ask(post(TARGET, &fields(key), form(&parts)));
            assert_eq!(got.status, status, "{}", got.text());
            told(Wire::OpenAiChat, &got);
        }
        // What began to go out before the fault was seen never ended.
        assert_eq!((first.requests().len(), other.requests().len()), (0, 0));
        let late = form(&[file(200_000), model("whisper-1")]);
        let got = gateway
            .client()
            .ask(post(TARGET, &fields("all"), late.clone()));
        assert_eq!(got.status, 200, "{}", got.text());
        assert!(first.only_request().body == late.as_bytes());
    });
}

#[test]
fn a_late_model_of_another_deployment_at_the_same_provider_is_400() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let gateway = Setup::new(driver)
            .provider("first", Wire::OpenAiChat, &provider, "region = \"here\"")
            .text(
                "[[model]]\nid = \"there\"\n\
                 targets = [{ model = \"first/there\", region = \"there\" }]\n\
                 [[model]]\nid = \"here\"\ntargets = [\"first/here\"]",
            )
            .start();
        for (parts, status) in [
            ([model("there"), file(200_000)], 200),
            ([file(200_000), model("here")], 200),
            ([file(200_000), model("there")], 400),
        ] {
            let got = gateway.client().ask(post(TARGET, TYPE, form(&parts)));
            assert_eq!(got.status, status, "{}", got.text());
            if status == 400 {
                let message = told(Wire::OpenAiChat, &got).message;
                assert!(message.starts_with("model: "), "{message}");
            }
        }
        assert_eq!(provider.requests().len(), 2);
    });
}

#[test]
fn promises_about_data_are_never_passed_on_in_a_form() {
    each(|driver| {
        let first = Provider::answering(http::json("{}"));
        let other = Provider::answering(http::json("{}"));
        let gateway = gateway(driver, &first, &other);
        for name in ["privacy_tier", "pii_substitution"] {
            let asked = part(&format!("name=\"{name}\""), "true");
            for parts in [
                [asked.clone(), model("scribe"), file(600)],
                [model("scribe"), asked.clone(), file(600)],
                [model("scribe"), file(300_000), asked.clone()],
            ] {
                let got = gateway
                    .client()
                    .ask(post(TARGET, &fields("all"), form(&parts)));
                assert_eq!(got.status, 400, "{}", got.text());
                assert!(got.text().contains(name), "{}", got.text());
            }
        }
        assert_eq!((first.requests().len(), other.requests().len()), (0, 0));
    });
}

#[test]
fn json_that_says_it_is_a_form_is_routed_by_its_model() {
    each(|driver| {
        let first = Provider::answering(http::json("{}"));
        let other = Provider::answering(http::json("{}"));
        let gateway = gateway(driver, &first, &other);
        let curl = "content-type: application/x-www-form-urlencoded\r\n\
                    authorization: Bearer all\r\n";
        let got = gateway
            .client()
            .ask(post("/v1/embeddings", curl, r#"{"model":"scribe"}"#));
        assert_eq!(got.status, 200);
        assert_eq!(other.only_request().body, br#"{"model":"whisper-1-large"}"#);
        let plain = gateway.client().ask(post("/v1/x", curl, "a=b&model=c"));
        assert_eq!(plain.status, 200);
        assert_eq!(first.only_request().body, b"a=b&model=c");
    });
}

#[test]
fn p14_relayed_json_that_was_read_goes_on_under_no_label_that_says_otherwise() {
    each(|driver| {
        let first = Provider::answering(http::json("{}"));
        let other = Provider::answering(http::json("{}"));
        let gateway = gateway(driver, &first, &other);
        // As a form this names another model than the one that the key may use.
        let body = r#"{"model":"scribe","x":"&model=dear&y="}"#;
        for (label, expected) in [
            ("application/x-www-form-urlencoded", "application/json"),
            ("application/json; charset=shift_jis", "application/json"),
            (
                "application/json;a=b; CHARSET = \"utf-7\"",
                "application/json",
            ),
            ("text/plain; charset=utf-16", "application/json"),
            (
                "application/json; charset=UTF-8",
                "application/json; charset=UTF-8",
            ),
            ("application/vnd.x+json; v=2", "application/vnd.x+json; v=2"),
            ("text/plain", "text/plain"),
        ] {
            let fields = format!("content-type: {label}\r\nauthorization: Bearer few\r\n");
            let got = gateway.client().ask(post("/v1/embeddings", &fields, body));
            assert_eq!(got.status, 200, "{}", got.text());
            let seen = other.requests().pop().unwrap();
            assert_eq!(seen.head.field("content-type"), Some(expected), "{label}");
            let sent = body.replace("scribe", "whisper-1-large");
            assert_eq!(seen.body, sent.as_bytes());
        }
        assert_eq!(first.connections(), 0);
    });
}

#[test]
fn p5_bytes_of_an_upload_that_come_while_connecting_are_its_body_and_no_request() {
    each(|driver| {
        let first = Provider::answering(http::json("{}"));
        let other = Provider::answering(http::json("{}"));
        let gateway = gateway(driver, &first, &other);
        let mut client = gateway.client();
        let fields = "content-type: audio/wav\r\nauthorization: Bearer all\r\n";
        let body = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".repeat(10_000);
        let got = client.ask(post(TARGET, fields, &body));
        assert_eq!(got.status, 200, "{}", got.text());
        assert!(first.only_request().body == body.as_bytes());
        assert_eq!(
            client.ask(request("GET", "/healthz", "", "")).text(),
            "ok\n"
        );
        assert_eq!(gateway.lines(2).len(), 2);
    });
}
