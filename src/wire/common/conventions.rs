//! What a wire has beside its bodies: the names and statuses that its servers use, as data.

/// How a streamed answer is cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `text/event-stream`
    ServerSentEvents,
}

/// The conventions of one wire's servers.
#[derive(Clone, Copy, Debug)]
pub struct Conventions {
    /// Path of a chat, behind the version.
    pub chat_path: &'static str,
    /// Path at which the tokens of a chat are counted, behind the version.
    pub count_path: Option<&'static str>,
    /// The base address of a provider ends with the version of its API.
    pub base_has_version: bool,
    /// The field of a request's head that names the version of the API, in wires that have one: their
    /// tools and features have versions, too.
    pub version_field: Option<&'static str>,
    /// A stream tells its token counts only where they are asked for.
    pub usage_on_request: bool,
    /// How a streamed answer is cut into events.
    pub framing: Framing,
    /// The field of a response head that holds the server's id of the request.
    pub request_id: &'static str,
    /// What the fields of a response head on rate limits begin with.
    pub rate_limit_prefix: &'static str,
    /// What stands before limit, remainder and reset of a rate in a response head: for requests, for
    /// tokens. A line's end follows the reset.
    pub rate_limit_lines: [[&'static str; 3]; 2],
    /// Status of an error of billing or of an exhausted quota.
    pub billing_status: u16,
    /// Status of a server that has too much load.
    pub overloaded_status: u16,
    /// A 429 that names no time is a spending limit: another try meets it again.
    pub untimed_429_is_final: bool,
}
