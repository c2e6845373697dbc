//! Connections to PostgreSQL: how one is made, and pools of them for one purpose each.
//!
//! A pool bounds how many of its statements the server works on at a time, and for how long: the
//! server itself ends a statement at its timeout. A connection whose answer is overdue is not used
//! again. Connections are made when they are first needed.

use core::net::IpAddr;
use core::str::FromStr;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Connection, Error, Row, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::net::connection::tls;
use crate::store::error::StoreError;

/// Where the server is, and how it is spoken to.
pub struct PostgresServer {
    config: Config,
    tls: MakeRustlsConnect,
}

type PostgresStream = <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream;

impl PostgresServer {
    /// The server of a URL. Over a network it is reached by TLS, unless the URL says
    /// `sslmode=disable`.
    ///
    /// # Errors
    /// The URL or the certificate cannot be read.
    pub fn new(url: &[u8], ca_pem: Option<&[u8]>) -> Result<Self, StoreError> {
        let tls = tls::plain_client(ca_pem)
            .map(MakeRustlsConnect::new)
            .map_err(|error| StoreError::down(format!("TLS towards the store: {error}")))?;
        let config = config(url)?;
        Ok(Self { config, tls })
    }

    /// A new connection.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn connect(
        &self,
    ) -> Result<(Client, Connection<Socket, PostgresStream>), StoreError> {
        let connected = timeout(CONNECT, self.config.connect(self.tls.clone())).await;
        let slow = |_| StoreError::down("no connection in time");
        connected.map_err(slow)?.map_err(|error| told(&error))
    }
}

/// Connections for one purpose.
pub struct ConnectionPool {
    server: Arc<PostgresServer>,
    /// One for each connection that there may be.
    permits: Semaphore,
    idle: Mutex<Vec<Session>>,
}

/// An open connection and the timeout of its statements, as it was set last.
struct Session {
    client: Client,
    timeout: Duration,
}

impl ConnectionPool {
    /// A pool of this many connections at most.
    pub fn new(server: Arc<PostgresServer>, connections_max: usize) -> Self {
        Self {
            server,
            permits: Semaphore::new(connections_max),
            idle: Mutex::default(),
        }
    }

    /// Takes a connection that is open already.
    pub fn give(&self, client: Client) {
        self.give_back(Session {
            client,
            timeout: Duration::ZERO,
        });
    }

    /// Rows of a statement, which the server ends when it takes longer than `within`.
    ///
    /// # Errors
    /// The server cannot be reached, or the statement was refused or took too long.
    pub async fn query(
        &self,
        within: Duration,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.with(within, async |client: &Client| {
            client.query(sql, parameters).await
        })
        .await
    }

    /// The number of rows that a statement changed; it is ended likewise.
    ///
    /// # Errors
    /// As of [`ConnectionPool::query`].
    pub async fn execute(
        &self,
        within: Duration,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        self.with(within, async |client: &Client| {
            client.execute(sql, parameters).await
        })
        .await
    }

    async fn with<T>(
        &self,
        within: Duration,
        work: impl AsyncFnOnce(&Client) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let asked = async {
            let permit = self.permits.acquire().await;
            let _permit = permit.map_err(|_| StoreError::down("the store is closed"))?;
            let mut session = self.session().await?;
            if session.timeout != within {
                let set = format!("SET statement_timeout = {}", within.as_millis());
                let set = session.client.batch_execute(&set).await;
                set.map_err(|error| told(&error))?;
                session.timeout = within;
            }
            let given = work(&session.client).await.map_err(|error| told(&error));
            self.give_back(session);
            given
        };
        // A connection that is waited for longer is dropped, and is closed by that.
        answered(within.saturating_add(GRACE), asked).await
    }

    async fn session(&self) -> Result<Session, StoreError> {
        let idle = self.idle().pop();
        if let Some(session) = idle.filter(|session| !session.client.is_closed()) {
            return Ok(session);
        }
        let (client, connection) = self.server.connect().await?;
        tokio::spawn(connection);
        Ok(Session {
            client,
            timeout: Duration::ZERO,
        })
    }

    fn give_back(&self, session: Session) {
        if !session.client.is_closed() {
            self.idle().push(session);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is answered in time.
///
/// # Errors
/// It is not.
pub async fn answered<T>(
    within: Duration,
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let given = timeout(within, asked).await;
    given.map_err(|_| StoreError::down("the store did not answer in time"))?
}

/// An error of the server or of the way to it.
#[must_use]
pub fn told(error: &Error) -> StoreError {
    let Some(given) = error.as_db_error() else {
        let cause = core::error::Error::source(error);
        return StoreError::down(match cause {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        });
    };
    match *given.code() {
        SqlState::UNIQUE_VIOLATION => StoreError::taken(),
        SqlState::QUERY_CANCELED => StoreError::down("the store did not answer in time"),
        _ => StoreError::down(format!("the store refused: {}", given.message())),
    }
}

/// Holds a URL against what the driver reads.
///
/// # Errors
/// It cannot be read; the text shows nothing of it.
pub fn check_url(url: &[u8]) -> Result<(), StoreError> {
    config(url).map(|_| ())
}

fn config(url: &[u8]) -> Result<Config, StoreError> {
    let text = core::str::from_utf8(url).unwrap_or_default();
    // What is wrong with it may show a password.
    let unread = |_| StoreError::down("the URL of the store cannot be read");
    let mut config = Config::from_str(text).map_err(unread)?;
    let (_, parameters) = text.split_once('?').unwrap_or_default();
    let mut parameters = parameters.split('&');
    let says_mode = parameters.any(|one| one.starts_with("sslmode="));
    if !is_local(&config) && !says_mode {
        config.ssl_mode(SslMode::Require);
    }
    config
        .connect_timeout(CONNECT)
        .tcp_user_timeout(UNACKNOWLEDGED)
        .keepalives_idle(KEEPALIVE)
        .keepalives_interval(KEEPALIVE)
        .keepalives_retries(1)
        .application_name("ringway");
    Ok(config)
}

/// Whether what is said to the server stays on this host.
fn is_local(config: &Config) -> bool {
    let is_name_local = |name: &str| {
        let address = name.parse::<IpAddr>();
        name == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    let mut hosts = config.get_hosts().iter();
    let are_hosts = hosts.all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => is_name_local(name),
    });
    // Where addresses are given too, the names are not looked up.
    are_hosts && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

/// Longest wait for a connection.
pub const CONNECT: Duration = Duration::from_millis(1_500);
/// Longest time for which the server's host may leave what was sent unacknowledged (TCP user timeout).
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);
/// Idle time after which TCP asks whether the server's host is still there.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// What an answer may take beyond the timeout of its statement.
const GRACE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::config;

    #[test]
    fn what_leaves_the_host_is_sealed_unless_the_url_says_otherwise() {
        for (url, is_sealed) in [
            ("postgres://me@db.example/r", true),
            ("postgres://me@10.0.0.5/r", true),
            ("postgres://me@127.0.0.1.example/r", true),
            ("postgres://me:sslmode=@db.example/r", true),
            ("postgres://me@localhost/r?hostaddr=10.0.0.5", true),
            ("postgres://me@localhost,db.example/r", true),
            ("postgres://me@db.example/r?sslmode=disable", false),
            (
                "postgres://me@db.example/r?connect_timeout=1&sslmode=prefer",
                false,
            ),
            ("postgres://me@localhost/r", false),
            ("postgres://me@127.0.0.2/r", false),
            ("postgres://me@/r?host=/run/postgresql", false),
        ] {
            let mode = config(url.as_bytes()).unwrap().get_ssl_mode();
            assert_eq!(mode == SslMode::Require, is_sealed, "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_read_shows_nothing_of_itself() {
        let told = config(b"postgres://me:secret@db:port/r").unwrap_err().text;
        assert!(!told.contains("secret") && !told.contains("port"), "{told}");
    }
}
