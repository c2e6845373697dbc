"""The OpenAI SDK through the gateway, to a provider of either wire."""

from __future__ import annotations

import asyncio
import json
import time

import openai
import pytest
from pydantic import BaseModel

from harness import KEY, PDF, PNG, WEATHER_SCHEMA

TEXT = 'Hello, wörld 🌍 "quoted"\n!'
THOUGHT = "Let me think: 2+2 is «4».\n"
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds+/="
SECRET = "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP=="

# The provider's wire, and a model there.
MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5"}
BOTH = pytest.mark.parametrize("to", list(MODELS))
HELLO = [{"role": "user", "content": "hello"}]
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Weather of a city",
                                      "parameters": WEATHER_SCHEMA}},
    {"type": "function", "function": {"name": "now", "description": "The time"}},
]


def model(to: str, script: str) -> str:
    return f"{MODELS[to]}--{script}"


def helper(client):
    """`chat.completions`, where the version has the stream and parse helpers."""
    found = client.chat.completions
    return found if hasattr(found, "stream") else client.beta.chat.completions


def create(client, to: str, script: str, **more):
    arguments = {"model": model(to, script), "messages": HELLO} | more
    return client.chat.completions.create(**arguments)


def streamed(client, to: str, script: str, **more) -> list:
    with create(client, to, script, stream=True, **more) as stream:
        return list(stream)


def text_of(chunks: list) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def calls_of(chunks: list) -> list[dict]:
    """Tool calls put together from a stream as agents do it: by index."""
    calls: dict[int, dict] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            for part in choice.delta.tool_calls or []:
                call = calls.setdefault(part.index, {"id": "", "type": "function",
                                                     "function": {"name": "", "arguments": ""}})
                call["id"] += part.id or ""
                call["function"]["name"] += part.function.name or ""
                call["function"]["arguments"] += part.function.arguments or ""
    assert list(calls) == list(range(len(calls)))
    return list(calls.values())


# Text


@BOTH
def test_ni1_text_whole_arrives(oai, stub, to):
    answer = create(oai, to, "text", max_tokens=64)
    choice = answer.choices[0]
    assert choice.message.content == TEXT
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert answer.object == "chat.completion"
    assert answer.model == model(to, "text")
    assert answer.created > 0 and answer.id
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (17, 9, 26)
    assert stub.body()["model"] == model(to, "text")


@BOTH
def test_ni11_text_streamed_arrives_without_usage_that_was_not_asked_for(oai, stub, to):
    chunks = streamed(oai, to, "text")
    assert text_of(chunks) == TEXT
    assert len([c for c in chunks if c.choices and c.choices[0].delta.content]) == 5
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(c.choices for c in chunks)
    assert all(c.usage is None for c in chunks)
    # The gateway meters all the same.
    if to == "openai":
        assert stub.body()["stream_options"] == {"include_usage": True}


@BOTH
def test_ni11_c7_usage_asked_for_is_one_last_chunk_without_choices(oai, stub, to):
    chunks = streamed(oai, to, "cached", stream_options={"include_usage": True})
    assert [bool(c.usage) for c in chunks].count(True) == 1
    last = chunks[-1]
    assert last.choices == []
    assert last.usage.prompt_tokens == 1387
    assert last.usage.prompt_tokens_details.cached_tokens == 1370
    assert last.usage.completion_tokens == 874
    assert last.usage.total_tokens == 2261


@BOTH
def test_o10_chunks_of_one_stream_have_one_id_and_model(oai, stub, to):
    chunks = streamed(oai, to, "text", stream_options={"include_usage": True})
    assert len({c.id for c in chunks}) == 1
    assert {c.model for c in chunks} == {model(to, "text")}
    assert {c.object for c in chunks} == {"chat.completion.chunk"}


@BOTH
def test_text_streamed_by_the_async_client_arrives(gateway, stub, to):
    async def run() -> str:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0,
                                      timeout=15) as client:
            stream = await create(client, to, "text", stream=True)
            return text_of([chunk async for chunk in stream])

    assert asyncio.run(run()) == TEXT


@BOTH
def test_c8_usage_whole_counts_cached_tokens_into_the_prompt(oai, stub, to):
    usage = create(oai, to, "cached").usage
    assert usage.prompt_tokens == 1387
    assert usage.prompt_tokens_details.cached_tokens == 1370
    assert usage.total_tokens == 2261


@BOTH
@pytest.mark.parametrize("script, reason", [("length", "length"), ("refusal", "content_filter"),
                                            ("sequence", "stop")])
def test_stop_reasons_are_told_in_the_clients_words(oai, stub, to, script, reason):
    assert create(oai, to, script, stop=["three"]).choices[0].finish_reason == reason
    assert streamed(oai, to, script, stop=["three"])[-1].choices[0].finish_reason == reason


@BOTH
def test_lg9_pk13_max_tokens_left_out_is_no_fault(oai, stub, to):
    create(oai, to, "text")
    body = stub.body()
    if to == "anthropic":
        assert body["max_tokens"] == 64_000
    else:
        assert body.keys() == {"model", "messages"}


# Stream helper


@BOTH
def test_stream_helper_accumulates_text(oai, stub, to):
    with helper(oai).stream(model=model(to, "text"), messages=HELLO,
                            stream_options={"include_usage": True}) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    assert len([e for e in events if e.type == "content.delta" and e.delta]) == 5
    assert [e.content for e in events if e.type == "content.done"] == [TEXT]
    assert final.choices[0].message.content == TEXT
    assert final.choices[0].finish_reason == "stop"
    assert final.usage.total_tokens == 26


@BOTH
def test_stream_helper_accumulates_parallel_tools(oai, stub, to):
    with helper(oai).stream(model=model(to, "tools"), messages=HELLO, tools=TOOLS) as stream:
        done = [e for e in stream if e.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert [json.loads(c.function.arguments)["city"] for c in calls] == ["Paris", "Rome"]
    assert [d.index for d in done] == [0, 1]
    assert final.choices[0].finish_reason == "tool_calls"


@BOTH
def test_b1_stream_helper_with_thinking_ends_well(oai, stub, to):
    arguments = {"model": model(to, "think"), "messages": HELLO}
    if to == "anthropic":
        arguments |= {"reasoning_effort": "low"}
    with helper(oai).stream(**arguments) as stream:
        final = stream.get_final_completion()
    message = final.choices[0].message
    assert message.content == "Four."
    assert message.model_extra["reasoning_content"] == THOUGHT
    if to == "anthropic":
        (detail,) = message.model_extra["reasoning_details"]
        assert detail["text"] == THOUGHT
        assert detail["signature"] == SIGNATURE


# Tools


def ask_tool(oai, to, script, stream, messages=HELLO, **more) -> tuple[dict, list[dict], str]:
    """The first turn of a tool loop: the message as history, its calls, the finish reason."""
    if stream:
        chunks = streamed(oai, to, script, tools=TOOLS, messages=messages, **more)
        calls = calls_of(chunks)
        history = {"role": "assistant", "content": text_of(chunks) or None, "tool_calls": calls}
        return history, calls, chunks[-1].choices[0].finish_reason
    choice = create(oai, to, script, tools=TOOLS, messages=messages, **more).choices[0]
    history = choice.message.model_dump(exclude_none=True)
    calls = [{"id": c.id, "function": {"name": c.function.name,
                                       "arguments": c.function.arguments}}
             for c in choice.message.tool_calls]
    return history, calls, choice.finish_reason


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_lg4_to6_tool_and_its_second_turn(oai, stub, to, stream):
    history, calls, reason = ask_tool(oai, to, "tool", stream)
    assert reason == "tool_calls"
    assert history["content"] == "I will look."
    (call,) = calls
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris", "unit": "c"}
    sent = stub.body()["tools"][0]
    schema = sent["input_schema"] if to == "anthropic" else sent["function"]["parameters"]
    assert schema == WEATHER_SCHEMA
    stub.reset()

    messages = [*HELLO, history, {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}]
    final = create(oai, to, "tool", tools=TOOLS, messages=messages)
    assert final.choices[0].message.content == f"Results: {call['id']}=sunny."
    if to == "anthropic":
        assert [m["role"] for m in stub.body()["messages"]] == ["user", "assistant", "user"]
        said = stub.body()["messages"][1]["content"]
        assert said[0] == {"type": "text", "text": "I will look."}
        assert said[1]["input"] == {"city": "Paris", "unit": "c"}


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_a6_o5_parallel_tools_and_results_in_another_order(oai, stub, to, stream):
    history, calls, reason = ask_tool(oai, to, "tools", stream)
    assert reason == "tool_calls"
    assert [json.loads(c["function"]["arguments"])["city"] for c in calls] == ["Paris", "Rome"]
    assert len({c["id"] for c in calls}) == 2
    stub.reset()
    messages = [*HELLO, history]
    for call, word in [(calls[1], "rain"), (calls[0], "sun")]:
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": word})
    messages.append({"role": "user", "content": "and?"})
    create(oai, to, "text", tools=TOOLS, messages=messages)
    turns = stub.body()["messages"]
    if to == "anthropic":
        kinds = [block["type"] for block in turns[-1]["content"]]
        assert kinds == ["tool_result", "tool_result", "text"]
        assert [b["tool_use_id"] for b in turns[-1]["content"][:2]] == [calls[1]["id"],
                                                                       calls[0]["id"]]
    else:
        assert turns == messages


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_a7_tool_without_arguments_has_an_empty_object(oai, stub, to, stream):
    history, calls, _ = ask_tool(oai, to, "noargs", stream)
    assert calls[0]["function"] == {"name": "now", "arguments": "{}"}
    messages = [*HELLO, history, {"role": "tool", "tool_call_id": calls[0]["id"], "content": "12"}]
    final = create(oai, to, "noargs", tools=TOOLS, messages=messages)
    assert final.choices[0].message.content == f"Results: {calls[0]['id']}=12."


@pytest.mark.parametrize("choice, expected", [
    ("required", {"type": "any"}), ("auto", {"type": "auto"}), ("none", {"type": "none"}),
    ({"type": "function", "function": {"name": "now"}}, {"type": "tool", "name": "now"}),
])
def test_tool_choice_crosses(oai, stub, choice, expected):
    create(oai, "anthropic", "text", tools=TOOLS, tool_choice=choice)
    assert stub.body()["tool_choice"] == expected


def test_a12_parallel_tool_calls_off_crosses(oai, stub):
    create(oai, "anthropic", "text", tools=TOOLS, parallel_tool_calls=False)
    assert stub.body()["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


@pytest.mark.parametrize("one, other", [("openai", "anthropic"), ("anthropic", "openai")])
def test_tool_loop_goes_on_at_the_other_provider(oai, stub, one, other):
    history, calls, _ = ask_tool(oai, one, "tools", False)
    messages = [*HELLO, history, *(
        {"role": "tool", "tool_call_id": call["id"], "content": "sun"} for call in calls)]
    final = create(oai, other, "tools", tools=TOOLS, messages=messages)
    said = " | ".join(f"{call['id']}=sun" for call in calls)
    assert final.choices[0].message.content == f"Results: {said}."


def test_o1_empty_content_beside_tool_calls_is_no_text_block(oai, stub):
    history, calls, _ = ask_tool(oai, "anthropic", "tools", False)
    messages = [*HELLO, history | {"content": ""}, *(
        {"role": "tool", "tool_call_id": call["id"], "content": ""} for call in calls)]
    create(oai, "anthropic", "text", tools=TOOLS, messages=messages)
    kinds = [b["type"] for b in stub.seen()[-1]["body"]["messages"][1]["content"]]
    assert kinds == ["tool_use", "tool_use"]


def test_functions_of_old_clients_are_left_alone_on_the_same_wire(oai, stub):
    more = {"functions": [TOOLS[0]["function"]], "function_call": "auto"}
    create(oai, "openai", "text", **more)
    assert stub.body() == {"model": model("openai", "text"), "messages": HELLO} | more


@pytest.mark.parametrize("stream", [False, True])
def test_functions_of_old_clients_cross(oai, stub, stream):
    more = {"functions": [tool["function"] for tool in TOOLS], "function_call": "auto"}
    if stream:
        chunks = streamed(oai, "anthropic", "firsttool", **more)
        parts = [part for c in chunks if (part := c.choices[0].delta.function_call)]
        call = {"name": "".join(part.name or "" for part in parts),
                "arguments": "".join(part.arguments or "" for part in parts)}
        reason = chunks[-1].choices[0].finish_reason
    else:
        choice = create(oai, "anthropic", "firsttool", **more).choices[0]
        call, reason = choice.message.function_call.model_dump(), choice.finish_reason
        assert choice.message.tool_calls is None
    assert reason == "function_call"
    assert call["name"] == "get_weather" and json.loads(call["arguments"]) == {"city": "Oslo"}
    assert stub.body()["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    messages = [*HELLO, {"role": "assistant", "content": None, "function_call": call},
                {"role": "function", "name": "get_weather", "content": "cold"}]
    final = create(oai, "anthropic", "firsttool", messages=messages, **more)
    assert final.choices[0].message.content.endswith("=cold.")


@pytest.mark.parametrize("stream", [False, True])
def test_custom_tool_of_free_text_crosses(oai, stub, stream):
    tools = [{"type": "custom", "custom": {"name": "code", "description": "runs code"}}]
    if stream:
        chunks = streamed(oai, "anthropic", "custom", tools=tools)
        parts = [part.model_dump() for c in chunks for part in c.choices[0].delta.tool_calls or []]
        said = "".join((part.get("custom") or {}).get("input") or "" for part in parts)
        names = [n for part in parts if (n := (part.get("custom") or {}).get("name"))]
        assert names == ["code"]
        call_id = parts[0]["id"]
    else:
        call = create(oai, "anthropic", "custom", tools=tools).choices[0].message.tool_calls[0]
        call = call.model_dump()
        assert call["type"] == "custom" and call["custom"]["name"] == "code"
        said, call_id = call["custom"]["input"], call["id"]
    assert said == 'print("hé")'
    history = {"role": "assistant", "content": None, "tool_calls": [
        {"id": call_id, "type": "custom", "custom": {"name": "code", "input": said}}]}
    messages = [*HELLO, history, {"role": "tool", "tool_call_id": call_id, "content": "ok"}]
    create(oai, "anthropic", "text", tools=tools, messages=messages)
    sent = stub.seen()[-1]["body"]["messages"][1]["content"][0]
    assert sent["input"] == {"input": said}


# Thinking over the OpenAI wire


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script, secret", [("thinktool", False), ("redactedtool", True)])
def test_pk7_lg5_thinking_is_carried_back_by_reasoning_details(oai, stub, stream, script, secret):
    """The provider refuses a tool turn whose thinking is missing or changed."""
    more = {"tools": TOOLS, "reasoning_effort": "medium"}
    if stream:
        with helper(oai).stream(model=model("anthropic", script), messages=HELLO, **more) as s:
            for _ in s:
                pass
            message = s.get_final_completion().choices[0].message
    else:
        message = create(oai, "anthropic", script, **more).choices[0].message
    assert stub.body()["thinking"] == {"type": "enabled", "budget_tokens": 8192}
    assert message.model_extra["reasoning_content"] == THOUGHT
    history = message.model_dump(exclude_none=True)
    call = message.tool_calls[0]
    stub.reset()
    messages = [*HELLO, history, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    raw = oai.chat.completions.with_raw_response.create(
        model=model("anthropic", script), messages=messages, max_tokens=16_000, **more)
    assert "x-ringway-translation" not in raw.headers
    assert raw.parse().choices[0].message.content == f"Results: {call.id}=sunny."
    sent = stub.body()
    assert sent["thinking"]["type"] == "enabled"
    blocks = sent["messages"][1]["content"]
    assert blocks[0] == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}
    if secret:
        assert blocks[1] == {"type": "redacted_thinking", "data": SECRET}
    assert blocks[-1]["type"] == "tool_use"


def test_b1_signature_without_text_is_carried_back(oai, stub):
    message = create(oai, "anthropic", "quiet", reasoning_effort="low").choices[0].message
    messages = [*HELLO, message.model_dump(exclude_none=True), {"role": "user", "content": "so?"}]
    stub.reset()
    create(oai, "anthropic", "text", messages=messages, reasoning_effort="low")
    assert stub.body()["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "", "signature": SIGNATURE},
        {"type": "text", "text": "Four."},
    ]


def test_thinking_lost_by_the_client_is_left_out_and_said(oai, stub):
    """Many clients keep no reasoning: the tool loop goes on without it instead of failing."""
    more = {"tools": TOOLS, "reasoning_effort": "medium"}
    call = create(oai, "anthropic", "thinktool", **more).choices[0].message.tool_calls[0]
    history = {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]}
    messages = [*HELLO, history, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    raw = oai.chat.completions.with_raw_response.create(
        model=model("anthropic", "thinktool"), messages=messages, **more)
    assert "thinking" in raw.headers["x-ringway-translation"]
    assert "thinking" not in stub.seen()[-1]["body"]


@pytest.mark.parametrize("stream", [False, True])
def test_pk5_pk6_pk7_content_blocks_when_compliance_is_off(oai, stub, stream):
    more = {"tools": TOOLS, "extra_headers": {"x-portkey-strict-open-ai-compliance": "false"},
            "extra_body": {"thinking": {"type": "enabled", "budget_tokens": 2048}}}
    if stream:
        blocks: dict[int, dict] = {}
        calls = []
        chunks = streamed(oai, "anthropic", "thinktool", **more)
        calls = calls_of(chunks)
        for chunk in chunks:
            for part in (chunk.choices[0].delta.model_extra or {}).get("content_blocks") or []:
                block = blocks.setdefault(part["index"], {})
                for name, value in part["delta"].items():
                    if isinstance(value, str) and name != "type":
                        block[name] = block.get(name, "") + value
        first = blocks[0]
        history = {"role": "assistant", "tool_calls": calls, "content": None, "content_blocks": [
            {"type": "thinking", "thinking": first["thinking"], "signature": first["signature"]},
            {"type": "text", "text": blocks[1]["text"]}]}
        call_id = calls[0]["id"]
    else:
        message = create(oai, "anthropic", "thinktool", **more).choices[0].message
        blocks = message.model_extra["content_blocks"]
        assert [b["type"] for b in blocks] == ["thinking", "text"]
        call_id = message.tool_calls[0].id
        history = {"role": "assistant", "content_blocks": blocks, "content": None,
                   "tool_calls": [message.tool_calls[0].model_dump()]}
    assert stub.body()["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    stub.reset()
    messages = [*HELLO, history, {"role": "tool", "tool_call_id": call_id, "content": "sunny"}]
    create(oai, "anthropic", "thinktool", messages=messages, **more)
    sent = stub.body()["messages"][1]["content"]
    assert sent[0] == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}
    assert [b["type"] for b in sent] == ["thinking", "text", "tool_use"]


def test_pk5_content_blocks_are_absent_without_the_header(oai, stub):
    message = create(oai, "anthropic", "think", reasoning_effort="low").choices[0].message
    assert "content_blocks" not in (message.model_extra or {})


def test_reasoning_header_none_gives_a_pure_openai_message(oai, stub):
    raw = oai.chat.completions.with_raw_response.create(
        model=model("anthropic", "think"), messages=HELLO, reasoning_effort="low",
        extra_headers={"x-ringway-reasoning": "none"})
    message = json.loads(raw.content)["choices"][0]["message"]
    assert message.keys() <= {"role", "content", "refusal", "annotations", "tool_calls"}


def test_strict_provider_never_sees_reasoning_members(oai, stub):
    """What the gateway added to a translated answer is taken out for a provider that refuses it."""
    message = create(oai, "anthropic", "think", reasoning_effort="low").choices[0].message
    history = message.model_dump(exclude_none=True)
    assert "reasoning_details" in history
    messages = [*HELLO, history, {"role": "user", "content": "so?"}]
    answer = oai.chat.completions.create(model="strict/gpt-4o--text", messages=messages)
    assert answer.choices[0].message.content == TEXT
    sent = stub.seen()[-1]["body"]["messages"][1]
    assert sent["content"] == "Four."
    assert not sent.keys() & {"reasoning_details", "reasoning_content"}


@pytest.mark.parametrize("name, effort, thinking, output", [
    ("claude-sonnet-4-5", "low", {"type": "enabled", "budget_tokens": 2048}, None),
    ("claude-opus-4-8", "high", {"type": "adaptive", "display": "summarized"},
     {"effort": "high"}),
    ("claude-opus-5", "none", {"type": "disabled"}, None),
])
def test_lg5_reasoning_effort_crosses(oai, stub, name, effort, thinking, output):
    oai.chat.completions.create(model=f"{name}--text", messages=HELLO, reasoning_effort=effort)
    body = stub.body()
    assert body["thinking"] == thinking
    assert body.get("output_config") == output
    assert body["max_tokens"] > 8192


# Pictures and documents


def vision(url: str, text: str = "what is this?") -> list:
    return [{"role": "user", "content": [
        {"type": "text", "text": text},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]}]


@BOTH
@pytest.mark.parametrize("url, source", [
    (f"data:image/png;base64,{PNG}", {"type": "base64", "media_type": "image/png", "data": PNG}),
    ("https://example.com/a.png", {"type": "url", "url": "https://example.com/a.png"}),
])
def test_ni14_pk8_o3_images(oai, stub, to, url, source):
    messages = vision(url)
    create(oai, to, "text", messages=messages)
    sent = stub.body()["messages"]
    if to == "openai":
        assert sent == messages
    else:
        assert sent[0]["content"][1] == {"type": "image", "source": source}


@BOTH
def test_pk8_pdf_as_file_part(oai, stub, to):
    messages = [{"role": "user", "content": [
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}",
                                  "filename": "a.pdf"}},
        {"type": "text", "text": "sum it up"}]}]
    create(oai, to, "text", messages=messages)
    sent = stub.body()["messages"]
    if to == "openai":
        assert sent == messages
    else:
        block = sent[0]["content"][0]
        assert block["type"] == "document"
        assert block["source"] == {"type": "base64", "media_type": "application/pdf", "data": PDF}
        assert block["title"] == "a.pdf"


@pytest.mark.parametrize("part", [
    {"type": "image_url", "image_url": {"url": f"data:application/pdf;base64,{PDF}"}},
    {"type": "file", "file": {"mime_type": "application/pdf", "file_data": PDF}},
])
def test_pk8_pdf_in_portkeys_forms(oai, stub, part):
    create(oai, "anthropic", "text", messages=[{"role": "user", "content": [part]}])
    block = stub.body()["messages"][0]["content"][0]
    assert block["source"] == {"type": "base64", "media_type": "application/pdf", "data": PDF}


def test_ni14_image_of_an_unknown_kind_is_refused_before_anything_is_sent(oai, stub):
    with pytest.raises(openai.BadRequestError) as caught:
        create(oai, "anthropic", "text", messages=vision("data:image/svg+xml;base64,PHN2Zz4="))
    assert "messages[0].content[1]" in caught.value.param
    assert stub.seen() == []


# Structured output


class Person(BaseModel):
    name: str
    age: int


@BOTH
def test_structured_output_parse_helper(oai, stub, to):
    answer = helper(oai).parse(model=model(to, "json"), messages=HELLO, response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)
    sent = stub.body()
    if to == "anthropic":
        asked = sent["output_config"]["format"]
        assert asked["type"] == "json_schema"
        assert set(asked["schema"]["properties"]) == {"name", "age"}
        assert asked["schema"]["additionalProperties"] is False
    else:
        assert sent["response_format"]["json_schema"]["name"] == "Person"


@BOTH
def test_structured_output_stream_helper(oai, stub, to):
    with helper(oai).stream(model=model(to, "json"), messages=HELLO,
                            response_format=Person) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Person(name="Ada", age=36)


@pytest.mark.parametrize("stream", [False, True])
def test_structured_output_of_a_model_without_it_goes_by_a_forced_tool(oai, stub, stream):
    name = "claude-3-5-haiku-20241022--jsontool"
    arguments = {"model": name, "messages": HELLO, "response_format": Person}
    if stream:
        with helper(oai).stream(**arguments) as events:
            for _ in events:
                pass
            choice = events.get_final_completion().choices[0]
    else:
        choice = helper(oai).parse(**arguments).choices[0]
    assert choice.message.parsed == Person(name="Ada", age=36)
    assert choice.finish_reason == "stop"
    assert not choice.message.tool_calls
    # Of several calls the first alone would be the answer, so one is asked for.
    assert stub.body()["tool_choice"] == {
        "type": "tool", "name": "json_response", "disable_parallel_tool_use": True}


def test_json_object_is_asked_for_in_words(oai, stub):
    create(oai, "anthropic", "json", response_format={"type": "json_object"})
    assert "JSON" in json.dumps(stub.body()["system"])


@BOTH
def test_structured_tool_arguments_are_parsed_by_the_helper(oai, stub, to):
    class get_weather(BaseModel):
        city: str
        unit: str

    answer = helper(oai).parse(model=model(to, "tool"), messages=HELLO,
                               tools=[openai.pydantic_function_tool(get_weather)])
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.parsed_arguments == get_weather(city="Paris", unit="c")


# Errors


@BOTH
@pytest.mark.parametrize("script, error, status", [
    ("err400", openai.BadRequestError, 400),
    ("err401", openai.AuthenticationError, 401),
    ("err403", openai.PermissionDeniedError, 403),
    ("err404", openai.NotFoundError, 404),
    ("err429", openai.RateLimitError, 429),
    ("err500", openai.InternalServerError, 500),
    ("err503", openai.InternalServerError, 503),
    ("err529", openai.InternalServerError, 529),
])
@pytest.mark.parametrize("stream", [False, True])
def test_f4_f6_d10_errors_raise_their_class(oai, stub, to, script, error, status, stream):
    with pytest.raises(error) as caught:
        create(oai, to, script, stream=stream)
    assert caught.value.status_code == status
    assert caught.value.body["message"]
    assert len(stub.seen()) == 1


@BOTH
def test_f1_rate_limit_carries_retry_after(oai, stub, to):
    with pytest.raises(openai.RateLimitError) as caught:
        create(oai, to, "err429")
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.body["message"] == "slow down"


@BOTH
def test_f4_context_overflow_has_the_code_that_agents_look_for(oai, stub, to):
    with pytest.raises(openai.BadRequestError) as caught:
        create(oai, to, "context400")
    assert caught.value.code == "context_length_exceeded"


@BOTH
def test_f2_overload_has_its_code(oai, stub, to):
    with pytest.raises(openai.InternalServerError) as caught:
        create(oai, to, "err529")
    assert caught.value.code == "overloaded"


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_flaky_provider_is_retried_by_the_client(gateway, stub, to, stream):
    """The SDK waits as `retry-after-ms` says: the header has to come through."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=1, timeout=15)
    if stream:
        assert text_of(streamed(client, to, "flaky")) == TEXT
    else:
        assert create(client, to, "flaky").choices[0].message.content == TEXT
    first, second = stub.seen()
    # Without the header it waits 375 ms at least.
    assert second["at"] - first["at"] < 0.3


@BOTH
def test_d5_d8_error_within_a_stream_raises(oai, stub, to):
    seen = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in create(oai, to, "inband", stream=True):
            seen += chunk.choices[0].delta.content or ""
    assert seen == "Hello"
    assert "Overloaded in the middle" in caught.value.message


@BOTH
@pytest.mark.parametrize("script", ["cut", "eof"])
def test_d1_d4_stream_that_ends_early_raises(oai, stub, to, script):
    seen = ""
    with pytest.raises(openai.APIError):
        for chunk in create(oai, to, script, stream=True):
            seen += chunk.choices[0].delta.content or ""
            assert chunk.choices[0].finish_reason is None
    assert seen == "Hello"


@BOTH
def test_d1_tool_call_that_was_cut_never_looks_finished(oai, stub, to):
    finished = False
    with pytest.raises(openai.APIError):
        for chunk in create(oai, to, "cuttool", stream=True, tools=TOOLS):
            finished |= chunk.choices[0].finish_reason is not None
    assert not finished


@BOTH
@pytest.mark.parametrize("script", ["cut", "html"])
def test_d10_whole_answer_that_is_none_raises(oai, stub, to, script):
    with pytest.raises((openai.APIConnectionError, openai.InternalServerError)):
        create(oai, to, script)


# Cancel


@BOTH
def test_g1_cancel_amid_a_stream_closes_upstream(gateway, stub, to):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=15)
    stream = create(client, to, "slow", stream=True)
    while not next(stream).choices[0].delta.content:
        pass
    stream.close()
    client.close()
    closed = time.monotonic()
    record = stub.wait_closed()[0]
    assert record["closed_at"] - closed < 0.5
    assert len(stub.seen()) == 1


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_g2_g3_cancel_before_the_first_byte_closes_upstream(gateway, stub, to, stream):
    async def run() -> float:
        client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=2,
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


def test_g3_timeout_of_the_client_closes_upstream(gateway, stub):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=0.3)
    with pytest.raises(openai.APITimeoutError):
        create(client, "anthropic", "hang")
    assert stub.wait_closed()[0]["closed"]


# What else crosses


def test_to5_system_and_developer_messages_become_the_system(oai, stub):
    messages = [{"role": "system", "content": "be brief"},
                {"role": "developer", "content": [{"type": "text", "text": "be kind"}]}, *HELLO]
    create(oai, "anthropic", "text", messages=messages)
    body = stub.body()
    system = body["system"]
    assert [b["text"] for b in system] == ["be brief", "be kind"]
    assert [m["role"] for m in body["messages"]] == ["user"]


def test_lg6_e2_cache_control_crosses(oai, stub):
    mark = {"type": "ephemeral", "ttl": "1h"}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "long", "cache_control": mark}]},
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": mark}]},
    ]
    create(oai, "anthropic", "text", messages=messages)
    body = stub.body()
    assert body["system"] == [{"type": "text", "text": "long", "cache_control": mark}]
    assert body["messages"][0]["content"] == [{"type": "text", "text": "hi",
                                               "cache_control": mark}]


@BOTH
def test_e1_same_request_gives_the_same_bytes(oai, stub, to):
    for _ in range(3):
        create(oai, to, "tool", tools=TOOLS, temperature=0.5)
    assert len({r["text"] for r in stub.seen()}) == 1


def test_losses_are_named_in_a_header(oai, stub):
    raw = oai.chat.completions.with_raw_response.create(
        model=model("anthropic", "text"), messages=HELLO, seed=7, logit_bias={"1": 2},
        temperature=1.5)
    said = raw.headers["x-ringway-translation"]
    assert "dropped=" in said and "logit_bias" in said and "seed" in said
    assert "temperature" in said.split("changed=")[1]
    assert stub.body()["temperature"] == 1


def test_losses_are_refused_on_request(oai, stub):
    with pytest.raises(openai.BadRequestError) as caught:
        create(oai, "anthropic", "text", seed=7, max_tokens=10,
               extra_headers={"x-ringway-strict": "1"})
    assert caught.value.param == "seed"
    assert stub.seen() == []


@pytest.mark.parametrize("more, param", [
    ({"n": 2}, "n"), ({"logprobs": True}, "logprobs"),
    ({"modalities": ["text", "audio"], "audio": {"voice": "a", "format": "wav"}}, "audio"),
])
def test_contracts_that_cannot_be_kept_are_refused(oai, stub, more, param):
    with pytest.raises(openai.BadRequestError) as caught:
        create(oai, "anthropic", "text", **more)
    assert caught.value.param in (param, "modalities")
    assert stub.seen() == []


def test_pk9_web_search_tool_in_portkeys_form(oai, stub):
    tool = {"type": "web_search", "web_search": {"name": "web_search_20250305", "max_uses": 2}}
    create(oai, "anthropic", "text", tools=[tool])
    assert stub.body()["tools"] == [{"type": "web_search_20250305", "name": "web_search",
                                     "max_uses": 2}]


@pytest.mark.parametrize("more", [
    {"extra_body": {"anthropic_beta": "context-1m-2025-08-07"}},
    {"extra_body": {"anthropic_beta": ["context-1m-2025-08-07"]}},
    {"extra_headers": {"x-portkey-anthropic-beta": "context-1m-2025-08-07"}},
    {"extra_headers": {"anthropic-beta": "context-1m-2025-08-07"}},
])
def test_pk11_betas_reach_the_provider_as_its_header(oai, stub, more):
    create(oai, "anthropic", "text", **more)
    seen = stub.last()
    assert seen["headers"]["anthropic-beta"] == "context-1m-2025-08-07"
    assert "anthropic_beta" not in seen["body"]
