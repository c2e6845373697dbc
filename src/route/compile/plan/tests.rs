//! Configurations and what becomes of them.

use std::path::Path;

use crate::config::load::file::{load_environment, load_text};
use crate::config::load::material::Credential;
use crate::limits::Limits;
use crate::provider::spec::AuthForm;
use crate::route::compile::plan::{Compiled, compile};
use crate::route::plan::compiled::Plan;
use crate::route::plan::provider::Scheme;
use crate::route::plan::target::Target;
use crate::translate::models::ModelTable;
use crate::wire::kind::Wire;

/// Variables that the configurations of these tests may name.
fn env(name: &str) -> Option<String> {
    match name {
        "KEY_A" => Some("sk-ant-secret-a\n".to_owned()),
        "KEY_O" => Some("sk-secret-o".to_owned()),
        "KEY_ODD" => Some("sk secret".to_owned()),
        "KEY_EMPTY" => Some(String::new()),
        _ => None,
    }
}

/// A configuration without faults, and its warnings.
pub(crate) fn compiled(text: &str) -> Compiled {
    let loaded = load_text(text, "ringway.toml", Path::new(""), &env);
    compile(loaded).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The plan of a configuration without faults.
pub(crate) fn plan(text: &str) -> Plan {
    compiled(text).plan
}

/// The faults of a configuration that has some; none shows a key.
pub(crate) fn faults(text: &str) -> Vec<String> {
    let loaded = load_text(text, "ringway.toml", Path::new(""), &env);
    let Err(faults) = compile(loaded) else {
        panic!("no fault in {text}");
    };
    assert!(!faults.to_string().contains("secret"), "{faults}");
    faults.lines()
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(faults(text), expected, "{text}");
}

fn check_warning(text: &str, expected: &[&str]) {
    assert_eq!(compiled(text).warnings, expected, "{text}");
}

const A: &str = "[[provider]]\nname = \"a\"\nkind = \"anthropic\"\nkey_env = \"KEY_A\"\n";

/// Something of every section.
const EVERY_SECTION: &str = r#"
[server]
listen = ["0.0.0.0:80", "[::]:80", "unix:/run/r.sock"]
admin = "off"
workers = 3
driver = "epoll"
log = "off"
server_timing = false
cors_origins = ["https://app.example.com"]
gateway_key_header = "X-Portkey-Api-Key"

[limits]
body_bytes_max = 1048576

[[provider]]
name = "a"
kind = "anthropic"
key_env = "KEY_A"
base_url = "http://127.0.0.1:9/x"
connect_timeout_ms = 5
headers = { X-Team = "blue", anthropic-version = "2023-06-01" }
forward_headers = ["x-vendor-*"]
drop_beta = ["context-1m-*"]
usage = "observe"
dialect = { cache_control = false, tool_id_bytes_max = 9 }
retry_on = [418, "5xx"]
warm_count = 2

[[model]]
id = "fast"
alias = ["quick"]
targets = ["a/claude-haiku-4-5"]

[[key]]
sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
tenant = "blue"
models = ["fast"]

[model_facts."claude-next*"]
output_tokens_max = 64000
"#;

/// Something wrong on most lines.
const MANY_FAULTS: &str = r#"[server]
listen = ["localhost:80", "127.0.0.1:8080", "127.0.0.1:8080"]
wrkers = 3
log = "stdot"
gateway_key_header = "x-api-key"
cors_origins = ["https://a.example/path"]
[[provider]]
name = "anthropic"
kind = "antropic"
key_env = "KEY_A"
[[provider]]
name = "a/b"
kind = "openai"
key_env = "KEY_UNSET"
base_url = "https://api.openai.com"
retry_on = [200]
headers = { Authorization = "x", "b ad" = "x" }
forward_headers = ["cookie"]
dialect = { top_q = true, stop_max = true }
[[model]]
id = "m"
targets = ["antropic/claude", "claude"]
[[model]]
id = "m"
targets = []
[[key]]
sha256 = "abc"
[limits]
head_bytes_max = 1
[defaults]
"gpt-*" = "opnai"
"#;

/// What is wrong there.
const FAULTS_OF_MANY: [&str; 23] = [
    "ringway.toml:2: server.listen[0]: expected an IP address with a port or `unix:` and \
             a path, found `localhost:80`; for this host alone 127.0.0.1:80, for all 0.0.0.0:80",
    "ringway.toml:2: server.listen[2]: the address stands here already",
    "ringway.toml:3: server.wrkers: unknown key; did you mean `workers`?",
    "ringway.toml:4: server.log: expected stdout, stderr, off or a path that starts with \
             `/` or `./`, found `stdot`",
    "ringway.toml:5: server.gateway_key_header: x-api-key is read anyway, or frames the \
             message; name another header",
    "ringway.toml:6: server.cors_origins[0]: expected `*` or an origin such as \
             https://app.example.com, without a path",
    "ringway.toml:9: provider[0].kind: no kind `antropic`; known: openai, anthropic, \
             openai-compatible, anthropic-compatible, azure-openai, deepseek, gemini, groq, \
             mistral, ollama, openrouter, together, vllm, xai; did you mean `anthropic`?",
    "ringway.toml:12: provider[1].name: expected at most 64 letters, digits, `-`, `_` and \
             `.`: it stands before the first `/` of a target",
    "ringway.toml:14: provider[1].key_env: environment variable KEY_UNSET is not set; \
             export it, or use key_file",
    "ringway.toml:15: provider[1].base_url: has no /v1; the OpenAI wire's base URL \
             includes it, requests go to /chat/completions; add /v1",
    "ringway.toml:16: provider[1].retry_on[0]: expected a status from 400 to 599, \"4xx\" \
             or \"5xx\"",
    "ringway.toml:17: provider[1].headers.Authorization: this header is the gateway's \
             own; credentials go into key_file or key_env",
    "ringway.toml:17: provider[1].headers.\"b ad\": expected a header name",
    "ringway.toml:18: provider[1].forward_headers[0]: this header never goes upstream: it \
             frames the message or carries keys",
    "ringway.toml:19: provider[1].dialect.top_q: no flag `top_q`; known: \
             max_completion_tokens, developer_role, late_system, user_after_tool, \
             assistant_prefix, array_content, files, images, images_in_tool_messages, \
             strips_reasoning, reasoning_content_back, reasoning_details_back, thought_signatures, \
             cache_control, stream_usage, top_k, reasoning_effort, web_search_options, \
             json_schema, safety_identifier, repeated_roles, tool_id_bytes_max, stop_max, \
             url_sources, tool_choice_any; did you mean `top_k`?",
    "ringway.toml:19: provider[1].dialect.stop_max: expected a whole number",
    "ringway.toml:22: model[0].targets[0]: no provider named `antropic`; known: \
             anthropic, a/b; did you mean `anthropic`?",
    "ringway.toml:22: model[0].targets[1]: expected provider/upstream-model, found \
             `claude`",
    "ringway.toml:23: model[1]: `targets` is empty; name at least one as \
             \"provider/upstream-model\"",
    "ringway.toml:24: model[1].id: the id `m` stands for a model already",
    "ringway.toml:27: key[0].sha256: expected 64 hexadecimal digits, the SHA-256 of a key \
             as `ringway key` prints it, found 3 characters",
    "ringway.toml:29: limits.head_bytes_max: expected 1024 to 1048576, found 1",
    "ringway.toml:31: defaults.\"gpt-*\": no provider named `opnai`; known: anthropic, a/b",
];

#[test]
fn compile_of_every_section_fills_the_plan() {
    let plan = plan(EVERY_SECTION);
    assert_eq!(plan.server.listen.len(), 3);
    assert_eq!(plan.server.admin, None);
    assert_eq!(plan.limits.body_bytes_max, 1_048_576);
    assert_eq!(plan.limits.head_bytes_max, Limits::default().head_bytes_max);
    assert_eq!(
        plan.gateway_key_header.as_deref(),
        Some("x-portkey-api-key")
    );
    let provider = &plan.providers[0];
    assert_eq!(provider.wire, Wire::AnthropicMessages);
    assert_eq!(provider.endpoint.scheme, Scheme::Http);
    assert_eq!(&*provider.head.chat_path, "/x/v1/messages");
    assert_eq!(
        provider.head.count_path.as_deref(),
        Some("/x/v1/messages/count_tokens")
    );
    assert_eq!(
        provider.head.fixed_lines.expose(),
        b"host: 127.0.0.1:9\r\nx-team: blue\r\nanthropic-version: 2023-06-01\r\n"
    );
    assert!(provider.fixes("anthropic-version"));
    assert!(!provider.forward.takes("anthropic-version"));
    assert!(provider.forward.takes("anthropic-beta"));
    assert!(provider.forward.takes("x-vendor-flag"));
    assert!(!provider.forward.takes("x-portkey-api-key"));
    assert_eq!(provider.timeouts.connect_ms, 5);
    assert_eq!(
        provider.timeouts.handshake_ms,
        Limits::default().handshake_timeout_ms
    );
    assert!(!provider.dialect.cache_control);
    assert_eq!(provider.dialect.tool_id_bytes_max, 9);
    assert!(provider.retry_on.contains(418) && provider.retry_on.contains(599));
    assert!(!provider.retry_on.contains(429));
    assert_eq!(provider.betas.apply("context-1m-2025-08-07"), None);
    assert_eq!(&*plan.key(b"foo").unwrap().tenant.name, "blue");
    assert!(plan.key(b"bar").is_none());
    assert!(!plan.is_open());
    assert_eq!(
        plan.facts.facts("claude-next-2").output_tokens_max,
        Some(64_000)
    );
    for target in plan.models.iter().flat_map(|model| &model.targets) {
        assert!(target.number.is_some());
        assert_eq!(plan.facts_of(target), plan.facts.facts(&target.model));
    }
    let own = Target::new(0, "claude-next-2");
    assert_eq!(plan.facts_of(&own), plan.facts.facts("claude-next-2"));
}

#[test]
fn ni2_credential_goes_out_in_the_form_of_the_provider_and_is_never_printed() {
    let text = format!(
        "{A}[[provider]]\nname = \"o\"\nkind = \"openai\"\nkey_env = \"KEY_O\"\n\
         [[provider]]\nname = \"z\"\nkind = \"azure-openai\"\nkey_env = \"KEY_O\"\n\
         base_url = \"https://r.openai.azure.com/openai/v1\"\n\
         [[provider]]\nname = \"b\"\nkind = \"anthropic\"\nkey_env = \"KEY_A\"\nauth = \"bearer\"\n"
    );
    let Compiled {
        plan,
        secret_variables,
        ..
    } = compiled(&text);
    let line = |index: usize| {
        let line = &plan.providers[index].head.credential_lines[0];
        String::from_utf8(line.expose().to_vec()).unwrap()
    };
    assert_eq!(line(0), "x-api-key: sk-ant-secret-a\r\n");
    assert_eq!(line(1), "authorization: Bearer sk-secret-o\r\n");
    assert_eq!(line(2), "api-key: sk-secret-o\r\n");
    assert_eq!(line(3), "authorization: Bearer sk-ant-secret-a\r\n");
    assert_eq!(plan.providers[3].auth, AuthForm::Bearer);
    assert!(!format!("{plan:?}").contains("secret-"));
    assert_eq!(secret_variables, ["KEY_A", "KEY_O", "KEY_O", "KEY_A"]);
}

#[test]
fn pk2_gateway_key_header_is_known_in_lower_case_and_never_goes_on() {
    let text = format!(
        "[server]\ngateway_key_header = \"X-Portkey-Api-Key\"\n{A}forward_headers = [\"x-*\"]\n"
    );
    let plan = plan(&text);
    assert_eq!(
        plan.gateway_key_header.as_deref(),
        Some("x-portkey-api-key")
    );
    assert!(plan.providers[0].forward.takes("x-portkey-trace-id"));
    assert!(!plan.providers[0].forward.takes("x-portkey-api-key"));
    for name in ["authorization", "x-api-key", "api-key", "host", "no header"] {
        let text = format!("[server]\ngateway_key_header = \"{name}\"\n{A}");
        let loaded = load_text(&text, "r.toml", Path::new(""), &env);
        assert_eq!(compile(loaded).unwrap_err().len(), 1, "{name}");
    }
}

#[test]
fn f9_refused_key_of_ours_lets_the_next_target_try_but_a_callers_does_not() {
    let text = format!("{A}[[provider]]\nname = \"c\"\nkind = \"anthropic\"\nkey = \"caller\"\n");
    let plan = plan(&text);
    assert!(plan.providers[0].retry_on.contains(401));
    assert!(!plan.providers[1].retry_on.contains(401));
    for provider in &plan.providers {
        for status in [429, 500, 502, 503, 504, 529] {
            assert!(provider.retry_on.contains(status), "{status}");
        }
        for status in [400, 403, 404, 413, 422] {
            assert!(!provider.retry_on.contains(status), "{status}");
        }
    }
}

#[test]
fn compile_of_many_faults_names_all_with_line_key_and_cure() {
    check(MANY_FAULTS, &FAULTS_OF_MANY);
}

#[test]
fn compile_tells_what_else_is_wrong_where_an_id_or_a_digest_is() {
    check(
        "[server]\nlisten = [\"0.0.0.0:1\"]\n\
         [[provider]]\nnme = \"a\"\nkind = \"anthropic\"\nkey = \"none\"\n\
         [[model]]\nid = \"\"\nalias = [\"x\"]\ntargets = [\"b\"]\n\
         [[model]]\nid = \"x\"\ntargets = [\"a/b\"]\n\
         [[key]]\nsha256 = \"abc\"\ntenant = 7\n",
        &[
            "ringway.toml:3: provider[0]: `name` is missing; targets and clients refer to it",
            "ringway.toml:4: provider[0].nme: unknown key; did you mean `name`?",
            "ringway.toml:8: model[0].id: expected a string that is not empty",
            "ringway.toml:10: model[0].targets[0]: expected provider/upstream-model, found `b`",
            "ringway.toml:12: model[1].id: the id `x` stands for a model already",
            "ringway.toml:13: model[1].targets[0]: no provider named `a`; none is configured",
            "ringway.toml:15: key[0].sha256: expected 64 hexadecimal digits, the SHA-256 of a key \
             as `ringway key` prints it, found 3 characters",
            "ringway.toml:16: key[0].tenant: expected a string, found a whole number",
        ],
    );
}

#[test]
fn compile_of_broken_toml_names_every_line_that_does_not_parse() {
    let text = "[server]\nlisten = \n[[provider]]\nname = \"a\"\nname = \"b\"\n";
    let loaded = load_text(text, "ringway.toml", Path::new(""), &env);
    let faults = compile(loaded).unwrap_err().lines();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("ringway.toml:2: "), "{faults:?}");
    assert!(faults[1].starts_with("ringway.toml:5: "), "{faults:?}");
}

#[test]
fn compile_of_wrong_types_says_what_was_expected_and_found() {
    for (line, fault) in [
        (
            "server = 1",
            "server: expected a table, found a whole number",
        ),
        (
            "provider = {}",
            "provider: expected `[[provider]]`, found a table",
        ),
        (
            "server.listen = 8080",
            "server.listen: expected a string, found a whole number",
        ),
        (
            "server.listen = []",
            "server: `listen` is empty; name at least one address",
        ),
        (
            "server.workers = \"3\"",
            "server.workers: expected a whole number, found a string",
        ),
        (
            "server.workers = 0",
            "server.workers: expected 1 to 1024, found 0",
        ),
        (
            "server.workers = 1.5",
            "server.workers: expected a whole number, found a fraction",
        ),
        (
            "server.open = \"yes\"",
            "server.open: expected true or false, found a string",
        ),
        (
            "server.driver = \"uringg\"",
            "server.driver: expected one of auto, uring, epoll, found `uringg`",
        ),
        (
            "model = [\"x\"]",
            "model[0]: expected a table, found a string",
        ),
        (
            "defaults = [1]",
            "defaults: expected a table, found an array",
        ),
        (
            "limits.head_fields_max = 99999999999999999999",
            "limits.head_fields_max: expected a whole number, found a number that is too large",
        ),
        (
            "zzz = 1",
            "zzz: unknown key; the nearest that is known is `store`; known: server, provider, model, defaults, tenant, key, model_facts, prices, request_prices, budgets, limits, usage, store",
        ),
    ] {
        let provider = if line.starts_with("provider") { "" } else { A };
        check(
            &format!("{line}\n{provider}"),
            &[&format!("ringway.toml:1: {fault}")],
        );
    }
}

#[test]
fn compile_of_model_facts_changes_what_they_name_alone() {
    let text = format!("{A}[model_facts.\"claude-opus-4-7*\"]\noutput_tokens_max = 99\n");
    let plan = plan(&text);
    let known = ModelTable::builtin();
    let mut expected = *known.facts("claude-opus-4-7");
    assert_ne!(expected.output_tokens_max, Some(99));
    expected.output_tokens_max = Some(99);
    assert_eq!(*plan.facts.facts("claude-opus-4-7"), expected);
    assert_eq!(plan.facts.facts("gpt-5"), known.facts("gpt-5"));
    check(
        &format!("{A}[model_facts.\"x\"]\nvison = true\nvision = \"maybe\"\npdf = [1]\n"),
        &[
            "ringway.toml:6: model_facts.x.vison: unknown fact; did you mean `vision`? known: \
             output_tokens_max, context_tokens, sampling, thinking, efforts, reasoning, \
             structured_outputs, forced_tools, prefill, system_in_messages, vision, pdf, audio, tools",
            "ringway.toml:7: model_facts.x.vision: expected `true` or `false`, found `maybe`",
            "ringway.toml:8: model_facts.x.pdf: expected a string, a whole number from 0 on, \
             true or false, found an array",
        ],
    );
}

#[test]
fn compile_of_several_keys_names_the_one_at_fault_and_never_repeats_it() {
    let provider = |line: &str| format!("[[provider]]\nname = \"a\"\nkind = \"openai\"\n{line}\n");
    for (keys, at, text) in [
        (
            "keys = []",
            "",
            "name at least one key, as { file = \"...\" } or { env = \"...\" }",
        ),
        (
            "keys = \"sk-private\"",
            "",
            "expected an array of { file = ... } and { env = ... }, found a string",
        ),
        (
            "keys = [\"sk-private\"]",
            "[0]",
            "expected a table, found a string",
        ),
        (
            "keys = [{ env = \"KEY_O\" }, { }]",
            "[1]",
            "expected one of file and env",
        ),
        (
            "keys = [{ env = \"KEY_O\", file = \"a\" }]",
            "[0]",
            "expected one of file and env",
        ),
        (
            "keys = [{ env = \"KEY_EMPTY\" }]",
            "[0].env",
            "environment variable KEY_EMPTY is not set; export it, or use key_file",
        ),
        (
            "key = \"none\"\nkeys = [{ env = \"KEY_O\" }]",
            "",
            "a second source of the key; keep one of key_file, key_env, key and keys",
        ),
    ] {
        let line = 4 + keys.matches('\n').count();
        let fault = format!("ringway.toml:{line}: provider[0].keys{at}: {text}");
        check(&provider(keys), &[&fault]);
    }
}

#[test]
fn compile_of_keys_in_the_wrong_place_never_repeats_them() {
    let provider = |line: &str| format!("[[provider]]\nname = \"a\"\nkind = \"openai\"\n{line}\n");
    check(
        &provider("key = \"sk-secret-x\""),
        &[
            "ringway.toml:4: provider[0].key: expected \"caller\" or \"none\"; a key itself does \
           not belong into the configuration: put it into a file of mode 0600 and name that as \
           key_file, or name an environment variable as key_env",
        ],
    );
    check(
        &provider("key_env = \"KEY_ODD\""),
        &[
            "ringway.toml:4: provider[0].key_env: the key holds a byte at 2 that cannot stand in a \
           header",
        ],
    );
    check(
        &provider("key_env = \"KEY_EMPTY\""),
        &[
            "ringway.toml:4: provider[0].key_env: environment variable KEY_EMPTY is not set; \
           export it, or use key_file",
        ],
    );
    check(
        &provider("key_env = \"KEY_O\"\nkey = \"caller\""),
        &[
            "ringway.toml:5: provider[0].key: a second source of the key; keep one of key_file, \
           key_env, key and keys",
        ],
    );
    check(
        &provider(""),
        &[
            "ringway.toml:1: provider[0]: no key; say key_file, key_env, key = \"caller\" (clients \
           bring their own) or key = \"none\"",
        ],
    );
}

#[test]
fn compile_of_callers_keys_beside_client_keys_is_refused() {
    let digest = "0".repeat(64);
    check(
        &format!(
            "[[provider]]\nname = \"a\"\nkind = \"openai\"\nkey = \"caller\"\n\
             [[key]]\nsha256 = \"{digest}\"\n[[key]]\nsha256 = \"{digest}\"\n"
        ),
        &[
            "ringway.toml:4: provider[0].key: with [[key]] or [store] callers present the gateway's \
             keys, which never go to a provider; use key_file or key_env, or take those out",
            "ringway.toml:8: key[1].sha256: the key stands here already",
        ],
    );
}

#[test]
fn p7_compile_of_callers_keys_at_two_providers_of_a_wire_is_refused() {
    let two = |kind: &str| {
        format!(
            "[[provider]]\nname = \"a\"\nkind = \"openai\"\nkey = \"caller\"\n\
             [[provider]]\nname = \"b\"\nkind = \"{kind}\"\nkey = \"caller\"\n"
        )
    };
    assert_eq!(plan(&two("anthropic")).providers.len(), 2);
    check(
        &two("together"),
        &[
            "ringway.toml:8: provider[1].key: `a` takes the caller's key on the openai wire \
             already, and it would go to `b` too; give one of the two a key of ours by key_file or \
             key_env",
        ],
    );
}

#[test]
fn compile_numbers_each_target_once_however_many_models_have_it() {
    let text = format!(
        "{A}[[model]]\nid = \"m\"\ntargets = [\"a/x\", \"a/y\"]\n\
         [[model]]\nid = \"n\"\ntargets = [\"a/y\", \"a/z\"]\n"
    );
    let plan = plan(&text);
    let targets = plan.models.iter().flat_map(|model| &model.targets);
    let numbers: Vec<Option<usize>> = targets.map(|target| target.number).collect();
    assert_eq!(numbers, [Some(0), Some(1), Some(1), Some(2)]);
    assert_eq!(plan.target_count, 3);
}

#[test]
fn compile_of_open_gateway_on_reachable_address_is_refused_unless_meant() {
    let with = |server: &str| {
        format!("[server]\nlisten = [\"127.0.0.1:1\", \"0.0.0.0:2\"]\n{server}\n{A}")
    };
    check(
        &with(""),
        &[
            "ringway.toml:2: server.listen[1]: others reach this address, and no [[key]] is \
           configured; add one (`ringway key` makes it), or say open = true",
        ],
    );
    assert!(plan(&with("open = true")).is_open());
    let keyed = format!("{}[[key]]\nsha256 = \"{}\"\n", with(""), "0".repeat(64));
    assert!(!plan(&keyed).is_open());
    check(
        &with("open = true\nadmin = \"0.0.0.0:9\""),
        &[
            "ringway.toml:4: server.admin: others reach this address, and the admin listener asks \
           for no key; use 127.0.0.1 or a Unix socket, or say admin_open = true",
        ],
    );
    plan(&with(
        "open = true\nadmin = \"0.0.0.0:9\"\nadmin_open = true",
    ));
    check(
        &with("open = true\nadmin = \"127.0.0.1:1\""),
        &[
            "ringway.toml:4: server.admin: clients have this address; the admin listener wants its \
           own",
        ],
    );
}

#[test]
fn compile_of_addresses_that_are_probably_not_meant_warns() {
    let provider = |url: &str| {
        format!(
            "[[provider]]\nname = \"a\"\nkind = \"openai-compatible\"\nkey_env = \"KEY_O\"\n\
             base_url = \"{url}\"\n"
        )
    };
    check_warning(&provider("https://h/v1"), &[]);
    check_warning(&provider("http://127.0.0.1:1/v1"), &[]);
    check_warning(
        &provider("https://h/openai"),
        &[
            "ringway.toml:5: provider[0].base_url: has no /v1; the OpenAI wire's base URL includes \
           it, requests go to /openai/chat/completions; add /v1 unless that is meant",
        ],
    );
    check_warning(
        &provider("http://h/v1"),
        &[
            "ringway.toml:5: provider[0].base_url: the key goes out in clear over http; use https \
           where it can",
        ],
    );
}

#[test]
fn compile_of_a_time_to_keep_records_without_a_store_is_a_fault() {
    let with = |days: &str| {
        let rest = "[[provider]]\nname = \"a\"\nkind = \"anthropic\"\nkey = \"none\"";
        format!("[server]\nopen = true\n[usage]\njournal = \"j\"\nkeep_days = {days}\n{rest}\n")
    };
    check(
        &with("30"),
        &[
            "ringway.toml:5: usage.keep_days: there is no [store] that would keep them; \
             `journal_bytes_max` is the journal's bound",
        ],
    );
    let store = "[store]\nurl = \"sqlite:x.db\"\n";
    for days in ["1", "36500"] {
        check_warning(&format!("{}{store}", with(days)), &[]);
    }
    for days in ["0", "36501"] {
        let told = faults(&format!("{}{store}", with(days)));
        assert!(told[0].contains("usage.keep_days"), "{told:?}");
    }
}

#[test]
fn compile_of_a_provider_at_the_gateways_own_address_is_a_fault() {
    let at = |listen: &str, url: &str| {
        format!(
            "[server]\nopen = true\nlisten = [\"{listen}\"]\n[[provider]]\nname = \"a\"\n\
             kind = \"anthropic\"\nkey = \"none\"\nbase_url = \"{url}\"\n"
        )
    };
    for (listen, url) in [
        ("127.0.0.1:80", "http://127.0.0.1"),
        ("127.0.0.1:8080", "http://localhost:8080"),
        ("[::1]:8080", "http://[::1]:8080/x"),
        ("192.0.2.1:443", "https://192.0.2.1"),
    ] {
        check(
            &at(listen, url),
            &[
                "ringway.toml:8: provider[0].base_url: the gateway itself listens there \
                 (server.listen[0]), every request would come back to it; name the provider's \
                 address",
            ],
        );
    }
    for (listen, url) in [
        ("127.0.0.1:8080", "http://127.0.0.1:8000"),
        ("127.0.0.1:8080", "http://127.0.0.2:8080"),
        ("127.0.0.1:8080", "http://model.example:8080"),
        ("192.0.2.1:8080", "http://localhost:8080"),
        ("unix:/run/r.sock", "http://localhost:8080"),
    ] {
        check_warning(&at(listen, url), &[]);
    }
}

#[test]
fn compile_of_a_misspelt_kind_tells_the_other_faults_of_its_provider_too() {
    check(
        "[[provider]]\nname = \"a\"\nkind = \"antropic\"\nbase_url = \"https://h/v1\"\nauth = \"x\"\n",
        &[
            "ringway.toml:1: provider[0]: no key; say key_file, key_env, key = \"caller\" (clients \
             bring their own) or key = \"none\"",
            "ringway.toml:3: provider[0].kind: no kind `antropic`; known: openai, anthropic, \
             openai-compatible, anthropic-compatible, azure-openai, deepseek, gemini, groq, \
             mistral, ollama, openrouter, together, vllm, xai; did you mean `anthropic`?",
            "ringway.toml:4: provider[0].base_url: ends in /v1, which this wire adds itself (requests \
             would go to /v1/v1); make its path /",
            "ringway.toml:5: provider[0].auth: no form of credential `x`; known: bearer, x-api-key, \
             api-key",
        ],
    );
}

#[test]
fn compile_of_empty_file_says_what_is_missing() {
    check("", &["ringway.toml: no [[provider]]; name at least one"]);
}

#[test]
fn to2_environment_alone_gives_both_providers_with_our_key_or_the_callers() {
    let at = |pairs: &'static [(&str, &str)]| {
        let env = |name: &str| {
            let found = pairs.iter().find(|pair| pair.0 == name);
            found.map(|pair| pair.1.to_owned())
        };
        compile(load_environment(&env))
    };
    let bare = at(&[]).unwrap().plan;
    let names: Vec<&str> = bare
        .providers
        .iter()
        .map(|provider| &*provider.name)
        .collect();
    assert_eq!(names, ["anthropic", "openai"]);
    let callers = |plan: &Plan| {
        let is_caller =
            |index: usize| matches!(plan.providers[index].credential, Credential::Caller);
        [is_caller(0), is_caller(1)]
    };
    assert_eq!(callers(&bare), [true, true]);
    assert_eq!(&*bare.providers[0].endpoint.authority, "api.anthropic.com");
    assert_eq!(&*bare.providers[1].head.chat_path, "/v1/chat/completions");

    let set = at(&[
        ("OPENAI_API_KEY", "sk-secret"),
        ("ANTHROPIC_API_KEY", ""),
        ("ANTHROPIC_BASE_URL", "http://127.0.0.1:7/a"),
    ]);
    let set = set.unwrap();
    assert_eq!(callers(&set.plan), [true, false]);
    assert_eq!(&*set.plan.providers[0].head.chat_path, "/a/v1/messages");
    assert_eq!(set.secret_variables, ["OPENAI_API_KEY"]);

    let faults = at(&[
        ("ANTHROPIC_BASE_URL", "https://h/v1"),
        ("OPENAI_API_KEY", "a b"),
    ]);
    assert_eq!(
        faults.unwrap_err().lines(),
        [
            "OPENAI_API_KEY: the key holds a byte at 1 that cannot stand in a header",
            "ANTHROPIC_BASE_URL: ends in /v1, which this wire adds itself (requests would go to \
             /v1/v1); make its path /",
        ]
    );

    // The variable by which clients find the gateway.
    let own = at(&[("ANTHROPIC_BASE_URL", "http://127.0.0.1:8080")]);
    assert_eq!(
        own.unwrap_err().lines(),
        [
            "ANTHROPIC_BASE_URL: the gateway itself listens there (server.listen (by default)), every \
             request would come back to it; name the provider's address"
        ]
    );
}

#[test]
fn compile_of_keys_and_tenants_says_what_is_wrong_with_each_member() {
    let key =
        |digit: &str, lines: &str| format!("[[key]]\nsha256 = \"{}\"\n{lines}", digit.repeat(64));
    let (one, two) = (
        key("1", "id = \"a b\"\nexpires = \"tomorrow\"\n"),
        key("2", "id = \"same\"\nmetadata = { team = 1 }\n"),
    );
    let three = key("3", "id = \"same\"\nexpires = 5\ntenant = \"t\"\n");
    let tenants = "[[tenant]]\nname = \"t\"\n[[tenant]]\nname = \"t\"\n[[tenant]]\n\
                   [[tenant]]\nname = \"t\\u202e\"\n[[tenant]]\nname = \"t\\n\"\n";
    check(
        &format!("{A}{one}{two}{three}{tenants}"),
        &[
            "ringway.toml:7: key[0].id: expected an id of letters, digits, `_`, `-` and `.`, 64 at \
             most, found `a b`",
            "ringway.toml:8: key[0].expires: expected a day or a second in UTC, such as 2027-01-31 \
             or 2027-01-31T08:30:00Z, found `tomorrow`",
            "ringway.toml:12: key[1].metadata.team: expected a string, found a whole number",
            "ringway.toml:15: key[2].id: a key of this id stands here already",
            "ringway.toml:16: key[2].expires: expected a string, found a whole number",
            "ringway.toml:21: tenant[1].name: the tenant stands here already",
            "ringway.toml:22: tenant[2]: `name` is missing; keys say it as `tenant`",
            "ringway.toml:24: tenant[3].name: expected text without \\u{202e}, which turns its \
             direction or ends its line",
            "ringway.toml:26: tenant[4].name: expected 1 to 128 bytes of text without control \
             characters",
        ],
    );
    let of = |tenant: &str, digit: &str| key(digit, &format!("tenant = \"{tenant}\"\n"));
    let keys = [of("a", "1"), of("b", "2"), of("c", "3"), of("d", "4")].concat();
    let twice = "[[tenant]]\nname = \"a\"\nid = \"x\"\n[[tenant]]\nname = \"b\"\nid = \"x\"\n\
                 [[tenant]]\nname = \"c\"\nid = \"d\"\n[[tenant]]\nname = \"tn_0123456789abcdef\"\n\
                 id = \"a\\u202e\"\n";
    check(
        &format!("{A}{keys}{twice}"),
        &[
            "ringway.toml:16: key[3].tenant: tenant \"c\" has this id already",
            "ringway.toml:22: tenant[1].id: tenant \"a\" has this id already",
            "ringway.toml:27: tenant[3].name: expected a name, found what looks like the id of a tenant",
            "ringway.toml:28: tenant[3].id: expected text without \\u{202e}, which turns its direction or \
             ends its line",
        ],
    );
    check_warning(
        &format!("{A}{}[[tenant]]\nname = \"none\"\n", key("1", "")),
        &["ringway.toml:8: tenant[0].name: no [[key]] is of this tenant"],
    );
}
