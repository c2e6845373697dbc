//! The program's commands: exit codes, what goes where.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ringway::route::plan::client_key::digest_of;

use crate::support::wait;

fn ringway(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    command.args(arguments);
    command.env_clear();
    command.output().unwrap()
}

fn check(arguments: &[&str], code: i32) -> (String, String) {
    let output = ringway(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, errors) = (text(output.stdout), text(output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}\n{out}\n{errors}"
    );
    (out, errors)
}

/// Writes a configuration into a folder of its own.
fn config(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.toml");
    fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn help_goes_to_stdout_with_examples_and_exit_codes() {
    let (out, errors) = check(&["--help"], 0);
    for text in [
        "Examples:",
        "ringway demo",
        "Exit codes:",
        "serve",
        "check",
        "key",
    ] {
        assert!(out.contains(text), "{text}: {out}");
    }
    assert_eq!(errors, "");
    for command in ["serve", "check", "key", "demo"] {
        let (out, _) = check(&[command, "--help"], 0);
        assert!(out.contains("Usage: ringway"), "{out}");
    }
}

#[test]
fn version_names_commit_and_drivers() {
    let (out, _) = check(&["--version"], 0);
    assert!(
        out.starts_with(concat!("ringway ", env!("CARGO_PKG_VERSION"))),
        "{out}"
    );
    for text in ["commit ", "drivers: ", "epoll", "crypto: "] {
        assert!(out.contains(text), "{text}: {out}");
    }
}

#[test]
fn wrong_arguments_exit_with_2_and_a_hint() {
    for (arguments, text) in [
        (&["serv"][..], "serve"),
        (&["serve", "--workers", "0"], "1..=1024"),
        (&["serve", "--driver", "x"], "auto, uring, epoll"),
        (&["check", "--no"], "--no"),
        (&[], "Usage"),
    ] {
        let (out, errors) = check(arguments, 2);
        assert!(errors.contains(text), "{errors}");
        assert_eq!(out, "");
    }
}

#[test]
fn serve_that_cannot_open_its_log_exits_with_1_and_names_the_file() {
    let (folder, path) = config(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"off\"\nlog = \"./none/access.log\"\n\
         [[provider]]\nname = \"a\"\nkind = \"openai\"\nkey = \"none\"\n",
    );
    let (_, errors) = check(&["serve", "--config", &path], 1);
    let log = folder.path().join("./none/access.log");
    let start = format!("ringway: server.log {}: No such file", log.display());
    assert!(errors.starts_with(&start), "{errors}");
}

#[test]
fn check_of_the_example_prints_its_routes() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("ringway.example.toml");
    let (out, errors) = check(&["check", "--config", example.to_str().unwrap()], 0);
    assert_eq!(errors, "");
    let expected = "\
LISTEN          FOR
127.0.0.1:8080  clients
127.0.0.1:8081  admin

PROVIDER   WIRE       ADDRESS                       KEY
anthropic  anthropic  https://api.anthropic.com/v1  the caller's
openai     openai     https://api.openai.com/v1     the caller's

MODEL      TARGET                      FROM OPENAI  FROM ANTHROPIC
fast       anthropic/claude-haiku-4-5  no key       as it is
  = haiku  openai/gpt-5-mini           as it is     no key
";
    let (models, defaults) = out.split_once("\nBARE ID").unwrap();
    assert_eq!(models, expected);
    assert!(defaults.contains("claude-*  "), "{defaults}");
}

#[test]
fn check_of_faults_prints_each_with_file_line_and_key_and_exits_with_2() {
    let (_folder, path) = config(
        "[server]\nlisten = \"here\"\nopenn = true\n[[provider]]\nname = \"a\"\nkind = \"openai\"\n\
         key_file = \"none\"\nbase_url = \"https://h/v1/v1\"\n[[model]]\nid = \"m\"\n\
         targets = [\"b/x\"]\n",
    );
    let (out, errors) = check(&["check", "--config", &path], 2);
    assert_eq!(out, "");
    let starts = [
        ":2: server.listen: expected an IP address",
        ":3: server.openn: unknown key; did you mean `open`?",
        ":7: provider[0].key_file: ",
        ":8: provider[0].base_url: says /v1 twice; make its path /v1",
        ":11: model[0].targets[0]: no provider named `b`; known: a",
    ];
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), starts.len(), "{errors}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(&format!("{path}{start}")), "{line}");
    }
}

#[test]
fn check_with_a_warning_prints_it_and_exits_with_0() {
    let (_folder, path) = config(
        "[[provider]]\nname = \"a\"\nkind = \"openai-compatible\"\nkey = \"none\"\n\
         base_url = \"https://h/x\"\n",
    );
    let (out, errors) = check(&["check", "--config", &path], 0);
    assert!(out.contains("https://h/x"), "{out}");
    let text = format!("warning: {path}:5: provider[0].base_url: has no /v1");
    assert!(errors.starts_with(&text), "{errors}");
}

#[test]
fn check_without_a_file_checks_the_environment() {
    let (out, _) = check(&["check"], 0);
    assert!(
        out.contains("https://api.anthropic.com/v1  the caller's"),
        "{out}"
    );
    let (_, errors) = check(&["check", "--config", "/nowhere/r.toml"], 2);
    assert!(
        errors.starts_with("/nowhere/r.toml: cannot be read: "),
        "{errors}"
    );
}

#[test]
fn serve_of_a_broken_configuration_exits_with_2_before_it_starts() {
    let (_folder, path) = config("[[provider]]\nname = 1\n");
    let (_, errors) = check(&["serve", "--config", &path], 2);
    assert!(
        errors.contains("provider[0].name: expected a string"),
        "{errors}"
    );
    let (_, errors) = check(&["serve", "--listen", "0.0.0.0:1"], 2);
    assert!(
        errors.contains("--listen: others reach this address"),
        "{errors}"
    );
}

/// Runs a command whose standard error takes nothing: a full disk, or a pipe that nobody reads.
fn deaf(arguments: &[&str], stderr: Stdio) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    command.args(arguments).env_clear().stderr(stderr);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn dead_ends() -> [Stdio; 2] {
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let (_, closed) = std::io::pipe().unwrap();
    [full.unwrap().into(), closed.into()]
}

#[test]
fn a_standard_error_that_takes_nothing_changes_no_exit_code_and_ends_no_serving() {
    let (folder, path) = config(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"unix:SOCKET\"\n[[provider]]\nname = \"a\"\n\
         kind = \"openai-compatible\"\nkey = \"none\"\nbase_url = \"https://h.example/x\"\n",
    );
    let socket = folder.path().join("s");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("SOCKET", socket.to_str().unwrap())).unwrap();
    let (_folder, broken) = config("[[provider]]\nname = 1\n");
    for (arguments, code) in [
        (&["check", "--config", &path][..], 0),
        (&["check", "--config", &broken], 2),
        (&["serve", "--config", &broken], 2),
        (&["serv"], 2),
        (&["keys", "list", "--store", "mysql://a"], 2),
    ] {
        for end in dead_ends() {
            let status = deaf(arguments, end).status().unwrap();
            assert_eq!(status.code(), Some(code), "{arguments:?}");
        }
    }
    for end in dead_ends() {
        let mut serving = deaf(&["serve", "--config", &path], end).spawn().unwrap();
        let pid = serving.id().to_string();
        // The admin listener answers once signals are taken.
        wait::until("an answer", || {
            let ended = serving.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}");
            let mut stream = std::os::unix::net::UnixStream::connect(&socket).ok()?;
            let asked = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
            stream.write_all(asked).ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        });
        let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(told.success());
        assert_eq!(serving.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_store_with_a_password_comes_by_variable_and_not_by_argument() {
    for url in [
        "postgres://me:s3cret@db.example/r",
        "postgres://me@db.example/r?password=s3cret",
    ] {
        for command in [&["keys", "list"][..], &["tenants", "list"]] {
            let arguments = [command, &["--store", url]].concat();
            let (_, errors) = check(&arguments, 2);
            assert!(errors.contains("RINGWAY_STORE_URL"), "{errors}");
            assert!(!errors.contains("s3cret"), "{errors}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("r.db").display());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
        let command = command.args(arguments).env_clear();
        let output = command.env("RINGWAY_STORE_URL", &url).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["keys", "create", "--tenant", "blue", "--id", "one"]);
    assert!(run(&["keys", "list"]).contains("one"));
    let (out, _) = check(&["keys", "list", "--store", &url], 0);
    assert!(out.contains("blue"), "{out}");
}

#[test]
fn key_prints_key_and_digest_once_and_never_the_same_twice() {
    let (out, errors) = check(&["key", "--tenant", "blue"], 0);
    assert_eq!(errors, "");
    let key = out
        .lines()
        .find_map(|line| line.strip_prefix("key:    "))
        .unwrap();
    let digest = digest_of(key.as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        out.contains(&format!("sha256 = \"{digest}\"\ntenant = \"blue\"\n")),
        "{out}"
    );
    assert_eq!(out.matches(key).count(), 1);
    let (other, _) = check(&["key"], 0);
    assert!(!other.contains(key));
    assert!(other.contains("tenant = \"default\""), "{other}");
}

#[test]
fn check_says_which_endpoints_are_closed_to_whom_and_what_opens_them() {
    let with = |tenants: [&str; 2], relay: &str| {
        let mut text =
            "[[provider]]\nname = \"up\"\nkind = \"openai\"\nkey = \"none\"\n".to_owned();
        for (digit, tenant) in ["a", "b"].iter().zip(tenants) {
            let digest = digit.repeat(64);
            text += &format!("[[key]]\nsha256 = \"{digest}\"\ntenant = \"{tenant}\"\n{relay}\n");
        }
        let (_folder, path) = config(&text);
        check(&["check", "--config", &path], 0).0
    };
    let closed = with(["blue", "green"], "");
    let said = "Closed to keys of blue, green: endpoints with state at the provider";
    assert!(closed.contains(said), "{closed}");
    assert!(
        closed.contains("relay = [\"files\", \"batches\"]"),
        "{closed}"
    );
    for open in [
        with(["blue", "blue"], ""),
        with(["blue", "green"], "relay = [\"*\"]"),
    ] {
        assert!(!open.contains("Closed to"), "{open}");
    }
}
