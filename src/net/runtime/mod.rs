//! The thread that everything runs on: driver, tasks, timers, clocks, buffers.

pub(in crate::net) mod alarm;
pub mod buffers;
pub mod checked_time;
pub mod clock;
pub mod driver;
pub mod loop_turn;
pub mod random;
pub mod recycled_future;
pub mod task;
pub mod timer;
