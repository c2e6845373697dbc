"""What the stub provider says: scripts by model name, the same for both wires.

The script is what follows the last `--` of the model's name (`claude-sonnet-4-5--tool`); the part
before it stays a model that the gateway's model table knows. A script is a list of blocks, the
reason why it stops, and a usage; the wires render it. Faults are scripts too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Signatures that this provider has given out, and the thinking that each belongs to.
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds+/="
SECRET = "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP=="


@dataclass
class Text:
    chunks: list[str]


@dataclass
class Thinking:
    chunks: list[str]
    signature: str = SIGNATURE


@dataclass
class Redacted:
    data: str = SECRET


@dataclass
class Tool:
    number: int
    name: str
    fragments: list[str]


@dataclass
class Usage:
    """Counts as the Anthropic wire has them; the other wire adds them up."""

    fresh: int = 17
    read: int = 0
    written: int = 0
    output: int = 9
    thinking: int | None = None


@dataclass
class Fault:
    """An error by status; `kind` and `code` as each wire spells them."""

    status: int
    anthropic: str
    openai: str
    message: str
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Answer:
    blocks: list
    stop: str = "end"  # end, tools, length, refusal, sequence
    usage: Usage = field(default_factory=Usage)
    # How a stream goes wrong after its blocks: error, cut, eof, wait; None: it ends as it should.
    breaks: str | None = None


THOUGHT = ["Let me ", "think: 2+2 ", "is «4».\n"]

WEATHER_PARIS = Tool(1, "get_weather", ['{"city": "Par', 'is", "unit"', ': "c"}'])
WEATHER_ROME = Tool(2, "get_weather", ['{"city":', ' "Rome"}'])

# A coding client's turn: a command, then a file, then words about it.
SHELL = Tool(7, "Bash", ['{"command": "ec', 'ho from-the-shell-é"', ', "description": "Say it"}'])
NOTE = Tool(8, "Read", ['{"file_', 'path": "note.txt"}'])

ERRORS = {
    "err400": Fault(400, "invalid_request_error", "invalid_request_error", "that is not valid",
                    "invalid_value"),
    "context400": Fault(400, "invalid_request_error", "invalid_request_error",
                        "prompt is too long: 210000 tokens > 200000 maximum",
                        "context_length_exceeded"),
    "err401": Fault(401, "authentication_error", "invalid_request_error", "invalid api key",
                    "invalid_api_key"),
    "err403": Fault(403, "permission_error", "permission_error", "not for this key"),
    "err404": Fault(404, "not_found_error", "invalid_request_error", "no such model here",
                    "model_not_found"),
    "err429": Fault(429, "rate_limit_error", "tokens", "slow down", "rate_limit_exceeded",
                    {"retry-after": "7"}),
    "quota429": Fault(429, "rate_limit_error", "insufficient_quota", "you ran out of credits",
                      "insufficient_quota"),
    "err500": Fault(500, "api_error", "server_error", "it broke"),
    "err503": Fault(503, "overloaded_error", "server_error", "come back later"),
    "err529": Fault(529, "overloaded_error", "server_error", "Overloaded", "overloaded"),
    "flaky": Fault(500, "api_error", "server_error", "not the first time",
                   headers={"retry-after-ms": "20"}),
}

IN_BAND = Fault(200, "overloaded_error", "server_error", "Overloaded in the middle", "overloaded")


def script_of(model: str) -> str:
    return model.rpartition("--")[2] if "--" in model else "text"


def answer(script: str, results: list[str], first_tool: str, asked_before: int) -> Answer | Fault:
    """The answer to a request whose last turn holds these tool results."""
    if script in ERRORS and not (script == "flaky" and asked_before > 0):
        return ERRORS[script]
    if script == "agent" and not results:
        return Answer([Thinking(THOUGHT), Text(["I will ", "look."]), SHELL], "tools")
    if script == "agent" and f"stub{SHELL.number:04}=" in results[0]:
        return Answer([Thinking(THOUGHT), Text(["And ", "read."]), NOTE], "tools")
    if results:
        return Answer([Text(["Results: ", " | ".join(results), "."])])
    match script:
        case "text" | "flaky":
            return Answer([Text(["Hello", ", wörld", " 🌍 ", "\"quoted\"\n", "!"])])
        case "think":
            return Answer([Thinking(THOUGHT), Text(["Four", "."])], usage=Usage(thinking=6))
        case "quiet":
            return Answer([Thinking([]), Text(["Four", "."])], usage=Usage(thinking=6))
        case "redacted":
            return Answer([Redacted(), Text(["Four", "."])])
        case "tool":
            return Answer([Text(["I will ", "look."]), WEATHER_PARIS], "tools")
        case "tools":
            return Answer([WEATHER_PARIS, WEATHER_ROME], "tools")
        case "thinktool":
            return Answer([Thinking(THOUGHT), Text(["Looking."]), WEATHER_PARIS], "tools")
        case "redactedtool":
            return Answer([Thinking(THOUGHT), Redacted(), WEATHER_PARIS], "tools")
        case "noargs":
            return Answer([Tool(3, "now", [])], "tools")
        case "firsttool":
            return Answer([Tool(4, first_tool, ['{"city": ', '"Oslo"}'])], "tools")
        case "custom":
            return Answer([Tool(5, first_tool, ['{"inp', 'ut": "print(\\"hé\\")"}'])], "tools")
        case "jsontool":
            return Answer([Tool(6, first_tool, ['{"name"', ': "Ada", ', '"age": 36}'])], "tools")
        case "json":
            return Answer([Text(['{"name"', ': "Ada', '", "age": 36}'])])
        case "cached":
            return Answer([Text(["From the cache."])],
                          usage=Usage(fresh=17, read=1370, written=0, output=874))
        case "length":
            return Answer([Text(["This goes on and"])], "length")
        case "refusal":
            return Answer([Text(["I rather"])], "refusal")
        case "sequence":
            return Answer([Text(["one two "])], "sequence")
        case "inband":
            return Answer([Text(["Hel", "lo"])], breaks="error")
        case "cut":
            return Answer([Text(["Hel", "lo"])], breaks="cut")
        case "cuttool":
            return Answer([Tool(1, "get_weather", ['{"city": "Par'])], breaks="cut")
        case "eof":
            return Answer([Text(["Hel", "lo"])], breaks="eof")
        case "slow":
            return Answer([Text(["Hello"])], breaks="wait")
        case _:
            raise KeyError(script)
