//! The configurations in `examples/`: none has a warning, and each starts the real program, which gets ready and
//! answers chats by it.

use std::fs;
use std::path::Path;

use ringway::config::load::file::load_text;
use ringway::route::compile::plan::compile;
use ringway::wire::kind::Wire;

use crate::support::client::Answer;
use crate::support::http::{json, post};
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::stores::{Database, Kind, Services};
use crate::support::wait;
use crate::support::wires::{WIRES, chat, path, whole};

/// What the keys of providers are here, and the admin credential.
const SECRET: &str = "sk-0123456789abcdef";
/// The digest of the client key `k`.
const DIGEST: &str = "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a";

/// An example, which has no faults and no warnings as it stands.
fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let env = |name: &str| {
        let value = match name {
            "STORE_URL" => "postgres://ringway@db.example/ringway",
            "REDIS_URL" => "rediss://redis.example",
            _ => SECRET,
        };
        Some(value.to_owned())
    };
    let compiled = compile(load_text(&text, name, &folder, &env));
    let compiled = compiled.unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(compiled.warnings, [""; 0], "{name}");
    text
}

/// Points the provider of this kind, whose address the example leaves to the kind, at a scripted one.
fn towards(text: &str, kind: &str, provider: &Provider) -> String {
    let line = format!("kind = \"{kind}\"");
    assert!(text.contains(&line), "{text}");
    let version = if kind == "openai" { "/v1" } else { "" };
    let origin = provider.address();
    text.replace(
        &line,
        &format!("base_url = \"http://{origin}{version}\"\n{line}"),
    )
}

/// The program on free addresses with its state in this folder.
fn serve(text: &str, folder: &Path, variables: &[(&str, String)]) -> Program {
    let text = text
        .replace("0.0.0.0:8080", "127.0.0.1:0")
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:8081", "127.0.0.1:0")
        .replace("/var/lib/ringway", &folder.display().to_string());
    let keys = ["OPENAI", "ANTHROPIC", "CANADA"].map(|name| format!("{name}_API_KEY"));
    let mut all = vec![("ADMIN_KEY", SECRET.to_owned())];
    all.extend(keys.iter().map(|name| (&**name, SECRET.to_owned())));
    all.extend_from_slice(variables);
    let program = Program::serve_variables(&text, &all);
    assert_eq!(program.admin("/readyz").0, 200);
    program
}

fn serve_alone(text: &str) -> Program {
    let folder = tempfile::tempdir().unwrap();
    serve(text, folder.path(), &[])
}

fn ask(program: &Program, wire: Wire, model: &str, key: &str) -> Answer {
    let fields = format!("x-api-key: {key}\r\n");
    let request = post(path(wire), &fields, chat(wire, model, false));
    program.client().ask(request)
}

#[test]
fn one_provider_answers_clients_of_both_apis() {
    let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
    let program = serve_alone(&towards(&example("one-provider.toml"), "openai", &provider));
    for wire in WIRES {
        assert_eq!(ask(&program, wire, "gpt-5-mini", "any").status, 200);
    }
}

#[test]
fn both_apis_reach_both_providers() {
    let anthropic = Provider::answering(json(whole(Wire::AnthropicMessages)));
    let openai = Provider::answering(json(whole(Wire::OpenAiChat)));
    let text = towards(&example("both-apis.toml"), "openai", &openai);
    let program = serve_alone(&towards(&text, "anthropic", &anthropic));
    for wire in WIRES {
        for model in ["fast", "smart", "claude-opus-4-6", "gpt-4o"] {
            let answer = ask(&program, wire, model, "any");
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
        }
    }
    assert_eq!(
        (anthropic.requests().len(), openai.requests().len()),
        (4, 4)
    );
}

#[test]
fn residency_keeps_a_tenant_in_its_country() {
    let text = example("residency.toml");
    let abroad = Provider::answering(json(whole(Wire::AnthropicMessages)));
    let canada = Provider::answering(json(whole(Wire::AnthropicMessages)));
    let text = towards(&text, "anthropic", &abroad);
    let origin = format!("http://{}", canada.address());
    let text = text.replace("https://llm.ca.example/anthropic", &origin);
    let (before, after) = text.split_once("sha256 = \"").unwrap();
    let (_, after) = after.split_once('"').unwrap();
    let program = serve_alone(&format!("{before}sha256 = \"{DIGEST}\"{after}"));
    let answer = ask(&program, Wire::AnthropicMessages, "claude-haiku-4-5", "k");
    assert_eq!(answer.status, 200);
    let jurisdiction = answer.field("x-acme-resolved-jurisdiction");
    assert_eq!(jurisdiction, Some("CA"));
    let named = ask(
        &program,
        Wire::AnthropicMessages,
        "@anthropic/claude-haiku-4-5",
        "k",
    );
    assert_eq!(named.status, 403);
    assert_eq!((abroad.connections(), canada.requests().len()), (0, 1));
}

#[test]
fn replicas_share_keys_and_limits() {
    let wire = Wire::AnthropicMessages;
    let database = Database::new(Kind::Postgres);
    let redis = Services::start("redis", &[]);
    let provider = Provider::answering(json(whole(wire)));
    let text = towards(&example("replicas.toml"), "anthropic", &provider);
    let variables = [
        ("STORE_URL", database.url.clone()),
        ("REDIS_URL", redis.url.clone()),
    ];
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let replicas = folders.each_ref().map(|folder| {
        let program = serve(&text, folder.path(), &variables);
        wait::until("a store and a Redis that are up", || {
            let (status, text) = program.admin("/readyz");
            let is_up = text.contains("\"store\":\"up\"") && text.contains("\"shared\":\"up\"");
            (status == 200 && is_up).then_some(())
        });
        program
    });
    let created = database.done(&["create", "--tenant", "blue", "--requests-per-minute", "2"]);
    let key = created["key"].as_str().unwrap();
    let first = wait::until("a key that the first replica knows", || {
        let answer = ask(&replicas[0], wire, "fast", key);
        (answer.status != 401).then_some(answer.status)
    });
    let second = wait::until("a key that the second replica knows", || {
        let answer = ask(&replicas[1], wire, "fast", key);
        (answer.status != 401).then_some(answer.status)
    });
    let third = ask(&replicas[0], wire, "fast", key).status;
    assert_eq!((first, second, third), (200, 200, 429));
}

#[test]
fn a_fleet_of_vllms_answers_by_one_id() {
    let fleet = [(); 3].map(|()| Provider::answering(json(whole(Wire::OpenAiChat))));
    let mut text = example("vllm-fleet.toml");
    for (port, server) in (8001..).zip(&fleet) {
        text = text.replace(&format!("127.0.0.1:{port}"), &server.address().to_string());
    }
    let program = serve_alone(&text);
    for wire in WIRES {
        for model in ["qwen3", "qwen/qwen3-32b"] {
            assert_eq!(ask(&program, wire, model, "any").status, 200, "{model}");
        }
    }
    let answered: usize = fleet.iter().map(|server| server.requests().len()).sum();
    assert_eq!(answered, 4);
}
