//! A store in PostgreSQL, for several replicas: connections by purpose.
//!
//! One connection is for keys and tenants, and hears of their changes: whoever changes them, by hand
//! too, notifies all that listen (a trigger does). When it ends the handle is useless: whoever holds
//! it opens another. Usage records are delivered over a second connection, and questions of people are
//! answered over others, so that neither keeps a revocation waiting.

use core::future::poll_fn;
use core::time::Duration;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{AsyncMessage, Client, Error, Row, SimpleQueryMessage};

use crate::govern::key::client_key::{Key, KeyDigest};
use crate::store::database::changes::Changes;
use crate::store::database::migrations::{self, Access, Schema};
use crate::store::database::postgres_connection::{ConnectionPool, PostgresServer, answered, told};
use crate::store::database::row::{KeyRow, PageRow, StoredState, TENANT_AT, TenantRow};
use crate::store::database::sql::{
    ADD_KEY, ADD_TENANT, ALL_KEYS, ALL_TENANTS, ANSWER_TIMEOUT, CHANGES_MAX, KEYS_PAGE,
    KEYS_PAGE_OF_TENANT, ONE_KEY, ONE_TENANT, REMOVE_REVOKED, REMOVE_TENANT, REVOKE, ROTATE,
    SET_TENANT, TENANTS_PAGE,
};
use crate::store::error::StoreError;

/// Open connections.
#[derive(Clone)]
pub struct Postgres {
    /// For keys and tenants.
    client: Arc<Client>,
    /// Something has changed, or the connection has ended.
    woken: Arc<Notify>,
    mark: Arc<Mutex<Mark>>,
    /// For usage records on their way to the store.
    pub delivery: Arc<ConnectionPool>,
    /// For questions about them.
    pub questions: Arc<ConnectionPool>,
}

/// How far changes have been read.
#[derive(Default)]
struct Mark {
    /// Changes of transactions below it have been.
    txid: i64,
    /// Those from there on that have been, too.
    read: HashSet<i64>,
}

impl core::fmt::Debug for Postgres {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str("Postgres")
    }
}

impl Postgres {
    /// Connects, and brings the database up to date where `access` says more than reading.
    ///
    /// # Errors
    /// It cannot be reached, its schema is not for this program, or it stands behind a pool that gives
    /// each transaction another session.
    pub async fn open(
        url: &[u8],
        ca_pem: Option<&[u8]>,
        access: Access,
    ) -> Result<Self, StoreError> {
        let server = Arc::new(PostgresServer::new(url, ca_pem)?);
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
        let delivery = ConnectionPool::new(Arc::clone(&server), 1);
        delivery.give(other);
        let store = Self {
            client: Arc::new(client),
            woken,
            mark: Arc::default(),
            delivery: Arc::new(delivery),
            questions: Arc::new(ConnectionPool::new(server, QUESTION_CONNECTIONS)),
        };
        match access {
            Access::Create | Access::Write => answered(MIGRATION, store.migrate()).await?,
            Access::Read => answered(ANSWER_TIMEOUT, store.check_readable()).await?,
        }
        Ok(store)
    }

    /// Takes the steps that are left, one replica at a time.
    async fn migrate(&self) -> Result<(), StoreError> {
        let run = async |sql: &str| self.client.batch_execute(sql).await.map_err(|e| told(&e));
        self.lock().await?;
        run(VERSIONED).await?;
        let schema = self.schema().await.map_err(|e| told(&e))?;
        let steps = schema.left(migrations::POSTGRES)?;
        for (step, version) in steps.iter().zip(schema.number + 1..) {
            let done = format!("UPDATE ringway_version SET version = {version}");
            if migrations::is_concurrent(step) {
                // Whatever is under way at the server is waited for, however long it takes.
                run("SET lock_timeout = 0").await?;
                for statement in migrations::statements(step) {
                    run(statement).await?;
                }
                run(&format!("{done}; {LOCK_TIMEOUT}")).await?;
            } else {
                run(&format!("BEGIN; {step}; {done}; COMMIT")).await?;
            }
        }
        if !steps.is_empty() {
            run(migrations::MIGRATED).await?;
        }
        run(UNLOCK_AND_LISTEN).await
    }

    async fn schema(&self) -> Result<Schema, Error> {
        let mut schema = Schema {
            number: self.client.query_one(TAKEN, &[]).await?.try_get(0)?,
            ..Schema::default()
        };
        if schema.number >= migrations::COMPATIBLE_SINCE {
            let row = self.client.query_one(migrations::COMPATIBLE, &[]).await?;
            schema.compatible_from = row.try_get(0)?;
            schema.migrated_by = row.try_get(1)?;
        }
        Ok(schema)
    }

    /// Whether the database can be read as it is. Nothing can be written over this connection.
    async fn check_readable(&self) -> Result<(), StoreError> {
        let prepared = self.client.batch_execute(READ_ONLY).await;
        prepared.map_err(|e| told(&e))?;
        let made = self.client.query_one(IS_MADE, &[]).await;
        let is_made: bool = made.and_then(|row| row.try_get(0)).map_err(|e| told(&e))?;
        let schema = match is_made {
            true => self.schema().await.map_err(|e| told(&e))?,
            false => Schema::default(),
        };
        schema.check_readable(migrations::POSTGRES)
    }

    /// Keeps other replicas from bringing the database up to date. A lock that another one holds is asked
    /// for again and again: an index that is made concurrently would wait for the session that waits.
    async fn lock(&self) -> Result<(), StoreError> {
        for _ in 0..LOCK_TRIES {
            let locked = self.client.query_one(LOCK, &[]).await;
            let locked: bool = locked
                .and_then(|row| row.try_get(0))
                .map_err(|e| told(&e))?;
            if locked {
                return Ok(());
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        Err(StoreError::down(
            "another replica brings the database up to date",
        ))
    }

    /// All keys and tenants.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn load(&self) -> Result<StoredState, StoreError> {
        // Before the rows: what is committed in between is read as a change.
        let now = self.query(NOW, &[]).await?;
        let now = now.first().map(|row| column(row, 0)).transpose();
        let txid = now.map_err(StoreError::down)?.unwrap_or_default();
        // Keys first: whatever tenant one of them has is there when tenants are read.
        let keys = self.query(ALL_KEYS, &[]).await?;
        let tenants = self.query(ALL_TENANTS, &[]).await?;
        *self.mark() = Mark {
            txid,
            read: HashSet::new(),
        };
        Ok(StoredState::of(
            keys.iter().map(key_row),
            tenants.iter().map(|row| tenant_row(row, 0)),
        ))
    }

    /// What has changed since; `None`: too much.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn changes(&self) -> Result<Option<Changes>, StoreError> {
        let since = self.mark().txid;
        let found = self.query(CHANGES, &[&since]).await?;
        let read: Result<Vec<_>, String> = found.iter().map(ChangeRow::of).collect();
        let read = read.map_err(StoreError::down)?;
        let Some(first) = read.first() else {
            return Ok(None);
        };
        let is_whole = first.removed < since && read.len() <= CHANGES_MAX;
        if first.kept >= 2 * CHANGES_KEPT {
            // Whether it can be done now does not matter: it is tried with every change.
            let _ = self.execute(REMOVE_CHANGES, &[&CHANGES_KEPT]).await;
        }
        if !is_whole {
            return Ok(None);
        }
        let mark = Mark {
            txid: first.now,
            read: read.iter().filter_map(|change| change.at).collect(),
        };
        let (mut keys, mut tenants) = (Vec::new(), Vec::new());
        for change in &read {
            let is_new = change.at.is_some_and(|at| !self.mark().read.contains(&at));
            match change.kind {
                _ if !is_new => {}
                "key" => keys.push(change.id),
                "tenant" => tenants.push(change.id),
                _ => return Ok(None),
            }
        }
        let changes = self.changed_rows(keys, tenants).await?;
        *self.mark() = mark;
        Ok(changes)
    }

    /// Rows of these ids and names; `None`: one cannot be read.
    async fn changed_rows(
        &self,
        keys: Vec<&str>,
        tenants: Vec<&str>,
    ) -> Result<Option<Changes>, StoreError> {
        let mut changes = Changes::default();
        let name = |name: &&str| (*name).to_owned();
        let gone = keys.iter().map(name).map(|id| (id, None));
        changes.keys.extend(gone);
        let gone = tenants.iter().map(name).map(|name| (name, None));
        changes.tenants.extend(gone);
        if !keys.is_empty() {
            for row in self.query(THESE_KEYS, &[&keys]).await? {
                let Ok(row) = key_row(&row) else {
                    return Ok(None);
                };
                changes.keys.insert(row.id.clone(), Some(Ok(row)));
            }
        }
        if !tenants.is_empty() {
            for row in self.query(THESE_TENANTS, &[&tenants]).await? {
                let Ok(row) = tenant_row(&row, 0) else {
                    return Ok(None);
                };
                changes.tenants.insert(row.name.clone(), Some(Ok(row)));
            }
        }
        Ok(Some(changes))
    }

    fn mark(&self) -> std::sync::MutexGuard<'_, Mark> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Milliseconds since 1970 by the server's clock.
    ///
    /// # Errors
    /// It cannot be asked.
    pub async fn time(&self) -> Result<u64, StoreError> {
        let rows = self.query(TIME, &[]).await?;
        let ms: Option<i64> = rows.first().and_then(|row| row.try_get(0).ok());
        let ms = ms.and_then(|ms| u64::try_from(ms).ok());
        ms.ok_or_else(|| StoreError::down("a time that makes no sense"))
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

    /// Adds a tenant with this id unless it is there.
    ///
    /// # Errors
    /// The connection has ended, or another tenant has the id.
    pub async fn add_tenant(&self, id: &str, name: &str, now_ms: u64) -> Result<(), StoreError> {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        self.execute(ADD_TENANT, &[&id, &name, &now]).await?;
        Ok(())
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

/// A row of [`CHANGES`].
struct ChangeRow<'r> {
    /// What is committed below it has been seen.
    now: i64,
    /// The last transaction whose changes were removed.
    removed: i64,
    /// How many changes are kept, about.
    kept: i64,
    /// Which change; `None`: there is none.
    at: Option<i64>,
    kind: &'r str,
    id: &'r str,
}

impl<'r> ChangeRow<'r> {
    fn of(row: &'r Row) -> Result<Self, String> {
        let text = |at| column::<Option<&str>>(row, at);
        Ok(Self {
            now: column(row, 0)?,
            removed: column(row, 1)?,
            kept: column(row, 2)?,
            at: column(row, 3)?,
            kind: text(4)?.unwrap_or_default(),
            id: text(5)?.unwrap_or_default(),
        })
    }
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
        id: column(row, at + 2)?,
    })
}

/// A value whose column somebody may have changed by hand.
fn column<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, String> {
    row.try_get(at).map_err(|error| error.to_string())
}

/// Below it no transaction is under way.
const TIME: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const NOW: &str = "SELECT txid_snapshot_xmin(txid_current_snapshot())";
/// Changes of transactions from one on, each behind what is known of all: in one statement, which sees one
/// state. There is a row where there is no change, too.
const CHANGES: &str = "SELECT known.now, known.removed, known.kept, change.at, change.kind, change.id \
                       FROM (SELECT txid_snapshot_xmin(txid_current_snapshot()) AS now, \
                       (SELECT max(txid) FROM changes_removed) AS removed, \
                       (SELECT coalesce(max(at) - min(at), 0) FROM changes) AS kept) AS known \
                       LEFT JOIN (SELECT at, kind, id FROM changes WHERE txid >= $1 ORDER BY at \
                       LIMIT 10001) AS change ON true";
const _: () = assert!(CHANGES_MAX == 10_000);
/// Removes all changes but the last ones, and says up to which transaction.
const REMOVE_CHANGES: &str = "WITH gone AS (DELETE FROM changes \
                              WHERE at <= (SELECT max(at) FROM changes) - $1 RETURNING txid) \
                              UPDATE changes_removed \
                              SET txid = greatest(txid, (SELECT max(txid) FROM gone)) \
                              WHERE EXISTS (SELECT 1 FROM gone)";
/// So many changes are kept at least, and twice as many for long at most.
const CHANGES_KEPT: i64 = 10_000;
/// Keys of these ids.
const THESE_KEYS: &str = "SELECT id, tenant, name, digest, former, former_until, rules, created, \
                          expires, revoked FROM keys WHERE id = ANY($1)";
/// Tenants of these names.
const THESE_TENANTS: &str = "SELECT name, rules, id FROM tenants WHERE name = ANY($1)";
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
/// One replica at a time; the number stands for this program. The lock ends with the connection.
const LOCK: &str = "SELECT pg_try_advisory_lock(7954890381207)";
/// How often the lock is asked for, and the time between two tries.
const LOCK_TRIES: usize = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// No lock is waited for long: a connection that was given up would wait on, at the server.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '2s'";
/// Sees to it that the database knows how many steps it has taken.
const VERSIONED: &str = "SET lock_timeout = '2s'; \
                         CREATE TABLE IF NOT EXISTS ringway_version (version BIGINT NOT NULL); \
                         INSERT INTO ringway_version SELECT 0 \
                         WHERE NOT EXISTS (SELECT 1 FROM ringway_version)";
/// Adds the tenant of a key unless it is there; parameters are those of the key.
const ADD_TENANT_OF_KEY: &str = "INSERT INTO tenants (name, rules, created) \
                                 VALUES ($2, '{}', $8) ON CONFLICT (name) DO NOTHING";
const TAKEN: &str = "SELECT version FROM ringway_version";
/// Whether the database was ever brought up to date.
const IS_MADE: &str = "SELECT to_regclass('ringway_version') IS NOT NULL";
const READ_ONLY: &str = "SET default_transaction_read_only = on; SET lock_timeout = '1s'; \
                         SET statement_timeout = '5s'";
/// Statements end at the server too, before a heartbeat behind them is missed or whoever asked is gone.
const UNLOCK_AND_LISTEN: &str = "SELECT pg_advisory_unlock(7954890381207); LISTEN ringway_keys; \
                                 SET lock_timeout = '1s'; SET statement_timeout = '5s'";
