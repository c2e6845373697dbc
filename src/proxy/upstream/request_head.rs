//! The head of a request as a provider gets it: built from the plan and an allow-list.
//!
//! Nothing of the client's head goes on but what the provider's rules name; its keys go on in
//! caller's-key mode alone, in the form that the provider wants.

use crate::config::load::material::Credential;
use crate::http1::{encode, grammar};
use crate::provider::spec::AuthForm;
use crate::proxy::admit::inbound::Inbound;
use crate::route::plan::provider::Provider;
use crate::wire::codec;

/// What a head is written from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'f> {
    /// The provider.
    pub provider: &'f Provider,
    /// The request crosses the wires.
    pub translated: bool,
    /// The body is JSON that was read: it goes on as that, whatever its client calls it. Under another
    /// label or `charset` a provider could read other members in it than were authorised.
    pub is_json: bool,
    /// Values for `anthropic-beta` that the body named.
    pub body_beta: Option<&'f str>,
    /// Which of our credentials goes out, by its place at the provider.
    pub credential: usize,
    /// The provider is the one of a fallback: a caller's key never goes there.
    pub fallback: bool,
}

/// The provider wants a key and there is none for this caller: 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCredential;

/// Appends host, credential and the client's fields that go on.
///
/// # Errors
/// [`NoCredential`]
pub fn fields(out: &mut Vec<u8>, inbound: &Inbound, facts: &Facts<'_>) -> Result<(), NoCredential> {
    out.extend_from_slice(facts.provider.head.fixed_lines.expose());
    credential(out, inbound, facts)?;
    forwarded(out, inbound, facts);
    if codec::conventions(facts.provider.wire)
        .version_field
        .is_some()
    {
        versions(out, inbound, facts);
    }
    out.extend_from_slice(b"accept-encoding: identity\r\n");
    if facts.is_json {
        out.extend_from_slice(b"content-type: application/json\r\n");
    }
    Ok(())
}

/// Appends what a relayed request says of its content, and under which conditions it is asked for,
/// as far as [`fields`] has not. Not `content-md5`: a renamed model changes the body.
pub fn content_fields(out: &mut Vec<u8>, inbound: &Inbound, provider: &Provider) {
    for name in CONTENT {
        if provider.forward.takes(name) || provider.fixes(name) {
            continue;
        }
        for value in inbound.head.fields.values(&inbound.bytes, name) {
            encode::field(out, name.as_bytes(), value);
        }
    }
}

fn credential(out: &mut Vec<u8>, inbound: &Inbound, facts: &Facts<'_>) -> Result<(), NoCredential> {
    let provider = facts.provider;
    if let Some(line) = provider.head.credential_lines.get(facts.credential) {
        out.extend_from_slice(line.expose());
        return Ok(());
    }
    match provider.credential {
        Credential::None => Ok(()),
        Credential::Ours(_) => Err(NoCredential),
        Credential::Caller => {
            let own_wire = inbound.wire == provider.wire && !facts.fallback;
            let key = inbound
                .callers_key()
                .filter(|_| own_wire)
                .ok_or(NoCredential)?;
            let form = callers_form(provider.auth, key, inbound.presented.bearer);
            out.extend_from_slice(form.prefix().as_bytes());
            out.extend_from_slice(key);
            out.extend_from_slice(b"\r\n");
            Ok(())
        }
    }
}

/// An OAuth token of Anthropic's is good as a Bearer token alone; every other key goes out in the
/// form that the provider wants.
fn callers_form(wanted: AuthForm, key: &[u8], bearer: bool) -> AuthForm {
    if bearer && key.starts_with(b"sk-ant-oat") {
        AuthForm::Bearer
    } else {
        wanted
    }
}

fn forwarded(out: &mut Vec<u8>, inbound: &Inbound, facts: &Facts<'_>) {
    let fields = &inbound.head.fields;
    let mut room = [0u8; NAME_BYTES_MAX];
    for (name, value) in fields.iter(&inbound.bytes) {
        let Some(lower) = grammar::lower(name, &mut room) else {
            continue;
        };
        let ours = matches!(
            lower,
            b"anthropic-version" | b"anthropic-beta" | b"accept-encoding"
        );
        let label = facts.is_json && lower == b"content-type";
        let foreign = facts.translated && is_of_other_wire(lower);
        if ours
            || label
            || foreign
            || facts.provider.fixes(lower)
            || !facts.provider.forward.takes(lower)
        {
            continue;
        }
        // What is hop-by-hop by the protocol is never taken; what this connection names may be.
        if !fields.has_token(&inbound.bytes, "connection", name) {
            encode::known_field(out, name, value);
        }
    }
}

/// Fields that mean something on the client's wire alone, or say what form the answer shall have.
fn is_of_other_wire(name: &[u8]) -> bool {
    name.starts_with(b"anthropic-")
        || name.starts_with(b"openai-")
        || name.starts_with(b"x-stainless-")
        || name == b"accept"
}

/// `anthropic-version` as sent or the default; `anthropic-beta` from head and body, each value
/// once (of many, only the first are compared), by the provider's rules.
fn versions(out: &mut Vec<u8>, inbound: &Inbound, facts: &Facts<'_>) {
    if !facts.provider.fixes("anthropic-version") {
        let version = inbound
            .field("anthropic-version")
            .unwrap_or(DEFAULT_VERSION);
        encode::field(out, b"anthropic-version", version);
    }
    if facts.provider.fixes("anthropic-beta") {
        return;
    }
    let fields = &inbound.head.fields;
    let mut betas: Vec<&str> = Vec::new();
    let headers = ["anthropic-beta", "x-portkey-anthropic-beta"];
    let lists = headers
        .iter()
        .flat_map(|name| fields.values(&inbound.bytes, name))
        .filter_map(|value| core::str::from_utf8(value).ok())
        .chain(facts.body_beta);
    for value in lists.flat_map(|list| list.split(',')).map(str::trim) {
        let Some(value) = facts.provider.betas.apply(value) else {
            continue;
        };
        let compared = betas.get(..BETAS_COMPARED_MAX).unwrap_or(&betas);
        if !value.is_empty() && !compared.contains(&value) {
            betas.push(value);
        }
    }
    if !betas.is_empty() {
        encode::field(out, b"anthropic-beta", betas.join(",").as_bytes());
    }
}

/// What goes on of relayed requests beside what every request may say.
const CONTENT: [&str; 9] = [
    "content-disposition",
    "content-language",
    "content-range",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
];
/// The version that carries sampling parameters and that every model and cloud takes.
const DEFAULT_VERSION: &[u8] = b"2023-06-01";
/// Values of `anthropic-beta` among which repetitions are looked for: with each of a head of 32 KiB
/// compared with all before it, one request took 35 ms.
const BETAS_COMPARED_MAX: usize = 64;
/// Longer names are not forwarded.
const NAME_BYTES_MAX: usize = 256;
