//! A simulated world under `net`, for tests and fuzzing: built with `cfg(test)` or the feature
//! `sim`, never otherwise.
//!
//! A thread that has entered a [`world::SimWorld`] gets its clock, timers, tasks, randomness and
//! sockets from it; every other thread has the runtime, in the same build. One number decides
//! everything that happens in a world, so that the number repeats it.
//!
//! | file | holds |
//! |---|---|
//! | `seeded_random` | numbers out of a seed |
//! | `world` | time, timers, tasks, and which task runs next |
//! | `socket` | connections in memory, their faults, what must not be done with them |
//! | `listeners` | addresses that are listened on, and connecting to them |
//! | `time`, `task` | stand-ins for the runtime's types; each is made for the world or for the runtime |
//! | `names` | addresses for names, in place of the control thread's resolver |
//! | `injected_failure` | one chosen operation on real sockets fails |
//!
//! In every other build `absent` stands in this module's place, so that the rest of `net` names its items
//! without conditions.

pub mod injected_failure;
pub mod listeners;
pub mod names;
pub mod seeded_random;
pub mod socket;
pub mod task;
pub mod time;
pub mod world;
