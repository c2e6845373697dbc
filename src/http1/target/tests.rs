use super::*;

fn parts(method: Method, target: &str) -> Option<(String, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    split(method, target.as_bytes()).map(|target| (text(target.path), target.query.map(text)))
}

#[test]
fn target_forms_yield_path_and_query() {
    let cases = [
        ("/", "/", None),
        ("/v1/models?limit=3&a?b", "/v1/models", Some("limit=3&a?b")),
        ("/v1?", "/v1", Some("")),
        ("//v1/messages", "//v1/messages", None),
        ("http://h/v1/messages?x", "/v1/messages", Some("x")),
        ("HTTPS://h:1/a", "/a", None),
        ("http://[::1]:80", "", None),
        ("http://h?x=/", "", Some("x=/")),
    ];
    for (target, path, query) in cases {
        let expected = Some((path.to_owned(), query.map(str::to_owned)));
        assert_eq!(parts(Method::Post, target), expected, "{target}");
    }
    assert_eq!(parts(Method::Options, "*"), Some(("*".into(), None)));
}

#[test]
fn target_without_a_form_is_refused() {
    let cases = [
        "",
        "*",
        "v1",
        "h:80",
        "http:/h/x",
        "http://",
        "http:///x",
        "http://a b/",
        "http://u@h/x",
        "ftp://h/x",
        "/a#b",
        "/a b",
        "/é",
        "/\u{7f}",
        "/a\tb",
        "?x",
    ];
    for target in cases {
        assert_eq!(parts(Method::Get, target), None, "{target}");
    }
    assert_eq!(parts(Method::Options, "**"), None);
}

#[test]
fn to1_version_prefix_is_taken_off_once_or_twice() {
    let cases = [
        ("/v1/messages", "/messages", true),
        ("/v1/v1/messages", "/messages", true),
        ("//v1/messages", "/messages", true),
        ("//v1/v1/messages", "/messages", true),
        ("/messages", "/messages", false),
        ("/v1", "", true),
        ("/v1/v1", "", true),
        ("/v1x/messages", "/v1x/messages", false),
        ("/V1/messages", "/V1/messages", false),
        ("/healthz", "/healthz", false),
        ("/v1/v1x", "/v1x", true),
        ("*", "*", false),
        ("/", "/", false),
    ];
    for (path, rest, versioned) in cases {
        let rest = rest.as_bytes();
        assert_eq!(
            api_path(path.as_bytes()),
            Ok(ApiPath { rest, versioned }),
            "{path}"
        );
    }
}

#[test]
fn path_that_could_be_read_as_another_is_refused() {
    use PathFault as F;
    let cases = [
        ("/v1/./messages", F::DotSegment),
        ("/v1/../v1/messages", F::DotSegment),
        ("/v1/%2e/x", F::DotSegment),
        ("/v1/.%2E", F::DotSegment),
        ("/v1/%2e%2e/x", F::DotSegment),
        ("/v1/v1/..", F::DotSegment),
        ("/v1//messages", F::EmptySegment),
        ("/v1/messages/", F::EmptySegment),
        ("/v1/", F::EmptySegment),
        ("///v1/messages", F::EmptySegment),
        ("/v1/files%2fx", F::EncodedSeparator),
        ("/v1/files%2Fx", F::EncodedSeparator),
        ("/v1/files%5cx", F::EncodedSeparator),
        ("/v1/files%00", F::EncodedSeparator),
        ("/v1/models/a%5Cb", F::EncodedSeparator),
        ("/v1/models/a%00b", F::EncodedSeparator),
        ("/v1/files%", F::BrokenEscape),
        ("/v1/files%2", F::BrokenEscape),
        ("/v1/files%zz", F::BrokenEscape),
        ("/v1/files\\x", F::Byte),
        ("/v1/files#x", F::Byte),
        ("/v1/v1/v1/messages", F::RepeatedVersion),
        ("/v1/models/a%2f..%2fb", F::DotSegment),
        ("/v1/models/a%2f%2fb", F::EmptySegment),
        ("/models/../x", F::DotSegment),
    ];
    for (path, fault) in cases {
        let judged = api_path(path.as_bytes());
        if path.starts_with("///") {
            // Outside /v1, so it matches nothing: 404.
            let rest = b"//v1/messages";
            assert_eq!(judged.map(|path| path.rest), Ok(&rest[..]));
        } else {
            assert_eq!(judged, Err(fault), "{path}");
        }
    }
    let clean = [
        "/v1/files/a.b",
        "/v1/files/...",
        "/v1/a/.b/b.",
        "/v1/a%20b",
        "/v1/a%252fb",
    ];
    for path in clean {
        assert!(api_path(path.as_bytes()).is_ok(), "{path}");
    }
}

#[test]
fn model_id_with_slashes_is_decoded_once() {
    let cases = [
        ("/v1/models/a/b", "a/b"),
        ("/v1/models/a%2Fb", "a/b"),
        (
            "/v1/v1/models/bedrock%2fglobal.x-v1:0",
            "bedrock/global.x-v1:0",
        ),
        ("/models/%40slug%2Fm", "@slug/m"),
        ("/v1/models/a%252fb", "a%2fb"),
    ];
    for (path, id) in cases {
        let rest = api_path(path.as_bytes()).unwrap().rest;
        let mut out = Vec::new();
        decode_id(rest.strip_prefix(b"/models/").unwrap(), &mut out);
        assert_eq!(out, id.as_bytes(), "{path}");
    }
    let mut out = Vec::new();
    decode_id(b"a%zz%2", &mut out);
    assert_eq!(out, b"a%zz%2");
}

#[test]
fn query_is_passed_only_if_its_bytes_are_plain() {
    for query in [
        "",
        "beta=true",
        "include[]=a.b&after=x%20y",
        "a?b/c:d@e,f;g!$'()*+~-_=%25",
    ] {
        assert_eq!(check_query(query.as_bytes()), Ok(()), "{query}");
    }
    use PathFault as F;
    let bad = [
        ("a#b", F::Byte),
        ("a\\b", F::Byte),
        ("a b", F::Byte),
        ("a\"b", F::Byte),
        ("{}", F::Byte),
        ("é", F::Byte),
        ("%", F::BrokenEscape),
        ("%4", F::BrokenEscape),
        ("%4g", F::BrokenEscape),
        ("a%0d%0ab", F::EncodedLineEnd),
        ("%00", F::EncodedLineEnd),
    ];
    for (query, fault) in bad {
        assert_eq!(check_query(query.as_bytes()), Err(fault), "{query}");
    }
}

#[test]
fn p12_what_needs_no_escape_is_refused_as_one_but_in_a_models_id() {
    for path in [
        "/v1/%63hat/completions",
        "/v1/chat%2Dx",
        "/v1/mod%65ls/a",
        "/v1/a%5Fb",
        "/v1/%7e",
    ] {
        assert_eq!(
            api_path(path.as_bytes()),
            Err(PathFault::EncodedPlain),
            "{path}"
        );
    }
    for path in [
        "/v1/models/gpt%2D4",
        "/v1/models/a%2Fb%3Ac",
        "/v1/files/a%20b%3A%40",
    ] {
        assert!(api_path(path.as_bytes()).is_ok(), "{path}");
    }
}

#[test]
fn every_fault_has_words_of_its_own() {
    let faults = [
        ("/v1/./chat", "dot segment"),
        ("/v1//chat", "empty segment"),
        ("/v1/a%2fb", "encoded slash"),
        ("/v1/ch%61t", "percent-encoded letter"),
        ("/v1/a%2", "broken percent escape"),
        ("/v1/a\\b", "forbidden byte"),
        ("/v1/a\u{7f}", "forbidden byte"),
        ("/v1/v1/v1/chat", "repeated"),
    ];
    for (path, words) in faults {
        let fault = api_path(path.as_bytes()).map(drop).unwrap_err();
        assert!(fault.to_string().contains(words), "{path}: {fault}");
    }
}
