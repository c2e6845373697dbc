//! Clocks that jump forward and back: no budget begins anew, none waits for a day that is far away, and the
//! jump is reported. The clocks of whole processes are shifted, by a library that is loaded before libc.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use ringway::wire::kind::Wire;
use tempfile::TempDir;

use crate::support::gateway::MODEL;
use crate::support::http::{json, post};
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::stores::{Database, Kind, Services};
use crate::support::wait;
use crate::support::wires::{chat, path, whole};

const WIRE: Wire = Wire::OpenAiChat;
const DAY: i64 = 86_400;

/// Adds what a file says, in seconds, to what the wall clock says.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long shift(void) {
  const char *path = getenv("CLOCK_SHIFT");
  char text[32] = {0};
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return 0;
  if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
  close(file);
  return atol(text);
}
int clock_gettime(clockid_t clock, struct timespec *out) {
  long done = syscall(SYS_clock_gettime, clock, out);
  if (done == 0 && clock == CLOCK_REALTIME) out->tv_sec += shift();
  return (int)done;
}
int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
"#;

/// The wall clock of the processes that are started with its variables.
struct Clock {
    folder: TempDir,
}

impl Clock {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Servers run as other users.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let source = folder.path().join("clock.c");
        fs::write(&source, LIBRARY).unwrap();
        let mut compiler = Command::new("cc");
        let compiler = compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
        let library = folder.path().join("clock.so");
        let done = compiler.arg(&library).arg(&source).status().unwrap();
        assert!(done.success());
        let clock = Self { folder };
        clock.set(0);
        clock
    }

    /// Sets it forward by so many seconds.
    fn set(&self, seconds: i64) {
        let written = self.folder.path().join("written");
        fs::write(&written, seconds.to_string()).unwrap();
        fs::set_permissions(&written, fs::Permissions::from_mode(0o644)).unwrap();
        fs::rename(written, self.file("shift")).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn variables(&self) -> [(&'static str, String); 2] {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        [
            ("LD_PRELOAD", text(self.file("clock.so"))),
            ("CLOCK_SHIFT", text(self.file("shift"))),
        ]
    }
}

/// A gateway of its own process, with a key `k` that may spend forty cents a day: three requests at most.
fn gateway(clock: &Clock, provider: &Provider, limits: &str, rest: &str) -> Program {
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nworkers = 1\n\
         [limits]\n{limits}\n[prices.\"up/*\"]\ninput = 10000\noutput = 10000\n\
         [budgets]\noutput_tokens_reserved = 1\n[[provider]]\nname = \"up\"\nkind = \"openai\"\n\
         base_url = \"http://{}/v1\"\nkey_env = \"UPSTREAM_KEY\"\n\
         [[model]]\nid = \"{MODEL}\"\ntargets = [\"up/m\"]\n\
         [[key]]\nsha256 = \"{}\"\ntenant = \"one\"\nbudget_day = \"0.40\"\n{rest}",
        provider.address(),
        "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a",
    );
    Program::serve_variables(&config, &clock.variables())
}

fn ask(program: &Program) -> u16 {
    let body = chat(WIRE, MODEL, false);
    let request = post(path(WIRE), "x-api-key: k\r\n", body);
    program.client().ask(request).status
}

/// Asks until the budget is used up.
fn use_up(program: &Program) {
    let served = (0..20).take_while(|_| ask(program) == 200).count();
    assert!((1..=3).contains(&served), "{served}");
}

/// The clock jumps and comes back; the budget that was used up stays so.
fn jump(program: &Program, clock: &Clock) {
    for seconds in [3 * 3_600, DAY, 40 * DAY, -2 * DAY] {
        clock.set(seconds);
        let line = program.wait_line("clock jump");
        let (hours, way) = (
            seconds.abs() / 3_600,
            if seconds > 0 { "ahead" } else { "behind" },
        );
        assert!(line.contains(way), "{line}");
        for _ in 0..3 {
            assert_eq!(ask(program), 429, "{hours} hours {way}");
        }
        clock.set(0);
        program.wait_line("clocks agree again");
        assert_eq!(ask(program), 429, "after {hours} hours {way}");
    }
}

#[test]
fn a_local_clock_that_jumps_and_comes_back_gives_no_budget_anew() {
    let provider = Provider::answering(json(whole(WIRE)));
    let redis = Services::start("redis", &[]);
    let database = Database::new(Kind::Postgres);
    let shared = format!("shared = \"{}\"\nshared_down = \"closed\"", redis.url);
    let store = database.section(&database.snapshot("one"));
    for (limits, rest) in [("", ""), (shared.as_str(), ""), ("", store.as_str())] {
        let rest = format!("budget_month = \"0.40\"\n{rest}");
        let clock = Clock::new();
        let program = gateway(&clock, &provider, limits, &rest);
        use_up(&program);
        jump(&program, &clock);
        let (_, metrics) = program.admin("/metrics");
        assert!(
            metrics.contains("\nringway_clock_jumps_total 4\n"),
            "{limits}{rest}"
        );
    }
}

#[test]
fn a_clock_of_redis_that_jumps_and_comes_back_gives_no_budget_anew() {
    let provider = Provider::answering(json(whole(WIRE)));
    let (own, far) = (Clock::new(), Clock::new());
    let redis = Services::start("redis", &far.variables());
    let shared = format!("shared = \"{}\"\nshared_down = \"closed\"", redis.url);
    let program = gateway(&own, &provider, &shared, "");
    use_up(&program);
    for seconds in [DAY, -DAY] {
        far.set(seconds);
        program.wait_line("clock jump");
        for _ in 0..3 {
            assert_eq!(ask(&program), 429, "{seconds}");
        }
        far.set(0);
        program.wait_line("clocks agree again");
        assert_eq!(ask(&program), 429, "after {seconds}");
    }
}

/// The day that the counters of the one budget are at.
fn day_of(redis: &Services) -> u64 {
    let ask = |parts: &[&str]| {
        let mut command = Command::new("redis-cli");
        let socket = redis.url.strip_prefix("redis+unix://").unwrap();
        let output = command.args(["-s", socket]).args(parts).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let keys = ask(&["--scan"]);
    let money = keys.lines().find(|key| key.ends_with(":money")).unwrap();
    ask(&["hget", money, "day"]).trim().parse().unwrap()
}

#[test]
fn a_day_that_was_in_the_future_ends_when_the_clocks_are_set_right() {
    let provider = Provider::answering(json(whole(WIRE)));
    let (own, far) = (Clock::new(), Clock::new());
    let set = |days: i64| {
        far.set(days * DAY);
        own.set(days * DAY);
    };
    set(5);
    let redis = Services::start("redis", &far.variables());
    let shared = format!("shared = \"{}\"\nshared_down = \"closed\"", redis.url);
    let program = gateway(&own, &provider, &shared, "");
    use_up(&program);
    set(0);
    let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let today = today.as_secs() / 86_400;
    // What was spent counts today.
    wait::until("the day to come back", || {
        assert_ne!(ask(&program), 200);
        (day_of(&redis) == today).then_some(())
    });
    assert_ne!(ask(&program), 200);
    set(1);
    wait::until("the budget of the next day", || {
        (ask(&program) == 200).then_some(())
    });
}
