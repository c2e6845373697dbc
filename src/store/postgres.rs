//! A store in PostgreSQL, for several replicas: connections by purpose.
//!
//! One connection is for keys and tenants, and hears of their changes: whoever changes them, by hand
//! too, notifies all that listen (a trigger does). When it ends the handle is useless: whoever holds
//! it opens another. Usage records are delivered over a second connection, and questions of people are
//! answered over others, so that neither keeps a revocation waiting.

use core::future::poll_fn;
use core::time::Duration;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{AsyncMessage, Client, Error, Row, SimpleQueryMessage};

use crate::govern::key::{Key, KeyDigest};
use crate::store::error::StoreError;
use crate::store::migrations;
use crate::store::postgres_line::{Pool, Server, answered, told};
use crate::store::row::{KeyRow, PageRow, State, TENANT_AT, TenantRow};
use crate::store::sql::{
    ADD_KEY, ALL_KEYS, ALL_TENANTS, ANSWER_TIMEOUT, KEYS_PAGE, KEYS_PAGE_OF_TENANT, ONE_KEY,
    ONE_TENANT, REMOVE_REVOKED, REMOVE_TENANT, REVOKE, ROTATE, SET_TENANT, TENANTS_PAGE,
};

/// Open connections.
#[derive(Clone)]
pub struct Postgres {
    /// For keys and tenants.
    client: Arc<Client>,
    /// Something has changed, or the connection has ended.
    woken: Arc<Notify>,
    /// For usage records on their way to the store.
    pub delivery: Arc<Pool>,
    /// For questions about them.
    pub questions: Arc<Pool>,
}

impl core::fmt::Debug for Postgres {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str("Postgres")
    }
}

impl Postgres {
    /// Connects and brings the database up to date.
    ///
    /// # Errors
    /// It cannot be reached, is of a newer program, or stands behind a pool that gives each
    /// transaction another session.
    pub async fn open(url: &[u8], ca_pem: Option<&[u8]>) -> Result<Self, StoreError> {
        let server = Arc::new(Server::new(url, ca_pem)?);
        let (client, mut connection) = server.connect().await?;
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
        let (other, connection) = server.connect().await?;
        tokio::spawn(connection);
        answered(ANSWER_TIMEOUT, refuse_pooled(&client, &other)).await?;
        let delivery = Pool::new(Arc::clone(&server), 1);
        delivery.give(other);
        let store = Self {
            client: Arc::new(client),
            woken,
            delivery: Arc::new(delivery),
            questions: Arc::new(Pool::new(server, QUESTION_CONNECTIONS)),
        };
        answered(MIGRATION, store.migrate()).await?;
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
            tenants.iter().map(|row| tenant_row(row, 0)),
        ))
    }

    /// The first `count` rows of keys behind an id.
    ///
    /// # Errors
    /// The connection has ended, or an id cannot be read.
    pub async fn keys_page(
        &self,
        tenant: Option<&str>,
        after: &str,
        count: usize,
    ) -> Result<Vec<PageRow>, StoreError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = match tenant {
            Some(tenant) => {
                self.query(KEYS_PAGE_OF_TENANT, &[&after, &tenant, &count])
                    .await?
            }
            None => self.query(KEYS_PAGE, &[&after, &count]).await?,
        };
        let rows = rows.iter().map(page_row).collect::<Result<_, _>>();
        rows.map_err(StoreError::down)
    }

    /// The first `count` rows of tenants behind a name, each with its name.
    ///
    /// # Errors
    /// The connection has ended, or a name cannot be read.
    pub async fn tenants_page(
        &self,
        after: &str,
        count: usize,
    ) -> Result<Vec<(String, Result<TenantRow, String>)>, StoreError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = self.query(TENANTS_PAGE, &[&after, &count]).await?;
        let named = |row| Ok((column(row, 0)?, tenant_row(row, 0)));
        let rows: Result<_, String> = rows.iter().map(named).collect();
        rows.map_err(StoreError::down)
    }

    /// Waits until somebody has changed keys or tenants.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn changed(&self) -> Result<(), StoreError> {
        loop {
            let woken = tokio::time::timeout(HEARTBEAT, self.woken.notified())
                .await
                .is_ok();
            if self.client.is_closed() {
                return Err(StoreError::down("the connection has ended"));
            }
            if woken {
                return Ok(());
            }
            // A server that is gone without a word is noticed by what it does not answer.
            let beat = self.client.simple_query("");
            answered(HEARTBEAT_ANSWER, async {
                beat.await.map_err(|error| told(&error))
            })
            .await?;
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
        let row = rows.first().map(|row| tenant_row(row, 0)).transpose();
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
        let asked = self.client.query(sql, parameters);
        let told = async { asked.await.map_err(|error| told(&error)) };
        answered(ANSWER_TIMEOUT, told).await
    }

    async fn execute(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let asked = self.client.execute(sql, parameters);
        let told = async { asked.await.map_err(|error| told(&error)) };
        answered(ANSWER_TIMEOUT, told).await
    }
}

/// Refuses a pool that gives each transaction another session, as PgBouncer does with
/// `pool_mode = transaction`: there nothing is heard of changes, and locks end too early.
///
/// A session of a server's own never shares its process with another one, and never changes it. Here
/// one session is kept in a transaction while the other one is asked for its process.
async fn refuse_pooled(client: &Client, other: &Client) -> Result<(), StoreError> {
    for _ in 0..POOL_LOOKS {
        let own = process(client).await.map_err(|error| told(&error))?;
        if let Err(error) = other.batch_execute("BEGIN").await {
            // With `pool_mode = statement` there are no transactions.
            return Err(match error.as_db_error() {
                Some(_) => StoreError::pooled(),
                None => told(&error),
            });
        }
        let held = process(other).await.map_err(|error| told(&error))?;
        let is_shared = held == own || process(client).await.map_err(|error| told(&error))? != own;
        if is_shared {
            return Err(StoreError::pooled());
        }
        let ended = other.batch_execute("COMMIT").await;
        ended.map_err(|error| told(&error))?;
    }
    Ok(())
}

/// The server's process that a session talks to, without a prepared statement.
async fn process(client: &Client) -> Result<Option<String>, Error> {
    let rows = client.simple_query("SELECT pg_backend_pid()").await?;
    let mut pids = rows.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(pids.next())
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

fn page_row(row: &Row) -> Result<PageRow, String> {
    let tenant: Option<&str> = column(row, TENANT_AT)?;
    Ok(PageRow {
        id: column(row, 0)?,
        key: key_row(row),
        tenant: tenant.map(|_| tenant_row(row, TENANT_AT)),
    })
}

/// The tenant whose columns begin at `at`.
fn tenant_row(row: &Row, at: usize) -> Result<TenantRow, String> {
    Ok(TenantRow {
        name: column(row, at)?,
        rules: column(row, at + 1)?,
    })
}

/// A value whose column somebody may have changed by hand.
fn column<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, String> {
    row.try_get(at).map_err(|error| error.to_string())
}

/// Between two heartbeats of the connection for keys.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Longest wait for the answer to one: a key that was revoked on the far side of a line that is dead
/// is refused within three seconds, with a new connection. Longer than a lock is waited for.
const HEARTBEAT_ANSWER: Duration = Duration::from_millis(1_250);
/// What bringing a database up to date may take: an index over millions of records takes minutes.
const MIGRATION: Duration = Duration::from_mins(30);
/// Connections that answer questions of people.
pub const QUESTION_CONNECTIONS: usize = 3;
/// Looks for a pool that gives each transaction another session.
const POOL_LOOKS: usize = 3;
/// One replica at a time; the number stands for this program. The lock ends with the connection. It is
/// not waited for long: a connection that was given up would wait on, at the server.
const LOCK: &str = "SET lock_timeout = '2s'; SELECT pg_advisory_lock(7954890381207); \
                    CREATE TABLE IF NOT EXISTS ringway_version (version BIGINT NOT NULL); \
                    INSERT INTO ringway_version SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM ringway_version)";
/// Adds the tenant of a key unless it is there; parameters are those of the key.
const ADD_TENANT_OF_KEY: &str = "INSERT INTO tenants (name, rules, created) \
                                 VALUES ($2, '{}', $8) ON CONFLICT (name) DO NOTHING";
const TAKEN: &str = "SELECT version FROM ringway_version";
/// Statements end at the server too, before a heartbeat behind them is missed or whoever asked is gone.
const UNLOCK_AND_LISTEN: &str = "SELECT pg_advisory_unlock(7954890381207); LISTEN ringway_keys; \
                                 SET lock_timeout = '1s'; SET statement_timeout = '5s'";
