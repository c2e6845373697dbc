//! Heads and chunked bodies.
//!
//! `cargo bench --no-default-features --bench http1`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringway::http1::body::{BodyDecoder, BodyLimits};
use ringway::http1::encode;
use ringway::http1::framing::Framing;
use ringway::http1::head::{
    HeadLimits, Parsed, RequestHead, ResponseHead, parse_request, parse_response,
};
use ringway::http1::method::Method;
use ringway::limits::Limits;

/// What an SDK of today sends.
const REQUEST: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\n\
    Host: 127.0.0.1:8080\r\n\
    Accept-Encoding: gzip, deflate\r\n\
    Connection: keep-alive\r\n\
    Accept: application/json\r\n\
    Content-Type: application/json\r\n\
    User-Agent: OpenAI/Python 3.52.0\r\n\
    X-Stainless-Lang: python\r\n\
    X-Stainless-Package-Version: 3.52.0\r\n\
    X-Stainless-OS: Linux\r\n\
    X-Stainless-Arch: x64\r\n\
    X-Stainless-Runtime: CPython\r\n\
    X-Stainless-Runtime-Version: 3.13.5\r\n\
    Authorization: Bearer sk-0123456789abcdef0123456789abcdef\r\n\
    X-Stainless-Async: false\r\n\
    x-stainless-retry-count: 0\r\n\
    x-stainless-read-timeout: 600\r\n\
    Content-Length: 1187\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Sat, 21 Nov 2026 11:00:00 GMT\r\n\
    Content-Type: text/event-stream; charset=utf-8\r\n\
    Transfer-Encoding: chunked\r\n\
    Connection: keep-alive\r\n\
    openai-organization: org\r\n\
    openai-processing-ms: 312\r\n\
    openai-version: 2020-10-01\r\n\
    x-ratelimit-limit-requests: 10000\r\n\
    x-ratelimit-remaining-requests: 9999\r\n\
    x-request-id: req_0123456789abcdef\r\n\r\n";

fn heads(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("http1_head");
    let request_limits = HeadLimits::of_request(&limits);
    let mut head = RequestHead::new();
    group.throughput(Throughput::Bytes(REQUEST.len() as u64));
    group.bench_function("request", |b| {
        b.iter(|| {
            let parsed = parse_request(black_box(REQUEST), 0, &request_limits, &mut head);
            assert_eq!(
                parsed,
                Ok(Parsed::Complete {
                    consumed: REQUEST.len()
                })
            );
        });
    });
    let response_limits = HeadLimits::of_response(&limits);
    let mut head = ResponseHead::new();
    group.throughput(Throughput::Bytes(RESPONSE.len() as u64));
    group.bench_function("response", |b| {
        b.iter(|| {
            let input = black_box(RESPONSE);
            let parsed = parse_response(input, 0, &response_limits, Method::Post, &mut head);
            assert_eq!(
                parsed,
                Ok(Parsed::Complete {
                    consumed: RESPONSE.len()
                })
            );
        });
    });
    group.finish();
}

fn chunks(criterion: &mut Criterion) {
    let limits = BodyLimits::endless(&Limits::default());
    let event = [b'x'; 200];
    let mut body = Vec::new();
    for _ in 0..300 {
        let mark = encode::chunk_open(&mut body);
        body.extend_from_slice(&event);
        encode::chunk_close(&mut body, mark);
    }
    encode::last_chunk(&mut body);
    let mut group = criterion.benchmark_group("http1_chunked");
    group.throughput(Throughput::Elements(300));
    group.bench_function("decode", |b| {
        b.iter(|| {
            let mut decoder = BodyDecoder::new(Framing::Chunked, &limits).expect("no length");
            let mut rest = black_box(&body[..]);
            let mut payload = 0;
            while !decoder.is_done() {
                let step = decoder.step(rest).expect("well-formed");
                payload += step.payload.len();
                rest = &rest[step.consumed..];
            }
            assert_eq!(payload, 300 * event.len());
        });
    });
    let mut out = Vec::with_capacity(1 << 17);
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            for _ in 0..300 {
                let mark = encode::chunk_open(&mut out);
                out.extend_from_slice(black_box(&event));
                encode::chunk_close(&mut out, mark);
            }
            out.len()
        });
    });
    group.finish();
}

criterion_group!(group, heads, chunks);
criterion_main!(group);
