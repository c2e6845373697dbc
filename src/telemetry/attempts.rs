//! The tries of one exchange, in order. Nearly always there is one: it is kept in place.

use core::net::SocketAddr;

/// One try at one target.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// Provider, by its place in the plan.
    pub provider: usize,
    /// Status that came back; nought when none did.
    pub status: u16,
    /// What went wrong, if anything: a fixed word.
    pub fault: Option<&'static str>,
    /// Text for the log when the transport failed: no payload, no key.
    pub detail: Option<String>,
    /// When it began, by the worker's monotonic clock; nought where nothing was asked.
    pub started_at: u64,
    /// Length of the attempt.
    pub nanos: u64,
    /// The target's number in the plan; none where a client's id made it.
    pub number: Option<usize>,
    /// The connection that it had, if it got that far.
    pub peer: Option<Peer>,
}

/// The other end of a connection to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The version of TLS; none in clear.
    pub tls: Option<&'static str>,
}

/// Every try.
#[derive(Debug, Default)]
pub struct Attempts {
    first: Option<Attempt>,
    more: Vec<Attempt>,
}

impl Attempts {
    /// Adds the latest.
    pub fn push(&mut self, attempt: Attempt) {
        match self.first {
            None => self.first = Some(attempt),
            Some(_) => self.more.push(attempt),
        }
    }

    /// Adds `others`, and leaves nothing of them.
    pub fn append(&mut self, others: &mut Vec<Attempt>) {
        others.drain(..).for_each(|attempt| self.push(attempt));
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.first.iter().chain(&self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Attempts};

    #[test]
    fn attempts_keep_their_order() {
        let number = |provider| Attempt {
            provider,
            ..Attempt::default()
        };
        let mut attempts = Attempts::default();
        assert_eq!(attempts.iter().count(), 0);
        attempts.append(&mut Vec::new());
        attempts.push(number(0));
        let mut others = vec![number(1), number(2)];
        attempts.append(&mut others);
        attempts.push(number(3));
        assert!(others.is_empty());
        let order: Vec<usize> = attempts.iter().map(|each| each.provider).collect();
        assert_eq!(order, [0, 1, 2, 3]);
    }
}
