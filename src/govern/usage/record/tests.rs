use super::{Custody, Names, Try, UsageRecord, Whom, id_of};
use crate::chat::usage::Usage;
use crate::govern::key::client_key::{TENANT_BYTES_MAX, check_tenant};
use crate::limits::{RECORD_BYTES_MAX, RECORD_TEXT_BYTES_MAX};
use crate::wire::kind::Wire;
use ringway_test_support::stride::STRIDE;
use serde_json::{Value, json};

/// No more is known of it than that it was.
const NOTHING: Try<'_> = Try {
    whom: Whom::Named(Names {
        provider: None,
        model: None,
        host: None,
    }),
    address: None,
    tls_name: None,
    tls_version: None,
    started_ms: None,
    duration_us: 0,
    status: 0,
    fault: None,
};

fn custody(custody: &Custody<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    custody.write(&mut out);
    out
}

fn written(record: &UsageRecord<'_>, refused: &[&str], tries: &[Try<'_>]) -> (usize, Value) {
    let mut out = b"before".to_vec();
    record.write(refused, tries.iter().copied(), &mut out);
    let text = out.strip_prefix(b"before").unwrap();
    (text.len(), serde_json::from_slice(text).unwrap())
}

#[test]
#[expect(clippy::too_many_lines, reason = "one line per member")]
fn record_of_everything_says_everything() {
    let custody = custody(&Custody {
        provider: Some(b"up"),
        tier: Some(b"managed"),
        region: Some(b"ca-central-1"),
        jurisdiction: Some(b"CA"),
        label: Some(b"Bedrock-CA"),
        credential_source: Some(b"platform"),
        origin: Some(b"NI-CA"),
    });
    let record = UsageRecord {
        id: 0xa1,
        time_ms: 1_700_000_000_123,
        tenant: Some(b"blue"),
        tenant_id: Some(b"tn_1"),
        key_id: Some(b"key_0123"),
        operation: "chat",
        client_wire: Some(Wire::OpenAiChat),
        upstream_wire: Some(Wire::AnthropicMessages),
        model_asked: Some(b"fast"),
        model_sent: Some(b"claude"),
        model_answered: Some("cl\"\\\u{1b}é".as_bytes()),
        custody: &custody,
        usage: Some(Usage {
            input: Some(9),
            output: Some(2),
            ..Usage::default()
        }),
        cost_nanos: Some(12),
        charged_nanos: Some(13),
        is_charge_estimated: true,
        requests: 1,
        status: 200,
        outcome: "complete",
        fault: None,
        losses: Some(b"dropped=seed"),
        is_stream: true,
        ttft_us: Some(7),
        duration_us: 8,
    };
    let names = Names {
        provider: Some(b"up"),
        model: Some(b"claude"),
        host: Some(b"up.example"),
    };
    let mut named = Vec::new();
    names.write(&mut named);
    let tried = Try {
        whom: Whom::Written(&named),
        address: Some(([127, 0, 0, 1], 443).into()),
        tls_name: Some(b"up.example"),
        tls_version: Some(b"1.3"),
        started_ms: Some(5),
        duration_us: 6,
        status: 200,
        fault: None,
    };
    let (_, value) = written(&record, &["residency", "tier"], &[tried, NOTHING]);
    let attempts = json!([
        {"provider": "up", "model": "claude", "host": "up.example", "address": "127.0.0.1:443",
         "tls_name": "up.example", "tls_version": "1.3", "started": 5, "duration_us": 6,
         "status": 200, "fault": null},
        {"provider": null, "model": null, "host": null, "address": null, "tls_name": null,
         "tls_version": null, "started": null, "duration_us": 0, "status": null, "fault": null},
    ]);
    let usage = json!({"input": 9, "cached": null, "cache_write": null, "output": 2,
                       "reasoning": null, "cache_write_hour": null, "audio_input": null,
                       "audio_output": null, "web_searches": null, "web_fetches": null});
    let expected = json!({
        "id": "rw_000000000000000000000000000000a1", "time": 1_700_000_000_123_u64,
        "tenant": "blue", "tenant_id": "tn_1", "key_id": "key_0123", "operation": "chat",
        "client_wire": "openai", "upstream_wire": "anthropic",
        "model_asked": "fast", "model_sent": "claude", "model_answered": "cl\"\\?é",
        "provider": "up", "tier": "managed", "region": "ca-central-1", "jurisdiction": "CA",
        "custody_label": "Bedrock-CA", "credential_source": "platform",
        "custody_path": "NI-CA -> Bedrock-CA",
        "usage": usage,
        "cost_nanos": 12, "charged_nanos": 13, "charge_estimated": true,
        "requests": 1, "status": 200, "outcome": "complete", "fault": null,
        "losses": "dropped=seed", "stream": true,
        "ttft_us": 7, "duration_us": 8, "refused": ["residency", "tier"],
        "attempts": attempts,
        "attempts_left_out": 0,
    });
    let mut expected = expected;
    for (name, wire) in [
        ("client_wire", Wire::OpenAiChat),
        ("upstream_wire", Wire::AnthropicMessages),
    ] {
        expected[name] = wire.name().into();
    }
    assert_eq!(value, expected);
}

#[test]
fn what_is_not_known_is_null() {
    let (_, value) = written(&UsageRecord::default(), &[], &[]);
    let members = value.as_object().unwrap();
    assert_eq!(members.len(), 33);
    for name in [
        "tenant",
        "model_asked",
        "tier",
        "custody_path",
        "usage",
        "cost_nanos",
        "ttft_us",
    ] {
        assert!(members[name].is_null(), "{name}");
    }
}

#[test]
fn longest_record_fits_its_bound_and_says_what_it_left_out() {
    for unit in ["x", "\"", "\u{1f600}", "\u{1b}"] {
        let long = unit.repeat(2_000);
        let text = Some(long.as_bytes());
        let custody = custody(&Custody {
            provider: text,
            tier: text,
            region: text,
            jurisdiction: text,
            label: text,
            credential_source: text,
            origin: text,
        });
        let counts = Usage {
            input: Some(u64::MAX),
            cache_read: Some(u64::MAX),
            cache_write: Some(u64::MAX),
            output: Some(u64::MAX),
            reasoning: Some(u64::MAX),
            cache_write_hour: Some(u64::MAX),
            audio_input: Some(u64::MAX),
            audio_output: Some(u64::MAX),
            web_searches: Some(u64::MAX),
            web_fetches: Some(u64::MAX),
        };
        let record = UsageRecord {
            id: u128::MAX,
            time_ms: u64::MAX,
            tenant: text,
            tenant_id: text,
            key_id: text,
            operation: "count_tokens",
            client_wire: Some(Wire::AnthropicMessages),
            upstream_wire: Some(Wire::AnthropicMessages),
            model_asked: text,
            model_sent: text,
            model_answered: text,
            custody: &custody,
            usage: Some(counts),
            cost_nanos: Some(u64::MAX),
            charged_nanos: Some(u64::MAX),
            is_charge_estimated: false,
            requests: u64::MAX,
            status: u16::MAX,
            outcome: "upstream_error",
            fault: Some("a_word_of_forty_bytes_which_is_too_long"),
            losses: text,
            is_stream: false,
            ttft_us: Some(u64::MAX),
            duration_us: u64::MAX,
        };
        let tried = Try {
            whom: Whom::Named(Names {
                provider: text,
                model: text,
                host: text,
            }),
            ..NOTHING
        };
        let refused = ["a_word_of_forty_bytes_which_is_too_long"; 20];
        let (length, value) = written(&record, &refused, &[tried; 9]);
        assert!(length <= RECORD_BYTES_MAX, "{length}");
        let kept = value["attempts"].as_array().unwrap().len();
        let left_out = value["attempts_left_out"].as_u64().unwrap();
        assert_eq!(kept as u64 + left_out, 9, "{unit}");
        assert!(left_out > 0);
        let body = serde_json::to_vec(&value["tenant"]).unwrap().len() - 2;
        assert!(body <= RECORD_TEXT_BYTES_MAX);
    }
}

#[test]
fn whom_a_try_was_at_is_the_same_written_before_and_then() {
    let names = Names {
        provider: Some(b"up"),
        model: Some(b"a \"model\""),
        host: None,
    };
    let mut before = Vec::new();
    names.write(&mut before);
    let [first, second] = [Whom::Written(&before), Whom::Named(names)].map(|whom| {
        let tried = Try { whom, ..NOTHING };
        written(&UsageRecord::default(), &[], &[tried])
    });
    assert_eq!(first, second);
}

/// By each character of the planes that hold marks, and the longest names that are escaped.
#[test]
fn p21_no_two_names_that_a_tenant_may_have_are_one_in_records() {
    let characters = ('\0'..='\u{33ff}').step_by(STRIDE);
    let names = characters.map(|c| format!("a{c}b"));
    let long = ["\"", "\\", "é", "漢"].map(|c| c.repeat(TENANT_BYTES_MAX / c.len()));
    let (mut good, mut bad) = (0, 0);
    for name in names.chain(long) {
        let tenant = Some(name.as_bytes());
        let record = UsageRecord {
            tenant,
            ..UsageRecord::default()
        };
        let is_same = written(&record, &[], &[]).1["tenant"] == *name;
        assert_eq!(is_same, check_tenant(&name).is_ok(), "{name:?}");
        *(if is_same { &mut good } else { &mut bad }) += 1;
    }
    assert!(good > 0 && bad > 0, "{good} {bad}");
}

#[test]
fn ids_are_read_as_they_are_told() {
    let hex = "0123456789abcdef0123456789abcdef";
    let id = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
    for id in [0, id, u128::MAX, 0xa9_0000 << 64, !id] {
        let mut told = Vec::new();
        super::start_into(id, &mut told);
        assert_eq!(told, format!("{{\"id\":\"rw_{id:032x}").as_bytes());
    }
    assert_eq!(id_of(hex.as_bytes()), Some(id));
    assert_eq!(id_of(format!("rw_{hex}").as_bytes()), Some(id));
    for wrong in [
        "",
        "rw_",
        hex.get(1..).unwrap(),
        &hex.to_uppercase(),
        &format!("+{}", hex.get(1..).unwrap()),
        &format!("rw_rw_{hex}"),
    ] {
        assert_eq!(id_of(wrong.as_bytes()), None, "{wrong}");
    }
}
