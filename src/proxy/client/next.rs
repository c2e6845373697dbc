//! What becomes of a client's connection once an exchange is over.

/// What becomes of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It serves the next request.
    KeepAlive,
    /// It is closed in good order.
    Close,
    /// It is closed after the rest of the request was read and dropped, so that the answer is read.
    Linger,
    /// It is cut: what was sent is not all.
    Abort,
    /// The same, a moment later: the client was told, and shall read it first.
    Cut,
    /// It is reset: what was sent is not all, and nothing else would say so.
    Reset,
}
