use std::rc::Rc;
use std::sync::Arc;

use super::{AuthMode, ClientKey, ClientKeys, digest_of, id_of};
use crate::govern::key::allowance::Allowance;
use crate::govern::key::client_key::{Former, Key, Rules, Tenant, is_id};
use crate::route::plan::tenant::AccountRegistry;

fn key(text: &str) -> Key {
    let digest = digest_of(text.as_bytes());
    Key {
        id: id_of(&digest),
        digest,
        tenant: text.into(),
        ..Key::default()
    }
}

fn keys(names: &[&str], accounts: &mut AccountRegistry) -> ClientKeys {
    let keys: Vec<Key> = names.iter().map(|name| key(name)).collect();
    ClientKeys::new(&keys, &[], AuthMode::Configured, accounts)
}

#[test]
fn p19_find_in_tables_of_every_small_size_finds_exactly_its_keys() {
    for count in 0..40 {
        let names: Vec<String> = (0..count).map(|n| format!("rw-{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let keys = keys(&names, &mut AccountRegistry::default());
        for name in &names {
            assert_eq!(&*keys.find(name.as_bytes()).unwrap().tenant.name, *name);
        }
        for wrong in ["", "rw-", "RW-1", "rw-1 ", "rw-400"] {
            assert_eq!(keys.find(wrong.as_bytes()), None, "{wrong}");
        }
    }
}

#[test]
fn allows_with_globs_holds_them_against_the_id_as_written() {
    let with = |models: Option<&[&str]>| {
        let models = models.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
        let key = Key {
            rules: Rules {
                models,
                ..Rules::default()
            },
            ..key("k")
        };
        ClientKey::new(&key, Default::default(), None, false)
    };
    assert!(with(None).allows("anything/at:all"));
    let some = with(Some(&["claude-*", "@openai/*"]));
    assert!(some.allows("claude-opus-4-7"));
    assert!(some.allows("@openai/gpt-4o"));
    assert!(!some.allows("anthropic/claude-opus-4-7"));
    assert!(!with(Some(&[])).allows("claude-opus-4-7"));
}

#[test]
fn tenants_keep_their_numbers_while_tables_are_replaced() {
    let mut accounts = AccountRegistry::default();
    let number = |keys: &ClientKeys, name: &str| keys.find(name.as_bytes()).unwrap().tenant.number;
    let first = keys(&["a", "b"], &mut accounts);
    let second = keys(&["c", "b"], &mut accounts);
    let third = keys(&["d", "a"], &mut accounts);
    assert_eq!(number(&first, "b"), number(&second, "b"));
    assert_eq!(number(&first, "a"), number(&third, "a"));
    assert_eq!(number(&third, "d"), 3, "a number is given once");
    assert_eq!(accounts.count(), 4);
}

#[test]
fn a_rotated_key_is_good_under_both_digests_and_a_revoked_one_under_none() {
    let former = Former {
        digest: digest_of(b"old"),
        until_ms: 50,
    };
    let rotated = Key {
        former: Some(former),
        expires_ms: Some(90),
        ..key("new")
    };
    let revoked = Key {
        revoked_ms: Some(1),
        ..key("gone")
    };
    let both = [rotated, revoked];
    let keys = ClientKeys::new(
        &both,
        &[],
        AuthMode::Stored,
        &mut AccountRegistry::default(),
    );
    let (old, new) = (keys.find(b"old").unwrap(), keys.find(b"new").unwrap());
    assert_eq!((old.expires_ms, new.expires_ms), (Some(50), Some(90)));
    assert_eq!(old.id, new.id);
    assert_eq!(keys.find(b"gone"), None);
}

#[test]
fn relay_is_all_with_one_tenant_and_else_what_the_key_says() {
    let with = |relay: Option<&[&str]>, tenants: &[&str], auth_mode| {
        let given = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut keys: Vec<Key> = tenants.iter().map(|name| key(name)).collect();
        keys[0].rules.relay = relay.map(given);
        let keys = ClientKeys::new(&keys, &[], auth_mode, &mut AccountRegistry::default());
        let key = keys.find(tenants[0].as_bytes()).unwrap();
        key.relay.as_ref().map(|words| words.join(" "))
    };
    let beside = |name: &str, auth_mode| {
        let tenant = Tenant {
            name: name.into(),
            ..Tenant::default()
        };
        let keys = ClientKeys::new(
            &[key("a")],
            &[tenant],
            auth_mode,
            &mut AccountRegistry::default(),
        );
        keys.find(b"a").unwrap().relay.is_some()
    };
    for auth_mode in [AuthMode::Configured, AuthMode::Stored] {
        assert!(beside("b", auth_mode), "b has no key any more");
        assert!(!beside("a", auth_mode));
        assert_eq!(with(None, &["a", "b"], auth_mode).unwrap(), "");
    }
    assert_eq!(with(None, &["a"], AuthMode::Configured), None);
    assert_eq!(with(None, &["a"], AuthMode::Stored), None);
    assert_eq!(with(None, &["a", "b"], AuthMode::Stored).unwrap(), "");
    for unknown in [AuthMode::Damaged, AuthMode::Unread] {
        assert_eq!(with(None, &["a"], unknown).unwrap(), "");
    }
    assert_eq!(
        with(Some(&["files", "*"]), &["a", "b"], AuthMode::Stored),
        None
    );
    let files = with(Some(&["files", "batches"]), &["a"], AuthMode::Configured);
    assert_eq!(files.unwrap(), "files batches");
}

#[test]
fn a_handle_outlives_the_table_that_it_came_from() {
    let mut accounts = AccountRegistry::default();
    let table = Rc::new(keys(&["a", "b"], &mut accounts));
    let held = table.handle(b"a").unwrap();
    assert!(table.handle(b"x").is_none());
    drop(table);
    assert_eq!(&*held.tenant.name, "a");
}

#[test]
fn of_one_digest_id_or_tenant_given_twice_the_first_counts() {
    let own = Key {
        id: "own".into(),
        ..key("a")
    };
    let other = Key {
        id: "own".into(),
        ..key("b")
    };
    let tenant = Tenant {
        name: "a".into(),
        ..Tenant::default()
    };
    let keys = ClientKeys::new(
        &[own, key("a"), other],
        &[tenant.clone(), tenant],
        AuthMode::Configured,
        &mut AccountRegistry::default(),
    );
    assert_eq!(keys.all().count(), 1);
    assert_eq!(&*keys.find(b"a").unwrap().id, "own");
}

#[test]
fn a_table_of_a_store_lets_nobody_in_without_a_key() {
    assert!(ClientKeys::default().is_open());
    for auth_mode in [AuthMode::Stored, AuthMode::Unread] {
        let none = ClientKeys::new(&[], &[], auth_mode, &mut AccountRegistry::default());
        assert!(!none.is_open());
        assert_eq!(none.is_unread(), auth_mode == AuthMode::Unread);
    }
    assert!(!keys(&["a"], &mut AccountRegistry::default()).is_open());
    assert!(is_id(&key("a").id), "{}", key("a").id);
}

/// A key of this number, however often it is drawn anew.
fn drawn(number: usize, random: &mut impl FnMut(usize) -> usize) -> Key {
    let mut digest = || digest_of(&random(400).to_le_bytes());
    let (digest, former) = (digest(), digest());
    let until_ms = 50;
    Key {
        id: format!("key_{number}").into(),
        digest,
        former: (random(4) == 0).then_some(Former {
            digest: former,
            until_ms,
        }),
        tenant: ["a", "b"][random(2)].into(),
        expires_ms: (random(4) == 0).then(|| random(100) as u64),
        revoked_ms: (random(4) == 0).then_some(1),
        rules: Rules {
            allowance: Allowance {
                concurrent: (random(2) == 0).then_some(3),
                ..Allowance::default()
            },
            ..Rules::default()
        },
        ..Key::default()
    }
}

#[test]
fn a_table_that_was_changed_key_by_key_is_the_one_that_all_keys_give() {
    let mut seed = 1_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let tenants = ["a", "b", "c"].map(|name| Tenant {
        name: name.into(),
        ..Tenant::default()
    });
    let given = [drawn(1, &mut random)];
    let mut changed_count = 0;
    for auth_mode in [AuthMode::Stored, AuthMode::Damaged] {
        let mut stored: Vec<Key> = Vec::new();
        let (mut accounts, mut twin_accounts) =
            (AccountRegistry::default(), AccountRegistry::default());
        let mut table = ClientKeys::new(&given, &tenants, auth_mode, &mut accounts);
        for _ in 0..3_000 {
            let before = stored.clone();
            for _ in 0..1 + random(3) {
                let number = random(300);
                stored.retain(|key| *key.id != *format!("key_{number}"));
                // Few of one digest: most tables have none given twice.
                if random(8) > 0 {
                    stored.push(drawn(number, &mut random));
                }
                let limit = if random(20) == 0 { 20 } else { 80 };
                stored.truncate(limit);
            }
            stored.sort_by(|left, right| left.id.cmp(&right.id));
            let find = |keys: &[Key], id: &str| keys.iter().find(|key| *key.id == *id).cloned();
            let mut ids: Vec<_> = before.iter().chain(&stored).map(|key| &key.id).collect();
            ids.sort();
            ids.dedup();
            let changes = ids.into_iter();
            let changes = changes.map(|id| (find(&before, id), find(&stored, id)));
            let changes: Vec<_> = changes.filter(|(was, is)| was != is).collect();
            let all = || given.iter().chain(&stored);
            let twin = ClientKeys::new(all(), &tenants, auth_mode, &mut twin_accounts);
            let named = changes.iter().map(|(was, is)| (was.as_ref(), is.as_ref()));
            let outranked = |id: &str| *given[0].id == *id;
            table = match table.changed(named, outranked, &mut accounts) {
                Some(table) => {
                    changed_count += 1;
                    table
                }
                None => ClientKeys::new(all(), &tenants, auth_mode, &mut accounts),
            };
            // An account is equal to itself alone.
            let shown = |key: &ClientKey| {
                let has_account = key.account.is_some();
                let account = None;
                (
                    ClientKey {
                        tenant: Arc::default(),
                        account,
                        ..key.clone()
                    },
                    key.tenant.name.clone(),
                    has_account,
                )
            };
            assert!(table.all().map(shown).eq(twin.all().map(shown)));
            for key in table.all() {
                assert_eq!(key.account, accounts.key_account(&key.id, &key.allowance));
            }
            assert_eq!(table.count(), twin.count());
            assert_eq!(accounts.open_keys(), twin_accounts.open_keys());
        }
    }
    assert!(changed_count > 1_000, "{changed_count}");
}

#[test]
fn a_change_among_many_keys_copies_one_bucket() {
    let keys: Vec<Key> = (0..10_000)
        .map(|number| key(&format!("rw-{number}")))
        .collect();
    let tenants: Vec<Tenant> = Vec::new();
    let mut accounts = AccountRegistry::default();
    let table = ClientKeys::new(&keys, &tenants, AuthMode::Stored, &mut accounts);
    let revoked = Key {
        revoked_ms: Some(1),
        ..keys[0].clone()
    };
    let change = [(Some(&keys[0]), Some(&revoked))];
    let next = table.changed(change, |_| false, &mut accounts).unwrap();
    let pairs = table.buckets.iter().zip(&*next.buckets);
    let others = pairs.filter(|(was, is)| !Arc::ptr_eq(was, is));
    assert_eq!((others.count(), table.buckets.len()), (1, 256));
    assert_eq!((table.count(), next.count()), (10_000, 9_999));
    assert!(next.find(b"rw-0").is_none() && next.find(b"rw-1").is_some());
}

#[test]
fn a_table_that_outgrows_its_buckets_is_made_anew() {
    let keys: Vec<Key> = (0..130)
        .map(|number| Key {
            tenant: "a".into(),
            ..key(&format!("rw-{number}"))
        })
        .collect();
    let mut accounts = AccountRegistry::default();
    let mut table = ClientKeys::new(&keys[..1], &[], AuthMode::Stored, &mut accounts);
    for key in &keys[1..128] {
        table = table
            .changed([(None, Some(key))], |_| false, &mut accounts)
            .unwrap();
    }
    assert_eq!((table.count(), table.buckets.len()), (128, 1));
    let one_more = [(None, Some(&keys[128]))];
    assert_eq!(table.changed(one_more, |_| false, &mut accounts), None);
    let anew = ClientKeys::new(&keys[..129], &[], AuthMode::Stored, &mut accounts);
    assert_eq!(anew.buckets.len(), 2);
}
