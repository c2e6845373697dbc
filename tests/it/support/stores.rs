//! Stores for tests: a SQLite file, or a PostgreSQL server of the test's own; a Redis likewise.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;

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
        let services = (kind == Kind::Postgres).then(|| Services::start("postgres"));
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

    /// `[store]` of a gateway with a snapshot of its own.
    pub(crate) fn section(&self, snapshot: &Path) -> String {
        let (url, snapshot) = (&self.url, snapshot.display());
        format!("[store]\nurl = \"{url}\"\nsnapshot = \"{snapshot}\"\n")
    }

    /// Where a gateway of this name keeps its snapshot.
    pub(crate) fn snapshot(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.snapshot"))
    }

    /// `ringway keys` on this store.
    pub(crate) fn keys(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
        command.arg("keys").args(arguments).env_clear();
        command.args(["--store", &self.url]).output().unwrap()
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
    pub(crate) fn start(name: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/services");
        let mut command = Command::new(script);
        command
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
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

    /// `stop`, `start`, or `kick`.
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
