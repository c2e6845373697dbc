//! The counters that several replicas share, in Redis: one script for each account, run for many of
//! them in one go.
//!
//! Its clock decides about seconds and days. Keys begin with `ringway:` and expire by themselves. A
//! connection that failed is of no more use: whoever holds it opens another.

use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisConnectionInfo, RedisError, Value,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::load::material::SharedMaterial;
use crate::config::schema::shared_url::{SharedAddress, SharedPlace};
use crate::govern::lease::lease_request::{
    BudgetGrant, BudgetRequest, ConcurrencyGrant, LeaseAmounts, LeaseGrant, LeaseRequest,
    RateGrant, RateRequest,
};
use crate::limits::{SHARED_ANSWER_BYTES_MAX, SHARED_ANSWER_TIMEOUT};
use crate::net::connection::tls;
use crate::net::runtime::{clock, random};
use crate::store::error::StoreError;

/// An open connection.
pub struct RedisCounters {
    connection: MultiplexedConnection,
    /// What reads and writes; it ends with the connection.
    driver: JoinHandle<()>,
    /// Bytes that may still be read.
    left: Arc<AtomicUsize>,
    /// What the script is known by.
    digest: String,
    /// What this replica is known by.
    replica: String,
}

impl RedisCounters {
    /// Connects, and makes the script known.
    ///
    /// # Errors
    /// It cannot be reached, or is none of ours to use.
    pub async fn open(material: &SharedMaterial, replica: &str) -> Result<Self, StoreError> {
        let opened = timeout(SHARED_ANSWER_TIMEOUT, connect(material)).await;
        let stream = opened.map_err(|_| StoreError::down("no connection in time"))??;
        let greeted = Self::greet(stream, &material.place, replica);
        timeout(SHARED_ANSWER_TIMEOUT, greeted)
            .await
            .map_err(|_| late())?
    }

    async fn greet(
        stream: Box<dyn RedisStream>,
        place: &SharedPlace,
        replica: &str,
    ) -> Result<Self, StoreError> {
        let left = Arc::new(AtomicUsize::new(SHARED_ANSWER_BYTES_MAX));
        let stream = Bounded {
            stream,
            left: Arc::clone(&left),
        };
        // Who opens the connection is said by its first command: this type would show a password.
        let nobody = RedisConnectionInfo::default().set_skip_set_lib_name();
        // Waits are bounded by whoever asks.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let opened = MultiplexedConnection::new_with_config(&nobody, stream, config).await;
        let (connection, driver) = opened.map_err(|error| failed(&error))?;
        let mut shared = Self {
            connection,
            driver: tokio::spawn(driver),
            left,
            digest: String::new(),
            replica: replica.to_owned(),
        };
        if let Some(password) = &place.password {
            let user = place.user.as_deref().unwrap_or("default");
            let mut auth = redis::cmd("AUTH");
            shared
                .done::<()>(auth.arg(user).arg(password.expose()))
                .await?;
        }
        if place.database > 0 {
            let mut select = redis::cmd("SELECT");
            shared.done::<()>(select.arg(place.database)).await?;
        }
        shared.load().await?;
        Ok(shared)
    }

    /// Makes the script known.
    async fn load(&mut self) -> Result<(), StoreError> {
        let mut load = redis::cmd("SCRIPT");
        self.digest = self.done(load.arg("LOAD").arg(SCRIPT)).await?;
        Ok(())
    }

    /// Whether it is still there, and the epoch of its counters; empty: there is none. Notes its time.
    ///
    /// # Errors
    /// It is not.
    pub async fn probe(&mut self) -> Result<String, StoreError> {
        let mut probe = redis::cmd("HGET");
        let probe = probe.arg(EPOCH).arg("id");
        let answered = timeout(SHARED_ANSWER_TIMEOUT, self.done::<Option<String>>(probe)).await;
        let epoch = answered.map_err(|_| late())??.unwrap_or_default();
        let time = redis::cmd("TIME");
        let told = timeout(SHARED_ANSWER_TIMEOUT, self.done::<(u64, u64)>(&time)).await;
        let (seconds, micros) = told.map_err(|_| late())??;
        clock::refer(
            clock::now(),
            seconds.saturating_mul(1_000).saturating_add(micros / 1_000),
        );
        let mut keep = redis::cmd("EXPIRE");
        let keep = keep.arg(EPOCH).arg(EPOCH_LIFE_SECONDS);
        let kept = timeout(SHARED_ANSWER_TIMEOUT, self.done::<i64>(keep)).await;
        kept.map_err(|_| late())??;
        Ok(epoch)
    }

    /// Waits until other replicas want something back, for a second or so; numbers and names of
    /// accounts. The connection is of no use for anything else meanwhile.
    ///
    /// # Errors
    /// It is not there any more.
    pub async fn recalled(&mut self) -> Result<Vec<(u64, String)>, StoreError> {
        let list = format!("ringway:recall:{}", self.replica);
        self.expect(RECALLS_MAX.saturating_mul(GRANT_BYTES_MAX));
        let mut calls = Pipeline::with_capacity(2);
        calls.cmd("BLPOP").arg(&list).arg(1);
        calls.cmd("LPOP").arg(&list).arg(RECALLS_MAX);
        let wait = SHARED_ANSWER_TIMEOUT.saturating_add(Duration::from_secs(1));
        let sent = timeout(wait, calls.query_async(&mut self.connection)).await;
        let answers: (Option<(String, String)>, Option<Vec<String>>) =
            sent.map_err(|_| late())?.map_err(|error| failed(&error))?;
        let first = answers.0.into_iter().map(|(_, given)| given);
        let all = first.chain(answers.1.into_iter().flatten());
        let recall = |given: String| {
            let (number, name) = given.split_once(' ')?;
            Some((number.parse().ok()?, name.to_owned()))
        };
        Ok(all.filter_map(recall).collect())
    }

    /// Carries out orders; one grant for each. `epoch`: the last one of these counters that this
    /// process has heard of; empty: none.
    ///
    /// # Errors
    /// They may have been carried out or not.
    pub async fn carry_out(
        &mut self,
        orders: &[LeaseRequest],
        epoch: &str,
    ) -> Result<Vec<LeaseGrant>, StoreError> {
        let answered = timeout(SHARED_ANSWER_TIMEOUT, self.run(orders, epoch)).await;
        answered.map_err(|_| late())?
    }

    async fn run(
        &mut self,
        orders: &[LeaseRequest],
        epoch: &str,
    ) -> Result<Vec<LeaseGrant>, StoreError> {
        let mut grants = vec![None; orders.len()];
        // A server that was started anew does not know the script; it has run for none then.
        for _ in 0..2 {
            let mut calls = Pipeline::with_capacity(orders.len());
            for (order, grant) in orders.iter().zip(&grants) {
                if grant.is_none() {
                    calls.add_command(call(order, &self.digest, (&self.replica, epoch)));
                }
            }
            if calls.is_empty() {
                break;
            }
            self.expect(calls.len().saturating_mul(GRANT_BYTES_MAX));
            let sent = self.connection.send_packed_commands(&calls, 0, calls.len());
            let answers = sent.await.map_err(|error| failed(&error))?;
            let open = orders.iter().zip(&mut grants);
            let open = open.filter(|(_, grant)| grant.is_none());
            for ((order, grant), answer) in open.zip(answers) {
                *grant = match answer {
                    Value::ServerError(error) if error.code() == "NOSCRIPT" => None,
                    Value::ServerError(error) => {
                        let error = RedisError::from(error);
                        return Err(self.refused(order, &error).await);
                    }
                    value => Some(grant_of(&value).ok_or_else(odd)?),
                };
            }
            if grants.iter().any(Option::is_none) {
                self.load().await?;
            }
        }
        let grants: Option<Vec<LeaseGrant>> = grants.into_iter().collect();
        grants.ok_or_else(odd)
    }

    /// Why the script failed for an account. A key of another type than the script's is named: the
    /// server's words do not say which it is.
    async fn refused(&mut self, order: &LeaseRequest, error: &RedisError) -> StoreError {
        if !error.to_string().contains("WRONGTYPE") {
            return failed(error);
        }
        for key in COUNTERS.map(|counter| key_of(&order.name, counter)) {
            let mut asks = redis::cmd("TYPE");
            match self.done::<String>(asks.arg(&key)).await {
                Ok(kind) if kind == "hash" || kind == "none" => {}
                Ok(kind) => {
                    let key: String = key.chars().filter(|c| !c.is_control()).collect();
                    return StoreError::down(format!(
                        "WRONGTYPE: the key `{key}` is of the type {kind}, expected hash: something other than \
                         ringway wrote it; remove it (`DEL`), or give ringway a database of its own"
                    ));
                }
                Err(error) => return error,
            }
        }
        failed(error)
    }

    /// One command, and what it was answered.
    async fn done<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, StoreError> {
        self.expect(0);
        let answered = command.query_async(&mut self.connection).await;
        answered.map_err(|error| failed(&error))
    }

    /// What comes now has at most so many bytes more than any answer may.
    fn expect(&self, more: usize) {
        let bytes = SHARED_ANSWER_BYTES_MAX.saturating_add(more);
        self.left.store(bytes, Ordering::Relaxed);
    }
}

impl Drop for RedisCounters {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

trait RedisStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> RedisStream for T {}

/// A stream that no more is read of than was expected: the crate takes answers of any length.
struct Bounded {
    stream: Box<dyn RedisStream>,
    left: Arc<AtomicUsize>,
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        let counted = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(read)
            });
        Poll::Ready(match counted {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("an answer that is too long")),
        })
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

async fn connect(material: &SharedMaterial) -> Result<Box<dyn RedisStream>, StoreError> {
    let (host, port, is_tls) = match &material.place.address {
        SharedAddress::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(|e| told(&e))?;
            return Ok(Box::new(stream));
        }
        SharedAddress::Tcp { host, port, tls } => (host.as_str(), *port, *tls),
    };
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|e| told(&e))?;
    stream.set_nodelay(true).map_err(|e| told(&e))?;
    if !is_tls {
        return Ok(Box::new(stream));
    }
    let unset = |error: &dyn core::fmt::Display| StoreError::down(format!("TLS: {error}"));
    let config = tls::plain_client(material.ca_pem.as_deref()).map_err(|e| unset(&e))?;
    let name = tls::name_of(host).map_err(|e| unset(&e))?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|e| told(&e))?;
    Ok(Box::new(stream))
}

/// The script's call for one account.
fn call(order: &LeaseRequest, digest: &str, (replica, epoch): (&str, &str)) -> Cmd {
    let name = &order.name;
    let mut call = redis::cmd("EVALSHA");
    // Beside the counters the replica's last order, and the epoch.
    call.arg(digest).arg(COUNTERS.len() + 2);
    for counter in COUNTERS {
        call.arg(key_of(name, counter));
    }
    call.arg(key_of(name, &format!("order:{replica}")));
    call.arg(EPOCH);
    push(Some(clock::checked_now_ms()), &mut call);
    call.arg(&*order.name).arg(replica).arg(order.id);
    push(Some(u64::from(order.is_again)), &mut call);
    // Whoever finds no epoch begins this one.
    call.arg(format!("{:016x}", random::word()));
    call.arg(epoch).arg(&*order.epoch);
    for number in [order.recall, u64::from(order.gives_up), order.answered] {
        push(Some(number), &mut call);
    }
    push(Some(u64::from(order.holds)), &mut call);
    let pledged = order.pledged;
    for number in [
        pledged.requests,
        pledged.tokens,
        pledged.places,
        pledged.money,
    ] {
        push(Some(number), &mut call);
    }
    let places = order.places.unwrap_or_default();
    push(order.places.map(|places| places.limit), &mut call);
    for number in [places.held, places.want, places.wanted] {
        push(Some(number), &mut call);
    }
    call.arg(replica);
    push(u64::try_from(PLACES_LIFE.as_millis()).ok(), &mut call);
    append_rate(order.requests.as_ref(), &mut call);
    append_rate(order.tokens.as_ref(), &mut call);
    let none = BudgetRequest::default();
    let money = order.money.as_ref().unwrap_or(&none);
    push(money.day, &mut call);
    push(money.month, &mut call);
    let needs = &money.needs;
    for number in [needs.want, needs.wanted, needs.least, needs.owed] {
        push(Some(number), &mut call);
    }
    call.arg(money.back.len());
    let known = &order.known;
    for number in [known.day, known.on_day, known.month, known.in_month] {
        push(Some(number), &mut call);
    }
    append_pairs(&money.back, &mut call);
    call
}

/// The key of one of an account's counters. Redis keeps what is in braces in one place, where it has
/// several.
fn key_of(name: &str, counter: &str) -> String {
    format!("ringway:{{{name}}}:{counter}")
}

fn append_rate(order: Option<&RateRequest>, call: &mut Cmd) {
    let none = RateRequest::default();
    push(order.map(|rate| rate.limit), call);
    let rate = order.unwrap_or(&none);
    let needs = &rate.needs;
    for number in [
        needs.want,
        needs.wanted,
        needs.least,
        needs.ready,
        needs.owed,
    ] {
        push(Some(number), call);
    }
    call.arg(rate.back.len());
    append_pairs(&rate.back, call);
}

fn append_pairs(back: &[(u64, u64)], call: &mut Cmd) {
    for &(of, amount) in back {
        push(Some(of), call);
        push(Some(amount), call);
    }
}

/// A number; `None`: there is no such limit.
fn push(number: Option<u64>, call: &mut Cmd) {
    match number {
        Some(number) => call.arg(number.min(EXACT_MAX)),
        None => call.arg(-1),
    };
}

fn grant_of(value: &Value) -> Option<LeaseGrant> {
    let Value::Array(values) = value else {
        return None;
    };
    let (epoch, values) = values.split_last()?;
    let epoch = match epoch {
        Value::BulkString(bytes) => core::str::from_utf8(bytes).ok()?,
        _ => return None,
    };
    let mut values = values.iter();
    let mut next = || match values.next()? {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    let places = ConcurrencyGrant {
        granted: next()?,
        left: next()?,
    };
    let mut rate = || {
        Some(RateGrant {
            granted: next()?,
            ready: next()?,
            left: next()?,
            slot: next()?,
            wait_ms: next()?,
            reset_ms: next()?,
        })
    };
    let (requests, tokens) = (rate()?, rate()?);
    Some(LeaseGrant {
        requests,
        tokens,
        places,
        money: BudgetGrant {
            granted: next()?,
            day: next()?,
            month: next()?,
            on_day: next()?,
            in_month: next()?,
        },
        recall: next()?,
        is_recalling: next()? > 0,
        total: LeaseAmounts {
            requests: next()?,
            tokens: next()?,
            places: next()?,
            money: next()?,
        },
        pledged: LeaseAmounts {
            requests: next()?,
            tokens: next()?,
            places: next()?,
            money: next()?,
        },
        epoch: epoch.into(),
    })
}

fn told(error: &io::Error) -> StoreError {
    StoreError::down(error.to_string())
}

/// What went wrong: words of the server's, which are bounded, or of the crate's.
fn failed(error: &RedisError) -> StoreError {
    let text = error.to_string();
    let words = text.chars().filter(|c| !c.is_control()).take(TOLD_MAX);
    StoreError::down(words.collect::<String>())
}

fn late() -> StoreError {
    StoreError::down("no answer in time")
}

fn odd() -> StoreError {
    StoreError::down("an answer that makes no sense")
}

/// What an account has keys for; each is a hash.
const COUNTERS: [&str; 5] = ["requests", "tokens", "running", "money", "holders"];
const SCRIPT: &str = include_str!("lease.lua");
/// The epoch of the counters: they have forgotten everything where it is another.
const EPOCH: &str = "ringway:epoch";
/// Longer than any counter lasts that nobody uses.
const EPOCH_LIFE_SECONDS: u64 = 40 * 86_400;
/// Accounts that are recalled in one go.
const RECALLS_MAX: usize = 256;
/// Bytes of what the script answers: 29 numbers and the epoch, or an error.
const GRANT_BYTES_MAX: usize = 1024;
/// Places of a replica that says nothing any more are free after this.
const PLACES_LIFE: Duration = Duration::from_secs(5);
/// Up to here every whole number is exact in a script.
const EXACT_MAX: u64 = 1 << 53;
/// Characters of a server's words that are told.
const TOLD_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::{RedisCounters, SHARED_ANSWER_BYTES_MAX};
    use crate::config::schema::shared_url::SharedPlace;

    /// How a server is greeted that says this and hangs up, and how much of it was read.
    async fn greeted(given: &[u8]) -> (Result<RedisCounters, String>, usize) {
        let (ours, mut theirs) = duplex(1024);
        let place = SharedPlace::parse("redis://user:se%40cret@a/1").unwrap();
        let greets = RedisCounters::greet(Box::new(ours), &place, "r");
        let serves = async {
            let mut asked = [0; 1024];
            let _ = theirs.read(&mut asked).await.unwrap();
            let mut written = 0;
            for part in given.chunks(512) {
                match theirs.write_all(part).await {
                    Ok(()) => written += part.len(),
                    Err(_) => break,
                }
            }
            theirs.shutdown().await.unwrap();
            written
        };
        let (greeted, written) = tokio::join!(greets, serves);
        (greeted.map_err(|error| error.to_string()), written)
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_not_read_to_its_end() {
        let given = [&b"$1000000\r\n"[..], &[b'x'; 1_000_000]].concat();
        let (greeted, written) = greeted(&given).await;
        assert!(greeted.is_err());
        assert!(written < 2 * SHARED_ANSWER_BYTES_MAX, "{written}");
    }

    #[tokio::test]
    async fn what_no_server_sends_is_refused() {
        let deep = b"*1\r\n".repeat(5000);
        for given in [
            &b""[..],
            b"\r\n",
            b"?\r\n",
            b":1x\r\n",
            b":99999999999999999999\r\n",
            b"$-2\r\n",
            b"$1\r\nabc\r\n",
            b"$9223372036854775807\r\nabc",
            b"*9223372036854775807\r\n:1\r\n",
            b"%-1\r\n",
            &deep,
        ] {
            let (greeted, _) = greeted(given).await;
            assert!(greeted.is_err(), "{}", given.escape_ascii());
        }
    }

    #[tokio::test]
    async fn p23_what_a_server_says_is_told_bounded_and_without_the_password() {
        let given = [&b"-WRONGPASS no \x07"[..], &[b'x'; 1000], b"\r\n"].concat();
        let (greeted, _) = greeted(&given).await;
        let told = greeted.err().unwrap();
        assert!(told.contains("WRONGPASS"), "{told}");
        assert!(
            !told.contains("se@cret") && !told.contains('\x07'),
            "{told}"
        );
        assert!(told.len() < 300, "{told}");
    }
}
