//! Replicas whose limits and budgets are shared by a Redis.

use std::process::Command;

use ringway::wire::kind::Wire;

use crate::support::directions::Driver;
use crate::support::gateway::{Gateway, Setup};
use crate::support::provider::Provider;
use crate::support::stores::Services;

/// The wire of the replicas' clients and of their provider.
pub(crate) const WIRE: Wire = Wire::OpenAiChat;
/// A cent for every token: the usual answer of 9 and 2 tokens costs 11.
pub(crate) const PRICES: &str = "[prices.\"up/*\"]\ninput = 10000\noutput = 10000\n\
                                 [budgets]\noutput_tokens_reserved = 10\n";

pub(crate) fn redis() -> Services {
    Services::start("redis", &[])
}

/// The path of a Redis's socket.
pub(crate) fn socket(redis: &Services) -> &str {
    redis.url.strip_prefix("redis+unix://").unwrap()
}

/// What a Redis answers to a command.
pub(crate) fn command(redis: &Services, parts: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    let output = command.args(["-s", socket(redis)]).args(parts).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A replica with one key, `k`, of one tenant; `bounds` are further lines of the key.
pub(crate) fn replica(url: &str, provider: &Provider, down: &str, bounds: &str) -> Setup {
    Setup::upstream(Driver::Epoll, WIRE, provider)
        .limit("shared", format!("\"{url}\""))
        .limit("shared_down", format!("\"{down}\""))
        .text(PRICES)
        .key("k", "one", None)
        .text(bounds)
}

/// Three replicas that serve nobody while Redis is away.
pub(crate) fn three(url: &str, provider: &Provider, bounds: &str) -> [Gateway; 3] {
    [(); 3].map(|()| replica(url, provider, "closed", bounds).start())
}

/// What the one account has spent in a period, in nano-dollars.
pub(crate) fn spent(redis: &Services, period: &str) -> usize {
    let keys = command(redis, &["--scan"]);
    let money = keys.lines().find(|key| key.ends_with(":money")).unwrap();
    let told = command(redis, &["hget", money, period]);
    told.trim().parse().unwrap()
}
