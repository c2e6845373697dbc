//! The file as people write it: plain data, every value that others refer to with its place.
//!
//! What stands here was checked alone (types, ranges, spelling). References between parts are
//! checked in `route::compile`, what the file points at is read in `config::load`.

use core::net::SocketAddr;
use std::path::PathBuf;

use crate::config::schema::fault::{Located, Location};
use crate::config::schema::network::Network;
use crate::limits::{Limits, USAGE_FLUSH_MS, USAGE_JOURNAL_BYTES_MAX};

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[[provider]]`, in order.
    pub providers: Vec<ProviderConfig>,
    /// `[[model]]`, in order.
    pub models: Vec<ModelConfig>,
    /// `[defaults]`, in order; `None`: the built-in rules.
    pub defaults: Option<Vec<DefaultRuleConfig>>,
    /// `[[tenant]]`
    pub tenants: Vec<TenantConfig>,
    /// `[[key]]`
    pub keys: Vec<KeyConfig>,
    /// `[model_facts]`, in order.
    pub model_facts: Vec<ModelFactsConfig>,
    /// `[prices]`, in order.
    pub prices: Vec<PriceConfig>,
    /// `[request_prices]`, in order: patterns over paths, and dollars as written.
    pub request_prices: Vec<(Located<String>, Located<String>)>,
    /// `[budgets]`
    pub budgets: Budgets,
    /// `[limits]`
    pub limits: Limits,
    /// Of `[limits]`: the counters that several replicas share.
    pub shared: Option<SharedConfig>,
    /// `[usage]`
    pub usage: UsageRecords,
    /// `[store]`
    pub store: Option<StoreConfig>,
}

/// `[usage]`: where usage records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecords {
    /// Folder of the journal; `None`: no records are kept.
    pub journal: Option<Located<PathBuf>>,
    /// Between two flushes to the disk.
    pub flush_ms: u64,
    /// Bound of the journal.
    pub journal_bytes_max: u64,
    /// For how many days the store keeps them; `None`: for ever.
    pub keep_days: Option<Located<u64>>,
}

impl Default for UsageRecords {
    fn default() -> Self {
        Self {
            journal: None,
            flush_ms: USAGE_FLUSH_MS,
            journal_bytes_max: USAGE_JOURNAL_BYTES_MAX,
            keep_days: None,
        }
    }
}

/// `[store]`: where keys that are made at run time are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Where it stands.
    pub place: Location,
    /// `sqlite:<path>` or `postgres://…`, or from where to read it.
    pub url: TextSource,
    /// Where the last good state is kept; `None`: beside the database, or beside the configuration.
    pub snapshot: Option<Located<PathBuf>>,
    /// Certificates that are trusted beside the bundled ones, PEM.
    pub ca_file: Option<Located<PathBuf>>,
}

/// Where the counters stand that several replicas share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedConfig {
    /// `redis://…`, or from where to read it.
    pub url: TextSource,
    /// Certificates that are trusted beside the bundled ones, PEM.
    pub ca_file: Option<Located<PathBuf>>,
    /// What holds while they are away.
    pub down: SharedDown,
}

/// What becomes of requests while the shared counters are away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharedDown {
    /// Each replica holds them against the whole limit by itself.
    #[default]
    Local,
    /// They are refused.
    Closed,
}

/// Where a text comes from that may be a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TextSource {
    /// Not set.
    #[default]
    Unset,
    /// Here.
    Inline(Located<String>),
    /// A file.
    File(Located<PathBuf>),
    /// An environment variable.
    Variable(Located<String>),
}

/// `[server]`
#[expect(clippy::struct_excessive_bools, reason = "independent settings")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Addresses for clients.
    pub listen: Vec<Located<ListenAddress>>,
    /// Address of the admin listener; `None`: off.
    pub admin: Option<Located<ListenAddress>>,
    /// The admin listener may stand on an address that others reach.
    pub admin_open: bool,
    /// The credential of those who manage keys; unset: nobody does.
    pub admin_key: TextSource,
    /// Data threads; `None`: one for each usable core.
    pub workers: Option<usize>,
    /// How sockets are driven.
    pub driver: Driver,
    /// Certificate chain of the listener, PEM.
    pub tls_cert: Option<Located<PathBuf>>,
    /// Key of the listener, PEM.
    pub tls_key: Option<Located<PathBuf>>,
    /// Serving without client keys on an address that others reach is meant.
    pub open: bool,
    /// A proxy before the listeners speaks TLS: that they do not needs no warning.
    pub behind_tls_proxy: bool,
    /// Where the access log goes.
    pub log: LogSink,
    /// Whether answers carry `server-timing`.
    pub server_timing: bool,
    /// Requests go only to targets that are not known to lack what their content needs.
    pub capability_gate: bool,
    /// Milliseconds after which a streamed chat gets its head, answered or not; nought: never.
    pub early_head_after_ms: u64,
    /// Whether the catalogue for those without a key is shown.
    pub public_catalogue: bool,
    /// Origins that browsers may come from.
    pub cors_origins: Vec<Located<String>>,
    /// The header that outranks the usual carriers of a client's key.
    pub gateway_key_header: Option<Located<String>>,
    /// Before the names of the fields that tell where a request went.
    pub header_prefix: Option<Located<String>>,
    /// Where a chain of custody begins.
    pub custody_origin: Option<Located<String>>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let at = |port, name| Located::outside(ListenAddress::Tcp(loopback(port)), name);
        Self {
            listen: vec![at(LISTEN_PORT, "server.listen (by default)")],
            admin: Some(at(ADMIN_PORT, "server.admin (by default)")),
            admin_open: false,
            admin_key: TextSource::Unset,
            workers: None,
            driver: Driver::Auto,
            tls_cert: None,
            tls_key: None,
            open: false,
            behind_tls_proxy: false,
            log: LogSink::Stdout,
            server_timing: true,
            capability_gate: true,
            early_head_after_ms: 0,
            public_catalogue: false,
            cors_origins: Vec::new(),
            gateway_key_header: None,
            header_prefix: None,
            custody_origin: None,
        }
    }
}

/// Port of the clients' listener where none is configured.
pub const LISTEN_PORT: u16 = 8080;
/// Port of the admin listener where none is configured.
pub const ADMIN_PORT: u16 = 8081;

/// Where a listener stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// IPv4 or IPv6 address with a port.
    Tcp(SocketAddr),
    /// Path of a Unix socket.
    Unix(PathBuf),
}

/// How sockets are driven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    /// The best that the host allows.
    #[default]
    Auto,
    /// `io_uring`, or refuse to start.
    Uring,
    /// epoll.
    Epoll,
}

/// Where the access log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogSink {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// Nowhere.
    Off,
    /// Appended to a file.
    File(PathBuf),
}

/// How usage is learnt on streams of the OpenAI wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageMode {
    /// `stream_options.include_usage` is added where the client left it out.
    #[default]
    Inject,
    /// Only read where the provider sends it.
    Observe,
}

/// The certificates that a provider is held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrustedRoots {
    /// Mozilla's, as bundled with the program.
    #[default]
    Bundled,
    /// The platform's.
    Platform,
}

/// `[[provider]]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderConfig {
    /// Where it stands.
    pub place: Location,
    /// The name that targets and clients say.
    pub name: Option<Located<String>>,
    /// Which kind of service.
    pub kind: Option<Located<String>>,
    /// What the wire's own SDK takes as base URL; `None`: the kind's own.
    pub base_url: Option<Located<String>>,
    /// Where its key comes from.
    pub key: KeySource,
    /// The header that carries the key; `None`: the kind's own.
    pub auth: Option<Located<String>>,
    /// The certificates that are trusted.
    pub roots: TrustedRoots,
    /// Certificates that are trusted beside them, PEM.
    pub ca_file: Option<Located<PathBuf>>,
    /// Waits that differ from `[limits]`.
    pub timeouts: ProviderTimeouts,
    /// Deltas per second that a stream must bring before its commit; `None`: as in `[limits]`.
    pub stream_rate_min: Option<u64>,
    /// Fixed headers.
    pub headers: Vec<(Located<String>, String)>,
    /// Patterns of further client headers that go on.
    pub forward_headers: Vec<Located<String>>,
    /// Patterns of `anthropic-beta` values that go on; `None`: all.
    pub allow_beta: Option<Vec<Located<String>>>,
    /// Patterns of `anthropic-beta` values that are taken out.
    pub drop_beta: Vec<Located<String>>,
    /// `anthropic-beta` values with another name at this provider.
    pub rename_beta: Vec<(Located<String>, String)>,
    /// How usage is learnt.
    pub usage: UsageMode,
    /// Quirk flags by name.
    pub dialect: Vec<(Located<String>, Fact)>,
    /// Answers that let the next target have a try; `None`: the default set.
    pub retry_on: Option<Vec<u16>>,
    /// Connections that each thread opens at start.
    pub warm_count: u32,
    /// What is stated of it, for all of its targets.
    pub stated: Stated,
}

/// What is stated of a deployment: where it stands, and in whose hands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// The class of deployment that clients choose by `privacy_tier`.
    pub tier: Option<Located<String>>,
    /// The region at the provider.
    pub region: Option<Located<String>>,
    /// Whose law it is under.
    pub jurisdiction: Option<Located<String>>,
    /// Its name in a chain of custody.
    pub custody_label: Option<Located<String>>,
    /// Whose credential is used.
    pub credential_source: Option<Located<String>>,
    /// Networks in which its addresses must lie.
    pub networks: Option<Vec<Network>>,
}

/// Waits of one provider, in milliseconds; `None`: as in `[limits]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProviderTimeouts {
    /// TCP connect.
    pub connect_ms: Option<u64>,
    /// TLS handshake.
    pub handshake_ms: Option<u64>,
    /// From the connection being up to the whole answer head.
    pub answer_head_ms: Option<u64>,
    /// Silence within a stream.
    pub stream_stall_ms: Option<u64>,
    /// To a stream's first content, while another target could take over.
    pub first_token_ms: Option<u64>,
}

/// Where a provider's key comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeySource {
    /// Not set: a systemd credential of the provider's name, where there is one.
    #[default]
    Unset,
    /// A file.
    File(Located<PathBuf>),
    /// An environment variable, unless systemd has a credential of the provider's name.
    Variable(Located<String>),
    /// The same, and the caller's own key where there is neither.
    VariableOrCaller(Located<String>),
    /// The caller's own key.
    Caller(Location),
    /// Several of ours, in the order in which they are used.
    Several(Vec<KeyPlace>),
    /// Configured to need none.
    Unneeded,
}

/// Where one of several keys comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// A file.
    File(Located<PathBuf>),
    /// An environment variable.
    Variable(Located<String>),
}

/// What decides among a model's targets of the same priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetOrder {
    /// The order of the list.
    #[default]
    Priority,
    /// Shares by weight.
    Weighted,
    /// The shorter time to the first token.
    Latency,
    /// The shorter time for each token after the first.
    Throughput,
    /// The lower price of what is asked.
    Cost,
}

impl TargetOrder {
    /// Every one, in the order in which texts name them.
    pub const ALL: [Self; 5] = [
        Self::Priority,
        Self::Weighted,
        Self::Latency,
        Self::Throughput,
        Self::Cost,
    ];

    /// The word for it in the configuration, in requests and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Weighted => "weighted",
            Self::Latency => "latency",
            Self::Throughput => "throughput",
            Self::Cost => "cost",
        }
    }
}

/// `[[model]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    /// The id that clients say; none where it is missing, which is a fault already.
    pub id: Option<Located<String>>,
    /// Other ids for the same.
    pub aliases: Vec<Located<String>>,
    /// Where requests go, in order.
    pub targets: Vec<TargetConfig>,
    /// Milliseconds after which a streamed chat gets its head; nought: never, `None`: as the server
    /// has it.
    pub early_head_after_ms: Option<u64>,
    /// What decides among them.
    pub order: TargetOrder,
    /// To a stream's first content, in milliseconds; `None`: as at each provider.
    pub first_token_ms: Option<u64>,
    /// Deltas per second that a stream must bring before its commit; `None`: as at each provider.
    pub stream_rate_min: Option<u64>,
    /// Where its requests may go.
    pub residency: Option<ResidencyConfig>,
}

/// One of a model's `targets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetConfig {
    /// `provider/upstream-model`.
    pub model: Located<String>,
    /// What is stated of it, beside what its provider states.
    pub stated: Stated,
    /// Its share among targets of the same priority.
    pub weight: u32,
    /// Lower ones are tried first.
    pub priority: u32,
}

/// A line of `[defaults]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultRuleConfig {
    /// Pattern over bare ids.
    pub ids: Located<String>,
    /// The provider's name.
    pub provider: Located<String>,
}

/// `[[tenant]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantConfig {
    /// Its name; none where it is missing, which is a fault already.
    pub name: Option<Located<String>>,
    /// What its records, sums and limits go by; `None`: its name, or what a store knows it by.
    pub id: Option<Located<String>>,
    /// Where its requests may go.
    pub residency: Option<ResidencyConfig>,
    /// What all of its keys together may use.
    pub allowance: AllowanceConfig,
}

/// `residency`, of a key, a tenant or a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResidencyConfig {
    /// Jurisdictions that are allowed; `None`: all.
    pub jurisdictions: Option<Vec<Located<String>>>,
    /// Regions that are allowed; `None`: all.
    pub regions: Option<Vec<Located<String>>>,
    /// Providers that are allowed; `None`: all.
    pub providers: Option<Vec<Located<String>>>,
}

/// What a key or a tenant may use; `None` bounds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowanceConfig {
    /// Requests in any 60 seconds.
    pub requests_per_minute: Option<u64>,
    /// Tokens in any 60 seconds.
    pub tokens_per_minute: Option<u64>,
    /// Requests at one time.
    pub concurrent: Option<u64>,
    /// Dollars in a day, as written.
    pub budget_day: Option<Located<String>>,
    /// Dollars in a month, as written.
    pub budget_month: Option<Located<String>>,
}

/// `[budgets]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// What a key with a budget gets of a model without a price.
    pub unpriced: Unpriced,
    /// Output tokens that are reserved for a request that sets no limit.
    pub output_tokens_reserved: u64,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            unpriced: Unpriced::Refuse,
            output_tokens_reserved: 4096,
        }
    }
}

/// What a key with a budget gets of a model without a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpriced {
    /// Nothing.
    Refuse,
    /// All of it, for nothing.
    Allow,
}

/// `[prices."PATTERN"]`: dollars for a million tokens, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceConfig {
    /// Pattern over `provider/upstream-model`.
    pub ids: Located<String>,
    /// Uncached input.
    pub input: Option<Located<String>>,
    /// Input read from a cache; `None`: as input.
    pub cached: Option<Located<String>>,
    /// Input written to a cache; `None`: as input.
    pub cache_write: Option<Located<String>>,
    /// Input written to a cache that is kept for an hour; `None`: as other input written to one.
    pub cache_write_hour: Option<Located<String>>,
    /// Output.
    pub output: Option<Located<String>>,
    /// Reasoning, where it is not output's price.
    pub reasoning: Option<Located<String>>,
    /// Uncached input that is audio; `None`: as input.
    pub audio_input: Option<Located<String>>,
    /// Output that is audio; `None`: as output.
    pub audio_output: Option<Located<String>>,
    /// A thousand searches of the web; `None`: nothing.
    pub web_search: Option<Located<String>>,
}

/// `[[key]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyConfig {
    /// What it is called; `None`: made of its digest.
    pub id: Option<Located<String>>,
    /// SHA-256 of the key; none where it is missing or none, which is a fault already.
    pub sha256: Option<Located<[u8; 32]>>,
    /// Whose requests these are.
    pub tenant: Located<String>,
    /// Patterns of ids that may be asked for; `None`: all.
    pub models: Option<Vec<Located<String>>>,
    /// Tiers that may be used; `None`: all.
    pub tiers: Option<Vec<Located<String>>>,
    /// Where its requests may go.
    pub residency: Option<ResidencyConfig>,
    /// Endpoints with state at the provider that may be used; `None`: as the gateway has it.
    pub relay: Option<Vec<Located<String>>>,
    /// A day or a second from which on it is unknown.
    pub expires: Option<Located<String>>,
    /// What it may use.
    pub allowance: AllowanceConfig,
    /// The operator's own words about it.
    pub metadata: Vec<(Located<String>, String)>,
}

/// Facts about the models that fit a pattern, as written; `translate::models` knows their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFactsConfig {
    /// Pattern over the provider's ids.
    pub ids: Located<String>,
    /// Name and value of each fact, in the order of the file.
    pub facts: Vec<(Located<String>, Fact)>,
}

/// A plain value whose meaning is known elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A whole number.
    Whole(u64),
    /// Yes or no.
    Flag(bool),
    /// Text.
    Text(String),
}
