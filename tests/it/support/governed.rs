//! Gateways whose keys are in a store, and those who manage them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::client::Answer;
use crate::support::directions::drivers;
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{post, request};
use crate::support::provider::Provider;
use crate::support::stores::Database;
use crate::support::wait;
use crate::support::wires::{chat, path};

/// What the clients of these gateways speak.
pub(crate) const WIRE: Wire = Wire::OpenAiChat;
pub(crate) const ADMIN_KEY: &str = "admin-0123456789abcdef";

/// A gateway whose keys are in this database.
pub(crate) fn gateway(database: &Database, provider: &Provider, name: &str) -> Gateway {
    setup(database, provider, name).start()
}

pub(crate) fn setup(database: &Database, provider: &Provider, name: &str) -> Setup {
    let setup = Setup::upstream(drivers()[0], WIRE, provider)
        .server("admin_key_file = \"admin.key\"")
        .text(&database.section(&database.snapshot(name)));
    let file = setup.folder().join("admin.key");
    fs::write(&file, format!("{ADMIN_KEY}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    setup
}

pub(crate) fn api(gateway: &Gateway, method: &str, target: &str, body: &str) -> Answer {
    let fields = format!("authorization: Bearer {ADMIN_KEY}\r\ncontent-type: application/json\r\n");
    gateway.admin().ask(request(method, target, &fields, body))
}

/// A new key: its secret and its id.
pub(crate) fn made(gateway: &Gateway, wanted: Value) -> (String, String) {
    let answer = api(gateway, "POST", "/api/keys", &wanted.to_string());
    assert_eq!(answer.status, 201, "{}", answer.text());
    secret_of(&answer.json())
}

pub(crate) fn secret_of(key: &Value) -> (String, String) {
    let member = |name: &str| key[name].as_str().unwrap().to_owned();
    (member("key"), member("id"))
}

pub(crate) fn status(gateway: &Gateway, secret: &str) -> u16 {
    ask(gateway, secret).status
}

pub(crate) fn ask(gateway: &Gateway, secret: &str) -> Answer {
    let fields = format!("authorization: Bearer {secret}\r\n");
    gateway
        .client()
        .ask(post(path(WIRE), &fields, chat(WIRE, MODEL, false)))
}

/// Waits until a key gets this status.
pub(crate) fn wait_status(gateway: &Gateway, secret: &str, expected: u16) {
    wait::until(&format!("status {expected}"), || {
        (status(gateway, secret) == expected).then_some(())
    });
}

pub(crate) fn readiness(gateway: &Gateway) -> (u16, Value) {
    let answer = gateway
        .admin()
        .ask(request("GET", "/readyz", "connection: close\r\n", ""));
    (answer.status, answer.json())
}

pub(crate) fn wait_store(gateway: &Gateway, word: &str) {
    wait::until(&format!("a store that is {word}"), || {
        (readiness(gateway).1["store"] == word).then_some(())
    });
}
