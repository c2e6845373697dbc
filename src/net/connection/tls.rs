//! TLS: sessions over our own buffers, and the settings of both sides. The only file that names
//! rustls.
//!
//! A `TlsSession` takes sealed bytes and gives plain ones, and the other way round; it never touches
//! a socket. Versions 1.2 and 1.3, ALPN `http/1.1`, sessions resumed. Certificates are verified
//! against the bundled or the platform's roots, plus those of a PEM text where one is given.
//!
//! The crypto provider is chosen by cargo feature (`aws-lc-rs` wins over `ring`) and named in every
//! setting, so that no process-wide default is needed or touched.

use core::cell::RefCell;
use core::fmt;
use std::io::{BufRead, Write};
use std::rc::Rc;
use std::sync::Arc;

use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ServerSessionMemoryCache;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, Error, HandshakeKind,
    ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
};

use crate::limits::TLS_SESSIONS_MAX;
use crate::net::error::TlsFault;

/// Where the trusted roots come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's, as bundled with the program.
    #[default]
    Bundled,
    /// The platform's.
    Platform,
}

/// How to speak TLS with one provider.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// How to speak TLS on a listener.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
}

/// What is wrong with TLS settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupError {
    /// The provider's host is no name that a certificate could carry.
    HostName,
    /// The platform has no roots.
    PlatformRoots,
    /// The text holds no certificate in PEM form.
    NoCertificate,
    /// A certificate in the text cannot be read.
    BadCertificate,
    /// The text holds no private key in PEM form.
    NoKey,
    /// The key cannot be used, or is not the certificate's.
    BadKey,
    /// The crypto provider refused.
    Provider,
}

/// What a handshake agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedTls {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// Whether an earlier session was taken up.
    pub is_resumed: bool,
}

/// A session that the two halves of a connection share.
pub(in crate::net) type SharedTlsSession = Rc<RefCell<TlsSession>>;

/// One side of a TLS connection.
pub(in crate::net) struct TlsSession {
    /// Boxed: a handshake's future would else carry more than a KiB, in every connection's task.
    connection: Box<Connection>,
    is_closed_by_peer: bool,
}

impl ClientTls {
    /// Settings towards `host`, trusting `roots` and the certificates in `extra_pem`.
    ///
    /// # Errors
    ///
    /// When the host is no name, the roots cannot be had, or the text holds no certificate.
    pub fn new(host: &str, roots: Roots, extra_pem: Option<&[u8]>) -> Result<Self, SetupError> {
        let name = name_of(host)?;
        let mut config = client_config(roots, extra_pem)?;
        config.alpn_protocols = alpn();
        config.resumption =
            Resumption::store(Arc::new(ClientSessionMemoryCache::new(TLS_SESSIONS_MAX)));
        Ok(Self {
            config: Arc::new(config),
            name,
        })
    }
}

/// Settings towards a service that is not HTTP and is called by its name later.
///
/// # Errors
///
/// When the text holds no certificate.
pub fn plain_client(extra_pem: Option<&[u8]>) -> Result<ClientConfig, SetupError> {
    client_config(Roots::Bundled, extra_pem)
}

/// A host as a peer's certificate names it.
///
/// # Errors
/// It is no name.
pub fn name_of(host: &str) -> Result<ServerName<'static>, SetupError> {
    ServerName::try_from(host.to_owned()).map_err(|_| SetupError::HostName)
}

fn client_config(roots: Roots, extra_pem: Option<&[u8]>) -> Result<ClientConfig, SetupError> {
    let mut store = root_store(roots)?;
    for certificate in extra_pem.map(certificates).transpose()?.unwrap_or_default() {
        store
            .add(certificate)
            .map_err(|_| SetupError::BadCertificate)?;
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|_| SetupError::Provider)?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(config)
}

impl ServerTls {
    /// Settings of a listener that shows the certificate chain in `chain_pem`.
    ///
    /// # Errors
    ///
    /// When one of the texts does not hold what it should, or the two do not belong together.
    pub fn new(chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, SetupError> {
        let chain = certificates(chain_pem)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| SetupError::NoKey)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| SetupError::Provider)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|_| SetupError::BadKey)?;
        config.alpn_protocols = alpn();
        config.session_storage = ServerSessionMemoryCache::new(TLS_SESSIONS_MAX);
        // Rotates its keys by itself; shared by the workers, because a client's next connection
        // comes to any of them.
        config.ticketer = ticketer().map_err(|_| SetupError::Provider)?;
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostName => "host is no name or address that a certificate could carry",
            Self::PlatformRoots => "the platform has no root certificates; use the bundled ones",
            Self::NoCertificate => "no certificate found; expected PEM (BEGIN CERTIFICATE)",
            Self::BadCertificate => "a certificate cannot be read",
            Self::NoKey => "no private key found; expected PEM (BEGIN PRIVATE KEY)",
            Self::BadKey => "the private key cannot be used with the certificate",
            Self::Provider => "the crypto provider refused the settings",
        })
    }
}

impl core::error::Error for SetupError {}

impl TlsSession {
    pub(in crate::net) fn client(tls: &ClientTls) -> Result<Self, TlsFault> {
        let connection = ClientConnection::new(Arc::clone(&tls.config), tls.name.clone());
        connection
            .map(|client| Self::new(client.into()))
            .map_err(|error| fault(&error))
    }

    pub(in crate::net) fn server(tls: &ServerTls) -> Result<Self, TlsFault> {
        let connection = ServerConnection::new(Arc::clone(&tls.config));
        connection
            .map(|server| Self::new(server.into()))
            .map_err(|error| fault(&error))
    }

    fn new(connection: Connection) -> Self {
        let mut connection = Box::new(connection);
        // What is sealed is written before more is sealed: the bound is the caller's piece.
        connection.set_buffer_limit(None);
        Self {
            connection,
            is_closed_by_peer: false,
        }
    }

    pub(in crate::net) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the peer sent its close message.
    pub(in crate::net) const fn is_closed_by_peer(&self) -> bool {
        self.is_closed_by_peer
    }

    pub(in crate::net) fn facts(&self) -> NegotiatedTls {
        NegotiatedTls {
            version: match self.connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "",
            },
            is_resumed: self.connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// Takes sealed bytes and appends what they open to. Plaintext before a fault is appended too.
    /// What follows the peer's close message is thrown away.
    pub(in crate::net) fn open(
        &mut self,
        mut sealed: &[u8],
        into: &mut Vec<u8>,
    ) -> Result<(), TlsFault> {
        while !sealed.is_empty() && !self.is_closed_by_peer {
            let taken = self.connection.read_tls(&mut sealed);
            let processed = self.connection.process_new_packets();
            self.collect(into);
            let state = processed.map_err(|error| fault(&error))?;
            self.is_closed_by_peer = state.peer_has_closed();
            if !matches!(taken, Ok(count) if count > 0) && !self.is_closed_by_peer {
                return Err(TlsFault::Protocol);
            }
        }
        Ok(())
    }

    /// Seals `plain` and appends all that is to be sent.
    pub(in crate::net) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), TlsFault> {
        self.connection
            .writer()
            .write_all(plain)
            .map_err(|_| TlsFault::Internal)?;
        self.drain(out);
        Ok(())
    }

    /// Appends the close message and all else that is to be sent.
    pub(in crate::net) fn close(&mut self, out: &mut Vec<u8>) {
        self.connection.send_close_notify();
        self.drain(out);
    }

    /// Appends all that is to be sent: handshake messages, alerts, key updates.
    pub(in crate::net) fn drain(&mut self, out: &mut Vec<u8>) {
        while self.connection.wants_write() {
            if !matches!(self.connection.write_tls(out), Ok(count) if count > 0) {
                return;
            }
        }
    }

    fn collect(&mut self, into: &mut Vec<u8>) {
        let mut reader = self.connection.reader();
        while let Ok(chunk) = reader.fill_buf() {
            let length = chunk.len();
            if length == 0 {
                return;
            }
            into.extend_from_slice(chunk);
            reader.consume(length);
        }
    }
}

#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::aws_lc_rs as backend;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use rustls::crypto::ring as backend;

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
compile_error!("feature `server` needs a crypto provider: enable feature `ring` or `aws-lc-rs`");

fn provider() -> Arc<CryptoProvider> {
    Arc::new(backend::default_provider())
}

fn ticketer() -> Result<Arc<dyn rustls::server::ProducesTickets>, Error> {
    backend::Ticketer::new()
}

fn alpn() -> Vec<Vec<u8>> {
    vec![b"http/1.1".to_vec()]
}

fn root_store(roots: Roots) -> Result<RootCertStore, SetupError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Bundled => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::Platform => {
            let found = rustls_native_certs::load_native_certs();
            let (added, _) = store.add_parsable_certificates(found.certs);
            if added == 0 {
                return Err(SetupError::PlatformRoots);
            }
        }
    }
    Ok(store)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(list) if list.is_empty() => Err(SetupError::NoCertificate),
        Ok(list) => Ok(list),
        Err(_) => Err(SetupError::BadCertificate),
    }
}

#[cold]
fn fault(error: &Error) -> TlsFault {
    match error {
        Error::InvalidCertificate(certificate) => certificate_fault(certificate),
        Error::NoCertificatesPresented | Error::InvalidCertRevocationList(_) => {
            TlsFault::Certificate
        }
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => TlsFault::Incompatible,
        Error::AlertReceived(_) => TlsFault::Alert,
        Error::General(_)
        | Error::FailedToGetCurrentTime
        | Error::FailedToGetRandomBytes
        | Error::EncryptError
        | Error::BadMaxFragmentSize => TlsFault::Internal,
        _ => TlsFault::Protocol,
    }
}

fn certificate_fault(error: &CertificateError) -> TlsFault {
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::Name
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => TlsFault::Expired,
        // A bad signature is that of another root with a trusted one's name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::Untrusted,
        _ => TlsFault::Certificate,
    }
}

#[cfg(test)]
mod tests;
