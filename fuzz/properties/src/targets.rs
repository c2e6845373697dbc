//! Every fuzz target by its name.

use crate::{
    answer, config, error, form, http1_body, http1_connection, http1_head, journal, peek, request,
    rewrite, sse, stream, string, tap, transforms,
};

/// A property: panics for an input for which it does not hold.
pub type Check = fn(&[u8]);

/// Name and property of each target.
pub const TARGETS: [(&str, Check); 17] = [
    ("config", config::check),
    ("http1_chunked", http1_body::check),
    ("http1_connection", http1_connection::check),
    ("http1_request_head", http1_head::check_request),
    ("http1_response_head", http1_head::check_response),
    ("json_peek", peek::check),
    ("json_rewrite", rewrite::check),
    ("json_string", string::check),
    ("ledger_recover", journal::check),
    ("multipart_model", form::check),
    ("sse_decode", sse::check),
    ("tap", tap::check),
    ("transforms", transforms::check),
    ("translate_answer", answer::check),
    ("translate_error", error::check),
    ("translate_request", request::check),
    ("translate_stream", stream::check),
];
