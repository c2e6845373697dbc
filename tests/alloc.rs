//! Streams in steady state allocate nothing: text, thinking and tool arguments, both directions,
//! tap and strip alike. A whole request through the gateway allocates three times at most, and five
//! times with everything that governs.

#![expect(
    unsafe_code,
    reason = "a counting allocator can only be an unsafe impl; it passes every call on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::models::ModelTable;
use ringway::translate::request as translate_request;
use ringway::translate::request_context::{Hints, RequestContext};
use ringway::translate::stream::StreamTranslator;
use ringway::translate::tap::Tap;
use ringway::translate::usage_strip::UsageStrip;
use ringway::wire::codec::ClientNeeds;
use ringway::wire::kind::{Dialect, Wire};
use ringway::wire::openai::settings::Needs;

struct Counting;

thread_local! {
    /// Allocations of this thread: tests run side by side.
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Bytes that this thread has allocated and not given back, and the most of them so far.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// What this thread holds became `taken` bytes more and `given` less.
fn hold(taken: usize, given: usize) {
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        let now = now + taken.cast_signed() - given.cast_signed();
        held.set((now, most.max(now)));
    });
}

fn count() {
    // A thread that is being torn down counts nothing.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    #[cfg(feature = "server")]
    request::count();
}

// SAFETY: every method passes its arguments on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size(), 0);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        hold(0, layout.size());
        // SAFETY: `memory` came from `System` by the methods above, with this layout.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        hold(size, layout.size());
        // SAFETY: `memory` came from `System`; the promise about `size` is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

/// The most bytes that `work` holds at a time beyond what is held before.
fn peak(work: impl FnOnce()) -> usize {
    let (before, _) = HELD.with(Cell::get);
    HELD.with(|held| held.set((before, before)));
    work();
    let (_, most) = HELD.with(Cell::get);
    (most - before).unsigned_abs()
}

#[test]
fn request_of_many_small_parts_takes_a_bounded_multiple_of_its_bytes() {
    let (limits, table) = (Limits::default(), ModelTable::builtin());
    for part in [
        r#""a","#,
        r#"{"type":"text","text":"a"},"#,
        r#"{"text":"a","type":"text"},"a","#,
    ] {
        let parts = part.repeat(limits.json_values_max / 8);
        let parts = parts.trim_end_matches(',');
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{parts}]}}]}}"#
        );
        let dialect = Dialect::default();
        let context = RequestContext {
            from: Wire::OpenAiChat,
            to: Wire::AnthropicMessages,
            model: "claude-sonnet-4-5",
            dialect: &dialect,
            facts: table.facts("claude-sonnet-4-5"),
            hints: Hints::default(),
            limits: &limits,
            created: 0,
            seed: 0,
        };
        let held = peak(|| {
            let (mut tape, mut out) = (Tape::new(), Vec::new());
            translate_request::translate(body.as_bytes(), &mut tape, &context, &mut out).unwrap();
        });
        assert!(held <= 24 * body.len(), "{part}: {held} of {}", body.len());
    }
}

/// A stream's opening, and one delta of each kind that repeats.
struct Stream {
    wire: Wire,
    opening: &'static str,
    delta: &'static str,
}

const STREAMS: [Stream; 7] = [
    Stream {
        wire: Wire::OpenAiChat,
        opening: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
        delta: "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello \\u00e9\\n\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"abc\"}\n\n",
    },
    Stream {
        wire: Wire::OpenAiChat,
        opening: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[]}\n\n",
        delta: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":null,\"reasoning_content\":\"Let me see\"},\"finish_reason\":null}]}\n\n",
    },
    Stream {
        wire: Wire::OpenAiChat,
        opening: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[]}\n\n",
        delta: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"a\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"a\",\"index\":0}]},\"finish_reason\":null}]}\n\n",
    },
    Stream {
        wire: Wire::OpenAiChat,
        opening: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":[\"}}]}}]}\n\n",
        delta: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"x\\\",\"}}]},\"finish_reason\":null}]}\n\n",
    },
    Stream {
        wire: Wire::AnthropicMessages,
        opening: "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        delta: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello \\u00e9\\n\"}    }\n\n",
    },
    Stream {
        wire: Wire::AnthropicMessages,
        opening: "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}}\n\n",
        delta: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"Let me\"}}\n\n",
    },
    Stream {
        wire: Wire::AnthropicMessages,
        opening: "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}}\n\n",
        delta: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\\\"x\\\",\"}}\n\n",
    },
];

const WARM: usize = 8;
const STEADY: usize = 1000;

/// Feeds a stream whole and in two pieces per delta; returns allocations once warm.
fn steady(stream: &Stream, mut feed: impl FnMut(&[u8])) -> u64 {
    let (first, second) = stream.delta.as_bytes().split_at(stream.delta.len() / 2);
    feed(stream.opening.as_bytes());
    let mut round = || {
        feed(stream.delta.as_bytes());
        feed(first);
        feed(second);
    };
    (0..WARM).for_each(|_| round());
    allocations(|| (0..STEADY).for_each(|_| round()))
}

#[test]
fn translator_in_steady_state_allocates_nothing() {
    for stream in &STREAMS {
        let to = match stream.wire {
            Wire::OpenAiChat => Wire::AnthropicMessages,
            Wire::AnthropicMessages => Wire::OpenAiChat,
        };
        let context = AnswerContext {
            needs: ClientNeeds::OpenAi(Needs {
                include_usage: true,
                ..Needs::default()
            }),
            ..AnswerContext::default()
        };
        let mut translator = StreamTranslator::new(stream.wire, to, context, 1 << 20);
        let mut out = Vec::with_capacity(1 << 16);
        let mut deltas = 0;
        let count = steady(stream, |piece| {
            out.clear();
            deltas += translator.push(piece, &mut out).deltas as usize;
        });
        assert!(
            deltas >= 2 * (WARM + STEADY),
            "{deltas} deltas: {}",
            stream.delta
        );
        assert_eq!(count, 0, "{}", stream.delta);
    }
}

#[test]
fn tap_in_steady_state_allocates_nothing() {
    for stream in &STREAMS {
        let mut tap = Tap::new(stream.wire, 1 << 20);
        let mut deltas = 0;
        let count = steady(stream, |piece| deltas += tap.push(piece).deltas as usize);
        assert!(
            deltas >= 2 * (WARM + STEADY),
            "{deltas} deltas: {}",
            stream.delta
        );
        assert_eq!(count, 0, "{}", stream.delta);
    }
}

#[test]
fn strip_in_steady_state_allocates_nothing() {
    for stream in STREAMS
        .iter()
        .filter(|stream| stream.wire == Wire::OpenAiChat)
    {
        let mut strip = UsageStrip::new(1 << 20);
        let mut out = Vec::with_capacity(1 << 16);
        let count = steady(stream, |piece| {
            out.clear();
            strip.push(piece, &mut out);
        });
        assert_eq!(count, 0, "{}", stream.delta);
    }
}

#[test]
fn counting_allocator_counts() {
    let made = allocations(|| drop(vec![0u8; 100]));
    assert_eq!(made, 1);
}

/// Whole requests through a gateway in this process, on either driver.
#[cfg(feature = "server")]
mod request {
    use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};
    use std::fs;
    use std::sync::{Mutex, PoisonError};

    use ringway::config::load::file::load_text;
    use ringway::route::compile::plan::compile;
    use ringway::server::run::{self, StartOptions};
    use ringway::wire::kind::Wire;
    use ringway_test_support::client::Client;
    use ringway_test_support::http;
    use ringway_test_support::provider::Provider;

    /// The thread that is watched, by the kernel's number for it; nought while none is.
    static WATCHED: AtomicI32 = AtomicI32::new(0);
    static COUNT: AtomicU64 = AtomicU64::new(0);

    pub(super) fn count() {
        let watched = WATCHED.load(Ordering::Relaxed);
        // SAFETY: it takes nothing, and asks the kernel for a number.
        if watched != 0 && unsafe { libc::gettid() } == watched {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of the one worker's thread.
    fn worker() -> i32 {
        let tasks = fs::read_dir("/proc/self/task").expect("threads are listed");
        let paths = tasks.map(|task| task.expect("a thread").path());
        let is_worker = |name: String| name.trim_end() == "ringway-0";
        let mut found =
            paths.filter(|path| fs::read_to_string(path.join("comm")).is_ok_and(is_worker));
        let path = found.next().expect("a worker runs");
        let number = path.file_name().and_then(|name| name.to_str());
        number.and_then(|name| name.parse().ok()).expect("a number")
    }

    /// A provider that answers every request with `body`.
    fn provider(media: &str, body: &str) -> Provider {
        let fields = format!(
            "content-type: {media}\r\nx-request-id: req_5f3ab7c1\r\n\
             date: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: test\r\n"
        );
        Provider::answering(http::answer("200 OK", &fields, body))
    }

    /// Allocations of the worker per whole request of a client, once warm; none without the driver.
    fn per_request(driver: &str, wire: Wire, governance: Governance) -> Option<u64> {
        let body = match wire {
            Wire::OpenAiChat => include_str!("fixtures/openai/answers/text.json"),
            Wire::AnthropicMessages => include_str!("fixtures/anthropic/answers/text.json"),
        };
        let count = watched(driver, wire, governance, ("application/json", body))?;
        Some(count / REQUESTS)
    }

    /// Allocations of the worker for streams of so many deltas.
    fn of_streams(driver: &str, wire: Wire, governance: Governance, deltas: usize) -> Option<u64> {
        let (opening, delta, end) = match wire {
            Wire::OpenAiChat => (
                "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
                "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n",
                "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                 data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":9,\"total_tokens\":18}}\n\n\
                 data: [DONE]\n\n",
            ),
            Wire::AnthropicMessages => (
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n\
                 event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n",
                "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
                 event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n\
                 event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ),
        };
        let body = [opening, &delta.repeat(deltas), end].concat();
        watched(driver, wire, governance, ("text/event-stream", &body))
    }

    /// Allocations of the worker for [`REQUESTS`] answers like this.
    fn watched(
        driver: &str,
        wire: Wire,
        governance: Governance,
        (media, body): (&str, &str),
    ) -> Option<u64> {
        let (kind, version, path) = match wire {
            Wire::OpenAiChat => ("openai", "/v1", "/v1/chat/completions"),
            Wire::AnthropicMessages => ("anthropic", "", "/v1/messages"),
        };
        let is_stream = media == "text/event-stream";
        let provider = provider(media, body);
        let origin = provider.address();
        let folder = tempfile::tempdir().expect("a folder");
        let (stated, targets, rest) = match governance {
            Governance::Off => ("", "\"p/a-longer-name\"", ""),
            Governance::Records => ("", "\"p/a-longer-name\"", "[usage]\njournal = \"usage\"\n"),
            Governance::All => (STATED, "\"p/a-longer-name\", \"p/b\", \"p/c\"", GOVERNED),
        };
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"off\"\nworkers = 1\n\
             driver = \"{driver}\"\nlog = \"{}\"\n[limits]\ndrain_timeout_ms = 1000\n\
             [[provider]]\nname = \"p\"\nkind = \"{kind}\"\nbase_url = \"http://{origin}{version}\"\n\
             key_env = \"KEY\"\n{stated}[[model]]\nid = \"fast\"\norder = \"weighted\"\n\
             targets = [{targets}]\n{rest}",
            folder.path().join("log").display()
        );
        let loaded = load_text(&text, "alloc", folder.path(), &|_| {
            Some("sk-upstream-0123".to_owned())
        });
        let compiled = compile(loaded).expect("a configuration without fault");
        let Ok(running) = run::start(compiled.plan, &StartOptions::default()) else {
            return None;
        };
        let address = running.tcp().expect("it listens on TCP");
        let mut client = Client::connect(address);
        let asked = format!(
            "{{\"model\":\"fast\",\"max_tokens\":64,\"stream\":{is_stream},\
             \"messages\":[{{\"role\":\"user\",\"content\":\"How are you?\"}}]}}"
        );
        let fields = "authorization: Bearer k\r\nuser-agent: test\r\n";
        let request = http::post(path, fields, asked);
        let mut exchange = || {
            let answer = client.ask(&request);
            assert_eq!(answer.status, 200);
            assert!(is_stream || answer.body == body.as_bytes());
        };
        (0..WARM).for_each(|_| exchange());
        COUNT.store(0, Ordering::Relaxed);
        WATCHED.store(worker(), Ordering::Relaxed);
        (0..REQUESTS).for_each(|_| exchange());
        WATCHED.store(0, Ordering::Relaxed);
        drop(client);
        running.stop();
        running.wait().expect("a clean end");
        Some(COUNT.load(Ordering::Relaxed))
    }

    /// What is on.
    #[derive(Clone, Copy, Debug)]
    enum Governance {
        Off,
        /// Usage records.
        Records,
        /// Those, and limits and budgets of key and tenant, prices, tiers, residency, three targets.
        All,
    }

    const STATED: &str = "tier = \"managed\"\nregion = \"ca-central-1\"\njurisdiction = \"CA\"\n\
        custody_label = \"Stub-CA\"\ncredential_source = \"platform\"\nnetworks = [\"127.0.0.0/8\"]\n";
    const GOVERNED: &str = "[usage]\njournal = \"usage\"\n\
        [[key]]\nsha256 = \"8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a\"\n\
        tenant = \"blue\"\ntiers = [\"managed\"]\nresidency = { jurisdictions = [\"CA\"] }\n\
        requests_per_minute = 1000000\ntokens_per_minute = 1000000000\nconcurrent = 100\n\
        budget_day = 1000\nbudget_month = 10000\n\
        [[tenant]]\nname = \"blue\"\nresidency = { jurisdictions = [\"CA\", \"US\"] }\n\
        requests_per_minute = 1000000\ntokens_per_minute = 1000000000\nconcurrent = 100\n\
        budget_day = 1000\nbudget_month = 10000\n\
        [prices.\"p/*\"]\ninput = \"1\"\noutput = \"5\"\n";

    /// Held by whoever runs a gateway: one thread is watched at a time.
    static ONE: Mutex<()> = Mutex::new(());

    #[test]
    fn events_allocate_nothing_whatever_governs() {
        let _held = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        for wire in [Wire::OpenAiChat, Wire::AnthropicMessages] {
            for driver in ["epoll", "uring"] {
                let of = |deltas| of_streams(driver, wire, Governance::All, deltas);
                let (Some(few), Some(many)) = (of(20), of(60)) else {
                    assert_eq!(driver, "uring", "it may not be had here");
                    continue;
                };
                // Forty more events in each of so many streams; buffers come and go now and then.
                assert!(many < few + REQUESTS, "{wire:?} {driver}: {few}, {many}");
            }
        }
    }

    #[test]
    fn whole_request_on_one_wire_allocates_three_times_and_governed_five() {
        let _held = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        for wire in [Wire::OpenAiChat, Wire::AnthropicMessages] {
            for (governance, most) in [
                (Governance::Off, 3),
                (Governance::Records, 3),
                (Governance::All, 5),
            ] {
                let told = format!("{wire:?} {governance:?}");
                let on_epoll = per_request("epoll", wire, governance);
                assert_eq!(on_epoll, Some(most), "{told}");
                if let Some(count) = per_request("uring", wire, governance) {
                    assert_eq!(count, most, "{told}");
                }
            }
        }
    }

    const WARM: u64 = 40;
    const REQUESTS: u64 = 200;
}
