//! One `[[provider]]` of the configuration into one [`Provider`] of the plan.

use crate::config::load::material::{Credential, ProviderMaterial};
use crate::config::read::document::no_such;
use crate::config::schema::fault::{Faults, Located, nearest, shown};
use crate::config::schema::file::{Fact, KeySource, ListenAddress, ProviderConfig, Stated};
use crate::config::schema::secret::Secret;
use crate::limits::Limits;
use crate::provider::dialect::{Flag, flags};
use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::provider::table;
use crate::route::compile::{base_url, target};
use crate::route::plan::glob::Glob;
use crate::route::plan::header::{BetaRules, ForwardRules, is_withheld};
use crate::route::plan::ids::ProviderId;
use crate::route::plan::provider::{
    HeadPieces, Provider, ProviderAddress, Scheme, StatusSet, Timeouts,
};
use crate::wire::codec;
use crate::wire::kind::{Dialect, Wire};

/// Compiles a provider; `None` where a fault leaves nothing to run on.
///
/// `gateway_key_header` never goes upstream from a client. At an address of `listen` the gateway
/// would ask itself.
pub fn compile(
    given: ProviderConfig,
    material: ProviderMaterial,
    limits: &Limits,
    gateway_key_header: Option<&str>,
    listen: &[Located<ListenAddress>],
    faults: &mut Faults,
) -> Option<Provider> {
    let name = given.name.as_ref();
    if let Some(name) = name {
        check_name(name, faults);
    }
    // One that is missing is a fault already; the rest is checked as that of any service.
    let kind = match &given.kind {
        Some(kind) => kind_of(kind, faults)?,
        None => table::find("openai-compatible")?,
    };
    check_credential(&given, &material.credential, kind, faults);
    let endpoint = endpoint(&given, kind, listen, faults);
    if let Some(endpoint) = &endpoint {
        warn_of_clear_text(&given, endpoint, &material.credential, faults);
        check_networks(&given, endpoint, faults);
    }
    let auth = auth(given.auth.as_ref(), kind, faults);
    let dialect = dialect(&given.dialect, kind, faults);
    let (fixed_names, fixed_lines) = fixed_headers(&given.headers, faults);
    let forward = forward(
        &given.forward_headers,
        &fixed_names,
        gateway_key_header,
        faults,
    );
    let betas = betas(&given);
    let endpoint = endpoint?;
    Some(Provider {
        id: ProviderId::default(),
        name: name?.value.as_str().into(),
        kind: kind.name,
        wire: kind.wire,
        dialect,
        head: head(
            &endpoint,
            kind.wire,
            auth,
            &material.credential,
            (fixed_names, fixed_lines),
        ),
        endpoint,
        auth,
        retry_on: retry_on(given.retry_on.as_deref(), &material.credential),
        credential: material.credential,
        roots: given.roots,
        ca_pem: material.ca_pem,
        forward,
        betas,
        usage: given.usage,
        timeouts: timeouts(&given, limits),
        stream_rate_min: given.stream_rate_min.unwrap_or(limits.stream_rate_min),
        warm_count: given.warm_count,
        facts: target::facts(&given.stated, &Stated::default()),
    })
}

fn check_name(name: &Located<String>, faults: &mut Faults) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.value.len() > NAME_BYTES_MAX || !name.value.chars().all(is_plain) {
        let text = format!(
            "expected at most {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`: it stands \
             before the first `/` of a target"
        );
        faults.push(&name.place, text);
    }
}

/// Longest name of a provider.
const NAME_BYTES_MAX: usize = 64;

/// The kind; of a misspelt one, which is a fault, the nearest, so that the rest is checked too.
fn kind_of(given: &Located<String>, faults: &mut Faults) -> Option<&'static Kind> {
    table::find(&given.value).or_else(|| {
        let names = table::names();
        faults.push(&given.place, no_such("kind", &given.value, &names));
        table::find(nearest(&given.value, names)?)
    })
}

fn check_credential(
    given: &ProviderConfig,
    credential: &Credential,
    kind: &Kind,
    faults: &mut Faults,
) {
    let has_none = matches!(credential, Credential::None);
    if given.key == KeySource::Unset && has_none && kind.key == KeyNeed::Wanted {
        let text = "no key; say key_file, key_env, key = \"caller\" (clients bring their own) or \
                    key = \"none\"";
        faults.push(&given.place, text);
    }
}

fn endpoint(
    given: &ProviderConfig,
    kind: &Kind,
    listen: &[Located<ListenAddress>],
    faults: &mut Faults,
) -> Option<ProviderAddress> {
    let Some(url) = &given.base_url else {
        let Some(url) = kind.base_url else {
            let text = format!(
                "`base_url` is missing; kind {} has none of its own",
                kind.name
            );
            faults.push(&given.place, text);
            return None;
        };
        return base_url::parse(url, kind.wire).ok();
    };
    let endpoint = match base_url::parse(&url.value, kind.wire) {
        Ok(endpoint) => endpoint,
        Err(text) => {
            faults.push(&url.place, text);
            return None;
        }
    };
    if base_url::lacks_version(&endpoint, kind.wire) {
        let text = format!(
            "has no /v1; the OpenAI wire's base URL includes it, requests go to {}/chat/completions",
            shown(&endpoint.root)
        );
        if is_own_host(&endpoint, kind) {
            faults.push(&url.place, format!("{text}; add /v1"));
        } else {
            faults.warn(&url.place, format!("{text}; add /v1 unless that is meant"));
        }
    }
    if let Some(own) = listen
        .iter()
        .find(|listen| base_url::leads_to(&endpoint, &listen.value))
    {
        let text = format!(
            "the gateway itself listens there ({}), every request would come back to it; name the \
             provider's address",
            own.place.path
        );
        faults.push(&url.place, text);
    }
    Some(endpoint)
}

/// Whether the address is the kind's own service, whose paths are known.
fn is_own_host(endpoint: &ProviderAddress, kind: &Kind) -> bool {
    let own = kind
        .base_url
        .and_then(|url| base_url::parse(url, kind.wire).ok());
    own.is_some_and(|own| own.scheme == Scheme::Https && own.host == endpoint.host)
}

fn warn_of_clear_text(
    given: &ProviderConfig,
    endpoint: &ProviderAddress,
    credential: &Credential,
    faults: &mut Faults,
) {
    let has_key = !matches!(credential, Credential::None);
    if has_key && endpoint.scheme == Scheme::Http && !base_url::is_local(endpoint) {
        let place = given
            .base_url
            .as_ref()
            .map_or(&given.place, |url| &url.place);
        faults.warn(
            place,
            "the key goes out in clear over http; use https where it can",
        );
    }
}

/// An address in the URL itself is known before any name is looked up.
fn check_networks(given: &ProviderConfig, endpoint: &ProviderAddress, faults: &mut Faults) {
    let place = given
        .base_url
        .as_ref()
        .map_or(&given.place, |url| &url.place);
    if let Some(networks) = &given.stated.networks
        && base_url::is_outside(endpoint, networks)
    {
        faults.push(place, OUTSIDE);
    }
}

/// Why an address is no good for what is stated of its networks.
pub(crate) const OUTSIDE: &str = "the address lies outside the `networks` that are stated, so that every \
                                  request fails; mend the one or the other";

fn auth(given: Option<&Located<String>>, kind: &Kind, faults: &mut Faults) -> AuthForm {
    let Some(given) = given else {
        return kind.auth;
    };
    let found = AuthForm::ALL
        .into_iter()
        .find(|form| form.name() == given.value);
    found.unwrap_or_else(|| {
        let known = AuthForm::ALL.map(AuthForm::name);
        faults.push(
            &given.place,
            no_such("form of credential", &given.value, &known),
        );
        kind.auth
    })
}

fn dialect(given: &[(Located<String>, Fact)], kind: &Kind, faults: &mut Faults) -> Dialect {
    let mut dialect = (kind.dialect)();
    for (name, value) in given {
        let mut all = flags(&mut dialect);
        let known: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let Some(at) = known.iter().position(|known| *known == name.value) else {
            faults.push(&name.place, no_such("flag", &name.value, &known));
            continue;
        };
        let (_, flag) = all.swap_remove(at);
        if let Err(expected) = set(flag, value) {
            faults.push(&name.place, format!("expected {expected}"));
        }
    }
    dialect
}

fn set(flag: Flag<'_>, value: &Fact) -> Result<(), &'static str> {
    match (flag, value) {
        (Flag::Switch(slot), Fact::Flag(value)) => *slot = *value,
        (Flag::Number(slot), Fact::Whole(value)) => {
            let number = u32::try_from(*value).ok().filter(|&number| number > 0);
            *slot = number.ok_or("a number from 1 to 4294967295")?;
        }
        (Flag::Switch(_), Fact::Whole(_) | Fact::Text(_)) => return Err("true or false"),
        (Flag::Number(_), Fact::Flag(_) | Fact::Text(_)) => return Err("a whole number"),
    }
    Ok(())
}

type FixedNames = Box<[Box<str>]>;

fn fixed_headers(
    given: &[(Located<String>, String)],
    faults: &mut Faults,
) -> (FixedNames, Vec<u8>) {
    let mut lines = Vec::new();
    let mut names: Vec<Box<str>> = Vec::new();
    for (name, value) in given {
        let lower = name.value.to_ascii_lowercase();
        if let Some(text) = header_fault(&lower, value, &names) {
            faults.push(&name.place, text);
            continue;
        }
        lines.extend_from_slice(lower.as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.as_bytes());
        lines.extend_from_slice(b"\r\n");
        names.push(lower.into());
    }
    (names.into_boxed_slice(), lines)
}

fn header_fault(lower: &str, value: &str, before: &[Box<str>]) -> Option<&'static str> {
    let is_visible = |byte: u8| matches!(byte, 0x20..=0x7E | b'\t');
    if !is_token(lower) {
        return Some("expected a header name");
    }
    if is_withheld(lower) || lower == "content-type" {
        return Some("this header is the gateway's own; credentials go into key_file or key_env");
    }
    if before.iter().any(|name| **name == *lower) {
        return Some("the header is set twice");
    }
    if value.trim() != value || !value.bytes().all(is_visible) {
        return Some("expected a value of visible ASCII without spaces around it");
    }
    None
}

/// Whether a text is a field name of HTTP (RFC 9110, 5.6.2).
#[must_use]
pub fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

fn forward(
    given: &[Located<String>],
    fixed_names: &[Box<str>],
    gateway_key_header: Option<&str>,
    faults: &mut Faults,
) -> ForwardRules {
    let mut extra = Vec::new();
    for pattern in given {
        let lower = pattern.value.to_ascii_lowercase();
        if !is_token(&lower) {
            faults.push(&pattern.place, "expected a header name or a pattern of one");
        } else if is_withheld(&lower) || gateway_key_header == Some(&lower) {
            let text = "this header never goes upstream: it frames the message or carries keys";
            faults.push(&pattern.place, text);
        } else {
            extra.push(Glob::new(&lower));
        }
    }
    let held = fixed_names.iter().cloned();
    let held = held.chain(gateway_key_header.map(Box::from));
    ForwardRules::new(extra, held.collect())
}

fn betas(given: &ProviderConfig) -> BetaRules {
    let globs = |patterns: &[Located<String>]| -> Box<[Glob]> {
        patterns
            .iter()
            .map(|pattern| Glob::new(&pattern.value))
            .collect()
    };
    let renames = given.rename_beta.iter();
    BetaRules {
        allow: given.allow_beta.as_deref().map(globs),
        drop: globs(&given.drop_beta),
        rename: renames
            .map(|(from, to)| (from.value.as_str().into(), to.as_str().into()))
            .collect(),
    }
}

fn head(
    endpoint: &ProviderAddress,
    wire: Wire,
    auth: AuthForm,
    credential: &Credential,
    (fixed_names, lines): (FixedNames, Vec<u8>),
) -> HeadPieces {
    let root = &endpoint.root;
    let conventions = codec::conventions(wire);
    let at = |path: &str| format!("{root}{path}").into();
    let mut fixed_lines = format!("host: {}\r\n", endpoint.authority).into_bytes();
    fixed_lines.extend_from_slice(&lines);
    HeadPieces {
        chat_path: at(conventions.chat_path),
        count_path: conventions.count_path.map(at),
        fixed_lines: Secret::new(fixed_lines),
        fixed_names,
        credential_lines: credential_lines(auth, credential),
    }
}

fn credential_lines(auth: AuthForm, credential: &Credential) -> Box<[Secret]> {
    let keys = match credential {
        Credential::Ours(keys) => keys.as_slice(),
        Credential::Caller | Credential::None => &[],
    };
    keys.iter().map(|key| credential_line(auth, key)).collect()
}

fn credential_line(auth: AuthForm, key: &Secret) -> Secret {
    let prefix = auth.prefix().as_bytes();
    // Room for all of it at once: a buffer that grows leaves copies of the key behind.
    let mut line = Vec::with_capacity(prefix.len() + key.expose().len() + 2);
    line.extend_from_slice(prefix);
    line.extend_from_slice(key.expose());
    line.extend_from_slice(b"\r\n");
    Secret::new(line)
}

/// 429 and 5xx; a 401 too where the key that was refused is ours.
fn retry_on(given: Option<&[u16]>, credential: &Credential) -> StatusSet {
    let add = |set: StatusSet, status: u16| set.with(status);
    if let Some(given) = given {
        return given.iter().copied().fold(StatusSet::default(), add);
    }
    let set = (500..600).fold(StatusSet::default().with(429), add);
    match credential {
        Credential::Ours(_) => set.with(401),
        Credential::Caller | Credential::None => set,
    }
}

fn timeouts(given: &ProviderConfig, limits: &Limits) -> Timeouts {
    let own = &given.timeouts;
    Timeouts {
        connect_ms: own.connect_ms.unwrap_or(limits.connect_timeout_ms),
        handshake_ms: own.handshake_ms.unwrap_or(limits.handshake_timeout_ms),
        answer_head_ms: own.answer_head_ms.unwrap_or(limits.answer_head_timeout_ms),
        stream_stall_ms: own
            .stream_stall_ms
            .unwrap_or(limits.stream_stall_timeout_ms),
        first_token_ms: own.first_token_ms.unwrap_or(limits.first_token_timeout_ms),
    }
}
