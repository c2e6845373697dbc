//! Gateways inside the test's process.

use core::fmt::{Display, Write as _};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ringway::config::load::file::load_text;
use ringway::route::compile::plan::compile;
use ringway::route::plan::client_key::digest_of;
use ringway::server::run::{self, RunningGateway, StartOptions};
use ringway::wire::kind::Wire;
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Answer, Client};
use super::directions::{Direction, Driver};
use super::http;
use super::provider::Provider;
use super::wait;

/// The credential that the gateway has for its providers, where a test says no other.
pub(crate) const UPSTREAM_KEY: &str = "sk-upstream-0123456789";
/// The credential of those who use the API of the admin listener, see [`Setup::admin_api`].
pub(crate) const ADMIN_KEY: &str = "admin-0123456789abcdef";
/// The model that [`Setup::upstream`] routes.
pub(crate) const MODEL: &str = "m";
/// What the provider knows it as.
pub(crate) const UPSTREAM_MODEL: &str = "up-model";

/// What a gateway is started with.
pub(crate) struct Setup {
    server: String,
    limits: String,
    rest: String,
    env: Vec<(String, String)>,
    listen: String,
    admin: String,
    folder: TempDir,
    panic_model: Option<String>,
}

impl Setup {
    /// One worker on this driver, ports by the system, an access log in a file, no drain time.
    pub(crate) fn new(driver: Driver) -> Self {
        Self {
            server: format!("driver = \"{}\"\n", driver.name()),
            limits: String::new(),
            rest: String::new(),
            env: [("UPSTREAM_KEY", UPSTREAM_KEY), ("ADMIN_KEY", ADMIN_KEY)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            listen: "listen = [\"127.0.0.1:0\"]\n".to_owned(),
            admin: "127.0.0.1:0".to_owned(),
            folder: tempfile::tempdir().unwrap(),
            panic_model: None,
        }
    }

    /// A gateway with one provider, `up`, and one model, [`MODEL`], at it.
    pub(crate) fn upstream(driver: Driver, wire: Wire, provider: &Provider) -> Self {
        Self::new(driver)
            .provider("up", wire, provider, "")
            .model(MODEL, &[&format!("up/{UPSTREAM_MODEL}")])
    }

    /// A gateway with one model, [`MODEL`], whose targets are these providers, in order: `p0`, `p1`
    /// and so on, each with a model `up-0`, `up-1`.
    pub(crate) fn chain(driver: Driver, targets: &[(Wire, &Provider)]) -> Self {
        let mut setup = Self::new(driver);
        let mut ids = Vec::new();
        for (number, (wire, provider)) in targets.iter().enumerate() {
            setup = setup.provider(&format!("p{number}"), *wire, provider, "");
            ids.push(format!("p{number}/up-{number}"));
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        setup.model(MODEL, &ids)
    }

    /// Another line in `[server]`.
    pub(crate) fn server(mut self, line: &str) -> Self {
        let _ = writeln!(self.server, "{line}");
        self
    }

    /// Other listen addresses, as TOML.
    pub(crate) fn listen(mut self, addresses: &str) -> Self {
        self.listen = format!("listen = {addresses}\n");
        self
    }

    /// Another admin address.
    pub(crate) fn admin(mut self, address: &str) -> Self {
        address.clone_into(&mut self.admin);
        self
    }

    /// The API of the admin listener is on.
    pub(crate) fn admin_api(self) -> Self {
        self.server("admin_key_env = \"ADMIN_KEY\"")
    }

    /// A bound in `[limits]`.
    pub(crate) fn limit(mut self, name: &str, value: impl Display) -> Self {
        let _ = writeln!(self.limits, "{name} = {value}");
        self
    }

    /// A provider with a key of ours; `extra` are further lines.
    pub(crate) fn provider(self, name: &str, wire: Wire, at: &Provider, extra: &str) -> Self {
        let extra = format!("key_env = \"UPSTREAM_KEY\"\n{extra}");
        self.provider_at(name, wire, &format!("http://{}", at.address()), &extra)
    }

    /// A provider that is told nothing but its address; the key is up to `extra`.
    pub(crate) fn provider_at(self, name: &str, wire: Wire, origin: &str, extra: &str) -> Self {
        let (kind, version) = match wire {
            Wire::OpenAiChat => ("openai", "/v1"),
            Wire::AnthropicMessages => ("anthropic", ""),
        };
        self.text(&format!(
            "[[provider]]\nname = \"{name}\"\nkind = \"{kind}\"\nbase_url = \"{origin}{version}\"\n\
             {extra}\n"
        ))
    }

    /// A model and its targets.
    pub(crate) fn model(self, id: &str, targets: &[&str]) -> Self {
        self.text(&format!("[[model]]\nid = {id:?}\ntargets = {targets:?}\n"))
    }

    /// A client key.
    pub(crate) fn key(self, key: &str, tenant: &str, models: Option<&[&str]>) -> Self {
        let models = models.map_or_else(String::new, |models| format!("models = {models:?}\n"));
        let digest = digest_of(key.as_bytes())
            .map(|byte| format!("{byte:02x}"))
            .concat();
        self.text(&format!(
            "[[key]]\nsha256 = \"{digest}\"\ntenant = \"{tenant}\"\n{models}"
        ))
    }

    /// Any further lines of the configuration.
    pub(crate) fn text(mut self, text: &str) -> Self {
        let _ = writeln!(self.rest, "{text}");
        self
    }

    /// Exchanges for this model panic.
    pub(crate) fn panicking(mut self, model: &str) -> Self {
        self.panic_model = Some(model.to_owned());
        self
    }

    /// The folder that relative paths start from.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn start(self) -> Gateway {
        self.try_start().unwrap()
    }

    pub(crate) fn try_start(self) -> io::Result<Gateway> {
        let log = self.folder.path().join("access.log");
        let drain = if self.limits.contains("drain_timeout_ms") {
            ""
        } else {
            "drain_timeout_ms = 1000\n"
        };
        let text = format!(
            "[server]\nadmin = \"{}\"\nlog = \"{}\"\nworkers = 1\n{}{}\n[limits]\n{drain}{}\n{}",
            self.admin,
            log.display(),
            self.listen,
            self.server,
            self.limits,
            self.rest
        );
        let env = self.env;
        let find = move |name: &str| {
            let known = env.iter().find(|(known, _)| known == name);
            known.map(|(_, value)| value.clone())
        };
        let loaded = load_text(&text, "test.toml", self.folder.path(), &find);
        let compiled = compile(loaded).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        let options = StartOptions {
            panic_model: self.panic_model,
            ..StartOptions::default()
        };
        let running = run::start(compiled.plan, &options)?;
        Ok(Gateway {
            running: Some(running),
            log,
            _folder: self.folder,
        })
    }
}

/// A running gateway. Dropping it ends it.
pub(crate) struct Gateway {
    running: Option<RunningGateway>,
    log: PathBuf,
    /// Goes with the gateway, and the log with it.
    _folder: TempDir,
}

impl Gateway {
    /// A gateway with one provider and [`MODEL`] at it.
    pub(crate) fn before(driver: Driver, wire: Wire, provider: &Provider) -> Self {
        Setup::upstream(driver, wire, provider).start()
    }

    /// The same for a direction.
    pub(crate) fn on(driver: Driver, direction: Direction, provider: &Provider) -> Self {
        Self::before(driver, direction.upstream, provider)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running().tcp().unwrap()
    }

    pub(crate) fn running(&self) -> &RunningGateway {
        self.running.as_ref().unwrap()
    }

    /// A new connection.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// A new connection to the admin listener.
    pub(crate) fn admin(&self) -> Client {
        let address = self.running().admin.as_ref().unwrap();
        Client::connect(address.parse().unwrap())
    }

    /// Asks the API of the admin listener.
    pub(crate) fn ask_api(&self, method: &str, target: &str, body: &str) -> Answer {
        let json = "content-type: application/json\r\nconnection: close\r\n";
        let fields = format!("authorization: Bearer {ADMIN_KEY}\r\n{json}");
        self.admin()
            .ask(http::request(method, target, &fields, body))
    }

    /// The access log so far.
    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for so many access lines.
    pub(crate) fn lines(&self, count: usize) -> Vec<Value> {
        wait::until(&format!("{count} access lines"), || {
            let text = self.log_text();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let lines: Vec<Value> = whole
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// Waits for the one access line of a gateway that has served one exchange.
    pub(crate) fn only_line(&self) -> Value {
        let mut lines = self.lines(1);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    /// What Prometheus reads.
    pub(crate) fn metrics(&self) -> String {
        let answer = self.admin().ask(http::request(
            "GET",
            "/metrics",
            "connection: close\r\n",
            "",
        ));
        assert_eq!(answer.status, 200);
        answer.text().to_owned()
    }

    /// The value of one metric with all its labels, nought where there is none.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// Waits until a metric has a value: exchanges are counted when they have ended.
    pub(crate) fn wait_metric(&self, name: &str, value: f64) {
        wait::until(&format!("{name} = {value}"), || {
            ((self.metric(name) - value).abs() < f64::EPSILON).then_some(())
        });
    }

    /// Ends the gateway and says what its access log held in the end.
    pub(crate) fn end(mut self) -> String {
        self.stop();
        self.log_text()
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
            running.wait().unwrap();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The test has failed already: only let the threads go.
            if let Some(running) = self.running.take() {
                running.stop();
            }
            return;
        }
        self.stop();
    }
}
