//! Drivers and directions: every test says which of them it runs in.

use core::fmt;
use std::sync::LazyLock;
use std::thread;

use ringway::wire::kind::Wire;

use super::gateway::Setup;

/// How the gateway drives its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Uring,
    Epoll,
}

impl Driver {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uring => "uring",
            Self::Epoll => "epoll",
        }
    }
}

/// From a client of one wire to a provider of the same or the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Direction {
    pub(crate) client: Wire,
    pub(crate) upstream: Wire,
}

impl Direction {
    pub(crate) fn is_translated(self) -> bool {
        self.client != self.upstream
    }
}

impl fmt::Debug for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}→{}", self.client.name(), self.upstream.name())
    }
}

/// All four.
pub(crate) const DIRECTIONS: [Direction; 4] = {
    use Wire::{AnthropicMessages as A, OpenAiChat as O};
    [
        direction(O, O),
        direction(A, A),
        direction(O, A),
        direction(A, O),
    ]
};

/// The two in which bytes stay what they are.
pub(crate) const SAME_WIRE: [Direction; 2] = [DIRECTIONS[0], DIRECTIONS[1]];
/// The two that cross the wires.
pub(crate) const CROSSED: [Direction; 2] = [DIRECTIONS[2], DIRECTIONS[3]];

const fn direction(client: Wire, upstream: Wire) -> Direction {
    Direction { client, upstream }
}

/// Runs a test on each driver that this host has, side by side. The thread's name, which a
/// failure prints, says on which.
pub(crate) fn each(test: impl Fn(Driver) + Sync) {
    thread::scope(|scope| {
        for &driver in drivers() {
            let test = &test;
            thread::Builder::new()
                .name(driver.name().to_owned())
                .spawn_scoped(scope, move || test(driver))
                .unwrap();
        }
    });
}

/// Runs a test on each driver and in each of the directions.
pub(crate) fn each_way(directions: &[Direction], test: impl Fn(Driver, Direction) + Sync) {
    each(|driver| {
        for &direction in directions {
            println!("{} {direction:?}", driver.name());
            test(driver, direction);
        }
    });
}

/// The drivers that can be had here: epoll is everywhere, io_uring where the kernel grants it.
pub(crate) fn drivers() -> &'static [Driver] {
    if *HAS_URING {
        &[Driver::Uring, Driver::Epoll]
    } else {
        &[Driver::Epoll]
    }
}

static HAS_URING: LazyLock<bool> = LazyLock::new(|| {
    let nowhere = "http://127.0.0.1:9";
    let setup = Setup::new(Driver::Uring);
    let setup = setup.provider_at("up", Wire::OpenAiChat, nowhere, "key = \"none\"");
    let tried = setup.try_start();
    if let Err(error) = &tried {
        println!("on epoll alone: {error}");
    }
    tried.is_ok()
});
