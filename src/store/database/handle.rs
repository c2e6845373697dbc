//! The store as the control side uses it, whichever database it is.

use crate::config::load::material::StoreMaterial;
use crate::config::schema::store_url::StorePlace;
use crate::govern::key::client_key::{Former, Key, Tenant};
use crate::store::database::changes::Changes;
use crate::store::database::migrations::Access;
use crate::store::database::postgres::Postgres;
use crate::store::database::row::{StoredState, TenantRow};
use crate::store::database::sqlite::Sqlite;
use crate::store::error::{StoreError, StoreFault};

/// An open store. What it has open ends when it is dropped.
#[derive(Debug)]
pub enum Store {
    /// A file of this host.
    Sqlite(Sqlite),
    /// A server.
    Postgres(Postgres),
}

impl Store {
    /// Opens the store, and brings it up to date where `access` says more than reading.
    ///
    /// # Errors
    /// It cannot be reached, or its schema is not for this program.
    pub async fn open(material: &StoreMaterial, access: Access) -> Result<Self, StoreError> {
        Ok(match &material.place {
            StorePlace::Sqlite(path) => Self::Sqlite(Sqlite::open(path, access).await?),
            StorePlace::Postgres { url, .. } => {
                let ca_pem = material.ca_pem.as_deref();
                Self::Postgres(Postgres::open(url.expose(), ca_pem, access).await?)
            }
        })
    }

    /// All keys and tenants.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn load(&self) -> Result<StoredState, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.load().await,
            Self::Postgres(postgres) => postgres.load().await,
        }
    }

    /// What has changed since the last load or the last changes; `None`: too much, all is to be loaded.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn changes(&self) -> Result<Option<Changes>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.changes().await,
            Self::Postgres(postgres) => postgres.changes().await,
        }
    }

    /// The first `limit` keys behind the id `after`, by id, and whether there are more; of one tenant, or
    /// of all. Rows that make no sense are passed over.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn keys_page(
        &self,
        tenant: Option<&str>,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<Key>, bool), StoreError> {
        let mut after = after.to_owned();
        let mut keys = Vec::new();
        loop {
            let rows = match self {
                Self::Sqlite(sqlite) => sqlite.keys_page(tenant, &after, limit + 1).await?,
                Self::Postgres(postgres) => postgres.keys_page(tenant, &after, limit + 1).await?,
            };
            let last = rows.last().map(|row| row.id.clone());
            let is_end = rows.len() <= limit;
            let (rows, tenants): (Vec<_>, Vec<_>) =
                rows.into_iter().map(|row| (row.key, row.tenant)).unzip();
            keys.extend(StoredState::of(rows, tenants.into_iter().flatten()).keys);
            match last {
                Some(last) if keys.len() <= limit && !is_end => after = last,
                _ => break,
            }
        }
        let has_more = keys.len() > limit;
        keys.truncate(limit);
        Ok((keys, has_more))
    }

    /// The first `count` tenants behind the name `after`, by name; fewer only where there are no more.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn tenants_page(&self, after: &str, count: usize) -> Result<Vec<Tenant>, StoreError> {
        let mut after = after.to_owned();
        let mut tenants = Vec::new();
        loop {
            let rows = match self {
                Self::Sqlite(sqlite) => sqlite.tenants_page(&after, count).await?,
                Self::Postgres(postgres) => postgres.tenants_page(&after, count).await?,
            };
            let last = rows.last().map(|(name, _)| name.clone());
            let is_end = rows.len() < count;
            tenants.extend(StoredState::of([], rows.into_iter().map(|(_, row)| row)).tenants);
            match last {
                Some(last) if tenants.len() < count && !is_end => after = last,
                _ => break,
            }
        }
        tenants.truncate(count);
        Ok(tenants)
    }

    /// Waits until somebody else has changed keys or tenants since they were loaded.
    ///
    /// # Errors
    /// The store cannot be used any more.
    pub async fn changed(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.changed().await,
            Self::Postgres(postgres) => postgres.changed().await,
        }
    }

    /// Milliseconds since 1970 by the clock of the server; `None`: the store is a file.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn time(&self) -> Result<Option<u64>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(postgres) => postgres.time().await.map(Some),
        }
    }

    /// Adds a key, and its tenant where it is new.
    ///
    /// # Errors
    /// Its id or digest is there already, or the store cannot be used.
    pub async fn create(&self, key: &Key) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.create(key).await,
            Self::Postgres(postgres) => postgres.create(key).await,
        }
    }

    /// One key by its id, revoked or not.
    ///
    /// # Errors
    /// There is none, its row makes no sense, or the store cannot be used.
    pub async fn find(&self, id: &str) -> Result<Key, StoreError> {
        let row = match self {
            Self::Sqlite(sqlite) => sqlite.find(id).await?,
            Self::Postgres(postgres) => postgres.find(id).await?,
        };
        let row = row.ok_or_else(|| StoreError::no_key(id))?;
        row.key().map_err(|fault| {
            StoreError::down(format!("the row of key `{id}` makes no sense: {fault}"))
        })
    }

    /// Gives a key that was not revoked another digest; the one before stays good until `former`
    /// says.
    ///
    /// # Errors
    /// There is no such key, or the store cannot be used.
    pub async fn rotate(
        &self,
        id: &str,
        digest: &[u8; 32],
        until_ms: Option<u64>,
    ) -> Result<Key, StoreError> {
        let mut key = self.find(id).await?;
        if key.revoked_ms.is_some() {
            return Err(StoreError::absent(id));
        }
        let before = key.digest;
        key.former = until_ms.map(|until_ms| Former {
            digest: before,
            until_ms,
        });
        key.digest = *digest;
        match self {
            Self::Sqlite(sqlite) => sqlite.rotate(&key, before).await?,
            Self::Postgres(postgres) => postgres.rotate(&key, before).await?,
        }
        Ok(key)
    }

    /// Makes a key unknown from now on. Its row stays.
    ///
    /// # Errors
    /// There is no such key, or the store cannot be used.
    pub async fn revoke(&self, id: &str, now_ms: u64) -> Result<Key, StoreError> {
        let mut key = self.find(id).await?;
        match self {
            Self::Sqlite(sqlite) => sqlite.revoke(id, now_ms).await?,
            Self::Postgres(postgres) => postgres.revoke(id, now_ms).await?,
        }
        key.revoked_ms = Some(now_ms);
        Ok(key)
    }

    /// One tenant by its name.
    ///
    /// # Errors
    /// There is none, its row makes no sense, or the store cannot be used.
    pub async fn find_tenant(&self, name: &str) -> Result<Tenant, StoreError> {
        let row = match self {
            Self::Sqlite(sqlite) => sqlite.find_tenant(name).await?,
            Self::Postgres(postgres) => postgres.find_tenant(name).await?,
        };
        let row = row.ok_or_else(|| StoreError::no_tenant(name))?;
        row.tenant().map_err(|fault| {
            StoreError::down(format!(
                "the row of tenant {name:?} makes no sense: {fault}"
            ))
        })
    }

    /// The id of the tenant that has this name now, if one of the store has.
    ///
    /// # Errors
    /// Its row makes no sense, or the store cannot be used.
    pub async fn tenant_id(&self, name: &str) -> Result<Option<Box<str>>, StoreError> {
        match self.find_tenant(name).await {
            Ok(tenant) => Ok(Some(tenant.id)),
            Err(error) if error.fault == StoreFault::Absent => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds a tenant that the configuration knows by this id, unless the store has one of its name.
    ///
    /// # Errors
    /// Another tenant has the id, or the store cannot be used.
    pub async fn add_tenant(&self, id: &str, name: &str, now_ms: u64) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.add_tenant(id, name, now_ms).await,
            Self::Postgres(postgres) => postgres.add_tenant(id, name, now_ms).await,
        }
    }

    /// Adds a tenant, or replaces its rules as a whole. Gives it with its id, which a new one gets here.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn set_tenant(&self, tenant: &Tenant, now_ms: u64) -> Result<Tenant, StoreError> {
        let row = TenantRow::of(tenant);
        match self {
            Self::Sqlite(sqlite) => sqlite.set_tenant(row, now_ms).await?,
            Self::Postgres(postgres) => postgres.set_tenant(row, now_ms).await?,
        }
        self.find_tenant(&tenant.name).await
    }

    /// Removes a tenant whose keys are all revoked, and these with it.
    ///
    /// # Errors
    /// There is none, it has another key, or the store cannot be used.
    pub async fn remove_tenant(&self, name: &str) -> Result<(), StoreError> {
        let (is_removed, left) = match self {
            Self::Sqlite(sqlite) => (
                sqlite.remove_tenant(name).await?,
                sqlite.find_tenant(name).await?,
            ),
            Self::Postgres(postgres) => (
                postgres.remove_tenant(name).await?,
                postgres.find_tenant(name).await?,
            ),
        };
        match (is_removed, left) {
            (true, _) => Ok(()),
            (false, None) => Err(StoreError::no_tenant(name)),
            (false, Some(_)) => Err(StoreError::has_keys(name)),
        }
    }
}

/// Runs what waits for a store, for commands that have no other runtime.
///
/// # Errors
/// The runtime cannot be had.
pub fn block_on<F: Future>(work: F) -> std::io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}
