"""Refusals of the gateway's own, as the SDKs raise them, and whether they try again."""

from __future__ import annotations

import time

import anthropic
import openai
import pytest

try:
    import httpx2 as httpx
except ImportError:
    # What the old versions stand on.
    import httpx

HELLO = [{"role": "user", "content": "hello"}]
TEXT = 'Hello, wörld 🌍 "quoted"\n!'
# The SDKs' own first wait is half a second at most: who waits longer does as it was told.
TOLD_SECONDS = 0.9


class Watched:
    """One SDK's client that tries three times more, and what its tries brought."""

    def __init__(self, sdk, gateway, key: str) -> None:
        self.tries: list[tuple[int, float]] = []
        self.on_refusal = None
        hooks = {"request": [self.goes], "response": [self.came]}
        more = {"api_key": key, "max_retries": 3, "timeout": 15,
                "http_client": httpx.Client(event_hooks=hooks, trust_env=False)}
        self.sdk = sdk
        if sdk is openai:
            self.client = openai.OpenAI(base_url=f"{gateway.url}/v1", **more)
        else:
            self.client = anthropic.Anthropic(base_url=gateway.url, **more)
        self.waits: list[float] = []

    def goes(self, _request) -> None:
        if self.tries:
            self.waits.append(time.monotonic() - self.tries[-1][1])

    def came(self, response) -> None:
        if response.status_code != 200 and self.on_refusal is not None:
            self.on_refusal()
        self.tries.append((response.status_code, time.monotonic()))

    def statuses(self) -> list[int]:
        return [status for status, _ in self.tries]

    def ask(self, to: str, script: str = "text", stream: bool = False, **more):
        """An answer's text, or the stream itself."""
        model = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5"}[to] + f"--{script}"
        asked = {"model": model, "messages": HELLO, "max_tokens": 100, "stream": stream} | more
        if self.sdk is openai:
            got = self.client.chat.completions.create(**asked)
            return got if stream else got.choices[0].message.content
        got = self.client.messages.create(**asked)
        return got if stream else got.content[0].text


SDKS = pytest.mark.parametrize("sdk", [openai, anthropic], ids=["openai", "anthropic"])
BOTH = pytest.mark.parametrize("to", ["openai", "anthropic"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@SDKS
@BOTH
def test_place_that_is_taken_is_waited_for_as_long_as_told(limited_gateway, stub, sdk, to):
    holder = Watched(sdk, limited_gateway, "rw-one-at-a-time")
    running = holder.ask(to, "slow", stream=True)
    next(iter(running))
    waiting = Watched(sdk, limited_gateway, "rw-one-at-a-time")
    # Once it was refused the place becomes free.
    waiting.on_refusal = running.close
    assert waiting.ask(to) == TEXT
    *refused, last = waiting.statuses()
    assert refused and set(refused) == {429} and last == 200
    assert min(waiting.waits) >= TOLD_SECONDS, waiting.waits


@SDKS
@STREAMS
def test_rate_that_is_used_up_is_a_rate_limit_error(limited_gateway, stub, sdk, stream):
    watched = Watched(sdk, limited_gateway, "rw-one-a-minute")
    watched.client = watched.client.with_options(max_retries=0)
    with pytest.raises(sdk.RateLimitError) as caught:
        # The first request within the minute is served, whichever test sends it.
        list(watched.ask("openai", stream=stream))
        watched.ask("openai", stream=stream)
    assert caught.value.status_code == 429
    headers = caught.value.response.headers
    assert 1 <= int(headers["retry-after"]) <= 61
    assert "x-should-retry" not in headers
    prefix, names = {
        openai: ("x-ratelimit-", ("limit-requests", "remaining-requests", "reset-requests")),
        anthropic: ("anthropic-ratelimit-", ("requests-limit", "requests-remaining",
                                             "requests-reset")),
    }[sdk]
    limit, remaining, reset = (headers[prefix + name] for name in names)
    assert (limit, remaining) == ("1", "0") and reset
    assert "requests per minute of this key" in str(caught.value)
    if sdk is openai:
        assert (caught.value.type, caught.value.code) == ("rate_limit_error", "rate_limit_exceeded")
    else:
        assert caught.value.body["error"]["type"] == "rate_limit_error"


@SDKS
@BOTH
@STREAMS
def test_request_that_can_never_fit_is_not_tried_again(limited_gateway, stub, sdk, to, stream):
    watched = Watched(sdk, limited_gateway, "rw-few-tokens")
    with pytest.raises(sdk.RateLimitError):
        watched.ask(to, stream=stream)
    assert watched.statuses() == [429]
    assert stub.seen() == []


@SDKS
@BOTH
@STREAMS
def test_budget_that_is_gone_is_told_in_its_own_words_and_not_tried_again(
        limited_gateway, stub, sdk, to, stream):
    watched = Watched(sdk, limited_gateway, "rw-spent")
    error = openai.RateLimitError if sdk is openai else anthropic.APIStatusError
    with pytest.raises(error) as caught:
        watched.ask(to, stream=stream)
    if sdk is openai:
        said = (caught.value.status_code, caught.value.type, caught.value.code)
        assert said == (429, "insufficient_quota", "insufficient_quota")
    else:
        assert caught.value.status_code == 402
        assert caught.value.body["error"]["type"] == "billing_error"
    assert "per day" in str(caught.value)
    assert len(watched.tries) == 1
    assert stub.seen() == []


@SDKS
@BOTH
@STREAMS
@pytest.mark.parametrize("key, word", [("rw-canada", "residency"), ("rw-other-tier", "tier")])
def test_ni9_ni10_what_a_policy_forbids_is_a_permission_denied_error(
        limited_gateway, stub, sdk, to, stream, key, word):
    watched = Watched(sdk, limited_gateway, key)
    with pytest.raises(sdk.PermissionDeniedError) as caught:
        watched.ask(to, stream=stream)
    assert word in str(caught.value)
    assert watched.statuses() == [403]
    assert stub.seen() == []


@SDKS
@STREAMS
def test_ni8_tier_that_nobody_has_is_a_bad_request_error(limited_gateway, stub, sdk, stream):
    watched = Watched(sdk, limited_gateway, "rw-one-at-a-time")
    with pytest.raises(sdk.BadRequestError) as caught:
        watched.ask("openai", stream=stream, extra_body={"privacy_tier": "eu"})
    assert "known: provider_api" in str(caught.value)
    assert watched.statuses() == [400]
    assert stub.seen() == []


@SDKS
def test_endpoint_with_state_that_wants_leave_is_a_permission_denied_error(
        limited_gateway, stub, sdk):
    watched = Watched(sdk, limited_gateway, "rw-one-at-a-time")
    client = watched.client if sdk is openai else watched.client.beta
    with pytest.raises(sdk.PermissionDeniedError) as caught:
        client.files.list()
    assert 'relay = ["files"]' in str(caught.value)
    assert watched.statuses() == [403]
    assert stub.seen() == []
