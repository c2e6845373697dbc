//! Statements that both databases take. Parameters are numbered in the order in which they stand.

use core::time::Duration;

/// Every key, in the order of `KeyRow`.
pub const ALL_KEYS: &str = "SELECT id, tenant, name, digest, former, former_until, rules, created, \
                            expires, revoked FROM keys ORDER BY id";
/// One key.
pub const ONE_KEY: &str = "SELECT id, tenant, name, digest, former, former_until, rules, created, \
                           expires, revoked FROM keys WHERE id = $1";
/// Every tenant, in the order of `TenantRow`.
pub const ALL_TENANTS: &str = "SELECT name, rules, id FROM tenants ORDER BY name";
/// One tenant.
pub const ONE_TENANT: &str = "SELECT name, rules, id FROM tenants WHERE name = $1";
/// Keys behind an id with their tenants, in the order of `KeyRow` and then of `TenantRow`.
pub const KEYS_PAGE: &str = "SELECT keys.id, keys.tenant, keys.name, digest, former, former_until, \
                             keys.rules, keys.created, expires, revoked, tenants.name, \
                             tenants.rules, tenants.id \
                             FROM keys LEFT JOIN tenants ON tenants.name = keys.tenant \
                             WHERE keys.id > $1 ORDER BY keys.id LIMIT $2";
/// The same of one tenant's keys.
pub const KEYS_PAGE_OF_TENANT: &str = "SELECT keys.id, keys.tenant, keys.name, digest, former, \
                                       former_until, keys.rules, keys.created, expires, revoked, \
                                       tenants.name, tenants.rules, tenants.id \
                                       FROM keys LEFT JOIN tenants ON tenants.name = keys.tenant \
                                       WHERE keys.id > $1 AND keys.tenant = $2 \
                                       ORDER BY keys.id LIMIT $3";
/// Tenants behind a name, in the order of `TenantRow`.
pub const TENANTS_PAGE: &str =
    "SELECT name, rules, id FROM tenants WHERE name > $1 ORDER BY name LIMIT $2";
/// Changes that are taken over one by one; where there are more all rows are read.
pub const CHANGES_MAX: usize = 10_000;
/// Longest wait for a database to answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Adds a tenant with its rules, or replaces the rules of one that is there.
pub const SET_TENANT: &str = "INSERT INTO tenants (name, rules, created) VALUES ($1, $2, $3) \
                              ON CONFLICT (name) DO UPDATE SET rules = excluded.rules";
/// Adds a tenant with this id unless it is there.
pub const ADD_TENANT: &str = "INSERT INTO tenants (id, name, created) VALUES ($1, $2, $3) \
                              ON CONFLICT (name) DO NOTHING";
/// Removes a tenant's keys if all of them are revoked.
pub const REMOVE_REVOKED: &str = "DELETE FROM keys WHERE tenant = $1 AND NOT EXISTS \
                                  (SELECT 1 FROM keys AS one WHERE one.tenant = $1 AND one.revoked IS NULL)";
/// Removes a tenant of which no key is left but revoked ones.
pub const REMOVE_TENANT: &str = "DELETE FROM tenants WHERE name = $1 AND NOT EXISTS \
                                 (SELECT 1 FROM keys AS one WHERE one.tenant = $1 AND one.revoked IS NULL)";
/// Adds a key.
pub const ADD_KEY: &str = "INSERT INTO keys (id, tenant, name, digest, former, former_until, rules, \
                           created, expires, revoked) \
                           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
/// Changes a digest, if it is the one that was seen.
pub const ROTATE: &str = "UPDATE keys SET digest = $1, former = $2, former_until = $3 \
                          WHERE id = $4 AND digest = $5 AND revoked IS NULL";
/// Revokes a key.
pub const REVOKE: &str = "UPDATE keys SET revoked = $1 WHERE id = $2 AND revoked IS NULL";
