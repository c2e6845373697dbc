//! A store in PostgreSQL over a network: by TLS, unless the URL says that it is not wanted.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use ringway::store::database::handle::block_on;
use serde_json::json;
use tempfile::TempDir;

use crate::support::certificates::Authority;
use crate::support::directions::drivers;
use crate::support::gateway::Setup;
use crate::support::governed::{WIRE, status};
use crate::support::http;
use crate::support::provider::Provider;
use crate::support::stores::Database;
use crate::support::wires::whole;

/// The name that the server's certificate is for; no name server knows it.
const NAME: &str = "db.example";

/// A port below those that the system gives to whoever asks for any.
fn free_port() -> u16 {
    let start = u16::try_from(std::process::id() % 9_000).unwrap();
    let mut ports = (20_000 + start..30_000).chain(20_000..20_000 + start);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).unwrap()
}

/// A configuration whose store stands at this host of the port.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(port: u16, host: &str, parameters: &str, ca: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("postgres://ringway@{host}:{port}/postgres?hostaddr=127.0.0.1");
        let mut text = format!("[store]\nurl = \"{url}{parameters}\"\nsnapshot = \"snapshot\"\n");
        if let Some(pem) = ca {
            fs::write(folder.path().join("ca.pem"), pem).unwrap();
            text.push_str("ca_file = \"ca.pem\"\n");
        }
        fs::write(folder.path().join("ringway.toml"), text).unwrap();
        Self { folder }
    }

    fn keys(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
        command.env_clear().arg("keys").args(arguments);
        command
            .arg("--config")
            .arg(self.folder.path().join("ringway.toml"));
        command.output().unwrap()
    }

    /// That the store is not used, and why.
    fn is_refused(&self, why: &str) {
        let output = self.keys(&["list"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{why}: {told}");
        assert!(told.starts_with("store postgres://"), "{told}");
        assert!(told.contains(why), "{why}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }

    fn lists(&self) {
        let output = self.keys(&["list", "--format", "json"]);
        assert!(output.status.success(), "{output:?}");
    }
}

/// Whether every session of the gateway's is sealed.
fn is_sealed(database: &Database) -> bool {
    let asked = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE application_name = 'ringway'";
    let found = block_on(async {
        let none = tokio_postgres::NoTls;
        let (client, connection) = tokio_postgres::connect(&database.url, none).await.unwrap();
        tokio::spawn(connection);
        client.query_one(asked, &[]).await.unwrap().get(0)
    });
    found.unwrap()
}

#[test]
fn a_server_over_a_network_is_used_by_tls_with_a_certificate_that_is_trusted_alone() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let port = free_port();
    let database = Database::over_tls(&authority.certify(NAME, 2099), port);
    let (own, other) = (authority.pem(), stranger.pem());

    Place::new(port, NAME, "", None).is_refused("UnknownIssuer");
    Place::new(port, NAME, "", Some(&other)).is_refused("TLS handshake");
    Place::new(port, "other.example", "", Some(&own)).is_refused("not valid for name");
    // Its certificate counts on the loopback too.
    Place::new(port, "localhost", "", Some(&own)).is_refused("not valid for name");

    let place = Place::new(port, NAME, "", Some(&own));
    let created = place.keys(&["create", "--tenant", "blue", "--format", "json"]);
    assert!(created.status.success(), "{created:?}");
    let key: serde_json::Value = serde_json::from_slice(&created.stdout).unwrap();
    let secret = key["key"].as_str().unwrap();
    let provider = Provider::answering(http::json(whole(WIRE)));
    let start = |place: &Place| {
        let text = fs::read_to_string(place.folder.path().join("ringway.toml")).unwrap();
        let setup = Setup::upstream(drivers()[0], WIRE, &provider).text(&text);
        fs::write(setup.folder().join("ca.pem"), &own).unwrap();
        setup.start()
    };
    let gateway = start(&place);
    assert_eq!(status(&gateway, secret), 200);
    assert!(is_sealed(&database));
    drop(gateway);
    let bare = Place::new(port, NAME, "&sslmode=disable", None);
    let gateway = start(&bare);
    assert_eq!(status(&gateway, secret), 200);
    assert!(!is_sealed(&database));
    drop(gateway);

    // One that has no TLS is not used without: that would have to be said.
    database.edit("ALTER SYSTEM SET ssl = off");
    database.edit("SELECT pg_reload_conf()");
    crate::support::wait::until("a server without TLS", || {
        let told = place.keys(&["list"]).stderr;
        let told = String::from_utf8(told).unwrap();
        told.contains("server does not support TLS").then_some(())
    });
    Place::new(port, NAME, "&sslmode=prefer", Some(&own)).lists();
    bare.lists();
    assert_eq!(database.done(&["list"])[0]["tenant"], json!("blue"));
}
