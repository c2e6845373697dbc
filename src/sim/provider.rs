//! A provider: reads requests, does the actions that the script has for them.

use core::cell::Cell;
use std::rc::Rc;

use crate::net::runtime::timer;
use crate::net::sim::listeners::SimListener;
use crate::net::sim::socket::SimSocket;
use crate::net::sim::world::{SimTaskOwner, SimWorld};
use crate::sim::answers::{ScriptedAnswer, answer};
use crate::sim::observations::{Observations, ProviderObservation};
use crate::sim::script::{AnswerFraming, FROM_THE_END, GARBAGE, ProviderAction};
use crate::wire::kind::Wire;

/// Takes connections in, for ever.
pub(super) async fn listen(
    listener: SimListener,
    wire: Wire,
    observations: Rc<Observations>,
    world: Rc<SimWorld>,
) {
    loop {
        let end = listener.accept().await;
        let (observations, at) = (Rc::clone(&observations), Rc::clone(&world));
        world.spawn(SimTaskOwner::Actor, async move {
            serve(&end, wire, &observations, &at).await;
        });
    }
}

async fn serve(end: &SimSocket, wire: Wire, observations: &Observations, world: &SimWorld) {
    let mut input = Vec::new();
    let mut is_dirty = false;
    loop {
        let Some(ReadHttpRequest {
            path,
            body,
            missing,
        }) = read_request(end, &mut input, observations).await
        else {
            return;
        };
        if is_dirty {
            world.blame(format!(
                "connection {} was used again though its last answer was not in order",
                end.id()
            ));
        }
        let Some(number) = number_in(&body, observations.asks.len()) else {
            world.blame("a provider was sent a request of no one exchange");
            return;
        };
        if path != path_of(wire) {
            world.blame(format!("exchange {number} came to {path}"));
        }
        let now = world.lived();
        let (attempt, action) = {
            let mut served = observations.served.borrow_mut();
            let tries = served.entry(number).or_default();
            let attempt = tries.len();
            let ask = observations.asks.get(number);
            let action = ask.and_then(|ask| ask.actions.get(attempt).copied());
            let (Some(ask), Some(action)) = (ask, action) else {
                world.blame(format!("exchange {number} was tried {} times", attempt + 1));
                return;
            };
            let with_usage = memchr::memmem::find(&body, b"\"include_usage\"").is_some();
            tries.push(ProviderObservation {
                wire,
                action,
                answer: answer(wire, (number, attempt), ask, action, with_usage),
                sent: Cell::new(0),
                asked_at: now,
                finished_at: Cell::new(None),
                said_at: Cell::new(None),
                gateway: end.watch(),
            });
            (attempt, action)
        };
        let job = ProviderRequest {
            end,
            observations,
            world,
            place: (number, attempt),
        };
        if !job.run(action).await || !skip(end, &mut input, missing).await {
            return;
        }
        is_dirty = action == ProviderAction::AnswerAndJunk;
    }
}

/// One request in hand.
struct ProviderRequest<'a> {
    end: &'a SimSocket,
    observations: &'a Observations,
    world: &'a SimWorld,
    place: (usize, usize),
}

impl ProviderRequest<'_> {
    /// Does the action; says whether the connection may serve again.
    async fn run(&self, action: ProviderAction) -> bool {
        if self.world.draw(|random| random.one_in(3)) {
            timer::sleep(self.world.draw(|random| random.below(120)) as u64).await;
        }
        let until = |part: usize| {
            let len = self.with(|served| served.answer.bytes.len());
            match part.checked_sub(FROM_THE_END) {
                Some(left) => len.saturating_sub(left).max(1),
                None => (len * part / FROM_THE_END).max(1),
            }
        };
        let whole = usize::MAX;
        match action {
            ProviderAction::Answer
            | ProviderAction::Status(_)
            | ProviderAction::Hasty(_)
            | ProviderAction::Fail(_)
            | ProviderAction::Slow => {
                let sent = match action {
                    ProviderAction::Slow => self.send_slowly().await,
                    _ => self.send(whole, b"").await,
                };
                self.finish();
                if self.is_until_close(action) {
                    self.end.close();
                    return false;
                }
                sent
            }
            ProviderAction::AnswerAndJunk => {
                let len = self.with(|served| served.answer.bytes.len());
                let sent = self.send(len - 1, b"").await && self.send_junk().await;
                self.finish();
                sent
            }
            ProviderAction::AnswerAndClose => {
                self.send(whole, b"").await;
                self.finish();
                self.end.close();
                false
            }
            ProviderAction::Silence => self.wait_for_end().await,
            ProviderAction::Close => self.leave(false),
            ProviderAction::Reset => self.leave(true),
            ProviderAction::Cut(part) => {
                let until = until(part);
                self.send(until, b"").await;
                // Where the end of the connection is the end of the answer, a cut behind its last
                // piece is no cut.
                let is_hidden =
                    self.with(|served| served.answer.payload_in(until) > served.answer.content_end);
                self.leave(is_hidden && self.is_until_close(action))
            }
            ProviderAction::CutByReset(part) => {
                self.send(until(part), b"").await;
                self.leave(true)
            }
            ProviderAction::Stall(part) => {
                self.send(until(part), b"").await;
                self.wait_for_end().await
            }
            ProviderAction::Garble(part) => {
                self.send(until(part), GARBAGE).await;
                self.leave(false)
            }
        }
    }

    fn with<T>(&self, look: impl FnOnce(&ProviderObservation) -> T) -> T
    where
        T: Default,
    {
        let served = self.observations.served.borrow();
        let (number, attempt) = self.place;
        let found = served.get(&number).and_then(|tries| tries.get(attempt));
        found.map(look).unwrap_or_default()
    }

    fn is_until_close(&self, action: ProviderAction) -> bool {
        let framing = self
            .observations
            .asks
            .get(self.place.0)
            .map(|ask| ask.framing);
        framing == Some(AnswerFraming::UntilClose)
            && !matches!(action, ProviderAction::Status(_) | ProviderAction::Hasty(_))
    }

    fn finish(&self) {
        let now = self.world.lived();
        self.with(|served| served.finished_at.set(Some(now)));
    }

    fn leave(&self, by_reset: bool) -> bool {
        self.finish();
        if by_reset {
            self.end.reset();
        }
        self.end.close();
        false
    }

    async fn wait_for_end(&self) -> bool {
        while self
            .end
            .read(4_096)
            .await
            .is_ok_and(|bytes| !bytes.is_empty())
        {}
        false
    }

    /// Sends the answer's last byte and what must not follow it at once: whoever looks behind the
    /// answer must find it.
    async fn send_junk(&self) -> bool {
        let last = self.with(|served| served.answer.bytes.last().copied());
        let last = [last.unwrap_or_default()];
        while self.end.room() <= JUNK.len() && !self.end.has_peer_ended() {
            timer::sleep(1).await;
        }
        let now = self.world.lived();
        let sent = self.end.write([&last, JUNK].into_iter()).await;
        self.with(|served| served.note_sent(served.answer.bytes.len(), now));
        sent.is_ok()
    }

    /// Sends the answer up to byte `until`, and `more` behind it; says whether all went out.
    async fn send(&self, until: usize, more: &[u8]) -> bool {
        self.send_from(0, until, more).await
    }

    /// Sends all of the answer, with a rest behind its first piece; says whether all went out.
    async fn send_slowly(&self) -> bool {
        let first = self.with(|served| served.answer.first_end());
        if !self.send(first, b"").await {
            return false;
        }
        timer::sleep(SLOW_MS).await;
        self.send_from(first, usize::MAX, b"").await
    }

    /// Sends the answer from byte `from` to byte `until`, and `more` behind it.
    async fn send_from(&self, from: usize, until: usize, more: &[u8]) -> bool {
        let mut bytes = self.with(|served| {
            let ScriptedAnswer { bytes, .. } = &served.answer;
            bytes
                .get(from..until.min(bytes.len()))
                .unwrap_or_default()
                .to_vec()
        });
        bytes.extend_from_slice(more);
        let cuts = self.world.draw(|random| random.pick(&[1, 1, 3, 12]));
        let mut at = 0;
        while at < bytes.len() {
            let most = self
                .world
                .draw(|random| random.between(1, 2 * bytes.len() / cuts));
            let to = (at + most).min(bytes.len());
            let piece = bytes.get(at..to).unwrap_or_default();
            let now = self.world.lived();
            match self.end.write([piece].into_iter()).await {
                Ok(0) | Err(_) => return false,
                Ok(count) => at += count,
            }
            self.with(|served| served.note_sent(from + at, now));
            if self.world.draw(|random| random.one_in(3)) {
                let pause = self.world.draw(|random| random.pick(&[1, 1, 5, 20, 60]));
                timer::sleep(pause).await;
            }
        }
        true
    }
}

/// Longer than the second in which two deltas must come, shorter than a stall.
const SLOW_MS: u64 = 1_200;
/// An answer to nothing.
const JUNK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

const fn path_of(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => "/v1/chat/completions",
        Wire::AnthropicMessages => "/v1/messages",
    }
}

/// A request.
struct ReadHttpRequest {
    path: String,
    /// What there is of its body: all of it, unless it is answered before.
    body: Vec<u8>,
    missing: usize,
}

/// The next request; nothing where the connection ends.
async fn read_request(
    end: &SimSocket,
    input: &mut Vec<u8>,
    observations: &Observations,
) -> Option<ReadHttpRequest> {
    loop {
        if let Some(head_end) = memchr::memmem::find(input, b"\r\n\r\n").map(|at| at + 4) {
            let head = String::from_utf8_lossy(input.get(..head_end)?).to_ascii_lowercase();
            let (_, rest) = head.split_once("content-length: ")?;
            let length: usize = rest.split_once("\r\n")?.0.parse().ok()?;
            let present = length.min(input.len() - head_end);
            let body = input.get(head_end..head_end + present)?;
            if present == length || is_hasty(body, observations) {
                let body = body.to_vec();
                input.drain(..head_end + present);
                return Some(ReadHttpRequest {
                    path: head.split(' ').nth(1)?.to_owned(),
                    body,
                    missing: length - present,
                });
            }
        }
        let bytes = end.read(1 << 16).await.ok()?;
        if bytes.is_empty() {
            return None;
        }
        input.extend_from_slice(&bytes);
    }
}

/// Whether a request is answered that has come so far.
fn is_hasty(body: &[u8], observations: &Observations) -> bool {
    let action = number_in(body, observations.asks.len()).and_then(|number| {
        let tries = observations
            .served
            .borrow()
            .get(&number)
            .map_or(0, Vec::len);
        observations.asks.get(number)?.actions.get(tries).copied()
    });
    matches!(action, Some(ProviderAction::Hasty(_)))
}

/// Reads what is missing of a request that was answered before; says whether it came.
async fn skip(end: &SimSocket, input: &mut Vec<u8>, missing: usize) -> bool {
    while input.len() < missing {
        match end.read(1 << 16).await {
            Ok(bytes) if !bytes.is_empty() => input.extend_from_slice(&bytes),
            Ok(_) | Err(_) => return false,
        }
    }
    input.drain(..missing);
    true
}

/// The number of the one exchange that a request belongs to.
pub(super) fn number_in(body: &[u8], count: usize) -> Option<usize> {
    let mut places = memchr::memmem::find_iter(body, b"[q");
    let (at, None) = (places.next()?, places.next()) else {
        return None;
    };
    let rest = body.get(at + 2..)?;
    let digits = rest.get(..memchr::memchr(b']', rest)?)?;
    let number: usize = core::str::from_utf8(digits).ok()?.parse().ok()?;
    (number < count).then_some(number)
}
