//! A client: sends its requests, reads the answers with a reader that shares nothing with the
//! gateway's, leaves where the script says so.

use core::cell::Cell;
use std::rc::Rc;

use crate::net::connection::stream::NetStream;
use crate::net::runtime::{task, timer};
use crate::net::sim::socket::{self, SimSocket as Socket};
use crate::net::sim::world::{SimTaskOwner, SimWorld};
use crate::proxy::serve::connection;
use crate::proxy::shared::worker::WorkerInForce;
use crate::sim::answers::request;
use crate::sim::observations::{ClientObservation, Observations, ObservedEnd};
use crate::sim::plan::addresses;
use crate::sim::script::{ClientLeave, LeaveMode, LeavePoint, ScriptedClient};

/// Opens connections to the gateway for clients.
pub(super) struct GatewayEntry {
    pub(super) world: Rc<SimWorld>,
    pub(super) workers: Rc<WorkerInForce>,
    /// Tasks and connections, in order.
    pub(super) seats: core::cell::RefCell<Vec<(u64, u64)>>,
}

impl GatewayEntry {
    /// A new connection; none while the gateway drains, or where there is no place.
    fn dial(&self, observations: &Observations) -> Option<Rc<Socket>> {
        if observations.is_draining.get() {
            return None;
        }
        let place = self.workers.now().thread.shared.admit()?;
        let (ours, theirs) = socket::pair(&self.world);
        let [peer, _] = addresses(9);
        let stream = NetStream::from_sim(Rc::new(ours), peer);
        let workers = Rc::clone(&self.workers);
        drop(task::spawn(connection::serve(stream, workers, place)));
        let seat = self.world.tasks(SimTaskOwner::Gateway).last().copied()?;
        self.seats.borrow_mut().push((seat, theirs.id()));
        Some(Rc::new(theirs))
    }
}

/// A connection to the gateway and what was read of it.
struct ClientConnection {
    socket: Rc<Socket>,
    input: Vec<u8>,
    /// The last answer said that no other follows.
    is_last: bool,
    /// The connection has ended.
    is_over: bool,
    /// Bytes written so far, by whoever writes.
    written: Rc<Cell<usize>>,
    /// Bytes that are to have been written when the request in hand is complete.
    wanted: usize,
}

/// One client from its first connection to its last answer.
pub(super) async fn run(
    client: ScriptedClient,
    gate: Rc<GatewayEntry>,
    observations: Rc<Observations>,
) {
    timer::sleep(client.start_ms).await;
    let mut line: Option<ClientConnection> = None;
    let mut left = client.asks.as_slice();
    while let Some(&number) = left.first() {
        let batch = if client.is_pipelined {
            left
        } else {
            &[number][..]
        };
        if line.is_none() {
            line = gate.dial(&observations).map(ClientConnection::new);
        }
        let Some(mut open) = line.take() else {
            note_nothing(&observations, batch, 0);
            left = left.get(batch.len()..).unwrap_or_default();
            continue;
        };
        let done = ask_all(&mut open, batch, &client, &gate, &observations).await;
        left = left.get(batch.len()..).unwrap_or_default();
        if done && !open.is_last && !open.is_over {
            line = Some(open);
            let pause = gate.world.draw(|random| random.pick(&[0, 0, 1, 30, 400]));
            timer::sleep(pause).await;
        } else {
            open.socket.close();
        }
    }
    if let Some(open) = line {
        open.socket.close();
    }
    observations.clients.set(observations.clients.get() - 1);
}

fn note_nothing(observations: &Observations, batch: &[usize], connection: u64) {
    for &number in batch {
        observations.seen.borrow_mut().insert(
            number,
            sight(ObservedEnd::Nothing, connection, observations),
        );
    }
}

fn sight(end: ObservedEnd, connection: u64, observations: &Observations) -> ClientObservation {
    ClientObservation {
        end,
        status: 0,
        id: None,
        payload: Vec::new(),
        left_at: None,
        connection,
        is_asked: false,
        is_behind_last: false,
        is_cut_off: false,
        amid_drain: observations.is_draining.get(),
    }
}

/// Sends a batch of requests and reads their answers; says whether the connection is still good.
async fn ask_all(
    line: &mut ClientConnection,
    batch: &[usize],
    client: &ScriptedClient,
    gate: &GatewayEntry,
    observations: &Rc<Observations>,
) -> bool {
    let asks = batch
        .iter()
        .filter_map(|&number| Some((number, observations.asks.get(number)?)));
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    // Whoever leaves amid a request sends nothing behind it.
    let mut stop = None;
    for (number, ask) in asks {
        let from = bytes.len();
        bytes.extend(request(ask, number));
        ends.push((number, bytes.len()));
        if let Some(leave) = ask.leave
            && let LeavePoint::Sent(part) = leave.when
        {
            let cut = from + (bytes.len() - from) * part / 1_000;
            bytes.truncate(cut);
            stop = Some((number, leave.how));
            break;
        }
    }
    let base = line.wanted;
    line.wanted += bytes.len();
    spawn_writing(line, bytes, gate);
    let mut is_behind_last = line.is_last;
    for (index, &number) in batch.iter().enumerate() {
        let before = observations.is_draining.get();
        let leave = observations.asks.get(number).and_then(|ask| ask.leave);
        let at = ends
            .iter()
            .find(|(each, _)| *each == number)
            .map(|(_, end)| base + end);
        let mut seen = if let Some((_, how)) = stop.filter(|(each, _)| *each == number) {
            line.sent_all().await;
            leave_now(line, how, gate, observations).await
        } else {
            let end = at.unwrap_or(usize::MAX);
            line.answer(leave, client.slow, end, gate, observations)
                .await
        };
        seen.is_asked = at.is_some_and(|end| line.written.get() >= end)
            && stop.is_none_or(|(each, _)| each != number);
        seen.is_behind_last = is_behind_last;
        seen.amid_drain |= before || observations.is_draining.get();
        is_behind_last |= line.is_last;
        let is_good = seen.end == ObservedEnd::Whole;
        let connection = seen.connection;
        let left_at = seen.left_at;
        observations.seen.borrow_mut().insert(number, seen);
        if !is_good {
            let end = match left_at {
                Some(_) => ObservedEnd::Left,
                None => ObservedEnd::Nothing,
            };
            for &other in batch.get(index + 1..).unwrap_or_default() {
                let seen = ClientObservation {
                    left_at,
                    is_behind_last,
                    is_cut_off: true,
                    ..sight(end, connection, observations)
                };
                observations.seen.borrow_mut().insert(other, seen);
            }
            return false;
        }
    }
    true
}

/// Writes beside the reading, as a client does whose answers may come before all is sent.
fn spawn_writing(line: &ClientConnection, bytes: Vec<u8>, gate: &GatewayEntry) {
    let (socket, written) = (Rc::clone(&line.socket), Rc::clone(&line.written));
    let world = Rc::clone(&gate.world);
    gate.world.spawn(SimTaskOwner::Actor, async move {
        let cuts = world.draw(|random| random.pick(&[1, 1, 4]));
        let mut at = 0;
        while at < bytes.len() {
            let most = world.draw(|random| random.between(1, 2 * bytes.len() / cuts));
            let piece = bytes
                .get(at..(at + most).min(bytes.len()))
                .unwrap_or_default();
            match socket.write([piece].into_iter()).await {
                Ok(0) | Err(_) => return,
                Ok(count) => at += count,
            }
            written.set(written.get() + piece.len());
            if world.draw(|random| random.one_in(4)) {
                timer::sleep(world.draw(|random| random.pick(&[1, 10]))).await;
            }
        }
    });
}

async fn leave_now(
    line: &ClientConnection,
    how: LeaveMode,
    gate: &GatewayEntry,
    observations: &Observations,
) -> ClientObservation {
    let mut seen = sight(ObservedEnd::Left, line.socket.id(), observations);
    seen.left_at = Some(gate.world.lived());
    match how {
        LeaveMode::Close => line.socket.close(),
        LeaveMode::Reset => {
            line.socket.reset();
            line.socket.close();
        }
        LeaveMode::HalfClose => {
            let _ = line.socket.shutdown_write();
            while line
                .socket
                .read(4_096)
                .await
                .is_ok_and(|bytes| !bytes.is_empty())
            {}
            line.socket.close();
        }
    }
    seen
}

impl ClientConnection {
    fn new(socket: Rc<Socket>) -> Self {
        Self {
            socket,
            input: Vec::new(),
            is_last: false,
            is_over: false,
            written: Rc::default(),
            wanted: 0,
        }
    }

    /// Waits until everything is written, or cannot be.
    async fn sent_all(&self) {
        while self.written.get() < self.wanted && !self.socket.has_peer_ended() {
            timer::sleep(1).await;
        }
    }

    /// Reads one answer, or leaves amid it.
    async fn answer(
        &mut self,
        leave: Option<ClientLeave>,
        slow: Option<(usize, u64)>,
        sent_at: usize,
        gate: &GatewayEntry,
        observations: &Observations,
    ) -> ClientObservation {
        let mut seen = sight(ObservedEnd::Nothing, self.socket.id(), observations);
        let mut due = None;
        let mut reads = 0;
        // Before so much is there nothing new can be told.
        let mut wanted = 0;
        loop {
            if self.input.len() >= wanted {
                wanted = self.look(&mut seen);
            }
            if matches!(seen.end, ObservedEnd::Whole | ObservedEnd::Nonsense) {
                return seen;
            }
            if let Some(ClientLeave { how, when }) = leave {
                let is_time = match when {
                    LeavePoint::Sent(_) => false,
                    LeavePoint::Got(count) => self.input.len() >= count,
                    LeavePoint::Waited(ms) if self.written.get() >= sent_at => {
                        let now = gate.world.now();
                        now >= *due.get_or_insert(now + ms * 1_000_000)
                    }
                    LeavePoint::Waited(_) => false,
                };
                if is_time {
                    self.look(&mut seen);
                    let mut gone = leave_now(self, how, gate, observations).await;
                    (gone.status, gone.id, gone.payload) = (seen.status, seen.id, seen.payload);
                    return gone;
                }
            }
            let most = match slow.filter(|_| reads < SLOW_READS_MAX) {
                Some((most, pause)) => {
                    timer::sleep(pause).await;
                    most
                }
                None => 1 << 16,
            };
            reads += 1;
            let wait = if leave.is_some() { 7 } else { 60_000 };
            match timer::within(wait, self.socket.read(most)).await {
                None => {}
                Some(Ok(bytes)) if !bytes.is_empty() => self.input.extend_from_slice(&bytes),
                Some(_) => return self.end_of_input(seen),
            }
        }
    }

    /// Takes in what is there of the answer; says how much must be there for more to be known.
    fn look(&mut self, seen: &mut ClientObservation) -> usize {
        let (end, heard) = match parse(&self.input) {
            ParsedAnswer::None => return self.input.len() + 1,
            ParsedAnswer::Nonsense => {
                seen.end = ObservedEnd::Nonsense;
                return usize::MAX;
            }
            ParsedAnswer::Part(heard) => (ObservedEnd::Broken, heard),
            ParsedAnswer::Whole(heard) => (ObservedEnd::Whole, heard),
        };
        seen.end = end;
        (seen.status, seen.id, seen.payload) = (heard.status, heard.id, heard.payload);
        if end == ObservedEnd::Whole {
            self.is_last |= heard.is_last;
            self.input.drain(..heard.consumed);
        }
        heard.consumed.max(self.input.len() + 1)
    }

    fn end_of_input(&mut self, mut seen: ClientObservation) -> ClientObservation {
        self.is_over = true;
        self.look(&mut seen);
        if !self.input.is_empty() && seen.end == ObservedEnd::Nothing {
            // A piece of a head.
            seen.end = ObservedEnd::Broken;
        }
        seen
    }
}

/// An answer as far as it was read.
pub(super) struct AnswerSoFar {
    pub(super) status: u16,
    id: Option<String>,
    pub(super) payload: Vec<u8>,
    pub(super) is_last: bool,
    /// Where the answer ends; of a part, what must be there before more is known.
    pub(super) consumed: usize,
}

pub(super) enum ParsedAnswer {
    /// No whole head.
    None,
    /// A head, and a part of the body.
    Part(AnswerSoFar),
    Whole(AnswerSoFar),
    Nonsense,
}

/// Reads what is there of an answer.
pub(super) fn parse(input: &[u8]) -> ParsedAnswer {
    let Some(head_end) = memchr::memmem::find(input, b"\r\n\r\n") else {
        return ParsedAnswer::None;
    };
    let head = String::from_utf8_lossy(input.get(..head_end).unwrap_or_default()).into_owned();
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    let Some(status) = status else {
        return ParsedAnswer::Nonsense;
    };
    let field = |name: &str| {
        head.split("\r\n").find_map(|line| {
            let (each, value) = line.split_once(": ")?;
            each.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let mut heard = AnswerSoFar {
        status,
        id: field("x-ringway-request-id"),
        payload: Vec::new(),
        is_last: field("connection").is_some_and(|value| value == "close"),
        consumed: head_end + 4,
    };
    let body = input.get(head_end + 4..).unwrap_or_default();
    if field("transfer-encoding").is_some() {
        return chunks(body, heard);
    }
    let Some(length) = field("content-length").and_then(|value| value.parse().ok()) else {
        return ParsedAnswer::Nonsense;
    };
    heard.payload = body
        .get(..body.len().min(length))
        .unwrap_or_default()
        .to_vec();
    heard.consumed += length;
    if heard.payload.len() == length {
        ParsedAnswer::Whole(heard)
    } else {
        ParsedAnswer::Part(heard)
    }
}

fn chunks(mut body: &[u8], mut heard: AnswerSoFar) -> ParsedAnswer {
    loop {
        let Some(line_end) = body.iter().position(|&byte| byte == b'\r') else {
            return ParsedAnswer::Part(heard);
        };
        match body.get(line_end + 1) {
            Some(b'\n') => {}
            Some(_) => return ParsedAnswer::Nonsense,
            None => return ParsedAnswer::Part(heard),
        }
        let digits = body.get(..line_end).unwrap_or_default();
        let digits = core::str::from_utf8(digits).unwrap_or_default();
        let Ok(size) = usize::from_str_radix(digits, 16) else {
            return ParsedAnswer::Nonsense;
        };
        let data = body.get(line_end + 2..).unwrap_or_default();
        let present = data.get(..size.min(data.len())).unwrap_or_default();
        heard.payload.extend_from_slice(present);
        heard.consumed += line_end + 2 + size + 2;
        let Some(rest) = data.get(size..) else {
            return ParsedAnswer::Part(heard);
        };
        match rest.get(..2) {
            None => return ParsedAnswer::Part(heard),
            Some(b"\r\n") => {}
            Some(_) => return ParsedAnswer::Nonsense,
        }
        if size == 0 {
            return ParsedAnswer::Whole(heard);
        }
        body = rest.get(2..).unwrap_or_default();
    }
}

/// Reads for which a slow reader is slow: it must not look like one that has stopped.
const SLOW_READS_MAX: usize = 60;
