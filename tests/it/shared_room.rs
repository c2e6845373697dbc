//! Shared limits with a Redis that is some way off, stalls or forgets: nobody is refused while there is
//! room, nothing is charged twice, and no budget begins anew.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::thread;
use std::time::Instant;

use crate::support::client::Answer;
use crate::support::delay::Relay;
use crate::support::gateway::{Gateway, MODEL};
use crate::support::http::{LAST_CHUNK, chunk, json, post, request, stream_head};
use crate::support::provider::Provider;
use crate::support::replicas::{WIRE, command, redis, replica, socket, spent, three};
use crate::support::script::{Step, then};
use crate::support::stores::{Database, Kind, Services};
use crate::support::wait;
use crate::support::wires::{chat, path, start_up, whole};

/// Round trips of a millisecond, and of twenty.
const DELAYS: [Duration; 2] = [Duration::from_micros(500), Duration::from_millis(10)];

/// Runs in which the store may answer too late.
const RUNS_MAX: usize = 10;

/// Asks for so many tokens of output at most.
fn ask_for(gateway: &Gateway, tokens: u64) -> Answer {
    let body = chat(WIRE, MODEL, false);
    let body = body.replacen('{', &format!("{{\"max_tokens\":{tokens},"), 1);
    let mut client = gateway.client();
    let answer = client.ask(post(path(WIRE), "x-api-key: k\r\n", body));
    // What is answered next on the same connection comes once the exchange is settled.
    let next = client.ask(request("GET", "/nowhere", "x-api-key: k\r\n", ""));
    assert_eq!(next.status, 404);
    answer
}

/// So many clients ask one replica after the other, one request at a time each; gives answers that are
/// none of a 200. What is not known in time on a busy machine is asked again.
fn refused(replicas: &[Gateway; 3], clients: usize, each: usize, tokens: u64) -> Vec<String> {
    let ask = |client: usize| {
        let mut refused = Vec::new();
        for number in 0..each {
            let got = loop {
                let got = ask_for(&replicas[(client + number) % 3], tokens);
                if got.status != 503 {
                    break got;
                }
            };
            if got.status != 200 {
                refused.push(got.text().to_owned());
            }
        }
        refused
    };
    thread::scope(|scope| {
        let asking: Vec<_> = (0..clients)
            .map(|client| scope.spawn(move || ask(client)))
            .collect();
        asking
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect()
    })
}

#[test]
fn nobody_is_refused_while_what_runs_and_was_used_leaves_room() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    for delay in DELAYS {
        let relay = Relay::start(socket(&redis), delay);
        for (bounds, clients, each, tokens) in [
            ("concurrent = 25\n", 20, 15, 10),
            ("concurrent = 1\n", 1, 30, 10),
            ("concurrent = 3\n", 3, 20, 10),
            // Each reserves two fifths, two at a time; 3.30 dollars or 330 tokens are used.
            ("budget_day = 16\n", 2, 15, 600),
            ("tokens_per_minute = 1600\n", 2, 15, 600),
            ("requests_per_minute = 60\n", 4, 15, 10),
        ] {
            command(&redis, &["flushall"]);
            let replicas = three(&relay.url(), &provider, bounds);
            let refused = refused(&replicas, clients, each, tokens);
            let first = refused.first();
            assert!(
                first.is_none(),
                "{bounds}{delay:?}: {}: {first:?}",
                refused.len()
            );
        }
    }
}

#[test]
fn a_key_that_is_seldom_used_waits_no_round_trip_but_the_first() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let relay = Relay::start(socket(&redis), DELAYS[1]);
    let bounds = "requests_per_minute = 600\ntokens_per_minute = 100000\nconcurrent = 100\nbudget_day = 1000\n";
    // On a busy machine the store may answer too late, which says nothing of round trips.
    let waits = (0..RUNS_MAX).find_map(|_| {
        command(&redis, &["flushall"]);
        let gateway = replica(&relay.url(), &provider, "closed", bounds).start();
        let is_answered = (0..5).all(|_| {
            let status = ask_for(&gateway, 10).status;
            let until = Instant::now() + Duration::from_millis(1_500);
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                thread::park_timeout(left);
            }
            let is_late = gateway.metric("ringway_shared_failures_total") > 0.0;
            assert!(status == 200 || is_late, "{status}");
            !is_late
        });
        is_answered.then(|| gateway.metric("ringway_shared_waits_total"))
    });
    let waits = waits.expect("a run in which the store answers in time");
    assert!((0.5..1.5).contains(&waits), "{waits}");
}

#[test]
fn orders_whose_answers_come_too_late_are_charged_once() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let relay = Relay::start(socket(&redis), DELAYS[0]);
    let bounds = "budget_day = 100000\ntokens_per_minute = 1000000\n";
    let gateway = replica(&relay.url(), &provider, "local", bounds).start();
    let served = AtomicUsize::new(0);
    let is_over = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while is_over.load(Ordering::Relaxed) == 0 {
                    // Each reserves six dollars.
                    if ask_for(&gateway, 600).status == 200 {
                        served.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for _ in 0..4 {
            for (stalls, ms) in [(true, 1_500), (false, 500)] {
                relay.stall(stalls);
                let until = Instant::now() + Duration::from_millis(ms);
                while let Some(left) = until.checked_duration_since(Instant::now()) {
                    thread::park_timeout(left);
                }
            }
        }
        is_over.store(1, Ordering::Relaxed);
    });
    let served = served.into_inner();
    assert!(served > 10, "{served}");
    wait::until("what was used and no more", || {
        (spent(&redis, "on_day") == served * 110_000_000).then_some(())
    });
}

/// Asks at all replicas until nobody is let in any more; how many were.
fn drive(replicas: &[Gateway; 3]) -> usize {
    let served = AtomicUsize::new(0);
    thread::scope(|scope| {
        for gateway in replicas {
            let served = &served;
            scope.spawn(move || {
                let mut refused = 0;
                while refused < 10 {
                    match ask_for(gateway, 10).status {
                        200 => _ = served.fetch_add(1, Ordering::Relaxed),
                        // What is not known now.
                        503 => {}
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

#[test]
fn a_budget_does_not_begin_anew_with_a_redis_that_has_forgotten_it() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let replicas = three(&redis.url, &provider, "budget_month = \"2.20\"\n");
    let mut served = drive(&replicas);
    assert!((15..=20).contains(&served), "{served}");
    for _ in 0..2 {
        command(&redis, &["flushall"]);
        served += drive(&replicas);
        assert!(served <= 20, "{served} times 11 cents of 220");
    }
}

/// Asks until a few requests in a row are refused; how many were let in.
fn drive_one(gateway: &Gateway) -> usize {
    let (mut served, mut refused) = (0, 0);
    while refused < 5 {
        match ask_for(gateway, 10).status {
            200 => served += 1,
            // What is not known now.
            503 => {}
            status => {
                assert_eq!(status, 429);
                refused += 1;
            }
        }
    }
    served
}

#[test]
fn a_budget_goes_on_from_a_store_where_redis_the_replicas_and_their_journals_have_forgotten_it() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let database = Database::new(Kind::Postgres);
    let mut served = 0;
    for round in 0..3 {
        // Neither the journals nor the replicas of one round are there in the next.
        let replicas = [(); 3].map(|()| {
            let setup = replica(&redis.url, &provider, "closed", "budget_month = \"2.20\"\n");
            let journal = setup.folder().join("usage");
            let snapshot = setup.folder().join("snapshot");
            let lines = format!("[usage]\njournal = \"{}\"\n", journal.display());
            setup
                .text(&database.section(&snapshot))
                .text(&lines)
                .start()
        });
        served += match round {
            // A part of the budget is left for the next round.
            0 => (0..7)
                .filter(|number| ask_for(&replicas[number % 3], 10).status == 200)
                .count(),
            _ => drive(&replicas),
        };
        assert!(served <= 20, "{served} times 11 cents of 220");
        wait::until("all records in the store", || {
            (database.spent() == served as u64 * 110_000_000).then_some(())
        });
        drop(replicas);
        command(&redis, &["flushall"]);
    }
    assert!((15..=20).contains(&served), "{served}");
}

/// Eight clients keep asking at each replica for a while; how many were refused, and how many orders that
/// cost, as the replicas say and as Redis says, each by second and replica.
fn flood(redis: &Services, replicas: &[Gateway; 3]) -> (usize, [f64; 2]) {
    let orders = || {
        let each = replicas.iter();
        let told: f64 = each
            .map(|it| it.metric("ringway_shared_orders_total"))
            .sum();
        let stats = command(redis, &["info", "commandstats"]);
        let scripts = stats
            .lines()
            .find(|line| line.starts_with("cmdstat_evalsha:"));
        let calls = scripts.and_then(|it| it.split_once("calls=")?.1.split_once(','));
        [told, calls.unwrap().0.parse().unwrap()]
    };
    let refused = AtomicUsize::new(0);
    let before = orders();
    let begun = Instant::now();
    thread::scope(|scope| {
        for gateway in replicas.iter().cycle().take(24) {
            let refused = &refused;
            scope.spawn(move || {
                let mut client = gateway.client();
                let body = chat(WIRE, MODEL, false);
                // A busy machine takes longer to refuse as many.
                let is_enough = || {
                    let counted = refused.load(Ordering::Relaxed) > REFUSALS_MIN;
                    let seconds = begun.elapsed().as_secs();
                    seconds >= 3 && counted || seconds >= 60
                };
                while !is_enough() {
                    let asked = post(path(WIRE), "x-api-key: k\r\n", body.clone());
                    let answer = client.ask(asked);
                    let status = answer.status;
                    // The gateway closes a connection that has carried its number of requests.
                    if answer.field("connection") == Some("close") {
                        client = gateway.client();
                    }
                    // 503: Redis had no turn on a busy machine.
                    assert!([200, 429, 503].contains(&status), "{status}");
                    refused.fetch_add(usize::from(status == 429), Ordering::Relaxed);
                }
            });
        }
    });
    let after = orders();
    let seconds = begun.elapsed().as_secs_f64() * 3.0;
    let rates = [0, 1].map(|it| (after[it] - before[it]) / seconds);
    (refused.into_inner(), rates)
}

#[test]
fn a_flood_of_refusals_costs_redis_a_bounded_number_of_orders() {
    let redis = redis();
    let answering = Provider::answering(json(whole(WIRE)));
    let begun = [stream_head(), chunk(start_up(WIRE))].concat();
    let mut script = then(begun, Step::Gate);
    script.push(Step::Send(LAST_CHUNK.to_vec()));
    let held = Provider::all(script);
    for (bounds, most) in [
        ("requests_per_minute = 20\n", 60.0),
        ("tokens_per_minute = 200\n", 100.0),
        ("budget_day = \"2.20\"\n", 100.0),
        ("concurrent = 3\n", 100.0),
    ] {
        command(&redis, &["flushall"]);
        let is_running = bounds.starts_with("concurrent");
        let provider = if is_running { &held } else { &answering };
        let replicas = three(&redis.url, provider, bounds);
        let mut streams: Vec<_> = replicas.iter().map(Gateway::client).collect();
        if is_running {
            for client in &mut streams {
                let body = chat(WIRE, MODEL, true);
                client.send(post(path(WIRE), "x-api-key: k\r\n", body));
                assert_eq!(client.head().status, 200);
            }
        } else {
            drive(&replicas);
        }
        let (refused, rates) = flood(&redis, &replicas);
        let told = format!("{bounds}{refused} refused, orders a second {rates:?}");
        if is_running {
            streams.iter().for_each(|_| held.open());
        }
        assert!(rates.iter().all(|&it| it <= most), "{told}");
        assert!(refused > REFUSALS_MIN, "{told}");
    }
}

/// Refusals that a flood has at least.
const REFUSALS_MIN: usize = 500;

#[test]
fn a_budget_goes_on_from_the_records_where_redis_and_the_replicas_have_forgotten_it() {
    let redis = redis();
    let provider = Provider::answering(json(whole(WIRE)));
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("usage");
    let bounds = format!(
        "budget_month = \"2.20\"\n[usage]\njournal = \"{}\"\n",
        journal.display()
    );
    let mut served = 0;
    for _ in 0..2 {
        let gateway = replica(&redis.url, &provider, "closed", &bounds).start();
        served += drive_one(&gateway);
        assert!((15..=20).contains(&served), "{served}");
        drop(gateway);
        command(&redis, &["flushall"]);
    }
}
