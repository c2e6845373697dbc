//! What a scripted provider does on one connection, step by step.

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Read a whole request and keep it.
    Request,
    /// Read a request's head, and none of its body on purpose.
    Head,
    /// Read the body, of a declared length, of the request whose head was read.
    Rest,
    /// Send bytes.
    Send(Vec<u8>),
    /// Read nothing until the peer has reset the connection.
    Deaf,
    /// Wait for `Provider::open`.
    Gate,
    /// Send the bytes over and over until the peer has closed; for peers that do not read.
    Flood(Vec<u8>),
    /// Close in good order, at once.
    Close,
    /// Reset the connection.
    Reset,
    /// Begin again with the first step.
    Again,
}

/// The steps of one connection. Behind the last one it stays silent until the peer closes.
pub type Script = Vec<Step>;

/// Answers every request in the same way and keeps the connection.
pub fn always(answer: impl Into<Vec<u8>>) -> Script {
    vec![Step::Request, Step::Send(answer.into()), Step::Again]
}

/// Takes one request and sends these bytes, then stays silent.
pub fn once(answer: impl Into<Vec<u8>>) -> Script {
    vec![Step::Request, Step::Send(answer.into())]
}

/// Takes one request, sends these bytes and does what comes then.
pub fn then(answer: impl Into<Vec<u8>>, step: Step) -> Script {
    vec![Step::Request, Step::Send(answer.into()), step]
}
