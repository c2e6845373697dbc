//! The script of a run, made from a seed: when clients connect, what they request, what providers do.

use crate::net::sim::seeded_random::SeededRandom;
use crate::net::sim::world::FaultRates;
use crate::sim::rules::{KEYS, RULED, SimKey};
use crate::wire::kind::Wire;

/// A whole run.
#[derive(Debug)]
pub(super) struct SimScript {
    pub(super) style: FaultLevel,
    pub(super) fault_rates: FaultRates,
    pub(super) clients: Vec<ScriptedClient>,
    /// All exchanges, by their number.
    pub(super) asks: Vec<ScriptedRequest>,
    /// When the gateway is told to drain, and when that is cut.
    pub(super) drain_ms: Option<(u64, u64)>,
    /// A connection's task is dropped once in so many steps.
    pub(super) kills: u32,
    /// Another plan comes into force once in so many steps.
    pub(super) plan_changes: u32,
    /// Which of the plans.
    pub(super) plan: usize,
    /// Exchanges of each client.
    pub(super) lanes: Vec<Vec<usize>>,
}

/// What may go wrong in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultLevel {
    /// Nothing: every answer must come whole.
    Fair,
    /// Providers and clients misbehave.
    Faulty,
    /// The gateway's own operations fail too.
    Stormy,
    /// And time jumps, tasks are dropped, the process drains.
    Wild,
}

/// A client's connection, or the ones that follow it where it is lost.
#[derive(Debug)]
pub(super) struct ScriptedClient {
    pub(super) start_ms: u64,
    /// Everything is sent at once.
    pub(super) is_pipelined: bool,
    /// Bytes per read, and the pause between reads, of one that reads slowly.
    pub(super) slow: Option<(usize, u64)>,
    /// Numbers of its exchanges.
    pub(super) asks: Vec<usize>,
}

/// One exchange.
#[derive(Debug)]
pub(super) struct ScriptedRequest {
    pub(super) wire: Wire,
    pub(super) stream: bool,
    /// The client asks for usage itself.
    pub(super) usage: bool,
    /// Which of the plan's models.
    pub(super) model: usize,
    /// Bytes that the request is made longer by.
    pub(super) pad: usize,
    /// How the request's body is framed.
    pub(super) is_chunked: bool,
    pub(super) pieces: usize,
    /// Bytes that each piece of the answer is made longer by.
    pub(super) piece_pad: usize,
    /// What the providers do, try after try.
    pub(super) actions: Vec<ProviderAction>,
    pub(super) framing: AnswerFraming,
    pub(super) leave: Option<ClientLeave>,
    /// Who asks, where keys have rules.
    pub(super) key: Option<SimKey>,
    /// The tier that is asked for.
    pub(super) tier: Option<usize>,
}

impl ScriptedRequest {
    /// Whether it may be sent to a provider of this wire.
    pub(super) fn may_go(&self, wire: Wire) -> bool {
        let place = PROVIDERS.iter().position(|one| *one == wire);
        let leads = match MODELS.get(self.model).copied() {
            Some("to-openai") => wire == Wire::OpenAiChat,
            Some("to-anthropic") => wire == Wire::AnthropicMessages,
            _ => true,
        };
        let has_tier = self.tier.is_none() || self.tier == place;
        let has_key = !matches!(self.key, Some(SimKey::Near | SimKey::Home)) || place == Some(0);
        leads && has_tier && has_key
    }

    /// How many targets it may go to.
    pub(super) fn choices(&self) -> usize {
        PROVIDERS.iter().filter(|wire| self.may_go(**wire)).count()
    }

    /// Whether it may be refused although nothing went wrong; the audit says when it may not.
    pub(super) fn may_be_refused(&self) -> bool {
        self.key
            .is_some_and(|key| key.is_tight() || self.choices() == 0)
    }
}

/// How a provider's answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerFraming {
    Length,
    Chunked,
    UntilClose,
}

/// What a provider does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProviderAction {
    Answer,
    /// Answers, and closes afterwards without having said so.
    AnswerAndClose,
    /// Answers, with bytes behind it that belong to nothing.
    AnswerAndJunk,
    Status(u16),
    /// A status before the request is whole, where it is a large one.
    Hasty(u16),
    Silence,
    Close,
    Reset,
    /// Closes after so many thousandths of the answer; from 1,000 on, that many bytes less before
    /// its end.
    Cut(usize),
    CutByReset(usize),
    Stall(usize),
    /// Goes on with what is no framing.
    Garble(usize),
    /// Says within the stream that it failed, after so many pieces.
    Fail(usize),
    /// Answers, with a long rest behind the first piece.
    Slow,
}

impl ProviderAction {
    /// What of it makes sense for an answer framed so: behind an answer that ends with its
    /// connection there is nothing, and the end of a whole one cannot be told from a cut.
    fn fitting(self, framing: AnswerFraming, stream: bool) -> Self {
        match (self, framing) {
            (Self::AnswerAndJunk | Self::AnswerAndClose, AnswerFraming::UntilClose) => Self::Answer,
            (Self::Cut(part), AnswerFraming::UntilClose) if !stream => Self::CutByReset(part),
            (Self::Garble(part), AnswerFraming::UntilClose) => Self::CutByReset(part),
            (Self::Garble(part), AnswerFraming::Length) if !stream => Self::CutByReset(part),
            _ => self,
        }
    }
}

/// How and when a client leaves before an exchange has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientLeave {
    pub(super) how: LeaveMode,
    pub(super) when: LeavePoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaveMode {
    Close,
    Reset,
    /// Ends its direction and goes on reading.
    HalfClose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeavePoint {
    /// After so many thousandths of the request.
    Sent(usize),
    /// So many milliseconds after all was sent.
    Waited(u64),
    /// Once so many bytes of the answer are there.
    Got(usize),
}

/// The wires of the providers, in the plan's order.
pub(super) const PROVIDERS: [Wire; 2] = [Wire::OpenAiChat, Wire::AnthropicMessages];
/// Models of every plan: where they lead, by the wires of their providers in order.
pub(super) const MODELS: [&str; 4] = [
    "to-openai",
    "to-anthropic",
    "openai-first",
    "anthropic-first",
];
/// Thousandths end here: what is more counts bytes from the end of an answer.
pub(super) const FROM_THE_END: usize = 1_000;
/// What is no framing.
pub(super) const GARBAGE: &[u8] = b"zz\r\n~~~~";
/// Most exchanges of a run.
pub(super) const ASKS_MAX: usize = 30;
/// Plans to choose from.
pub(super) const PLANS: usize = 4;
/// The one on which heads go out before an answer.
pub(super) const EARLY: usize = 2;

impl SimScript {
    /// Whether heads go out before an answer, as they do on one of the plans.
    pub(super) const fn has_early_heads(&self) -> bool {
        self.plan == EARLY
    }

    /// The script made of these random numbers.
    pub(super) fn new(random: &mut SeededRandom) -> Self {
        let style = random.pick(&[
            FaultLevel::Fair,
            FaultLevel::Faulty,
            FaultLevel::Faulty,
            FaultLevel::Stormy,
            FaultLevel::Wild,
        ]);
        let mut asks = Vec::new();
        let clients: Vec<ScriptedClient> = (0..random.between(1, 6))
            .map(|_| client(random, style, &mut asks))
            .collect();
        let is_wild = style == FaultLevel::Wild;
        let drain_ms = (is_wild && random.one_in(2)).then(|| {
            let begin = random.below(2_000) as u64;
            (begin, begin + random.pick(&[5, 100, 3_000]))
        });
        let fault_rates = fault_rates(random, style);
        let kills = match is_wild {
            true => random.pick(&[0, 3_000, 500]),
            false => 0,
        };
        let plan = random.below(PLANS);
        let plan_changes = match is_wild {
            true => random.pick(&[0, 1_000, 100]),
            false => 0,
        };
        if plan == RULED {
            rule(random, &clients, &mut asks);
        }
        Self {
            style,
            fault_rates,
            lanes: clients.iter().map(|client| client.asks.clone()).collect(),
            clients,
            asks,
            drain_ms,
            kills,
            plan_changes,
            plan,
        }
    }
}

/// Writes keys and tiers into what is asked, and slow streams into what is done.
fn rule(random: &mut SeededRandom, clients: &[ScriptedClient], asks: &mut [ScriptedRequest]) {
    for client in clients {
        let key = random.pick(&KEYS);
        for &number in &client.asks {
            let Some(ask) = asks.get_mut(number) else {
                continue;
            };
            ask.key = Some(key);
            ask.tier = random.pick(&[None, None, None, Some(0), Some(1)]);
            let is_slow = ask.stream && ask.pieces > 2 && random.one_in(4);
            if let Some(first) = ask.actions.first_mut().filter(|_| is_slow) {
                *first = ProviderAction::Slow;
            }
        }
    }
}

fn fault_rates(random: &mut SeededRandom, style: FaultLevel) -> FaultRates {
    let losing = random.pick(&[0, 2]);
    match style {
        FaultLevel::Fair => FaultRates::default(),
        FaultLevel::Faulty => FaultRates {
            losing,
            ..FaultRates::default()
        },
        FaultLevel::Stormy | FaultLevel::Wild => FaultRates {
            failing: random.pick(&[0, 20, 80, 400]),
            unreachable: random.pick(&[0, 3, 12]),
            jumping: match style {
                FaultLevel::Wild => random.pick(&[0, 30, 300]),
                _ => 0,
            },
            losing,
        },
    }
}

fn client(
    random: &mut SeededRandom,
    style: FaultLevel,
    asks: &mut Vec<ScriptedRequest>,
) -> ScriptedClient {
    let count = random.between(1, 5);
    let from = asks.len();
    asks.extend((0..count).map(|_| ask(random, style)));
    ScriptedClient {
        start_ms: random.pick(&[0, 0, 5, 200]) + random.below(30) as u64,
        is_pipelined: random.one_in(3),
        slow: random
            .one_in(5)
            .then(|| (random.between(50, 3_000), random.below(30) as u64)),
        asks: (from..from + count).collect(),
    }
}

fn ask(random: &mut SeededRandom, style: FaultLevel) -> ScriptedRequest {
    let stream = !random.one_in(3);
    let pieces = random.between(1, 12);
    let framing = random.pick(&[
        AnswerFraming::Length,
        AnswerFraming::Chunked,
        AnswerFraming::Chunked,
        AnswerFraming::UntilClose,
    ]);
    let actions = (0..6)
        .map(|_| action(random, style, stream, pieces).fitting(framing, stream))
        .collect();
    let leave = (style != FaultLevel::Fair && random.one_in(5)).then(|| leave(random));
    ScriptedRequest {
        wire: random.pick(&[Wire::OpenAiChat, Wire::AnthropicMessages]),
        stream,
        usage: random.one_in(2),
        model: random.below(MODELS.len()),
        pad: match random.below(40) {
            0 => random.between(60_000, 150_000),
            1..=10 => random.below(6_000),
            _ => 0,
        },
        is_chunked: random.one_in(4),
        pieces,
        piece_pad: random.pick(&[0, 0, 0, 30, 300, 4_000]),
        actions,
        framing,
        leave,
        key: None,
        tier: None,
    }
}

fn action(
    random: &mut SeededRandom,
    style: FaultLevel,
    stream: bool,
    pieces: usize,
) -> ProviderAction {
    let good = [
        ProviderAction::Answer,
        ProviderAction::Answer,
        ProviderAction::AnswerAndClose,
        ProviderAction::AnswerAndJunk,
    ];
    if style == FaultLevel::Fair || !random.one_in(3) {
        return random.pick(&good);
    }
    // The last bytes are where most can go wrong.
    let at = match random.one_in(3) {
        true => FROM_THE_END + random.between(1, 40),
        false => random.below(FROM_THE_END),
    };
    match random.below(10) {
        0 => ProviderAction::Status(random.pick(&[400, 401, 429, 500, 503, 529])),
        1 => ProviderAction::Hasty(random.pick(&[400, 413, 503])),
        2 => ProviderAction::Silence,
        3 => ProviderAction::Close,
        4 => ProviderAction::Reset,
        5 => ProviderAction::Cut(at),
        6 => ProviderAction::CutByReset(at),
        7 => ProviderAction::Stall(at),
        8 => ProviderAction::Garble(at),
        _ if stream => ProviderAction::Fail(random.between(0, pieces)),
        _ => ProviderAction::Cut(at),
    }
}

fn leave(random: &mut SeededRandom) -> ClientLeave {
    let when = match random.below(3) {
        0 => LeavePoint::Sent(random.below(1_000)),
        1 => LeavePoint::Waited(random.pick(&[0, 1, 40, 600])),
        _ => LeavePoint::Got(random.between(1, 3_000)),
    };
    ClientLeave {
        how: random.pick(&[LeaveMode::Close, LeaveMode::Reset, LeaveMode::HalfClose]),
        when,
    }
}
