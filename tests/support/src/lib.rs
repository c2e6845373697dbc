//! Both ends beside a gateway, for its tests and instruments: a provider that follows a script, a
//! client, and the reader of HTTP by which both judge what the gateway sends.
//!
//! Nothing here is shared with the gateway: heads, lengths and chunks are read by code of this
//! crate, so that a fault of the gateway's codecs cannot hide in the judge. What is wrong fails the
//! test that sees it.

pub mod http;
pub mod stride;

#[cfg(feature = "sockets")]
pub mod client;
#[cfg(feature = "sockets")]
pub mod provider;
#[cfg(feature = "sockets")]
pub mod script;
#[cfg(feature = "sockets")]
pub mod wait;
