"""What any client sees of the gateway itself: addresses, keys, model ids, lists."""

from __future__ import annotations

import anthropic
import openai
import pytest

from harness import KEY, NARROW_KEY

HELLO = [{"role": "user", "content": "hello"}]
TEXT = 'Hello, wörld 🌍 "quoted"\n!'
CLAUDE = "claude-sonnet-4-5--text"
GPT = "gpt-4o--text"
SECRETS = {KEY, NARROW_KEY, "OPENAI_API_KEY"}


def oai(gateway, suffix: str = "/v1", key: str = KEY, **more) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + suffix, api_key=key, max_retries=0, timeout=15,
                         **more)


def ant(gateway, suffix: str = "", key: str | None = KEY, **more) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url + suffix, api_key=key, max_retries=0,
                               timeout=15, **more)


def chat(client: openai.OpenAI, model: str, **more) -> str:
    answer = client.chat.completions.create(model=model, messages=HELLO, **more)
    return answer.choices[0].message.content


def message(client: anthropic.Anthropic, model: str, **more) -> str:
    answer = client.messages.create(model=model, messages=HELLO, max_tokens=100, **more)
    return answer.content[0].text


def no_client_key_went_up(record: dict) -> None:
    for value in record["headers"].values():
        assert not [secret for secret in SECRETS if secret in value], record["headers"]
    assert "x-portkey-api-key" not in record["headers"]


# Addresses


@pytest.mark.parametrize("suffix", ["/v1", "", "/v1/v1", "/v1/"])
def test_pk1_openai_base_url_with_and_without_v1(gateway, stub, suffix):
    assert chat(oai(gateway, suffix), GPT) == TEXT
    assert stub.last()["path"] == "/openai/v1/chat/completions"


@pytest.mark.parametrize("suffix", ["", "/v1", "/"])
def test_pk1_to1_anthropic_base_url_with_and_without_v1(gateway, stub, suffix):
    client = ant(gateway, suffix)
    assert message(client, CLAUDE) == TEXT
    assert stub.last()["path"] == "/anthropic/v1/messages"
    assert client.messages.count_tokens(model=CLAUDE, messages=HELLO).input_tokens == 2095
    assert [m.id for m in client.models.list()][0] == "fast"


# Keys


def test_ni2_k2_gateway_key_opens_both_wires_and_never_goes_up(gateway, stub):
    chat(oai(gateway), CLAUDE)
    chat(oai(gateway), GPT)
    message(ant(gateway), CLAUDE)
    message(ant(gateway), GPT)
    to_claude, to_gpt, same, crossed = stub.seen()
    for record in stub.seen():
        no_client_key_went_up(record)
    for record in (to_claude, same):
        assert record["headers"]["x-api-key"] == "sk-ant-stub-key"
        assert "authorization" not in record["headers"]
    for record in (to_gpt, crossed):
        assert record["headers"]["authorization"] == "Bearer sk-stub-key"
        assert "x-api-key" not in record["headers"]


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "Authorization"])
def test_ni2_key_is_taken_from_each_header_on_each_path(gateway, stub, header):
    value = f"bearer {KEY}" if header == "Authorization" else KEY
    unsaid = {"Authorization": openai.Omit()} | {header: value}
    assert chat(oai(gateway), GPT, extra_headers=unsaid) == TEXT
    client = ant(gateway, key=None, auth_token="x")
    unsaid = {"Authorization": anthropic.Omit(), "X-Api-Key": anthropic.Omit()}
    unsaid = {n: v for n, v in unsaid.items() if n.lower() != header.lower()} | {header: value}
    assert message(client, CLAUDE, extra_headers=unsaid) == TEXT


@pytest.mark.parametrize("key", ["rw-wrong", "x"])
def test_wrong_key_is_a_401_in_the_clients_wire(gateway, stub, key):
    with pytest.raises(openai.AuthenticationError) as caught:
        chat(oai(gateway, key=key), GPT)
    assert key not in caught.value.response.text
    with pytest.raises(anthropic.AuthenticationError) as caught:
        message(ant(gateway, key=key), CLAUDE)
    assert caught.value.body["error"]["type"] == "authentication_error"
    assert stub.seen() == []


def test_pk2_k5_portkey_header_outranks_a_junk_bearer(gateway, stub):
    headers = {"x-portkey-api-key": KEY}
    assert chat(oai(gateway, key="OPENAI_API_KEY", default_headers=headers), GPT) == TEXT
    assert message(ant(gateway, key="dummy", default_headers=headers), CLAUDE) == TEXT
    for record in stub.seen():
        no_client_key_went_up(record)


def test_pk2_wrong_portkey_key_is_not_saved_by_a_right_bearer(gateway, stub):
    with pytest.raises(openai.AuthenticationError):
        chat(oai(gateway, default_headers={"x-portkey-api-key": "pk-wrong"}), GPT)
    assert stub.seen() == []


def test_narrow_key_sees_only_its_models(gateway, stub):
    client = oai(gateway, key=NARROW_KEY)
    assert chat(client, "fast") == TEXT
    assert [m.id for m in client.models.list()] == ["fast"]
    with pytest.raises(openai.NotFoundError) as forbidden:
        chat(client, GPT)
    with pytest.raises(openai.NotFoundError) as unknown:
        chat(client, "gpt-4o--tuxt")
    said = forbidden.value.body["message"].replace(GPT, "M")
    assert said == unknown.value.body["message"].replace("gpt-4o--tuxt", "M")


def test_to2_callers_own_key_goes_to_the_provider_of_its_wire_alone(callers_gateway, stub):
    client = ant(callers_gateway, key="sk-ant-callers-own")
    assert message(client, CLAUDE) == TEXT
    assert "sk-ant-callers-own" in str(stub.last()["headers"])
    stub.reset()
    # Another provider gets the gateway's key for it, and nothing of the caller's.
    assert message(client, GPT) == TEXT
    assert stub.last()["headers"]["authorization"] == "Bearer sk-stub-key"
    assert "callers-own" not in str(stub.last()["headers"])
    stub.reset()
    with pytest.raises(openai.AuthenticationError) as caught:
        chat(oai(callers_gateway, key="sk-callers-own"), CLAUDE)
    assert "anthropic" in caught.value.body["message"]
    assert stub.seen() == []


def test_to2_callers_wrong_key_is_the_providers_own_401(callers_gateway, stub):
    with pytest.raises(anthropic.AuthenticationError) as caught:
        message(ant(callers_gateway, key="sk-ant-no"), CLAUDE)
    assert caught.value.body["error"]["message"] == "invalid x-api-key"


# Model ids


@pytest.mark.parametrize("said", [
    CLAUDE,                          # LG-2: bare
    f"anthropic/{CLAUDE}",           # LG-1
    f"@anthropic/{CLAUDE}",          # PK-3
])
def test_lg1_lg2_pk3_ids_that_lead_to_anthropic(gateway, stub, said):
    assert chat(oai(gateway), said) == TEXT
    assert message(ant(gateway), said) == TEXT
    assert {r["body"]["model"] for r in stub.seen()} == {CLAUDE}
    assert {r["path"] for r in stub.seen()} == {"/anthropic/v1/messages"}


@pytest.mark.parametrize("slug", ["anthropic", "@anthropic"])
@pytest.mark.parametrize("header", ["x-portkey-provider", "x-ringway-provider"])
def test_pk3_provider_header_with_a_bare_model(gateway, stub, slug, header):
    assert chat(oai(gateway, default_headers={header: slug}), "some-model--text") == TEXT
    assert stub.last()["path"] == "/anthropic/v1/messages"
    assert stub.body()["model"] == "some-model--text"


@pytest.mark.parametrize("said, sent", [
    ("fast", "claude-haiku-4-5--text"),
    ("bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0-global", "claude-haiku-4-5--text"),
    ("vertex_ai/gemini-2.5-pro-ca", "gpt-4o--text"),
])
def test_ni4_ni5_lg7_configured_ids_are_opaque(gateway, stub, said, sent):
    assert chat(oai(gateway), said) == TEXT
    assert message(ant(gateway), said) == TEXT
    assert {r["body"]["model"] for r in stub.seen()} == {sent}


def test_unknown_model_is_a_404_that_names_near_ids(gateway, stub):
    with pytest.raises(openai.NotFoundError) as caught:
        chat(oai(gateway), "fasst")
    assert "`fasst`" in caught.value.body["message"] and "fast" in caught.value.body["message"]
    with pytest.raises(anthropic.NotFoundError) as caught:
        message(ant(gateway), "fasst")
    assert caught.value.body["error"]["type"] == "not_found_error"
    assert stub.seen() == []


def test_f3_fallback_to_the_other_wire_is_invisible(gateway, stub):
    assert chat(oai(gateway), "spare") == TEXT
    assert [r["body"]["model"] for r in stub.seen()] == ["gpt-4o--err500", CLAUDE]
    stub.reset()
    with pytest.raises(openai.InternalServerError):
        chat(oai(gateway), "spare", extra_body={"allow_fallbacks": False})
    assert "allow_fallbacks" not in stub.body()


# Tiers


CANADA = "managed_canadian_cloud"


def test_ni6_ni8_tiers_choose_targets_and_headers_say_where_requests_went(gateway, stub):
    calls = [
        oai(gateway).chat.completions.with_raw_response,
        ant(gateway).messages.with_raw_response,
    ]
    for call in calls:
        for more in ({"extra_body": {"privacy_tier": CANADA}},
                     {"extra_headers": {"X-Privacy-Tier": CANADA}}):
            raw = call.create(model="spare", messages=HELLO, max_tokens=100, **more)
            assert raw.status_code == 200
            said = {name: raw.headers.get(f"x-ringway-{name}") for name in (
                "resolved-tier", "resolved-provider", "resolved-region", "resolved-jurisdiction",
                "custody-path", "credential-source", "resolved-model", "model")}
            assert said == {
                "resolved-tier": CANADA, "resolved-provider": "anthropic",
                "resolved-region": "ca-central-1", "resolved-jurisdiction": "CA",
                "custody-path": "ringway -> Anthropic-CA", "credential-source": "platform",
                "resolved-model": CLAUDE, "model": CLAUDE}
            assert stub.body()["model"] == CLAUDE and "privacy_tier" not in stub.body()
            stub.reset()


def test_ni8_ni10_tiers_that_cannot_be_had_are_the_sdks_own_classes(gateway, stub):
    for client, call, sdk in ((oai, chat, openai), (ant, message, anthropic)):
        with pytest.raises(sdk.BadRequestError) as caught:
            call(client(gateway), "spare", extra_body={"privacy_tier": "eu"})
        assert "known: managed_canadian_cloud, provider_api" in str(caught.value)
        with pytest.raises(sdk.BadRequestError):
            call(client(gateway), "spare", extra_body={"privacy_tier": CANADA},
                 extra_headers={"X-Privacy-Tier": "provider_api"})
        with pytest.raises(sdk.PermissionDeniedError):
            call(client(gateway, key=NARROW_KEY), "fast",
                 extra_body={"privacy_tier": "provider_api"})
        assert stub.seen() == []
        assert call(client(gateway, key=NARROW_KEY), "fast") == TEXT
        stub.reset()


# Lists


def test_models_list_and_retrieve_on_both_sdks(gateway, stub):
    ids = ["fast", "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0-global",
           "vertex_ai/gemini-2.5-pro-ca", "spare"]
    client = oai(gateway)
    assert [m.id for m in client.models.list()] == ids
    assert all(m.object == "model" and m.owned_by for m in client.models.list())
    for id in ids:
        assert client.models.retrieve(id).id == id
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")
    client = ant(gateway)
    assert [m.id for m in client.models.list()] == ids
    for id in ids:
        found = client.models.retrieve(id)
        assert (found.id, found.type) == (id, "model")
        assert found.created_at.year > 2000
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nope")


# Relayed paths


def test_pk10_files_are_relayed_with_their_beta(gateway, stub):
    """The stub answers with what it got; only the way there and back is looked at."""
    client = ant(gateway)
    client.beta.files.upload(file=("a.txt", b"hello file", "text/plain"))
    seen = stub.last()
    assert seen["path"] == "/anthropic/v1/files"
    assert "hello file" in seen["text"]
    assert seen["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    no_client_key_went_up(seen)


def test_embeddings_are_relayed_to_the_provider_of_the_model(gateway, stub):
    oai(gateway).with_options(max_retries=0).post(
        "/embeddings", cast_to=object, body={"model": "openai/text-embedding-3-small",
                                             "input": "a"})
    seen = stub.last()
    assert seen["path"] == "/openai/v1/embeddings"
    assert seen["body"] == {"model": "text-embedding-3-small", "input": "a"}


def test_request_ids_are_there(gateway, stub):
    answer = oai(gateway).chat.completions.create(model=GPT, messages=HELLO)
    assert answer._request_id == "req_stub"
    crossed = oai(gateway).chat.completions.create(model=CLAUDE, messages=HELLO)
    assert crossed._request_id and crossed._request_id != "req_stub"
