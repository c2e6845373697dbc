//! Every default bound of the program, with unit and reason.
//!
//! [`Limits`] is what the configuration can set; it is passed down, never read from a global.
//! Constants below it are bounds that nobody should have to tune.

use core::time::Duration;

/// The bounds that `[limits]` in the configuration can set. Sizes in bytes, times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request head, request line included. Over: 431.
    pub head_bytes_max: usize,
    /// Fields of a request head. Over: 431.
    pub head_fields_max: usize,
    /// One field's name. Over: 431.
    pub field_name_bytes_max: usize,
    /// One field's value. Over: 431.
    pub field_value_bytes_max: usize,
    /// Request target. Over: 414.
    pub target_bytes_max: usize,
    /// Request body on the JSON wires; a provider's own limit is 32 MB: it shall judge. Over: 413.
    pub body_bytes_max: usize,
    /// Request body on relayed endpoints, streamed. Over: 413.
    pub relay_body_bytes_max: u64,
    /// Chunk extensions and trailers of one body. Over: 400.
    pub chunk_overhead_bytes_max: usize,
    /// Nesting of a JSON body. Over: 400.
    pub json_depth_max: u32,
    /// Members of the outermost object of a chat's body. Over: 400.
    pub json_members_max: usize,
    /// Values and names of a JSON document that is translated: 16 bytes of index each. Over: 400.
    pub json_values_max: usize,
    /// Response head of a provider. Over: 502.
    pub response_head_bytes_max: usize,
    /// Fields of a response head. Over: 502.
    pub response_fields_max: usize,
    /// Interim (1xx) responses before the answer. Over: 502.
    pub interim_responses_max: u32,
    /// One stream event in translation. Over: error event, close.
    pub event_bytes_max: usize,
    /// A whole answer in translation. Over: 502.
    pub answer_bytes_max: usize,
    /// Start-up frames held back while another target could still take over.
    pub held_bytes_max: usize,
    /// Bytes held in buffers past 64 KiB, over all threads. 0: 256 MiB, or a quarter of the
    /// cgroup's memory limit if that is less. Over: 503 with retry-after.
    pub held_budget_bytes: usize,
    /// Client connections over all threads. 0: derived from descriptors and memory. Over: refused.
    pub connections_max: usize,
    /// Requests on one client connection, then it is closed.
    pub requests_per_connection_max: u32,
    /// From the first byte of a head (from accept on a new connection) to its end. Over: 408.
    pub head_timeout_ms: u64,
    /// No byte of a body for this long: 408.
    pub body_stall_timeout_ms: u64,
    /// Lowest average rate of a body, bytes a second over 30 s. Under: 408.
    pub body_rate_min: u64,
    /// The same past the first MiB.
    pub body_rate_large_min: u64,
    /// An idle client connection; longer than the usual balancer's in front, which else races us.
    pub idle_timeout_ms: u64,
    /// TCP connect to a provider. Over: next target, 504.
    pub connect_timeout_ms: u64,
    /// TLS handshake with a provider. Over: next target, 504.
    pub handshake_timeout_ms: u64,
    /// First resolution of a provider's name. Over: 502.
    pub resolve_timeout_ms: u64,
    /// From the connection being up to the whole answer head; thinking models take minutes.
    pub answer_head_timeout_ms: u64,
    /// Silence within a stream (comments and pings count as life). Over: error event, close.
    pub stream_stall_timeout_ms: u64,
    /// To a stream's first content, while another target could take over. Over: that one is asked.
    /// 0: as long as it takes.
    pub first_token_timeout_ms: u64,
    /// Deltas per second that a stream must bring from its first content on, while another target
    /// could take over. Less: that one is asked. 0: any rate will do.
    pub stream_rate_min: u64,
    /// How long that is looked at, at most.
    pub stream_rate_window_ms: u64,
    /// A client that does not read. Over: both sides are closed.
    pub write_stall_timeout_ms: u64,
    /// Quiet time after which an idle translated stream gets a comment or ping.
    pub ping_interval_ms: u64,
    /// Running streams at shutdown. Over: cut.
    pub drain_timeout_ms: u64,
    /// How long accepting goes on after TERM while readiness already says 503.
    pub drain_delay_ms: u64,
    /// Targets tried for one request.
    pub attempts_max: u32,
    /// From a request being read on: past it no further target is tried, none that was is waited
    /// for, and nothing is held back any more. The first target has its own timeouts alone.
    pub attempts_timeout_ms: u64,
    /// What a success adds to the retries of its tenant and list of targets, as a percentage of one.
    pub retry_budget_percent: u32,
    /// Idle upstream connections per provider and thread.
    pub pool_idle_max: usize,
    /// An idle upstream connection is closed after this long.
    pub pool_idle_timeout_ms: u64,
    /// Cool-down of a target after a failure; doubles up to `cooldown_max_ms`.
    pub cooldown_ms: u64,
    /// Longest cool-down of a target.
    pub cooldown_max_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 32 * KIB,
            head_fields_max: 100,
            field_name_bytes_max: 256,
            field_value_bytes_max: 16 * KIB,
            target_bytes_max: 8 * KIB,
            body_bytes_max: 34 * MIB,
            relay_body_bytes_max: 512 * MIB as u64,
            chunk_overhead_bytes_max: 8 * KIB,
            json_depth_max: 128,
            json_members_max: 1_000,
            json_values_max: 1_000_000,
            response_head_bytes_max: 64 * KIB,
            response_fields_max: 200,
            interim_responses_max: 16,
            event_bytes_max: MIB,
            answer_bytes_max: 34 * MIB,
            held_bytes_max: 64 * KIB,
            held_budget_bytes: 0,
            connections_max: 0,
            requests_per_connection_max: 10_000,
            head_timeout_ms: 10_000,
            body_stall_timeout_ms: 15_000,
            body_rate_min: KIB as u64,
            body_rate_large_min: 16 * KIB as u64,
            idle_timeout_ms: 75_000,
            connect_timeout_ms: 3_000,
            handshake_timeout_ms: 5_000,
            resolve_timeout_ms: 3_000,
            answer_head_timeout_ms: 600_000,
            stream_stall_timeout_ms: 600_000,
            first_token_timeout_ms: 0,
            stream_rate_min: 0,
            stream_rate_window_ms: 2_000,
            write_stall_timeout_ms: 60_000,
            ping_interval_ms: 15_000,
            drain_timeout_ms: 600_000,
            drain_delay_ms: 0,
            attempts_max: 4,
            attempts_timeout_ms: 900_000,
            retry_budget_percent: 10,
            pool_idle_max: 64,
            pool_idle_timeout_ms: 55_000,
            cooldown_ms: 1_000,
            cooldown_max_ms: 60_000,
        }
    }
}

/// 1,024 bytes.
pub const KIB: usize = 1024;
/// 1,048,576 bytes.
pub const MIB: usize = 1024 * KIB;

/// Most rows of one page of keys, tenants or usage records.
pub const PAGE_ROWS_MAX: usize = 1_000;

/// First read of a connection: what a quiet one holds, per side.
pub const QUIET_READ_BYTES: usize = 3 * KIB / 2;
/// Buffer of the read that waits beside a stream for its client to leave: hardly anything comes there.
pub const SPARSE_READ_BYTES: usize = 256;
/// Fields of a head that any configuration may allow: the table lies on the stack while parsing.
pub const HEAD_FIELDS_CEILING: usize = 256;
/// Largest single read of a busy connection; also the work done between two yields. Twice as much
/// costs a quarter more CPU per byte: it no longer stays in the nearest caches.
pub const BUSY_READ_BYTES: usize = 32 * KIB;
/// What an SSE decoder keeps of its buffers between records.
pub const IDLE_FRAME_BYTES: usize = QUIET_READ_BYTES;
/// Providers, and targets, that one process knows over all plans that it has run on.
pub const PLAN_IDS_MAX: usize = 65_536;
/// Members that are taken out of one history before the body is refused.
pub const HISTORY_EDITS_MAX: usize = 65_536;
/// Buffers larger than this are charged to the process-wide budget.
pub const UNCHARGED_BYTES: usize = 64 * KIB;
/// Error bodies of providers are read up to here in translation.
pub const ERROR_BODY_BYTES_MAX: usize = 64 * KIB;
/// Ids of clients and providers that we log or repeat are cut here.
pub const LOGGED_ID_BYTES_MAX: usize = 256;
/// One usage record.
pub const RECORD_BYTES_MAX: usize = 8 * KIB;
/// One text of a usage record, escaped.
pub const RECORD_TEXT_BYTES_MAX: usize = 256;
/// Questions for usage records that wait to be answered. Over: 503.
pub const USAGE_QUESTIONS_MAX: usize = 64;
/// Questions for pages of usage records that a tenant may have under way; operators together may have
/// twice as many. One more is answered with 429.
pub const QUESTIONS_TENANT_MAX: usize = 2;
/// Time that the store may have worked on a tenant's questions; past it they are answered with 429.
pub const QUESTIONS_TENANT_WORK: Duration = Duration::from_secs(3);
/// Of the time that passes, one part in so many takes back what the store worked.
pub const QUESTIONS_TENANT_SHARE: u32 = 4;
/// Longest wait for such an answer.
pub const USAGE_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two flushes of the usage journal, in milliseconds.
pub const USAGE_FLUSH_MS: u64 = 200;
/// The usage journal, all segments together.
pub const USAGE_JOURNAL_BYTES_MAX: u64 = 256 * MIB as u64;
/// Tokens of one answer, and its searches, beyond which a provider's figures are not believed. The largest
/// context window that is known has ten million tokens.
pub const USAGE_FIGURE_MAX: u64 = 20_000_000;
/// Requests of one account that wait for a lease of limits that replicas share.
pub const SHARED_WAITERS_MAX: usize = 1024;
/// Longest wait of a request for the first word about such a lease.
pub const SHARED_WAIT_MS: u64 = 500;
/// Waits of a request that had one, of `SHARED_WAIT_MS` each: replicas that are slow give something back.
pub const SHARED_WAITS_MAX: usize = 6;
/// Longest wait for an answer of the shared counters, and for a connection to them.
pub const SHARED_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of one of their answers that are taken.
pub const SHARED_ANSWER_BYTES_MAX: usize = 64 * KIB;
/// After a refusal the client's body is read and dropped for at most this long.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(5);
/// Behind the error event of a broken stream its connection stays open for this long, unless the
/// client closes: some (Node's `fetch`, Python's `aiohttp`) drop what they have not read when it ends.
pub const CUT_PAUSE_MS: u64 = 250;
/// A pooled connection that fails within this time of our write counts as stale.
pub const STALE_WINDOW: Duration = Duration::from_secs(1);
/// Window over which the lowest rate of a body is averaged.
pub const RATE_WINDOW: Duration = Duration::from_secs(30);
/// Longest `retry-after` of a provider that is waited for.
pub const RETRY_AFTER_MAX_MS: u64 = 3_600_000;
/// Credentials of one provider.
pub const PROVIDER_KEYS_MAX: usize = 64;
/// Addresses of one provider that are tried, and the head start of each over the next.
pub const ADDRESSES_MAX: usize = 8;
/// Head start of one address over the next (RFC 8305).
pub const ADDRESS_HEAD_START: Duration = Duration::from_millis(250);
/// Highest rate that a key or tenant may be given: none that anybody means is higher.
pub const RATE_MAX: u64 = 1_000_000_000_000;
/// Longest model id that is looked up; longer ones are unknown.
pub const MODEL_ID_BYTES_MAX: usize = 1024;
/// Bytes of a form that are held until its `model` field is found; what comes later only checks.
pub const FORM_AHEAD_BYTES_MAX: usize = 64 * KIB;
/// Head of one part of a form.
pub const FORM_HEAD_BYTES_MAX: usize = 4 * KIB;
/// Ids that a 404 names as perhaps meant.
pub const NEAR_IDS_MAX: usize = 3;
/// Ids that are compared with an unknown one.
pub const NEAR_CANDIDATES_MAX: usize = 256;
/// The configuration file.
pub const CONFIG_BYTES_MAX: usize = 4 * MIB;
/// A file with a provider's key, or a listener's.
pub const KEY_FILE_BYTES_MAX: usize = 64 * KIB;
/// A file with certificates.
pub const CERT_FILE_BYTES_MAX: usize = 4 * MIB;
/// Largest single read of a large body into its own buffer: one kernel copy, no work of ours.
pub const FILL_READ_BYTES: usize = 256 * KIB;
/// On epoll a read is answered at once for as long as bytes are there; after this much of one
/// connection the others, and the timers, have their turn.
pub const UNBROKEN_READ_BYTES: usize = MIB;
/// Buffers for the state of what runs: an exchange, an attempt, a delivery.
pub const STATE_BYTES: usize = 4 * KIB;
/// Buffers of the middle size: a head, a TLS record.
pub const MIDDLE_READ_BYTES: usize = 16 * KIB;
/// Free buffers kept by a thread, by size (quiet, state, middle, busy): 3 MiB, or less than twice that
/// where they have grown.
pub const FREE_BUFFERS_MAX: [usize; 4] = [256, 128, 64, 32];
/// Counts of owners of shared buffers kept by a thread, 40 bytes each.
pub const FREE_SHARES_MAX: usize = 256;
/// Field tables of answers kept by a thread, for answers to come.
pub const FREE_TABLES_MAX: usize = 64;
/// Plaintext sealed at once on a TLS connection: all but two full records, so that the sealed bytes
/// fit a busy buffer.
pub const SEAL_BYTES_MAX: usize = 31 * KIB;
/// What one client's connection may hold that is not charged to the budget: what was read for it and
/// cannot be written, two pending reads, the state of its exchange.
pub const CONNECTION_BYTES: usize = 64 * KIB;
/// What TLS adds: the same bytes sealed, and the session.
pub const CONNECTION_TLS_BYTES: usize = 48 * KIB;
/// TLS sessions remembered per provider, and by the listener for clients without tickets.
pub const TLS_SESSIONS_MAX: usize = 256;
/// Tenants whose large buffers are counted apart, where they may come while the program runs.
pub const TENANTS_MAX: usize = 16 * 1024;
/// Descriptors that are neither a client's nor its provider's: listeners, rings, files, stores, the
/// admin listener's connections. Of few descriptors a quarter.
pub const DESCRIPTORS_KEPT: usize = 128;
/// Connections of the admin listener; more wait to be accepted.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Waiting connections of one listening socket; the kernel cuts it to `somaxconn`.
pub const LISTEN_BACKLOG: i32 = 4096;
/// Connections that a listener takes in, one after the other, before the other tasks of its thread run.
pub const ACCEPT_BATCH: u32 = 16;
/// Accepting stands still for this long when descriptors or kernel memory have run out.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Names of providers are resolved again after this long.
pub const RESOLVE_REFRESH: Duration = Duration::from_secs(30);
/// Least time between two resolutions of one name, however often it is asked for.
pub const RESOLVE_PAUSE: Duration = Duration::from_secs(1);
/// How often a thread looks whether a first resolution is there.
pub const RESOLVE_POLL: Duration = Duration::from_millis(5);
/// Quiet time after which the kernel probes a peer (keeps middle boxes awake while models think).
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// Between two such probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Unanswered probes after which a peer is dead.
pub const KEEPALIVE_PROBES: u32 = 6;
/// Written bytes that the peer's kernel has not acknowledged for this long: it is dead.
pub const UNACKED_TIMEOUT: Duration = Duration::from_secs(120);

const _: () = assert!(QUIET_READ_BYTES <= MIDDLE_READ_BYTES);
const _: () = assert!(MIDDLE_READ_BYTES <= BUSY_READ_BYTES);
const _: () = assert!(SEAL_BYTES_MAX < BUSY_READ_BYTES);
/// Values and names of one stream event: 1 MiB of index at most.
pub const EVENT_VALUES_MAX: usize = 64 * 1024;
/// Values and names of a whole answer that is looked into on its way.
pub const ANSWER_VALUES_MAX: usize = 1_000_000;
/// How many times its own length one stream event may grow to in the client's wire, what was held back
/// before it included.
pub const EVENT_GROWTH_MAX: usize = 8;
/// An index that one event made larger than this many values is given back.
pub const EVENT_VALUES_KEPT: usize = 512;
/// Ids and model names of an upstream that go out with every chunk; a longer one is left out, or
/// each small event in would become a large one out.
pub const ANSWER_NAME_BYTES_MAX: usize = 256;
/// Tool calls in one answer that is translated.
pub const TOOL_CALLS_MAX: usize = 1024;
/// Names of members that one translation says were left out or changed; the rest is named as one.
pub const NOTES_MAX: usize = 24;
/// Tools of one request that Anthropic holds to their schemas; it refuses a request with more.
pub const STRICT_TOOLS_MAX: usize = 20;
/// Text of a stream's answer that is kept for citations towards the Anthropic wire: a searched
/// answer is a few KiB. A range that reaches beyond has no words.
pub const CITED_TEXT_BYTES_MAX: usize = 16 * KIB;
/// Text of the answer that one citation towards the Anthropic wire repeats; Anthropic's own repeat
/// some 150 characters.
pub const CITED_WORDS_BYTES_MAX: usize = KIB;
/// Text of the answer that all citations of one answer repeat. Past it citations have no words.
pub const CITED_ANSWER_BYTES_MAX: usize = 256 * KIB;
/// Blocks of one stream that are open at a time; Anthropic itself opens one.
pub const BLOCKS_OPEN_MAX: usize = 32;

const _: () = assert!(EVENT_VALUES_KEPT <= EVENT_VALUES_MAX);
/// Nesting of a tool call's arguments on the OpenAI wire, a JSON document within a string. Deeper
/// ones are kept as a string.
pub const ARGUMENTS_DEPTH_MAX: u32 = 96;

const _: () = assert!(QUIET_READ_BYTES <= BUSY_READ_BYTES);
