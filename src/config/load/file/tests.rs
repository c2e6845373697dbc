//! Files, credentials and variables.

use core::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::config::load::environment::RetainedVariables;
use crate::config::load::file::{Loaded, guard_fault, load, load_environment, load_text};
use crate::config::load::material::Credential;
use crate::config::schema::file::{LogSink, SharedDown};
use crate::limits::{CONFIG_BYTES_MAX, KEY_FILE_BYTES_MAX};

const PEM: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

fn no_env(_: &str) -> Option<String> {
    None
}

fn file(folder: &TempDir, name: &str, text: &[u8], mode: u32) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.display().to_string()
}

/// A configuration with one provider of these lines, from line 1 on.
fn provider(lines: &str) -> String {
    format!("provider = [{{ name = \"a\", kind = \"openai\", {lines} }}]\n")
}

fn in_folder(folder: &TempDir, text: &str) -> Loaded {
    load_text(text, "r.toml", folder.path(), &no_env)
}

fn key_of(loaded: &Loaded) -> &[u8] {
    assert_eq!(loaded.faults.lines(), [""; 0]);
    match &loaded.material.providers[0].credential {
        Credential::Ours(keys) => keys[0].expose(),
        other @ (Credential::Caller | Credential::None) => panic!("{other:?}"),
    }
}

#[test]
fn log_file_by_a_relative_path_lies_at_the_configuration_and_by_an_absolute_one_where_it_says() {
    let folder = TempDir::new().unwrap();
    for (given, expected) in [
        ("./access.log", folder.path().join("access.log")),
        ("/var/log/access.log", "/var/log/access.log".into()),
    ] {
        let loaded = in_folder(&folder, &format!("server.log = \"{given}\""));
        assert_eq!(loaded.config.server.log, LogSink::File(expected));
    }
}

#[test]
fn key_file_of_its_owner_alone_is_read_less_its_line_end() {
    let folder = TempDir::new().unwrap();
    for (name, text, mode) in [
        ("a", &b"sk-1\n"[..], 0o600),
        ("b", b"sk-1\r\n\n", 0o400),
        ("c", b"sk-1", 0o600),
    ] {
        file(&folder, name, text, mode);
        let loaded = in_folder(&folder, &provider(&format!("key_file = \"{name}\"")));
        assert_eq!(key_of(&loaded), b"sk-1");
    }
}

#[test]
fn key_file_that_others_may_read_is_refused_with_the_cure() {
    let folder = TempDir::new().unwrap();
    for mode in [0o644, 0o640, 0o604, 0o660, 0o601] {
        let path = file(&folder, "k", b"sk-1\n", mode);
        let loaded = in_folder(&folder, &provider("key_file = \"k\""));
        let text = format!(
            "r.toml:1: provider[0].key_file: {path} has mode {mode:04o}, others may read it; \
             chmod 600 {path}"
        );
        assert_eq!(loaded.faults.lines(), [text]);
    }
}

#[test]
fn key_file_of_another_user_is_refused_unless_that_is_root() {
    let path = Path::new("k");
    for (owner, own, is_fine) in [
        (1000, Some(1000), true),
        (0, Some(1000), true),
        (0, Some(0), true),
        (1000, Some(0), false),
        (1001, Some(1000), false),
        (1001, None, true),
    ] {
        let fault = guard_fault(path, 0o100_600, owner, own);
        assert_eq!(fault.is_none(), is_fine, "{owner} {own:?} {fault:?}");
    }
    assert_eq!(
        guard_fault(path, 0o100_600, 1001, Some(1000)).unwrap(),
        "k belongs to user 1001; chown it to the user that runs this"
    );
}

#[test]
fn key_file_that_holds_no_key_is_refused_without_repeating_it() {
    let folder = TempDir::new().unwrap();
    let large = vec![b'k'; KEY_FILE_BYTES_MAX + 1];
    for (text, fault) in [
        (
            &b"sk secret"[..],
            "the key holds a byte at 2 that cannot stand in a header",
        ),
        (
            b"secret\nsecret",
            "the key holds a byte at 6 that cannot stand in a header",
        ),
        (
            b"\xEF\xBB\xBFsecret",
            "the key holds a byte at 0 that cannot stand in a header",
        ),
        (b"\n", "the key is empty"),
        (b"", "the key is empty"),
        (&large, "k is longer than 65536 bytes"),
    ] {
        file(&folder, "k", text, 0o600);
        let loaded = in_folder(&folder, &provider("key_file = \"k\""));
        let lines = loaded.faults.lines();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with(fault), "{lines:?}");
        assert!(!lines[0].contains("secret"), "{lines:?}");
    }
    file(&folder, "k", &large[1..], 0o600);
    let loaded = in_folder(&folder, &provider("key_file = \"k\""));
    assert_eq!(key_of(&loaded).len(), KEY_FILE_BYTES_MAX);
}

#[test]
fn key_file_that_is_not_there_or_a_folder_is_a_fault() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("d")).unwrap();
    for (name, fault) in [
        ("none", "cannot be read: "),
        ("d", "is a folder, expected a file"),
    ] {
        let loaded = in_folder(&folder, &provider(&format!("key_file = \"{name}\"")));
        let lines = loaded.faults.lines();
        assert!(lines[0].contains(fault), "{lines:?}");
    }
}

#[test]
fn what_was_taken_out_of_the_environment_is_read_again_as_it_was() {
    let folder = TempDir::new().unwrap();
    let environment = RefCell::new(HashMap::from([("VAR", "a-key"), ("OTHER", "x")]));
    let retained = RetainedVariables::new();
    let env = |name: &str| {
        let value = environment.borrow().get(name).map(|it| (*it).to_owned());
        value.or_else(|| retained.get(name))
    };
    let read = || {
        load_text(
            &provider("key_env = \"VAR\""),
            "r.toml",
            folder.path(),
            &env,
        )
    };
    let first = read();
    retained.retain(&first.material.secret_variables, &env);
    environment.borrow_mut().remove("VAR");
    for _ in 0..2 {
        let again = read();
        assert_eq!(key_of(&again), b"a-key");
        assert_eq!(again.material.secret_variables, ["VAR"], "it is kept on");
        retained.retain(&again.material.secret_variables, &env);
    }
    assert!(retained.get("OTHER").is_none() && retained.get("NONE").is_none());
    assert!(!format!("{retained:?}").contains("a-key"));
}

#[test]
fn key_comes_from_file_then_systemd_then_variable() {
    let folder = TempDir::new().unwrap();
    let systemd = TempDir::new().unwrap();
    file(&folder, "k", b"from-file", 0o600);
    let env = |name: &str| match name {
        "CREDENTIALS_DIRECTORY" => Some(systemd.path().display().to_string()),
        "VAR" => Some("from-variable".to_owned()),
        _ => None,
    };
    let read = |lines: &str| load_text(&provider(lines), "r.toml", folder.path(), &env);
    assert_eq!(key_of(&read("key_env = \"VAR\"")), b"from-variable");
    assert_eq!(read("key_env = \"VAR\"").material.secret_variables, ["VAR"]);
    assert!(matches!(
        read("base_url = \"http://h/v1\"").material.providers[0].credential,
        Credential::None
    ));

    file(&systemd, "providers_a", b"from-folder\n", 0o440);
    assert_eq!(key_of(&read("key_env = \"VAR\"")), b"from-folder");
    file(&systemd, "a", b"from-systemd\n", 0o440);
    assert_eq!(key_of(&read("key_env = \"VAR\"")), b"from-systemd");
    assert_eq!(key_of(&read("base_url = \"http://h/v1\"")), b"from-systemd");
    assert_eq!(key_of(&read("key_file = \"k\"")), b"from-file");
    let guarded = format!("key_file = \"{}/a\"", systemd.path().display());
    assert_eq!(key_of(&read(&guarded)), b"from-systemd");
    for word in ["caller", "none"] {
        let loaded = read(&format!("key = \"{word}\""));
        let credential = &loaded.material.providers[0].credential;
        assert!(!matches!(credential, Credential::Ours(_)), "{word}");
    }
}

#[test]
fn environment_without_variables_takes_systemd_credentials() {
    let systemd = TempDir::new().unwrap();
    file(&systemd, "openai", b"sk-o\n", 0o400);
    let env = |name: &str| {
        (name == "CREDENTIALS_DIRECTORY").then(|| systemd.path().display().to_string())
    };
    let loaded = load_environment(&env);
    let [anthropic, openai] = &loaded.material.providers[..] else {
        panic!("two providers");
    };
    assert!(matches!(anthropic.credential, Credential::Caller));
    assert!(matches!(openai.credential, Credential::Ours(_)));
}

#[test]
fn ca_file_and_listener_key_are_read_and_must_be_pem() {
    let folder = TempDir::new().unwrap();
    file(&folder, "ca.pem", PEM.as_bytes(), 0o644);
    file(&folder, "bad.pem", b"hello", 0o644);
    let key = PEM.replace("CERTIFICATE", "PRIVATE KEY");
    file(&folder, "key.pem", key.as_bytes(), 0o600);
    let server = |lines: &str| format!("[server]\n{lines}\n");

    let loaded = in_folder(&folder, &provider("key = \"none\", ca_file = \"ca.pem\""));
    assert_eq!(
        loaded.material.providers[0].ca_pem.as_deref(),
        Some(PEM.as_bytes())
    );
    let text = server("tls_cert = \"ca.pem\"\ntls_key = \"key.pem\"");
    let loaded = in_folder(&folder, &text);
    assert_eq!(loaded.faults.lines(), [""; 0]);
    assert_eq!(
        loaded.material.tls.unwrap().key_pem.expose(),
        key.as_bytes()
    );

    for (lines, fault) in [
        (
            "tls_cert = \"ca.pem\"",
            "r.toml:2: server.tls_cert: tls_cert wants tls_key beside it",
        ),
        (
            "tls_key = \"key.pem\"",
            "r.toml:2: server.tls_key: tls_key wants tls_cert beside it",
        ),
        (
            "tls_cert = \"bad.pem\"\ntls_key = \"key.pem\"",
            "r.toml:2: server.tls_cert: expected a certificate in PEM form, found none",
        ),
    ] {
        assert_eq!(in_folder(&folder, &server(lines)).faults.lines(), [fault]);
    }
    fs::set_permissions(
        folder.path().join("key.pem"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let lines = in_folder(&folder, &text).faults.lines();
    assert!(
        lines[0].contains("server.tls_key") && lines[0].contains("chmod 600"),
        "{lines:?}"
    );
}

#[test]
fn load_of_files_that_cannot_be_read_names_the_file() {
    let folder = TempDir::new().unwrap();
    let large = vec![b'#'; CONFIG_BYTES_MAX + 1];
    let check = |name: &str, fault: &str| {
        let loaded = load(&folder.path().join(name), &no_env);
        let lines = loaded.faults.lines();
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].contains(name) && lines[0].contains(fault),
            "{lines:?}"
        );
    };
    check("none.toml", "cannot be read");
    file(&folder, "large.toml", &large, 0o644);
    check("large.toml", "is longer than");
    file(&folder, "odd.toml", b"# \xFF", 0o644);
    check("odd.toml", "expected UTF-8, found another byte at 2");
    file(&folder, "fits.toml", &large[1..], 0o644);
    assert!(
        load(&folder.path().join("fits.toml"), &no_env)
            .faults
            .is_empty()
    );
}

#[test]
fn load_of_garbage_never_panics_and_always_says_something() {
    let seeds = [
        "[[provider]]\nname = \"a\"\nkind = \"openai\"\nkey = \"none\"\n",
        "[server]\nlisten = [\"127.0.0.1:1\"]\n[defaults]\n\"a*\" = \"b\"\n",
        "[model_facts.\"x\"]\na = 1\nb = [1]\n[[key]]\nsha256 = \"00\"\n",
    ];
    let odd = [
        "\0", "\"", "[", "]]", "=", "\u{FEFF}", "''", "\n", "{}", "é", "9e9", "#",
    ];
    for seed in seeds {
        let cuts = seed.char_indices().map(|(at, _)| at);
        for at in cuts {
            let (before, after) = seed.split_at(at);
            let loaded = load_text(before, "r.toml", Path::new(""), &no_env);
            assert!(
                loaded
                    .faults
                    .lines()
                    .iter()
                    .all(|line| line.starts_with("r.toml"))
            );
            for piece in odd {
                let text = format!("{before}{piece}{after}");
                let loaded = load_text(&text, "r.toml", Path::new(""), &no_env);
                assert!(
                    loaded
                        .faults
                        .lines()
                        .iter()
                        .all(|line| line.starts_with("r.toml"))
                );
            }
        }
    }
}

#[test]
fn keys_that_stand_twice_are_named_with_their_cure() {
    let loaded = load_text(
        "[server]\nworkers = 1\n workers = 2\n",
        "r.toml",
        Path::new(""),
        &no_env,
    );
    assert_eq!(
        loaded.faults.lines(),
        ["r.toml:3: workers: duplicate key; keep one of them"]
    );
    let text = "[[provider]]\nkey = sk-secret\n";
    let loaded = load_text(text, "r.toml", Path::new(""), &no_env);
    assert!(!loaded.faults.to_string().contains("secret"));
}

#[test]
fn p23_shared_counters_are_come_to_by_a_url_without_a_password_or_by_one_that_is_kept() {
    let folder = TempDir::new().unwrap();
    let shared = |lines: &str| {
        let env = |name: &str| (name == "R").then(|| "redis://:secret@b/2\n".to_owned());
        load_text(&format!("[limits]\n{lines}"), "r.toml", folder.path(), &env)
    };
    file(&folder, "url", b"rediss://me:secret@a\n", 0o600);
    file(&folder, "ca", PEM.as_bytes(), 0o644);
    for (lines, place) in [
        ("shared = \"redis://a\"", "redis://a:6379/0"),
        (
            "shared_file = \"url\"\nshared_ca_file = \"ca\"\nshared_down = \"closed\"",
            "rediss://a:6379/0",
        ),
        ("shared_env = \"R\"", "redis://b:6379/2"),
    ] {
        let loaded = shared(lines);
        assert_eq!(loaded.faults.lines(), [""; 0]);
        let material = loaded.material.shared.unwrap();
        assert_eq!(material.place.to_string(), place);
        let is_closed = lines.contains("closed");
        assert_eq!(material.down == SharedDown::Closed, is_closed);
        assert_eq!(material.ca_pem.is_some(), is_closed);
        let variables = loaded.material.secret_variables;
        assert_eq!(variables.len(), usize::from(lines.contains("env")));
    }
    for (lines, text) in [
        ("shared = \"redis://:secret@a\"", "say shared_file"),
        ("shared = \"http://a\"", "expected redis://"),
        ("shared = 5", "expected a string"),
        ("shared_file = \"none\"", "cannot be read"),
        ("shared_env = \"NONE\"", "is not set"),
        ("shared = \"redis://a\"\nshared_env = \"R\"", "keep one"),
        (
            "shared = \"redis://a\"\nshared_down = \"open\"",
            "one of local, closed",
        ),
        ("shared_down = \"local\"", "nothing is shared"),
        ("shared_ca_file = \"ca\"", "nothing is shared"),
        (
            "shared = \"redis://a\"\nshared_ca_file = \"url\"",
            "certificate",
        ),
    ] {
        let loaded = shared(lines);
        let told = loaded.faults.lines().join("\n");
        assert!(told.contains(text), "{lines}: {told}");
        assert!(!told.contains("secret"), "{told}");
    }
}
