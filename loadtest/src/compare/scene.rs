//! Kinds of load that contestants are compared under, and what is to be reached in each.

use std::time::Duration;

use crate::compare::contestant::{Contestant, Sort};
use crate::compare::goal::Goal;
use crate::load::job::Request;
use crate::load::round::Mode;
use crate::load::schedule::Arrival;
use crate::report::data::Unit;
use crate::wire::Wire;

/// A kind of load.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Its name, also for `--load`.
    pub name: &'static str,
    /// What is sent.
    pub about: &'static str,
    /// The client's wire.
    pub wire: Wire,
    /// Whether it is streamed.
    pub stream: bool,
    /// Whether gateways change the wire.
    pub translated: bool,
    /// What the mock does.
    pub script: &'static str,
    /// How requests follow each other.
    pub follow: Follow,
    /// Connections.
    pub connections: usize,
    /// Bytes of text in the question.
    pub body_bytes: usize,
    /// Who takes part.
    pub who: Who,
    /// What is to be reached.
    pub goals: &'static [Goal],
    /// Whether it runs only where there is time, or where it is asked for.
    pub full: bool,
}

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Follow {
    /// Each connection asks when it has its answer.
    Answers,
    /// Streams stay open, begun over so many milliseconds.
    Held(u64),
    /// So many are due each second, evenly; after so many milliseconds as many end as begin.
    Clock(f64, u64),
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// All.
    All,
    /// Gateways and proxies.
    Proxies,
    /// Those and the way without any.
    AndDirect,
    /// Gateways, and nginx as what they are held against.
    AndNginx,
    /// Gateways alone.
    Gateways,
}

impl Who {
    /// Whether a contestant takes part.
    #[must_use]
    pub fn has(self, contestant: &Contestant) -> bool {
        let sort = contestant.sort;
        match self {
            Self::All => true,
            Self::Proxies => matches!(sort, Sort::Gateway | Sort::Proxy),
            Self::AndDirect => sort != Sort::Floor,
            Self::AndNginx => sort == Sort::Gateway || contestant.name == "nginx",
            Self::Gateways => sort == Sort::Gateway,
        }
    }
}

impl Scene {
    /// What is counted.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        if self.stream {
            Unit::Event
        } else {
            Unit::Request
        }
    }

    /// Whether its streams stay open.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self.follow, Follow::Held(_))
    }

    /// How requests follow each other, and the time until all of them are under way.
    #[must_use]
    pub fn mode(&self) -> (Mode, Duration) {
        match self.follow {
            Follow::Answers => (Mode::Closed, Duration::ZERO),
            Follow::Held(ms) => {
                // Beginning a stream costs more than its deltas: a thousand want their time.
                let begin = Duration::from_micros(200 * self.connections as u64);
                let spread = begin.max(Duration::from_millis(ms));
                (Mode::Hold(spread), spread)
            }
            Follow::Clock(per_second, ms) => {
                let mode = Mode::Open(Arrival::Constant, per_second);
                (mode, Duration::from_millis(ms))
            }
        }
    }

    /// The request to a contestant; none where no route of its leads there.
    #[must_use]
    pub fn request(&self, contestant: &Contestant) -> Option<Request> {
        let model = contestant.model(self.wire, self.translated)?;
        Some(Request {
            wire: self.wire,
            model: model.to_owned(),
            stream: self.stream,
            body_bytes: self.body_bytes,
            script: self.script.to_owned(),
            told: contestant.told,
            translated: self.translated && contestant.sort == Sort::Gateway,
            timeout: Duration::from_secs(30),
        })
    }
}

const BASE: Scene = Scene {
    name: "",
    about: "",
    wire: Wire::Openai,
    stream: false,
    translated: false,
    script: "",
    follow: Follow::Answers,
    connections: 64,
    body_bytes: 700,
    who: Who::All,
    goals: &[],
    full: false,
};

/// Requests as a chat sends them, for what is to be known of one from its start to its end.
pub const CHAT: Scene = Scene {
    name: "chat",
    about: "200 requests a second, each a stream of 50 deltas, one every 20 ms",
    stream: true,
    script: "deltas=50,gap_ms=20",
    follow: Follow::Clock(200.0, 1_200),
    connections: 400,
    ..BASE
};

/// All kinds of load, those that say most first.
pub const SCENES: &[Scene] = &[
    Scene {
        name: "whole",
        about: "whole answers, 64 connections, same wire, the model renamed",
        goals: &[Goal::Cpu("nginx", 0.85)],
        ..BASE
    },
    Scene {
        name: "stream",
        about: "streams of 200 deltas back to back, 64 connections, same wire",
        stream: true,
        script: "deltas=200",
        goals: &[Goal::Cpu("nginx", 0.9)],
        ..BASE
    },
    Scene {
        name: "paced-256",
        about: "256 streams, a delta every 20 ms on each, same wire",
        stream: true,
        script: "deltas=100000,gap_ms=20",
        follow: Follow::Held(20),
        connections: 256,
        goals: &[Goal::Cpu("nginx", 0.9), Goal::Cpu("haproxy", 1.05)],
        ..BASE
    },
    Scene {
        name: "paced-1000",
        about: "1,000 streams, a delta every 100 ms on each, same wire",
        stream: true,
        script: "deltas=100000,gap_ms=100",
        follow: Follow::Held(100),
        connections: 1000,
        who: Who::Proxies,
        goals: &[Goal::Cpu("nginx", 0.9), Goal::Cpu("haproxy", 1.05)],
        ..BASE
    },
    Scene {
        name: "paced-1000-openai-to-anthropic",
        about: "1,000 streams, a delta every 100 ms, translated for an OpenAI client; nginx relays its own wire",
        stream: true,
        translated: true,
        script: "deltas=100000,gap_ms=100",
        follow: Follow::Held(100),
        connections: 1000,
        who: Who::AndNginx,
        goals: &[Goal::Cpu("nginx", 1.2)],
        full: true,
        ..BASE
    },
    Scene {
        name: "paced-1000-anthropic-to-openai",
        about: "1,000 streams, a delta every 100 ms, translated for an Anthropic client; nginx relays its own wire",
        wire: Wire::Anthropic,
        stream: true,
        translated: true,
        script: "deltas=100000,gap_ms=100",
        follow: Follow::Held(100),
        connections: 1000,
        who: Who::AndNginx,
        goals: &[Goal::Cpu("nginx", 1.2)],
        full: true,
        ..BASE
    },
    Scene {
        name: "whole-openai-to-anthropic",
        about: "whole answers, translated for an OpenAI client; nginx relays its own wire",
        translated: true,
        who: Who::AndNginx,
        goals: &[Goal::Cpu("nginx", 1.0)],
        ..BASE
    },
    Scene {
        name: "whole-anthropic-to-openai",
        about: "whole answers, translated for an Anthropic client; nginx relays its own wire",
        wire: Wire::Anthropic,
        translated: true,
        who: Who::AndNginx,
        goals: &[Goal::Cpu("nginx", 1.0)],
        ..BASE
    },
    Scene {
        name: "stream-openai-to-anthropic",
        about: "streams back to back, translated for an OpenAI client; nginx relays its own wire",
        stream: true,
        translated: true,
        script: "deltas=200",
        who: Who::AndNginx,
        goals: &[Goal::Cpu("nginx", 1.05)],
        ..BASE
    },
    Scene {
        name: "stream-anthropic-to-openai",
        about: "streams back to back, translated for an Anthropic client; nginx relays its own wire",
        wire: Wire::Anthropic,
        stream: true,
        translated: true,
        script: "deltas=200",
        who: Who::AndNginx,
        goals: &[Goal::Cpu("nginx", 1.05)],
        ..BASE
    },
    Scene {
        name: "alone-whole",
        about: "one request at a time: latency that is added",
        connections: 1,
        who: Who::AndDirect,
        goals: &[Goal::AddedLatency],
        ..BASE
    },
    Scene {
        name: "alone-stream",
        about: "one stream at a time: time to the first delta that is added",
        stream: true,
        script: "deltas=5",
        connections: 1,
        who: Who::AndDirect,
        goals: &[Goal::AddedFirst],
        ..BASE
    },
    Scene {
        name: "body-5mb",
        about: "requests of 5 MB, 4 connections, same wire, the model renamed",
        body_bytes: 5_000_000,
        connections: 4,
        who: Who::Proxies,
        goals: &[Goal::Cpu("nginx", 1.25)],
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::{CHAT, SCENES};
    use crate::mock::script::Script;

    #[test]
    fn scenes_have_names_of_their_own_and_scripts_that_can_be_read() {
        for (at, scene) in SCENES.iter().enumerate() {
            assert!(
                Script::default().with(scene.script).is_ok(),
                "{}",
                scene.name
            );
            assert!(
                SCENES
                    .iter()
                    .skip(at + 1)
                    .all(|other| other.name != scene.name)
            );
            assert!(!scene.goals.is_empty(), "{}", scene.name);
            assert_ne!(scene.name, CHAT.name);
        }
        assert!(Script::default().with(CHAT.script).is_ok());
    }
}
