//! Gateways described in a file: command, ready URL, routes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::load::job::Told;

/// A file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    gateway: Vec<Gateway>,
}

/// A gateway that is started and measured like the others.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Its name in tables.
    pub name: String,
    /// Program and arguments; `{port}`, `{mock}` and `{dir}` are filled in everywhere.
    pub command: Vec<String>,
    /// A URL on this host that answers 200 when it is ready.
    pub ready: String,
    /// Models that lead to the mock, by the client's wire.
    pub routes: Routes,
    /// Files that it reads, written to `{dir}`.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where the mock is told what to do: gateways that drop unknown headers want `model`.
    #[serde(default = "header")]
    pub told: Told,
}

/// Models that lead to the mock.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routes {
    /// OpenAI client, OpenAI provider.
    pub openai: Option<String>,
    /// Anthropic client, Anthropic provider.
    pub anthropic: Option<String>,
    /// OpenAI client, Anthropic provider.
    pub openai_translated: Option<String>,
    /// Anthropic client, OpenAI provider.
    pub anthropic_translated: Option<String>,
}

const fn header() -> Told {
    Told::Header
}

/// Reads a file.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read(path: &Path) -> io::Result<Vec<Gateway>> {
    let named = |fault: String| {
        let text = format!("{}: {fault}", path.display());
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let text = fs::read_to_string(path).map_err(|fault| named(fault.to_string()))?;
    parse(&text).map_err(named)
}

fn parse(text: &str) -> Result<Vec<Gateway>, String> {
    let document: Document = toml::from_str(text).map_err(|fault| fault.to_string())?;
    let mut names = BTreeSet::new();
    for gateway in &document.gateway {
        check(gateway).map_err(|fault| format!("gateway {:?}: {fault}", gateway.name))?;
        if !names.insert(&gateway.name) {
            return Err(format!("two gateways are called {:?}", gateway.name));
        }
    }
    Ok(document.gateway)
}

fn check(gateway: &Gateway) -> Result<(), String> {
    if gateway.name.is_empty() || gateway.name.contains('/') {
        return Err("name: expected a word".to_owned());
    }
    if gateway.command.is_empty() {
        return Err("command: expected a program".to_owned());
    }
    if ready_parts(&gateway.ready).is_none() {
        return Err("ready: expected http://127.0.0.1:{port}/path".to_owned());
    }
    let routes = &gateway.routes;
    let all = [
        &routes.openai,
        &routes.anthropic,
        &routes.openai_translated,
        &routes.anthropic_translated,
    ];
    if all.iter().all(|route| route.is_none()) {
        return Err("routes: expected at least one".to_owned());
    }
    let stray = gateway
        .files
        .keys()
        .find(|name| name.contains('/') || name.starts_with('.'));
    match stray {
        Some(name) => Err(format!("files: {name:?}: expected a plain name")),
        None => Ok(()),
    }
}

/// Port, or its placeholder, and path of a ready URL.
#[must_use]
pub fn ready_parts(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let port = host
        .strip_prefix("127.0.0.1:")
        .or_else(|| host.strip_prefix("localhost:"))?;
    let known = port == "{port}" || port.parse::<u16>().is_ok();
    known.then_some((port, path))
}

#[cfg(test)]
mod tests {
    use super::{parse, ready_parts};

    const GOOD: &str = "[[gateway]]\nname = \"a\"\ncommand = [\"a\", \"{port}\"]\n\
                        ready = \"http://127.0.0.1:{port}/health\"\ntold = \"model\"\n\
                        [gateway.routes]\nopenai = \"m\"\n[gateway.files]\n\"a.yaml\" = \"b\"\n";

    #[test]
    fn file_is_read() {
        let gateways = parse(GOOD).unwrap();
        assert_eq!(gateways[0].routes.openai.as_deref(), Some("m"));
        assert_eq!(gateways[0].files["a.yaml"], "b");
    }

    #[test]
    fn faults_name_what_was_expected() {
        for (from, to, words) in [
            (
                "command = [\"a\", \"{port}\"]",
                "command = []",
                "command: expected a program",
            ),
            ("command", "comand", "unknown field `comand`"),
            ("openai = \"m\"", "", "routes: expected at least one"),
            (
                "127.0.0.1:{port}",
                "example.com",
                "ready: expected http://127.0.0.1",
            ),
            ("a.yaml", "../a.yaml", "files: \"../a.yaml\""),
            ("name = \"a\"", "name = \"\"", "name: expected a word"),
            (
                "told = \"model\"",
                "told = \"body\"",
                "unknown variant `body`",
            ),
            (
                "[gateway.routes]\nopenai = \"m\"\n",
                "",
                "missing field `routes`",
            ),
            ("name = \"a\"", "name = a", "line 2"),
        ] {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD, "{from}");
            let fault = parse(&text).unwrap_err();
            assert!(fault.contains(words), "{to}: {fault}");
        }
        let twice = parse(&format!("{GOOD}{GOOD}")).unwrap_err();
        assert!(twice.contains("two gateways"), "{twice}");
    }

    #[test]
    fn ready_url_is_of_this_host() {
        assert_eq!(ready_parts("http://127.0.0.1:80/a"), Some(("80", "/a")));
        assert_eq!(
            ready_parts("http://localhost:{port}"),
            Some(("{port}", "/"))
        );
        for wrong in [
            "https://127.0.0.1:1/",
            "http://10.0.0.1:1/",
            "127.0.0.1:1",
            "http://127.0.0.1/",
        ] {
            assert_eq!(ready_parts(wrong), None, "{wrong}");
        }
    }
}
