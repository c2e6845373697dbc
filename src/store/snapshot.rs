//! The last good state of a store, in a file of this host: what is served on while it is away.
//!
//! The file is a row of blocks: the first has the whole state, each other one what has changed since the
//! one before. A block begins with a line that says its length and a digest of it and of all before it:
//!
//! ```text
//! \x1e ringway-snapshot-2 <length> <sha256>\n     each following line is a key or tenant, or one that is gone
//! ```
//!
//! A change is appended, and on the disk before [`SnapshotFile::append`] returns. An append that was cut
//! off, by a crash or a full disk, leaves a last block that is not whole: reading ends before it. A file
//! that is broken elsewhere is no snapshot. A whole state is written beside and takes the file's place at
//! once. The file is its owner's alone; it holds digests, never keys.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::govern::key::client_key::Tenant;
use crate::govern::key::document::{DocumentFault, Object, fault, object};
use crate::json::hex;
use crate::json::tape::Tape;
use crate::json::write::Writer;
use crate::store::database::changes::Changed;
use crate::store::database::row::{KeyRow, Skipped, StoredState, TenantRow, Which};

/// A snapshot that is kept up to date.
#[derive(Debug)]
pub struct SnapshotFile {
    path: PathBuf,
    file: File,
    /// Of the last block.
    digest: String,
    /// Bytes of the first block, which has the whole state.
    first_bytes: usize,
    /// Bytes of all blocks.
    bytes: usize,
}

impl SnapshotFile {
    /// Appends a block as [`changes`] writes it.
    ///
    /// # Errors
    /// The file cannot be written, or is not the one at its path any more. A whole state has to be written
    /// then, because the last block may not be whole.
    pub fn append(&mut self, changes: &[u8]) -> io::Result<()> {
        let identity = |it: fs::Metadata| (it.dev(), it.ino());
        if identity(fs::metadata(&self.path)?) != identity(self.file.metadata()?) {
            return Err(broken("was replaced by somebody else"));
        }
        self.put(changes)
    }

    /// Bytes of all blocks.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the changes take more than the state once did: time to write it anew.
    #[must_use]
    pub fn is_grown(&self) -> bool {
        self.bytes > 2 * self.first_bytes.max(GROWN_BYTES_MIN)
    }

    /// Takes the place of the file at its path.
    ///
    /// # Errors
    /// It cannot.
    pub fn take_place(&mut self) -> io::Result<()> {
        fs::rename(beside(&self.path), &self.path)?;
        let folder = self.path.parent();
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }

    /// Appends a block, whatever is at the path.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        let digest = digest_of(&self.digest, lines);
        let mut block = format!("{MAGIC}{} {digest}\n", lines.len()).into_bytes();
        block.extend_from_slice(lines);
        self.file.write_all(&block)?;
        self.file.sync_data()?;
        self.digest = digest;
        self.bytes += block.len();
        Ok(())
    }
}

/// Writes a state over the one before. Of rows that were left out it has what was reported of the first ones.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, state: &StoredState) -> io::Result<SnapshotFile> {
    let mut file = begin(path, state)?;
    file.take_place()?;
    Ok(file)
}

/// Writes a state beside the file, whose place it is yet to take. There is one such at a time.
///
/// # Errors
/// The file cannot be written.
pub fn begin(path: &Path, state: &StoredState) -> io::Result<SnapshotFile> {
    let beside = beside(path);
    // One that was left behind by a crash may have another mode.
    let _ = fs::remove_file(&beside);
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    let mut file = SnapshotFile {
        path: path.to_owned(),
        file,
        digest: String::new(),
        first_bytes: 0,
        bytes: 0,
    };
    file.put(&lines_of(state))?;
    file.first_bytes = file.bytes;
    Ok(file)
}

/// The block that leads to `state` from the one before it `changed`.
#[must_use]
pub fn changes(changed: &Changed, state: &StoredState) -> Vec<u8> {
    let mut lines = Vec::new();
    for name in &changed.tenants {
        let found = state.tenants.binary_search_by(|one| one.name.cmp(name));
        match found.ok().and_then(|at| state.tenants.get(at)) {
            Some(tenant) => write_tenant(tenant, &mut lines),
            None => write_text("gone_tenant", name, &mut lines),
        }
    }
    for change in &changed.keys {
        match change.after.as_ref().filter(|key| key.revoked_ms.is_none()) {
            Some(key) => write_key(&KeyRow::of(key), &mut lines),
            None => write_text("gone_key", &change.id, &mut lines),
        }
    }
    write_skipped(state, &mut lines);
    lines
}

/// Reads the last state.
///
/// # Errors
/// There is none, or the file is not whole.
pub fn read(path: &Path) -> io::Result<StoredState> {
    let mut text = Vec::new();
    let length = File::open(path)?
        .take(SNAPSHOT_BYTES_MAX + 1)
        .read_to_end(&mut text)?;
    if length as u64 > SNAPSHOT_BYTES_MAX {
        return Err(broken("is longer than a snapshot may be"));
    }
    let mut rows = SnapshotRows::default();
    if let Some(lines) = first_version(&text) {
        rows.take(lines?)?;
        return Ok(rows.state());
    }
    let (mut rest, mut digest) = (&*text, String::new());
    while !rest.is_empty() {
        let Some((lines, given, behind)) = block(rest, &digest) else {
            // Nothing within a block looks like this: there is another one behind the one that is broken.
            let behind = rest.get(1..).unwrap_or_default();
            let next = memchr::memmem::find(behind, MAGIC.as_bytes());
            if digest.is_empty() || next.is_some() {
                return Err(broken("is not whole"));
            }
            break;
        };
        rows.take(lines)?;
        (digest, rest) = (given, behind);
    }
    if digest.is_empty() {
        return Err(broken("is not whole"));
    }
    Ok(rows.state())
}

/// The lines of the block that `text` begins with, its digest, and what is behind it; `None`: it is not
/// whole.
fn block<'t>(text: &'t [u8], before: &str) -> Option<(&'t [u8], String, &'t [u8])> {
    let end = memchr::memchr(b'\n', text)?;
    let (line, rest) = text.split_at_checked(end)?;
    let line = core::str::from_utf8(line).ok()?;
    let (length, given) = line.strip_prefix(MAGIC)?.split_once(' ')?;
    let (lines, behind) = rest.get(1..)?.split_at_checked(length.parse().ok()?)?;
    let digest = digest_of(before, lines);
    (digest == given && length == lines.len().to_string()).then_some((lines, digest, behind))
}

/// The lines of a file as the version before wrote it, in one block; `None`: it is of this version.
fn first_version(text: &[u8]) -> Option<io::Result<&[u8]>> {
    let rest = text.strip_prefix(b"ringway-snapshot-1 ")?;
    let whole = rest.split_at_checked(2 * 32).and_then(|(given, lines)| {
        let lines = lines.strip_prefix(b"\n")?;
        (given == hex::text(&Sha256::digest(lines)).as_bytes()).then_some(lines)
    });
    Some(whole.ok_or_else(|| broken("is not whole")))
}

/// What blocks have told so far.
#[derive(Default)]
struct SnapshotRows {
    keys: BTreeMap<String, KeyRow>,
    tenants: BTreeMap<String, TenantRow>,
    skipped: Vec<Skipped>,
}

impl SnapshotRows {
    fn take(&mut self, lines: &[u8]) -> io::Result<()> {
        // Each block says anew which rows are left out.
        self.skipped.clear();
        let lines = lines.split(|&byte| byte == b'\n');
        for line in lines.filter(|line| !line.is_empty()) {
            match row(line).map_err(|fault| broken(&fault.to_string()))? {
                SnapshotLine::Key(row) => drop(self.keys.insert(row.id.clone(), *row)),
                SnapshotLine::Tenant(row) => drop(self.tenants.insert(row.name.clone(), row)),
                SnapshotLine::GoneKey(id) => drop(self.keys.remove(&id)),
                SnapshotLine::GoneTenant(name) => drop(self.tenants.remove(&name)),
                SnapshotLine::Skipped(text) => {
                    let which = Which::Unread;
                    self.skipped.push(Skipped { which, text });
                }
            }
        }
        Ok(())
    }

    fn state(mut self) -> StoredState {
        let keys = self.keys.into_values().map(Ok);
        let mut state = StoredState::of(keys, self.tenants.into_values().map(Ok));
        state.skipped.append(&mut self.skipped);
        state
    }
}

enum SnapshotLine {
    Key(Box<KeyRow>),
    Tenant(TenantRow),
    GoneKey(String),
    GoneTenant(String),
    Skipped(String),
}

fn lines_of(state: &StoredState) -> Vec<u8> {
    let mut lines = Vec::new();
    for tenant in &state.tenants {
        write_tenant(tenant, &mut lines);
    }
    for key in state.keys.iter().filter(|key| key.revoked_ms.is_none()) {
        write_key(&KeyRow::of(key), &mut lines);
    }
    write_skipped(state, &mut lines);
    lines
}

fn write_skipped(state: &StoredState, lines: &mut Vec<u8>) {
    for skipped in state.skipped.iter().take(SKIPPED_MAX) {
        let text: String = skipped.text.chars().take(SKIPPED_CHARS_MAX).collect();
        write_text("skipped", &text, lines);
    }
}

fn write_text(name: &str, text: &str, lines: &mut Vec<u8>) {
    let mut w = Writer::new(lines);
    w.open_object().name(name).string(text).close_object();
    lines.push(b'\n');
}

fn write_tenant(tenant: &Tenant, lines: &mut Vec<u8>) {
    let mut w = Writer::new(lines);
    w.open_object().name("tenant").string(&tenant.name);
    w.name("id").string(&tenant.id);
    w.name("rules").string(&tenant.document()).close_object();
    lines.push(b'\n');
}

fn write_key(row: &KeyRow, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.open_object().name("key").string(&row.id);
    w.name("tenant").string(&row.tenant);
    w.name("digest").string(&hex::text(&row.digest));
    w.name("rules").string(&row.rules);
    if !row.name.is_empty() {
        w.name("name").string(&row.name);
    }
    if let Some(former) = &row.former {
        w.name("former").string(&hex::text(former));
    }
    let times = [
        ("former_until", row.former_until),
        ("created", Some(row.created)),
        ("expires", row.expires),
    ];
    for (name, ms) in times {
        if let Some(ms) = ms.and_then(|ms| u64::try_from(ms).ok()) {
            w.name(name).number(ms);
        }
    }
    w.close_object();
    out.push(b'\n');
}

fn row(line: &[u8]) -> Result<SnapshotLine, DocumentFault> {
    let mut tape = Tape::new();
    let mut members = object(&mut tape, line)?;
    let missing = |name: &str| fault(name, "is missing");
    if let Some(text) = members.text("skipped", FIELD_BYTES_MAX)? {
        return Ok(SnapshotLine::Skipped(text));
    }
    if let Some(id) = members.text("gone_key", FIELD_BYTES_MAX)? {
        return Ok(SnapshotLine::GoneKey(id));
    }
    if let Some(name) = members.text("gone_tenant", FIELD_BYTES_MAX)? {
        return Ok(SnapshotLine::GoneTenant(name));
    }
    if let Some(id) = members.text("key", FIELD_BYTES_MAX)? {
        let whole = |members: &mut Object<'_>, name| {
            let number = members.whole(name, 0..=i64::MAX.unsigned_abs())?;
            Ok(number.and_then(|number| i64::try_from(number).ok()))
        };
        return Ok(SnapshotLine::Key(Box::new(KeyRow {
            id,
            tenant: members
                .text("tenant", FIELD_BYTES_MAX)?
                .ok_or_else(|| missing("tenant"))?,
            name: members.text("name", FIELD_BYTES_MAX)?.unwrap_or_default(),
            digest: bytes(members.text("digest", FIELD_BYTES_MAX)?).unwrap_or_default(),
            former: bytes(members.text("former", FIELD_BYTES_MAX)?),
            former_until: whole(&mut members, "former_until")?,
            rules: members.text("rules", RULES_BYTES_MAX)?.unwrap_or_default(),
            created: whole(&mut members, "created")?.unwrap_or(0),
            expires: whole(&mut members, "expires")?,
            revoked: None,
        })));
    }
    let name = members.text("tenant", FIELD_BYTES_MAX)?;
    let name = name.ok_or_else(|| missing("tenant"))?;
    // A snapshot of an earlier version has none: the id of such a tenant is its name.
    let id = members.text("id", FIELD_BYTES_MAX)?;
    Ok(SnapshotLine::Tenant(TenantRow {
        id: id.unwrap_or_else(|| name.clone()),
        rules: members.text("rules", RULES_BYTES_MAX)?.unwrap_or_default(),
        name,
    }))
}

/// The digest of a block behind the one with the digest `before`.
fn digest_of(before: &str, lines: &[u8]) -> String {
    let digest = Sha256::new().chain_update(before).chain_update(lines);
    hex::text(&digest.finalize())
}

/// Where a whole state is written before it takes its place.
fn beside(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

fn bytes(text: Option<String>) -> Option<Vec<u8>> {
    let text = text?;
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

fn broken(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

/// How a block begins: with a character that JSON escapes.
const MAGIC: &str = "\u{1e}ringway-snapshot-2 ";
/// A smaller state is not written anew for changes of this size.
const GROWN_BYTES_MIN: usize = 64 * 1024;
/// Some millions of keys.
const SNAPSHOT_BYTES_MAX: u64 = 1 << 30;
/// A short field of a line.
const FIELD_BYTES_MAX: usize = 512;
/// Rows that are reported as left out: one is enough to know that some were.
const SKIPPED_MAX: usize = 16;
/// What is reported of each: less than a field.
const SKIPPED_CHARS_MAX: usize = FIELD_BYTES_MAX / 4;
/// The rules of a key.
const RULES_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use sha2::{Digest, Sha256};

    use super::{GROWN_BYTES_MIN, begin, changes, lines_of, read, write};
    use crate::govern::key::allowance::Allowance;
    use crate::govern::key::client_key::{Former, Key, Rules, Tenant};
    use crate::govern::key::residency::Residency;
    use crate::json::hex;
    use crate::store::database::changes::{Changed, KeyChange};
    use crate::store::database::row::{KeyRow, Skipped, StoredState, TenantRow, Which};

    fn state() -> StoredState {
        let key = Key {
            id: "key_1".into(),
            digest: [7; 32],
            former: Some(Former {
                digest: [8; 32],
                until_ms: 9,
            }),
            tenant: "Été \"x\"".into(),
            created_ms: 5,
            expires_ms: Some(6),
            rules: Rules {
                models: Some(vec!["a*".to_owned()]),
                ..Rules::default()
            },
            ..Key::default()
        };
        StoredState {
            keys: vec![key],
            tenants: vec![Tenant {
                id: "tn_1".into(),
                name: "Été \"x\"".into(),
                residency: Some(Residency {
                    jurisdictions: Some(vec!["CA".to_owned()]),
                    ..Residency::default()
                }),
                allowance: Allowance {
                    concurrent: Some(7),
                    budget_day: Some(25),
                    ..Allowance::default()
                },
            }],
            skipped: Vec::new(),
        }
    }

    #[test]
    fn a_state_comes_back_and_the_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        for _ in 0..2 {
            write(&path, &state()).unwrap();
            assert_eq!(read(&path).unwrap(), state());
        }
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let mut revoked = state();
        revoked.keys[0].revoked_ms = Some(1);
        write(&path, &revoked).unwrap();
        assert_eq!(read(&path).unwrap().keys, []);
    }

    #[test]
    fn of_rows_that_were_left_out_the_first_come_back_as_far_as_they_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut torn = state();
        let skipped = |text: String| Skipped {
            which: Which::Unread,
            text,
        };
        torn.skipped = vec![skipped("\u{1f600}\"".repeat(64)); 16];
        write(&path, &torn).unwrap();
        assert_eq!(read(&path).unwrap(), torn);
        torn.skipped = vec![skipped("x".repeat(129)); 17];
        write(&path, &torn).unwrap();
        let kept = read(&path).unwrap().skipped;
        assert_eq!(kept, vec![skipped("x".repeat(128)); 16]);
    }

    #[test]
    fn a_row_left_out_for_a_member_of_any_name_keeps_no_other_from_coming_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        for name in ["a\\u0007b\\n", "\\u0000", "a\u{2028}b\u{85}", "\\\"", ""] {
            let rows = ["{}".to_owned(), format!("{{\"{name}\":1}}")];
            let rows = rows.map(|rules| KeyRow {
                rules,
                ..KeyRow::of(&state().keys[0])
            });
            let tenant = TenantRow {
                id: "tn_1".to_owned(),
                name: state().tenants[0].name.to_string(),
                rules: "{}".to_owned(),
            };
            let torn = StoredState::of(rows.map(Ok), [Ok(tenant)]);
            assert_eq!((torn.keys.len(), torn.skipped.len()), (1, 1), "{name}");
            write(&path, &torn).unwrap();
            let kept = read(&path).unwrap();
            assert_eq!((kept.keys, kept.skipped.len()), (torn.keys, 1), "{name}");
        }
    }

    /// A change of the state, and the state after it.
    fn next(state: &StoredState, number: u8) -> (Changed, StoredState) {
        let mut next = state.clone();
        let mut changed = Changed::default();
        let mut change = |id: &str, after: Option<Key>| {
            let at = next.keys.iter().position(|key| *key.id == *id);
            let before = at.map(|at| next.keys.remove(at));
            next.keys.extend(after.clone());
            let id = id.into();
            changed.keys.push(KeyChange { id, before, after });
        };
        let new = Key {
            id: format!("key_{number}").into(),
            digest: [number; 32],
            tenant: "new".into(),
            ..Key::default()
        };
        change(&new.id.clone(), Some(new));
        // The one before the last one is revoked.
        let revoked = format!("key_{}", number - 1);
        let was = state.keys.iter().find(|key| *key.id == *revoked).cloned();
        let revoked_ms = Some(1);
        change(&revoked, was.map(|was| Key { revoked_ms, ..was }));
        next.keys.sort_by(|left, right| left.id.cmp(&right.id));
        if number == 11 {
            let name: Box<str> = "new".into();
            let tenant = Tenant {
                id: "tn_2".into(),
                name: name.clone(),
                ..Tenant::default()
            };
            next.tenants.insert(0, tenant);
            changed.tenants.push(name);
        }
        (changed, next)
    }

    /// A snapshot of a state and some changes: its bytes, and after each block where it ends and what it
    /// says. Revoked keys are left out there.
    fn appended(path: &Path) -> (Vec<u8>, Vec<(usize, StoredState)>) {
        let shown = |state: &StoredState| {
            let mut state = state.clone();
            state.keys.retain(|key| key.revoked_ms.is_none());
            state
        };
        let mut given = state();
        let mut file = write(path, &given).unwrap();
        let mut ends = vec![(file.bytes(), shown(&given))];
        for number in 11..14 {
            let (changed, next) = next(&given, number);
            file.append(&changes(&changed, &next)).unwrap();
            given = next;
            ends.push((file.bytes(), shown(&given)));
        }
        (fs::read(path).unwrap(), ends)
    }

    #[test]
    fn changes_are_appended_and_a_torn_end_is_read_as_it_was_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (whole, ends) = appended(&path);
        assert_eq!(ends.last().unwrap().0, whole.len());
        for length in 0..=whole.len() {
            let expected = ends.iter().rev().find(|(end, _)| *end <= length);
            // Cut off there, or there are zeros or the disk's old bytes.
            let mut fills = vec![whole[..length].to_vec()];
            if length < whole.len() && length > ends[2].0 {
                for fill in [0, b'x'] {
                    let mut torn = whole.clone();
                    torn[length..].fill(fill);
                    fills.push(torn);
                }
            }
            for torn in fills {
                fs::write(&path, torn).unwrap();
                let read = read(&path).ok();
                assert_eq!(read.as_ref(), expected.map(|(_, state)| state), "{length}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_in_any_block_but_the_last_is_no_snapshot() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (whole, ends) = appended(&path);
        let last = ends[ends.len() - 2].0;
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            match read(&path) {
                Ok(read) => {
                    assert!(at >= last, "{at}");
                    assert_eq!(read, ends[ends.len() - 2].1, "{at}");
                }
                Err(_) => assert!(at < last, "{at}"),
            }
        }
    }

    #[test]
    fn a_file_that_grew_is_replaced_while_changes_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut file = write(&path, &state()).unwrap();
        let long = vec![b'\n'; GROWN_BYTES_MIN];
        while !file.is_grown() {
            file.append(&long).unwrap();
        }
        assert!(file.bytes() > 2 * GROWN_BYTES_MIN && file.bytes() < 3 * GROWN_BYTES_MIN);
        let mut other = begin(&path, &state()).unwrap();
        let (changed, next) = next(&state(), 11);
        let change = changes(&changed, &next);
        file.append(&change).unwrap();
        other.put(&change).unwrap();
        other.take_place().unwrap();
        assert!(!other.is_grown());
        assert_eq!(read(&path).unwrap(), next);
        // The one before is no place to append to any more.
        assert!(file.append(&change).is_err());
        assert_eq!(read(&path).unwrap(), next);
    }

    #[test]
    fn a_file_of_the_version_before_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let lines = lines_of(&state());
        let digest = hex::text(&Sha256::digest(&lines));
        let lines = String::from_utf8(lines).unwrap();
        let text = format!("ringway-snapshot-1 {digest}\n{lines}");
        fs::write(&path, &text).unwrap();
        assert_eq!(read(&path).unwrap(), state());
        fs::write(&path, text.trim_end()).unwrap();
        assert!(read(&path).is_err());
    }
}
