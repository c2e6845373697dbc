//! Stores for tests: a SQLite file, or a PostgreSQL server of the test's own; a Redis likewise.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use ringway::config::load::material::StoreMaterial;
use ringway::config::schema::store_url::StorePlace;
use ringway::govern::usage::listing::Listing;
use ringway::store::database::handle::{Store, block_on};
use ringway::store::database::migrations::Access;
use tempfile::TempDir;

use crate::support::certificates::Certified;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Both.
pub(crate) const KINDS: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];

/// A database that nobody else uses. It ends with this.
pub(crate) struct Database {
    pub(crate) url: String,
    folder: TempDir,
    services: Option<Services>,
}

impl Database {
    pub(crate) fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::with(
            folder,
            (kind == Kind::Postgres).then(|| Services::start("postgres", &[])),
        )
    }

    /// A PostgreSQL server behind a PgBouncer of this mode.
    pub(crate) fn pooled(mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("RINGWAY_POOL_MODE", mode.to_owned())];
        Self::with(folder, Some(Services::start("postgres", &variables)))
    }

    /// A PostgreSQL server that is reached over TCP on this port too, by TLS with this certificate.
    pub(crate) fn over_tls(certified: &Certified, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("server.crt"), &certified.certificate).unwrap();
        fs::write(folder.path().join("server.key"), &certified.key).unwrap();
        let place = folder.path().to_str().unwrap().to_owned();
        let services = Services::start(
            "postgres",
            &[
                ("RINGWAY_POSTGRES_TLS", place),
                ("RINGWAY_POSTGRES_PORT", port.to_string()),
            ],
        );
        Self::with(folder, Some(services))
    }

    fn with(folder: TempDir, services: Option<Services>) -> Self {
        let url = match &services {
            Some(services) => services.url.clone(),
            None => format!("sqlite:{}", folder.path().join("ringway.db").display()),
        };
        Self {
            url,
            folder,
            services,
        }
    }

    /// Which database it is.
    pub(crate) fn kind(&self) -> Kind {
        match self.services {
            Some(_) => Kind::Postgres,
            None => Kind::Sqlite,
        }
    }

    /// The file of a SQLite store.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ringway.db")
    }

    fn aside(&self) -> PathBuf {
        self.folder.path().join("aside.db")
    }

    /// Makes the store unreachable.
    pub(crate) fn stop(&mut self) {
        match &mut self.services {
            Some(services) => services.tell("stop"),
            None => fs::rename(self.file(), self.aside()).unwrap(),
        }
    }

    /// Brings it back.
    pub(crate) fn start(&mut self) {
        match &mut self.services {
            Some(services) => services.tell("start"),
            None => fs::rename(self.aside(), self.file()).unwrap(),
        }
    }

    /// Ends the sessions of everybody, where there are sessions.
    pub(crate) fn kick(&mut self) {
        if let Some(services) = &mut self.services {
            services.tell("kick");
        }
    }

    /// Lets the server hang with its connections open, or go on.
    pub(crate) fn freeze(&mut self, hangs: bool) {
        let services = self.services.as_mut().unwrap();
        services.tell(if hangs { "freeze" } else { "thaw" });
    }

    /// `[store]` of a gateway with a snapshot of its own.
    pub(crate) fn section(&self, snapshot: &Path) -> String {
        let (url, snapshot) = (&self.url, snapshot.display());
        format!("[store]\nurl = \"{url}\"\nsnapshot = \"{snapshot}\"\n")
    }

    /// Where a gateway of this name keeps its snapshot.
    pub(crate) fn snapshot(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.snapshot"))
    }

    /// The database itself, as the gateway uses it.
    pub(crate) fn opened<T>(&self, work: impl AsyncFnOnce(&Store) -> T) -> T {
        let material = StoreMaterial {
            place: StorePlace::parse(&self.url, Path::new("")).unwrap(),
            snapshot: self.snapshot("none"),
            ca_pem: None,
        };
        let work = async {
            let store = Store::open(&material, Access::Write).await.unwrap();
            work(&store).await
        };
        block_on(work).unwrap()
    }

    /// All usage records in it, the newest first.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        self.opened(async |store| {
            let mut records = Vec::new();
            let mut query = Listing::default();
            loop {
                let page = store.usage_page(&query).await.unwrap();
                let read = page.records.iter();
                records.extend(read.map(|it| serde_json::from_str(it).unwrap()));
                query.behind = page.next;
                if page.next.is_none() {
                    return records;
                }
            }
        })
    }

    /// Nano-dollars that were spent in all.
    pub(crate) fn spent(&self) -> u64 {
        let spent = self.number("SELECT CAST(COALESCE(SUM(nanos), 0) AS BIGINT) FROM spent");
        u64::try_from(spent).unwrap()
    }

    /// The number that is the answer to a question.
    pub(crate) fn number(&self, question: &str) -> i64 {
        if self.services.is_none() {
            let file = rusqlite::Connection::open(self.file()).unwrap();
            return file.query_row(question, [], |row| row.get(0)).unwrap();
        }
        let asked = block_on(async {
            let client = self.connected().await;
            let row = client.query_one(question, &[]).await.unwrap();
            row.get(0)
        });
        asked.unwrap()
    }

    /// A connection to the server.
    pub(crate) async fn connected(&self) -> tokio_postgres::Client {
        let connected = tokio_postgres::connect(&self.url, tokio_postgres::NoTls);
        let (client, connection) = connected.await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// How many changes of keys and tenants are kept.
    pub(crate) fn changes(&self) -> i64 {
        let count = "SELECT count(*) FROM changes";
        if self.services.is_none() {
            let file = rusqlite::Connection::open(self.file()).unwrap();
            return file.query_row(count, [], |row| row.get(0)).unwrap();
        }
        let counted = block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls)
                .await
                .unwrap();
            tokio::spawn(connection);
            client.query_one(count, &[]).await.map(|row| row.get(0))
        });
        counted.unwrap().unwrap()
    }

    /// `ringway keys` on this store.
    pub(crate) fn keys(&self, arguments: &[&str]) -> Output {
        self.command("keys", arguments)
    }

    /// A command on this store.
    pub(crate) fn command(&self, name: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
        command.arg(name).args(arguments).env_clear();
        command.args(["--store", &self.url]).output().unwrap()
    }

    /// Does what somebody does by hand.
    pub(crate) fn edit(&self, statements: &str) {
        if self.services.is_none() {
            let file = rusqlite::Connection::open(self.file()).unwrap();
            file.execute_batch(statements).unwrap();
            return;
        }
        let done = block_on(async { self.connected().await.batch_execute(statements).await });
        done.unwrap().unwrap();
    }

    /// The same, which has to go well; its JSON.
    pub(crate) fn done(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.keys(&[arguments, &["--format", "json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A server that ends with this.
pub(crate) struct Services {
    pub(crate) url: String,
    child: Child,
    lines: BufReader<ChildStdout>,
    input: Option<ChildStdin>,
}

impl Services {
    /// Starts `postgres` or `redis`.
    pub(crate) fn start(name: &str, variables: &[(&str, String)]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/services");
        let mut command = Command::new(script);
        command.arg(name);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut services = Self {
            url: String::new(),
            lines: BufReader::new(child.stdout.take().unwrap()),
            input: child.stdin.take(),
            child,
        };
        loop {
            let line = services.line();
            if let Some(url) = line.strip_prefix(&format!("{name} ")) {
                url.clone_into(&mut services.url);
            }
            if line == "ready" {
                return services;
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self.lines.read_line(&mut line).unwrap();
        assert!(length > 0, "the services ended; see what they said above");
        line.trim_end().to_owned()
    }

    /// `stop`, `start`, `kick`, `freeze` or `thaw`.
    pub(crate) fn tell(&mut self, what: &str) {
        writeln!(self.input.as_mut().unwrap(), "{what}").unwrap();
        assert_eq!(self.line(), "done");
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
