//! A simulated world under `net`, for tests and fuzzing: built with `cfg(test)` or the feature
//! `sim`, never otherwise.
//!
//! A thread that has entered a [`world::SimWorld`] gets its clock, timers, tasks, randomness and
//! sockets from it; every other thread has the runtime, in the same build. One number decides
//! everything that happens in a world, so that the number repeats it.
//!
//! | file | holds |
//! |---|---|
//! | `chance` | numbers out of a seed |
//! | `world` | time, timers, tasks, and who runs next |
//! | `socket` | connections in memory, their faults, what must not be done with them |
//! | `harbour` | addresses that are listened on, and connecting to them |
//! | `time`, `task` | stand-ins for the runtime's types, that choose when they are made |
//! | `names` | what the control thread's resolver would say |
//! | `strike` | the nth failure on real sockets |

pub mod chance;
pub mod injected_failure;
pub mod listeners;
pub mod names;
pub mod socket;
pub mod task;
pub mod time;
pub mod world;
