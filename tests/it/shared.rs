//! Limits and budgets that several replicas share by a Redis.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, Command};
use std::thread;
use std::time::Instant;

use ringway::http1::date::civil;
use ringway::wire::kind::Wire;
use tempfile::TempDir;

use crate::support::certificates::Authority;
use crate::support::client::Answer;
use crate::support::directions::{Driver, each};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, LAST_CHUNK, chunk, json, post, stream_head};
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::replicas::{PRICES, WIRE, command, redis, replica, spent, three};
use crate::support::script::{Step, then};
use crate::support::stores::Services;
use crate::support::wait;
use crate::support::wires::{WIRES, chat, finish, path, start_up, terminator, told, whole};

const REPLICAS: &str = include_str!("../../docs/REPLICAS.md");
const SCRIPT: &str = include_str!("../../src/store/lease.lua");

fn ask(gateway: &Gateway) -> Answer {
    let fields = "x-api-key: k\r\n";
    let body = chat(WIRE, MODEL, false);
    gateway.client().ask(post(path(WIRE), fields, body))
}

/// The configuration of a process of its own, with the key of [`replica`].
fn alone(redis: &Services, provider: &Provider, bounds: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nworkers = 1\n\
         [limits]\nshared = \"{}\"\nshared_down = \"closed\"\n{PRICES}\
         [[provider]]\nname = \"up\"\nkind = \"openai\"\n\
         base_url = \"http://{}/v1\"\nkey_env = \"UPSTREAM_KEY\"\n\
         [[model]]\nid = \"{MODEL}\"\ntargets = [\"up/m\"]\n\
         [[key]]\nsha256 = \"{}\"\ntenant = \"one\"\n{bounds}",
        redis.url,
        provider.address(),
        "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a",
    )
}

/// Asks at all replicas at once, four times at each, until nobody is let in any more; how many were.
fn drive(replicas: &[Gateway; 3]) -> usize {
    let served = AtomicUsize::new(0);
    thread::scope(|scope| {
        for gateway in replicas.iter().cycle().take(12) {
            let served = &served;
            scope.spawn(move || {
                let mut refused = 0;
                while refused < 25 {
                    match ask(gateway).status {
                        200 => {
                            refused = 0;
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                        // What is not known now is on a busy machine.
                        503 => thread::yield_now(),
                        status => {
                            assert_eq!(status, 429);
                            refused += 1;
                        }
                    }
                }
            });
        }
    });
    served.into_inner()
}

/// How many minutes have begun since then: what was used in the first is free again in the second.
fn minutes(since: Instant) -> usize {
    usize::try_from(since.elapsed().as_secs() / 60).unwrap() + 1
}

#[test]
fn three_replicas_together_keep_a_limit_of_requests() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    for (bounds, limit) in [
        ("requests_per_minute = 7\n", 7),
        (
            "[[tenant]]\nname = \"one\"\nrequests_per_minute = 200\n",
            200,
        ),
    ] {
        let replicas = three(&redis.url, &provider, bounds);
        let begun = Instant::now();
        let served = drive(&replicas);
        assert!(served <= limit * minutes(begun), "{served} of {limit}");
        // What one holds and does not use another one may miss for a second.
        assert!(served * 100 >= limit * 85, "{served} of {limit}");
    }
}

#[test]
fn three_replicas_together_keep_a_limit_of_tokens() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let replicas = three(&redis.url, &provider, "tokens_per_minute = 1100\n");
    let begun = Instant::now();
    let served = drive(&replicas);
    assert!(served <= 100 * minutes(begun), "{served} times 11 tokens");
    // The last ones do not fit: each reserves some 35.
    assert!(served >= 70, "{served}");
}

#[test]
fn three_replicas_together_never_overrun_a_budget_and_know_it_after_a_restart() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let bounds = "budget_month = \"11.05\"\n";
    let served = drive(&three(&redis.url, &provider, bounds));
    assert!((85..=100).contains(&served), "{served} times 11 cents");
    // What was leased and not spent was given back at the end.
    let replicas = three(&redis.url, &provider, bounds);
    let later = drive(&replicas);
    assert!((96..=100).contains(&(served + later)), "{served} {later}");
    let refused = ask(&replicas[0]);
    assert_eq!(told(WIRE, &refused).kind, "insufficient_quota");
    assert_eq!(refused.field("x-should-retry"), Some("false"));
    drop(replicas);
    assert_eq!(spent(&redis, "in_month"), (served + later) * 110_000_000);
}

#[test]
fn what_is_told_of_a_rate_is_what_all_replicas_have_left() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let replicas = three(&redis.url, &provider, "requests_per_minute = 10\n");
    for (gateway, left) in replicas.iter().cycle().zip(["9", "8", "7", "6", "5"]) {
        let got = ask(gateway);
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.field("x-ratelimit-limit-requests"), Some("10"));
        assert_eq!(got.field("x-ratelimit-remaining-requests"), Some(left));
    }
}

/// Most of the bound is reserved for each request, and little of it used.
#[test]
fn who_asks_alone_is_not_refused_by_what_is_on_its_way_back() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    for bounds in ["budget_day = 9\n", "tokens_per_minute = 900\n"] {
        let gateway = replica(&redis.url, &provider, "local", bounds).start();
        for number in 0..20 {
            let body = chat(WIRE, MODEL, false).replacen('{', "{\"max_tokens\":600,", 1);
            let fields = "x-api-key: k\r\n";
            let got = gateway.client().ask(post(path(WIRE), fields, body));
            assert_eq!(got.status, 200, "{bounds} {number}: {}", got.text());
            // Settled by then.
            gateway.lines(number + 1);
        }
    }
}

#[test]
fn three_replicas_share_places_and_a_dead_ones_are_free_again() {
    let redis = redis();
    let begun = [stream_head(), chunk(start_up(WIRE))].concat();
    let mut script = then(begun, Step::Gate);
    let rest = [finish(WIRE), terminator(WIRE)].concat();
    script.push(Step::Send([chunk(rest), LAST_CHUNK.to_vec()].concat()));
    let provider = Provider::all(script);
    let bounds = "concurrent = 4\n";
    let replicas = three(&redis.url, &provider, bounds);
    let request = post(path(WIRE), "x-api-key: k\r\n", chat(WIRE, MODEL, true));
    let mut streams: Vec<_> = replicas
        .iter()
        .cycle()
        .take(3)
        .map(|gateway| {
            let mut client = gateway.client();
            client.send(&request);
            let head = client.head();
            assert_eq!(head.status, 200);
            (client, head)
        })
        .collect();
    // The fourth is at a process of its own, which is killed.
    let text = alone(&redis, &provider, bounds);
    let program = Program::serve(&text);
    let mut last = program.client();
    last.send(&request);
    assert_eq!(last.head().status, 200);
    for gateway in &replicas {
        let refused = ask(gateway);
        assert_eq!(refused.status, 429, "{}", refused.text());
        assert!(
            told(WIRE, &refused)
                .message
                .contains("4 requests of this key")
        );
        assert_eq!(refused.field("retry-after"), Some("1"));
    }
    program.signal("KILL");
    wait::until("the dead one's place", || {
        let mut client = replicas[0].client();
        client.send(&request);
        let head = client.head();
        (head.status == 200).then(|| streams.push((client, head)))
    });
    for _ in 0..5 {
        provider.open();
    }
    for (client, head) in &mut streams {
        client.finish(head);
    }
    // All are given back.
    wait::until("no places", || {
        let keys = command(&redis, &["--scan"]);
        (!keys.contains(":running")).then_some(())
    });
}

fn readiness(gateway: &Gateway) -> (u16, String) {
    let request = http::request("GET", "/readyz", "connection: close\r\n", "");
    let answer = gateway.admin().ask(request);
    let word = answer.json()["shared"].as_str().unwrap().to_owned();
    (answer.status, word)
}

fn wait_shared(gateway: &Gateway, word: &str) {
    wait::until(&format!("shared limits that are {word}"), || {
        (readiness(gateway) == (200, word.to_owned())).then_some(())
    });
}

/// Waits until a request gets this status.
fn wait_status(gateway: &Gateway, status: u16) -> Answer {
    wait::until(&format!("status {status}"), || {
        let got = ask(gateway);
        (got.status == status).then_some(got)
    })
}

#[test]
fn while_the_counters_are_away_closed_refuses_what_has_limits_and_says_so() {
    let mut redis = redis();
    redis.tell("stop");
    each(|_| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Setup::upstream(Driver::Epoll, wire, &provider)
                .limit("shared", format!("\"{}\"", redis.url))
                .limit("shared_down", "\"closed\"")
                .key("k", "one", None)
                .text("requests_per_minute = 1000\n")
                .key("free", "two", None)
                .start();
            assert_eq!(readiness(&gateway), (200, "down".to_owned()));
            assert!(gateway.metric("ringway_shared_up") < 1.0);
            let request = |key: &str| {
                let fields = format!("x-api-key: {key}\r\n");
                post(path(wire), &fields, chat(wire, MODEL, false))
            };
            let refused = gateway.client().ask(request("k"));
            assert_eq!(refused.status, 503, "{}", refused.text());
            assert_eq!(refused.field("retry-after"), Some("1"));
            assert!(told(wire, &refused).message.contains("not known now"));
            assert_eq!(gateway.client().ask(request("free")).status, 200);
            let lines = gateway.lines(2);
            assert!(lines.iter().any(|line| line["fault"] == "limits_unknown"));
            let counted = gateway.metric("ringway_refused_total{reason=\"limits_unknown\"}");
            assert!((counted - 1.0).abs() < 0.1, "{counted}");
            assert!(provider.requests().len() == 1, "nothing was sent");
        }
    });
}

#[test]
fn counters_that_come_and_go_are_used_again_by_themselves() {
    let mut redis = redis();
    redis.tell("stop");
    let provider = Provider::answering(json(whole(WIRE)));
    let bounds = "requests_per_minute = 1000\nbudget_day = 1000\n";
    let gateway = replica(&redis.url, &provider, "closed", bounds).start();
    assert_eq!(ask(&gateway).status, 503);
    redis.tell("start");
    wait_status(&gateway, 200);
    wait_shared(&gateway, "up");
    redis.tell("kick");
    wait_status(&gateway, 200);
    // A script that is not known any more is loaded again.
    command(&redis, &["script", "flush"]);
    wait_status(&gateway, 200);
    redis.tell("stop");
    wait_shared(&gateway, "down");
    assert_eq!(wait_status(&gateway, 503).field("retry-after"), Some("1"));
    assert!(gateway.metric("ringway_shared_failures_total") >= 2.0);
    redis.tell("start");
    wait_shared(&gateway, "up");
    wait_status(&gateway, 200);
    assert!(gateway.metric("ringway_shared_orders_total") >= 1.0);
    assert!(gateway.metric("ringway_shared_waits_total") >= 1.0);
}

#[test]
fn while_the_counters_are_away_local_gives_each_replica_the_whole_limit() {
    let mut redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let bounds = "requests_per_minute = 3\nbudget_day = 1000\n";
    let [one, two] = [(); 2].map(|()| replica(&redis.url, &provider, "local", bounds).start());
    assert_eq!(
        [&one, &two, &one, &two].map(|it| ask(it).status),
        [200, 200, 200, 429]
    );
    // What is given back while it ends stays used.
    wait::until("three charges", || {
        (spent(&redis, "on_day") == 330_000_000).then_some(())
    });
    redis.tell("stop");
    wait_shared(&one, "down");
    wait_shared(&two, "down");
    // What each has let in by itself counts: two, and one.
    assert_eq!([&one, &one].map(|it| ask(it).status), [200, 429]);
    assert_eq!([&two, &two, &two].map(|it| ask(it).status), [200, 200, 429]);
    redis.tell("start");
    wait_shared(&one, "up");
    wait_shared(&two, "up");
    // What was spent meanwhile is told once they are back: six answers.
    wait::until("six charges", || {
        (spent(&redis, "on_day") == 660_000_000).then_some(())
    });
}

#[test]
fn keys_are_named_bounded_and_expire_and_what_somebody_wrote_there_stops_nobody() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let bounds =
        "requests_per_minute = 100\ntokens_per_minute = 100000\nconcurrent = 5\nbudget_day = 10\n";
    let gateway = replica(&redis.url, &provider, "local", bounds).start();
    assert_eq!(ask(&gateway).status, 200);
    let keys = command(&redis, &["--scan"]);
    let mut seen = 0;
    for key in keys.lines() {
        let is_named = key.starts_with("ringway:{k:") || key == "ringway:epoch";
        assert!(is_named, "{key}");
        let left: i64 = command(&redis, &["ttl", key]).trim().parse().unwrap();
        // Some go by themselves while we look.
        assert!(left > 0 || left == -2, "{key}: {left}");
        seen += 1;
    }
    assert!(seen >= 3, "{keys}");
    let requests = keys.lines().find(|key| key.ends_with(":requests")).unwrap();
    command(
        &redis,
        &["hset", requests, "x", "many", "99999999999999999999", "-5"],
    );
    assert_eq!(ask(&gateway).status, 200, "odd members count for nothing");
    command(&redis, &["del", requests]);
    command(&redis, &["set", requests, "5"]);
    wait_status(&gateway, 200);
    wait_shared(&gateway, "down");
    assert_eq!(ask(&gateway).status, 200, "as without the counters");
    command(&redis, &["del", requests]);
    wait_shared(&gateway, "up");
}

#[test]
fn a_key_of_the_wrong_type_is_named_with_its_cure() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let bounds =
        "requests_per_minute = 100\ntokens_per_minute = 100000\nconcurrent = 5\nbudget_day = 10\n";
    let text = alone(&redis, &provider, bounds);
    let fields = "x-api-key: k\r\n";
    let request = post(path(WIRE), fields, chat(WIRE, MODEL, false));
    let first = Program::serve(&text);
    assert_eq!(first.client().ask(&request).status, 200);
    let keys = command(&redis, &["--scan"]);
    first.signal("KILL");
    for counter in [":requests", ":tokens", ":money"] {
        let key = keys.lines().find(|key| key.ends_with(counter)).unwrap();
        command(&redis, &["del", key]);
        command(&redis, &["rpush", key, "5"]);
        let program = Program::serve(&text);
        assert_eq!(program.client().ask(&request).status, 503);
        let line = program.wait_line("WRONGTYPE");
        let said = format!("the key `{key}` is of the type list, expected hash");
        assert!(line.contains(&said) && line.contains("`DEL`"), "{line}");
        command(&redis, &["del", key]);
        wait::until("an answer", || {
            let got = program.client().ask(&request);
            (got.status == 200).then_some(())
        });
    }
}

/// A Redis that speaks TLS alone and wants a password.
struct Guarded {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Guarded {
    fn start(authority: &Authority) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let certified = authority.certify("localhost", 2090);
        fs::write(at("cert"), certified.certificate).unwrap();
        fs::write(at("key"), certified.key).unwrap();
        fs::write(at("ca"), authority.pem()).unwrap();
        loop {
            // The port is free for the moment; if somebody else takes it, another one is.
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let mut child = Command::new("redis-server")
                .args(["--port", "0", "--bind", "127.0.0.1", "--save", ""])
                .args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"])
                .args(["--tls-cert-file", &at("cert"), "--tls-key-file", &at("key")])
                .args(["--tls-ca-cert-file", &at("ca"), "--requirepass", "se@cret"])
                .args(["--dir", &at(""), "--logfile", &at("log")])
                .spawn()
                .unwrap();
            let is_there = wait::until("a Redis", || {
                let is_over = child.try_wait().unwrap().is_some();
                let is_there = TcpStream::connect(("127.0.0.1", port)).is_ok();
                (is_over || is_there).then_some(!is_over)
            });
            if is_there {
                return Self {
                    child,
                    port,
                    folder,
                };
            }
        }
    }

    /// A gateway with the URL in a file.
    fn gateway(&self, provider: &Provider, password: &str, is_trusted: bool) -> Gateway {
        let setup = Setup::upstream(Driver::Epoll, WIRE, provider)
            .key("k", "one", None)
            .text("requests_per_minute = 5\n")
            .limit("shared_file", "\"url\"")
            .limit("shared_down", "\"closed\"");
        let url = format!("rediss://default:{password}@localhost:{}/3\n", self.port);
        let path = setup.folder().join("url");
        fs::write(&path, url).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let ca = format!("{:?}", self.folder.path().join("ca"));
        match is_trusted {
            true => setup.limit("shared_ca_file", ca).start(),
            false => setup.start(),
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn p23_counters_behind_tls_and_a_password_want_the_right_ones() {
    let authority = Authority::new();
    let redis = Guarded::start(&authority);
    let provider = Provider::answering(json(whole(WIRE)));
    let one = redis.gateway(&provider, "se%40cret", true);
    let two = redis.gateway(&provider, "se%40cret", true);
    wait_shared(&one, "up");
    wait_shared(&two, "up");
    for (gateway, left) in [(&one, "4"), (&two, "3")] {
        let got = ask(gateway);
        assert_eq!(got.field("x-ratelimit-remaining-requests"), Some(left));
    }
    for (password, is_trusted) in [("other", true), ("se%40cret", false)] {
        let gateway = redis.gateway(&provider, password, is_trusted);
        assert_eq!(readiness(&gateway).1, "down");
        assert_eq!(ask(&gateway).status, 503);
    }
}

/// A block of this kind behind some words of docs/REPLICAS.md.
fn block<'t>(behind: &str, kind: &str) -> &'t str {
    let (_, rest) = REPLICAS.split_once(behind).unwrap();
    let (_, rest) = rest.split_once(&format!("```{kind}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_three_replicas_of_the_document_hold_a_limit_together_as_written() {
    let provider = Provider::answering(json(whole(Wire::AnthropicMessages)));
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(at("bin")).unwrap();
    fs::create_dir(at("work")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_ringway"), at("bin/ringway")).unwrap();
    let begin = "## Three replicas, step by step";
    let script = format!(
        "set -eu\ncd {}\n\
         trap 'cat *.err >&2; kill ${{replicas-}} 2>&1; redis-cli -s redis.sock shutdown nosave 2>&1; \
         pg_ctl --pgdata=db --mode=immediate --silent stop 2>&1' EXIT\n{}\n{}\ntrap - EXIT\n",
        at("work"),
        block(begin, "sh"),
        block("To stop everything:", "sh")
    );
    fs::write(at("script"), script).unwrap();
    let mut command = Command::new("sh");
    // PostgreSQL does not run as root.
    let owner = fs::metadata("/proc/self").unwrap().uid();
    if owner == 0 {
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open).unwrap();
        let owned = Command::new("chown")
            .args(["postgres", &at("work")])
            .status();
        assert!(owned.unwrap().success());
        command = Command::new("runuser");
        command.args(["-u", "postgres", "--", "sh"]);
    }
    let found = Command::new("sh")
        .args([
            "-c",
            "ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1",
        ])
        .output()
        .unwrap();
    let postgres = String::from_utf8(found.stdout).unwrap();
    let path = format!(
        "{}:{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        at("bin"),
        postgres.trim()
    );
    let output = command
        .arg(at("script"))
        .env_clear()
        .env("PATH", path)
        .env("PROVIDER_URL", format!("http://{}", provider.address()))
        .env("ANTHROPIC_API_KEY", "sk-test")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(told, block(begin, "text"));
    assert_eq!(provider.requests().len(), 4);
}

#[test]
fn months_begin_in_the_script_when_they_do_here() {
    let redis = redis();
    let (_, rest) = SCRIPT.split_once("local function month_of").unwrap();
    let (body, _) = rest.split_once("\nend\n").unwrap();
    let last = 80_000;
    let script = format!(
        "local function month_of{body}\nend\nlocal out = {{}}\nfor day = 0, {last} do out[day + 1] = month_of(day) end\n\
         return table.concat(out, ' ')"
    );
    let told = command(&redis, &["eval", &script, "0"]);
    let told: Vec<u64> = told
        .split_whitespace()
        .map(|it| it.parse().unwrap())
        .collect();
    let expected = (0..=last).map(|day| {
        let (year, month, _) = civil(day);
        (year - 1970) * 12 + month - 1
    });
    assert_eq!(told, expected.collect::<Vec<u64>>());
}
