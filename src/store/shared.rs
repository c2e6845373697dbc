//! The counters that several replicas share, in Redis: one script for each account, run for many of
//! them in one go.
//!
//! Its clock decides about seconds and days. Keys begin with `ringway:` and expire by themselves. A
//! connection that failed is of no more use: whoever holds it opens another.

use core::time::Duration;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::material::SharedMaterial;
use crate::config::shared_place::{SharedAddress, SharedPlace};
use crate::govern::order::{
    Grant, MoneyGrant, MoneyOrder, Order, PlacesGrant, RateGrant, RateOrder,
};
use crate::limits::{SHARED_ANSWER_BYTES_MAX, SHARED_ANSWER_TIMEOUT};
use crate::net::tls;
use crate::store::error::StoreError;
use crate::store::resp::{self, Value};

/// An open connection.
pub struct Shared {
    reads: Box<dyn AsyncRead + Send + Unpin>,
    writes: Box<dyn AsyncWrite + Send + Unpin>,
    /// What was read and not taken yet.
    input: Vec<u8>,
    output: Vec<u8>,
    /// What the script is known by.
    digest: Vec<u8>,
    /// What this replica is known by.
    replica: String,
}

type Halves = (
    Box<dyn AsyncRead + Send + Unpin>,
    Box<dyn AsyncWrite + Send + Unpin>,
);

impl Shared {
    /// Connects, and makes the script known.
    ///
    /// # Errors
    /// It cannot be reached, or is none of ours to use.
    pub async fn open(material: &SharedMaterial, replica: &str) -> Result<Self, StoreError> {
        let opened = timeout(SHARED_ANSWER_TIMEOUT, connect(material)).await;
        let (reads, writes) = opened.map_err(|_| StoreError::down("no connection in time"))??;
        let mut shared = Self {
            reads,
            writes,
            input: Vec::new(),
            output: Vec::new(),
            digest: Vec::new(),
            replica: replica.to_owned(),
        };
        timeout(SHARED_ANSWER_TIMEOUT, shared.greet(&material.place))
            .await
            .map_err(|_| late())??;
        Ok(shared)
    }

    async fn greet(&mut self, place: &SharedPlace) -> Result<(), StoreError> {
        if let Some(password) = &place.password {
            let user = place.user.as_deref().unwrap_or("default");
            self.done(&[b"AUTH", user.as_bytes(), password.expose()])
                .await?;
        }
        if place.database > 0 {
            let number = place.database.to_string();
            self.done(&[b"SELECT", number.as_bytes()]).await?;
        }
        self.load().await
    }

    /// Makes the script known.
    async fn load(&mut self) -> Result<(), StoreError> {
        match self.done(&[b"SCRIPT", b"LOAD", SCRIPT.as_bytes()]).await? {
            Value::Text(Some(digest)) => {
                self.digest = digest;
                Ok(())
            }
            _ => Err(odd()),
        }
    }

    /// Whether it is still there.
    ///
    /// # Errors
    /// It is not.
    pub async fn probe(&mut self) -> Result<(), StoreError> {
        let answered = timeout(SHARED_ANSWER_TIMEOUT, self.done(&[b"PING"])).await;
        answered.map_err(|_| late())?.map(|_| ())
    }

    /// Carries out orders; one grant for each.
    ///
    /// # Errors
    /// They may have been carried out or not.
    pub async fn carry_out(&mut self, orders: &[Order]) -> Result<Vec<Grant>, StoreError> {
        let answered = timeout(SHARED_ANSWER_TIMEOUT, self.run(orders)).await;
        answered.map_err(|_| late())?
    }

    async fn run(&mut self, orders: &[Order]) -> Result<Vec<Grant>, StoreError> {
        let mut grants = vec![None; orders.len()];
        // A server that was started anew does not know the script; it has run for none then.
        for _ in 0..2 {
            let digest = core::mem::take(&mut self.digest);
            let open = || {
                orders
                    .iter()
                    .zip(&grants)
                    .filter(|(_, grant)| grant.is_none())
            };
            for (order, _) in open() {
                append(order, &digest, &self.replica, &mut self.output);
            }
            self.digest = digest;
            self.flush().await?;
            for grant in grants.iter_mut().filter(|grant| grant.is_none()) {
                *grant = match self.value().await? {
                    Value::Error(text) if text.starts_with("NOSCRIPT") => None,
                    Value::Error(text) => return Err(refused(&text)),
                    value => Some(grant_of(&value).ok_or_else(odd)?),
                };
            }
            if grants.iter().all(Option::is_some) {
                break;
            }
            self.load().await?;
        }
        let grants: Option<Vec<Grant>> = grants.into_iter().collect();
        grants.ok_or_else(odd)
    }

    /// One command, and what it was answered.
    async fn done(&mut self, parts: &[&[u8]]) -> Result<Value, StoreError> {
        resp::command(parts, &mut self.output);
        self.flush().await?;
        match self.value().await? {
            Value::Error(text) => Err(refused(&text)),
            value => Ok(value),
        }
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        let written = self.writes.write_all(&self.output).await;
        self.output.clear();
        written.map_err(|error| told(&error))?;
        self.writes.flush().await.map_err(|error| told(&error))
    }

    async fn value(&mut self) -> Result<Value, StoreError> {
        loop {
            let read = resp::value(&self.input, VALUES_MAX).map_err(|_| odd())?;
            if let Some((value, length)) = read {
                self.input.drain(..length);
                return Ok(value);
            }
            if self.input.len() > SHARED_ANSWER_BYTES_MAX {
                return Err(odd());
            }
            let read = self.reads.read_buf(&mut self.input).await;
            if read.map_err(|error| told(&error))? == 0 {
                return Err(StoreError::down("the connection has ended"));
            }
        }
    }
}

async fn connect(material: &SharedMaterial) -> Result<Halves, StoreError> {
    let (host, port, is_tls) = match &material.place.address {
        SharedAddress::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(|e| told(&e))?;
            return Ok(halves(stream));
        }
        SharedAddress::Tcp { host, port, tls } => (host.as_str(), *port, *tls),
    };
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|e| told(&e))?;
    stream.set_nodelay(true).map_err(|e| told(&e))?;
    if !is_tls {
        return Ok(halves(stream));
    }
    let unset = |error: &dyn core::fmt::Display| StoreError::down(format!("TLS: {error}"));
    let config = tls::plain_client(material.ca_pem.as_deref()).map_err(|e| unset(&e))?;
    let name = tls::name_of(host).map_err(|e| unset(&e))?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|e| told(&e))?;
    Ok(halves(stream))
}

fn halves(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Halves {
    let (reads, writes) = split(stream);
    (Box::new(reads), Box::new(writes))
}

/// Appends the script's call for one account.
fn append(order: &Order, digest: &[u8], replica: &str, out: &mut Vec<u8>) {
    let name = &order.name;
    let mut parts = vec!["4".to_owned()];
    for counter in ["requests", "tokens", "running", "money"] {
        // Redis keeps what is in braces in one place, where it has several.
        parts.push(format!("ringway:{{{name}}}:{counter}"));
    }
    append_rate(order.requests.as_ref(), &mut parts);
    append_rate(order.tokens.as_ref(), &mut parts);
    let places = order.places.unwrap_or_default();
    push(order.places.map(|places| places.limit), &mut parts);
    push(Some(places.held), &mut parts);
    push(Some(places.want), &mut parts);
    parts.push(replica.to_owned());
    push(u64::try_from(PLACES_LIFE.as_millis()).ok(), &mut parts);
    let none = MoneyOrder::default();
    let money = order.money.as_ref().unwrap_or(&none);
    push(money.day, &mut parts);
    push(money.month, &mut parts);
    let needs = &money.needs;
    for number in [needs.want, needs.least, needs.owed] {
        push(Some(number), &mut parts);
    }
    append_back(&money.back, &mut parts);
    let texts: Vec<&[u8]> = [&b"EVALSHA"[..], digest]
        .into_iter()
        .chain(parts.iter().map(|part| part.as_bytes()))
        .collect();
    resp::command(&texts, out);
}

fn append_rate(order: Option<&RateOrder>, parts: &mut Vec<String>) {
    let none = RateOrder::default();
    push(order.map(|rate| rate.limit), parts);
    let rate = order.unwrap_or(&none);
    for number in [rate.needs.want, rate.needs.least, rate.needs.owed] {
        push(Some(number), parts);
    }
    append_back(&rate.back, parts);
}

fn append_back(back: &[(u64, u64)], parts: &mut Vec<String>) {
    parts.push(back.len().to_string());
    for &(of, amount) in back {
        push(Some(of), parts);
        push(Some(amount), parts);
    }
}

/// A number; `None`: there is no such limit.
fn push(number: Option<u64>, parts: &mut Vec<String>) {
    parts.push(match number {
        Some(number) => number.min(EXACT_MAX).to_string(),
        None => "-1".to_owned(),
    });
}

fn grant_of(value: &Value) -> Option<Grant> {
    let Value::List(values) = value else {
        return None;
    };
    let mut values = values.iter();
    let mut next = || match values.next()? {
        Value::Number(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    let mut rate = || {
        Some(RateGrant {
            granted: next()?,
            left: next()?,
            slot: next()?,
            wait_ms: next()?,
            reset_ms: next()?,
        })
    };
    Some(Grant {
        requests: rate()?,
        tokens: rate()?,
        places: PlacesGrant {
            granted: next()?,
            left: next()?,
        },
        money: MoneyGrant {
            granted: next()?,
            day: next()?,
            month: next()?,
            on_day: next()?,
            in_month: next()?,
        },
    })
}

fn told(error: &std::io::Error) -> StoreError {
    StoreError::down(error.to_string())
}

fn refused(text: &str) -> StoreError {
    let words = text.chars().filter(|c| !c.is_control()).take(TOLD_MAX);
    StoreError::down(format!("refused: {}", words.collect::<String>()))
}

fn late() -> StoreError {
    StoreError::down("no answer in time")
}

fn odd() -> StoreError {
    StoreError::down("an answer that makes no sense")
}

const SCRIPT: &str = include_str!("lease.lua");
/// Values of one answer.
const VALUES_MAX: usize = 64;
/// Places of a replica that says nothing any more are free after this.
const PLACES_LIFE: Duration = Duration::from_secs(5);
/// Up to here every whole number is exact in a script.
const EXACT_MAX: u64 = 1 << 53;
/// Characters of a server's words that are told.
const TOLD_MAX: usize = 200;
