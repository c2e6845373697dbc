//! Checks the clock that budgets, windows and expiry follow, and reports jumps.
//!
//! The local wall clock is looked at once a second, and that of a PostgreSQL store every five seconds. Redis'
//! clock is reported by whoever renews leases.

use core::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::net::runtime::checked_time::ClockChange;
use crate::net::runtime::clock;
use crate::server::key::key_sync::StoreHandle;
use crate::server::thread::output::Notices;

/// What checks the clock.
pub struct ClockWatch {
    /// Where the store is found, if there is one.
    governed: Option<StoreHandle>,
    /// Where jumps are reported.
    notices: Notices,
}

impl ClockWatch {
    /// A watch that asks this store and reports there.
    #[must_use]
    pub fn new(governed: Option<&StoreHandle>, notices: &Notices) -> Self {
        Self {
            governed: governed.cloned(),
            notices: notices.clone(),
        }
    }

    /// Runs for ever.
    pub async fn run(&mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for count in 0_u64.. {
            tick.tick().await;
            if count.is_multiple_of(STORE_TICKS) {
                self.ask_store().await;
            }
            if let Some(change) = clock::check() {
                self.notices.say(line(change));
            }
        }
    }

    async fn ask_store(&self) {
        let Some(store) = self.governed.as_ref().and_then(|it| it.store().ok()) else {
            return;
        };
        if let Ok(Ok(Some(unix_ms))) = timeout(ANSWER, store.time()).await {
            clock::refer(clock::now(), unix_ms);
        }
    }
}

fn line(change: ClockChange) -> String {
    match change {
        ClockChange::Agree => "clocks agree again".to_owned(),
        ClockChange::Differ { local, reference } => {
            let local = seconds(local);
            let reference = reference.map_or_else(
                || "there is no store or Redis to ask".to_owned(),
                |ahead| format!("the clock of the store or of Redis {}", seconds(ahead)),
            );
            format!(
                "clock jump: against the time that budgets followed, the local clock is {local}; {reference}"
            )
        }
    }
}

fn seconds(ahead_ms: i64) -> String {
    let seconds = ahead_ms.unsigned_abs() / 1_000;
    match ahead_ms {
        ..0 => format!("{seconds} s behind"),
        _ => format!("{seconds} s ahead"),
    }
}

const TICK: Duration = Duration::from_secs(1);
/// Ticks between two questions to the store.
const STORE_TICKS: u64 = 5;
/// Longest wait for what the store says; a later answer is no good.
const ANSWER: Duration = Duration::from_secs(2);
