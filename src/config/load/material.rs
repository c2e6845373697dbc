//! What the configuration points at outside its own text: keys and certificates, read.
//!
//! Not here: reading them (see `config::load`), certificates' meaning (see `net::tls`).

use std::path::PathBuf;

use crate::config::schema::file::SharedDown;
use crate::config::schema::secret::Secret;
use crate::config::schema::shared_url::SharedPlace;
use crate::config::schema::store_url::StorePlace;

/// Keys and certificates of one configuration.
#[derive(Debug, Default)]
pub struct Material {
    /// One for each provider of the configuration, in its order.
    pub providers: Vec<ProviderMaterial>,
    /// Certificate and key of the listener.
    pub tls: Option<TlsMaterial>,
    /// Folder of the usage journal.
    pub journal: Option<PathBuf>,
    /// SHA-256 stands for it later: the credential of those who manage keys.
    pub admin_key: Option<Secret>,
    /// Where keys are kept.
    pub store: Option<StoreMaterial>,
    /// Where the counters stand that several replicas share.
    pub shared: Option<SharedMaterial>,
    /// Environment variables that held a key: to be taken out of the process environment.
    pub secret_variables: Vec<String>,
}

/// Whose key goes to a provider.
#[derive(Debug)]
pub enum Credential {
    /// Ours, whoever asks: at least one, in the order in which they are used.
    Ours(Vec<Secret>),
    /// The caller's own, and only where the caller speaks the provider's wire.
    Caller,
    /// None goes out.
    None,
}

/// Key and trust of one provider.
#[derive(Debug)]
pub struct ProviderMaterial {
    /// The key that goes out.
    pub credential: Credential,
    /// Certificates that are trusted beside the roots, PEM.
    pub ca_pem: Option<Vec<u8>>,
}

/// Where keys are kept, and what it takes to get there.
#[derive(Debug)]
pub struct StoreMaterial {
    /// The place.
    pub place: StorePlace,
    /// Where the last good state is kept.
    pub snapshot: PathBuf,
    /// Certificates that are trusted beside the bundled ones, PEM.
    pub ca_pem: Option<Vec<u8>>,
}

/// Where the counters stand that several replicas share, and what it takes to get there.
#[derive(Debug)]
pub struct SharedMaterial {
    /// The place.
    pub place: SharedPlace,
    /// Certificates that are trusted beside the bundled ones, PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// What holds while they are away.
    pub down: SharedDown,
}

/// Certificate and key of the listener.
#[derive(Debug)]
pub struct TlsMaterial {
    /// The chain, PEM.
    pub cert_pem: Vec<u8>,
    /// The private key, PEM.
    pub key_pem: Secret,
}
