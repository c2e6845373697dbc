"""The stub's Anthropic Messages side: what it refuses, and how it says a script.

It refuses what the real service refuses, so that a request which a gateway built wrongly fails
here as it would there.
"""

from __future__ import annotations

import itertools
import json
import re

from script import (SECRET, SIGNATURE, THOUGHT, Answer, Fault, Redacted, Text, Thinking, Tool,
                    IN_BAND)

KEY = "sk-ant-stub-key"

MEMBERS = {
    "model", "max_tokens", "system", "messages", "stream", "stop_sequences", "temperature",
    "top_p", "top_k", "tools", "tool_choice", "thinking", "output_config", "output_format",
    "metadata", "service_tier", "speed", "cache_control", "container", "context_management",
    "mcp_servers", "inference_geo", "diagnostics", "fallbacks",
}
COUNT_MEMBERS = MEMBERS - {"max_tokens", "stream", "temperature", "top_p", "top_k",
                           "stop_sequences", "metadata", "service_tier"}
VERSIONS = {"2023-06-01", "2026-10-21"}
TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
IMAGES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
STOPS = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens", "refusal": "refusal",
         "sequence": "stop_sequence"}
# Models of the 4.5 line and older take a budget; from 4.6 on a last assistant turn is refused.
OLD = re.compile(r"claude-(3|opus-4-5|opus-4-1|sonnet-4-5|haiku-4-5|sonnet-4-2|opus-4-2)")


class Refused(Exception):
    pass


def check_head(headers: dict[str, str]) -> Fault | None:
    key = headers.get("x-api-key")
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    if (key or bearer) not in accepted_keys:
        return Fault(401, "authentication_error", "", "invalid x-api-key")
    if headers.get("anthropic-version") not in VERSIONS:
        return Fault(400, "invalid_request_error", "", "anthropic-version: header is required")
    return None


accepted_keys = {KEY, "sk-ant-callers-own"}


def check(body: dict, headers: dict[str, str], counting: bool = False) -> None:
    for name in body.keys() - (COUNT_MEMBERS if counting else MEMBERS):
        raise Refused(f"{name}: Extra inputs are not permitted")
    if not isinstance(body.get("model"), str):
        raise Refused("model: Field required")
    limit = body.get("max_tokens")
    if not counting and (not isinstance(limit, int) or limit < 0):
        raise Refused("max_tokens: Field required")
    if headers.get("anthropic-version") == "2026-10-21":
        for name in ("temperature", "top_p", "top_k"):
            if name in body:
                raise Refused(f"{name}: Extra inputs are not permitted")
    if not 0 <= body.get("temperature", 1) <= 1:
        raise Refused("temperature: range: 0..1")
    if "temperature" in body and "top_p" in body and OLD.search(body["model"]):
        raise Refused("`temperature` and `top_p` cannot both be specified for this model.")
    check_thinking(body, limit)
    check_tools(body)
    check_system(body.get("system"))
    check_messages(body)
    marks = json.dumps(body).count('"cache_control"')
    if marks > 4:
        raise Refused(f"A maximum of 4 blocks with cache_control may be provided. Found {marks}.")


def check_thinking(body: dict, limit: int | None) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    old = OLD.search(body["model"])
    if kind == "enabled":
        budget = thinking.get("budget_tokens", 0)
        if budget < 1024:
            raise Refused("thinking.enabled.budget_tokens: Input should be >= 1024")
        if limit is not None and budget >= limit:
            raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
        if body.get("tool_choice", {}).get("type") in ("any", "tool"):
            raise Refused("Thinking may not be enabled when tool_choice forces tool use.")
        if body.get("temperature", 1) != 1:
            raise Refused("`temperature` may only be set to 1 when thinking is enabled.")
    elif kind == "adaptive":
        if old:
            raise Refused("adaptive thinking is not supported on this model")
    elif kind != "disabled":
        raise Refused("thinking: Input tag does not match any of the expected tags")


def check_tools(body: dict) -> None:
    for at, tool in enumerate(body.get("tools", [])):
        if not NAME.fullmatch(tool.get("name", "")):
            raise Refused(f"tools.{at}.name: String should match pattern")
        if re.search(r"_\d{8}$", tool.get("type") or ""):
            continue
        if tool.get("type") not in (None, "custom"):
            raise Refused(f"tools.{at}: Input tag '{tool['type']}' does not match")
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise Refused(f"tools.{at}.custom.input_schema.type: Field required")
    choice = body.get("tool_choice")
    if choice is not None and "tools" not in body:
        raise Refused("tool_choice may only be specified while providing tools")
    if choice is not None and choice.get("type") not in ("auto", "any", "tool", "none"):
        raise Refused("tool_choice: Input tag does not match any of the expected tags")


def check_system(system: object) -> None:
    if system is None or isinstance(system, str):
        return
    for at, block in enumerate(system):
        if block.get("type") != "text" or not block.get("text", "").strip():
            raise Refused(f"system.{at}: text content blocks must be non-empty")


def check_messages(body: dict) -> None:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("messages: at least one message is required")
    waiting: list[str] = []
    for at, message in enumerate(messages):
        if message.keys() - {"role", "content"}:
            raise Refused(f"messages.{at}: Extra inputs are not permitted")
        if message.get("role") not in ("user", "assistant", "system"):
            raise Refused(f"messages.{at}.role: unexpected role")
        blocks = message.get("content")
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        if not isinstance(blocks, list):
            raise Refused(f"messages.{at}.content: Input should be a valid list")
        for block in blocks:
            check_block(block, f"messages.{at}.content")
        results = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
        if message["role"] == "user":
            if sorted(results) != sorted(waiting):
                raise Refused(f"messages.{at}: `tool_use` ids were found without `tool_result` "
                              f"blocks immediately after: {waiting}, {results}")
            kinds = [b["type"] for b in blocks]
            if "tool_result" in kinds[len(results):]:
                raise Refused("`tool_result` blocks must come first in the user turn")
        waiting = [b["id"] for b in blocks if b["type"] == "tool_use"]
        if waiting and "tools" not in body:
            raise Refused("Requests which include `tool_use` blocks must define tools")
        if waiting and message["role"] == "assistant" and at == last_assistant(messages):
            check_tool_turn(body, blocks)
    if messages[-1]["role"] == "assistant" and not OLD.search(body["model"]):
        raise Refused("This model does not support assistant message prefill.")


def last_assistant(messages: list) -> int:
    return max(at for at, m in enumerate(messages) if m["role"] == "assistant")


def check_tool_turn(body: dict, blocks: list) -> None:
    """With manual thinking, the last assistant turn of a tool loop starts with its thinking."""
    if body.get("thinking", {}).get("type") != "enabled":
        return
    if blocks[0]["type"] not in ("thinking", "redacted_thinking"):
        raise Refused("Expected `thinking` or `redacted_thinking`, but found `tool_use`.")


def check_block(block: dict, where: str) -> None:
    kind = block.get("type")
    match kind:
        case "text":
            if not block.get("text", "").strip():
                raise Refused(f"{where}: text content blocks must be non-empty")
        case "thinking":
            if block.get("signature") != SIGNATURE:
                raise Refused(f"{where}: Invalid `signature` in `thinking` block")
            if block.get("thinking") not in ("", "".join(THOUGHT)):
                raise Refused(f"{where}: `thinking` blocks cannot be modified")
        case "redacted_thinking":
            if block.get("data") != SECRET:
                raise Refused(f"{where}: Invalid `data` in `redacted_thinking` block")
        case "tool_use":
            if not TOOL_ID.fullmatch(block.get("id", "")):
                raise Refused(f"{where}: tool_use.id: String should match pattern")
            if not isinstance(block.get("input"), dict):
                raise Refused(f"{where}: tool_use.input: Input should be a valid dictionary")
        case "tool_result":
            content = block.get("content", "")
            for inner in content if isinstance(content, list) else []:
                check_block(inner, where)
        case "image":
            source = block["source"]
            if source["type"] == "base64" and source["media_type"] not in IMAGES:
                raise Refused(f"{where}: unsupported image {source['media_type']}")
            if source["type"] not in ("base64", "url", "file"):
                raise Refused(f"{where}: unknown source {source['type']}")
        case "document":
            if block["source"]["type"] not in ("base64", "text", "url", "file", "content"):
                raise Refused(f"{where}: unknown source")
        case _:
            raise Refused(f"{where}: Input tag '{kind}' found using 'type' does not match")


def results_of(body: dict) -> list[str]:
    last = body["messages"][-1]
    blocks = last["content"] if isinstance(last["content"], list) else []
    found = []
    for block in blocks:
        if block["type"] == "tool_result":
            content = block.get("content", "")
            if isinstance(content, list):
                content = " ".join(b.get("text", f"<{b['type']}>") for b in content)
            found.append(f"{block['tool_use_id']}={content}")
    return found


def first_tool(body: dict) -> str:
    return body["tools"][0]["name"] if body.get("tools") else ""


def tool_id(tool: Tool) -> str:
    return f"toolu_01stub{tool.number:04}"


def usage(answer: Answer) -> dict:
    said = answer.usage
    shown = {
        "input_tokens": said.fresh,
        "cache_creation_input_tokens": said.written,
        "cache_read_input_tokens": said.read,
        "output_tokens": said.output,
        "service_tier": "standard",
    }
    if said.thinking is not None:
        shown["output_tokens_details"] = {"thinking_tokens": said.thinking}
    return shown


def error(fault: Fault) -> dict:
    return {"type": "error", "error": {"type": fault.anthropic, "message": fault.message},
            "request_id": "req_stub"}


def message(model: str, answer: Answer) -> dict:
    content = []
    for block in answer.blocks:
        match block:
            case Text(chunks):
                content.append({"type": "text", "text": "".join(chunks)})
            case Thinking(chunks, signature):
                content.append({"type": "thinking", "thinking": "".join(chunks),
                                "signature": signature})
            case Redacted(data):
                content.append({"type": "redacted_thinking", "data": data})
            case Tool(_, name, fragments):
                content.append({"type": "tool_use", "id": tool_id(block), "name": name,
                                "input": json.loads("".join(fragments) or "{}")})
    return start(model, answer) | {"content": content, "usage": usage(answer)} | stop(answer)


# Claude Code joins answers of one id into one turn.
numbers = itertools.count(1)


def start(model: str, answer: Answer) -> dict:
    return {"id": f"msg_01Stub{next(numbers)}", "type": "message", "role": "assistant", "model": model,
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": usage(answer) | {"output_tokens": 1}}


def stop(answer: Answer) -> dict:
    said = {"stop_reason": STOPS[answer.stop],
            "stop_sequence": "three" if answer.stop == "sequence" else None}
    if answer.stop == "refusal":
        said["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    return said


def event(data: dict) -> bytes:
    # The real service pads its objects with blanks; nobody may count on their bytes.
    text = json.dumps(data, ensure_ascii=False)[:-1] + "  }"
    return f"event: {data['type']}\ndata: {text}\n\n".encode()


def stream(model: str, answer: Answer, _body: dict) -> list[bytes]:
    """The events of a stream. What breaks ends before the last block does."""
    events = [event({"type": "message_start", "message": start(model, answer)})]
    for index, block in enumerate(answer.blocks):
        events += block_events(index, block)
        if index == 0:
            events.insert(2, event({"type": "ping"}))
    if answer.breaks is not None:
        events.pop()
        if answer.breaks == "error":
            events.append(event(error(IN_BAND)))
        return events
    counts = {"output_tokens": answer.usage.output}
    if answer.usage.thinking is not None:
        counts["output_tokens_details"] = {"thinking_tokens": answer.usage.thinking}
    events.append(event({"type": "message_delta", "delta": stop(answer), "usage": counts}))
    events.append(event({"type": "message_stop"}))
    return events


def block_events(index: int, block: object) -> list[bytes]:
    def delta(**members: str) -> bytes:
        return event({"type": "content_block_delta", "index": index, "delta": members})

    match block:
        case Text(chunks):
            first = {"type": "text", "text": ""}
            deltas = [delta(type="text_delta", text=chunk) for chunk in chunks]
        case Thinking(chunks, signature):
            first = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [delta(type="thinking_delta", thinking=chunk) for chunk in chunks]
            deltas.append(delta(type="signature_delta", signature=signature))
        case Redacted(data):
            first, deltas = {"type": "redacted_thinking", "data": data}, []
        case Tool(_, name, fragments):
            first = {"type": "tool_use", "id": tool_id(block), "name": name, "input": {}}
            deltas = [delta(type="input_json_delta", partial_json=part)
                      for part in ["", *fragments]]
    return [
        event({"type": "content_block_start", "index": index, "content_block": first}),
        *deltas,
        event({"type": "content_block_stop", "index": index}),
    ]
