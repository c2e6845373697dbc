//! Reads a configuration and what it points at. The only file that knows TOML and the file system.
//!
//! Nothing stops at the first fault: [`load`] gives whatever could be read together with all that
//! is wrong. Files are read up to a bound; a file with a key must be the owner's alone.
//!
//! A provider's key comes from the first of: its `key_file`; a systemd credential called like the
//! provider (or `providers_` and its name); its environment variable.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::load::environment::{self, Lookup};
use crate::config::load::material::{
    Credential, Material, ProviderMaterial, SharedMaterial, StoreMaterial, TlsMaterial,
};
use crate::config::read::document;
use crate::config::read::node::{ConfigEntry, ConfigNode, ConfigValue};
use crate::config::schema::fault::{Faults, Located, Location, shown};
use crate::config::schema::file::{
    Config, KeyPlace, KeySource, LogSink, ProviderConfig, ServerConfig, SharedConfig, StoreConfig,
    TextSource,
};
use crate::config::schema::secret::Secret;
use crate::config::schema::shared_url::SharedPlace;
use crate::config::schema::store_url::StorePlace;
use crate::limits::{CERT_FILE_BYTES_MAX, CONFIG_BYTES_MAX, KEY_FILE_BYTES_MAX};

/// A configuration as far as it could be read.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What it points at.
    pub material: Material,
    /// What is wrong so far.
    pub faults: Faults,
}

/// Reads a file and what it points at; relative paths in it start at its folder.
#[must_use]
pub fn load(path: &Path, env: Lookup<'_>) -> Loaded {
    let source = path.display().to_string();
    match text_of(path) {
        Ok(text) => {
            let folder = path.parent().unwrap_or_else(|| Path::new(""));
            load_text(&text, &source, folder, env)
        }
        Err(fault) => {
            let mut faults = Faults::new(&source);
            faults.push(&Location::default(), fault);
            Loaded {
                config: Config::default(),
                material: Material::default(),
                faults,
            }
        }
    }
}

/// Reads a configuration's text and what it points at. `source` is what faults call it.
#[must_use]
pub fn load_text(text: &str, source: &str, folder: &Path, env: Lookup<'_>) -> Loaded {
    let mut faults = Faults::new(source);
    let mut config = parse(text, &mut faults);
    if let LogSink::File(path) = &mut config.server.log {
        *path = folder.join(&*path);
    }
    let material = material(&config, folder, env, &mut faults);
    Loaded {
        config,
        material,
        faults,
    }
}

/// The configuration of a start without a file.
#[must_use]
pub fn load_environment(env: Lookup<'_>) -> Loaded {
    let mut faults = Faults::new("environment");
    let config = environment::config(env);
    let material = material(&config, Path::new(""), env, &mut faults);
    Loaded {
        config,
        material,
        faults,
    }
}

/// Reads a configuration's text, without what it points at.
#[must_use]
pub fn parse(text: &str, faults: &mut Faults) -> Config {
    let lines = LineStarts::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map_or(1, |span| lines.line_at(span.start));
        let is_repeated = error.message() == "duplicate key";
        // What stands there may be a credential, unless it is a name.
        let name = error.span().filter(|_| is_repeated);
        let name = name.and_then(|span| text.get(span)).unwrap_or_default();
        let place = Location {
            line,
            path: shown(name),
        };
        let cure = if is_repeated {
            "; keep one of them"
        } else {
            ""
        };
        let message = error.message().replace('\n', "; ");
        faults.push(&place, format!("{message}{cure}"));
    }
    if !errors.is_empty() {
        return Config::default();
    }
    let document = ConfigNode {
        line: 1,
        value: ConfigValue::Table(entries(table.into_inner(), &lines)),
    };
    document::read(document, faults)
}

/// Starts of lines, to say on which one a byte stands.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn new(text: &str) -> Self {
        Self(memchr::memchr_iter(b'\n', text.as_bytes()).collect())
    }

    fn line_at(&self, at: usize) -> u32 {
        let before = self.0.partition_point(|&end| end < at);
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }
}

/// Members in the order of the file; the parser gives them by name.
fn entries(table: DeTable<'_>, lines: &LineStarts) -> Vec<ConfigEntry> {
    let mut members: Vec<_> = table.into_iter().collect();
    members.sort_by_key(|(name, _)| name.span().start);
    let read = members.into_iter().map(|(name, value)| ConfigEntry {
        line: lines.line_at(name.span().start),
        name: name.into_inner().into_owned(),
        node: node(value, lines),
    });
    read.collect()
}

fn node(value: Spanned<DeValue<'_>>, lines: &LineStarts) -> ConfigNode {
    let line = lines.line_at(value.span().start);
    let value = match value.into_inner() {
        DeValue::String(text) => ConfigValue::Text(text.into_owned()),
        DeValue::Integer(whole) => i64::from_str_radix(whole.as_str(), whole.radix()).map_or(
            ConfigValue::Other("a number that is too large"),
            ConfigValue::Whole,
        ),
        DeValue::Boolean(flag) => ConfigValue::Flag(flag),
        DeValue::Float(_) => ConfigValue::Other("a fraction"),
        DeValue::Datetime(_) => ConfigValue::Other("a date"),
        DeValue::Array(items) => {
            ConfigValue::List(items.into_iter().map(|item| node(item, lines)).collect())
        }
        DeValue::Table(table) => ConfigValue::Table(entries(table, lines)),
    };
    ConfigNode { line, value }
}

fn material(config: &Config, folder: &Path, env: Lookup<'_>, faults: &mut Faults) -> Material {
    let mut sources = MaterialSources {
        folder,
        env,
        credentials: env("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        faults,
        secret_variables: Vec::new(),
    };
    let providers = config.providers.iter();
    let providers = providers
        .map(|provider| sources.provider(provider))
        .collect();
    let tls = sources.tls(&config.server);
    let journal = config.usage.journal.as_ref();
    let admin_key = sources.admin_key(&config.server.admin_key);
    let store = config.store.as_ref().and_then(|given| sources.store(given));
    let shared = config
        .shared
        .as_ref()
        .and_then(|given| sources.shared(given));
    Material {
        journal: journal.map(|given| folder.join(&given.value)),
        providers,
        tls,
        admin_key,
        store,
        shared,
        secret_variables: sources.secret_variables,
    }
}

/// Where keys and certificates come from.
struct MaterialSources<'s> {
    /// Relative paths start here.
    folder: &'s Path,
    env: Lookup<'s>,
    /// Where systemd puts credentials.
    credentials: Option<PathBuf>,
    faults: &'s mut Faults,
    secret_variables: Vec<String>,
}

impl MaterialSources<'_> {
    fn provider(&mut self, provider: &ProviderConfig) -> ProviderMaterial {
        let name = provider.name.as_ref().map(|name| name.value.as_str());
        let ca_pem = provider
            .ca_file
            .as_ref()
            .and_then(|file| self.certificates(file));
        let credential = match &provider.key {
            KeySource::File(file) => self.file_key(file),
            KeySource::Caller(_) => Credential::Caller,
            KeySource::Unneeded => Credential::None,
            KeySource::Several(places) => self.several(places),
            KeySource::Unset => self.systemd_key(name).unwrap_or(Credential::None),
            KeySource::Variable(variable) => {
                let key = self
                    .systemd_key(name)
                    .or_else(|| self.variable_key(variable));
                key.unwrap_or_else(|| self.unset_key(variable))
            }
            KeySource::VariableOrCaller(variable) => {
                let key = self
                    .systemd_key(name)
                    .or_else(|| self.variable_key(variable));
                key.unwrap_or(Credential::Caller)
            }
        };
        ProviderMaterial { credential, ca_pem }
    }

    /// All of them, or none: one that cannot be read is a fault.
    fn several(&mut self, places: &[KeyPlace]) -> Credential {
        let mut keys = Vec::with_capacity(places.len());
        for place in places {
            let credential = match place {
                KeyPlace::File(file) => self.file_key(file),
                KeyPlace::Variable(variable) => self
                    .variable_key(variable)
                    .unwrap_or_else(|| self.unset_key(variable)),
            };
            if let Credential::Ours(read) = credential {
                keys.extend(read);
            }
        }
        match keys.is_empty() {
            true => Credential::None,
            false => Credential::Ours(keys),
        }
    }

    fn admin_key(&mut self, source: &TextSource) -> Option<Secret> {
        let (text, place) = self.private_text(source)?;
        match text.and_then(header_value) {
            Ok(secret) if secret.expose().len() >= ADMIN_KEY_BYTES_MIN => Some(secret),
            Ok(_) => {
                let text = format!("expected a key of at least {ADMIN_KEY_BYTES_MIN} characters");
                self.faults.push(&place, text);
                None
            }
            Err(text) => {
                self.faults.push(&place, text);
                None
            }
        }
    }

    fn store(&mut self, given: &StoreConfig) -> Option<StoreMaterial> {
        let ca_pem = given
            .ca_file
            .as_ref()
            .and_then(|file| self.certificates(file));
        let (url, place) = self.url(&given.url, "url")?;
        let parsed = StorePlace::parse(url.trim_end(), self.folder).map_err(str::to_owned);
        let store = self.found(parsed, &place)?;
        let beside = match &store {
            StorePlace::Sqlite(path) => path.with_added_extension("snapshot"),
            StorePlace::Postgres { .. } => self.folder.join(SNAPSHOT),
        };
        let given = given.snapshot.as_ref();
        Some(StoreMaterial {
            place: store,
            snapshot: given.map_or(beside, |given| self.folder.join(&given.value)),
            ca_pem,
        })
    }

    fn shared(&mut self, given: &SharedConfig) -> Option<SharedMaterial> {
        let ca_pem = given
            .ca_file
            .as_ref()
            .and_then(|file| self.certificates(file));
        let (url, place) = self.url(&given.url, "shared")?;
        let parsed = SharedPlace::parse(url.trim_end()).map_err(str::to_owned);
        Some(SharedMaterial {
            place: self.found(parsed, &place)?,
            ca_pem,
            down: given.down,
        })
    }

    /// A URL, in which a password stands only where nobody else reads it; `name` is its member's.
    fn url(&mut self, source: &TextSource, name: &str) -> Option<(String, Location)> {
        let (text, place) = self.private_text(source)?;
        let text = text.and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| "the URL is not UTF-8".to_owned())
        });
        let url = self.found(text, &place)?;
        if matches!(source, TextSource::Inline(_)) && StorePlace::has_password(&url) {
            let text = format!(
                "a password stands here for all to read; put the whole URL into a file of mode 0600 \
                 and say {name}_file, or use {name}_env"
            );
            self.faults.push(&place, text);
        }
        Some((url, place))
    }

    /// A text that may be a credential, as it stands where it is configured.
    fn private_text(&mut self, source: &TextSource) -> Option<(Result<Vec<u8>, String>, Location)> {
        match source {
            TextSource::Unset => None,
            TextSource::Inline(given) => {
                Some((Ok(given.value.clone().into_bytes()), given.place.clone()))
            }
            TextSource::File(file) => {
                let path = self.folder.join(&file.value);
                let read = read_private(&path, self.is_credential(&path));
                Some((read, file.place.clone()))
            }
            TextSource::Variable(name) => {
                let value = (self.env)(&name.value).filter(|value| !value.is_empty());
                let Some(value) = value else {
                    self.unset(name, "a file");
                    return None;
                };
                self.secret_variables.push(name.value.clone());
                Some((Ok(value.into_bytes()), name.place.clone()))
            }
        }
    }

    fn file_key(&mut self, file: &Located<PathBuf>) -> Credential {
        let path = self.folder.join(&file.value);
        let key = read_private(&path, self.is_credential(&path));
        self.checked(key, &file.place)
    }

    /// The credential that systemd holds for a provider, if it does.
    fn systemd_key(&mut self, name: Option<&str>) -> Option<Credential> {
        let folder = self.credentials.clone()?;
        let name = name.filter(|name| !name.contains('/'))?;
        let names = [name.to_owned(), format!("providers_{name}")];
        let path = names
            .iter()
            .map(|name| folder.join(name))
            .find(|path| path.is_file())?;
        let place = Location::outside(&path.display().to_string());
        let key = read_private(&path, true);
        Some(self.checked(key, &place))
    }

    fn variable_key(&mut self, variable: &Located<String>) -> Option<Credential> {
        let value = (self.env)(&variable.value).filter(|value| !value.is_empty())?;
        self.secret_variables.push(variable.value.clone());
        Some(self.checked(Ok(value.into_bytes()), &variable.place))
    }

    fn unset_key(&mut self, variable: &Located<String>) -> Credential {
        self.unset(variable, "key_file");
        Credential::None
    }

    fn unset(&mut self, variable: &Located<String>, cure: &str) {
        let name = shown(&variable.value);
        let text = format!("environment variable {name} is not set; export it, or use {cure}");
        self.faults.push(&variable.place, text);
    }

    fn checked(&mut self, key: Result<Vec<u8>, String>, place: &Location) -> Credential {
        match key.and_then(header_value) {
            Ok(secret) => Credential::Ours(vec![secret]),
            Err(text) => {
                self.faults.push(place, text);
                Credential::None
            }
        }
    }

    fn certificates(&mut self, file: &Located<PathBuf>) -> Option<Vec<u8>> {
        let path = self.folder.join(&file.value);
        let read = read_named(&path, CERT_FILE_BYTES_MAX).map(|(bytes, _)| bytes);
        let checked = read.and_then(|bytes| has_pem(bytes, b"CERTIFICATE-----", "certificate"));
        self.found(checked, &file.place)
    }

    fn tls(&mut self, server: &ServerConfig) -> Option<TlsMaterial> {
        let (cert, key) = (server.tls_cert.as_ref(), server.tls_key.as_ref());
        let lonely = match (cert, key) {
            (Some(one), None) => Some((one, "tls_cert wants tls_key beside it")),
            (None, Some(one)) => Some((one, "tls_key wants tls_cert beside it")),
            _ => None,
        };
        if let Some((file, text)) = lonely {
            self.faults.push(&file.place, text);
        }
        let cert_pem = cert.and_then(|cert| self.certificates(cert));
        let key_pem = key.and_then(|key| self.private_key(key));
        Some(TlsMaterial {
            cert_pem: cert_pem?,
            key_pem: key_pem?,
        })
    }

    fn private_key(&mut self, file: &Located<PathBuf>) -> Option<Secret> {
        let path = self.folder.join(&file.value);
        let read = read_private(&path, self.is_credential(&path));
        let checked = read.and_then(|bytes| has_pem(bytes, b"PRIVATE KEY-----", "private key"));
        self.found(checked, &file.place).map(Secret::new)
    }

    fn found<T>(&mut self, result: Result<T, String>, place: &Location) -> Option<T> {
        result.map_err(|text| self.faults.push(place, text)).ok()
    }

    /// Whether systemd guards the file.
    fn is_credential(&self, path: &Path) -> bool {
        let folder = self.credentials.as_ref();
        folder.is_some_and(|folder| path.starts_with(folder))
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let (bytes, _) = read_up_to(path, CONFIG_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("expected UTF-8, found another byte at {at}")
    })
}

/// Reads a file that must be its owner's alone; systemd guards its own by other means.
fn read_private(path: &Path, is_guarded: bool) -> Result<Vec<u8>, String> {
    let (bytes, metadata) = read_named(path, KEY_FILE_BYTES_MAX)?;
    if is_guarded {
        return Ok(bytes);
    }
    match guard_fault(path, metadata.mode(), metadata.uid(), own_uid()) {
        Some(text) => Err(text),
        None => Ok(bytes),
    }
}

/// What is wrong with the guard of a file with a key: others may read it, or may change it.
fn guard_fault(path: &Path, mode: u32, owner: u32, own: Option<u32>) -> Option<String> {
    let shown = path.display();
    let mode = mode & 0o7777;
    if mode & 0o077 != 0 {
        return Some(format!(
            "{shown} has mode {mode:04o}, others may read it; chmod 600 {shown}"
        ));
    }
    if owner != 0 && own.is_some_and(|own| own != owner) {
        let text = format!("{shown} belongs to user {owner}; chown it to the user that runs this");
        return Some(text);
    }
    None
}

/// The same as [`read_up_to`]; the error names the file.
fn read_named(path: &Path, bytes_max: usize) -> Result<(Vec<u8>, Metadata), String> {
    read_up_to(path, bytes_max).map_err(|text| {
        let path = path.display().to_string();
        format!("{} {text}", shown(&path))
    })
}

fn read_up_to(path: &Path, bytes_max: usize) -> Result<(Vec<u8>, Metadata), String> {
    let unread = |error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(unread)?;
    let metadata = file.metadata().map_err(unread)?;
    if metadata.is_dir() {
        return Err("is a folder, expected a file".to_owned());
    }
    let bound = u64::try_from(bytes_max)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    // Room for all of it at once: a buffer that grows leaves copies of a key behind.
    let room = metadata.len().saturating_add(1).min(bound);
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
    file.take(bound).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() > bytes_max {
        return Err(format!("is longer than {bytes_max} bytes"));
    }
    Ok((bytes, metadata))
}

/// The user that this process acts as; the owner of its folder in `/proc`.
fn own_uid() -> Option<u32> {
    std::fs::metadata("/proc/self")
        .ok()
        .map(|metadata| metadata.uid())
}

/// A key as it goes into a header: line ends after it are cut off, the rest must be visible.
fn header_value(mut bytes: Vec<u8>) -> Result<Secret, String> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let length = bytes.len() - bytes.iter().rev().take_while(|byte| is_end(byte)).count();
    bytes.truncate(length);
    let odd = bytes.iter().position(|byte| !matches!(byte, 0x21..=0x7E));
    let secret = Secret::new(bytes);
    match odd {
        Some(at) => Err(format!(
            "the key holds a byte at {at} that cannot stand in a header"
        )),
        None if length == 0 => Err("the key is empty".to_owned()),
        None => Ok(secret),
    }
}

fn has_pem(bytes: Vec<u8>, label: &[u8], name: &str) -> Result<Vec<u8>, String> {
    match memchr::memmem::find(&bytes, label) {
        Some(_) => Ok(bytes),
        None => Err(format!("expected a {name} in PEM form, found none")),
    }
}

/// Where the last good state of a store on another host is kept.
const SNAPSHOT: &str = "ringway.snapshot";
/// Shortest credential of those who manage keys.
const ADMIN_KEY_BYTES_MIN: usize = 16;

#[cfg(test)]
mod tests;
