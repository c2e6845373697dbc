//! A store in a SQLite file: a connection that writes and one for questions of people, each on a
//! thread of its own, which ends with the handle. Whoever writes waits for no question.
//!
//! The file is its owner's alone. Others may write to it too, such as the commands beside a running
//! gateway: SQLite orders the writers, and `data_version` says that one of them has written.

use core::time::Duration;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};
use tokio::sync::oneshot;

use crate::govern::key::client_key::{Key, KeyDigest};
use crate::store::database::changes::Changes;
use crate::store::database::migrations::{self, Access, Schema};
use crate::store::database::row::{KeyRow, PageRow, StoredState, TENANT_AT, TenantRow};
use crate::store::database::sql::{
    ADD_KEY, ADD_TENANT, ALL_KEYS, ALL_TENANTS, ANSWER_TIMEOUT, CHANGES_MAX, KEYS_PAGE,
    KEYS_PAGE_OF_TENANT, ONE_KEY, ONE_TENANT, REMOVE_REVOKED, REMOVE_TENANT, REVOKE, ROTATE,
    SET_TENANT, TENANTS_PAGE,
};
use crate::store::error::StoreError;

/// What is done on the thread.
type SqliteJob = Box<dyn FnOnce(&mut Connection) + Send>;

/// The way to an open file.
#[derive(Clone, Debug)]
pub struct Sqlite {
    jobs: SyncSender<SqliteJob>,
    /// Likewise, for what only reads and may take long.
    questions: SyncSender<SqliteJob>,
    path: Arc<Path>,
    /// The file as it was opened: device and number.
    identity: (u64, u64),
    /// `data_version` at the last load, or when changes were read last.
    seen: Arc<AtomicI64>,
    /// The last change that was read, or is in what was loaded.
    applied: Arc<AtomicI64>,
}

impl Sqlite {
    /// Opens the file, and brings it up to date where `access` says more than reading.
    ///
    /// # Errors
    /// It cannot be opened, is no database, or its schema is not for this program.
    pub async fn open(path: &Path, access: Access) -> Result<Self, StoreError> {
        let file = path.to_owned();
        let opened = spawn(path, move || open(&file, access));
        let (jobs, identity) = opened.await?;
        let file = path.to_owned();
        let opened = spawn(path, move || open_to_read(&file));
        let (questions, _) = opened.await?;
        Ok(Self {
            jobs,
            questions,
            path: path.into(),
            identity,
            seen: Arc::new(AtomicI64::new(-1)),
            applied: Arc::default(),
        })
    }

    /// Does `work` on the store's thread, in turn.
    ///
    /// # Errors
    /// What SQLite says, or that too much waits already.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        call_within(&self.jobs, ANSWER_TIMEOUT, work).await
    }

    /// Reads on the thread for questions, in turn. What takes longer is given up, on the thread too.
    ///
    /// # Errors
    /// What SQLite says, or that too much waits already.
    pub async fn ask<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        call_within(&self.questions, within, work).await
    }

    /// All keys and tenants.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn load(&self) -> Result<StoredState, StoreError> {
        let (seen, applied) = (Arc::clone(&self.seen), Arc::clone(&self.applied));
        self.call(move |connection| {
            // Before the rows: what is written in between is seen as a change.
            seen.store(data_version(connection)?, Ordering::Relaxed);
            let snapshot = connection.transaction()?;
            let (_, last) = changes_kept(&snapshot)?;
            let mut keys = snapshot.prepare(ALL_KEYS)?;
            let keys = keys.query_map([], |row| Ok(key_row(row)))?;
            let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
            let mut tenants = snapshot.prepare(ALL_TENANTS)?;
            let tenants = tenants.query_map([], |row| Ok(tenant_row(row, 0)))?;
            let tenants: Vec<_> = tenants.collect::<Result<_, _>>()?;
            applied.store(last, Ordering::Relaxed);
            Ok(StoredState::of(keys, tenants))
        })
        .await
    }

    /// What has changed since; `None`: too much.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn changes(&self) -> Result<Option<Changes>, StoreError> {
        let (seen, applied) = (Arc::clone(&self.seen), Arc::clone(&self.applied));
        self.call(move |connection| {
            seen.store(data_version(connection)?, Ordering::Relaxed);
            let snapshot = connection.transaction()?;
            let before = applied.load(Ordering::Relaxed);
            let (first, last) = changes_kept(&snapshot)?;
            // Numbers follow each other: fewer than before are those of another file.
            if last < before || (last > before && first > before + 1) {
                return Ok(None);
            }
            let changes = changes_behind(&snapshot, before)?;
            applied.store(last, Ordering::Relaxed);
            Ok(changes)
        })
        .await
    }

    /// The first `count` rows of keys behind an id.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn keys_page(
        &self,
        tenant: Option<&str>,
        after: &str,
        count: usize,
    ) -> Result<Vec<PageRow>, StoreError> {
        let (tenant, after) = (tenant.map(str::to_owned), after.to_owned());
        self.call(move |connection| {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let sql = if tenant.is_some() {
                KEYS_PAGE_OF_TENANT
            } else {
                KEYS_PAGE
            };
            let mut page = connection.prepare(sql)?;
            match tenant {
                Some(tenant) => page
                    .query_map(params![after, tenant, count], page_row)?
                    .collect(),
                None => page.query_map(params![after, count], page_row)?.collect(),
            }
        })
        .await
    }

    /// The first `count` rows of tenants behind a name, each with its name.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn tenants_page(
        &self,
        after: &str,
        count: usize,
    ) -> Result<Vec<(String, Result<TenantRow, String>)>, StoreError> {
        let after = after.to_owned();
        self.call(move |connection| {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let mut page = connection.prepare(TENANTS_PAGE)?;
            let rows = page.query_map(params![after, count], |row| {
                Ok((row.get(0)?, tenant_row(row, 0)))
            })?;
            rows.collect()
        })
        .await
    }

    /// Waits until somebody else has written since the last load.
    ///
    /// # Errors
    /// The file is another one by now, or gone.
    pub async fn changed(&self) -> Result<(), StoreError> {
        loop {
            tokio::time::sleep(LOOK).await;
            if identity(&self.path).ok() != Some(self.identity) {
                return Err(StoreError::down(
                    "the file was removed, or another one took its place",
                ));
            }
            let version = self.call(|connection| data_version(connection)).await?;
            if version != self.seen.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    /// Adds a key, and its tenant where it is new.
    ///
    /// # Errors
    /// It is there already.
    pub async fn create(&self, key: &Key) -> Result<(), StoreError> {
        let row = KeyRow::of(key);
        self.call(move |connection| {
            let change = connection.transaction()?;
            change.execute(ADD_TENANT_OF_KEY, params![row.tenant, row.created])?;
            change.execute(
                ADD_KEY,
                params![
                    row.id,
                    row.tenant,
                    row.name,
                    row.digest,
                    row.former,
                    row.former_until,
                    row.rules,
                    row.created,
                    row.expires,
                    row.revoked
                ],
            )?;
            change.commit()
        })
        .await
    }

    /// One key by its id.
    ///
    /// # Errors
    /// What SQLite says, or a row that cannot be read.
    pub async fn find(&self, id: &str) -> Result<Option<KeyRow>, StoreError> {
        let id = id.to_owned();
        let found = self.call(move |connection| {
            let mut one = connection.prepare(ONE_KEY)?;
            one.query_row([id], |row| Ok(key_row(row))).optional()
        });
        found.await?.transpose().map_err(StoreError::down)
    }

    /// Writes a key's digests if the one before is still `before`.
    ///
    /// # Errors
    /// It is not.
    pub async fn rotate(&self, key: &Key, before: KeyDigest) -> Result<(), StoreError> {
        let row = KeyRow::of(key);
        let changed = self.call(move |connection| {
            connection.execute(
                ROTATE,
                params![row.digest, row.former, row.former_until, row.id, before],
            )
        });
        one_row(changed.await?, &key.id)
    }

    /// Revokes a key that is not.
    ///
    /// # Errors
    /// There is none.
    pub async fn revoke(&self, id: &str, now_ms: u64) -> Result<(), StoreError> {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let name = id.to_owned();
        let changed = self.call(move |connection| connection.execute(REVOKE, params![now, name]));
        one_row(changed.await?, id)
    }

    /// One tenant by its name.
    ///
    /// # Errors
    /// What SQLite says, or a row that cannot be read.
    pub async fn find_tenant(&self, name: &str) -> Result<Option<TenantRow>, StoreError> {
        let name = name.to_owned();
        let found = self.call(move |connection| {
            let mut one = connection.prepare(ONE_TENANT)?;
            one.query_row([name], |row| Ok(tenant_row(row, 0)))
                .optional()
        });
        found.await?.transpose().map_err(StoreError::down)
    }

    /// Adds a tenant with this id unless it is there.
    ///
    /// # Errors
    /// What SQLite says, or that another tenant has the id.
    pub async fn add_tenant(&self, id: &str, name: &str, now_ms: u64) -> Result<(), StoreError> {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let (id, name) = (id.to_owned(), name.to_owned());
        let added =
            self.call(move |connection| connection.execute(ADD_TENANT, params![id, name, now]));
        added.await.map(|_| ())
    }

    /// Adds a tenant, or replaces its rules.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn set_tenant(&self, row: TenantRow, now_ms: u64) -> Result<(), StoreError> {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let set = self.call(move |connection| {
            connection.execute(SET_TENANT, params![row.name, row.rules, now])
        });
        set.await.map(|_| ())
    }

    /// Removes a tenant, and its keys, if all of them are revoked; whether it was there to remove.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn remove_tenant(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let removed = self.call(move |connection| {
            let change = connection.transaction()?;
            change.execute(REMOVE_REVOKED, [&name])?;
            let removed = change.execute(REMOVE_TENANT, [&name])?;
            change.commit()?;
            Ok(removed > 0)
        });
        removed.await
    }
}

async fn call_within<T: Send + 'static>(
    jobs: &SyncSender<SqliteJob>,
    within: Duration,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let (answer, answered) = oneshot::channel();
    let job: SqliteJob = Box::new(move |connection| {
        // Whoever asked may have gone, before it is begun or by its end.
        if answer.is_closed() {
            return;
        }
        let until = Instant::now() + within;
        let is_over = move || Instant::now() > until;
        let limited = connection.progress_handler(STEPS, Some(is_over));
        let _ = answer.send(limited.and_then(|()| work(connection)));
    });
    let full = |_| StoreError::down("too much waits for the store");
    jobs.try_send(job).map_err(full)?;
    let given = tokio::time::timeout(within, answered).await;
    let slow = |_| StoreError::down("the store did not answer in time");
    given
        .map_err(slow)?
        .map_err(|_| ended())?
        .map_err(|error| told(&error))
}

fn one_row(changed: usize, id: &str) -> Result<(), StoreError> {
    match changed {
        0 => Err(StoreError::absent(id)),
        _ => Ok(()),
    }
}

/// Starts a thread that opens the file and then does what comes until nobody is left to ask. Gives the
/// way to it and the file's identity.
async fn spawn(
    path: &Path,
    open: impl FnOnce() -> Result<Connection, StoreError> + Send + 'static,
) -> Result<(SyncSender<SqliteJob>, (u64, u64)), StoreError> {
    let (opened, is_opened) = oneshot::channel();
    let (jobs, waiting) = sync_channel::<SqliteJob>(JOBS_MAX);
    let path = path.to_owned();
    let serve = move || {
        let mut connection = match open() {
            Ok(connection) => connection,
            Err(error) => {
                let _ = opened.send(Err(error));
                return;
            }
        };
        let found = identity(&path).map_err(|error| StoreError::down(error.to_string()));
        if opened.send(found).is_err() {
            return;
        }
        while let Ok(job) = waiting.recv() {
            job(&mut connection);
        }
    };
    let spawned = thread::Builder::new()
        .name("ringway-store".to_owned())
        .spawn(serve);
    spawned.map_err(|error| StoreError::down(format!("no thread for the store: {error}")))?;
    let identity = is_opened.await.map_err(|_| ended())??;
    Ok((jobs, identity))
}

/// Opens the file, which is up to date, for what only reads.
fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| told(&error))?;
    let prepared = connection.busy_timeout(BUSY).and_then(|()| {
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "trusted_schema", false)
    });
    prepared.map_err(|error| told(&error))?;
    Ok(connection)
}

fn open(path: &Path, access: Access) -> Result<Connection, StoreError> {
    if access == Access::Read {
        File::open(path).map_err(unread)?;
        let connection = open_to_read(path)?;
        let schema = schema_of(&connection).map_err(|error| told(&error))?;
        schema.check_readable(migrations::SQLITE)?;
        return Ok(connection);
    }
    if access == Access::Create {
        // SQLite would make the file for all to read.
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match made {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(StoreError::down(format!("cannot be made: {error}"))),
        }
    }
    guard(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| told(&error))?;
    prepare(&mut connection).map_err(|error| told(&error))??;
    Ok(connection)
}

/// Takes the file from others who may read it.
fn guard(path: &Path) -> Result<(), StoreError> {
    let file = File::open(path).map_err(unread)?;
    let metadata = file.metadata().map_err(unread)?;
    if metadata.is_dir() {
        return Err(StoreError::down("is a folder, expected a file"));
    }
    if metadata.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(unread)?;
    }
    Ok(())
}

fn unread(error: io::Error) -> StoreError {
    StoreError::down(format!("cannot be opened: {error}"))
}

fn schema_of(connection: &Connection) -> rusqlite::Result<Schema> {
    let number = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if number < migrations::COMPATIBLE_SINCE {
        return Ok(Schema {
            number,
            ..Schema::default()
        });
    }
    connection.query_row(migrations::COMPATIBLE, [], |row| {
        Ok(Schema {
            number,
            compatible_from: row.get(0)?,
            migrated_by: row.get(1)?,
        })
    })
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<Result<(), StoreError>> {
    connection.busy_timeout(BUSY)?;
    // Of a file that is new. Four times SQLite's own: a usage record takes a third of one of its pages.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A file that somebody hands us runs nothing of its own.
    connection.pragma_update(None, "trusted_schema", false)?;
    let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let steps = match schema_of(&change)?.left(migrations::SQLITE) {
        Ok(steps) => steps,
        Err(error) => return Ok(Err(error)),
    };
    for step in steps {
        change.execute_batch(step)?;
    }
    if !steps.is_empty() {
        let count = i64::try_from(migrations::SQLITE.len()).unwrap_or(i64::MAX);
        change.pragma_update(None, "user_version", count)?;
        change.execute_batch(migrations::MIGRATED)?;
    }
    change.commit()?;
    Ok(Ok(()))
}

/// The first change that is kept and the last one; nought where there is none.
fn changes_kept(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let kept = "SELECT ifnull(min(at), 0), ifnull(max(at), 0) FROM changes";
    connection.query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// What has changed behind this change; `None`: too much.
fn changes_behind(connection: &Connection, at: i64) -> rusqlite::Result<Option<Changes>> {
    let mut changes = Changes::default();
    let mut named = connection.prepare("SELECT DISTINCT kind, id FROM changes WHERE at > $1")?;
    let mut key = connection.prepare(ONE_KEY)?;
    let mut tenant = connection.prepare(ONE_TENANT)?;
    let mut named = named.query([at])?;
    while let Some(row) = named.next()? {
        if changes.count() == CHANGES_MAX {
            return Ok(None);
        }
        let (kind, id): (String, String) = (row.get(0)?, row.get(1)?);
        match kind.as_str() {
            "key" => {
                let row = key.query_row([&id], |row| Ok(key_row(row))).optional()?;
                changes.keys.insert(id, row);
            }
            "tenant" => {
                let row = tenant.query_row([&id], |row| Ok(tenant_row(row, 0)));
                changes.tenants.insert(id, row.optional()?);
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(changes))
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

fn key_row(row: &Row<'_>) -> Result<KeyRow, String> {
    let id = row
        .get::<_, String>(0)
        .map_err(|_| "a key whose id is no text".to_owned())?;
    let name = format!("key {id:?}");
    Ok(KeyRow {
        tenant: column(row, &name, 1)?,
        name: column(row, &name, 2)?,
        digest: column(row, &name, 3)?,
        former: column(row, &name, 4)?,
        former_until: column(row, &name, 5)?,
        rules: column(row, &name, 6)?,
        created: column(row, &name, 7)?,
        expires: column(row, &name, 8)?,
        revoked: column(row, &name, 9)?,
        id,
    })
}

fn page_row(row: &Row<'_>) -> rusqlite::Result<PageRow> {
    let has_tenant = !matches!(row.get_ref(TENANT_AT)?, ValueRef::Null);
    Ok(PageRow {
        id: row.get(0)?,
        key: key_row(row),
        tenant: has_tenant.then(|| tenant_row(row, TENANT_AT)),
    })
}

/// The tenant whose columns begin at `at`.
fn tenant_row(row: &Row<'_>, at: usize) -> Result<TenantRow, String> {
    let name = row
        .get::<_, String>(at)
        .map_err(|_| "a tenant whose name is no text".to_owned())?;
    let shown = format!("tenant {name:?}");
    Ok(TenantRow {
        rules: column(row, &shown, at + 1)?,
        id: column(row, &shown, at + 2)?,
        name,
    })
}

/// A value that somebody may have put there by hand.
fn column<T: FromSql>(row: &Row<'_>, name: &str, at: usize) -> Result<T, String> {
    row.get(at).map_err(|error| format!("{name}: {error}"))
}

fn ended() -> StoreError {
    StoreError::down("the store's thread has ended")
}

fn told(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::taken(),
        _ => StoreError::down(error.to_string()),
    }
}

/// Adds the tenant of a key unless it is there.
const ADD_TENANT_OF_KEY: &str = "INSERT INTO tenants (name, rules, created) VALUES ($1, '{}', $2) ON CONFLICT (name) DO NOTHING";
/// Waits for another process that writes.
const BUSY: Duration = Duration::from_secs(2);
/// Between two looks whether somebody else has written: a key taken away is unknown within a second.
const LOOK: Duration = Duration::from_millis(200);
/// Steps of SQLite's machine between two looks at the time.
const STEPS: i32 = 10_000;
/// A page of the file.
const PAGE_BYTES: i64 = 16 * 1024;
/// What may wait for the thread.
const JOBS_MAX: usize = 1_024;
