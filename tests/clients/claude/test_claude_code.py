"""Claude Code through the gateway: an agent's whole turn, to a provider of either wire."""

from __future__ import annotations

import json

import pytest

from client import NOTE
from harness import KEY

MODELS = {"anthropic": "claude-opus-4-6", "openai": "gpt-5"}
BOTH = pytest.mark.parametrize("to", list(MODELS))
SAID = "from-the-shell-é"
THOUGHT = "Let me think: 2+2 is «4».\n"
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds+/="


def model(to: str, script: str) -> str:
    return f"{MODELS[to]}--{script}"


def chats(stub) -> list[dict]:
    """What reached the provider; the client's probe of the bare address never does."""
    seen = stub.seen()
    assert seen and {r["method"] for r in seen} == {"POST"}, [r["path"] for r in seen]
    return seen


@BOTH
def test_agent_turn_runs_its_tools_and_ends(client, stub, to):
    run = client.run(model(to, "agent"))
    assert run.code == 0 and not run.result["is_error"], run.result
    assert run.result["num_turns"] == 3 and run.result["stop_reason"] == "end_turn"
    calls = run.blocks("tool_use")
    assert [(c["name"], c["input"]) for c in calls] == [
        ("Bash", {"command": f"echo {SAID}", "description": "Say it"}),
        ("Read", {"file_path": "note.txt"}),
    ]
    shell, note = run.blocks("tool_result")
    assert shell["content"] == SAID and NOTE in note["content"]
    # The stub's last words hold what the file said: it went there and back.
    assert NOTE in run.result["result"]
    usage = run.result["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (3 * 17, 3 * 9)
    assert len(chats(stub)) == 3


def test_agent_turn_on_the_same_wire_loses_nothing(client, stub):
    assert client.run(model("anthropic", "agent")).code == 0
    for record in chats(stub):
        assert (record["path"], record["query"]) == ("/anthropic/v1/messages", "beta=true")
        assert "claude-code-20250219" in record["headers"]["anthropic-beta"]
        assert record["headers"]["user-agent"].startswith("claude-cli/")
        assert KEY not in str(record["headers"])
        body = record["body"]
        assert body["system"][0]["text"].startswith("x-anthropic-billing-header:")
        assert {"thinking", "context_management", "metadata", "output_config"} <= body.keys()
        assert "cache_control" in record["text"] and body["stream"] is True
    turns = [m for m in chats(stub)[-1]["body"]["messages"] if m["role"] == "assistant"]
    assert [[b["type"] for b in turn["content"]] for turn in turns] == [
        ["thinking", "text", "tool_use"], ["thinking", "text", "tool_use"]]
    assert {(t["content"][0]["thinking"], t["content"][0]["signature"]) for t in turns} == {
        (THOUGHT, SIGNATURE)}


def test_agent_turn_translated_is_a_whole_chat(client, stub):
    assert client.run(model("openai", "agent")).code == 0
    for record in chats(stub):
        assert (record["path"], record["query"]) == ("/openai/v1/chat/completions", "")
        assert "x-anthropic-billing-header" not in record["text"]
        assert KEY not in str(record["headers"])
        body = record["body"]
        assert body["stream"] is True and body["reasoning_effort"] == "high"
        assert body["messages"][0]["role"] == "system"
        names = {tool["function"]["name"] for tool in body["tools"]}
        assert {"Bash", "Read", "Edit", "Write"} <= names
        assert all(tool["function"]["parameters"]["type"] == "object" for tool in body["tools"])
    turns = [m for m in chats(stub)[-1]["body"]["messages"] if m["role"] in ("assistant", "tool")]
    assert [m["role"] for m in turns] == ["assistant", "tool", "assistant", "tool"]
    call, result, second, note = turns
    assert call["content"] == "I will look."
    assert json.loads(call["tool_calls"][0]["function"]["arguments"])["command"] == f"echo {SAID}"
    assert result == {"role": "tool", "tool_call_id": "call_stub0007", "content": SAID}
    assert second["tool_calls"][0]["function"]["name"] == "Read"
    assert note["tool_call_id"] == "call_stub0008" and NOTE in note["content"]


def test_context_is_counted_by_an_anthropic_provider(client, stub):
    run = client.run(model("anthropic", "agent"), "/context")
    assert run.code == 0 and not run.result["is_error"]
    assert {r["path"] for r in chats(stub)} == {"/anthropic/v1/messages/count_tokens"}


def test_context_is_estimated_for_another_provider(client, stub):
    run = client.run(model("openai", "agent"), "/context")
    assert run.code == 0 and not run.result["is_error"]
    assert "Context Usage" in run.result["result"]
    assert stub.seen() == []


@BOTH
@pytest.mark.parametrize("script", ["cut", "inband"])
def test_broken_answer_is_an_error(client, stub, to, script):
    run = client.run(model(to, script), CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK="1")
    assert run.code == 1 and run.result["is_error"]
    assert run.result["result"].startswith("API Error"), run.result
    assert chats(stub)


def test_readme_unknown_model_is_named_as_such(client, stub):
    run = client.run("fasst")
    assert run.code == 1 and run.result["api_error_status"] == 404
    assert "fasst" in run.result["result"]
    assert stub.seen() == []


@pytest.mark.parametrize("env", [
    {"ANTHROPIC_AUTH_TOKEN": "rw-wrong"},
    {"ANTHROPIC_API_KEY": "sk-another"},  # Beside the token: two different keys.
])
def test_readme_wrong_or_second_key_reaches_no_provider(client, stub, env):
    run = client.run(model("anthropic", "agent"), **env)
    assert run.code == 1 and run.result["api_error_status"] == 401
    assert stub.seen() == []
