"""The Anthropic SDK through the gateway, to a provider of either wire."""

from __future__ import annotations

import asyncio
import time

import anthropic
import pytest
from pydantic import BaseModel

from anthropic._exceptions import OverloadedError
from harness import KEY, PDF, PNG, WEATHER_SCHEMA

TEXT = 'Hello, wörld 🌍 "quoted"\n!'
THOUGHT = "Let me think: 2+2 is «4».\n"
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds+/="
SECRET = "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP=="

MODELS = {"anthropic": "claude-sonnet-4-5", "openai": "gpt-5"}
BOTH = pytest.mark.parametrize("to", list(MODELS))
HELLO = [{"role": "user", "content": "hello"}]
TOOLS = [
    {"name": "get_weather", "description": "Weather of a city", "input_schema": WEATHER_SCHEMA},
    {"name": "now", "description": "The time", "input_schema": {"type": "object"}},
]
THINKING = {"type": "enabled", "budget_tokens": 4000}


def model(to: str, script: str) -> str:
    return f"{MODELS[to]}--{script}"


def request(to: str, script: str, **more) -> dict:
    return {"model": model(to, script), "messages": HELLO, "max_tokens": 8000} | more


def create(client, to: str, script: str, **more):
    return client.messages.create(**request(to, script, **more))


def ask(client, to: str, script: str, stream: bool, **more):
    """The whole message, or the one that the stream helper puts together."""
    if not stream:
        return create(client, to, script, **more)
    with client.messages.stream(**request(to, script, **more)) as events:
        return events.get_final_message()


def history(message) -> dict:
    """The answer as the SDK's own documents carry it back: its content blocks as they came."""
    return {"role": "assistant", "content": message.content}


def answered(message, *results: tuple) -> list:
    blocks = [{"type": "tool_result", "tool_use_id": id, "content": content}
              for id, content in results]
    return [*HELLO, history(message), {"role": "user", "content": blocks}]


# Text


@BOTH
def test_ni1_lg2_text_whole_arrives(ant, stub, to):
    answer = create(ant, to, "text")
    assert [block.type for block in answer.content] == ["text"]
    assert answer.content[0].text == TEXT
    assert answer.stop_reason == "end_turn"
    assert answer.role == "assistant" and answer.type == "message"
    assert answer.id.startswith("msg_")
    assert answer.model == model(to, "text")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (17, 9)
    if to == "openai":
        assert stub.body()["max_completion_tokens"] == 8000


@BOTH
def test_text_streamed_events_are_in_order(ant, stub, to):
    with create(ant, to, "text", stream=True) as stream:
        events = list(stream)
    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds == ["message_start", "content_block_start", *["content_block_delta"] * 5,
                     "content_block_stop", "message_delta", "message_stop"]
    assert "".join(e.delta.text for e in events if e.type == "content_block_delta") == TEXT
    assert {e.index for e in events if e.type.startswith("content_block")} == {0}
    assert events[-2].delta.stop_reason == "end_turn"
    assert events[-2].usage.output_tokens == 9


@BOTH
def test_lg3_stream_helper_text_stream_and_final_message(ant, stub, to):
    with ant.messages.stream(**request(to, "text")) as stream:
        parts = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(parts) == 5 and "".join(parts) == TEXT
    assert final.content[0].text == TEXT
    assert final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (17, 9)


@BOTH
def test_text_streamed_by_the_async_client_arrives(gateway, stub, to):
    async def run() -> str:
        async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key=KEY, max_retries=0,
                                            timeout=15) as client:
            async with client.messages.stream(**request(to, "text")) as stream:
                return "".join([text async for text in stream.text_stream])

    assert asyncio.run(run()) == TEXT


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_c1_c8_lg6_usage_tells_cached_tokens_apart(ant, stub, to, stream):
    usage = ask(ant, to, "cached", stream).usage
    assert usage.input_tokens == 17
    assert usage.cache_read_input_tokens == 1370
    assert usage.cache_creation_input_tokens == 0
    assert usage.output_tokens == 874


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_o8_stop_reasons_are_told_in_the_clients_words(ant, stub, to, stream):
    assert ask(ant, to, "length", stream).stop_reason == "max_tokens"
    assert ask(ant, to, "refusal", stream).stop_reason == "refusal"
    stopped = ask(ant, to, "sequence", stream, stop_sequences=["three"])
    # The OpenAI wire does not say which sequence was met.
    expected = ("stop_sequence", "three") if to == "anthropic" else ("end_turn", None)
    assert (stopped.stop_reason, stopped.stop_sequence) == expected


# Tools


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_lg4_to6_to8_tool_and_its_second_turn(ant, stub, to, stream):
    first = ask(ant, to, "tool", stream, tools=TOOLS)
    assert first.stop_reason == "tool_use"
    assert [block.type for block in first.content] == ["text", "tool_use"]
    call = first.content[1]
    assert (call.name, call.input) == ("get_weather", {"city": "Paris", "unit": "c"})
    sent = stub.body()["tools"][0]
    schema = sent["input_schema"] if to == "anthropic" else sent["function"]["parameters"]
    assert schema == WEATHER_SCHEMA
    second = create(ant, to, "tool", tools=TOOLS, messages=answered(first, (call.id, "sunny")))
    assert second.content[0].text == f"Results: {call.id}=sunny."


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_a3_a5_parallel_tools_and_their_results(ant, stub, to, stream):
    if stream:
        with ant.messages.stream(**request(to, "tools", tools=TOOLS)) as events:
            kinds = [(e.type, e.index) for e in events
                     if e.type in ("content_block_start", "content_block_stop")]
            first = events.get_final_message()
        assert kinds == [("content_block_start", 0), ("content_block_stop", 0),
                         ("content_block_start", 1), ("content_block_stop", 1)]
    else:
        first = create(ant, to, "tools", tools=TOOLS)
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [call.input["city"] for call in calls] == ["Paris", "Rome"]
    assert first.stop_reason == "tool_use"
    stub.reset()
    results = [(calls[1].id, "rain"), (calls[0].id, [{"type": "text", "text": "sun"}])]
    second = create(ant, to, "tools", tools=TOOLS, messages=answered(first, *results))
    assert second.content[0].text == f"Results: {calls[1].id}=rain | {calls[0].id}=sun."
    if to == "openai":
        roles = [message["role"] for message in stub.body()["messages"]]
        assert roles == ["user", "assistant", "tool", "tool"]


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_a7_a9_tool_without_arguments_has_an_empty_object(ant, stub, to, stream):
    first = ask(ant, to, "noargs", stream, tools=TOOLS)
    call = first.content[0]
    assert (call.name, call.input) == ("now", {})
    second = create(ant, to, "noargs", tools=TOOLS, messages=answered(first, (call.id, "12")))
    assert second.content[0].text == f"Results: {call.id}=12."


def test_tool_errors_and_images_in_results_cross(ant, stub):
    first = create(ant, "openai", "tool", tools=TOOLS)
    id = first.content[1].id
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                         "data": PNG}}
    blocks = [{"type": "tool_result", "tool_use_id": id, "is_error": True,
               "content": [{"type": "text", "text": "broken"}, image]}]
    messages = [*HELLO, history(first), {"role": "user", "content": blocks}]
    stub.reset()
    create(ant, "openai", "text", tools=TOOLS, messages=messages)
    tool, rest = stub.body()["messages"][2:]
    assert tool == {"role": "tool", "tool_call_id": id, "content": "[tool error] broken"}
    assert rest["role"] == "user"
    assert rest["content"][-1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"


@pytest.mark.parametrize("choice, expected, parallel", [
    ({"type": "any"}, "required", None),
    ({"type": "auto", "disable_parallel_tool_use": True}, "auto", False),
    ({"type": "tool", "name": "now"}, {"type": "function", "function": {"name": "now"}}, None),
    ({"type": "none"}, "none", None),
])
def test_a12_tool_choice_crosses(ant, stub, choice, expected, parallel):
    create(ant, "openai", "text", tools=TOOLS, tool_choice=choice)
    body = stub.body()
    assert body["tool_choice"] == expected
    assert body.get("parallel_tool_calls") is parallel


@pytest.mark.parametrize("stream", [False, True])
def test_a13_tool_name_that_openai_would_refuse_comes_back_whole(ant, stub, stream):
    name = "a" * 100
    tools = [{"name": name, "input_schema": {"type": "object"}}]
    first = ask(ant, "openai", "firsttool", stream, tools=tools)
    sent = stub.body()["tools"][0]["function"]["name"]
    assert len(sent) == 64 and sent.startswith("a" * 55 + "_")
    call = first.content[0]
    assert (call.name, call.input) == (name, {"city": "Oslo"})
    second = create(ant, "openai", "firsttool", tools=tools, messages=answered(first, (call.id, "1")))
    assert second.content[0].text == f"Results: {call.id}=1."
    assert stub.seen()[-1]["body"]["messages"][1]["tool_calls"][0]["function"]["name"] == sent


@pytest.mark.parametrize("one, other", [("openai", "anthropic"), ("anthropic", "openai")])
def test_b3_tool_loop_goes_on_at_the_other_provider(ant, stub, one, other):
    """Ids, arguments and thinking of one provider are in the history that the other gets."""
    first = create(ant, one, "thinktool", tools=TOOLS, thinking=THINKING)
    call = first.content[-1]
    stub.reset()
    more = {"thinking": THINKING} if other == "openai" else {}
    second = create(ant, other, "tool", tools=TOOLS, messages=answered(first, (call.id, "sunny")),
                    **more)
    assert second.content[0].text == f"Results: {call.id}=sunny."


# Thinking


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script, kinds", [
    ("thinktool", ["thinking", "text", "tool_use"]),
    ("redactedtool", ["thinking", "redacted_thinking", "tool_use"]),
])
def test_to7_ni17_b6_thinking_keeps_its_signature_over_the_turn(ant, stub, stream, script, kinds):
    """The provider refuses a tool turn whose thinking is missing or changed."""
    more = {"tools": TOOLS, "thinking": THINKING}
    first = ask(ant, "anthropic", script, stream, **more)
    assert [block.type for block in first.content] == kinds
    assert first.content[0].thinking == THOUGHT
    assert first.content[0].signature == SIGNATURE
    call = first.content[-1]
    stub.reset()
    second = create(ant, "anthropic", script, messages=answered(first, (call.id, "sunny")), **more)
    assert second.content[0].text == f"Results: {call.id}=sunny."
    sent = stub.body()["messages"][1]["content"]
    assert sent[0] == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}


@pytest.mark.parametrize("stream", [False, True])
def test_b1_thinking_without_text_keeps_its_signature(ant, stub, stream):
    first = ask(ant, "anthropic", "quiet", stream, thinking=THINKING)
    assert (first.content[0].thinking, first.content[0].signature) == ("", SIGNATURE)
    messages = [*HELLO, history(first), {"role": "user", "content": "so?"}]
    assert create(ant, "anthropic", "text", messages=messages).content[0].text == TEXT


@pytest.mark.parametrize("stream", [False, True])
def test_b4_reasoning_of_an_openai_provider_is_a_thinking_block(ant, stub, stream):
    first = ask(ant, "openai", "think", stream, thinking=THINKING)
    assert stub.body()["reasoning_effort"] == "medium"
    assert [block.type for block in first.content] == ["thinking", "text"]
    assert first.content[0].thinking == THOUGHT
    assert first.content[0].signature == ""
    assert first.usage.input_tokens == 17
    stub.reset()
    messages = [*HELLO, history(first), {"role": "user", "content": "so?"}]
    create(ant, "openai", "text", messages=messages)
    sent = stub.body()["messages"][1]
    assert sent == {"role": "assistant", "content": "Four."}


def test_b2_b3_thinking_of_another_provider_is_not_sent_to_anthropic(ant, stub):
    """A conversation that moved: the unsigned block goes, the rest stays."""
    first = create(ant, "openai", "think", thinking=THINKING)
    messages = [*HELLO, history(first), {"role": "user", "content": "so?"}]
    create(ant, "anthropic", "text", messages=messages, thinking=THINKING)
    sent = stub.seen()[-1]["body"]["messages"][1]["content"]
    assert [block["type"] for block in sent] == ["text"]


@pytest.mark.parametrize("thinking, effort", [
    ({"type": "enabled", "budget_tokens": 1024}, "low"),
    ({"type": "enabled", "budget_tokens": 7000}, "medium"),
    ({"type": "disabled"}, "minimal"),
])
def test_lg5_thinking_crosses_as_effort(ant, stub, thinking, effort):
    create(ant, "openai", "text", thinking=thinking)
    assert stub.body()["reasoning_effort"] == effort


# Pictures and documents


@BOTH
@pytest.mark.parametrize("source, url", [
    ({"type": "base64", "media_type": "image/png", "data": PNG}, f"data:image/png;base64,{PNG}"),
    ({"type": "url", "url": "https://example.com/a.png"}, "https://example.com/a.png"),
])
def test_ni14_o3_images(ant, stub, to, source, url):
    messages = [{"role": "user", "content": [{"type": "image", "source": source},
                                             {"type": "text", "text": "what is this?"}]}]
    create(ant, to, "text", messages=messages)
    sent = stub.body()["messages"]
    if to == "anthropic":
        assert sent == messages
    else:
        assert sent[0]["content"][0] == {"type": "image_url", "image_url": {"url": url}}
        assert sent[0]["content"][1] == {"type": "text", "text": "what is this?"}


@BOTH
def test_pk8_pdf(ant, stub, to):
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    messages = [{"role": "user", "content": [
        {"type": "document", "source": source, "title": "a.pdf"},
        {"type": "text", "text": "sum it up"}]}]
    create(ant, to, "text", messages=messages)
    sent = stub.body()["messages"]
    if to == "anthropic":
        assert sent == messages
    else:
        assert sent[0]["content"][0] == {"type": "file", "file": {
            "file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}}


# Structured output


class Person(BaseModel):
    name: str
    age: int


def parse(client, to: str):
    """`messages.parse`, which older versions have as a beta."""
    if hasattr(client.messages, "parse"):
        return client.messages.parse(**request(to, "json"), output_format=Person)
    return client.beta.messages.parse(**request(to, "json"), output_format=Person)


@BOTH
def test_structured_output_parse_helper(ant, stub, to):
    assert parse(ant, to).parsed_output == Person(name="Ada", age=36)
    sent = stub.body()
    if to == "openai":
        asked = sent["response_format"]
        assert asked["type"] == "json_schema"
        assert set(asked["json_schema"]["schema"]["properties"]) == {"name", "age"}
        assert asked["json_schema"]["strict"] is True
    else:
        asked = (sent.get("output_config") or {}).get("format") or sent["output_format"]
        assert asked["type"] == "json_schema"


@BOTH
def test_structured_output_through_the_stream_helper(ant, stub, to):
    """Also where the version has no parse helper for streams: the text is what counts."""
    shape = {"type": "json_schema", "schema": {
        "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"], "additionalProperties": False}}
    final = ask(ant, to, "json", True, extra_body={"output_config": {"format": shape}})
    assert Person.model_validate_json(final.content[0].text) == Person(name="Ada", age=36)


# Errors


@BOTH
@pytest.mark.parametrize("script, error, status, kind", [
    ("err400", anthropic.BadRequestError, 400, "invalid_request_error"),
    ("err401", anthropic.AuthenticationError, 401, "authentication_error"),
    ("err403", anthropic.PermissionDeniedError, 403, "permission_error"),
    ("err404", anthropic.NotFoundError, 404, "not_found_error"),
    ("err429", anthropic.RateLimitError, 429, "rate_limit_error"),
    ("err500", anthropic.InternalServerError, 500, "api_error"),
    ("err503", anthropic.InternalServerError, 503, "overloaded_error"),
    ("err529", OverloadedError, 529, None),
])
@pytest.mark.parametrize("stream", [False, True])
def test_f4_f6_errors_raise_their_class(ant, stub, to, script, error, status, kind, stream):
    with pytest.raises(error) as caught:
        create(ant, to, script, stream=stream)
    assert caught.value.status_code == status
    told = caught.value.body
    assert told["type"] == "error"
    assert told["error"]["message"]
    assert kind is None or told["error"]["type"] == kind
    assert len(stub.seen()) == 1


def test_f2_overload_keeps_its_type(ant, stub):
    with pytest.raises(OverloadedError) as caught:
        create(ant, "anthropic", "err529")
    assert caught.value.body["error"]["type"] == "overloaded_error"


@BOTH
def test_f1_rate_limit_carries_retry_after(ant, stub, to):
    with pytest.raises(anthropic.RateLimitError) as caught:
        create(ant, to, "err429")
    headers = caught.value.response.headers
    assert headers["retry-after"] == "7"
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["request-id"]


def test_quota_of_an_openai_provider_is_a_billing_error_that_is_not_retried(gateway, stub):
    client = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=2, timeout=15)
    with pytest.raises(anthropic.APIStatusError) as caught:
        create(client, "openai", "quota429")
    assert caught.value.status_code == 402
    assert caught.value.body["error"]["type"] == "billing_error"
    assert len(stub.seen()) == 1


@BOTH
def test_f4_context_overflow_has_the_words_that_agents_look_for(ant, stub, to):
    with pytest.raises(anthropic.BadRequestError) as caught:
        create(ant, to, "context400")
    assert caught.value.body["error"]["message"].startswith("prompt is too long")


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_flaky_provider_is_retried_by_the_client(gateway, stub, to, stream):
    """The SDK waits as `retry-after-ms` says: the header has to come through."""
    client = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=1, timeout=15)
    assert ask(client, to, "flaky", stream).content[0].text == TEXT
    first, second = stub.seen()
    # Without the header it waits 375 ms at least.
    assert second["at"] - first["at"] < 0.3


@BOTH
def test_d5_d8_error_within_a_stream_raises(ant, stub, to):
    seen = ""
    with pytest.raises(anthropic.APIStatusError) as caught:
        with ant.messages.stream(**request(to, "inband")) as stream:
            for text in stream.text_stream:
                seen += text
    assert seen == "Hello"
    assert caught.value.body["error"]["message"] == "Overloaded in the middle"
    assert caught.value.body["error"]["type"] == "overloaded_error"


@BOTH
@pytest.mark.parametrize("script", ["cut", "eof"])
def test_d1_d7_stream_that_ends_early_raises(ant, stub, to, script):
    """This SDK takes a plain end of the body for a good one: only an error event stops it."""
    seen = ""
    with pytest.raises(anthropic.APIStatusError) as caught:
        with ant.messages.stream(**request(to, script)) as stream:
            for text in stream.text_stream:
                seen += text
    assert seen == "Hello"
    assert caught.value.body["error"]["type"] == "api_error"


@BOTH
def test_d1_tool_call_that_was_cut_never_looks_finished(ant, stub, to):
    kinds = []
    with pytest.raises(anthropic.APIStatusError):
        with create(ant, to, "cuttool", stream=True, tools=TOOLS) as stream:
            kinds += [event.type for event in stream]
    assert "message_stop" not in kinds and "message_delta" not in kinds


@BOTH
@pytest.mark.parametrize("script", ["cut", "html"])
def test_d10_whole_answer_that_is_none_raises(ant, stub, to, script):
    with pytest.raises((anthropic.APIConnectionError, anthropic.InternalServerError)):
        create(ant, to, script)


# Cancel


@BOTH
def test_g1_cancel_amid_a_stream_closes_upstream(gateway, stub, to):
    client = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0, timeout=15)
    with client.messages.stream(**request(to, "slow")) as stream:
        assert next(iter(stream.text_stream)) == "Hello"
    client.close()
    closed = time.monotonic()
    assert stub.wait_closed()[0]["closed_at"] - closed < 0.5
    assert len(stub.seen()) == 1


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_g2_g3_cancel_before_the_first_byte_closes_upstream(gateway, stub, to, stream):
    async def run() -> float:
        client = anthropic.AsyncAnthropic(base_url=gateway.url, api_key=KEY, max_retries=2,
                                          timeout=15)
        task = asyncio.create_task(create(client, to, "hang", stream=stream))
        await asyncio.to_thread(stub.wait_got)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.close()
        return time.monotonic()

    closed = asyncio.run(run())
    assert stub.wait_closed()[0]["closed_at"] - closed < 0.5
    assert len(stub.seen()) == 1


# Counting


def test_pk12_count_tokens_of_an_anthropic_provider(ant, stub):
    counted = ant.messages.count_tokens(model=model("anthropic", "text"), messages=HELLO,
                                        system="be brief", tools=TOOLS)
    assert counted.input_tokens == 2095
    assert stub.last()["path"] == "/anthropic/v1/messages/count_tokens"


def test_pk12_count_tokens_for_an_openai_provider_is_an_estimate_that_says_so(ant, stub):
    arguments = {"model": model("openai", "text"), "messages": HELLO, "tools": TOOLS}
    raw = ant.messages.with_raw_response.count_tokens(**arguments)
    assert raw.headers["x-ringway-estimate"] == "1"
    assert raw.parse().input_tokens > 10
    assert stub.seen() == []
    longer = ant.messages.count_tokens(**arguments | {
        "messages": [{"role": "user", "content": "hello " * 1000}]})
    assert longer.input_tokens > raw.parse().input_tokens + 500


# What else crosses, or stays as it is


@BOTH
def test_to5_system_as_string_and_as_blocks(ant, stub, to):
    create(ant, to, "text", system="be brief")
    blocks = [{"type": "text", "text": "be brief"}, {"type": "text", "text": "be kind"}]
    create(ant, to, "text", system=blocks)
    one, two = [record["body"] for record in stub.seen()]
    if to == "anthropic":
        assert (one["system"], two["system"]) == ("be brief", blocks)
    else:
        assert one["messages"][0] == {"role": "system", "content": "be brief"}
        assert two["messages"][0] == {"role": "system", "content": blocks}


@BOTH
def test_lg6_e2_e3_e4_cache_marks_are_kept_or_taken_out(ant, stub, to):
    mark = {"type": "ephemeral"}
    system = [{"type": "text", "text": "long", "cache_control": mark}]
    tools = [TOOLS[0] | {"cache_control": mark}, TOOLS[1]]
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi",
                                              "cache_control": mark}]}]
    create(ant, to, "text", system=system, tools=tools, messages=messages)
    body = stub.body()
    if to == "anthropic":
        assert (body["system"], body["tools"], body["messages"]) == (system, tools, messages)
    else:
        assert "cache_control" not in stub.last()["text"]


@BOTH
def test_e1_same_request_gives_the_same_bytes(ant, stub, to):
    for _ in range(3):
        create(ant, to, "tool", tools=TOOLS, system="s")
    assert len({record["text"] for record in stub.seen()}) == 1


def test_o6_system_role_within_messages_stays_on_the_same_wire(ant, stub):
    messages = [*HELLO, {"role": "system", "content": "mind the gap"}]
    ant.messages.create(model="claude-opus-4-8--text", max_tokens=10, messages=messages)
    assert stub.body()["messages"] == messages


def test_ni3_version_and_betas_are_forwarded_as_sent(ant, stub):
    ant.beta.messages.create(**request("anthropic", "text"), betas=["context-1m-2025-08-07"],
                             extra_query={"beta": "true"})
    seen = stub.last()
    assert seen["query"] == "beta=true"
    assert seen["headers"]["anthropic-beta"] == "context-1m-2025-08-07"
    assert seen["headers"]["anthropic-version"] == ant.default_headers["anthropic-version"]


def test_beta_namespace_crosses(ant, stub):
    answer = ant.beta.messages.create(**request("openai", "text"),
                                      betas=["context-1m-2025-08-07"],
                                      extra_query={"beta": "true"})
    assert answer.content[0].text == TEXT
    seen = stub.last()
    assert seen["query"] == ""
    assert not [name for name in seen["headers"] if name.startswith("anthropic")]


def test_losses_are_named_in_a_header_and_refused_on_request(ant, stub):
    arguments = request("openai", "text", extra_body={"speed": "fast"})
    raw = ant.messages.with_raw_response.create(**arguments)
    assert "speed" in raw.headers["x-ringway-translation"]
    stub.reset()
    with pytest.raises(anthropic.BadRequestError):
        create(ant, "openai", "text", extra_body={"speed": "fast"},
               extra_headers={"x-ringway-strict": "1"})
    assert stub.seen() == []


@pytest.mark.parametrize("more", [
    {"extra_body": {"mcp_servers": [{"type": "url", "url": "https://e.example", "name": "m"}]}},
    {"extra_body": {"inference_geo": "us"}},
    {"tools": [{"type": "bash_20250124", "name": "bash"}]},
])
def test_contracts_that_cannot_be_kept_are_refused(ant, stub, more):
    with pytest.raises(anthropic.BadRequestError):
        create(ant, "openai", "text", **more)
    assert stub.seen() == []


def test_o7_openai_shaped_body_on_messages_names_the_right_endpoint(ant, stub):
    with pytest.raises(anthropic.BadRequestError) as caught:
        create(ant, "openai", "text", extra_body={"max_completion_tokens": 5})
    assert "/v1/chat/completions" in caught.value.body["error"]["message"]
    assert stub.seen() == []
