//! `ringway check`: what parts of a configuration do not allow together, each with its cure.

use std::fs;
use std::process::Command;

/// A case: what it is about, its configuration behind [`HEAD`], whether it is a fault, and what is said.
struct Case {
    name: &'static str,
    text: &'static str,
    verdict: Verdict,
    said: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fault,
    Warning,
    Silent,
}

use Verdict::{Fault, Silent, Warning};

const HEAD: &str = "[[provider]]\nname = \"a\"\nkind = \"openai\"\nkey = \"none\"\n\
                    [[model]]\nid = \"m\"\ntargets = [\"a/gpt-4o\"]\n";
const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000001";

const CASES: &[Case] = &[
    case(
        "sslmode=verify-full",
        "[store]\nurl = \"postgres://me@db.example/r?sslmode=verify-full\"\n",
        Fault,
        &[
            ":9: store.url: ",
            "leave `sslmode` out, or say sslmode=require",
        ],
    ),
    case(
        "a parameter that the driver does not know",
        "[store]\nurl = \"postgres://me@db.example/r?sslmod=require\"\n",
        Fault,
        &[":8: store: the URL of the store cannot be read"],
    ),
    case(
        "sslmode=require",
        "[store]\nurl = \"postgres://me@db.example/r?sslmode=require\"\n",
        Silent,
        &[],
    ),
    case(
        "a port past the last one",
        "[store]\nurl = \"postgres://me@db.example:65536/r\"\n",
        Fault,
        &[":9: store.url: expected a port from 1 to 65535"],
    ),
    case(
        "the last port",
        "[store]\nurl = \"postgres://me@db.example:65535/r\"\n",
        Silent,
        &[],
    ),
    case(
        "an IPv4 network in IPv6 form",
        "[[provider]]\nname = \"b\"\nkind = \"openai\"\nkey = \"none\"\nnetworks = [\"::ffff:10.0.0.0/104\"]\n",
        Fault,
        &[":12: provider[1].networks[0]: ", "say 10.0.0.0/8"],
    ),
    case(
        "an address outside its provider's networks",
        "[[provider]]\nname = \"b\"\nkind = \"openai\"\nkey = \"none\"\n\
         base_url = \"http://10.1.0.1/v1\"\nnetworks = [\"10.2.0.0/16\", \"::/0\"]\n",
        Fault,
        &[":12: provider[1].base_url: the address lies outside the `networks`"],
    ),
    case(
        "an address inside them",
        "[[provider]]\nname = \"b\"\nkind = \"openai\"\nkey = \"none\"\n\
         base_url = \"http://[::ffff:10.2.0.1]/v1\"\nnetworks = [\"10.2.0.0/16\"]\n",
        Silent,
        &[],
    ),
    case(
        "an address outside a target's networks",
        "[[provider]]\nname = \"b\"\nkind = \"openai\"\nkey = \"none\"\n\
         base_url = \"http://10.1.0.1/v1\"\nnetworks = [\"10.1.0.0/16\"]\n\
         [[model]]\nid = \"n\"\ntargets = [{ model = \"b/x\", networks = [\"10.2.0.0/16\"] }]\n",
        Fault,
        &[
            ":16: model[1].targets[0]",
            "the address lies outside the `networks`",
        ],
    ),
    case(
        "a budget whose only model has no price",
        "[[model]]\nid = \"n\"\ntargets = [\"a/own\"]\n[usage]\njournal = \"j\"\n\
         [[key]]\nsha256 = \"{}\"\nmodels = [\"n\"]\nbudget_day = 5\n",
        Fault,
        &[":16: key[0].budget_day: nothing that may be asked for within this budget has a price"],
    ),
    case(
        "the same of a tenant",
        "[[model]]\nid = \"n\"\ntargets = [\"a/own\"]\n[usage]\njournal = \"j\"\n\
         [[tenant]]\nname = \"t\"\nbudget_month = 5\n\
         [[key]]\nsha256 = \"{}\"\ntenant = \"t\"\nmodels = [\"n\"]\n",
        Fault,
        &[":15: tenant[0].budget_month: nothing that may be asked for"],
    ),
    case(
        "the same where models without a price are let in",
        "[[model]]\nid = \"n\"\ntargets = [\"a/own\"]\n[usage]\njournal = \"j\"\n\
         [budgets]\nunpriced = \"allow\"\n[[key]]\nsha256 = \"{}\"\nmodels = [\"n\"]\nbudget_day = 5\n",
        Silent,
        &[],
    ),
    case(
        "a budget of which one model has no price",
        "[[model]]\nid = \"n\"\ntargets = [\"a/own\"]\n[usage]\njournal = \"j\"\n\
         [[key]]\nsha256 = \"{}\"\nbudget_day = 5\n",
        Warning,
        &[
            ":15: key[0].budget_day: the budget refuses `n`",
            "add [prices.\"a/own\"]",
        ],
    ),
    case(
        "a budget that a restart forgets",
        "[[key]]\nsha256 = \"{}\"\nbudget_day = 5\n",
        Warning,
        &[
            ":10: key[0].budget_day: what was spent is forgotten",
            "say `journal` of [usage]",
        ],
    ),
    case(
        "a budget that Redis keeps",
        "[limits]\nshared = \"redis://localhost\"\n[[key]]\nsha256 = \"{}\"\nbudget_day = 5\n",
        Silent,
        &[],
    ),
    case(
        "a key's pattern that fits nothing",
        "[[key]]\nsha256 = \"{}\"\nmodels = [\"m\", \"gtp-4o\"]\n",
        Warning,
        &[":10: key[0].models[1]: `gtp-4o` fits no id of a model"],
    ),
    case(
        "patterns of a key that fit a provider's ids and the defaults",
        "[[key]]\nsha256 = \"{}\"\nmodels = [\"a/gpt-4*\", \"@a/x\", \"gpt-5*\", \"*\"]\n",
        Silent,
        &[],
    ),
    case(
        "a price of no provider",
        "[prices.\"b/*\"]\ninput = 1\noutput = 2\n",
        Warning,
        &[
            ":8: prices.",
            "fits no `provider/upstream-model`; the providers are a",
        ],
    ),
    case(
        "a price of no target",
        "[prices.\"a/gpt-4p\"]\ninput = 1\noutput = 2\n",
        Warning,
        &[
            ":8: prices.",
            "fits no target of a [[model]]; did you mean `a/gpt-4o`?",
        ],
    ),
    case(
        "a price of a provider that only clients name models of",
        "[[provider]]\nname = \"b\"\nkind = \"openai\"\nkey = \"none\"\n\
         [prices.\"b/own\"]\ninput = 1\noutput = 2\n",
        Silent,
        &[],
    ),
    case(
        "an expired key",
        "[[key]]\nsha256 = \"{}\"\nexpires = \"2020-01-31\"\n",
        Warning,
        &[":10: key[0].expires: the key has expired"],
    ),
    case(
        "a key that expires later",
        "[[key]]\nsha256 = \"{}\"\nexpires = \"2999-01-31\"\n",
        Silent,
        &[],
    ),
    case(
        "a slip in `relay`",
        "[[key]]\nsha256 = \"{}\"\nrelay = [\"files\", \"flies\"]\n",
        Warning,
        &[":10: key[0].relay[1]: ", "did you mean `files`?"],
    ),
    case(
        "a path in `relay`",
        "[[key]]\nsha256 = \"{}\"\nrelay = [\"/v1/files\"]\n",
        Fault,
        &[":10: key[0].relay[0]: expected `*` or the first segment"],
    ),
    case(
        "a public listener in clear text, with keys",
        "[server]\nlisten = \"0.0.0.0:8080\"\n[[key]]\nsha256 = \"{}\"\n",
        Warning,
        &[
            ":9: server.listen: clients' keys cross the network",
            "say tls_cert and tls_key",
        ],
    ),
    case(
        "a public admin listener, with its key",
        "[server]\nadmin = \"0.0.0.0:8081\"\nadmin_open = true\nadmin_key_env = \"ADMIN\"\n",
        Warning,
        &[
            ":9: server.admin: the admin key",
            "use 127.0.0.1 or a Unix socket",
        ],
    ),
    case(
        "public listeners in clear text behind a proxy that speaks TLS",
        "[server]\nlisten = \"0.0.0.0:8080\"\nbehind_tls_proxy = true\nadmin = \"0.0.0.0:8081\"\n\
         admin_open = true\nadmin_key_env = \"ADMIN\"\n[[key]]\nsha256 = \"{}\"\n",
        Silent,
        &[],
    ),
    case(
        "the same said not to be",
        "[server]\nlisten = \"0.0.0.0:8080\"\nbehind_tls_proxy = false\n[[key]]\nsha256 = \"{}\"\n",
        Warning,
        &["or behind_tls_proxy = true where a proxy before it speaks TLS"],
    ),
    case(
        "a journal below a file",
        "[usage]\njournal = \"r.toml/journal\"\n",
        Fault,
        &[
            ":9: usage.journal: ",
            "cannot be written to by this user",
            "make it writable",
        ],
    ),
    case(
        "a journal on a disk that takes none",
        "[usage]\njournal = \"/proc/none/journal\"\n",
        Fault,
        &[":9: usage.journal: /proc/none/journal cannot be written to by this user"],
    ),
    case(
        "a journal in folders that are made",
        "[usage]\njournal = \"one/two\"\n",
        Silent,
        &[],
    ),
];

const fn case(
    name: &'static str,
    text: &'static str,
    verdict: Verdict,
    said: &'static [&'static str],
) -> Case {
    Case {
        name,
        text,
        verdict,
        said,
    }
}

#[test]
fn check_of_what_cannot_work_or_is_hardly_meant_says_where_and_the_cure() {
    for case in CASES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.toml");
        let text = format!("{HEAD}{}", case.text.replace("{}", DIGEST));
        fs::write(&path, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
        let command = command.arg("check").arg("--config").arg(&path);
        let command = command.env_clear().env("ADMIN", "sixteen-letters-x");
        let output = command.output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        let name = case.name;
        let expected = if case.verdict == Fault { 2 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "{name}: {errors}");
        let lines: Vec<&str> = errors.lines().collect();
        let count = usize::from(case.verdict != Silent);
        assert_eq!(lines.len(), count, "{name}: {errors}");
        for part in case.said {
            assert!(errors.contains(part), "{name}: {errors}");
        }
        assert_eq!(
            errors.starts_with("warning: "),
            case.verdict == Warning,
            "{name}"
        );
        let mut left = fs::read_dir(folder.path()).unwrap();
        assert!(
            left.all(|entry| entry.unwrap().file_name() == "r.toml"),
            "{name}"
        );
    }
}
