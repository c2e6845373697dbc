//! One direction: a streamed chat from a client of one wire to the provider of another.
//!
//! The request declares two tools, one of them without arguments, so that thinking, text, tool
//! calls and usage all cross in one answer. What the provider will tell is known beforehand from
//! the request as the client sent it: if the gateway changed its meaning, the answer differs.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use crate::demo::client::{self, Call};
use crate::demo::figures::Figures;
use crate::demo::meaning::{Delta, Meaning};
use crate::demo::reader::{Reader, Record};
use crate::demo::stub::asked;
use crate::demo::stub::model::Answer;
use crate::demo::stub::script::{SIGNATURE, Script};
use crate::demo::{anthropic_check, cpu, openai_check};
use crate::wire::kind::Wire;

/// From whom, to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// The client's wire.
    pub client: Wire,
    /// The provider's wire.
    pub provider: Wire,
}

/// All four, same wires first.
pub const DIRECTIONS: [Direction; 4] = [
    Direction::new(Wire::OpenAiChat, Wire::OpenAiChat),
    Direction::new(Wire::AnthropicMessages, Wire::AnthropicMessages),
    Direction::new(Wire::OpenAiChat, Wire::AnthropicMessages),
    Direction::new(Wire::AnthropicMessages, Wire::OpenAiChat),
];

/// What came of one direction.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which.
    pub direction: Direction,
    /// Its numbers.
    pub figures: Figures,
    /// What was wrong, if anything was.
    pub fault: Option<String>,
}

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The gateway.
    pub gateway: SocketAddr,
    /// Without the stub's pauses.
    pub fast: bool,
    /// Further streams at the same time, checked but not shown.
    pub companions: usize,
    /// When the whole demo must be over.
    pub deadline: Instant,
}

impl Direction {
    const fn new(client: Wire, provider: Wire) -> Self {
        Self { client, provider }
    }

    /// For people.
    #[must_use]
    pub fn name(self) -> String {
        format!("{} → {}", brand(self.client), brand(self.provider))
    }
}

/// A wire's name for people.
#[must_use]
pub const fn brand(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => "OpenAI",
        Wire::AnthropicMessages => "Anthropic",
    }
}

/// Runs one direction; `show` gets every delta of one stream as it comes. The figures are of that
/// stream, but for CPU time: that is of all streams together.
///
/// # Errors
/// `show` failed, or there was no thread. Whatever goes wrong on the way is in the outcome.
pub fn run(
    direction: Direction,
    setting: &Setting,
    show: &mut impl FnMut(&Delta) -> io::Result<()>,
) -> io::Result<Outcome> {
    let before = cpu::gateway_nanos();
    let (mut shown, others) = thread::scope(|scope| {
        let others: io::Result<Vec<_>> = (0..setting.companions)
            .map(|_| {
                thread::Builder::new()
                    .name("demo-client".to_owned())
                    .spawn_scoped(scope, || one(direction, setting, &mut |_| Ok(())))
            })
            .collect();
        let shown = one(direction, setting, show);
        let others = others?.into_iter().map(|thread| {
            let panicked = |_| Err(io::Error::other("a client of the demo panicked"));
            thread.join().unwrap_or_else(panicked)
        });
        let others: io::Result<Vec<Outcome>> = others.collect();
        io::Result::Ok((shown?, others?))
    })?;
    let after = cpu::gateway_nanos();
    let events = others.iter().map(|other| other.figures.events);
    let events = events.fold(shown.figures.events, u64::saturating_add);
    let spent = before.zip(after);
    shown.figures.cpu_per_event = spent.and_then(|(before, after)| {
        let nanos = after.saturating_sub(before).checked_div(events)?;
        Some(Duration::from_nanos(nanos))
    });
    let faults = others.into_iter().filter_map(|other| other.fault);
    shown.fault = shown.fault.into_iter().chain(faults).next();
    Ok(shown)
}

/// One stream.
fn one(
    direction: Direction,
    setting: &Setting,
    show: &mut impl FnMut(&Delta) -> io::Result<()>,
) -> io::Result<Outcome> {
    let mut attempt = Attempt {
        direction,
        figures: Figures::start(Instant::now()),
        show_fault: None,
    };
    let fault = attempt.run(setting, show).err();
    match attempt.show_fault {
        Some(error) => Err(error),
        None => Ok(Outcome {
            direction,
            figures: attempt.figures,
            fault,
        }),
    }
}

struct Attempt {
    direction: Direction,
    figures: Figures,
    show_fault: Option<io::Error>,
}

impl Attempt {
    fn run(
        &mut self,
        setting: &Setting,
        show: &mut impl FnMut(&Delta) -> io::Result<()>,
    ) -> Result<(), String> {
        let Direction { client, provider } = self.direction;
        let body = body(self.direction, setting.fast);
        let asked = asked::read(client, body.as_bytes());
        let asked = asked.map_err(|_| "the demo's own request cannot be read")?;
        let expected = Script::new(Answer::All, &asked);
        let meaning = self.exchange(setting, body.as_bytes(), show)?;
        self.figures.tokens = meaning.counts.unwrap_or_default().output;
        let (id_start, signature) = match provider {
            Wire::OpenAiChat => ("call_", ""),
            Wire::AnthropicMessages => ("toolu_", SIGNATURE),
        };
        meaning.compare(&expected, id_start, signature)
    }

    fn exchange(
        &mut self,
        setting: &Setting,
        body: &[u8],
        show: &mut impl FnMut(&Delta) -> io::Result<()>,
    ) -> Result<Meaning, String> {
        let own_limit = Instant::now() + DIRECTION_LIMIT;
        let (path, fields): (_, &[(&str, &str)]) = match self.direction.client {
            Wire::OpenAiChat => ("/v1/chat/completions", &[]),
            Wire::AnthropicMessages => ("/v1/messages", &[("anthropic-version", "2023-06-01")]),
        };
        self.figures = Figures::start(Instant::now());
        let call = Call {
            address: setting.gateway,
            path,
            fields,
            body,
            deadline: own_limit.min(setting.deadline),
        };
        let mut answer = client::post(&call).map_err(|error| error.to_string())?;
        if answer.head.status != 200 || answer.media() != "text/event-stream" {
            let (status, media) = (answer.head.status, answer.media().to_owned());
            let text = answer.text(ERROR_BYTES_MAX).unwrap_or_default();
            return Err(format!("status {status}, {media}: {}", text.trim_end()));
        }
        let mut checker = Checker::new(self.direction.client);
        let mut reader = Reader::default();
        while let Some(piece) = answer.next().map_err(|error| error.to_string())? {
            let now = Instant::now();
            reader.push(piece)?;
            while let Some(record) = reader.take()? {
                self.figures.events += 1;
                let delta = checker.record(&record)?;
                if delta.is_token() {
                    self.figures.token(now);
                }
                if let Err(error) = show(&delta) {
                    self.show_fault = Some(error);
                    return Err("the output failed".to_owned());
                }
            }
        }
        reader.finish()?;
        checker.finish()
    }
}

/// The checker of the client's wire.
enum Checker {
    OpenAi(openai_check::Checker),
    Anthropic(anthropic_check::Checker),
}

impl Checker {
    fn new(wire: Wire) -> Self {
        match wire {
            Wire::OpenAiChat => Self::OpenAi(openai_check::Checker::default()),
            Wire::AnthropicMessages => Self::Anthropic(anthropic_check::Checker::default()),
        }
    }

    fn record(&mut self, record: &Record) -> Result<Delta, String> {
        match self {
            Self::OpenAi(checker) => checker.record(record),
            Self::Anthropic(checker) => checker.record(record),
        }
    }

    fn finish(self) -> Result<Meaning, String> {
        match self {
            Self::OpenAi(checker) => checker.finish(),
            Self::Anthropic(checker) => checker.finish(),
        }
    }
}

/// The request as a client of its wire writes it.
fn body(direction: Direction, fast: bool) -> String {
    let provider = direction.provider.name();
    let model = format!("{provider}/stub-all{}", if fast { "-fast" } else { "" });
    match direction.client {
        Wire::OpenAiChat => format!(
            r#"{{"model":"{model}","max_tokens":500,"stream":true,
"stream_options":{{"include_usage":true}},
"messages":[{{"role":"system","content":"{SYSTEM}"}},{{"role":"user","content":"{USER}"}}],
"tools":[{{"type":"function","function":{{"name":"get_weather","description":"The weather",
"parameters":{WEATHER}}}}},
{{"type":"function","function":{{"name":"get_time","parameters":{NOTHING}}}}}]}}"#
        ),
        Wire::AnthropicMessages => format!(
            r#"{{"model":"{model}","max_tokens":500,"stream":true,"system":"{SYSTEM}",
"messages":[{{"role":"user","content":"{USER}"}}],
"tools":[{{"name":"get_weather","description":"The weather","input_schema":{WEATHER}}},
{{"name":"get_time","input_schema":{NOTHING}}}]}}"#
        ),
    }
}

const SYSTEM: &str = "You are a stub and say so.";
const USER: &str = "Say hello, then look up the weather in Z\\u00fcrich and the time.";
/// Defaults are what the stub calls the tool with: escapes and digits that must not change.
const WEATHER: &str = r#"{"type":"object","properties":{"place":{"type":"string","default":"Zürich \"HB\" \ud83c\udf26"},"days":{"type":"number","default":2.50},"hours":{"type":"array","items":{"type":"integer"},"default":[6, 12,18]}},"required":["place","days","hours"]}"#;
const NOTHING: &str = r#"{"type":"object","properties":{}}"#;

/// For one direction.
const DIRECTION_LIMIT: Duration = Duration::from_secs(4);
/// Of an answer that is no stream.
const ERROR_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::time::Instant;

    use super::{DIRECTIONS, Setting, body, run};
    use crate::demo::stub::asked;
    use crate::demo::stub::server::Stub;

    #[test]
    fn requests_ask_the_same_on_both_wires() {
        let asked = DIRECTIONS.map(|direction| {
            let body = body(direction, false);
            let mut asked = asked::read(direction.client, body.as_bytes()).unwrap();
            asked.include_usage = false;
            (direction.provider, asked)
        });
        for (provider, one) in &asked {
            let (_, other) = asked.iter().find(|(it, _)| it == provider).unwrap();
            assert_eq!(one, other);
            assert_eq!(one.tools.len(), 2);
        }
    }

    #[test]
    fn direction_whose_peer_refuses_is_wrong_and_says_why() {
        let stub = Stub::start().unwrap();
        let setting = Setting {
            gateway: stub.address(),
            fast: true,
            companions: 2,
            deadline: Instant::now() + Duration::from_secs(5),
        };
        for direction in DIRECTIONS {
            let outcome = run(direction, &setting, &mut |_| Ok(())).unwrap();
            let fault = outcome.fault.unwrap();
            assert!(fault.starts_with("status 401"), "{fault}");
            assert_eq!(outcome.figures.events, 0);
        }
    }
}
