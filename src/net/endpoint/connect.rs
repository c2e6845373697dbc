//! Connecting to a provider: its endpoint, and the race over its addresses.
//!
//! Names are resolved elsewhere (`resolve`, on the control thread); a worker only loads the
//! addresses. Where there are several, each gets a head start of 250 ms over the next (RFC 8305),
//! beginning with the one that answered last time; a failure starts the next at once.

use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::task::{Context, Poll};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use monoio::net::TcpStream;
use tokio::sync::Notify;

use crate::limits::{ADDRESS_HEAD_START, ADDRESSES_MAX, RESOLVE_POLL};
use crate::net::connection::socket::Origin;
use crate::net::connection::stream::NetStream;
use crate::net::connection::tls::ClientTls;
use crate::net::endpoint::{handshake, spare_descriptor};
use crate::net::error::{NetError, NetErrorKind, NetOperation};
use crate::net::runtime::clock::now;
use crate::net::runtime::timer::{self, Deadline};
use crate::net::sim::{injected_failure, listeners};

/// Where a provider is reached. Shared by the workers and the control thread.
#[derive(Debug)]
pub struct ProviderEndpoint {
    host: String,
    port: u16,
    tls: Option<ClientTls>,
    addresses: ArcSwap<Addresses>,
    /// Resolutions that have ended, well or not.
    resolutions: AtomicU64,
    is_asked: AtomicBool,
    resolver: ArcSwapOption<Notify>,
}

/// The known addresses of an endpoint.
#[derive(Debug, Default)]
struct Addresses {
    list: Vec<SocketAddr>,
    /// Index of the one that answered last. 0 <= best < list.len(), or 0.
    best: AtomicUsize,
}

/// How long a connection may take to come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectTimeouts {
    /// For the first resolution of the name.
    pub resolve_ms: u64,
    /// For TCP.
    pub connect_ms: u64,
    /// For TLS.
    pub handshake_ms: u64,
}

impl ProviderEndpoint {
    /// The endpoint at `host`, a name or an IP address (IPv6 without brackets), and `port`.
    #[must_use]
    pub fn new(host: &str, port: u16, tls: Option<ClientTls>) -> Self {
        let literal = host
            .parse::<IpAddr>()
            .ok()
            .map(|ip| SocketAddr::new(ip, port));
        Self {
            host: host.to_owned(),
            port,
            tls,
            addresses: ArcSwap::from_pointee(Addresses::new(literal.into_iter().collect())),
            resolutions: AtomicU64::new(0),
            is_asked: AtomicBool::new(false),
            resolver: ArcSwapOption::empty(),
        }
    }

    /// The host, as configured.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether connections to it speak TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The addresses known now, in the order they would be tried in.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let known = self.addresses.load();
        known.in_order().map(|(_, address)| address).collect()
    }

    /// Asks for a new resolution soon. Does nothing for an address.
    pub fn ask(&self) {
        self.is_asked.store(true, Ordering::Release);
        if let Some(resolver) = &*self.resolver.load() {
            resolver.notify_one();
        }
    }

    /// Whether the host is a name, so that somebody has to resolve it.
    pub(in crate::net) fn needs_resolver(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    pub(in crate::net) fn attach(&self, resolver: &Arc<Notify>) {
        self.resolver.store(Some(Arc::clone(resolver)));
    }

    pub(in crate::net) fn take_ask(&self) -> bool {
        self.is_asked.swap(false, Ordering::AcqRel)
    }

    /// Ends a resolution. An empty answer leaves the last good one in place.
    pub(in crate::net) fn resolved(&self, mut list: Vec<SocketAddr>) {
        list.truncate(ADDRESSES_MAX);
        if !list.is_empty() && list != self.addresses.load().list {
            self.addresses.store(Arc::new(Addresses::new(list)));
        }
        self.resolutions.fetch_add(1, Ordering::Release);
    }

    /// The addresses; waits for the first resolution where there are none yet.
    async fn known(&self, resolve_ms: u64) -> Result<Arc<Addresses>, NetError> {
        let known = self.addresses.load_full();
        if !known.list.is_empty() {
            return Ok(known);
        }
        let before = self.resolutions.load(Ordering::Acquire);
        self.ask();
        let end = now().plus_ms(resolve_ms);
        loop {
            timer::sleep(u64::try_from(RESOLVE_POLL.as_millis()).unwrap_or(1)).await;
            let known = self.addresses.load_full();
            if !known.list.is_empty() {
                return Ok(known);
            }
            if self.resolutions.load(Ordering::Acquire) > before {
                return Err(NetError::new(
                    NetOperation::Resolve,
                    NetErrorKind::NoAddress,
                ));
            }
            if now() >= end {
                return Err(NetError::new(NetOperation::Resolve, NetErrorKind::Timeout));
            }
        }
    }
}

impl Addresses {
    const fn new(list: Vec<SocketAddr>) -> Self {
        Self {
            list,
            best: AtomicUsize::new(0),
        }
    }

    /// From the best one on, around the list.
    fn in_order(&self) -> impl Iterator<Item = (usize, SocketAddr)> {
        let best = self.best.load(Ordering::Relaxed);
        let indexed = self.list.iter().copied().enumerate();
        indexed.clone().skip(best).chain(indexed.take(best))
    }
}

/// Opens a connection to one of the endpoint's addresses that `admits` says yes to, its TLS handshake
/// done. Safe to drop: what was begun is closed.
///
/// # Errors
///
/// When the name has no address, none that is admitted, no address answers in time, or TLS says no.
/// After the first three a new resolution is asked for. [`NetErrorKind::Exhausted`] is no fault of the
/// endpoint's.
pub async fn connect(
    endpoint: &ProviderEndpoint,
    waits: ConnectTimeouts,
    admits: impl Fn(IpAddr) -> bool,
) -> Result<NetStream, NetError> {
    if spare_descriptor::is_short() {
        return Err(NetError::new(
            NetOperation::Connect,
            NetErrorKind::Exhausted,
        ));
    }
    let known = endpoint.known(waits.resolve_ms).await?;
    let admitted = known.in_order().filter(|(_, each)| admits(each.ip()));
    let admitted: Vec<_> = admitted.collect();
    if admitted.is_empty() {
        endpoint.ask();
        return Err(NetError::new(NetOperation::Connect, NetErrorKind::Barred));
    }
    let timeout = NetError::new(NetOperation::Connect, NetErrorKind::Timeout);
    let raced = timer::within(waits.connect_ms, race(admitted)).await;
    let (index, stream) = match raced.unwrap_or(Err(timeout)) {
        Ok(won) => won,
        Err(failure) => {
            endpoint.ask();
            return Err(failure);
        }
    };
    known.best.store(index, Ordering::Relaxed);
    match &endpoint.tls {
        None => Ok(stream),
        Some(tls) => handshake::client(stream, tls, waits.handshake_ms).await,
    }
}

type Winner = (usize, NetStream);

/// The first address that answers. The last failure, where none does.
async fn race(addresses: Vec<(usize, SocketAddr)>) -> Result<Winner, NetError> {
    let mut race = AddressRace {
        waiting: addresses.into_iter(),
        running: Vec::new(),
        head_start: Deadline::new(),
        failure: NetError::new(NetOperation::Connect, NetErrorKind::NoAddress),
    };
    poll_fn(|cx| race.poll(cx)).await
}

/// A connection to one address.
async fn open(address: SocketAddr) -> io::Result<NetStream> {
    if let Some(connected) = listeners::connect(address).await {
        return connected.map(|end| NetStream::from_sim(end, address));
    }
    injected_failure::fails()?;
    let tcp = TcpStream::connect_addr(address).await?;
    Ok(NetStream::from_tcp(tcp, address, Origin::Connected))
}

struct AddressRace {
    waiting: std::vec::IntoIter<(usize, SocketAddr)>,
    /// At most `ADDRESSES_MAX`. A dropped attempt closes its socket.
    running: Vec<ConnectAttempt>,
    head_start: Deadline,
    failure: NetError,
}

struct ConnectAttempt {
    index: usize,
    future: Pin<Box<dyn Future<Output = io::Result<NetStream>>>>,
}

impl AddressRace {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Winner, NetError>> {
        loop {
            if let Some(won) = self.poll_running(cx) {
                return Poll::Ready(Ok(won));
            }
            let is_time = self.running.is_empty() || self.head_start.poll_expired(cx).is_ready();
            if !is_time {
                return Poll::Pending;
            }
            self.head_start.clear();
            match self.waiting.next() {
                Some((index, address)) => self.begin(index, address),
                None if self.running.is_empty() => return Poll::Ready(Err(self.failure)),
                None => return Poll::Pending,
            }
        }
    }

    fn begin(&mut self, index: usize, address: SocketAddr) {
        let future = Box::pin(open(address));
        self.running.push(ConnectAttempt { index, future });
        self.head_start.set_at(now().plus(ADDRESS_HEAD_START));
    }

    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<Winner> {
        let mut place = 0;
        while let Some(attempt) = self.running.get_mut(place) {
            match attempt.future.as_mut().poll(cx) {
                Poll::Pending => place += 1,
                Poll::Ready(Ok(stream)) => return Some((attempt.index, stream)),
                Poll::Ready(Err(error)) => {
                    self.failure = NetError::from_io(NetOperation::Connect, &error);
                    self.running.swap_remove(place);
                    // A failure gives up the rest of its head start.
                    self.head_start.set_at(now());
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
