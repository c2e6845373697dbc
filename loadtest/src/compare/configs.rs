//! Configurations of the contestants: each set up as one would for streams, all logging, all with
//! one worker and kept connections.

use std::path::Path;

use crate::process::descriptors;

/// nginx: nothing buffered, requests and answers stream.
#[must_use]
pub fn nginx(port: u16, mock: u16, dir: &Path) -> String {
    let dir = dir.display();
    let user = if rustix::process::geteuid().is_root() {
        "user root;\n"
    } else {
        ""
    };
    let limit = descriptors();
    let connections = (limit - 64).min(24_000);
    format!(
        "{user}daemon off;\nworker_processes 1;\npid {dir}/nginx.pid;\n\
         error_log {dir}/nginx-error.log;\nworker_rlimit_nofile {limit};\n\
         events {{ worker_connections {connections}; }}\n\
         http {{\n  access_log {dir}/nginx-access.log;\n\
         \x20 client_body_temp_path {dir}/nginx-body;\n  proxy_temp_path {dir}/nginx-proxy;\n\
         \x20 fastcgi_temp_path {dir}/nginx-fastcgi;\n  uwsgi_temp_path {dir}/nginx-uwsgi;\n\
         \x20 scgi_temp_path {dir}/nginx-scgi;\n  client_max_body_size 64m;\n\
         \x20 keepalive_requests 100000000;\n  tcp_nodelay on;\n\
         \x20 upstream mock {{ server 127.0.0.1:{mock}; keepalive 1024; keepalive_requests 100000000; }}\n\
         \x20 server {{\n    listen 127.0.0.1:{port} backlog=4096;\n\
         \x20   location / {{\n      proxy_pass http://mock;\n      proxy_http_version 1.1;\n\
         \x20     proxy_set_header Connection \"\";\n      proxy_buffering off;\n\
         \x20     proxy_request_buffering off;\n      proxy_read_timeout 600s;\n    }}\n  }}\n}}\n"
    )
}

/// haproxy: events go on at once.
#[must_use]
pub fn haproxy(port: u16, mock: u16) -> String {
    let connections = (descriptors() - 128) / 2;
    format!(
        "global\n  nbthread 1\n  maxconn {connections}\n  log stdout format raw local0\n\
         defaults\n  mode http\n  log global\n  option httplog\n  option http-no-delay\n\
         \x20 http-reuse always\n  timeout connect 5s\n  timeout client 600s\n  timeout server 600s\n\
         frontend front\n  bind 127.0.0.1:{port} backlog 4096\n  default_backend mock\n\
         backend mock\n  server mock 127.0.0.1:{mock}\n"
    )
}

/// What is switched on in a gateway of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Telemetry {
    /// As it is meant to run: keys checked, usage asked for, every gap measured, meters, a log.
    Usual,
    /// The same with two workers.
    TwoWorkers,
    /// As usual, and the timing header.
    All,
    /// No log, no listener for metrics, usage only read where it is sent.
    Off,
}

/// ringway: a model of each wire, renamed on its way.
#[must_use]
pub fn ringway(port: u16, admin: u16, mock: u16, dir: &Path, telemetry: Telemetry) -> String {
    let dir = dir.display();
    let (log, admin, timing, usage) = match telemetry {
        Telemetry::Usual | Telemetry::TwoWorkers => (
            format!("{dir}/ringway-{port}.log"),
            format!("127.0.0.1:{admin}"),
            false,
            "inject",
        ),
        Telemetry::All => (
            format!("{dir}/ringway-{port}.log"),
            format!("127.0.0.1:{admin}"),
            true,
            "inject",
        ),
        Telemetry::Off => ("off".to_owned(), "off".to_owned(), false, "observe"),
    };
    let workers = if telemetry == Telemetry::TwoWorkers {
        2
    } else {
        1
    };
    format!(
        "[server]\nlisten = [\"127.0.0.1:{port}\"]\nadmin = \"{admin}\"\nworkers = {workers}\n\
         log = \"{log}\"\nserver_timing = {timing}\n\n\
         [[provider]]\nname = \"openai-mock\"\nkind = \"openai-compatible\"\n\
         base_url = \"http://127.0.0.1:{mock}/v1\"\nkey = \"none\"\nusage = \"{usage}\"\n\
         forward_headers = [\"x-mock\"]\n\n\
         [[provider]]\nname = \"anthropic-mock\"\nkind = \"anthropic-compatible\"\n\
         base_url = \"http://127.0.0.1:{mock}\"\nkey = \"none\"\nforward_headers = [\"x-mock\"]\n\n\
         [[model]]\nid = \"{OPENAI}\"\ntargets = [\"openai-mock/a-longer-name-upstream\"]\n\n\
         [[model]]\nid = \"{ANTHROPIC}\"\ntargets = [\"anthropic-mock/claude-sonnet-4-5\"]\n\n\
         [[key]]\nsha256 = \"{KEY_SHA256}\"\ntenant = \"load\"\n\n\
         [limits]\nheld_budget_bytes = {BUDGET_BYTES}\n"
    )
}

/// ringway with everything that governs: keys of a store, tiers and residency, limits and budgets of
/// key and tenant, prices, records of usage, several targets for each model. `database` holds the key.
#[must_use]
pub fn governed(port: u16, mock: u16, dir: &Path, database: &Path) -> String {
    let (dir, database) = (dir.display(), database.display());
    let stated = "tier = \"managed\"\nregion = \"ca-central-1\"\njurisdiction = \"CA\"\n\
                  custody_label = \"Mock-CA\"\ncredential_source = \"platform\"\n\
                  networks = [\"127.0.0.0/8\"]\nforward_headers = [\"x-mock\"]\n";
    let price = "input = \"1\"\ncached = \"0.1\"\ncache_write = \"1.25\"\noutput = \"5\"\n";
    let targets = |base: &str| {
        let all = ["", "-b", "-c"].map(|end| format!("\"{base}{end}\""));
        format!("order = \"weighted\"\ntargets = [{}]\n", all.join(", "))
    };
    let (openai, anthropic) = (
        targets("openai-mock/a-longer-name-upstream"),
        targets("anthropic-mock/claude-sonnet-4-5"),
    );
    format!(
        "[server]\nlisten = [\"127.0.0.1:{port}\"]\nadmin = \"off\"\nworkers = 1\n\
         log = \"{dir}/ringway-{port}.log\"\nserver_timing = false\ncustody_origin = \"NI-CA\"\n\n\
         [store]\nurl = \"sqlite:{database}\"\n\n[usage]\njournal = \"{dir}/usage-{port}\"\n\n\
         [[provider]]\nname = \"openai-mock\"\nkind = \"openai-compatible\"\n\
         base_url = \"http://127.0.0.1:{mock}/v1\"\nkey = \"none\"\nusage = \"inject\"\n{stated}\n\
         [[provider]]\nname = \"anthropic-mock\"\nkind = \"anthropic-compatible\"\n\
         base_url = \"http://127.0.0.1:{mock}\"\nkey = \"none\"\n{stated}\n\
         [[model]]\nid = \"{OPENAI}\"\n{openai}\n[[model]]\nid = \"{ANTHROPIC}\"\n{anthropic}\n\
         [[tenant]]\nname = \"load\"\nresidency = {{ jurisdictions = [\"CA\", \"US\"] }}\n\
         requests_per_minute = {RATE}\ntokens_per_minute = {RATE}\nconcurrent = {MUCH}\n\
         budget_day = {MUCH}\nbudget_month = {MUCH}\n\n\
         [prices.\"openai-mock/*\"]\n{price}\n[prices.\"anthropic-mock/*\"]\n{price}"
    )
}

/// The arguments that make the key for it.
#[must_use]
pub fn governed_key(database: &Path) -> Vec<String> {
    let words = "keys create --format json --tenant load --tier managed --jurisdiction CA";
    let mut args: Vec<String> = words.split(' ').map(str::to_owned).collect();
    args.extend([
        "--store".to_owned(),
        format!("sqlite:{}", database.display()),
    ]);
    for (bound, much) in [
        ("requests-per-minute", RATE),
        ("tokens-per-minute", RATE),
        ("concurrent", MUCH),
        ("budget-day", MUCH),
        ("budget-month", MUCH),
    ] {
        args.extend([format!("--{bound}"), much.to_string()]);
    }
    args
}

/// More than any load here uses up, in a minute: one core alone brings two hundred million tokens through.
const RATE: u64 = 1_000_000_000_000;
/// The same of connections and dollars.
const MUCH: u64 = 100_000_000;
/// The model that goes to the OpenAI wire.
pub const OPENAI: &str = "fast";
/// The model that goes to the Anthropic wire.
pub const ANTHROPIC: &str = "claude-fast";
/// Bytes that large buffers of ringway may take.
pub const BUDGET_BYTES: u64 = 256 << 20;
/// Digest of the key that the load shows.
const KEY_SHA256: &str = "3e3a73ab2b4bbd90f468a4b2dd3960a54265f01d30565d4f2b3f29ab5260037d";
