//! A store in PostgreSQL, for several replicas: one connection that also hears of changes.
//!
//! Whoever changes keys or tenants, by hand too, notifies all that listen (a trigger does). A
//! connection that ends makes the handle useless: whoever holds it opens another.

use core::future::poll_fn;
use core::net::IpAddr;
use core::str::FromStr;
use core::time::Duration;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{AsyncMessage, Client, Config, Error, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::govern::key::{Key, KeyDigest};
use crate::net::tls;
use crate::store::error::StoreError;
use crate::store::migrations;
use crate::store::row::{KeyRow, State, TenantRow};
use crate::store::sql::{
    ADD_KEY, ALL_KEYS, ALL_TENANTS, ANSWER_TIMEOUT, ONE_KEY, ONE_TENANT, REMOVE_REVOKED,
    REMOVE_TENANT, REVOKE, ROTATE, SET_TENANT,
};

/// An open connection.
#[derive(Clone)]
pub struct Postgres {
    client: Arc<Client>,
    /// Something has changed, or the connection has ended.
    woken: Arc<Notify>,
    /// How a statement is told to end, which takes another connection.
    tls: MakeRustlsConnect,
}

impl core::fmt::Debug for Postgres {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str("Postgres")
    }
}

impl Postgres {
    /// Connects and brings the database up to date. Over a network by TLS, unless the URL says
    /// `sslmode=disable`.
    ///
    /// # Errors
    /// It cannot be reached, or is of a newer program.
    pub async fn open(url: &[u8], ca_pem: Option<&[u8]>) -> Result<Self, StoreError> {
        let config = config(url)?;
        let tls = tls::plain_client(ca_pem)
            .map(MakeRustlsConnect::new)
            .map_err(|error| StoreError::down(format!("TLS towards the store: {error}")))?;
        let (client, mut connection) = config
            .connect(tls.clone())
            .await
            .map_err(|error| told(&error))?;
        let woken = Arc::new(Notify::new());
        let wakes = Arc::clone(&woken);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|turn| connection.poll_message(turn)).await {
                if let AsyncMessage::Notification(_) = message {
                    wakes.notify_one();
                }
            }
            // The client knows that it is closed once the connection is gone.
            drop(connection);
            wakes.notify_one();
        });
        let store = Self {
            client: Arc::new(client),
            woken,
            tls,
        };
        answered(ANSWER_TIMEOUT, store.migrate()).await?;
        Ok(store)
    }

    /// Takes the steps that are left, one replica at a time.
    async fn migrate(&self) -> Result<(), StoreError> {
        let run = async |sql: &str| self.client.batch_execute(sql).await.map_err(|e| told(&e));
        run(LOCK).await?;
        let taken = self.client.query_one(TAKEN, &[]).await;
        let taken: i64 = taken.and_then(|row| row.try_get(0)).map_err(|e| told(&e))?;
        let steps = migrations::left(migrations::POSTGRES, taken)?;
        let count = migrations::POSTGRES.len();
        if !steps.is_empty() {
            let steps = steps.join("\n");
            run(&format!(
                "BEGIN; {steps}; UPDATE ringway_version SET version = {count}; COMMIT"
            ))
            .await?;
        }
        run(UNLOCK_AND_LISTEN).await
    }

    /// All keys and tenants.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn load(&self) -> Result<State, StoreError> {
        // Keys first: whatever tenant one of them has is there when tenants are read.
        let keys = self.query(ALL_KEYS, &[]).await?;
        let tenants = self.query(ALL_TENANTS, &[]).await?;
        Ok(State::of(
            keys.iter().map(key_row),
            tenants.iter().map(tenant_row),
        ))
    }

    /// Waits until somebody has changed keys or tenants.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn changed(&self) -> Result<(), StoreError> {
        loop {
            let woken = tokio::time::timeout(PROBE, self.woken.notified())
                .await
                .is_ok();
            if self.client.is_closed() {
                return Err(StoreError::down("the connection has ended"));
            }
            if woken {
                return Ok(());
            }
            // A peer that is gone without a word is noticed by what it does not answer.
            self.query("SELECT 1", &[]).await?;
        }
    }

    /// Adds a key, and its tenant where it is new.
    ///
    /// # Errors
    /// It is there already.
    pub async fn create(&self, key: &Key) -> Result<(), StoreError> {
        let row = KeyRow::of(key);
        // One statement: where the key is refused its tenant is not made either.
        let both = format!("WITH tenant AS ({ADD_TENANT_OF_KEY}) {ADD_KEY}");
        self.execute(
            &both,
            &[
                &row.id,
                &row.tenant,
                &row.name,
                &row.digest,
                &row.former,
                &row.former_until,
                &row.rules,
                &row.created,
                &row.expires,
                &row.revoked,
            ],
        )
        .await?;
        Ok(())
    }

    /// One key by its id.
    ///
    /// # Errors
    /// The connection has ended, or the row cannot be read.
    pub async fn find(&self, id: &str) -> Result<Option<KeyRow>, StoreError> {
        let rows = self.query(ONE_KEY, &[&id]).await?;
        let row = rows.first().map(key_row).transpose();
        row.map_err(StoreError::down)
    }

    /// Writes a key's digests if the one before is still `before`.
    ///
    /// # Errors
    /// It is not.
    pub async fn rotate(&self, key: &Key, before: KeyDigest) -> Result<(), StoreError> {
        let row = KeyRow::of(key);
        let before: &[u8] = &before;
        let changed = self
            .execute(
                ROTATE,
                &[
                    &row.digest,
                    &row.former,
                    &row.former_until,
                    &row.id,
                    &before,
                ],
            )
            .await?;
        one_row(changed, &key.id)
    }

    /// Revokes a key that is not.
    ///
    /// # Errors
    /// There is none.
    pub async fn revoke(&self, id: &str, now_ms: u64) -> Result<(), StoreError> {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        one_row(self.execute(REVOKE, &[&now, &id]).await?, id)
    }

    /// One tenant by its name.
    ///
    /// # Errors
    /// The connection has ended, or the row cannot be read.
    pub async fn find_tenant(&self, name: &str) -> Result<Option<TenantRow>, StoreError> {
        let rows = self.query(ONE_TENANT, &[&name]).await?;
        let row = rows.first().map(tenant_row).transpose();
        row.map_err(StoreError::down)
    }

    /// Adds a tenant, or replaces its rules.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn set_tenant(&self, row: TenantRow, now_ms: u64) -> Result<(), StoreError> {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        self.execute(SET_TENANT, &[&row.name, &row.rules, &now])
            .await?;
        Ok(())
    }

    /// Removes a tenant, and its keys, if all of them are revoked; whether it was there to remove.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn remove_tenant(&self, name: &str) -> Result<bool, StoreError> {
        // One statement sees one state, and references are looked at when it has ended.
        let both = format!("WITH revoked AS ({REMOVE_REVOKED}) {REMOVE_TENANT}");
        Ok(self.execute(&both, &[&name]).await? > 0)
    }

    async fn query(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.query_within(ANSWER_TIMEOUT, sql, parameters).await
    }

    /// Rows of a statement. One that takes longer is given up, by the server too.
    ///
    /// # Errors
    /// The connection has ended, or the statement was refused.
    pub async fn query_within(
        &self,
        within: Duration,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let asked = self.client.query(sql, parameters);
        let said = answered(within, async { asked.await.map_err(|error| told(&error)) }).await;
        if said.is_err() && !self.client.is_closed() {
            let cancel = self.client.cancel_token();
            let told = cancel.cancel_query(self.tls.clone());
            // Where it cannot be told, the statement ends with the connection. A server that hangs
            // takes the connection, and hangs on it too.
            let _ = tokio::time::timeout(CONNECT, told).await;
        }
        said
    }

    /// Rows that a statement changed.
    ///
    /// # Errors
    /// The connection has ended, or the statement was refused.
    pub async fn execute(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let asked = self.client.execute(sql, parameters);
        let told = async { asked.await.map_err(|error| told(&error)) };
        answered(ANSWER_TIMEOUT, told).await
    }
}

async fn answered<T>(
    within: Duration,
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let said = tokio::time::timeout(within, asked).await;
    said.map_err(|_| StoreError::down("the store did not answer in time"))?
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
        .keepalives_idle(PROBE)
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
    // Where addresses are said too, the names are not looked up.
    are_hosts && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn one_row(changed: u64, id: &str) -> Result<(), StoreError> {
    match changed {
        0 => Err(StoreError::absent(id)),
        _ => Ok(()),
    }
}

fn key_row(row: &Row) -> Result<KeyRow, String> {
    Ok(KeyRow {
        id: column(row, 0)?,
        tenant: column(row, 1)?,
        name: column(row, 2)?,
        digest: column(row, 3)?,
        former: column(row, 4)?,
        former_until: column(row, 5)?,
        rules: column(row, 6)?,
        created: column(row, 7)?,
        expires: column(row, 8)?,
        revoked: column(row, 9)?,
    })
}

fn tenant_row(row: &Row) -> Result<TenantRow, String> {
    Ok(TenantRow {
        name: column(row, 0)?,
        rules: column(row, 1)?,
    })
}

/// A value whose column somebody may have changed by hand.
fn column<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, String> {
    row.try_get(at).map_err(|error| error.to_string())
}

fn told(error: &Error) -> StoreError {
    let Some(said) = error.as_db_error() else {
        let cause = core::error::Error::source(error);
        return StoreError::down(match cause {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        });
    };
    match *said.code() {
        SqlState::UNIQUE_VIOLATION => StoreError::taken(),
        _ => StoreError::down(format!("the store refused: {}", said.message())),
    }
}

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_millis(1_500);
/// Between two looks whether the server is still there.
const PROBE: Duration = Duration::from_secs(5);
/// One replica at a time; the number stands for this program. The lock ends with the connection.
const LOCK: &str = "SELECT pg_advisory_lock(7954890381207); \
                    CREATE TABLE IF NOT EXISTS ringway_version (version BIGINT NOT NULL); \
                    INSERT INTO ringway_version SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM ringway_version)";
/// Adds the tenant of a key unless it is there; parameters are those of the key.
const ADD_TENANT_OF_KEY: &str = "INSERT INTO tenants (name, rules, created) \
                                 VALUES ($2, '{}', $8) ON CONFLICT (name) DO NOTHING";
const TAKEN: &str = "SELECT version FROM ringway_version";
const UNLOCK_AND_LISTEN: &str = "SELECT pg_advisory_unlock(7954890381207); LISTEN ringway_keys";

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
