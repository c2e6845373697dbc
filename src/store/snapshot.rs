//! The last good state of a store, in a file of this host: what is served on while it is away.
//!
//! One line with the digest of the rest, then a key or tenant a line. A file that is not whole is no
//! snapshot. It takes its place at once, and is its owner's alone; it holds digests, never keys.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::govern::document::{DocumentFault, Object, fault, object};
use crate::json::tape::Tape;
use crate::json::write::Writer;
use crate::store::row::{KeyRow, Skipped, State, TenantRow, Which};

/// Writes a state over the one before. Of rows that were left out it has what was said of the first ones.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, state: &State) -> io::Result<()> {
    let text = text_of(state);
    let beside = path.with_added_extension("new");
    // One that was left behind by a crash may have another mode.
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Reads the last state.
///
/// # Errors
/// There is none, or the file is not whole.
pub fn read(path: &Path) -> io::Result<State> {
    let mut text = Vec::new();
    let length = File::open(path)?
        .take(SNAPSHOT_BYTES_MAX + 1)
        .read_to_end(&mut text)?;
    if length as u64 > SNAPSHOT_BYTES_MAX {
        return Err(broken("is longer than a snapshot may be"));
    }
    let end = memchr::memchr(b'\n', &text).ok_or_else(|| broken("is not whole"))?;
    let (said, rest) = text.split_at(end);
    let rest = rest.get(1..).unwrap_or_default();
    if said != checksum(rest).as_bytes() {
        return Err(broken("is not whole"));
    }
    let (mut keys, mut tenants, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for line in rest
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        match row(line).map_err(|fault| broken(&fault.to_string()))? {
            Line::Key(row) => keys.push(Ok(*row)),
            Line::Tenant(row) => tenants.push(Ok(row)),
            Line::Skipped(text) => skipped.push(Skipped {
                which: Which::Unread,
                text,
            }),
        }
    }
    let mut state = State::of(keys, tenants);
    state.skipped.append(&mut skipped);
    Ok(state)
}

enum Line {
    Key(Box<KeyRow>),
    Tenant(TenantRow),
    Skipped(String),
}

fn text_of(state: &State) -> Vec<u8> {
    let mut rest = Vec::new();
    for tenant in &state.tenants {
        let mut w = Writer::new(&mut rest);
        w.open_object().name("tenant").string(&tenant.name);
        w.name("id").string(&tenant.id);
        w.name("rules").string(&tenant.document()).close_object();
        rest.push(b'\n');
    }
    for key in state.keys.iter().filter(|key| key.revoked_ms.is_none()) {
        write_key(&KeyRow::of(key), &mut rest);
        rest.push(b'\n');
    }
    for skipped in state.skipped.iter().take(SKIPPED_MAX) {
        let text: String = skipped.text.chars().take(SKIPPED_CHARS_MAX).collect();
        let mut w = Writer::new(&mut rest);
        w.open_object().name("skipped").string(&text).close_object();
        rest.push(b'\n');
    }
    let mut text = checksum(&rest).into_bytes();
    text.push(b'\n');
    text.append(&mut rest);
    text
}

fn write_key(row: &KeyRow, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.open_object().name("key").string(&row.id);
    w.name("tenant").string(&row.tenant);
    w.name("digest").string(&hex(&row.digest));
    w.name("rules").string(&row.rules);
    if !row.name.is_empty() {
        w.name("name").string(&row.name);
    }
    if let Some(former) = &row.former {
        w.name("former").string(&hex(former));
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
}

fn row(line: &[u8]) -> Result<Line, DocumentFault> {
    let mut tape = Tape::new();
    let mut members = object(&mut tape, line)?;
    let missing = |name: &str| fault(name, "is missing");
    if let Some(text) = members.text("skipped", FIELD_BYTES_MAX)? {
        return Ok(Line::Skipped(text));
    }
    if let Some(id) = members.text("key", FIELD_BYTES_MAX)? {
        let whole = |members: &mut Object<'_>, name| {
            let number = members.whole(name, 0..=i64::MAX.unsigned_abs())?;
            Ok(number.and_then(|number| i64::try_from(number).ok()))
        };
        return Ok(Line::Key(Box::new(KeyRow {
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
    Ok(Line::Tenant(TenantRow {
        id: id.unwrap_or_else(|| name.clone()),
        rules: members.text("rules", RULES_BYTES_MAX)?.unwrap_or_default(),
        name,
    }))
}

fn checksum(rest: &[u8]) -> String {
    format!("ringway-snapshot-1 {}", hex(&Sha256::digest(rest)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

/// Some millions of keys.
const SNAPSHOT_BYTES_MAX: u64 = 1 << 30;
/// A short field of a line.
const FIELD_BYTES_MAX: usize = 512;
/// Rows of which it is said that they were left out: one is enough to know that some were.
const SKIPPED_MAX: usize = 16;
/// What is said of each: less than a field.
const SKIPPED_CHARS_MAX: usize = FIELD_BYTES_MAX / 4;
/// The rules of a key.
const RULES_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::{read, write};
    use crate::govern::allowance::Allowance;
    use crate::govern::key::{Former, Key, Rules, Tenant};
    use crate::govern::residency::Residency;
    use crate::store::row::{KeyRow, Skipped, State, TenantRow, Which};

    fn state() -> State {
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
        State {
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
            let torn = State::of(rows.map(Ok), [Ok(tenant)]);
            assert_eq!((torn.keys.len(), torn.skipped.len()), (1, 1), "{name}");
            write(&path, &torn).unwrap();
            let kept = read(&path).unwrap();
            assert_eq!((kept.keys, kept.skipped.len()), (torn.keys, 1), "{name}");
        }
    }

    #[test]
    fn every_beginning_and_every_flipped_bit_is_no_snapshot() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        write(&path, &state()).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(read(&path).is_err(), "{length}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            assert!(read(&path).is_err(), "{at}");
        }
    }
}
