"""The stub's OpenAI Chat Completions side: what it refuses, and how it says a script.

It refuses what the real service refuses, so that a request which a gateway built wrongly fails
here as it would there. Below `/strict` it also refuses the reasoning members that other services
put into assistant messages.
"""

from __future__ import annotations

import itertools
import json
import re

from script import IN_BAND, Answer, Fault, Redacted, Text, Thinking, Tool

KEY = "sk-stub-key"
accepted_keys = {KEY, "sk-callers-own"}

MEMBERS = {
    "model", "messages", "audio", "frequency_penalty", "presence_penalty", "function_call",
    "functions", "logit_bias", "logprobs", "top_logprobs", "max_completion_tokens", "max_tokens",
    "metadata", "modalities", "moderation", "n", "parallel_tool_calls", "prediction",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning_effort",
    "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
    "stream_options", "temperature", "tool_choice", "tools", "top_p", "user", "verbosity",
    "web_search_options",
}
ASSISTANT = {"role", "content", "tool_calls", "refusal", "audio", "function_call", "name",
             "annotations"}
# Members that other services give to assistant messages; this one looks away, `/strict` does not.
CARRIERS = {"reasoning_content", "reasoning", "reasoning_details", "thinking_blocks",
            "content_blocks", "parsed"}
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
REASONING = re.compile(r"^(o\d|gpt-5)")
FINISHES = {"end": "stop", "tools": "tool_calls", "length": "length",
            "refusal": "content_filter", "sequence": "stop"}


class Refused(Exception):
    def __init__(self, message: str, code: str | None = None, param: str | None = None):
        super().__init__(message)
        self.code = code
        self.param = param


def check_head(headers: dict[str, str]) -> Fault | None:
    if headers.get("authorization", "").removeprefix("Bearer ") not in accepted_keys:
        return Fault(401, "", "invalid_request_error", "Incorrect API key provided",
                     "invalid_api_key")
    return None


def check(body: dict, strict: bool) -> None:
    for name in body.keys() - MEMBERS:
        raise Refused(f"Unrecognized request argument supplied: {name}", "unknown_parameter", name)
    if not isinstance(body.get("model"), str):
        raise Refused("you must provide a model parameter")
    if "stream_options" in body and not body.get("stream"):
        raise Refused("stream_options is only allowed when stream is enabled")
    if REASONING.match(body["model"]):
        if "max_tokens" in body:
            raise Refused("Unsupported parameter: 'max_tokens' is not supported with this model. "
                          "Use 'max_completion_tokens' instead.", "unsupported_parameter")
        if body.get("temperature", 1) != 1:
            raise Refused("Unsupported value: 'temperature'", "unsupported_value")
    elif "reasoning_effort" in body:
        raise Refused("Unrecognized request argument supplied: reasoning_effort",
                      "unknown_parameter")
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > 4:
        raise Refused("stop: too many")
    for tool in body.get("tools", []):
        inner = tool.get(tool.get("type"), {})
        if tool.get("type") not in ("function", "custom") or not NAME.fullmatch(inner["name"]):
            raise Refused("Invalid 'tools'")
        if tool.keys() - {"type", "function", "custom"}:
            raise Refused("Unknown parameter in 'tools'", "unknown_parameter")
    if body.get("tool_choice") is not None and not body.get("tools"):
        raise Refused("'tool_choice' is only allowed when 'tools' are specified.")
    if "parallel_tool_calls" in body and not body.get("tools"):
        raise Refused("'parallel_tool_calls' is only allowed when 'tools' are specified.")
    check_messages(body, strict)


def check_messages(body: dict, strict: bool) -> None:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("messages: expected a non-empty array", param="messages")
    waiting: list[str] = []
    for at, message in enumerate(messages):
        role = message.get("role")
        if role != "tool" and waiting:
            raise Refused("An assistant message with 'tool_calls' must be followed by tool "
                          f"messages responding to each 'tool_call_id': {waiting}")
        match role:
            case "system" | "developer" | "user":
                check_content(message.get("content"), role, at)
            case "assistant":
                allowed = ASSISTANT if strict else ASSISTANT | CARRIERS
                for name in message.keys() - allowed:
                    raise Refused(f"Unknown parameter: 'messages[{at}].{name}'.",
                                  "unknown_parameter")
                if message.get("content") is not None:
                    check_content(message["content"], role, at)
                elif not message.get("tool_calls") and not message.get("refusal"):
                    raise Refused(f"Invalid value for 'content': messages[{at}] is null")
                for call in message.get("tool_calls") or []:
                    if len(call["id"]) > 40:
                        raise Refused("Invalid 'messages.tool_calls.id': string too long. "
                                      "Expected a string with maximum length 40")
                    if not isinstance(call["function"]["arguments"], str):
                        raise Refused("Invalid type for 'arguments': expected a string")
                    waiting.append(call["id"])
            case "tool":
                if message.get("tool_call_id") not in waiting:
                    raise Refused("messages with role 'tool' must be a response to a preceeding "
                                  "message with 'tool_calls'.")
                waiting.remove(message["tool_call_id"])
                check_content(message.get("content"), role, at)
            case _:
                raise Refused(f"Invalid value: '{role}'")


PARTS = {
    "system": {"text"}, "developer": {"text"}, "tool": {"text"}, "assistant": {"text", "refusal"},
    "user": {"text", "image_url", "input_audio", "file"},
}


def check_content(content: object, role: str, at: int) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list) or not content:
        raise Refused(f"Invalid type for 'messages[{at}].content'")
    for part in content:
        if part.get("type") not in PARTS[role]:
            raise Refused(f"Invalid value: '{part.get('type')}' in messages[{at}]")
        if part.keys() - {"type", part["type"], "prompt_cache_breakpoint"}:
            raise Refused(f"Unknown parameter in messages[{at}].content", "unknown_parameter")


def results_of(body: dict) -> list[str]:
    found: list[str] = []
    for message in reversed(body["messages"]):
        if message["role"] != "tool":
            break
        content = message["content"]
        if isinstance(content, list):
            content = " ".join(part["text"] for part in content)
        found.insert(0, f"{message['tool_call_id']}={content}")
    return found


def first_tool(body: dict) -> str:
    for tool in body.get("tools") or []:
        return tool[tool["type"]]["name"]
    return ""


def tool_id(tool: Tool) -> str:
    return f"call_stub{tool.number:04}"


def usage(answer: Answer) -> dict:
    said = answer.usage
    prompt = said.fresh + said.read + said.written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": said.output,
        "total_tokens": prompt + said.output,
        "prompt_tokens_details": {"cached_tokens": said.read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": said.thinking or 0, "audio_tokens": 0},
    }


def error(fault: Fault) -> dict:
    return {"error": {"message": fault.message, "type": fault.openai, "param": None,
                      "code": fault.code}}


# Claude Code joins answers of one id into one turn.
numbers = itertools.count(1)


def message(model: str, answer: Answer) -> dict:
    said: dict = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    calls = []
    for block in answer.blocks:
        match block:
            case Text(chunks):
                said["content"] = (said["content"] or "") + "".join(chunks)
            case Thinking(chunks, _):
                said["reasoning_content"] = "".join(chunks)
            case Redacted():
                pass
            case Tool(_, name, fragments):
                calls.append({"id": tool_id(block), "type": "function",
                              "function": {"name": name,
                                           "arguments": "".join(fragments) or "{}"}})
    if calls:
        said["tool_calls"] = calls
    choice = {"index": 0, "message": said, "logprobs": None,
              "finish_reason": FINISHES[answer.stop]}
    return {"id": f"chatcmpl-Stub{next(numbers)}", "object": "chat.completion", "created": 1731456253,
            "model": model, "choices": [choice], "usage": usage(answer),
            "service_tier": "default", "system_fingerprint": "fp_stub"}


def stream(model: str, answer: Answer, body: dict) -> list[bytes]:
    """The events of a stream. What breaks ends before the finish."""
    asked = bool((body.get("stream_options") or {}).get("include_usage"))
    name = f"chatcmpl-Stub{next(numbers)}"

    def chunk(choices: list, **more: object) -> bytes:
        data = {"id": name, "object": "chat.completion.chunk", "created": 1731456253,
                "model": model, "service_tier": "default", "system_fingerprint": "fp_stub",
                "choices": choices}
        if asked:
            data["usage"] = None
        return b"data: " + json.dumps(data | more).encode() + b"\n\n"

    def delta(finish: str | None = None, **members: object) -> bytes:
        return chunk([{"index": 0, "delta": members, "logprobs": None, "finish_reason": finish}])

    events = [delta(role="assistant", content="", refusal=None)]
    calls = 0
    for block in answer.blocks:
        match block:
            case Text(chunks):
                events += [delta(content=part) for part in chunks]
            case Thinking(chunks, _):
                events += [delta(reasoning_content=part) for part in chunks]
            case Redacted():
                pass
            case Tool(_, name, fragments):
                events.append(delta(tool_calls=[{
                    "index": calls, "id": tool_id(block), "type": "function",
                    "function": {"name": name, "arguments": ""}}]))
                events += [delta(tool_calls=[{"index": calls, "function": {"arguments": part}}])
                           for part in (fragments or ["{}"])]
                calls += 1
    if answer.breaks is not None:
        if answer.breaks == "error":
            events.append(b"data: " + json.dumps(error(IN_BAND)).encode() + b"\n\n")
        return events
    events.append(delta(finish=FINISHES[answer.stop]))
    if asked:
        events.append(chunk([], usage=usage(answer)))
    events.append(b"data: [DONE]\n\n")
    return events
