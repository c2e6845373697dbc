//! The program and the library from outside: real sockets, a scripted provider, raw clients.
//!
//! What needs a gateway starts one in the test's process, on each driver that the host has; what
//! is about signals, exit codes, memory or descriptors starts the program.

#![expect(
    clippy::string_slice,
    reason = "test code: a text cut at the wrong place is a failed test"
)]

#[cfg(test)]
mod answers;
#[cfg(test)]
mod apart;
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod capabilities;
#[cfg(test)]
mod check;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod config;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod crossing;
#[cfg(test)]
mod custody;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod early;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod fallback;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod flooded;
#[cfg(test)]
mod former;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod gone;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http_manners;
#[cfg(test)]
mod inherited;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod manage;
#[cfg(test)]
mod many_keys;
mod metered;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod quota;
#[cfg(test)]
mod relayed;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod same_wire;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod shared_room;
#[cfg(test)]
mod start;
#[cfg(test)]
mod steering;
#[cfg(test)]
mod store;
#[cfg(test)]
mod store_lines;
#[cfg(test)]
mod store_tls;
#[cfg(test)]
mod support;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod usage;
